//! What a policy's words mean together: references, contradictions, names that Kubernetes would refuse.

use std::collections::BTreeMap;

use datalab_yaml::Path;
use jiff::Timestamp;

use crate::Quantity;
use crate::diagnostic::Diagnostic;
use crate::document::{
    DataLab, EnvironmentVariable, Group, IsolationScope, Mount, NodeSelectorOperator,
    NodeSelectorRequirement, Nodes, OnePodPerNode, Profile, Resources, Spec, TaintEffect, Toleration,
    TolerationOperator,
};
use crate::duration;
use crate::names::{is_label, is_label_key, is_label_value, is_subdomain, is_variable};
use crate::suggest::closest;

/// Names that `spec.rules` knows.
pub const RULE_NAMES: [&str; 14] = [
    "nodes",
    "isolation",
    "resources",
    "images",
    "mounts",
    "environment",
    "labels",
    "claims",
    "sessionLimit",
    "identity",
    "quota",
    "security",
    "profiles",
    "placement",
];

/// Labels that the charts and `KubeSpawner` set, and select by.
const CHART_LABELS: [&str; 5] = ["app", "chart", "component", "heritage", "release"];
/// Prefixes of keys that charts, `KubeSpawner` and this project set.
const CHART_PREFIXES: [&str; 4] = ["app.kubernetes.io/", "helm.sh/", "hub.jupyter.org/", "datalab.dev/"];
/// Resources of `core/v1` without a prefix; others need one.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// The shortest session, in seconds: a server takes about that long to start.
const SHORTEST_SESSION: i64 = 60;
/// Where Jupyter's images have their home.
const HOME: &str = "/home/jovyan";
/// What stands for the user in a mount.
const USER: &str = "{user}";

/// What is wrong with a policy's meaning. `now` tells what has run out.
pub fn check(policy: &DataLab, now: Option<Timestamp>) -> Vec<Diagnostic> {
    let root = Path::ROOT.join("spec");
    let mut check = Check { policy, spec: &policy.spec, now, found: Vec::new() };
    check.metadata();
    check.rules(&root);
    check.node_labels(&root.join("nodeLabels"));
    check.labels(&root.join("labels"), &policy.spec.labels);
    check.annotations(&root.join("annotations"));
    check.isolation(&root.join("isolation"));
    check.placement(&root.join("placement"));
    check.profile_defaults(&root.join("profileDefaults"));
    check.profiles(&root.join("profiles"));
    check.images(&root.join("images"));
    check.mounts(&root.join("mounts"));
    check.environment(&root.join("environment"));
    check.claims(&root.join("claims"));
    check.groups(&root.join("groups"));
    check.users(&root.join("users"));
    check.workloads(&root.join("workloads"));
    check.security(&root.join("security").join("exceptions"));
    check.found
}

struct Check<'a> {
    policy: &'a DataLab,
    spec: &'a Spec,
    now: Option<Timestamp>,
    found: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    fn error(&mut self, path: Path, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error(path, message, help));
    }

    fn key_error(&mut self, path: Path, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error(path, message, help).on_key());
    }

    fn warning(&mut self, path: Path, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::warning(path, message, help));
    }

    /// A name that must be unique in its list.
    fn unique(&mut self, path: &Path, field: &str, names: &[&'a str]) {
        for (i, name) in names.iter().enumerate() {
            if let Some(first) = names[..i].iter().position(|earlier| earlier == name) {
                let message = format!("{name:?} is taken by {}", path.join(first));
                self.error(path.join(i).join(field), message, "choose another");
            }
        }
    }

    /// A reference by name.
    fn known(&mut self, path: Path, name: &str, kind: &str, known: &[&'a str]) {
        if !known.contains(&name) {
            let help = match closest(name, known.iter().copied()) {
                Some(word) => format!("did you mean {word}?"),
                None if known.is_empty() => format!("the policy has no {kind}s"),
                None => format!("known are {}", known.join(", ")),
            };
            self.error(path, format!("there is no {kind} {name:?}"), help);
        }
    }

    fn known_groups(&mut self, path: &Path, names: &[String]) {
        let known: Vec<&str> = self.spec.groups.iter().map(|group| group.name.as_str()).collect();
        for (i, name) in names.iter().enumerate() {
            self.known(path.join(i), name, "group", &known);
        }
    }

    /// Whether nobody can be in any of these groups.
    fn is_nobody(&self, groups: &[String]) -> bool {
        let has_nobody =
            |name: &String| self.spec.groups.iter().any(|group| group.name == *name && is_empty(group));
        !groups.is_empty() && groups.iter().all(has_nobody)
    }

    fn subdomain(&mut self, path: Path, name: &str) {
        if !is_subdomain(name) {
            let help =
                "small letters, digits, dashes and dots, at most 253, with a letter or digit at both ends";
            self.error(path, format!("{name:?} is not a name that Kubernetes takes"), help);
        }
    }

    fn key(&mut self, path: Path, key: &str) {
        if !is_label_key(key) {
            self.error(path, format!("{key:?} is not a label key"), KEY_HELP);
        }
    }

    fn metadata(&mut self) {
        let path = Path::ROOT.join("metadata");
        self.subdomain(path.join("name"), &self.policy.metadata.name);
        if let Some(namespace) = &self.policy.metadata.namespace
            && !is_label(namespace)
        {
            self.error(path.join("namespace"), format!("{namespace:?} is not a namespace"), LABEL_HELP);
        }
        self.plain_labels(&path.join("labels"), &self.policy.metadata.labels);
    }

    fn rules(&mut self, root: &Path) {
        for name in self.spec.rules.keys().filter(|name| !RULE_NAMES.contains(&name.as_str())) {
            let help = match closest(name, RULE_NAMES.into_iter()) {
                Some(word) => format!("did you mean {word}?"),
                None => format!("rules are {}", RULE_NAMES.join(", ")),
            };
            self.key_error(
                root.join("rules").join(name.as_str()),
                format!("there is no rule {name:?}"),
                help,
            );
        }
        let hub = &self.spec.hub;
        for (field, name) in [("name", &hub.name), ("serviceAccount", &hub.service_account)] {
            if let Some(name) = name {
                self.subdomain(root.join("hub").join(field), name);
            }
        }
    }

    fn node_labels(&mut self, path: &Path) {
        let labels = &self.spec.node_labels;
        let named = [
            ("instanceType", &labels.instance_type),
            ("capacity", &labels.capacity),
            ("pool", &labels.pool),
            ("zone", &labels.zone),
        ];
        for (field, key) in named {
            if let Some(key) = key {
                self.key(path.join(field), key);
            }
        }
    }

    /// Labels of whatever kind.
    fn plain_labels(&mut self, path: &Path, labels: &BTreeMap<String, String>) {
        for (key, value) in labels {
            let here = path.join(key.as_str());
            if !is_label_key(key) {
                self.key_error(here.clone(), format!("{key:?} is not a label key"), KEY_HELP);
            }
            if !is_label_value(value) {
                self.error(here, format!("{value:?} is not a label value"), VALUE_HELP);
            }
        }
    }

    /// Labels for objects that a chart labels, too.
    fn labels(&mut self, path: &Path, labels: &BTreeMap<String, String>) {
        self.plain_labels(path, labels);
        for key in labels.keys().filter(|key| CHART_LABELS.contains(&key.as_str()) || is_owned(key)) {
            let help = "the charts set and select by it; choose a key with a prefix of your own, such as lab.example.org/name";
            self.key_error(path.join(key.as_str()), format!("{key:?} is not the policy's to set"), help);
        }
    }

    fn annotations(&mut self, path: &Path) {
        for key in self.spec.annotations.keys() {
            let here = path.join(key.as_str());
            // Unlike those of labels, prefixes of annotations may have capitals.
            if !is_label_key(&key.to_lowercase()) {
                self.key_error(here, format!("{key:?} is not an annotation key"), KEY_HELP);
            } else if is_owned(key) {
                let help = "choose a key with a prefix of your own, such as lab.example.org/name";
                self.key_error(here, format!("{key:?} is not the policy's to set"), help);
            }
        }
    }

    fn isolation(&mut self, path: &Path) {
        let isolation = &self.spec.isolation;
        let in_force = |profile: &Profile| {
            profile.one_pod_per_node.unwrap_or(isolation.one_pod_per_node) != OnePodPerNode::None
        };
        if isolation.scope == IsolationScope::Cluster && !self.policy.profiles().iter().any(in_force) {
            let help = "set isolation.onePodPerNode, or leave out the scope";
            self.warning(path.join("scope"), "has no effect, as user pods share nodes", help);
        }
    }

    fn placement(&mut self, path: &Path) {
        let entries = &self.spec.placement;
        for (i, entry) in entries.iter().enumerate() {
            let here = path.join(i);
            self.nodes(&here.join("nodes"), &entry.nodes);
            self.tolerations(&here.join("tolerations"), &entry.tolerations);
            if entry.nodes == Nodes::default() && entry.tolerations.is_empty() {
                let help = "give it nodes or tolerations, or leave it out";
                self.warning(here.join("nodes"), "asks for nothing", help);
            }
            let covers = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
            let earlier = entries[..i].iter().position(|e| {
                covers(&e.r#match.chart, &entry.r#match.chart)
                    && covers(&e.r#match.component, &entry.r#match.component)
            });
            if let Some(earlier) = earlier {
                let message = format!("is never used: {} matches all that it matches", path.join(earlier));
                self.warning(here, message, "the first match wins, so put the narrower one first");
            }
        }
    }

    fn nodes(&mut self, path: &Path, nodes: &Nodes) {
        self.plain_labels(&path.join("labels"), &nodes.labels);
        let lists =
            [("instanceTypes", &nodes.instance_types), ("pools", &nodes.pools), ("zones", &nodes.zones)];
        for (field, values) in lists {
            for (i, value) in values.iter().enumerate() {
                if value.is_empty() || !is_label_value(value) {
                    self.error(
                        path.join(field).join(i),
                        format!("{value:?} is not a label value"),
                        VALUE_HELP,
                    );
                }
            }
        }
        let labels = &self.spec.node_labels;
        for (field, used, key, presets) in [
            ("capacity", nodes.capacity.is_some(), labels.capacity_key(), "karpenter, eks, gke or aks"),
            ("pools", !nodes.pools.is_empty(), labels.pool_key(), "karpenter, eks, gke or aks"),
        ] {
            if used && key.is_none() {
                let own = if field == "pools" { "pool" } else { field };
                let help =
                    format!("set spec.nodeLabels.preset to {presets}, or spec.nodeLabels.{own} to the key");
                self.error(path.join(field), "no node label is known for it", help);
            }
        }
        for (i, requirement) in nodes.match_expressions.iter().enumerate() {
            self.requirement(&path.join("matchExpressions").join(i), requirement);
        }
        self.tolerations(&path.join("tolerations"), &nodes.tolerations);
    }

    /// As `ValidateNodeSelectorRequirement` of Kubernetes.
    fn requirement(&mut self, path: &Path, requirement: &NodeSelectorRequirement) {
        use NodeSelectorOperator::{DoesNotExist, Exists, Gt, In, Lt, NotIn};
        let NodeSelectorRequirement { key, operator, values } = requirement;
        self.key(path.join("key"), key);
        match operator {
            In | NotIn if values.is_empty() => {
                self.error(path.join("values"), format!("{operator} needs values"), "list at least one");
            }
            Exists | DoesNotExist if !values.is_empty() => {
                self.error(path.join("values"), format!("{operator} takes no values"), "leave them out");
            }
            Gt | Lt if values.len() != 1 || values.iter().any(|value| value.parse::<i64>().is_err()) => {
                self.error(
                    path.join("values"),
                    format!("{operator} needs one whole number"),
                    "write it as [\"4\"]",
                );
            }
            In | NotIn => {
                for (i, value) in values.iter().enumerate().filter(|(_, value)| !is_label_value(value)) {
                    self.error(
                        path.join("values").join(i),
                        format!("{value:?} is not a label value"),
                        VALUE_HELP,
                    );
                }
            }
            _ => {}
        }
    }

    /// As `ValidateTolerations` of Kubernetes.
    fn tolerations(&mut self, path: &Path, tolerations: &[Toleration]) {
        for (i, toleration) in tolerations.iter().enumerate() {
            let here = path.join(i);
            let exists = toleration.operator == Some(TolerationOperator::Exists);
            let value = toleration.value.as_deref().unwrap_or_default();
            match toleration.key.as_deref().filter(|key| !key.is_empty()) {
                Some(key) => self.key(here.join("key"), key),
                None if !exists => {
                    self.error(
                        here.join("key"),
                        "a toleration without a key bears every taint",
                        "set operator to Exists, or a key",
                    );
                }
                None => {}
            }
            if exists && !value.is_empty() {
                self.error(
                    here.join("value"),
                    "Exists takes no value",
                    "leave it out, or set operator to Equal",
                );
            } else if !is_label_value(value) {
                self.error(here.join("value"), format!("{value:?} is not a taint value"), VALUE_HELP);
            }
            if toleration.toleration_seconds.is_some() && toleration.effect != Some(TaintEffect::NoExecute) {
                let help = "set effect to NoExecute, or leave it out";
                self.error(
                    here.join("tolerationSeconds"),
                    "only NoExecute taints are borne for a time",
                    help,
                );
            }
        }
    }

    fn profile_defaults(&mut self, path: &Path) {
        let defaults = &self.spec.profile_defaults;
        self.resources(&path.join("resources"), &defaults.resources, &defaults.resources);
        self.nodes(&path.join("nodes"), &defaults.nodes);
        self.named_images(&path.join("images"), &defaults.images);
        self.session_limit(&path.join("sessionLimit"), defaults.session_limit.as_deref());
    }

    fn profiles(&mut self, path: &Path) {
        let profiles = &self.spec.profiles;
        let slugs: Vec<_> = profiles.iter().map(|profile| profile.slug.as_str()).collect();
        self.unique(path, "slug", &slugs);
        let mut default = None;
        for (i, profile) in profiles.iter().enumerate() {
            let here = path.join(i);
            if !is_label(&profile.slug) {
                self.error(here.join("slug"), format!("{:?} is not a slug", profile.slug), LABEL_HELP);
            }
            if profile.default {
                match default {
                    Some(first) => {
                        let message = format!("{} is the default already", path.join(first));
                        self.error(here.join("default"), message, "keep one");
                    }
                    None => default = Some(i),
                }
            }
            self.known_groups(&here.join("groups"), &profile.groups);
            if self.is_nobody(&profile.groups) {
                let help = "give one of its groups members or identityGroups";
                self.warning(here.join("groups"), "nobody may use the profile: its groups are empty", help);
            }
            let whole = self.policy.profile(&profile.slug).unwrap_or_default();
            self.resources(&here.join("resources"), &profile.resources, &whole.resources);
            self.nodes(&here.join("nodes"), &profile.nodes);
            self.named_images(&here.join("images"), &profile.images);
            self.session_limit(&here.join("sessionLimit"), profile.session_limit.as_deref());
            for (capacity, price) in profile.price_per_hour.iter().filter(|(_, price)| !is_decimal(price)) {
                let path = here.join("pricePerHour").join(capacity.to_string());
                self.error(path, format!("{price:?} is not a price"), "a decimal number, such as \"0.06\"");
            }
            if profile.spares > 0 && whole.one_pod_per_node != Some(OnePodPerNode::Required) {
                let help = "set onePodPerNode to required, so that each placeholder keeps a node";
                self.warning(here.join("spares"), "keeps no nodes warm, as pods share them", help);
            }
        }
    }

    /// `whole` is what the defaults and `resources` give together.
    fn resources(&mut self, path: &Path, resources: &Resources, whole: &Resources) {
        for (kind, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
            for (name, amount) in amounts {
                let here = path.join(kind).join(name.as_str());
                self.resource_name(here.clone(), name);
                if *amount < Quantity::default() {
                    self.error(here, "must not be negative", "");
                } else if is_extended(name) && amount.nanos() % 1_000_000_000 != 0 {
                    self.error(
                        here,
                        format!("{amount} is not a whole number of {name}"),
                        "devices cannot be shared",
                    );
                }
            }
        }
        for (name, request) in &whole.requests {
            let limit = whole.limits.get(name);
            // Said where the profile or the defaults say either.
            let kind = if resources.requests.contains_key(name) { "requests" } else { "limits" };
            if !resources.requests.contains_key(name) && !resources.limits.contains_key(name) {
                continue;
            }
            let here = path.join(kind).join(name.as_str());
            match limit {
                Some(limit) if request > limit => {
                    let message = format!("the request {request} is above the limit {limit}");
                    self.error(here, message, "lower the request, or raise the limit");
                }
                Some(limit) if is_extended(name) && request != limit => {
                    let message = format!("the request {request} differs from the limit {limit}");
                    self.error(here, message, "Kubernetes wants them equal; the limit alone is enough");
                }
                None if is_extended(name) => {
                    self.error(
                        here,
                        "a request without a limit",
                        format!("put {name} among the limits; that requests it, too"),
                    );
                }
                _ => {}
            }
        }
        for (i, entry) in resources.remove.iter().enumerate() {
            let here = path.join("remove").join(i);
            let (amounts, name) = match entry.split_once('.') {
                Some(("requests", name)) => (&resources.requests, name),
                Some(("limits", name)) => (&resources.limits, name),
                _ => {
                    self.error(
                        here,
                        format!("{entry:?} names no request or limit"),
                        "write requests.cpu or limits.memory, for example",
                    );
                    continue;
                }
            };
            self.resource_name(here.clone(), name);
            if amounts.contains_key(name) {
                self.error(here, format!("{entry} is set here, too"), "either set or remove it");
            }
        }
    }

    fn resource_name(&mut self, path: Path, name: &str) {
        let hugepages = name.strip_prefix("hugepages-").is_some_and(|size| size.parse::<Quantity>().is_ok());
        let is_known = RESOURCES.contains(&name) || hugepages || is_extended(name) && is_label_key(name);
        if !is_known {
            let help = match closest(name, RESOURCES.into_iter()) {
                Some(word) => format!("did you mean {word}?"),
                None if name == "gpu" => "did you mean nvidia.com/gpu?".to_owned(),
                None => format!("{}, or a device such as nvidia.com/gpu", RESOURCES.join(", ")),
            };
            self.key_error(path, format!("{name:?} is not a resource"), help);
        }
    }

    fn named_images(&mut self, path: &Path, names: &[String]) {
        let known: Vec<_> = self.spec.images.named.iter().map(|image| image.name.as_str()).collect();
        for (i, name) in names.iter().enumerate() {
            self.known(path.join(i), name, "named image", &known);
        }
    }

    fn session_limit(&mut self, path: &Path, limit: Option<&str>) {
        let Some(limit) = limit else { return };
        match duration::seconds(limit) {
            None => {
                let help = "whole days, hours, minutes and seconds, such as 7d, 12h or 1h30m";
                self.error(path.clone(), format!("{limit:?} is not a length of time"), help);
            }
            Some(seconds) if seconds < SHORTEST_SESSION => {
                self.error(path.clone(), format!("{limit} ends servers before they start"), "at least 1m");
            }
            Some(_) => {}
        }
    }

    fn images(&mut self, path: &Path) {
        let images = &self.spec.images;
        for (i, rule) in images.allow.iter().enumerate() {
            let here = path.join("allow").join(i);
            if rule.pattern.contains(char::is_whitespace) {
                let message = format!("{:?} matches no image", rule.pattern);
                self.error(here.join("pattern"), message, "image references have no spaces");
            }
            self.known_groups(&here.join("groups"), &rule.groups);
        }
        for (i, name) in images.pull_secrets.iter().enumerate() {
            self.subdomain(path.join("pullSecrets").join(i), name);
        }
        let path = path.join("named");
        let names: Vec<_> = images.named.iter().map(|image| image.name.as_str()).collect();
        self.unique(&path, "name", &names);
        for (i, image) in images.named.iter().enumerate() {
            let here = path.join(i).join("image");
            if image.image.contains(char::is_whitespace) || image.image.contains('*') {
                let help = "one image, such as quay.io/jupyter/scipy-notebook:2026-10-01";
                self.error(here, format!("{:?} is not an image reference", image.image), help);
            } else if images.require_digest && !image.image.contains("@sha256:") {
                let help = "add its digest, as name@sha256:…, or leave out images.requireDigest";
                self.error(here, "has no digest, which images.requireDigest asks for", help);
            }
        }
    }

    fn mounts(&mut self, path: &Path) {
        let mounts = &self.spec.mounts;
        let names: Vec<_> = mounts.iter().map(|mount| mount.name.as_str()).collect();
        self.unique(path, "name", &names);
        for (i, mount) in mounts.iter().enumerate() {
            let here = path.join(i);
            if !is_label(&mount.name) {
                self.error(
                    here.join("name"),
                    format!("{:?} is not a name of a volume", mount.name),
                    LABEL_HELP,
                );
            }
            self.source(&here, mount);
            if !mount.mount_path.starts_with('/') {
                let message = format!("{:?} is not absolute", mount.mount_path);
                self.error(
                    here.join("mountPath"),
                    message,
                    format!("write /{}", mount.mount_path.trim_start_matches("./")),
                );
            } else if mount.mount_path.contains(':') {
                self.error(here.join("mountPath"), "Kubernetes takes no colon in it", "");
            }
            if let Some(sub_path) = &mount.sub_path {
                let here = here.join("subPath");
                if sub_path.starts_with('/') {
                    let help =
                        format!("it starts at the volume's root: write {}", sub_path.trim_start_matches('/'));
                    self.error(here, format!("{sub_path:?} is absolute"), help);
                } else if sub_path.split('/').any(|part| part == "..") {
                    self.error(here, format!("{sub_path:?} leaves the volume"), "leave out ..");
                }
            }
            self.known_groups(&here.join("groups"), &mount.groups);
            if self.is_nobody(&mount.groups) {
                let help = "give one of its groups members or identityGroups";
                self.warning(here.join("groups"), "nobody gets it: its groups are empty", help);
            }
            let same = |earlier: &Mount| {
                earlier.mount_path.trim_end_matches('/') == mount.mount_path.trim_end_matches('/')
                    && overlap(&earlier.groups, &mount.groups)
            };
            if let Some(first) = mounts[..i].iter().position(same) {
                let message = format!("{} is mounted there for the same users", path.join(first));
                self.error(
                    here.join("mountPath"),
                    message,
                    "choose another path, or groups that do not overlap",
                );
            }
        }
    }

    /// Where a mount comes from.
    fn source(&mut self, path: &Path, mount: &Mount) {
        let sources = [
            ("nfs", mount.nfs.is_some()),
            ("claim", mount.claim.is_some()),
            ("hostPath", mount.host_path.is_some()),
        ];
        let given: Vec<_> =
            sources.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect();
        match given.as_slice() {
            [] => self.error(path.clone(), "comes from nowhere", "give it one of nfs, claim and hostPath"),
            [_] => {}
            [_, second, ..] => {
                self.key_error(
                    path.join(*second),
                    "a mount comes from one place",
                    format!("keep one of {}", given.join(" and ")),
                );
            }
        }
        let nfs_path = mount.nfs.as_ref().map(|nfs| nfs.path.as_str());
        for (here, folder) in
            [(path.join("nfs").join("path"), nfs_path), (path.join("hostPath"), mount.host_path.as_deref())]
        {
            match folder {
                Some(folder) if !folder.starts_with('/') => {
                    self.error(here, format!("{folder:?} is not absolute"), format!("write /{folder}"));
                }
                Some(folder) if folder.split('/').any(|part| part == "..") => {
                    self.error(here, format!("{folder:?} goes upwards"), "leave out ..");
                }
                _ => {}
            }
        }
        if let Some(claim) = &mount.claim {
            self.subdomain(path.join("claim"), &claim.replace(USER, "user"));
        }
        for (here, text) in [
            (path.join("subPath"), mount.sub_path.as_deref()),
            (path.join("mountPath"), Some(mount.mount_path.as_str())),
            (path.join("hostPath"), mount.host_path.as_deref()),
            (path.join("nfs").join("path"), nfs_path),
        ] {
            if text.is_some_and(|text| text.replace(USER, "").contains(['{', '}'])) {
                let message = format!("{:?} has a placeholder that is unknown", text.unwrap_or_default());
                self.error(here, message, format!("{USER} is the user's name; there is no other"));
            }
        }
    }

    fn environment(&mut self, path: &Path) {
        let environment = &self.spec.environment;
        for (i, variable) in environment.iter().enumerate() {
            let here = path.join(i);
            if !is_variable(&variable.name) {
                let help = "letters, digits, _, - and ., and no digit first";
                self.error(
                    here.join("name"),
                    format!("{:?} is not a name of a variable", variable.name),
                    help,
                );
            }
            match (&variable.value, &variable.secret) {
                (None, None) => self.error(here.clone(), "has no value", "give it one of value and secret"),
                (Some(_), Some(_)) => {
                    self.key_error(here.join("secret"), "a variable has one value", "keep value or secret");
                }
                (None, Some(secret)) => self.subdomain(here.join("secret").join("name"), &secret.name),
                (Some(_), None) => {}
            }
            self.known_groups(&here.join("groups"), &variable.groups);
            if self.is_nobody(&variable.groups) {
                let help = "give one of its groups members or identityGroups";
                self.warning(here.join("groups"), "nobody gets it: its groups are empty", help);
            }
            let same = |earlier: &EnvironmentVariable| {
                earlier.name == variable.name && overlap(&earlier.groups, &variable.groups)
            };
            if let Some(first) = environment[..i].iter().position(same) {
                let message = format!("{} sets {} for the same users", path.join(first), variable.name);
                self.error(here.join("name"), message, "keep one, or groups that do not overlap");
            }
        }
    }

    fn claims(&mut self, path: &Path) {
        let claims = &self.spec.claims;
        for (i, class) in claims.storage_classes.iter().enumerate() {
            self.subdomain(path.join("storageClasses").join(i), class);
        }
        if claims.max_size.as_ref().is_some_and(|size| *size <= Quantity::default()) {
            self.error(
                path.join("maxSize"),
                "no claim is that small",
                "leave it out, or give a size such as 200Gi",
            );
        }
    }

    fn groups(&mut self, path: &Path) {
        let groups = &self.spec.groups;
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        self.unique(path, "name", &names);
        for (i, group) in groups.iter().enumerate() {
            let here = path.join(i);
            if is_empty(group) {
                let help = "give it members or identityGroups";
                self.warning(here.join("name"), format!("nobody is in {:?}", group.name), help);
            }
            for (j, member) in group.members.iter().enumerate() {
                if group.members[..j].contains(member) {
                    self.warning(
                        here.join("members").join(j),
                        format!("{member:?} is listed twice"),
                        "keep one",
                    );
                }
            }
            self.labels(&here.join("labels"), &group.labels);
            if let Some(until) = &group.until {
                self.until(here.join("until"), until);
            }
            let usable =
                |profile: &Profile| profile.groups.is_empty() || profile.groups.contains(&group.name);
            self.quota(&here.join("quota"), &group.quota, usable);
            self.quota(&here.join("memberQuota"), &group.member_quota, usable);
        }
    }

    fn until(&mut self, path: Path, until: &str) {
        match until.parse::<Timestamp>() {
            Err(_) => {
                let help = "date, time and offset as in RFC 3339, such as \"2026-12-24T18:00:00+01:00\"";
                self.error(path, format!("{until:?} is not a moment"), help);
            }
            Ok(end) if self.now.is_some_and(|now| end <= now) => {
                self.warning(path, format!("{until} has passed: nobody in the group can start a server"), "");
            }
            Ok(_) => {}
        }
    }

    /// Keys and amounts, and whether any of the usable profiles fits.
    fn quota(&mut self, path: &Path, quota: &BTreeMap<String, Quantity>, usable: impl Fn(&Profile) -> bool) {
        for (key, amount) in quota {
            let here = path.join(key.as_str());
            match key.split_once('.') {
                Some(("requests", "storage")) => self.storage_quota(&here),
                Some(("requests" | "limits", name)) => self.resource_name(here.clone(), name),
                _ if matches!(key.as_str(), "servers" | "claims") => {
                    if amount.nanos() % 1_000_000_000 != 0 {
                        self.error(here.clone(), format!("{amount} is not a whole number"), "");
                    }
                }
                _ => {
                    let help = match key.as_str() {
                        "pods" => "did you mean servers?".to_owned(),
                        "persistentvolumeclaims" => "did you mean claims?".to_owned(),
                        "storage" | "cpu" | "memory" => format!("did you mean requests.{key}?"),
                        _ => "servers, claims, requests.cpu, limits.memory and so on, requests.storage"
                            .to_owned(),
                    };
                    self.key_error(here.clone(), format!("{key:?} cannot be counted"), help);
                }
            }
            if *amount < Quantity::default() {
                self.error(here, "must not be negative", "");
            }
        }
        // No servers at all is a decision, not a slip.
        if quota.get("servers").is_some_and(Quantity::is_zero) {
            return;
        }
        let profiles: Vec<Profile> =
            self.policy.profiles().into_iter().filter(|profile| usable(profile)).collect();
        let lacks = |profile: &Profile| {
            quota
                .iter()
                .find(|(key, amount)| need(profile, key).is_some_and(|need| need > **amount))
                .map(|(key, _)| key)
        };
        let lacking: Vec<_> = profiles.iter().map(lacks).collect();
        if let Some(Some(key)) = lacking.first()
            && lacking.iter().all(Option::is_some)
        {
            let smallest = profiles.iter().filter_map(|profile| need(profile, key)).min();
            let message =
                match smallest.filter(|smallest| quota.get(*key).is_some_and(|amount| *smallest > *amount)) {
                    Some(smallest) => format!("no profile fits: the smallest needs {smallest}"),
                    None => "no profile fits together with the other amounts".to_owned(),
                };
            self.error(path.join(key.as_str()), message, "raise it, or offer a smaller profile");
        }
    }

    /// Homes on a shared volume are no claims, and so no quota on claims sees them.
    fn storage_quota(&mut self, path: &Path) {
        let is_home = |mount: &Mount| {
            mount.mount_path.trim_end_matches('/') == HOME
                || [&mount.sub_path, &mount.claim, &mount.host_path]
                    .into_iter()
                    .flatten()
                    .any(|text| text.contains(USER))
        };
        if let Some(home) = self.spec.mounts.iter().position(is_home) {
            let message = format!("does not count homes, which are folders of spec.mounts[{home}]");
            if self.found.iter().all(|problem| problem.message != message) {
                self.warning(
                    path.clone(),
                    message,
                    "it counts the claims of users; limit folders where they are kept",
                );
            }
        }
    }

    fn users(&mut self, path: &Path) {
        let users = &self.spec.users;
        self.quota(&path.join("quota"), &users.quota, |_| true);
        let overrides = path.join("overrides");
        let names: Vec<_> = users.overrides.iter().map(|user| user.name.as_str()).collect();
        self.unique(&overrides, "name", &names);
        for (i, user) in users.overrides.iter().enumerate() {
            self.quota(&overrides.join(i).join("quota"), &user.quota, |_| true);
        }
    }

    fn workloads(&mut self, path: &Path) {
        let names: Vec<_> = self.spec.workloads.iter().map(|workload| workload.name.as_str()).collect();
        self.unique(path, "name", &names);
        for (i, workload) in self.spec.workloads.iter().enumerate() {
            let here = path.join(i);
            self.plain_labels(&here.join("selector"), &workload.selector);
            self.subdomain(here.join("serviceAccount"), &workload.service_account);
            self.key(here.join("userLabel"), &workload.user_label);
        }
    }

    fn security(&mut self, path: &Path) {
        for (i, exception) in self.spec.security.exceptions.iter().enumerate() {
            let here = path.join(i);
            match (&exception.container, &exception.init_container) {
                (None, None) => {
                    self.error(here, "spares no container", "name one with container or initContainer");
                }
                (Some(_), Some(_)) => {
                    self.key_error(
                        here.join("container"),
                        "spares two containers",
                        "write one exception for each",
                    );
                }
                (Some(name), None) | (None, Some(name)) => {
                    let field = if exception.container.is_some() { "container" } else { "initContainer" };
                    if !is_label(name) {
                        self.error(
                            here.join(field),
                            format!("{name:?} is not a name of a container"),
                            LABEL_HELP,
                        );
                    }
                }
            }
        }
    }
}

const LABEL_HELP: &str = "small letters, digits and dashes, at most 63, with a letter or digit at both ends";
const VALUE_HELP: &str = "letters, digits, -, _ and ., at most 63, with a letter or digit at both ends";
const KEY_HELP: &str = "a name, or a domain, a slash and a name, such as example.org/name";

fn is_owned(key: &str) -> bool {
    CHART_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn is_empty(group: &Group) -> bool {
    group.members.is_empty() && group.identity_groups.is_empty()
}

/// Whether a user can be in both by the policy's words; no groups are everyone.
fn overlap(a: &[String], b: &[String]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|group| b.contains(group))
}

/// Whether a resource is counted in whole devices.
fn is_extended(name: &str) -> bool {
    name.contains('/')
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction]
        .into_iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What one server of a profile takes of a quota. A limit without a request is the request, too.
fn need(profile: &Profile, key: &str) -> Option<Quantity> {
    let Resources { requests, limits, .. } = &profile.resources;
    match key.split_once('.')? {
        ("requests", name) => requests.get(name).or_else(|| limits.get(name)).cloned(),
        ("limits", name) => limits.get(name).cloned(),
        _ => None,
    }
}

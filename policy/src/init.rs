//! A first policy out of a hub that runs without one.

use std::collections::BTreeMap;

use datalab_yaml::{Path, Segment, Value, emit};
use serde_json::json;

use crate::diagnostic::Severity;
use crate::document::{
    API_VERSION, Capacity, DataLab, Enforcement, IsolationScope, KIND, Mount, NamedImage, NfsExport,
    NodeLabelPreset, NodeLabels, NodeSelectorOperator, NodeSelectorRequirement, Nodes, OnePodPerNode,
    Placement, PlacementMatch, Profile, Resources, SecurityException, SecurityRule, Toleration,
};
use crate::names::{is_label, is_subdomain};
use crate::{Quantity, nodes, slug};

/// What is said above each part of the policy.
const COMMENTS: [(&str, &str); 11] = [
    ("enforcement", "Begin by looking on: audit refuses nothing. Then warn, then enforce."),
    ("nodeLabels", "The node labels that these nodes go by."),
    ("isolation", "Whether a server has its node to itself."),
    ("placement", "Where the platform's own parts run. The first match wins."),
    ("profileDefaults", "What every profile has unless it says otherwise."),
    ("profiles", "The servers on offer. Groups say who may use one; without them, everyone may."),
    ("images", "What may run. Without allow, anything may where a profile names no images."),
    ("mounts", "Shared data and homes. {user} is the user, as the hub's spawner names them."),
    ("claims", "What users' volume claims may be."),
    ("security", "Exceptions from what user pods may never have."),
    ("groups", "Groups of users, and what they may have."),
];

/// Writes a first policy for a hub from its chart's values: those of a release (with `Release` and `Chart`), or what its owner
/// wrote. It can be read without errors; what could not be said is listed in its first lines.
///
/// A `name` that is none becomes `lab`; a `namespace` that is left out is the release's.
pub fn init(values: &Value, name: &str, namespace: Option<&str>) -> String {
    let mut init = Init { values, user: &values["singleuser"], notes: Vec::new() };
    let mut policy = init.policy();
    let name = if is_subdomain(name) { name } else { "lab" };
    name.clone_into(&mut policy.metadata.name);
    policy.metadata.namespace =
        namespace.or_else(|| values["Release"]["Namespace"].as_str()).map(str::to_owned);
    let notes = std::mem::take(&mut init.notes);
    write(&policy, notes)
}

/// Text of a policy, without what is wrong in it.
fn write(policy: &DataLab, mut notes: Vec<String>) -> String {
    let mut value = serde_json::to_value(policy).unwrap_or_default();
    let mounts = Path::ROOT.join("spec").join("mounts");
    // Each round takes something away, so this ends.
    while let Err(errors) = DataLab::from_value(&value) {
        let Some(error) = errors.iter().find(|problem| problem.severity == Severity::Error) else { break };
        notes.push(format!("left out: {}: {}", error.path, error.message));
        // Half a mount would show more of a volume than was meant.
        let depth = if mounts.contains(&error.path) { mounts.segments().len() + 1 } else { usize::MAX };
        let path: Path = error.path.segments().iter().take(depth).cloned().collect();
        if !remove(&mut value, &path) {
            break;
        }
    }
    let mut lines = vec!["# A first policy, read from the values of the hub's chart.".to_owned()];
    if !notes.is_empty() {
        lines.extend(["#".to_owned(), "# Look at these yourself:".to_owned()]);
        let is_odd = |c: char| !c.is_alphanumeric() && !c.is_ascii_graphic();
        lines.extend(notes.iter().map(|note| format!("# - {}", note.replace(is_odd, " "))));
    }
    lines.push(format!("apiVersion: {API_VERSION}\nkind: {KIND}"));
    lines.push(emit(&json!({"metadata": value["metadata"]})).trim_end().to_owned());
    lines.push("spec:".to_owned());
    for (i, (key, value)) in value["spec"].as_object().into_iter().flatten().enumerate() {
        if i > 0 {
            lines.push(String::new());
        }
        let comment = COMMENTS.iter().find(|(name, _)| name == key);
        lines.extend(comment.map(|(_, comment)| format!("  # {comment}")));
        lines.extend(emit(&json!({key.as_str(): value})).lines().map(|line| format!("  {line}")));
    }
    lines.join("\n") + "\n"
}

/// Takes away what stands at a path, or what is nearest above it.
fn remove(value: &mut Value, path: &Path) -> bool {
    let Some((above, step)) = path.split_last() else { return false };
    let parent = above.segments().iter().try_fold(&mut *value, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key.as_str()),
        Segment::Index(index) => value.get_mut(index),
    });
    let removed = match (parent, step) {
        (Some(Value::Object(map)), Segment::Key(key)) => map.shift_remove(key).is_some(),
        (Some(Value::Array(list)), Segment::Index(index)) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    };
    removed || remove(value, &above)
}

struct Init<'a> {
    values: &'a Value,
    /// `singleuser`.
    user: &'a Value,
    /// What a policy cannot say, or what is not read here.
    notes: Vec<String>,
}

impl Init<'_> {
    fn policy(&mut self) -> DataLab {
        let mut policy =
            DataLab { api_version: API_VERSION.to_owned(), kind: KIND.to_owned(), ..DataLab::default() };
        let spec = &mut policy.spec;
        spec.enforcement = Enforcement::Audit;
        let labels = self.node_labels();
        let user = self.user;

        spec.profile_defaults.resources = resources(
            [&user["cpu"]["guarantee"], &user["memory"]["guarantee"], &user["extraResource"]["guarantees"]],
            [&user["cpu"]["limit"], &user["memory"]["limit"], &user["extraResource"]["limits"]],
        );
        let place = Place {
            selectors: vec![&user["nodeSelector"], &user["extraPodConfig"]["nodeSelector"]],
            terms: vec![&user["extraNodeAffinity"]["required"], node_terms(&user["extraPodConfig"])],
            tolerations: vec![&user["extraTolerations"], &user["extraPodConfig"]["tolerations"]],
        };
        spec.profile_defaults.nodes = self.nodes(&place, &labels, "singleuser");
        let seconds = self.values["cull"]["maxAge"].as_i64().filter(|age| *age >= 60);
        spec.profile_defaults.session_limit = seconds.map(|seconds| match seconds {
            hours if hours % 3600 == 0 => format!("{}h", hours / 3600),
            seconds => format!("{seconds}s"),
        });

        let mut images = Images::default();
        let default_image = image(&user["image"]).map(|image| images.name(&image));
        let list: Vec<&Value> = user["profileList"].as_array().into_iter().flatten().collect();
        let mut is_open = false;
        for (i, chart) in list.iter().enumerate() {
            let mut profile = self.profile(chart, i, &spec.profile_defaults.nodes, &labels);
            let options = choices(chart);
            let own = [&chart["kubespawner_override"]["image"]];
            let chosen = options.iter().map(|choice| &choice["kubespawner_override"]["image"]);
            if has_unlisted(chart) {
                is_open = true;
                let slug = &profile.slug;
                self.notes
                    .push(format!("profile {slug} lets users name any image: say which with images.allow"));
            } else {
                profile.images = own
                    .into_iter()
                    .chain(chosen)
                    .filter_map(Value::as_str)
                    .map(|image| images.name(image))
                    .collect();
                profile.images.dedup();
            }
            if spec.profiles.iter().any(|earlier| earlier.slug == profile.slug) {
                profile.slug = format!("{}-{}", profile.slug, i + 1);
            }
            spec.profiles.push(profile);
        }
        if !is_open {
            spec.profile_defaults.images = default_image.into_iter().collect();
        }
        let is_used = |name: &String| {
            spec.profile_defaults.images.contains(name)
                || spec.profiles.iter().any(|p| p.images.contains(name))
        };
        spec.images.named = images.0.into_iter().filter(|image| is_used(&image.name)).collect();

        self.isolation(&mut policy, &list);
        let spec = &mut policy.spec;
        spec.placement = self.placement(&labels);
        spec.node_labels = labels;
        spec.mounts = self.mounts();
        let storage = &user["storage"];
        if storage["type"].as_str().unwrap_or("dynamic") == "dynamic" {
            let class = storage["dynamic"]["storageClass"].as_str();
            spec.claims.storage_classes = class.map(str::to_owned).into_iter().collect();
            spec.claims.max_size = storage["capacity"].as_str().and_then(|size| size.parse().ok());
        }
        spec.security.exceptions = self.exceptions();
        for name in self.values["hub"]["extraConfig"].as_object().into_iter().flatten().map(|(name, _)| name)
        {
            self.notes.push(format!("hub.extraConfig {name} is code, which may change profiles and pods"));
        }
        policy
    }

    /// The platform that the labels of the values belong to, and keys that it does not know.
    fn node_labels(&self) -> NodeLabels {
        let text = self.values.to_string();
        let presets = [
            (NodeLabelPreset::Karpenter, "karpenter.sh/"),
            (NodeLabelPreset::Eks, "eks.amazonaws.com/"),
            (NodeLabelPreset::Gke, "cloud.google.com/gke-"),
            (NodeLabelPreset::Aks, "kubernetes.azure.com/"),
        ];
        let preset = presets.into_iter().find(|(_, prefix)| text.contains(prefix));
        // eksctl's own label, and names from before Kubernetes 1.17.
        let key = |key: &str| text.contains(&format!("\"{key}\"")).then(|| key.to_owned());
        NodeLabels {
            preset: preset.map(|(preset, _)| preset).unwrap_or_default(),
            pool: key("alpha.eksctl.io/nodegroup-name"),
            instance_type: key("beta.kubernetes.io/instance-type"),
            zone: key("failure-domain.beta.kubernetes.io/zone"),
            capacity: None,
        }
    }

    fn profile(&mut self, chart: &Value, i: usize, defaults: &Nodes, labels: &NodeLabels) -> Profile {
        let over = &chart["kubespawner_override"];
        let text = |key: &str| chart[key].as_str().map(str::to_owned);
        let named = [text("slug"), text("display_name").map(|name| slug::profile(&name))];
        let slug = named
            .into_iter()
            .flatten()
            .find(|slug| is_label(slug))
            .unwrap_or_else(|| format!("profile-{}", i + 1));
        let pod = &over["extra_pod_config"];
        let place = Place {
            selectors: vec![&over["node_selector"], &pod["nodeSelector"]],
            terms: vec![&over["node_affinity_required"], node_terms(pod)],
            tolerations: vec![&over["tolerations"], &pod["tolerations"]],
        };
        let mut nodes = self.nodes(&place, labels, &format!("profile {slug}"));
        if !nodes.labels.is_empty() {
            // The chart merges node selectors; the policy replaces them.
            let mut all = defaults.labels.clone();
            all.append(&mut nodes.labels);
            nodes.labels = all;
        }
        for key in ["volumes", "volume_mounts", "init_containers", "extra_containers"] {
            if !over[key].is_null() {
                self.notes.push(format!("profile {slug} has {key} of its own, which stay in the chart"));
            }
        }
        Profile {
            slug,
            display_name: text("display_name"),
            description: text("description").filter(|text| !text.trim().is_empty()),
            default: chart["default"] == true,
            nodes,
            resources: resources(
                [&over["cpu_guarantee"], &over["mem_guarantee"], &over["extra_resource_guarantees"]],
                [&over["cpu_limit"], &over["mem_limit"], &over["extra_resource_limits"]],
            ),
            ..Profile::default()
        }
    }

    fn nodes(&mut self, place: &Place<'_>, labels: &NodeLabels, of: &str) -> Nodes {
        let mut nodes = Nodes::default();
        let mut requirements = Vec::new();
        for (key, value) in place.selectors.iter().filter_map(|selector| selector.as_object()).flatten() {
            let values = value.as_str().map(str::to_owned).into_iter().collect();
            requirements.push(NodeSelectorRequirement {
                key: key.clone(),
                operator: NodeSelectorOperator::In,
                values,
            });
        }
        for terms in place.terms.iter().filter_map(|terms| terms.as_array()).filter(|terms| !terms.is_empty())
        {
            let all = terms[0]["matchExpressions"].as_array();
            let read: Option<Vec<NodeSelectorRequirement>> =
                all.and_then(|all| all.iter().map(|r| serde_json::from_value(r.clone()).ok()).collect());
            match read {
                Some(read) if terms.len() == 1 && terms[0]["matchFields"].is_null() => {
                    requirements.extend(read);
                }
                _ => self
                    .notes
                    .push(format!("{of} has node affinity that is not one list of matchExpressions")),
            }
        }
        for requirement in requirements {
            let capacity = [Capacity::Spot, Capacity::OnDemand].into_iter().find(|capacity| {
                let alone = Nodes { capacity: Some(*capacity), ..Nodes::default() };
                nodes::requirements(&alone, labels).contains(&requirement)
            });
            let NodeSelectorRequirement { key, operator, values } = &requirement;
            match (operator, values.as_slice()) {
                _ if capacity.is_some() => nodes.capacity = capacity,
                (NodeSelectorOperator::In, _) if key == labels.instance_type_key() => {
                    nodes.instance_types.clone_from(values);
                }
                (NodeSelectorOperator::In, _) if key == labels.zone_key() => nodes.zones.clone_from(values),
                (NodeSelectorOperator::In, _) if Some(key.as_str()) == labels.pool_key() => {
                    nodes.pools.clone_from(values);
                }
                (NodeSelectorOperator::In, [value]) => drop(nodes.labels.insert(key.clone(), value.clone())),
                _ => nodes.match_expressions.push(requirement),
            }
        }
        nodes.tolerations = place.tolerations.iter().flat_map(|list| tolerations(list)).collect();
        nodes
    }

    /// One pod per node, where pods keep away from servers already.
    fn isolation(&self, policy: &mut DataLab, list: &[&Value]) {
        let user = self.user;
        let of_all = mode([
            (&user["extraPodAntiAffinity"]["required"], &user["extraPodAntiAffinity"]["preferred"]),
            anti_affinity(&user["extraPodConfig"]),
        ]);
        let of_profiles: Vec<_> = list
            .iter()
            .map(|chart| {
                let over = &chart["kubespawner_override"];
                let own = (&over["pod_anti_affinity_required"], &over["pod_anti_affinity_preferred"]);
                mode([own, anti_affinity(&over["extra_pod_config"])]).max(of_all)
            })
            .collect();
        let common = of_profiles.iter().min().copied().unwrap_or(of_all);
        policy.spec.isolation.one_pod_per_node = common.0;
        let widest = of_profiles.iter().chain([&of_all]).any(|(_, scope)| *scope == IsolationScope::Cluster);
        if widest {
            policy.spec.isolation.scope = IsolationScope::Cluster;
        }
        for (profile, (mode, _)) in policy.spec.profiles.iter_mut().zip(of_profiles) {
            profile.one_pod_per_node = Some(mode).filter(|mode| *mode != common.0);
        }
    }

    fn placement(&mut self, labels: &NodeLabels) -> Vec<Placement> {
        let chart = self.values["Chart"]["Name"].as_str().unwrap_or("jupyterhub").to_owned();
        let values = self.values;
        let parts = [
            ("hub", &values["hub"]),
            ("proxy", &values["proxy"]["chp"]),
            ("autohttps", &values["proxy"]["traefik"]),
            ("user-scheduler", &values["scheduling"]["userScheduler"]),
        ];
        let mut found: Vec<Placement> = Vec::new();
        for (component, part) in parts {
            let place = Place {
                selectors: vec![&part["nodeSelector"]],
                terms: Vec::new(),
                tolerations: vec![&part["tolerations"]],
            };
            let nodes = self.nodes(&place, labels, component);
            if nodes != Nodes::default() {
                let r#match =
                    PlacementMatch { chart: Some(chart.clone()), component: Some(component.to_owned()) };
                found.push(Placement { r#match, nodes, ..Placement::default() });
            }
        }
        // Hub and proxy alike: so is all of the chart.
        if found.len() > 1 && found.iter().all(|placement| placement.nodes == found[0].nodes) {
            found.truncate(1);
            found[0].r#match.component = None;
        }
        found
    }

    fn mounts(&mut self) -> Vec<Mount> {
        let storage = &self.user["storage"];
        let mut volumes: Vec<Value> = items(&storage["extraVolumes"]);
        let mut wanted = items(&storage["extraVolumeMounts"]);
        if storage["type"] == "static" {
            let path = storage["homeMountPath"].as_str().unwrap_or("/home/jovyan");
            let sub_path = storage["static"]["subPath"].as_str().unwrap_or("{username}");
            volumes.push(
                json!({"name": "home", "persistentVolumeClaim": {"claimName": storage["static"]["pvcName"]}}),
            );
            wanted.insert(0, json!({"name": "home", "mountPath": path, "subPath": sub_path}));
        }
        let mut mounts: Vec<Mount> = Vec::new();
        for mount in wanted {
            let text = |key: &str| mount[key].as_str().unwrap_or_default().to_owned();
            let (name, mount_path) = (text("name"), text("mountPath"));
            let Some(volume) = volumes.iter().find(|volume| volume["name"] == name.as_str()) else {
                self.notes
                    .push(format!("the mount at {mount_path} is of a volume that is not in the values"));
                continue;
            };
            let of_volume = |kind: &str, key: &str| volume[kind][key].as_str().map(user);
            let nfs = of_volume("nfs", "server").zip(of_volume("nfs", "path"));
            let made = Mount {
                name: unused_name(&name, &mount_path, &mounts),
                nfs: nfs.map(|(server, path)| NfsExport { server, path }),
                claim: of_volume("persistentVolumeClaim", "claimName"),
                host_path: of_volume("hostPath", "path"),
                sub_path: Some(user(&text("subPath"))).filter(|path| !path.is_empty()),
                read_only: [
                    &mount["readOnly"],
                    &volume["nfs"]["readOnly"],
                    &volume["persistentVolumeClaim"]["readOnly"],
                ]
                .into_iter()
                .any(|flag| *flag == true),
                mount_path: user(&mount_path),
                groups: Vec::new(),
            };
            if made.nfs.is_none() && made.claim.is_none() && made.host_path.is_none() {
                self.notes.push(format!(
                    "the mount at {mount_path} is no export, claim or folder, and stays in the chart"
                ));
            } else {
                mounts.push(made);
            }
        }
        mounts
    }

    /// What the chart's own containers need.
    fn exceptions(&self) -> Vec<SecurityException> {
        let exception = |rule, name: &str, reason: &str| SecurityException {
            rule,
            init_container: Some(name.to_owned()),
            container: None,
            reason: reason.to_owned(),
        };
        let mut found = Vec::new();
        if self.user["cloudMetadata"]["blockWithIptables"] != false {
            let reason = "the chart blocks the metadata address with it";
            found.push(exception(SecurityRule::Privileged, "block-cloud-metadata", reason));
        }
        for container in self.user["initContainers"].as_array().into_iter().flatten() {
            let Some(name) = container["name"].as_str() else { continue };
            let context = &container["securityContext"];
            let reason = "the chart's values run it so";
            if context["privileged"] == true {
                found.push(exception(SecurityRule::Privileged, name, reason));
            }
            if context["capabilities"]["add"].as_array().is_some_and(|added| !added.is_empty()) {
                found.push(exception(SecurityRule::Capabilities, name, reason));
            }
        }
        found
    }
}

/// Where the chart says which nodes pods run on.
struct Place<'a> {
    selectors: Vec<&'a Value>,
    terms: Vec<&'a Value>,
    tolerations: Vec<&'a Value>,
}

fn node_terms(pod: &Value) -> &Value {
    &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
}

fn anti_affinity(pod: &Value) -> (&Value, &Value) {
    let terms = &pod["affinity"]["podAntiAffinity"];
    (
        &terms["requiredDuringSchedulingIgnoredDuringExecution"],
        &terms["preferredDuringSchedulingIgnoredDuringExecution"],
    )
}

/// How far the required and the preferred terms keep servers apart.
fn mode<const N: usize>(terms: [(&Value, &Value); N]) -> (OnePodPerNode, IsolationScope) {
    let of = |list: &Value, mode: OnePodPerNode| {
        let terms = list.as_array().into_iter().flatten();
        let terms = terms
            .map(|term| if term["podAffinityTerm"].is_object() { &term["podAffinityTerm"] } else { term });
        let apart = terms.filter(|term| {
            let selector = &term["labelSelector"];
            let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
            let values = expressions
                .filter(|e| e["key"] == "component")
                .filter_map(|e| e["values"].as_array())
                .flatten();
            let mut all = values.chain([&selector["matchLabels"]["component"]]);
            term["topologyKey"] == "kubernetes.io/hostname" && all.any(|value| value == "singleuser-server")
        });
        let scopes = apart.map(|term| {
            if term["namespaceSelector"].is_object() { IsolationScope::Cluster } else { IsolationScope::Hub }
        });
        scopes.map(|scope| (mode, scope)).max()
    };
    let found = terms.into_iter().flat_map(|(required, preferred)| {
        [of(required, OnePodPerNode::Required), of(preferred, OnePodPerNode::Preferred)]
    });
    found.flatten().max().unwrap_or_default()
}

/// Cores, memory and others, as `KubeSpawner` writes them.
fn resources(requests: [&Value; 3], limits: [&Value; 3]) -> Resources {
    let read = |[cpu, memory, others]: [&Value; 3]| {
        let mut all: BTreeMap<String, Quantity> = BTreeMap::new();
        all.extend(Quantity::from_kubespawner_cpu(cpu).map(|cpu| ("cpu".to_owned(), cpu)));
        all.extend(Quantity::from_kubespawner_memory(memory).map(|memory| ("memory".to_owned(), memory)));
        for (name, amount) in others.as_object().into_iter().flatten() {
            all.extend(serde_json::from_value(amount.clone()).ok().map(|amount| (name.clone(), amount)));
        }
        all
    };
    Resources { requests: read(requests), limits: read(limits), remove: Vec::new() }
}

fn tolerations(list: &Value) -> Vec<Toleration> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|toleration| serde_json::from_value(toleration.clone()).ok()).collect()
}

/// The values of a list or a mapping: the chart takes volumes as either.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(map) => map.values().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A text of the chart in the policy's words.
fn user(text: &str) -> String {
    text.replace("{username}", "{user}")
        .replace("{user_server}", "{user}")
        .replace("{{", "{")
        .replace("}}", "}")
}

fn unused_name(volume: &str, mount_path: &str, mounts: &[Mount]) -> String {
    let is_free = |name: &String| is_label(name) && mounts.iter().all(|mount| mount.name != *name);
    let last = mount_path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let named = [volume.to_owned(), slug::profile(last), slug::profile(&format!("{volume}-{last}"))];
    let numbered = (mounts.len() + 1..).map(|i| format!("mount-{i}"));
    named.into_iter().chain(numbered).find(is_free).unwrap_or_default()
}

/// `name` and `tag` as one reference.
fn image(value: &Value) -> Option<String> {
    let name = value["name"].as_str().filter(|name| !name.is_empty())?;
    Some(match value["tag"].as_str().filter(|tag| !tag.is_empty()) {
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    })
}

/// Choices of all of a profile's options.
fn choices(chart: &Value) -> Vec<&Value> {
    let options = chart["profile_options"].as_object().into_iter().flatten();
    options
        .filter_map(|(_, option)| option["choices"].as_object())
        .flatten()
        .map(|(_, choice)| choice)
        .collect()
}

/// Whether users may type an image.
fn has_unlisted(chart: &Value) -> bool {
    let options = chart["profile_options"].as_object().into_iter().flatten();
    let mut unlisted = options.map(|(_, option)| &option["unlisted_choice"]);
    unlisted.any(|choice| choice["enabled"] == true && choice["kubespawner_override"]["image"].is_string())
}

/// Names for images: the last part of the reference, numbered where two have the same.
#[derive(Default)]
struct Images(Vec<NamedImage>);

impl Images {
    fn name(&mut self, image: &str) -> String {
        if let Some(known) = self.0.iter().find(|known| known.image == image) {
            return known.name.clone();
        }
        let last = image.rsplit('/').next().unwrap_or(image).split([':', '@']).next().unwrap_or_default();
        let base =
            Some(slug::profile(last)).filter(|name| !name.is_empty()).unwrap_or_else(|| "image".to_owned());
        let mut name = base.clone();
        let mut number = 2;
        while self.0.iter().any(|known| known.name == name) {
            name = format!("{base}-{number}");
            number += 1;
        }
        self.0.push(NamedImage { name: name.clone(), image: image.to_owned() });
        name
    }
}

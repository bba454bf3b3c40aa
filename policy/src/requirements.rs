//! What a policy requires of one pod: compiled from the document, encoded by the two writers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::{
    DataLab, EnvironmentVariable, Group, IsolationScope, Mount, NodeSelectorRequirement, Nodes,
    OnePodPerNode, Placement, Profile, Resources, Toleration,
};
use crate::rules::RULES;
use crate::{SlugScheme, duration, nodes};

/// The label that says which profile a user pod is of.
pub const PROFILE_LABEL: &str = "datalab.dev/profile";
/// Slug of the one profile of a hub without a profile list.
pub const IMPLICIT_PROFILE: &str = "default";

/// What is true of one hub and not a matter of policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HubFacts {
    /// Namespace of the hub and its user pods.
    pub namespace: String,
    /// Helm release.
    pub release: String,
    /// Name of the hub's Deployment.
    pub name: String,
    /// Service account that creates user pods.
    pub service_account: String,
    /// How its KubeSpawner names users.
    pub slug_scheme: SlugScheme,
    /// Where the home volume is mounted (`singleuser.storage.homeMountPath`).
    pub home_mount_path: String,
}

/// Whose pod it is.
#[derive(Clone, Copy, Debug)]
pub enum User<'a> {
    /// Anybody's, in the hub's configuration: in no group, named by KubeSpawner's template fields, and
    /// literal braces doubled as its `str.format` wants them.
    Template,
    /// A user by name, and the policy's groups that they are in.
    Named {
        /// As the hub knows it (annotation `hub.jupyter.org/username`).
        name: &'a str,
        /// Names of groups of the policy, in its order.
        groups: &'a [&'a str],
    },
}

impl User<'_> {
    fn in_any(&self, groups: &[String]) -> bool {
        groups.is_empty()
            || matches!(self, User::Named { groups: mine, .. } if mine.iter().any(|name| groups.iter().any(|g| g == name)))
    }

    /// A text of the policy as it stands in the pod: `{user}` filled in.
    fn expand(&self, text: &str, facts: &HubFacts) -> String {
        match self {
            User::Template => {
                let parts: Vec<_> =
                    text.split("{user}").map(|part| part.replace('{', "{{").replace('}', "}}")).collect();
                parts.join("{username}")
            }
            User::Named { name, .. } if text.contains("{user}") => {
                text.replace("{user}", &facts.slug_scheme.user(name))
            }
            User::Named { .. } => text.to_owned(),
        }
    }
}

/// What one pod must have. Empty parts require nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirements {
    /// Hold together, in every node selector term.
    pub nodes: Vec<NodeSelectorRequirement>,
    /// Taints that it bears.
    pub tolerations: Vec<Toleration>,
    /// Whether it has its node to itself, and how far that looks.
    pub isolation: Option<(OnePodPerNode, IsolationScope)>,
    /// Resources of the notebook container.
    pub resources: Resources,
    /// Images that the notebook container may run.
    pub images: Option<AllowedImages>,
    /// Secrets that it pulls with.
    pub pull_secrets: Vec<String>,
    /// Volumes of the notebook container.
    pub volumes: Vec<RequiredVolume>,
    /// Variables of the notebook container: name, and `value` or `valueFrom`.
    pub environment: Vec<(String, Value)>,
    /// Labels that it carries exactly so.
    pub marks: BTreeMap<String, String>,
    /// Labels that are added where the key is free.
    pub labels: BTreeMap<String, String>,
    /// Annotations that are added where the key is free.
    pub annotations: BTreeMap<String, String>,
    /// Longest life, in seconds.
    pub deadline: Option<i64>,
}

/// Images that a container may run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllowedImages {
    /// Patterns with `*` for any characters.
    pub patterns: Vec<String>,
    /// What takes the place of an image that is not allowed.
    pub default: Option<String>,
    /// Whether a digest is asked for.
    pub require_digest: bool,
}

/// A volume, and where it is mounted.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredVolume {
    /// Name, where it is free.
    pub name: String,
    /// The volume without its name, such as `{"nfs": {…}}`.
    pub source: Value,
    /// Path in the container.
    pub mount_path: String,
    /// Path in the volume.
    pub sub_path: Option<String>,
    /// Whether it is read only.
    pub read_only: bool,
}

impl RequiredVolume {
    /// The mount of its volume.
    pub fn mount(&self) -> Value {
        let mut mount = json!({"name": self.name, "mountPath": self.mount_path});
        if let Some(sub_path) = &self.sub_path {
            mount["subPath"] = sub_path.as_str().into();
        }
        if self.read_only {
            mount["readOnly"] = true.into();
        }
        mount
    }
}

/// What rules compile from.
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a DataLab,
    /// The hub.
    pub facts: &'a HubFacts,
    /// Whose pod.
    pub user: User<'a>,
    /// Of which profile, with the defaults filled in. `None`: what holds for every profile.
    pub profile: Option<&'a Profile>,
}

/// Compiles what a policy requires of a user's pod.
///
/// `profile` is one that [`DataLab::profile`] gave; without one, the result holds what every profile has in common.
pub fn compile(
    policy: &DataLab,
    facts: &HubFacts,
    user: User<'_>,
    profile: Option<&Profile>,
) -> Requirements {
    let context = Context { policy, facts, user, profile };
    let mut requirements = Requirements::default();
    for rule in RULES {
        (rule.require)(&context, &mut requirements);
    }
    requirements
}

/// Compiles what a policy requires of one of the platform's own pods.
pub fn compile_placement(policy: &DataLab, placement: &Placement) -> Requirements {
    let mut tolerations = nodes::tolerations(&placement.nodes, &policy.spec.node_labels);
    tolerations.extend(placement.tolerations.iter().cloned());
    Requirements {
        nodes: nodes::requirements(&placement.nodes, &policy.spec.node_labels),
        tolerations,
        ..Requirements::default()
    }
}

impl Context<'_> {
    /// The mounts that this user gets.
    pub fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.policy.spec.mounts.iter().filter(|mount| self.user.in_any(&mount.groups))
    }

    /// The variables that this user gets.
    pub fn environment(&self) -> impl Iterator<Item = &EnvironmentVariable> {
        self.policy.spec.environment.iter().filter(|variable| self.user.in_any(&variable.groups))
    }

    /// Patterns of the images that this user may run; of a template, what anybody may.
    pub fn image_patterns(&self) -> impl Iterator<Item = &str> {
        let anybody = matches!(self.user, User::Template);
        let allow = self.policy.spec.images.allow.iter();
        allow.filter(move |rule| anybody || self.user.in_any(&rule.groups)).map(|rule| rule.pattern.as_str())
    }

    /// The group that pays: the first of the policy that the user is in.
    pub fn paying_group(&self) -> Option<&Group> {
        let User::Named { groups: mine, .. } = self.user else { return None };
        self.policy.spec.groups.iter().find(|group| mine.contains(&group.name.as_str()))
    }

    /// A text of the policy as it stands in this user's pod.
    pub fn expand(&self, text: &str) -> String {
        self.user.expand(text, self.facts)
    }
}

/// A mount of the policy as a volume.
pub fn volume(mount: &Mount, expand: impl Fn(&str) -> String) -> RequiredVolume {
    let source = if let Some(nfs) = &mount.nfs {
        json!({"nfs": {"server": expand(&nfs.server), "path": expand(&nfs.path)}})
    } else if let Some(claim) = &mount.claim {
        json!({"persistentVolumeClaim": {"claimName": expand(claim)}})
    } else {
        json!({"hostPath": {"path": expand(mount.host_path.as_deref().unwrap_or_default())}})
    };
    RequiredVolume {
        name: mount.name.clone(),
        source,
        mount_path: expand(&mount.mount_path),
        sub_path: mount.sub_path.as_deref().map(expand),
        read_only: mount.read_only,
    }
}

/// A variable of the policy as `core/v1` writes it, without its name.
pub fn variable(variable: &EnvironmentVariable, expand: impl Fn(&str) -> String) -> Value {
    match &variable.secret {
        Some(secret) => json!({"valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}),
        None => json!({"value": expand(variable.value.as_deref().unwrap_or_default())}),
    }
}

impl DataLab {
    /// The profile of a slug, with `profileDefaults` filled in. `default` is there also where the policy has no profiles.
    pub fn profile(&self, slug: &str) -> Option<Profile> {
        let implicit = Profile { slug: IMPLICIT_PROFILE.into(), default: true, ..Profile::default() };
        let profiles = &self.spec.profiles;
        let own = match profiles.iter().find(|profile| profile.slug == slug) {
            Some(own) => own,
            None if profiles.is_empty() && slug == IMPLICIT_PROFILE => &implicit,
            None => return None,
        };
        let defaults = &self.spec.profile_defaults;
        let mut profile = own.clone();
        profile.resources = merged_resources(&defaults.resources, &own.resources);
        profile.nodes = merged_nodes(&defaults.nodes, &own.nodes);
        if profile.images.is_empty() {
            profile.images.clone_from(&defaults.images);
        }
        profile.session_limit = profile.session_limit.or_else(|| defaults.session_limit.clone());
        profile.one_pod_per_node = Some(own.one_pod_per_node.unwrap_or(self.spec.isolation.one_pod_per_node));
        Some(profile)
    }

    /// All profiles, with `profileDefaults` filled in; the implicit one if the policy has none.
    pub fn profiles(&self) -> Vec<Profile> {
        if self.spec.profiles.is_empty() {
            return self.profile(IMPLICIT_PROFILE).into_iter().collect();
        }
        self.spec.profiles.iter().filter_map(|profile| self.profile(&profile.slug)).collect()
    }

    /// Names of the policy's groups that a user is in, in the policy's order: by name, and by what the identity
    /// provider says.
    pub fn groups_of(&self, user: &str, identity_groups: &[&str]) -> Vec<&str> {
        let is_in = |group: &&Group| {
            group.members.iter().any(|member| member == user)
                || group.identity_groups.iter().any(|name| identity_groups.contains(&name.as_str()))
        };
        self.spec.groups.iter().filter(is_in).map(|group| group.name.as_str()).collect()
    }

    /// The image that a name stands for.
    pub fn image(&self, name: &str) -> Option<&str> {
        self.spec.images.named.iter().find(|named| named.name == name).map(|named| named.image.as_str())
    }
}

impl Profile {
    /// Longest life of a server, in seconds.
    pub fn deadline(&self) -> Option<i64> {
        self.session_limit.as_deref().and_then(duration::seconds)
    }
}

/// Key by key; a key that the profile sets is not removed by the defaults.
fn merged_resources(defaults: &Resources, own: &Resources) -> Resources {
    let merge = |base: &BTreeMap<_, _>, over: &BTreeMap<_, _>| {
        let mut all = base.clone();
        all.extend(over.iter().map(|(k, v)| (Clone::clone(k), Clone::clone(v))));
        all
    };
    let mut requests = merge(&defaults.requests, &own.requests);
    let mut limits = merge(&defaults.limits, &own.limits);
    let sets = |entry: &String, requests: &BTreeMap<String, _>, limits: &BTreeMap<String, _>| match entry
        .split_once('.')
    {
        Some(("requests", key)) => requests.contains_key(key),
        Some(("limits", key)) => limits.contains_key(key),
        _ => false,
    };
    let mut remove = own.remove.clone();
    for entry in &own.remove {
        match entry.split_once('.') {
            Some(("requests", key)) => drop(requests.remove(key)),
            Some(("limits", key)) => drop(limits.remove(key)),
            _ => {}
        }
    }
    remove.extend(defaults.remove.iter().filter(|entry| !sets(entry, &requests, &limits)).cloned());
    remove.sort();
    remove.dedup();
    Resources { requests, limits, remove }
}

/// Field by field.
fn merged_nodes(defaults: &Nodes, own: &Nodes) -> Nodes {
    fn pick<T: Clone>(base: &[T], over: &[T]) -> Vec<T> {
        if over.is_empty() { base.to_vec() } else { over.to_vec() }
    }
    Nodes {
        labels: if own.labels.is_empty() { defaults.labels.clone() } else { own.labels.clone() },
        instance_types: pick(&defaults.instance_types, &own.instance_types),
        capacity: own.capacity.or(defaults.capacity),
        pools: pick(&defaults.pools, &own.pools),
        zones: pick(&defaults.zones, &own.zones),
        match_expressions: pick(&defaults.match_expressions, &own.match_expressions),
        tolerations: pick(&defaults.tolerations, &own.tolerations),
    }
}

//! The platform's own pods: where they run, and what follows the users.

use datalab_policy::document::{
    DataLab, NodeSelectorRequirement, OnePodPerNode, Placement, Profile, Resources,
};
use datalab_policy::pod;
use datalab_policy::requirements::compile_placement;
use datalab_policy::{Requirements, User, compile};
use datalab_yaml::{Editor, Path, Value};
use serde_json::json;

use crate::hub::Hub;
use crate::manifest::{FILENAME_ANNOTATION, Object};
use crate::values::NODE_TERMS;
use crate::{assign, spares};

/// What a workload is to the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds nodes for users of a profile.
    Placeholder,
    /// Pulls images on the users' nodes.
    Puller,
    /// Anything else.
    Platform,
}

/// What a workload is, by the names that the hub's chart gives.
pub fn role(policy: &DataLab, object: &Object, hub: Option<&Hub>) -> Role {
    let is_spare =
        |hub: &Hub| policy.spec.profiles.iter().any(|profile| spares::name(profile, hub) == object.name);
    let is = |what: &str| hub.is_some_and(|hub| hub.name_of(what) == object.name);
    match object.kind.as_str() {
        "StatefulSet" if is("user-placeholder") || hub.is_some_and(is_spare) => Role::Placeholder,
        "DaemonSet" if is("continuous-image-puller") || is("hook-image-puller") => Role::Puller,
        _ => Role::Platform,
    }
}

/// Where the pod stands in an object of a kind; `None` for kinds without pods.
fn pod_keys(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            Some(&["spec", "template"])
        }
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template"]),
        "Pod" => Some(&[]),
        _ => None,
    }
}

/// Whether objects of a kind have pods.
pub fn has_pods(kind: &str) -> bool {
    pod_keys(kind).is_some()
}

/// The path of an object's pod, for kinds that have one.
pub fn pod_path(object: &Object) -> Option<Path> {
    pod_keys(&object.kind).map(|keys| keys.iter().fold(object.at.clone(), |path, key| path.join(*key)))
}

/// Whether an existing object's pod template can be changed at all.
pub fn is_mutable(object: &Object, value: &Value) -> bool {
    // A hook's Job is deleted and made anew.
    object.kind != "Job" || !value["metadata"]["annotations"]["helm.sh/hook"].is_null()
}

/// What the policy requires of a workload's pods.
pub fn requirements(
    policy: &DataLab,
    role: Role,
    hub: Option<&Hub>,
    object: &Object,
    value: &Value,
) -> Requirements {
    match (role, hub) {
        (Role::Placeholder, Some(hub)) => {
            let profiles = policy.profiles();
            let spare = profiles.iter().find(|profile| spares::name(profile, hub) == object.name);
            let profile =
                spare.or_else(|| profiles.iter().find(|profile| profile.default)).or(profiles.first());
            let all = compile(policy, &hub.facts, User::Template, profile);
            // Sizes that the chart's owner chose stay.
            let chosen = &hub.values["scheduling"]["userPlaceholder"]["resources"];
            let chosen = spare.is_none() && chosen.as_object().is_some_and(|resources| !resources.is_empty());
            Requirements {
                nodes: all.nodes,
                tolerations: all.tolerations,
                isolation: all.isolation,
                resources: if chosen { Resources::default() } else { all.resources },
                ..Requirements::default()
            }
        }
        // Pullers go where the users are, not where the platform is.
        (Role::Puller, _) => {
            Requirements { pull_secrets: policy.spec.images.pull_secrets.clone(), ..Requirements::default() }
        }
        _ => policy
            .spec
            .placement
            .iter()
            .find(|placement| matches(placement, hub, object, value))
            .map(|placement| compile_placement(policy, placement))
            .unwrap_or_default(),
    }
}

fn matches(placement: &Placement, hub: Option<&Hub>, object: &Object, value: &Value) -> bool {
    let wanted = &placement.r#match;
    wanted.chart.as_deref().is_none_or(|chart| charts(object, value, hub).iter().any(|name| name == chart))
        && wanted.component.as_deref().is_none_or(|component| {
            let template =
                pod_keys(&object.kind).map(|keys| keys.iter().fold(value, |value, key| &value[*key]));
            std::iter::once(value).chain(template).any(|holder| {
                let labels = &holder["metadata"]["labels"];
                labels["component"] == component || labels["app.kubernetes.io/component"] == component
            })
        })
}

/// Names of the chart that an object comes from: its label's, its file's, and `jupyterhub` for the hub's under an alias.
fn charts(object: &Object, value: &Value, hub: Option<&Hub>) -> Vec<String> {
    let metadata = &value["metadata"];
    let mut names: Vec<String> = ["helm.sh/chart", "chart"]
        .iter()
        .filter_map(|key| metadata["labels"][*key].as_str())
        .map(|label| without_version(label).to_owned())
        .collect();
    let file = metadata["annotations"][FILENAME_ANNOTATION].as_str().or(object.source.as_deref());
    names.extend(file.and_then(chart_of_file).map(str::to_owned));
    if hub.is_some_and(|hub| {
        hub.values["Chart"]["Name"].as_str().is_some_and(|alias| names.iter().any(|n| n == alias))
    }) {
        names.push("jupyterhub".to_owned());
    }
    names
}

/// `cert-manager` of `cert-manager-v1.15.3`.
fn without_version(label: &str) -> &str {
    label
        .match_indices('-')
        .find(|(at, _)| label[at + 1..].trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))
        .map_or(label, |(at, _)| &label[..at])
}

/// The innermost chart of `parent/charts/child/templates/file.yaml`.
fn chart_of_file(file: &str) -> Option<&str> {
    file.split("/templates/").next()?.rsplit('/').next()
}

/// Pullers go to the users' nodes, all of them: each of today's node selector terms, held to each profile's nodes.
pub fn write_puller(policy: &DataLab, hub: &Hub, editor: &mut Editor, pod: &Path) {
    let profiles = policy.profiles();
    let all = profiles.iter().map(|profile| compile(policy, &hub.facts, User::Template, Some(profile)));
    let mut tolerations = Requirements::default();
    let mut alternatives: Vec<Vec<NodeSelectorRequirement>> = Vec::new();
    for requirements in all {
        tolerations.tolerations.extend(requirements.tolerations);
        if !alternatives.contains(&requirements.nodes) {
            alternatives.push(requirements.nodes);
        }
    }
    pod::write(&tolerations, editor, pod);
    // A profile that runs anywhere wants its images everywhere.
    if alternatives.iter().any(Vec::is_empty) {
        return;
    }

    let terms = NODE_TERMS.into_iter().fold(pod.join("spec"), |path, key| path.join(key));
    let existing = editor.get(&terms).and_then(Value::as_array).cloned().unwrap_or_default();
    let selector = editor.get(&pod.join("spec").join("nodeSelector")).cloned().unwrap_or_default();
    let obeys = |term: &Value| {
        alternatives.iter().any(|nodes| held(Some(term), nodes, &selector).as_ref() == Some(term))
    };
    if !existing.is_empty() && existing.iter().all(obeys) {
        return;
    }
    let today: Vec<Option<&Value>> =
        if existing.is_empty() { vec![None] } else { existing.iter().map(Some).collect() };
    let mut new = Vec::new();
    for term in today {
        for term in alternatives.iter().filter_map(|nodes| held(term, nodes, &selector)) {
            // The node selector alone is strict enough.
            if term.is_null() {
                return;
            }
            if !new.contains(&term) {
                new.push(term);
            }
        }
    }
    if !new.is_empty() {
        assign(editor, &terms, &Value::Array(new));
    }
}

/// A node selector term held to some nodes, or a new one; null if none is needed, `None` if they contradict: then the chart's
/// puller does not reach those nodes anyhow.
fn held(term: Option<&Value>, nodes: &[NodeSelectorRequirement], selector: &Value) -> Option<Value> {
    let mut pod = Editor::new(json!({"metadata": {}, "spec": {"nodeSelector": selector}}));
    let terms: Path = std::iter::once("spec").chain(NODE_TERMS).collect();
    if let Some(term) = term {
        pod.append(&terms, term.clone());
    }
    let requirements = Requirements { nodes: nodes.to_vec(), ..Requirements::default() };
    let conflicts = pod::write(&requirements, &mut pod, &Path::ROOT);
    conflicts.is_empty().then(|| pod.get(&terms.join(0)).cloned().unwrap_or_default())
}

/// What is wrong with placeholders that nobody can evict: they would hold their nodes for ever.
pub fn check_placeholder(object: &Object, value: &Value, requirements: &Requirements) -> Option<String> {
    let replicas = value["spec"]["replicas"].as_i64().unwrap_or(1);
    let priority = &value["spec"]["template"]["spec"]["priorityClassName"];
    let alone = requirements.isolation.is_some_and(|(mode, _)| mode == OnePodPerNode::Required);
    (alone && replicas > 0 && priority.is_null()).then(|| {
        format!(
            "StatefulSet {} holds {replicas} nodes without a priority class: with one pod per node nobody could evict its \
             placeholders, and they would block their nodes for ever; set scheduling.podPriority.enabled: true, or \
             scheduling.userPlaceholder.replicas: 0",
            object.name
        )
    })
}

/// The profiles that keep spare nodes.
pub fn spare_profiles(policy: &DataLab) -> Vec<Profile> {
    policy.profiles().into_iter().filter(|profile| profile.spares > 0).collect()
}

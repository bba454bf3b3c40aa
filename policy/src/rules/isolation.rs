//! A user's server has its node to itself. Placeholders count as servers: matched by the servers alone, one
//! would stay beside a user who came, and no node would be held ready in its stead.

use datalab_yaml::{Path, Value};
use serde_json::json;

use super::{Needs, Rule};
use crate::document::{IsolationScope, OnePodPerNode};
use crate::pod::Pod;

/// Values of the label `component` that have a node each.
const COMPONENTS: [&str; 2] = ["singleuser-server", "user-placeholder"];
const HOSTNAME: &str = "kubernetes.io/hostname";
/// The highest: nothing that a chart prefers should outweigh it.
const WEIGHT: i64 = 100;

pub(super) const RULE: Rule = Rule {
    name: "isolation",
    needs: Needs::Object,
    require: |context, requirements| {
        let isolation = &context.policy.spec.isolation;
        requirements.isolation = context
            .profile
            .map(|profile| profile.one_pod_per_node.unwrap_or(isolation.one_pod_per_node))
            .filter(|mode| *mode != OnePodPerNode::None)
            .map(|mode| (mode, isolation.scope));
    },
    write: |requirements, pod| {
        let Some((mode, scope)) = requirements.isolation else { return };
        let anti_affinity = ["spec", "affinity", "podAntiAffinity"];
        let required = pod.path(&anti_affinity).join("requiredDuringSchedulingIgnoredDuringExecution");
        let mut missing = uncovered(pod, &required, &[], scope);
        if mode == OnePodPerNode::Required {
            if !missing.is_empty() {
                pod.append(&required, term(&missing, scope));
            }
            return;
        }
        let preferred = pod.path(&anti_affinity).join("preferredDuringSchedulingIgnoredDuringExecution");
        let also = uncovered(pod, &preferred, &["podAffinityTerm"], scope);
        missing.retain(|component| also.contains(component));
        if !missing.is_empty() {
            pod.append(&preferred, json!({"weight": WEIGHT, "podAffinityTerm": term(&missing, scope)}));
        }
    },
};

fn term(components: &[&str], scope: IsolationScope) -> Value {
    let mut term = json!({
        "labelSelector": {"matchExpressions": [{"key": "component", "operator": "In", "values": components}]},
        "topologyKey": HOSTNAME,
    });
    if scope == IsolationScope::Cluster {
        term["namespaceSelector"] = json!({});
    }
    term
}

/// The components that no term of a list keeps away.
fn uncovered(pod: &Pod<'_>, list: &Path, inside: &[&str], scope: IsolationScope) -> Vec<&'static str> {
    let terms: Vec<&Value> =
        pod.items(list).iter().map(|term| inside.iter().fold(term, |term, key| &term[*key])).collect();
    COMPONENTS
        .into_iter()
        .filter(|component| !terms.iter().any(|term| keeps_away(term, component, scope)))
        .collect()
}

/// Whether a term keeps away every pod of a component.
fn keeps_away(term: &Value, component: &str, scope: IsolationScope) -> bool {
    let everywhere = term["namespaceSelector"].as_object().is_some_and(serde_json::Map::is_empty);
    let here = term["namespaceSelector"].is_null() && term["namespaces"].as_array().is_none_or(Vec::is_empty);
    let reaches = match scope {
        IsolationScope::Hub => here || everywhere,
        IsolationScope::Cluster => everywhere,
    };
    let selector = &term["labelSelector"];
    let labels = selector["matchLabels"].as_object();
    let expressions = selector["matchExpressions"].as_array();
    // Anything but `component` might leave out some of its pods.
    let by_labels = labels
        .is_none_or(|labels| labels.iter().all(|(key, value)| key == "component" && value == component));
    let by_expressions = expressions.is_none_or(|expressions| {
        expressions.iter().all(|expression| {
            expression["key"] == "component"
                && match expression["operator"].as_str() {
                    Some("In") => expression["values"]
                        .as_array()
                        .is_some_and(|values| values.iter().any(|v| v == component)),
                    Some("Exists") => true,
                    _ => false,
                }
        })
    });
    reaches && term["topologyKey"] == HOSTNAME && selector.is_object() && by_labels && by_expressions
}

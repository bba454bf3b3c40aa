//! A pod runs on the nodes of its profile or placement. Node selector terms are OR-ed, so a requirement goes into each.

use datalab_yaml::Value;
use serde_json::json;

use super::{Needs, Rule};
use crate::document::{NodeSelectorOperator as Operator, NodeSelectorRequirement, Toleration};
use crate::nodes;
use crate::pod::Pod;
use crate::requirements::Requirements;

pub(super) const RULE: Rule = Rule {
    name: "nodes",
    needs: Needs::Object,
    require: |context, requirements| {
        if let Some(profile) = context.profile {
            let keys = &context.policy.spec.node_labels;
            requirements.nodes = nodes::requirements(&profile.nodes, keys);
            requirements.tolerations = nodes::tolerations(&profile.nodes, keys);
        }
    },
    write: |requirements, pod| {
        write_terms(requirements, pod);
        write_tolerations(&requirements.tolerations, pod);
    },
};

fn write_terms(requirements: &Requirements, pod: &mut Pod<'_>) {
    let selector = pod.path(&["spec", "nodeSelector"]);
    let mut wanted = Vec::new();
    for requirement in &requirements.nodes {
        let path = selector.join(requirement.key.as_str());
        match pod.get(&path).and_then(Value::as_str).map(str::to_owned) {
            Some(value) if selects_within(&value, requirement) => {}
            Some(value) => {
                let message = format!(
                    "the node selector asks for {}={value}, the policy for {}",
                    requirement.key,
                    describe(requirement)
                );
                pod.conflict(RULE.name, path, message);
            }
            None => wanted.push(requirement),
        }
    }
    if wanted.is_empty() {
        return;
    }
    let terms = pod.path(&[
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ]);
    let existing = pod.items(&terms).to_vec();
    if existing.is_empty() {
        let expressions: Vec<_> = wanted.iter().map(|requirement| expression(requirement)).collect();
        pod.append(&terms, json!({"matchExpressions": expressions}));
    }
    // A requirement that contradicts every term would leave the pod no node.
    wanted.retain(|requirement| {
        let contradicted = |term: &Value| {
            let expressions = term["matchExpressions"].as_array();
            expressions.into_iter().flatten().find(|expression| excludes(expression, requirement)).cloned()
        };
        let all: Option<Vec<Value>> = existing.iter().map(contradicted).collect();
        match all.as_deref() {
            Some([first, ..]) => {
                let asked = first["values"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>();
                let message = format!(
                    "the node affinity asks for {} in [{}], the policy for {}",
                    requirement.key,
                    asked.join(", "),
                    describe(requirement)
                );
                pod.conflict(RULE.name, terms.clone(), message);
                false
            }
            _ => true,
        }
    });
    for (i, term) in existing.iter().enumerate() {
        // A term without any expression matches no node: one more would open it.
        if term
            .as_object()
            .is_none_or(|term| term.values().all(|list| list.as_array().is_none_or(Vec::is_empty)))
        {
            continue;
        }
        let path = terms.join(i).join("matchExpressions");
        for requirement in &wanted {
            if !pod.items(&path).iter().any(|expression| implies(expression, requirement)) {
                pod.append(&path, expression(requirement));
            }
        }
    }
}

fn write_tolerations(wanted: &[Toleration], pod: &mut Pod<'_>) {
    let path = pod.path(&["spec", "tolerations"]);
    for toleration in wanted {
        let Ok(value) = serde_json::to_value(toleration) else { continue };
        if !pod.items(&path).iter().any(|existing| bears(existing, &value)) {
            pod.append(&path, value);
        }
    }
}

/// A requirement as `core/v1` writes it.
pub(crate) fn expression(requirement: &NodeSelectorRequirement) -> Value {
    let mut expression = json!({"key": requirement.key, "operator": requirement.operator});
    if !requirement.values.is_empty() {
        expression["values"] = json!(requirement.values);
    }
    expression
}

fn describe(requirement: &NodeSelectorRequirement) -> String {
    let NodeSelectorRequirement { key, operator, values } = requirement;
    match (operator, values.as_slice()) {
        (Operator::In, [value]) => format!("{key}={value}"),
        (Operator::Exists | Operator::DoesNotExist, _) => format!("{key} {operator}"),
        _ => format!("{key} {operator} [{}]", values.join(", ")),
    }
}

/// Whether a node whose label has this value meets the requirement.
fn selects_within(value: &str, requirement: &NodeSelectorRequirement) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    let values = &requirement.values;
    match requirement.operator {
        Operator::In => values.iter().any(|v| v == value),
        Operator::NotIn => values.iter().all(|v| v != value),
        Operator::Exists => true,
        Operator::DoesNotExist => false,
        Operator::Gt => number(value).zip(values.first().and_then(|v| number(v))).is_some_and(|(a, b)| a > b),
        Operator::Lt => number(value).zip(values.first().and_then(|v| number(v))).is_some_and(|(a, b)| a < b),
    }
}

/// Whether no node that an expression matches meets the requirement.
fn excludes(expression: &Value, requirement: &NodeSelectorRequirement) -> bool {
    let values = expression["values"].as_array();
    expression["key"] == requirement.key.as_str()
        && expression["operator"] == "In"
        && values.is_some_and(|values| {
            !values.iter().filter_map(Value::as_str).any(|v| selects_within(v, requirement))
        })
}

/// Whether every node that an expression matches meets the requirement.
fn implies(expression: &Value, requirement: &NodeSelectorRequirement) -> bool {
    if expression["key"] != requirement.key.as_str() {
        return false;
    }
    let values: Vec<&str> =
        expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match expression["operator"].as_str() {
        Some("In") => !values.is_empty() && values.iter().all(|value| selects_within(value, requirement)),
        Some("Exists") => requirement.operator == Operator::Exists,
        Some("DoesNotExist") => matches!(requirement.operator, Operator::DoesNotExist | Operator::NotIn),
        Some("NotIn") => {
            requirement.operator == Operator::NotIn
                && requirement.values.iter().all(|v| values.contains(&v.as_str()))
        }
        Some(operator) => operator == requirement.operator.to_string() && values == requirement.values,
        None => false,
    }
}

/// Whether one toleration bears all that another does.
fn bears(existing: &Value, wanted: &Value) -> bool {
    let field = |toleration: &Value, key: &str| toleration[key].as_str().unwrap_or_default().to_owned();
    let covers = |key: &str| field(existing, key).is_empty() || field(existing, key) == field(wanted, key);
    let forever = existing["tolerationSeconds"].is_null()
        || existing["tolerationSeconds"] == wanted["tolerationSeconds"];
    if !covers("effect") || !forever {
        return false;
    }
    if field(existing, "operator") == "Exists" {
        return covers("key");
    }
    field(wanted, "operator") != "Exists"
        && field(existing, "key") == field(wanted, "key")
        && field(existing, "value") == field(wanted, "value")
}

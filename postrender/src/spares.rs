//! Spare nodes: a StatefulSet of placeholders for each profile that asks for some, scheduled as its servers are.

use datalab_policy::document::{DataLab, Profile};
use datalab_policy::requirements::PROFILE_LABEL;
use datalab_yaml::{Map, Value};
use serde_json::json;

use crate::Error;
use crate::hub::Hub;
use crate::manifest::FILENAME_ANNOTATION;
use crate::spawner::{Traits, chart_image};
use crate::values::slug_of;

/// The StatefulSet that keeps a profile's spares. `values` are the hub's, with the policy written in.
pub fn stateful_set(
    policy: &DataLab,
    profile: &Profile,
    hub: &Hub,
    values: &Value,
    secret: &Value,
) -> Result<Value, Error> {
    let scheduling = &values["scheduling"];
    let priority = hub.name_of("user-placeholder-priority");
    if scheduling["podPriority"]["enabled"] != true || priority.is_empty() {
        return Err(Error::new(format!(
            "profile {:?} asks for {} spares, but without pod priorities no user could evict a placeholder, and spares would \
             block their nodes for ever; set scheduling.podPriority.enabled: true in the chart's values",
            profile.slug, profile.spares
        )));
    }
    let Some(image) = chart_image(&scheduling["userPlaceholder"]["image"]) else {
        return Err(Error::new(format!(
            "profile {:?} asks for spares, but the chart's values name no scheduling.userPlaceholder.image",
            profile.slug
        )));
    };
    let server = server_of(profile, values);
    let name = name(profile, hub);
    let mut labels = Map::new();
    for key in ["app", "release"] {
        if let Some(value) = secret["metadata"]["labels"].get(key) {
            labels.insert(key.to_owned(), value.clone());
        }
    }
    labels.insert("component".to_owned(), "user-placeholder".into());
    labels.insert(PROFILE_LABEL.to_owned(), profile.slug.as_str().into());
    let mut template_labels = labels.clone();
    for (key, value) in &policy.spec.labels {
        template_labels.entry(key.clone()).or_insert_with(|| value.as_str().into());
    }

    let mut metadata = json!({"name": name, "labels": template_labels});
    if let Some(file) = secret["metadata"]["annotations"][FILENAME_ANNOTATION].as_str() {
        let templates = file.split_once("/templates/").map_or(file, |(chart, _)| chart);
        metadata["annotations"] =
            json!({(FILENAME_ANNOTATION): format!("{templates}/templates/datalab/{name}.yaml")});
    }

    let mut spec = Map::new();
    for field in ["nodeSelector", "affinity", "tolerations"] {
        let value = without_empty(&server["spec"][field]);
        if !value.is_null() {
            spec.insert(field.to_owned(), value);
        }
    }
    if scheduling["userScheduler"]["enabled"] == true {
        spec.insert("schedulerName".to_owned(), hub.name_of("user-scheduler").into());
    }
    spec.insert("priorityClassName".to_owned(), priority.into());
    // A user who comes takes the node at once.
    spec.insert("terminationGracePeriodSeconds".to_owned(), 0.into());
    spec.insert("automountServiceAccountToken".to_owned(), false.into());
    let mut container = json!({"name": "pause", "image": image});
    let resources = without_empty(&server["spec"]["containers"][0]["resources"]);
    if !resources.is_null() {
        container["resources"] = resources;
    }
    let security = &scheduling["userPlaceholder"]["containerSecurityContext"];
    if security.as_object().is_some_and(|security| !security.is_empty()) {
        container["securityContext"] = security.clone();
    }
    spec.insert("containers".to_owned(), json!([container]));

    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {
            "podManagementPolicy": "Parallel",
            "replicas": profile.spares,
            "selector": {"matchLabels": labels},
            "serviceName": name,
            "template": {"metadata": {"labels": template_labels}, "spec": spec},
        },
    }))
}

/// The name of a profile's spares.
pub fn name(profile: &Profile, hub: &Hub) -> String {
    format!("{}-{}", hub.name_of("user-placeholder"), profile.slug)
}

/// The pod of a server of this profile.
fn server_of(profile: &Profile, values: &Value) -> Value {
    let mut traits = Traits::of_chart(values);
    let list = &values["singleuser"]["profileList"];
    let entry = match list {
        Value::Object(entries) => entries.values().find(|entry| slug_of(entry) == profile.slug),
        _ => list.as_array().into_iter().flatten().find(|entry| slug_of(entry) == profile.slug),
    };
    if let Some(entry) = entry {
        traits.override_with(&entry["kubespawner_override"]);
    }
    traits.pod()
}

/// A value without nulls and what is empty.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept: Map<_, _> = entries
                .iter()
                .map(|(key, value)| {
                    // An empty selector says "all", which is not nothing.
                    let keep = key.ends_with("Selector");
                    (key.clone(), if keep { value.clone() } else { without_empty(value) })
                })
                .filter(|(_, value)| !value.is_null())
                .collect();
            if kept.is_empty() { Value::Null } else { kept.into() }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(without_empty).collect(),
        other => other.clone(),
    }
}

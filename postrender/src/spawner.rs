//! KubeSpawner's configuration as the chart makes it, and the pod that it would build.
//!
//! Only what rules speak of is modelled: the chart's `jupyterhub_config.py` from values to traits, KubeSpawner's
//! `_apply_overrides` for profiles and their choices, and `make_pod` from traits to a pod. Template fields such as
//! `{username}` stay as they are.

use datalab_policy::Quantity;
use datalab_yaml::{Map, Value};
use serde_json::json;

/// Traits whose default is a mapping: overrides merge into them.
const MAPPINGS: [&str; 8] = [
    "environment",
    "extra_annotations",
    "extra_container_config",
    "extra_labels",
    "extra_pod_config",
    "extra_resource_guarantees",
    "extra_resource_limits",
    "node_selector",
];

/// Traits by the chart value that sets them, below `singleuser`.
pub const CHART_VALUES: [(&str, &[&str]); 18] = [
    ("cpu_guarantee", &["cpu", "guarantee"]),
    ("cpu_limit", &["cpu", "limit"]),
    ("environment", &["extraEnv"]),
    ("extra_annotations", &["extraAnnotations"]),
    ("extra_labels", &["extraLabels"]),
    ("extra_pod_config", &["extraPodConfig"]),
    ("extra_resource_guarantees", &["extraResource", "guarantees"]),
    ("extra_resource_limits", &["extraResource", "limits"]),
    ("image_pull_secrets", &["image", "pullSecrets"]),
    ("mem_guarantee", &["memory", "guarantee"]),
    ("mem_limit", &["memory", "limit"]),
    ("node_affinity_required", &["extraNodeAffinity", "required"]),
    ("node_selector", &["nodeSelector"]),
    ("pod_anti_affinity_preferred", &["extraPodAntiAffinity", "preferred"]),
    ("pod_anti_affinity_required", &["extraPodAntiAffinity", "required"]),
    ("tolerations", &["extraTolerations"]),
    ("volume_mounts", &["storage", "extraVolumeMounts"]),
    ("volumes", &["storage", "extraVolumes"]),
];

/// Fields of `extra_pod_config` and `extra_container_config` that stand before traits, and those traits.
const COVERS: [(&str, &str, &[&str]); 8] = [
    (
        "extra_pod_config",
        "affinity",
        &["node_affinity_required", "pod_anti_affinity_required", "pod_anti_affinity_preferred"],
    ),
    ("extra_pod_config", "tolerations", &["tolerations"]),
    ("extra_pod_config", "volumes", &["volumes"]),
    ("extra_pod_config", "imagePullSecrets", &["image_pull_secrets"]),
    ("extra_container_config", "image", &["image"]),
    ("extra_container_config", "env", &["environment"]),
    (
        "extra_container_config",
        "resources",
        &[
            "cpu_guarantee",
            "cpu_limit",
            "mem_guarantee",
            "mem_limit",
            "extra_resource_guarantees",
            "extra_resource_limits",
        ],
    ),
    ("extra_container_config", "volumeMounts", &["volume_mounts"]),
];

/// The configuration of one spawner, by trait.
#[derive(Clone, Debug, Default)]
pub struct Traits(Map<String, Value>);

impl Traits {
    /// What `jupyterhub_config.py` sets from a chart's values, `hub.config.KubeSpawner` included.
    pub fn of_chart(values: &Value) -> Self {
        let mut traits = Self(MAPPINGS.iter().map(|name| ((*name).to_owned(), json!({}))).collect());
        for (name, keys) in CHART_VALUES {
            let value = keys.iter().fold(&values["singleuser"], |value, key| &value[*key]);
            if !value.is_null() {
                traits.0.insert(name.to_owned(), value.clone());
            }
        }
        for name in ["image_pull_secrets", "tolerations", "volume_mounts", "volumes"] {
            let mut all = inherited(values, name);
            all.extend(sorted_values(traits.get(name)));
            traits.0.insert(name.to_owned(), all.into());
        }
        if let Some(image) = chart_image(&values["singleuser"]["image"]) {
            traits.0.insert("image".to_owned(), image.into());
        }
        for (name, value) in values["hub"]["config"]["KubeSpawner"].as_object().into_iter().flatten() {
            traits.0.insert(name.clone(), value.clone());
        }
        traits
    }

    /// Applies a `kubespawner_override`: mappings merge into mappings (null deletes), all else replaces.
    pub fn override_with(&mut self, over: &Value) {
        for (name, value) in over.as_object().into_iter().flatten() {
            match (self.0.get_mut(name), value) {
                (Some(Value::Object(own)), Value::Object(new)) => recursive_update(own, new),
                _ => drop(self.0.insert(name.clone(), value.clone())),
            }
        }
    }

    /// A trait; null where it is not set.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A field that `extra_pod_config` or `extra_container_config` puts in the place of the trait's, by either of its spellings:
    /// the spelling and the value.
    pub fn replaced(&self, by: &str, field: &str) -> Option<(String, &Value)> {
        let config = self.get(by);
        [field.to_owned(), snake_case(field)]
            .into_iter()
            .find_map(|key| Some((key.clone(), config.get(&key)?)))
    }

    /// Whether `extra_pod_config` or `extra_container_config` can stand before a trait.
    pub fn is_covered(name: &str) -> bool {
        COVERS.iter().any(|(_, _, traits)| traits.contains(&name))
    }

    /// Takes away what stands before traits; whether there was anything.
    pub fn uncover(&mut self) -> bool {
        let mut any = false;
        for (config, field, _) in COVERS {
            let key = self.replaced(config, field).map(|(key, _)| key);
            if let (Some(key), Some(Value::Object(config))) = (key, self.0.get_mut(config)) {
                any |= config.shift_remove(&key).is_some();
            }
        }
        any
    }

    /// The pod that KubeSpawner would build, without what no rule reads.
    pub fn pod(&self) -> Value {
        let mut container = Map::new();
        container.insert("name".into(), "notebook".into());
        let resources = json!({
            "requests": self.resources("mem_guarantee", "cpu_guarantee", "extra_resource_guarantees"),
            "limits": self.resources("mem_limit", "cpu_limit", "extra_resource_limits"),
        });
        for (field, value) in [
            ("image", self.get("image").clone()),
            ("env", self.environment()),
            ("resources", resources),
            ("volumeMounts", sorted_values(self.get("volume_mounts")).into()),
        ] {
            let replaced = self.replaced("extra_container_config", field);
            container.insert(field.into(), replaced.map_or(value, |(_, replaced)| literal(replaced)));
        }

        let mut spec = Map::new();
        for (field, value) in [
            ("nodeSelector", self.get("node_selector").clone()),
            ("affinity", self.affinity()),
            ("tolerations", sorted_values(self.get("tolerations")).into()),
            ("volumes", sorted_values(self.get("volumes")).into()),
            ("imagePullSecrets", self.pull_secrets()),
            ("activeDeadlineSeconds", Value::Null),
        ] {
            let replaced = self.replaced("extra_pod_config", field);
            spec.insert(field.into(), replaced.map_or(value, |(_, replaced)| replaced.clone()));
        }
        spec.insert("containers".into(), json!([container]));
        json!({
            "metadata": {"labels": self.get("extra_labels"), "annotations": self.get("extra_annotations")},
            "spec": spec,
        })
    }

    fn affinity(&self) -> Value {
        json!({
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": sorted_values(self.get("node_affinity_required")),
            }},
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": sorted_values(self.get("pod_anti_affinity_required")),
                "preferredDuringSchedulingIgnoredDuringExecution": sorted_values(self.get("pod_anti_affinity_preferred")),
            },
        })
    }

    fn resources(&self, memory: &str, cpu: &str, extra: &str) -> Value {
        let mut resources = Map::new();
        let memory = Quantity::from_kubespawner_memory(self.get(memory));
        let cpu = Quantity::from_kubespawner_cpu(self.get(cpu));
        for (name, quantity) in [("memory", memory), ("cpu", cpu)] {
            if let Some(quantity) = quantity.filter(|quantity| !quantity.is_zero()) {
                resources.insert(name.into(), quantity.to_string().into());
            }
        }
        resources.extend(self.get(extra).as_object().cloned().unwrap_or_default());
        resources.into()
    }

    fn environment(&self) -> Value {
        let entry = |(name, value): (&String, &Value)| match value {
            Value::Object(fields) => {
                let mut entry = Map::from_iter([("name".to_owned(), name.as_str().into())]);
                entry.extend(fields.clone());
                Value::Object(entry)
            }
            value => json!({"name": name, "value": value}),
        };
        self.get("environment").as_object().into_iter().flatten().map(entry).collect()
    }

    fn pull_secrets(&self) -> Value {
        let entry = |secret: Value| if secret.is_string() { json!({"name": secret}) } else { secret };
        sorted_values(self.get("image_pull_secrets")).into_iter().map(entry).collect()
    }
}

/// What the chart puts in front of a list of `singleuser`: its own home and files, tolerations of all user pods, secrets of all
/// pods.
pub fn inherited(values: &Value, name: &str) -> Vec<Value> {
    let storage = &values["singleuser"]["storage"];
    let files = values["singleuser"]["extraFiles"].as_object().filter(|files| !files.is_empty());
    let home = home_volume(storage);
    match name {
        "tolerations" => sorted_values(&values["scheduling"]["userPods"]["tolerations"]),
        "image_pull_secrets" => {
            let created = &values["imagePullSecret"];
            let made = created["automaticReferenceInjection"] == true && created["create"] == true;
            let mut all: Vec<Value> = if made { vec!["image-pull-secret".into()] } else { vec![] };
            all.extend(sorted_values(&values["imagePullSecrets"]));
            all
        }
        "volumes" => {
            let files = files.map(|_| json!({"name": "files", "secret": {}}));
            home.map(|(volume, _)| volume).into_iter().chain(files).collect()
        }
        "volume_mounts" => {
            let files = files
                .into_iter()
                .flatten()
                .map(|(key, file)| json!({"name": "files", "mountPath": file["mountPath"], "subPath": key}));
            home.map(|(_, mount)| mount).into_iter().chain(files).collect()
        }
        _ => vec![],
    }
}

/// The volume and the mount that the chart makes for homes.
pub fn home_volume(storage: &Value) -> Option<(Value, Value)> {
    let (name, claim, sub_path) = match storage["type"].as_str() {
        Some("dynamic") => {
            let dynamic = &storage["dynamic"];
            // Chart 4 asks KubeSpawner 7 for the claim's name, chart 3 repeats the template.
            (&dynamic["volumeNameTemplate"], &dynamic["pvcNameTemplate"], &dynamic["subPath"])
        }
        Some("static") => (&json!("home"), &storage["static"]["pvcName"], &storage["static"]["subPath"]),
        _ => return None,
    };
    let mut mount = json!({"name": name, "mountPath": storage["homeMountPath"]});
    if !sub_path.is_null() {
        mount["subPath"] = sub_path.clone();
    }
    Some((json!({"name": name, "persistentVolumeClaim": {"claimName": claim}}), mount))
}

/// `singleuser.image` as one reference.
pub fn chart_image(image: &Value) -> Option<String> {
    let name = image["name"].as_str().filter(|name| !name.is_empty())?;
    let tag = match &image["tag"] {
        Value::String(tag) if !tag.is_empty() => tag.clone(),
        Value::Number(tag) => tag.to_string(),
        _ => return Some(name.to_owned()),
    };
    Some(format!("{name}:{tag}"))
}

/// The items of a list; of a mapping, its values in the order of its keys, as KubeSpawner 7 takes them.
pub fn sorted_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(entries) => sorted_keys(entries).into_iter().map(|key| entries[key].clone()).collect(),
        _ => vec![],
    }
}

/// The keys of a mapping in order.
pub fn sorted_keys(entries: &Map<String, Value>) -> Vec<&str> {
    let mut keys: Vec<_> = entries.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// KubeSpawner's `recursive_update`.
fn recursive_update(target: &mut Map<String, Value>, new: &Map<String, Value>) {
    for (key, value) in new {
        match value {
            Value::Object(new) => {
                let below = target.entry(key.clone()).or_insert_with(|| json!({}));
                if !below.is_object() {
                    *below = json!({});
                }
                if let Value::Object(below) = below {
                    recursive_update(below, new);
                }
            }
            Value::Null => drop(target.shift_remove(key)),
            value => drop(target.insert(key.clone(), value.clone())),
        }
    }
}

/// What KubeSpawner takes literally (`extra_container_config`), as it would stand where it expands templates.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => text.replace('{', "{{").replace('}', "}}").into(),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), literal(value))).collect(),
        other => other.clone(),
    }
}

/// `nodeSelector` as `node_selector`.
fn snake_case(field: &str) -> String {
    let mut snake = String::with_capacity(field.len() + 4);
    for c in field.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

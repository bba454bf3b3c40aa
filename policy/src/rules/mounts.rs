//! A server sees the lab's shared data, and its home where the policy keeps homes.

use datalab_yaml::{Path, Value};
use serde_json::json;

use super::{Needs, Rule};
use crate::pod::Pod;
use crate::requirements::{RequiredVolume, volume};

pub(super) const RULE: Rule = Rule {
    name: "mounts",
    needs: Needs::Object,
    require: |context, requirements| {
        requirements.volumes.extend(context.mounts().map(|mount| volume(mount, |text| context.expand(text))));
    },
    write: |requirements, pod| {
        for wanted in &requirements.volumes {
            write_volume(wanted, pod);
        }
    },
};

fn write_volume(wanted: &RequiredVolume, pod: &mut Pod<'_>) {
    let volumes = pod.path(&["spec", "volumes"]);
    let mounts = pod.notebook().join("volumeMounts");
    let same_path = |mount: &Value| {
        mount["mountPath"].as_str().is_some_and(|path| trimmed(path) == trimmed(&wanted.mount_path))
    };
    let at = pod.items(&mounts).iter().position(same_path);
    let existing = at.map(|i| pod.items(&mounts)[i].clone());
    if existing.as_ref().is_some_and(|mount| obeys(mount, wanted, pod, &volumes)) {
        return;
    }
    let by_source = pod.items(&volumes).iter().find(|volume| has_source(volume, &wanted.source));
    let name = match by_source.and_then(|volume| volume["name"].as_str()) {
        Some(name) => name.to_owned(),
        None => add_volume(wanted, pod, &volumes),
    };
    let mut mount = wanted.mount();
    mount["name"] = name.into();
    match at {
        Some(i) => pod.set(&mounts.join(i), mount),
        None => pod.append(&mounts, mount),
    }
}

/// Adds the volume under its name, or the next that is free. A volume that only the replaced mount used keeps its place: another
/// container may use it.
fn add_volume(wanted: &RequiredVolume, pod: &mut Pod<'_>, volumes: &Path) -> String {
    let taken = |name: &str| pod.items(volumes).iter().any(|volume| volume["name"] == name);
    let mut name = wanted.name.clone();
    for i in 2.. {
        if !taken(&name) {
            break;
        }
        name = format!("{}-{i}", wanted.name);
    }
    let mut volume = json!({"name": name});
    if let (Some(volume), Some(source)) = (volume.as_object_mut(), wanted.source.as_object()) {
        volume.extend(source.clone());
    }
    pod.append(volumes, volume);
    name
}

fn obeys(mount: &Value, wanted: &RequiredVolume, pod: &Pod<'_>, volumes: &Path) -> bool {
    let volume = pod.items(volumes).iter().find(|volume| volume["name"] == mount["name"]);
    let sub_path = mount["subPath"].as_str().filter(|path| !path.is_empty());
    let read_only = mount["readOnly"] == true
        || volume
            .is_some_and(|v| v["nfs"]["readOnly"] == true || v["persistentVolumeClaim"]["readOnly"] == true);
    volume.is_some_and(|volume| has_source(volume, &wanted.source))
        && sub_path.map(trimmed) == wanted.sub_path.as_deref().map(trimmed)
        && mount["subPathExpr"].is_null()
        && read_only == wanted.read_only
}

/// Whether a volume has what a source says; it may say more (`readOnly`, a `hostPath` type).
fn has_source(volume: &Value, source: &Value) -> bool {
    source.as_object().is_some_and(|source| {
        source.iter().all(|(kind, fields)| {
            fields
                .as_object()
                .is_some_and(|fields| fields.iter().all(|(key, value)| volume[kind][key] == *value))
        })
    })
}

fn trimmed(path: &str) -> &str {
    if path.len() > 1 { path.trim_end_matches('/') } else { path }
}

//! Finds the hub in a stream, through the chart's own references and never by default names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::document::DataLab;
use datalab_policy::{HubFacts, SlugScheme};
use datalab_yaml::{Document, Path, Value};

use crate::Error;
use crate::manifest::{Manifest, Object};

/// A hub of the stream.
pub struct Hub {
    /// Its Deployment.
    pub deployment: Object,
    /// The Secret that holds the chart's values.
    pub secret: Object,
    /// The ConfigMap's data: names of the chart's objects by what they are.
    pub names: Value,
    /// What is true of it.
    pub facts: HubFacts,
    /// `values.yaml`, decoded.
    pub values_text: String,
    /// `values.yaml`, read.
    pub values: Value,
    /// What objects of the stream's other hubs are labelled with.
    others: Vec<Owner>,
}

/// The labels by which the chart tells its releases apart: `app` and `release`.
type Owner = [Value; 2];

fn owner(value: &Value) -> Owner {
    ["app", "release"].map(|label| value["metadata"]["labels"][label].clone())
}

/// The key of the Secret that holds the chart's values.
const VALUES: &str = "values.yaml";

impl Hub {
    /// Where the encoded values stand in the Secret's document.
    pub fn values_path(&self) -> Path {
        self.secret.at.join("data").join(VALUES)
    }

    /// The name of one of the chart's objects, such as `user-placeholder`.
    pub fn name_of(&self, what: &str) -> &str {
        self.names[what].as_str().unwrap_or_default()
    }

    /// Whether an object belongs to another hub, which this policy says nothing of.
    pub fn is_not_of(&self, value: &Value) -> bool {
        self.others.contains(&owner(value))
    }
}

/// Finds the hub that a policy governs. `None` if the stream holds none, such as a chart beside the hub's.
pub fn find(policy: &DataLab, manifests: &[Manifest<'_>], objects: &[Object]) -> Result<Option<Hub>, Error> {
    let wanted = policy.spec.hub.name.as_deref();
    let deployments: Vec<(&Object, Reference)> =
        objects.iter().filter_map(|object| Some((object, reference(object, manifests, objects)?))).collect();
    let names = || deployments.iter().map(|(object, _)| object.name.as_str()).collect::<Vec<_>>().join(", ");
    let chosen: Vec<_> = match wanted {
        Some(name) => deployments.iter().filter(|(object, _)| object.name == name).collect(),
        None => deployments.iter().collect(),
    };
    match (chosen.as_slice(), deployments.is_empty(), wanted) {
        (_, true, _) => Ok(None),
        ([(deployment, reference)], ..) => {
            let mut hub = read(deployment, reference, manifests, objects)?;
            let owner_of = |object: &Object| value_of(object, manifests).map(owner);
            let own = owner_of(deployment);
            let owners = deployments.iter().filter_map(|(object, _)| owner_of(object));
            hub.others =
                owners.filter(|owner| Some(owner) != own.as_ref() && !owner.contains(&Value::Null)).collect();
            Ok(Some(hub))
        }
        ([], _, Some(name)) => Err(Error::new(format!(
            "spec.hub.name is {name:?}, but the stream's hub is Deployment {}; name that one, or leave hub.name out",
            names()
        ))),
        ([(first, _), rest @ ..], ..) if rest.iter().any(|(object, _)| object.name == first.name) => {
            Err(Error::new(format!(
                "the stream holds {} hubs that are all called {}; render one release at a time",
                chosen.len(),
                first.name
            )))
        }
        _ => Err(Error::new(format!(
            "the stream holds {} hubs (Deployments {}); say in spec.hub.name which one the policy is for",
            deployments.len(),
            names()
        ))),
    }
}

/// What a hub's Deployment mounts.
struct Reference {
    secret: String,
    names: Value,
    service_account: String,
}

/// A Deployment is a hub's if it is labelled so and mounts the ConfigMap that holds `jupyterhub_config.py`; where that is not in
/// the stream, a Secret with the chart's values will do.
fn reference(object: &Object, manifests: &[Manifest<'_>], objects: &[Object]) -> Option<Reference> {
    let value = value_of(object, manifests)?;
    if object.kind != "Deployment" || value["metadata"]["labels"]["component"] != "hub" {
        return None;
    }
    let spec = &value["spec"]["template"]["spec"];
    let volumes = spec["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    // `existing-secret` is the user's own.
    let secret = volumes.iter().find(|volume| volume["name"] == "secret")?["secret"]["secretName"]
        .as_str()?
        .to_owned();
    let names = volumes
        .iter()
        .filter_map(|volume| volume["configMap"]["name"].as_str())
        .filter_map(|name| objects.iter().find(|object| object.kind == "ConfigMap" && object.name == name))
        .filter_map(|object| value_of(object, manifests))
        .map(|config| config["data"].clone())
        .find(|data| !data["jupyterhub_config.py"].is_null());
    let has_values = || {
        let object = objects.iter().find(|object| object.kind == "Secret" && object.name == secret)?;
        Some(!value_of(object, manifests)?["data"][VALUES].is_null())
    };
    if names.is_none() && has_values() != Some(true) {
        return None;
    }
    Some(Reference {
        names: names.unwrap_or_default(),
        service_account: spec["serviceAccountName"].as_str().unwrap_or("default").to_owned(),
        secret,
    })
}

fn read(
    deployment: &Object,
    reference: &Reference,
    manifests: &[Manifest<'_>],
    objects: &[Object],
) -> Result<Hub, Error> {
    let name = &reference.secret;
    let secret = objects.iter().find(|object| object.kind == "Secret" && object.name == *name).ok_or_else(|| {
        if manifests.iter().any(|manifest| manifest.piece.text.contains("# HIDDEN: The Secret")) {
            Error::new(format!(
                "Secret {name} is hidden, and it holds the hub's configuration; run Helm without --hide-secret"
            ))
        } else {
            Error::new(format!(
                "Secret {name} of Deployment {} is not in the stream, and it holds the hub's configuration; \
                 render the whole chart, without --show-only",
                deployment.name
            ))
        }
    })?;
    let encoded = value_of(secret, manifests).map_or(&Value::Null, |value| &value["data"][VALUES]);
    let Some(encoded) = encoded.as_str() else {
        return Err(Error::new(format!(
            "there is no data[{VALUES:?}], where the JupyterHub chart keeps the values of Deployment {}; \
             is this chart 2.0 or later?",
            deployment.name
        ))
        .at(secret));
    };
    let what = format!("data[{VALUES:?}]");
    let bytes = BASE64.decode(encoded.split_ascii_whitespace().collect::<String>()).map_err(|error| {
        Error::new(format!("{what} is not base64: {error}; the chart writes it as one quoted line"))
            .at(secret)
    })?;
    let values_text = String::from_utf8(bytes)
        .map_err(|_| Error::new(format!("{what} is not UTF-8 text once decoded")).at(secret))?;
    let values = Document::parse(&values_text)
        .and_then(|document| document.value())
        .map_err(|error| Error::new(format!("{what}, once decoded, cannot be read: {error}")).at(secret))?;
    if !values["singleuser"].is_object() {
        return Err(Error::new(format!(
            "{what} has no singleuser section, so it is not the JupyterHub chart's"
        ))
        .at(secret));
    }
    let facts = facts(deployment, reference, &values);
    Ok(Hub {
        deployment: deployment.clone(),
        secret: secret.clone(),
        names: reference.names.clone(),
        facts,
        values_text,
        values,
        others: Vec::new(),
    })
}

fn facts(deployment: &Object, reference: &Reference, values: &Value) -> HubFacts {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // Chart 4 brought KubeSpawner 7 and its safe slugs.
    let major: Option<u32> = values["Chart"]["Version"]
        .as_str()
        .and_then(|v| v.trim_start_matches('v').split('.').next()?.parse().ok());
    let escape = values["hub"]["config"]["KubeSpawner"]["slug_scheme"] == "escape"
        || major.is_some_and(|major| major < 4);
    HubFacts {
        namespace: text(&values["Release"]["Namespace"]),
        release: text(&values["Release"]["Name"]),
        name: deployment.name.clone(),
        service_account: reference.service_account.clone(),
        slug_scheme: if escape { SlugScheme::Escape } else { SlugScheme::Safe },
        home_mount_path: text(&values["singleuser"]["storage"]["homeMountPath"]),
    }
}

/// What an object is now, edits included.
pub fn value_of<'a>(object: &Object, manifests: &'a [Manifest<'_>]) -> Option<&'a Value> {
    manifests.get(object.manifest)?.parsed.as_ref()?.editor.get(&object.at)
}

/// What the hub's own code may change after the values are read: a warning each.
pub fn overrides(values: &Value) -> Vec<String> {
    /// Traits that requirements live in, and hooks that can change any of them.
    const NAMES: [&str; 22] = [
        "affinity",
        "cpu_guarantee",
        "cpu_limit",
        "environment",
        "extra_annotations",
        "extra_container_config",
        "extra_labels",
        "extra_pod_config",
        "image",
        "mem_guarantee",
        "mem_limit",
        "modify_pod_hook",
        "node_affinity_required",
        "node_selector",
        "pod_anti_affinity_required",
        "pre_spawn_hook",
        "profile_list",
        "spawner_class",
        "storage_pvc_ensure",
        "tolerations",
        "volume_mounts",
        "volumes",
    ];
    let mut warnings = Vec::new();
    if let Some(name) = values["hub"]["existingSecret"].as_str().filter(|name| !name.is_empty()) {
        warnings.push(format!(
            "hub.existingSecret: the hub merges Secret {name} over these values, which cannot be seen here; \
             admission checks what comes of it"
        ));
    }
    for section in ["KubeSpawner", "Spawner"] {
        for name in values["hub"]["config"][section].as_object().into_iter().flat_map(|config| config.keys())
        {
            if NAMES.contains(&name.as_str()) {
                warnings.push(format!(
                    "hub.config.{section}.{name} replaces the chart's singleuser values when the hub starts; \
                     set it under singleuser instead"
                ));
            }
        }
    }
    let scripts = values["hub"]["extraConfig"].as_object().into_iter().flatten();
    let scripts =
        scripts.filter_map(|(key, code)| Some((format!("hub.extraConfig[{key:?}]"), code.as_str()?)));
    let files = values["hub"]["extraFiles"].as_object().into_iter().flatten();
    let files = files
        .filter_map(|(key, file)| Some((format!("hub.extraFiles[{key:?}]"), file["stringData"].as_str()?)));
    for (place, code) in scripts.chain(files) {
        let named: Vec<_> = NAMES.into_iter().filter(|name| mentions(code, name)).collect();
        if !named.is_empty() {
            warnings.push(format!(
                "{place} runs after the values are read and touches {}: it may undo what is written here, which \
                 admission then mends",
                named.join(", ")
            ));
        }
    }
    warnings
}

/// Whether Python code, comments left out, uses an attribute or key of that name.
fn mentions(code: &str, name: &str) -> bool {
    code.lines().map(|line| line.split('#').next().unwrap_or_default()).any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + name.len()..].chars().next();
            matches!(before, Some('.' | '"' | '\''))
                && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}

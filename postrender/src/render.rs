//! One pass: the stream of a chart in, the same stream held to the policy out.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::document::{DataLab, Enforcement};
use datalab_policy::pod::{self, Conflict};
use datalab_policy::{HubFacts, Requirements};
use datalab_yaml::{Document, Editor, Location, Path, Value, emit, split};
use sha2::{Digest, Sha256};

use crate::hub::{self, Hub, value_of};
use crate::manifest::{Manifest, Object, Part};
use crate::placement::{self, Role};
use crate::{spares, values};

/// The pod-template annotation that rolls the hub when only its configuration changed: the chart's own checksum was taken before.
pub const CHECKSUM_ANNOTATION: &str = "checksum/datalab";

/// What comes of a stream.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The stream, held to the policy.
    pub output: String,
    /// What changed, document by document.
    pub changes: Vec<Change>,
    /// What the reader should know; nothing that stops a release.
    pub warnings: Vec<String>,
    /// What the policy came to, a line each.
    pub summary: Vec<String>,
    /// The hub that the policy governs, if the stream holds one.
    pub facts: Option<HubFacts>,
}

/// A document that changed.
#[derive(Debug)]
pub struct Change {
    /// Kind and name of its objects; what was decoded from it, for the hub's values.
    pub title: String,
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
    /// Whether it is what a Secret's document holds encoded, not a document of the stream.
    pub decoded: bool,
    /// Whether it may hold secrets, so that only changed lines may be shown.
    pub confidential: bool,
}

/// Why a stream is not rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What is wrong, and what would be right.
    pub message: String,
    /// Kind and name of the object.
    pub object: Option<String>,
    /// Offset in the stream; line and column follow from it.
    pub offset: Option<usize>,
    /// Line and column in the stream.
    pub location: Option<Location>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), object: None, offset: None, location: None }
    }

    pub(crate) fn at(mut self, object: &Object) -> Self {
        self.object = Some(format!("{} {}", object.kind, object.name));
        self
    }

    /// An error of a document that begins at `start` in the stream.
    pub(crate) fn yaml(error: datalab_yaml::Error, start: usize) -> Self {
        let mut message = error.message;
        if let Some(help) = error.help {
            message = format!("{message}; {help}");
        }
        Self { offset: error.location.map(|location| start + location.offset), ..Self::new(message) }
    }

    fn located(mut self, input: &str) -> Self {
        if let Some(offset) = self.offset {
            self.location = Some(Location::of(input, offset));
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { line, column, .. }) = self.location {
            write!(f, "stdin:{line}:{column}: ")?;
        }
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Holds a stream to a policy.
///
/// # Errors
/// The first thing that stops a release: YAML that Helm's readers would not agree on, a hub that cannot be told apart, or what
/// the policy forbids and no edit can mend.
pub fn render(policy: &DataLab, input: &str) -> Result<Rendered, Error> {
    pass(policy, input).map_err(|error| error.located(input))
}

fn pass(policy: &DataLab, input: &str) -> Result<Rendered, Error> {
    let marks_all = !policy.spec.labels.is_empty() || !policy.spec.annotations.is_empty();
    let part = |kind: &str, body: &str| match kind {
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "CronJob"
        | "Pod"
        | "Secret" => Part::Whole,
        // The hub's is the one that we read.
        "ConfigMap" if body.contains("jupyterhub_config.py") => Part::Whole,
        kind if kind.ends_with("List") => Part::Whole,
        _ if marks_all => Part::Metadata,
        _ => Part::Nothing,
    };
    let pieces = split(input).map_err(|error| Error::yaml(error, 0))?;
    let mut manifests =
        pieces.into_iter().map(|piece| Manifest::read(piece, part)).collect::<Result<Vec<_>, _>>()?;
    let objects: Vec<Object> =
        manifests.iter().enumerate().flat_map(|(i, manifest)| manifest.objects(i)).collect();

    let hub = hub::find(policy, &manifests, &objects)?;
    let mut pass = Pass { policy, rendered: Rendered::default(), stops: Vec::new() };
    let mut added = Vec::new();
    if let Some(hub) = &hub {
        pass.check_hub(hub)?;
        added = pass.write_hub(hub, &mut manifests)?;
    }
    for object in &objects {
        pass.write_object(object, hub.as_ref(), &mut manifests);
    }
    if !pass.stops.is_empty() {
        return Err(Error::new(pass.stops.join("\n")));
    }
    // What a KRM function makes anew is one more item, not one more document.
    if let Some(list) = manifests.iter_mut().find_map(Manifest::resource_list) {
        for object in added.drain(..) {
            list.append(&Path::ROOT.join("items"), object);
        }
    }
    let mut rendered = pass.rendered;
    write_stream(&manifests, &objects, &added, &mut rendered)?;
    if let Some(hub) = &hub {
        rendered.warnings.extend(hub::overrides(&hub.values));
        rendered.summary.extend(unseen_hooks(hub, &objects));
        rendered.facts = Some(hub.facts.clone());
    }
    Ok(rendered)
}

/// The values of the one hub in a stream, and what is true of it, for a first policy. `None` if there is no hub.
///
/// # Errors
/// As [`render`].
pub fn hub_values(input: &str) -> Result<Option<(Value, HubFacts)>, Error> {
    let read = || {
        let part = |kind: &str, _: &str| match kind {
            "Deployment" | "Secret" | "ConfigMap" => Part::Whole,
            kind if kind.ends_with("List") => Part::Whole,
            _ => Part::Nothing,
        };
        let pieces = split(input).map_err(|error| Error::yaml(error, 0))?;
        let manifests =
            pieces.into_iter().map(|piece| Manifest::read(piece, part)).collect::<Result<Vec<_>, _>>()?;
        let objects: Vec<Object> =
            manifests.iter().enumerate().flat_map(|(i, manifest)| manifest.objects(i)).collect();
        Ok(hub::find(&DataLab::default(), &manifests, &objects)?.map(|hub| (hub.values, hub.facts)))
    };
    read().map_err(|error: Error| error.located(input))
}

struct Pass<'a> {
    policy: &'a DataLab,
    rendered: Rendered,
    stops: Vec<String>,
}

impl Pass<'_> {
    fn check_hub(&self, hub: &Hub) -> Result<(), Error> {
        let facts = &hub.facts;
        if let Some(namespace) =
            self.policy.metadata.namespace.as_deref().filter(|name| *name != facts.namespace)
        {
            return Err(Error::new(format!(
                "the policy is for namespace {namespace:?} (metadata.namespace), but release {:?} goes to {:?}; \
                 use that namespace's policy, or Helm's --namespace {namespace}",
                facts.release, facts.namespace
            ))
            .at(&hub.secret));
        }
        if let Some(account) =
            self.policy.spec.hub.service_account.as_deref().filter(|name| *name != facts.service_account)
        {
            return Err(Error::new(format!(
                "spec.hub.serviceAccount is {account:?}, but the hub runs as {:?}; name that one, or leave \
                 hub.serviceAccount out",
                facts.service_account
            ))
            .at(&hub.deployment));
        }
        Ok(())
    }

    /// Writes the hub's values, the annotation that rolls it, and the spares. Gives the documents to add.
    fn write_hub(&mut self, hub: &Hub, manifests: &mut [Manifest<'_>]) -> Result<Vec<Value>, Error> {
        let in_values = |error: datalab_yaml::Error| {
            let help = error.help.map(|help| format!("; {help}")).unwrap_or_default();
            let place =
                error.location.map(|l| format!("line {}, column {}: ", l.line, l.column)).unwrap_or_default();
            Error::new(format!("values.yaml, decoded: {place}{}{help}", error.message)).at(&hub.secret)
        };
        let mut editor = Editor::new(hub.values.clone());
        let findings = values::write(self.policy, &hub.facts, &mut editor);
        for (place, conflict) in findings.conflicts {
            self.conflict(&format!("{} {}, {place}", hub.secret.kind, hub.secret.name), &conflict);
        }
        self.rendered.warnings.extend(findings.warnings);
        self.rendered.summary.push(format!(
            "hub {} of release {} in namespace {}",
            hub.facts.name, hub.facts.release, hub.facts.namespace
        ));
        self.rendered.summary.extend(findings.done);

        let (values, edits) = editor.finish();
        let mut text = hub.values_text.clone();
        if !edits.is_empty() {
            text = Document::parse(&hub.values_text)
                .and_then(|document| document.apply(&edits))
                .map_err(in_values)?;
            if let Some(parsed) = &mut manifests[hub.secret.manifest].parsed {
                parsed.editor.set(&hub.values_path(), BASE64.encode(&text).into());
            }
            self.rendered.changes.push(Change {
                title: format!("{} {}: values.yaml", hub.secret.kind, hub.secret.name),
                before: hub.values_text.clone(),
                after: text.clone(),
                decoded: true,
                confidential: true,
            });
        }
        let checksum = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            // A String takes all that is written.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        if let Some(parsed) = &mut manifests[hub.deployment.manifest].parsed {
            let keys = ["spec", "template", "metadata", "annotations", CHECKSUM_ANNOTATION];
            let path = keys.iter().fold(hub.deployment.at.clone(), |path, key| path.join(*key));
            parsed.editor.set(&path, checksum.into());
        }

        let secret = value_of(&hub.secret, manifests).cloned().unwrap_or_default();
        let mut added = Vec::new();
        for profile in placement::spare_profiles(self.policy) {
            let name = spares::name(&profile, hub);
            let there = manifests.iter().enumerate().flat_map(|(i, manifest)| manifest.objects(i));
            if !there.into_iter().any(|object| object.kind == "StatefulSet" && object.name == name) {
                added.push(spares::stateful_set(self.policy, &profile, hub, &values, &secret)?);
            }
            self.rendered.summary.push(format!("spares of {}: {}", profile.slug, profile.spares));
        }
        Ok(added)
    }

    /// Writes labels, and what a workload's pods require.
    fn write_object(&mut self, object: &Object, hub: Option<&Hub>, manifests: &mut [Manifest<'_>]) {
        let Some(parsed) = &mut manifests[object.manifest].parsed else { return };
        let Some(value) = parsed.editor.get(&object.at).cloned() else { return };
        if hub.is_some_and(|hub| hub.is_not_of(&value)) {
            return;
        }
        let spec = &self.policy.spec;
        let marks = Requirements {
            labels: spec.labels.clone(),
            annotations: spec.annotations.clone(),
            ..Requirements::default()
        };
        // An object has metadata as a pod has.
        pod::write(&marks, &mut parsed.editor, &object.at);
        let Some(pod) = placement::pod_path(object).filter(|path| *path != object.at || object.kind == "Pod")
        else {
            return;
        };

        let role = placement::role(self.policy, object, hub);
        let mut requirements = placement::requirements(self.policy, role, hub, object, &value);
        if !placement::is_mutable(object, &value) {
            if requirements != Requirements::default() {
                self.rendered.warnings.push(format!(
                    "Job {} is not placed: the pod template of a Job that exists cannot be changed",
                    object.name
                ));
            }
            return;
        }
        if object.kind != "Job" {
            requirements.labels = marks.labels;
            requirements.annotations = marks.annotations;
        }
        let conflicts = pod::write(&requirements, &mut parsed.editor, &pod);
        if let (Role::Puller, Some(hub)) = (role, hub) {
            placement::write_puller(self.policy, hub, &mut parsed.editor, &pod);
        }
        if role == Role::Placeholder {
            let stop = placement::check_placeholder(object, &value, &requirements);
            self.stops.extend(stop.map(|conflict| conflict.message));
        }
        for conflict in conflicts {
            self.conflict(&format!("{} {}", object.kind, object.name), &conflict);
        }
    }

    /// Stops the release or warns, as the policy says of the rule.
    fn conflict(&mut self, place: &str, conflict: &Conflict) {
        let spec = &self.policy.spec;
        let message = format!("{place}: {}", conflict.message);
        match spec.rules.get(conflict.rule).copied().unwrap_or(spec.enforcement) {
            Enforcement::Enforce => self.stops.push(message),
            Enforcement::Warn | Enforcement::Audit => self.rendered.warnings.push(message),
        }
    }
}

fn write_stream(
    manifests: &[Manifest<'_>],
    objects: &[Object],
    added: &[Value],
    rendered: &mut Rendered,
) -> Result<(), Error> {
    for (i, manifest) in manifests.iter().enumerate() {
        let text = manifest.write()?;
        if text != manifest.piece.text {
            let names: Vec<_> = objects
                .iter()
                .filter(|object| object.manifest == i)
                .map(|object| format!("{} {}", object.kind, object.name))
                .collect();
            rendered.changes.push(Change {
                title: names.join(", "),
                before: manifest.piece.text.to_owned(),
                after: text.to_string(),
                decoded: false,
                confidential: names
                    .iter()
                    .any(|name| name.starts_with("Secret ") || name.starts_with("ConfigMap ")),
            });
        }
        rendered.output.push_str(&text);
    }
    for document in added {
        if !rendered.output.is_empty() && !rendered.output.ends_with('\n') {
            rendered.output.push('\n');
        }
        let text = emit(document);
        rendered.output.push_str("---\n");
        rendered.output.push_str(&text);
        rendered.changes.push(Change {
            title: format!("StatefulSet {}", document["metadata"]["name"].as_str().unwrap_or_default()),
            before: String::new(),
            after: text,
            decoded: false,
            confidential: false,
        });
    }
    Ok(())
}

/// Helm 3 keeps hooks to itself: the puller's, if the chart has one, is not in the stream.
fn unseen_hooks(hub: &Hub, objects: &[Object]) -> Option<String> {
    let name = hub.name_of("hook-image-puller");
    let hook = &hub.values["prePuller"]["hook"];
    let seen = objects.iter().any(|object| object.name == name);
    (hook["enabled"] == true && !name.is_empty() && !seen).then(|| {
        format!(
            "Helm 3 does not pass hooks to post-renderers: {name} and {} run where the chart puts them",
            hub.name_of("hook-image-awaiter")
        )
    })
}

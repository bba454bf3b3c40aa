//! One pass: the stream of a chart in, the same stream held to the policy out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::document::{DataLab, Enforcement};
use datalab_policy::pod::{self, Conflict};
use datalab_policy::{HubFacts, Requirements};
use datalab_yaml::{Document, Editor, Location, Path, Piece, Value, emit, split};
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

/// A document that changed, or what a Secret holds encoded.
#[derive(Debug)]
pub struct Change {
    /// Kind and name of its objects.
    pub title: String,
    /// As it was, in the stream that came.
    pub before: Excerpt,
    /// As it is, in the stream that leaves.
    pub after: Excerpt,
    /// Whether it may hold secrets, so that only changed lines may be shown.
    pub confidential: bool,
}

/// A part of a stream.
#[derive(Debug)]
pub enum Excerpt {
    /// Its bytes.
    Bytes(Range<usize>),
    /// What was decoded from it.
    Decoded(String),
}

impl Excerpt {
    /// The text, of the stream that this is a part of.
    pub fn of<'a>(&'a self, stream: &'a str) -> &'a str {
        match self {
            Excerpt::Bytes(bytes) => stream.get(bytes.clone()).unwrap_or_default(),
            Excerpt::Decoded(text) => text,
        }
    }
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

/// Finds the hub, then takes the stream document by document, so that no more than one is held at a time.
fn pass(policy: &DataLab, input: &str) -> Result<Rendered, Error> {
    let pieces = split(input).map_err(|error| Error::yaml(error, 0))?;
    let (mut manifests, objects) = hub_manifests(&pieces)?;
    let hub = hub::find(policy, &manifests, &objects)?;
    let marks = Requirements {
        labels: policy.spec.labels.clone(),
        annotations: policy.spec.annotations.clone(),
        ..Requirements::default()
    };
    let rendered =
        Rendered { output: String::with_capacity(input.len() + input.len() / 8), ..Rendered::default() };
    let mut pass =
        Pass { policy, hub: hub.as_ref(), marks, rendered, stops: Vec::new(), seen: BTreeSet::new() };
    let mut spares = BTreeMap::new();
    if let Some(hub) = &hub {
        pass.check_hub(hub)?;
        spares = pass.write_hub(hub, &mut manifests)?;
    }
    // What was only looked at for a hidden Secret is taken like any other document.
    let mut held: BTreeMap<usize, Manifest<'_>> = manifests
        .into_iter()
        .filter(|manifest| manifest.parsed.is_some())
        .map(|manifest| (manifest.piece.offset, manifest))
        .collect();
    for piece in pieces {
        let manifest = match held.remove(&piece.offset) {
            Some(manifest) => manifest,
            None => Manifest::read(piece, |kind, _| pass.part(kind))?,
        };
        pass.write_manifest(manifest, &mut spares)?;
    }
    for spare in spares.values() {
        pass.add(spare);
    }
    if !pass.stops.is_empty() {
        return Err(Error::new(pass.stops.join("\n")));
    }
    let Pass { mut rendered, seen, .. } = pass;
    if let Some(hub) = &hub {
        rendered.warnings.extend(hub::overrides(&hub.values));
        rendered.summary.extend(unseen_hooks(hub, &seen));
        rendered.facts = Some(hub.facts.clone());
    }
    Ok(rendered)
}

/// The documents that a hub is found by, parsed, and their objects.
fn hub_manifests<'a>(pieces: &[Piece<'a>]) -> Result<(Vec<Manifest<'a>>, Vec<Object>), Error> {
    let part = |kind: &str, body: &str| match kind {
        "Deployment" if body.contains("hub") => Part::Whole,
        "ConfigMap" if body.contains("jupyterhub_config.py") => Part::Whole,
        // All of them, as one without values must be named.
        "Secret" => Part::Whole,
        kind if kind.ends_with("List") => Part::Whole,
        _ => Part::Nothing,
    };
    let mut manifests = Vec::new();
    for piece in pieces {
        let manifest = Manifest::read(piece.clone(), part)?;
        // A hidden Secret is a comment.
        if manifest.parsed.is_some() || piece.text.contains("# HIDDEN") {
            manifests.push(manifest);
        }
    }
    let objects = manifests.iter().enumerate().flat_map(|(i, manifest)| manifest.objects(i)).collect();
    Ok((manifests, objects))
}

/// The values of the one hub in a stream, and what is true of it, for a first policy. `None` if there is no hub.
///
/// # Errors
/// As [`render`].
pub fn hub_values(input: &str) -> Result<Option<(Value, HubFacts)>, Error> {
    let read = || {
        let pieces = split(input).map_err(|error| Error::yaml(error, 0))?;
        let (manifests, objects) = hub_manifests(&pieces)?;
        Ok(hub::find(&DataLab::default(), &manifests, &objects)?.map(|hub| (hub.values, hub.facts)))
    };
    read().map_err(|error: Error| error.located(input))
}

struct Pass<'a> {
    policy: &'a DataLab,
    hub: Option<&'a Hub>,
    /// Labels and annotations for every object.
    marks: Requirements,
    rendered: Rendered,
    stops: Vec<String>,
    /// Names of workloads that went by.
    seen: BTreeSet<String>,
}

impl Pass<'_> {
    /// How much of a document the policy concerns.
    fn part(&self, kind: &str) -> Part {
        if placement::has_pods(kind) || kind.ends_with("List") {
            Part::Whole
        } else if self.marks == Requirements::default() {
            Part::Nothing
        } else {
            Part::Metadata
        }
    }

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

    /// Writes the hub's values and the annotation that rolls it. Gives the spares to add, by name.
    fn write_hub(
        &mut self,
        hub: &Hub,
        manifests: &mut [Manifest<'_>],
    ) -> Result<BTreeMap<String, Value>, Error> {
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

        let mut text = hub.values_text.clone();
        if !editor.edits().is_empty() {
            text = Document::parse(&hub.values_text)
                .and_then(|document| document.write(&editor))
                .map_err(in_values)?;
            if let Some(parsed) = &mut manifests[hub.secret.manifest].parsed {
                parsed.editor.set(&hub.values_path(), BASE64.encode(&text).into());
            }
            self.rendered.changes.push(Change {
                title: format!("{} {}: values.yaml", hub.secret.kind, hub.secret.name),
                before: Excerpt::Decoded(hub.values_text.clone()),
                after: Excerpt::Decoded(text.clone()),
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
        let mut added = BTreeMap::new();
        for profile in placement::spare_profiles(self.policy) {
            let spare = spares::stateful_set(self.policy, &profile, hub, editor.value(), &secret)?;
            added.insert(spares::name(&profile, hub), spare);
            self.rendered.summary.push(format!("spares of {}: {}", profile.slug, profile.spares));
        }
        Ok(added)
    }

    /// Writes what the policy asks of a document's objects, and the document. Spares that it holds already are struck off.
    fn write_manifest(
        &mut self,
        mut manifest: Manifest<'_>,
        spares: &mut BTreeMap<String, Value>,
    ) -> Result<(), Error> {
        let objects = manifest.objects(0);
        for object in &objects {
            if object.kind == "StatefulSet" {
                spares.remove(&object.name);
            }
            if let Some(parsed) = &mut manifest.parsed {
                self.write_object(object, &mut parsed.editor);
            }
        }
        // What a KRM function makes anew is one more item, not one more document.
        if let Some(list) = manifest.resource_list() {
            for spare in std::mem::take(spares).into_values() {
                list.append(&Path::ROOT.join("items"), spare);
            }
        }
        let (before, start) = (manifest.piece.text, self.rendered.output.len());
        let after = manifest.write()?;
        self.rendered.output.push_str(&after);
        if after != before {
            let names: Vec<_> =
                objects.iter().map(|object| format!("{} {}", object.kind, object.name)).collect();
            let from = manifest.piece.offset;
            self.rendered.changes.push(Change {
                title: names.join(", "),
                before: Excerpt::Bytes(from..from + before.len()),
                after: Excerpt::Bytes(start..self.rendered.output.len()),
                confidential: objects
                    .iter()
                    .any(|object| matches!(object.kind.as_str(), "Secret" | "ConfigMap")),
            });
        }
        Ok(())
    }

    /// Adds a document to the end of the stream.
    fn add(&mut self, document: &Value) {
        let output = &mut self.rendered.output;
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str("---\n");
        let start = output.len();
        output.push_str(&emit(document));
        let after = Excerpt::Bytes(start..output.len());
        let title = format!("StatefulSet {}", document["metadata"]["name"].as_str().unwrap_or_default());
        self.rendered.changes.push(Change {
            title,
            before: Excerpt::Bytes(0..0),
            after,
            confidential: false,
        });
    }

    /// Writes labels, and what a workload's pods require.
    fn write_object(&mut self, object: &Object, editor: &mut Editor) {
        let Some(value) = editor.get(&object.at) else { return };
        if self.hub.is_some_and(|hub| hub.is_not_of(value)) {
            return;
        }
        let Some(pod) = placement::pod_path(object) else {
            // An object has metadata as a pod has.
            pod::write(&self.marks, editor, &object.at);
            return;
        };
        self.seen.insert(object.name.clone());
        let role = placement::role(self.policy, object, self.hub);
        let mut requirements = placement::requirements(self.policy, role, self.hub, object, value);
        let mutable = placement::is_mutable(object, value);
        if role == Role::Placeholder {
            self.stops.extend(placement::check_placeholder(object, value, &requirements));
        }
        pod::write(&self.marks, editor, &object.at);
        if !mutable {
            if requirements != Requirements::default() {
                self.rendered.warnings.push(format!(
                    "Job {} is not placed: the pod template of a Job that exists cannot be changed",
                    object.name
                ));
            }
            return;
        }
        if object.kind != "Job" {
            requirements.labels.clone_from(&self.marks.labels);
            requirements.annotations.clone_from(&self.marks.annotations);
        }
        let conflicts = pod::write(&requirements, editor, &pod);
        if let (Role::Puller, Some(hub)) = (role, self.hub) {
            placement::write_puller(self.policy, hub, editor, &pod);
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

/// Helm 3 keeps hooks to itself: the puller's, if the chart has one, is not in the stream.
fn unseen_hooks(hub: &Hub, seen: &BTreeSet<String>) -> Option<String> {
    let name = hub.name_of("hook-image-puller");
    let hook = &hub.values["prePuller"]["hook"];
    (hook["enabled"] == true && !name.is_empty() && !seen.contains(name)).then(|| {
        format!(
            "Helm 3 does not pass hooks to post-renderers: {name} and {} run where the chart puts them",
            hub.name_of("hook-image-awaiter")
        )
    })
}

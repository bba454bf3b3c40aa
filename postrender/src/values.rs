//! The hub writer: encodes requirements as the chart's values, in KubeSpawner's terms.
//!
//! For each profile, and each choice of its options, it works out the pod that KubeSpawner would build, lets the pod writer mend
//! that, and writes what changed back to the place that has the last word. So both writers mean the same.

use datalab_policy::document::{DataLab, Profile, UnknownProfiles};
use datalab_policy::pod::{self, Conflict};
use datalab_policy::requirements::IMPLICIT_PROFILE;
use datalab_policy::{HubFacts, Quantity, Requirements, User, compile, slug};
use datalab_yaml::{Editor, Map, Path, Value};
use serde_json::json;

use crate::spawner::{CHART_VALUES, Traits, home_volume, inherited, sorted_keys, sorted_values};
use crate::{assign, table};

/// Where node selector terms stand in a pod's spec.
pub const NODE_TERMS: [&str; 4] =
    ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
const ANTI_REQUIRED: [&str; 3] =
    ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
const ANTI_PREFERRED: [&str; 3] =
    ["affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];

/// Where the notebook container stands in a pod.
const CONTAINER: [&str; 3] = ["spec", "containers", "0"];

/// What the hub writer found beside its edits.
#[derive(Debug, Default)]
pub struct Findings {
    /// What it cannot mend, each with its place in words.
    pub conflicts: Vec<(String, Conflict)>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// What it did, a line each, for the summary.
    pub done: Vec<String>,
}

/// Writes a policy into a hub's decoded `values.yaml`.
pub fn write(policy: &DataLab, facts: &HubFacts, editor: &mut Editor) -> Findings {
    let mut findings = Findings::default();
    let profiles = policy.profiles();
    let implicit = profiles.iter().all(|profile| profile.slug == IMPLICIT_PROFILE)
        && sorted_values(&editor.value()["singleuser"]["profileList"]).is_empty();

    let everyone = compile(policy, facts, User::Template, profiles.first().filter(|_| implicit));
    replace_home(&everyone, editor, &mut findings);
    if !everyone.nodes.is_empty() {
        spell_out_node_purpose(editor);
    }
    let chart = Level::chart(editor.value());
    let traits = Traits::of_chart(editor.value());
    mend(&everyone, &traits, &chart, editor, "every server", &mut findings);
    check_volumes(editor.value(), &mut findings);
    label_claims(policy, editor);
    if implicit {
        findings.done.push(format!("every server: {}", describe(&everyone)));
    } else {
        write_profiles(policy, facts, &profiles, editor, &mut findings);
    }
    table::write(policy, facts, editor);
    findings
}

/// Where traits are written: a chart's values, or one `kubespawner_override`.
struct Level {
    at: Path,
    /// `hub.config.KubeSpawner`, which the chart applies after its own values; `None` in an override.
    chart: Option<Map<String, Value>>,
}

impl Level {
    fn chart(values: &Value) -> Self {
        let config = values["hub"]["config"]["KubeSpawner"].as_object().cloned().unwrap_or_default();
        Self { at: Path::ROOT, chart: Some(config) }
    }

    fn over(at: Path) -> Self {
        Self { at, chart: None }
    }

    /// Where a trait stands.
    fn path(&self, name: &str) -> Path {
        let Some(config) = &self.chart else { return self.at.join(name) };
        if config.contains_key(name) {
            return ["hub", "config", "KubeSpawner", name].into_iter().collect();
        }
        let keys = CHART_VALUES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, keys)| keys);
        std::iter::once("singleuser").chain(keys.iter().copied()).collect()
    }

    /// How many items of a list trait stand elsewhere in the chart's values.
    fn offset(&self, name: &str, values: &Value) -> usize {
        match &self.chart {
            Some(config) if !config.contains_key(name) => inherited(values, name).len(),
            _ => 0,
        }
    }
}

/// Mends the pod of `traits` and writes the difference at `level`.
fn mend(
    requirements: &Requirements,
    traits: &Traits,
    level: &Level,
    editor: &mut Editor,
    place: &str,
    findings: &mut Findings,
) {
    let old = traits.pod();
    let mut mended = Editor::new(old.clone());
    let conflicts = pod::write(requirements, &mut mended, &Path::ROOT);
    findings.conflicts.extend(conflicts.into_iter().map(|conflict| (place.to_owned(), conflict)));
    let (new, edits) = mended.finish();
    if edits.is_empty() {
        return;
    }
    let change = Change { traits, level, old: &old, new: &new };

    for (name, keys) in [
        ("node_affinity_required", &NODE_TERMS[..]),
        ("pod_anti_affinity_required", &ANTI_REQUIRED[..]),
        ("pod_anti_affinity_preferred", &ANTI_PREFERRED[..]),
        ("tolerations", &["tolerations"][..]),
        ("volumes", &["volumes"][..]),
        ("image_pull_secrets", &["imagePullSecrets"][..]),
    ] {
        change.list(name, "extra_pod_config", &["spec"], keys, editor);
    }
    change.check_mounts(editor.value(), place, findings);
    change.list("volume_mounts", "extra_container_config", &CONTAINER, &["volumeMounts"], editor);
    change.mapping("extra_labels", &["metadata", "labels"], editor);
    change.mapping("extra_annotations", &["metadata", "annotations"], editor);
    change.environment(editor);
    change.resources(editor);
    change.image(editor);
    let deadline = &new["spec"]["activeDeadlineSeconds"];
    if *deadline != old["spec"]["activeDeadlineSeconds"] {
        let key = traits.replaced("extra_pod_config", "activeDeadlineSeconds");
        let key = key.map_or_else(|| "activeDeadlineSeconds".to_owned(), |(key, _)| key);
        editor.set(&level.path("extra_pod_config").join(key), deadline.clone());
    }
}

/// From the pod that was to the pod that shall be, at one level.
struct Change<'a> {
    traits: &'a Traits,
    level: &'a Level,
    old: &'a Value,
    new: &'a Value,
}

impl Change<'_> {
    /// A list of the pod spec or container: where `extra_*_config` replaces it, there; else in its trait.
    fn list(&self, name: &str, config: &str, parent: &[&str], keys: &[&str], editor: &mut Editor) {
        let all: Vec<_> = parent.iter().chain(keys).copied().collect();
        let (old, new) = (descend(self.old, &all), descend(self.new, &all));
        if old == new {
            return;
        }
        if let Some((key, _)) = self.traits.replaced(config, keys[0]) {
            if config == "extra_container_config" {
                self.uncover(&key, editor);
                return assign(editor, &self.level.path(name), new);
            }
            let path = keys[1..].iter().fold(self.level.path(config).join(key), |path, key| path.join(*key));
            return assign(editor, &path, new);
        }
        let (old, new) = (sorted_values(old), sorted_values(new));
        let new: Vec<Value> =
            if name == "image_pull_secrets" { bare_names(new, self.traits.get(name)) } else { new };
        let path = self.level.path(name);
        let offset = self.level.offset(name, editor.value());
        let own = new.get(offset..).unwrap_or_default();
        // A mapping merges from level to level, so only what differs is written.
        if let Value::Object(existing) = self.existing(name, editor) {
            let before = old.get(offset..).unwrap_or_default();
            let keys = sorted_keys(&existing);
            for (i, item) in own.iter().enumerate() {
                match keys.get(i) {
                    Some(key) if before.get(i) != Some(item) => {
                        let before = before.get(i).unwrap_or(&Value::Null);
                        assign_merged(editor, &path.join(*key), before, item);
                    }
                    Some(_) => {}
                    None => editor.set(&free_key(editor, &path, item), item.clone()),
                }
            }
            return;
        }
        assign(editor, &path, &Value::Array(own.to_vec()));
    }

    /// Reports folders of users that move, and mounts that stand where the chart's files do.
    fn check_mounts(&self, values: &Value, place: &str, findings: &mut Findings) {
        let mounts = |pod| sorted_values(&descend(pod, &CONTAINER)["volumeMounts"]);
        let offset = self.level.offset("volume_mounts", values);
        let pairs = mounts(self.old).into_iter().zip(mounts(self.new)).enumerate();
        for (i, (old, new)) in pairs.filter(|(_, (old, new))| old != new) {
            findings.warnings.extend(moved(&old, &new).map(|moved| format!("{place}: {moved}")));
            if i < offset {
                let path = ["singleuser", "extraFiles"].into_iter().collect();
                let message =
                    format!("{} is already the mount path of one of singleuser.extraFiles", new["mountPath"]);
                findings.conflicts.push((place.to_owned(), Conflict { rule: "mounts", path, message }));
            }
        }
    }

    /// The trait in the form that it has when this level is written: in the chart's values its own part.
    fn existing(&self, name: &str, editor: &Editor) -> Value {
        match self.level.chart {
            Some(_) => editor.get(&self.level.path(name)).cloned().unwrap_or_default(),
            None => self.traits.get(name).clone(),
        }
    }

    fn mapping(&self, name: &str, keys: &[&str], editor: &mut Editor) {
        let (old, new) = (descend(self.old, keys), descend(self.new, keys));
        for (key, value) in
            new.as_object().into_iter().flatten().filter(|(key, value)| old.get(key) != Some(value))
        {
            editor.set(&self.level.path(name).join(key.as_str()), value.clone());
        }
    }

    fn environment(&self, editor: &mut Editor) {
        let keys = ["spec", "containers", "0", "env"];
        let (old, new) = (descend(self.old, &keys), descend(self.new, &keys));
        if old == new {
            return;
        }
        let mut old = sorted_values(old);
        if let Some((key, _)) = self.traits.replaced("extra_container_config", "env") {
            self.uncover(&key, editor);
            old.clear();
        }
        for entry in sorted_values(new).iter().filter(|entry| !old.contains(entry)) {
            let Some(name) = entry["name"].as_str() else { continue };
            let value = match &entry["value"] {
                Value::Null => json!({"valueFrom": entry["valueFrom"]}),
                value => value.clone(),
            };
            // A mapping over a mapping merges: what the old one had besides must go.
            let path = self.level.path("environment").join(name);
            match (self.level.chart.is_none(), self.traits.get("environment").get(name)) {
                (true, Some(old @ Value::Object(_))) if value.is_object() => {
                    assign_merged(editor, &path, old, &value);
                }
                _ => assign(editor, &path, &value),
            }
        }
    }

    /// Takes a list out of `extra_container_config`, where no template is expanded, to be written as its trait.
    fn uncover(&self, key: &str, editor: &mut Editor) {
        let path = self.level.path("extra_container_config").join(key);
        match self.level.chart {
            Some(_) => editor.remove(&path),
            None => editor.set(&path, Value::Null),
        }
    }

    fn resources(&self, editor: &mut Editor) {
        let keys = ["spec", "containers", "0", "resources"];
        let (old, new) = (descend(self.old, &keys), descend(self.new, &keys));
        if old == new {
            return;
        }
        if let Some((key, _)) = self.traits.replaced("extra_container_config", "resources") {
            return assign(editor, &self.level.path("extra_container_config").join(key), new);
        }
        for (kind, memory, cpu, extra) in [
            ("requests", "mem_guarantee", "cpu_guarantee", "extra_resource_guarantees"),
            ("limits", "mem_limit", "cpu_limit", "extra_resource_limits"),
        ] {
            let names = |value: &Value| value[kind].as_object().cloned().unwrap_or_default();
            let (old, new) = (names(old), names(new));
            for name in old.keys().filter(|name| !new.contains_key(*name)).chain(new.keys()) {
                if old.get(name) == new.get(name) {
                    continue;
                }
                let quantity =
                    new.get(name).and_then(|value| serde_json::from_value::<Quantity>(value.clone()).ok());
                let in_extra = self.traits.get(extra).get(name).is_some();
                let (path, value) = match (name.as_str(), &quantity) {
                    ("memory", quantity) if !in_extra => {
                        (self.level.path(memory), quantity.as_ref().map(Quantity::to_kubespawner_memory))
                    }
                    ("cpu", quantity) if !in_extra => {
                        (self.level.path(cpu), quantity.as_ref().map(Quantity::to_kubespawner_cpu))
                    }
                    (_, quantity) => (
                        self.level.path(extra).join(name.as_str()),
                        quantity.as_ref().map(|q| q.to_string().into()),
                    ),
                };
                match value {
                    // In the chart's mappings null is a value.
                    None if self.level.chart.is_some()
                        && (in_extra || !matches!(name.as_str(), "memory" | "cpu")) =>
                    {
                        editor.remove(&path);
                    }
                    value => editor.set(&path, value.unwrap_or_default()),
                }
            }
        }
    }

    fn image(&self, editor: &mut Editor) {
        let keys = ["spec", "containers", "0", "image"];
        let image = descend(self.new, &keys);
        if image == descend(self.old, &keys) {
            return;
        }
        if let Some((key, _)) = self.traits.replaced("extra_container_config", "image") {
            return editor.set(&self.level.path("extra_container_config").join(key), image.clone());
        }
        let chart_only = self.level.chart.as_ref().is_some_and(|config| !config.contains_key("image"));
        if !chart_only {
            return editor.set(&self.level.path("image"), image.clone());
        }
        let reference = image.as_str().unwrap_or_default();
        let (name, tag) = match reference.rsplit_once(':') {
            Some((name, tag)) if !reference.contains('@') && !tag.contains('/') => (name, tag),
            _ => (reference, ""),
        };
        for (key, value) in [("name", name), ("tag", tag)] {
            editor.set(&["singleuser", "image", key].into_iter().collect(), value.into());
        }
    }
}

/// Homes that the policy keeps take the place of the chart's, which must then make none.
fn replace_home(everyone: &Requirements, editor: &mut Editor, findings: &mut Findings) {
    let values = editor.value();
    let storage = &values["singleuser"]["storage"];
    let Some((volume, mount)) = home_volume(storage) else { return };
    let Some(home) = everyone.volumes.iter().find(|volume| mount["mountPath"] == volume.mount_path.as_str())
    else {
        return;
    };

    // The chart's own home is right as it is when the mounts rule finds nothing to write.
    let alone = Requirements { volumes: vec![home.clone()], ..Requirements::default() };
    let mut probe = Editor::new(json!({"metadata": {}, "spec": {
        "volumes": [volume], "containers": [{"name": "notebook", "volumeMounts": [mount]}],
    }}));
    pod::write(&alone, &mut probe, &Path::ROOT);
    if probe.finish().1.is_empty() {
        return;
    }
    let users = mounts_of(values, volume["name"].as_str().unwrap_or_default());
    let covered = |path: &str| everyone.volumes.iter().any(|volume| volume.mount_path == path);
    for (place, mount_path) in users.into_iter().filter(|(_, path)| !covered(path)) {
        if !(has(&volume, &home.source) && volume["name"] == home.name.as_str()) {
            let message = format!(
                "mount {:?} takes the place of the chart's home volume {}, which {place} also mounts at {mount_path}; \
                 add a mount for {mount_path} to the policy, or take it out of the chart's values",
                home.name, volume["name"]
            );
            let path = ["singleuser", "storage"].into_iter().collect();
            findings.conflicts.push(("every server".into(), Conflict { rule: "mounts", path, message }));
        }
    }
    if has(&volume, &home.source) {
        findings.warnings.extend(moved(&mount, &home.mount()));
    }
    let kind = storage["type"].as_str().unwrap_or_default().to_owned();
    findings.done.push(format!("homes: {} in place of the chart's {kind} claims", home.name));
    editor.set(&["singleuser", "storage", "type"].into_iter().collect(), "none".into());
}

/// Claims that KubeSpawner makes carry the lab's labels.
fn label_claims(policy: &DataLab, editor: &mut Editor) {
    let storage: Path = ["singleuser", "storage"].into_iter().collect();
    if editor.get(&storage.join("type")).is_none_or(|kind| kind != "dynamic") {
        return;
    }
    for (key, value) in &policy.spec.labels {
        let path = storage.join("extraLabels").join(key.as_str());
        if editor.get(&path).is_none_or(Value::is_null) {
            editor.set(&path, value.as_str().into());
        }
    }
}

/// Whether a volume has a source.
fn has(volume: &Value, source: &Value) -> bool {
    source.as_object().is_some_and(|source| source.iter().all(|(kind, fields)| volume[kind] == *fields))
}

/// Folders of users that the policy names unlike the chart: the old ones stay behind.
fn moved(old: &Value, new: &Value) -> Option<String> {
    let (was, is) = (old["subPath"].as_str()?, new["subPath"].as_str()?);
    (was != is && was.contains('{') && is.contains('{')).then(|| {
        format!(
            "{} was the folder {was:?} of its volume and becomes {is:?}: what users have there stays behind unless it is moved",
            new["mountPath"].as_str().unwrap_or_default()
        )
    })
}

/// Who else mounts a volume: the place in the values, and the mount path.
fn mounts_of(values: &Value, volume: &str) -> Vec<(String, String)> {
    let singleuser = &values["singleuser"];
    let mut lists = vec![(
        "singleuser.storage.extraVolumeMounts".to_owned(),
        &singleuser["storage"]["extraVolumeMounts"],
    )];
    for kind in ["initContainers", "extraContainers"] {
        for (i, container) in singleuser[kind].as_array().into_iter().flatten().enumerate() {
            lists.push((format!("singleuser.{kind}[{i}]"), &container["volumeMounts"]));
        }
    }
    lists
        .into_iter()
        .flat_map(|(place, mounts)| {
            sorted_values(mounts).into_iter().map(move |mount| (place.clone(), mount))
        })
        .filter(|(_, mount)| mount["name"] == volume)
        .map(|(place, mount)| (place, mount["mountPath"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// No container may mount a volume that is no more.
fn check_volumes(values: &Value, findings: &mut Findings) {
    let traits = Traits::of_chart(values);
    let volumes = sorted_values(traits.get("volumes"));
    for mount in sorted_values(traits.get("volume_mounts")) {
        if !volumes.iter().any(|volume| volume["name"] == mount["name"]) {
            findings.warnings.push(format!(
                "singleuser mounts volume {} at {}, but there is no such volume: KubeSpawner's pods will be refused",
                mount["name"], mount["mountPath"]
            ));
        }
    }
}

/// `matchNodePurpose: require` adds a term of its own when the hub starts, out of reach: spelled out, it can be extended.
fn spell_out_node_purpose(editor: &mut Editor) {
    let path: Path = ["scheduling", "userPods", "nodeAffinity", "matchNodePurpose"].into_iter().collect();
    if editor.get(&path).is_some_and(|purpose| purpose == "require") {
        let term = json!({"matchExpressions": [
            {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]},
        ]});
        editor.append(&["singleuser", "extraNodeAffinity", "required"].into_iter().collect(), term);
        editor.set(&path, "ignore".into());
    }
}

fn write_profiles(
    policy: &DataLab,
    facts: &HubFacts,
    profiles: &[Profile],
    editor: &mut Editor,
    findings: &mut Findings,
) {
    let list: Path = ["singleuser", "profileList"].into_iter().collect();
    // Profiles are no traits: writing them leaves these as they are.
    let chart = Traits::of_chart(editor.value());
    let mut known = Vec::new();
    for (at, chart_profile) in entries(&list, editor.value()) {
        let slug = slug_of(&chart_profile);
        known.push(slug.clone());
        if let Some(profile) = profiles.iter().find(|profile| profile.slug == slug) {
            if chart_profile["slug"].is_null() {
                editor.set(&at.join("slug"), slug.as_str().into());
            }
            write_profile(policy, facts, profile, &chart, &at, editor, findings);
        } else if policy.spec.hub.unknown_profiles == UnknownProfiles::Keep {
            findings.warnings.push(format!(
                "profile {slug:?} is the chart's own and not in the policy: it is kept as it is \
                 (hub.unknownProfiles: keep), without a label {}",
                datalab_policy::requirements::PROFILE_LABEL
            ));
        } else {
            let message = format!(
                "profile {slug:?} is in the chart's values and not in the policy (its profiles: {}); add it to \
                 spec.profiles, take it out of the chart's values, or set spec.hub.unknownProfiles: keep",
                profiles.iter().map(|profile| profile.slug.as_str()).collect::<Vec<_>>().join(", ")
            );
            findings
                .conflicts
                .push(("the profile list".into(), Conflict { rule: "profiles", path: at, message }));
        }
    }
    let listed = |profile: &&Profile| policy.spec.profiles.iter().any(|own| own.slug == profile.slug);
    for profile in profiles.iter().filter(listed).filter(|profile| !known.contains(&profile.slug)) {
        let entry = json!({
            "display_name": profile.display_name.as_deref().unwrap_or(&profile.slug),
            "slug": profile.slug,
        });
        let at = if let Some(Value::Object(_)) = editor.get(&list) {
            let at = list.join(profile.slug.as_str());
            editor.set(&at, entry);
            at
        } else {
            editor.append(&list, entry);
            let index =
                editor.get(&list).and_then(Value::as_array).map_or(0, |items| items.len().saturating_sub(1));
            list.join(index)
        };
        findings.done.push(format!("profile {}: added", profile.slug));
        write_profile(policy, facts, profile, &chart, &at, editor, findings);
    }
}

/// The profiles of a list or a mapping, each with its path.
fn entries(list: &Path, values: &Value) -> Vec<(Path, Value)> {
    match &values["singleuser"]["profileList"] {
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| (list.join(i), item.clone())).collect()
        }
        Value::Object(items) => {
            items.iter().map(|(key, item)| (list.join(key.as_str()), item.clone())).collect()
        }
        _ => vec![],
    }
}

/// The slug that KubeSpawner knows a profile by.
pub fn slug_of(profile: &Value) -> String {
    match profile["slug"].as_str() {
        Some(slug) => slug.to_owned(),
        None => slug::profile(profile["display_name"].as_str().unwrap_or_default()),
    }
}

fn write_profile(
    policy: &DataLab,
    facts: &HubFacts,
    profile: &Profile,
    chart: &Traits,
    at: &Path,
    editor: &mut Editor,
    findings: &mut Findings,
) {
    for (key, text) in [("display_name", &profile.display_name), ("description", &profile.description)] {
        if let Some(text) = text {
            editor.set(&at.join(key), text.as_str().into());
        }
    }
    write_default(policy, profile, at, editor);

    let requirements = compile(policy, facts, User::Template, Some(profile));
    let place = format!("profile {:?}", profile.slug);
    let over = Level::over(at.join("kubespawner_override"));
    let overridden = |editor: &Editor| {
        let mut traits = chart.clone();
        traits.override_with(editor.get(&over.at).unwrap_or(&Value::Null));
        traits
    };
    mend(&requirements, &overridden(editor), &over, editor, &place, findings);

    let choices = choices(at, editor);
    let traits = if choices.is_empty() { Traits::default() } else { overridden(editor) };
    for (at, name, unlisted) in choices {
        let place = format!("{place}, {name}");
        let mut traits = traits.clone();
        traits.override_with(editor.get(&at).unwrap_or(&Value::Null));
        let mut requirements = requirements.clone();
        if unlisted && traits.get("image").as_str().is_some_and(|image| image.contains("{value}")) {
            // What the user will type is for admission to judge.
            requirements.images = None;
        }
        let level = Level::over(at.clone());
        let before = editor.get(&at).cloned().unwrap_or_default();
        mend(&requirements, &traits, &level, editor, &place, findings);
        // A choice of another option may take away what stands before this choice's own traits.
        if traits.uncover()
            && before.as_object().is_some_and(|over| over.keys().any(|name| Traits::is_covered(name)))
        {
            mend(&requirements, &traits, &level, editor, &place, findings);
        }
        if unlisted {
            protect_braces(editor, &at, &before);
        }
    }
    findings.done.push(format!("profile {}: {}", profile.slug, describe(&requirements)));
}

/// The policy's default profile is the form's, and the only one.
fn write_default(policy: &DataLab, profile: &Profile, at: &Path, editor: &mut Editor) {
    if !policy.spec.profiles.iter().any(|profile| profile.default) {
        return;
    }
    let path = at.join("default");
    let is_default = editor.get(&path).is_some_and(|value| *value == true);
    if is_default != profile.default {
        editor.set(&path, profile.default.into());
    }
}

/// The overrides of all choices of a profile's options: path, name in words, whether the user types the value.
fn choices(profile: &Path, editor: &Editor) -> Vec<(Path, String, bool)> {
    let options = profile.join("profile_options");
    let mut all = Vec::new();
    for (option, content) in editor.get(&options).and_then(Value::as_object).into_iter().flatten() {
        let at = options.join(option.as_str());
        for choice in content["choices"].as_object().into_iter().flat_map(Map::keys) {
            let path = at.join("choices").join(choice.as_str()).join("kubespawner_override");
            all.push((path, format!("choice {choice:?} of option {option:?}"), false));
        }
        if content["unlisted_choice"]["enabled"] == true {
            let path = at.join("unlisted_choice").join("kubespawner_override");
            all.push((path, format!("the unlisted choice of option {option:?}"), true));
        }
    }
    all
}

/// KubeSpawner formats an unlisted choice's override twice: literal braces that we added are doubled once more.
fn protect_braces(editor: &mut Editor, at: &Path, before: &Value) {
    fn protect(value: &Value) -> Value {
        match value {
            Value::String(text) => text.replace("{{", "{{{{").replace("}}", "}}}}").into(),
            Value::Array(items) => items.iter().map(protect).collect(),
            Value::Object(entries) => {
                entries.iter().map(|(key, value)| (key.clone(), protect(value))).collect()
            }
            other => other.clone(),
        }
    }
    let after = editor.get(at).cloned().unwrap_or_default();
    for (name, value) in after.as_object().into_iter().flatten() {
        let protected = protect(value);
        if before.get(name) != Some(value) && protected != *value {
            editor.set(&at.join(name.as_str()), protected);
        }
    }
}

fn describe(requirements: &Requirements) -> String {
    let nodes: Vec<_> = requirements
        .nodes
        .iter()
        .map(|node| format!("{} {} {}", node.key, node.operator, node.values.join("|")).trim_end().to_owned())
        .collect();
    let nodes = if nodes.is_empty() { "any node".to_owned() } else { nodes.join(", ") };
    let isolation = match requirements.isolation {
        Some((mode, _)) => format!(", one pod per node {mode}"),
        None => String::new(),
    };
    format!("{nodes}{isolation}")
}

/// Assigns what a mapping over a mapping would leave behind as null, which deletes it.
fn assign_merged(editor: &mut Editor, path: &Path, old: &Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                if old.get(key) != Some(value) {
                    assign_merged(
                        editor,
                        &path.join(key.as_str()),
                        old.get(key).unwrap_or(&Value::Null),
                        value,
                    );
                }
            }
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                editor.set(&path.join(key.as_str()), Value::Null);
            }
        }
        _ => editor.set(path, new.clone()),
    }
}

/// A free key for a new item of a mapping. The chart merges its own keys in (`home`, `files`), so a name alone could hide one.
fn free_key(editor: &Editor, mapping: &Path, item: &Value) -> Path {
    let name = item["name"].as_str().unwrap_or("item");
    let mut key = mapping.join(format!("datalab-{name}"));
    for i in 2.. {
        if editor.get(&key).is_none() {
            break;
        }
        key = mapping.join(format!("datalab-{name}-{i}"));
    }
    key
}

/// Pull secrets as bare names, which all versions take, but where the trait has objects.
fn bare_names(secrets: Vec<Value>, before: &Value) -> Vec<Value> {
    let objects = sorted_values(before).iter().any(Value::is_object);
    let bare = |secret: Value| match &secret["name"] {
        Value::String(name) if !objects => name.as_str().into(),
        _ => secret,
    };
    secrets.into_iter().map(bare).collect()
}

fn descend<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| match (value, key.parse::<usize>()) {
        (Value::Array(_), Ok(i)) => &value[i],
        _ => &value[*key],
    })
}

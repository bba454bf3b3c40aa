//! The oracle builds the pods and claims that were once recorded from the real KubeSpawner.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use datalab_tests::oracle::{self, Built, Options, User};
use datalab_tests::python::Hub;
use datalab_tests::{meaning, shared};
use serde_json::{Value, json};

/// Annotations that name the versions that built a pod.
const VERSIONS: [&str; 2] = ["hub.jupyter.org/jupyterhub-version", "hub.jupyter.org/kubespawner-version"];

struct Recorded {
    path: PathBuf,
    user: User,
    /// The profile's slug, and after a dash what was chosen; `noprofile` in hubs without profiles.
    start: String,
    pod: Value,
    claim: Option<Value>,
}

impl Recorded {
    fn read(path: &Path) -> Result<Self> {
        let pod: Value = serde_json::from_slice(&fs::read(path)?)?;
        let variable = |wanted: &str| {
            let containers = pod["spec"]["containers"].as_array()?;
            let mut variables =
                containers.iter().filter_map(|container| container["env"].as_array()).flatten();
            Some(variables.find(|v| v["name"] == wanted)?["value"].as_str()?.to_owned())
        };
        let name = path.to_string_lossy();
        let (stem, start) =
            name.trim_end_matches(".pod.json").rsplit_once("--").context("a name without --")?;
        let claim = fs::read(format!("{stem}--{start}.pvc.json")).ok();
        Ok(Self {
            user: User {
                server: variable("JUPYTERHUB_SERVER_NAME").unwrap_or_default(),
                ..User::named(variable("JUPYTERHUB_USER").context("no JUPYTERHUB_USER")?)
            },
            start: start.to_owned(),
            path: path.to_owned(),
            claim: claim.map(|text| serde_json::from_slice(&text)).transpose()?,
            pod,
        })
    }

    fn could_be(&self, built: &Built) -> bool {
        let slug = built.profile.as_deref().unwrap_or("noprofile");
        (&built.user, &built.server) == (&self.user.name, &self.user.server)
            && (self.start == slug || self.start.starts_with(&format!("{slug}-")))
    }
}

/// The folders of recorded pods, each beside the stream that it was recorded from.
fn recordings() -> Vec<(PathBuf, PathBuf)> {
    let Some(shared) = shared::dir() else { return Vec::new() };
    ["upstream", "upstream/labs"]
        .iter()
        .flat_map(|folder| {
            let folder = shared.join(folder);
            shared::files(&folder, ".yaml").into_iter().filter_map(move |stream| {
                let pods = folder.join("userpods").join(stream.file_stem()?);
                pods.is_dir().then_some((stream, pods))
            })
        })
        .collect()
}

/// What of a pod and its claim depends neither on the moment nor on a running hub.
fn comparable(pod: Option<&Value>, claim: Option<&Value>) -> Value {
    let mut start = json!({ "pod": pod, "claim": claim });
    // Claims were recorded as built, before they were sent to a namespace.
    start["claim"]["metadata"]["namespace"] = Value::Null;
    for object in ["pod", "claim"] {
        if let Some(annotations) = start[object]["metadata"]["annotations"].as_object_mut() {
            annotations.retain(|key, _| !VERSIONS.contains(&key.as_str()));
        }
    }
    for container in start["pod"]["spec"]["containers"].as_array_mut().into_iter().flatten() {
        if let Some(variables) = container["env"].as_array_mut() {
            // Where the running hub is, and who it thinks asks: a recording has no running hub.
            variables.retain(|v| !v["name"].as_str().is_some_and(|name| name.starts_with("JUPYTERHUB_")));
        }
    }
    start
}

/// Every user alone, in each group that the hub's code names, and in all of them; recordings do not say which.
fn candidates(recorded: &[Recorded], groups: &[String]) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for user in recorded.iter().map(|recorded| &recorded.user) {
        if !users.contains(user) {
            let memberships = groups.iter().map(std::slice::from_ref).chain([groups]);
            users.push(user.clone());
            users.extend(memberships.filter(|g| !g.is_empty()).map(|g| user.clone().in_groups(g)));
        }
    }
    users
}

fn compare(stream: &Path, pods: &Path) -> Result<()> {
    let text = fs::read_to_string(stream)?;
    let recorded: Vec<_> =
        shared::files(pods, ".pod.json").iter().map(|path| Recorded::read(path)).collect::<Result<_>>()?;
    let Some(hubs) = oracle::hubs(&text)? else { return Ok(()) };
    let recorded_by = |version: &Hub| {
        let annotation =
            recorded.first().and_then(|r| r.pod["metadata"]["annotations"][VERSIONS[1]].as_str());
        annotation.map_or(version.kubespawner < "7", |recorded| version.kubespawner == recorded)
    };
    let groups: Vec<_> = hubs.into_iter().flat_map(|hub| hub.groups).collect();
    let options = Options {
        // The recording ran no hook before the start.
        without: vec![String::from("pre_spawn_hook")],
        unlisted: recorded
            .iter()
            .filter_map(|r| Some(r.pod["spec"]["containers"][0]["image"].as_str()?.to_owned()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        versions: Some(Hub::ALL.into_iter().filter(recorded_by).collect()),
    };
    let Some(built) = oracle::pods_with(&text, &candidates(&recorded, &groups), &options)? else {
        return Ok(());
    };

    let mut failures = Vec::new();
    for recorded in &recorded {
        let wanted = comparable(Some(&recorded.pod), recorded.claim.as_ref());
        let differences = built.iter().filter(|start| recorded.could_be(start)).map(|start| {
            let mut found: Vec<_> = start.error.iter().cloned().collect();
            found.extend(meaning::differences(&wanted, &comparable(start.pod.as_ref(), start.pvc.as_ref())));
            found
        });
        let closest = differences
            .min_by_key(Vec::len)
            .unwrap_or_else(|| vec![String::from("nothing like it was built")]);
        if !closest.is_empty() {
            failures.push(format!("{} differs:\n  {}", recorded.path.display(), closest.join("\n  ")));
        }
    }
    ensure!(failures.is_empty(), failures.join("\n"));
    Ok(())
}

#[test]
fn recorded_pods_are_built_again() -> Result<()> {
    oracle::for_each_in_parallel(&recordings(), |(stream, pods)| compare(stream, pods))
}

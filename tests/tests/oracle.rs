//! The oracle builds the pods and claims that were once recorded from the real KubeSpawner.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
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

/// A stream with one hub, whose whole configuration is this Python.
fn hub(name: &str, namespace: &str, config: &str) -> String {
    let values = json!({
        "Chart": { "Version": "4.0.0" },
        "Release": { "Name": name, "Namespace": namespace },
        "singleuser": {},
    });
    let mounted = format!("/usr/local/etc/jupyterhub/{CONFIG}");
    let documents = [
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name },
            "stringData": { "values.yaml": values.to_string() },
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name },
            "data": { CONFIG: format!("c = get_config()\n{config}") },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name, "labels": { "component": "hub" } },
            "spec": { "template": { "spec": {
                "containers": [{ "name": "hub", "volumeMounts": [
                    { "name": "config", "subPath": CONFIG, "mountPath": mounted },
                ] }],
                "volumes": [
                    { "name": "config", "configMap": { "name": name } },
                    { "name": "secret", "secret": { "secretName": name } },
                ],
            } } },
        }),
    ];
    documents.map(|document| format!("---\n{document}\n")).concat()
}

const CONFIG: &str = "jupyterhub_config.py";

fn newest() -> Options {
    Options { versions: Some(vec![Hub::newest()]), ..Options::default() }
}

fn label<'pod>(built: &'pod Built, key: &str) -> Option<&'pod str> {
    built.pod.as_ref()?["metadata"]["labels"][key].as_str()
}

#[test]
fn every_hook_runs_where_jupyterhub_runs_it() -> Result<()> {
    let stream = hub(
        "hub",
        "lab",
        r#"
from kubespawner import KubeSpawner

class Spawner(KubeSpawner):
    async def get_pod_manifest(self):
        note(self, "manifest")
        return await super().get_pod_manifest()

def note(spawner, what):
    spawner.extra_labels["order"] = spawner.extra_labels.get("order", "of") + "." + what

async def profiles(spawner):
    note(spawner, "profiles")
    return [{"display_name": "All", "slug": "-".join(g.name for g in spawner.user.groups)}]

async def modify(spawner, pod):
    pod.metadata.labels["modified"] = "yes"
    return pod

c.JupyterHub.spawner_class = Spawner
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = ["0" * 64]
c.KubeSpawner.auth_state_hook = lambda spawner, state: note(spawner, "auth-" + state["team"])
c.KubeSpawner.apply_user_options = lambda spawner, options: note(spawner, "options-" + options["profile"])
c.KubeSpawner.pre_spawn_hook = lambda spawner: note(spawner, "before")
c.KubeSpawner.profile_list = profiles
c.KubeSpawner.modify_pod_hook = modify
"#,
    );
    let user = User { auth_state: Some(json!({ "team": "red" })), ..User::named("ada") }.in_groups(["staff"]);

    let Some(built) = oracle::pods_with(&stream, std::slice::from_ref(&user), &newest())? else {
        return Ok(());
    };
    assert_eq!(built.len(), 1, "{built:?}");
    assert_eq!(built[0].error, None);
    assert_eq!(built[0].profile.as_deref(), Some("staff"));
    assert_eq!(label(&built[0], "order"), Some("of.auth-red.options-staff.before.profiles.manifest"));
    assert_eq!(label(&built[0], "modified"), Some("yes"));

    let without = vec![String::from("pre_spawn_hook"), String::from("modify_pod_hook")];
    let Some(built) = oracle::pods_with(&stream, &[user], &Options { without, ..newest() })? else {
        return Ok(());
    };
    assert_eq!(label(&built[0], "order"), Some("of.auth-red.options-staff.profiles.manifest"));
    assert_eq!(label(&built[0], "modified"), None);
    Ok(())
}

#[test]
fn every_combination_of_options_starts_and_refusals_are_told() -> Result<()> {
    let choosing = hub(
        "hub",
        "lab",
        r#"
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.profile_list = [{
    "display_name": "Own",
    "profile_options": {
        "image": {
            "choices": {
                "a": {"display_name": "A", "kubespawner_override": {"image": "a:1"}},
                "b": {"display_name": "B", "kubespawner_override": {"image": "b:1"}},
            },
            "unlisted_choice": {
                "enabled": True,
                "validation_regex": "^ghcr",
                "kubespawner_override": {"image": "{value}"},
            },
        },
        "size": {"choices": {
            "s": {"display_name": "S", "kubespawner_override": {"mem_limit": "1G"}},
            "l": {"display_name": "L", "kubespawner_override": {"mem_limit": "9G"}, "default": True},
        }},
    },
}]
"#,
    );
    let refusing = hub(
        "second",
        "lab",
        r#"
from tornado import web

def refuse(spawner):
    error = web.HTTPError(403, "no")
    error.jupyterhub_message = "Not today."
    raise error

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.pre_spawn_hook = refuse
"#,
    );
    let options = Options { unlisted: vec![String::from("ghcr.io/own:1")], ..newest() };
    let Some(built) = oracle::pods_with(&(choosing + &refusing), &[User::named("ada")], &options)? else {
        return Ok(());
    };

    let (choosing, refusing): (Vec<_>, Vec<_>) = built.into_iter().partition(|built| built.hub == "hub");
    let started: BTreeSet<_> = choosing
        .iter()
        .filter_map(|built| {
            let container = &built.pod.as_ref()?["spec"]["containers"][0];
            Some((container["image"].as_str()?, container["resources"]["limits"]["memory"].as_u64()?))
        })
        .collect();
    let [small, large] = [1_u64 << 30, 9 << 30];
    let wanted =
        ["a:1", "b:1", "ghcr.io/own:1"].into_iter().flat_map(|image| [(image, small), (image, large)]);
    assert_eq!(started, wanted.collect());
    assert!(choosing[0].options.is_empty(), "the first start chooses nothing");

    let [refused] = &refusing[..] else { bail!("one start each: {refusing:?}") };
    assert!(refused.pod.is_none());
    assert_eq!(refused.error.as_deref(), Some("Not today."));
    Ok(())
}

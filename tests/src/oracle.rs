//! The pods and claims that the real KubeSpawner builds from a rendered hub.

use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::python::{self, Hub};
use crate::{output, say};

/// Somebody who starts a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// The name that the hub knows them by.
    pub name: String,
    /// The name of the server; empty for the default one.
    pub server: String,
    /// The groups that they are in: these, and no others that the hub's own configuration may name.
    pub groups: Vec<String>,
    /// Whether they administrate the hub.
    pub admin: bool,
    /// What their sign-in left, in hubs that keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_state: Option<Value>,
}

impl User {
    /// A plain user, who starts the default server.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same user, in these groups.
    #[must_use]
    pub fn in_groups<Name: Into<String>>(mut self, groups: impl IntoIterator<Item = Name>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }
}

/// One start of one server.
#[derive(Debug, Clone, Deserialize)]
pub struct Built {
    /// The name of the hub's Secret.
    pub hub: String,
    /// The hub's namespace.
    pub namespace: String,
    /// Who started it.
    pub user: String,
    /// The name of the server; empty for the default one.
    pub server: String,
    /// The user's groups, sorted.
    pub groups: Vec<String>,
    /// The slug of the profile; `None` in hubs without profiles.
    pub profile: Option<String>,
    /// The choices made among the profile's options.
    pub options: serde_json::Map<String, Value>,
    /// The pod, as the API server would get it.
    pub pod: Option<Value>,
    /// The claim, if the hub makes one.
    pub pvc: Option<Value>,
    /// Why there is no pod.
    pub error: Option<String>,
    /// The versions that built it.
    #[serde(skip)]
    pub by: Option<Hub>,
}

/// How hubs are run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Hooks to leave out, as in `pre_spawn_hook`.
    pub without: Vec<String>,
    /// Values to try first for choices that take any value.
    pub unlisted: Vec<String>,
    /// Run these versions, not those that the hub's chart ships.
    pub versions: Option<Vec<Hub>>,
}

/// One hub of a stream.
#[derive(Debug, Clone, Deserialize)]
pub struct Found {
    /// The name of its Secret.
    pub hub: String,
    /// Its namespace.
    pub namespace: String,
    /// The version of its chart.
    pub chart: String,
    /// What its own code may mean by groups: names that it lists or looks up.
    pub groups: Vec<String>,
}

/// The hubs of a stream. `None` where Python environments are skipped.
pub fn hubs(stream: &str) -> Result<Option<Vec<Found>>> {
    if !stream.contains("values.yaml") {
        return Ok(Some(Vec::new()));
    }
    let Some(python) = python::hub_env(Hub::newest())? else { return Ok(None) };
    lines(script(&python).arg("hubs"), stream).map(Some)
}

/// Every start that these users can make, on every hub of the stream, by each version that its chart ships:
/// each profile, with each combination of its options. `None` where Python environments are skipped.
pub fn pods(stream: &str, users: &[User]) -> Result<Option<Vec<Built>>> {
    pods_with(stream, users, &Options::default())
}

/// As [`pods`], with options.
pub fn pods_with(stream: &str, users: &[User], options: &Options) -> Result<Option<Vec<Built>>> {
    let Some(found) = hubs(stream)? else { return Ok(None) };
    let users = serde_json::to_string(users)?;
    let mut built = Vec::new();
    for hub in found {
        let versions = options.versions.as_deref().unwrap_or_else(|| Hub::of_chart(&hub.chart));
        for &version in versions {
            let Some(python) = python::hub_env(version)? else { return Ok(None) };
            let mut command = script(&python);
            command.args(["pods", &hub.hub, "--namespace", &hub.namespace, "--users", &users]);
            for hook in &options.without {
                command.args(["--without", hook]);
            }
            for value in &options.unlisted {
                command.args(["--unlisted", value]);
            }
            let starts: Vec<Built> = lines(&mut command, stream)
                .with_context(|| format!("hub {} of namespace {}", hub.hub, hub.namespace))?;
            built.extend(starts.into_iter().map(|start| Built { by: Some(version), ..start }));
        }
    }
    Ok(Some(built))
}

fn script(python: &std::path::Path) -> Command {
    let mut command = Command::new(python);
    command.arg(crate::root().join("tests/oracle/hub.py"));
    command
}

fn lines<Line: for<'de> Deserialize<'de>>(command: &mut Command, stream: &str) -> Result<Vec<Line>> {
    output(command, stream.as_bytes())?
        .lines()
        .map(|line| serde_json::from_str(line).context("the oracle's line"))
        .collect()
}

/// Does the same for each item, on as many threads as there are cores: hubs take seconds to load.
pub fn for_each_in_parallel<Item: Sync>(
    items: &[Item],
    work: impl Fn(&Item) -> Result<()> + Sync,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    if let (Err(error), Ok(mut failures)) = (work(item), failures.lock()) {
                        say(&format!("{error:#}"));
                        failures.push(error);
                    }
                }
            });
        }
    });
    match failures.into_inner().unwrap_or_default().pop() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

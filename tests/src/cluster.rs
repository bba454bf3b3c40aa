//! As much of an API server as `helm install --dry-run` asks for: it knows kinds, and holds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server that lives as long as the test's process.
pub struct Cluster {
    folder: TempDir,
}

impl Cluster {
    /// Starts one that knows the kinds of these documents.
    pub fn that_knows(documents: &[String]) -> Result<Self> {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        kinds.entry("v1".into()).or_default().insert("Secret".into());
        for document in documents {
            let document: Value = serde_json::from_str(document)?;
            if let (Some(version), Some(kind)) = (document["apiVersion"].as_str(), document["kind"].as_str())
            {
                kinds.entry(version.into()).or_default().insert(kind.into());
            }
        }

        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        let url = format!("http://{}", listener.local_addr()?);
        let kinds = Arc::new(kinds);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kinds = Arc::clone(&kinds);
                // A client that hangs up early has its own words for what went wrong.
                thread::spawn(move || answer(connection, &kinds));
            }
        });

        let folder = tempfile::tempdir()?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": url } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "users": [{ "name": "test", "user": {} }],
        });
        std::fs::write(folder.path().join("config"), config.to_string())?;
        Ok(Self { folder })
    }

    /// The value for `KUBECONFIG`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }
}

fn answer(mut connection: TcpStream, kinds: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().context("no request")??;
    while !lines.next().context("no end of headers")??.is_empty() {}
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let (status, body) = match respond(path, kinds) {
        Some(body) => ("200 OK", body),
        None => (
            "404 Not Found",
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404 }),
        ),
    };
    let body = body.to_string();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

fn respond(path: &str, kinds: &BTreeMap<String, BTreeSet<String>>) -> Option<Value> {
    match path {
        "/version" => Some(json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.1" })),
        "/api" => Some(json!({ "kind": "APIVersions", "versions": ["v1"] })),
        "/apis" => {
            let groups = kinds.keys().filter_map(|version| {
                let (group, short) = version.split_once('/')?;
                let version = json!({ "groupVersion": version, "version": short });
                Some(json!({ "name": group, "versions": [version], "preferredVersion": version }))
            });
            Some(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>() }))
        }
        _ => {
            let version = path.strip_prefix("/apis/").or_else(|| path.strip_prefix("/api/"))?;
            let resources = kinds.get(version)?.iter().map(|kind| {
                let name = format!("{}s", kind.to_lowercase());
                json!({ "name": name, "kind": kind, "namespaced": true, "verbs": ["get", "create"] })
            });
            Some(json!({
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": version,
                "resources": resources.collect::<Vec<_>>(),
            }))
        }
    }
}

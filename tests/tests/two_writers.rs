//! Law 6: a pod that the real KubeSpawner builds from a rendered hub gets an empty patch from the pod writer.

use anyhow::{Context as _, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::document::UnknownProfiles;
use datalab_policy::{DataLab, HubFacts, User, compile, pod};
use datalab_tests::oracle::{self, Built, Options};
use datalab_tests::{policies, shared};
use datalab_yaml::{Edit, Editor, Op, Path, Value};

/// What the configuration leaves to the hub's own code: what depends on the groups that a user is in.
fn depends_on_groups(policy: &DataLab, edit: &Edit) -> bool {
    let path = edit.path.to_string();
    let labels = policy.spec.groups.iter().flat_map(|group| group.labels.keys());
    path.starts_with("spec.volumes")
        || path.starts_with("spec.containers[0].volumeMounts")
        || path.starts_with("spec.containers[0].env")
        || path == "spec.containers[0].image"
        || labels.into_iter().any(|label| edit.path == ["metadata", "labels", label].into_iter().collect())
}

fn edits(policy: &DataLab, facts: &HubFacts, start: &Built, groups: &[&str]) -> Result<Vec<Edit>> {
    let pod = start.pod.clone().context("no pod")?;
    let slug = pod["metadata"]["labels"]["datalab.dev/profile"].as_str().unwrap_or_default();
    let profile = policy.profile(slug).with_context(|| format!("no profile {slug:?}"))?;
    let requirements = compile(policy, facts, User::Named { name: &start.user, groups }, Some(&profile));
    let mut editor = Editor::new(pod);
    pod::write(&requirements, &mut editor, &Path::ROOT);
    Ok(editor.finish().1)
}

/// People in every group and in none, with names that need escaping, and named servers.
fn people(policy: &DataLab, hub_groups: &[String]) -> Vec<oracle::User> {
    let mut everywhere: Vec<String> = hub_groups.to_vec();
    everywhere.extend(policy.spec.groups.iter().flat_map(|group| group.identity_groups.iter().cloned()));
    everywhere.sort();
    everywhere.dedup();
    let teams: Vec<_> = everywhere.iter().map(|group| serde_json::json!({"slug": group})).collect();
    let auth_state = Some(serde_json::json!({"teams": teams}));
    vec![
        oracle::User { auth_state: Some(serde_json::json!({"teams": []})), ..oracle::User::named("alice") },
        oracle::User {
            auth_state: auth_state.clone(),
            ..oracle::User::named("J.Doe+1@Example.edu").in_groups(everywhere.clone())
        },
        oracle::User {
            server: "second".into(),
            auth_state,
            ..oracle::User::named("4m").in_groups(everywhere)
        },
    ]
}

fn listed(edits: &[Edit]) -> String {
    let line = |edit: &Edit| match &edit.op {
        Op::Set(value) => format!("\n  {} = {value}", edit.path),
        Op::Append(value) => format!("\n  {} += {value}", edit.path),
        Op::Remove => format!("\n  {} removed", edit.path),
    };
    edits.iter().map(line).collect()
}

/// Runs every start on the rendered hub, and holds each pod against the pod writer.
fn holds(name: &str, stream: &str, policy: &DataLab) -> Result<()> {
    let rendered = datalab_postrender::render(policy, stream).with_context(|| name.to_owned())?;
    let Some(facts) = &rendered.facts else { return Ok(()) };
    let Some(found) = oracle::hubs(&rendered.output)? else { return Ok(()) };
    let hub_groups: Vec<_> = found.into_iter().flat_map(|hub| hub.groups).collect();
    let options =
        Options { without: vec!["pre_spawn_hook".into(), "modify_pod_hook".into()], ..Options::default() };
    let Some(starts) = oracle::pods_with(&rendered.output, &people(policy, &hub_groups), &options)? else {
        return Ok(());
    };
    let kept = policy.spec.hub.unknown_profiles == UnknownProfiles::Keep;
    let mut pods = 0;
    for start in &starts {
        let what = || {
            let Built { user, server, profile, options, by, .. } = start;
            format!("{name}: {user} {server:?}, profile {profile:?} {options:?}, by {by:?}")
        };
        ensure!(start.error.is_none(), "{}: {}", what(), start.error.as_deref().unwrap_or_default());
        let known = start.profile.as_deref().is_none_or(|slug| policy.profile(slug).is_some());
        if !known && kept {
            continue;
        }
        pods += 1;
        let none = edits(policy, facts, start, &[]).with_context(what)?;
        ensure!(none.is_empty(), "{} lacks {}", what(), listed(&none));
        let identity: Vec<&str> = start.groups.iter().map(String::as_str).collect();
        let groups = policy.groups_of(&start.user, &identity);
        let some = edits(policy, facts, start, &groups).with_context(what)?;
        ensure!(
            some.iter().all(|edit| depends_on_groups(policy, edit)),
            "{} lacks {}",
            what(),
            listed(&some)
        );
    }
    ensure!(pods > 0, "{name}: no pod was built");
    eprintln!("{name}: {pods} pods obey");
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(datalab_yaml::Document::parse(&text)?.value()?)
}

#[test]
fn pods_of_rendered_hubs_need_no_patch() -> Result<()> {
    oracle::for_each_in_parallel(&shared::streams()?, |stream| {
        let path = policies::for_stream(stream)?;
        holds(&stream.name, &stream.text, &serde_json::from_value(read(&path)?)?)
    })
}

/// Merges as Helm merges values: mappings into mappings, null deletes.
fn merge(into: &mut Value, new: &Value) {
    match (into, new) {
        (Value::Object(into), Value::Object(new)) => {
            for (key, value) in new {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, new) => *into = new.clone(),
    }
}

/// The stream with other values merged over its hub's; and the chart's version.
fn with_values(stream: &str, over: &Value) -> Result<Option<(String, String)>> {
    for piece in datalab_yaml::split(stream)? {
        let body = &piece.text[piece.body.clone()];
        if !body.contains("component: hub")
            || !body.contains("values.yaml:")
            || !body.contains("kind: Secret")
        {
            continue;
        }
        let document = datalab_yaml::Document::parse(body)?;
        let secret = document.value()?;
        let encoded = secret["data"]["values.yaml"].as_str().context("values.yaml")?;
        let decoded = String::from_utf8(BASE64.decode(encoded)?)?;
        let mut values = datalab_yaml::Document::parse(&decoded)?.value()?;
        let version = values["Chart"]["Version"].as_str().unwrap_or_default().to_owned();
        merge(&mut values, over);
        let edit = Edit {
            path: ["data", "values.yaml"].into_iter().collect(),
            op: Op::Set(BASE64.encode(datalab_yaml::emit(&values)).into()),
        };
        let start = piece.offset + piece.body.start;
        let edited = document.apply(&[edit])?;
        return Ok(Some((version, [&stream[..start], &edited, &stream[start + body.len()..]].concat())));
    }
    Ok(None)
}

/// The same on hubs whose profiles, choices and pod configuration try to lose what the policy requires: one of each chart version.
#[test]
fn no_override_drops_a_requirement() -> Result<()> {
    let folder = datalab_tests::root().join("tests/hubs");
    let over = read(&folder.join("overriding.values.yaml"))?;
    let mut policy: DataLab = serde_json::from_value(read(&folder.join("overriding.datalab.yaml"))?)?;
    policy.spec.hub.unknown_profiles = UnknownProfiles::Error;
    let mut versions = std::collections::BTreeMap::new();
    for stream in shared::streams()?.iter().filter(|stream| !stream.is_from_helm4()) {
        if let Some((version, text)) =
            with_values(&stream.text, &over).with_context(|| stream.name.clone())?
        {
            versions.entry(version).or_insert((stream.name.clone(), text));
        }
    }
    let hubs: Vec<_> = versions.into_values().collect();
    oracle::for_each_in_parallel(&hubs, |(name, text)| holds(name, text, &policy))
}

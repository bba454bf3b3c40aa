//! Law 6: a pod that the real KubeSpawner builds from a rendered hub gets an empty patch from the pod writer.

use anyhow::{Context as _, Result, ensure};
use datalab_policy::pod;
use datalab_policy::{DataLab, HubFacts, User, compile, document};
use datalab_tests::oracle::{self, Built, Options};
use datalab_tests::shared::Stream;
use datalab_tests::{policies, shared};
use datalab_yaml::{Edit, Editor, Path};

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
        oracle::User { server: "second".into(), auth_state, ..oracle::User::named("4m").in_groups(everywhere) },
    ]
}

fn holds(stream: &Stream) -> Result<()> {
    let Some(path) = policies::for_stream(stream) else { return Ok(()) };
    let value = datalab_yaml::Document::parse(&std::fs::read_to_string(&path)?)?.value()?;
    let policy: DataLab = serde_json::from_value(value)?;
    let rendered = datalab_postrender::render(&policy, &stream.text).with_context(|| stream.name.clone())?;
    let Some(facts) = &rendered.facts else { return Ok(()) };
    let Some(found) = oracle::hubs(&rendered.output)? else { return Ok(()) };
    let hub_groups: Vec<_> = found.into_iter().flat_map(|hub| hub.groups).collect();
    let options = Options { without: vec!["pre_spawn_hook".into(), "modify_pod_hook".into()], ..Options::default() };
    let Some(starts) = oracle::pods_with(&rendered.output, &people(&policy, &hub_groups), &options)? else {
        return Ok(());
    };
    let kept = policy.spec.hub.unknown_profiles == document::UnknownProfiles::Keep;
    let mut pods = 0;
    for start in &starts {
        let what = || {
            format!("{}: {} {:?} profile {:?} {:?} by {:?}", stream.name, start.user, start.server, start.profile, start.options, start.by)
        };
        ensure!(start.error.is_none(), "{}: {}", what(), start.error.as_deref().unwrap_or_default());
        let known = start.profile.as_deref().is_none_or(|slug| policy.profile(slug).is_some());
        if !known && kept {
            continue;
        }
        pods += 1;
        let none = edits(&policy, facts, start, &[]).with_context(what)?;
        ensure!(none.is_empty(), "{}: {none:#?}", what());
        let identity: Vec<&str> = start.groups.iter().map(String::as_str).collect();
        let groups = policy.groups_of(&start.user, &identity);
        let some = edits(&policy, facts, start, &groups).with_context(what)?;
        ensure!(some.iter().all(|edit| depends_on_groups(&policy, edit)), "{}: {some:#?}", what());
    }
    ensure!(pods > 0, "{}: no pod was built", stream.name);
    eprintln!("{}: {pods} pods obey", stream.name);
    Ok(())
}

#[test]
fn pods_of_rendered_hubs_need_no_patch() -> Result<()> {
    oracle::for_each_in_parallel(&shared::streams()?, holds)
}

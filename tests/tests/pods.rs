//! The pod writer's laws on every pod that the real KubeSpawner was seen to build: writing twice is writing once, edits say all
//! that changed, and what no rule owns stays.

use std::path::{Path as FilePath, PathBuf};

use anyhow::{Context as _, Result, ensure};
use datalab_policy::{DataLab, HubFacts, SlugScheme, User, compile, pod};
use datalab_tests::{root, shared};
use datalab_yaml::{Editor, Path, Value, apply_to};

/// Every policy of the project.
fn policies() -> Result<Vec<(PathBuf, DataLab)>> {
    let folders = ["tests/policies", "tests/hubs", "examples"];
    let mut files: Vec<PathBuf> =
        folders.iter().flat_map(|folder| shared::files(&root().join(folder), ".yaml")).collect();
    for lab in std::fs::read_dir(root().join("examples"))? {
        files.extend(shared::files(&lab?.path(), "datalab.yaml"));
    }
    files.retain(|file| !file.to_string_lossy().ends_with("values.yaml"));
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file)?;
        let parsed =
            DataLab::parse(&file.display().to_string(), &text).map_err(|e| anyhow::anyhow!("{e}"))?;
        Ok((file, parsed.policy))
    };
    files.into_iter().map(read).collect()
}

fn pods(shared: &FilePath) -> Result<Vec<(PathBuf, Value)>> {
    let mut pods = Vec::new();
    for folder in ["upstream/userpods", "upstream/labs/userpods"] {
        for case in std::fs::read_dir(shared.join(folder)).into_iter().flatten() {
            for file in shared::files(&case?.path(), ".pod.json") {
                let pod = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
                pods.push((file, pod));
            }
        }
    }
    Ok(pods)
}

#[test]
fn writing_twice_is_writing_once() -> Result<()> {
    let Some(shared) = shared::dir() else { return Ok(()) };
    let policies = policies()?;
    let pods = pods(&shared)?;
    ensure!(!pods.is_empty(), "the shared folder holds no pods");
    let facts = HubFacts { slug_scheme: SlugScheme::Safe, ..HubFacts::default() };
    for (file, mut pod) in pods {
        // A field that this build does not know passes through.
        pod["spec"]["fieldOfTheFuture"] = true.into();
        let name = pod["metadata"]["annotations"]["hub.jupyter.org/username"]
            .as_str()
            .unwrap_or("somebody")
            .to_owned();
        for (policy_file, policy) in &policies {
            let groups: Vec<&str> = policy.spec.groups.iter().map(|group| group.name.as_str()).collect();
            for (profile, groups) in
                policy.profiles().iter().flat_map(|profile| [(profile, &[][..]), (profile, &groups[..])])
            {
                let what = || {
                    format!("{}, policy {}, profile {}", file.display(), policy_file.display(), profile.slug)
                };
                let requirements =
                    compile(policy, &facts, User::Named { name: &name, groups }, Some(profile));
                let mut editor = Editor::new(pod.clone());
                let conflicts = pod::write(&requirements, &mut editor, &Path::ROOT);
                let (written, edits) = editor.finish();

                let mut applied = pod.clone();
                apply_to(&mut applied, &edits).with_context(what)?;
                ensure!(applied == written, "{}: the edits do not lead to what was written", what());
                ensure!(written["spec"]["fieldOfTheFuture"] == true, "{}: an unknown field is lost", what());

                let mut again = Editor::new(written);
                let same = pod::write(&requirements, &mut again, &Path::ROOT) == conflicts;
                ensure!(
                    same && again.edits().is_empty(),
                    "{}: a second time gives {:?}",
                    what(),
                    again.edits()
                );
            }
        }
    }
    Ok(())
}

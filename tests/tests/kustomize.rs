//! kustomize runs the post-renderer as a function, with the policy as its configuration.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_tests::tools::{self, Tool};
use datalab_tests::{meaning, output, policies, postrender, root, shared, skip};
use datalab_yaml::Document;
use serde_json::{Value, json};

/// kustomize takes time that grows with the square of its input: 513 s for 10 MB.
const LARGEST: usize = 1 << 20;

fn build(kustomize: &Tool, folder: &Path, kustomization: &Value) -> Result<String> {
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string())?;
    let mut command = kustomize.command();
    output(command.args(["build", "--enable-alpha-plugins", "--enable-exec"]).arg(folder), b"")
}

fn read(yaml: &str) -> Result<Value> {
    Ok(Document::parse(yaml)?.value()?)
}

/// A policy that says which function it configures.
fn function(mut policy: Value, path: &str, args: &[&str]) -> Value {
    policy["metadata"]["annotations"]["config.kubernetes.io/function"] =
        json!({ "exec": { "path": path, "args": args } }).to_string().into();
    policy
}

/// The objects of a `ResourceList`.
fn items(list: &str) -> Result<Vec<Value>> {
    let list = read(list)?;
    ensure!(list["kind"] == "ResourceList", "a {} came", list["kind"]);
    Ok(list["items"].as_array().context("no items")?.clone())
}

#[test]
fn kustomize_runs_the_function() -> Result<()> {
    let streams = shared::streams()?;
    let Some(kustomize) = tools::kustomize()? else { return Ok(()) };
    let program = postrender()?;
    for stream in streams.iter().filter(|stream| !stream.is_from_helm4()) {
        let policy = policies::for_stream(stream)?;
        if stream.text.len() > LARGEST {
            skip(&format!("{} is too large for kustomize", stream.name));
            continue;
        }
        let configuration = function(read(&fs::read_to_string(&policy)?)?, "./datalab-postrender", &[]);

        let folder = tempfile::tempdir()?;
        fs::copy(&program, folder.path().join("datalab-postrender"))?;
        fs::write(folder.path().join("rendered.yaml"), &stream.text)?;
        fs::write(folder.path().join("datalab.yaml"), configuration.to_string())?;

        // kustomize changes documents itself, so compare with what it makes of them alone.
        let resources = json!({ "resources": ["rendered.yaml"] });
        let alone = build(&kustomize, folder.path(), &resources).with_context(|| stream.name.clone())?;
        let expected = output(Command::new(&program).arg("--policy").arg(&policy), alone.as_bytes())?;
        let transformed = json!({ "resources": ["rendered.yaml"], "transformers": ["datalab.yaml"] });
        let built = build(&kustomize, folder.path(), &transformed).with_context(|| stream.name.clone())?;
        meaning::expect_same(&expected, &built).with_context(|| stream.name.clone())?;
    }
    Ok(())
}

/// The quickstart's folder for kustomize: a hub that can have spares, and a policy that asks for some.
fn quickstart() -> Result<(tempfile::TempDir, Value)> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| fs::read_to_string(root().join("examples/quickstart").join(name));
    let values = file("hub-values.yaml")?;
    let image = "  userPlaceholder:\n    image: {name: registry.k8s.io/pause, tag: '3.10'}\n";
    let with_image = values.replace("  userPlaceholder:\n", image);
    let manifests = file("manifests.yaml")?.replace(&BASE64.encode(&values), &BASE64.encode(with_image));
    fs::write(folder.path().join("manifests.yaml"), manifests)?;
    let mut policy = read(&file("datalab.yaml")?)?;
    policy["spec"]["profiles"][0]["spares"] = 2.into();
    Ok((folder, policy))
}

#[cfg(unix)]
#[test]
fn one_resource_list_comes_for_one() -> Result<()> {
    let Some(kustomize) = tools::kustomize()? else { return Ok(()) };
    let program = postrender()?;
    let (folder, policy) = quickstart()?;
    let tee = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("tee"))
        .find(|path| path.is_file())
        .context("no tee on PATH")?;
    std::os::unix::fs::symlink(tee, folder.path().join("tee"))?;
    let configuration = function(policy, "./tee", &["list.yaml"]);
    // As in a real kustomization, which marks the policy as it does other resources.
    let transformers = folder.path().join("policy");
    fs::create_dir(&transformers)?;
    fs::write(transformers.join("datalab.yaml"), configuration.to_string())?;
    let marking = json!({
        "resources": ["datalab.yaml"],
        "labels": [{ "pairs": { "example.org/team": "lab" } }],
        "buildMetadata": ["originAnnotations", "transformerAnnotations"],
    });
    fs::write(transformers.join("kustomization.yaml"), marking.to_string())?;
    let kustomization = json!({ "resources": ["manifests.yaml"], "transformers": ["policy"] });
    build(&kustomize, folder.path(), &kustomization)?;
    let list = fs::read_to_string(folder.path().join("list.yaml"))?;

    let made = output(&mut Command::new(&program), list.as_bytes())?;
    let (before, after) = (items(&list)?, items(&made)?);
    assert_eq!(after.len(), before.len() + 1);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["metadata"], after["metadata"]);
    }
    assert_eq!(after[before.len()]["metadata"]["name"], "user-placeholder-small");
    let [before, after] = [&list, &made].map(|list| read(list).map(|list| list["functionConfig"].clone()));
    assert_eq!(before?, after?);

    let check = |list: &str| output(Command::new(&program).arg("--check"), list.as_bytes());
    assert!(check(&list).is_err());
    assert_eq!(check(&made)?, "");
    Ok(())
}

#[test]
fn what_the_policy_forbids_fails_the_build() -> Result<()> {
    let Some(kustomize) = tools::kustomize()? else { return Ok(()) };
    let (folder, mut policy) = quickstart()?;
    policy["metadata"]["namespace"] = "elsewhere".into();
    let configuration = function(policy, "./datalab-postrender", &[]);
    fs::copy(postrender()?, folder.path().join("datalab-postrender"))?;
    fs::write(folder.path().join("datalab.yaml"), configuration.to_string())?;
    let kustomization = json!({ "resources": ["manifests.yaml"], "transformers": ["datalab.yaml"] });
    let failed = build(&kustomize, folder.path(), &kustomization).expect_err("it was built").to_string();
    assert!(failed.contains("the policy is for namespace \"elsewhere\""), "{failed}");
    Ok(())
}

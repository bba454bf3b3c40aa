//! kustomize runs the post-renderer as a function, with the policy as its configuration.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use datalab_tests::tools::{self, Tool};
use datalab_tests::{meaning, output, policies, postrender, shared, skip};
use serde_json::{Value, json};

/// kustomize takes time that grows with the square of its input: 513 s for 10 MB.
const LARGEST: usize = 1 << 20;

fn build(kustomize: &Tool, folder: &Path, kustomization: &Value) -> Result<String> {
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string())?;
    let mut command = kustomize.command();
    output(command.args(["build", "--enable-alpha-plugins", "--enable-exec"]).arg(folder), b"")
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
        let Some(answers) = meaning::of_texts([fs::read_to_string(&policy)?.as_str()])? else {
            return Ok(());
        };
        let policy_text =
            answers.into_iter().next().and_then(Result::ok).context("the policy is not YAML")?;
        let mut function: Value = serde_json::from_str(&policy_text)?;
        function["metadata"]["annotations"]["config.kubernetes.io/function"] =
            json!(json!({ "exec": { "path": "./datalab-postrender" } }).to_string());

        let folder = tempfile::tempdir()?;
        fs::copy(&program, folder.path().join("datalab-postrender"))?;
        fs::write(folder.path().join("rendered.yaml"), &stream.text)?;
        fs::write(folder.path().join("datalab.yaml"), function.to_string())?;

        // kustomize changes documents itself, so compare with what it makes of them alone.
        let resources = json!({ "resources": ["rendered.yaml"] });
        let alone = build(&kustomize, folder.path(), &resources).with_context(|| stream.name.clone())?;
        let mut program = std::process::Command::new(&program);
        let expected = output(program.arg("--policy").arg(&policy), alone.as_bytes())?;
        let transformed = json!({ "resources": ["rendered.yaml"], "transformers": ["datalab.yaml"] });
        let built = build(&kustomize, folder.path(), &transformed).with_context(|| stream.name.clone())?;
        meaning::expect_same(&expected, &built).with_context(|| stream.name.clone())?;
    }
    Ok(())
}

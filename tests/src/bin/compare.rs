//! Times the post-renderer beside yq and kustomize at equal edits, in turn, so that the ratio holds on a noisy machine:
//! `cargo run --release -p datalab-tests --bin compare`.
//!
//! The edits: a label on every object and pod, node affinity and a toleration on every pod.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use datalab_tests::generate::stream;
use datalab_tests::{output, root, tools};

/// Pairs of runs that count, after one that does not.
const PAIRS: usize = 7;
const LABEL: (&str, &str) = ("lab.example.org/name", "beside-a-hub");
const AFFINITY: &str = r#"{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"lab.example.org/pool","operator":"In","values":["core"]}]}]}}}"#;
const TOLERATION: &str = r#"{"key":"lab.example.org/core","operator":"Exists"}"#;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stream = stream(1 << 20);
    std::fs::write(folder.path().join("stream.yaml"), &stream)?;
    let program = root().join(format!("target/release/datalab-postrender{}", std::env::consts::EXE_SUFFIX));
    let program = std::env::var_os("DATALAB_POSTRENDER").map_or(program, Into::into);
    ensure!(
        program.is_file(),
        "build it first: cargo build --release -p datalab-postrender ({})",
        program.display()
    );
    let ours = || {
        let mut command = Command::new(&program);
        command.arg("--policy").arg(root().join("tests/policies/without-hub.yaml"));
        command
    };
    say(&format!("{} bytes, {} documents", stream.len(), stream.matches("\n---\n").count() + 1))?;
    if let Some(yq) = tools::yq()? {
        compare("yq", &ours, &|| yq_edit(yq.command()), &stream)?;
    }
    if let Some(kustomize) = tools::kustomize()? {
        std::fs::write(folder.path().join("kustomization.yaml"), kustomization())?;
        compare("kustomize", &ours, &|| built(kustomize.command(), folder.path()), &stream)?;
    }
    Ok(())
}

fn yq_edit(mut yq: Command) -> Command {
    let (key, value) = LABEL;
    yq.arg(format!(
        "with(.metadata.labels; .\"{key}\" = \"{value}\") | with(select(.kind == \"Deployment\") | .spec.template; \
         .metadata.labels.\"{key}\" = \"{value}\" | .spec.affinity = {AFFINITY} | .spec.tolerations += [{TOLERATION}])"
    ));
    yq.arg("-");
    yq
}

fn kustomization() -> String {
    let (key, value) = LABEL;
    let patch = format!(
        r#"[{{"op":"add","path":"/spec/template/spec/affinity","value":{AFFINITY}}},{{"op":"add","path":"/spec/template/spec/tolerations","value":[{TOLERATION}]}}]"#
    );
    format!(
        "resources: [stream.yaml]\nlabels:\n- includeTemplates: true\n  pairs: {{{key}: {value}}}\npatches:\n- target: \
         {{kind: Deployment}}\n  patch: '{patch}'\n"
    )
}

fn built(mut kustomize: Command, folder: &Path) -> Command {
    kustomize.arg("build").arg(folder);
    kustomize
}

/// Runs two commands in turn and prints their medians and the median of their ratios.
fn compare(name: &str, ours: &dyn Fn() -> Command, theirs: &dyn Fn() -> Command, stream: &str) -> Result<()> {
    let mut times = Vec::new();
    for pair in 0..=PAIRS {
        let (mine, edited) = timed(&mut ours(), stream)?;
        let (other, edited_by_them) = timed(&mut theirs(), stream).with_context(|| name.to_owned())?;
        let count = |text: &str| text.matches(LABEL.1).count();
        ensure!(
            count(&edited) == count(&edited_by_them),
            "{name} edits {} places, not {}",
            count(&edited_by_them),
            count(&edited)
        );
        if pair > 0 {
            times.push((mine, other));
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mine = median(times.iter().map(|(mine, _)| mine.as_secs_f64() * 1e3).collect());
    let other = median(times.iter().map(|(_, other)| other.as_secs_f64() * 1e3).collect());
    let ratio = median(times.iter().map(|(mine, other)| other.as_secs_f64() / mine.as_secs_f64()).collect());
    say(&format!(
        "datalab-postrender {mine:.1} ms, {name} {other:.1} ms: {ratio:.1} times as fast (medians of {PAIRS} pairs)"
    ))
}

fn timed(command: &mut Command, stream: &str) -> Result<(Duration, String)> {
    let start = Instant::now();
    let edited = output(command, stream.as_bytes())?;
    Ok((start.elapsed(), edited))
}

fn say(line: &str) -> Result<()> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

//! Fetches and builds the real programs that the tests run, and finds the charts that they run on.
//!
//! A test that cannot run says so itself: what is missing comes back as `None`, after a line
//! `SKIPPED: …` on stderr. What should be there and is broken is an error.

mod cache;
pub mod chart;
pub mod cluster;
pub mod generate;
pub mod markdown;
pub mod meaning;
pub mod oracle;
pub mod policies;
pub mod python;
pub mod shared;
pub mod tools;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};

/// Says on stderr, once, that something does not run, and why, even where the test harness captures output.
pub fn skip(reason: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().is_ok_and(|mut said| said.insert(reason.to_owned())) {
        say(&format!("SKIPPED: {reason}"));
    }
}

/// Writes one line of progress to stderr, past the capture of the test harness.
fn say(line: &str) {
    // A closed stderr is no reason to fail a test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Runs a command to its end with `input` on stdin; its stdout, or an error that carries its stderr.
pub fn output(command: &mut Command, input: &[u8]) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} does not start", command.get_program().display()))?;
    let stdin = child.stdin.take();
    let ended = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that reads only part of its input closes the pipe early; its exit code tells more.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        child.wait_with_output()
    })?;
    if !ended.status.success() {
        bail!(
            "{} ended with {}: {}",
            command.get_program().display(),
            ended.status,
            String::from_utf8_lossy(&ended.stderr).trim()
        );
    }
    Ok(String::from_utf8(ended.stdout)?)
}

/// The program `datalab-postrender` of this checkout, built if need be.
pub fn postrender() -> Result<PathBuf> {
    let target = cache::target_dir();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    output(
        Command::new(cargo)
            .args(["build", "--quiet", "--package", "datalab-postrender"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(root()),
        b"",
    )?;
    Ok(target.join("debug").join(format!("datalab-postrender{}", std::env::consts::EXE_SUFFIX)))
}

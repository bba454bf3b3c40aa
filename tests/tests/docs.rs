//! What the documentation shows is what happens.
//!
//! Blocks marked `console` are run, from the repository's root; those of an example from its folder. In them, lines that
//! begin with `$ ` are commands (one that ends with `\` goes on below), and the lines below are what they print. Without any,
//! all that counts is that the command succeeds. A line `…` stands for any lines. Under a heading with `Helm 4`, `helm` is that,
//! elsewhere Helm 3. What `cargo run` would run has been built already; `cargo test` is not run.
//!
//! A block marked `yaml` whose first line is a file's name, as in `# datalab.yaml`, is that file for the commands of its page. All
//! such blocks are YAML, and policies if they are of that kind or begin with `spec:`.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use datalab_policy::DataLab;
use datalab_tests::markdown::{self, Block};
use datalab_tests::tools::{self, Tool};
use datalab_tests::{output, postrender, root};
use datalab_yaml::Document;
use tempfile::TempDir;

/// The programs that the documentation names.
struct Programs {
    postrender: PathBuf,
    helm3: Tool,
    helm4: Tool,
    kustomize: Tool,
}

impl Programs {
    /// `None` where Go programs are skipped.
    fn new() -> Result<Option<Self>> {
        let (Some(helm3), Some(helm4), Some(kustomize)) =
            (tools::helm3()?, tools::helm4()?, tools::kustomize()?)
        else {
            return Ok(None);
        };
        Ok(Some(Self { postrender: postrender()?, helm3, helm4, kustomize }))
    }

    /// What a command of a block prints, on stdout and stderr.
    fn run(&self, scratch: &Path, block: &Block, command: &str) -> Result<String> {
        let helm = if block.heading.contains("Helm 4") { &self.helm4 } else { &self.helm3 };
        let programs = [&self.postrender, &helm.program, &self.kustomize.program];
        let folders = programs.into_iter().filter_map(|program| program.parent()).map(Path::to_path_buf);
        let others = env::var_os("PATH").unwrap_or_default();
        let folder = if block.file.starts_with("examples") { block.file.parent() } else { None };
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c"])
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(scratch.join(folder.unwrap_or(Path::new(""))))
            .env("PATH", env::join_paths(folders.chain(env::split_paths(&others)))?)
            .env("HOME", scratch)
            .env("KUBECONFIG", scratch.join("none"))
            .env_remove("DATALAB_POLICY")
            .env_remove("DATALAB_LOG_FILE");
        for kind in ["CACHE", "CONFIG", "DATA"] {
            bash.env(format!("HELM_{kind}_HOME"), scratch.join(format!("helm-{}-{kind}", helm.version)));
        }
        output(&mut bash, b"")
    }
}

/// A copy of what the documentation works on, where commands may write.
fn scratch() -> Result<TempDir> {
    let scratch = tempfile::tempdir()?;
    fs::create_dir(scratch.path().join("postrender"))?;
    for part in ["docs", "examples", "postrender/plugin"] {
        let paths = [root().join(part), scratch.path().join(part)];
        output(Command::new("cp").arg("-R").args(paths), b"")?;
    }
    Ok(scratch)
}

/// The commands of a block, each with the lines that it shall print.
fn commands(block: &Block) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((command, _))) if command.ends_with('\\') => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => commands.push((String::from("false"), vec![line])),
        }
    }
    commands
}

/// Whether lines are those expected, where `…` stands for any.
fn matches(expected: &[&str], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&("…" | "..."), rest)) => (0..=lines.len()).any(|from| matches(rest, &lines[from..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| line == first && matches(rest, lines))
        }
    }
}

#[test]
fn commands_print_what_is_shown() -> Result<()> {
    let Some(programs) = Programs::new()? else { return Ok(()) };
    let mut run = 0;
    for page in markdown::all()?.chunk_by(|a, b| a.file == b.file) {
        // What one command makes is there for the rest of the page.
        let scratch = scratch()?;
        for block in page {
            if let Some(name) = block.file_name() {
                let path = scratch.path().join(name);
                fs::create_dir_all(path.parent().context("a file without a folder")?)?;
                fs::write(path, &block.text)?;
            }
        }
        for block in page.iter().filter(|block| block.language == "console") {
            for (command, expected) in commands(block) {
                if command.starts_with("cargo test") {
                    continue;
                }
                let built =
                    command.replace("cargo run --release -p datalab-postrender --", "datalab-postrender");
                let printed = programs
                    .run(scratch.path(), block, &built)
                    .with_context(|| format!("{}: {command}", block.place()))?;
                let lines: Vec<_> = printed.lines().collect();
                ensure!(
                    expected.is_empty() || matches(&expected, &lines),
                    "{}: {command}\nshows\n{}\nand prints\n{printed}",
                    block.place(),
                    expected.join("\n")
                );
                run += 1;
            }
        }
    }
    ensure!(run > 0, "no command was found");
    Ok(())
}

#[test]
fn policies_are_valid() -> Result<()> {
    let mut policies = 0;
    for block in markdown::all()? {
        if block.language != "yaml" {
            continue;
        }
        let value = Document::parse(&block.text).and_then(|document| document.value());
        let value = value.with_context(|| block.place())?;
        let fragment = value["kind"].is_null() && !value["spec"].is_null();
        if value["kind"] != "DataLab" && !fragment {
            continue;
        }
        let head = if fragment {
            "apiVersion: datalab.dev/v1alpha1\nkind: DataLab\nmetadata: {name: lab}\n"
        } else {
            ""
        };
        let problems = match DataLab::parse(&block.place(), &format!("{head}{}", block.text)) {
            Ok(parsed) => parsed.warnings,
            Err(problems) => problems,
        };
        ensure!(problems.is_empty(), "{}:\n{}", block.place(), problems.render(false));
        policies += 1;
    }
    ensure!(policies > 0, "no policy was found");
    Ok(())
}

#[test]
fn shell_blocks_are_shell() -> Result<()> {
    for block in markdown::all()? {
        if block.language == "sh" {
            output(Command::new("bash").arg("-n"), block.text.as_bytes()).context(block.place())?;
        }
    }
    Ok(())
}

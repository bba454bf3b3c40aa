//! The Go programs, in the versions that `tools/*/go.mod` pin.
//!
//! One that stands on `PATH` in the right version is taken; else it is built, once, into the target
//! directory. With `DATALAB_OFFLINE=1` nothing is built, and what is not there yet is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{cache, output, skip};

/// A program in its pinned version.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Where it is.
    pub program: PathBuf,
    /// Its version, as in `3.22.0`.
    pub version: String,
}

impl Tool {
    /// A command line that starts with this program.
    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }
}

/// How one program is named, found and built.
struct Recipe {
    /// Its folder under `tools/`.
    folder: &'static str,
    /// Its file name.
    program: &'static str,
    /// The Go module that carries its version; empty for our own.
    module: &'static str,
    /// Asks it for its version.
    ask: &'static [&'static str],
    /// Where the linker writes the version, if the program does not know it by itself.
    version_in: &'static str,
    /// How long a build takes.
    seconds: u64,
}

/// Helm 3.
pub fn helm3() -> Result<Option<Tool>> {
    find(&Recipe {
        folder: "helm3",
        program: "helm",
        module: "helm.sh/helm/v3",
        ask: &["version", "--short"],
        version_in: "helm.sh/helm/v3/internal/version.version",
        seconds: 80,
    })
}

/// Helm 4.
pub fn helm4() -> Result<Option<Tool>> {
    find(&Recipe {
        folder: "helm4",
        program: "helm",
        module: "helm.sh/helm/v4",
        ask: &["version", "--short"],
        version_in: "helm.sh/helm/v4/internal/version.version",
        seconds: 93,
    })
}

/// Kustomize.
pub fn kustomize() -> Result<Option<Tool>> {
    find(&Recipe {
        folder: "kustomize",
        program: "kustomize",
        module: "sigs.k8s.io/kustomize/kustomize/v5",
        ask: &["version"],
        version_in: "",
        seconds: 30,
    })
}

/// yq, which the benchmarks compare with.
pub fn yq() -> Result<Option<Tool>> {
    find(&Recipe {
        folder: "yq",
        program: "yq",
        module: "github.com/mikefarah/yq/v4",
        ask: &["--version"],
        version_in: "",
        seconds: 25,
    })
}

/// Our own program around the YAML and quantity code that Helm links; [`crate::meaning`] asks it.
pub fn helmyaml() -> Result<Option<Tool>> {
    find(&Recipe {
        folder: "helmyaml",
        program: "helmyaml",
        module: "",
        ask: &[],
        version_in: "",
        seconds: 10,
    })
}

fn find(recipe: &Recipe) -> Result<Option<Tool>> {
    let source = crate::root().join("tests/tools").join(recipe.folder);
    let go_mod = fs::read_to_string(source.join("go.mod"))
        .with_context(|| format!("tools/{} has no go.mod", recipe.folder))?;
    let version = pinned(&go_mod, recipe.module).unwrap_or("0").to_owned();
    if let Some(program) = on_path(recipe, &version) {
        return Ok(Some(Tool { program, version }));
    }

    let flags = match recipe.version_in {
        "" => String::from("-s -w"),
        variable => format!("-s -w -X {variable}=v{version}"),
    };
    let mut ingredients = vec![flags.clone().into_bytes(), go_mod.into_bytes()];
    ingredients.extend(["go.sum", "main.go"].iter().filter_map(|name| fs::read(source.join(name)).ok()));
    let name = format!("{}-{version}", recipe.folder);
    let usual = Duration::from_secs(recipe.seconds);
    let made =
        cache::folder("bin", &name, &ingredients, usual, |folder| build(recipe, &source, folder, &flags));
    match made {
        Ok(folder) => {
            let program = folder.join(format!("{}{}", recipe.program, std::env::consts::EXE_SUFFIX));
            Ok(Some(Tool { program, version }))
        }
        Err(_) if offline() => {
            skip(&format!("{name} is not built yet, and DATALAB_OFFLINE is set"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether nothing may be fetched: `DATALAB_OFFLINE=1`.
pub(crate) fn offline() -> bool {
    std::env::var_os("DATALAB_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// The version of a module that a `go.mod` requires, without its `v`.
fn pinned<'text>(go_mod: &'text str, module: &str) -> Option<&'text str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim_start().trim_start_matches("require ").split_whitespace();
        (!module.is_empty() && words.next() == Some(module))
            .then(|| words.next()?.strip_prefix('v'))
            .flatten()
    })
}

/// The program on `PATH`, if it says that it has this version.
fn on_path(recipe: &Recipe, version: &str) -> Option<PathBuf> {
    if recipe.ask.is_empty() {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let program =
        std::env::split_paths(&path).map(|folder| folder.join(recipe.program)).find(|p| p.is_file())?;
    let said = output(Command::new(&program).args(recipe.ask), b"").ok()?;
    let wanted = format!("v{version}");
    said.split([' ', '+', '\n']).any(|word| word == wanted).then_some(program)
}

fn build(recipe: &Recipe, source: &Path, folder: &Path, flags: &str) -> Result<()> {
    if offline() {
        bail!("DATALAB_OFFLINE is set");
    }
    let what = if recipe.module.is_empty() { "." } else { "tool" };
    let mut go = Command::new("go");
    go.args(["install", "-ldflags", flags, what])
        .current_dir(source)
        .env("GOBIN", folder)
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("CGO_ENABLED", "0");
    output(&mut go, b"").with_context(|| {
        format!("{} is built by Go: install Go 1.26 or newer (https://go.dev/dl)", recipe.program)
    })?;
    Ok(())
}

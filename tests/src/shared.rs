//! Charts rendered from real labs, kept outside the project: the folder that `DATALAB_SHARED` names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::skip;

/// The folder itself; `None`, said once, if `DATALAB_SHARED` is not set.
pub fn dir() -> Option<PathBuf> {
    let dir = std::env::var_os("DATALAB_SHARED").filter(|value| !value.is_empty());
    if dir.is_none() {
        skip("DATALAB_SHARED is not set to the folder of rendered charts, so no chart is tested");
    }
    dir.map(PathBuf::from)
}

/// A stream that Helm hands to a post-renderer, or prints.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its file, relative to the shared folder, as in `upstream/labs/ska-k3s.yaml`.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

impl Stream {
    /// Whether Helm 4 handed it to a plugin; else `helm template` of Helm 3 printed it.
    pub fn is_from_helm4(&self) -> bool {
        self.name.contains("helm4-stdin/")
    }

    /// Its name without folder and ending, as in `ska-k3s`.
    pub fn case(&self) -> &str {
        self.name.rsplit('/').next().and_then(|file| file.strip_suffix(".yaml")).unwrap_or(&self.name)
    }
}

/// Every stream under `upstream/`, in the order of their names; none without the shared folder.
pub fn streams() -> Result<Vec<Stream>> {
    let Some(dir) = dir() else { return Ok(Vec::new()) };
    ["upstream", "upstream/helm4-stdin", "upstream/labs", "upstream/labs/helm4-stdin"]
        .iter()
        .flat_map(|folder| files(&dir.join(folder), ".yaml"))
        .map(|path| {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Stream { name: relative(&path, &dir), path, text })
        })
        .collect()
}

/// The files of a folder with this ending, sorted; none if there is no such folder.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// The path below a folder, with slashes.
fn relative(path: &Path, folder: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

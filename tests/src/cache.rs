//! What is slow to make is made once, in the target directory, by one process at a time.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::say;

/// Cargo's target directory: the one that the running test was built into.
pub fn target_dir() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    running
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .map_or_else(|| crate::root().join("target"), Path::to_path_buf)
}

/// The folder `<kind>/<name>-<key of the ingredients>`, filled by `make` if it is not there yet.
///
/// Other processes that want the same folder wait for it. Nothing half made is ever taken for done.
pub fn folder(
    kind: &str,
    name: &str,
    ingredients: &[impl AsRef<[u8]>],
    usual: Duration,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for ingredient in ingredients {
        ingredient.as_ref().hash(&mut hasher);
    }
    let key = format!("{name}-{:016x}", hasher.finish());
    let parent = target_dir().join("datalab-tests").join(kind);
    let folder = parent.join(&key);
    let done = folder.join(".done");
    if done.is_file() {
        return Ok(folder);
    }

    fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let lock = File::create(parent.join(format!("{key}.lock")))?;
    lock.lock()?;
    if !done.is_file() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        with_progress(&format!("making {name}"), usual, || make(&folder))
            .with_context(|| format!("{name} cannot be made"))?;
        File::create(done)?;
    }
    Ok(folder)
}

/// Says what takes long, and how long it usually does, while `work` runs.
fn with_progress<T>(what: &str, usual: Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let (finished, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut pause = Duration::from_secs(3);
            while waiting.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                say(&format!(
                    "{what} … {} s (about {} s on two free cores)",
                    started.elapsed().as_secs(),
                    usual.as_secs()
                ));
                pause = Duration::from_secs(20);
            }
        });
        let result = work();
        drop(finished);
        result
    })
}

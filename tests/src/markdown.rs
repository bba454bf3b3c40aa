//! The fenced blocks of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::root;

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The file that it stands in, relative to the root.
    pub file: PathBuf,
    /// The line of its fence.
    pub line: usize,
    /// What the fence says, as in `console`.
    pub language: String,
    /// The nearest heading above it.
    pub heading: String,
    /// Its text, without the fence's indentation.
    pub text: String,
}

impl Block {
    /// Where it stands, as in `docs/helm.md:29`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    /// The file that a first line such as `# kustomization.yaml` says this is.
    pub fn file_name(&self) -> Option<&Path> {
        let name = Path::new(self.text.lines().next()?.strip_prefix("# ")?);
        name.extension().is_some_and(|extension| extension == "yaml").then_some(name)
    }
}

/// The blocks of `README.md`, `docs/` and `examples/`, file by file.
pub fn all() -> Result<Vec<Block>> {
    let mut found = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs"), PathBuf::from("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(blocks).collect::<Result<Vec<_>>>()?.concat())
}

/// The blocks of a file, which is relative to the root.
pub fn blocks(file: impl Into<PathBuf>) -> Result<Vec<Block>> {
    let file = file.into();
    let text =
        fs::read_to_string(root().join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
    let mut blocks: Vec<Block> = Vec::new();
    let mut heading = "";
    let mut indent = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        match (trimmed.strip_prefix("```"), indent) {
            (Some(language), None) => {
                indent = Some(line.len() - trimmed.len());
                blocks.push(Block {
                    file: file.clone(),
                    line: number + 1,
                    language: language.to_owned(),
                    heading: heading.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => indent = None,
            (None, Some(indent)) => {
                let text = &mut blocks.last_mut().context("a line of no block")?.text;
                text.push_str(line.get(indent..).unwrap_or_default());
                text.push('\n');
            }
            (None, None) if line.starts_with('#') => heading = line,
            (None, None) => {}
        }
    }
    Ok(blocks)
}

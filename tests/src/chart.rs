//! A chart that renders a stream again, so that Helm itself can carry it through a post-renderer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::meaning;

/// Makes a chart from what `helm template` printed, whose templates are the printed documents.
///
/// Documents stand in the files that their `# Source:` lines name, hooks among them (their annotations make
/// them hooks), CRDs in `crds/` where they came from there.
pub fn replay(printed: &Path) -> Result<TempDir> {
    let text = fs::read_to_string(printed).with_context(|| format!("cannot read {}", printed.display()))?;
    replay_text(&text)
}

/// As [`replay`], from the text itself.
pub fn replay_text(printed: &str) -> Result<TempDir> {
    let chart = tempfile::Builder::new().prefix("datalab-chart-").tempdir()?;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut source = String::from("replayed/templates/all.yaml");
    for document in meaning::split(printed) {
        // Documents after the first of a file carry no line of their own.
        if let Some(named) = document.lines().find_map(|line| line.strip_prefix("# Source: ")) {
            named.trim_end().clone_into(&mut source);
        }
        let (_, path) = source.split_once('/').unwrap_or(("", &source));
        let (folder, text) = match path.strip_prefix("crds/") {
            Some(_) => ("crds", document.to_owned()),
            None => ("templates", literally(document)),
        };
        // Subcharts' templates stand beside ours, under names that cannot meet.
        let file = format!("{folder}/{}", path.replace('/', "_").trim_start_matches(&format!("{folder}_")));
        let content = files.entry(file).or_default();
        content.push_str("---\n");
        content.push_str(&text);
        if !text.ends_with('\n') {
            content.push('\n');
        }
    }

    files.insert("Chart.yaml".into(), "apiVersion: v2\nname: replayed\nversion: 0.0.1\n".into());
    for (file, content) in files {
        let path = chart.path().join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)?;
    }
    Ok(chart)
}

/// A text that Helm's templates render as it stands.
fn literally(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

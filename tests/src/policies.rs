//! Which policy a stream of the shared folder is held to.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::shared::Stream;
use crate::{cache, root};

/// The policy file for a stream.
///
/// The labs' own streams (`upstream/labs/`) are held to the policies in `examples/`, the others to
/// `tests/policies/<case>.yaml`. For a stream that the project has none for, one is made: what `policy init` reads from its
/// hub, or labels and a placement where there is no hub.
pub fn for_stream(stream: &Stream) -> Result<PathBuf> {
    let case = stream.case();
    let path = if stream.name.contains("/labs/") {
        let example = match case {
            "class-hub-a" => "class-hubs/cs101",
            "class-hub-b" => "class-hubs/data8",
            case if case.starts_with("karpenter-lab") => "karpenter-lab",
            case => case,
        };
        root().join("examples").join(example).join("datalab.yaml")
    } else {
        root().join("tests/policies").join(format!("{case}.yaml"))
    };
    if path.is_file() {
        return Ok(path);
    }
    let text = match datalab_postrender::hub_values(&stream.text)? {
        Some((values, facts)) => datalab_policy::init(&values, case, Some(&facts.namespace)),
        None => include_str!("../policies/without-hub.yaml").to_owned(),
    };
    let folder = cache::folder("policies", case, &[&text], Duration::from_secs(1), |folder| {
        Ok(fs::write(folder.join("datalab.yaml"), &text)?)
    })?;
    Ok(folder.join("datalab.yaml"))
}

//! Which policy a stream of the shared folder is held to.

use std::path::PathBuf;

use crate::root;
use crate::shared::Stream;
use crate::skip;

/// The policy file for a stream; `None`, said, if the project has none for it.
///
/// The labs' own streams (`upstream/labs/`) are held to the policies in `examples/`, the others to
/// `tests/policies/<case>.yaml`.
pub fn for_stream(stream: &Stream) -> Option<PathBuf> {
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
        return Some(path);
    }
    skip(&format!("{} has no policy: {} is not there", stream.name, path.display()));
    None
}

//! The pod writer: encodes requirements as edits of one pod or pod template.

use std::collections::BTreeMap;

use datalab_yaml::{Editor, Path, Segment, Value};

use crate::Requirements;
use crate::rules::RULES;

/// What a writer cannot mend without taking away what somebody else said.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Name of the rule.
    pub rule: &'static str,
    /// Where.
    pub path: Path,
    /// What is wrong, as a sentence without its stop.
    pub message: String,
}

/// Writes what a pod lacks into `editor`, whose value has the pod (with `metadata` and `spec`) at `at`.
///
/// An object that obeys gets no edit, and writing twice is writing once.
pub fn write(requirements: &Requirements, editor: &mut Editor, at: &Path) -> Vec<Conflict> {
    let mut pod = Pod { editor, at: at.clone(), conflicts: Vec::new() };
    for rule in RULES {
        (rule.write)(requirements, &mut pod);
    }
    pod.conflicts
}

/// A pod that rules write into.
pub struct Pod<'a> {
    editor: &'a mut Editor,
    at: Path,
    conflicts: Vec<Conflict>,
}

impl Pod<'_> {
    /// The path of a field by its keys from the pod's root.
    pub fn path(&self, keys: &[&str]) -> Path {
        self.at.segments().iter().cloned().chain(keys.iter().map(|key| Segment::from(*key))).collect()
    }

    /// What stands there; `None` for what is missing or null.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.editor.get(path).filter(|value| !value.is_null())
    }

    /// The items of a list; none where it is missing.
    pub fn items(&self, path: &Path) -> &[Value] {
        self.get(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Gives a value.
    pub fn set(&mut self, path: &Path, value: Value) {
        self.editor.set(path, value);
    }

    /// Adds an item to a list, which is made if it is missing.
    pub fn append(&mut self, path: &Path, value: Value) {
        self.editor.append(path, value);
    }

    /// Takes away a key.
    pub fn remove(&mut self, path: &Path) {
        self.editor.remove(path);
    }

    /// Adds what a map lacks and leaves what it has.
    pub fn add_missing(&mut self, path: &Path, entries: &BTreeMap<String, String>) {
        for (key, value) in entries {
            let path = path.join(key.as_str());
            if self.get(&path).is_none() {
                self.set(&path, value.as_str().into());
            }
        }
    }

    /// The container that users work in: `notebook`, as KubeSpawner names it, else the first.
    pub fn notebook(&self) -> Path {
        let containers = self.path(&["spec", "containers"]);
        let index = self.items(&containers).iter().position(|container| container["name"] == "notebook");
        containers.join(index.unwrap_or(0))
    }

    /// Reports what cannot be mended.
    pub fn conflict(&mut self, rule: &'static str, path: Path, message: String) {
        self.conflicts.push(Conflict { rule, path, message });
    }
}

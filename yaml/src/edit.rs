use serde_json::Value;

use crate::Path;

/// One change of a document, by the path that it had before any change.
///
/// Both writers of requirements give these: [`crate::Document::apply`] splices them into text, admission turns
/// them into JSON Patch operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where.
    pub path: Path,
    /// What.
    pub op: Op,
}

/// What an [`Edit`] does at its path.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Gives the value: adds a key to the mapping above, or replaces what stands there. Everything above exists.
    Set(Value),
    /// Adds an item to the end of the sequence at the path, which exists.
    Append(Value),
    /// Takes away a key of a mapping.
    Remove,
}

/// Records changes of a value as the fewest [`Edit`]s.
///
/// No recorded edit lies at or below another edit's `Set` or `Remove`: a change inside what was set before is folded into
/// it. So all paths are paths of the original value, and the order of edits matters only between `Append`s
/// to one sequence.
#[derive(Clone, Debug)]
pub struct Editor {
    value: Value,
    edits: Vec<Edit>,
}

impl Editor {
    /// Starts from a value.
    pub fn new(value: Value) -> Self {
        Self { value, edits: Vec::new() }
    }

    /// The value with all edits so far.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What stands at a path now; a missing key is `None`.
    pub fn get(&self, _path: &Path) -> Option<&Value> {
        todo!()
    }

    /// Gives a value to a path. Mappings that are missing (or null) on the way are made. No edit is recorded when the value
    /// already stands there.
    ///
    /// # Panics
    /// Never: a path through a scalar replaces the scalar by a mapping; an index beyond a sequence's end appends.
    pub fn set(&mut self, _path: &Path, _value: Value) {
        todo!()
    }

    /// Appends to the sequence at a path, which is made when it is missing or null.
    pub fn append(&mut self, _path: &Path, _value: Value) {
        todo!()
    }

    /// Removes the key at a path; nothing happens where there is none.
    pub fn remove(&mut self, _path: &Path) {
        todo!()
    }

    /// The final value and the edits that lead to it.
    pub fn finish(self) -> (Value, Vec<Edit>) {
        (self.value, self.edits)
    }
}

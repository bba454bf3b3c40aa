use std::ops::Range;

use serde_json::Value;

use crate::{Edit, Error, Location, Path};

/// One YAML document with the byte span of everything in it.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
}

impl<'a> Document<'a> {
    /// Parses the first document of a text.
    pub fn parse(_text: &'a str) -> Result<Self, Error> {
        todo!()
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The document's value as Helm reads it: `sigs.k8s.io/yaml` on go-yaml v2. An empty document is `Null`.
    pub fn value(&self) -> Result<Value, Error> {
        todo!()
    }

    /// The bytes of the value at a path, quotes and block indicators included.
    pub fn span(&self, _path: &Path) -> Option<Range<usize>> {
        todo!()
    }

    /// The bytes of the key whose value stands at a path.
    pub fn key_span(&self, _path: &Path) -> Option<Range<usize>> {
        todo!()
    }

    /// Line and column of a byte.
    pub fn location(&self, _offset: usize) -> Location {
        todo!()
    }

    /// The text with the edits spliced in. The result is parsed again and must be the expected value.
    pub fn apply(&self, _edits: &[Edit]) -> Result<String, Error> {
        todo!()
    }
}

use std::ops::Range;

use crate::events::{Id, Kind, Style, Tree};
use crate::read::Reader;
use crate::resolve::{Tag, is_merge};
use crate::splice;
use crate::{Edit, Editor, Error, Location, Path, Segment, Value};

/// One YAML document with the byte span of everything in it.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    pub(crate) tree: Tree,
}

impl<'a> Document<'a> {
    /// Parses the first document of a text.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        Ok(Self { text, tree: Tree::parse(text)? })
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The document's value as Helm reads it: `sigs.k8s.io/yaml` on go-yaml v2. An empty document is `Null`.
    pub fn value(&self) -> Result<Value, Error> {
        if self.tree.nodes.is_empty() { Ok(Value::Null) } else { Reader::new(self).value(0) }
    }

    /// The bytes of the value at a path: quotes and block indicators included, and an anchor or tag before it.
    pub fn span(&self, path: &Path) -> Option<Range<usize>> {
        self.walk(path).map(|(id, _)| self.range(id))
    }

    /// The bytes of the key whose value stands at a path.
    pub fn key_span(&self, path: &Path) -> Option<Range<usize>> {
        self.walk(path).and_then(|(_, key)| key).map(|key| self.range(key))
    }

    /// Line and column of a byte.
    pub fn location(&self, offset: usize) -> Location {
        Location::of(self.text, offset)
    }

    /// The text with the edits spliced in. The result is parsed again and must be the expected value.
    ///
    /// Refuses to edit what an alias, a merge key or a duplicate key makes ambiguous.
    pub fn apply(&self, edits: &[Edit]) -> Result<String, Error> {
        splice::apply(self, edits)
    }

    /// The text with an editor's changes, as [`Document::apply`] gives it. The editor started from this document's value.
    pub fn write(&self, editor: &Editor) -> Result<String, Error> {
        splice::apply_expecting(self, editor.edits(), editor.value())
    }

    /// Whether this is the document's value.
    pub(crate) fn is(&self, value: &Value) -> bool {
        if self.tree.nodes.is_empty() { value.is_null() } else { Reader::new(self).matches(0, value) }
    }

    pub(crate) fn range(&self, id: Id) -> Range<usize> {
        self.tree[id].start as usize..self.tree[id].end as usize
    }

    /// A scalar's text; other nodes have none.
    pub(crate) fn scalar(&self, id: Id) -> Option<(Style, Tag, &str)> {
        let Kind::Scalar { style, tag, text } = self.tree[id].kind else { return None };
        let text = match (text, style) {
            (Some(text), _) => &self.tree.texts[text.get() as usize],
            (None, Style::Plain) => &self.text[self.range(id)],
            (None, _) => {
                let Range { start, end } = self.range(id);
                &self.text[start + 1..end - 1]
            }
        };
        Some((style, tag, text))
    }

    pub(crate) fn is_merge(&self, key: Id) -> bool {
        self.scalar(key).is_some_and(|(style, tag, text)| is_merge(style, tag, text))
    }

    /// Whether a mapping's key is read as this text.
    pub(crate) fn is_key(&self, id: Id, key: &str) -> bool {
        let id = if let Kind::Alias(target) = self.tree[id].kind { target } else { id };
        let Some((style, tag, text)) = self.scalar(id) else { return false };
        if style != Style::Plain && tag == Tag::None {
            return text == key;
        }
        Reader::new(self).key(id).is_ok_and(|k| k.text == key)
    }

    /// The node at a path and its key; of a duplicate key the last, as that is the one which is read.
    fn walk(&self, path: &Path) -> Option<(Id, Option<Id>)> {
        if self.tree.nodes.is_empty() {
            return None;
        }
        let mut at = (0, None);
        for segment in path.segments() {
            at = match (segment, &self.tree[at.0].kind) {
                (Segment::Key(name), Kind::Map(_)) => {
                    let (key, value) =
                        self.tree.entries(at.0).filter(|&(key, _)| self.is_key(key, name)).last()?;
                    (value, Some(key))
                }
                (Segment::Index(index), Kind::Seq(_)) => (self.tree.children(at.0).nth(*index)?, None),
                _ => return None,
            };
        }
        Some(at)
    }
}

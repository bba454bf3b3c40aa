//! From a tree to a value, with what go-yaml v2 makes of keys, merges and aliases.

use std::borrow::Cow;

use serde_json::Map;

use crate::events::{Id, Kind, MAX_DEPTH};
use crate::resolve::{Scalar, float_key, float_value, scalar};
use crate::{Document, Error, Value};

/// Bytes of text that aliases may repeat in one document.
const MAX_REPEATED: usize = 16 << 20;

pub struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    depth: usize,
    /// Aliases that enclose the node that is read now.
    aliases: usize,
    /// Nodes read so far, and those of them below an alias.
    read: usize,
    repeated: usize,
    repeated_bytes: usize,
}

/// A key as text, and of which type it was: to Go `1` and `"1"` are two keys of one mapping, until they become JSON.
pub struct Key<'d> {
    pub text: Cow<'d, str>,
    kind: KeyKind,
}

#[derive(Clone, Copy, PartialEq)]
enum KeyKind {
    Text,
    Bool,
    Int,
    Float,
    /// Equal to nothing, itself included.
    Nan,
}

/// Keys of one mapping that are not text.
type Typed = Vec<(String, KeyKind)>;

impl<'d, 'a> Reader<'d, 'a> {
    pub fn new(document: &'d Document<'a>) -> Self {
        Self { document, depth: 0, aliases: 0, read: 0, repeated: 0, repeated_bytes: 0 }
    }

    pub fn value(&mut self, id: Id) -> Result<Value, Error> {
        self.enter(id)?;
        // One function per kind keeps the stack frames of the recursion small.
        let value = match self.document.tree[id].kind {
            Kind::Scalar { .. } => self.scalar(id),
            Kind::Seq(_) => self.sequence(id),
            Kind::Map(_) => self.mapping(id),
            Kind::Alias(target) => {
                self.aliases += 1;
                let value = self.value(target);
                self.aliases -= 1;
                value
            }
        };
        self.depth -= 1;
        value
    }

    fn sequence(&mut self, id: Id) -> Result<Value, Error> {
        let mut items = Vec::new();
        for item in self.document.tree.children(id) {
            items.push(self.value(item)?);
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, id: Id) -> Result<Value, Error> {
        let mut map = Map::new();
        self.fill(id, &mut map, &mut Typed::new())?;
        Ok(Value::Object(map))
    }

    /// Whether a node is read as a value, without building it. Numbers count as in JSON, where `1.0` is `1`.
    pub fn matches(&mut self, id: Id, value: &Value) -> bool {
        match (&self.document.tree[id].kind, value) {
            (&Kind::Alias(target), _) => self.matches(target, value),
            (Kind::Seq(_), Value::Array(values)) => {
                let mut values = values.iter();
                self.document
                    .tree
                    .children(id)
                    .all(|item| values.next().is_some_and(|v| self.matches(item, v)))
                    && values.next().is_none()
            }
            (Kind::Map(_), Value::Object(map)) => {
                // Entries mostly stand in the order of the value.
                let mut values = map.iter();
                let in_order = self.document.tree.entries(id).all(|(key, item)| {
                    values
                        .next()
                        .is_some_and(|(name, v)| self.document.is_key(key, name) && self.matches(item, v))
                });
                (in_order && values.next().is_none()) || self.value(id).is_ok_and(|found| same(&found, value))
            }
            (Kind::Scalar { .. }, _) => self.scalar(id).is_ok_and(|found| same(&found, value)),
            _ => false,
        }
    }

    /// The keys that a mapping's merge keys bring in.
    pub fn merged(&mut self, id: Id) -> Result<Map<String, Value>, Error> {
        let mut map = Map::new();
        for (key, value) in self.document.tree.entries(id) {
            if self.document.is_merge(key) {
                self.merge(value, &mut map, &mut Typed::new())?;
            }
        }
        Ok(map)
    }

    fn scalar(&mut self, id: Id) -> Result<Value, Error> {
        let (style, tag, text) =
            self.document.scalar(id).unwrap_or((crate::events::Style::Plain, crate::resolve::Tag::None, ""));
        Ok(match scalar(style, tag, text).map_err(|e| self.error(id, e))? {
            Scalar::Null => Value::Null,
            Scalar::Bool(bool) => bool.into(),
            Scalar::Int(int) => int.into(),
            Scalar::Uint(int) => int.into(),
            Scalar::Float(float) => float_value(float)
                .ok_or_else(|| self.error(id, "JSON has no infinite numbers").help("put it in quotes"))?,
            Scalar::Decoded(text) => self.repeat(id, text.len()).map(|()| text.into())?,
            Scalar::Text => self.repeat(id, text.len()).map(|()| text.into())?,
        })
    }

    pub fn key(&mut self, id: Id) -> Result<Key<'d>, Error> {
        let document = self.document;
        let mut id = id;
        if let Kind::Alias(target) = document.tree[id].kind {
            id = target;
        }
        let Some((style, tag, text)) = document.scalar(id) else {
            return Err(self.error(id, "a key must be a scalar"));
        };
        let (text, kind) = match scalar(style, tag, text).map_err(|e| self.error(id, e))? {
            Scalar::Text => (text.into(), KeyKind::Text),
            Scalar::Decoded(text) if text.contains(char::REPLACEMENT_CHARACTER) => {
                return Err(self.error(id, "a key must be UTF-8"));
            }
            Scalar::Decoded(text) => (text.into(), KeyKind::Text),
            Scalar::Bool(bool) => (if bool { "true" } else { "false" }.into(), KeyKind::Bool),
            Scalar::Int(int) => (int.to_string().into(), KeyKind::Int),
            Scalar::Float(float) if float.is_nan() => (float_key(float).into(), KeyKind::Nan),
            Scalar::Float(float) => (float_key(float).into(), KeyKind::Float),
            Scalar::Uint(_) => {
                return Err(self.error(id, "the key is too large a number").help("put it in quotes"));
            }
            Scalar::Null => return Err(self.error(id, "a key must not be null").help("put it in quotes")),
        };
        Ok(Key { text, kind })
    }

    /// Go's rules: in order, last wins, and a merge overrides what stands before it.
    fn fill(&mut self, id: Id, map: &mut Map<String, Value>, typed: &mut Typed) -> Result<(), Error> {
        for (key, value) in self.document.tree.entries(id) {
            if self.document.is_merge(key) {
                self.merge(value, map, typed)?;
                continue;
            }
            let Key { text, kind } = self.entered_key(key)?;
            let value = self.value(value)?;
            if kind != KeyKind::Text || !typed.is_empty() {
                self.check_clash(key, &text, kind, map, typed)?;
            }
            map.insert(text.into_owned(), value);
        }
        Ok(())
    }

    fn entered_key(&mut self, key: Id) -> Result<Key<'d>, Error> {
        self.enter(key)?;
        if let Kind::Alias(target) = self.document.tree[key].kind {
            self.aliases += 1;
            self.enter(target)?;
            self.aliases -= 1;
            self.depth -= 1;
        }
        self.depth -= 1;
        self.key(key)
    }

    fn check_clash(
        &self,
        key: Id,
        text: &str,
        kind: KeyKind,
        map: &Map<String, Value>,
        typed: &mut Typed,
    ) -> Result<(), Error> {
        let found = typed.iter().find(|(name, _)| name == text).map(|&(_, kind)| kind);
        let clash = match found {
            Some(found) => found != kind || kind == KeyKind::Nan,
            None => kind != KeyKind::Text && map.contains_key(text),
        };
        if clash {
            return Err(self
                .error(key, format!("two keys of the mapping are read as {text:?}, and either may win"))
                .help("keep one of them"));
        }
        if kind != KeyKind::Text {
            typed.push((text.to_owned(), kind));
        }
        Ok(())
    }

    fn merge(&mut self, id: Id, map: &mut Map<String, Value>, typed: &mut Typed) -> Result<(), Error> {
        let tree = &self.document.tree;
        if let Kind::Seq(_) = tree[id].kind {
            // The first of them takes precedence.
            let items: Vec<Id> = tree.children(id).collect();
            return items.into_iter().rev().try_for_each(|item| self.merge_one(item, map, typed));
        }
        self.merge_one(id, map, typed)
    }

    fn merge_one(&mut self, id: Id, map: &mut Map<String, Value>, typed: &mut Typed) -> Result<(), Error> {
        self.enter(id)?;
        match self.document.tree[id].kind {
            Kind::Map(_) => self.fill(id, map, typed)?,
            Kind::Alias(target) if matches!(self.document.tree[target].kind, Kind::Map(_)) => {
                self.aliases += 1;
                self.enter(target)?;
                self.fill(target, map, typed)?;
                self.depth -= 1;
                self.aliases -= 1;
            }
            _ => return Err(self.error(id, "a merge key needs a mapping or a sequence of mappings")),
        }
        self.depth -= 1;
        Ok(())
    }

    /// Counts a node, against documents that are small as text and huge as a value. The ratio is go-yaml's.
    fn enter(&mut self, id: Id) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH + 2 {
            return Err(self.error(id, "aliases nest too many collections inside each other"));
        }
        self.read += 1;
        if self.aliases == 0 {
            return Ok(());
        }
        self.repeated += 1;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (read, repeated) = (self.read as f64, self.repeated as f64);
        let allowed = 0.99 - 0.89 * ((read - 400_000.0) / 3_600_000.0).clamp(0.0, 1.0);
        if self.repeated > 100 && self.read > 1000 && repeated / read > allowed {
            return Err(self.error(id, "aliases repeat too much"));
        }
        Ok(())
    }

    fn repeat(&mut self, id: Id, bytes: usize) -> Result<(), Error> {
        if self.aliases > 0 {
            self.repeated_bytes += bytes;
            if self.repeated_bytes > MAX_REPEATED {
                return Err(self.error(id, "aliases repeat too much text"));
            }
        }
        Ok(())
    }

    fn error(&self, id: Id, message: impl Into<String>) -> Error {
        Error::new(message).at(self.document.text(), self.document.range(id).start)
    }
}

/// Equality of values where `1.0` is `1`, as in JSON.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

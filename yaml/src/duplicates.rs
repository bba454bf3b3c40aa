use std::collections::HashSet;
use std::ops::Range;

use crate::events::{Id, Kind};
use crate::read::Reader;
use crate::{Document, Path, Segment};

impl Document<'_> {
    /// Keys that stand in their mapping a second time, with the bytes of the later one. Helm takes the last of them; most
    /// tools that write YAML by hand lose one.
    pub fn duplicate_keys(&self) -> Vec<(Path, Range<usize>)> {
        let maps = (0..).zip(&self.tree.nodes).filter(|(_, node)| matches!(node.kind, Kind::Map(_)));
        let mut found = Vec::new();
        for (id, _) in maps {
            let mut seen = HashSet::new();
            for (key, value) in self.tree.entries(id).filter(|&(key, _)| !self.is_merge(key)) {
                if self.key_text(key).is_some_and(|name| !seen.insert(name)) {
                    found.push((self.path_of(value), self.range(key)));
                }
            }
        }
        found
    }

    fn key_text(&self, key: Id) -> Option<String> {
        Reader::new(self).key(key).ok().map(|key| key.text.into_owned())
    }

    /// Where a node stands.
    fn path_of(&self, inner: Id) -> Path {
        let mut path: Vec<Segment> = Vec::new();
        let mut at = 0;
        while at != inner {
            let next = match self.tree[at].kind {
                Kind::Map(_) => {
                    let entry = self.tree.entries(at).find(|&(_, value)| self.tree.contains(value, inner));
                    entry.and_then(|(key, value)| Some((self.key_text(key)?.into(), value)))
                }
                Kind::Seq(_) => {
                    let mut items = self.tree.children(at).enumerate();
                    items.find(|&(_, item)| self.tree.contains(item, inner)).map(|(i, item)| (i.into(), item))
                }
                _ => None,
            };
            let Some((segment, child)) = next else { break };
            path.push(segment);
            at = child;
        }
        path.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::Document;

    #[test]
    fn duplicate_keys_are_found() {
        let text = "a: 1\nb: [{c: 1, 'c': 2, d: 3}]\nyes: 1\na: {yes: 1}\n'true': 2\n";
        let document = Document::parse(text).unwrap();
        let found: Vec<_> = document.duplicate_keys();
        let shown: Vec<_> =
            found.iter().map(|(path, span)| (path.to_string(), &text[span.clone()])).collect();
        let expected =
            [("a", "a"), ("true", "'true'"), ("b[0].c", "'c'")].map(|(path, key)| (path.to_owned(), key));
        assert_eq!(shown, expected);
    }
}

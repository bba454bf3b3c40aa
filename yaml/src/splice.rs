//! Edits as replacements of byte ranges.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use crate::edit::apply_to;
use crate::emit::Emitter;
use crate::events::{Form, Id, Kind, Style, Tree};
use crate::read::Reader;
use crate::{Document, Edit, Error, Op, Path, Segment, text};

pub fn apply(document: &Document, edits: &[Edit]) -> Result<String, Error> {
    let mut expected = document.value()?;
    apply_to(&mut expected, edits)?;
    apply_expecting(document, edits, &expected)
}

/// The text with the edits, which must mean `expected`.
pub fn apply_expecting(document: &Document, edits: &[Edit], expected: &Value) -> Result<String, Error> {
    if edits.is_empty() {
        return Ok(document.text().to_owned());
    }
    reject_overlaps(edits)?;
    let mut splicer = Splicer {
        document,
        text: document.text(),
        tree: &document.tree,
        patches: Vec::new(),
        layout: OnceCell::new(),
    };
    splicer.plan(edits, expected)?;
    let edited = splicer.splice()?;

    let check = Document::parse(&edited).map_err(|e| bug(edits, &format!("it does not parse: {e}")))?;
    if check.is(expected) { Ok(edited) } else { Err(bug(edits, "it means something else")) }
}

fn bug(edits: &[Edit], what: &str) -> Error {
    let paths: Vec<_> = edits.iter().map(|edit| format!("`{}`", edit.path)).collect();
    Error::new(format!(
        "the document could not be edited at {}: when the result was checked, {what}",
        paths.join(", ")
    ))
    .help(
        "this is a bug in datalab; nothing was written. Writing the place in plain block style may avoid it",
    )
}

fn reject_overlaps(edits: &[Edit]) -> Result<(), Error> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    // In this order everything below a path follows it directly.
    let mut above: Option<&Edit> = None;
    for edit in sorted {
        let covers = |above: &Edit| above.path.contains(&edit.path) && !matches!(above.op, Op::Append(_));
        let clashes =
            |above: &Edit| covers(above) || (above.path == edit.path && !matches!(edit.op, Op::Append(_)));
        if above.is_some_and(clashes) {
            return Err(Error::new(format!("two edits change `{}`", edit.path)).help("give one edit a place"));
        }
        if !matches!(edit.op, Op::Append(_)) || above.is_none_or(|above| above.path != edit.path) {
            above = Some(edit);
        }
    }
    Ok(())
}

/// A node and the node of its key, if it is a mapping's value.
#[derive(Clone, Copy)]
struct Spot {
    id: Id,
    key: Option<Id>,
    parent: Option<Id>,
}

/// What happens in one collection.
#[derive(Default)]
struct Changes<'e> {
    add: Vec<(&'e str, &'e Value)>,
    remove: Vec<Id>,
    append: Vec<&'e Value>,
}

struct Patch {
    range: Range<usize>,
    /// Of two insertions at one place the one into the inner collection comes first.
    inner_first: Reverse<Id>,
    text: String,
}

struct Splicer<'d, 'a> {
    document: &'d Document<'a>,
    text: &'a str,
    tree: &'d Tree,
    patches: Vec<Patch>,
    /// The first indentation of a mapping and of a sequence in the document.
    layout: OnceCell<(Option<usize>, Option<usize>)>,
}

impl Splicer<'_, '_> {
    fn plan(&mut self, edits: &[Edit], expected: &Value) -> Result<(), Error> {
        if self.tree.nodes.is_empty() {
            self.plan_empty(expected);
            return Ok(());
        }
        let mut collections: BTreeMap<Id, (Spot, &[Segment], Changes)> = BTreeMap::new();
        for Edit { path, op } in edits {
            let segments = path.segments();
            let (spot, above, value) = match (op, segments.split_last()) {
                (Op::Set(value), None) => {
                    self.replace(Spot { id: 0, key: None, parent: None }, value)?;
                    continue;
                }
                (Op::Append(value), _) => (self.find(segments)?, segments, value),
                (Op::Set(value), Some((last, above))) => {
                    let spot = self.find(above)?;
                    if let Some(child) = self.step(spot.id, last)? {
                        self.replace(child, value)?;
                        continue;
                    }
                    (spot, above, value)
                }
                (Op::Remove, Some((_, above))) => (self.find(above)?, above, &Value::Null),
                (Op::Remove, None) => continue,
            };
            self.reject_aliased(spot.id)?;
            let changes =
                &mut collections.entry(spot.id).or_insert_with(|| (spot, above, Changes::default())).2;
            match (op, segments.last()) {
                (Op::Append(_), _) => changes.append.push(value),
                (Op::Set(_), Some(Segment::Key(key))) => changes.add.push((key, value)),
                (Op::Remove, Some(last)) => {
                    if let Some(Spot { id, key: Some(key), .. }) = self.step(spot.id, last)? {
                        self.reject_anchors_within(id)?;
                        changes.remove.push(key);
                    }
                }
                _ => {}
            }
        }
        for (spot, path, changes) in collections.into_values() {
            self.change(spot, path, &changes, expected)?;
        }
        Ok(())
    }

    /// Gives an empty document its value: behind all comments.
    fn plan_empty(&mut self, expected: &Value) {
        let emitter = self.emitter(0, false);
        let mut out = String::new();
        if !self.text.is_empty() && !self.text.ends_with(text::is_break) {
            out.push_str(emitter.newline);
        }
        emitter.block(&mut out, expected, 0);
        out.push_str(emitter.newline);
        self.patch(self.text.len()..self.text.len(), 0, out);
    }

    fn change(
        &mut self,
        spot: Spot,
        path: &[Segment],
        changes: &Changes,
        expected: &Value,
    ) -> Result<(), Error> {
        let Spot { id, .. } = spot;
        let total = self.tree.children(id).count();
        let nothing_stays = match self.tree[id].kind {
            Kind::Map(_) => changes.remove.len() * 2 == total,
            _ => total == 0,
        };
        // Braces cannot be added to `[a: 1]` at two places at once.
        let is_pair = matches!(self.tree[id].kind, Kind::Map(Form::Pair));
        if nothing_stays || is_pair {
            let path: Path = path.iter().cloned().collect();
            let value = path.segments().iter().try_fold(expected, |value, segment| match segment {
                Segment::Key(key) => value.get(key),
                Segment::Index(index) => value.get(index),
            });
            return self.replace(spot, value.unwrap_or(&Value::Null));
        }
        if self.tree.is_flow(id) {
            self.remove_flow(id, &changes.remove);
            self.insert_flow(id, changes);
        } else {
            self.remove_block(id, &changes.remove);
            self.insert_block(id, changes);
        }
        Ok(())
    }

    fn insert_flow(&mut self, id: Id, changes: &Changes) {
        if changes.add.is_empty() && changes.append.is_empty() {
            return;
        }
        let emitter = self.emitter(id, self.is_json(id));
        let mut out = String::new();
        for (key, value) in &changes.add {
            out.push_str(", ");
            emitter.flow_entry(&mut out, key, value);
        }
        for item in &changes.append {
            out.push_str(", ");
            emitter.flow(&mut out, item);
        }
        let end = self.tree.children(id).last().map_or(self.end(id), |last| self.end(last));
        self.patch(end..end, id, out);
    }

    fn insert_block(&mut self, id: Id, changes: &Changes) {
        if changes.add.is_empty() && changes.append.is_empty() {
            return;
        }
        let emitter = self.emitter(id, false);
        let column = self.block_column(id);
        let mut out = String::new();
        for (key, value) in &changes.add {
            emitter.line(&mut out, column);
            emitter.entry(&mut out, key, value, column);
        }
        for item in &changes.append {
            emitter.line(&mut out, column);
            out.push_str("- ");
            emitter.block(&mut out, item, column + 2);
        }
        let end = text::line_end(self.text, self.end(id));
        self.patch(end..end, id, out);
    }

    /// Takes whole runs of entries with the comma that follows, or the one before.
    fn remove_flow(&mut self, id: Id, remove: &[Id]) {
        let entries: Vec<(Id, Id)> = self.tree.entries(id).collect();
        let mut kept_before = None;
        let mut at = 0;
        while at < entries.len() {
            if !remove.contains(&entries[at].0) {
                kept_before = Some(self.end(entries[at].1));
                at += 1;
                continue;
            }
            let first = at;
            while at < entries.len() && remove.contains(&entries[at].0) {
                at += 1;
            }
            let range = match (entries.get(at), kept_before) {
                (Some(&(next, _)), _) => self.start(entries[first].0)..self.start(next),
                (None, Some(before)) => before..self.end(entries[at - 1].1),
                (None, None) => continue,
            };
            self.patch(range, id, String::new());
        }
    }

    /// Takes whole lines, with the break before them, as the last line may have none behind. At least one entry stays.
    fn remove_block(&mut self, id: Id, remove: &[Id]) {
        let text = self.text;
        let entries: Vec<(bool, usize, usize)> = self
            .tree
            .entries(id)
            .map(|(key, value)| {
                let end = text::line_end(text, self.end(value).max(self.end(key)));
                (remove.contains(&key), self.entry_start(id, key), end)
            })
            .collect();
        let line_before = |start: usize| &text[..text::line_start(text, start)];
        let Some(&(_, first, _)) = entries.first() else { return };

        // The first line of the text has no break before it, and one that begins with `- ` must keep the dash.
        let before = line_before(first).len();
        let is_dashed = !text[before..first].trim().is_empty();
        let is_own_line = !is_dashed && text::chomp(&text[..before]).len() < before;
        let leading = entries.iter().take_while(|(removed, ..)| *removed && !is_own_line).count();
        if leading > 0
            && let Some(&(_, next, _)) = entries.get(leading)
        {
            let end = entries[leading - 1].2;
            let range = if text[end..next].trim().is_empty() {
                first..next
            } else if is_dashed {
                text[..first].trim_end_matches(' ').len()..end
            } else {
                first..text.len() - text::unbreak(&text[end..]).len()
            };
            self.patch(range, id, String::new());
        }
        for &(removed, start, end) in &entries[leading..] {
            if removed {
                self.patch(text::chomp(line_before(start)).len()..end, id, String::new());
            }
        }
    }

    fn replace(&mut self, spot: Spot, value: &Value) -> Result<(), Error> {
        let Spot { id, key, parent } = spot;
        self.reject_aliased(id)?;
        self.reject_anchors_within(id)?;
        let old = self.document.range(id);
        let is_empty = old.is_empty();
        let is_collection = matches!(value, Value::Object(m) if !m.is_empty())
            || matches!(value, Value::Array(a) if !a.is_empty());

        if parent.is_some_and(|parent| self.tree.is_flow(parent)) {
            let mut out = String::new();
            if is_empty {
                let colon = key.is_none_or(|key| self.colon(key).is_some());
                out.push_str(if !colon {
                    ": "
                } else if self.text[..old.start].ends_with(':') {
                    " "
                } else {
                    ""
                });
            }
            self.inline(&mut out, id, value, 0, true);
            self.patch(old, id, out);
            return Ok(());
        }

        let first_line = text::line_start(self.text, old.start);
        // `--- {a: 1}`: a block cannot begin on the line of the marker.
        let marked = parent.is_none() && !self.text[first_line..old.start].trim().is_empty();
        let stays_flow = marked || (self.tree.is_flow(id) && self.tree.children(id).next().is_some());
        let block = is_collection && !stays_flow;
        let Some(key) = key else {
            // An item of a sequence, or the root: the value begins where the old one did.
            let mut out = String::new();
            let mut column = text::column(self.text, old.start);
            if is_empty && parent.is_some() {
                out.push(' ');
                column += 1;
            }
            if is_empty && parent.is_none() {
                self.plan_empty(value);
                return Ok(());
            }
            if block {
                self.emitter(parent.unwrap_or(id), false).block(&mut out, value, column);
            } else {
                let lines = parent.map_or(2, |parent| self.block_column(parent) + 2);
                self.inline(&mut out, id, value, lines, false);
            }
            self.patch(old, id, out);
            return Ok(());
        };

        let Some(colon) = self.colon(key) else {
            return Err(Error::new("the key has no `:` behind which a value could stand")
                .at(self.text, self.start(key))
                .help("write `key: value`"));
        };
        let column = parent.map_or(0, |parent| self.block_column(parent));
        let key_line = text::line_end(self.text, colon);
        let below = old.start > key_line;
        let mut out = String::new();
        let mut range = old.clone();
        if block {
            let emitter = self.emitter(parent.unwrap_or(id), false);
            let offset = if value.is_array() { emitter.dash } else { emitter.step };
            range.end = text::line_end(self.text, old.end);
            range.start = if below { key_line } else { colon };
            if !below {
                // A comment behind the old value stays on the key's line.
                out.push_str(self.text[old.end..range.end].trim_end());
            }
            emitter.below(&mut out, value, column + offset);
        } else {
            if below {
                range = colon..text::line_end(self.text, old.end);
            }
            if below || self.text[..range.start].ends_with(':') {
                out.push(' ');
            }
            self.inline(&mut out, id, value, column + 2, false);
            if below {
                out.push_str(self.text[colon..key_line].trim_end());
            }
        }
        self.patch(range, id, out);
        Ok(())
    }

    /// Writes a value onto the line of the old one, a string in the old one's style.
    fn inline(&self, out: &mut String, id: Id, value: &Value, column: usize, flow: bool) {
        let emitter = self.emitter(id, flow && self.is_json(id));
        match (value, self.document.scalar(id)) {
            (Value::String(string), Some((style, _, _))) => {
                // Without a line break behind it a literal would lose its own.
                let ended = text::line_end(self.text, self.end(id)) < self.text.len();
                let is_literal = matches!(style, Style::Literal | Style::Folded);
                let style = if is_literal && (flow || !ended) { Style::Double } else { style };
                let column = if is_literal { self.literal_column(id).unwrap_or(column) } else { column };
                emitter.restyled(out, string, style, column);
            }
            _ => emitter.flow(out, value),
        }
    }

    /// The indentation of a block scalar's text, if it has no indicator of its own.
    fn literal_column(&self, id: Id) -> Option<usize> {
        let mut lines = self.text[self.document.range(id)].split(text::is_break);
        let header = lines.next()?.split('#').next()?;
        let line = lines.find(|line| !line.trim().is_empty())?;
        (!header.contains(|c: char| c.is_ascii_digit()))
            .then(|| line.len() - line.trim_start_matches(' ').len())
    }

    fn patch(&mut self, range: Range<usize>, id: Id, text: String) {
        self.patches.push(Patch { range, inner_first: Reverse(id), text });
    }

    fn splice(mut self) -> Result<String, Error> {
        self.patches.sort_by_key(|patch| (patch.range.start, patch.range.end, patch.inner_first));
        let added: usize = self.patches.iter().map(|patch| patch.text.len()).sum();
        let mut out = String::with_capacity(self.text.len() + added);
        let mut at = 0;
        for Patch { range, text, .. } in &self.patches {
            if range.start < at {
                return Err(Error::new("two edits change the same line")
                    .at(self.text, range.start)
                    .help("write every entry on a line of its own"));
            }
            out.push_str(&self.text[at..range.start]);
            out.push_str(text);
            at = range.end;
        }
        out.push_str(&self.text[at..]);
        Ok(out)
    }

    fn find(&self, path: &[Segment]) -> Result<Spot, Error> {
        let mut spot = Spot { id: 0, key: None, parent: None };
        for (n, segment) in path.iter().enumerate() {
            spot = self.step(spot.id, segment)?.ok_or_else(|| {
                let path: Path = path[..=n].iter().cloned().collect();
                Error::new(format!("there is no `{path}`"))
            })?;
        }
        if let Kind::Alias(_) = self.tree[spot.id].kind {
            return Err(self.is_alias(spot.id));
        }
        Ok(spot)
    }

    /// What stands under a key or index, unless more than one place in the text has a say in it.
    fn step(&self, id: Id, segment: &Segment) -> Result<Option<Spot>, Error> {
        let spot = |id, key, parent| Spot { id, key, parent: Some(parent) };
        match (segment, &self.tree[id].kind) {
            (_, Kind::Alias(_)) => Err(self.is_alias(id)),
            (Segment::Index(index), Kind::Seq(_)) => {
                Ok(self.tree.children(id).nth(*index).map(|item| spot(item, None, id)))
            }
            (Segment::Key(name), Kind::Map(_)) => {
                let mut found: Option<Spot> = None;
                for (key, value) in self.tree.entries(id) {
                    if self.document.is_merge(key) {
                        if Reader::new(self.document).merged(id)?.contains_key(name) {
                            return Err(Error::new(format!("`{name}` comes from a merge key"))
                                .at(self.text, self.start(key))
                                .help("write the merged keys out to have them edited"));
                        }
                    } else if self.document.is_key(key, name) {
                        if let Some(first) = found.and_then(|spot| spot.key) {
                            let first = self.document.location(self.start(first)).line;
                            return Err(Error::new(format!("duplicate key `{name}`, first on line {first}"))
                                .at(self.text, self.start(key))
                                .help("keep one of them to have it edited"));
                        }
                        found = Some(spot(value, Some(key), id));
                    }
                }
                Ok(found)
            }
            _ => Ok(None),
        }
    }

    fn is_alias(&self, id: Id) -> Error {
        let range = self.document.range(id);
        Error::new(format!("`{}` stands for a value elsewhere", &self.text[range.clone()]))
            .at(self.text, range.start)
            .help("write the value out to have it edited")
    }

    /// Refuses a change inside of what an alias repeats.
    fn reject_aliased(&self, id: Id) -> Result<(), Error> {
        self.reject(|alias, target| self.tree.contains(target, id) && !self.tree.contains(id, alias))?;
        if let Kind::Alias(_) = self.tree[id].kind {
            return Err(self.is_alias(id));
        }
        Ok(())
    }

    /// Refuses to take away an anchor that an alias elsewhere needs.
    fn reject_anchors_within(&self, id: Id) -> Result<(), Error> {
        self.reject(|alias, target| self.tree.contains(id, target) && !self.tree.contains(id, alias))
    }

    fn reject(&self, clashes: impl Fn(Id, Id) -> bool) -> Result<(), Error> {
        for &alias in &self.tree.aliases {
            if let Kind::Alias(target) = self.tree[alias].kind
                && clashes(alias, target)
            {
                let line = self.document.location(self.start(alias)).line;
                let name = &self.text[self.document.range(alias)];
                return Err(Error::new(format!("`{name}` on line {line} repeats this value"))
                    .at(self.text, self.start(target))
                    .help("write the alias out to have the value edited"));
            }
        }
        Ok(())
    }

    /// How to lay out what goes into a collection: as its other children, else as anything in the document.
    fn emitter(&self, collection: Id, json: bool) -> Emitter {
        let (step, dash) = self.layout.get_or_init(|| {
            let (mut step, mut dash) = (None, None);
            for (id, _) in (0..).zip(&self.tree.nodes) {
                let here = self.indentation(id);
                (step, dash) = (step.or(here.0), dash.or(here.1));
                if step.is_some() && dash.is_some() {
                    break;
                }
            }
            (step, dash)
        });
        let here = if self.tree.nodes.is_empty() { (None, None) } else { self.indentation(collection) };
        let step = here.0.or(*step).unwrap_or(2);
        Emitter { newline: text::newline(self.text), step, dash: here.1.or(*dash).unwrap_or(step), json }
    }

    /// Columns from the keys of a block mapping to the keys of a mapping, and to the dashes of a sequence, below.
    fn indentation(&self, map: Id) -> (Option<usize>, Option<usize>) {
        let (mut step, mut dash) = (None, None);
        if let Kind::Map(Form::Block(_)) = self.tree[map].kind {
            let column = self.block_column(map);
            for (_, value) in self.tree.entries(map) {
                let inner = || self.block_column(value).checked_sub(column);
                match self.tree[value].kind {
                    Kind::Map(Form::Block(_)) if step.is_none() => step = inner(),
                    Kind::Seq(Form::Block(_)) if dash.is_none() => dash = inner(),
                    _ => {}
                }
            }
        }
        (step, dash)
    }

    /// Whether a flow collection, or the one around a scalar, quotes its keys and strings as JSON does.
    fn is_json(&self, id: Id) -> bool {
        (0..=id).rev().filter(|&outer| self.tree.contains(outer, id)).any(|outer| {
            self.tree.is_flow(outer)
                && (outer + 1..self.tree[outer].next)
                    .find_map(|inner| self.document.scalar(inner))
                    .is_some_and(|(style, _, _)| style == Style::Double)
        })
    }

    /// Where the `:` behind a key ends.
    fn colon(&self, key: Id) -> Option<usize> {
        let mut rest = &self.text[self.end(key)..];
        loop {
            rest = rest.trim_start_matches(|c| c == ' ' || c == '\t' || text::is_break(c));
            match rest.strip_prefix('#') {
                Some(comment) => rest = &comment[text::line_end(comment, 0)..],
                None => return rest.strip_prefix(':').map(|after| self.text.len() - after.len()),
            }
        }
    }

    /// Where an entry of a block mapping begins: at its key, or at the `?` before it.
    fn entry_start(&self, map: Id, key: Id) -> usize {
        let start = self.start(key);
        let column = self.block_column(map);
        let line = text::line_start(self.text, start);
        let mark = line + column;
        if mark < start && self.text[mark..].starts_with('?') { mark } else { start }
    }

    /// The column of a block collection's keys or dashes.
    fn block_column(&self, id: Id) -> usize {
        match self.tree[id].kind {
            Kind::Map(Form::Block(at)) | Kind::Seq(Form::Block(at)) => text::column(self.text, at as usize),
            _ => 0,
        }
    }

    fn start(&self, id: Id) -> usize {
        self.tree[id].start as usize
    }

    fn end(&self, id: Id) -> usize {
        self.tree[id].end as usize
    }
}

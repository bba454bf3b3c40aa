use serde_json::{Map, Value};

use crate::{Error, Path, Segment};

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

/// Changes a value as edits say: what [`crate::Document::apply`] does to a text.
///
/// Fails where an edit's place does not exist; the value is then half changed.
pub fn apply_to(value: &mut Value, edits: &[Edit]) -> Result<(), Error> {
    for Edit { path, op } in edits {
        if place(value, path, op).is_none() {
            let message = match op {
                Op::Set(_) => format!("there is nothing to set `{path}` in"),
                Op::Append(_) => format!("there is no sequence at `{path}` to append to"),
                Op::Remove => format!("there is no key `{path}` to remove"),
            };
            return Err(Error::new(message));
        }
    }
    Ok(())
}

fn place(value: &mut Value, path: &Path, op: &Op) -> Option<()> {
    match op {
        Op::Append(item) => get_mut(value, path.segments())?.as_array_mut()?.push(item.clone()),
        Op::Set(new) => match path.segments().split_last() {
            None => *value = new.clone(),
            Some((Segment::Key(key), above)) => {
                get_mut(value, above)?.as_object_mut()?.insert(key.clone(), new.clone());
            }
            Some((Segment::Index(index), above)) => {
                *get_mut(value, above)?.as_array_mut()?.get_mut(*index)? = new.clone();
            }
        },
        Op::Remove => match path.segments().split_last()? {
            (Segment::Key(key), above) => {
                get_mut(value, above)?.as_object_mut()?.shift_remove(key)?;
            }
            (Segment::Index(_), _) => return None,
        },
    }
    Some(())
}

fn get<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.as_object()?.get(key),
        Segment::Index(index) => value.as_array()?.get(*index),
    })
}

fn get_mut<'v>(value: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.as_object_mut()?.get_mut(key),
        Segment::Index(index) => value.as_array_mut()?.get_mut(*index),
    })
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
    /// Of every edit, whether its path did not exist before.
    added: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Add,
    Replace,
    Append,
    Remove,
}

impl Editor {
    /// Starts from a value.
    pub fn new(value: Value) -> Self {
        Self { value, edits: Vec::new(), added: Vec::new() }
    }

    /// The value with all edits so far.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What stands at a path now; a missing key is `None`.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        get(&self.value, path.segments())
    }

    /// Gives a value to a path. Mappings that are missing (or null) on the way are made. No edit is recorded when the
    /// value already stands there.
    ///
    /// # Panics
    /// Never: a path through a scalar replaces the scalar by a mapping; an index beyond a sequence's end appends.
    pub fn set(&mut self, path: &Path, value: Value) {
        if self.get(path) == Some(&value) {
            return;
        }
        let segments = path.segments();
        // The way that exists ends before the first step that finds nothing to step to.
        let exists = |n: usize| get(&self.value, &segments[..=n]).is_some();
        let end = (0..segments.len()).find(|&n| !exists(n)).unwrap_or(segments.len());
        let (there, missing) = segments.split_at(end);
        let here: Path = there.iter().cloned().collect();
        let make = |missing: &[Segment]| {
            missing.iter().rev().fold(value, |inner, segment| match segment {
                Segment::Key(key) => Value::Object(Map::from_iter([(key.clone(), inner)])),
                Segment::Index(_) => Value::Array(vec![inner]),
            })
        };
        match (get(&self.value, there), missing.split_first()) {
            (Some(Value::Array(_)), Some((Segment::Index(_), rest))) => self.append(&here, make(rest)),
            (Some(Value::Object(_)), Some((Segment::Key(key), rest))) => {
                let new = make(rest);
                self.change(&here.join(key.clone()), Change::Add, new);
            }
            _ => {
                let new = make(missing);
                self.change(&here, Change::Replace, new);
            }
        }
    }

    /// Appends to the sequence at a path, which is made when it is missing or null.
    pub fn append(&mut self, path: &Path, value: Value) {
        if let Some(Value::Array(_)) = self.get(path) {
            self.change(path, Change::Append, value);
        } else {
            self.set(path, Value::Array(vec![value]));
        }
    }

    /// Removes the key at a path; nothing happens where there is none.
    pub fn remove(&mut self, path: &Path) {
        if let Some(Segment::Key(_)) = path.segments().last()
            && self.get(path).is_some()
        {
            self.change(path, Change::Remove, Value::Null);
        }
    }

    /// The edits so far.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// The final value and the edits that lead to it.
    pub fn finish(self) -> (Value, Vec<Edit>) {
        (self.value, self.edits)
    }

    fn change(&mut self, path: &Path, change: Change, value: Value) {
        self.record(path, change);
        let op = match change {
            Change::Add | Change::Replace => Op::Set(value),
            Change::Append => Op::Append(value),
            Change::Remove => Op::Remove,
        };
        place(&mut self.value, path, &op);
        // Edits that hold what stands at the path now hold the new value.
        for at in 0..self.edits.len() {
            let Edit { path: above, op } = &self.edits[at];
            if !above.contains(path) {
                continue;
            }
            let here = get(&self.value, above.segments());
            let new = match op {
                Op::Set(_) => here.cloned().map(Op::Set),
                Op::Append(_) => {
                    // The last appended item is the sequence's last.
                    let later = self.appended(above, at + 1);
                    here.and_then(|v| v.as_array()?.iter().rev().nth(later)).cloned().map(Op::Append)
                }
                Op::Remove => None,
            };
            if let Some(new) = new {
                self.edits[at].op = new;
            }
        }
    }

    /// Notes a change that is about to happen, unless an edit covers it.
    fn record(&mut self, path: &Path, change: Change) {
        let same = |edit: &Edit| edit.path == *path && !matches!(edit.op, Op::Append(_));
        if let Some(at) = self.edits.iter().position(same) {
            match change {
                Change::Append => {}
                Change::Remove if self.added[at] => {
                    self.edits.remove(at);
                    self.added.remove(at);
                }
                Change::Remove => self.edits[at].op = Op::Remove,
                Change::Add | Change::Replace => self.edits[at].op = Op::Set(Value::Null),
            }
            return;
        }
        if self.edits.iter().any(|edit| self.covers(edit, path)) {
            return;
        }
        let op = match change {
            Change::Add | Change::Replace => Op::Set(Value::Null),
            Change::Append => Op::Append(Value::Null),
            Change::Remove => Op::Remove,
        };
        if change != Change::Append {
            let mut kept =
                self.edits.iter().map(|edit| !path.contains(&edit.path)).collect::<Vec<_>>().into_iter();
            let mut also = kept.clone();
            self.edits.retain(|_| kept.next().unwrap_or(true));
            self.added.retain(|_| also.next().unwrap_or(true));
        }
        self.edits.push(Edit { path: path.clone(), op });
        self.added.push(change == Change::Add);
    }

    /// Whether an edit's value holds what stands at a path below it.
    fn covers(&self, edit: &Edit, path: &Path) -> bool {
        if edit.path == *path || !edit.path.contains(path) {
            return false;
        }
        let (Op::Append(_), Some(Segment::Index(index))) =
            (&edit.op, path.segments().get(edit.path.segments().len()))
        else {
            return !matches!(edit.op, Op::Append(_));
        };
        let items = self.get(&edit.path).and_then(Value::as_array).map_or(0, Vec::len);
        index + self.appended(&edit.path, 0) >= items
    }

    /// How many edits from one on append to the sequence at a path.
    fn appended(&self, path: &Path, from: usize) -> usize {
        self.edits[from..]
            .iter()
            .filter(|edit| edit.path == *path && matches!(edit.op, Op::Append(_)))
            .count()
    }
}

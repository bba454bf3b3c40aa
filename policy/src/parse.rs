//! From text or JSON to a policy, with everything that is wrong in one go.

use std::ops::Range;

use datalab_yaml::{Document, Location, Map, Path, Value};
use jiff::Timestamp;

use crate::check::check;
use crate::diagnostic::{Diagnostic, Diagnostics, Part, Severity};
use crate::document::{API_VERSION, DataLab, KIND};
use crate::shape::{self, Described, Field, Object, Shape};
use crate::suggest::closest;

/// What the API server adds to a resource's metadata.
const SERVER_METADATA: [&str; 10] = [
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "managedFields",
    "ownerReferences",
];

/// A policy, and what is odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The policy.
    pub policy: DataLab,
    /// What its author should know.
    pub warnings: Diagnostics,
}

impl DataLab {
    /// Reads a policy file. `file` is its name, for messages.
    ///
    /// Fails with everything that is wrong, of form and of meaning, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Parsed, Diagnostics> {
        Self::parse_at(file, text, None)
    }

    /// Reads a policy file as [`DataLab::parse`] does, and warns of what has run out at a time.
    pub fn parse_at(file: &str, text: &str, now: Option<Timestamp>) -> Result<Parsed, Diagnostics> {
        let mut problems = Vec::new();
        let mut policy = None;
        match only_policy(text, &mut problems) {
            Err(error) => problems.push(of_yaml(error, text, 0)),
            Ok(None) => {}
            Ok(Some((offset, document, value))) => {
                let raw = |path: &Path| Some(&document.text()[document.span(path)?]);
                let (read, mut found) = read(value, now, &raw);
                for (path, key) in document.duplicate_keys() {
                    let message = format!("{} stands here twice", &document.text()[key]);
                    found.push(Diagnostic::error(path, message, "keep one of them").on_key());
                }
                for problem in &mut found {
                    let span = span(&document, &problem.path, problem.part);
                    problem.span = span.start + offset..span.end + offset;
                    problem.location = Some(Location::of(text, problem.span.start));
                }
                problems.append(&mut found);
                policy = read;
            }
        }
        problems.sort_by_key(|problem| problem.span.start);
        finish(policy, Diagnostics { file: file.to_owned(), text: text.to_owned(), list: problems })
    }

    /// Reads a policy from JSON, such as a custom resource. What the API server adds to a resource is passed over.
    pub fn from_value(value: &Value) -> Result<Parsed, Diagnostics> {
        let (policy, list) = read(value.clone(), None, &|_| None);
        finish(policy, Diagnostics { list, ..Diagnostics::default() })
    }
}

fn finish(policy: Option<DataLab>, problems: Diagnostics) -> Result<Parsed, Diagnostics> {
    match policy {
        Some(policy) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok(Parsed { policy, warnings: problems })
        }
        _ => Err(problems),
    }
}

fn of_yaml(error: datalab_yaml::Error, text: &str, offset: usize) -> Diagnostic {
    let place = error.location.map(|location| first_line(text, location.offset + offset..text.len()));
    Diagnostic {
        location: place.as_ref().map(|span| Location::of(text, span.start)),
        span: place.unwrap_or_default(),
        ..Diagnostic::error(Path::ROOT, error.message, error.help.unwrap_or_default())
    }
}

/// The one `DataLab` of a file: where it begins, its text and its value.
fn only_policy<'a>(
    text: &'a str,
    problems: &mut Vec<Diagnostic>,
) -> Result<Option<(usize, Document<'a>, Value)>, datalab_yaml::Error> {
    let mut policy = None;
    let mut documents = 0;
    for piece in datalab_yaml::split(text)? {
        let offset = piece.offset + piece.body.start;
        let read = Document::parse(&piece.text[piece.body.clone()])
            .and_then(|document| document.value().map(|value| (document, value)));
        let (document, value) = match read {
            Ok(read) => read,
            Err(error) => {
                problems.push(of_yaml(error, text, offset));
                documents += 1;
                continue;
            }
        };
        if value.is_null() {
            continue;
        }
        documents += 1;
        let is_policy = value["kind"] == KIND;
        if is_policy && policy.is_none() {
            policy = Some((offset, document, value));
            continue;
        }
        let span = span(&document, &Path::ROOT.join("kind"), Part::Value);
        let span = span.start + offset..span.end + offset;
        let (message, help) = match value["kind"].as_str() {
            _ if is_policy => {
                ("the file holds a second policy".to_owned(), "one file holds one policy".to_owned())
            }
            Some(kind) => (
                format!("a {kind} is not a policy"),
                format!("a policy file holds one document, of kind {KIND}"),
            ),
            None => (
                "the document has no kind".to_owned(),
                format!("start it with apiVersion: {API_VERSION} and kind: {KIND}"),
            ),
        };
        let location = Some(Location::of(text, span.start));
        problems.push(Diagnostic { location, span, ..Diagnostic::error(Path::ROOT, message, help) });
    }
    if documents == 0 {
        let help = format!("start with apiVersion: {API_VERSION} and kind: {KIND}");
        problems.push(Diagnostic::error(Path::ROOT, "the file holds no policy", help));
    }
    Ok(policy)
}

/// The bytes to point at: one line of the key or the value, or what is nearest above.
fn span(document: &Document<'_>, path: &Path, part: Part) -> Range<usize> {
    let text = document.text();
    let mut at = path.clone();
    let mut is_itself = true;
    loop {
        let (key, value) = (document.key_span(&at), document.span(&at));
        let by_key = part == Part::Key || !is_itself;
        let range = match (key, value) {
            (Some(key), Some(value)) => {
                if by_key || text[value.clone()].contains('\n') {
                    Some(key)
                } else {
                    Some(value)
                }
            }
            (key, value) => key.or(value),
        };
        if let Some(range) = range {
            return first_line(text, range);
        }
        let Some((above, _)) = at.split_last() else { return 0..0 };
        at = above;
        is_itself = false;
    }
}

fn first_line(text: &str, range: Range<usize>) -> Range<usize> {
    let part = text.get(range.clone()).unwrap_or_default();
    range.start..range.start + part.lines().next().unwrap_or_default().trim_end().len()
}

/// Text of a value as it stands in the file.
type Raw<'a> = &'a dyn Fn(&Path) -> Option<&'a str>;

/// Reads what can be read, and lists what is wrong with the rest and with the meaning.
fn read(mut value: Value, now: Option<Timestamp>, raw: Raw<'_>) -> (Option<DataLab>, Vec<Diagnostic>) {
    if value["kind"] != KIND {
        let path = Path::ROOT.join("kind");
        return (None, vec![Diagnostic::error(path, format!("must be {KIND}"), "")]);
    }
    if let Some(root) = value.as_object_mut() {
        root.remove("status");
        if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !SERVER_METADATA.contains(&name.as_str()));
        }
    }
    let mut walk = Walk { raw, found: Vec::new() };
    walk.value(&mut value, DataLab::SHAPE, &Path::ROOT);
    let mut found = walk.found;
    let policy: DataLab = match serde_json::from_value(value) {
        Ok(policy) => policy,
        Err(error) => {
            found.push(Diagnostic::error(Path::ROOT, error.to_string(), ""));
            return (None, found);
        }
    };
    // Where the form is wrong, the meaning is a guess.
    let mut meaning = check(&policy, now);
    meaning.retain(|problem| {
        let is_guess =
            |wrong: &Diagnostic| wrong.path.contains(&problem.path) || problem.path.contains(&wrong.path);
        found.is_empty() || problem.severity == Severity::Error && !found.iter().any(is_guess)
    });
    found.append(&mut meaning);
    (Some(policy), found)
}

/// Compares a value with its shape. What does not fit is reported and taken out, so that the rest can be read.
struct Walk<'a> {
    raw: Raw<'a>,
    found: Vec<Diagnostic>,
}

impl Walk<'_> {
    /// Whether the value may stay.
    fn value(&mut self, value: &mut Value, shape: &Shape, path: &Path) -> bool {
        match (shape, value) {
            (Shape::Object(object), Value::Object(map)) => self.object(map, object, path),
            (Shape::Map(keys, values), Value::Object(map)) => self.map(map, keys, values, path),
            (Shape::List(items), Value::Array(list)) => {
                for (i, item) in list.iter_mut().enumerate() {
                    if !self.value(item, items, &path.join(i)) {
                        *item = nothing(items); // so that the others keep their places
                    }
                }
                true
            }
            (Shape::Text, Value::String(_)) | (Shape::Flag, Value::Bool(_)) => true,
            (Shape::Words(words), Value::String(text)) => {
                let known = || words.iter().map(|word| word.word);
                known().any(|word| word == text)
                    || self.error(path, format!("{text:?} is unknown"), one_of(text, known()))
            }
            (Shape::Integer(least), Value::Number(number)) => {
                number.as_i64().is_some_and(|n| least.is_none_or(|least| n >= least && n <= u32::MAX.into()))
                    || self.error(path, format!("must be {}, not {number}", describe(shape)), "")
            }
            (Shape::Quantity, Value::Number(number)) if number.is_i64() || number.is_u64() => true,
            (Shape::Quantity, Value::String(text)) => match text.parse::<crate::Quantity>() {
                Ok(_) => true,
                Err(_) => self.error(path, format!("{text:?} is not a quantity"), quantity_help(text)),
            },
            (_, Value::Null) => {
                self.error(path, "has no value", format!("give it {}, or leave it out", describe(shape)))
            }
            (_, value) => {
                let help = self.wrong_type_help(value, shape, path);
                self.error(path, format!("must be {}, not {}", describe(shape), describe_value(value)), help)
            }
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, object: &Object, path: &Path) -> bool {
        let mut slips = Vec::new();
        map.retain(|name, value| {
            let here = path.join(name.as_str());
            let Some(field) = object.field(name) else {
                let names: Vec<_> = object.fields.iter().map(Field::name).collect();
                let meant = closest(name, names.iter().map(String::as_str)).map(str::to_owned);
                let help = field_help(name, object, &names, meant.as_deref());
                if let Some(meant) = meant {
                    slips.push((meant, here.clone(), value.take()));
                }
                let problem = Diagnostic::error(here, "unknown field", help).on_key();
                self.found.push(problem);
                return false;
            };
            let fixed = match (path.segments(), name.as_str()) {
                ([], "apiVersion") => Some(API_VERSION),
                _ => None,
            };
            if let Some(fixed) = fixed.filter(|fixed| *value != *fixed) {
                return self.error(&here, format!("must be {fixed}"), "");
            }
            let is_empty = match value {
                Value::String(text) => text.trim().is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty() && matches!(field.shape, Shape::Map(..)),
                _ => false,
            };
            if field.required && is_empty {
                return self.error(&here, "must not be empty", purpose(field));
            }
            self.value(value, field.shape, &here)
        });
        // What was meant is read under its right name, so that its absence is no second error.
        for (name, written, mut value) in slips {
            let Some(field) = object.field(&name).filter(|_| !map.contains_key(&name)) else { continue };
            if self.value(&mut value, field.shape, &written) {
                map.insert(name, value);
            }
        }
        for field in object.fields.iter().filter(|field| field.required) {
            let name = field.name();
            let path = path.join(name.as_str());
            let is_said = self.found.iter().any(|problem| problem.path == path);
            if !map.contains_key(&name) && !is_said {
                self.error(&path, "is missing", purpose(field));
            }
        }
        true
    }

    fn map(&mut self, map: &mut Map<String, Value>, keys: &Shape, values: &Shape, path: &Path) -> bool {
        map.retain(|name, value| {
            let here = path.join(name.as_str());
            if let Shape::Words(words) = keys
                && !words.iter().any(|word| word.word == name)
            {
                let help = one_of(name, words.iter().map(|word| word.word));
                self.found.push(Diagnostic::error(here, format!("{name:?} is unknown"), help).on_key());
                return false;
            }
            self.value(value, values, &here)
        });
        true
    }

    /// Reports; always false, as the value is to go.
    fn error(&mut self, path: &Path, message: impl Into<String>, help: impl Into<String>) -> bool {
        self.found.push(Diagnostic::error(path.clone(), message, help));
        false
    }

    fn wrong_type_help(&self, value: &Value, shape: &Shape, path: &Path) -> String {
        let written = match (self.raw)(path) {
            Some(raw) if !raw.contains('\n') => raw.to_owned(),
            _ => value.to_string(),
        };
        match (shape, value) {
            (Shape::Text | Shape::Quantity | Shape::Words(_), Value::Bool(_) | Value::Number(_)) => {
                format!("put it in quotes: {written:?}")
            }
            (Shape::Flag | Shape::Integer(_), Value::String(text)) => {
                format!("write {text} without quotes, if that is meant")
            }
            (Shape::List(_), Value::String(_) | Value::Number(_)) => format!("write [{written}]"),
            (Shape::List(_), Value::Object(_)) => "begin each item with a dash".to_owned(),
            (Shape::Object(_) | Shape::Map(..), Value::Array(_)) => "leave out the dashes".to_owned(),
            (Shape::Object(object), _) => {
                let names: Vec<_> = object.fields.iter().map(Field::name).collect();
                format!("its fields are {}", names.join(", "))
            }
            _ => String::new(),
        }
    }
}

/// What stands for an item that was wrong.
fn nothing(shape: &Shape) -> Value {
    match shape {
        Shape::Text => "".into(),
        Shape::Flag => false.into(),
        Shape::Integer(_) | Shape::Quantity => 0.into(),
        Shape::Words(words) => words.first().map_or(Value::Null, |word| word.word.into()),
        Shape::List(_) => Value::Array(Vec::new()),
        Shape::Map(..) | Shape::Object(_) => Value::Object(Map::new()),
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text => "a text".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Integer(None) => "a whole number".to_owned(),
        Shape::Integer(Some(least)) => format!("a whole number, {least} or more"),
        Shape::Quantity => "a quantity, such as 500m or 4Gi".to_owned(),
        Shape::Words(words) => {
            format!("one of {}", words.iter().map(|word| word.word).collect::<Vec<_>>().join(", "))
        }
        Shape::List(_) => "a list".to_owned(),
        Shape::Map(..) | Shape::Object(_) => "a mapping".to_owned(),
    }
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// What a field is for: the first sentence of its description.
fn purpose(field: &Field) -> String {
    let text = shape::text(field.doc);
    text.split_inclusive(". ").next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
}

fn one_of<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let list = known.clone().collect::<Vec<_>>().join(", ");
    match closest(wrong, known) {
        Some(word) => format!("did you mean {word}? Known are {list}"),
        None => format!("known are {list}"),
    }
}

fn field_help(wrong: &str, object: &Object, names: &[String], meant: Option<&str>) -> String {
    if let Some(name) = meant {
        return format!("did you mean {name}?");
    }
    for field in object.fields {
        if let Shape::Object(inner) = field.shape
            && inner.field(wrong).is_some()
        {
            return format!("did you mean {}.{wrong}?", field.name());
        }
    }
    format!("known here are {}", names.join(", "))
}

/// The usual slips: a space, small letters, a B for bytes, commas.
fn quantity_help(text: &str) -> String {
    let tight: String = text.chars().filter(|c| !matches!(c, ' ' | ',' | '_')).collect();
    let digits = tight.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(tight.len());
    let (number, unit) = tight.split_at(digits);
    let unit = unit.trim_end_matches(['B', 'b']);
    let known = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "k", "M", "G", "T"];
    let unit = known.into_iter().find(|known| known.eq_ignore_ascii_case(unit)).unwrap_or(unit);
    let candidate = format!("{number}{unit}");
    match candidate.parse::<crate::Quantity>() {
        Ok(_) if !number.is_empty() => format!("did you mean {candidate}?"),
        _ => "a number and n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or nothing, such as 500m or 4Gi"
            .to_owned(),
    }
}

//! What holds for any value, layout and edit.

use datalab_yaml::{Document, Editor, Map, Path, Segment, Value, emit, split};
use proptest::prelude::*;
use serde_json::json;

mod equality;
use equality::same;

/// Strings that some reader takes for something else, or that need escapes.
const TRICKY: &[&str] = &[
    "",
    " ",
    "y",
    "No",
    "on",
    "true",
    "null",
    "~",
    "1",
    "0755",
    "1_000",
    "1e3",
    "0x1F",
    ".5",
    ".inf",
    "12:30:45",
    "2024-01-01",
    "-",
    "- a",
    "?",
    ":",
    "a: b",
    "a #b",
    "#",
    "&x",
    "*x",
    "!t",
    "|",
    ">",
    "%",
    "@",
    "`",
    "{",
    "}",
    "[a",
    "a,b",
    "'",
    "\"",
    "it's",
    "\\",
    "\\/",
    "a\\nb",
    "a\nb",
    "a\n",
    "a\n\n",
    "\na",
    " a",
    "a ",
    "a\n b\n",
    "\ta",
    "a\tb",
    "\r",
    "a\r\nb",
    "\u{85}",
    "\u{2028}",
    "\u{feff}a",
    "\0",
    "\u{7f}",
    "é",
    "日本",
    "😀",
    "<<",
    "=",
    "---",
    "--- a",
    "...",
    "app.kubernetes.io/name",
    "quay.io/a/b:1.2",
    "{{ .x }}",
    "a\n---\nb\n",
    "x\n\n\ny",
];

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,6}",
        3 => prop::sample::select(TRICKY).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        string().prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((string(), inner.clone()), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            prop::collection::vec((string(), inner), 1..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn read(text: &str) -> Result<Value, TestCaseError> {
    let value = Document::parse(text).and_then(|document| document.value());
    value.map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))
}

/// Writes values in a layout that a row of bytes chooses.
struct Writer<'c> {
    choices: &'c [u8],
    newline: &'static str,
    out: String,
    /// Where a block scalar ended to which blank lines would belong.
    kept: usize,
}

impl Writer<'_> {
    fn choose(&mut self, n: u8) -> u8 {
        let Some((&first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        first % n
    }

    fn push(&mut self, options: &[&str]) {
        let option = usize::from(self.choose(u8::MAX)) % options.len();
        self.out.push_str(options[option]);
    }

    fn document(mut self, value: &Value) -> String {
        let ended = self.choose(4) > 0;
        if self.choose(5) == 1 {
            self.out.push_str("# first\n\n");
        }
        self.block(value, 0);
        let mut text = self.out.trim_end_matches('\n').to_owned();
        // Block scalars at the end need their break; it is kept for all.
        if ended || text.contains(['|', '>']) {
            text = self.out;
        }
        text.replace('\n', self.newline)
    }

    fn comment(&mut self, column: usize) {
        match self.choose(8) {
            1 => {
                self.out.push_str(&" ".repeat(column));
                self.out.push_str("# a comment: with 'quotes\"\n");
            }
            2 if self.out.len() != self.kept => self.out.push('\n'),
            _ => {}
        }
    }

    /// Ends the line of a value.
    fn end(&mut self) {
        self.push(&["\n", " # here\n", "  \n", "\n"]);
    }

    /// From the current place of a line on; ends the line.
    fn block(&mut self, value: &Value, column: usize) {
        let flow = self.choose(5) == 1;
        self.lay_out(value, column, flow);
    }

    fn lay_out(&mut self, value: &Value, column: usize, flow: bool) {
        match value {
            Value::Object(map) if !map.is_empty() && !flow => {
                for (i, (key, value)) in map.iter().enumerate() {
                    if i > 0 {
                        self.comment(column);
                        self.out.push_str(&" ".repeat(column));
                    }
                    self.entry(key, value, column);
                }
            }
            Value::Array(items) if !items.is_empty() && !flow => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.comment(column);
                        self.out.push_str(&" ".repeat(column));
                    }
                    if item.is_null() && self.choose(2) == 1 {
                        self.out.push('-');
                        self.end();
                        continue;
                    }
                    let spaces = 1 + usize::from(self.choose(2)) * 2;
                    self.out.push('-');
                    self.out.push_str(&" ".repeat(spaces));
                    self.block(item, column + 1 + spaces);
                }
            }
            // A string over several lines needs to be indented, at the root too.
            Value::String(string) if self.literal(string, column.max(1) + 1) => {}
            _ => {
                self.flow(value);
                self.end();
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Value, column: usize) {
        let explicit = self.choose(12) == 1;
        if explicit {
            self.out.push_str("? ");
            self.scalar(key);
            self.end();
            self.out.push_str(&" ".repeat(column));
        } else {
            self.scalar(key);
        }
        self.out.push(':');
        match value {
            Value::Null if self.choose(2) == 1 => self.end(),
            Value::Object(map) if !map.is_empty() && self.choose(4) != 1 => {
                let step = 1 + usize::from(self.choose(4));
                self.below(value, column + step);
            }
            Value::Array(items) if !items.is_empty() && self.choose(4) != 1 => {
                let step = usize::from(self.choose(3)) * 2;
                self.below(value, column + step);
            }
            Value::Object(_) | Value::Array(_) => {
                self.out.push(' ');
                self.flow(value);
                self.end();
            }
            Value::String(string) => {
                self.out.push(' ');
                if !self.literal(string, column + 2) {
                    self.scalar(string);
                    self.end();
                }
            }
            _ => {
                self.push(&[" ", " ", "    "]);
                self.flow(value);
                self.end();
            }
        }
    }

    /// On lines below a key, always in block style.
    fn below(&mut self, value: &Value, column: usize) {
        self.end();
        self.comment(column);
        self.out.push_str(&" ".repeat(column));
        self.lay_out(value, column, false);
    }

    fn literal(&mut self, string: &str, column: usize) -> bool {
        let plain = string.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
        let trimmed = string.trim_end_matches('\n');
        if !plain || trimmed.is_empty() || trimmed.starts_with([' ', '\n']) || self.choose(3) != 1 {
            return false;
        }
        self.out.push('|');
        self.out.push_str(match string.len() - trimmed.len() {
            0 => "-",
            1 => "",
            _ => "+",
        });
        self.out.push('\n');
        for line in string.strip_suffix('\n').unwrap_or(string).split('\n') {
            if !line.is_empty() {
                self.out.push_str(&" ".repeat(column));
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
        self.kept = self.out.len();
        true
    }

    fn flow(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                self.out.push('[');
                for (i, item) in items.iter().enumerate() {
                    self.out.push_str(if i > 0 { ", " } else { "" });
                    self.flow(item);
                }
                self.push(if items.is_empty() { &["]"] } else { &["]", " , ]", " ]"] });
            }
            Value::Object(map) => {
                self.out.push('{');
                for (i, (key, value)) in map.iter().enumerate() {
                    self.out.push_str(if i > 0 { "," } else { "" });
                    self.push(&["", " "]);
                    self.scalar(key);
                    if value.is_null() && self.choose(3) == 1 {
                        continue;
                    }
                    self.out.push_str(": ");
                    if !(value.is_null() && self.choose(3) == 1) {
                        self.flow(value);
                    }
                }
                self.push(&["}", " }"]);
            }
            Value::String(string) => self.scalar(string),
            Value::Number(number) => self.out.push_str(emit(&json!(number)).trim_end()),
            _ => self.out.push_str(&value.to_string()),
        }
    }

    fn scalar(&mut self, string: &str) {
        let word = !string.is_empty() && string.bytes().all(|b| b.is_ascii_lowercase());
        let line = string.chars().all(|c| (' '..='~').contains(&c));
        match self.choose(3) {
            1 if word && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&string) => {
                self.out.push_str(string);
            }
            2 if line => self.out.extend(["'", &string.replace('\'', "''"), "'"]),
            _ => {
                let quoted = emit(&json!(string));
                self.out.push_str(quoted.trim_end_matches('\n'));
            }
        }
    }
}

fn write(value: &Value, choices: &[u8]) -> String {
    let mut writer = Writer { choices, newline: "\n", out: String::new(), kept: 0 };
    writer.newline = if writer.choose(4) == 1 { "\r\n" } else { "\n" };
    writer.document(value)
}

/// A path that exists, or one step beyond.
fn pick(value: &Value, choices: &[u8]) -> Path {
    let mut path = Path::ROOT;
    let mut value = value;
    for &choice in choices {
        let choice = usize::from(choice);
        let next = match value {
            Value::Object(map) if !map.is_empty() => {
                let (key, next) = map.iter().nth(choice % map.len()).expect("in range");
                path = path.join(key.as_str());
                next
            }
            Value::Array(items) if !items.is_empty() => {
                path = path.join(choice % items.len());
                &items[choice % items.len()]
            }
            _ => break,
        };
        value = next;
    }
    path
}

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<u8>, Value),
    Add(Vec<u8>, String, Value),
    Append(Vec<u8>, Value),
    Remove(Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || prop::collection::vec(any::<u8>(), 0..5);
    prop_oneof![
        (at(), value()).prop_map(|(at, value)| Change::Set(at, value)),
        (at(), string(), value()).prop_map(|(at, key, value)| Change::Add(at, key, value)),
        (at(), value()).prop_map(|(at, value)| Change::Append(at, value)),
        at().prop_map(Change::Remove),
    ]
}

fn perform(editor: &mut Editor, change: Change) {
    let is_collection = |value: Option<&Value>| matches!(value, Some(Value::Object(_) | Value::Array(_)));
    match change {
        Change::Set(at, value) => editor.set(&pick(editor.value(), &at), value),
        Change::Add(at, key, value) => {
            let path = pick(editor.value(), &at);
            if !is_collection(editor.get(&path)) || editor.get(&path).is_some_and(Value::is_object) {
                editor.set(&path.join(key), value);
            }
        }
        Change::Append(at, value) => {
            let path = pick(editor.value(), &at);
            if editor.get(&path).is_some_and(Value::is_array) {
                editor.append(&path, value);
            }
        }
        Change::Remove(at) => editor.remove(&pick(editor.value(), &at)),
    }
}

#[test]
fn depth_does_not_exhaust_the_stack() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let text = format!("a: {}\nb: 1\n", nested(511));
    let document = Document::parse(&text).expect("parses");
    let mut editor = Editor::new(document.value().expect("has a value"));
    editor.set(&Path::ROOT.join("b"), json!(2));
    assert_eq!(document.apply(editor.edits()), Ok(text.replace("b: 1", "b: 2")));
    assert!(Document::parse(&nested(513)).is_err());
    let chain: Vec<String> = (1..1000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    let chain = format!("a0: &a0 []\n{}", chain.concat());
    assert!(Document::parse(&chain).expect("parses").value().is_err());
}

proptest! {

    #[test]
    fn what_is_emitted_reads_the_same(value in value()) {
        let text = emit(&value);
        prop_assert!(text.ends_with('\n'));
        prop_assert!(same(&read(&text)?, &value), "{text}");
    }

    #[test]
    fn edits_recorded_are_edits_made(value in value(), changes in prop::collection::vec(change(), 0..8)) {
        let mut editor = Editor::new(value.clone());
        for change in changes {
            perform(&mut editor, change);
        }
        let (wanted, edits) = editor.finish();
        let mut found = value;
        prop_assert!(datalab_yaml::apply_to(&mut found, &edits).is_ok());
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn edits_splice(
        value in value(),
        layout in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec(change(), 0..5),
    ) {
        let text = write(&value, &layout);
        let document = Document::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let read = document.value().unwrap_or_else(|e| panic!("{e}\n{text}"));
        prop_assert!(same(&read, &value), "{}\n{} {}", text, read, value);

        let mut editor = Editor::new(read);
        for change in changes {
            perform(&mut editor, change);
        }
        let (wanted, edits) = editor.finish();
        let edited = document.apply(&edits).unwrap_or_else(|e| panic!("{e}\n{text}\n{edits:?}"));
        prop_assert!(same(&self::read(&edited)?, &wanted));
        if edits.is_empty() {
            prop_assert_eq!(&edited, &text);
        }
        // Entries that no edit concerns keep their bytes.
        let concerned = |key: &str| {
            edits.iter().any(|edit| match edit.path.segments().first() {
                Some(Segment::Key(first)) => first == key,
                _ => true,
            })
        };
        for key in document.value().ok().as_ref().and_then(Value::as_object).unwrap_or(&Map::new()).keys() {
            let path = Path::ROOT.join(key.as_str());
            if let (false, Some(from), Some(to)) = (concerned(key), document.key_span(&path), document.span(&path)) {
                prop_assert!(edited.contains(&text[from.start..to.end]), "{}\nin\n{}", &text[from.start..to.end], edited);
            }
        }
        if let Ok(pieces) = split(&edited) {
            prop_assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), edited);
        }
    }
}

//! Whatever the text and the edits: the result means what it should, or there is an error.
#![no_main]

use datalab_yaml::{Document, Edit, Editor, Path, Value, apply_to};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Whether the edits go through an [`Editor`], or come as a caller without one might give them.
    recorded: bool,
    changes: Vec<Change<'a>>,
    text: &'a str,
}

#[derive(Arbitrary, Debug)]
struct Change<'a> {
    /// Which child to step to, again and again.
    steps: Vec<u8>,
    key: Option<&'a str>,
    op: Op<'a>,
}

#[derive(Arbitrary, Debug)]
enum Op<'a> {
    Text(&'a str),
    Number(i64),
    Null,
    Map(&'a str, &'a str),
    List(&'a str),
    Empty(bool),
    Append(&'a str),
    Remove,
}

fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| {
        // The scanner's own panics are caught; libFuzzer's hook would abort on them. Others still end the run.
        if !panic.location().is_some_and(|place| place.file().contains("libyaml-safer")) {
            eprintln!("{panic}");
        }
    })),
    |input: Input| {
        let Ok(document) = Document::parse(input.text) else { return };
        let Ok(value) = document.value() else { return };
        let mut editor = Editor::new(value.clone());
        let mut given = Vec::new();
        for change in &input.changes {
            let mut path = walk(editor.value(), &change.steps);
            if let Some(key) = change.key {
                path = path.join(key);
            }
            let op = match op(&change.op) {
                datalab_yaml::Op::Set(value) if input.recorded => {
                    editor.set(&path, value);
                    continue;
                }
                datalab_yaml::Op::Append(value) if input.recorded => {
                    editor.append(&path, value);
                    continue;
                }
                datalab_yaml::Op::Remove if input.recorded => {
                    editor.remove(&path);
                    continue;
                }
                op => op,
            };
            given.push(Edit { path, op });
        }
        let (wanted, edits) = if input.recorded {
            editor.finish()
        } else {
            let mut wanted = value.clone();
            if apply_to(&mut wanted, &given).is_err() {
                wanted = Value::Null;
            }
            (wanted, given)
        };
        let mut made = value;
        if input.recorded {
            apply_to(&mut made, &edits).expect("recorded edits fit");
            assert_eq!(made, wanted);
        }
        if let Ok(edited) = document.apply(&edits) {
            let found = Document::parse(&edited).and_then(|document| document.value()).expect("what is edited is read");
            assert!(same(&found, &wanted), "{found}\n{wanted}");
            if edits.is_empty() {
                assert_eq!(edited, input.text);
            }
        }
    }
);

fn op(op: &Op) -> datalab_yaml::Op {
    datalab_yaml::Op::Set(match *op {
        Op::Text(text) => json!(text),
        Op::Number(number) => json!(number),
        Op::Null => Value::Null,
        Op::Map(key, text) => json!({key: {"a": text}, "b": [text]}),
        Op::List(text) => json!([text, {"a": text}]),
        Op::Empty(list) => {
            if list {
                json!([])
            } else {
                json!({})
            }
        }
        Op::Append(text) => return datalab_yaml::Op::Append(json!({"a": text})),
        Op::Remove => return datalab_yaml::Op::Remove,
    })
}

fn walk(value: &Value, steps: &[u8]) -> Path {
    let mut path = Path::ROOT;
    let mut value = value;
    for &step in steps.iter().take(16) {
        let step = usize::from(step);
        value = match value {
            Value::Object(map) if !map.is_empty() => {
                let Some((key, value)) = map.iter().nth(step % map.len()) else { break };
                path = path.join(key.as_str());
                value
            }
            Value::Array(items) if !items.is_empty() => {
                path = path.join(step % items.len());
                &items[step % items.len()]
            }
            _ => break,
        };
    }
    path
}

/// Equality of JSON numbers by value: `1.0` is `1`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

//! Edits of awkward layouts: what the text is afterwards.

use datalab_yaml::{Document, Editor, Path, Value};
use insta::assert_snapshot;
use serde_json::json;

/// `a.b[0].c`; keys with dots are in brackets.
fn path(text: &str) -> Path {
    let mut path = Path::ROOT;
    for part in text.split('.').filter(|part| !part.is_empty()) {
        let (key, indices) = part.split_once('[').unwrap_or((part, ""));
        if !key.is_empty() {
            path = path.join(key);
        }
        for index in indices.split('[').filter(|index| !index.is_empty()) {
            path = path.join(index.trim_end_matches(']').parse::<usize>().expect("an index"));
        }
    }
    path
}

fn edit(text: &str, change: impl FnOnce(&mut Editor)) -> String {
    let document = Document::parse(text).expect("parses");
    let mut editor = Editor::new(document.value().expect("has a value"));
    change(&mut editor);
    match document.apply(editor.edits()) {
        Ok(text) => text,
        Err(e) => format!("error: {e}"),
    }
}

fn set(text: &str, at: &str, value: Value) -> String {
    edit(text, |e| e.set(&path(at), value))
}

#[test]
fn adds_to_a_block_map_behind_its_last_leaf() {
    assert_snapshot!(set("a:\n  b:\n    c: 1 # one\n\n# next\nd: 2\n", "a.b.x", json!("y")), @"");
}

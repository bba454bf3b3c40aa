//! The short way to a tree ends where the scanner's way does, or is not taken.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, panic};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datalab_yaml::{Document, Value, short_way_agrees, split};
use proptest::prelude::*;

/// Whether the short way was taken; never to another end.
fn is_taken(text: &str) -> bool {
    let agrees = short_way_agrees(text);
    assert_ne!(agrees, Some(false), "{text:?}");
    agrees.is_some()
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
}

/// The documents of real charts, and the values that hubs keep in Secrets.
static REAL: LazyLock<Vec<String>> = LazyLock::new(|| {
    let Some(root) = env::var_os("DATALAB_SHARED") else {
        eprintln!("SKIPPED: DATALAB_SHARED is not set, real documents are not tested");
        return Vec::new();
    };
    let mut files = Vec::new();
    yaml_files(&Path::new(&root).join("upstream"), &mut files);
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let stream = fs::read_to_string(&file).expect("UTF-8");
        for piece in split(&stream).expect("splits") {
            let body = &piece.text[piece.body];
            let value = Document::parse(body).and_then(|d| d.value()).unwrap_or_default();
            documents.push(body.to_owned());
            if let Some(Value::String(values)) = value.pointer("/data/values.yaml") {
                let values = BASE64_STANDARD.decode(values).unwrap_or_default();
                documents.extend(String::from_utf8(values));
            }
        }
    }
    documents
});

#[test]
fn real_documents_mostly_go_the_short_way() {
    let bytes: usize = REAL.iter().map(String::len).sum();
    let taken: usize = REAL.iter().filter(|text| is_taken(text)).map(String::len).sum();
    eprintln!("{taken} of {bytes} bytes");
    assert!(taken * 100 >= bytes * 99);
}

#[test]
fn every_case_of_the_reference_data() {
    let Some(root) = env::var_os("DATALAB_SHARED") else { return };
    let text = fs::read_to_string(Path::new(&root).join("yaml/cases.jsonl")).expect("readable");
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let taken = cases.filter(|case| is_taken(case["yaml"].as_str().expect("text"))).count();
    eprintln!("{taken} of {}", text.lines().count());
}

#[test]
fn a_first_character_like_a_byte_order_mark_is_left_to_the_scanner() {
    assert!(!is_taken("\u{faff}: 1\n"));
    assert!(is_taken("a: \u{faff}\n"));
}

/// Text that means something to YAML, mostly in the places where it does.
fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b",
        "0",
        "1",
        "~",
        "é",
        "a: ",
        "b: ",
        "a:",
        "- ",
        "-",
        "? ",
        "? a",
        ": ",
        ":",
        " #",
        "#",
        "# c\n",
        "\n",
        "\n",
        "\n ",
        "\n ",
        "\n  ",
        "\n  ",
        "\n   ",
        "\n    ",
        "\n\n",
        "\na: ",
        "\nb:",
        "\n- ",
        "\n  - ",
        "\n  a: ",
        "\n---",
        "\n...",
        "---\n",
        "%",
        "\n  \n",
        " ",
        "  ",
        "\t",
        "\r",
        "\r\n",
        "|",
        "|\n",
        "|\n ",
        "|\n  ",
        "|-\n  ",
        "|+\n  ",
        "|2\n  ",
        ">\n  ",
        ">-\n  ",
        ">+\n ",
        "'",
        "\"",
        "'a'",
        "'a\n  b'",
        "\"a\n b",
        "\"a\"",
        "''",
        "'a': ",
        "\"a\": ",
        "\"a\":",
        "\\",
        "\\n",
        "\\\"",
        "\\/",
        "\\x41",
        "\\u00e9",
        "\\ud800",
        "\\ ",
        "[",
        "]",
        "[a, b]",
        "[]",
        "{",
        "}",
        "{}",
        "{a: b}",
        "{\"a\":1}",
        ",",
        ", ",
        "&a ",
        "*a",
        "!t ",
        "!",
        "@",
        "`",
        "%",
        "<<: ",
        ">",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{faff}",
        "\u{7}",
        "\u{ffff}",
        "\u{7f}",
    ])
}

/// What a mutation does at a place of a text.
#[derive(Clone, Debug)]
enum Mutation {
    Insert(String),
    DeleteBytes(usize),
    DeleteLine,
    RepeatLine,
    Indent(String),
    Unindent,
    JoinLines,
    SwapLines,
    CutOff,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => fragment().prop_map(|text| Mutation::Insert(text.to_owned())),
        2 => (1..4_usize).prop_map(Mutation::DeleteBytes),
        1 => Just(Mutation::DeleteLine),
        1 => Just(Mutation::RepeatLine),
        2 => prop::sample::select(vec![" ", "  ", "\t", "- ", "#", "# ", "  - "]).prop_map(|s| Mutation::Indent(s.to_owned())),
        2 => Just(Mutation::Unindent),
        1 => Just(Mutation::JoinLines),
        1 => Just(Mutation::SwapLines),
        1 => Just(Mutation::CutOff),
    ]
}

/// The last boundary between characters up to here.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn mutate(text: &mut String, at: prop::sample::Index, mutation: &Mutation) {
    let at = floor(text, at.index(text.len() + 1));
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
    match mutation {
        Mutation::Insert(new) => text.insert_str(at, new),
        Mutation::DeleteBytes(n) => {
            let end = floor(text, (at + n).min(text.len()));
            text.replace_range(at..end.max(at), "");
        }
        Mutation::DeleteLine => text.replace_range(line..end, ""),
        Mutation::RepeatLine => {
            let again = text[line..end].to_owned();
            text.insert_str(line, &again);
        }
        Mutation::Indent(by) => text.insert_str(line, by),
        Mutation::Unindent => {
            let rest = &text[line..end];
            let spaces = rest.len() - rest.trim_start_matches([' ', '-']).len();
            text.replace_range(line..line + spaces.min(2), "");
        }
        Mutation::JoinLines => {
            if text[..end].ends_with('\n') {
                text.replace_range(end - 1..end, "");
            }
        }
        Mutation::SwapLines => {
            let moved = text[line..end].to_owned();
            text.replace_range(line..end, "");
            let next = text[line..].find('\n').map_or(text.len(), |n| line + n + 1);
            text.insert_str(next, &moved);
        }
        Mutation::CutOff => text.truncate(at),
    }
}

/// Some lines of a real document, with changes.
fn mutated() -> impl Strategy<Value = String> {
    let mutations = prop::collection::vec((any::<prop::sample::Index>(), mutation()), 0..4);
    let part = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..60_usize);
    (part, mutations).prop_map(|((document, from, lines), mutations)| {
        let mut text = String::new();
        if !REAL.is_empty() {
            let document = document.get(&REAL);
            let count = document.split_inclusive('\n').count();
            let skip = if lines % 2 == 0 { 0 } else { from.index(count.max(1)) };
            // Unindented, so that the part alone is a document.
            let part = document.split_inclusive('\n').skip(skip).take(lines);
            let indent =
                part.clone().next().map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
            for line in part {
                text.push_str(
                    line.get(indent.min(line.len() - line.trim_start_matches(' ').len())..).unwrap_or(line),
                );
            }
        }
        for (at, mutation) in &mutations {
            mutate(&mut text, *at, mutation);
        }
        text
    })
}

/// The scanner's panics are caught, and no news.
fn silence() {
    panic::set_hook(Box::new(|panic| {
        if !panic.location().is_some_and(|place| place.file().contains("libyaml-safer")) {
            eprintln!("{panic}");
        }
    }));
}

proptest! {
    #[test]
    fn small_texts(fragments in prop::collection::vec(fragment(), 0..14)) {
        silence();
        is_taken(&fragments.concat());
    }

    #[test]
    fn small_noise(text in r#"[a :#\-?|>'"{}\[\],&*!%@\\`~\t\n01]{0,14}"#) {
        silence();
        is_taken(&text);
    }

    #[test]
    fn changed_real_documents(text in mutated()) {
        silence();
        is_taken(&text);
    }
}

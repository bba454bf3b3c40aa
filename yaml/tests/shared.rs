//! The reference data: what Go's readers make of tricky texts, and real charts.

use std::path::{Path, PathBuf};
use std::{env, fs};

use datalab_yaml::{Document, Editor, Value, split};
use serde_json::json;

mod equality;
use equality::same;

/// A file or folder of the reference data, which lies outside of the repository.
fn shared(name: &str) -> Option<PathBuf> {
    let Some(root) = env::var_os("DATALAB_SHARED") else {
        eprintln!("SKIPPED: DATALAB_SHARED is not set, {name} is not tested");
        return None;
    };
    let path = Path::new(&root).join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(path)
}

fn lines(name: &str) -> Vec<Value> {
    let Some(path) = shared(name) else { return Vec::new() };
    let text = fs::read_to_string(path).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
}

/// JSON of any depth; `serde_json` stops at 128.
fn json(text: &str) -> Value {
    let nested = text.len() - text.trim_start_matches('[').len();
    let (inner, nested) = if nested > 100 { (&text[nested..text.len() - nested], nested) } else { (text, 0) };
    let inner = if inner.is_empty() { None } else { Some(serde_json::from_str(inner).expect("JSON")) };
    let innermost = inner.unwrap_or(Value::Array(Vec::new()));
    let around = if nested > 0 && innermost == Value::Array(Vec::new()) { nested - 1 } else { nested };
    (0..around).fold(innermost, |value, _| Value::Array(vec![value]))
}

fn read(text: &str) -> Result<Value, String> {
    Document::parse(text).and_then(|document| document.value()).map_err(|e| e.to_string())
}

/// Read by Go, refused here, with the reason. Nothing else may differ.
const REFUSED: &[(&str, &str)] =
    &[("bom-mid-document", "whether the mark belongs to the key depends on Go's buffer")];

#[test]
fn values_are_those_of_go() {
    let mut wrong = Vec::new();
    for case in lines("yaml/cases.jsonl") {
        let name = case["name"].as_str().expect("a name");
        let found = read(case["yaml"].as_str().expect("a text"));
        let wanted = case["json"].as_str().map(json);
        let right = match (&found, &wanted) {
            (Ok(found), Some(wanted)) => same(found, wanted),
            (Err(_), None) => true,
            (Err(_), Some(_)) => REFUSED.iter().any(|(refused, _)| *refused == name),
            (Ok(_), None) => false,
        };
        if !right {
            wrong.push(format!("{name}: {found:?}, Go: {wanted:?} {}", case["error"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Refused although readers agree: all of them drop a document.
const DROPPED: &str = "doc-end-marker-no-start";

/// Where readers differ in what does not matter to a stream, or only in what comes after the split.
const SPLIT_ALL_THE_SAME: &[(&str, &str)] = &[
    ("literal-no-final-newline", "only the API's tools add the line break"),
    ("list-kind", "Helm 4 unwraps lists; as documents they are one"),
    ("anchors-across-docs", "the second document does not parse, and says so"),
];

#[test]
fn splits_are_those_of_all_readers() {
    let mut wrong = Vec::new();
    for case in lines("yaml/splits.jsonl") {
        let name = case["name"].as_str().expect("a name");
        let stream = case["yaml"].as_str().expect("a text");
        let pieces = split(stream);
        if let Ok(pieces) = &pieces {
            assert_eq!(pieces.iter().map(|p| p.text).collect::<String>(), stream, "{name}");
            for piece in pieces {
                assert!(stream[piece.offset..].starts_with(piece.text), "{name}");
            }
        }
        if SPLIT_ALL_THE_SAME.iter().any(|(same, _)| *same == name) {
            assert!(pieces.is_ok(), "{name}");
            continue;
        }
        if name == DROPPED {
            assert!(pieces.is_err(), "{name}");
            continue;
        }
        let texts = |texts: &Value| -> Option<Vec<Value>> {
            let texts = texts.as_array()?.iter().map(|text| read(text.as_str()?).ok());
            Some(texts.collect::<Option<Vec<_>>>()?.into_iter().filter(|value| !value.is_null()).collect())
        };
        let json = |texts: &Value| -> Vec<Value> {
            let texts = texts
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|text| !text.is_empty());
            texts.map(|text| serde_json::from_str(text).expect("JSON")).collect()
        };
        let found = pieces.as_ref().ok().and_then(|pieces| {
            let values = pieces.iter().map(|piece| read(&piece.text[piece.body.clone()]).ok());
            Some(values.collect::<Option<Vec<_>>>()?.into_iter().filter(|v| !v.is_null()).collect::<Vec<_>>())
        });
        let api = case["apimachinery"]["error"].is_null().then(|| json(&case["apimachinery"]["docs"]));
        let kio = case["kio"]["error"].is_null().then(|| texts(&case["kio"]["docs"])).flatten();
        let helm4 = texts(&case["helm4"]);
        // Helm 3 also trims what ends a document, such as the last lines of a `|+`.
        let helm3 = texts(&case["helm3"]).map(|docs| docs.len());
        let agree = api.is_some() && api == kio && api == helm4 && api.as_ref().map(Vec::len) == helm3;
        if agree && found != api {
            wrong.push(format!("{name}: {found:?} {pieces:?}, all: {api:?}"));
        } else if !agree && pieces.is_ok() {
            wrong.push(format!(
                "{name}: accepted, but readers differ:\n  {api:?}\n  {kio:?}\n  {helm4:?}\n {helm3:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn real_charts_split_and_parse() {
    let Some(folder) = shared("upstream") else { return };
    let mut files = Vec::new();
    yaml_files(&folder, &mut files);
    assert!(!files.is_empty());
    for file in files {
        let stream = fs::read_to_string(&file).expect("readable");
        let pieces = split(&stream).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(pieces.iter().map(|p| p.text).collect::<String>(), stream, "{}", file.display());
        for piece in pieces {
            let body = &piece.text[piece.body.clone()];
            if let Err(e) = read(body) {
                panic!("{} from byte {}: {e}", file.display(), piece.offset);
            }
        }
    }
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or(0)
    }

    /// A node of a value.
    fn pick(&mut self, value: &Value) -> datalab_yaml::Path {
        let mut path = datalab_yaml::Path::ROOT;
        let mut value = value;
        while self.roll(6) > 0 {
            value = match value {
                Value::Object(map) if !map.is_empty() => {
                    let (key, value) = map.iter().nth(self.roll(map.len())).expect("in range");
                    path = path.join(key.as_str());
                    value
                }
                Value::Array(items) if !items.is_empty() => {
                    let index = self.roll(items.len());
                    path = path.join(index);
                    &items[index]
                }
                _ => break,
            };
        }
        path
    }

    fn edit(&mut self, editor: &mut Editor) {
        let path = self.pick(editor.value());
        let new = match self.roll(5) {
            0 => json!("text"),
            1 => json!("0755\nyes"),
            2 => json!({"a": {"b": [1, {"c": "d"}]}, "e": []}),
            3 => json!(["a", ["b"], {"c": null}]),
            _ => json!(7),
        };
        match (self.roll(4), editor.get(&path)) {
            (0, _) if path != datalab_yaml::Path::ROOT => editor.remove(&path),
            (1, Some(Value::Object(_))) => editor.set(&path.join("datalab.dev/new"), new),
            (1 | 2, Some(Value::Array(_))) => editor.append(&path, new),
            _ => editor.set(&path, new),
        }
    }
}

/// All documents of the real charts but the largest.
fn documents() -> Vec<String> {
    let Some(folder) = shared("upstream") else { return Vec::new() };
    let mut files = Vec::new();
    yaml_files(&folder, &mut files);
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let stream = fs::read_to_string(&file).expect("readable");
        let pieces = split(&stream).expect("splits");
        documents
            .extend(pieces.iter().map(|p| p.text[p.body.clone()].to_owned()).filter(|d| d.len() < 20_000));
    }
    documents
}

#[test]
fn real_documents_take_any_edit() {
    let mut dice = Dice(0x5eed);
    for text in documents() {
        let document = Document::parse(&text).expect("parses");
        for _ in 0..4 {
            let mut editor = Editor::new(document.value().expect("has a value"));
            for _ in 0..=dice.roll(4) {
                dice.edit(&mut editor);
            }
            let (wanted, edits) = editor.finish();
            let edited = document.apply(&edits).unwrap_or_else(|e| panic!("{e}\n{edits:#?}\n{text}"));
            assert!(same(&read(&edited).expect("is read"), &wanted), "{edits:#?}\n{edited}");
        }
    }
}

#[test]
fn additions_leave_all_lines_of_real_documents() {
    let mut dice = Dice(0xadd);
    for text in documents() {
        let document = Document::parse(&text).expect("parses");
        let mut editor = Editor::new(document.value().expect("has a value"));
        let path = dice.pick(editor.value());
        let in_block = document.span(&path).is_some_and(|span| !text[span].starts_with(['{', '[']));
        match editor.get(&path) {
            Some(Value::Object(_)) if in_block => {
                editor.set(&path.join("datalab.dev/new"), json!({"a": ["b"]}));
            }
            Some(Value::Array(_)) if in_block => editor.append(&path, json!({"a": ["b"]})),
            _ => continue,
        }
        let edited = document.apply(editor.edits()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let mut lines = edited.lines();
        assert!(text.lines().all(|line| lines.any(|edited| edited == line)), "{path}\n{edited}");
    }
}

#[test]
fn mutated_real_documents_never_panic() {
    let mut dice = Dice(0xf00d);
    let tokens = [
        "- ", ": ", "? ", "&a ", "*a", "!!str ", "<<: ", "{", "}", "[", "]", ",", "\"", "'", "|", ">", "#",
        "\n", "\r\n", "  ", "\t", "---\n", "...\n", "%", "\u{feff}", "\u{2028}", "é", "\0", "\\", "|2\n",
    ];
    let mut refused = 0;
    for mut text in documents().into_iter().filter(|text| text.len() < 3000) {
        for _ in 0..=dice.roll(4) {
            let mut at = dice.roll(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match dice.roll(3) {
                0 => text.truncate(at),
                _ => text.insert_str(at, tokens[dice.roll(tokens.len())]),
            }
        }
        let _ = split(&text);
        let Ok(document) = Document::parse(&text) else { continue };
        let Ok(value) = document.value() else { continue };
        let mut editor = Editor::new(value);
        dice.edit(&mut editor);
        match document.apply(editor.edits()) {
            Ok(edited) => assert!(same(&read(&edited).expect("is read"), editor.value()), "{text}\n{edited}"),
            Err(e) if e.message.contains("when the result was checked") => {
                refused += 1;
                eprintln!("{e}\n{:?}\n{text}\n", editor.edits());
            }
            Err(_) => {}
        }
    }
    // What the check after splicing catches is safe, and should stay rare.
    assert!(refused <= 3, "{refused} edits were caught by the check");
}

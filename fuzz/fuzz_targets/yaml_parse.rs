//! Whatever the text: splitting and reading never panic, and what is read can be written and read again.
#![no_main]

use datalab_yaml::{Document, Path, Value, emit, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| {
        // The scanner's own panics are caught; libFuzzer's hook would abort on them. Others still end the run.
        if !panic.location().is_some_and(|place| place.file().contains("libyaml-safer")) {
            eprintln!("{panic}");
        }
    })),
    |text: &str| {
        if let Ok(pieces) = split(text) {
            assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), text);
            for piece in pieces {
                assert!(text[piece.offset..].starts_with(piece.text));
                read(&piece.text[piece.body.clone()]);
            }
        }
        read(text);
    }
);

fn read(text: &str) {
    let Ok(document) = Document::parse(text) else { return };
    let Ok(value) = document.value() else { return };
    spans(&document, &Path::ROOT, &value);
    document.duplicate_keys();

    let emitted = emit(&value);
    let again = Document::parse(&emitted).and_then(|document| document.value()).expect("what is emitted is read");
    // Through text, as `1.0` is `1`.
    assert_eq!(emit(&again), emitted);
}

fn spans(document: &Document, path: &Path, value: &Value) {
    if let Some(span) = document.span(path) {
        let _ = &document.text()[span.clone()];
        assert_eq!(document.location(span.start).offset, span.start);
    }
    let below: Vec<(Path, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (path.join(key.as_str()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (path.join(i), value)).collect(),
        _ => Vec::new(),
    };
    // Enough to meet every kind of node, and no more: a path is looked up from the root.
    for (path, value) in below.iter().take(4) {
        if path.segments().len() < 8 {
            spans(document, path, value);
        }
    }
}

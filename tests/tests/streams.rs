//! What the post-renderer does to whole streams: nothing but what the policy asks for, once, in any style of YAML.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::DataLab;
use datalab_tests::shared::{self, Stream};
use datalab_tests::{meaning, policies};
use datalab_yaml::{Document, Map, Path, Value, split};

/// Every stream that has a policy.
fn cases() -> Result<Vec<(Stream, DataLab)>> {
    let mut cases = Vec::new();
    for stream in shared::streams()? {
        let path = policies::for_stream(&stream)?;
        let text = std::fs::read_to_string(&path)?;
        let parsed = DataLab::parse(&path.display().to_string(), &text)
            .map_err(|errors| anyhow::anyhow!("{errors}"))?;
        cases.push((stream, parsed.policy));
    }
    ensure!(shared::dir().is_none() || !cases.is_empty(), "the shared folder holds no streams");
    Ok(cases)
}

fn render(policy: &DataLab, stream: &str) -> Result<String> {
    Ok(datalab_postrender::render(policy, stream)?.output)
}

/// The documents of a stream: text, and value (null where there is none).
fn documents(stream: &str) -> Result<Vec<(&str, Value)>> {
    split(stream)?
        .into_iter()
        .map(|piece| {
            let body = &piece.text[piece.body.clone()];
            Ok((piece.text, Document::parse(body)?.value()?))
        })
        .collect()
}

/// Paths at which two values differ, as deep as possible.
fn differences(before: &Value, after: &Value, at: &Path, found: &mut Vec<Path>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                differences(&side(before), &side(after), &at.join(key.as_str()), found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() <= after.len() => {
            for (i, after) in after.iter().enumerate() {
                differences(before.get(i).unwrap_or(&Value::Null), after, &at.join(i), found);
            }
        }
        _ => found.push(at.clone()),
    }
}

/// Lines, by number, that a change of these paths may take away: those of the value that stood there, and of a flow collection,
/// an empty value or a list's end above it.
fn lines_in_the_way(text: &str, paths: &[Path]) -> Result<Vec<usize>> {
    let document = Document::parse(text)?;
    let mut lines = Vec::new();
    for path in paths {
        let mut nearest = path.clone();
        let span = loop {
            if let Some(span) = document.span(&nearest) {
                break span;
            }
            match nearest.split_last() {
                Some((above, _)) => nearest = above,
                None => break 0..0,
            }
        };
        let inside = &text[span.clone()];
        let flow = inside.starts_with(['{', '[']);
        let first = document.location(document.key_span(&nearest).map_or(span.start, |key| key.start)).line;
        let last = document.location(span.end).line;
        if nearest == *path || flow || inside.trim().is_empty() {
            lines.extend(first..=last);
        }
    }
    Ok(lines)
}

#[test]
fn only_lines_that_must_change_do() -> Result<()> {
    for (stream, policy) in cases()? {
        let after = render(&policy, &stream.text).with_context(|| stream.name.clone())?;
        let (before, after) = (documents(&stream.text)?, documents(&after)?);
        ensure!(before.len() <= after.len(), "{}: documents are lost", stream.name);
        for ((before, old), (after, new)) in before.iter().zip(&after) {
            if old == new {
                ensure!(before == after, "{}: changed without need:\n{before}", stream.name);
                continue;
            }
            let mut paths = Vec::new();
            differences(old, new, &Path::ROOT, &mut paths);
            let piece = &split(before)?[0];
            let body = &before[piece.body.clone()];
            let may_go = lines_in_the_way(body, &paths)?;
            let kept: Vec<&str> = body
                .lines()
                .enumerate()
                .filter(|(i, _)| !may_go.contains(&(i + 1)))
                .map(|(_, line)| line)
                .collect();
            let mut rest = after.lines();
            for line in kept {
                ensure!(
                    rest.any(|other| other == line),
                    "{}: {} {} lost or moved the line {line:?}; changed are {}",
                    stream.name,
                    old["kind"],
                    old["metadata"]["name"],
                    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_second_pass_changes_nothing() -> Result<()> {
    for (stream, policy) in cases()? {
        let once = render(&policy, &stream.text).with_context(|| stream.name.clone())?;
        let twice =
            datalab_postrender::render(&policy, &once).with_context(|| format!("{}, twice", stream.name))?;
        let titles: Vec<_> = twice.changes.iter().map(|change| change.title.as_str()).collect();
        ensure!(
            titles.is_empty() && once == twice.output,
            "{}: {} changed again",
            stream.name,
            titles.join(", ")
        );
    }
    Ok(())
}

/// A first policy says what the hub's values say already, so the hub's placement and profiles stay as they are.
#[test]
fn a_first_policy_fits_the_hub_that_it_was_read_from() -> Result<()> {
    for stream in shared::streams()? {
        let Some((values, facts)) = datalab_postrender::hub_values(&stream.text)? else { continue };
        let text = datalab_policy::init(&values, stream.case(), Some(&facts.namespace));
        let parsed = DataLab::parse("datalab.yaml", &text)
            .map_err(|e| anyhow::anyhow!("{}: {e}\n{text}", stream.name))?;
        let rendered = datalab_postrender::render(&parsed.policy, &stream.text)
            .with_context(|| format!("{}\n{text}", stream.name))?;
        ensure!(
            render(&parsed.policy, &rendered.output)? == rendered.output,
            "{}: a second pass changes it",
            stream.name
        );
        let (after, _) = datalab_postrender::hub_values(&rendered.output)?.context("no hub")?;
        for part in ["nodeSelector", "extraTolerations", "extraEnv", "image"] {
            ensure!(
                values["singleuser"][part] == after["singleuser"][part],
                "{}: singleuser.{part}",
                stream.name
            );
        }
    }
    Ok(())
}

/// Helm's reader sees what ours saw, and so what was meant: edits are applied to values, too, and compared.
#[test]
fn helm_reads_the_expected_objects() -> Result<()> {
    for (stream, policy) in cases()? {
        let after = render(&policy, &stream.text)?;
        let documents = documents(&after)?;
        let pieces = split(&after)?;
        let texts = pieces.iter().map(|piece| &piece.text[piece.body.clone()]);
        let Some(read) = meaning::of_texts(texts)? else { return Ok(()) };
        for ((_, ours), helms) in documents.iter().zip(read) {
            let helms: Value = serde_json::from_str(&helms.map_err(anyhow::Error::msg)?)?;
            ensure!(
                *ours == helms,
                "{}: Helm reads another {} {}",
                stream.name,
                ours["kind"],
                ours["metadata"]["name"]
            );
        }
    }
    Ok(())
}

/// One way to lay out YAML.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Clone, Copy, Debug)]
struct Style {
    indent: usize,
    /// From this depth on, `{a: b}`.
    flow_from: usize,
    quotes: char,
    crlf: bool,
    comments: bool,
    reversed: bool,
    indented_lists: bool,
}

const STYLES: [Style; 4] = [
    Style {
        indent: 4,
        flow_from: 9,
        quotes: '"',
        crlf: false,
        comments: true,
        reversed: true,
        indented_lists: true,
    },
    Style {
        indent: 2,
        flow_from: 3,
        quotes: '\'',
        crlf: true,
        comments: true,
        reversed: false,
        indented_lists: false,
    },
    Style {
        indent: 3,
        flow_from: 5,
        quotes: '"',
        crlf: true,
        comments: false,
        reversed: true,
        indented_lists: false,
    },
    Style {
        indent: 1,
        flow_from: 0,
        quotes: '"',
        crlf: false,
        comments: false,
        reversed: false,
        indented_lists: true,
    },
];

impl Style {
    fn document(self, value: &Value) -> String {
        let mut out = String::new();
        self.block(value, 0, 0, &mut out);
        if self.crlf { out.replace('\n', "\r\n") } else { out }
    }

    fn scalar(self, value: &Value) -> String {
        match value {
            Value::String(text)
                if self.quotes == '\'' && !text.contains(|c: char| c.is_control() || c == '\u{feff}') =>
            {
                format!("'{}'", text.replace('\'', "''"))
            }
            // JSON's surrogate pairs and `\/` are not written by serde_json.
            other => other.to_string(),
        }
    }

    fn entries(self, map: &Map<String, Value>) -> Vec<(&String, &Value)> {
        let mut entries: Vec<_> = map.iter().collect();
        if self.reversed {
            entries.reverse();
        }
        entries
    }

    fn flow(self, value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| {
                    format!("{}: {}", self.scalar(&Value::String(key.clone())), self.flow(value))
                };
                format!("{{{}}}", self.entries(map).into_iter().map(entry).collect::<Vec<_>>().join(", "))
            }
            Value::Array(items) => {
                format!("[{}]", items.iter().map(|item| self.flow(item)).collect::<Vec<_>>().join(" , "))
            }
            scalar => self.scalar(scalar),
        }
    }

    /// Writes a value whose lines begin at `column`.
    fn block(self, value: &Value, depth: usize, column: usize, out: &mut String) {
        let pad = " ".repeat(column);
        match value {
            Value::Object(map) if !map.is_empty() && depth < self.flow_from => {
                for (i, (key, value)) in self.entries(map).into_iter().enumerate() {
                    if self.comments && i % 3 == 1 {
                        let _ = writeln!(out, "{pad}# about {}", key.replace(['\n', '\r'], " "));
                    }
                    let plain = key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_uppercase())
                        && key.len() > 3;
                    let key = if plain && !matches!(key.to_lowercase().as_str(), "true" | "false" | "null") {
                        key.clone()
                    } else {
                        self.scalar(&Value::String(key.clone()))
                    };
                    let _ = write!(out, "{pad}{key}:");
                    self.below(value, depth + 1, column, out);
                }
            }
            Value::Array(items) if !items.is_empty() && depth < self.flow_from => {
                for item in items {
                    let _ = write!(out, "{pad}-");
                    match item {
                        Value::Object(map) if !map.is_empty() && depth + 1 < self.flow_from => {
                            let mut inner = String::new();
                            self.block(item, depth + 1, column + 2, &mut inner);
                            // A comment may stand first only on a line of its own.
                            if inner.trim_start().starts_with('#') {
                                out.push('\n');
                                out.push_str(&inner);
                            } else {
                                out.push(' ');
                                out.push_str(&inner[column + 2..]);
                            }
                        }
                        _ => self.below(item, depth + 1, column, out),
                    }
                }
            }
            _ => {
                let _ = writeln!(out, "{pad}{}", self.flow(value));
            }
        }
    }

    fn below(self, value: &Value, depth: usize, column: usize, out: &mut String) {
        let is_block = match value {
            Value::Object(map) => !map.is_empty() && depth < self.flow_from,
            Value::Array(items) => !items.is_empty() && depth < self.flow_from,
            _ => false,
        };
        if is_block {
            out.push_str(if self.comments { " # below\n" } else { "\n" });
            let flush = matches!(value, Value::Array(_)) && !self.indented_lists;
            self.block(value, depth, if flush { column } else { column + self.indent }, out);
        } else {
            let _ = writeln!(out, " {}", self.flow(value));
        }
    }

    /// The stream, and the hub's values in it, in this style.
    fn stream(self, stream: &str) -> Result<String> {
        let mut out = String::new();
        for (_, mut value) in documents(stream)? {
            if value.is_null() {
                continue;
            }
            if let Some(inner) = decoded(&value) {
                value["data"]["values.yaml"] = BASE64.encode(self.document(&inner)).into();
            }
            out.push_str(if self.crlf { "---\r\n" } else { "---\n" });
            out.push_str(&self.document(&value));
        }
        Ok(out)
    }
}

/// The hub's values in a Secret.
fn decoded(secret: &Value) -> Option<Value> {
    if secret["kind"] != "Secret" {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(secret["data"]["values.yaml"].as_str()?).ok()?).ok()?;
    Document::parse(&text).and_then(|document| document.value()).ok()
}

/// What objects mean: values of hubs decoded, our checksum of their text left out.
fn meanings(stream: &str) -> Result<Vec<Value>> {
    let mut all: Vec<Value> =
        documents(stream)?.into_iter().map(|(_, value)| value).filter(|value| !value.is_null()).collect();
    for value in &mut all {
        if let Some(inner) = decoded(value) {
            value["data"]["values.yaml"] = inner;
        }
        if let Some(annotations) = value["spec"]["template"]["metadata"]["annotations"].as_object_mut() {
            annotations.shift_remove("checksum/datalab");
        }
    }
    Ok(all)
}

#[test]
fn every_style_of_yaml_gets_the_same_objects() -> Result<()> {
    for (stream, policy) in cases()? {
        // Megabytes of definitions say nothing new in another style.
        if stream.text.len() > 500_000 {
            continue;
        }
        let expected = meanings(&render(&policy, &stream.text)?)?;
        for style in STYLES {
            let what = || format!("{} as {style:?}", stream.name);
            let restyled = style.stream(&stream.text).with_context(what)?;
            ensure!(
                meanings(&restyled)? == meanings(&stream.text)?,
                "{}: the test's own writer is wrong",
                what()
            );
            let rendered = render(&policy, &restyled).with_context(what)?;
            for (expected, got) in expected.iter().zip(meanings(&rendered)?) {
                let mut paths = Vec::new();
                differences(expected, &got, &Path::ROOT, &mut paths);
                ensure!(
                    paths.is_empty(),
                    "{}: {} {} differs at {paths:?}",
                    what(),
                    got["kind"],
                    got["metadata"]["name"]
                );
            }
            ensure!(render(&policy, &rendered)? == rendered, "{}: a second pass changes it", what());
        }
    }
    Ok(())
}

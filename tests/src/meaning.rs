//! What a stream says, to Helm: its documents as the JSON that the API server would get.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{output, tools};

/// Reads YAML texts as Helm does; `None` where Go programs are skipped.
///
/// Each answer is the canonical JSON text (its keys are sorted), or what is wrong with the YAML.
pub fn of_texts<'text>(
    texts: impl IntoIterator<Item = &'text str>,
) -> Result<Option<Vec<Result<String, String>>>> {
    #[derive(Deserialize)]
    struct Answer {
        json: Option<String>,
        error: Option<String>,
    }
    let requests: Vec<_> = texts.into_iter().map(|text| json!({ "yaml": text })).collect();
    let answers = ask::<Answer>("yaml", &requests)?;
    Ok(answers.map(|answers| {
        answers.into_iter().map(|answer| answer.json.ok_or(answer.error.unwrap_or_default())).collect()
    }))
}

/// A quantity as Kubernetes reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Quantity {
    /// What Kubernetes writes back, as in `1536Mi`.
    pub canonical: Option<String>,
    /// The exact value, as in `1610612736.000000000`.
    pub decimal: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// Reads quantities as Kubernetes does; `None` where Go programs are skipped.
pub fn of_quantities(texts: &[impl AsRef<str>]) -> Result<Option<Vec<Quantity>>> {
    ask("quantity", &texts.iter().map(|text| json!(text.as_ref())).collect::<Vec<_>>())
}

fn ask<Answer: for<'de> Deserialize<'de>>(mode: &str, requests: &[Value]) -> Result<Option<Vec<Answer>>> {
    let Some(helmyaml) = tools::helmyaml()? else { return Ok(None) };
    let lines: Vec<_> = requests.iter().map(Value::to_string).collect();
    let said = output(helmyaml.command().arg(mode), lines.join("\n").as_bytes())?;
    let answers: Vec<Answer> =
        said.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("helmyaml's answer")?;
    ensure!(
        answers.len() == requests.len(),
        "helmyaml gave {} answers to {} requests",
        answers.len(),
        requests.len()
    );
    Ok(Some(answers))
}

/// The documents of a rendered stream as canonical JSON texts, sorted; empty documents are left out.
///
/// Two streams with equal documents say the same to a cluster.
pub fn documents(stream: &str) -> Result<Option<Vec<String>>> {
    let Some(answers) = of_texts(split(stream))? else { return Ok(None) };
    let mut documents = answers
        .into_iter()
        .map(|answer| answer.map_err(|error| anyhow!("a document is not YAML: {error}")))
        .collect::<Result<Vec<_>>>()?;
    documents.retain(|document| document != "null");
    documents.sort();
    Ok(Some(documents))
}

/// Fails, and says where, unless two streams say the same to a cluster, where `null` is as good as nothing.
pub fn expect_same(wanted: &str, given: &str) -> Result<()> {
    let (Some(wanted), Some(given)) = (documents(wanted)?, documents(given)?) else { return Ok(()) };
    let (count, counted) = (wanted.len(), given.len());
    let (wanted, given) = (by_identity(wanted)?, by_identity(given)?);
    let names: BTreeSet<_> = wanted.keys().chain(given.keys()).collect();
    let found: Vec<_> = names
        .into_iter()
        .flat_map(|name| {
            let [wanted, given] = [&wanted, &given].map(|side| side.get(name).unwrap_or(&Value::Null));
            differences(wanted, given).into_iter().map(move |line| format!("{name}{line}"))
        })
        .collect();
    ensure!(
        found.is_empty() && count == counted,
        "{counted} documents for {count}, {} differences:\n{}",
        found.len(),
        found[..found.len().min(20)].join("\n")
    );
    Ok(())
}

fn by_identity(documents: Vec<String>) -> Result<BTreeMap<String, Value>> {
    documents
        .into_iter()
        .map(|document| {
            let mut document: Value = serde_json::from_str(&document)?;
            // Helm 4 takes an annotation of its own away again, and with it what then is empty.
            if document["metadata"]["annotations"].as_object().is_some_and(serde_json::Map::is_empty) {
                document["metadata"]["annotations"] = Value::Null;
            }
            let (kind, metadata) = (document["kind"].as_str().unwrap_or("?"), &document["metadata"]);
            let [namespace, name] =
                ["namespace", "name"].map(|key| metadata[key].as_str().unwrap_or_default());
            Ok((format!("{kind} {namespace}/{name}"), document))
        })
        .collect()
}

/// Where two values differ, one line each.
pub fn differences(wanted: &Value, given: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", wanted, given, &mut found);
    found
}

fn compare(path: &str, wanted: &Value, given: &Value, found: &mut Vec<String>) {
    match (wanted, given) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let [a, b] = [a, b].map(|side| side.get(key).unwrap_or(&Value::Null));
                compare(&format!("{path}.{key}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, found);
            }
        }
        (a, b) if a != b => found.push(format!("{path}: {} expected, {} found", shortened(a), shortened(b))),
        _ => {}
    }
}

/// A value in one readable line: its beginning and its end.
fn shortened(value: &Value) -> String {
    let text: Vec<_> = value.to_string().chars().collect();
    if text.len() <= 200 {
        return text.into_iter().collect();
    }
    let (head, tail) = (&text[..100], &text[text.len() - 80..]);
    format!("{} … {}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// The texts between the `---` lines of a rendered stream.
pub fn split(stream: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![0];
    let mut ends = Vec::new();
    let mut offset = 0;
    for line in stream.split_inclusive('\n') {
        if line.trim_end() == "---" {
            ends.push(offset);
            starts.push(offset + line.len());
        }
        offset += line.len();
    }
    ends.push(stream.len());
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &stream[start..end])
        .filter(|text| !text.trim().is_empty())
}

//! What a stream says, to Helm: its documents as the JSON that the API server would get.

use anyhow::{Context as _, Result, anyhow};
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
pub fn of_quantities(texts: &[String]) -> Result<Option<Vec<Quantity>>> {
    ask("quantity", &texts.iter().map(|text| json!(text)).collect::<Vec<_>>())
}

fn ask<Answer: for<'de> Deserialize<'de>>(mode: &str, requests: &[Value]) -> Result<Option<Vec<Answer>>> {
    let Some(helmyaml) = tools::helmyaml()? else { return Ok(None) };
    let lines: Vec<_> = requests.iter().map(Value::to_string).collect();
    let said = output(helmyaml.command().arg(mode), lines.join("\n").as_bytes())?;
    let answers: Vec<Answer> =
        said.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("helmyaml's answer")?;
    anyhow::ensure!(
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

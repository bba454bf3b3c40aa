//! Helm's own YAML code answers as recorded: the cases that other tests compare with mean what they say.

use std::fs;

use anyhow::Result;
use datalab_tests::{meaning, shared};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    yaml: String,
    json: Option<String>,
}

#[test]
fn recorded_yaml_means_what_was_recorded() -> Result<()> {
    let Some(shared) = shared::dir() else { return Ok(()) };
    let cases: Vec<Case> = fs::read_to_string(shared.join("yaml/cases.jsonl"))?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let Some(answers) = meaning::of_texts(cases.iter().map(|case| case.yaml.as_str()))? else {
        return Ok(());
    };
    for (case, answer) in cases.iter().zip(answers) {
        assert_eq!(answer.ok(), case.json, "{}", case.name);
    }
    Ok(())
}

#[test]
fn quantities_are_exact() -> Result<()> {
    let texts = ["0.5", "100n", "1.5Gi", "12e6", "0.0000000001", "1e3Ki"];
    let Some(answers) = meaning::of_quantities(&texts)? else { return Ok(()) };
    let canonical: Vec<_> = answers.iter().map(|answer| answer.canonical.as_deref()).collect();
    assert_eq!(canonical, [Some("500m"), Some("100n"), Some("1536Mi"), Some("12e6"), Some("1n"), None]);
    assert_eq!(answers[2].decimal.as_deref(), Some("1610612736.000000000"));
    assert!(answers[5].error.is_some());
    Ok(())
}

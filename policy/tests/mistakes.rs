//! Wrong policies and what is said of them: `golden/mistakes.txt` holds both, side by side.
//!
//! A case is a line `=== what is wrong`, a policy (or what stands below its `spec`), a line `---`, and the messages.
//! `DATALAB_BLESS=1 cargo test` writes the messages anew; read the difference.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;

use datalab_policy::DataLab;

const HEAD: &str = "apiVersion: datalab.dev/v1alpha1\nkind: DataLab\nmetadata: {name: lab}\nspec:\n";
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/mistakes.txt");

/// Splits a case into its title, its policy as it stands in the file, and the messages.
fn split(case: &str) -> (&str, &str, &str) {
    let (title, rest) = case.split_once('\n').unwrap();
    let (policy, messages) = rest.split_once("\n-----\n").unwrap_or((rest, ""));
    (title, policy, messages.trim_end())
}

fn messages(policy: &str) -> String {
    let whole = policy.contains("kind:") || policy.starts_with('#');
    let text = if whole { policy.to_owned() } else { format!("{HEAD}{policy}") };
    let found = match DataLab::parse("lab.yaml", &text) {
        Ok(parsed) => parsed.warnings,
        Err(errors) => errors,
    };
    found.render(false).trim_end().to_owned()
}

#[test]
fn every_mistake_is_explained() {
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    let cases: Vec<_> = golden.split("\n=== ").map(|case| split(case.trim_start_matches("=== "))).collect();
    assert!(cases.len() >= 40);
    if std::env::var_os("DATALAB_BLESS").is_some() {
        let mut blessed = String::new();
        for (title, policy, _) in cases {
            writeln!(blessed, "=== {title}\n{policy}\n-----\n{}\n", messages(policy)).unwrap();
        }
        std::fs::write(GOLDEN, blessed.trim_end().to_owned() + "\n").unwrap();
        return;
    }
    for (title, policy, expected) in cases {
        let found = messages(policy);
        assert!(!found.is_empty(), "{title}: nothing is wrong");
        assert_eq!(found, expected, "{title}");
    }
}

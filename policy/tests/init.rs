//! First policies: one in full, and that none is wrong whatever the values are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use datalab_policy::{DataLab, init};
use datalab_yaml::{Document, Value};
use proptest::prelude::*;

const VALUES: &str = include_str!("golden/init-values.yaml");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/init.yaml");

fn values() -> Value {
    Document::parse(VALUES).unwrap().value().unwrap()
}

/// `DATALAB_BLESS=1 cargo test` writes it anew; read the difference.
#[test]
fn a_hub_gets_its_first_policy() {
    let policy = init(&values(), "lab", None);
    if std::env::var_os("DATALAB_BLESS").is_some() {
        std::fs::write(GOLDEN, &policy).unwrap();
    }
    assert_eq!(policy, std::fs::read_to_string(GOLDEN).unwrap());
    let parsed = DataLab::parse("init.yaml", &policy).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(parsed.warnings.is_empty(), "{}", parsed.warnings);
}

#[test]
fn no_values_are_too_few() {
    let policy = init(&Value::Null, "Not a name", Some("hub"));
    let parsed = DataLab::parse("init.yaml", &policy).unwrap_or_else(|errors| panic!("{errors}")).policy;
    assert_eq!(parsed.metadata.name, "lab");
    assert_eq!(parsed.metadata.namespace.as_deref(), Some("hub"));
}

/// All places in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                pointers(child, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            for (i, child) in items.iter().enumerate() {
                pointers(child, &format!("{at}/{i}"), all);
            }
        }
        _ => {}
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[ -~\\n\u{85}\u{2028}]{0,12}".prop_map(Value::from),
        Just(serde_json::json!({"x": []})),
        Just(serde_json::json!([{"key": "x"}, "y"])),
    ]
}

proptest! {
    #[test]
    fn whatever_the_values_the_policy_is_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), leaf()), 1..8),
        name in "\\PC{0,8}",
    ) {
        let mut values = values();
        let mut all = Vec::new();
        pointers(&values, "", &mut all);
        for (at, new) in changes {
            if let Some(place) = values.pointer_mut(at.get::<String>(&all)) {
                *place = new;
            }
        }
        let policy = init(&values, &name, None);
        if let Err(errors) = DataLab::parse("init.yaml", &policy) {
            prop_assert!(false, "{}\n{}", errors, policy);
        }
    }
}

//! Quantities against Go: each line of `golden/quantities.tsv` is a text, what `resource.Quantity` prints for it
//! (`CanonicalizeBytes`) and its nanos, or `ERR`. Made with k8s.io/apimachinery v0.37.1.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashSet;

use datalab_policy::Quantity;
use serde_json::{Value, json};

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn reads_and_prints_as_go_does() {
    let golden = match std::env::var("DATALAB_QUANTITIES") {
        Ok(file) => std::fs::read_to_string(file).unwrap(),
        Err(_) => include_str!("golden/quantities.tsv").to_owned(),
    };
    let mut wrong = Vec::new();
    for line in golden.lines() {
        let (text, expected) = line.split_once('\t').unwrap();
        let beyond = expected
            .rsplit('\t')
            .next()
            .is_some_and(|nanos| nanos != "ERR" && nanos.parse::<i128>().is_err());
        if beyond || !text.trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit()) {
            continue; // where ours differs, as its documentation says
        }
        let found = match text.parse::<Quantity>() {
            Ok(quantity) => format!("{}\t{}", quantity.canonical(), quantity.nanos()),
            Err(_) => "ERR".to_owned(),
        };
        if found != expected {
            wrong.push(format!("{text:?}: Go says {expected:?}, not {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn compares_amounts_and_keeps_spellings() {
    assert_eq!(quantity("0.5"), quantity("500m"));
    assert!(quantity("1G") < quantity("1Gi"));
    assert_eq!(HashSet::from([quantity("1"), quantity("1000m")]).len(), 1);
    let text = r#"["0.50","1024Mi"]"#;
    let list: Vec<Quantity> = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&list).unwrap(), text);
    assert_eq!(serde_json::from_str::<Quantity>("2").unwrap(), quantity("2"));
    assert_eq!(serde_json::from_str::<Quantity>("0.5").unwrap(), quantity("500m"));
    for nothing in ["null", "\"\"", "\"Mi\"", "\".\"", "[]"] {
        assert!(serde_json::from_str::<Quantity>(nothing).is_err(), "{nothing}");
    }
}

#[test]
fn rounds_up_and_adds_as_go_does() {
    assert_eq!(quantity("1500u").milli(), 2);
    assert_eq!(quantity("-1500u").milli(), -2);
    assert_eq!(quantity("100m").value(), 1);
    let sum = |a: &str, b: &str| quantity(a).add(&quantity(b)).map(|sum| sum.to_string());
    assert_eq!(sum("1Gi", "1024Mi").as_deref(), Some("2Gi"));
    assert_eq!(sum("0", "2Gi").as_deref(), Some("2Gi"));
    assert_eq!(sum("500m", "0.5").as_deref(), Some("1"));
    assert_eq!(sum("1e40", "1"), None);
}

#[test]
fn speaks_kubespawner() {
    for (text, memory) in [
        ("4Gi", json!("4G")),
        ("1.5Gi", json!("1536M")),
        ("2048Mi", json!("2G")),
        ("2Pi", json!("2048T")),
        ("512M", json!(512_000_000)),
        ("0", json!(0)),
        ("0Gi", json!(0)),
        ("512", json!(512)),
        ("0.1Gi", json!(107_374_183)),
        ("1e40", json!(i64::MAX)),
    ] {
        assert_eq!(quantity(text).to_kubespawner_memory(), memory, "{text}");
        if !matches!(text, "1e40" | "0.1Gi") {
            assert_eq!(Quantity::from_kubespawner_memory(&memory), Some(quantity(text)), "{text}");
        }
    }
    for (value, expected) in [
        (json!("1.5G"), Some("1536Mi")),
        (json!(" 4 G"), Some("4Gi")),
        (json!(1024.9), Some("1024")),
        (json!("4Gi"), None),
        (json!("4"), None),
        (json!("G"), None),
        (json!("infG"), None),
        (json!("1P"), None),
        (Value::Null, None),
    ] {
        let found = Quantity::from_kubespawner_memory(&value).map(|quantity| quantity.to_string());
        assert_eq!(found.as_deref(), expected, "{value}");
    }
    for (text, cpu) in [("500m", json!(0.5)), ("4", json!(4)), ("0.1", json!(0.1)), ("2500m", json!(2.5))] {
        assert_eq!(quantity(text).to_kubespawner_cpu(), cpu, "{text}");
        assert_eq!(Quantity::from_kubespawner_cpu(&cpu), Some(quantity(text)), "{text}");
    }
    assert_eq!(Quantity::from_kubespawner_cpu(&json!("4")), None);
    assert_eq!(Quantity::from_kubespawner_cpu(&Value::Null), None);
}

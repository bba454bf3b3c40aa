//! Reading policies: what is right passes, what is written is what was read, and nothing panics.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use datalab_policy::document::{
    Capacity, EnvironmentVariable, Group, Mount, Nodes, OnePodPerNode, Profile, Resources, SecurityException,
    SecurityRule, Toleration, TolerationOperator,
};
use datalab_policy::{DataLab, Quantity, RULE_NAMES, schema};
use datalab_yaml::{Document, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const FULL: &str = include_str!("full.yaml");

fn written(policy: &DataLab) -> String {
    datalab_yaml::emit(&serde_json::to_value(policy).unwrap())
}

#[test]
fn a_policy_with_every_field_is_read() {
    let parsed = DataLab::parse("full.yaml", FULL).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(parsed.warnings.is_empty(), "{}", parsed.warnings);
    assert_eq!(DataLab::parse("written", &written(&parsed.policy)).unwrap().policy, parsed.policy);
    let value = Document::parse(FULL).unwrap().value().unwrap();
    assert_eq!(DataLab::from_value(&value).unwrap().policy, parsed.policy);
    // That it has every field is part of the test.
    assert_all_fields(&schema()["properties"]["spec"], &value["spec"], "spec");
}

fn assert_all_fields(schema: &Value, value: &Value, path: &str) {
    let all: Vec<&Value> = value.as_array().map_or(vec![value], |items| items.iter().collect());
    let schema = if value.is_array() { &schema["items"] } else { schema };
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        // These types are covered where they stand elsewhere.
        let is_elsewhere =
            ["placement.nodes", "profileDefaults.nodes", "nodes.tolerations", "profiles.resources"];
        if is_elsewhere.iter().any(|part| path.ends_with(part)) {
            continue;
        }
        let found: Vec<_> = all.iter().map(|value| &value[name.as_str()]).filter(|v| !v.is_null()).collect();
        assert!(!found.is_empty(), "{path} is nowhere");
        // Of several, the one that says most.
        let most = found.into_iter().max_by_key(|value| value.to_string().len()).unwrap();
        assert_all_fields(schema, most, &path);
    }
}

#[test]
fn every_rule_can_be_named() {
    for rule in datalab_policy::rules::RULES {
        assert!(RULE_NAMES.contains(&rule.name), "{}", rule.name);
    }
}

#[test]
fn the_example_is_read() {
    let Some(shared) = std::env::var_os("DATALAB_SHARED") else {
        eprintln!("SKIPPED: DATALAB_SHARED is not set");
        return;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&shared).join("policy-example.yaml")).unwrap();
    let parsed = DataLab::parse("policy-example.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let warnings: Vec<_> = parsed.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["does not count homes, which are folders of spec.mounts[2]"]);
}

#[test]
fn what_has_run_out_needs_a_clock() {
    let at = |now: &str| DataLab::parse_at("lab.yaml", FULL, Some(now.parse().unwrap())).unwrap().warnings;
    assert!(at("2026-12-24T16:59:59Z").is_empty());
    let found: Vec<_> = at("2026-12-24T17:00:00Z").lines().collect();
    let expected = "lab.yaml:66:14: warning: spec.groups[0].until: 2026-12-24T18:00:00+01:00 has passed: nobody in the group \
                    can start a server";
    assert_eq!(found, [expected]);
}

#[test]
fn problems_of_values_have_paths_but_no_places() {
    let value = serde_json::json!({"apiVersion": "datalab.dev/v1alpha1", "kind": "DataLab",
        "metadata": {"name": "lab", "uid": "1"}, "spec": {"profiles": [{"slug": "A"}], "status": 1}});
    let errors = DataLab::from_value(&value).unwrap_err();
    let lines: Vec<_> = errors.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        ["error: spec.status: unknown field", "error: spec.profiles[0].slug: \"A\" is not a slug"]
    );
}

prop_compose! {
    fn quantity()(number in 1u32..10_000, unit in prop::sample::select(vec!["", "m", "k", "Mi", "Gi"])) -> Quantity {
        format!("{number}{unit}").parse().unwrap()
    }
}

prop_compose! {
    fn nodes()(types in vec("[a-z][a-z0-9.]{0,8}[a-z]", 0..3), spot in option::of(any::<bool>()), key in option::of("[a-z]{1,8}"))
    -> Nodes {
        Nodes {
            instance_types: types,
            capacity: spot.map(|spot| if spot { Capacity::Spot } else { Capacity::OnDemand }),
            tolerations: key
                .map(|key| Toleration { key: Some(key), operator: Some(TolerationOperator::Exists), ..Toleration::default() })
                .into_iter()
                .collect(),
            ..Nodes::default()
        }
    }
}

prop_compose! {
    fn profile()(name in option::of("\\PC{1,20}"), nodes in nodes(), cpu in option::of(quantity()), own in any::<bool>(), spares in 0u32..3)
    -> Profile {
        Profile {
            display_name: name,
            nodes,
            resources: Resources { limits: cpu.map(|cpu| ("cpu".to_owned(), cpu)).into_iter().collect(), ..Resources::default() },
            one_pod_per_node: own.then_some(OnePodPerNode::Required),
            spares,
            ..Profile::default()
        }
    }
}

prop_compose! {
    /// Policies without errors: names are made unique by their place.
    fn policy()(
        profiles in vec(profile(), 0..4),
        groups in vec(("\\PC{1,10}", vec("\\PC{1,10}", 0..3)), 0..3),
        values in vec(option::of("\\PC{0,20}"), 0..4),
        mounts in vec((any::<bool>(), any::<bool>()), 0..3),
        labels in prop::collection::btree_map("x\\.y/[a-z]{1,5}", "[a-z0-9]{0,5}", 0..3),
    ) -> DataLab {
        let mut policy: DataLab = DataLab::parse("", "apiVersion: datalab.dev/v1alpha1\nkind: DataLab\nmetadata: {name: x}\nspec: {nodeLabels: {preset: gke}}\n").unwrap().policy;
        let spec = &mut policy.spec;
        let named = |i: usize| format!("n{i}");
        spec.profiles = profiles.into_iter().enumerate().map(|(i, p)| Profile { slug: named(i), ..p }).collect();
        spec.groups = groups.into_iter().enumerate().map(|(i, (name, members))| {
            Group { name: format!("{name}{i}"), members, quota: BTreeMap::from([("servers".to_owned(), 3u32.into())]), ..Group::default() }
        }).collect();
        let in_all: Vec<_> = spec.groups.iter().map(|group| group.name.clone()).collect();
        spec.environment = values.into_iter().enumerate().map(|(i, value)| {
            EnvironmentVariable { name: named(i), value: Some(value.unwrap_or_default()), groups: in_all.clone(), ..EnvironmentVariable::default() }
        }).collect();
        spec.mounts = mounts.into_iter().enumerate().map(|(i, (read_only, by_claim))| {
            let host_path = (!by_claim).then(|| "/data".to_owned());
            Mount { name: named(i), claim: by_claim.then(|| "data".to_owned()), host_path, mount_path: format!("/{i}"), read_only, ..Mount::default() }
        }).collect();
        spec.labels = labels;
        spec.security.exceptions = vec![SecurityException {
            rule: SecurityRule::Confinement, container: Some("x".to_owned()), reason: "why".to_owned(), ..SecurityException::default()
        }];
        policy
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_was_read(policy in policy()) {
        let text = written(&policy);
        match DataLab::parse("written", &text) {
            Ok(parsed) => prop_assert_eq!(parsed.policy, policy),
            Err(errors) => prop_assert!(false, "{}", errors),
        }
    }

    #[test]
    fn no_text_panics(edits in vec((any::<prop::sample::Index>(), 0usize..40, "[ \\n:\\[\\]{}\"'&*|>#,a-z0-9é-]{0,4}"), 1..6)) {
        let mut text = FULL.to_owned();
        for (at, length, new) in edits {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &new);
            }
        }
        if let Err(errors) = DataLab::parse("mutated", &text) {
            prop_assert!(!errors.is_empty());
            prop_assert!(!errors.render(true).is_empty());
            for error in &errors {
                prop_assert!(text.get(error.span.clone()).is_some());
            }
        }
    }
}

//! The compiled table in the hub's values, `custom.datalab`: what depends on a user's groups, for the hub's own code.

use datalab_policy::HubFacts;
use datalab_policy::document::DataLab;
use datalab_policy::requirements::{self, User, volume};
use datalab_yaml::{Editor, Map, Path, Value};
use serde_json::json;

use crate::assign;

/// Writes the table, if anything depends on groups. Other keys of `custom.datalab` stay.
pub fn write(policy: &DataLab, facts: &HubFacts, editor: &mut Editor) {
    if policy.spec.groups.is_empty() {
        return;
    }
    let at: Path = ["custom", "datalab"].into_iter().collect();
    for (key, value) in compile(policy, facts) {
        assign(editor, &at.join(key), &value);
    }
}

fn compile(policy: &DataLab, facts: &HubFacts) -> Map<String, Value> {
    let spec = &policy.spec;
    let context = requirements::Context { policy, facts, user: User::Template, profile: None };
    let expand = |text: &str| context.expand(text);

    let groups: Vec<Value> = spec
        .groups
        .iter()
        .map(|group| {
            let mut entry = json!({
                "name": group.name, "members": group.members, "identityGroups": group.identity_groups,
            });
            if !group.labels.is_empty() {
                entry["labels"] = json!(group.labels);
            }
            if let Some(until) = &group.until {
                entry["until"] = until.as_str().into();
            }
            entry
        })
        .collect();
    let profiles: Map<String, Value> = spec
        .profiles
        .iter()
        .filter(|profile| !profile.groups.is_empty())
        .map(|profile| (profile.slug.clone(), json!({"groups": profile.groups})))
        .collect();
    let mounts: Vec<Value> = spec
        .mounts
        .iter()
        .filter(|mount| !mount.groups.is_empty())
        .map(|mount| {
            let required = volume(mount, expand);
            let mut entry = json!({"groups": mount.groups, "name": required.name, "source": required.source});
            entry["mount"] = required.mount();
            entry
        })
        .collect();
    let environment: Vec<Value> = spec
        .environment
        .iter()
        .filter(|variable| !variable.groups.is_empty())
        .map(|variable| {
            let mut entry = json!({"groups": variable.groups, "name": variable.name});
            let value = requirements::variable(variable, expand);
            for (key, value) in value.as_object().into_iter().flatten() {
                entry[key] = value.clone();
            }
            entry
        })
        .collect();
    let images: Vec<Value> = spec
        .images
        .allow
        .iter()
        .filter(|rule| !rule.groups.is_empty())
        .map(|rule| json!({"groups": rule.groups, "pattern": rule.pattern}))
        .collect();
    let messages = json!({
        "profileNotAllowed": "Profile {profile} is for {groups}; choose another profile, or ask to be added.",
        "noProfile": "No profile of this lab is open to you; ask the lab's staff to add you to a group.",
        "groupEnded": "Group {group} ended on {until}; choose another group, or ask the lab's staff.",
    });

    [
        ("policy", policy.metadata.name.as_str().into()),
        ("groups", groups.into()),
        ("profiles", profiles.into()),
        ("mounts", mounts.into()),
        ("environment", environment.into()),
        ("images", images.into()),
        ("messages", messages),
    ]
    .into_iter()
    .filter(|(_, value): &(_, Value)| *value != json!([]) && *value != json!({}))
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

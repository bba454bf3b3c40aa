//! Pods carry the lab's labels and annotations, and their paying group's. What is there stays.

use super::{Needs, Rule};

pub(super) const RULE: Rule = Rule {
    name: "labels",
    needs: Needs::Object,
    require: |context, requirements| {
        let spec = &context.policy.spec;
        requirements.labels.clone_from(&spec.labels);
        requirements.annotations =
            spec.annotations.iter().map(|(k, v)| (k.clone(), context.expand(v))).collect();
        if let Some(group) = context.paying_group() {
            requirements.labels.extend(group.labels.clone());
        }
    },
    write: |requirements, pod| {
        pod.add_missing(&pod.path(&["metadata", "labels"]), &requirements.labels);
        pod.add_missing(&pod.path(&["metadata", "annotations"]), &requirements.annotations);
    },
};

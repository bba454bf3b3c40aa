//! A server ends when its profile's longest session does: the kubelet stops the pod, whatever the hub does.

use datalab_yaml::Value;

use super::{Needs, Rule};

pub(super) const RULE: Rule = Rule {
    name: "sessionLimit",
    needs: Needs::Object,
    require: |context, requirements| {
        requirements.deadline = context.profile.and_then(crate::document::Profile::deadline);
    },
    write: |requirements, pod| {
        let Some(deadline) = requirements.deadline else { return };
        let path = pod.path(&["spec", "activeDeadlineSeconds"]);
        if pod.get(&path).and_then(Value::as_i64).is_none_or(|seconds| seconds > deadline) {
            pod.set(&path, deadline.into());
        }
    },
};

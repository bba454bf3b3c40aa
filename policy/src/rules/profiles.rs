//! A user pod says which profile it is of: quotas, placement and bills hang on it, and neither JupyterHub nor
//! KubeSpawner records it.

use super::{Needs, Rule};
use crate::requirements::PROFILE_LABEL;

pub(super) const RULE: Rule = Rule {
    name: "profiles",
    needs: Needs::Object,
    require: |context, requirements| {
        if let Some(profile) = context.profile {
            requirements.marks.insert(PROFILE_LABEL.into(), profile.slug.clone());
        }
    },
    write: |requirements, pod| {
        for (key, value) in &requirements.marks {
            let path = pod.path(&["metadata", "labels"]).join(key.as_str());
            pod.set(&path, value.as_str().into());
        }
    },
};

//! A server gets the resources of its profile, no more and no less. They are compared as quantities: `0.5` is `500m`.

use datalab_yaml::Value;

use super::{Needs, Rule};
use crate::Quantity;

pub(super) const RULE: Rule = Rule {
    name: "resources",
    needs: Needs::Object,
    require: |context, requirements| {
        if let Some(profile) = context.profile {
            requirements.resources = profile.resources.clone();
        }
    },
    write: |requirements, pod| {
        let resources = &requirements.resources;
        let container = pod.notebook().join("resources");
        for (kind, wanted) in [("requests", &resources.requests), ("limits", &resources.limits)] {
            for (name, quantity) in wanted {
                let path = container.join(kind).join(name.as_str());
                if pod.get(&path).and_then(read).as_ref() != Some(quantity) {
                    pod.set(&path, quantity.to_string().into());
                }
            }
        }
        for entry in &resources.remove {
            if let Some((kind, name)) = entry.split_once('.') {
                pod.remove(&container.join(kind).join(name));
            }
        }
    },
};

fn read(value: &Value) -> Option<Quantity> {
    serde_json::from_value(value.clone()).ok()
}

//! A server knows the services that notebooks talk to.

use serde_json::json;

use super::{Needs, Rule};
use crate::requirements::variable;

pub(super) const RULE: Rule = Rule {
    name: "environment",
    needs: Needs::Object,
    require: |context, requirements| {
        requirements.environment.extend(
            context.environment().map(|v| (v.name.clone(), variable(v, |text| context.expand(text)))),
        );
    },
    write: |requirements, pod| {
        let list = pod.notebook().join("env");
        for (name, wanted) in &requirements.environment {
            let mut entry = json!({"name": name});
            if let (Some(entry), Some(wanted)) = (entry.as_object_mut(), wanted.as_object()) {
                entry.extend(wanted.clone());
            }
            // The last of a name wins in a container.
            match pod.items(&list).iter().rposition(|variable| variable["name"] == name.as_str()) {
                Some(i) if pod.items(&list)[i] == entry => {}
                Some(i) => pod.set(&list.join(i), entry),
                None => pod.append(&list, entry),
            }
        }
    },
};

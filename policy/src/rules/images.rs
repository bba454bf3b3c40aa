//! A server runs an image that its user and profile may run, and pulls it with the lab's secrets.

use datalab_yaml::Value;
use serde_json::json;

use super::{Needs, Rule};
use crate::requirements::AllowedImages;

pub(super) const RULE: Rule = Rule {
    name: "images",
    needs: Needs::Object,
    require: |context, requirements| {
        let policy = &context.policy.spec.images;
        requirements.pull_secrets.clone_from(&policy.pull_secrets);
        let Some(profile) = context.profile else { return };
        let named: Vec<_> =
            profile.images.iter().filter_map(|name| context.policy.image(name)).map(str::to_owned).collect();
        let default = named.first().cloned();
        // A profile with images of its own runs those; another, whatever the lab allows.
        let patterns =
            if named.is_empty() { context.image_patterns().map(str::to_owned).collect() } else { named };
        if !patterns.is_empty() || !policy.allow.is_empty() || policy.require_digest {
            requirements.images =
                Some(AllowedImages { patterns, default, require_digest: policy.require_digest });
        }
    },
    write: |requirements, pod| {
        let secrets = pod.path(&["spec", "imagePullSecrets"]);
        for name in &requirements.pull_secrets {
            if !pod.items(&secrets).iter().any(|secret| secret["name"] == name.as_str()) {
                pod.append(&secrets, json!({"name": name}));
            }
        }
        let Some(allowed) = &requirements.images else { return };
        let path = pod.notebook().join("image");
        let image = pod.get(&path).and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Err(message) = allowed.check(&image) {
            match &allowed.default {
                Some(default) => pod.set(&path, default.as_str().into()),
                None => pod.conflict(RULE.name, path, message),
            }
        }
    },
};

impl AllowedImages {
    /// Whether an image may run; if not, a sentence without its stop.
    pub fn check(&self, image: &str) -> Result<(), String> {
        if !self.patterns.iter().any(|pattern| matches(pattern, image)) && !self.any() {
            let allowed = if self.patterns.is_empty() { "none".to_owned() } else { self.patterns.join(", ") };
            return Err(format!("image {image:?} is not allowed (allowed: {allowed})"));
        }
        if self.require_digest && !image.contains("@sha256:") {
            return Err(format!("image {image:?} must be given by its digest, as name@sha256:…"));
        }
        Ok(())
    }

    /// Whether only a digest is asked for.
    fn any(&self) -> bool {
        self.patterns.is_empty() && self.require_digest
    }
}

/// Whether a pattern, in which `*` stands for any characters, matches the whole text. Linear in practice, quadratic at worst.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_references() {
        for (pattern, text, expected) in [
            ("*", "a/b:c", true),
            ("quay.io/jupyter/*", "quay.io/jupyter/r-notebook:1", true),
            ("quay.io/jupyter/*", "evil.io/quay.io/jupyter/x", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*a", "a", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("*/x:*", "r/x:1", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}

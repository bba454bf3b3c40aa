//! What Kubernetes accepts as a name, a label or a variable (`k8s.io/apimachinery/pkg/util/validation`).

fn is_made_of(text: &str, longest: usize, inner: fn(char) -> bool, edge: fn(char) -> bool) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.chars().all(inner)
        && text.starts_with(edge)
        && text.ends_with(edge)
}

fn is_small(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// A name of a volume, a namespace or a slug: RFC 1123, at most 63 characters.
pub(crate) fn is_label(text: &str) -> bool {
    is_made_of(text, 63, |c| is_small(c) || c == '-', is_small)
}

/// A name of most objects: labels joined by dots, at most 253 characters.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| is_made_of(part, 253, |c| is_small(c) || c == '-', is_small))
}

/// A key of labels, annotations, taints and resources: an optional prefix, a slash, a name.
pub(crate) fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').unwrap_or(("x", text));
    is_subdomain(prefix) && is_label_part(name)
}

/// A value of a label, which may be empty.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_part(text)
}

fn is_label_part(text: &str) -> bool {
    is_made_of(text, 63, |c| is_alphanumeric(c) || matches!(c, '-' | '_' | '.'), is_alphanumeric)
}

/// A name of an environment variable, as every version of Kubernetes takes it.
pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| is_alphanumeric(c) || matches!(c, '-' | '_' | '.'))
}

//! Names as KubeSpawner makes them out of what people are called.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// How a hub's KubeSpawner writes a user's name into object names and paths (its `slug_scheme`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlugScheme {
    /// KubeSpawner 7 (chart 4): the name itself if it is a DNS label, else a shortened one with a hash.
    #[default]
    Safe,
    /// KubeSpawner before 7, and `slug_scheme: escape`: every other byte as `-` and hexadecimal digits.
    Escape,
}

/// Longest slug in KubeSpawner's templates (`_slug_max_length`).
const MAX_LENGTH: usize = 48;
/// Hexadecimal digits of the hash (`_hash_length`), after three hyphens.
const HASH_LENGTH: usize = 8;

impl SlugScheme {
    /// What `{username}` stands for.
    pub fn user(self, name: &str) -> String {
        match self {
            SlugScheme::Escape => escape(name),
            SlugScheme::Safe if !name.contains("--") && name.len() <= MAX_LENGTH && is_dns_label(name) => {
                name.to_owned()
            }
            SlugScheme::Safe => shorten(name),
        }
    }
}

/// `escapism.escape` with `-` as the escape character, lower-cased.
fn escape(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            slug.push(byte.into());
        } else {
            // A String takes all that is written.
            let _ = write!(slug, "-{byte:x}");
        }
    }
    slug
}

/// As RFC 1035 has it, which is what KubeSpawner asks of object names.
fn is_dns_label(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// KubeSpawner's `strip_and_hash`.
fn shorten(name: &str) -> String {
    let room = MAX_LENGTH - HASH_LENGTH - 3;
    let mut safe = hyphenated(&name.to_lowercase());
    safe.truncate(room);
    let mut safe = safe.trim_end_matches('-').to_owned();
    if safe.starts_with(|c: char| c.is_ascii_digit()) {
        safe.truncate(room - 2);
        safe.insert_str(0, "x-");
    } else if safe.is_empty() {
        safe.push('x');
    }
    let hash = Sha256::digest(name.as_bytes());
    safe.push_str("---");
    safe.extend(hash.iter().take(HASH_LENGTH / 2).map(|byte| format!("{byte:02x}")));
    safe
}

/// What is not a lower-case letter or digit as single hyphens, none in front.
fn hyphenated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

/// A profile's slug out of its display name, as KubeSpawner's `slugify` (python-slugify) gives it.
pub fn profile(display_name: &str) -> String {
    // text-unidecode, which python-slugify uses, knows the basic multilingual plane only.
    let basic: String = display_name.chars().filter(|c| u32::from(*c) <= 0xffff).collect();
    let ascii = deunicode::deunicode_with_tofu(&basic, "").to_lowercase();
    let mut slug = String::new();
    let bytes = ascii.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        let digit_at = |j: usize| bytes.get(j).is_some_and(u8::is_ascii_digit);
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => slug.push(byte.into()),
            b',' if i > 0 && digit_at(i - 1) && digit_at(i + 1) => {}
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_kubespawner_7_names_them() {
        for (name, slug) in [
            ("alice", "alice"),
            ("j-doe", "j-doe"),
            ("j.doe@example.edu", "j-doe-example-edu---15caf5bb"),
            ("1st", "x-1st---"),
            ("-", "x---"),
            ("a--b", "a-b---"),
        ] {
            let got = SlugScheme::Safe.user(name);
            assert!(
                got == slug || slug.ends_with("---") && got.starts_with(slug) && got.len() == slug.len() + 8,
                "{name}: {got}"
            );
        }
    }

    #[test]
    fn users_are_named_as_kubespawner_6_names_them() {
        assert_eq!(SlugScheme::Escape.user("j.doe@example.edu"), "j-2edoe-40example-2eedu");
        assert_eq!(SlugScheme::Escape.user("Pérez"), "-50-c3-a9rez");
    }

    #[test]
    fn profiles_are_named_as_kubespawner_names_them() {
        for (display_name, slug) in [
            ("Minimal environment", "minimal-environment"),
            ("CASA + CARTA (large)", "casa-carta-large"),
            ("R – Rstudio «beta» 🧪", "r-rstudio-beta"),
            ("Low - 2 CPU / 4 GB", "low-2-cpu-4-gb"),
            ("1,000 cores", "1000-cores"),
            ("Ünïcode", "unicode"),
        ] {
            assert_eq!(profile(display_name), slug);
        }
    }
}

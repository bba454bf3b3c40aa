//! What changed, for people: documents as a unified diff, the hub's inner configuration line by line.

use std::fmt::Write;

use similar::{ChangeTag, TextDiff};

/// Colours of a diff, or none.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    on: bool,
}

impl Colours {
    /// Colours if `on`.
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The difference of two texts under a title.
///
/// Of a confidential text only changed lines are shown, each group below the keys that lead to it, and of them only what was
/// written now: what stood there before, or stands beside it, may be a token. No text shows the values of an environment.
pub fn unified(title: &str, old: &str, new: &str, confidential: bool, colours: Colours) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = format!("{}\n", colours.paint("1", title));
    for group in diff.grouped_ops(if confidential { 0 } else { 3 }) {
        let Some(first) = group.first() else { continue };
        let start = first.new_range().start;
        let place = if confidential { keys_above(new, start) } else { String::new() };
        let _ =
            writeln!(out, "{}", colours.paint("36", format!("@@ line {} @@ {place}", start + 1).trim_end()));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, code, text, at) = match (change.tag(), change.old_index(), change.new_index()) {
                (ChangeTag::Delete, Some(at), _) => ('-', "31", old, at),
                (ChangeTag::Insert, _, Some(at)) => ('+', "32", new, at),
                (_, _, Some(at)) => (' ', "", new, at),
                _ => continue,
            };
            let line = format!("{sign}{}", shown(text, at, confidential && sign == '-', confidential));
            let _ = writeln!(out, "{}", if sign == ' ' { line } else { colours.paint(code, &line) });
        }
    }
    out
}

/// A line of a text as it may be shown: without values if it is `hidden`, of an environment, or a `confidential` text's flow
/// collection; and not longer than people read.
fn shown(text: &str, at: usize, hidden: bool, confidential: bool) -> String {
    const LONGEST: usize = 160;
    const ENVIRONMENT: [&str; 3] = ["env", "environment", "extraEnv"];
    let line = text.lines().nth(at).unwrap_or_default();
    let key_of =
        |line: &str| line.trim_start_matches([' ', '-']).split(':').next().unwrap_or_default().to_owned();
    let above = keys_above(text, at);
    let in_environment = above.split('.').any(|key| ENVIRONMENT.contains(&key));
    let name_only = |line: &str| key_of(line) == "name" || line.trim_end().ends_with(':');
    match line.split_once(": ") {
        _ if line.chars().count() > LONGEST => {
            format!("{}: ({} characters)", line.split(':').next().unwrap_or_default(), line.chars().count())
        }
        Some((key, value)) => {
            let flow = value.starts_with('{') || value.starts_with('[');
            let empty = matches!(value, "{}" | "[]");
            let environment =
                in_environment && key_of(line) != "name" || ENVIRONMENT.contains(&key_of(line).as_str());
            if !empty && (hidden || environment || confidential && flow) {
                format!("{key}: …")
            } else {
                line.to_owned()
            }
        }
        None if (hidden || in_environment) && !name_only(line) => "…".to_owned(),
        None => line.to_owned(),
    }
}

/// The first line of each less indented block above a line: `singleuser: profileList: kubespawner_override:`.
fn keys_above(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let Some(mut depth) = lines.get(line).map(|line| indent(line)) else { return String::new() };
    let mut keys = Vec::new();
    for above in lines[..line].iter().rev().filter(|line| !line.trim().is_empty()) {
        if indent(above) < depth {
            depth = indent(above);
            // The key only: what stands after it may be anything.
            keys.push(
                above
                    .trim_start_matches([' ', '-'])
                    .split(": ")
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches(':'),
            );
        }
    }
    keys.reverse();
    keys.join(".")
}

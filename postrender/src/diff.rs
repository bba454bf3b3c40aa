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

/// The difference of two texts under a title. With `context` 0, only lines that changed are shown, each group below the keys
/// that lead to it: so nothing beside them, such as a token, is printed.
pub fn unified(title: &str, old: &str, new: &str, context: usize, colours: Colours) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = format!("{}\n", colours.paint("1", title));
    for group in diff.grouped_ops(context) {
        let Some(first) = group.first() else { continue };
        let start = first.new_range().start;
        let place = if context == 0 { keys_above(new, start) } else { String::new() };
        let _ =
            writeln!(out, "{}", colours.paint("36", format!("@@ line {} @@ {place}", start + 1).trim_end()));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches(['\n', '\r']);
            let (sign, code) = match change.tag() {
                ChangeTag::Delete => ("-", "31"),
                ChangeTag::Insert => ("+", "32"),
                ChangeTag::Equal => (" ", "0"),
            };
            let line = shortened(line);
            let _ = writeln!(
                out,
                "{}",
                if sign == " " { format!(" {line}") } else { colours.paint(code, &format!("{sign}{line}")) }
            );
        }
    }
    out
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

/// Encoded configuration is one line of thousands of characters.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 160;
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let start: String = line.chars().take(LONGEST - 40).collect();
    format!("{start}… ({} characters)", line.chars().count())
}

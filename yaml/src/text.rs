//! Lines, as YAML counts them.

/// The byte order mark, U+FEFF.
pub const BOM: &str = "\u{feff}";

/// Whether a character ends a line in YAML 1.1.
pub fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether YAML allows a character in a text at all.
pub fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// Without the line break at the end, if there is one.
pub fn chomp(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix(is_break)).unwrap_or(text)
}

/// Without the line break at the start, if there is one.
pub fn unbreak(text: &str) -> &str {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix(is_break)).unwrap_or(text)
}

/// Where the line that `at` stands in begins. A byte order mark stands before the first line.
pub fn line_start(text: &str, at: usize) -> usize {
    let start =
        text[..at].rfind(is_break).map_or(0, |b| b + text[b..].chars().next().map_or(1, char::len_utf8));
    if start == 0 && text.starts_with(BOM) && at >= BOM.len() { BOM.len() } else { start }
}

/// Where the line that `at` stands in ends, before its break.
pub fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(is_break).map_or(text.len(), |n| at + n)
}

/// Characters before `at` in its line.
pub fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// The line break that the text uses first.
pub fn newline(text: &str) -> &'static str {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

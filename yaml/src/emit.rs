use std::fmt::Write;

use serde_json::{Number, Value};

use crate::events::Style;
use crate::text;

/// A value as block YAML, indented by two, strings quoted wherever YAML 1.1 or 1.2 could read them as anything else.
/// Ends in a newline.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    Emitter { newline: "\n", step: 2, dash: 2, json: false }.block(&mut out, value, 0);
    out.push('\n');
    out
}

/// Bytes of the longest key that is written as `key:`. The readers' limit is 1024, quotes and escapes included.
const MAX_PLAIN_KEY: usize = 1000;

/// How values are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Emitter {
    pub newline: &'static str,
    /// Columns from a mapping's keys to those of a mapping below.
    pub step: usize,
    /// Columns from a mapping's keys to the dashes of a sequence below.
    pub dash: usize,
    /// All strings in quotes.
    pub json: bool,
}

impl Emitter {
    /// Writes a value from `column` of a line on, without the last line break.
    pub fn block(&self, out: &mut String, value: &Value, column: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (i, (key, value)) in map.iter().enumerate() {
                    if i > 0 {
                        self.line(out, column);
                    }
                    self.entry(out, key, value, column);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.line(out, column);
                    }
                    out.push_str("- ");
                    self.block(out, item, column + 2);
                }
            }
            _ => self.flow(out, value),
        }
    }

    /// Writes a key and its value into a block mapping whose keys stand in `column`.
    pub fn entry(&self, out: &mut String, key: &str, value: &Value, column: usize) {
        if self.key(out, key) {
            self.line(out, column);
        }
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => self.below(out, value, column + self.step),
            Value::Array(items) if !items.is_empty() => self.below(out, value, column + self.dash),
            _ => {
                out.push(' ');
                self.flow(out, value);
            }
        }
    }

    /// Writes a value onto lines of its own.
    pub fn below(&self, out: &mut String, value: &Value, column: usize) {
        self.line(out, column);
        self.block(out, value, column);
    }

    /// Starts a line.
    pub fn line(&self, out: &mut String, column: usize) {
        out.push_str(self.newline);
        out.extend(std::iter::repeat_n(' ', column));
    }

    /// Writes a value onto the current line.
    pub fn flow(&self, out: &mut String, value: &Value) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
            Value::Number(number) => out.push_str(&format_number(number)),
            Value::String(string) => self.string(out, string),
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    self.flow(out, item);
                }
                out.push(']');
            }
            Value::Object(map) => {
                out.push('{');
                for (i, (key, value)) in map.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    self.flow_entry(out, key, value);
                }
                out.push('}');
            }
        }
    }

    pub fn flow_entry(&self, out: &mut String, key: &str, value: &Value) {
        if self.key(out, key) {
            out.push(' ');
        }
        out.push_str(": ");
        self.flow(out, value);
    }

    /// Whether the key is an explicit one, and its `:` must stand apart.
    fn key(&self, out: &mut String, key: &str) -> bool {
        let start = out.len();
        self.string(out, key);
        let long = out.len() - start > MAX_PLAIN_KEY;
        if long {
            out.insert_str(start, "? ");
        }
        long
    }

    fn string(&self, out: &mut String, string: &str) {
        if !self.json && is_plain(string) {
            out.push_str(string);
        } else {
            double_quoted(out, string);
        }
    }

    /// Writes a string in the style of the one that it replaces, if it can be; literal lines stand in `column`.
    pub fn restyled(&self, out: &mut String, string: &str, style: Style, column: usize) {
        match style {
            Style::Double => double_quoted(out, string),
            Style::Single if string.chars().all(|c| !text::is_break(c) && c != '\t' && is_printable(c)) => {
                out.push('\'');
                out.push_str(&string.replace('\'', "''"));
                out.push('\'');
            }
            Style::Literal | Style::Folded if is_literal(string) => {
                let content = string.trim_end_matches('\n');
                out.push_str(match string.len() - content.len() {
                    0 => "|-",
                    1 => "|",
                    _ => "|+",
                });
                for line in string.strip_suffix('\n').unwrap_or(string).split('\n') {
                    // A blank line has no indentation.
                    self.line(out, if line.is_empty() { 0 } else { column });
                    out.push_str(line);
                }
            }
            _ => self.string(out, string),
        }
    }
}

/// Whether every reader takes the bare text for a string.
fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && string.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
        && !WORDS.iter().any(|word| string.eq_ignore_ascii_case(word))
}

/// Whether the string can stand in a literal block without an indentation indicator.
fn is_literal(string: &str) -> bool {
    !string.starts_with([' ', '\t', '\n'])
        && !string.trim_end_matches('\n').is_empty()
        && !string.trim_end_matches('\n').ends_with([' ', '\t'])
        && string.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..) && !text::is_break(c) && c != '\u{feff}'
}

/// JSON's escapes, which all YAML readers share; but neither `\/` nor surrogates, which Go's YAML refuses.
fn double_quoted(out: &mut String, string: &str) {
    out.push('"');
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            // All others lie below U+10000.
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// A number that YAML 1.1 reads as a number too: it wants a point, and a sign in the exponent.
fn format_number(number: &Number) -> String {
    let text = number.to_string();
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            format!("{mantissa}{point}e{sign}{exponent}")
        }
        None => text,
    }
}

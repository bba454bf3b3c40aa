use std::fmt;

use crate::text;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 0, in bytes.
    pub offset: usize,
}

impl Location {
    /// The place of a byte; the end of the text when it lies beyond, the start of its character when within one.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let breaks = before.bytes().filter(|&b| b == b'\n').count()
            + before.match_indices('\r').filter(|&(at, _)| !text[at..].starts_with("\r\n")).count();
        Self { line: breaks + 1, column: text::column(text, offset) + 1, offset }
    }
}

/// Why a text is not read or not edited.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Error {
    /// Where, if one place is to blame.
    pub location: Option<Location>,
    /// What is wrong, without a final stop.
    pub message: String,
    /// What would be right, without a final stop.
    pub help: Option<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { location: None, message: message.into(), help: None }
    }

    pub(crate) fn at(mut self, text: &str, offset: usize) -> Self {
        self.location = Some(Location::of(text, offset));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { line, column, .. }) = self.location {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

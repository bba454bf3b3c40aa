use std::ops::Range;

use memchr::memmem;

use crate::events::{IN_QUOTES, TEXT_BEHIND_END};
use crate::{Document, Error, Location, text};

/// One document of a stream, with the separator before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The whole piece: all pieces in a row are the stream.
    pub text: &'a str,
    /// The document in `text`, without a separator line.
    pub body: Range<usize>,
    /// Where `text` begins in the stream.
    pub offset: usize,
}

/// Cuts a stream into documents without parsing them.
///
/// Fails where Helm 3, Helm 4 and the API's own tools would not see the same documents.
pub fn split(stream: &str) -> Result<Vec<Piece<'_>>, Error> {
    let mut pieces = Vec::new();
    let mut push = |range: Range<usize>, body: usize| {
        let piece = Piece {
            text: &stream[range.clone()],
            body: body - range.start..range.len(),
            offset: range.start,
        };
        check(stream, &piece)?;
        pieces.push(piece);
        Ok(())
    };
    let mut start = 0;
    let mut body = 0;
    for line in line_starts(stream, "---") {
        let end = separator_end(stream, line)?;
        let first = line == 0 || stream[..line] == *text::BOM;
        if !first {
            push(start..line, body)?;
            start = line;
        }
        body = end;
    }
    push(start..stream.len(), body)?;
    Ok(pieces)
}

/// Lines that begin so.
fn line_starts<'s>(stream: &'s str, prefix: &'s str) -> impl Iterator<Item = usize> {
    let first = if stream.starts_with(text::BOM) { text::BOM.len() } else { 0 };
    let begins = stream[first..].starts_with(prefix).then_some(first);
    let inner = memmem::find_iter(stream.as_bytes(), prefix)
        .filter(move |&at| at > first && stream.as_bytes()[at - 1] == b'\n');
    begins.into_iter().chain(inner)
}

/// Where the line behind a separator begins.
fn separator_end(stream: &str, line: usize) -> Result<usize, Error> {
    let end = memchr::memchr(b'\n', &stream.as_bytes()[line..]).map_or(stream.len(), |n| line + n + 1);
    let rest = stream[line + 3..end].trim_end_matches('\n').trim_end_matches('\r');
    let content = rest.trim_start_matches([' ', '\t']);
    let is_comment = content.starts_with('#') && content.len() < rest.len() && !content.contains('\r');
    if content.is_empty() || is_comment {
        return Ok(end);
    }
    let (message, help) = if rest.starts_with([' ', '\t']) {
        ("text behind the separator `---`", "begin the document on the next line")
    } else {
        (
            "a line begins with `---` and is not a separator",
            "write `---` alone on its line, or indent the line if it belongs to a string",
        )
    };
    Err(Error::new(message).at(stream, line).help(help))
}

fn check(stream: &str, piece: &Piece) -> Result<(), Error> {
    let body = &piece.text[piece.body.clone()];
    let at = |offset: usize| piece.offset + piece.body.start + offset;

    let Some(first) = first_content(body) else { return Ok(()) };
    if body[first..].starts_with('%') {
        return Err(Error::new("a directive, which Helm takes for a document")
            .at(stream, at(first))
            .help("leave the `%` line out"));
    }
    let indented = body[..first].ends_with([' ', '\t']) && !body[..first].contains('#');
    if indented && !body[first..].starts_with(['{', '[']) && body[first..].trim_end().contains('\n') {
        return Err(Error::new("a document whose first line is indented, which Helm unindents")
            .at(stream, at(first))
            .help("begin it in the first column"));
    }
    for line in line_starts(body, "...") {
        let rest = &body[line + 3..];
        if !rest.is_empty() && !rest.starts_with([' ', '\t', '\r', '\n']) {
            continue;
        }
        let next = first_content(rest).map(|next| line + 3 + next);
        if let Some(next) = next.filter(|&next| !body[next..].starts_with("...")) {
            return Err(Error::new("text behind the end of a document, `...`, which readers drop")
                .at(stream, at(next))
                .help("separate documents by `---`"));
        }
    }
    if body[first..].starts_with('{')
        && may_be_two_objects(body)
        && let Err(mut error) = Document::parse(body)
        && error.message == TEXT_BEHIND_END
        && let Some(location) = error.location
    {
        error.location = Some(Location::of(stream, at(location.offset)));
        return Err(error);
    }
    let end = piece.offset + piece.text.len();
    if end < stream.len()
        && may_end_in_quotes(body)
        && let Err(error) = Document::parse(body)
        && error.message.ends_with(IN_QUOTES)
    {
        return Err(Error::new("a separator `---` inside of a quoted string")
            .at(stream, end)
            .help("indent the lines of the string"));
    }
    Ok(())
}

/// Where the first text begins that is neither blank nor a comment.
fn first_content(text: &str) -> Option<usize> {
    let mut rest = text.trim_start_matches(text::BOM);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        match rest.strip_prefix('#') {
            Some(comment) => rest = &comment[text::line_end(comment, 0)..],
            None => return (!rest.is_empty()).then(|| text.len() - rest.len()),
        }
    }
}

/// Whether a document in braces might be followed by another: `}` then `{`.
fn may_be_two_objects(body: &str) -> bool {
    memchr::memchr_iter(b'}', body.as_bytes()).any(|at| body[at + 1..].trim_start().starts_with(['{', '#']))
}

/// Whether a quote might be open at the end of the text: its last quote stands where a scalar begins.
fn may_end_in_quotes(body: &str) -> bool {
    let opens = |quote: u8| {
        let mut end = body.len();
        while let Some(at) = memchr::memrchr(quote, &body.as_bytes()[..end]) {
            let before = &body[..at];
            if quote == b'\'' && before.ends_with('\'') {
                end = at - 1;
            } else if quote == b'"' && before.ends_with('\\') {
                end = at;
            } else {
                return before.is_empty() || before.ends_with([' ', '\t', '\n', '\r', '[', '{', ',', ':']);
            }
        }
        false
    };
    opens(b'"') || opens(b'\'')
}

//! The short way to a tree: for the YAML that charts and `toYaml` write, and only that.
//!
//! What is read here has the tree that [`events`](crate::events) builds of it, to the byte. Whatever is rare, or not
//! valid, is left to `libyaml-safer`: anchors, tags, tabs, quotes over lines, other line breaks …

use memchr::{memchr, memchr3};

use crate::events::{Form, Id, Kind, Node, Style, Tree};
use crate::resolve::Tag;

/// Collections inside each other, each a few frames of the stack.
const MAX_DEPTH: usize = 64;

/// Bytes from the start of a key to its colon; the scanner allows 1024.
const MAX_KEY: usize = 1000;

/// The tree of a text. `None`: the scanner has to look at it.
pub fn parse(text: &str) -> Option<Tree> {
    if !has_common_characters(text) {
        return None;
    }
    let tree = Tree { nodes: Vec::with_capacity(text.len() / 16), ..Tree::default() };
    let mut parser =
        Parser { text, bytes: text.as_bytes(), at: 0, line: 0, column: None, depth: 0, last: 0, tree };
    parser.next_line()?;
    if parser.column.is_some() {
        parser.node(None, true)?;
    }
    parser.column.is_none().then_some(parser.tree)
}

/// No control characters, no byte order mark, and `\n` as the only line break.
fn has_common_characters(text: &str) -> bool {
    let is_common = |b: u8| (b >= b' ') && (b != 0x7f) || (b == b'\n') || (b == b'\t');
    // Without a way out of the loop it takes many bytes at a time.
    text.bytes().fold(true, |all, b| all & is_common(b))
        // The scanner takes every such byte for a byte order mark.
        && text.bytes().next() != Some(0xef)
        && (text.is_ascii()
            || text.chars().all(|c| {
                c.is_ascii()
                    || c >= '\u{a0}'
                        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
            }))
}

/// What lies between a token and the next line with content.
#[derive(Default)]
struct Gap {
    empty_lines: usize,
    comment: bool,
}

struct Scalar {
    style: Style,
    start: usize,
    end: usize,
    /// If it is not what the source has.
    text: Option<String>,
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the line begins.
    line: usize,
    /// Where the content of the line begins; `None` at the end of the text, which is less than any column.
    column: Option<usize>,
    depth: usize,
    /// Where the last node ended.
    last: usize,
    tree: Tree,
}

impl Parser<'_> {
    /// A value; `parent` is the column of the block around it. Blocks may only begin where no key stands before them.
    fn node(&mut self, parent: Option<usize>, may_be_block: bool) -> Option<()> {
        let column = self.at - self.line;
        if may_be_block && self.is_dash() {
            return self.sequence(column, false);
        }
        match self.byte()? {
            b'|' | b'>' => self.block_scalar(parent),
            b'[' | b'{' => {
                self.flow()?;
                self.next_line().map(drop)
            }
            _ => {
                let scalar = self.scalar(false)?;
                if may_be_block && self.is_key(&scalar) {
                    return self.mapping(scalar, column);
                }
                let scalar = self.lines(scalar, parent)?;
                self.push(scalar);
                Some(())
            }
        }
    }

    /// From behind the first key on.
    fn mapping(&mut self, mut key: Scalar, column: usize) -> Option<()> {
        let id = self.open(Kind::Map(Form::Block(offset(key.start))), key.start)?;
        loop {
            self.push(key);
            self.at += 1;
            let colon = self.at;
            if self.is_line_end() {
                self.next_line()?;
                if self.column == Some(column) && self.is_dash() {
                    self.sequence(column, true)?;
                } else {
                    self.below(column, colon)?;
                }
            } else {
                self.node(Some(column), false)?;
            }
            if self.column != Some(column) {
                return self.close_block(id, column);
            }
            key = self.scalar(false)?;
            if !self.is_key(&key) {
                return None;
            }
        }
    }

    /// From the first dash on. `shared`: the mapping around it has its keys in the same column.
    fn sequence(&mut self, column: usize, shared: bool) -> Option<()> {
        let id = self.open(Kind::Seq(Form::Block(offset(self.at))), self.at)?;
        loop {
            self.at += 1;
            let dash = self.at;
            if self.is_line_end() {
                self.next_line()?;
                self.below(column, dash)?;
            } else {
                self.node(Some(column), true)?;
            }
            if self.column != Some(column) || (shared && !self.is_dash()) {
                return self.close_block(id, column);
            }
            if !self.is_dash() {
                return None;
            }
        }
    }

    /// A value on a line below its key or dash, or none.
    fn below(&mut self, column: usize, empty: usize) -> Option<()> {
        if self.column > Some(column) {
            return self.node(Some(column), true);
        }
        self.push(Scalar { style: Style::Plain, start: empty, end: empty, text: None });
        Some(())
    }

    /// A collection in brackets or braces, on one line.
    fn flow(&mut self) -> Option<()> {
        let (kind, closing) =
            if self.byte()? == b'{' { (Kind::Map(Form::Flow), b'}') } else { (Kind::Seq(Form::Flow), b']') };
        let id = self.open(kind, self.at)?;
        if self.skip_to_next()? != closing {
            self.flow_entry(closing)?;
            while self.byte()? == b',' {
                self.skip_to_next()?;
                self.flow_entry(closing)?;
            }
        }
        if self.byte()? != closing {
            return None;
        }
        self.at += 1;
        self.close(id, self.at);
        Some(())
    }

    /// An item, or a key and its value, and the spaces behind.
    fn flow_entry(&mut self, closing: u8) -> Option<()> {
        if closing == b'}' {
            let key = self.scalar(true)?;
            self.skip_spaces();
            if self.byte()? != b':' || self.at - key.start > MAX_KEY {
                return None;
            }
            self.push(key);
            self.skip_to_next()?;
        }
        if let b'[' | b'{' = self.byte()? {
            self.flow()?;
        } else {
            let scalar = self.scalar(true)?;
            self.push(scalar);
        }
        self.skip_spaces();
        Some(())
    }

    /// A quoted scalar, or the first line of a plain one.
    fn scalar(&mut self, in_flow: bool) -> Option<Scalar> {
        let first = self.byte()?;
        let next = self.bytes.get(self.at + 1).copied();
        match first {
            b'\'' | b'"' => return self.quoted(first, in_flow),
            b'-' if next.is_some_and(|b| b.is_ascii_graphic() && !b",[]{}".contains(&b)) => {}
            b':' if !in_flow && next.is_some_and(|b| b.is_ascii_graphic()) => {}
            _ if b"-?:,[]{}#&*!|>%@`\t\n".contains(&first) => return None,
            _ => {}
        }
        let start = self.at;
        Some(Scalar { style: Style::Plain, start, end: self.plain_line(in_flow)?, text: None })
    }

    /// The end of what a line has of a plain scalar.
    fn plain_line(&mut self, in_flow: bool) -> Option<usize> {
        let start = self.at;
        let mut end = start;
        while let Some(b) = self.byte() {
            let next = self.bytes.get(self.at + 1);
            match b {
                b' ' => {}
                b'\n' => break,
                b'\t' => return None,
                b'#' if end < self.at => break,
                b':' if next.is_none_or(|b| b" \n".contains(b)) => break,
                b',' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                // Between brackets either parser takes some of these for an error.
                b'?' if in_flow => return None,
                b':' if in_flow && next.is_some_and(|b| b",?[]{}".contains(b)) => return None,
                _ => end = self.at + 1,
            }
            self.at += 1;
        }
        self.at = end;
        (start < end).then_some(end)
    }

    /// The further lines of a plain scalar, then the next line with content.
    fn lines(&mut self, mut scalar: Scalar, parent: Option<usize>) -> Option<Scalar> {
        loop {
            let gap = self.next_line()?;
            if scalar.style != Style::Plain || gap.comment || self.column <= parent {
                return Some(scalar);
            }
            let from = self.at;
            let to = self.plain_line(false)?;
            let text = scalar.text.get_or_insert_with(|| self.text[scalar.start..scalar.end].to_owned());
            fold(text, gap.empty_lines);
            text.push_str(&self.text[from..to]);
            scalar.end = to;
        }
    }

    fn quoted(&mut self, quote: u8, in_flow: bool) -> Option<Scalar> {
        let style = if quote == b'"' { Style::Double } else { Style::Single };
        let start = self.at;
        let mut text: Option<String> = None;
        // What is not in `text` yet, and from where on to look for a quote.
        let (mut rest, mut from) = (start + 1, start + 1);
        loop {
            let at = from + memchr3(quote, b'\\', b'\n', &self.bytes[from..])?;
            let source = &self.text[rest..at];
            match self.bytes[at] {
                b'\\' if quote == b'\'' => from = at + 1,
                b'\\' => {
                    let (c, length) = unescape(&self.text[at + 1..])?;
                    let text = text.get_or_insert_default();
                    text.push_str(source);
                    text.push(c);
                    rest = at + 1 + length;
                    from = rest;
                }
                b'\n' if in_flow => return None,
                b'\n' => {
                    self.at = at;
                    let line = source.trim_end_matches(' ');
                    let empty_lines = self.break_in_quotes().filter(|_| !line.ends_with('\t'))?;
                    let text = text.get_or_insert_default();
                    text.push_str(line);
                    fold(text, empty_lines);
                    (rest, from) = (self.at, self.at);
                }
                _ if quote == b'\'' && self.bytes.get(at + 1) == Some(&b'\'') => {
                    text.get_or_insert_default().push_str(&self.text[rest..=at]);
                    (rest, from) = (at + 2, at + 2);
                }
                _ => {
                    if let Some(text) = &mut text {
                        text.push_str(source);
                    }
                    self.at = at + 1;
                    return Some(Scalar { style, start, end: self.at, text });
                }
            }
        }
    }

    /// From a line break between quotes to the next text; returns the number of empty lines.
    fn break_in_quotes(&mut self) -> Option<usize> {
        let mut empty_lines = 0;
        loop {
            self.at += 1;
            self.line = self.at;
            self.skip_spaces();
            match self.byte()? {
                b'\n' => empty_lines += 1,
                b'\t' => return None,
                // A separator may stand there.
                _ if self.at == self.line => return None,
                _ => return Some(empty_lines),
            }
        }
    }

    /// A scalar behind `|` or `>`, without an indentation indicator.
    fn block_scalar(&mut self, parent: Option<usize>) -> Option<()> {
        let start = self.at;
        let style = if self.byte()? == b'|' { Style::Literal } else { Style::Folded };
        self.at += 1;
        let chomping = self.byte().filter(|b| b"+-".contains(b));
        self.at += usize::from(chomping.is_some());
        if !self.is_line_end() {
            return None;
        }
        let mut end = self.at + memchr(b'\n', &self.bytes[self.at..])?;
        self.at = end + 1;

        let mut text = String::new();
        let mut indent = None;
        let (mut empty_lines, mut widest) = (0, 0);
        let mut may_fold = false;
        loop {
            let line = &self.bytes[self.at..];
            let spaces = line.iter().take_while(|&&b| b == b' ').count();
            let Some(&first) = line.get(spaces) else {
                // The scanner reads blanks at the end in its own way.
                if spaces > 0 {
                    return None;
                }
                break;
            };
            if first == b'\n' && indent.is_none_or(|indent| spaces <= indent) {
                empty_lines += 1;
                widest = widest.max(spaces);
                self.at += spaces + 1;
                continue;
            }
            let column = indent.unwrap_or(spaces);
            if first == b'\t' && indent.is_none_or(|indent| spaces < indent) {
                return None;
            }
            if spaces < column || Some(spaces) <= parent || spaces == 0 {
                break;
            }
            if indent.is_none() && widest > spaces {
                return None;
            }
            let content = self.at + column;
            let folds = style == Style::Folded && spaces == column && first != b'\t';
            if indent.is_some() && folds && may_fold {
                fold(&mut text, empty_lines);
            } else {
                // Of a first line only the empty ones before it have breaks.
                let breaks = empty_lines + usize::from(indent.is_some());
                text.extend(std::iter::repeat_n('\n', breaks));
            }
            (indent, empty_lines, may_fold) = (Some(column), 0, folds);
            end = content + memchr(b'\n', &self.bytes[content..])?;
            text.push_str(&self.text[content..end]);
            self.at = end + 1;
        }
        if indent.is_none() && widest > 0 {
            return None;
        }
        if chomping != Some(b'-') && indent.is_some() {
            text.push('\n');
        }
        if chomping == Some(b'+') {
            text.extend(std::iter::repeat_n('\n', empty_lines));
            end = self.at - 1;
        }
        self.line = self.at;
        self.next_line()?;
        self.push(Scalar { style, start, end, text: Some(text) });
        Some(())
    }

    /// Whether what was just read, and stands at the start of a line or behind a dash, is a key: stops at the colon.
    fn is_key(&mut self, scalar: &Scalar) -> bool {
        self.skip_spaces();
        self.byte() == Some(b':')
            && self.bytes.get(self.at + 1).is_none_or(|b| b" \n".contains(b))
            && scalar.start >= self.line
            && self.at - scalar.start <= MAX_KEY
    }

    fn is_dash(&self) -> bool {
        self.byte() == Some(b'-') && self.bytes.get(self.at + 1).is_none_or(|b| b" \n".contains(b))
    }

    /// Whether nothing but a comment follows in the line. Skips the spaces.
    fn is_line_end(&mut self) -> bool {
        self.skip_spaces();
        match self.byte() {
            Some(b'#') => self.at == self.line || self.bytes[self.at - 1] == b' ',
            b => b.is_none_or(|b| b == b'\n'),
        }
    }

    /// Goes on to the next line with content; nothing else may follow in this one.
    fn next_line(&mut self) -> Option<Gap> {
        let mut gap = Gap::default();
        let mut lines = 0_usize;
        let mut is_new = self.at == self.line;
        loop {
            let is_end = self.is_line_end();
            match self.byte() {
                None => {
                    self.column = None;
                    break;
                }
                Some(b'\n') => {
                    self.at += 1;
                    self.line = self.at;
                    lines += 1;
                    is_new = true;
                }
                Some(b'#') if is_end => {
                    gap.comment = true;
                    self.at += memchr(b'\n', &self.bytes[self.at..]).unwrap_or(self.bytes.len() - self.at);
                }
                Some(_) if !is_new => return None,
                Some(first) => {
                    let column = self.at - self.line;
                    let rest = &self.bytes[self.at..];
                    if column == 0 && (first == b'%' || rest.starts_with(b"---") || rest.starts_with(b"..."))
                    {
                        return None;
                    }
                    self.column = Some(column);
                    break;
                }
            }
        }
        gap.empty_lines = lines.saturating_sub(1);
        Some(gap)
    }

    /// Goes past this byte and spaces.
    fn skip_to_next(&mut self) -> Option<u8> {
        self.at += 1;
        self.skip_spaces();
        self.byte()
    }

    fn skip_spaces(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn push(&mut self, scalar: Scalar) {
        let Scalar { style, start, end, text } = scalar;
        let text = text.and_then(|text| self.tree.keep(text));
        let next = self.tree.len() + 1;
        let kind = Kind::Scalar { style, tag: Tag::None, text };
        self.tree.nodes.push(Node { start: offset(start), end: offset(end), next, kind });
        self.last = end;
    }

    fn open(&mut self, kind: Kind, start: usize) -> Option<Id> {
        self.depth += 1;
        let id = self.tree.len();
        self.tree.nodes.push(Node { start: offset(start), end: 0, next: 0, kind });
        (self.depth <= MAX_DEPTH).then_some(id)
    }

    /// A block ends with its last child; the next line must belong to a block around it.
    fn close_block(&mut self, id: Id, column: usize) -> Option<()> {
        self.close(id, self.last);
        (self.column <= Some(column)).then_some(())
    }

    fn close(&mut self, id: Id, end: usize) {
        self.depth -= 1;
        self.last = end;
        let next = self.tree.len();
        let node = &mut self.tree.nodes[id as usize];
        (node.end, node.next) = (offset(end), next);
    }
}

/// Joins lines: a break alone is a space.
fn fold(text: &mut String, empty_lines: usize) {
    if empty_lines == 0 {
        text.push(' ');
    }
    text.extend(std::iter::repeat_n('\n', empty_lines));
}

/// What an escape stands for, and how long it is without the backslash.
fn unescape(source: &str) -> Option<(char, usize)> {
    let digits = match source.bytes().next()? {
        b'n' => return Some(('\n', 1)),
        b't' => return Some(('\t', 1)),
        b'r' => return Some(('\r', 1)),
        b @ (b'"' | b'\\' | b' ') => return Some((char::from(b), 1)),
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        _ => return None,
    };
    let hex = source.get(1..=digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, digits + 1))
}

/// Texts are far shorter than `u32::MAX`.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

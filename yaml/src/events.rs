//! From text to a tree of nodes with byte spans, by way of `libyaml-safer`'s events and behind guards.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libyaml_safer::{EventData, MappingStyle, Parser, ScalarStyle, SequenceStyle};

use crate::Error;
use crate::resolve::Tag;
use crate::text;

/// Bytes of the longest document that is read: far beyond what a cluster stores, and offsets fit into `u32`.
const MAX_BYTES: usize = 64 << 20;

/// Collections inside each other. Real documents stay below 40; the scanner's time per token grows with it.
pub const MAX_DEPTH: usize = 512;

/// The message for what follows a document without a separator.
pub const TEXT_BEHIND_END: &str = "text behind the end of the document, which readers drop";

/// How the scanner's message for a quote that never closes ends.
pub const IN_QUOTES: &str = "while scanning a quoted scalar";

/// A place in the tree. Nodes lie in the order of the text, children right behind their parent.
pub type Id = u32;

#[derive(Debug)]
pub struct Node {
    /// First byte, an anchor or tag included.
    pub start: u32,
    /// One past the last byte, without the line break that ends a block scalar.
    pub end: u32,
    /// One past the last node below this one.
    pub next: Id,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Scalar {
        style: Style,
        tag: Tag,
        /// `None`: what the source has between the quotes.
        text: Option<Box<str>>,
    },
    /// Children: key, value, key, value …
    Map(Form),
    Seq(Form),
    Alias(Id),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Where the first key, `?` or `-` stands.
    Block(u32),
    Flow,
    /// `a: 1` in `[a: 1]`: a flow mapping without braces.
    Pair,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

#[derive(Debug, Default)]
pub struct Tree {
    /// Empty for an empty document.
    pub nodes: Vec<Node>,
    /// Nodes that are aliases.
    pub aliases: Vec<Id>,
}

impl Tree {
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::new(format!("the document has {} bytes", text.len()))
                .help(format!("at most {MAX_BYTES} are read")));
        }
        if let Some(at) = inner_byte_order_mark(text) {
            return Err(Error::new("byte order mark at the start of a line")
                .at(text, at)
                .help("it may only begin the document"));
        }
        // The scanner has asserts that odd input reaches, such as `[!,`.
        catch_unwind(AssertUnwindSafe(|| Builder::new(text).build()))
            .unwrap_or_else(|_| Err(Error::new("the YAML scanner gave up on this document")))
    }

    pub fn children(&self, id: Id) -> Children<'_> {
        Children { nodes: &self.nodes, at: id + 1, end: self[id].next }
    }

    /// The keys and values of a mapping.
    pub fn entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> {
        let mut children = self.children(id);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// Whether a node is written in flow style: with brackets or braces, or within.
    pub fn is_flow(&self, id: Id) -> bool {
        matches!(self[id].kind, Kind::Map(Form::Flow | Form::Pair) | Kind::Seq(Form::Flow | Form::Pair))
    }

    /// Whether `inner` is `outer` or lies below it.
    pub fn contains(&self, outer: Id, inner: Id) -> bool {
        outer <= inner && inner < self[outer].next
    }
}

impl std::ops::Index<Id> for Tree {
    type Output = Node;

    fn index(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }
}

pub struct Children<'t> {
    nodes: &'t [Node],
    at: Id,
    end: Id,
}

impl Iterator for Children<'_> {
    type Item = Id;

    fn next(&mut self) -> Option<Id> {
        (self.at < self.end).then(|| {
            let id = self.at;
            self.at = self.nodes[id as usize].next;
            id
        })
    }
}

/// Go reads such a mark as part of a key, `libyaml` skips it; which of both depends on Go's buffer.
fn inner_byte_order_mark(text: &str) -> Option<usize> {
    let first = text.strip_prefix(text::BOM).map_or(0, |_| text::BOM.len());
    memchr::memmem::find_iter(text.as_bytes(), text::BOM)
        .find(|&at| at >= first && (at == first || text[..at].ends_with(text::is_break)) && at > 0)
}

/// Feeds the scanner in pieces, so that its buffer of characters stays small, and ends the last line: the scanner
/// panics on a block scalar whose last line has no break.
struct Source<'t> {
    rest: &'t [u8],
    last: &'t [u8],
}

impl Source<'_> {
    const CHUNK: usize = 4096;
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(if self.rest.is_empty() { self.last } else { &self.rest[..self.rest.len().min(Self::CHUNK)] })
    }

    fn consume(&mut self, n: usize) {
        let from = if self.rest.is_empty() { &mut self.last } else { &mut self.rest };
        *from = &from[n..];
    }
}

struct Builder<'t> {
    text: &'t str,
    /// Bytes that the scanner does not count.
    skipped: usize,
    /// A break was added to the end.
    ended: bool,
    tree: Tree,
    anchors: HashMap<String, Id>,
    /// Collections that are not closed yet, and where their last child ended.
    open: Vec<(Id, u32)>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            skipped: if text.starts_with(text::BOM) { text::BOM.len() } else { 0 },
            ended: !text.is_empty() && !text.ends_with(text::is_break),
            tree: Tree::default(),
            anchors: HashMap::new(),
            open: Vec::new(),
        }
    }

    fn build(mut self) -> Result<Tree, Error> {
        let mut parser = Parser::new();
        parser.set_input(Source { rest: self.text.as_bytes(), last: if self.ended { b"\n" } else { b"" } });
        loop {
            let event = parser.parse().map_err(|e| self.syntax_error(&e))?;
            let (start, end) = (self.offset(event.start_mark.index), self.offset(event.end_mark.index));
            match event.data {
                EventData::StreamStart { .. } => {}
                EventData::DocumentStart { version_directive, .. } => {
                    if version_directive.is_some_and(|v| v.minor != 1) {
                        return Err(Error::new("Helm reads YAML 1.1 only")
                            .at(self.text, start as usize)
                            .help("leave the `%YAML` line out"));
                    }
                }
                EventData::Alias { anchor } => self.alias(&anchor, start, end)?,
                EventData::Scalar { anchor, tag, value, style, .. } => {
                    self.scalar(anchor, tag.as_deref(), value, style, start, end)?;
                }
                EventData::SequenceStart { anchor, style, .. } => {
                    let form = match style {
                        SequenceStyle::Flow => Form::Flow,
                        // Without indentation the event ends behind the first `-`.
                        _ if self.text[end as usize..].starts_with('-') => Form::Block(end),
                        _ => Form::Block(end.saturating_sub(1)),
                    };
                    self.start(anchor, start, Kind::Seq(form))?;
                }
                EventData::MappingStart { anchor, style, .. } => {
                    let form = match style {
                        MappingStyle::Flow if self.text[..end as usize].ends_with('{') => Form::Flow,
                        MappingStyle::Flow => Form::Pair,
                        _ => Form::Block(end),
                    };
                    self.start(anchor, start, Kind::Map(form))?;
                }
                EventData::SequenceEnd | EventData::MappingEnd => self.end(end),
                EventData::DocumentEnd { implicit } => {
                    let rest = &self.text[start as usize..];
                    if implicit && !rest.is_empty() && !rest.starts_with("---") {
                        return Err(Error::new(TEXT_BEHIND_END)
                            .at(self.text, start as usize)
                            .help("separate documents by `---`"));
                    }
                    return Ok(self.tree);
                }
                EventData::StreamEnd => return Ok(self.tree),
            }
        }
    }

    fn start(&mut self, anchor: Option<String>, start: u32, kind: Kind) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::new(format!("more than {MAX_DEPTH} collections inside each other"))
                .at(self.text, start as usize));
        }
        let id = self.push(anchor, start, start, kind);
        self.open.push((id, start));
        Ok(())
    }

    fn end(&mut self, end: u32) {
        let Some((id, last)) = self.open.pop() else { return };
        let next = self.len();
        let node = &mut self.tree.nodes[id as usize];
        node.next = next;
        node.end = match node.kind {
            Kind::Map(Form::Flow) | Kind::Seq(Form::Flow) => end,
            // The end of a block lies on the next token, be it lines away.
            _ => last,
        };
        let end = node.end;
        self.close(end);
    }

    fn alias(&mut self, anchor: &str, start: u32, end: u32) -> Result<(), Error> {
        let Some(&target) = self.anchors.get(anchor) else {
            return Err(Error::new(format!("unknown anchor `{anchor}`"))
                .at(self.text, start as usize)
                .help(format!("a value above must carry `&{anchor}`")));
        };
        if self.open.iter().any(|&(id, _)| id == target) {
            return Err(Error::new(format!("the value of anchor `{anchor}` contains itself"))
                .at(self.text, start as usize));
        }
        let id = self.push(None, start, end, Kind::Alias(target));
        self.tree.aliases.push(id);
        self.close(end);
        Ok(())
    }

    fn scalar(
        &mut self,
        anchor: Option<String>,
        tag: Option<&str>,
        mut value: String,
        style: ScalarStyle,
        mut start: u32,
        mut end: u32,
    ) -> Result<(), Error> {
        let bare = anchor.is_none() && tag.is_none();
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        if matches!(style, Style::Literal | Style::Folded) {
            end = self.end_block_scalar(start, end, &mut value)?;
        } else if bare && style == Style::Plain && start == end {
            // `? a` without a value: the event lies on the next token.
            if let Some(&(parent, last)) = self.open.last()
                && matches!(self.tree[parent].kind, Kind::Map(Form::Block(_)) | Kind::Seq(Form::Block(_)))
                && !self.text[..start as usize].ends_with([':', '-', '?'])
            {
                (start, end) = (last, last);
            }
        }
        let (from, to) = (start as usize, end as usize);
        let in_flow = self.open.last().is_some_and(|&(parent, _)| self.tree.is_flow(parent));
        if style == Style::Plain && in_flow && value.contains('?') {
            return Err(Error::new("Helm's parser allows no `?` in a bare value within brackets")
                .at(self.text, from)
                .help("put the value in quotes"));
        }
        if style == Style::Double
            && let Some(at) = escaped_slash(&self.text[from..to])
        {
            return Err(Error::new("Helm's parser does not know the escape `\\/`")
                .at(self.text, from + at)
                .help("write `/`"));
        }
        let source = match style {
            Style::Plain => self.text.get(from..to),
            Style::Single | Style::Double => self.text.get(from + 1..to.saturating_sub(1)),
            Style::Literal | Style::Folded => None,
        };
        let text = (!bare || source != Some(value.as_str())).then(|| value.into_boxed_str());
        self.push(anchor, start, end, Kind::Scalar { style, tag: Tag::of(tag), text });
        self.close(end);
        Ok(())
    }

    /// Ends a block scalar with its last line of content, without the break. A break that was added to the text
    /// is taken out of the value.
    fn end_block_scalar(&self, start: u32, end: u32, value: &mut String) -> Result<u32, Error> {
        let source = &self.text[start as usize..end as usize];
        // Anchors and tags have neither of the indicators unless a tag is odd; then `|` still comes last.
        let header = source.split(text::is_break).next().unwrap_or_default();
        let header = header.split('#').next().unwrap_or_default();
        let indicators = header.rfind(['|', '>']).map_or("", |at| &header[at..]);
        let keep = indicators.contains('+');
        let lines = || source.split(text::is_break).skip(1);
        let indent = if indicators.contains(|c: char| c.is_ascii_digit()) {
            None
        } else {
            lines().find(|line| !is_blank(line)).map(|line| line.len() - line.trim_start_matches(' ').len())
        };

        if self.ended && end as usize == self.text.len() {
            let last = source.rsplit(text::is_break).next().unwrap_or_default();
            let content = match indent {
                _ if source.len() == header.len() => false,
                _ if !is_blank(last) => true,
                Some(indent) => last.len() > indent,
                None if last.is_empty() || source[header.len()..].trim().is_empty() => false,
                None => {
                    return Err(Error::new("the last line of the document is blank and not ended")
                        .at(self.text, end as usize)
                        .help("end the document with a line break"));
                }
            };
            if (keep || content) && value.ends_with('\n') {
                value.pop();
            }
        }

        let mut source = source;
        if let Some(at) = source.rfind(text::is_break)
            && at + source[at..].chars().next().map_or(0, char::len_utf8) == source.len()
        {
            source = text::chomp(source);
        }
        while !keep && let Some(at) = source.rfind(text::is_break) {
            let last = source[at..].trim_start_matches(text::is_break);
            // Spaces beyond the indentation are content.
            if !is_blank(last) || indent.map_or(!last.is_empty(), |indent| last.len() > indent) {
                break;
            }
            source = text::chomp(&source[..source.len() - last.len()]);
        }
        Ok(start + u32::try_from(source.len()).unwrap_or(0))
    }

    fn push(&mut self, anchor: Option<String>, start: u32, end: u32, kind: Kind) -> Id {
        let id = self.len();
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        self.tree.nodes.push(Node { start, end, next: id + 1, kind });
        id
    }

    fn close(&mut self, end: u32) {
        if let Some((_, last)) = self.open.last_mut() {
            *last = end;
        }
    }

    fn len(&self) -> Id {
        // Every node but an empty one has a byte of its own, and an empty one a `:`, `-` or `,`.
        Id::try_from(self.tree.nodes.len()).unwrap_or(Id::MAX)
    }

    fn offset(&self, index: u64) -> u32 {
        let offset = usize::try_from(index).unwrap_or(usize::MAX).saturating_add(self.skipped);
        u32::try_from(offset.min(self.text.len())).unwrap_or(u32::MAX)
    }

    fn syntax_error(&self, error: &libyaml_safer::Error) -> Error {
        let problem = error.problem();
        let unclosed = problem == "found unexpected end of stream";
        let mark = if unclosed { error.context_mark() } else { error.problem_mark() };
        let at = match mark {
            Some(mark) => self.offset(mark.index) as usize,
            None => self.text.find(|c| !text::is_allowed(c)).unwrap_or(0),
        };
        let message = match error.context() {
            Some(context) => format!("{problem} {context}"),
            None => problem.to_owned(),
        };
        let mut error = Error::new(message).at(self.text, at);
        error.help = help(problem, self.text[at..].chars().next()).map(str::to_owned);
        error
    }
}

/// What would be right, for problems where the scanner's words do not say it.
fn help(problem: &str, found: Option<char>) -> Option<&'static str> {
    Some(match (problem, found) {
        ("found character that cannot start any token", Some('\t')) => "indent with spaces",
        ("found character that cannot start any token", _) => "put the value in quotes",
        ("did not find expected key" | "did not find expected '-' indicator", _) => {
            "indent the line like the lines of the same collection"
        }
        ("mapping values are not allowed in this context", _) => {
            "put a value that contains `: ` in quotes, and indent keys alike"
        }
        ("found unknown escape character", _) => "in double quotes write `\\\\` for a backslash",
        ("found invalid Unicode character escape code", _) => {
            "write the character itself, or `\\U` and 8 digits"
        }
        ("control characters are not allowed", _) => "write it as an escape such as `\\x07` in double quotes",
        ("found unexpected end of stream", _) => "close the quote",
        ("could not find expected ':'", _) => "a key is followed by `: `",
        _ => return None,
    })
}

/// Where `\/` stands in a double-quoted scalar. JSON and YAML 1.2 have it, YAML 1.1 does not.
fn escaped_slash(source: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'\\', &source.as_bytes()[from..]) {
        let at = from + at;
        if source[at + 1..].starts_with('/') {
            return Some(at);
        }
        from = at + 2;
    }
    None
}

fn is_blank(line: &str) -> bool {
    line.bytes().all(|b| b == b' ' || b == b'\t')
}

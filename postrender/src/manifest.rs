//! The documents of a stream, and the objects in them.

use datalab_yaml::{Document, Editor, Path, Piece, Value};

use crate::Error;

/// Helm 4's name for the file that a document comes from. It must stay.
pub const FILENAME_ANNOTATION: &str = "postrenderer.helm.sh/postrender-filename";

/// What KRM functions read and write.
const RESOURCE_LIST: &str = "ResourceList";

/// One document of the stream.
pub struct Manifest<'a> {
    /// Its bytes.
    pub piece: Piece<'a>,
    /// Its kind, where only its metadata was parsed.
    kind: Option<String>,
    /// What was parsed of it; `None` if nothing in it concerns us.
    pub parsed: Option<Parsed<'a>>,
}

/// A parsed document and its edits.
pub struct Parsed<'a> {
    /// The document.
    pub document: Document<'a>,
    /// Its value, and what shall change.
    pub editor: Editor,
}

/// An object: a document, or an item of a `List`.
#[derive(Clone, Debug)]
pub struct Object {
    /// Index of its document in the stream.
    pub manifest: usize,
    /// Where it stands in the document.
    pub at: Path,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// The chart's file that it comes from, if Helm 3 says so.
    pub source: Option<String>,
}

/// How much of a document matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its `metadata`, for labels.
    Metadata,
    /// Nothing.
    Nothing,
}

impl<'a> Manifest<'a> {
    /// Takes a piece of a stream and parses as much of it as `part` says of its kind and text.
    pub fn read(mut piece: Piece<'a>, part: impl Fn(&str, &str) -> Part) -> Result<Self, Error> {
        let body = &piece.text[piece.body.clone()];
        if is_empty(body) {
            return Ok(Self { piece, kind: None, parsed: None });
        }
        let kind = kind(body);
        match kind.map_or(Part::Whole, |kind| part(kind, body)) {
            Part::Nothing => return Ok(Self { piece, kind: None, parsed: None }),
            Part::Metadata => {
                if let Some(section) = metadata_section(body) {
                    let section = piece.body.start + section.start..piece.body.start + section.end;
                    if let Ok(parsed) = parse(&piece.text[section.clone()]) {
                        piece.body = section;
                        return Ok(Self { piece, kind: kind.map(str::to_owned), parsed: Some(parsed) });
                    }
                }
            }
            Part::Whole => {}
        }
        let parsed = parse(body).map_err(|error| Error::yaml(error, piece.offset + piece.body.start))?;
        Ok(Self { piece, kind: None, parsed: Some(parsed) })
    }

    /// The objects in it.
    pub fn objects(&self, index: usize) -> Vec<Object> {
        let Some(parsed) = &self.parsed else { return vec![] };
        let value = parsed.editor.value();
        let mut objects = Vec::new();
        match &self.kind {
            Some(kind) => objects.push(Object::new(value, &Path::ROOT, index, kind)),
            None => collect(value, &Path::ROOT, index, &mut objects),
        }
        for object in &mut objects {
            object.source = self.source().map(str::to_owned);
        }
        objects
    }

    /// The file that Helm 3 names above each document.
    fn source(&self) -> Option<&str> {
        let mut head = self.piece.text.lines().take_while(|line| line.starts_with('#') || *line == "---");
        head.find_map(|line| line.strip_prefix("# Source: "))
    }

    /// The editor of a `ResourceList`, which KRM functions get for a stream.
    pub fn resource_list(&mut self) -> Option<&mut Editor> {
        let editor = &mut self.parsed.as_mut()?.editor;
        (editor.value()["kind"] == RESOURCE_LIST).then_some(editor)
    }

    /// The piece with its edits.
    pub fn write(&self) -> Result<std::borrow::Cow<'a, str>, Error> {
        let Some(Parsed { document, editor }) = &self.parsed else { return Ok(self.piece.text.into()) };
        if editor.edits().is_empty() {
            return Ok(self.piece.text.into());
        }
        let start = self.piece.offset + self.piece.body.start;
        let body = document.write(editor).map_err(|error| Error::yaml(error, start))?;
        let (before, after) =
            (&self.piece.text[..self.piece.body.start], &self.piece.text[self.piece.body.end..]);
        Ok([before, &body, after].concat().into())
    }
}

/// Items of `v1` `List`s, and of the KRM functions' `ResourceList`, are objects of their own.
fn collect(value: &Value, at: &Path, manifest: usize, objects: &mut Vec<Object>) {
    let Some(kind) = value["kind"].as_str() else { return };
    match &value["items"] {
        Value::Array(items) if kind.ends_with("List") => {
            for (i, item) in items.iter().enumerate() {
                collect(item, &at.join("items").join(i), manifest, objects);
            }
        }
        _ => objects.push(Object::new(value, at, manifest, kind)),
    }
}

impl Object {
    fn new(value: &Value, at: &Path, manifest: usize, kind: &str) -> Self {
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Self { manifest, at: at.clone(), kind: kind.to_owned(), name, source: None }
    }
}

fn parse(text: &str) -> Result<Parsed<'_>, datalab_yaml::Error> {
    let document = Document::parse(text)?;
    let editor = Editor::new(document.value()?);
    Ok(Parsed { document, editor })
}

/// The lines of a document's `metadata`, where no parser is needed to tell: before it stand only comments and values of one plain
/// word. Definitions of custom resources are long, and only their labels are ours.
fn metadata_section(body: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    let mut lines = body.split_inclusive('\n');
    for line in lines.by_ref() {
        let text = line.trim_end();
        if text == "metadata:" {
            break;
        }
        let plain = text.split_once(": ").is_some_and(|(key, value)| is_word(key) && is_word(value));
        if !(plain || text.is_empty() || text.starts_with('#') || text == "---") {
            return None;
        }
        at += line.len();
    }
    let start = at;
    at += body[start..].find('\n')? + 1;
    let mut end = at;
    for line in lines {
        let text = line.trim_end();
        let inside = line.starts_with(' ');
        if !inside && !text.is_empty() && !text.starts_with('#') {
            // The next key; anything else takes a parser.
            return text.split(':').next().is_some_and(is_word).then_some(start..end);
        }
        at += line.len();
        if inside && !text.is_empty() {
            end = at;
        }
    }
    Some(start..end)
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-'))
}

/// The kind of a block-style document without parsing it; `None` if it takes parsing to know.
fn kind(body: &str) -> Option<&str> {
    let line = if body.starts_with("kind:") { body } else { &body[body.find("\nkind:")? + 1..] };
    let word = line["kind:".len()..].lines().next().unwrap_or_default().trim();
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(word)
}

/// Whether there is nothing but comments and blank lines.
fn is_empty(body: &str) -> bool {
    body.lines().all(|line| {
        let line = line.trim_start_matches(['\u{feff}', ' ', '\t', '\r']);
        line.is_empty() || line.starts_with('#')
    })
}

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
}

impl<'a> Manifest<'a> {
    /// Takes a piece of a stream and parses it if `concerns` says so of its kind.
    pub fn read(piece: Piece<'a>, concerns: impl Fn(&str) -> bool) -> Result<Self, Error> {
        let body = &piece.text[piece.body.clone()];
        if is_empty(body) || kind(body).is_some_and(|kind| !concerns(kind)) {
            return Ok(Self { piece, parsed: None });
        }
        let in_stream = |error| Error::yaml(error, piece.offset + piece.body.start);
        let document = Document::parse(body).map_err(in_stream)?;
        let editor = Editor::new(document.value().map_err(in_stream)?);
        Ok(Self { parsed: Some(Parsed { document, editor }), piece })
    }

    /// The objects in it.
    pub fn objects(&self, index: usize) -> Vec<Object> {
        let Some(parsed) = &self.parsed else { return vec![] };
        let mut objects = Vec::new();
        collect(parsed.editor.value(), &Path::ROOT, index, &mut objects);
        objects
    }

    /// The editor of a `ResourceList`, which KRM functions get for a stream.
    pub fn resource_list(&mut self) -> Option<&mut Editor> {
        let editor = &mut self.parsed.as_mut()?.editor;
        (editor.value()["kind"] == RESOURCE_LIST).then_some(editor)
    }

    /// The piece with its edits.
    pub fn write(&self) -> Result<std::borrow::Cow<'a, str>, Error> {
        let Some(Parsed { document, editor }) = &self.parsed else { return Ok(self.piece.text.into()) };
        let edits = editor.edits();
        if edits.is_empty() {
            return Ok(self.piece.text.into());
        }
        let start = self.piece.offset + self.piece.body.start;
        let body = document.apply(&edits).map_err(|error| Error::yaml(error, start))?;
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
        _ => objects.push(Object {
            manifest,
            at: at.clone(),
            kind: kind.to_owned(),
            name: value["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        }),
    }
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

//! Format-preserving YAML for Kubernetes manifests.
//!
//! A stream is [`split`] into documents by byte range; a [`Document`] is parsed with byte spans and read as
//! Helm reads it; [`Edit`]s are spliced into its text, so that only the lines that must change do.
//!
//! # What is refused although Helm reads it
//!
//! What is read has the value that `sigs.k8s.io/yaml` gives it, always. Some texts are refused instead:
//!
//! - text behind a document without a separator, which Go drops, and a `%YAML` line other than 1.1
//! - two keys of a mapping that differ in type only (`1` and `"1"`): which one Go takes is random
//! - a byte order mark at the start of a later line: whether Go skips it depends on its buffer
//! - `{a:}`, `[a:,b]`, a tag with `,`, `]` or `}` right behind it, `\'` in double quotes: the scanner's grammar
//! - `!!timestamp`; a number that is not finite or a null key even where a later duplicate hides it; a `!!binary` key
//!   that is not UTF-8
//! - an unended last line of blanks below `|2` and the like
//! - collections more than 512 deep (Go: 10 000), documents over 64 MiB, keys over 1024 bytes (Go: characters), aliases
//!   that repeat over 16 MiB of text: time and stack stay bounded
//!
//! The scanner panics on some of these; its panics are caught, but a panic hook still sees them.

mod document;
mod duplicates;
mod edit;
mod emit;
mod error;
mod events;
mod path;
mod read;
mod resolve;
mod splice;
mod split;
mod text;

pub use document::Document;
pub use edit::{Edit, Editor, Op, apply_to};
pub use emit::emit;
pub use error::{Error, Location};
pub use path::{Path, Segment};
pub use serde_json::{Map, Value};
pub use split::{Piece, split};

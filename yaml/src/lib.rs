//! Format-preserving YAML for Kubernetes manifests.
//!
//! A stream is [`split`] into documents by byte range; a [`Document`] is parsed with byte spans and read as
//! Helm reads it; [`Edit`]s are spliced into its text, so that only the lines that must change do.

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

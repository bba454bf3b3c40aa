//! The `DataLab` policy: one document, compiled to requirements, which two writers encode.
//!
//! No I/O and no Kubernetes client: this crate is the same at render, admission and audit.

mod check;
mod diagnostic;
pub mod document;
pub mod duration;
mod explain;
mod names;
pub mod nodes;
mod parse;
pub mod pod;
mod quantity;
pub mod requirements;
pub mod rules;
mod schema;
mod shape;
pub mod slug;
mod suggest;

pub use check::{RULE_NAMES, check};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use document::DataLab;
pub use explain::explain;
pub use parse::Parsed;
pub use quantity::{Quantity, QuantityError};
pub use requirements::{HubFacts, Requirements, User, compile};
pub use schema::{crd, schema};
pub use slug::SlugScheme;

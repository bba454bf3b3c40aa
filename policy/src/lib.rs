//! The `DataLab` policy: one document, compiled to requirements, which two writers encode.
//!
//! No I/O and no Kubernetes client: this crate is the same at render, admission and audit.

pub mod document;
pub mod duration;
pub mod nodes;
pub mod pod;
mod quantity;
pub mod requirements;
pub mod rules;
pub mod slug;

pub use document::DataLab;
pub use quantity::{Quantity, QuantityError};
pub use requirements::{HubFacts, Requirements, User, compile};
pub use slug::SlugScheme;

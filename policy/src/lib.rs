//! The `DataLab` policy: one document, compiled to requirements, which two writers encode.
//!
//! No I/O and no Kubernetes client: this crate is the same at render, admission and audit.

pub mod document;
mod quantity;

pub use document::DataLab;
pub use quantity::Quantity;

//! The rules: one file each, with its reason, what it requires, and how a pod shows it.
//!
//! Adding a rule is adding a file and a line in [`RULES`].

mod environment;
mod images;
mod isolation;
mod labels;
mod mounts;
mod nodes;
mod profiles;
mod resources;
mod session_limit;

use crate::pod::Pod;
use crate::requirements::{Context, Requirements};

/// One rule of a policy.
pub struct Rule {
    /// Its name in `spec.rules`.
    pub name: &'static str,
    /// What it must see to decide.
    pub needs: Needs,
    /// Adds what the policy asks for.
    pub require: fn(&Context<'_>, &mut Requirements),
    /// Writes what a pod lacks.
    pub write: fn(&Requirements, &mut Pod<'_>),
}

/// What a rule must see to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The object: the same verdict at render, admission and audit.
    Object,
    /// Who asks as well.
    Request,
    /// What else is in the cluster as well.
    State,
}

/// All rules, in the order in which they write.
pub const RULES: &[Rule] = &[
    profiles::RULE,
    nodes::RULE,
    isolation::RULE,
    resources::RULE,
    images::RULE,
    mounts::RULE,
    environment::RULE,
    labels::RULE,
    session_limit::RULE,
];

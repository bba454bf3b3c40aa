use std::{error::Error, fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use datalab_yaml::{Location, Path};

/// What is wrong with a policy, where, and what would be right.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Whether the policy can be used nevertheless.
    pub severity: Severity,
    /// The field.
    pub path: Path,
    /// Where it starts in the file, if the policy came from one.
    pub location: Option<Location>,
    /// Its bytes in the file; empty without a file.
    pub span: Range<usize>,
    /// What is wrong, without a final stop.
    pub message: String,
    /// What would be right, without a final stop.
    pub help: Option<String>,
    pub(crate) part: Part,
}

/// Whether a policy can be used nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but hardly says what its author means.
    Warning,
}

/// What of a field is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl Diagnostic {
    pub(crate) fn error(path: Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path,
            location: None,
            span: 0..0,
            message: message.into(),
            help: Some(help.into()).filter(|help| !help.is_empty()),
            part: Part::Value,
        }
    }

    pub(crate) fn warning(path: Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, message, help) }
    }

    pub(crate) fn on_key(self) -> Self {
        Self { part: Part::Key, ..self }
    }

    /// Field and message as one text.
    fn title(&self) -> String {
        if self.path == Path::ROOT {
            self.message.clone()
        } else {
            format!("{}: {}", self.path, self.message)
        }
    }
}

/// Everything that is wrong with one policy, in the order of its file.
///
/// Displays as `rustc` does, without colours: source line, caret, help.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The problems, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// With source lines and carets, for people; with colours for terminals that want them.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let groups: Vec<Vec<Group<'_>>> = self.list.iter().map(|problem| vec![self.group(problem)]).collect();
        groups.iter().map(|report| renderer.render(report) + "\n").collect::<Vec<_>>().join("\n")
    }

    fn group<'a>(&'a self, problem: &'a Diagnostic) -> Group<'a> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = Group::with_title(level.primary_title(problem.title()));
        let group = match problem.location {
            Some(_) => group.element(
                Snippet::source(self.text.as_str())
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(problem.span.clone())),
            ),
            None if self.file.is_empty() => group,
            None => group.element(Origin::path(self.file.as_str())),
        };
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    /// A line for each, as compilers and editors know it: `file:line:column: error: path: message (help)`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|problem| {
            let place = match problem.location {
                Some(Location { line, column, .. }) => format!("{}:{line}:{column}: ", self.file),
                None if self.file.is_empty() => String::new(),
                None => format!("{}: ", self.file),
            };
            let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{place}{}: {}{help}", problem.severity, problem.title())
        })
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Diagnostics {}

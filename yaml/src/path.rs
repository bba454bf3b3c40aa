use std::fmt;

/// Where a value stands in a document: keys and indices from its root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A mapping's key, as Helm reads it.
    Key(String),
    /// A sequence's index, from 0.
    Index(usize),
}

impl Path {
    /// The document itself.
    pub const ROOT: Path = Path(Vec::new());

    /// The path one step further down.
    #[must_use]
    pub fn join(&self, segment: impl Into<Segment>) -> Path {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Path(segments)
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The path one step up, and the last step; `None` at the root.
    pub fn split_last(&self) -> Option<(Path, &Segment)> {
        self.0.split_last().map(|(last, rest)| (Path(rest.to_vec()), last))
    }

    /// Whether `other` is this path or lies below it.
    pub fn contains(&self, other: &Path) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Segment::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Segment::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Segment::Index(index)
    }
}

impl<S: Into<Segment>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(segments: I) -> Self {
        Path(segments.into_iter().map(Into::into).collect())
    }
}

/// As `kubectl` writes field paths: `spec.profiles[0].nodes`, `metadata.labels["a.b/c"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key)
                    if key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
                        && !key.is_empty() =>
                {
                    write!(f, "{}{key}", if i == 0 { "" } else { "." })?;
                }
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

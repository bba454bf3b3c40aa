use std::ops::Range;

use crate::Error;

/// One document of a stream, with the separator before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The whole piece: all pieces in a row are the stream.
    pub text: &'a str,
    /// The document in `text`, without a separator line.
    pub body: Range<usize>,
    /// Where `text` begins in the stream.
    pub offset: usize,
}

/// Cuts a stream into documents without parsing them.
pub fn split(_stream: &str) -> Result<Vec<Piece<'_>>, Error> {
    todo!()
}

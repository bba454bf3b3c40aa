//! What the document's types look like: one description that parsing, the schema and `explain` follow.

use std::collections::BTreeMap;

use crate::Quantity;

/// A type that the document is made of.
pub(crate) trait Described {
    /// What it looks like.
    const SHAPE: &'static Shape;

    /// Whether a value says no more than its absence does.
    fn is_left_out(&self) -> bool;
}

/// What a value looks like.
pub(crate) enum Shape {
    Text,
    Flag,
    /// A whole number, and the least.
    Integer(Option<i64>),
    Quantity,
    Words(&'static [Word]),
    List(&'static Shape),
    /// Keys (text or words) and values.
    Map(&'static Shape, &'static Shape),
    Object(&'static Object),
}

/// A value of named fields.
pub(crate) struct Object {
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// A field of an [`Object`].
pub(crate) struct Field {
    /// Rust's name.
    pub ident: &'static str,
    /// Lines of its doc comment.
    pub doc: &'static [&'static str],
    pub required: bool,
    pub shape: &'static Shape,
}

/// One of a closed set.
pub(crate) struct Word {
    pub word: &'static str,
    /// Lines of its doc comment.
    pub doc: &'static [&'static str],
}

impl Object {
    /// The field of a name, as it is written.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.letters().eq(name.chars()))
    }
}

impl Field {
    /// Its name, as it is written.
    pub fn name(&self) -> String {
        self.letters().collect()
    }

    /// `mount_path` in camel case.
    fn letters(&self) -> impl Iterator<Item = char> {
        let mut letters = self.ident.trim_start_matches("r#").chars();
        std::iter::from_fn(move || match letters.next() {
            Some('_') => letters.next().map(|letter| letter.to_ascii_uppercase()),
            letter => letter,
        })
    }
}

/// A doc comment as one text: its lines joined, its code marks dropped.
pub(crate) fn text(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace('`', "")
}

macro_rules! described {
    ($($type:ty: $shape:expr, $is_left_out:expr;)*) => {$(
        impl Described for $type {
            const SHAPE: &'static Shape = &$shape;

            fn is_left_out(&self) -> bool {
                $is_left_out(self)
            }
        }
    )*};
}

described! {
    String: Shape::Text, String::is_empty;
    bool: Shape::Flag, std::ops::Not::not;
    u32: Shape::Integer(Some(0)), |number: &u32| *number == 0;
    i64: Shape::Integer(None), |_| false;
    Quantity: Shape::Quantity, |_| false;
}

impl<T: Described> Described for Option<T> {
    const SHAPE: &'static Shape = T::SHAPE;

    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T: Described> Described for Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

impl<K: Described, V: Described> Described for BTreeMap<K, V> {
    const SHAPE: &'static Shape = &Shape::Map(K::SHAPE, V::SHAPE);

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

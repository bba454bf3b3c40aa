//! What a field is for, as `kubectl explain` says it.

use std::fmt::Write as _;

use crate::document::{API_VERSION, DataLab, KIND};
use crate::shape::{self, Described, Field, Shape};
use crate::suggest::closest;

/// Explains a field by its path: `spec.profiles.nodes`, `spec.profiles[0].nodes` and `profiles[].nodes` alike; the whole
/// document by an empty one. Fails with the field that is unknown and the one that was probably meant.
pub fn explain(field: &str) -> Result<String, String> {
    let (group, version) = API_VERSION.split_once('/').unwrap_or_default();
    let mut text = format!("GROUP:      {group}\nKIND:       {KIND}\nVERSION:    {version}\n\n");
    let mut shape = DataLab::SHAPE;
    let mut doc: &[&str] = &["One policy for one hub's lab."];
    let mut walked = String::new();
    let steps: Vec<&str> = field
        .split('.')
        .map(|step| step.split('[').next().unwrap_or(step))
        .filter(|s| !s.is_empty())
        .collect();
    let is_rooted = steps.first().is_none_or(|first| find(DataLab::SHAPE, first).is_some());
    let spec = (!is_rooted).then_some("spec");
    let mut last = None;
    for step in spec.into_iter().chain(steps) {
        let fields = match inner(shape) {
            Shape::Object(object) => object.fields,
            // A key: whatever it is, its value is explained.
            Shape::Map(_, values) => {
                shape = values;
                continue;
            }
            _ => return Err(format!("{walked} has no fields")),
        };
        let Some(field) = find(shape, step) else {
            let names: Vec<_> = fields.iter().map(Field::name).collect();
            let help = match closest(step, names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("its fields are {}", names.join(", ")),
            };
            let of = if walked.is_empty() { KIND } else { &walked };
            return Err(format!("{of} has no field {step}: {help}"));
        };
        let dot = if walked.is_empty() { "" } else { "." };
        let _ = write!(walked, "{dot}{}", field.name());
        (shape, doc, last) = (field.shape, field.doc, Some(field));
    }
    if let Some(field) = last {
        let required = if field.required { " -required-" } else { "" };
        let _ = writeln!(text, "FIELD:      {walked} <{}>{required}\n", type_name(shape));
    }
    let _ = writeln!(text, "DESCRIPTION:\n    {}", shape::text(doc));
    match inner(shape) {
        Shape::Object(object) => {
            text += "\nFIELDS:\n";
            for field in object.fields {
                let required = if field.required { " -required-" } else { "" };
                let _ = writeln!(text, "  {} <{}>{required}", field.name(), type_name(field.shape));
                let _ = writeln!(text, "    {}\n", shape::text(field.doc));
            }
        }
        Shape::Words(words) => {
            text += "\nWORDS:\n";
            for word in *words {
                let _ = writeln!(text, "  {}\n    {}\n", word.word, shape::text(word.doc));
            }
        }
        _ => {}
    }
    Ok(text.trim_end().to_owned() + "\n")
}

/// What a list lists.
fn inner(shape: &'static Shape) -> &'static Shape {
    if let Shape::List(items) = shape { inner(items) } else { shape }
}

fn find(shape: &'static Shape, name: &str) -> Option<&'static Field> {
    if let Shape::Object(object) = inner(shape) { object.field(name) } else { None }
}

fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Flag => "boolean".to_owned(),
        Shape::Integer(_) => "integer".to_owned(),
        Shape::Quantity => "Quantity".to_owned(),
        Shape::Words(words) => words.iter().map(|word| word.word).collect::<Vec<_>>().join("|"),
        Shape::List(items) => format!("[]{}", type_name(items)),
        Shape::Map(keys, values) => format!("map[{}]{}", type_name(keys), type_name(values)),
        Shape::Object(object) => object.name.to_owned(),
    }
}

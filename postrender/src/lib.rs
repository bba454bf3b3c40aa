//! Holds a rendered chart to a `DataLab` policy: the stream in, the stream out, only what must change changed.

pub mod diff;
mod hub;
mod manifest;
mod placement;
mod render;
mod spares;
mod spawner;
mod table;
mod values;

pub use render::{Change, Error, Excerpt, Rendered, hub_values, render};

use datalab_yaml::{Editor, Path, Value};

/// Gives a value to a path by the fewest edits: what is equal below stays as it is written.
fn assign(editor: &mut Editor, path: &Path, new: &Value) {
    let old = editor.get(path).cloned();
    match (old, new) {
        (Some(old), new) if old == *new => {}
        (Some(Value::Object(old)), Value::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                editor.remove(&path.join(key.as_str()));
            }
            for (key, value) in new {
                assign(editor, &path.join(key.as_str()), value);
            }
        }
        (Some(Value::Array(old)), Value::Array(new)) if !old.is_empty() && new.len() >= old.len() => {
            for (i, value) in new.iter().enumerate() {
                if i < old.len() {
                    assign(editor, &path.join(i), value);
                } else {
                    editor.append(path, value.clone());
                }
            }
        }
        _ => editor.set(path, new.clone()),
    }
}

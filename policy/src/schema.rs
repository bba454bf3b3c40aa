//! The document's schema, for editors and for the API server, made from its types.

use datalab_yaml::{Map, Value};
use serde_json::json;

use crate::document::{API_VERSION, DataLab, KIND};
use crate::shape::{self, Described, Field, Object, Shape};

/// As `controller-gen` writes it for `resource.Quantity`.
const QUANTITY: &str =
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$";

/// Who reads a schema.
#[derive(Clone, Copy, PartialEq)]
enum Reader {
    /// Editors and validators of files: what is unknown is wrong.
    File,
    /// The API server: a structural schema, which says so by itself.
    Server,
}

/// JSON Schema (draft 2020-12) of a policy file.
pub fn schema() -> Value {
    let mut schema = node(DataLab::SHAPE, Reader::File);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = KIND.into();
    schema["properties"]["apiVersion"] = json!({"const": API_VERSION});
    schema["properties"]["kind"] = json!({"const": KIND});
    // The API server adds to both.
    schema["properties"]["metadata"]["additionalProperties"] = true.into();
    schema["properties"]["status"] = json!({"type": "object"});
    schema
}

/// The `CustomResourceDefinition` `datalabs.datalab.dev`.
pub fn crd() -> Value {
    let (group, version) = API_VERSION.split_once('/').unwrap_or_default();
    let mut schema = node(DataLab::SHAPE, Reader::Server);
    schema["description"] = "One policy for one hub's lab.".into();
    // The API server knows these, and refuses much about them here.
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    schema["properties"]["metadata"] = json!({"type": "object"});
    schema["required"] = json!(["spec"]);
    schema["properties"]["status"] = status();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("datalabs.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": KIND, "listKind": "DataLabList", "plural": "datalabs", "singular": "datalab"},
            "scope": "Namespaced",
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Enforcement", "type": "string", "jsonPath": ".spec.enforcement"},
                    {"name": "Hub", "type": "string", "jsonPath": ".spec.hub.name"},
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                    {"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// As `metav1.Condition`.
fn status() -> Value {
    json!({
        "type": "object",
        "description": "What became of the policy.",
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The generation that this speaks of."},
            "conditions": {
                "type": "array",
                "description": "Ready says whether the policy is in force, and if not, why.",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {
                    "type": "object",
                    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
                    "properties": {
                        "type": {"type": "string"},
                        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                        "observedGeneration": {"type": "integer", "format": "int64"},
                        "lastTransitionTime": {"type": "string", "format": "date-time"},
                        "reason": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    })
}

fn node(shape: &Shape, reader: Reader) -> Value {
    match shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Integer(None) => json!({"type": "integer", "format": "int64"}),
        Shape::Integer(Some(least)) => json!({"type": "integer", "minimum": least, "maximum": u32::MAX}),
        Shape::Quantity => {
            let mut node = json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": QUANTITY});
            if reader == Reader::Server {
                node["x-kubernetes-int-or-string"] = true.into();
            }
            node
        }
        Shape::Words(words) => {
            json!({"type": "string", "enum": words.iter().map(|word| word.word).collect::<Vec<_>>()})
        }
        Shape::List(items) => json!({"type": "array", "items": node(items, reader)}),
        Shape::Map(Shape::Words(keys), values) => {
            let properties = keys.iter().map(|key| (key.word.to_owned(), node(values, reader)));
            closed(json!({"type": "object", "properties": properties.collect::<Map<_, _>>()}), reader)
        }
        Shape::Map(_, values) => json!({"type": "object", "additionalProperties": node(values, reader)}),
        Shape::Object(object) => self::object(object, reader),
    }
}

fn object(object: &Object, reader: Reader) -> Value {
    let properties = object.fields.iter().map(|field| (field.name(), property(field, reader)));
    let mut node = json!({"type": "object", "properties": properties.collect::<Map<_, _>>()});
    let required: Vec<_> = object.fields.iter().filter(|field| field.required).map(Field::name).collect();
    if !required.is_empty() {
        node["required"] = required.into();
    }
    closed(node, reader)
}

fn property(field: &Field, reader: Reader) -> Value {
    let mut node = node(field.shape, reader);
    let mut description = vec![shape::text(field.doc)];
    if let Shape::Words(words) = field.shape {
        description.extend(words.iter().map(|word| format!("{}: {}", word.word, shape::text(word.doc))));
    }
    node["description"] = description.join(" ").into();
    let least = match field.shape {
        Shape::Text => "minLength",
        Shape::Map(..) => "minProperties",
        _ => return node,
    };
    if field.required {
        node[least] = 1.into();
    }
    node
}

fn closed(mut node: Value, reader: Reader) -> Value {
    if reader == Reader::File {
        node["additionalProperties"] = false.into();
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>
    fn assert_structural(node: &Value, path: &str) {
        let fields = node.as_object().unwrap();
        let is_quantity = node["x-kubernetes-int-or-string"] == true;
        assert_ne!(is_quantity, node["type"].is_string(), "{path}: a type, or int-or-string");
        for key in ["$ref", "oneOf", "allOf", "not", "const", "default"] {
            assert!(!fields.contains_key(key), "{path}: {key}");
        }
        assert_eq!(is_quantity, fields.contains_key("anyOf"), "{path}: anyOf");
        assert!(
            !(fields.contains_key("properties") && fields.contains_key("additionalProperties")),
            "{path}"
        );
        assert!(node["additionalProperties"] != false, "{path}");
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            assert_structural(child, &format!("{path}.{name}"));
        }
        for child in [&node["items"], &node["additionalProperties"]] {
            if child.is_object() {
                assert_structural(child, &format!("{path}[]"));
            }
        }
    }

    #[test]
    fn the_crd_is_structural() {
        let crd = crd();
        let version = &crd["spec"]["versions"][0];
        assert_structural(&version["schema"]["openAPIV3Schema"], "");
        assert_eq!(crd["metadata"]["name"], "datalabs.datalab.dev");
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let profile = &spec["profiles"]["items"];
        assert_eq!(profile["required"], json!(["slug"]));
        assert_eq!(
            profile["properties"]["pricePerHour"]["properties"]["on-demand"],
            json!({"type": "string"})
        );
        assert_eq!(profile["properties"]["spares"]["minimum"], 0);
    }

    #[test]
    fn the_schema_is_closed_and_described() {
        let schema = schema();
        let mount = &schema["properties"]["spec"]["properties"]["mounts"]["items"];
        assert_eq!(mount["additionalProperties"], false);
        assert_eq!(mount["required"], json!(["name", "mountPath"]));
        assert_eq!(
            mount["properties"]["claim"]["description"],
            "Name of a persistent volume claim in the hub's namespace."
        );
        let rules = &schema["properties"]["spec"]["properties"]["rules"];
        assert_eq!(rules["additionalProperties"]["enum"], json!(["enforce", "warn", "audit"]));
    }
}

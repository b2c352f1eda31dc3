//! The JSON Schema of the configuration.

use serde_json::{Map, Value, json};

use super::{ONE_OF, Type, at};
use crate::config::fields::{Fields, OBJECTS};

/// The name of a kind of object in the schema.
fn definition(place: &str) -> String {
    place.replace("[]", "").replace(".NAME", "").replace('.', "-")
}

fn reference(place: &str) -> Value {
    json!({"$ref": format!("#/$defs/{}", definition(place))})
}

fn of_type(kind: Type) -> Value {
    let list = |items: Value| json!({"type": "array", "minItems": 1, "items": items});
    match kind {
        Type::Text => json!({"type": "string", "minLength": 1}),
        Type::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Integer(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Type::Word(words) => json!({"enum": words}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::Any => json!({"not": {"type": "null"}}),
        Type::Object(place) => reference(place),
        Type::Objects(place) => list(reference(place)),
        Type::ObjectOrObjects(place) => json!({"anyOf": [reference(place), list(reference(place))]}),
        Type::ObjectsByName(place) => json!({"type": "object", "additionalProperties": reference(place)}),
        Type::Texts => list(json!({"type": "string", "minLength": 1})),
        Type::TextsOrEmpty => list(json!({"type": "string"})),
        Type::Words(words) => list(json!({"enum": words})),
    }
}

fn of_object(object: &Fields) -> Value {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    // `publish` is known so that it can be refused.
    for field in at(object.place).iter().filter(|field| field.name != "publish") {
        let mut schema = of_type(field.kind);
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), field.about.into());
            if let Ok(default) = serde_json::from_str::<Value>(field.default) {
                members.insert("default".to_owned(), default);
            }
            if let Ok(example) = serde_json::from_str::<Value>(field.example) {
                members.insert("examples".to_owned(), json!([example]));
            }
        }
        properties.insert(field.name.to_owned(), schema);
        needed.extend(field.is_required.then_some(field.name));
    }
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if let Some(members) = schema.as_object_mut() {
        if !needed.is_empty() {
            members.insert("required".to_owned(), json!(needed));
        }
        let one_of = ONE_OF.iter().find(|(place, _)| *place == object.place);
        if let Some((_, names)) = one_of {
            let alternatives: Vec<_> = names.iter().map(|name| json!({"required": [name]})).collect();
            members.insert("oneOf".to_owned(), alternatives.into());
        }
        if object.place.is_empty() {
            members.insert("anyOf".to_owned(), json!([{"required": ["issue"]}, {"required": ["verify"]}]));
        }
    }
    schema
}

/// The JSON Schema of the configuration (draft 2020-12). What it accepts the filter may still refuse: for its keys, its
/// expressions, or for what fields say together.
#[must_use]
pub fn schema() -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wristband",
        "description": "The plugin configuration of the Envoy filter wristband",
    });
    let definitions: Map<_, _> = OBJECTS
        .iter()
        .filter(|object| !object.place.is_empty())
        .map(|object| (definition(object.place), of_object(object)))
        .collect();
    let root = OBJECTS.iter().find(|object| object.place.is_empty()).map(|object| of_object(object));
    if let (Some(members), Some(Value::Object(root))) = (schema.as_object_mut(), root) {
        members.extend(root);
        members.insert("$defs".to_owned(), definitions.into());
    }
    schema
}

//! What the host says of an expression: the bytes of a value with its type, or of the request's metadata.

use prost::Message as _;
use serde_json::{Value, json};
use wristband::encoding::{pairs, protobuf};
use wristband::issue::expression::{Attributes, Condition, Expression};

use super::host::{self, Stage};

const PATHS: [&str; 3] =
    ["metadata.filter_metadata.a", "metadata.filter_metadata['a'].b", "metadata.filter_metadata[\"a\"]['b'].c"];

pub(super) fn run(data: &[u8]) {
    for path in ["request.headers['x']"].iter().chain(&PATHS) {
        let value = value(path, data);
        // Again the same, and again of what is written of it.
        assert_eq!(self::value(path, data), value);
        let Some(value) = value else { continue };
        assert!(!value.is_null());
        let written = if PATHS.contains(path) { metadata(path, &value) } else { typed(&value) };
        assert_eq!(self::value(path, &written), Some(value), "{path}");
    }
}

fn value(source: &str, bytes: &[u8]) -> Option<Value> {
    let host = Stage::default();
    let condition = Condition(Expression::compile(source, &host).unwrap());
    host.say(bytes);
    let value = condition.0.value(&Attributes::new(&host));
    assert_eq!(condition.holds(&Attributes::new(&host)), value == Some(Value::Bool(true)));
    value
}

/// As the wrapped expression returns it.
fn typed(value: &Value) -> Vec<u8> {
    let (flag, bytes) = match value {
        Value::String(text) => (0, text.clone().into_bytes()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => (1, number.to_le_bytes().to_vec()),
            (None, Some(number)) => (2, number.to_le_bytes().to_vec()),
            (None, None) => (3, number.as_f64().unwrap().to_le_bytes().to_vec()),
        },
        Value::Bool(value) => (4, vec![u8::from(*value)]),
        Value::Null => (5, vec![0]),
        Value::Array(items) => (6, list(&items.iter().map(typed).collect::<Vec<_>>())),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| list(&[name.clone().into_bytes(), typed(value)]);
            (7, list(&members.iter().map(member).collect::<Vec<_>>()))
        }
    };
    let flags: Vec<_> = (0..8).map(|other| vec![u8::from(other == flag)]).collect();
    list(&[list(&flags), bytes])
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    pairs::write(&items.iter().map(|item| (item.as_slice(), &b""[..])).collect::<Vec<_>>())
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: std::collections::BTreeMap<String, prost_types::Struct>,
}

/// Metadata in which the value stands where the path leads to.
fn metadata(path: &str, value: &Value) -> Vec<u8> {
    let namespace = match path {
        _ if path == PATHS[0] => value.clone(),
        _ if path == PATHS[1] => json!({"b": value}),
        _ => json!({"b": {"c": value}}),
    };
    let members = protobuf::struct_bytes(namespace.as_object().unwrap());
    let members = prost_types::Struct::decode(members.as_slice()).unwrap();
    Metadata { filter_metadata: [("a".to_owned(), members)].into() }.encode_to_vec()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let values = [
        json!("alice"),
        json!(-1),
        json!(u64::MAX - 1),
        json!(1.5),
        json!(-0.0),
        json!(true),
        json!(["a", [1, null], {}]),
        json!({"b": {"c": [1, 2.5, "x", null, {"d": false}]}}),
    ];
    let mut seeds: Vec<_> = values.iter().map(typed).chain([host::typed_text(b"x")]).collect();
    seeds.extend([metadata(PATHS[0], &json!({"b": [1, {}]})), metadata(PATHS[1], &json!({"c": "x", "n": -0.0}))]);
    seeds.push(metadata(PATHS[2], &json!([null, 1e300])));
    seeds
}

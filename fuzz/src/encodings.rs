//! Header pairs and `google.protobuf.Struct`, as Envoy hands them over, and JSON.

use std::collections::BTreeSet;

use prost::Message as _;
use serde_json::{Map, Value, json};
use wristband::encoding::pairs;
use wristband::encoding::protobuf::{StructBytes, from_struct, struct_bytes};
use wristband::jose::json;

use super::fixture;
use super::members::Members;

pub(super) fn run(data: &[u8]) {
    if let Some(read) = pairs::read(data) {
        // What stands behind the last pair is nobody's.
        assert!(data.is_empty() || data.starts_with(&pairs::write(&read)));
    }
    if let Ok(message) = prost_types::Struct::decode(data)
        && let Ok(Value::Object(members)) = from_struct(message)
    {
        assert_eq!(again(&members), Some(Value::Object(members)));
    }
    doubles(data);
    in_one_pass(data);
    match json::parse(data) {
        Ok(value) => {
            // What another reader sees is the same.
            assert_eq!(serde_json::from_slice::<Value>(data).unwrap(), value);
            assert_eq!(json::parse(value.to_string().as_bytes()), Ok(value.clone()));
            let Value::Object(members) = value else { return };
            // As a `Struct` it is there too, with doubles for numbers, as deep as it is.
            let as_struct = again(&members).expect("no deeper");
            assert_eq!(with_doubles(&as_struct), with_doubles(&Value::Object(members)));
        }
        Err(error) => {
            fixture::assert_no_quote(&error.problem, data);
            fixture::assert_no_secret(&error.problem);
        }
    }
}

/// What is read without a tree is accepted where a tree is, and says the same.
fn in_one_pass(data: &[u8]) {
    let mut as_struct = StructBytes::default();
    let read = json::Members::read(data.to_vec(), &mut as_struct);
    let Ok(tree) = json::parse_object(data) else {
        assert!(read.is_err());
        return;
    };
    let members = read.unwrap();
    assert_eq!(
        members.iter().map(|(name, _)| name).collect::<BTreeSet<_>>(),
        tree.keys().map(String::as_str).collect()
    );
    for (name, value) in &tree {
        assert_eq!(members.get(name).as_ref(), Some(value));
        assert_eq!(members.is_text(name), Some(value.is_string()));
        assert_eq!(members.text(name).as_deref(), value.as_str());
    }
    let read = from_struct(prost_types::Struct::decode(&*as_struct.0).unwrap()).unwrap();
    assert_eq!(with_doubles(&read), with_doubles(&Value::Object(tree)));
}

/// Every member that stands twice is told where all are to be told, and none is passed over where none may be.
fn doubles(data: &[u8]) {
    let strict = json::parse(data);
    let Ok((value, places)) = json::parse_with_doubles(data) else {
        // Of what is too deep it may be the first that is said.
        assert!(strict.is_err());
        return;
    };
    assert_eq!(places.len(), Members::of(data).unwrap().doubles());
    match strict {
        Ok(strict) => assert_eq!((strict, places.len()), (value, 0)),
        Err(error) => assert!(error.problem == json::TWICE && places.contains(&error.path)),
    }
}

/// With the bits of a double, which may be a negative zero, for each number.
fn with_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().unwrap().to_bits().into(),
        Value::Array(items) => items.iter().map(with_doubles).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), with_doubles(value))).collect(),
        other => other.clone(),
    }
}

/// Written and read.
fn again(members: &Map<String, Value>) -> Option<Value> {
    from_struct(prost_types::Struct::decode(&*struct_bytes(members)).ok()?).ok()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let value =
        json!({"a": [1, -0.0, -2.5, 1e300, null, {"b": "\u{fc}"}], "t": true, "s": {"n": 9_007_199_254_740_993_i64}});
    let headers = pairs::write(&[(b":path", b"/a?b=c"), (b"cookie", b"a=1"), (b"x", b"")]);
    let doubles = br#"{"a":1,"b":[{"c":1,"c":{"d":1,"d":2},"\u0063":3}],"a":{"e":1}}"#;
    let nested = format!("{}1{}", "[".repeat(32), "]".repeat(32));
    [
        struct_bytes(value.as_object().unwrap()),
        value.to_string().into_bytes(),
        headers,
        nested.into_bytes(),
        doubles.to_vec(),
    ]
    .into()
}

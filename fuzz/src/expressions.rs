//! What the host says of an expression: the bytes of a value with its type, or of the request's metadata.

use prost::Message as _;
use serde_json::{Value, json};
use wristband::encoding::{pairs, protobuf};
use wristband::issue::expression::{Answer, Attributes, Condition, Expression};

use super::host::{self, Stage};

const PATHS: [&str; 3] =
    ["metadata.filter_metadata.a", "metadata.filter_metadata['a'].b", "metadata.filter_metadata[\"a\"]['b'].c"];

/// The bounds of a value, at all depths.
const MOST_ITEMS: usize = 256;
const MOST_BYTES: usize = 8192;

pub(super) fn run(data: &[u8]) {
    in_turn(data);
    for path in ["request.headers['x']"].iter().chain(&PATHS) {
        let answer = answer(path, data);
        let Answer::Value(value) = answer else { continue };
        check(&value);
        // Again the same of what is written of it.
        let forms =
            if PATHS.contains(path) { vec![metadata(path, &value)] } else { vec![typed(&value), plain(&value)] };
        for written in forms {
            assert_eq!(self::answer(path, &written), Answer::Value(value.clone()), "{path}");
        }
    }
}

/// A host that changes its mind between one wrapper and the next.
fn in_turn(data: &[u8]) {
    let Some(answers) = pairs::read(data) else { return };
    let host = Stage::default();
    let expression = Expression::compile("request.headers['x']", &host).unwrap();
    host.say_in_turn(answers.into_iter().map(|(answer, _)| answer).collect());
    for _ in 0..2 {
        host.next_phase();
        if let Answer::Value(value) = expression.answer(&Attributes::new(&host)) {
            check(&value);
        }
    }
}

fn check(value: &Value) {
    assert!(!value.is_null());
    let (items, bytes) = (items(value), value.to_string().len());
    assert!(items <= MOST_ITEMS && bytes <= MOST_BYTES, "{items} items, {bytes} bytes");
}

fn items(value: &Value) -> usize {
    match value {
        Value::Array(inner) => inner.len() + inner.iter().map(items).sum::<usize>(),
        Value::Object(inner) => inner.len() + inner.values().map(items).sum::<usize>(),
        _ => 0,
    }
}

fn answer(source: &str, bytes: &[u8]) -> Answer {
    let host = Stage::default();
    let condition = Condition(Expression::compile(source, &host).unwrap());
    host.say(bytes);
    let asked = || {
        host.next_phase();
        condition.0.answer(&Attributes::new(&host))
    };
    let answer = asked();
    // Also when it is known how deep a value is.
    assert_eq!(asked(), answer);
    host.next_phase();
    assert_eq!(condition.holds(&Attributes::new(&host)), answer == Answer::Value(Value::Bool(true)));
    name(&condition.0, &answer, &host);
    answer
}

/// Of what is too large as a whole the name alone may be had.
fn name(expression: &Expression, answer: &Answer, host: &Stage<'_>) {
    host.next_phase();
    let name = expression.name(&Attributes::new(host));
    match (answer, &name) {
        (Answer::TooLarge, Answer::Value(value)) => {
            assert_eq!(value.as_object().unwrap().len(), 1);
            check(&value["sub"]);
        }
        _ => assert_eq!(name, *answer),
    }
}

/// As the wrapped expression returns it that unfolds all of it.
fn typed(value: &Value) -> Vec<u8> {
    let contents = |members: &[Vec<u8>]| list(&[list(&[]), list(members)]);
    match value {
        Value::Array(items) => {
            let keyed: Vec<_> = items.iter().map(|item| list(&[Vec::new(), typed(item)])).collect();
            triple(6, &contents(&keyed), items.len())
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| list(&[name.clone().into_bytes(), typed(value)]);
            triple(7, &contents(&members.iter().map(member).collect::<Vec<_>>()), members.len())
        }
        value => {
            let (flag, bytes) = scalar(value);
            triple(flag, &bytes, 0)
        }
    }
}

/// The same, with the items of a list and the members of a map as they are where all are of one type.
fn plain(value: &Value) -> Vec<u8> {
    let is_scalar = |value: &Value| !matches!(value, Value::Null | Value::Array(_) | Value::Object(_));
    match value {
        Value::Array(items) if items.iter().all(is_scalar) => {
            let items: Vec<_> = items.iter().map(scalar).collect();
            let first = items.first().map(|(flag, _)| *flag);
            if first.is_some_and(|first| items.iter().all(|(flag, _)| *flag == first)) {
                let contents: Vec<_> = items.iter().map(|(_, bytes)| bytes.clone()).collect();
                return triple(6, &list(&[flags(first.unwrap()), list(&contents)]), items.len());
            }
            typed(value)
        }
        Value::Object(members) if members.values().all(Value::is_string) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| (name.as_bytes(), value.as_str().unwrap().as_bytes())).collect();
            triple(7, &list(&[list(&[vec![1]]), pairs::write(&members)]), members.len())
        }
        value => typed(value),
    }
}

fn scalar(value: &Value) -> (usize, Vec<u8>) {
    match value {
        Value::String(text) => (0, text.clone().into_bytes()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => (1, number.to_le_bytes().to_vec()),
            (None, Some(number)) => (2, number.to_le_bytes().to_vec()),
            (None, None) => (3, number.as_f64().unwrap().to_le_bytes().to_vec()),
        },
        Value::Bool(value) => (4, vec![u8::from(*value)]),
        Value::Null => (5, vec![0; 8]),
        Value::Array(_) | Value::Object(_) => panic!("it has parts"),
    }
}

fn triple(flag: usize, value: &[u8], size: usize) -> Vec<u8> {
    list(&[flags(flag), value.to_vec(), u64::try_from(size).unwrap().to_le_bytes().to_vec()])
}

fn flags(flag: usize) -> Vec<u8> {
    list(&(0..8).map(|other| vec![u8::from(other == flag)]).collect::<Vec<_>>())
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
        json!(["a", "b"]),
        json!({"a": "x", "b": ""}),
        json!(vec![true; MOST_ITEMS]),
        json!(vec![true; MOST_ITEMS + 1]),
        json!("\u{1}".repeat(MOST_BYTES / 6 - 1)),
        json!("\u{1}".repeat(MOST_BYTES / 6)),
        json!({"b": {"c": [1, 2.5, "x", null, {"d": false}]}}),
    ];
    let mut seeds: Vec<_> = values.iter().flat_map(|value| [typed(value), plain(value)]).collect();
    seeds.push(host::typed_text(b"x"));
    // A list that is not unfolded, and one that is at the third time.
    let folded = triple(6, &[0; 8], 3);
    seeds.push(list(&[folded.clone(), folded.clone(), typed(&json!([1, 2, 3]))]));
    seeds.push(folded);
    seeds.extend([metadata(PATHS[0], &json!({"b": [1, {}]})), metadata(PATHS[1], &json!({"c": "x", "n": -0.0}))]);
    seeds.push(metadata(PATHS[2], &json!([null, 1e300])));
    seeds.push(metadata(PATHS[0], &json!({"sub": "alice", "roles": vec![true; MOST_ITEMS]})));
    seeds
}

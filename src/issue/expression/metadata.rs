//! An expression that is nothing but a walk into `metadata.filter_metadata`, read from the metadata's protobuf. Only the
//! value at its end is decoded: what stands beside it may be as long as a client's token.

use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::value::Kind;

use super::{Answer, MOST_BYTES, MOST_ITEMS};
use crate::encoding::protobuf::{self, field};

/// Beyond so many bytes of protobuf a value is beyond its bounds as JSON: an item takes no more than these beside its text.
const MOST_ENCODED: usize = MOST_BYTES.saturating_add(MOST_ITEMS.saturating_mul(32));

/// What is at the end of these steps of a serialized `Metadata`.
pub(super) fn answer(metadata: &[u8], steps: &[String]) -> Answer {
    let Some((namespace, steps)) = steps.split_first() else {
        return Answer::Nothing;
    };
    // `filter_metadata` is a map as the members of a `Struct` are one, but with a `Struct` for a value.
    let Some(members) = member(metadata, namespace) else {
        return Answer::Nothing;
    };
    let Some((first, steps)) = steps.split_first() else {
        return decoded(Message::Struct, members, || {
            let members = prost_types::Struct::decode(members).ok()?;
            Some(prost_types::Value { kind: Some(Kind::StructValue(members)) })
        });
    };
    let mut value = member(members, first);
    for step in steps {
        value = value.and_then(|value| length_delimited(value, field::STRUCT)).and_then(|inner| member(inner, step));
    }
    value.map_or(Answer::Nothing, |value| decoded(Message::Value, value, || prost_types::Value::decode(value).ok()))
}

fn decoded(message: Message, bytes: &[u8], decode: impl FnOnce() -> Option<prost_types::Value>) -> Answer {
    if bytes.len() > MOST_ENCODED || items(message, bytes) > MOST_ITEMS {
        return Answer::TooLarge;
    }
    let value = decode().and_then(|value| protobuf::from_member(value).ok());
    value.map_or(Answer::Unreadable, Answer::from)
}

/// The messages that a value is made of.
#[derive(Clone, Copy)]
enum Message {
    Value,
    Struct,
    Member,
    List,
}

/// How many items of lists and members of maps there are in a message, counted until they are too many: to decode them all
/// would take long.
fn items(message: Message, bytes: &[u8]) -> usize {
    let (mut open, mut count) = (vec![(message, bytes)], 0_usize);
    while let Some((message, bytes)) = open.pop() {
        for (number, inner) in fields(bytes) {
            let message = match (message, number) {
                (Message::Value, field::STRUCT) => Message::Struct,
                (Message::Value, field::LIST) => Message::List,
                (Message::Member, field::VALUE) => Message::Value,
                (Message::Struct, field::MEMBERS) => Message::Member,
                (Message::List, field::ITEMS) => Message::Value,
                _ => continue,
            };
            count = count.saturating_add(usize::from(number == field::ITEMS));
            if count > MOST_ITEMS {
                return count;
            }
            open.push((message, inner));
        }
    }
    count
}

/// The value of this name in a message that has a map for its first field.
fn member<'m>(message: &'m [u8], name: &str) -> Option<&'m [u8]> {
    let entries = fields(message).filter(|(number, _)| *number == field::MEMBERS).map(|(_, entry)| entry);
    let named = |entry: &&[u8]| length_delimited(entry, field::NAME).unwrap_or_default() == name.as_bytes();
    entries.filter(named).last().map(|entry| length_delimited(entry, field::VALUE).unwrap_or_default())
}

fn length_delimited(message: &[u8], field: u32) -> Option<&[u8]> {
    fields(message).filter(|(number, _)| *number == field).last().map(|(_, bytes)| bytes)
}

/// The fields of a message that hold texts or messages, as far as it can be read.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (number, wire_type) = decode_key(&mut rest).ok()?;
            if wire_type == WireType::LengthDelimited {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                return Some((number, bytes));
            }
            skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
        }
        None
    })
}

/// The steps of an expression that is nothing but such a walk: `.name` and `['name']`.
pub(super) fn path(source: &str) -> Option<Vec<String>> {
    let mut rest = source.trim().strip_prefix("metadata.filter_metadata")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            after.split_at_checked(end)?
        } else {
            let quoted = rest.strip_prefix('[')?;
            let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
            let (step, after) = quoted.strip_prefix(quote)?.split_once(quote)?;
            (step, after.strip_prefix(']')?)
        };
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let valid = if rest.starts_with('.') {
            step.chars().all(is_name) && !step.starts_with(|first: char| first.is_ascii_digit())
        } else {
            !step.contains(['\\', '\n'])
        };
        if step.is_empty() || !valid {
            return None;
        }
        steps.push(step.to_owned());
        rest = after;
    }
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::{Value, json};

    fn metadata(namespace: &Value) -> Vec<u8> {
        testing::metadata(&json!({"n": namespace}))
    }

    fn at(bytes: &[u8], steps: &str) -> Answer {
        answer(bytes, &steps.split('/').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_walk_into_metadata_is_recognised_and_nothing_else() {
        let steps = |source| path(source).map(|steps| steps.join("/"));
        for (source, expected) in [
            (
                "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload",
                "envoy.filters.http.jwt_authn/payload",
            ),
            (" metadata.filter_metadata[\"a\"]['b c'].d_1 ", "a/b c/d_1"),
            ("metadata.filter_metadata.lua", "lua"),
        ] {
            assert_eq!(steps(source).as_deref(), Some(expected));
        }
        for source in [
            "metadata.filter_metadata",
            "metadata.filter_metadata.a == 'b'",
            "metadata.filter_metadata['a'][0]",
            "metadata.filter_metadata['a'].b.size()",
            "metadata.filter_metadata['a\\n']",
            "metadata.filter_metadata['a'",
            "metadata.filter_metadata..a",
            "metadata.filter_metadata_x",
            "metadata.filter_metadata.1a",
            "request.headers['a']",
        ] {
            assert_eq!(steps(source), None, "{source}");
        }
    }

    #[test]
    fn the_value_at_the_end_of_a_walk_is_what_metadata_says_there() {
        let bytes = metadata(&json!({"a": {"b": "text", "": 1, "null": null, "list": [1, {"x": true}]}, "b": 0.5}));
        for (steps, expected) in [
            ("n/a/b", Some(json!("text"))),
            ("n/a/", Some(json!(1))),
            ("n/a/list", Some(json!([1, {"x": true}]))),
            ("n/b", Some(json!(0.5))),
            ("n", Some(json!({"a": {"b": "text", "": 1, "null": null, "list": [1, {"x": true}]}, "b": 0.5}))),
            ("n/a/null", None),
            ("n/a/c", None),
            ("n/b/c", None),
            ("n/a/list/0", None),
            ("m/a", None),
        ] {
            assert_eq!(at(&bytes, steps), expected.map_or(Answer::Nothing, Answer::Value), "{steps}");
        }
        for length in 0..bytes.len() {
            // Cut off, it may be anything but another text.
            assert_ne!(at(&bytes[..length], "n/a/list"), Answer::Value(json!([1])), "{length}");
        }
    }

    #[test]
    fn a_value_is_bounded_whatever_stands_beside_it() {
        let bytes = metadata(&json!({"roles": vec!["role"; 8000], "sub": "alice", "few": vec!["role"; 256]}));
        assert_eq!(at(&bytes, "n/sub"), Answer::Value(json!("alice")));
        assert_eq!(at(&bytes, "n/few"), Answer::Value(json!(vec!["role"; 256])));
        for steps in ["n", "n/roles"] {
            assert_eq!(at(&bytes, steps), Answer::TooLarge, "{steps}");
        }
        let many: serde_json::Map<_, _> = (0..256).map(|index| (format!("name {index}"), json!("x"))).collect();
        let bytes = metadata(&json!({"many": many, "more": {"in": many}}));
        assert_eq!(at(&bytes, "n/many"), Answer::Value(many.into()));
        assert_eq!(at(&bytes, "n/more"), Answer::TooLarge);
        // What fits as JSON is never taken for too large by its protobuf.
        for value in [json!(vec![0.125; 256]), json!(vec![json!({}); 256]), json!("x".repeat(8190))] {
            assert_eq!(at(&metadata(&json!({"v": value})), "n/v"), Answer::Value(value));
        }
    }

    #[test]
    fn what_metadata_says_finds_a_place_in_a_token() {
        let fits = |value: &Value| {
            let claims = json!({"claim": value}).to_string();
            crate::jose::json::parse(claims.as_bytes()).is_ok()
        };
        for lists in [29, 30, 31, 32] {
            let value = (0..lists).fold(json!(1), |inner, _| json!([inner]));
            let bytes = metadata(&json!({"a": value}));
            let [whole, member] = ["n", "n/a"].map(|steps| at(&bytes, steps));
            let values = [&whole, &member].map(Answer::value);
            assert_eq!(values.map(|value| value.is_some()), [lists <= 30, lists <= 31], "{lists}");
            assert!(values.into_iter().flatten().all(fits), "{lists}");
        }
    }
}

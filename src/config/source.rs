//! The bytes that Envoy hands to the plugin, as one tree of values.
//!
//! Envoy delivers a `google.protobuf.Struct` (plain YAML) as serialized protobuf and a `StringValue` as its text.
//! The two cannot be confused: a serialized `Struct` with a member starts with byte 0x0A and a length, and JSON
//! that starts with a line feed does not go on as protobuf.

use prost::Message as _;
use prost::encoding::{WireType, bool, double, encode_key, encode_varint, encoded_len_varint, int32, key_len, string};
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

use super::node::ConfigError;
use crate::json;

/// Reads a configuration as [`prost_types::Struct`] or as JSON text.
///
/// # Errors
/// No bytes at all; neither of the two; JSON that [`json::parse`] refuses; a number that is not finite.
pub fn read(bytes: &[u8]) -> Result<Value, ConfigError> {
    if bytes.is_empty() {
        return Err(ConfigError::at("", "the configuration is empty; set `issue`, `verify` or both"));
    }
    match prost_types::Struct::decode(bytes) {
        Ok(message) => from_struct(message, ""),
        Err(_) if looks_like_json(bytes) => Ok(json::parse(bytes)?),
        Err(_) => Err(ConfigError::at("", "expected a google.protobuf.Struct or a StringValue that holds JSON")),
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    !matches!(bytes, [b'\n', next, ..] if !matches!(next, b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'['))
}

/// The members of a `Struct` as JSON. Its numbers are doubles: whole ones become integers again.
///
/// # Errors
/// A number that is not finite.
pub fn from_struct(message: prost_types::Struct, path: &str) -> Result<Value, ConfigError> {
    let mut members = Map::new();
    for (name, value) in message.fields {
        let value = from_value(value, &format!("{path}.{name}"))?;
        members.insert(name, value);
    }
    Ok(Value::Object(members))
}

/// One value of a `Struct` as JSON.
///
/// # Errors
/// A number that is not finite.
pub fn from_value(value: prost_types::Value, path: &str) -> Result<Value, ConfigError> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value)
            .map(Value::Number)
            .ok_or_else(|| ConfigError::at(path.trim_start_matches('.'), "expected a finite number"))?,
        Some(Kind::StructValue(value)) => from_struct(value, path)?,
        Some(Kind::ListValue(list)) => {
            let items = list.values.into_iter().enumerate();
            let items = items.map(|(index, item)| from_value(item, &format!("{path}[{index}]")));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
    })
}

/// An object as a serialized `Struct`, whose numbers are doubles: written as it is read, without the tree of messages
/// in between.
#[must_use]
pub fn struct_bytes(members: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(struct_length(members));
    write_struct(members, &mut bytes);
    bytes
}

/// Field numbers of `google.protobuf.Struct`, its map entries, `Value` and `ListValue`.
mod field {
    pub(super) const MEMBERS: u32 = 1;
    pub(super) const NAME: u32 = 1;
    pub(super) const VALUE: u32 = 2;
    pub(super) const NULL: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const STRING: u32 = 3;
    pub(super) const BOOL: u32 = 4;
    pub(super) const STRUCT: u32 = 5;
    pub(super) const LIST: u32 = 6;
    pub(super) const ITEMS: u32 = 1;
}

/// The length of a field that holds a message of this length.
fn nested(field: u32, length: usize) -> usize {
    let prefix = key_len(field).saturating_add(encoded_len_varint(as_varint(length)));
    prefix.saturating_add(length)
}

fn as_varint(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn member_length(name: &String, value: &Value) -> usize {
    string::encoded_len(field::NAME, name).saturating_add(nested(field::VALUE, value_length(value)))
}

fn struct_length(members: &Map<String, Value>) -> usize {
    let lengths = members.iter().map(|(name, value)| nested(field::MEMBERS, member_length(name, value)));
    lengths.fold(0, usize::saturating_add)
}

fn list_length(items: &[Value]) -> usize {
    items.iter().map(|item| nested(field::ITEMS, value_length(item))).fold(0, usize::saturating_add)
}

fn value_length(value: &Value) -> usize {
    match value {
        Value::Null => int32::encoded_len(field::NULL, &0),
        Value::Bool(value) => bool::encoded_len(field::BOOL, value),
        Value::Number(_) => double::encoded_len(field::NUMBER, &0.0),
        Value::String(value) => string::encoded_len(field::STRING, value),
        Value::Array(items) => nested(field::LIST, list_length(items)),
        Value::Object(members) => nested(field::STRUCT, struct_length(members)),
    }
}

fn write_prefix(field: u32, length: usize, bytes: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, bytes);
    encode_varint(as_varint(length), bytes);
}

fn write_struct(members: &Map<String, Value>, bytes: &mut Vec<u8>) {
    for (name, value) in members {
        write_prefix(field::MEMBERS, member_length(name, value), bytes);
        string::encode(field::NAME, name, bytes);
        write_prefix(field::VALUE, value_length(value), bytes);
        write_value(value, bytes);
    }
}

fn write_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => int32::encode(field::NULL, &0, bytes),
        Value::Bool(value) => bool::encode(field::BOOL, value, bytes),
        Value::Number(value) => double::encode(field::NUMBER, &value.as_f64().unwrap_or_default(), bytes),
        Value::String(value) => string::encode(field::STRING, value, bytes),
        Value::Array(items) => {
            write_prefix(field::LIST, list_length(items), bytes);
            for item in items {
                write_prefix(field::ITEMS, value_length(item), bytes);
                write_value(item, bytes);
            }
        }
        Value::Object(members) => {
            write_prefix(field::STRUCT, struct_length(members), bytes);
            write_struct(members, bytes);
        }
    }
}

/// A double as JSON: an integer if it is a whole number that a double holds exactly.
#[must_use]
pub fn number(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53, which 2^53 + 1 is rounded to as well
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn to_struct(value: &Value) -> prost_types::Struct {
        prost_types::Struct::decode(&*struct_bytes(value.as_object().unwrap())).unwrap()
    }

    #[test]
    fn a_struct_and_its_json_text_read_the_same() {
        let value = json!({
            "issuer": "https://a.example", "n": 300, "f": 0.5, "b": true, "z": null,
            "list": [1, {"a": [[]]}], "negative": -7, "exact": 9_007_199_254_740_991_i64,
            // Here a double may have been any of two.
            "rounded": 9_007_199_254_740_992.0,
        });
        let bytes = struct_bytes(value.as_object().unwrap());
        assert_eq!(read(&bytes).unwrap(), value);
        // As long as any encoder makes it.
        assert_eq!(bytes.len(), to_struct(&value).encoded_len());
        for text in [value.to_string(), format!("\n\n \t{value:#}\n")] {
            assert_eq!(read(text.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn the_error_is_that_of_the_form_it_has() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        let valid = to_struct(&json!({"issuer": "https://a.example"})).encode_to_vec();
        let neither = "expected a google.protobuf.Struct or a StringValue that holds JSON";
        assert_eq!(error(&valid[..valid.len() - 1]), neither);
        assert_eq!(error(b""), "the configuration is empty; set `issue`, `verify` or both");
        assert_eq!(error(b"\n{\"a\":}"), "not valid JSON at line 2, column 6");
        assert_eq!(error(b"issuer: https://a.example"), "not valid JSON at line 1, column 1");
        assert_eq!(error(br#"{"a":[{"b":1,"b":1}]}"#), "a[0].b: the same member twice");
        assert_eq!(error(&b"[".repeat(1 << 20)), "nested too deep (more than 32 levels)");
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_path() {
        for number in [f64::NAN, f64::INFINITY] {
            let mut message = to_struct(&json!({"a": [{"b": 0}]}));
            let Some(Kind::ListValue(list)) = &mut message.fields.get_mut("a").unwrap().kind else { panic!() };
            let Some(Kind::StructValue(inner)) = &mut list.values[0].kind else { panic!() };
            inner.fields.get_mut("b").unwrap().kind = Some(Kind::NumberValue(number));
            assert_eq!(read(&message.encode_to_vec()).unwrap_err().to_string(), "a[0].b: expected a finite number");
        }
    }
}

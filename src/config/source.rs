//! The bytes that Envoy hands to the plugin, as one tree of values.
//!
//! Envoy delivers a `google.protobuf.Struct` (plain YAML) as serialized protobuf and a `StringValue` as its text.
//! The two cannot be confused: a serialized `Struct` with a member starts with byte 0x0A and a length, and JSON
//! that starts with a line feed does not go on as protobuf.

use prost::Message as _;
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
    let members = message.fields.into_iter().map(|(name, value)| {
        let path = format!("{path}.{name}");
        from_value(value, &path).map(|value| (name, value))
    });
    members.collect::<Result<_, ConfigError>>().map(Value::Object)
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

/// An object as a `Struct`, whose numbers are doubles.
#[must_use]
pub fn to_struct(members: &Map<String, Value>) -> prost_types::Struct {
    let fields = members.iter().map(|(name, value)| (name.clone(), to_value(value)));
    prost_types::Struct { fields: fields.collect() }
}

fn to_value(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::Array(items) => Kind::ListValue(prost_types::ListValue { values: items.iter().map(to_value).collect() }),
        Value::Object(members) => Kind::StructValue(to_struct(members)),
    };
    prost_types::Value { kind: Some(kind) }
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
        super::to_struct(value.as_object().unwrap())
    }

    #[test]
    fn a_struct_and_its_json_text_read_the_same() {
        let value = json!({
            "issuer": "https://a.example", "n": 300, "f": 0.5, "b": true, "z": null,
            "list": [1, {"a": [[]]}], "negative": -7,
        });
        assert_eq!(read(&to_struct(&value).encode_to_vec()).unwrap(), value);
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

//! The bytes that Envoy hands to the plugin, as one tree of values.
//!
//! Envoy delivers a `google.protobuf.Struct` (plain YAML) and a `GenericSecret` as serialized protobuf, and a `StringValue`
//! as its text. None can be taken for another: the first two start with byte 0x0A and a length, and JSON that starts with a
//! line feed does not go on as protobuf; the members of a `Struct` have no field where a `GenericSecret` has its text.

use prost::Message as _;
use serde_json::Value;

use super::problems::{Problem, Problems};
use crate::encoding::protobuf::{self, NotJson};
use crate::jose::json;
use crate::jose::path::Path;

const NOT_INLINE: &str = "of a GenericSecret only `secret.inline_string` reaches the filter; put the JSON text there";

const NO_YAML: &str = "; write YAML as a google.protobuf.Struct";

/// Reads a configuration as [`prost_types::Struct`], as a `GenericSecret` with JSON text, or as JSON text. Members that stand
/// twice go to `problems`; the rest is still read.
///
/// # Errors
/// No bytes at all; neither of the two; JSON that [`json::parse`] refuses for another reason, or a `Struct` that is no such
/// JSON.
#[inline(never)]
pub(super) fn read(bytes: &[u8], problems: &Problems) -> Result<Value, Problem> {
    if bytes.is_empty() {
        return Err(whole("the configuration is empty; set `issue`, `verify` or both"));
    }
    if let Some(specifier) = secret(bytes) {
        return match specifier {
            Specifier::InlineString(text) => from_json(text.as_bytes(), problems),
            Specifier::EnvironmentVariable(_) => Err(whole(NOT_INLINE)),
        };
    }
    match prost_types::Struct::decode(bytes) {
        Ok(message) => protobuf::from_struct(message)
            .map_err(|NotJson { path, problem }| Problem { path, message: problem.to_owned() }),
        Err(_) if looks_like_json(bytes) => from_json(bytes, problems),
        Err(_) => Err(whole("expected a google.protobuf.Struct or a StringValue that holds JSON")),
    }
}

fn from_json(text: &[u8], problems: &Problems) -> Result<Value, Problem> {
    let parsed = json::parse_with_doubles(text).map_err(|error| {
        let begins_as_json = matches!(text.trim_ascii_start(), [b'{' | b'[', ..]);
        let is_text = text.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
        let hint = if is_text && !begins_as_json { NO_YAML } else { "" };
        Problem { path: error.path, message: error.problem + hint }
    });
    let (value, doubles) = parsed?;
    doubles.iter().for_each(|path| problems.error(path, json::TWICE));
    Ok(value)
}

/// `envoy.extensions.transport_sockets.tls.v3.GenericSecret`, which Envoy's `/config_dump` does not show.
#[derive(Clone, PartialEq, prost::Message)]
struct GenericSecret {
    #[prost(message, tag = "1")]
    secret: Option<DataSource>,
}

/// `envoy.config.core.v3.DataSource`, as far as it cannot be taken for a member of a `Struct`: a file's name stands where
/// that has its name, and bytes where it has its value. Envoy resolves none of them.
#[derive(Clone, PartialEq, prost::Message)]
struct DataSource {
    #[prost(oneof = "Specifier", tags = "3, 4")]
    specifier: Option<Specifier>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Specifier {
    #[prost(string, tag = "3")]
    InlineString(String),
    #[prost(string, tag = "4")]
    EnvironmentVariable(String),
}

fn secret(bytes: &[u8]) -> Option<Specifier> {
    GenericSecret::decode(bytes).ok()?.secret?.specifier
}

fn whole(message: &str) -> Problem {
    Problem { path: Path::root(), message: message.to_owned() }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    !matches!(bytes, [b'\n', next, ..] if !matches!(next, b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::value::Kind;
    use serde_json::json;

    use crate::encoding::protobuf::struct_bytes;

    fn read(bytes: &[u8]) -> Result<Value, Problem> {
        let problems = Problems::default();
        let value = super::read(bytes, &problems)?;
        problems.into_found().0.into_iter().next().map_or(Ok(value), Err)
    }

    fn to_struct(value: &Value) -> prost_types::Struct {
        prost_types::Struct::decode(&*struct_bytes(value.as_object().unwrap())).unwrap()
    }

    #[test]
    fn a_struct_and_its_json_text_read_the_same() {
        let value = json!({
            "issuer": "https://a.example", "n": 300, "f": 0.5, "b": true, "z": null,
            "list": [1, {"a": [[]]}], "negative": -7, "exact": 9_007_199_254_740_991_i64,
            // Here a double may have been any of two.
            "rounded": 9_007_199_254_740_992.0, "sign": -0.0,
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
    fn a_secret_is_its_text_and_no_struct_is_taken_for_one() {
        let secret =
            |specifier| GenericSecret { secret: Some(DataSource { specifier: Some(specifier) }) }.encode_to_vec();
        let text = r#"{"issuer": "https://a.example", "n": 300}"#;
        let bytes = secret(Specifier::InlineString(text.to_owned()));
        assert_eq!(read(&bytes).unwrap(), json!({"issuer": "https://a.example", "n": 300}));
        // As it was seen to arrive from Envoy.
        assert_eq!(read(b"\x0a\x0b\x1a\x09{\"a\": 12}").unwrap(), json!({"a": 12}));
        let error = |specifier| read(&secret(specifier)).unwrap_err().to_string();
        assert_eq!(error(Specifier::InlineString("{".to_owned())), "not valid JSON at line 1, column 1");
        assert_eq!(error(Specifier::EnvironmentVariable("A".to_owned())), NOT_INLINE);
        for name in ["", "\x1a", "inline_string"] {
            for value in [json!(null), json!("x"), json!({"": "\x1a\x01x"}), json!([1])] {
                let value = json!({name: value, "other": 1});
                assert_eq!(read(&struct_bytes(value.as_object().unwrap())).unwrap(), value);
            }
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
        let yaml = error(b"issuer: https://a.example");
        assert_eq!(yaml, "not valid JSON at line 1, column 1; write YAML as a google.protobuf.Struct");
        // A `google.protobuf.Duration`, which nobody takes for YAML.
        assert_eq!(error(b"\x08\x05"), "not valid JSON at line 1, column 1");
        assert_eq!(error(br#"{"a":[{"b":1,"b":1}]}"#), "a[0].b: the same member twice");
        assert_eq!(error(&b"[".repeat(1 << 20)), "nested too deep (more than 32 levels)");
    }

    #[test]
    fn a_struct_is_as_deep_as_json_may_be() {
        let nested = |depth| (1..depth).fold(json!(1), |inner, _| json!([inner]));
        for depth in [32, 33] {
            let value = json!({"a": nested(depth)});
            let (text, bytes) = (value.to_string(), struct_bytes(value.as_object().unwrap()));
            let expected =
                if depth == 32 { Ok(value) } else { Err("nested too deep (more than 32 levels)".to_owned()) };
            for form in [text.as_bytes(), &bytes] {
                assert_eq!(read(form).map_err(|error| error.to_string()), expected);
            }
        }
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

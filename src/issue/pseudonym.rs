//! The name that Authorino gives to a caller whose own name is not to be told: the hash of his identity.

use ryu_js::Buffer;
use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

use crate::jose::json;

/// Authorino's pseudonym of an identity: hexadecimal SHA-256 of what Go's `json.Marshal` makes of it. `None` where Go's
/// doubles would make one of two identities: it has a whole number that no double holds exactly, or may have had one.
#[must_use]
pub fn of(identity: &Value) -> Option<String> {
    if !is_exact(identity) {
        return None;
    }
    let mut text = String::new();
    write_go(&mut text, identity);
    Some(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => json::is_exact(number) && is_double(number),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether a double holds it: a whole number has no more than 53 bits from its first to its last one.
fn is_double(number: &Number) -> bool {
    let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs)).unwrap_or_default();
    magnitude.checked_shr(magnitude.trailing_zeros()).unwrap_or_default() < 1 << 53
}

/// JSON to the byte as Go writes it: members sorted by name, which `Map` does, `< > &` and two line separators escaped,
/// numbers as doubles.
fn write_go(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) => text.push_str(&value.to_string()),
        Value::Number(number) => text.push_str(&go_number(number.as_f64().unwrap_or_default())),
        Value::String(string) => write_go_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_go(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_go_string(text, name);
                text.push(':');
                write_go(text, member);
            }
            text.push('}');
        }
    }
}

fn write_go_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// A double as `encoding/json` writes it: as ECMAScript does (Number::toString), but for the sign of zero.
fn go_number(number: f64) -> String {
    if number == 0.0 && number.is_sign_negative() { "-0".to_owned() } else { Buffer::new().format(number).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Made with Go 1.26: `json.Marshal` of the value as `json.Unmarshal` reads it, then SHA-256.
    #[test]
    fn a_hash_is_that_of_go_s_json() {
        let go = |value: Value| {
            let mut text = String::new();
            write_go(&mut text, &value);
            text
        };
        for (value, expected) in [
            (json!(null), "null"),
            (json!({"b": 1, "a": [true, null, "x"]}), r#"{"a":[true,null,"x"],"b":1}"#),
            (json!("<a href=\"x\">&</a>"), r#""\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e""#),
            (
                json!("\u{8}\u{c}\n\r\t\u{1}\u{7f}\u{2028}\u{2029}é\\"),
                "\"\\b\\f\\n\\r\\t\\u0001\u{7f}\\u2028\\u2029é\\\\\"",
            ),
            (
                json!([0, -0.0, 1.0, 1.5, -7, 1e20, 1e21, 1.5e300, 1e-6, 1e-7, 123456789012345678u64]),
                "[0,-0,1,1.5,-7,100000000000000000000,1e+21,1.5e+300,0.000001,1e-7,123456789012345680]",
            ),
            // Halfway between two texts: the even one.
            (
                json!([6_561_279_171_849_677.0 / 4.0, 5_000_000_000_000_001.0 / 4.0]),
                "[1640319792962419.2,1250000000000000.2]",
            ),
        ] {
            assert_eq!(go(value), expected);
        }
        let null = "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b";
        assert_eq!(of(&Value::Null).as_deref(), Some(null));
    }

    #[test]
    fn two_numbers_never_have_one_hash() {
        for exact in [
            json!(9_007_199_254_740_992u64),
            json!(-9_007_199_254_740_992i64),
            json!(1u64 << 63),
            json!(i64::MIN),
            json!(0.5),
            json!(0),
        ] {
            assert!(of(&json!([{"a": exact}])).is_some(), "{exact}");
        }
        for rounded in [
            json!(9_007_199_254_740_993u64),
            json!(-9_007_199_254_740_993i64),
            json!(u64::MAX),
            json!(i64::MAX),
            json!(9_007_199_254_740_992.0),
            json!(1e30),
        ] {
            assert_eq!(of(&json!([{"a": rounded}])), None, "{rounded}");
        }
    }
}

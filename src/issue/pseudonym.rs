//! The name that Authorino gives to a caller whose own name is not to be told: the hash of his identity.

use ryu_js::Buffer;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Authorino's pseudonym of an identity: hexadecimal SHA-256 of what Go's `json.Marshal` makes of it.
#[must_use]
pub fn of(identity: &Value) -> String {
    let mut text = String::new();
    write_go(&mut text, identity);
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
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
        assert_eq!(of(&Value::Null), "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b");
    }
}

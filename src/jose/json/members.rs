//! The members of an object by their names, for whoever asks for some of them: a name, a value, and no tree of the rest.

use std::borrow::Cow;

use serde_json::Value;

use super::parse;
use super::scan::{Member, Problem, Sink, scan, whole};

/// An object as it was read. It may be what a token says of its bearer, and has outside the tests no `Debug`.
#[cfg_attr(test, derive(Debug))]
pub struct Members {
    text: String,
    members: Vec<Member>,
}

impl Members {
    /// Reads one JSON text that has to be an object, and tells `sink` of it.
    ///
    /// # Errors
    /// [`Problem`]: for every text that [`parse_object`](super::parse_object) refuses, and for no other.
    pub fn read(text: Vec<u8>, sink: &mut dyn Sink) -> Result<Self, Problem> {
        let text = String::from_utf8(text).map_err(|_| Problem::Syntax)?;
        let members = scan(&text, sink)?;
        Ok(Self { text, members })
    }

    /// Whether there is a member of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Whether a member is a string; `None` when there is none of this name.
    #[must_use]
    pub fn is_text(&self, name: &str) -> Option<bool> {
        self.raw(name).map(|value| value.starts_with('"'))
    }

    /// Whether a member is an object or an array; `None` when there is none of this name.
    #[must_use]
    pub fn has_others_inside(&self, name: &str) -> Option<bool> {
        self.raw(name).map(|value| value.starts_with(['{', '[']))
    }

    /// A member that is a string; `None` as well if it is something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let inside = self.raw(name)?.strip_prefix('"')?;
        match inside.strip_suffix('"') {
            Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
            _ => match self.get(name)? {
                Value::String(text) => Some(Cow::Owned(text)),
                _ => None,
            },
        }
    }

    /// A member as a value. It has been read once; one that could not be read again would be `null`, which no claim that means
    /// something may be, and not absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        let raw = self.raw(name)?;
        match whole(raw) {
            Some(number) => Some(number.into()),
            None => Some(parse(raw.as_bytes()).unwrap_or(Value::Null)),
        }
    }

    /// The name of each member, and the text of its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().filter_map(|Member { name, unescaped, value }| {
            let name = unescaped.as_deref().or_else(|| self.text.get(name.clone()))?;
            Some((name, self.text.get(value.clone())?))
        })
    }

    fn raw(&self, name: &str) -> Option<&str> {
        let bytes = self.text.as_bytes();
        let is_named = |member: &&Member| match &member.unescaped {
            None => member.name.len() == name.len() && bytes.get(member.name.clone()) == Some(name.as_bytes()),
            Some(unescaped) => **unescaped == *name,
        };
        self.text.get(self.members.iter().find(is_named)?.value.clone())
    }

    /// The text that it was read from.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::encoding::protobuf::{StructBytes, from_struct, number};
    use crate::jose::json::{MAX_DEPTH, parse_object};

    const SAMPLE: &str = r#" {"iss" : "https://a.example", "sub":"j\u00fcr\"gen", "n\u0061me": "a\\", "": "",
        "exp":1800000300, "zero":0,"minus":-1 , "big":12345678901234567890, "long":123456789012345,"longer":1234567890123456,
        "half":0.5, "e":1e3,"E":-2.5E-7, "yes":true,"no":false, "none":null,"\u00e9\ud83d\ude00":"é😀",
        "list":[ ], "aud":["a",["b",{"c":[1]}],{}], "o":{ }, "act":{"sub":"x","act":{"sub":"y","n":[null]}} } "#;

    /// With each number as a double would have it.
    fn with_doubles(value: &Value) -> Value {
        match value {
            Value::Number(value) => number(value.as_f64().unwrap()).unwrap().into(),
            Value::Array(items) => items.iter().map(with_doubles).collect(),
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), with_doubles(value))).collect(),
            other => other.clone(),
        }
    }

    /// That one pass accepts what makes a tree, and nothing else, and says the same.
    fn compare(text: &[u8]) {
        let mut as_struct = StructBytes::default();
        let read = Members::read(text.to_vec(), &mut as_struct);
        let shown = String::from_utf8_lossy(text);
        let Ok(tree) = parse_object(text) else {
            assert!(read.is_err(), "{shown}");
            return;
        };
        let members = read.unwrap_or_else(|problem| panic!("{shown}: {problem:?}"));
        assert_eq!(members.iter().count(), tree.len(), "{shown}");
        for (name, value) in &tree {
            assert_eq!(members.get(name).as_ref(), Some(value), "{shown}: {name}");
            assert_eq!(members.text(name).as_deref(), value.as_str(), "{shown}: {name}");
            assert_eq!(members.is_text(name), Some(value.is_string()), "{shown}: {name}");
        }
        let decoded = from_struct(prost_types::Struct::decode(&*as_struct.0).unwrap()).unwrap();
        assert_eq!(decoded, with_doubles(&Value::Object(tree)), "{shown}");
    }

    #[test]
    fn one_pass_reads_what_makes_a_tree_and_nothing_else() {
        assert_eq!(parse_object(SAMPLE.as_bytes()).unwrap().len(), 21);
        compare(SAMPLE.as_bytes());
        for text in [
            "",
            "{",
            "{}",
            " {} ",
            "{}x",
            "{},",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[1,]}",
            "{\"a\":[,1]}",
            "{\"a\":[1 2]}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":+1}",
            "{\"a\":-0}",
            "{\"a\":-0.0}",
            "{\"a\":1e999}",
            "{\"a\":1-2}",
            "{\"a\":999999999999999}",
            "{\"a\":18446744073709551615}",
            "{\"a\":18446744073709551616}",
            "{\"a\":123456789012345678901234}",
            "{\"a\":9007199254740993}",
            "{\"a\":00}",
            "{\"a\":nul}",
            "{\"a\":truE}",
            "{\"a\":truefalse}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\\"}",
            "{\"a\":\"\\\"\"}",
            "{\"\\u00zz\":1}",
            "{'a':1}",
            "\u{feff}{}",
            "\u{c}{}",
            "{\u{b}}",
            "{\"a\":1\u{c}}",
            "{\"a\":1}\u{a0}",
            "{\"a\":\"\u{7f}\u{a0}\"}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":1}",
            "{\"b\":{\"a\":1,\"c\":[],\"a\":1},\"c\":2}",
            "{\"a\":{\"b\":1},\"b\":{\"a\":1}}",
        ] {
            compare(text.as_bytes());
        }
        for length in 0..SAMPLE.len() {
            compare(SAMPLE.as_bytes().get(..length).unwrap());
        }
        // Every byte in the place of every other would take minutes; these are those that mean something, and one of UTF-8.
        for place in 0..SAMPLE.len() {
            for byte in *b"\"\\{}[]:,0-.eEtn \n\x01\xff" {
                let mut text = SAMPLE.as_bytes().to_vec();
                *text.get_mut(place).unwrap() = byte;
                compare(&text);
            }
        }
    }

    #[test]
    fn members_that_stand_twice_are_found_however_many_there_are() {
        for count in 2..60 {
            let text = |last: usize| {
                let members: Vec<_> = (0..count).chain([last]).map(|member| format!("\"m{member}\":{{}}")).collect();
                format!("{{\"o\":{{{}}}}}", members.join(",")).into_bytes()
            };
            assert!(Members::read(text(count), &mut ()).is_ok());
            for twice in [0, count / 2, count - 1] {
                assert_eq!(Members::read(text(twice), &mut ()).unwrap_err(), Problem::Twice, "{count} {twice}");
            }
        }
    }

    #[test]
    fn nesting_is_bounded_as_that_of_a_tree_is() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested =
                |levels: usize| format!("{{\"a\":{}1{}}}", open.repeat(levels), close.repeat(levels)).into_bytes();
            compare(&nested(MAX_DEPTH - 1));
            assert!(Members::read(nested(MAX_DEPTH - 1), &mut ()).is_ok());
            assert_eq!(Members::read(nested(MAX_DEPTH), &mut ()).unwrap_err(), Problem::TooDeep);
            assert_eq!(Members::read(nested(1 << 16), &mut ()).unwrap_err(), Problem::TooDeep);
        }
    }

    #[test]
    fn a_struct_that_is_long_has_lengths_of_several_bytes() {
        for length in [100, 120, 126, 127, 128, 200, 16_383, 16_384, 70_000] {
            let text = "x".repeat(length);
            compare(format!("{{\"{text}\":[\"{text}\",{{\"a\":\"{text}\"}}]}}").as_bytes());
        }
    }
}

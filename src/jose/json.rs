//! JSON as strictly as tokens and keys need it.
//!
//! RFC 8259 leaves it open what two members of one name mean, and parsers differ: the one that checks a token
//! and the one that uses it may then read two different tokens. [`parse`] refuses them at any depth, and refuses
//! nesting that no wristband needs, so that what it returns means one thing only.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::path::{Path, Segment};

mod members;
mod scan;

pub use members::Members;
pub use scan::{Position, Problem, Sink};

/// How deep objects and arrays may nest. Claims of real identity providers stay below ten; the bound keeps the
/// stack of the VM small whatever an attacker sends.
pub const MAX_DEPTH: usize = 32;

/// What is said of a member that stands twice.
pub const TWICE: &str = "the same member twice";
/// What is said of more than [`MAX_DEPTH`] levels.
pub const TOO_DEEP: &str = "nested too deep (more than 32 levels)";

/// Why a text is not acceptable JSON. It never quotes the text, which may be a token or a key.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Where, as far as that is known.
    pub path: Path,
    /// What is wrong there, for the operator.
    pub problem: String,
}

/// Parses one JSON text (RFC 8259).
///
/// # Errors
/// Anything serde_json refuses, two members of one name, and more than [`MAX_DEPTH`] levels.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    deserialize::<false>(text, &Doubles::default())
}

/// Parses one JSON text for whoever mends it: with the places of all members that stand twice, of which the first counts.
///
/// # Errors
/// As [`parse`], but for those.
pub fn parse_with_doubles(text: &[u8]) -> Result<(Value, Vec<Path>), JsonError> {
    let doubles = Doubles::default();
    let value = deserialize::<true>(text, &doubles)?;
    Ok((value, doubles.found.into_inner()))
}

fn deserialize<const TELLS: bool>(text: &[u8], doubles: &Doubles) -> Result<Value, JsonError> {
    let fault = Fault::default();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let strict = Strict::<TELLS> { fault: &fault, doubles, depth: 0 };
    strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| fault.describe(&error))
}

/// Parses one JSON text that has to be an object.
///
/// # Errors
/// As [`parse`], and for any other type.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse(text)? {
        Value::Object(members) => Ok(members),
        other => Err(JsonError { path: Path::root(), problem: format!("expected an object, found {}", kind(&other)) }),
    }
}

/// The JSON type of a value, with its article, for messages.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What went wrong, kept beside serde's error because that one has no place for a path.
#[derive(Default)]
struct Fault {
    problem: RefCell<Option<&'static str>>,
    /// Innermost first: each level adds itself while the error travels outwards.
    path: RefCell<Vec<Segment>>,
}

impl Fault {
    fn raise<E: serde::de::Error>(&self, problem: &'static str) -> E {
        *self.problem.borrow_mut() = Some(problem);
        E::custom(problem)
    }

    /// Only for a member that stands twice: the path of what is nested too deep would be as long as the attack.
    fn passes(&self, segment: impl FnOnce() -> Segment) {
        if *self.problem.borrow() == Some(TWICE) {
            self.path.borrow_mut().push(segment());
        }
    }

    fn describe(&self, error: &serde_json::Error) -> JsonError {
        if let Some(problem) = *self.problem.borrow() {
            let path = self.path.borrow().iter().rev().cloned().collect();
            return JsonError { path, problem: problem.to_owned() };
        }
        JsonError {
            path: Path::root(),
            problem: format!("not valid JSON at line {}, column {}", error.line(), error.column()),
        }
    }
}

/// How many members that stand twice are told: more than anyone mends at once, and each has its whole path.
const MOST_DOUBLES: usize = 20;

/// The members that stand twice, where all of them are to be told.
#[derive(Default)]
struct Doubles {
    /// Where the parser is.
    place: RefCell<Vec<Segment>>,
    found: RefCell<Vec<Path>>,
}

/// With `TELLS` it goes on where a member stands twice, and tells all of them.
#[derive(Clone, Copy)]
struct Strict<'a, const TELLS: bool> {
    fault: &'a Fault,
    doubles: &'a Doubles,
    depth: usize,
}

impl<'de, const TELLS: bool> DeserializeSeed<'de> for Strict<'_, TELLS> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<const TELLS: bool> Strict<'_, TELLS> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault.raise(TOO_DEEP));
        }
        Ok(Self { depth: self.depth.saturating_add(1), ..self })
    }

    fn enter(self, segment: impl FnOnce() -> Segment) {
        if TELLS {
            self.doubles.place.borrow_mut().push(segment());
        }
    }

    fn leave(self) {
        if TELLS {
            self.doubles.place.borrow_mut().pop();
        }
    }
}

impl<'de, const TELLS: bool> Visitor<'de> for Strict<'_, TELLS> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        loop {
            self.enter(|| Segment::Item(array.len()));
            let item = items.next_element_seed(inner);
            self.leave();
            match item {
                Ok(Some(item)) => array.push(item),
                Ok(None) => return Ok(Value::Array(array)),
                Err(error) => {
                    self.fault.passes(|| Segment::Item(array.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key_seed(MemberName)? {
            self.enter(|| Segment::Member(name.to_string()));
            let value = members.next_value_seed(inner).inspect_err(|_| {
                self.fault.passes(|| Segment::Member(name.to_string()));
            })?;
            self.leave();
            match object.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(entry) if TELLS && self.doubles.found.borrow().len() < MOST_DOUBLES => {
                    let member = Segment::Member(entry.key().clone());
                    let place = self.doubles.place.borrow().iter().cloned().chain([member]).collect();
                    self.doubles.found.borrow_mut().push(place);
                }
                Entry::Occupied(entry) => {
                    let error = self.fault.raise(TWICE);
                    self.fault.passes(|| Segment::Member(entry.key().clone()));
                    return Err(error);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// A member's name, which is borrowed from the text where it is written without escapes.
struct MemberName;

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for MemberName {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Whether a number has every digit that it had in its text. Beyond 64 bits a whole number is kept as a double, and its last
/// digits are gone; so they are in what has been a double before.
#[must_use]
pub fn is_exact(number: &Number) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53, which 2^53 + 1 is rounded to as well
    let is_rounded = |value: f64| value.fract() == 0.0 && value.abs() >= EXACT;
    !(number.is_f64() && number.as_f64().is_none_or(is_rounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (String, String) {
        let error = parse(text.as_bytes()).unwrap_err();
        (error.path.to_string(), error.problem)
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        for text in [
            "null",
            "true",
            "-1",
            "18446744073709551615",
            "0.5",
            r#""a\u00e9\n""#,
            r#"[1,[2,{"a":null}],{}]"#,
            r#" {"b":1,"a":{"b":[]}} "#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        let twice = "the same member twice".to_owned();
        assert_eq!(problem(r#"{"a":1,"a":1}"#), ("a".into(), twice.clone()));
        assert_eq!(problem(r#"{"a":[0,{"b":{"c":1,"d":2,"c":3}}]}"#), ("a[1].b.c".into(), twice.clone()));
        // The escape names the same member.
        assert_eq!(problem(r#"{"a":1,"\u0061":1}"#), ("a".into(), twice));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        let (_, problem) = problem(&nested(MAX_DEPTH + 1));
        assert_eq!(problem, "nested too deep (more than 32 levels)");
        let error = parse(&[b'['].repeat(1 << 20)).unwrap_err();
        assert_eq!(error.problem, "nested too deep (more than 32 levels)");
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place_and_without_its_text() {
        for text in ["", "{", "[1,]", "{\"a\"}", "01", "1e999", "NaN", "\"\\ud800\"", "{} {}", "\u{feff}{}"] {
            let (_, problem) = problem(text);
            assert!(problem.starts_with("not valid JSON at line 1"), "{text}: {problem}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}

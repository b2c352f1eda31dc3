//! Changes to an object, whether header or payload.

use fastrand::Rng;

use super::super::case::{Members, object};
use super::one_of;

pub fn set(members: &mut Members, name: &str, value: impl Into<String>) {
    remove(members, name);
    members.push((format!("\"{name}\""), value.into()));
}

pub fn remove(members: &mut Members, name: &str) {
    members.retain(|(known, _)| *known != format!("\"{name}\""));
}

pub const WRONG_FOR_TEXT: [&str; 6] = ["null", "true", "1", "[]", "{}", "[\"x\"]"];
pub const WRONG_FOR_DATE: [&str; 7] = ["null", "true", "\"1\"", "\"\"", "[]", "{}", "[1]"];

/// JSON that a lenient parser might take.
pub const LAX: [fn(&str) -> String; 12] = [
    |text| text.replacen('}', ",}", 1),
    |text| text.replace('"', "'"),
    |text| text.replacen("\"sub\"", "sub", 1).replacen("\"alg\"", "alg", 1),
    |text| format!("{text} x"),
    |text| format!("{text}{text}"),
    |text| format!("\u{feff}{text}"),
    |text| format!("/**/{text}"),
    |text| text.replacen('{', "{\"x\":NaN,", 1),
    |text| text.replacen('{', "{\"x\":01,", 1),
    |text| text.replacen('{', "{\"x\":+1,", 1),
    |text| text.replacen('{', "{\"x\":\"\t\",", 1),
    |text| text.replacen('{', "{\"x\":0x1,", 1),
];

pub fn lax(members: &Members, rng: &mut Rng) -> Option<Vec<u8>> {
    Some(LAX[rng.usize(..LAX.len())](&object(members)).into_bytes())
}

/// A byte is replaced, inserted or removed: wherever two parsers may not agree.
pub fn one_byte(members: &Members, rng: &mut Rng) -> Option<Vec<u8>> {
    let mut text = object(members).into_bytes();
    let at = rng.usize(..text.len());
    let marks = b"\"\\{}[]:,-+.eE019u/ \n\0\xff";
    let byte = if rng.bool() { marks[rng.usize(..marks.len())] } else { rng.u8(..) };
    match rng.usize(..3) {
        0 => text[at] = byte,
        1 => text.insert(at, byte),
        _ => _ = text.remove(at),
    }
    Some(text)
}

/// What is JSON but no object.
pub fn no_object(rng: &mut Rng) -> Option<Vec<u8>> {
    Some(one_of(rng, &["", " ", "null", "true", "1", "\"x\"", "[]", "[{}]", "[[\"alg\",\"ES256\"]]"]).into())
}

pub fn nested(rng: &mut Rng, levels: std::ops::RangeInclusive<usize>) -> String {
    let levels = rng.usize(levels);
    let (open, close) = if rng.bool() { ("[", "]") } else { ("{\"a\":", "}") };
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

/// A member that is there already, once more: with its own value or another, by its own name or by one with an escape.
pub fn twice(members: &mut Members, rng: &mut Rng) {
    let (name, value) = members[rng.usize(..members.len())].clone();
    let escaped = format!("\"\\u{:04x}{}", name.as_bytes()[1], &name[2..]);
    let name = if rng.bool() { name } else { escaped };
    members.insert(rng.usize(..=members.len()), (name, if rng.bool() { value } else { "\"x\"".to_owned() }));
}

//! `google.protobuf.Struct`, in which Envoy has configurations, dynamic metadata and filter state, and JSON.

use prost::encoding::{WireType, bool, double, encode_key, encode_varint, encoded_len_varint, int32, key_len, string};
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

use crate::jose::json::{MAX_DEPTH, TOO_DEEP};
use crate::jose::path::{Path, Segment};

/// What the JSON of [`json::parse`](crate::jose::json::parse) cannot be, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct NotJson {
    /// As far as that is known.
    pub path: Path,
    /// What is wrong there, for the operator.
    pub problem: &'static str,
}

/// The members of a `Struct` as JSON. Its numbers are doubles: whole ones become integers again.
///
/// # Errors
/// A number that is not finite, and more than [`MAX_DEPTH`] levels.
pub fn from_struct(message: prost_types::Struct) -> Result<Value, NotJson> {
    members(message, 0).map_err(Fault::told)
}

/// A value as JSON that has to find a place inside an object, such as a claim.
///
/// # Errors
/// As [`from_struct`], and one level less.
pub fn from_member(value: prost_types::Value) -> Result<Value, NotJson> {
    value_at(value, 1).map_err(Fault::told)
}

/// A fault on its way outwards: each level adds where it was, the innermost first.
struct Fault {
    path: Vec<Segment>,
    problem: &'static str,
}

impl Fault {
    fn new(problem: &'static str) -> Self {
        Self { path: Vec::new(), problem }
    }

    /// What is too deep has no path: it would be as long as it is deep.
    fn within(mut self, segment: impl FnOnce() -> Segment) -> Self {
        if self.problem != TOO_DEEP {
            self.path.push(segment());
        }
        self
    }

    fn told(self) -> NotJson {
        NotJson { path: self.path.into_iter().rev().collect(), problem: self.problem }
    }
}

fn members(message: prost_types::Struct, depth: usize) -> Result<Value, Fault> {
    let depth = deeper(depth)?;
    let mut members = Map::new();
    for (name, value) in message.fields {
        match value_at(value, depth) {
            Ok(value) => drop(members.insert(name, value)),
            Err(fault) => return Err(fault.within(|| Segment::Member(name))),
        }
    }
    Ok(Value::Object(members))
}

fn value_at(value: prost_types::Value, depth: usize) -> Result<Value, Fault> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => {
            number(value).map(Value::Number).ok_or_else(|| Fault::new("expected a finite number"))?
        }
        Some(Kind::StructValue(value)) => members(value, depth)?,
        Some(Kind::ListValue(list)) => {
            let depth = deeper(depth)?;
            let items = list.values.into_iter().enumerate();
            let items =
                items.map(|(index, item)| value_at(item, depth).map_err(|fault| fault.within(|| Segment::Item(index))));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
    })
}

/// The depth of what an object or a list has in it.
fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth >= MAX_DEPTH {
        return Err(Fault::new(TOO_DEEP));
    }
    Ok(depth.saturating_add(1))
}

/// An object as a serialized `Struct`, whose numbers are doubles: written as it is read, without the tree of messages
/// in between.
#[must_use]
pub fn struct_bytes(members: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(struct_length(members));
    write_struct(members, &mut bytes);
    bytes
}

/// The same of an object that has nothing but texts, without a copy of them.
#[must_use]
pub fn struct_of_texts(members: &[(&str, &str)]) -> Vec<u8> {
    let value_length = |value: &str| nested(field::STRING, value.len());
    let member_length = |(name, value): &(&str, &str)| {
        nested(field::NAME, name.len()).saturating_add(nested(field::VALUE, value_length(value)))
    };
    let lengths = members.iter().map(|member| nested(field::MEMBERS, member_length(member)));
    let mut bytes = Vec::with_capacity(lengths.fold(0, usize::saturating_add));
    for member @ (name, value) in members {
        write_prefix(field::MEMBERS, member_length(member), &mut bytes);
        write_prefix(field::NAME, name.len(), &mut bytes);
        bytes.extend_from_slice(name.as_bytes());
        write_prefix(field::VALUE, value_length(value), &mut bytes);
        write_prefix(field::STRING, value.len(), &mut bytes);
        bytes.extend_from_slice(value.as_bytes());
    }
    bytes
}

/// Field numbers of `google.protobuf.Struct`, its map entries, `Value` and `ListValue`.
pub(crate) mod field {
    pub(crate) const MEMBERS: u32 = 1;
    pub(crate) const NAME: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
    pub(crate) const NULL: u32 = 1;
    pub(crate) const NUMBER: u32 = 2;
    pub(crate) const STRING: u32 = 3;
    pub(crate) const BOOL: u32 = 4;
    pub(crate) const STRUCT: u32 = 5;
    pub(crate) const LIST: u32 = 6;
    pub(crate) const ITEMS: u32 = 1;
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

/// A double as JSON: an integer if it is a whole number that a double holds exactly, which -0 is not.
#[must_use]
pub fn number(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53, which 2^53 + 1 is rounded to as well
    let is_negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() < EXACT && !is_negative_zero {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

//! `google.protobuf.Struct`, in which Envoy has configurations, dynamic metadata and filter state, and JSON.

use prost::encoding::{WireType, bool, double, encode_key, encode_varint, encoded_len_varint, int32, key_len};
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

use crate::jose::json::{MAX_DEPTH, Position, Sink, TOO_DEEP};
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

/// An object as a serialized `Struct`, whose numbers are doubles.
#[must_use]
pub fn struct_bytes(members: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = StructBytes::default();
    members.iter().for_each(|(name, value)| bytes.value(Position::Member(name), value));
    bytes.0
}

/// The same of an object that has nothing but texts, without a copy of them.
#[must_use]
pub fn struct_of_texts(members: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = StructBytes::default();
    members.iter().for_each(|(name, text)| bytes.text(Position::Member(name), text));
    bytes.0
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

/// A serialized `Struct`, written while an object is read, without the tree of messages in between.
#[derive(Default)]
pub struct StructBytes(pub Vec<u8>);

impl StructBytes {
    fn value(&mut self, position: Position<'_>, value: &Value) {
        match value {
            Value::Null => self.null(position),
            Value::Bool(value) => self.bool(position, *value),
            Value::Number(value) => self.number(position, value),
            Value::String(value) => self.text(position, value),
            Value::Array(items) => {
                let begin = self.begin();
                items.iter().for_each(|item| self.value(Position::Item, item));
                self.list(position, begin);
            }
            Value::Object(members) => {
                let begin = self.begin();
                members.iter().for_each(|(name, value)| self.value(Position::Member(name), value));
                self.object(position, begin);
            }
        }
    }

    /// Writes what stands before a value of this length.
    fn open(&mut self, position: Position<'_>, length: usize) {
        /// Room for the claims of a common token, made once there is something to write.
        const COMMON: usize = 512;
        if self.0.is_empty() {
            self.0.reserve(COMMON);
        }
        match position {
            Position::Member(name) => {
                let entry = nested(field::NAME, name.len()).saturating_add(nested(field::VALUE, length));
                self.prefix(field::MEMBERS, entry);
                self.prefix(field::NAME, name.len());
                self.0.extend_from_slice(name.as_bytes());
                self.prefix(field::VALUE, length);
            }
            Position::Item => self.prefix(field::ITEMS, length),
        }
    }

    /// Makes one value of all that was written since `begin`.
    fn close(&mut self, position: Position<'_>, field: u32, begin: usize) {
        let end = self.0.len();
        let length = end.saturating_sub(begin);
        self.open(position, nested(field, length));
        self.prefix(field, length);
        // How long it is had to be known before what stands before it could be written.
        let before = self.0.len().saturating_sub(end);
        self.0.get_mut(begin..).unwrap_or_default().rotate_right(before);
    }

    fn prefix(&mut self, field: u32, length: usize) {
        // Most lengths take one byte.
        if let (Ok(key @ 0..=127), Ok(length @ 0..=127)) = (u8::try_from(field << 3 | 2), u8::try_from(length)) {
            self.0.extend_from_slice(&[key, length]);
        } else {
            encode_key(field, WireType::LengthDelimited, &mut self.0);
            encode_varint(as_varint(length), &mut self.0);
        }
    }
}

impl Sink for StructBytes {
    fn null(&mut self, position: Position<'_>) {
        self.open(position, int32::encoded_len(field::NULL, &0));
        int32::encode(field::NULL, &0, &mut self.0);
    }

    fn bool(&mut self, position: Position<'_>, value: bool) {
        self.open(position, bool::encoded_len(field::BOOL, &value));
        bool::encode(field::BOOL, &value, &mut self.0);
    }

    fn number(&mut self, position: Position<'_>, value: &Number) {
        self.open(position, double::encoded_len(field::NUMBER, &0.0));
        double::encode(field::NUMBER, &value.as_f64().unwrap_or_default(), &mut self.0);
    }

    fn text(&mut self, position: Position<'_>, value: &str) {
        self.open(position, nested(field::STRING, value.len()));
        self.prefix(field::STRING, value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    fn begin(&mut self) -> usize {
        self.0.len()
    }

    fn list(&mut self, position: Position<'_>, begin: usize) {
        self.close(position, field::LIST, begin);
    }

    fn object(&mut self, position: Position<'_>, begin: usize) {
        self.close(position, field::STRUCT, begin);
    }
}

/// The length of a field that holds so many bytes.
fn nested(field: u32, length: usize) -> usize {
    let prefix = key_len(field).saturating_add(encoded_len_varint(as_varint(length)));
    prefix.saturating_add(length)
}

fn as_varint(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
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

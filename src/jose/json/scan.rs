//! One pass over the text of an object, without a tree of it.
//!
//! A text is accepted if [`parse_object`](super::parse_object) accepts it, and means the same. What is common in tokens is read
//! here: objects, lists, literals, strings without escapes and whole numbers of up to 15 digits. Every other string and number
//! is handed to [`parse`] as it stands.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Number, Value};

use super::{MAX_DEPTH, parse};

/// Why a text is no object whose members can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not JSON, or another value.
    Syntax,
    /// One of its objects has the same member twice.
    Twice,
    /// It has more than [`MAX_DEPTH`] levels.
    TooDeep,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub enum Position<'n> {
    /// It is the member of this name.
    Member(&'n str),
    /// It is the next item of a list.
    Item,
}

/// Who is told of the values of an object while it is read, those inside of others first. Until all of it is read it may still
/// turn out to be none.
pub trait Sink {
    /// `null`.
    fn null(&mut self, position: Position<'_>);
    /// `true` or `false`.
    fn bool(&mut self, position: Position<'_>, value: bool);
    /// A number.
    fn number(&mut self, position: Position<'_>, value: &Number);
    /// A string.
    fn text(&mut self, position: Position<'_>, value: &str);
    /// A list or an object begins. What is returned comes back at its end.
    fn begin(&mut self) -> usize;
    /// All that was told since `begin` are the items of a list.
    fn list(&mut self, position: Position<'_>, begin: usize);
    /// All that was told since `begin` are the members of an object.
    fn object(&mut self, position: Position<'_>, begin: usize);
}

/// Nobody is told.
impl Sink for () {
    fn null(&mut self, _position: Position<'_>) {}
    fn bool(&mut self, _position: Position<'_>, _value: bool) {}
    fn number(&mut self, _position: Position<'_>, _value: &Number) {}
    fn text(&mut self, _position: Position<'_>, _value: &str) {}
    fn begin(&mut self) -> usize {
        0
    }
    fn list(&mut self, _position: Position<'_>, _begin: usize) {}
    fn object(&mut self, _position: Position<'_>, _begin: usize) {}
}

/// Where a member of the outermost object stands in the text.
#[cfg_attr(test, derive(Debug))]
pub(super) struct Member {
    pub(super) name: Range<usize>,
    /// The name, if it is written with escapes.
    pub(super) unescaped: Option<Box<str>>,
    pub(super) value: Range<usize>,
}

/// The members of an object, in the order of the text.
pub(super) fn scan(text: &str, sink: &mut dyn Sink) -> Result<Vec<Member>, Problem> {
    /// Room for so many is made at once.
    const COMMON: usize = 16;
    let (names, members) = (Vec::with_capacity(COMMON), Vec::with_capacity(COMMON));
    let mut scan = Scan { text, rest: text.as_bytes(), names, members, sink };
    scan.skip_space();
    scan.object(0)?;
    if scan.rest.is_empty() { Ok(scan.members) } else { Err(Problem::Syntax) }
}

/// A text that is being read.
struct Scan<'t, 's> {
    text: &'t str,
    /// What has not been read of it.
    rest: &'t [u8],
    /// The names of the members of all objects that have not ended, those of the outermost one first.
    names: Vec<Cow<'t, str>>,
    members: Vec<Member>,
    sink: &'s mut dyn Sink,
}

impl<'t> Scan<'t, '_> {
    fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Reads this, and the space behind it.
    fn takes(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                self.skip_space();
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.takes(byte) { Ok(()) } else { Err(Problem::Syntax) }
    }

    /// Reads so many bytes.
    fn take(&mut self, length: usize) -> Result<&'t str, Problem> {
        let start = self.offset();
        let text = self.text.get(start..start.saturating_add(length)).ok_or(Problem::Syntax)?;
        self.rest = self.rest.get(length..).ok_or(Problem::Syntax)?;
        Ok(text)
    }

    fn object(&mut self, depth: usize) -> Result<(), Problem> {
        let inner = deeper(depth)?;
        self.expect(b'{')?;
        let first = self.names.len();
        while !self.takes(b'}') {
            if self.names.len() > first {
                self.expect(b',')?;
            }
            let start = self.offset();
            let name = self.string()?;
            let end = self.offset();
            self.skip_space();
            self.expect(b':')?;
            let value = self.offset();
            self.value(Position::Member(&name), inner)?;
            if depth == 0 {
                let unescaped = matches!(name, Cow::Owned(_)).then(|| (*name).into());
                // Without the quotes.
                let name = start.saturating_add(1)..end.saturating_sub(1);
                self.members.push(Member { name, unescaped, value: value..self.offset() });
            }
            self.names.push(name);
            self.skip_space();
        }
        let names = self.names.get_mut(first..).unwrap_or_default();
        if stand_twice(names) {
            return Err(Problem::Twice);
        }
        self.names.truncate(first);
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<(), Problem> {
        let inner = deeper(depth)?;
        self.expect(b'[')?;
        let mut is_first = true;
        while !self.takes(b']') {
            if !is_first {
                self.expect(b',')?;
            }
            is_first = false;
            self.value(Position::Item, inner)?;
            self.skip_space();
        }
        Ok(())
    }

    fn value(&mut self, position: Position<'_>, depth: usize) -> Result<(), Problem> {
        match self.rest.first() {
            Some(b'"') => {
                let text = self.string()?;
                self.sink.text(position, &text);
            }
            Some(b'{') => {
                let begin = self.sink.begin();
                self.object(depth)?;
                self.sink.object(position, begin);
            }
            Some(b'[') => {
                let begin = self.sink.begin();
                self.list(depth)?;
                self.sink.list(position, begin);
            }
            Some(b't') => {
                self.literal("true")?;
                self.sink.bool(position, true);
            }
            Some(b'f') => {
                self.literal("false")?;
                self.sink.bool(position, false);
            }
            Some(b'n') => {
                self.literal("null")?;
                self.sink.null(position);
            }
            Some(_) => {
                let number = self.number()?;
                self.sink.number(position, &number);
            }
            None => return Err(Problem::Syntax),
        }
        Ok(())
    }

    fn literal(&mut self, literal: &str) -> Result<(), Problem> {
        if self.take(literal.len())? == literal { Ok(()) } else { Err(Problem::Syntax) }
    }

    fn string(&mut self) -> Result<Cow<'t, str>, Problem> {
        let Some((b'"', inside)) = self.rest.split_first() else {
            return Err(Problem::Syntax);
        };
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let length = inside.iter().position(is_special).ok_or(Problem::Syntax)?;
        if inside.get(length) == Some(&b'"') {
            let quoted = self.take(length.saturating_add(2))?;
            let plain = quoted.get(1..length.saturating_add(1)).ok_or(Problem::Syntax)?;
            return Ok(Cow::Borrowed(plain));
        }
        let mut is_escaped = false;
        let ends = |byte: &u8| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        };
        let length = inside.iter().position(ends).ok_or(Problem::Syntax)?;
        match parse(self.take(length.saturating_add(2))?.as_bytes()) {
            Ok(Value::String(text)) => Ok(Cow::Owned(text)),
            _ => Err(Problem::Syntax),
        }
    }

    fn number(&mut self) -> Result<Number, Problem> {
        let is_other = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.iter().position(is_other).unwrap_or(self.rest.len());
        let number = self.take(length)?;
        if let Some(number) = whole(number) {
            return Ok(number.into());
        }
        match parse(number.as_bytes()) {
            Ok(Value::Number(number)) => Ok(number),
            _ => Err(Problem::Syntax),
        }
    }
}

/// A number of up to 15 digits and nothing else, which is exact in a double, too.
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_whole = matches!(text.len(), 1..=15) && (text == "0" || !text.starts_with('0'));
    let digit = |byte: u8| byte.is_ascii_digit().then_some(u64::from(byte & 0xf));
    // Of so few digits nothing is lost.
    let append = |number: u64, byte| Some(number.wrapping_mul(10).wrapping_add(digit(byte)?));
    if is_whole { text.bytes().try_fold(0, append) } else { None }
}

fn deeper(depth: usize) -> Result<usize, Problem> {
    if depth >= MAX_DEPTH { Err(Problem::TooDeep) } else { Ok(depth.saturating_add(1)) }
}

fn stand_twice(names: &mut [Cow<'_, str>]) -> bool {
    /// Up to so many are compared with each other faster than they are sorted.
    const FEW: usize = 24;
    if names.len() > FEW {
        names.sort_unstable();
        return names.windows(2).any(|pair| matches!(pair, [name, next] if name == next));
    }
    let mut rest = &*names;
    while let [name, others @ ..] = rest {
        if others.contains(name) {
            return true;
        }
        rest = others;
    }
    false
}

//! What other parsers take for a name of ours: frameworks decode names, fold their case, cut off what stands around them, and
//! write some characters as others.

use crate::http::headers::is_token_character;

/// Names by the byte that they begin with, however it is written: what begins otherwise is none of them.
pub(super) struct Beginnings([bool; 256]);

impl Beginnings {
    /// Of these names, which have characters of tokens alone.
    pub(super) fn of<'n>(names: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut beginnings = Self([false; 256]);
        for first in names.filter_map(<[u8]>::first) {
            if let Some(is_first) = beginnings.0.get_mut(usize::from(folded(*first))) {
                *is_first = true;
            }
        }
        beginnings
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(folded(byte))).copied().unwrap_or_default()
    }
}

/// What stands before the first `=`.
pub(super) fn key_of(part: &[u8]) -> &[u8] {
    part.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// What an encoded text stands for, byte for byte (URL standard, section 5.1); with `leniently` as old servers read it, to
/// whom `%u0061` is a letter too.
pub(super) fn decoded(mut part: &[u8], leniently: bool) -> impl Iterator<Item = u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    std::iter::from_fn(move || {
        let (byte, rest) = part.split_first()?;
        part = rest;
        let (digits, after) = match (byte, rest) {
            (b'+', _) => return Some(b' '),
            (b'%', [b'u', b'0', b'0', high, low, after @ ..]) if leniently => ([high, low], after),
            (b'%', [high, low, after @ ..]) => ([high, low], after),
            (byte, _) => return Some(*byte),
        };
        let [Some(high), Some(low)] = digits.map(digit) else {
            return Some(b'%');
        };
        part = after;
        Some(high << 4 | low)
    })
}

/// The first character of a key that is part of a name, however it is read.
pub(super) fn first(part: &[u8]) -> Option<u8> {
    decoded(part, true).find(|byte| is_token_character(*byte))
}

fn folded(byte: u8) -> u8 {
    if matches!(byte, b'.' | b' ' | b'[') { b'_' } else { byte.to_ascii_lowercase() }
}

/// Whether somebody could take the key of a part for this name: in another case, without what stands around it, as an array
/// (`name[]`), up to a NUL, or with a point, a space or a bracket for a `_`.
pub(super) fn could_be_key(part: &[u8], name: &[u8]) -> bool {
    // A key that is empty to others is what stands behind the next `=` to some.
    let start = part.iter().position(|byte| is_token_character(*byte)).unwrap_or_default();
    let key = key_of(part.get(start..).unwrap_or_default());
    let mut bytes = decoded(key, true).skip_while(|byte| !is_token_character(*byte)).peekable();
    for expected in name.iter().copied() {
        if bytes.next_if(|byte| folded(*byte) == folded(expected)).is_none() {
            return false;
        }
    }
    matches!(bytes.peek(), Some(b'[' | b']' | b'\0')) || !bytes.any(is_token_character)
}

//! The token as text.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use fastrand::Rng;

use super::super::case::Mutation::Spelling;
use super::{Row, one_of};

pub const MUTATIONS: &[Row] = &[
    (
        "spelling: padding",
        Spelling(|token, rng| {
            in_part(token, rng, |part, _| *part = URL_SAFE.encode(URL_SAFE_NO_PAD.decode(&*part).unwrap()))
        }),
    ),
    (
        "spelling: stray bits",
        Spelling(|token, rng| {
            in_part(token, rng, |part, rng| {
                let stray = match part.len() % 4 {
                    2 => rng.usize(1..16),
                    3 => rng.usize(1..4),
                    _ => 0,
                };
                let last = ALPHABET.find(part.pop().unwrap()).unwrap();
                part.push(char::from(ALPHABET.as_bytes()[last + stray]));
            });
        }),
    ),
    ("spelling: base64 and not base64url", Spelling(|token, _| *token = token.replace('-', "+").replace('_', "/"))),
    (
        "spelling: another character inside",
        Spelling(|token, rng| {
            let what = one_of(rng, &["+", "/", "=", "%2d", "~", "!", "\"", ";", "\u{e9}", "\u{ff0e}"]);
            insert(token, rng, what);
        }),
    ),
    (
        "spelling: whitespace inside",
        Spelling(|token, rng| {
            let at = rng.usize(1..token.len());
            token.insert_str(at, one_of(rng, &[" ", "  ", "\t"]));
        }),
    ),
    (
        "spelling: a comma inside",
        Spelling(|token, rng| {
            let at = rng.usize(1..token.len());
            token.insert_str(at, one_of(rng, &[",", ", "]));
        }),
    ),
    (
        "spelling: a dot before or behind",
        Spelling(|token, rng| {
            let at = if rng.bool() { 0 } else { token.len() };
            token.insert_str(at, one_of(rng, &[".", "..", "..."]));
        }),
    ),
    (
        "spelling: a dot doubled",
        Spelling(|token, rng| {
            let places: Vec<_> = token.match_indices('.').map(|(place, _)| place).collect();
            token.insert(places[rng.usize(..places.len())], '.');
        }),
    ),
    (
        "spelling: a dot inside a part",
        Spelling(|token, rng| {
            in_part(token, rng, |part, rng| {
                let at = rng.usize(1..part.len());
                part.insert(at, '.');
            })
        }),
    ),
    (
        "spelling: a part missing",
        Spelling(|token, rng| {
            let mut parts: Vec<_> = token.split('.').collect();
            parts.remove(rng.usize(..3));
            *token = parts.join(".");
        }),
    ),
    ("spelling: a part empty", Spelling(|token, rng| in_part(token, rng, |part, _| part.clear()))),
    (
        "spelling: a part more",
        Spelling(|token, rng| {
            let mut parts: Vec<_> = token.split('.').collect();
            parts.insert(rng.usize(..=3), one_of(rng, &["e30", "x", "AA"]));
            *token = parts.join(".");
        }),
    ),
    (
        "spelling: parts in another order",
        Spelling(|token, rng| {
            let mut parts: Vec<_> = token.split('.').collect();
            parts.rotate_left(rng.usize(1..3));
            *token = parts.join(".");
        }),
    ),
    (
        "spelling: one character another",
        Spelling(|token, rng| {
            in_part(token, rng, |part, rng| {
                let at = rng.usize(..part.len());
                let old = ALPHABET.find(&part[at..=at]).unwrap();
                let other = char::from(ALPHABET.as_bytes()[(old + rng.usize(1..64)) % 64]);
                part.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
            })
        }),
    ),
];

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn insert(text: &mut String, rng: &mut Rng, what: &str) {
    text.insert_str(rng.usize(..=text.len()), what);
}

/// One part of a token is changed.
fn in_part(token: &mut String, rng: &mut Rng, change: impl FnOnce(&mut String, &mut Rng)) {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    let part = rng.usize(..parts.len());
    change(&mut parts[part], rng);
    *token = parts.join(".");
}

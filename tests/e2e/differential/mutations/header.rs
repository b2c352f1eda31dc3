//! The header.

use super::super::case::KEYS;
use super::super::case::Mutation::Text;
use super::json::{WRONG_FOR_TEXT, lax, nested, no_object, one_byte, remove, set, twice};
use super::{Row, one_of};

pub const MUTATIONS: &[Row] = &[
    ("alg: absent", Text(|draft, _| remove(&mut draft.header, "alg"))),
    (
        "alg: another",
        Text(|draft, rng| {
            let values =
                ["\"none\"", "\"HS256\"", "\"es256\"", "\"ES384\"", "\"RS256\"", "\"EdDSA\"", "\"\"", "\"ES256 \""];
            set(&mut draft.header, "alg", one_of(rng, &values));
        }),
    ),
    ("alg: of another type", Text(|draft, rng| set(&mut draft.header, "alg", one_of(rng, &WRONG_FOR_TEXT)))),
    ("kid: absent", Text(|draft, _| remove(&mut draft.header, "kid"))),
    ("kid: empty", Text(|draft, _| set(&mut draft.header, "kid", "\"\""))),
    (
        "kid: another",
        Text(|draft, rng| {
            let values =
                ["\"x\"", "\"cluster-a\"", "\"Cluster-A-2026-11\"", "\"cluster-a-2026-11 \"", "\"*\"", "\"../x\""];
            set(&mut draft.header, "kid", one_of(rng, &values));
        }),
    ),
    (
        "kid: the other issuer's",
        Text(|draft, _| {
            let other = format!("\"{}\"", KEYS[1 - draft.issuer]);
            set(&mut draft.header, "kid", other);
        }),
    ),
    ("kid: of another type", Text(|draft, rng| set(&mut draft.header, "kid", one_of(rng, &WRONG_FOR_TEXT)))),
    ("typ: absent", Text(|draft, _| remove(&mut draft.header, "typ"))),
    (
        "typ: JWT, spelt otherwise",
        Text(|draft, rng| {
            let values = ["\"jwt\"", "\"Jwt\"", "\"application/jwt\"", "\"APPLICATION/JWT\""];
            set(&mut draft.header, "typ", one_of(rng, &values));
        }),
    ),
    (
        "typ: another",
        Text(|draft, rng| {
            let values = ["\"at+jwt\"", "\"JWS\"", "\"JOSE\"", "\"\"", "\"dpop+jwt\"", "\"logout+jwt\""];
            set(&mut draft.header, "typ", one_of(rng, &values));
        }),
    ),
    ("typ: of another type", Text(|draft, rng| set(&mut draft.header, "typ", one_of(rng, &WRONG_FOR_TEXT)))),
    ("cty: any", Text(|draft, rng| set(&mut draft.header, "cty", one_of(rng, &["\"JWT\"", "\"json\"", "\"\""])))),
    ("cty: of another type", Text(|draft, rng| set(&mut draft.header, "cty", one_of(rng, &WRONG_FOR_TEXT)))),
    (
        "crit",
        Text(|draft, rng| {
            let values = ["[]", "[\"exp\"]", "[\"b64\"]", "[\"alg\"]", "null", "\"x\""];
            set(&mut draft.header, "crit", one_of(rng, &values));
        }),
    ),
    ("b64", Text(|draft, rng| set(&mut draft.header, "b64", one_of(rng, &["true", "false", "null", "\"\""])))),
    ("header: a member twice", Text(|draft, rng| twice(&mut draft.header, rng))),
    (
        "header: unknown members",
        Text(|draft, rng| {
            let name = one_of(rng, &["jku", "x5u", "jwk", "x5c", "x5t", "zip", "enc", "nonce", "ALG", "", "x"]);
            let values = ["null", "\"https://x.example\"", "[]", "{}", "{\"kty\":\"EC\"}", "1e5", "[[1],{\"a\":null}]"];
            set(&mut draft.header, name, one_of(rng, &values));
        }),
    ),
    ("header: nested as deep as we take", Text(|draft, rng| set(&mut draft.header, "x", nested(rng, 1..=31)))),
    ("header: nested deeper", Text(|draft, rng| set(&mut draft.header, "x", nested(rng, 32..=120)))),
    ("header: lax JSON", Text(|draft, rng| draft.header_text = lax(&draft.header, rng))),
    ("header: no object", Text(|draft, rng| draft.header_text = no_object(rng))),
    ("header: one byte another", Text(|draft, rng| draft.header_text = one_byte(&draft.header, rng))),
];

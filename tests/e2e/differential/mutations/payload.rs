//! The payload.

use super::super::case::Mutation::Text;
use super::super::case::{ISSUERS, object};
use super::json::{WRONG_FOR_DATE, WRONG_FOR_TEXT, lax, nested, no_object, one_byte, remove, set, twice};
use super::{Row, one_of};

pub const MUTATIONS: &[Row] = &[
    ("iss: absent", Text(|draft, _| remove(&mut draft.payload, "iss"))),
    (
        "iss: another",
        Text(|draft, rng| {
            let values = ["\"\"", "\"https://cluster-a.example.com/\"", "\"HTTPS://cluster-a.example.com\"", "\"joe\""];
            set(&mut draft.payload, "iss", one_of(rng, &values));
        }),
    ),
    (
        "iss: the other issuer",
        Text(|draft, _| {
            let other = format!("\"{}\"", ISSUERS[1 - draft.issuer]);
            set(&mut draft.payload, "iss", other);
        }),
    ),
    (
        "iss: with escapes",
        Text(|draft, _| {
            let escaped = ISSUERS[draft.issuer].replace('/', "\\/").replace('c', "\\u0063");
            set(&mut draft.payload, "iss", format!("\"{escaped}\""));
        }),
    ),
    ("iss: of another type", Text(|draft, rng| set(&mut draft.payload, "iss", one_of(rng, &WRONG_FOR_TEXT)))),
    ("sub: absent", Text(|draft, _| remove(&mut draft.payload, "sub"))),
    (
        "sub: odd",
        Text(|draft, rng| {
            let values = ["a b", "a, b", "\\\"q\\\"", "%41", "=?x?=", "~", "a:b", "\\/\\\\", "\\u0061", "a;b=c"];
            let value = format!("\"{}\"", one_of(rng, &values));
            set(&mut draft.payload, "sub", value);
        }),
    ),
    (
        "sub: Unicode",
        Text(|draft, rng| {
            let values = [
                "\"é\"",
                "\"\\u00e9\"",
                "\"日本\"",
                "\"\\ud83d\\ude00\"",
                "\"\u{10ffff}\"",
                "\"\u{202e}x\"",
                "\"a\u{301}\"",
                "\"\\uffff\"",
                "\"\u{feff}\"",
            ];
            set(&mut draft.payload, "sub", one_of(rng, &values));
        }),
    ),
    (
        "sub: blanks around",
        Text(|draft, rng| set(&mut draft.payload, "sub", one_of(rng, &["\" a\"", "\"a \"", "\"\\ta\"", "\" \""]))),
    ),
    (
        "sub: control characters",
        Text(|draft, rng| {
            let values = ["\"a\\r\\nx: y\"", "\"\\n\"", "\"\\u007f\"", "\"\\u0001\"", "\"\\u0000\""];
            set(&mut draft.payload, "sub", one_of(rng, &values));
        }),
    ),
    (
        "sub: lone surrogates",
        Text(|draft, rng| {
            let values = ["\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800x\"", "\"x\\udfff\"", "\"\\ud83d\\u0041\""];
            set(&mut draft.payload, "sub", one_of(rng, &values));
        }),
    ),
    ("sub: of another type", Text(|draft, rng| set(&mut draft.payload, "sub", one_of(rng, &WRONG_FOR_TEXT)))),
    ("jti: absent", Text(|draft, _| remove(&mut draft.payload, "jti"))),
    ("jti: of another type", Text(|draft, rng| set(&mut draft.payload, "jti", one_of(rng, &WRONG_FOR_TEXT)))),
    (
        "aud: any",
        Text(|draft, rng| {
            let values = ["\"x\"", "\"\"", "[\"x\"]", "[\"x\",\"y\"]", "[\"https://cluster-a.example.com\"]"];
            set(&mut draft.payload, "aud", one_of(rng, &values));
        }),
    ),
    ("aud: of nobody", Text(|draft, _| set(&mut draft.payload, "aud", "[]"))),
    (
        "aud: of another type",
        Text(|draft, rng| {
            let values = ["null", "1", "{}", "true", "[1]", "[null]", "[[\"x\"]]", "[\"x\",1]"];
            set(&mut draft.payload, "aud", one_of(rng, &values));
        }),
    ),
    ("exp: absent", Text(|draft, _| remove(&mut draft.payload, "exp"))),
    (
        "exp: past",
        Text(|draft, rng| {
            let value = draft.at(-rng.i64(40..1_000_000_000));
            set(&mut draft.payload, "exp", value);
        }),
    ),
    (
        "exp: past, within the skew",
        Text(|draft, rng| {
            let value = draft.at(-rng.i64(0..20));
            set(&mut draft.payload, "exp", value);
        }),
    ),
    ("exp: zero", Text(|draft, rng| set(&mut draft.payload, "exp", one_of(rng, &["0", "0.0", "-0", "0e9", "0.5"])))),
    ("exp: negative", Text(|draft, rng| set(&mut draft.payload, "exp", one_of(rng, &["-1", "-0.5", "-1e30"])))),
    (
        "exp: after the year 9999",
        Text(|draft, rng| {
            let values = ["253402300800", "9007199254740993", "1e18"];
            set(&mut draft.payload, "exp", one_of(rng, &values));
        }),
    ),
    (
        "exp: beyond 64 bits",
        Text(|draft, rng| {
            set(&mut draft.payload, "exp", one_of(rng, &["18446744073709551616", "1e30", "1e308", "1e309"]))
        }),
    ),
    ("exp: of another type", Text(|draft, rng| set(&mut draft.payload, "exp", one_of(rng, &WRONG_FOR_DATE)))),
    (
        "dates: written otherwise",
        Text(|draft, rng| {
            let name = one_of(rng, &["exp", "nbf", "iat"]);
            let time = draft.at(if name == "exp" { 500 } else { -500 });
            let spellings = [format!("{time}.25"), format!("{time}.0"), format!("{time}e0"), format!("{time}0E-1")];
            set(&mut draft.payload, name, spellings[rng.usize(..spellings.len())].clone());
        }),
    ),
    (
        "nbf: future",
        Text(|draft, rng| {
            let value = draft.at(rng.i64(60..1_000_000_000));
            set(&mut draft.payload, "nbf", value);
        }),
    ),
    (
        "nbf, iat: future, within the skew",
        Text(|draft, rng| {
            let value = draft.at(rng.i64(0..25));
            set(&mut draft.payload, one_of(rng, &["nbf", "iat"]), value);
        }),
    ),
    (
        "iat: future",
        Text(|draft, rng| {
            let value = draft.at(rng.i64(60..1_000_000_000));
            set(&mut draft.payload, "iat", value);
        }),
    ),
    (
        "nbf, iat: negative",
        Text(|draft, rng| set(&mut draft.payload, one_of(rng, &["nbf", "iat"]), one_of(rng, &["-1", "-0.5", "-1e9"]))),
    ),
    (
        "nbf, iat: zero",
        Text(|draft, rng| {
            set(&mut draft.payload, one_of(rng, &["nbf", "iat"]), one_of(rng, &["0", "-0", "-0.0", "0e9"]))
        }),
    ),
    (
        "nbf: after the year 9999",
        Text(|draft, rng| set(&mut draft.payload, "nbf", one_of(rng, &["253402300800", "9007199254740993", "1e18"]))),
    ),
    (
        "iat: after the year 9999",
        Text(|draft, rng| set(&mut draft.payload, "iat", one_of(rng, &["253402300800", "9007199254740993", "1e18"]))),
    ),
    (
        "nbf, iat: beyond 64 bits",
        Text(|draft, rng| {
            let values = ["18446744073709551616", "-1e30", "1e30", "1e309"];
            set(&mut draft.payload, one_of(rng, &["nbf", "iat"]), one_of(rng, &values));
        }),
    ),
    (
        "nbf, iat: of another type",
        Text(|draft, rng| set(&mut draft.payload, one_of(rng, &["nbf", "iat"]), one_of(rng, &WRONG_FOR_DATE))),
    ),
    (
        "cnf: a certificate",
        Text(|draft, rng| {
            let values = ["\"\"", "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\""];
            set(&mut draft.payload, "cnf", format!("{{\"x5t#S256\":{}}}", one_of(rng, &values)));
        }),
    ),
    ("cnf: something else", Text(|draft, rng| set(&mut draft.payload, "cnf", one_of(rng, &["{}", "{\"jkt\":\"x\"}"])))),
    (
        "cnf: of another type",
        Text(|draft, rng| {
            let values = ["null", "1", "\"x\"", "[]", "{\"x5t#S256\":1}", "{\"x5t#S256\":null}"];
            set(&mut draft.payload, "cnf", one_of(rng, &values));
        }),
    ),
    ("payload: a member twice", Text(|draft, rng| twice(&mut draft.payload, rng))),
    (
        "payload: a member twice, deeper",
        Text(|draft, rng| {
            let values = ["{\"a\":1,\"a\":1}", "[{\"a\":1,\"\\u0061\":2}]", "{\"b\":{\"a\":[],\"c\":1,\"a\":{}}}"];
            set(&mut draft.payload, "x", one_of(rng, &values));
        }),
    ),
    (
        "payload: unknown members",
        Text(|draft, rng| {
            let name = one_of(rng, &["", "x", "é", "ISS", "exp ", "\\u0000", "a.b", "__proto__", "\\n"]);
            let values = [
                "null",
                "[]",
                "{}",
                "\"\\u0000\"",
                "\"\\r\\nx: y\"",
                "[null,[{}]]",
                "\"\\ud83d\\ude00\"",
                "\"\u{7f}\"",
            ];
            set(&mut draft.payload, name, one_of(rng, &values));
        }),
    ),
    (
        "payload: odd numbers",
        Text(|draft, rng| {
            let values = [
                "-0",
                "-0.0",
                "1E+2",
                "1e-400",
                "1.7976931348623157e308",
                "123456789012345678901234567890",
                "-9223372036854775808",
                "0.1000000000000000055511151231257827",
                "5e-324",
            ];
            set(&mut draft.payload, "x", one_of(rng, &values));
        }),
    ),
    (
        "payload: numbers beyond a double",
        Text(|draft, rng| {
            let digits = "9".repeat(400);
            let value = one_of(rng, &["1e309", "-1e999", digits.as_str()]).to_owned();
            set(&mut draft.payload, "x", value);
        }),
    ),
    ("payload: nested as deep as we take", Text(|draft, rng| set(&mut draft.payload, "x", nested(rng, 1..=31)))),
    ("payload: nested deeper", Text(|draft, rng| set(&mut draft.payload, "x", nested(rng, 32..=120)))),
    (
        "payload: not UTF-8",
        Text(|draft, rng| {
            let bad: [&[u8]; 5] = [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
            let text = object(&draft.payload);
            let text = text.strip_suffix('}').unwrap().as_bytes();
            draft.payload_text = Some([text, b",\"x\":\"", bad[rng.usize(..bad.len())], b"\"}"].concat());
        }),
    ),
    (
        "payload: whitespace between",
        Text(|draft, rng| {
            let space = one_of(rng, &[" ", "\n", "\r\n\t", "        "]);
            let text = object(&draft.payload).replace("\":", &format!("\"{space}:{space}"));
            draft.payload_text = Some(format!("{space}{text}{space}").into_bytes());
        }),
    ),
    ("payload: lax JSON", Text(|draft, rng| draft.payload_text = lax(&draft.payload, rng))),
    ("payload: no object", Text(|draft, rng| draft.payload_text = no_object(rng))),
    (
        "size: large",
        Text(|draft, rng| set(&mut draft.payload, "x", format!("\"{}\"", "x".repeat(rng.usize(4000..5500))))),
    ),
    (
        "size: too large",
        Text(|draft, rng| set(&mut draft.payload, "x", format!("\"{}\"", "x".repeat(rng.usize(6200..20_000))))),
    ),
    ("payload: one byte another", Text(|draft, rng| draft.payload_text = one_byte(&draft.payload, rng))),
];

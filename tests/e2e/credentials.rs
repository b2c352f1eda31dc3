//! Where a request carries its token, and that it carries one only.

use serde_json::json;

use crate::gate::{Gate, outcome, plugin};
use crate::support::token::{self, A, claims, of_a, sign};

type Case<'a> = (&'a str, Vec<(&'a str, Vec<u8>)>);

fn headers<'a>(case: &'a [(&'a str, Vec<u8>)]) -> Vec<(&'a str, &'a [u8])> {
    case.iter().map(|(name, value)| (*name, value.as_slice())).collect()
}

const TOKEN: &str = "x-wristband-token";
const AUTHORIZATION: &str = "authorization";

/// Asks for every case, and whether a good token still passes.
fn all_are(code: &str, cases: &[Case<'_>]) {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for (what, case) in cases {
        assert_eq!(outcome(&gate.ask(0, &headers(case))), code, "{what}");
        gate.still_works(what);
    }
    let counted = if code == "ok" { "verified".to_owned() } else { format!("denied.{code}") };
    assert!(gate.envoy.count(&counted) >= u64::try_from(cases.len()).unwrap());
}

#[test]
fn a_token_is_found_in_either_place() {
    let token = || of_a().into_bytes();
    let bearer = |scheme: &str| format!("{scheme} {}", of_a()).into_bytes();
    all_are(
        "ok",
        &[
            ("its own header", vec![(TOKEN, token())]),
            ("upper case", vec![("X-WRISTBAND-TOKEN", token())]),
            ("Bearer", vec![(AUTHORIZATION, bearer("Bearer"))]),
            ("bearer", vec![(AUTHORIZATION, bearer("bearer"))]),
            ("bEaReR in AUTHORIZATION", vec![("AUTHORIZATION", bearer("bEaReR"))]),
            ("white space around, which HTTP drops", vec![(TOKEN, [b" \t ", &token()[..], b" \t"].concat())]),
            ("another scheme beside it", vec![(TOKEN, token()), (AUTHORIZATION, b"Basic dTpw".to_vec())]),
            (
                "a list of another scheme beside it",
                vec![(TOKEN, token()), (AUTHORIZATION, b"Digest a=\"b\", c=d".to_vec())],
            ),
            ("an empty authorization beside it", vec![(TOKEN, token()), (AUTHORIZATION, Vec::new())]),
            ("an empty header beside it", vec![(TOKEN, Vec::new()), (AUTHORIZATION, bearer("Bearer"))]),
            ("a bad token where none is looked for", vec![(TOKEN, token()), ("x-other-token", b"a.b.c".to_vec())]),
            ("bytes that are not UTF-8 elsewhere", vec![(TOKEN, token()), ("x-other", b"\xff\xfe\x80".to_vec())]),
            ("a large header elsewhere", vec![(TOKEN, token()), ("x-other", vec![b'x'; 80_000])]),
            ("a hundred small ones", [vec![(TOKEN, token())], vec![("x-other", b"1".to_vec()); 90]].concat()),
        ],
    );
}

#[test]
fn another_scheme_or_nothing_is_no_credential() {
    let none: Vec<Case<'_>> = vec![
        ("nothing", vec![]),
        ("an empty header", vec![(TOKEN, Vec::new())]),
        ("only white space", vec![(TOKEN, b"  \t ".to_vec())]),
        ("an empty authorization", vec![(AUTHORIZATION, Vec::new())]),
        ("Basic", vec![(AUTHORIZATION, b"Basic dTpw".to_vec())]),
        ("Basic with a token", vec![(AUTHORIZATION, format!("Basic {}", of_a()).into_bytes())]),
        ("Digest, a list", vec![(AUTHORIZATION, b"Digest username=\"a\", realm=\"b\"".to_vec())]),
        ("a longer scheme", vec![(AUTHORIZATION, format!("Bearers {}", of_a()).into_bytes())]),
        ("a shorter scheme", vec![(AUTHORIZATION, format!("Beare {}", of_a()).into_bytes())]),
        ("a token without a scheme", vec![(AUTHORIZATION, of_a().into_bytes())]),
        ("not UTF-8", vec![(AUTHORIZATION, b"\xff\xff".to_vec())]),
        ("a cookie", vec![("cookie", format!("x-wristband-token={}", of_a()).into_bytes())]),
    ];
    all_are("missing", &none);
}

#[test]
fn whatever_could_be_read_as_two_tokens_is_ambiguous() {
    let good = || of_a().into_bytes();
    let bearer = || format!("Bearer {}", of_a()).into_bytes();
    let join = |values: &[&[u8]]| values.concat();
    let same = good();
    let cases: Vec<Case<'_>> = vec![
        ("the same token twice", vec![(TOKEN, same.clone()), (TOKEN, same.clone())]),
        ("twice, in another case", vec![(TOKEN, same.clone()), ("X-Wristband-Token", same.clone())]),
        ("good, then bad", vec![(TOKEN, good()), (TOKEN, b"a.b.c".to_vec())]),
        ("bad, then good", vec![(TOKEN, b"a.b.c".to_vec()), (TOKEN, good())]),
        ("good, then empty", vec![(TOKEN, good()), (TOKEN, Vec::new())]),
        ("empty, then good", vec![(TOKEN, Vec::new()), (TOKEN, good())]),
        ("good and something not UTF-8", vec![(TOKEN, good()), (TOKEN, b"\xff".to_vec())]),
        ("a comma between", vec![(TOKEN, join(&[&good(), b",", &good()]))]),
        ("a comma and a space between", vec![(TOKEN, join(&[&good(), b", ", &good()]))]),
        ("a comma behind", vec![(TOKEN, join(&[&good(), b","]))]),
        ("a comma before", vec![(TOKEN, join(&[b",", &good()]))]),
        ("in both places", vec![(TOKEN, same.clone()), (AUTHORIZATION, join(&[b"Bearer ", &same]))]),
        ("good in one, bad in the other", vec![(TOKEN, good()), (AUTHORIZATION, b"Bearer a.b.c".to_vec())]),
        ("bad in one, good in the other", vec![(TOKEN, b"x".to_vec()), (AUTHORIZATION, bearer())]),
        ("good in one, an empty scheme in the other", vec![(TOKEN, good()), (AUTHORIZATION, b"Bearer".to_vec())]),
        ("two authorizations", vec![(AUTHORIZATION, bearer()), (AUTHORIZATION, bearer())]),
        ("Basic first", vec![(AUTHORIZATION, b"Basic dTpw".to_vec()), (AUTHORIZATION, bearer())]),
        ("Basic last", vec![(AUTHORIZATION, bearer()), (AUTHORIZATION, b"Basic dTpw".to_vec())]),
        ("Bearer and a comma", vec![(AUTHORIZATION, join(&[&bearer(), b", Basic dTpw"]))]),
        ("a comma and bearer", vec![(AUTHORIZATION, join(&[b"Basic dTpw, bEARER ", &good()]))]),
        ("a comma without space", vec![(AUTHORIZATION, join(&[b"Basic dTpw,Bearer ", &good()]))]),
        ("a comma and a tab", vec![(AUTHORIZATION, join(&[b"Basic dTpw,\tBearer\t", &good()]))]),
        ("a comma behind Bearer", vec![(AUTHORIZATION, join(&[&bearer(), b","]))]),
    ];
    all_are("ambiguous", &cases);
}

#[test]
fn exactly_one_space_follows_the_scheme_and_only_visible_ascii_is_a_token() {
    let good = || of_a().into_bytes();
    let with = |before: &[u8], after: &[u8]| [before, &good(), after].concat();
    let inside = |what: &[u8]| {
        let good = good();
        [&good[..20], what, &good[20..]].concat()
    };
    let mut cases: Vec<Case<'_>> = vec![
        ("a second space", vec![(AUTHORIZATION, with(b"Bearer  ", b""))]),
        ("a tab", vec![(AUTHORIZATION, with(b"Bearer\t", b""))]),
        ("a space and a tab", vec![(AUTHORIZATION, with(b"Bearer \t", b""))]),
        ("the scheme alone", vec![(AUTHORIZATION, b"Bearer".to_vec())]),
        ("the scheme twice", vec![(AUTHORIZATION, with(b"Bearer Bearer ", b""))]),
        ("a parameter behind", vec![(AUTHORIZATION, with(b"Bearer ", b" realm=x"))]),
        ("a scheme in the token's own header", vec![(TOKEN, with(b"Bearer ", b""))]),
        ("quotes", vec![(TOKEN, with(b"\"", b"\""))]),
        ("a semicolon", vec![(TOKEN, with(b"", b";q=1"))]),
    ];
    for (what, bytes) in [
        ("0xff", &b"\xff"[..]),
        ("0x80", b"\x80"),
        ("UTF-8", "\u{e9}".as_bytes()),
        ("an overlong dot", b"\xc0\xae"),
        ("a fullwidth dot", "\u{ff0e}".as_bytes()),
        ("a space", b" "),
        ("a tab", b"\t"),
    ] {
        cases.push((what, vec![(TOKEN, inside(bytes))]));
        cases.push((what, vec![(AUTHORIZATION, [b"Bearer ", &inside(bytes)[..]].concat())]));
    }
    cases.push(("0xff before", vec![(TOKEN, with(b"\xff", b""))]));
    cases.push(("0xff behind", vec![(TOKEN, with(b"", b"\xff"))]));
    all_are("malformed", &cases);
}

#[test]
fn a_control_character_never_gets_through() {
    // Envoy itself answers these, with 400 and without asking any filter.
    let mut gate = Gate::start(&[plugin(&json!({"mode": "optional"}))]);
    for byte in [0, 1, b'\r', 0x0b, 0x7f] {
        let token = [of_a().as_bytes(), &[byte], b"x"].concat();
        let answer = gate.present(0, token);
        assert!(matches!(answer.status, 400 | 401), "{byte}: {answer:?}");
        assert_eq!(gate.outcome(0, of_a()), "ok", "after {byte}");
    }
}

#[test]
fn up_to_8192_bytes_are_a_token_and_not_one_more() {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    let sized = |size: usize| {
        // Base64url grows by four characters for three bytes: of three neighbouring lengths two can be met.
        let make = |padding: usize, kid: &str| {
            let mut claims = claims(A);
            claims["padding"] = "x".repeat(padding).into();
            let header = json!({"alg": "ES256", "kid": "cluster-a-2026-11", "x": kid}).to_string();
            token::sign_text("cluster-a-2026-11", &header, &claims.to_string())
        };
        let candidates = (5700..6100).flat_map(|padding| ["", "x"].map(|kid| (padding, kid)));
        let length = |padding: usize, kid: &str| {
            let claims = claims(A).to_string().len() + r#","padding":"""#.len() + padding;
            let header = json!({"alg": "ES256", "kid": "cluster-a-2026-11", "x": kid}).to_string().len();
            (claims * 8).div_ceil(6) + (header * 8).div_ceil(6) + 86 + 2
        };
        let mut fitting = candidates.filter(|(padding, kid)| length(*padding, kid) == size);
        let (padding, kid) = fitting.next().unwrap();
        let token = make(padding, kid);
        assert_eq!(token.len(), size);
        token
    };
    for (size, code) in [(8191, "ok"), (8192, "ok"), (8193, "too_large"), (8194, "too_large")] {
        let token = sized(size);
        assert_eq!(gate.outcome(0, &token), code, "{size}");
        let bearer = format!("Bearer {token}");
        let answer = gate.ask(0, &[(AUTHORIZATION, bearer.as_bytes())]);
        assert_eq!(outcome(&answer), code, "the scheme does not count: {size}");
    }
    for size in [8193, 20_000, 80_000] {
        for byte in ["x", ".", "A"] {
            gate.refuses("large", byte.repeat(size), "too_large");
        }
    }
}

#[test]
fn only_the_configured_places_are_looked_at() {
    let token = sign("cluster-a-2026-11", &claims(A));
    let places = json!([{"name": "X-Custom"}, {"name": "authorization", "prefix": "DPoP "}]);
    let mut gate =
        Gate::start(&[plugin(&json!({"fromHeaders": places})), plugin(&json!({"fromHeaders": [{"name": TOKEN}]}))]);
    let dpop = format!("dpop {token}");
    let bearer = format!("Bearer {token}");
    for (gateway, headers, expected) in [
        (0, vec![("x-custom", &token)], "ok"),
        (0, vec![("authorization", &dpop)], "ok"),
        (0, vec![("authorization", &bearer)], "missing"),
        (0, vec![(TOKEN, &token)], "missing"),
        (0, vec![("x-custom", &token), ("authorization", &dpop)], "ambiguous"),
        (0, vec![("x-custom", &token), ("authorization", &bearer)], "ok"),
        (1, vec![(TOKEN, &token)], "ok"),
        (1, vec![("authorization", &bearer)], "missing"),
        // The identity provider's token is not our affair.
        (1, vec![(TOKEN, &token), ("authorization", &bearer)], "ok"),
    ] {
        let sent: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        assert_eq!(outcome(&gate.ask(gateway, &sent)), expected, "{gateway} {headers:?}");
    }
}

#[test]
fn what_another_parser_takes_for_a_second_token_is_ambiguous() {
    let places = json!({"fromCookies": ["wb"], "fromParams": ["token"]});
    let mut gate = Gate::start(&[plugin(&places)]);
    let token = of_a();
    for (cookie, expected) in [
        (format!("a=1; wb={token}; b=2"), "ok"),
        (format!("a=wb=x; wb={token}; awb=x"), "ok"),
        (format!("wb={token}; a=1 wb=x"), "ambiguous"),
        (format!("wb={token}; =wb=x"), "ambiguous"),
        (format!("wb={token}; WB=x"), "ambiguous"),
    ] {
        assert_eq!(outcome(&gate.ask(0, &[("cookie", cookie.as_bytes())])), expected, "{cookie}");
    }
    let bytes = [format!("wb={token}; ").as_bytes(), b"\xa0wb=x"].concat();
    assert_eq!(outcome(&gate.ask(0, &[("cookie", &bytes)])), "ambiguous");
    for (path, expected) in [
        (format!("/?a=1&token={token}&tokens=x"), "ok"),
        (format!("/?token={token}&%20token=x"), "ambiguous"),
        (format!("/?token={token}&token[]=x"), "ambiguous"),
        (format!("/?token={token}&Token=x"), "ambiguous"),
    ] {
        assert_eq!(outcome(&gate.ask_for(0, &path, &[])), expected, "{path}");
    }
}

//! Tokens that are not quite tokens.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::gate::{Gate, plugin};
use crate::support::token::{self, A, claims, encode, now, of_a, sign, sign_text, signature};

const KEY: &str = "cluster-a-2026-11";

fn header() -> Value {
    json!({"alg": "ES256", "kid": KEY, "typ": "JWT"})
}

/// A token with this header and payload, rightly signed.
fn signed(header: &str, payload: &str) -> String {
    sign_text(KEY, header, payload)
}

/// A valid payload with one more piece of JSON text in it.
fn payload_and(member: &str) -> String {
    let claims = claims(A).to_string();
    format!("{},{member}}}", claims.strip_suffix('}').unwrap())
}

fn header_and(member: &str) -> String {
    let header = header().to_string();
    format!("{},{member}}}", header.strip_suffix('}').unwrap())
}

/// Refuses each case with one code, and accepts a good token after each.
fn all_are(code: &str, cases: &[(String, String)]) {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for (what, token) in cases {
        gate.refuses(what, token, code);
    }
    let counted = gate.envoy.count(&format!("denied.{code}"));
    assert_eq!(counted, u64::try_from(cases.len()).unwrap());
}

fn named(cases: Vec<(&str, String)>) -> Vec<(String, String)> {
    cases.into_iter().map(|(what, token)| (what.to_owned(), token)).collect()
}

#[test]
fn one_flipped_bit_is_a_bad_signature() {
    let token = of_a();
    let (input, encoded) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    assert_eq!(signature.len(), 64);
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for bit in 0..512 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let outcome = gate.outcome(0, format!("{input}.{}", encode(flipped)));
        assert_eq!(outcome, "bad_signature", "bit {bit}");
    }
    assert_eq!(gate.envoy.count("denied.bad_signature"), 512);
    assert_eq!(gate.outcome(0, &token), "ok");
}

#[test]
fn a_signature_of_another_length_or_form_is_a_bad_signature() {
    let token = of_a();
    let (input, encoded) = token.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    let (r, s) = raw.split_at(32);
    let order: [u8; 32] =
        URL_SAFE_NO_PAD.decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap().try_into().unwrap();
    let zero = [0; 32];
    let mut one = [0; 32];
    one[31] = 1;
    let der = p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec();
    let mut forms: Vec<(String, Vec<u8>)> =
        (0..64).map(|length| (format!("cut to {length}"), raw[..length].to_vec())).collect();
    for (what, form) in [
        ("cut at the front", raw[1..].to_vec()),
        ("a byte behind", [&raw[..], &[0]].concat()),
        ("a byte before", [&[0], &raw[..]].concat()),
        ("twice", raw.repeat(2)),
        ("s before r", [s, r].concat()),
        ("r twice", [r, r].concat()),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("r = 0", [&zero, s].concat()),
        ("s = 0", [r, &zero].concat()),
        ("r = s = 1", [one, one].concat()),
        ("r = n", [&order, s].concat()),
        ("s = n", [r, &order].concat()),
        ("DER", der),
        ("padded as for P-384", [&[0; 16], r, &[0; 16], s].concat()),
        ("as text", encoded.as_bytes().to_vec()),
        ("of an empty message", signature(KEY, b"")),
        ("of the payload alone", signature(KEY, input.split_once('.').unwrap().1.as_bytes())),
    ] {
        forms.push((what.to_owned(), form));
    }
    let cases: Vec<_> = forms.into_iter().map(|(what, form)| (what, format!("{input}.{}", encode(form)))).collect();
    all_are("bad_signature", &cases);
}

#[test]
fn a_token_that_was_changed_after_signing_is_refused() {
    let other = sign("cluster-b-2026-10", &claims(A));
    let good = of_a();
    let parts: Vec<_> = good.split('.').collect();
    let mut claims = claims(A);
    claims["sub"] = "root".into();
    let cases = named(vec![
        ("another payload", format!("{}.{}.{}", parts[0], encode(claims.to_string()), parts[2])),
        (
            "another header",
            format!("{}.{}.{}", encode(json!({"alg": "ES256", "kid": KEY}).to_string()), parts[1], parts[2]),
        ),
        ("another token's signature", format!("{}.{}.{}", parts[0], parts[1], other.split('.').nth(2).unwrap())),
    ]);
    all_are("bad_signature", &cases);
}

#[test]
fn a_token_cut_anywhere_is_refused() {
    let token = of_a();
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for length in 1..token.len() {
        let outcome = gate.outcome(0, &token[..length]);
        assert!(matches!(outcome, "malformed" | "bad_signature"), "cut to {length}: {outcome}");
        let outcome = gate.outcome(0, &token[length..]);
        assert_eq!(outcome, "malformed", "without the first {length}");
    }
    assert_eq!(gate.outcome(0, &token), "ok");
}

#[test]
fn a_token_has_one_spelling() {
    let good = of_a();
    let parts: Vec<_> = good.split('.').collect();
    let [head, body, tail] = parts[..] else { panic!() };
    let mut cases = named(vec![
        ("one part", head.to_owned()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.{tail}")),
        ("five parts, as encrypted ones have", format!("{head}.{body}.{tail}.{body}.{tail}")),
        ("a dot behind", format!("{good}.")),
        ("a dot before", format!(".{good}")),
        ("two dots", format!("{head}..{body}.{tail}")),
        ("no header", format!(".{body}.{tail}")),
        ("no payload, as detached ones have", format!("{head}..{tail}")),
        ("dots only", "..".to_owned()),
        ("one dot", ".".to_owned()),
        ("many dots", ".".repeat(8192)),
        ("not base64", "!.!.!".to_owned()),
        ("not JSON", format!("{}.{}.{tail}", encode("x"), encode("y"))),
        (
            "the JSON serialization",
            json!({"protected": head, "payload": body, "signature": tail}).to_string().replace(',', ";"),
        ),
    ]);
    // Rightly signed over what was sent, so that nothing but the spelling is wrong.
    let sign_input = |head: &str, body: &str| {
        let input = format!("{head}.{body}");
        let signature = encode(signature(KEY, input.as_bytes()));
        format!("{input}.{signature}")
    };
    // One whose payload needs padding and has both characters in which the alphabets differ.
    let payload = (0..3)
        .map(|spaces| payload_and(&format!("\"x\":\"\u{bff}\u{fff}???>>>~~~{}\"", " ".repeat(spaces))))
        .find(|payload| payload.len() % 3 == 1)
        .unwrap();
    let standard = STANDARD_NO_PAD.encode(&payload);
    assert!(standard.contains('/') || standard.contains('+'));
    let padded = URL_SAFE.encode(&payload);
    assert!(padded.ends_with("=="));
    let canonical = encode(&payload);
    let stray = {
        // The last character of a part with 8 stray bits over: its lowest bits are not used.
        let last = canonical.as_bytes()[canonical.len() - 1] + 1;
        let stray = format!("{}{}", &canonical[..canonical.len() - 1], char::from(last));
        assert!(URL_SAFE_NO_PAD.decode(&stray).is_err());
        stray
    };
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    assert_eq!(gate.outcome(0, sign_input(head, &canonical)), "ok", "the canonical one");
    drop(gate);
    cases.extend(named(vec![
        ("padding", sign_input(head, &padded)),
        ("one padding character", sign_input(head, padded.strip_suffix('=').unwrap())),
        ("the other alphabet", sign_input(head, &standard)),
        ("stray bits in the payload", sign_input(head, &stray)),
        ("percent-encoded", sign_input(head, &canonical.replace('_', "%5F")).replace('.', "%2E")),
    ]));
    for index in 0..3 {
        for (what, part) in [
            ("padding", format!("{}=", parts[index])),
            ("a length that cannot be", format!("{}A", parts[index].repeat(4))),
            ("a plus", format!("+{}", &parts[index][1..])),
            ("a slash", format!("{}/", &parts[index][..parts[index].len() - 1])),
        ] {
            let mut parts = parts.clone();
            parts[index] = &part;
            cases.push((format!("{what} in part {index}"), parts.join(".")));
        }
    }
    let stray_signature = {
        // 64 bytes leave four stray bits in the 86th character.
        let last = tail.as_bytes()[tail.len() - 1];
        let next = if last == b'w' { b'x' } else { last + 1 };
        format!("{head}.{body}.{}{}", &tail[..tail.len() - 1], char::from(next))
    };
    cases.push(("stray bits in the signature".to_owned(), stray_signature));
    all_are("malformed", &cases);
}

#[test]
fn two_members_of_one_name_are_refused_at_any_depth() {
    let claims = claims(A).to_string();
    let header = header().to_string();
    let mut cases = Vec::new();
    for member in [
        r#""iss":"https://cluster-a.example.com""#,
        r#""exp":9999999999"#,
        r#""sub":"root""#,
        r#""\u0073ub":"root""#,
        r#""aud":"a","aud":"b""#,
        r#""x":1,"x":1"#,
        r#""x":1,"y":2,"\u0078":3"#,
        r#""x":{"y":1,"y":1}"#,
        r#""x":{"y":{"z":[0,{"a":1,"b":2,"a":3}]}}"#,
        r#""x":[[[[{"a":{},"a":[]}]]]]"#,
        r#""":1,"":2"#,
        r#""x":{"__proto__":1,"__proto__":2}"#,
    ] {
        cases.push((format!("payload {member}"), signed(&header, &payload_and(member))));
    }
    for member in [
        r#""alg":"ES256""#,
        r#""alg":"none""#,
        r#""\u0061lg":"none""#,
        r#""kid":"cluster-b-2026-10""#,
        r#""typ":"JWT""#,
        r#""x":1,"x":1"#,
        r#""x":{"y":[{"z":1,"z":2}]}"#,
    ] {
        cases.push((format!("header {member}"), signed(&header_and(member), &claims)));
    }
    all_are("malformed", &cases);
}

#[test]
fn what_is_no_json_object_is_malformed() {
    let claims = claims(A).to_string();
    let header = header().to_string();
    let mut cases = Vec::new();
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let texts = |valid: &str| {
        vec![
            ("empty", String::new()),
            ("null", "null".to_owned()),
            ("a string", "\"a\"".to_owned()),
            ("a number", "1".to_owned()),
            ("an array", format!("[{valid}]")),
            ("an empty object", "{}".to_owned()),
            ("cut", valid[..valid.len() - 1].to_owned()),
            ("two", format!("{valid}{valid}")),
            ("something behind", format!("{valid}x")),
            ("a NUL behind", format!("{valid}\0")),
            ("a byte order mark", format!("\u{feff}{valid}")),
            ("a comma too many", valid.replace('}', ",}")),
            ("single quotes", valid.replace('"', "'")),
            ("a comment", valid.replace('{', "{/**/")),
            ("no quotes", valid.replace('"', "")),
            ("NaN", valid.replace('}', ",\"x\":NaN}")),
            ("a control character", valid.replace('}', ",\"x\":\"\n\"}")),
            ("half a surrogate", valid.replace('}', ",\"x\":\"\\ud800\"}")),
            ("a leading zero", valid.replace('}', ",\"x\":01}")),
            ("nested very deep", valid.replace('}', &format!(",\"x\":{}}}", deep(2500)))),
            ("opened very deep", valid.replace('}', &format!(",\"x\":{}", "[".repeat(5000)))),
            ("opened very deep in objects", valid.replace('}', &format!(",\"x\":{}", "{\"x\":".repeat(1000)))),
        ]
    };
    for (what, text) in texts(&claims) {
        cases.push((format!("payload: {what}"), signed(&header, &text)));
    }
    for (what, text) in texts(&header) {
        cases.push((format!("header: {what}"), signed(&text, &claims)));
    }
    // Bytes that are not UTF-8.
    for (what, header, payload) in [
        ("payload", header.as_bytes().to_vec(), [&claims.as_bytes()[..claims.len() - 1], b",\"x\":\"\xff\"}"].concat()),
        ("header", [&header.as_bytes()[..header.len() - 1], b",\"x\":\"\xff\"}"].concat(), claims.as_bytes().to_vec()),
        ("payload in UTF-16", header.as_bytes().to_vec(), claims.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = encode(signature(KEY, input.as_bytes()));
        cases.push((format!("not UTF-8: {what}"), format!("{input}.{signature}")));
    }
    all_are("malformed", &cases);
}

#[test]
fn every_registered_claim_has_its_type() {
    let mut cases = Vec::new();
    let wrong = |name: &str| match name {
        "exp" | "nbf" | "iat" => {
            vec![json!("1"), json!(now() + 100).to_string().into(), json!(true), json!(null), json!([1]), json!({})]
        }
        "aud" => vec![json!(1), json!(true), json!(null), json!({}), json!([1]), json!(["a", null]), json!([["a"]])],
        _ => vec![json!(1), json!(true), json!(null), json!(["a"]), json!({})],
    };
    for name in ["iss", "sub", "jti", "aud", "exp", "nbf", "iat"] {
        for value in wrong(name) {
            let mut claims = claims(A);
            claims[name] = value.clone();
            cases.push((format!("{name} = {value}"), sign(KEY, &claims)));
        }
    }
    for name in ["alg", "kid", "typ", "cty"] {
        for value in wrong(name) {
            let mut header = header();
            header[name] = value.clone();
            cases.push((format!("header: {name} = {value}"), signed(&header.to_string(), &claims(A).to_string())));
        }
    }
    for name in ["iss", "exp"] {
        let mut claims = claims(A);
        claims.as_object_mut().unwrap().remove(name);
        cases.push((format!("no {name}"), sign(KEY, &claims)));
    }
    let header = json!({"kid": KEY}).to_string();
    cases.push(("no alg".to_owned(), signed(&header, &claims(A).to_string())));
    all_are("malformed", &cases);
}

#[test]
fn extensions_that_have_to_be_understood_are_not() {
    let mut cases = Vec::new();
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"x""#,
        r#""b64":true"#,
        r#""b64":false"#,
        r#""b64":null"#,
        r#""\u0063rit":["x"]"#,
    ] {
        cases.push((member.to_owned(), signed(&header_and(member), &claims(A).to_string())));
    }
    all_are("malformed", &cases);
}

#[test]
fn what_is_unusual_but_valid_passes() {
    let claims = |change: Value| {
        let mut claims = claims(A);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.to_string()
    };
    let plain = header().to_string();
    let decimals = format!("{{\"iss\":\"{A}\",\"exp\":{}.75,\"iat\":{}e0,\"nbf\":0.5}}", now() + 100, now());
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for (what, token) in [
        ("no claims but two", signed(&plain, &json!({"iss": A, "exp": now() + 100}).to_string())),
        ("white space", signed(&format!(" {plain}\n"), &format!("\t{}\r\n", claims(json!({}))))),
        ("escapes", signed(&plain.replace("ES256", "\\u0045S256"), &claims(json!({})).replace("iss", "\\u0069ss"))),
        ("no typ", signed(&json!({"alg": "ES256", "kid": KEY}).to_string(), &claims(json!({})))),
        ("decimals", signed(&plain, &decimals)),
        ("nested as deep as claims are", signed(&plain, &claims(json!({"x": {"y": [[[{"z": {"a": [1]}}]]]}})))),
        ("a crit claim, which is no header", signed(&plain, &claims(json!({"crit": ["x"], "b64": false})))),
        ("every control character", signed(&plain, &claims(json!({"x": (0..32).map(char::from).collect::<String>()})))),
    ] {
        assert_eq!(gate.outcome(0, token), "ok", "{what}");
    }
}

#[test]
fn clocks_may_differ_by_the_skew_and_no_more() {
    let skewed = |seconds: u64| plugin(&json!({"clockSkew": seconds}));
    let mut gate = Gate::start(&[plugin(&json!({})), skewed(0), skewed(300)]);
    for (gateway, skew) in [(0, 30), (1, 0), (2, 300)] {
        for (name, offset, code) in
            [("exp", 5, "ok"), ("exp", 0, "expired"), ("exp", -1, "expired"), ("exp", -100_000, "expired")]
        {
            let mut claims = claims(A);
            let now = i64::try_from(now()).unwrap();
            claims[name] = (now - skew + offset).into();
            assert_eq!(gate.outcome(gateway, sign(KEY, &claims)), code, "{name} {offset}, skew {skew}");
        }
        for (name, offset, code) in [
            ("nbf", 0, "ok"),
            ("nbf", 5, "not_yet_valid"),
            ("nbf", 100_000, "not_yet_valid"),
            ("iat", 0, "ok"),
            ("iat", 5, "not_yet_valid"),
            ("iat", 100_000, "not_yet_valid"),
        ] {
            let mut claims = claims(A);
            claims["exp"] = 9_999_999_999_u64.into();
            claims[name] = (i64::try_from(now()).unwrap() + skew + offset).into();
            assert_eq!(gate.outcome(gateway, sign(KEY, &claims)), code, "{name} {offset}, skew {skew}");
        }
    }
    for (what, exp) in
        [("zero", json!(0)), ("before 1970", json!(-1)), ("minus zero", json!(-0.0)), ("long ago", json!(-1.5e9))]
    {
        let mut claims = claims(A);
        claims["exp"] = exp;
        gate.refuses(what, sign(KEY, &claims), "expired");
    }
    // No date, however large, is a way around the check or a way to stop the filter.
    for exp in ["1e300", "-1e300", "18446744073709551616", "1e400", "-1e400", "9223372036854775808"] {
        for name in ["exp", "nbf", "iat"] {
            let payload = format!("{{\"iss\":\"{A}\",\"exp\":9999999999,\"{name}\":{exp}}}");
            let payload = if name == "exp" { payload.replace("\"exp\":9999999999,", "") } else { payload };
            let outcome = gate.outcome(0, signed(&header().to_string(), &payload));
            let refused = outcome != "ok";
            assert!(refused || !exp.starts_with('1') || name == "exp", "{name} = {exp} is in the future");
            assert!(refused || !(exp.starts_with('-') && name == "exp"), "{name} = {exp} has passed");
            gate.still_works(exp);
        }
    }
}

#[test]
fn a_token_is_for_its_audience_only() {
    let with = |audience: Option<Value>| {
        let mut claims = claims(A);
        if let Some(audience) = audience {
            claims["aud"] = audience;
        }
        sign(KEY, &claims)
    };
    let mut gate = Gate::start(&[
        plugin(&json!({})),
        plugin(&json!({"audiences": ["federation"]})),
        plugin(&json!({"audiences": ["federation", "other"]})),
    ]);
    let wrong = "wrong_audience";
    for (audience, none, one, two) in [
        (None, "ok", wrong, wrong),
        (Some(json!("federation")), wrong, "ok", "ok"),
        (Some(json!(["federation"])), wrong, "ok", "ok"),
        (Some(json!(["x", "federation", "y"])), wrong, "ok", "ok"),
        (Some(json!("other")), wrong, wrong, "ok"),
        (Some(json!(["x", "y"])), wrong, wrong, wrong),
        (Some(json!([])), wrong, wrong, wrong),
        (Some(json!("")), wrong, wrong, wrong),
        (Some(json!("Federation")), wrong, wrong, wrong),
        (Some(json!("federation ")), wrong, wrong, wrong),
        (Some(json!("federation,other")), wrong, wrong, wrong),
        (Some(json!("federatio")), wrong, wrong, wrong),
        (Some(json!("*")), wrong, wrong, wrong),
    ] {
        for (gateway, expected) in [none, one, two].into_iter().enumerate() {
            let token = with(audience.clone());
            assert_eq!(gate.outcome(gateway, token), expected, "{audience:?} at {gateway}");
        }
    }
}

#[test]
fn what_is_cheap_is_checked_before_the_signature() {
    // A stranger's signature on a token that is wrong in a cheaper way as well.
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    let strange = |change: Value| {
        let mut claims = claims(A);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        token::sign_text("stranger", &header().to_string(), &claims.to_string())
    };
    for (change, code) in [
        (json!({}), "bad_signature"),
        // What only a genuine token is told.
        (json!({"aud": "x", "cnf": {"jkt": "x"}}), "bad_signature"),
        (json!({"aud": "x", "exp": 1}), "expired"),
        (json!({"exp": 1, "iss": "https://x.example"}), "unknown_issuer"),
        (json!({"iss": "https://x.example", "sub": 1}), "malformed"),
    ] {
        gate.refuses(&change.to_string(), strange(change.clone()), code);
    }
}

#![allow(clippy::arithmetic_side_effects, clippy::string_slice, clippy::unreachable)]

use std::borrow::Cow;

use prost::Message as _;
use serde_json::{Value, json};

use crate::denial::Denial;
use crate::encoding::protobuf;
use crate::gateway::Gateway;
use crate::testing::{
    self, A, A_NEXT_PUB, A_PEM, B, B_PEM, B_PUB, Fake, NOW, claims, gateway_a, key, load, load_with, sign, sign_text,
};
use crate::time::Timestamp;
use crate::verify::Verified;

fn verify_with(configuration: &Value, token: &str, now: Timestamp) -> Result<Verified, Denial> {
    let compiled = load(configuration).unwrap();
    testing::verify(&compiled.gateway, token.as_bytes(), now, &Fake::default())
}

fn verify(token: &str) -> Result<Verified, Denial> {
    verify_with(&gateway_a(), token, NOW)
}

fn denial(token: &str) -> Denial {
    verify(token).expect_err(token)
}

/// A valid token of A whose payload is changed.
fn with(name: &str, value: Value) -> String {
    let mut claims = claims(A);
    claims[name] = value;
    sign(A_PEM, "a", &claims)
}

fn without(name: &str) -> String {
    let mut claims = claims(A);
    claims.as_object_mut().unwrap().remove(name);
    sign(A_PEM, "a", &claims)
}

/// A valid token of A with this header.
fn headed(header: &str) -> String {
    sign_text(A_PEM, header, &claims(A).to_string())
}

#[test]
fn a_token_of_ours_and_one_of_a_peer_s_pass() {
    let own = verify(&sign(A_PEM, "a", &claims(A))).unwrap();
    assert!(own.is_own());
    assert_eq!(own.claims()["sub"], "alice");
    assert_eq!(own.expires(), NOW.after(300));
    assert!(!verify(&sign(B_PEM, "b", &claims(B))).unwrap().is_own());
}

#[test]
fn a_key_speaks_for_its_own_issuer_only() {
    assert_eq!(denial(&sign(B_PEM, "b", &claims(A))), Denial::UnknownKey);
    assert_eq!(denial(&sign(B_PEM, "a", &claims(A))), Denial::BadSignature);
    assert_eq!(denial(&sign(A_PEM, "a", &claims(B))), Denial::UnknownKey);
    assert_eq!(denial(&sign(A_PEM, "b", &claims(B))), Denial::BadSignature);
    for issuer in ["", "https://cluster-a.example.com/", "HTTPS://cluster-a.example.com", "https://stranger.example"] {
        assert_eq!(denial(&sign(A_PEM, "a", &claims(issuer))), Denial::UnknownIssuer);
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    for alg in ["none", "None", "", "HS256", "HS512", "es256", "ES256K", "RSA-OAEP"] {
        assert_eq!(denial(&headed(&json!({"alg": alg, "kid": "a"}).to_string())), Denial::WrongAlgorithm, "{alg}");
        assert_eq!(denial(&headed(&json!({"alg": alg, "kid": "no"}).to_string())), Denial::WrongAlgorithm, "{alg}");
    }
    for alg in ["ES384", "RS256", "PS512", "EdDSA"] {
        assert_eq!(denial(&headed(&json!({"alg": alg, "kid": "a"}).to_string())), Denial::WrongAlgorithm, "{alg}");
        assert_eq!(denial(&headed(&json!({"alg": alg, "kid": "no"}).to_string())), Denial::UnknownKey, "{alg}");
        assert_eq!(denial(&headed(&json!({"alg": alg}).to_string())), Denial::UnknownKey, "{alg}");
    }
}

#[test]
fn without_a_kid_there_must_be_one_key_only() {
    let token = headed(r#"{"alg":"ES256"}"#);
    assert!(verify(&token).is_ok());
    let mut two = gateway_a();
    two["signingKeyRefs"] = json!([key("a", A_PEM), key("a2", A_NEXT_PUB)]);
    assert_eq!(verify_with(&two, &token, NOW).unwrap_err(), Denial::UnknownKey);
    // One of the two has ended: again there is one.
    two["signingKeyRefs"][1]["notAfter"] = json!("2020-01-01T00:00:00Z");
    assert!(verify_with(&two, &token, NOW).is_ok());
    assert_eq!(denial(&headed(r#"{"alg":"ES256","kid":""}"#)), Denial::UnknownKey);
}

#[test]
fn a_key_ends_at_its_second() {
    let mut configuration = gateway_a();
    configuration["peers"][0]["keys"] = json!([key("b", B_PUB)]);
    configuration["peers"][0]["keys"][0]["notAfter"] = json!("2027-01-15T08:00:00Z");
    let token = sign(B_PEM, "b", &claims(B));
    assert_eq!(Timestamp::from_rfc3339("2027-01-15T08:00:00Z"), Some(NOW));
    assert!(verify_with(&configuration, &token, Timestamp(NOW.0 - 1)).is_ok());
    assert_eq!(verify_with(&configuration, &token, NOW).unwrap_err(), Denial::EndedKey);
}

#[test]
fn a_key_begins_at_its_second_whether_it_is_named_or_not_and_remembered_or_not() {
    let mut configuration = gateway_a();
    configuration["peers"][0]["keys"][0]["notBefore"] = json!("2027-01-15T08:00:00Z");
    let unnamed = sign_text(B_PEM, r#"{"alg":"ES256"}"#, &claims(B).to_string());
    for token in [sign(B_PEM, "b", &claims(B)), unnamed] {
        assert_eq!(verify_with(&configuration, &token, NOW.before(1)).unwrap_err(), Denial::UnknownKey);
        assert!(verify_with(&configuration, &token, NOW).is_ok());
    }
    let host = Fake::default();
    let gateway = load(&configuration).unwrap().gateway;
    let (ring, verifier) = (gateway.ring(), &gateway.verification.as_ref().unwrap().verifier);
    let token = sign(B_PEM, "b", &claims(B));
    let verified = verifier.verify(token.as_bytes(), &ring, NOW, &host).unwrap();
    let again = |now| verifier.verify_again(verified.facts(), token.as_bytes(), &ring, now, &host).is_some();
    // By a clock that was set back it has not begun yet.
    assert_eq!([again(NOW), again(NOW.before(1))], [true, false]);
}

#[test]
fn time_is_checked_to_the_second_and_the_skew() {
    let at = |seconds: i64| Timestamp(NOW.0 + seconds);
    let token = sign(A_PEM, "a", &claims(A));
    let verify_at = |token: &str, seconds| verify_with(&gateway_a(), token, at(seconds)).err();
    for (seconds, expected) in
        [(-31, Some(Denial::NotYetValid)), (-30, None), (0, None), (329, None), (330, Some(Denial::Expired))]
    {
        assert_eq!(verify_at(&token, seconds), expected, "{seconds}");
    }
    for name in ["nbf", "iat"] {
        assert_eq!(verify_at(&with(name, (NOW.0 + 30).into()), 0), None);
        assert_eq!(verify_at(&with(name, (NOW.0 + 31).into()), 0), Some(Denial::NotYetValid));
        assert_eq!(verify_at(&without(name), 0), None);
    }
    assert_eq!(verify_at(&with("exp", json!(0)), 0), Some(Denial::Expired));
    for (name, denial) in [("exp", Denial::Expired), ("nbf", Denial::Malformed), ("iat", Denial::Malformed)] {
        assert_eq!(verify_at(&with(name, json!(-1)), 0), Some(denial), "{name}");
    }
    // Decimals count (RFC 7519, section 2).
    let fraction = |offset: i64| json!(f64::from(u32::try_from(NOW.0 + offset).unwrap()) + 0.5);
    assert_eq!(verify_at(&with("exp", fraction(-30)), 0), None);
    assert_eq!(verify_at(&with("exp", fraction(-31)), 0), Some(Denial::Expired));
    let verified = verify(&with("exp", fraction(100))).unwrap();
    assert_eq!(verified.expires(), at(100));
    let mut strict = gateway_a();
    strict["verify"]["clockSkew"] = json!(0);
    assert_eq!(verify_with(&strict, &token, at(299)).err(), None);
    assert_eq!(verify_with(&strict, &token, at(300)).err(), Some(Denial::Expired));
}

#[test]
fn an_audience_has_to_be_ours_and_ours_has_to_be_named() {
    let mut ours = gateway_a();
    ours["verify"]["audiences"] = json!(["federation", "other"]);
    for (aud, alone, with_ours) in [
        (json!("federation"), Some(Denial::WrongAudience), None),
        (json!(["x", "other"]), Some(Denial::WrongAudience), None),
        (json!("x"), Some(Denial::WrongAudience), Some(Denial::WrongAudience)),
        (json!([]), Some(Denial::WrongAudience), Some(Denial::WrongAudience)),
        (json!("Federation"), Some(Denial::WrongAudience), Some(Denial::WrongAudience)),
        (json!(""), Some(Denial::WrongAudience), Some(Denial::WrongAudience)),
    ] {
        let token = with("aud", aud.clone());
        assert_eq!(verify(&token).err(), alone, "{aud}");
        assert_eq!(verify_with(&ours, &token, NOW).err(), with_ours, "{aud}");
    }
    assert_eq!(verify_with(&ours, &without("aud"), NOW).err(), Some(Denial::WrongAudience));
}

#[test]
fn registered_members_have_their_registered_types() {
    for (name, values) in [
        ("iss", json!([null, 1, [], {}, ["https://cluster-a.example.com"]])),
        ("sub", json!([null, 1, [], {}])),
        ("jti", json!([null, 1, [], {}])),
        ("aud", json!([null, 1, {}, ["a", 1], [["a"]], [null]])),
        ("exp", json!([null, "1800000300", [], {}, true, 1e300, 253_402_300_800_i64])),
        ("nbf", json!([null, "1800000000", false, -1e300])),
        ("iat", json!([null, "1800000000", []])),
    ] {
        for value in values.as_array().unwrap() {
            assert_eq!(denial(&with(name, value.clone())), Denial::Malformed, "{name} {value}");
        }
    }
    for name in ["iss", "exp"] {
        assert_eq!(denial(&without(name)), Denial::Malformed, "{name}");
    }
    for header in [
        r#"{"kid":"a"}"#,
        r#"{"alg":null,"kid":"a"}"#,
        r#"{"alg":["ES256"],"kid":"a"}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"alg":"ES256","kid":null}"#,
        r#"{"alg":"ES256","kid":"a","typ":1}"#,
        r#"{"alg":"ES256","kid":"a","cty":null}"#,
        r#"{"alg":"ES256","kid":"a","crit":[]}"#,
        r#"{"alg":"ES256","kid":"a","crit":["exp"],"exp":1}"#,
        r#"{"alg":"ES256","kid":"a","b64":true}"#,
        r#"{"alg":"ES256","kid":"a","b64":false}"#,
        r#"{"alg":"ES256","alg":"ES256","kid":"a"}"#,
        r#"{"alg":"ES256","kid":"a","\u0061lg":"none"}"#,
        r#"["alg","ES256"]"#,
        r#""ES256""#,
        "",
        "{",
    ] {
        assert_eq!(denial(&headed(header)), Denial::Malformed, "{header}");
    }
    // Ignored, and never followed.
    assert!(verify(&headed(r#"{"alg":"ES256","kid":"a","jku":"http://x","x5c":["AA"],"jwk":{},"x":1}"#)).is_ok());
}

#[test]
fn a_member_twice_at_any_depth_is_malformed() {
    let text = claims(A).to_string();
    for extra in [r#""sub":"bob""#, r#""x":{"a":1,"a":1}"#, r#""x":[{"y":{"a":1,"\u0061":2}}]"#] {
        let payload = text.replacen('{', &format!("{{{extra},"), 1);
        assert_eq!(denial(&sign_text(A_PEM, r#"{"alg":"ES256","kid":"a"}"#, &payload)), Denial::Malformed, "{extra}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let token = sign(A_PEM, "a", &claims(A));
    let [header, payload, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        format!("{header}.{payload}"),
        format!(".{token}"),
        format!("{token}."),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!(" {token}"),
        format!("{token} "),
        format!("{header}.{payload}.{signature}\n"),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")) + "+",
        format!("{header}.{payload}.{signature}\u{e9}"),
    ] {
        assert_eq!(denial(&bad), Denial::Malformed, "{bad}");
    }
    // 64 bytes leave four bits over in the last character: only zero is canonical.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    for stray in 1..16 {
        let other = alphabet.chars().nth(last + stray).unwrap();
        let respelt = format!("{}{other}", &token[..token.len() - 1]);
        assert_eq!(denial(&respelt), Denial::Malformed, "{stray}");
    }
    assert_eq!(verify_with(&gateway_a(), &format!("{header}.{payload}."), NOW).unwrap_err(), Denial::BadSignature);
    let compiled = load(&gateway_a()).unwrap();
    assert_eq!(testing::verify(&compiled.gateway, b"a.b.\xff", NOW, &Fake::default()).unwrap_err(), Denial::Malformed);
}

#[test]
fn every_flipped_bit_every_length_and_every_edge_value_is_a_bad_signature() {
    let gateway = load(&gateway_a()).unwrap().gateway;
    let token = sign(A_PEM, "a", &claims(A));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = crate::jose::base64url::decode(signature).unwrap();
    let denied = |signature: &[u8]| {
        let token = format!("{input}.{}", crate::jose::base64url::encode(signature));
        assert_eq!(
            testing::verify(&gateway, token.as_bytes(), NOW, &Fake::default()).unwrap_err(),
            Denial::BadSignature,
            "{signature:?}"
        );
    };
    for bit in 0..512 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        denied(&flipped);
    }
    for length in 0..64 {
        denied(&signature[..length]);
        denied(&signature[64 - length..]);
    }
    denied(&[&signature[..], &[0]].concat());
    denied(&[&signature[..], &signature[..]].concat());
    denied(&[0; 64]);
    denied(&[255; 64]);
    let (r, s) = signature.split_at(32);
    denied(&[r, &[0; 32]].concat());
    denied(&[&[0; 32], s].concat());
    denied(&[s, r].concat());
    // DER, as TLS and X.509 write it, is not the form of a JWS.
    let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
    denied(der.as_bytes());
}

#[test]
fn the_size_has_a_limit_to_the_byte() {
    let padded = |length: usize| {
        let mut claims = claims(A);
        claims["x"] = json!("");
        let empty = sign(A_PEM, "a", &claims).len();
        // Four characters carry three bytes; the rest is made up by trying.
        for extra in (0..).map(|extra| (length - empty) * 3 / 4 - 4 + extra) {
            claims["x"] = json!("x".repeat(extra));
            let token = sign(A_PEM, "a", &claims);
            if token.len() >= length {
                return token;
            }
        }
        unreachable!()
    };
    let token = padded(8192);
    assert_eq!(token.len(), 8192);
    assert!(verify(&token).is_ok());
    let token = padded(8193);
    assert!(token.len() > 8192);
    assert_eq!(denial(&token), Denial::TooLarge);
    assert_eq!(denial(&".".repeat(8193)), Denial::TooLarge);
}

#[test]
fn a_claim_is_found_by_its_name_or_by_a_path() {
    let mut claims = claims(A);
    claims["a.b"] = json!("name");
    claims["a"] = json!({"b": "path", "c": {"d": 1}});
    let verified = verify(&sign(A_PEM, "a", &claims)).unwrap();
    for (name, expected) in [("a.b", Some(json!("name"))), ("a.c.d", Some(json!(1))), ("a.c.x", None), ("x", None)] {
        assert_eq!(verified.claim(name).as_deref(), expected.as_ref(), "{name}");
    }
    // An object is read once, however many of its members become headers.
    assert!(["a", "a.c", "a.c.d", "/a/b"].iter().all(|name| matches!(verified.claim(name), Some(Cow::Borrowed(_)))));
    assert!(matches!(verified.claim("sub"), Some(Cow::Owned(_))));
}

#[test]
fn a_token_that_is_bound_needs_its_certificate() {
    const DIGEST: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    let gateway = load(&gateway_a()).unwrap().gateway;
    let verify = |token: &str, certificate| {
        let host = Fake { certificate, ..Fake::default() };
        testing::verify(&gateway, token.as_bytes(), NOW, &host).err()
    };
    let bound = with("cnf", json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}));
    assert_eq!(verify(&bound, Some(DIGEST)), None);
    let other = "100102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    for certificate in [None, Some(""), Some("00"), Some("zz"), Some(other)] {
        assert_eq!(verify(&bound, certificate), Some(Denial::WrongCertificate), "{certificate:?}");
    }
    // The digest of some other hash, of which a token says what a client may well say too.
    let short = with("cnf", json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhM"}));
    let digest = "000102030405060708090a0b0c0d0e0f10111213";
    assert_eq!(verify(&short, Some(digest)), Some(Denial::WrongCertificate));
    assert_eq!(verify(&with("cnf", json!({"x5t#S256": ""})), None), Some(Denial::WrongCertificate));
    for other in [json!({"jkt": "x"}), json!({"jwk": {}}), json!({"x5t#S256": DIGEST, "kid": "x"})] {
        assert_eq!(verify(&with("cnf", other), Some(DIGEST)), Some(Denial::WrongBinding));
    }
    assert_eq!(verify(&with("cnf", json!({})), Some(DIGEST)), None);
}

#[test]
fn a_type_is_jwt_or_absent_unless_configured() {
    let typed = |typ: Option<&str>| {
        let mut header = json!({"alg": "ES256", "kid": "a"});
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        headed(&header.to_string())
    };
    let mut configured = gateway_a();
    configured["verify"]["typ"] = json!(["wristband+jwt", "application/at+JWT"]);
    for (typ, default, with_types) in [
        (None, None, Some(Denial::WrongType)),
        (Some("JWT"), None, Some(Denial::WrongType)),
        (Some("jwt"), None, Some(Denial::WrongType)),
        (Some("application/jwt"), None, Some(Denial::WrongType)),
        (Some("APPLICATION/jwt"), None, Some(Denial::WrongType)),
        (Some("Application/AT+jwt"), Some(Denial::WrongType), None),
        (Some("applicatio\u{e9}/jwt"), Some(Denial::WrongType), Some(Denial::WrongType)),
        (Some("application/"), Some(Denial::WrongType), Some(Denial::WrongType)),
        (Some("Wristband+JWT"), Some(Denial::WrongType), None),
        (Some("at+jwt"), Some(Denial::WrongType), None),
        (Some("application/application/jwt"), Some(Denial::WrongType), Some(Denial::WrongType)),
        (Some(""), Some(Denial::WrongType), Some(Denial::WrongType)),
    ] {
        assert_eq!(verify(&typed(typ)).err(), default, "{typ:?}");
        assert_eq!(verify_with(&configured, &typed(typ), NOW).err(), with_types, "{typ:?}");
    }
}

#[test]
fn a_peer_s_word_has_the_limits_it_is_given() {
    let limited = |name: &str, value: Value| {
        let mut configuration = gateway_a();
        configuration["peers"][0][name] = value;
        configuration
    };
    let of_b = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims(B);
        change(&mut claims);
        sign(B_PEM, "b", &claims)
    };
    let subjects = limited("subjects", json!([{"exact": "alice"}, {"prefix": "svc-"}]));
    for (subject, expected) in [
        (json!("alice"), None),
        (json!("svc-"), None),
        (json!("svc-1"), None),
        (json!("alice2"), Some(Denial::WrongSubject)),
        (json!("Alice"), Some(Denial::WrongSubject)),
        (json!(""), Some(Denial::WrongSubject)),
    ] {
        let token = of_b(&|claims| claims["sub"] = subject.clone());
        assert_eq!(verify_with(&subjects, &token, NOW).err(), expected, "{subject}");
    }
    let nameless = of_b(&|claims| drop(claims.as_object_mut().unwrap().remove("sub")));
    assert_eq!(verify_with(&subjects, &nameless, NOW).err(), Some(Denial::WrongSubject));
    // Ours has no such limit.
    assert!(verify_with(&subjects, &with("sub", json!("bob")), NOW).is_ok());

    let mut audiences = limited("audiences", json!(["for-us"]));
    audiences["verify"]["audiences"] = json!(["federation"]);
    let meant_for = |audience: &str| of_b(&|claims| claims["aud"] = json!(audience));
    assert_eq!(verify_with(&audiences, &meant_for("for-us"), NOW).err(), None);
    assert_eq!(verify_with(&audiences, &meant_for("federation"), NOW).err(), Some(Denial::WrongAudience));

    let lifetime = limited("maxLifetime", json!(60));
    for (seconds, expected) in [(60, None), (90, None), (91, Some(Denial::TooLongLived))] {
        // What the issuer says of `iat` does not help it.
        let token = of_b(&|claims| {
            claims["exp"] = json!(NOW.0 + seconds);
            claims["iat"] = json!(NOW.0 + 30);
        });
        assert_eq!(verify_with(&lifetime, &token, NOW).err(), expected, "{seconds}");
    }

    let listed = limited("claims", json!(["region"]));
    let token = of_b(&|claims| {
        claims["region"] = json!("eu-1");
        claims["roles"] = json!(["admin"]);
        claims["act"] = json!({"sub": "x", "roles": ["admin"], "act": {"iss": "y", "iat": 1, "act": ["admin"]}});
        claims["cnf"] = json!({});
    });
    let verified = verify_with(&listed, &token, NOW).unwrap();
    let names: Vec<_> = verified.claims().keys().map(String::as_str).collect();
    assert_eq!(names, ["act", "cnf", "exp", "iat", "iss", "jti", "nbf", "region", "sub"]);
    let actor = json!({"sub": "x", "act": {"iss": "y", "act": null}});
    assert_eq!((&verified.claims()["act"], &verified.claims()["cnf"]), (&actor, &json!({})));
    assert_eq!(verified.claim("roles"), None);
    let payload = crate::jose::base64url::decode(verified.payload()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), Value::Object(verified.claims().clone()));
    // The same is what other filters see.
    let seen = prost_types::Struct::decode(verified.claims_as_struct()).unwrap();
    assert_eq!(protobuf::from_struct(seen), Ok(Value::Object(verified.claims().clone())));
}

#[test]
fn a_principal_is_issuer_and_subject_and_no_claim_can_pass_for_it() {
    let token = with("principal", json!("admin"));
    assert_eq!(verify(&token).unwrap().principal().as_deref(), Some("https://cluster-a.example.com#alice"));
    assert_eq!(verify(&without("sub")).unwrap().principal(), None);
    assert_eq!(verify(&with("sub", json!(""))).unwrap().principal(), None);
}

#[test]
fn a_key_a_token_and_an_issuer_s_past_can_be_revoked() {
    let denied = |entry: Value, token: &str| {
        let mut configuration = gateway_a();
        configuration["verify"]["revoked"] = json!([entry]);
        verify_with(&configuration, token, NOW).err()
    };
    let b = sign(B_PEM, "b", &claims(B));
    assert_eq!(denied(json!({"kid": "b"}), &b), Some(Denial::Revoked));
    // Without naming it, too.
    let unnamed = sign_text(B_PEM, r#"{"alg":"ES256"}"#, &claims(B).to_string());
    assert_eq!(denied(json!({"kid": "b"}), &unnamed), Some(Denial::Revoked));
    assert_eq!(denied(json!({"jti": "1"}), &b), Some(Denial::Revoked));
    assert_eq!(denied(json!({"jti": "2"}), &b), None);
    let before = |time: &str| json!({"issuer": B, "issuedBefore": time});
    assert_eq!(denied(before("2027-01-15T08:00:00Z"), &b), None);
    assert_eq!(denied(before("2027-01-15T08:00:01Z"), &b), Some(Denial::Revoked));
    assert_eq!(denied(before("2027-01-15T08:00:01Z"), &sign(A_PEM, "a", &claims(A))), None);
    let mut undated = claims(B);
    undated.as_object_mut().unwrap().remove("iat");
    assert_eq!(denied(before("2020-01-01T00:00:00Z"), &sign(B_PEM, "b", &undated)), Some(Denial::Revoked));
}

#[test]
fn each_peer_has_types_and_audiences_of_its_own() {
    let configuration = |peer: Value| {
        let mut configuration = gateway_a();
        configuration["verify"] = json!({"typ": ["wristband+jwt"], "audiences": ["us"]});
        configuration["peers"][0].as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
        configuration
    };
    let token = |typ: Option<&str>, audience: Option<&str>| {
        let mut claims = claims(B);
        if let Some(audience) = audience {
            claims["aud"] = json!(audience);
        }
        let typ = typ.map(|typ| format!(",\"typ\":\"{typ}\"")).unwrap_or_default();
        sign_text(B_PEM, &format!("{{\"alg\":\"ES256\",\"kid\":\"b\"{typ}}}"), &claims.to_string())
    };
    let (wrong_type, wrong_audience) = (Err(Denial::WrongType), Err(Denial::WrongAudience));
    for (peer, typ, audience, expected) in [
        (json!({}), Some("wristband+jwt"), Some("us"), Ok(())),
        (json!({}), None, Some("us"), wrong_type),
        (json!({}), Some("JWT"), Some("us"), wrong_type),
        (json!({"typ": ["at+jwt"]}), Some("application/AT+JWT"), Some("us"), Ok(())),
        (json!({"typ": ["at+jwt"]}), Some("wristband+jwt"), Some("us"), wrong_type),
        (json!({"typ": ["at+jwt"]}), None, Some("us"), wrong_type),
        (json!({"typ": ["at+jwt", ""]}), None, Some("us"), Ok(())),
        (json!({"typ": [""]}), None, Some("us"), Ok(())),
        (json!({"typ": [""]}), Some(""), Some("us"), wrong_type),
        (json!({"typ": [""]}), Some("application/"), Some("us"), wrong_type),
        (json!({"typ": [""]}), Some("JWT"), Some("us"), wrong_type),
        (json!({"typ": [""]}), None, None, wrong_audience),
        (json!({"typ": [""], "allowMissingAudience": true}), None, None, Ok(())),
        (json!({"typ": [""], "allowMissingAudience": true}), None, Some("us"), Ok(())),
        (json!({"typ": [""], "allowMissingAudience": true}), None, Some("them"), wrong_audience),
    ] {
        let verified = verify_with(&configuration(peer.clone()), &token(typ, audience), NOW).map(drop);
        assert_eq!(verified, expected, "{peer} {typ:?} {audience:?}");
    }
    // Ours are as strict as before.
    let own = sign(A_PEM, "a", &claims(A));
    let lenient = configuration(json!({"typ": ["", "JWT"], "allowMissingAudience": true}));
    assert_eq!(verify_with(&lenient, &own, NOW).map(drop), wrong_type);
}

/// Whoever can write a token must not learn from its denial what would be accepted of others.
#[test]
fn a_forged_token_learns_nothing_but_what_is_public() {
    let mut configuration = gateway_a();
    configuration["peers"][0]["subjects"] = json!([{"exact": "svc-payments"}]);
    configuration["peers"][0]["audiences"] = json!(["internal"]);
    configuration["peers"][0]["maxLifetime"] = json!(10);
    configuration["verify"]["typ"] = json!(["secret+jwt"]);
    configuration["verify"]["revoked"] =
        json!([{"jti": "incident"}, {"issuer": B, "issuedBefore": "2030-01-01T00:00:00Z"}]);
    let forge = |change: Value| {
        let mut claims = claims(B);
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        sign(A_PEM, "b", &claims)
    };
    for change in [
        json!({}),
        json!({"aud": "guess"}),
        json!({"aud": "internal"}),
        json!({"aud": "internal", "sub": "svc-payments"}),
        json!({"jti": "incident"}),
        json!({"exp": NOW.0 + 5}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"cnf": {"x5t#S256": "x"}}),
    ] {
        let denied = verify_with(&configuration, &forge(change.clone()), NOW).unwrap_err();
        assert_eq!(denied, Denial::BadSignature, "{change}");
    }
    assert_eq!(verify_with(&configuration, &forge(json!({"exp": 1})), NOW).unwrap_err(), Denial::Expired);
}

/// What a peer signs for longer is as dangerous as a key that is lost.
#[test]
fn a_peer_s_token_lives_a_day_at_most_unless_it_is_given_more() {
    let lives = |most: Option<u32>, seconds: i64| {
        let mut configuration = gateway_a();
        if let Some(most) = most {
            configuration["peers"][0]["maxLifetime"] = json!(most);
        }
        let mut claims = claims(B);
        claims["exp"] = json!(NOW.0 + seconds);
        verify_with(&configuration, &sign(B_PEM, "b", &claims), NOW).map(drop)
    };
    assert_eq!((lives(None, 86_430), lives(None, 86_431)), (Ok(()), Err(Denial::TooLongLived)));
    assert_eq!(lives(Some(31_536_000), 31_536_000), Ok(()));
}

#[test]
fn a_token_is_as_large_as_the_configuration_allows() {
    let of_size = |size: usize| {
        let token = |padding: usize| with("padding", json!("x".repeat(padding)));
        let least = token(0).len();
        (0..4).map(|more| token((size - least) * 3 / 4 + more)).find(|token| token.len() >= size).unwrap()
    };
    let verify = |most: Option<usize>, size: usize| {
        let mut configuration = gateway_a();
        if let Some(most) = most {
            configuration["verify"]["maxTokenBytes"] = json!(most);
        }
        verify_with(&configuration, &of_size(size), NOW).map(drop)
    };
    assert_eq!((verify(None, 8190), verify(None, 8193)), (Ok(()), Err(Denial::TooLarge)));
    assert_eq!((verify(Some(1024), 1020), verify(Some(1024), 1025)), (Ok(()), Err(Denial::TooLarge)));
    assert_eq!((verify(Some(65_536), 65_530), verify(Some(65_536), 65_537)), (Ok(()), Err(Denial::TooLarge)));
}

#[test]
fn a_claim_is_found_by_name_path_or_pointer() {
    let nested = json!({"namespace": "n", "a/b": {"~": [1, {"x": 2}]}});
    let mut all = claims(B);
    all["kubernetes.io"] = nested;
    all["a.b"] = json!("name");
    all["a"] = json!({"b": "path"});
    all[""] = json!("empty");
    let verified = verify(&sign(B_PEM, "b", &all)).unwrap();
    for (name, expected) in [
        ("a.b", Some(json!("name"))),
        ("/a/b", Some(json!("path"))),
        ("/a.b", Some(json!("name"))),
        ("/kubernetes.io/namespace", Some(json!("n"))),
        ("kubernetes.io.namespace", None),
        ("/kubernetes.io/a~1b/~0/1/x", Some(json!(2))),
        ("/kubernetes.io/a~1b/~0/0", Some(json!(1))),
        ("/kubernetes.io/a~1b/~0/01", None),
        ("/kubernetes.io/a~1b/~0/-", None),
        ("/", Some(json!("empty"))),
        ("/sub/x", None),
        ("/absent", None),
    ] {
        assert_eq!(verified.claim(name).as_deref(), expected.as_ref(), "{name}");
    }
}

#[test]
fn a_token_is_accepted_once_and_only_what_is_genuine_is_remembered() {
    let mut configuration = gateway_a();
    configuration["verify"]["replay"] = json!({"cache": 100});
    let host = Fake::default();
    let gateway = load_with(&configuration, &host).unwrap().gateway;
    let verify = |token: &str| testing::verify(&gateway, token.as_bytes(), NOW, &host).err();
    let token = sign(A_PEM, "a", &claims(A));
    let forged = sign(B_PEM, "a", &claims(A));
    assert_eq!(verify(&forged), Some(Denial::BadSignature));
    assert_eq!(verify(&token), None);
    assert_eq!(verify(&token), Some(Denial::Replayed));
    // Signed again, it is the same token.
    assert_eq!(verify(&sign_text(A_PEM, r#"{"alg":"ES256"}"#, &claims(A).to_string())), Some(Denial::Replayed));
    assert_eq!(verify(&with("jti", json!("2"))), None);
    assert_eq!(verify(&without("jti")), Some(Denial::Malformed));
    // For as long as it would be accepted: until the skew is over too.
    let late = |token: &str| testing::verify(&gateway, token.as_bytes(), NOW.after(310), &host).err();
    assert_eq!(late(&token), Some(Denial::Replayed));
    let third = with("jti", json!("3"));
    assert_eq!((late(&third), late(&third)), (None, Some(Denial::Replayed)));
    // And no longer than a day.
    assert_eq!(verify(&with("exp", json!(NOW.0 + 86_400 + 30))), Some(Denial::Replayed));
    assert_eq!(verify(&with("exp", json!(NOW.0 + 86_400 + 31))), Some(Denial::TooLongLived));
    let of_peer = |lifetime: i64| {
        let mut claims = claims(B);
        claims["exp"] = json!(NOW.0 + lifetime);
        verify(&sign(B_PEM, "b", &claims))
    };
    assert_eq!((of_peer(86_400 + 31), of_peer(86_400 + 30)), (Some(Denial::TooLongLived), None));
    assert_eq!(of_peer(86_400 + 30), Some(Denial::Replayed));
}

#[test]
fn what_was_accepted_once_is_not_accepted_again_by_a_configuration_with_a_larger_skew() {
    let host = Fake::default();
    let gateway = |skew: u32| {
        let mut configuration = gateway_a();
        configuration["verify"]["replay"] = json!({"cache": 100});
        configuration["verify"]["clockSkew"] = json!(skew);
        load_with(&configuration, &host).unwrap().gateway
    };
    let token = sign(A_PEM, "a", &claims(A));
    let at = |gateway: &Gateway, seconds| testing::verify(gateway, token.as_bytes(), NOW.after(seconds), &host).err();
    assert_eq!(at(&gateway(0), 0), None);
    assert_eq!([at(&gateway(300), 310), at(&gateway(300), 599)], [Some(Denial::Replayed); 2]);
}

#[test]
fn what_there_is_no_room_to_remember_is_denied_or_makes_another_forgotten() {
    for (on_full, last) in [(None, Err(Denial::ReplayFull)), (Some("forget"), Ok(true))] {
        let mut configuration = gateway_a();
        configuration["verify"]["replay"] = json!({"cache": 4});
        if let Some(on_full) = on_full {
            configuration["verify"]["replay"]["onFull"] = json!(on_full);
        }
        let host = Fake::default();
        let gateway = load_with(&configuration, &host).unwrap().gateway;
        let verify = |token: String| {
            let verified = testing::verify(&gateway, token.as_bytes(), NOW, &host);
            verified.map(|verified| verified.has_forgotten())
        };
        // Two issuers have two each.
        let found = ["1", "2", "3"].map(|id| verify(with("jti", json!(id))));
        assert_eq!(found, [Ok(false), Ok(false), last]);
        assert_eq!(verify(sign(B_PEM, "b", &claims(B))), Ok(false));
    }
}

#[test]
fn what_is_remembered_of_a_token_vouches_for_none_that_has_to_be_looked_at_anew() {
    let host = Fake::default();
    let gateway = load(&gateway_a()).unwrap().gateway;
    let (ring, verifier) = (gateway.ring(), &gateway.verification.as_ref().unwrap().verifier);
    let named = sign(A_PEM, "a", &claims(A));
    let unnamed = sign_text(A_PEM, r#"{"alg":"ES256"}"#, &claims(A).to_string());
    for (token, expected) in [(&named, true), (&unnamed, false)] {
        let verified = verifier.verify(token.as_bytes(), &ring, NOW, &host).unwrap();
        assert_eq!(verified.facts().are_worth_remembering(), expected);
        let again = verifier.verify_again(verified.facts(), token.as_bytes(), &ring, NOW, &host);
        assert_eq!(again.is_some(), expected);
    }
    let verified = verifier.verify(named.as_bytes(), &ring, NOW, &host).unwrap();
    assert!(verifier.verify_again(verified.facts(), unnamed.as_bytes(), &ring, NOW, &host).is_none());
    let mut once = gateway_a();
    once["verify"]["replay"] = json!({"cache": 100});
    let once = load_with(&once, &host).unwrap().gateway.verification.unwrap().verifier;
    assert!(once.verify_again(verified.facts(), named.as_bytes(), &ring, NOW, &host).is_none());
}

#[test]
fn a_token_is_the_remembered_one_only_if_every_byte_is() {
    for length in 0..40_u8 {
        let token: Vec<_> = (0..length).collect();
        assert!(super::are_same(&token, &token.clone()));
        for more in 1..20 {
            let other = [&token[..], &vec![7; more]].concat();
            assert!(!super::are_same(&token, &other) && !super::are_same(&other, &token), "{length} {more}");
        }
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut other = token.clone();
                other[place] ^= 1 << bit;
                assert!(!super::are_same(&token, &other), "{length} {place} {bit}");
            }
        }
    }
}

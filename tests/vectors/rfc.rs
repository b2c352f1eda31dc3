//! The examples of the RFCs.

use std::rc::Rc;

use serde_json::{Value, json};
use sha2::Digest as _;
use wristband::crypto::{SigningFailed, vm};
use wristband::denial::Denial;
use wristband::gateway::Gateway;
use wristband::jose::algorithm::Algorithm;
use wristband::keys::PublicKey;
use wristband::trust::{KeySet, Origin, Ring, TrustedIssuer};

use crate::{ISSUER, decode, encode, gateway, hex, key_set, private, public, text, verify, verify_signature};

fn rfc(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../testdata/rfc.json")).unwrap();
    all[section].clone()
}

/// RFC 6979, appendix A.2: signing is deterministic, so that a poor source of randomness gives no key away.
#[test]
fn signatures_have_the_nonces_of_rfc_6979() {
    for (section, algorithm, curve, hash) in [
        ("RFC 6979, A.2.5", Algorithm::Es256, "P-256", "with SHA-256"),
        ("RFC 6979, A.2.6", Algorithm::Es384, "P-384", "with SHA-384"),
        ("RFC 6979, A.2.7", Algorithm::Es512, "P-521", "with SHA-512"),
    ] {
        let vectors = rfc(section);
        let number = |name: &str| encode(hex(&vectors[name]));
        let jwk = json!({"kty": "EC", "crv": curve, "x": number("Ux"), "y": number("Uy"), "d": number("x")});
        let key = private(&jwk.to_string(), algorithm);
        let cases = vectors[hash].as_array().unwrap();
        assert_eq!(cases.len(), 2);
        for case in cases {
            let message = text(&case["message"]).as_bytes();
            let signature = vm::sign(&key, message, &mut |_| false).unwrap();
            assert_eq!(signature, [hex(&case["r"]), hex(&case["s"])].concat(), "{section}: {case}");
            assert!(vm::verifies(&key.public_key(), message, &signature));
        }
    }
}

/// A gateway that trusts this key of `joe`, the issuer in the examples of RFC 7515. No configuration can name it, as it
/// is no URL.
fn gateway_of_joe(key: &PublicKey) -> Gateway {
    let gateway = gateway(key.algorithm().name(), "a", &key.to_jwk().to_string()).unwrap();
    let ring = gateway.ring();
    let keys = ring.select(ISSUER).unwrap();
    gateway.trust(Ring::new([TrustedIssuer {
        name: "joe".to_owned(),
        label: "joe".into(),
        is_own: false,
        origin: Origin::Configured,
        keys: KeySet::new(keys.keys.keys().to_vec()),
        limits: Rc::clone(&keys.limits),
    }]));
    gateway
}

/// RFC 7515, appendices A.2 and A.3: RS256 and ES256, without a `kid`.
#[test]
fn the_tokens_of_rfc_7515_are_verified() {
    const EXPIRES: i64 = 1_300_819_380;
    let (rsa, ec) = (rfc("RFC 7638, 3.1"), rfc("RFC 9449, 6.1"));
    for (section, algorithm, other) in
        [("RFC 7515, A.2", Algorithm::Rs256, &rsa), ("RFC 7515, A.3", Algorithm::Es256, &ec)]
    {
        let vector = rfc(section);
        let (key, token) = (private(&vector["jwk"].to_string(), algorithm).public_key(), text(&vector["compact"]));
        let verified = verify(&gateway_of_joe(&key), token, EXPIRES).unwrap();
        let claims = json!({"iss": "joe", "exp": EXPIRES, "http://example.com/is_root": true});
        assert_eq!(Value::Object(verified.claims().clone()), claims);
        assert_eq!(verify(&gateway_of_joe(&key), token, EXPIRES + 30).unwrap_err(), Denial::Expired);
        let other = public(&other["jwk"].to_string(), algorithm);
        assert_eq!(verify(&gateway_of_joe(&other), token, EXPIRES).unwrap_err(), Denial::BadSignature);
        let gateway = gateway(algorithm.name(), "a", &key.to_jwk().to_string()).unwrap();
        assert_eq!(verify(&gateway, token, EXPIRES).unwrap_err(), Denial::UnknownIssuer);
    }
}

/// RFC 7515, appendix A.4, and RFC 8037, appendix A.5: ES512 and EdDSA. Their payloads are text.
#[test]
fn the_signatures_of_rfc_7515_and_rfc_8037_are_verified() {
    for (section, algorithm) in [
        ("RFC 7515, A.2", Algorithm::Rs256),
        ("RFC 7515, A.3", Algorithm::Es256),
        ("RFC 7515, A.4", Algorithm::Es512),
        ("RFC 8037, A", Algorithm::EdDsa),
    ] {
        let vector = rfc(section);
        let key = private(&vector["jwk"].to_string(), algorithm).public_key();
        let token = text(&vector["compact"]);
        let keys = key_set("a", key);
        assert_eq!(verify_signature(&keys, token), Ok(()), "{section}");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut changed = decode(signature).unwrap();
        changed[0] ^= 1;
        let changed = format!("{input}.{}", encode(changed));
        assert_eq!(verify_signature(&keys, &changed), Err(Denial::BadSignature), "{section}");
    }
}

/// RFC 7515, appendix A.2, and RFC 8037, appendix A.4: both algorithms have one signature for a message, whatever the
/// randomness with which RSA is blinded.
#[test]
fn signing_gives_the_signatures_that_the_rfcs_print() {
    for (section, algorithm) in [("RFC 7515, A.2", Algorithm::Rs256), ("RFC 8037, A", Algorithm::EdDsa)] {
        let vector = rfc(section);
        let key = private(&vector["jwk"].to_string(), algorithm);
        let (input, expected) = text(&vector["compact"]).rsplit_once('.').unwrap();
        for seed in 0..2 {
            let mut random = fastrand::Rng::with_seed(seed);
            let signature = vm::sign(&key, input.as_bytes(), &mut |bytes| {
                random.fill(bytes);
                true
            });
            assert_eq!(signature.map(encode).as_deref(), Ok(expected), "{section}");
        }
        // Without any, RSA does not go on unblinded.
        let signature = vm::sign(&key, input.as_bytes(), &mut |_| false);
        let without = if algorithm == Algorithm::EdDsa { Ok(expected.to_owned()) } else { Err(SigningFailed) };
        assert_eq!(signature.map(encode), without, "{section}");
    }
}

/// RFC 7515, appendix A.5: `none`, from an issuer that is trusted.
#[test]
fn the_unsecured_example_of_rfc_7515_is_of_no_algorithm() {
    let token = rfc("RFC 7515, A.5");
    for (section, algorithm) in [("RFC 7515, A.2", Algorithm::Rs256), ("RFC 7515, A.3", Algorithm::Es256)] {
        let key = private(&rfc(section)["jwk"].to_string(), algorithm).public_key();
        assert_eq!(verify(&gateway_of_joe(&key), text(&token["compact"]), 0).unwrap_err(), Denial::WrongAlgorithm);
    }
}

/// RFC 7520, section 4. Sections 4.1 to 4.4 are Wycheproof's cases 345 to 352. What is left are forms that a token does not have: a payload that is elsewhere (4.5), the flattened and the general JSON
/// serialization (4.6 and 4.7; 4.8 has the form of 4.7 with more signatures).
#[test]
fn the_other_serializations_of_rfc_7520_are_no_tokens() {
    let key = private(&rfc("RFC 7515, A.3")["jwk"].to_string(), Algorithm::Es256).public_key().to_jwk().to_string();
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

/// RFC 7638, section 3: what a thumbprint hashes is exactly the JWK that a public key has here.
#[test]
fn the_jwk_of_a_key_is_what_rfc_7638_makes_a_thumbprint_of() {
    for (section, algorithm) in
        [("RFC 7638, 3.1", Algorithm::Rs256), ("RFC 8037, A", Algorithm::EdDsa), ("RFC 9449, 6.1", Algorithm::Es256)]
    {
        let vector = rfc(section);
        let mut jwk = vector["jwk"].clone();
        jwk.as_object_mut().unwrap().remove("d");
        let key = public(&jwk.to_string(), algorithm);
        // By way of a value, which sorts the members as section 3.3 asks for.
        let canonical = serde_json::to_value(key.to_jwk()).unwrap().to_string();
        assert_eq!(encode(sha2::Sha256::digest(canonical)), text(&vector["thumbprint"]), "{section}");
    }
}

//! Which key may verify what.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::gate::{Gate, plugin};
use crate::support::config::public;
use crate::support::key;
use crate::support::token::{self, A, B, claims, sign_text};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";

/// A token of an issuer, with this header, signed by this key whatever the header says.
fn of(issuer: &str, header: &Value, signer: &str) -> String {
    sign_text(signer, &header.to_string(), &claims(issuer).to_string())
}

fn kid(kid: &str) -> Value {
    json!({"alg": "ES256", "kid": kid})
}

#[test]
fn a_key_speaks_for_its_own_issuer_only() {
    let none = json!({"alg": "ES256"});
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for (what, token, code) in [
        ("ours", of(A, &kid(A1), A1), "ok"),
        ("the peer's", of(B, &kid(B1), B1), "ok"),
        ("the peer's key named under our issuer", of(A, &kid(B1), B1), "unknown_key"),
        ("our key named under the peer's issuer", of(B, &kid(A1), A1), "unknown_key"),
        ("the peer's key under our key's name", of(A, &kid(A1), B1), "bad_signature"),
        ("our key under the peer's key's name", of(B, &kid(B1), A1), "bad_signature"),
        ("the peer's key without a name under our issuer", of(A, &none, B1), "bad_signature"),
        ("our key without a name under the peer's issuer", of(B, &none, A1), "bad_signature"),
        ("a stranger under our key's name", of(A, &kid(A1), "stranger"), "bad_signature"),
        ("a stranger without a name", of(A, &none, "stranger"), "bad_signature"),
        ("a stranger under its own name", of(A, &kid("stranger"), "stranger"), "unknown_key"),
        ("our other key, not listed", of(A, &kid(A2), A2), "unknown_key"),
        ("a stranger in its own name", of("https://stranger.example", &kid(A1), "stranger"), "unknown_issuer"),
    ] {
        if code == "ok" {
            assert_eq!(gate.outcome(0, token), code, "{what}");
        } else {
            gate.refuses(what, token, code);
        }
    }
}

#[test]
fn an_issuer_is_compared_character_by_character() {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for issuer in [
        "",
        "https://cluster-a.example.com/",
        "https://CLUSTER-A.example.com",
        "HTTPS://cluster-a.example.com",
        "http://cluster-a.example.com",
        "https://cluster-a.example.com:443",
        "https://cluster-a.example.com.",
        "https://cluster-a.example.com#",
        "https://cluster-a.example.com?",
        "https://cluster-a.example.com\u{0}",
        "https://cluster-a.example.com ",
        " https://cluster-a.example.com",
        "https://user@cluster-a.example.com",
        "https://cluster-a.example.co",
        "https://cluster-\u{430}.example.com",
        "cluster-a.example.com",
        A1,
    ] {
        gate.refuses(issuer, of(issuer, &kid(A1), A1), "unknown_issuer");
    }
    for name in ["", "cluster-a-2026-11 ", "Cluster-A-2026-11", "cluster-a-2026-1", "../cluster-a-2026-11", "' OR 1=1"]
    {
        gate.refuses(name, of(A, &kid(name), A1), "unknown_key");
    }
}

#[test]
fn a_token_without_a_kid_passes_only_if_its_issuer_has_one_key_of_its_algorithm() {
    let verify = json!({"mode": "require"});
    let two_own = json!({
        "issuer": A, "signingKeyRefs": [public(A1), public(A2)],
        "peers": [{"issuer": B, "keys": [public(B1)]}], "verify": verify,
    });
    let two_of_peer = json!({
        "issuer": A, "signingKeyRefs": [public(A1)],
        "peers": [{"issuer": B, "keys": [public(B1), public(A2)]}], "verify": verify,
    });
    let mut gate = Gate::start(&[two_own, two_of_peer]);
    let none = json!({"alg": "ES256"});
    for (gateway, issuer, signer, code) in [
        (0, A, A1, "unknown_key"),
        (0, A, A2, "unknown_key"),
        (0, B, B1, "ok"),
        (0, B, A1, "bad_signature"),
        (1, A, A1, "ok"),
        (1, A, A2, "bad_signature"),
        (1, A, B1, "bad_signature"),
        (1, B, B1, "unknown_key"),
        (1, B, A2, "unknown_key"),
        (1, B, A1, "unknown_key"),
    ] {
        assert_eq!(gate.outcome(gateway, of(issuer, &none, signer)), code, "{gateway} {issuer} {signer}");
    }
    // With a name both of the two pass.
    assert_eq!(gate.outcome(0, of(A, &kid(A1), A1)), "ok");
    assert_eq!(gate.outcome(0, of(A, &kid(A2), A2)), "ok");
    assert_eq!(gate.outcome(0, of(A, &kid(A1), A2)), "bad_signature");
}

#[test]
fn the_key_decides_the_algorithm_and_never_the_token() {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    // `none` and whatever else is no algorithm of ours, with and without the key's name.
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "es256", "ES256K", "ES256 ", "ES", "EdDsa",
        "Ed448", "RSA1_5", "A256GCM", "dir",
    ] {
        for header in [json!({"alg": alg}), json!({"alg": alg, "kid": A1}), json!({"alg": alg, "kid": "nobody"})] {
            let signed = of(A, &header, A1);
            let (unsigned, _) = signed.rsplit_once('.').unwrap();
            gate.refuses(&header.to_string(), &signed, "wrong_algorithm");
            gate.refuses(&header.to_string(), format!("{unsigned}."), "wrong_algorithm");
        }
    }
    // One of ours, but not the key's.
    for alg in ["ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"] {
        gate.refuses(alg, of(A, &json!({"alg": alg, "kid": A1}), A1), "wrong_algorithm");
        gate.refuses(alg, of(A, &json!({"alg": alg}), A1), "unknown_key");
    }
    // The classic: a symmetric signature with what everyone knows as its key.
    for secret in
        [key(&format!("{A1}.pub")), key(&format!("{A1}.pub")).trim_end().to_owned(), A1.to_owned(), String::new()]
    {
        for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mut header = Header::new(alg);
            header.kid = Some(A1.to_owned());
            let secret = EncodingKey::from_secret(secret.as_bytes());
            let token = jsonwebtoken::encode(&header, &claims(A), &secret).unwrap();
            gate.refuses("HMAC with the public key", token, "wrong_algorithm");
        }
    }
    // A true RSA signature, in the name of the EC key.
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(A1.to_owned());
    let rsa = EncodingKey::from_rsa_pem(key("forms/rsa").as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims(A), &rsa).unwrap();
    gate.refuses("RS256", token, "wrong_algorithm");
}

#[test]
fn a_key_that_comes_with_the_token_is_not_looked_at() {
    let mut jwk = token::jwk("stranger");
    jwk["kid"] = A1.into();
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!("https://stranger.example/jwks.json")),
        ("x5u", json!("https://stranger.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
    ] {
        for with_kid in [true, false] {
            let mut header = json!({"alg": "ES256", (name): value});
            if with_kid {
                header["kid"] = A1.into();
            }
            gate.refuses(name, of(A, &header, "stranger"), "bad_signature");
        }
    }
    gate.refuses(
        "a jwk of an unknown name",
        of(A, &json!({"alg": "ES256", "kid": "new", "jwk": jwk}), "stranger"),
        "unknown_key",
    );
}

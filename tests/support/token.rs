//! Tokens of every kind, made without the code under test.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};

pub const A: &str = "https://cluster-a.example.com";
pub const B: &str = "https://cluster-b.example.com";

/// Seconds by which `iat` and `nbf` of our wristbands lie in the past, unless the configuration says otherwise.
pub const BACKDATE: u64 = 5;

pub fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The payload of a token, unverified.
pub fn payload(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unverified.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Signs header and payload as they are.
pub fn sign_text(key: &str, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    format!("{input}.{}", encode(signature(key, input.as_bytes())))
}

/// The signature of a message with a key in `testdata`.
pub fn signature(key: &str, message: &[u8]) -> Vec<u8> {
    let signature: Signature = signing_key(key).sign(message);
    signature.to_bytes().to_vec()
}

fn signing_key(key: &str) -> SigningKey {
    let pem = pem::parse(super::key(key)).unwrap();
    SigningKey::from_pkcs8_der(pem.contents()).unwrap()
}

/// The secret of a key in `testdata`.
pub fn scalar(key: &str) -> Vec<u8> {
    signing_key(key).to_bytes().to_vec()
}

/// The public JWK of a key in `testdata`.
pub fn jwk(key: &str) -> Value {
    let point = signing_key(key).verifying_key().to_sec1_point(false);
    json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key,
        "x": encode(point.x().unwrap()), "y": encode(point.y().unwrap()),
    })
}

/// A token with this `kid`, signed by the key of that name.
pub fn sign(key: &str, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": key, "typ": "JWT"});
    sign_text(key, &header.to_string(), &claims.to_string())
}

/// The claims of a wristband that is valid now.
pub fn claims(issuer: &str) -> Value {
    let now = now();
    json!({"iss": issuer, "sub": "alice", "iat": now, "nbf": now, "exp": now + 300, "jti": "1"})
}

/// A wristband of cluster A that is valid now.
pub fn of_a() -> String {
    sign("cluster-a-2026-11", &claims(A))
}

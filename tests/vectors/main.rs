//! Vectors that others made: Wycheproof's and the RFCs'. Each goes through the `verify` that the filter uses; where its
//! payload is text and not claims, so that `verify` refuses it before it looks at the signature, it also goes through
//! the steps that come after: which key, and that key's verdict.
//!
//! Every case is accounted for by its number. One that is new, missing or ends otherwise than written here is a failure.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wristband::compile;
use wristband::crypto::VerifyingKey;
use wristband::denial::Denial;
use wristband::gateway::Gateway;
use wristband::jose::algorithm::Algorithm;
use wristband::keys::{Material, PrivateKey, PublicKey};
use wristband::time::Timestamp;
use wristband::trust::{KeySet, TrustedKey};
use wristband::verify::Verified;

#[path = "../support/nobody.rs"]
mod nobody;

mod jose;
mod rfc;
mod signatures;

use nobody::Nobody;

const ISSUER: &str = "https://vectors.example";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn public(key: &str, algorithm: Algorithm) -> PublicKey {
    match Material::parse(key, algorithm) {
        Ok(Material::Public(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn private(key: &str, algorithm: Algorithm) -> PrivateKey {
    match Material::parse(key, algorithm) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// A gateway with one peer, who has this one key.
fn gateway(algorithm: &str, name: &str, key: &str) -> Result<Gateway, String> {
    let key = json!({"name": name, "algorithm": algorithm, "key": {"inlineString": key}});
    let configuration = json!({"allowWorthlessKeys": true, "peers": [{"issuer": ISSUER, "keys": [key]}], "verify": {}});
    let compiled = compile::load(configuration.to_string().as_bytes(), &Nobody);
    compiled.map(|compiled| compiled.gateway).map_err(|problems| problems[0].to_string())
}

fn key_set(name: &str, key: PublicKey) -> KeySet {
    KeySet::new(vec![
        TrustedKey { name: name.to_owned(), key: VerifyingKey::in_vm(key), not_before: None, not_after: None }.into(),
    ])
}

fn verify(gateway: &Gateway, token: &str, seconds: i64) -> Result<Verified, Denial> {
    let verifier = &gateway.verification.as_ref().unwrap().verifier;
    let verified = verifier.verify(token.as_bytes(), &gateway.ring(), Timestamp(seconds), &Nobody);
    verified.map_err(|refused| refused.cause.denial())
}

/// What `verify` does with a token but for its claims, which Wycheproof's have none of.
fn verify_signature(keys: &KeySet, token: &str) -> Result<(), Denial> {
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(Denial::Malformed);
    };
    let (header, signature) = (decode(header)?, decode(signature)?);
    decode(payload)?;
    let header = wristband::jose::json::parse_object(&header).map_err(|_| Denial::Malformed)?;
    let member = |name: &str| header.get(name).and_then(Value::as_str);
    let key = keys.select(member("alg").ok_or(Denial::Malformed)?, member("kid"), Timestamp(0))?;
    let (signing_input, _) = token.rsplit_once('.').unwrap();
    if key.key.verifies(signing_input.as_bytes(), &signature, &Nobody) { Ok(()) } else { Err(Denial::BadSignature) }
}

fn decode(text: &str) -> Result<Vec<u8>, Denial> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Denial::Malformed)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes from hexadecimal digits. RFC 6979 leaves a leading zero out where their number is odd.
fn hex(text: &Value) -> Vec<u8> {
    let text = self::text(text);
    let digits = if text.len().is_multiple_of(2) { text.to_owned() } else { format!("0{text}") };
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

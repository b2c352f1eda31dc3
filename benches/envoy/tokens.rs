//! Tokens, signed without the code under test, in files from which the load generator takes them.

use std::fs;
use std::path::{Path, PathBuf};

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support;
use crate::support::costly;
use crate::support::token::{A, encode, now};

pub const KEY: &str = "cluster-a-2026-11";

/// More than the filter remembers (10,000 tokens or 8 MiB): whoever takes them in turn never meets a remembered one.
const UNIQUE: usize = 20_000;
/// Fewer than the filter remembers.
const ROTATION: usize = 5000;
/// Claims of the tokens of identity providers have about this size.
const PAYLOAD: usize = 429;

/// Where tokens are written, and the few lists that many variants share.
pub struct Folder {
    directory: TempDir,
    pub unique: PathBuf,
    pub rotation: PathBuf,
    pub expired: PathBuf,
    pub bad_signature: PathBuf,
    pub junk: PathBuf,
    pub members: PathBuf,
    pub numbers: PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let key = signing_key(KEY);
        let good: Vec<_> = (0..UNIQUE).map(|number| sign(&key, KEY, &claims(A, number, 3600))).collect();
        let (payload, token) = (claims(A, 0, 3600).to_string(), &good[0]);
        assert_eq!(payload.len(), PAYLOAD, "{payload}");
        assert!((700..720).contains(&token.len()), "{}", token.len());
        let (input, _) = token.rsplit_once('.').unwrap();
        let (_, foreign) = good[1].rsplit_once('.').unwrap();
        let [members, numbers] = costly::payloads(A).map(|payload| sign(&key, KEY, &payload));
        let write = |name: &str, tokens: &[String]| write(directory.path(), name, tokens);
        Self {
            unique: write("unique", &good),
            rotation: write("rotation", &good[..ROTATION]),
            expired: write("expired", &[sign(&key, KEY, &claims(A, 0, -3600))]),
            bad_signature: write("bad-signature", &[format!("{input}.{foreign}")]),
            junk: write("junk", &["A".repeat(700)]),
            members: write("members", &[members]),
            numbers: write("numbers", &[numbers]),
            directory,
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Another list of tokens.
    pub fn write(&self, name: &str, tokens: &[String]) -> PathBuf {
        write(self.path(), name, tokens)
    }
}

fn write(directory: &Path, name: &str, tokens: &[String]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, tokens.join("\n") + "\n").unwrap();
    path
}

pub fn signing_key(name: &str) -> SigningKey {
    let pem = pem::parse(support::key(name)).unwrap();
    SigningKey::from_pkcs8_der(pem.contents()).unwrap()
}

/// Fourteen claims. No two numbers have the same.
fn claims(issuer: &str, number: usize, left: i64) -> Value {
    let now = i64::try_from(now()).unwrap();
    let mut claims = json!({
        "iss": issuer, "sub": "alice", "iat": now - 7200, "nbf": now - 7200, "exp": now + left,
        "jti": format!("{number:022}"), "email": "alice@example.com", "name": "Alice Liddell",
        "groups": ["developers", "operators", "on-call"], "region": "eu-1", "tenant": "example",
        "scope": "openid profile email", "session": "5f0c7b1e-8f4d-4f43-9b0e-6f2d8f0f6c3a", "note": "",
    });
    let missing = PAYLOAD - claims.to_string().len();
    claims["note"] = "x".repeat(missing).into();
    assert_eq!(claims.as_object().unwrap().len(), 14);
    claims
}

/// A token without `typ`, which may be absent.
pub fn sign(key: &SigningKey, kid: &str, claims: &impl ToString) -> String {
    let header = json!({"alg": "ES256", "kid": kid});
    let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature: Signature = key.sign(input.as_bytes());
    format!("{input}.{}", encode(signature.to_bytes()))
}

//! The keys whose private halves are in `testdata`, and so in everybody's hands, are listed in `src/trust/worthless.txt`, by
//! which the filter refuses them. `WRITE=1 cargo test --test worthless` writes the list anew.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wristband::jose::algorithm::Algorithm;
use wristband::keys::{Material, PublicKey};
use wristband::trust::worthless::fingerprint;

const LIST: &str = "src/trust/worthless.txt";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn public(text: &str, algorithm: Algorithm) -> PublicKey {
    let Ok(Material::Public(key)) = Material::parse(text, algorithm) else { panic!("{text}") };
    key
}

/// The public halves of private keys that are none for the filter.
fn unreadable(path: &Path, text: &[u8]) -> Option<String> {
    let der = pem::parse(text).ok()?;
    let key = match path.file_name()?.to_str()? {
        "openssh-ed25519.pem" => {
            let start = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20";
            let at = der.contents().windows(start.len()).position(|window| window == start)? + start.len();
            let x = URL_SAFE_NO_PAD.encode(der.contents().get(at..at + 32)?);
            public(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}).to_string(), Algorithm::EdDsa)
        }
        "rsa-three-primes.pem" => {
            let key = pkcs1::RsaPrivateKey::try_from(der.contents()).ok()?;
            let part = |number: pkcs1::UintRef<'_>| URL_SAFE_NO_PAD.encode(number.as_bytes());
            let jwk = json!({"kty": "RSA", "n": part(key.modulus), "e": part(key.public_exponent)});
            public(&jwk.to_string(), Algorithm::Rs256)
        }
        _ => return None,
    };
    Some(fingerprint(&key))
}

/// The fingerprint of the key of a text that has its private half in it.
fn thumbprint(text: &[u8]) -> Option<String> {
    let keys = Algorithm::ALL.iter().filter_map(|algorithm| Material::parse(text, *algorithm).ok());
    let private = keys.filter_map(|key| if let Material::Private(key) = key { Some(key) } else { None });
    private.map(|key| fingerprint(&key.public_key())).next()
}

fn hex(value: &Value) -> String {
    let digits = value.as_str().unwrap();
    let digits = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let bytes = digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    URL_SAFE_NO_PAD.encode(bytes.collect::<Vec<_>>())
}

/// The JWKs of the RFCs that have a private half.
fn of_rfcs() -> Vec<(String, String)> {
    let rfcs: Value = serde_json::from_slice(&fs::read("testdata/rfc.json").unwrap()).unwrap();
    let jwks = rfcs.as_object().unwrap().iter().filter_map(|(name, rfc)| {
        let jwk = match (rfc.get("jwk"), rfc.get("Ux")) {
            (Some(jwk), _) => jwk.clone(),
            (None, Some(_)) => {
                let curve = match name.as_str() {
                    "RFC 6979, A.2.5" => "P-256",
                    "RFC 6979, A.2.6" => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": curve, "x": hex(&rfc["Ux"]), "y": hex(&rfc["Uy"]), "d": hex(&rfc["x"])})
            }
            (None, None) => return None,
        };
        jwk.get("d").is_some().then(|| (name.clone(), jwk.to_string()))
    });
    jwks.collect()
}

#[test]
fn every_key_whose_private_half_is_in_testdata_is_listed() {
    let mut listed = BTreeMap::new();
    let mut paths = files(Path::new("testdata"));
    paths.sort();
    for path in paths {
        let text = fs::read(&path).unwrap();
        let found = thumbprint(&text).or_else(|| unreadable(&path, &text));
        let has_private = text.windows(12).any(|window| window == b"PRIVATE KEY-");
        // Of curves that no algorithm here has, and encrypted ones of a key that stands there openly too.
        let is_other = path.to_str().is_some_and(|path| path.contains("secp256k1") || path.contains("encrypted"));
        assert!(
            found.is_some() || !has_private || is_other || path.to_str().unwrap().contains("explicit"),
            "{}",
            path.display()
        );
        if let Some(thumbprint) = found {
            listed.entry(thumbprint).or_insert(path.display().to_string());
        }
    }
    for (name, jwk) in of_rfcs() {
        let thumbprint = thumbprint(jwk.as_bytes());
        assert!(thumbprint.is_some(), "{name}");
        listed.entry(thumbprint.unwrap()).or_insert(name);
    }
    assert!(listed.len() > 15, "{listed:?}");
    let text: String = listed.iter().map(|(thumbprint, from)| format!("{thumbprint} {from}\n")).collect();
    if std::env::var_os("WRITE").is_some() {
        fs::write(LIST, text).unwrap();
    } else {
        assert_eq!(fs::read_to_string(LIST).unwrap_or_default(), text, "see the top of this file");
    }
}

//! What a token costs that does not pass, beside one that does, and a request without any: an attacker pays for his garbage,
//! not the gateway.

#![allow(missing_docs, clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};
use wristband::compile;
use wristband::denial::Denial;
use wristband::http::credential::{Place, find as find_credential};
use wristband::http::headers::Headers;
use wristband::time::Timestamp;

#[path = "../tests/support/costly.rs"]
mod costly;
#[path = "../tests/support/nobody.rs"]
mod nobody;

use nobody::Nobody;

const ISSUER: &str = "https://cluster-a.example.com";
const NOW: Timestamp = Timestamp(1_800_000_000);

fn sign(header: &Value, claims: &impl ToString) -> String {
    let key = pem::parse(include_str!("../testdata/worthless-keys/cluster-a-2026-11.pem")).unwrap();
    let key = SigningKey::from_pkcs8_der(key.contents()).unwrap();
    let (header, claims) = (header.to_string(), claims.to_string());
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature: Signature = key.sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// Tokens as long as those of identity providers, one for each kind of denial that comes from the token alone.
fn tokens() -> Vec<(&'static str, String, Option<Denial>)> {
    let header = json!({"alg": "ES256", "kid": "a", "typ": "JWT"});
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 300, "jti": "AAAAAAAAAAAAAAAAAAAAAA",
        "email": "alice@example.com", "name": "Alice Liddell", "groups": ["one", "two", "three"], "region": "eu-1",
    });
    let with = |name: &str, value: Value| {
        let (mut header, mut claims) = (header.clone(), claims.clone());
        let part = if header.get(name).is_some() { &mut header } else { &mut claims };
        part.as_object_mut().unwrap().insert(name.to_owned(), value);
        sign(&header, &claims)
    };
    let [members, numbers] = costly::payloads(ISSUER).map(|payload| sign(&header, &payload));
    let valid = sign(&header, &claims);
    let (input, _) = valid.rsplit_once('.').unwrap();
    let zero = URL_SAFE_NO_PAD.encode([1; 64]);
    vec![
        ("valid", valid.clone(), None),
        ("bad_signature", format!("{input}.{zero}"), Some(Denial::BadSignature)),
        ("bad_signature, of another length", format!("{input}.AAAA"), Some(Denial::BadSignature)),
        ("expired", with("exp", json!(1)), Some(Denial::Expired)),
        ("wrong_audience", with("aud", json!("x")), Some(Denial::WrongAudience)),
        ("unknown_key", with("kid", json!("x")), Some(Denial::UnknownKey)),
        ("wrong_algorithm", with("alg", json!("none")), Some(Denial::WrongAlgorithm)),
        ("unknown_issuer", with("iss", json!("https://x")), Some(Denial::UnknownIssuer)),
        ("expired, 700 members", members, Some(Denial::Expired)),
        ("expired, 210 numbers", numbers, Some(Denial::Expired)),
        ("malformed, no dots", "A".repeat(700), Some(Denial::Malformed)),
        (
            "malformed, 8 KB of brackets",
            format!("{}.e30.", URL_SAFE_NO_PAD.encode("[".repeat(6000))),
            Some(Denial::Malformed),
        ),
        ("too_large", "A".repeat(60_000), Some(Denial::TooLarge)),
    ]
}

fn verify(criterion: &mut Criterion) {
    let key = include_str!("../testdata/worthless-keys/cluster-a-2026-11.pub.pem");
    let configuration = json!({
        "allowWorthlessKeys": true,
        "issuer": ISSUER,
        "signingKeyRefs": [{"name": "a", "algorithm": "ES256", "key": {"inlineString": key}}],
        "verify": {},
    });
    let compiled = compile::load(configuration.to_string().as_bytes(), &Nobody).ok().unwrap();
    let ring = compiled.gateway.ring();
    let verifier = compiled.gateway.verification.unwrap().verifier;
    let mut group = criterion.benchmark_group("verify");
    for (name, token, denial) in tokens() {
        let verdict = verifier.verify(token.as_bytes(), &ring, NOW, &Nobody);
        assert_eq!(verdict.err().map(|refused| refused.cause.denial()), denial, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| verifier.verify(black_box(token.as_bytes()), &ring, NOW, &Nobody).is_ok());
        });
    }
}

/// Requests as large as Envoy takes them, with nothing in them: what it costs to find that out.
fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for count in [1, 10] {
        let names = || (0..count).map(|index| format!("wb{index}"));
        let cookies: Vec<_> = names().map(Place::Cookie).collect();
        let parameters: Vec<_> = names().map(Place::Parameter).collect();
        for (name, places, header, item) in [
            ("cookies, nothing but semicolons", &cookies, "cookie", ";"),
            ("cookies that begin as ours do", &cookies, "cookie", "wb=;"),
            ("cookies of words behind spaces", &cookies, "cookie", "a w w w w w w w w          "),
            ("parameters of one letter", &parameters, ":path", "a&"),
            ("parameters that begin as ours do, encoded", &parameters, ":path", "%77&"),
            ("parameters that are nearly ours", &parameters, ":path", "=wbx&"),
        ] {
            let value = format!("/?{}", item.repeat(55_000 / item.len()));
            let pairs = || vec![(header.as_bytes(), value.as_bytes())];
            assert!(
                find_credential(&Headers::new(pairs()), places.iter()).is_ok_and(|found| found.is_none()),
                "{name}"
            );
            group.bench_function(format!("{name}, {count} places"), |bencher| {
                let headers = Headers::new(pairs());
                bencher.iter(|| find_credential(black_box(&headers), places.iter()).is_ok());
            });
        }
    }
}

criterion_group!(benches, verify, find);
criterion_main!(benches);

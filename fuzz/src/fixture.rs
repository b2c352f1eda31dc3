//! Keys, tokens and gateways that the targets share. The keys are those of `testdata`, which are worthless.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wristband::compile;
use wristband::crypto::vm;
use wristband::gateway::Gateway;
use wristband::jose::algorithm::Algorithm;
use wristband::jose::base64url;
use wristband::keys::{Material, PrivateKey, PublicKey};
use wristband::time::Timestamp;

use super::host::Stage;

pub(super) const A: &str = "https://cluster-a.example.com";
pub(super) const B: &str = "https://cluster-b.example.com";
pub(super) const C: &str = "https://cluster-c.example.com";
pub(super) const NOW: Timestamp = Timestamp(1_800_000_000);

/// In hexadecimal, as the host has it.
pub(super) const CERTIFICATE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

macro_rules! keys {
    ($($name:ident $file:literal)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("../../testdata/worthless-keys/", $file));)*
    };
}

keys! {
    A_PEM "cluster-a-2026-11.pem"
    A_PUB "cluster-a-2026-11.pub.pem"
    ENDED_PEM "cluster-a-2027-02.pem"
    ENDED_PUB "cluster-a-2027-02.pub.pem"
    B_PEM "cluster-b-2026-10.pem"
    B_PUB "cluster-b-2026-10.pub.pem"
    C_PEM "identity-provider.pem"
    C_PUB "identity-provider.pub.pem"
    ED_PEM "forms/ed25519.pem"
    ED_PUB "forms/ed25519.pub.pem"
    STRANGER_PEM "stranger.pem"
}

/// Who signs, by one letter.
pub(super) struct Signer {
    pub(super) letter: u8,
    pub(super) pem: &'static str,
    pub(super) algorithm: Algorithm,
    /// Whose key it is; `None`: nobody trusts it now.
    pub(super) issuer: Option<&'static str>,
}

pub(super) const SIGNERS: [Signer; 6] = [
    Signer { letter: b'a', pem: A_PEM, algorithm: Algorithm::Es256, issuer: Some(A) },
    Signer { letter: b'b', pem: B_PEM, algorithm: Algorithm::Es256, issuer: Some(B) },
    Signer { letter: b'c', pem: C_PEM, algorithm: Algorithm::Es256, issuer: Some(C) },
    Signer { letter: b'e', pem: ED_PEM, algorithm: Algorithm::EdDsa, issuer: Some(B) },
    Signer { letter: b'o', pem: ENDED_PEM, algorithm: Algorithm::Es256, issuer: None },
    Signer { letter: b's', pem: STRANGER_PEM, algorithm: Algorithm::Es256, issuer: None },
];

impl Signer {
    pub(super) fn by(letter: u8) -> Option<&'static Self> {
        SIGNERS.iter().find(|signer| signer.letter == letter)
    }

    /// A token of these very bytes.
    pub(super) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> (String, Vec<u8>) {
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = vm::sign(&private(self.pem, self.algorithm), input.as_bytes(), &mut |_| false).unwrap();
        (input, signature)
    }

    fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": char::from(self.letter).to_string(), "typ": "JWT"})
    }
}

pub(super) fn private(pem: &str, algorithm: Algorithm) -> PrivateKey {
    match Material::parse(pem, algorithm) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// How many of the tokens are good; these come first.
pub(super) const GOOD: usize = 8;

/// Header and payload of tokens by their signers: good ones, and some for each reason to deny one.
pub(super) fn claims() -> Vec<(u8, Value, Value)> {
    let now = NOW.0;
    let base =
        |issuer: &str| json!({"iss": issuer, "sub": "alice", "iat": now, "nbf": now, "exp": now + 300, "jti": "1"});
    let of = |letter: u8, header: Value, claims: Value| {
        let signer = Signer::by(letter).unwrap();
        let (mut full, mut payload) = (signer.header(), base(signer.issuer.unwrap_or(A)));
        merge(&mut full, header);
        merge(&mut payload, claims);
        (letter, full, payload)
    };
    let same = || json!({});
    let thumbprint = base64url::encode((0..32u8).collect::<Vec<_>>());
    vec![
        of(b'b', same(), same()),
        of(b'e', same(), json!({"role": "admin", "groups": ["one", "two"], "n": 1.5, "deep": {"a": [null, true]}})),
        of(b'a', same(), same()),
        of(b'c', json!({"typ": "at+jwt"}), json!({"aud": ["c", "d"], "sub": "user-1", "roles": ["x"], "role": "y"})),
        of(b'b', same(), json!({"aud": "us", "cnf": {"x5t#S256": thumbprint}})),
        of(b'e', same(), json!({"act": {"iss": C, "sub": "batch", "act": {"iss": "https://d.example"}}})),
        of(b'e', json!({"kid": null}), same()),
        of(b'e', same(), json!({"role": "j\u{fc}rgen,\u{85}", "email": ""})),
        of(b'b', same(), json!({"aud": "them"})),
        of(b'b', same(), json!({"cnf": {"jkt": "x"}})),
        of(b'b', same(), json!({"cnf": {"x5t#S256": "x"}})),
        of(b'b', same(), json!({"exp": now - 31})),
        of(b'b', same(), json!({"nbf": now + 31})),
        of(b'b', same(), json!({"exp": 253_402_300_799.0})),
        of(b'b', same(), json!({"jti": "revoked"})),
        of(b'b', same(), json!({"jti": null})),
        of(b'b', same(), json!({"iat": now - 100_000, "nbf": null})),
        of(b'b', json!({"typ": "at+jwt"}), same()),
        of(b'b', json!({"alg": "none"}), same()),
        of(b'b', json!({"crit": ["exp"], "b64": false}), same()),
        of(b'b', json!({"kid": "e"}), same()),
        of(b'o', same(), same()),
        of(b's', json!({"kid": "b"}), json!({"iss": B})),
    ]
}

/// Takes members over, or out with null.
fn merge(value: &mut Value, changes: Value) {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
            change => value[name] = change.clone(),
        }
    }
}

/// All of them as tokens.
pub(super) fn tokens() -> Vec<String> {
    let token = |(letter, header, payload): (u8, Value, Value)| {
        let (input, signature) = Signer::by(letter).unwrap().sign(header.to_string(), payload.to_string());
        format!("{input}.{}", base64url::encode(signature))
    };
    claims().into_iter().map(token).collect()
}

/// An entry of `signingKeyRefs` or `keys`.
pub(super) fn key(name: &str, algorithm: &str, pem: &str) -> Value {
    json!({"name": name, "algorithm": algorithm, "key": {"inlineString": pem}})
}

/// Those whom the gateways here trust, with limits on one of them.
pub(super) fn peers() -> Value {
    json!([
        {
            "issuer": B, "keys": [key("b", "ES256", B_PUB), key("e", "EdDSA", ED_PUB)],
            "audiences": ["us"], "allowMissingAudience": true,
        },
        {
            "issuer": C, "keys": [key("c", "ES256", C_PUB)], "typ": ["at+jwt", ""], "audiences": ["c"],
            "subjects": [{"prefix": "user-"}, {"exact": "root"}], "claims": ["roles"], "maxLifetime": 600,
        },
    ])
}

/// Of a configuration that need not say that the keys are worthless.
pub(super) fn load(configuration: &Value, host: &Stage<'_>) -> Gateway {
    let mut configuration = configuration.clone();
    configuration["allowWorthlessKeys"] = true.into();
    match compile::load(configuration.to_string().as_bytes(), host) {
        Ok(compiled) => compiled.gateway,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// Whether a key is in force whose private half is in `testdata`.
pub(super) fn has_worthless_key(gateway: &Gateway) -> bool {
    let ring = gateway.ring();
    let keys = ring.own().into_iter().chain(ring.peers()).flat_map(|issuer| issuer.keys.keys());
    WORTHLESS.with(|worthless| keys.map(|key| key.key.public()).any(|key| worthless.contains(key)))
}

thread_local! {
    static WORTHLESS: Vec<PublicKey> = worthless();
}

fn worthless() -> Vec<PublicKey> {
    let texts = [files("testdata/worthless-keys"), files("testdata/worthless-certificates")].concat();
    let keys = texts
        .iter()
        .flat_map(|text| Algorithm::ALL.into_iter().filter_map(move |algorithm| Material::parse(text, algorithm).ok()));
    let public = |key| match key {
        Material::Private(key) => PrivateKey::public_key(&key),
        Material::Public(key) => key,
    };
    keys.map(public).collect()
}

/// That a text for others has nothing of a private key in it. What is too short for a key may be shown as a name.
pub(super) fn assert_no_secret(text: &str) {
    SECRETS.with(|secrets| assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret is shown"));
}

thread_local! {
    static SECRETS: Vec<String> = secrets();
}

/// The lines of the private keys, and the secret parts as a JWK has them.
fn secrets() -> Vec<String> {
    let mut secrets = Vec::new();
    for pem in [A_PEM, ENDED_PEM, B_PEM, C_PEM, ED_PEM, STRANGER_PEM] {
        let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(lines.concat()).unwrap();
        // What stands before the secret is the same in every key, and what follows it is the public half.
        let secret = if pem == ED_PEM { &der[16..48] } else { &der[36..68] };
        secrets.extend([base64url::encode(secret), STANDARD.encode(secret)]);
        secrets.extend(lines.into_iter().take(2).map(str::to_owned));
    }
    secrets
}

/// The longest run of characters that a message may take over from what it is about: a line of PEM has 64, the private
/// part of a P-256 key 43.
const LONGEST_QUOTE: usize = 42;

/// That a message quotes nothing of a text that may be a key.
pub(super) fn assert_no_quote(message: &str, text: &[u8]) {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    for run in text.split(|byte| !is_key(byte)).filter(|run| run.len() > LONGEST_QUOTE) {
        assert!(!message.contains(std::str::from_utf8(run).unwrap()), "quoted: {message}");
    }
}

/// A folder of the repository.
pub(super) fn folder(name: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|above| above.join(name)).find(|folder| folder.is_dir()).unwrap()
}

/// Every file in a folder of the repository and below.
pub(super) fn files(name: &str) -> Vec<Vec<u8>> {
    let (mut folders, mut found) = (vec![folder(name)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(fs::read(path).unwrap()) }
        }
    }
    found
}

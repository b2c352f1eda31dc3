//! Every algorithm, by Envoy's BoringSSL and by the VM, beside two implementations that are not ours: the crate
//! `jsonwebtoken` and Envoy's own `jwt_authn`. For ES512, which the former lacks, it is `p521` that signs.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, EncodingKey, Validation};
use p521::ecdsa::signature::Signer as _;
use pkcs8::PrivateKeyInfoRef;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::configuration::refusals;
use crate::gate::outcome;
use crate::support::config::{
    as_before_1_40, as_struct, as_text, cluster, echo, filter, filter_with, gateways, listener, to_upstream,
};
use crate::support::envoy::{Envoy, binary_without_sign, free_port};
use crate::support::http::{self, Connection};
use crate::support::key;
use crate::support::token::{self, encode};

/// An algorithm, the file of its key, and whether Envoy has it.
struct Row(&'static str, &'static str, bool);

const ALGORITHMS: [Row; 10] = [
    Row("ES256", "cluster-a-2026-11", true),
    Row("ES384", "forms/p384", true),
    Row("ES512", "forms/p521", true),
    Row("RS256", "forms/rsa", true),
    Row("RS384", "forms/rsa", true),
    Row("RS512", "forms/rsa", true),
    Row("PS256", "forms/rsa", false),
    Row("PS384", "forms/rsa", false),
    Row("PS512", "forms/rsa", false),
    Row("EdDSA", "forms/ed25519", false),
];

/// The same for all gateways, so that they share a VM.
const ENVIRONMENT: [(&str, &str); 4] =
    [("P256", "cluster-a-2026-11"), ("P384", "forms/p384"), ("P521", "forms/p521"), ("RSA", "forms/rsa")];
const ED25519: (&str, &str) = ("ED25519", "forms/ed25519");

fn environment() -> Vec<(&'static str, String)> {
    ENVIRONMENT.into_iter().chain([ED25519]).map(|(name, file)| (name, key(file))).collect()
}

impl Row {
    fn variable(&self) -> &'static str {
        environment().iter().find(|(_, text)| *text == key(self.1)).unwrap().0
    }

    fn issuer(&self, preference: &str) -> String {
        format!("https://{}.{preference}.example.com", self.0.to_lowercase())
    }

    /// A gateway that signs, and verifies what it has signed.
    fn signs(&self, preference: &str) -> Value {
        json!({
            "issuer": self.issuer(preference),
            "crypto": preference,
            "signingKeyRefs": [{"name": "k", "algorithm": self.0, "key": {"environmentVariable": self.variable()}}],
            "issue": {"identity": {"header": "x-user"}},
            "verify": {"mode": "optional"},
        })
    }

    /// A gateway that has the public key and no other.
    fn verifies(&self, preference: &str) -> Value {
        let public = key(&format!("{}.pub", self.1));
        json!({
            "crypto": preference,
            "peers": [{
                "issuer": self.issuer(preference),
                "keys": [{"name": "k", "algorithm": self.0, "key": {"inlineString": public}}],
            }],
            "verify": {},
        })
    }

    /// Signs by another implementation.
    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let pem = key(self.1);
        if self.0 == "ES512" {
            let der = pem::parse(&pem).unwrap();
            let key = PrivateKeyInfoRef::try_from(der.contents()).unwrap();
            let key = sec1::EcPrivateKey::try_from(key.private_key.as_bytes()).unwrap();
            let key = p521::ecdsa::SigningKey::from_slice(key.private_key).unwrap();
            let signature: p521::ecdsa::Signature = key.sign(message);
            return signature.to_bytes().to_vec();
        }
        let key = match &self.0[..2] {
            "ES" => EncodingKey::from_ec_pem(pem.as_bytes()),
            "Ed" => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let algorithm = jsonwebtoken::Algorithm::from_str(self.0).unwrap();
        let signature = jsonwebtoken::crypto::sign(message, &key.unwrap(), algorithm).unwrap();
        URL_SAFE_NO_PAD.decode(signature).unwrap()
    }

    /// A token that says that it is of some algorithm.
    fn token(&self, preference: &str, algorithm: &str) -> String {
        let header = json!({"alg": algorithm, "kid": "k", "typ": "JWT"}).to_string();
        let input = format!("{}.{}", encode(header), encode(token::claims(&self.issuer(preference)).to_string()));
        format!("{input}.{}", encode(self.signature(input.as_bytes())))
    }
}

/// Two gateways for each algorithm, one that signs and one that verifies, all in one Envoy, and a third listener with
/// `jwt_authn` before the same upstream.
struct Gateways {
    envoy: Envoy,
    rows: Vec<(&'static Row, &'static str, String, String)>,
    native: String,
}

impl Gateways {
    fn start(preferences: &[&'static str]) -> Self {
        let (upstream, native) = (free_port(), free_port());
        let mut listeners = vec![echo(upstream)];
        let mut clusters = vec![cluster("echo", upstream)];
        let (mut rows, mut rules, mut providers) = (Vec::new(), Vec::new(), serde_json::Map::new());
        let environment = environment();
        let names: Vec<_> = environment.iter().map(|(name, _)| *name).collect();
        for preference in preferences {
            for row in ALGORITHMS.iter().filter(|row| row.2 || *preference != "host") {
                let name = format!("{}-{preference}", row.0);
                let urls =
                    [("sign", row.signs(preference)), ("verify", row.verifies(preference))].map(|(role, plugin)| {
                        let port = free_port();
                        let name = format!("{role}-{name}");
                        let mut filter = filter_with(as_struct(&plugin), &names);
                        filter["typed_config"]["config"]["name"] = name.clone().into();
                        listeners.push(listener(&name, port, vec![filter], to_upstream()));
                        clusters.push(cluster(&name, port));
                        format!("http://127.0.0.1:{port}")
                    });
                providers.insert(
                    name.clone(),
                    json!({
                        "issuer": row.issuer(preference),
                        "remote_jwks": {
                            "http_uri": {
                                "uri": format!("{}/.well-known/jwks.json", row.issuer(preference)),
                                "cluster": format!("sign-{name}"),
                                "timeout": "5s",
                            },
                            "cache_duration": "60s",
                        },
                        "from_headers": [{"name": "x-wristband-token"}],
                        "claim_to_headers": [{"header_name": "x-sub", "claim_name": "sub"}],
                    }),
                );
                rules.push(json!({"match": {"path": format!("/{name}")}, "requires": {"provider_name": name}}));
                let [signs, verifies] = urls;
                rows.push((row, *preference, signs, verifies));
            }
        }
        let jwt_authn = json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": providers,
                "rules": rules,
            },
        });
        listeners.push(listener("native", native, vec![jwt_authn], to_upstream()));
        let bootstrap = json!({"static_resources": {"listeners": listeners, "clusters": clusters}});
        let variables: Vec<_> = environment.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Self { envoy: Envoy::start(&bootstrap, &variables), rows, native: format!("http://127.0.0.1:{native}") }
    }

    fn check(&self) {
        for (row, preference, signs, verifies) in &self.rows {
            self.is_verified_by_others(row, preference, signs);
            verifies_others(row, preference, verifies);
        }
        self.says_who_computes();
    }

    /// A wristband of ours, with nothing but our JWKS.
    fn is_verified_by_others(&self, row: &Row, preference: &str, url: &str) {
        let what = format!("{} by {preference}", row.0);
        let answer = http::get_with(url, &[("x-user", "alice")]);
        let wristband = answer.wristband().unwrap_or_else(|| panic!("{what}: {answer:?}"));
        assert_eq!(token::header(wristband), json!({"alg": row.0, "kid": "k", "typ": "JWT"}), "{what}");
        let signature = URL_SAFE_NO_PAD.decode(wristband.rsplit('.').next().unwrap()).unwrap();
        assert_eq!(signature.len(), row.signature(b"").len(), "{what}");
        let (start, end) = wristband.split_at(wristband.len() - 8);
        let changed = format!("{start}{}", if end == "AAAAAAAA" { "BBBBBBBB" } else { "AAAAAAAA" });

        let native = format!("{}/{}-{preference}", self.native, row.0);
        let ask = |token: &str| http::get_with(&native, &[("x-wristband-token", token)]);
        let accepted = ask(wristband);
        assert_eq!((accepted.status, accepted.received("x-sub")), (200, Some("alice")), "{what}: {}", accepted.body);
        assert_eq!(ask(&changed).status, 401, "{what}");

        let mine = |token: &str| http::get_with(url, &[("x-wristband-token", token)]);
        assert_eq!(mine(wristband).status, 200, "{what}: its own");
        assert_eq!(outcome(&mine(&changed)), "bad_signature", "{what}");

        if row.0 == "ES512" {
            return;
        }
        let set: JwkSet = serde_json::from_str(&http::get(&format!("{url}/.well-known/jwks.json")).body).unwrap();
        let key = DecodingKey::from_jwk(set.find("k").unwrap()).unwrap();
        let mut validation = Validation::new(jsonwebtoken::Algorithm::from_str(row.0).unwrap());
        validation.set_issuer(&[row.issuer(preference)]);
        let claims = jsonwebtoken::decode::<Value>(wristband, &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "alice", "{what}");
        assert!(jsonwebtoken::decode::<Value>(&changed, &key, &validation).is_err(), "{what}");
    }

    /// In its log and in its gauges.
    fn says_who_computes(&self) {
        let log = self.envoy.log();
        for (row, preference, ..) in &self.rows {
            let by = if row.2 && *preference != "wasm" { "host" } else { "wasm" };
            let algorithm = row.0;
            for (role, says) in [
                ("sign", format!("crypto: sign {algorithm} by {by}, verify {algorithm} by {by}")),
                ("verify", format!("crypto: verify {algorithm} by {by}")),
            ] {
                let plugin = format!("wasm log: {role}-{algorithm}-{preference}: ");
                let lines = log.lines().filter_map(|line| line.split_once(&plugin)).map(|(_, text)| text);
                let said: BTreeSet<_> = lines.filter(|text| text.starts_with("crypto: ")).collect();
                assert_eq!(said, BTreeSet::from([says.as_str()]), "{plugin}");
            }
            for operation in ["sign", "verify"] {
                let stats = self.envoy.admin("/stats?filter=wristband.crypto");
                let gauge =
                    format!("wasmcustom.wristband.crypto.operation.{operation}.algorithm.{algorithm}.by.{by}: 1");
                assert!(stats.lines().any(|line| line == gauge), "{gauge}\n{stats}");
            }
        }
    }
}

/// A token of another implementation, and what is not quite one.
fn verifies_others(row: &Row, preference: &str, url: &str) {
    let what = format!("{} by {preference}", row.0);
    let mut connection = Connection::new(url);
    let mut ask = |token: &str| outcome(&connection.get("/", &[("x-wristband-token", token.as_bytes())]));
    let token = row.token(preference, row.0);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(ask(&token), "ok", "{what}");

    let mut wrong: Vec<(String, Vec<u8>)> = Vec::new();
    let last = signature.len() * 8 - 1;
    for bit in [0, 7, 8, last / 2, last / 2 + 1, last - 7, last] {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        wrong.push((format!("bit {bit}"), flipped));
    }
    wrong.push(("cut at its end".into(), signature[..signature.len() - 1].to_vec()));
    wrong.push(("cut at its start".into(), signature[1..].to_vec()));
    wrong.push(("a byte behind".into(), [&signature[..], &[0]].concat()));
    wrong.push(("a byte before".into(), [&[0], &signature[..]].concat()));
    wrong.push(("empty".into(), Vec::new()));
    wrong.push(("zeros".into(), vec![0; signature.len()]));
    wrong.push(("another message's".into(), row.signature(b"wristband")));
    // By the same key, under the right name.
    for other in ALGORITHMS.iter().filter(|other| other.1 == row.1 && other.0 != row.0) {
        wrong.push((other.0.to_owned(), other.signature(input.as_bytes())));
    }
    if let Some(der) = der(&signature, row) {
        wrong.push(("DER".into(), der));
    }
    for (how, signature) in wrong {
        assert_eq!(ask(&format!("{input}.{}", encode(signature))), "bad_signature", "{what}: {how}");
    }
    for other in ALGORITHMS.iter().map(|other| other.0).filter(|other| *other != row.0).chain(["none", "HS256"]) {
        assert_eq!(ask(&row.token(preference, other)), "wrong_algorithm", "{what}: as {other}");
    }
    assert_eq!(ask(&token), "ok", "{what}: after all that");
}

/// How the host writes it.
fn der(signature: &[u8], row: &Row) -> Option<Vec<u8>> {
    Some(match row.0 {
        "ES256" => p256::ecdsa::Signature::from_slice(signature).unwrap().to_der().as_bytes().to_vec(),
        "ES384" => p384::ecdsa::Signature::from_slice(signature).unwrap().to_der().as_bytes().to_vec(),
        "ES512" => p521::ecdsa::Signature::from_slice(signature).unwrap().to_der().as_bytes().to_vec(),
        _ => return None,
    })
}

#[test]
fn every_algorithm_of_the_host_is_everyone_elses_too() {
    Gateways::start(&["auto", "host"]).check();
}

#[test]
fn every_algorithm_of_the_vm_is_everyone_elses_too() {
    Gateways::start(&["wasm"]).check();
}

#[test]
fn what_the_host_does_not_have_is_refused_where_it_is_wanted() {
    let rows: Vec<_> = ALGORITHMS.iter().filter(|row| !row.2).collect();
    let configurations =
        rows.iter().flat_map(|row| [as_text(&row.signs("host")), as_text(&row.verifies("host"))]).collect();
    let environment = environment();
    let variables: Vec<_> = environment.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let expected: Vec<_> = rows
        .iter()
        .flat_map(|row| [("signingKeyRefs[0]", "sign", row.0), ("peers[0].keys[0]", "verify", row.0)])
        .map(|(path, operation, name)| {
            format!("{path}.algorithm: the host cannot {operation} with `{name}`; leave `crypto: host` out")
        })
        .collect();
    assert_eq!(refusals(configurations, &variables), expected);
}

#[test]
fn a_key_that_is_only_published_may_be_one_that_the_host_does_not_have() {
    let (own, published) = (&ALGORITHMS[0], &ALGORITHMS[9]);
    let mut plugin = own.signs("host");
    plugin.as_object_mut().unwrap().remove("verify");
    let public = key(&format!("{}.pub", published.1));
    let reference = json!({"name": "p", "algorithm": published.0, "key": {"inlineString": public}});
    plugin["signingKeyRefs"].as_array_mut().unwrap().push(reference);
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let _envoy = Envoy::start(&setup.bootstrap, &[(own.variable(), &key(own.1))]);
    let jwks = http::get(&format!("{}/.well-known/jwks.json", setup.urls[0])).json();
    assert_eq!((&jwks["keys"][0]["alg"], &jwks["keys"][1]["alg"]), (&json!("ES256"), &json!("EdDSA")));
}

#[test]
fn an_envoy_that_does_not_sign_verifies_all_the_same() {
    let row = &ALGORITHMS[0];
    let pem = key(row.1);
    let start = |plugin: Value| {
        let mut filter = filter(&plugin);
        as_before_1_40(&mut filter);
        let setup = gateways(vec![vec![filter]]);
        let environment = [(row.variable(), pem.as_str())];
        let directory = TempDir::new().unwrap();
        let envoy = Envoy::try_start_binary(&binary_without_sign(), directory, &setup.bootstrap, &environment, &[]);
        envoy.map(|envoy| (envoy, setup.urls))
    };
    let (envoy, urls) = start(row.signs("auto")).unwrap_or_else(|refusal| panic!("{}", refusal.log));
    let log = envoy.log();
    assert!(log.contains("crypto: sign ES256 by wasm, verify ES256 by host"), "{log}");
    assert_eq!(
        envoy.admin("/stats?filter=wristband.crypto"),
        "wasmcustom.wristband.crypto.operation.sign.algorithm.ES256.by.wasm: 1\n\
         wasmcustom.wristband.crypto.operation.verify.algorithm.ES256.by.host: 1\n"
    );
    let answer = http::get_with(&urls[0], &[("x-user", "alice")]);
    let wristband = answer.wristband().unwrap_or_else(|| panic!("{answer:?}"));
    let ask = |token: &str| outcome(&http::get_with(&urls[0], &[("x-wristband-token", token)]));
    assert_eq!(ask(wristband), "ok");
    assert_eq!(ask(&row.token("auto", "ES256")), "ok");
    let (start_of_it, _) = wristband.split_at(wristband.len() - 8);
    assert_eq!(ask(&format!("{start_of_it}AAAAAAAA")), "bad_signature");

    let Err(refusal) = start(row.signs("host")) else { panic!("it cannot sign") };
    let problem = "signingKeyRefs[0].algorithm: the host cannot sign with `ES256`; leave `crypto: host` out";
    assert!(refusal.log.contains(problem), "{}", refusal.log);
    // What it has, it may be asked for.
    assert!(start(row.verifies("host")).is_ok());
}

//! What the native tests share: a host that answers as it is told, worthless keys, and tokens made of any text.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use prost::Message as _;
use serde_json::{Value, json};

use crate::compile::{self, Compiled};
use crate::denial::Denial;
use crate::encoding::{pairs, protobuf};
use crate::gateway::Gateway;
use crate::host::{Crypto, ExpressionId, Expressions, Function, Host, Setup, Written};
use crate::http::headers::HeaderName;
use crate::http::reply::Reply;
use crate::jose::base64url;
use crate::time::{Moment, Timestamp};
use crate::verify::Verified;

pub(crate) const A: &str = "https://cluster-a.example.com";
pub(crate) const B: &str = "https://cluster-b.example.com";
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);

pub(crate) const A_PEM: &str = include_str!("../testdata/worthless-keys/cluster-a-2026-11.pem");
pub(crate) const A_PUB: &str = include_str!("../testdata/worthless-keys/cluster-a-2026-11.pub.pem");
pub(crate) const A_NEXT_PUB: &str = include_str!("../testdata/worthless-keys/cluster-a-2027-02.pub.pem");
pub(crate) const B_PEM: &str = include_str!("../testdata/worthless-keys/cluster-b-2026-10.pem");
pub(crate) const B_PUB: &str = include_str!("../testdata/worthless-keys/cluster-b-2026-10.pub.pem");

/// A host with an environment and expressions, whose ids are their places in the list. One named `broken` does not
/// compile; one without bytes has no value.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) environment: HashMap<&'static str, String>,
    pub(crate) values: HashMap<String, Vec<u8>>,
    /// What it returns for an expression as it was compiled, wrapper and all.
    pub(crate) raw: HashMap<String, Vec<u8>>,
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) plugin_name: &'static str,
    pub(crate) no_random: bool,
    pub(crate) no_shared: bool,
    /// What becomes of every write; `None`: it is done.
    pub(crate) write_fails: Option<Written>,
    /// Values and their versions.
    pub(crate) shared: std::cell::RefCell<HashMap<String, (Vec<u8>, u32)>>,
    /// What another worker writes just before our next write.
    pub(crate) meanwhile: std::cell::RefCell<Option<Vec<u8>>>,
    pub(crate) moment: std::cell::Cell<Moment>,
    pub(crate) certificate: Option<&'static str>,
    pub(crate) compiled: std::cell::RefCell<Vec<String>>,
    /// What was evaluated, in this order.
    pub(crate) evaluated: std::cell::RefCell<Vec<String>>,
}

impl Crypto for Fake {
    fn call(&self, _function: Function, _arguments: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        !self.no_random
    }
}

impl Setup for Fake {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.environment.get(name).map(|text| text.clone().into_bytes())
    }

    fn plugin_name(&self) -> String {
        self.plugin_name.to_owned()
    }

    fn reserve(&self, key: &str) -> bool {
        self.shared.borrow_mut().entry(key.to_owned()).or_insert((Vec::new(), 1));
        !self.no_shared
    }
}

impl Expressions for Fake {
    fn compile(&self, source: &str) -> Option<ExpressionId> {
        if source == "broken" {
            return None;
        }
        let mut compiled = self.compiled.borrow_mut();
        compiled.push(source.to_owned());
        Some(ExpressionId(u32::try_from(compiled.len() - 1).unwrap()))
    }

    fn discard(&self, _expression: ExpressionId) {}
}

impl Host for Fake {
    fn moment(&self) -> Moment {
        self.moment.get()
    }

    fn evaluate(&self, expression: ExpressionId) -> Option<Vec<u8>> {
        let compiled = self.compiled.borrow();
        let source = &compiled[usize::try_from(expression.0).unwrap()];
        self.evaluated.borrow_mut().push(source.clone());
        if let Some(raw) = self.raw.get(source) {
            return Some(raw.clone());
        }
        // The expression that asks for the types too: every value of this host is a string, unless it is one byte.
        if let Some(inner) = source.strip_prefix('[').and_then(|rest| rest.split("\n]").next()) {
            let value = self.values.get(inner)?;
            let flags: &[[u8; 1]] = if value.len() == 1 { &[[0], [0], [0], [0], [1]] } else { &[[1]] };
            let flags = pairs::write(&flags.iter().map(|flag| (&flag[..], &b""[..])).collect::<Vec<_>>());
            return Some(pairs::write(&[(&flags, b""), (value, b""), (&[0; 8], b"")]));
        }
        self.values.get(source).cloned()
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        self.metadata.clone()
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        self.certificate.map(|digest| digest.as_bytes().to_vec())
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.shared.borrow().get(key).filter(|_| !self.no_shared).cloned()
    }

    fn share(&self, key: &str, value: &[u8], version: u32) -> Written {
        if let Some(failure) = self.write_fails {
            return failure;
        }
        let mut shared = self.shared.borrow_mut();
        let current = shared.get_mut(key).unwrap();
        if let Some(value) = self.meanwhile.take() {
            *current = (value, current.1 + 1);
        }
        // As in Envoy, zero writes in any case.
        if version != 0 && version != current.1 {
            return Written::Overtaken;
        }
        *current = (value.to_vec(), current.1 + 1);
        Written::Done
    }
}

/// `envoy.config.core.v3.Metadata`, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: std::collections::BTreeMap<String, prost_types::Struct>,
}

/// Dynamic metadata as Envoy serializes it, by its namespaces.
pub(crate) fn metadata(namespaces: &Value) -> Vec<u8> {
    let message = |namespace: &Value| {
        let bytes = protobuf::struct_bytes(namespace.as_object().unwrap());
        prost_types::Struct::decode(&*bytes).unwrap()
    };
    let namespaces = namespaces.as_object().unwrap().iter();
    let filter_metadata = namespaces.map(|(name, namespace)| (name.clone(), message(namespace))).collect();
    Metadata { filter_metadata }.encode_to_vec()
}

/// What a gateway says to a token, with nothing remembered.
pub(crate) fn verify(gateway: &Gateway, token: &[u8], now: Timestamp, host: &Fake) -> Result<Verified, Denial> {
    gateway
        .verification
        .as_ref()
        .unwrap()
        .verifier
        .verify(token, &gateway.ring(), now, host)
        .map_err(|refused| refused.cause.denial())
}

/// An entry of `signingKeyRefs` or `keys`.
pub(crate) fn key(name: &str, pem: &str) -> Value {
    json!({"name": name, "algorithm": "ES256", "key": {"inlineString": pem}})
}

pub(crate) fn load(configuration: &Value) -> Result<Compiled, String> {
    load_with(configuration, &Fake::default())
}

pub(crate) fn load_with(configuration: &Value, host: &Fake) -> Result<Compiled, String> {
    let mut configuration = configuration.clone();
    if let Some(members) = configuration.as_object_mut() {
        members.entry("allowWorthlessKeys").or_insert(true.into());
    }
    compile::load(configuration.to_string().as_bytes(), host)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// A gateway of cluster A that verifies itself and B, and signs.
pub(crate) fn gateway_a() -> Value {
    json!({
        "allowWorthlessKeys": true,
        "issuer": A,
        "signingKeyRefs": [key("a", A_PEM)],
        "peers": [{"issuer": B, "keys": [key("b", B_PUB)]}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

/// Signs header and payload as they are.
pub(crate) fn sign_text(pem: &str, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let pem = pem::parse(pem).unwrap();
    let signature: Signature = SigningKey::from_pkcs8_der(pem.contents()).unwrap().sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(signature.to_bytes()))
}

/// A token with this `kid`.
pub(crate) fn sign(pem: &str, name: &str, claims: &Value) -> String {
    sign_text(pem, &json!({"alg": "ES256", "kid": name, "typ": "JWT"}).to_string(), &claims.to_string())
}

/// Claims that are valid at [`NOW`].
pub(crate) fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": "alice", "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 300, "jti": "1"})
}

/// The secret of a private key, as it stands in a JWK.
pub(crate) fn secret(pem: &str) -> String {
    let pem = pem::parse(pem).unwrap();
    base64url::encode(p256::SecretKey::from_pkcs8_der(pem.contents()).unwrap().to_bytes())
}

/// A public key that nobody has published, as a JWK.
pub(crate) fn fresh_public_key() -> String {
    let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let point = p256::ecdsa::SigningKey::from(secret).verifying_key().to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| base64url::encode(bytes.unwrap());
    json!({"kty": "EC", "crv": "P-256", "x": coordinate(point.x()), "y": coordinate(point.y())}).to_string()
}

impl Reply {
    /// Its headers as text.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        pairs::read(&self.headers).unwrap().into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }
}

impl PartialEq<str> for HeaderName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for HeaderName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

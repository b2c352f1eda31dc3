//! What stands around a gateway of cluster A: its callers, their identity provider, the peer B, a service behind it.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config::{self, listener};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, Answer};
use crate::support::sample::visit;
use crate::support::token::{self, A, B};

pub const HOST: &str = "cluster-a.example.com";
pub const LOGIN: &str = "https://login.example.com";
const OUTSIDE: [&str; 2] = ["cluster-b.example.com", "login.example.com"];

/// Listeners for all that is not the gateway, and how to find them.
pub struct Surroundings {
    pub directory: TempDir,
    pub listeners: Vec<Value>,
    /// Where the gateway listens.
    pub port: u16,
    /// Where the names outside lead to, over TLS.
    pub outside: u16,
    pub service: u16,
}

impl Surroundings {
    pub fn new() -> Self {
        let [port, outside, service] = [free_port(), free_port(), free_port()];
        let mut surroundings =
            Self { directory: TempDir::new().unwrap(), listeners: vec![config::echo(service)], port, outside, service };
        let names = surroundings.names_outside();
        surroundings.listeners.push(names);
        surroundings
    }

    /// Hands out the keys of B and of the identity provider, to who knows their authority.
    fn names_outside(&self) -> Value {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "authority");
        let authority_key = KeyPair::generate().unwrap();
        fs::write(self.authority(), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(OUTSIDE.map(str::to_owned)).unwrap();
        let certificate = certificate.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
        let mut listener = listener("outside", self.outside, Vec::new(), json!([]));
        let chain = &mut listener["filter_chains"][0];
        chain["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {"tls_certificates": [{
                    "certificate_chain": {"inline_string": certificate.pem()},
                    "private_key": {"inline_string": key.serialize_pem()},
                }]},
            },
        });
        let hosts = OUTSIDE.iter().zip(["cluster-b-2026-10", "identity-provider"]).map(|(name, key)| {
            let body = json!({"inline_string": config::jwks(key).to_string()});
            let routes =
                json!([{"match": {"prefix": "/.well-known/"}, "direct_response": {"status": 200, "body": body}}]);
            json!({"name": name, "domains": [name], "routes": routes})
        });
        chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"] = hosts.collect();
        listener
    }

    /// The authority that has signed the certificates of the names outside.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// Leads the addresses of a configuration to what stands here. All else in it stays as it is.
    pub fn settle(&self, configuration: &mut Value) {
        visit(configuration, &mut |members| {
            if let Some(address) = members.get_mut("socket_address") {
                let port = match address["address"].as_str().unwrap() {
                    "0.0.0.0" => self.port,
                    name if OUTSIDE.contains(&name) => self.outside,
                    "service" => self.service,
                    "127.0.0.1" if address["port_value"] == 8081 => self.service,
                    _ => return,
                };
                *address = json!({"address": "127.0.0.1", "port_value": port});
            }
            if let Some(authority) = members.get_mut("trusted_ca") {
                assert_eq!(authority["filename"], "/etc/ssl/certs/ca-certificates.crt");
                *authority = json!({"filename": self.authority()});
            }
        });
    }

    pub fn gateway(&self) -> Gateway {
        Gateway { url: format!("http://127.0.0.1:{}", self.port) }
    }
}

/// A gateway of cluster A, as its callers see it.
#[derive(Clone)]
pub struct Gateway {
    url: String,
}

impl Gateway {
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> = [("host", HOST)].iter().chain(headers).copied().collect();
        http::get_with(&format!("{}{path}", self.url), &headers)
    }

    /// With a token of the identity provider.
    pub fn login(&self) -> Answer {
        let mut claims = token::claims(LOGIN);
        claims["aud"] = "cluster-a".into();
        let token = token::sign("identity-provider", &claims);
        self.get("/login", &[("authorization", &format!("Bearer {token}"))])
    }

    /// A wristband, and the name of the key that has signed it.
    pub fn wristband(&self) -> (String, String) {
        let answer = self.login();
        let wristband = answer.wristband().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let kid = token::header(&wristband)["kid"].as_str().unwrap().to_owned();
        (wristband, kid)
    }

    /// With a wristband, and a header that only the filter may write.
    pub fn present(&self, wristband: &str) -> Answer {
        self.get("/orders", &[("x-wristband-token", wristband), ("x-wristband-sub", "mallory")])
    }

    pub fn certs(&self) -> Answer {
        self.get("/.well-known/openid-connect/certs", &[])
    }

    /// The names of the published keys, in their order.
    pub fn published(&self) -> Vec<String> {
        let keys = self.certs().json();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// That a new caller is turned away with this status, that a login brings a wristband which the published keys verify, and
    /// that one of the peer is let in.
    pub fn does_its_work(&self, anonymous: u16) {
        let answer = self.get("/orders", &[("x-wristband-sub", "mallory")]);
        assert_eq!(answer.status, anonymous, "{answer:?}");
        let (wristband, kid) = self.wristband();
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&self.certs().body).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
        validation.set_audience(&["federation"]);
        validation.set_issuer(&[A]);
        let claims = jsonwebtoken::decode::<Value>(&wristband, &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "alice");
        let configuration = self.get("/.well-known/openid-configuration", &[]).json();
        assert_eq!(configuration["jwks_uri"], format!("{A}/.well-known/openid-connect/certs"));

        let answer = self.present(&of_b("cluster-b-2026-10"));
        assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")), "{answer:?}");
        assert_eq!((answer.received("x-wristband-iss"), answer.received("x-wristband-token")), (Some(B), None));
        assert_eq!(self.present(&of_b("stranger")).status, 401);
        assert_eq!(self.get("/login", &[("authorization", "Bearer x.y.z")]).status, 401);
    }
}

/// A wristband in the name of B, signed by one of the keys.
pub fn of_b(key: &str) -> String {
    let mut claims = token::claims(B);
    claims["aud"] = "federation".into();
    let header = json!({"alg": "ES256", "kid": "cluster-b-2026-10", "typ": "JWT"});
    token::sign_text(key, &header.to_string(), &claims.to_string())
}

/// The metrics as Prometheus sees them, without comments.
pub fn metrics(envoy: &Envoy) -> Vec<String> {
    let text = envoy.admin("/stats/prometheus");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

pub fn assert_metric(envoy: &Envoy, expected: &str) {
    let metrics = metrics(envoy);
    let ours: Vec<_> = metrics.iter().filter(|line| line.starts_with("wristband")).collect();
    assert!(metrics.iter().any(|line| line.starts_with(expected)), "{expected}: {ours:#?}");
}

/// A configuration that no filter takes.
pub fn wrong(configuration: &Value) -> Value {
    let mut wrong = configuration.clone();
    wrong["nonsense"] = 1.into();
    wrong
}

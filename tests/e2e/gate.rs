//! Verifying gateways under test, and what they answer.

use serde_json::{Value, json};

use crate::support::config::{filter, gateways, public};
use crate::support::envoy::Envoy;
use crate::support::http::{Answer, Connection};
use crate::support::token::{self, A, B};

/// The denials that are possible without further configuration: their code, and the text that the client sees.
pub const DENIALS: [(&str, &str); 11] = [
    ("missing", "no token"),
    ("ambiguous", "more than one token"),
    ("too_large", "token is too large"),
    ("malformed", "token is malformed"),
    ("unknown_issuer", "issuer of the token is not trusted"),
    ("wrong_algorithm", "algorithm of the token is not allowed"),
    ("unknown_key", "key of the token is not known"),
    ("expired", "token has expired"),
    ("not_yet_valid", "token is not yet valid"),
    ("wrong_audience", "token is meant for another audience"),
    ("bad_signature", "signature of the token is not valid"),
];

/// Those that need a field of their own.
const FURTHER: [(&str, &str); 2] =
    [("ended_key", "key of the token has ended"), ("wrong_type", "type of the token is not accepted")];

/// A gateway that trusts one key of cluster A, its own issuer, and one of cluster B.
pub fn plugin(verify: &Value) -> Value {
    json!({
        "issuer": A,
        "signingKeyRefs": [public("cluster-a-2026-11")],
        "peers": [{"issuer": B, "keys": [public("cluster-b-2026-10")]}],
        "verify": verify,
    })
}

/// The code of an answer, `ok` if the request passed.
pub fn outcome(answer: &Answer) -> &'static str {
    if answer.status == 200 {
        return "ok";
    }
    assert_eq!(answer.status, 401, "{answer:?}");
    let text = &answer.json()["error_description"];
    let row = DENIALS.iter().chain(&FURTHER).find(|row| *text == row.1);
    row.unwrap_or_else(|| panic!("{text}")).0
}

/// Gateways in one Envoy, and a connection to each.
pub struct Gate {
    pub envoy: Envoy,
    pub urls: Vec<String>,
    connections: Vec<Connection>,
    good: String,
}

impl Gate {
    pub fn start(plugins: &[Value]) -> Self {
        Self::with_filters(plugins.iter().map(|plugin| vec![filter(plugin)]).collect())
    }

    pub fn with_filters(chains: Vec<Vec<Value>>) -> Self {
        let setup = gateways(chains);
        Self {
            envoy: Envoy::start(&setup.bootstrap, &[]),
            connections: setup.urls.iter().map(|url| Connection::new(url)).collect(),
            urls: setup.urls,
            good: token::of_a(),
        }
    }

    /// A request for `/` through one of the gateways.
    pub fn ask(&mut self, gateway: usize, headers: &[(&str, &[u8])]) -> Answer {
        self.connections[gateway].get("/", headers)
    }

    /// A request for another path.
    pub fn ask_for(&mut self, gateway: usize, path: &str, headers: &[(&str, &[u8])]) -> Answer {
        self.connections[gateway].get(path, headers)
    }

    /// A request with a token.
    pub fn present(&mut self, gateway: usize, token: impl AsRef<[u8]>) -> Answer {
        self.ask(gateway, &[("x-wristband-token", token.as_ref())])
    }

    /// What becomes of a token.
    pub fn outcome(&mut self, gateway: usize, token: impl AsRef<[u8]>) -> &'static str {
        outcome(&self.present(gateway, token))
    }

    /// Refuses a token with this code, whatever it was, and goes on to accept a good one.
    pub fn refuses(&mut self, what: &str, token: impl AsRef<[u8]>, code: &str) {
        assert_eq!(self.outcome(0, token), code, "{what}");
        self.still_works(what);
    }

    /// Accepts a good token, whatever came before.
    pub fn still_works(&mut self, after: &str) {
        let good = self.good.clone();
        assert_eq!(self.outcome(0, good), "ok", "a good token after: {after}");
    }
}

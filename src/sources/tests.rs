#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

mod own;
mod peers;

use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::gateway::{Admission, Decision, Gateway};
use crate::http::headers::Headers;
use crate::http::reply::Reply;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::keys::{Material, PublicKey};
use crate::testing::{Fake, NOW, load_with};
use crate::time::Timestamp;

const A: &str = crate::testing::A_PEM;
const A_NEXT: &str = include_str!("../../testdata/worthless-keys/cluster-a-2027-02.pem");
const B: &str = crate::testing::B_PEM;

/// A gateway whose keys are fetched, its clocks, and whoever answers it.
struct World {
    gateway: Gateway,
    host: Fake,
    store: Store,
    alive: Rc<()>,
    milliseconds: u64,
    under_way: Vec<Fetch>,
}

impl World {
    fn new(configuration: &Value) -> Self {
        let host = Fake::default();
        let gateway = load_with(configuration, &host).unwrap().gateway;
        let mut world = Self {
            gateway,
            host,
            store: Store::default(),
            alive: Rc::default(),
            milliseconds: 0,
            under_way: Vec::new(),
        };
        let now = world.now();
        world.gateway.join(&mut world.store, now, &world.host);
        world
    }

    /// Another configuration in the same VM. What the one before has called for comes to nothing.
    fn update(&mut self, configuration: &Value) {
        let gateway = load_with(configuration, &self.host).unwrap().gateway;
        let now = self.now();
        gateway.join(&mut self.store, now, &self.host);
        self.gateway = gateway;
        self.alive = Rc::default();
        self.under_way.clear();
    }

    fn now(&self) -> Now {
        let time = Timestamp(NOW.0 + i64::try_from(self.milliseconds / 1000).unwrap());
        Now { time, moment: Moment(self.milliseconds) }
    }

    /// Ticks so many seconds after the beginning: whom it asks.
    fn tick_at(&mut self, seconds: u64) -> (Vec<Which>, Vec<News>) {
        self.milliseconds = seconds * 1000;
        self.host.moment.set(Moment(self.milliseconds));
        let (fetches, news) = self.gateway.on_tick(self.now(), &self.alive, &self.host);
        let asked = fetches.iter().map(|fetch| fetch.which).collect();
        self.under_way.extend(fetches);
        (asked, news)
    }

    /// Answers what is under way.
    fn answer(&mut self, outcome: &Outcome) -> Vec<News> {
        let fetch = self.under_way.remove(0);
        self.gateway.on_fetched(fetch.which, fetch.since, outcome, self.now(), &self.host)
    }

    fn ask(&self, headers: &[(&str, &str)]) -> Admission {
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        self.gateway.on_request(&Headers::new(pairs), self.now().time, &self.host)
    }

    fn document(&self, path: &str) -> Rc<Reply> {
        let Admission::Answered(reply) = self.ask(&[(":method", "GET"), (":path", path)]) else { panic!("{path}") };
        reply
    }

    /// The names in the JWKS; `None`: it cannot be had yet.
    fn published(&self) -> Option<Vec<String>> {
        let reply = self.document("/.well-known/jwks.json");
        if reply.status == 503 {
            return None;
        }
        let set: Value = serde_json::from_str(&reply.body).unwrap();
        Some(set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect())
    }

    /// A wristband for Alice.
    fn sign(&self) -> Option<String> {
        let headers = [(":method", "GET"), (":path", "/"), ("x-user", "alice")];
        let Admission::Admitted(_, mut admitted) = self.ask(&headers) else { panic!() };
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let now = self.now().time;
        self.gateway.on_admitted(&mut admitted, &Headers::new(pairs), now, &self.host);
        let response = Headers::new(vec![(b":status", b"200")]);
        let Decision::Forward(edits) = self.gateway.on_response(Some(admitted), &response, now, &self.host) else {
            panic!()
        };
        edits.set.into_iter().find(|(name, _)| name == "x-wristband-token").map(|(_, token)| token)
    }

    /// The name of the key that signs.
    fn signs(&self) -> Option<String> {
        let token = self.sign()?;
        let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        Some(header["kid"].as_str().unwrap().to_owned())
    }

    /// What becomes of a request with this token.
    fn present(&self, token: &str) -> Admission {
        self.ask(&[(":method", "GET"), (":path", "/"), ("x-wristband-token", token)])
    }
}

fn body(text: impl Into<Vec<u8>>) -> Outcome {
    Outcome::Body(text.into().into(), None)
}

fn failed() -> Outcome {
    Outcome::Failed("the answer has status 503".to_owned())
}

fn public(pem: &str) -> PublicKey {
    match Material::parse(pem, Algorithm::Es256).unwrap() {
        Material::Private(key) => key.public_key(),
        Material::Public(key) => key,
    }
}

/// The name that a key has which has none.
fn thumbprint(pem: &str) -> String {
    public(pem).thumbprint()
}

/// The public half, as a JWK of this name.
fn jwk(pem: &str, name: &str) -> Value {
    let mut jwk: Value = serde_json::from_str(&public(pem).to_jwk().to_string()).unwrap();
    jwk["kid"] = name.into();
    jwk
}

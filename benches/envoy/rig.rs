//! One Envoy with many listeners, and what a request to one of them costs it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cpu;
use crate::load::Load;
use crate::statistics::real;
use crate::support::config::cluster;
use crate::support::envoy::{Envoy, free_port};
use crate::support::key;

/// The variable with our private key, and the key.
pub const VARIABLE: &str = "SIGNING_KEY";
pub const SIGNING_KEY: &str = "cluster-b-2026-10";

/// Parts of an Envoy that is not started yet.
#[derive(Default)]
pub struct Plan {
    listeners: Vec<Value>,
    ports: BTreeMap<String, u16>,
    clusters: Vec<Value>,
}

impl Plan {
    /// Adds a listener, which `make` writes for a port.
    pub fn listen(&mut self, name: &str, make: impl FnOnce(u16) -> Value) -> &mut Self {
        let port = free_port();
        self.listeners.push(make(port));
        let replaced = self.ports.insert(name.to_owned(), port);
        assert!(replaced.is_none(), "two listeners `{name}`");
        self
    }

    /// Makes a listener an upstream of the others.
    pub fn offer(&mut self, name: &str) -> &mut Self {
        self.clusters.push(cluster(name, self.ports[name]));
        self
    }

    /// Adds a server that is somewhere else.
    pub fn call(&mut self, cluster: Value) {
        self.clusters.push(cluster);
    }

    pub fn start(self, concurrency: &str) -> Rig {
        let bootstrap = json!({"static_resources": {"listeners": self.listeners, "clusters": self.clusters}});
        let environment = [(VARIABLE, key(SIGNING_KEY))];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let arguments = ["--concurrency", concurrency];
        let envoy = Envoy::try_start_in(TempDir::new().unwrap(), &bootstrap, &environment, &arguments);
        let envoy = envoy.unwrap_or_else(|refusal| panic!("Envoy exited with {}:\n{}", refusal.status, refusal.log));
        Rig { envoy, ports: self.ports }
    }
}

/// What has to come of every request of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passes,
    IsRefused,
}

impl Outcome {
    fn counter(self) -> &'static str {
        match self {
            Self::Passes => "2xx",
            Self::IsRefused => "4xx",
        }
    }
}

/// What has to come of every request, and what our filter calls it if it is the one that answers.
#[derive(Clone, Copy)]
pub struct Expected {
    pub outcome: Outcome,
    /// One of its counters.
    pub counter: Option<&'static str>,
}

impl Expected {
    pub const PASSES: Self = Self { outcome: Outcome::Passes, counter: None };
}

/// What a counter may miss beside one request in a hundred: those under way when the load ended.
const STRAYS: u64 = 32;

/// Requests that were answered, and the time that it took.
pub struct Cost {
    pub requests: u64,
    nanoseconds: u64,
}

impl Cost {
    /// Microseconds of a request.
    pub fn each(&self) -> f64 {
        real(self.nanoseconds / 1000) / real(self.requests)
    }
}

/// A running Envoy.
pub struct Rig {
    pub envoy: Envoy,
    pub ports: BTreeMap<String, u16>,
}

impl Rig {
    pub fn url(&self, listener: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[listener])
    }

    /// Sends requests for so long. What is refused is cheap, so a variant that refuses what it should accept would win:
    /// every single answer has to be of the one kind. A wristband that is not signed is cheap as well, and so is a token
    /// that should not have been remembered, and neither shows in the status: our filter has to have counted them.
    pub fn measure(&self, listener: &str, load: &Load, expected: Expected, time: Duration) -> Cost {
        let Expected { outcome, counter } = expected;
        let count = || counter.map_or(0, |counter| self.envoy.count(counter));
        let (answers, counted) = (self.answers(listener), count());
        let nanoseconds = cpu::of_workers(self.envoy.id());
        load.run(&self.url(listener), time);
        // The worker notices that the connections are gone.
        std::thread::sleep(Duration::from_millis(50));
        let nanoseconds = cpu::of_workers(self.envoy.id()) - nanoseconds;
        let after = self.answers(listener);
        let more = |name: &str| after[name] - answers[name];
        let (requests, as_expected) = (more("completed"), more(outcome.counter()));
        assert!(requests > 0, "{listener}: no request was answered");
        assert_eq!(as_expected, requests, "{listener}: not every request {outcome:?}: {answers:?} {after:?}");
        if let Some(counter) = counter {
            let counted = count() - counted;
            assert!(counted + STRAYS + requests / 100 >= requests, "{listener}: {counted} of {requests} `{counter}`");
        }
        load.advance(requests);
        Cost { requests, nanoseconds }
    }

    /// The answers of a listener so far, by kind.
    fn answers(&self, listener: &str) -> BTreeMap<String, u64> {
        let prefix = format!("http.{listener}.downstream_rq_");
        let stats = self.envoy.admin(&format!("/stats?filter=^{prefix}"));
        let counters = stats.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(": "));
        counters.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }
}

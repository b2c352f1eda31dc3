//! A federation of a thousand clusters, as one gateway of it sees it. What is printed is in `docs/performance.md`:
//! `cargo test --test e2e fleet:: -- --nocapture`.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::jwks_server::{JwksServer, answer, ok};
use crate::support::config::{self, allow_fetching, cluster, filter, gateways};
use crate::support::envoy::Envoy;
use crate::support::http;
use crate::support::token::{claims, jwk, sign};

const KEY: &str = "cluster-b-2026-10";

fn issuer(index: usize) -> String {
    format!("https://c{index}.example.com")
}

/// A gateway that fetches the keys of so many others.
fn gateway(peers: usize, server: &JwksServer) -> (Envoy, String) {
    let peer =
        |index| json!({"issuer": issuer(index), "label": format!("c{index}"), "remoteJwks": {"cluster": "sets"}});
    let peers: Vec<Value> = (0..peers).map(peer).collect();
    let mut filter = filter(&json!({"peers": peers, "verify": {}}));
    allow_fetching(&mut filter);
    let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![filter]]);
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster("sets", server.port));
    (Envoy::start(&bootstrap, &[]), urls[0].clone())
}

fn megabytes(envoy: &Envoy) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", envoy.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// How many sets have come.
fn fetched(envoy: &Envoy) -> usize {
    let stats = envoy.admin("/stats?filter=jwks_fetched_timestamp_seconds");
    stats.lines().filter(|line| line.contains(".peer.c") && !line.ends_with(": 0")).count()
}

#[test]
fn a_gateway_learns_the_keys_of_a_thousand_others_and_loses_none_when_they_are_gone() {
    let server = JwksServer::start(ok(&json!({"keys": [jwk(KEY)]})));
    let (one, _) = gateway(1, &server);
    one.wait_until("the set has come", |envoy| fetched(envoy) == 1);
    let alone = megabytes(&one);
    drop(one);
    let asked = server.asked();
    let started = Instant::now();
    let (envoy, url) = gateway(1_000, &server);
    let ready = started.elapsed();
    envoy.wait_until("all sets have come", |envoy| fetched(envoy) == 1_000);
    println!(
        "a thousand peers: ready after {:.1} s, every key known {:.1} s later, {:.0} MB more than with one",
        ready.as_secs_f64(),
        (started.elapsed() - ready).as_secs_f64(),
        megabytes(&envoy) - alone
    );
    // Each VM, of which there is one more than workers, has its turn, and none asks for all at once.
    let count = |name: &str| envoy.counter(&format!("cluster.sets.{name}"));
    assert!(count("upstream_cx_total") <= 3 * 64, "{}", count("upstream_cx_total"));
    assert!(server.asked() - asked <= 3 * 1_000, "{}", server.asked() - asked);
    assert!(!envoy.admin("/stats?filter=jwks_failures").lines().any(|line| !line.ends_with(": 0")));
    for index in [0, 499, 999] {
        let token = sign(KEY, &claims(&issuer(index)));
        assert_eq!(http::get_with(&url, &[("x-wristband-token", &token)]).status, 200, "{index}");
    }
    // Whoever cannot be asked again has been heard.
    server.answer_with(answer("503 Service Unavailable", "", b""));
    let token = sign(KEY, &claims(&issuer(7)));
    assert_eq!(http::get_with(&url, &[("x-wristband-token", &token)]).status, 200);
}

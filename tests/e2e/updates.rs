//! Configurations that change while requests come in.

use serde_json::{Value, json};

use crate::live::{Client, Live};
use crate::support::config::{private, public};
use crate::support::http;
use crate::support::key;
use crate::support::token::{self, A, B, claims, sign};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";

fn gateway(duration: u32) -> Value {
    json!({
        "issuer": A,
        "tokenDuration": duration,
        "signingKeyRefs": [private(A1, "KEY"), public(A2)],
        "peers": [{"issuer": B, "keys": [public(B1)]}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "require"},
    })
}

/// A request with a peer's wristband, and how long the one lives that comes back.
fn duration(url: &str) -> u64 {
    let mut claims = claims(B);
    claims["exp"] = (token::now() + 80_000).into();
    let answer = http::get_with(url, &[("x-user", "alice"), ("x-wristband-token", &sign(B1, &claims))]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let payload = token::payload(answer.wristband().unwrap());
    payload["exp"].as_u64().unwrap() - payload["iat"].as_u64().unwrap() - token::BACKDATE
}

#[test]
fn a_bad_update_changes_nothing_a_good_one_applies_and_no_request_fails() {
    let live = Live::start(&[gateway(100)], &[("KEY", &key(A1)), ("OTHER", &key(A2))], &[]);
    let url = live.urls[0].clone();
    let asked = url.clone();
    let client = Client::start(move || {
        let duration = duration(&asked);
        assert!(matches!(duration, 100 | 200), "{duration}");
    });

    let with = |change: &dyn Fn(&mut Value)| {
        let mut gateway = gateway(200);
        change(&mut gateway);
        gateway
    };
    let bad = [
        (with(&|gateway| gateway["tokenDuration"] = 0.into()), "tokenDuration: "),
        (with(&|gateway| gateway["signingKeyRefs"][1] = private(A2, "OTHER")), "signingKeyRefs[1].key: "),
        (with(&|gateway| gateway["signingKeyRefs"][0] = private(A1, "ABSENT")), "signingKeyRefs[0].key: "),
        (with(&|gateway| gateway["issue"]["identity"] = json!({"expression": "("})), "issue.identity.expression: "),
        (json!({}), "the configuration is empty"),
    ];
    for (plugin, reason) in bad {
        live.update_is_refused(&[plugin]);
        for _ in 0..20 {
            assert_eq!(duration(&url), 100, "the old one is in force after {reason}");
        }
        let reason = format!("configuration rejected: {reason}");
        assert!(live.envoy.log().contains(&reason), "{reason}");
    }

    live.update_applies(&[gateway(200)], || duration(&url) == 200);
    // There and back, and to another set of keys that still has the peer's.
    live.update_applies(&[gateway(100)], || duration(&url) == 100);
    live.update_is_refused(&[with(&|gateway| gateway["verify"] = json!({"mode": "off"}))]);
    let rotated = with(&|gateway| gateway["signingKeyRefs"] = json!([private(A2, "OTHER"), public(A1)]));
    live.update_applies(&[rotated], || duration(&url) == 200);

    let served = client.stop();
    assert!(served > 20, "{served} requests were sent meanwhile");
    assert_eq!(live.envoy.counter("listener_manager.lds.update_rejected"), 6);
    // A gateway never let anybody in because it was being configured.
    assert_eq!(http::get(&url).status, 401);
}

#[test]
fn counters_go_on_over_an_update() {
    let live = Live::start(&[gateway(100)], &[("KEY", &key(A1))], &[]);
    let url = live.urls[0].clone();
    duration(&url);
    let before = live.envoy.count("issued");
    assert!(before >= 1);
    live.update_applies(&[gateway(200)], || duration(&url) == 200);
    let after = live.envoy.count("issued");
    assert!(after > before);
    duration(&url);
    assert_eq!(live.envoy.count("issued"), after + 1, "once each, not once for every configuration so far");
}

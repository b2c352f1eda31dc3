//! Counters.

use serde_json::json;

use crate::gate::{DENIALS, Gate, plugin};
use crate::support::http;

const SKIPPED: [&str; 17] = [
    "no_identity",
    "no_subject",
    "claim_missing",
    "claim_too_large",
    "actor",
    "response_status",
    "condition",
    "own_wristband",
    "peer_wristband",
    "redirected",
    "expired",
    "no_certificate",
    "too_many_hops",
    "loop",
    "too_large",
    "no_key",
    "signing_failed",
];

/// The denials beside those of every gateway.
const CONFIGURED: [&str; 11] = [
    "keys_unavailable",
    "replay_full",
    "forged_header",
    "ended_key",
    "wrong_binding",
    "wrong_type",
    "revoked",
    "wrong_subject",
    "too_long_lived",
    "wrong_certificate",
    "replayed",
];

#[test]
fn every_counter_exists_from_the_start_and_nothing_is_counted_twice() {
    let gate = Gate::start(&[plugin(&json!({}))]);
    let stats = gate.envoy.admin("/stats?filter=wasmcustom");
    let mut names: Vec<String> =
        ["issued", "verified", "claim_dropped", "replay_forgotten", "discovery"].map(str::to_owned).into();
    names.extend(["token_cache.hit", "token_cache.miss", "issue_reuse.hit", "issue_reuse.miss"].map(str::to_owned));
    names.extend(SKIPPED.map(|code| format!("issue_skipped.{code}")));
    let denials: Vec<_> = DENIALS.into_iter().map(|(code, _)| code).chain(CONFIGURED).collect();
    names.extend(denials.iter().map(|code| format!("denied.{code}")));
    // An absent token is not counted.
    names.extend(denials.iter().filter(|code| **code != "missing").map(|code| format!("observed.{code}")));
    names.sort();
    let mut counters: Vec<_> = stats.lines().filter(|line| !line.contains(".host_crypto.")).collect();
    counters.sort_unstable();
    assert_eq!(counters, names.iter().map(|name| format!("wasmcustom.wristband.{name}: 0")).collect::<Vec<_>>());

    http::get(&format!("{}/.well-known/jwks.json", gate.urls[0]));
    http::get(&format!("{}/", gate.urls[0]));
    let stats = gate.envoy.admin("/stats?filter=wasmcustom");
    // Beside the counters stand the gauges of who computes.
    let counters = stats.lines().filter(|line| !line.contains(".host_crypto."));
    let counted: Vec<_> = counters.filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(counted, ["wasmcustom.wristband.denied.missing: 1", "wasmcustom.wristband.discovery: 1"]);
}

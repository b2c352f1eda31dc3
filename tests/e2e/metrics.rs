//! Counters.

use serde_json::json;

use crate::gate::{DENIALS, Gate, plugin};
use crate::support::http;

const SKIPPED: [&str; 6] =
    ["no_identity", "no_subject", "response_status", "condition", "own_wristband", "signing_failed"];

#[test]
fn every_counter_exists_from_the_start_and_nothing_is_counted_twice() {
    let gate = Gate::start(&[plugin(&json!({}))]);
    let stats = gate.envoy.admin("/stats?filter=wasmcustom");
    let mut names: Vec<String> = ["issued", "verified", "discovery"].map(str::to_owned).into();
    names.extend(SKIPPED.map(|code| format!("issue_skipped.{code}")));
    names.extend(DENIALS.map(|(code, _)| format!("denied.{code}")));
    // An absent token is not counted.
    let observed = DENIALS.iter().filter(|(code, _)| *code != "missing");
    names.extend(observed.map(|(code, _)| format!("observed.{code}")));
    for name in &names {
        let line = format!("wasmcustom.wristband.{name}: 0");
        assert!(stats.lines().any(|found| found == line), "{line}\n{stats}");
    }

    http::get(&format!("{}/.well-known/jwks.json", gate.urls[0]));
    http::get(&format!("{}/", gate.urls[0]));
    let stats = gate.envoy.admin("/stats?filter=wasmcustom");
    // Beside the counters stand the gauges of who computes.
    let counters = stats.lines().filter(|line| !line.contains(".host_crypto."));
    let counted: Vec<_> = counters.filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(counted, ["wasmcustom.wristband.denied.missing: 1", "wasmcustom.wristband.discovery: 1"]);
}

//! Metrics, as Envoy has them and as Prometheus reads them.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::gate::{Gate, plugin};
use crate::live::Live;
use crate::support::config::{filter, gateways, private, public, stats_tags};
use crate::support::envoy::Envoy;
use crate::support::http::{self, get_with};
use crate::support::key;
use crate::support::token::{self, A, B};

const A_KEY: &str = "cluster-a-2026-11";

/// Gateways with plugins of these names.
fn start(plugins: &[(&str, Value)], arguments: &[&str]) -> (Envoy, Vec<String>) {
    let chains = plugins.iter().map(|(name, plugin)| {
        let mut filter = filter(plugin);
        filter["typed_config"]["config"]["name"] = (*name).into();
        vec![filter]
    });
    let setup = gateways(chains.collect());
    let mut bootstrap = setup.bootstrap;
    bootstrap["stats_config"] = json!({"stats_tags": stats_tags()});
    (Envoy::try_start(&bootstrap, &[("KEY", &key(A_KEY))], arguments).unwrap(), setup.urls)
}

/// What Prometheus reads of the filter, without comments.
fn prometheus(envoy: &Envoy) -> Vec<String> {
    let page = envoy.admin("/stats/prometheus?filter=wasmcustom");
    page.lines().filter(|line| line.starts_with("wristband_")).map(str::to_owned).collect()
}

/// Without those that are times.
fn counted(envoy: &Envoy) -> Vec<String> {
    prometheus(envoy).into_iter().filter(|line| !line.contains("timestamp")).collect()
}

#[test]
fn a_series_appears_with_its_first_event_and_nothing_is_counted_twice() {
    let gate = Gate::start(&[plugin(&json!({}))]);
    let counters = || {
        let stats = gate.envoy.admin("/stats?filter=wasmcustom");
        let is_gauge =
            |line: &&str| [".crypto.", ".build_info.", ".keys.", "timestamp"].iter().any(|part| line.contains(part));
        stats.lines().filter(|line| !is_gauge(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(counters().is_empty(), "{:?}", counters());
    http::get(&format!("{}/.well-known/jwks.json", gate.urls[0]));
    http::get(&format!("{}/", gate.urls[0]));
    assert_eq!(
        counters(),
        [
            "wasmcustom.wristband.denied.filter.wristband.peer.none.code.missing: 1",
            "wasmcustom.wristband.discovery.filter.wristband: 1",
        ]
    );
}

#[test]
fn counters_say_which_filter_and_whose_token_it_was() {
    let plugin = |mode: &str| {
        json!({
            "issuer": A,
            "signingKeyRefs": [private(A_KEY, "KEY")],
            "peers": [{"issuer": B, "label": "west.1", "keys": [public("cluster-b-2026-10")]}],
            "issue": {"identity": {"header": "x-user"}, "reuse": 60},
            "verify": {"mode": mode, "outputClaimToHeaders": [{"header": "x-list", "claim": "list", "format": "list"}]},
        })
    };
    let (envoy, urls) =
        start(&[("edge one", plugin("optional")), ("inner", plugin("observe"))], &["--concurrency", "1"]);
    let mut claims = token::claims(B);
    claims["list"] = "no list".into();
    let good = token::sign("cluster-b-2026-10", &claims);
    claims["aud"] = "elsewhere".into();
    let elsewhere = token::sign("cluster-b-2026-10", &claims);
    // It says that it is of B, and is not.
    let forged = token::sign_text(A_KEY, r#"{"alg":"ES256","kid":"cluster-b-2026-10"}"#, &claims.to_string());
    for url in &urls {
        for _ in 0..2 {
            get_with(url, &[("x-wristband-token", &good)]);
            get_with(url, &[("x-user", "alice")]);
        }
        get_with(url, &[("x-wristband-token", &elsewhere)]);
        get_with(url, &[("x-wristband-token", &forged)]);
        http::get(&format!("{url}/.well-known/jwks.json"));
    }
    let labels = |filter: &str, word: &str| {
        vec![
            format!("wristband_{word}{{filter=\"{filter}\",peer=\"none\",code=\"bad_signature\"}} 1"),
            format!("wristband_{word}{{filter=\"{filter}\",peer=\"west_1\",code=\"wrong_audience\"}} 1"),
            format!("wristband_claim_dropped{{filter=\"{filter}\"}} 2"),
            format!("wristband_discovery{{filter=\"{filter}\"}} 1"),
            format!("wristband_issue_reuse{{filter=\"{filter}\",result=\"hit\"}} 1"),
            format!("wristband_issue_reuse{{filter=\"{filter}\",result=\"miss\"}} 1"),
            format!("wristband_issue_skipped{{filter=\"{filter}\",code=\"peer_wristband\"}} 2"),
            format!("wristband_issued{{filter=\"{filter}\"}} 2"),
            format!("wristband_keys{{filter=\"{filter}\",peer=\"self\"}} 1"),
            format!("wristband_keys{{filter=\"{filter}\",peer=\"west_1\"}} 1"),
            format!("wristband_token_cache{{filter=\"{filter}\",result=\"hit\"}} 1"),
            format!("wristband_token_cache{{filter=\"{filter}\",result=\"miss\"}} 1"),
            format!("wristband_verified{{filter=\"{filter}\",peer=\"west_1\"}} 2"),
        ]
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut expected = [labels("edge_one", "denied"), labels("inner", "observed")].concat();
    // Who would have been denied has no identity either.
    expected.push("wristband_issue_skipped{filter=\"inner\",code=\"no_identity\"} 2".to_owned());
    let crypto = std::env::var("CRYPTO").unwrap_or_default();
    let signs = if crypto == "wasm" { "wasm" } else { "host" };
    let verifies = if crypto == "tables" { "tables" } else { signs };
    if crypto == "tables" {
        let filters = ["edge_one", "inner"];
        expected.extend(filters.map(|filter| format!("wristband_crypto_disagreed{{filter=\"{filter}\"}} 0")));
    }
    expected.push(format!("wristband_build_info{{version=\"{version}\"}} 1"));
    for (operation, by) in [("sign", signs), ("verify", verifies)] {
        expected.push(format!("wristband_crypto{{operation=\"{operation}\",algorithm=\"ES256\",by=\"{by}\"}} 1"));
    }
    let mut found = counted(&envoy);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_number_of_series_does_not_grow_with_what_clients_send() {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    let series = |gate: &Gate| gate.envoy.admin("/stats?filter=wasmcustom").lines().count();
    let mut junk = |number: usize| {
        let header = format!(r#"{{"alg":"ES256","kid":"{number}"}}"#);
        for (issuer, code) in [(&*format!("https://{number}.example"), "unknown_issuer"), (A, "unknown_key")] {
            let claims = token::claims(issuer).to_string();
            gate.refuses("a name that is made up", token::sign_text(A_KEY, &header, &claims), code);
        }
        series(&gate)
    };
    let first = junk(0);
    assert_eq!((1..30).map(&mut junk).max(), Some(first));
}

#[test]
fn gauges_show_which_configuration_is_in_force_and_when_its_keys_end() {
    let plugin = |peer: &str, end: Option<&str>| {
        let mut peer = json!({"issuer": B, "label": peer, "keys": [public("cluster-b-2026-10"), public(A_KEY)]});
        if let Some(end) = end {
            peer["keys"][0]["notAfter"] = end.into();
        }
        json!({"peers": [peer], "verify": {}, "crypto": if end.is_some() { "host" } else { "wasm" }})
    };
    let live = Live::start(&[plugin("west", Some("2099-01-01T00:00:00Z"))], &[], &[]);
    let gauge = |name: &str| live.envoy.count_of(name);
    let name =
        |peer: &str| format!("key_not_after_timestamp_seconds.filter.wristband.peer.{peer}.kid.cluster-b-2026-10");
    assert_eq!(gauge(&name("west")), Some(4_070_908_800));
    assert_eq!(gauge("keys.filter.wristband.peer.west"), Some(2));
    assert_eq!(gauge("crypto.operation.verify.algorithm.ES256.by.host"), Some(1));
    let configured = || gauge("configured_timestamp_seconds.filter.wristband").unwrap();
    let before = configured();
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now() - before < 120, "{before}");
    // An update that is refused is counted, and the time stays.
    live.update_is_refused(&[json!({"peers": 7})]);
    assert_eq!(configured(), before);
    assert!(gauge("configuration_rejected_timestamp_seconds.filter.wristband") >= Some(before));
    live.envoy.wait_until("a second has gone by", |_| now() > before);
    live.update(&[plugin("east", None)]);
    live.envoy.wait_until("the update applies", |_| gauge("keys.filter.wristband.peer.east") == Some(2));
    assert!(configured() > before);
    // What is no more is zero.
    live.envoy.wait_until("what is gone is gone", |_| gauge(&name("west")) == Some(0));
    assert_eq!((gauge("keys.filter.wristband.peer.west"), gauge(&name("east"))), (Some(0), None));
    let crypto = ["host", "wasm"].map(|by| gauge(&format!("crypto.operation.verify.algorithm.ES256.by.{by}")));
    assert_eq!(crypto, [Some(0), Some(1)]);
}

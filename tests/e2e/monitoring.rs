//! The rules and the dashboard in `deploy/`, with a real Prometheus that scrapes a real Envoy.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::jwks_server::{Answers, JwksServer, ok};
use crate::live::Client;
use crate::support::config::{
    self, allow_fetching, cluster, echo, filter, internal_listeners, jwks, key_by_call, public, stats_tags, to_upstream,
};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, get_with};
use crate::support::prometheus::{Prometheus, promtool};
use crate::support::token::{self, A, B};
use crate::support::{key, read, sample};

const OF_A: &str = "cluster-a-2026-11";
const OF_B: &str = "cluster-b-2026-10";
const FILE: &str = "dynamic/listeners.json";

#[test]
fn the_rules_are_what_promtool_takes_and_do_what_their_tests_say() {
    for arguments in [
        ["check", "rules", "wristband.rules.yaml"],
        ["test", "rules", "wristband.rules.test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ] {
        promtool("deploy/prometheus", &arguments).unwrap_or_else(|text| panic!("{text}"));
    }
    // Each alert is expected once, and once not.
    let rules = sample::parse(&read("deploy/prometheus/wristband.rules.yaml"));
    let tests = sample::parse(&read("deploy/prometheus/wristband.rules.test.yaml"));
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        for test in tests["tests"].as_array().unwrap() {
            let of_rule = |expected: &&Value| expected["alertname"] == rule["alert"];
            assert!(test["alert_rule_test"].as_array().unwrap().iter().any(|expected| of_rule(&expected)), "{rule}");
        }
    }
}

/// The rules, with a minute for every quarter of an hour that they look back, and none that they wait.
fn hasty_rules() -> Value {
    let mut text = read("deploy/prometheus/wristband.rules.yaml");
    for (patient, hasty) in [
        ("[5m]", "[15s]"),
        ("[15m]", "[15s]"),
        ("[1h]", "[15s]"),
        ("offset 15m", "offset 15s"),
        ("offset 1h", "offset 15s"),
        ("for: 5m", "for: 0s"),
        ("< 900", "< 5"),
    ] {
        assert!(text.contains(patient), "{patient}");
        text = text.replace(patient, hasty);
    }
    sample::parse(&text)
}

/// Every query of the dashboard, with its variables filled in.
fn dashboard() -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&read("deploy/grafana/wristband.json")).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "15s");
            queries.push((panel["title"].to_string(), query.replace("$job", ".*").replace("$filter", ".*")));
        }
    }
    assert!(queries.len() > 20);
    queries
}

struct Stage {
    envoy: Envoy,
    urls: [String; 3],
    ports: [u16; 3],
    keys: TempDir,
    server: JwksServer,
}

fn peer(key: &str, issuer: &str, label: &str) -> Value {
    json!({"issuer": issuer, "label": label, "keys": [public(key)]})
}

/// Three gateways: one whose key is in a file and whose peer's keys are fetched, one that only looks, and one that never gets
/// a key.
fn plugins() -> [Value; 3] {
    let verify =
        json!({"mode": "optional", "outputClaimToHeaders": [{"header": "x-list", "claim": "list", "format": "list"}]});
    let mut ending = peer("cluster-a-2027-02", "https://south.example", "south");
    ending["keys"][0]["notAfter"] = "2099-01-01T00:00:00Z".into();
    let by_call = |cluster: &str| json!([{"algorithm": "ES256", "key": {"cluster": cluster, "path": "/key", "refresh": 1, "announce": 0}}]);
    [
        json!({
            "issuer": A,
            "signingKeyRefs": by_call("wristband-key"),
            "peers": [{"issuer": B, "label": "west", "remoteJwks": {"cluster": "west", "refresh": 1, "timeout": 1}}, ending],
            "issue": {"identity": {"header": "x-user"}, "reuse": 60},
            "verify": verify,
        }),
        json!({
            "issuer": A,
            "signingKeyRefs": [public(OF_A)],
            "peers": [peer(OF_B, B, "west")],
            "verify": {"mode": "observe"},
        }),
        json!({
            "issuer": A,
            "signingKeyRefs": by_call("nowhere"),
            "issue": {"identity": {"header": "x-user"}},
        }),
    ]
}

fn listeners(ports: &[u16], plugins: &[Value]) -> Value {
    let names = ["edge", "inner", "keyless"];
    let listeners = ports.iter().zip(plugins).zip(names).map(|((port, plugin), name)| {
        let mut filter = filter(plugin);
        allow_fetching(&mut filter);
        filter["typed_config"]["config"]["name"] = name.into();
        let mut listener = config::listener(name, *port, vec![filter], to_upstream());
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        listener
    });
    json!({"resources": listeners.collect::<Vec<_>>()})
}

fn put_key(keys: &Path, text: &str) {
    fs::write(keys.join("next.pem"), text).unwrap();
    fs::rename(keys.join("next.pem"), keys.join("key.pem")).unwrap();
}

impl Stage {
    fn start() -> Self {
        let (folder, keys) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        put_key(keys.path(), &key(OF_A));
        let server = JwksServer::start(ok(&jwks(OF_B)));
        let (ports, upstream) = ([free_port(), free_port(), free_port()], free_port());
        let file = folder.path().join(FILE);
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, listeners(&ports, &plugins()).to_string()).unwrap();
        let (key_listener, key_cluster) = key_by_call(keys.path());
        let bootstrap = json!({
            "node": {"id": "test", "cluster": "test"},
            "bootstrap_extensions": internal_listeners(),
            "stats_config": {"stats_tags": stats_tags()},
            "dynamic_resources": {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": file}}},
            "static_resources": {
                "listeners": [echo(upstream), key_listener],
                "clusters": [cluster("echo", upstream), key_cluster, cluster("west", server.port)],
            },
        });
        let envoy = Envoy::try_start_in(folder, &bootstrap, &[], &[]).unwrap();
        let urls = ports.map(|port| format!("http://127.0.0.1:{port}"));
        envoy.wait_until("every gateway listens", |_| urls.iter().all(|url| http::try_get(url).is_some()));
        envoy.wait_until("it signs", |_| {
            (0..20).all(|_| get_with(&urls[0], &[("x-user", "alice")]).wristband().is_some())
        });
        Self { envoy, urls, ports, keys, server }
    }

    /// All that happens on a good day, over and over.
    fn good_day(&self) -> Client {
        let urls = self.urls.clone();
        let mut claims = token::claims(B);
        claims["list"] = "none".into();
        let good = token::sign(OF_B, &claims);
        Client::start(move || {
            for url in &urls[..2] {
                assert_eq!(get_with(url, &[("x-wristband-token", &good)]).status, 200);
                assert_eq!(http::get(&format!("{url}/.well-known/jwks.json")).status, 200);
            }
            get_with(&urls[0], &[("x-user", "alice")]);
            std::thread::sleep(std::time::Duration::from_millis(50));
        })
    }
}

fn names(alerts: &[Value]) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert["alertname"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_alert_is_caused_once_and_every_query_finds_what_it_is_for() {
    let stage = Stage::start();
    let target = |envoy: &Envoy| envoy.admin_url("").strip_prefix("http://").unwrap().to_owned();
    let prometheus = Prometheus::start(&[target(&stage.envoy)], &hasty_rules());
    let good = stage.good_day();
    let expired = |issuer: &str| {
        let mut claims = token::claims(issuer);
        claims["exp"] = 1.into();
        token::sign(OF_A, &claims)
    };
    get_with(&stage.urls[0], &[("x-wristband-token", &expired(A))]);
    prometheus
        .wait_until("it has seen some", |prometheus| !prometheus.query("rate(wristband_verified[15s]) > 0").is_empty());
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(names(&prometheus.alerts()), BTreeSet::new(), "{:?}", prometheus.alerts());

    // A text that is no key; a server that is gone; tokens that nobody has signed; a key that never comes; a configuration with
    // a mistake, after one whose key ends.
    put_key(stage.keys.path(), "no key");
    stage.server.answer_with(Answers::Closes);
    let url = stage.urls.clone();
    let bad = Client::start(move || {
        let mut forged = token::sign(OF_A, &token::claims(B));
        forged.truncate(forged.len() - 4);
        for url in &url[..2] {
            get_with(url, &[("x-wristband-token", &format!("{forged}AAAA"))]);
        }
        get_with(&url[2], &[("x-user", "alice")]);
        std::thread::sleep(std::time::Duration::from_millis(50));
    });
    let mut plugins = plugins();
    plugins[0]["peers"][1]["keys"][0]["notAfter"] = "2026-01-01T00:00:00Z".into();
    stage.envoy.replace(FILE, &listeners(&stage.ports, &plugins));
    let updates = |what: &str| stage.envoy.counter(&format!("listener_manager.lds.update_{what}"));
    stage.envoy.wait_until("the update has come", |_| updates("success") >= 2);
    // Another second than that of the one before.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    plugins[0]["verify"]["mode"] = "off".into();
    stage.envoy.replace(FILE, &listeners(&stage.ports, &plugins));
    stage.envoy.wait_until("an update is refused", |_| updates("rejected") >= 1);

    let rules = hasty_rules();
    let expected: BTreeSet<_> = rules["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap().to_owned())
        .collect();
    let but_one: BTreeSet<_> = expected.iter().filter(|name| *name != "WristbandAbsent").cloned().collect();
    prometheus.wait_until("all of it is noticed", |prometheus| names(&prometheus.alerts()) == but_one);
    let alerts = prometheus.alerts();
    for (name, labels) in [
        ("WristbandDenials", json!({"filter": "edge"})),
        ("WristbandSigningFailed", json!({"filter": "keyless", "code": "no_key"})),
        ("WristbandKeysEnd", json!({"filter": "edge", "peer": "south"})),
        ("WristbandPeerKeysOld", json!({"filter": "edge", "peer": "west"})),
        ("WristbandKeyRejected", json!({"filter": "edge"})),
        ("WristbandConfigurationRejected", json!({"filter": "edge"})),
    ] {
        let of_name: Vec<_> = alerts.iter().filter(|alert| alert["alertname"] == name).collect();
        let has = |alert: &Value| labels.as_object().unwrap().iter().all(|(label, value)| alert[label] == *value);
        assert!(of_name.iter().any(|alert| has(alert)), "{name}: {of_name:?}");
    }
    for (panel, query) in dashboard() {
        assert!(!prometheus.query(&query).is_empty(), "{panel}: {query}");
    }
    good.stop();
    bad.stop();

    // An Envoy in which it is missing.
    let bare = Envoy::start(&json!({"static_resources": {}}), &[]);
    let prometheus = Prometheus::start(&[target(&stage.envoy), target(&bare)], &hasty_rules());
    let is_absent = |alert: &Value| alert["alertname"] == "WristbandAbsent" && alert["instance"] == target(&bare);
    prometheus.wait_until("it is missed", |prometheus| prometheus.alerts().iter().any(is_absent));
    assert_eq!(prometheus.alerts().iter().filter(|alert| alert["alertname"] == "WristbandAbsent").count(), 1);
}

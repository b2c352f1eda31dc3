//! What `docs/operating.md` says one sees when something is wrong: each is brought about, and looked for in its row.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::jwks_server::{self, Answers, JwksServer};
use crate::support::config::{
    allow_fetching, as_text, cluster, echo, filter, filter_with, listener, private, public, stats_tags, to_upstream,
};
use crate::support::envoy::{Envoy, free_port, validate};
use crate::support::http::{self, get_with};
use crate::support::token::{self, A, B};
use crate::support::{key, read, sample};

const OF_A: &str = "cluster-a-2026-11";
const OF_B: &str = "cluster-b-2026-10";

/// The row of a symptom.
fn row(symptom: &str) -> String {
    let page = read("docs/operating.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {symptom} |")));
    row.unwrap_or_else(|| panic!("no row `{symptom}`")).to_owned()
}

/// That a row has all of this.
fn names(symptom: &str, texts: &[&str]) {
    let row = row(symptom);
    for text in texts {
        assert!(row.contains(text), "{symptom}: `{text}` is not in: {row}");
    }
}

/// A gateway whose access log is that of the samples.
struct Gateway {
    envoy: Envoy,
    url: String,
}

impl Gateway {
    fn start(filters: Vec<Value>) -> Self {
        Self::with(filters, &[])
    }

    fn with(filters: Vec<Value>, clusters: &[Value]) -> Self {
        let (port, upstream) = (free_port(), free_port());
        let mut gateway = listener("gateway", port, filters, to_upstream());
        let verifier = sample::parse(&read("envoy/verify-only.yaml"));
        let manager = &verifier["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
        let logs = &mut gateway["filter_chains"][0]["filters"][0]["typed_config"]["access_log"];
        logs.as_array_mut().unwrap().push(manager["access_log"][0].clone());
        let clusters: Vec<_> = [cluster("echo", upstream)].into_iter().chain(clusters.iter().cloned()).collect();
        let bootstrap = json!({
            "stats_config": {"stats_tags": stats_tags()},
            "static_resources": {"listeners": [echo(upstream), gateway], "clusters": clusters},
        });
        let envoy = Envoy::start(&bootstrap, &[("KEY", &key(OF_A))]);
        Self { envoy, url: format!("http://127.0.0.1:{port}") }
    }

    fn of(plugin: &Value) -> Self {
        Self::start(vec![filter(plugin)])
    }

    /// What the access log says of a request.
    fn ask(&self, headers: &[(&str, &str)]) -> Value {
        let before = self.envoy.access_log().len();
        let answer = get_with(&self.url, headers);
        self.envoy.wait_until("the log is written", |envoy| envoy.access_log().len() > before);
        let line = self.envoy.access_log().pop().unwrap();
        assert_eq!(line["status"], answer.status);
        line
    }

    fn present(&self, token: &str) -> Value {
        self.ask(&[("x-wristband-token", token)])
    }
}

fn verifier(peer: &Value) -> Value {
    let mut whole = json!({"issuer": B, "keys": [public(OF_B)]});
    whole.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
    json!({"peers": [whole], "verify": {}})
}

fn with(name: &str, value: Value) -> String {
    let mut claims = token::claims(B);
    claims[name] = value;
    token::sign(OF_B, &claims)
}

/// That the page has what the access log says.
fn told(symptom: &str, line: &Value, code: &str) {
    assert_eq!(line["code"], code, "{line}");
    names(symptom, &[&format!("`{code}`"), line["detail"].as_str().unwrap()]);
}

#[test]
fn what_a_token_is_denied_for_is_found_in_the_access_log() {
    let gateway = Gateway::of(&verifier(&json!({})));
    let header = json!({"alg": "ES256", "kid": "next"}).to_string();
    let line = gateway.present(&token::sign_text(OF_B, &header, &token::claims(B).to_string()));
    told("A peer denies your wristbands", &line, "unknown_key");
    assert_eq!((&line["kid"], &line["issuer"]), (&json!("next"), &json!(B)));
    told("Clocks apart", &gateway.present(&with("nbf", (token::now() + 60).into())), "not_yet_valid");
    let behind = gateway.present(&with("exp", (token::now() - 60).into()));
    assert_eq!(behind["code"], "expired");
    names("Clocks apart", &["`expired`"]);
    told("An issuer with a slash at its end", &gateway.present(&with("iss", format!("{B}/").into())), "unknown_issuer");
    told("Wrong audience", &gateway.present(&with("aud", "elsewhere".into())), "wrong_audience");
    let strict = Gateway::of(&verifier(&json!({"audiences": ["here"]})));
    for token in [with("aud", "elsewhere".into()), token::sign(OF_B, &token::claims(B))] {
        told("Wrong audience", &strict.present(&token), "wrong_audience");
    }
    let ended = Gateway::of(&verifier(&json!({"keys": [{
        "name": OF_B, "algorithm": "ES256", "key": public(OF_B)["key"], "notAfter": "2026-01-01T00:00:00Z"}]})));
    let line = ended.present(&token::sign(OF_B, &token::claims(B)));
    told("401 after a rotation", &line, "ended_key");
    assert_eq!(line["kid"], OF_B);
    names("401 after a rotation", &["`unknown_key`"]);
}

#[test]
fn what_is_not_denied_here_is_found_too() {
    let rbac = json!({
        "name": "known-callers-only",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"known": {
                "permissions": [{"any": true}],
                "principals": [{"header": {"name": "x-sub", "present_match": true}}],
            }}},
        },
    });
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [private(OF_A, "KEY")],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional", "fromHeaders": [{"name": "x-wristband-token"}],
            "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]},
    });
    let gateway = Gateway::start(vec![filter(&plugin), rbac]);
    let line = gateway.ask(&[("authorization", &format!("Bearer {}", token::of_a()))]);
    assert_eq!(line["status"], 403);
    assert!(line.get("code").is_none() && line.get("caller").is_none(), "{line}");
    names("403 of the next filter", &["status 403, and neither `code` nor `caller`", "`fromHeaders`"]);

    let login = Gateway::of(&plugin);
    http::send("POST", &login.envoy.admin_url("/logging?wasm=debug"), &[]);
    assert!(read("docs/operating.md").contains("curl -X POST http://ADMIN/logging?wasm=debug"));
    assert!(get_with(&login.url, &[]).wristband().is_none());
    assert_eq!(login.envoy.count("issue_skipped.no_identity"), 1);
    let log = login.envoy.log();
    assert!(log.contains("no wristband: no_identity (no source of `identity` has a value)"), "{log}");
    let row = "A login brings no wristband";
    names(row, &["\"no wristband: `no_identity` (no source of `identity` has a value)\"", "`wristband_issue_skipped`"]);
    get_with(&login.url, &[("x-user", "alice"), ("x-echo-status", "404")]);
    assert_eq!(login.envoy.count("issue_skipped.response_status"), 1);
    names(row, &["`response_status`", "`condition`"]);
}

#[test]
fn a_peer_whose_keys_never_came_is_told_by_its_code_and_in_the_log() {
    let server = JwksServer::start(Answers::Closes);
    let mut filter =
        filter(&json!({"peers": [{"issuer": B, "remoteJwks": {"cluster": "west", "timeout": 1}}], "verify": {}}));
    allow_fetching(&mut filter);
    let gateway = Gateway::with(vec![filter], &[cluster("west", server.port)]);
    let line = gateway.present(&token::sign(OF_B, &token::claims(B)));
    assert_eq!((&line["status"], &line["code"]), (&json!(503), &json!("keys_unavailable")));
    gateway.envoy.wait_until("it complains", |envoy| envoy.log().contains("its JWK Set was not fetched"));
    assert!(gateway.envoy.count_of("jwks_failures.filter.wristband.peer.cluster-b_example_com") > Some(0));
    server.answer_with(jwks_server::ok(&json!({"keys": [token::jwk(OF_B)]})));
    gateway.envoy.wait_until("it is told", |envoy| envoy.log().contains("its JWK Set is fetched again"));
    let row = "503 for the tokens of one peer";
    names(
        row,
        &["`keys_unavailable`", "`wristband_jwks_failures`", "\"its JWK Set was not fetched\"", "\"is fetched again\""],
    );
}

#[test]
fn metrics_that_are_not_there_or_have_no_labels_have_a_reason() {
    let none = Envoy::start(&json!({"static_resources": {}}), &[]);
    assert_eq!(none.admin("/stats/prometheus?filter=wasmcustom"), "");
    names(
        "Nothing in the metrics",
        &["curl http://ADMIN/stats/prometheus?filter=wasmcustom", "`wristband_keys_filter_…`", "`stats_tags`"],
    );
    // Without the tags the names are as the page says.
    let setup = crate::support::config::gateways(vec![vec![filter(&verifier(&json!({})))]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let page = envoy.admin("/stats/prometheus?filter=wasmcustom");
    assert!(page.contains("\nwristband_keys_filter_wristband_peer_cluster_b_example_com{} 1\n"), "{page}");
}

#[test]
fn a_gateway_that_never_gets_ready_says_why() {
    let row = "A gateway never gets ready";
    let setup = crate::support::config::gateways(vec![vec![filter(&json!({
        "issuer": A, "signingKeyRefs": [private(OF_A, "KEY")], "issue": {"identity": {"header": "x-user"}}}))]]);
    let log = validate(&setup.bootstrap, &[]).unwrap_err();
    assert!(
        log.contains(
            "configuration rejected: signingKeyRefs[0].key: the environment variable `KEY` is missing or empty"
        ),
        "{log}"
    );
    names(row, &["`configuration rejected`", "\"the environment variable `KEY` is missing or empty\""]);
    let mut filter = filter(&json!({
        "issuer": A,
        "signingKeyRefs": [{"algorithm": "ES256", "key": {"cluster": "nowhere", "path": "/key"}}],
        "issue": {"identity": {"header": "x-user"}},
    }));
    allow_fetching(&mut filter);
    let gateway = Gateway::start(vec![filter]);
    let answer = http::get(&format!("{}/.well-known/jwks.json", gateway.url));
    assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(gateway.envoy.count_of("keys.filter.wristband.peer.self"), Some(0));
    get_with(&gateway.url, &[("x-user", "alice")]);
    assert_eq!(gateway.envoy.count("issue_skipped.no_key"), 1);
    names(row, &["503 with `retry-after`", "`wristband_keys{peer=\"self\"}` is 0", "`no_key`"]);
}

/// Serves the module to whoever asks.
fn serve_module() -> (u16, String) {
    let module = std::fs::read(crate::support::path("target/wristband.wasm")).unwrap();
    let digest = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", module.len());
            let _ = stream.write_all(&[head.as_bytes(), &module].concat());
        }
    });
    (port, digest)
}

#[test]
fn a_bad_configuration_at_a_start_from_remote_code_is_503_and_a_metric() {
    let (port, digest) = serve_module();
    let mut filter = filter_with(as_text(&json!({"peers": 7})), &[]);
    let uri = json!({"uri": "http://code/wristband.wasm", "cluster": "code", "timeout": "30s"});
    filter["typed_config"]["config"]["vm_config"]["code"] = json!({"remote": {"http_uri": uri, "sha256": digest}});
    let gateway = Gateway::with(vec![filter], &[cluster("code", port)]);
    let rejected = |envoy: &Envoy| envoy.count_of("configuration_rejected_timestamp_seconds.filter.wristband");
    gateway.envoy.wait_until("it is rejected", |envoy| rejected(envoy) > Some(0));
    gateway.envoy.wait_until("it answers", |_| get_with(&gateway.url, &[]).status == 503);
    assert_eq!(gateway.envoy.admin("/ready").trim(), "LIVE");
    let stats = gateway.envoy.admin("/stats?filter=wasmcustom");
    assert!(!stats.contains("build_info") && !stats.contains("configured_timestamp"), "{stats}");
    gateway.envoy.wait_until("it logs", |envoy| envoy.log().contains("access / 503 wasm_fail_stream"));
    assert!(gateway.envoy.log().contains("configuration rejected: peers: "));
    let row = "503 after a change of the configuration";
    names(
        row,
        &[
            "`wristband_configuration_rejected_timestamp_seconds`",
            "`configuration rejected`",
            "`wasm_fail_stream`",
            "`LIVE`",
        ],
    );
    names(row, &["`wristband_build_info` and `wristband_configured_timestamp_seconds` are missing"]);
}

/// Every alert has its row, and no other has.
#[test]
fn the_page_has_every_alert() {
    let page = read("docs/operating.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `Wristband")?.split('`').next()).collect::<Vec<_>>();
    let rules = sample::parse(&read("deploy/prometheus/wristband.rules.yaml"));
    let alerts = rules["groups"][0]["rules"].as_array().unwrap().iter();
    let alerts: Vec<_> = alerts.map(|rule| rule["alert"].as_str().unwrap().trim_start_matches("Wristband")).collect();
    assert_eq!(rows, alerts);
}

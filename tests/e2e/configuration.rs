//! Configurations that a real Envoy refuses or takes.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::BatchNormalize as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{AffinePoint, ProjectivePoint};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config::{
    as_struct, as_text, cluster, filter, filter_with, gateways, listener, of_a_test, private, public, to_upstream,
};
use crate::support::envoy::{Envoy, free_port, validate};
use crate::support::token::{self, A, B, claims, sign};
use crate::support::{http, key};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";

/// Text that may be none of a configuration.
fn text(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

/// What the plugin says of each of these configurations. They come in one update of the listeners, and Envoy looks at
/// each alone; a listener that is there already keeps the compiled filter in its memory, which saves a second a case.
pub fn refusals(configurations: Vec<Value>, environment: &[(&str, &str)]) -> Vec<String> {
    let count = configurations.len();
    let log = log_of_refusals(configurations, environment);
    let reason = |index| {
        let start = format!("wasm log case-{index}: configuration rejected: ");
        let mut reasons = log.lines().filter_map(|line| Some(line.split_once(&start)?.1));
        let reason = reasons.next().unwrap_or_else(|| panic!("no reason for case {index}:\n{log}"));
        assert_eq!(reasons.next(), None, "one line");
        reason.to_owned()
    };
    (0..count).map(reason).collect()
}

/// What Envoy logs when each of these configurations is refused.
pub fn log_of_refusals(configurations: Vec<Value>, environment: &[(&str, &str)]) -> String {
    let variables: Vec<_> = environment.iter().map(|(name, _)| *name).chain(["ABSENT"]).collect();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("listeners.json");
    let good = json!({"issuer": A, "signingKeyRefs": [public(A1)], "verify": {}});
    let good = listener("good", free_port(), vec![filter_with(as_struct(&good), &variables)], to_upstream());
    let resources = configurations.into_iter().enumerate().map(|(index, configuration)| {
        let mut filter = filter_with(configuration, &variables);
        let config = &mut filter["typed_config"]["config"];
        config["root_id"] = format!("case-{index}").into();
        config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut listener = listener(&format!("case-{index}"), free_port(), vec![filter], to_upstream());
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        listener
    });
    fs::write(&file, json!({"resources": resources.collect::<Vec<_>>()}).to_string()).unwrap();
    let bootstrap = json!({
        "node": {"id": "test", "cluster": "test"},
        "dynamic_resources": {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": file}}},
        "static_resources": {"listeners": [good], "clusters": [cluster("echo", 1)]},
    });
    let envoy = Envoy::try_start_in(directory, &bootstrap, environment, &[]).unwrap();
    envoy.wait_until("the update is refused", |envoy| envoy.counter("listener_manager.lds.update_rejected") == 1);
    let active = envoy.counter("listener_manager.total_listeners_active");
    assert_eq!(active, 1, "only the good one:\n{}", envoy.log());
    envoy.log()
}

fn inline(name: &str, file: &str) -> Value {
    json!({"name": name, "algorithm": "ES256", "key": {"inlineString": key(file)}})
}

fn issuing(identity: Value) -> Value {
    json!({"issuer": A, "signingKeyRefs": [private(A1, "KEY")], "issue": {"identity": identity}})
}

fn with_keys(keys: Value) -> Value {
    let mut plugin = issuing(json!({"header": "x-user"}));
    plugin["signingKeyRefs"] = keys;
    plugin
}

#[test]
fn a_bad_configuration_is_refused_with_its_path_as_a_struct_and_as_json() {
    const PUBLIC_ONLY: &str =
        "a private key where only a public one may stand; put its public half here (openssl pkey -pubout -in KEY)";
    let verify_only = |keys: Value, peers: Value| {
        let mut plugin = json!({"issuer": A, "signingKeyRefs": keys, "verify": {}});
        if !peers.is_null() {
            plugin["peers"] = peers;
        }
        plugin
    };
    let variable =
        |name: &str, problem: &str| format!("signingKeyRefs[0].key: the environment variable `{name}` {problem}");
    let missing = "is missing or empty; set it, and list it in `vm_config.environment_variables.host_env_keys`";
    let mut misspelt = issuing(json!({"header": "x-user"}));
    misspelt["signingKeyRefs"][0]["algoritm"] = "ES256".into();
    let mut duration = issuing(json!({"header": "x-user"}));
    duration["tokenDuration"] = 86_401.into();
    let mut reserved = issuing(json!({"header": "x-user"}));
    reserved["issue"]["customClaims"] = json!({"exp": {"value": 9_999_999_999_u64}});
    let cases = vec![
        (json!({"issuer": A}), "set `issue`, `verify` or both".to_owned()),
        (with_keys(json!([private(A1, "ABSENT")])), variable("ABSENT", missing)),
        (with_keys(json!([private(A1, "EMPTY")])), variable("EMPTY", missing)),
        (with_keys(json!([private(A1, "BLANK")])), variable("BLANK", missing)),
        (with_keys(json!([private(A1, "KEY"), private(A2, "OTHER")])), format!("signingKeyRefs[1].key: {PUBLIC_ONLY}")),
        (
            verify_only(json!([public(A1)]), json!([{"issuer": B, "keys": [private(B1, "OTHER")]}])),
            format!("peers[0].keys[0].key: {PUBLIC_ONLY}"),
        ),
        (
            verify_only(json!([private(A1, "KEY")]), Value::Null),
            format!("signingKeyRefs[0].key: {PUBLIC_ONLY}: without `issue` nothing is signed"),
        ),
        (
            with_keys(json!([public(A1)])),
            "signingKeyRefs[0].key: a public key where the private one that signs has to stand; that comes first, public ones after it".to_owned(),
        ),
        (
            with_keys(json!([private(A1, "KEY"), inline("again", &format!("{A1}.pub"))])),
            "signingKeyRefs[1].key: the same key as that of signingKeyRefs[0]".to_owned(),
        ),
        (
            issuing(json!({"expression": "request.headers["})),
            "issue.identity.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it \
             writes at level `info` (`--component-log-level wasm:info`)"
                .to_owned(),
        ),
        (
            issuing(json!({"expression": "nosuchfunction(1)"})),
            "issue.identity.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it \
             writes at level `info` (`--component-log-level wasm:info`)"
                .to_owned(),
        ),
        (
            misspelt,
            "signingKeyRefs[0].algoritm: unknown field, expected one of `name`, `algorithm`, `key`, `notBefore`, `notAfter`; did \
             you mean `algorithm`?"
                .to_owned(),
        ),
        (duration, "tokenDuration: expected a whole number from 1 to 86400, found 86401".to_owned()),
        (reserved, "issue.customClaims.exp: `exp` is a reserved claim; set `tokenDuration` instead".to_owned()),
    ];
    let (signing, other) = (key(A1), key(A2));
    let environment = [("KEY", signing.as_str()), ("OTHER", &other), ("EMPTY", ""), ("BLANK", " \r\n")];
    let forms = cases.iter().flat_map(|(plugin, _)| [as_struct(plugin), as_text(plugin)]);
    let reasons = refusals(forms.collect(), &environment);
    for ((plugin, expected), found) in cases.iter().zip(reasons.chunks(2)) {
        assert_eq!(found, [expected.as_str(); 2], "as Struct and as JSON: {plugin}");
    }
}

#[test]
fn all_problems_are_logged_in_one_load_the_first_twenty_of_them_in_words() {
    let mut plugin = issuing(json!({"header": "x-user"}));
    plugin["issuers"] = "x".into();
    plugin["tokenDuration"] = 0.into();
    plugin["signingKeyRefs"][0]["key"] = json!({"environmentVariable": "ABSENT"});
    let mut many = plugin.clone();
    for index in 0..25 {
        many[format!("unknown-{index:02}")] = true.into();
    }
    let log = log_of_refusals(vec![as_struct(&plugin), as_text(&many)], &[]);
    let lines = |case: usize| {
        let start = format!("wasm log case-{case}: configuration rejected: ");
        let lines = log.lines().filter_map(|line| Some(line.split_once(&start)?.1.to_owned()));
        lines.collect::<Vec<_>>()
    };
    let starts = ["issuers: unknown field", "tokenDuration: expected a whole number", "signingKeyRefs[0].key: the env"];
    let found = lines(0);
    assert_eq!(found.len(), starts.len(), "{found:?}");
    assert!(found.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{found:?}");
    assert!(found[0].ends_with("; did you mean `issuer`?"), "{}", found[0]);
    let found = lines(1);
    assert_eq!((found.len(), found[20].as_str()), (21, "8 more problems"), "{found:?}");
}

#[test]
fn what_is_no_configuration_at_all_is_refused() {
    let empty = "the configuration is empty; set `issue`, `verify` or both";
    let neither = "expected a google.protobuf.Struct or a StringValue that holds JSON";
    let yaml = "not valid JSON at line 1, column 1; write YAML as a google.protobuf.Struct";
    let bytes = |bytes: &[u8]| json!({"@type": "type.googleapis.com/google.protobuf.BytesValue", "value": STANDARD.encode(bytes)});
    let duration = json!({"@type": "type.googleapis.com/google.protobuf.Duration", "value": "5s"});
    // Deeper than protobuf's usual limit of a hundred messages.
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!({"a": deep});
    }
    let good = of_a_test(&json!({"issuer": A, "signingKeyRefs": [public(A1)], "verify": {"mode": "observe"}}));
    let twice = good.to_string().replace(r#""mode":"#, r#""mode":"require","mode":"#);
    let cases = [
        ("absent", Value::Null, empty),
        ("an empty Struct", as_struct(&json!({})), empty),
        ("an empty text", text(""), empty),
        ("an empty object", text("{}"), "set `issue`, `verify` or both"),
        ("YAML as text", text("issuer: https://a.example\n"), yaml),
        ("a member twice", text(&twice), "verify.mode: the same member twice"),
        ("1 MB of brackets", text(&"[".repeat(1 << 20)), "nested too deep (more than 32 levels)"),
        ("1 MB of objects", text(&"{\"a\":".repeat(1 << 18)), "nested too deep (more than 32 levels)"),
        ("bytes", bytes(b"\n\xff\xff\xff\xff"), neither),
        ("another message", duration, "not valid JSON at line 1, column 1"),
        ("a deep Struct", as_struct(&deep), neither),
    ];
    let reasons = refusals(cases.iter().map(|case| case.1.clone()).collect(), &[]);
    for ((what, _, expected), found) in cases.iter().zip(reasons) {
        assert_eq!(found, *expected, "{what}");
    }
}

#[test]
fn a_refused_configuration_keeps_envoy_from_starting_and_its_reason_is_in_the_log() {
    let plugin = json!({"issuer": A, "signingKeyRefs": [public(A1)], "verify": {"mode": "permissive"}});
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let Err(refusal) = Envoy::try_start(&setup.bootstrap, &[], &[]) else {
        panic!("it starts");
    };
    assert!(!refusal.status.success());
    let reason = "configuration rejected: verify.mode: expected one of `require`, `optional`, `observe`";
    assert!(refusal.log.contains(reason), "{}", refusal.log);
    assert!(http::try_get(&setup.urls[0]).is_none(), "nobody listens");
    let log = validate(&setup.bootstrap, &[]).unwrap_err();
    assert!(log.contains(reason), "`--mode validate` says so too: {log}");
}

/// Starts a gateway for each form of one private key, and has each sign.
fn all_sign(environment: &[(&str, &str)]) {
    let plugins = environment.iter().map(|(variable, _)| {
        let mut plugin = issuing(json!({"header": "x-user"}));
        plugin["signingKeyRefs"] = json!([private(A1, variable)]);
        vec![filter(&plugin)]
    });
    let setup = gateways(plugins.collect());
    let _envoy = Envoy::start(&setup.bootstrap, environment);
    for (url, (variable, _)) in setup.urls.iter().zip(environment) {
        let answer = http::get_with(url, &[("x-user", "alice")]);
        let wristband = answer.wristband().unwrap_or_else(|| panic!("{variable}: {answer:?}"));
        assert_eq!(token::header(wristband)["kid"], A1);
        let set = http::get(&format!("{url}/.well-known/jwks.json")).json();
        assert_eq!(set, json!({"keys": [token::jwk(A1)]}), "{variable}");
    }
}

#[test]
fn the_key_in_a_variable_may_have_windows_line_ends() {
    all_sign(&[("KEY", &key(A1).replace('\n', "\r\n"))]);
}

#[test]
fn the_key_in_a_variable_may_be_written_in_any_way() {
    let pem = key(A1);
    let mut jwk = token::jwk(A1);
    jwk["d"] = token::encode(token::scalar(A1)).into();
    all_sign(&[
        ("PKCS8", &pem),
        ("SEC1", &key("forms/sec1")),
        ("PARAMETERS", &key("forms/sec1-with-parameters")),
        ("MAC", &pem.replace('\n', "\r")),
        ("SPACE", &format!("\n\n  \n{}\n \n", pem.trim_end())),
        ("NO_END", pem.trim_end()),
        ("JWK", &jwk.to_string()),
        ("PRETTY_JWK", &format!("\n{jwk:#}\n")),
    ]);
}

/// This many distinct public keys, which anyone could sign with: the multiples of the generator.
fn many_keys(count: usize) -> Vec<AffinePoint> {
    let mut point = ProjectivePoint::GENERATOR;
    let points: Vec<_> = (0..count)
        .map(|_| {
            point += AffinePoint::GENERATOR;
            point
        })
        .collect();
    ProjectivePoint::batch_normalize(points.as_slice())
}

/// A `PUBLIC KEY` around a point: the fixed start of every such P-256 key, then the point (RFC 5480).
fn pem_of(point: &AffinePoint) -> String {
    const START: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let start = (0..START.len()).step_by(2).map(|index| u8::from_str_radix(&START[index..index + 2], 16).unwrap());
    let der: Vec<u8> = start.chain(point.to_sec1_point(false).as_bytes().iter().copied()).collect();
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("PUBLIC KEY", der), config)
}

fn jwk_of(point: &AffinePoint) -> String {
    let point = point.to_sec1_point(false);
    let (x, y) = (token::encode(point.x().unwrap()), token::encode(point.y().unwrap()));
    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}).to_string()
}

#[test]
fn ten_thousand_keys_of_peers_are_no_burden() {
    let mut keys: Vec<_> = many_keys(9_999)
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let text = if index % 2 == 0 { pem_of(point) } else { jwk_of(point) };
            json!({"name": format!("key-{index}"), "algorithm": "ES256", "key": {"inlineString": text}})
        })
        .collect();
    keys.push(public(B1));
    let peers = json!([
        {"issuer": "https://many.example.com", "keys": keys[..9_000]},
        {"issuer": B, "keys": keys[9_000..]},
    ]);
    let plugin = json!({"issuer": A, "signingKeyRefs": [public(A1)], "peers": peers, "verify": {}});
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);

    let url = &setup.urls[0];
    let ask = |token: &str| http::get_with(url, &[("x-wristband-token", token)]);
    let good = sign(B1, &claims(B));
    assert_eq!(ask(&good).status, 200, "the last of all keys verifies");
    assert_eq!(ask(&token::of_a()).status, 200);
    assert_eq!(ask(&sign(B1, &claims("https://many.example.com"))).status, 401, "another issuer's");
    for index in [0, 1, 8_999] {
        let header = json!({"alg": "ES256", "kid": format!("key-{index}")}).to_string();
        let forged = token::sign_text("stranger", &header, &claims("https://many.example.com").to_string());
        assert_eq!(ask(&forged).status, 401);
    }
    assert_eq!(envoy.count("denied.bad_signature"), 3, "those keys are known");
}

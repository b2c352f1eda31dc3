//! The configurations in `envoy/` do what their first lines say.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::Digest as _;
use wasmparser::{Parser, Payload};

use crate::support::config::{CAPABILITIES, FETCHING, REMEMBERING, WAITING, stats_tags};
use crate::support::envoy::{self, Envoy, free_port};
use crate::support::http::{self, Answer, get, get_with};
use crate::support::sample::{self, Sample};
use crate::support::token::{self, A, B};
use crate::support::{key, path, read};

const CERTS: &str = "/.well-known/openid-connect/certs";

/// Every sample by its name, its aliases resolved.
fn samples() -> Vec<(String, Value)> {
    let names = sample::files().into_iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    names.map(|name| (name.clone(), sample::parse(&read(&format!("envoy/{name}.yaml"))))).collect()
}

/// The variables of a sample. A key's name there is that of its file in `testdata`.
fn environment(bootstrap: &Value) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    sample::visit(&mut bootstrap.clone(), &mut |members| {
        if let Some(variable) = members.get("key").and_then(|source| source["environmentVariable"].as_str()) {
            let name = members["name"].as_str().unwrap();
            // `gateway.yaml` is for a key of one's own.
            let key = if name == "east" { own_key() } else { key(name) };
            environment.insert(variable.to_owned(), key);
        }
    });
    environment
}

/// A key that nobody else has.
fn own_key() -> String {
    let mut random = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
    wristband::keys::generate(wristband::jose::algorithm::Algorithm::Es256, &mut random).unwrap().to_string()
}

fn borrowed(environment: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn start(sample: &Sample) -> Envoy {
    Envoy::start(&sample.bootstrap, &borrowed(&environment(&sample.bootstrap)))
}

fn login(url: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    let authorization = format!("Basic {}", STANDARD.encode(password));
    let mut headers = headers.to_vec();
    headers.push(("authorization", &authorization));
    get_with(&format!("{url}/login"), &headers)
}

fn with_wristband(url: &str, wristband: &str) -> Answer {
    get_with(url, &[("x-wristband-token", wristband)])
}

/// The claims of a wristband for the federation.
fn claims(issuer: &str) -> Value {
    let mut claims = token::claims(issuer);
    claims["aud"] = "federation".into();
    claims
}

/// A token signed by one key in the name of another.
fn forged(key: &str, kid: &str, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": kid, "typ": "JWT"});
    token::sign_text(key, &header.to_string(), &claims.to_string())
}

/// The `kid` of each published key, in order.
fn published(url: &str) -> Vec<String> {
    let jwks = get(&format!("{url}{CERTS}")).json();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_sample_is_valid_as_it_is() {
    // As their first lines say; Envoy refuses a file that is not there.
    for folder in sample::KEYS.map(path) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("key.pem"), key("cluster-a-2026-11")).unwrap();
    }
    for (name, bootstrap) in samples() {
        let file = path(&format!("envoy/{name}.yaml"));
        let outcome = envoy::validate_file(&file, &borrowed(&environment(&bootstrap)));
        assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
    }
}

#[test]
fn every_sample_is_in_the_guide_and_run_by_a_test() {
    let guide = read("docs/setup.md");
    let tests = ["e2e/samples", "support/fleet"].map(|name| read(&format!("tests/{name}.rs"))).concat();
    for (name, _) in samples() {
        assert!(guide.contains(&format!("(../envoy/{name}.yaml)")), "{name}");
        assert!(tests.contains(&format!("Sample::load(\"{name}\")")), "{name}");
    }
}

fn is_a(members: &Map<String, Value>, message: &str) -> bool {
    let kind = members.get("@type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.rsplit('.').next() == Some(message))
}

#[test]
fn every_sample_grants_the_filter_what_it_needs_and_no_more() {
    for (name, mut bootstrap) in samples() {
        let mut filters = 0;
        sample::visit(&mut bootstrap, &mut |members| {
            if is_a(members, "Wasm") {
                filters += 1;
                check_filter(&name, &members["config"]);
            }
        });
        assert!(filters > 0, "{name}: what does it show?");
    }
}

fn check_filter(name: &str, config: &Value) {
    let machine = &config["vm_config"];
    let allowed = machine["capability_restriction_config"]["allowed_capabilities"].as_object();
    let allowed: BTreeSet<_> = allowed.unwrap().keys().map(String::as_str).collect();
    let (mut has_key, mut has_peer, mut has_replay) = (false, false, false);
    sample::visit(&mut config["configuration"].clone(), &mut |members| {
        has_key |= members.get("key").is_some_and(|key| key["cluster"].is_string());
        has_peer |= members.contains_key("remoteJwks");
        has_replay |= members.contains_key("replay");
    });
    let mut needed: BTreeSet<_> = CAPABILITIES.into();
    if has_key || has_peer {
        needed.extend(FETCHING);
    }
    if has_replay {
        needed.extend(REMEMBERING);
    }
    if has_key && !has_peer {
        needed.retain(|name| !WAITING.contains(name));
    }
    assert_eq!(allowed, needed, "{name}");
    assert_eq!(config["failure_policy"], "FAIL_RELOAD", "{name}");
    assert_eq!(machine["code"]["local"]["filename"], "target/wristband.wasm", "{name}");
    let mut named = Vec::new();
    sample::visit(&mut config["configuration"].clone(), &mut |members| {
        named.extend(members.get("environmentVariable").cloned());
    });
    let variables = machine["environment_variables"]["host_env_keys"].as_array();
    assert_eq!(variables.cloned().unwrap_or_default(), named, "{name}: other variables than named");
}

/// That it works with these is what all other tests show.
#[test]
fn nothing_is_granted_that_the_filter_does_not_have() {
    let module = std::fs::read(path("target/wristband.wasm")).unwrap();
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        match payload.unwrap() {
            Payload::ImportSection(imports) => {
                names.extend(imports.into_imports().map(|import| import.unwrap().name));
            }
            Payload::ExportSection(exports) => names.extend(exports.into_iter().map(|export| export.unwrap().name)),
            _ => {}
        }
    }
    for name in CAPABILITIES.iter().chain(&FETCHING).chain(&REMEMBERING) {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn every_sample_is_fit_to_be_copied() {
    for (name, mut bootstrap) in samples() {
        let (mut managers, mut addresses) = (0, 0);
        sample::visit(&mut bootstrap, &mut |members| {
            if is_a(members, "HttpConnectionManager") {
                managers += 1;
                let action = &members["common_http_protocol_options"]["headers_with_underscores_action"];
                assert_eq!(action, "DROP_HEADER", "{name}: {}", members["stat_prefix"]);
            }
            if let Some(address) = members.get("socket_address") {
                addresses += 1;
                assert_eq!(address["address"], "127.0.0.1", "{name}");
            }
            // Inside of Envoy there is none that anybody could reach.
            if members.contains_key("internal_listener") || members.contains_key("envoy_internal_address") {
                addresses += 1;
            }
            if let Some(file) = members.get("filename") {
                assert!(!file.as_str().unwrap().starts_with('/'), "{name}: {file} is on one machine only");
            }
        });
        let count = |kind: &str| bootstrap["static_resources"][kind].as_array().unwrap().len();
        assert_eq!(managers, count("listeners"), "{name}");
        assert_eq!(addresses, count("listeners") + count("clusters") + 1, "{name}: not all addresses, or no `admin`");
        // The same everywhere, and an access log with each of our filters.
        assert_eq!(bootstrap["stats_config"]["stats_tags"], stats_tags(), "{name}");
        let mut logs = Vec::new();
        sample::visit(&mut bootstrap, &mut |members| {
            let filters = members.get("http_filters").and_then(Value::as_array);
            if filters.is_some_and(|filters| filters.iter().any(|filter| filter["name"] == "wristband")) {
                logs.push(members["access_log"].clone());
            }
        });
        assert!(!logs.is_empty() && logs.iter().all(|log| *log == access_log()), "{name}: {logs:?}");
        assert!(!read(&format!("envoy/{name}.yaml")).contains("PRIVATE KEY-"), "{name}");
    }
}

/// As the samples have it.
fn access_log() -> Value {
    let verifier = sample::parse(&read("envoy/verify-only.yaml"));
    let manager = &verifier["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["access_log"].clone()
}

/// The README makes a federation of two of it.
#[test]
fn the_gateway_of_one_cluster_is_one_of_those_of_the_federation() {
    let mut sample = Sample::load("gateway");
    let envoy = start(&sample);
    let url = sample.url("gateway");
    let answer = login(&url, "alice:wonderland", &[("x-user", "mallory")]);
    let wristband = answer.wristband().unwrap();
    assert_eq!(token::payload(wristband)["sub"], "alice");
    assert_eq!(with_wristband(&url, wristband).received("x-wristband-sub"), Some("alice"));
    assert_eq!((get(&url).status, login(&url, "alice:x", &[]).status), (403, 401));
    drop(envoy);
    let mut federation = Sample::load("federation");
    let (own, theirs) = (sample.plugin("east").clone(), federation.plugin("cluster-b").clone());
    assert_eq!(own["verify"]["mode"], theirs["verify"]["mode"]);
    let chain = |sample: &Sample, listener: &str| {
        let listeners = sample.bootstrap["static_resources"]["listeners"].as_array().unwrap();
        let found = listeners.iter().find(|found| found["name"] == listener).unwrap();
        let manager = &found["filter_chains"][0]["filters"][0]["typed_config"];
        let mut filters = manager["http_filters"].clone();
        filters[1]["typed_config"].as_object_mut().unwrap().remove("users").unwrap();
        filters[2]["typed_config"].take();
        (filters, manager["route_config"]["virtual_hosts"][0]["routes"].clone())
    };
    assert_eq!(chain(&sample, "gateway"), chain(&federation, "cluster-b"));
}

#[test]
fn in_the_federation_nobody_can_name_himself() {
    let sample = Sample::load("federation");
    let envoy = start(&sample);
    let [a, c, native] = ["cluster-a", "cluster-c", "native"].map(|name| sample.url(name));
    envoy.wait_until("A has its key", |_| (0..20).all(|_| get(&format!("{a}{CERTS}")).status == 200));

    for header in ["x-user", "x-wristband-sub", "x_user", "x_wristband_sub"] {
        let answer = get_with(&a, &[(header, "mallory")]);
        assert_eq!((answer.status, answer.wristband()), (403, None), "{header}");
    }
    for password in ["alice:builder", "bob:builder", "mallory:"] {
        let answer = login(&a, password, &[("x-user", "alice")]);
        assert_eq!((answer.status, answer.wristband()), (401, None), "{password}");
    }
    let answer = login(&a, "alice:wonderland", &[("x-user", "mallory"), ("x_user", "mallory")]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let wristband = answer.wristband().unwrap();
    assert_eq!(token::payload(wristband)["sub"], "alice");
    assert_eq!(answer.received("x-user"), Some("alice"));
    assert_eq!(answer.received("authorization"), None);

    let mut claims = claims(A);
    claims["sub"] = Value::Null;
    claims.as_object_mut().unwrap().remove("sub");
    let nameless = forged("cluster-a-2026-11", &published(&a)[0], &claims);
    for (gateway, wristband, expected) in [
        (&c, wristband, Some("alice")),
        (&native, wristband, Some("alice")),
        (&c, &nameless, None),
        (&native, &nameless, None),
    ] {
        let answer = get_with(
            gateway,
            &[
                ("x-wristband-token", wristband),
                ("x-wristband-sub", "mallory"),
                ("x_wristband_sub", "mallory"),
                ("x-wristband_sub", "mallory"),
            ],
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.received("x-wristband-sub"), expected, "{gateway}");
        assert!(!answer.body.contains("mallory"), "{gateway}: {}", answer.body);
    }
}

#[test]
fn at_the_edge_a_token_of_the_identity_provider_becomes_a_wristband() {
    let sample = Sample::load("edge");
    let envoy = start(&sample);
    let url = sample.url("edge");
    let mut claims = token::claims("https://login.example.com");
    claims["aud"] = "cluster-a".into();
    claims["sub"] = "248289761001".into();
    claims["preferred_username"] = "jane".into();
    let bearer = |token: &str| get_with(&url, &[("authorization", &format!("Bearer {token}"))]);

    let answer = bearer(&token::sign("identity-provider", &claims));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let wristband = answer.wristband().unwrap();
    let verified = verified(wristband, "cluster-a-2026-11");
    for (claim, expected) in
        [("iss", A), ("sub", "248289761001"), ("aud", "federation"), ("region", "eu-1"), ("username", "jane")]
    {
        assert_eq!(verified[claim], expected, "{claim}");
    }

    claims.as_object_mut().unwrap().remove("preferred_username");
    let answer = bearer(&token::sign("identity-provider", &claims));
    assert_eq!(token::payload(answer.wristband().unwrap()).get("username"), None);

    for answer in
        [get(&url), bearer(&forged("stranger", "identity-provider", &claims)), with_wristband(&url, wristband)]
    {
        assert_eq!((answer.status, answer.wristband()), (401, None));
    }
    assert_eq!(published(&url), ["cluster-a-2026-11"]);

    let metrics = envoy.admin("/stats/prometheus");
    for line in
        ["wristband_issued{filter=\"edge\"} 2", "wristband_issue_skipped{filter=\"edge\",code=\"response_status\"} 3"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
}

/// The claims of a wristband for the federation, verified with a library that is not ours.
fn verified(wristband: &str, name: &str) -> Value {
    verified_for("federation", wristband, name)
}

fn verified_for(audience: &str, wristband: &str, name: &str) -> Value {
    let key = jsonwebtoken::DecodingKey::from_ec_pem(key(&format!("{name}.pub")).as_bytes()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&[audience]);
    let data = jsonwebtoken::decode::<Value>(wristband, &key, &validation).unwrap();
    assert_eq!(data.header.kid.as_deref(), Some(name));
    data.claims
}

#[test]
fn the_verify_only_gateway_trusts_its_peers_and_holds_no_private_key() {
    let mut sample = Sample::load("verify-only");
    let envoy = start(&sample);
    let url = sample.url("verify-only");

    for (key, issuer) in [("cluster-a-2026-11", A), ("cluster-b-2026-10", B)] {
        let answer = with_wristband(&url, &token::sign(key, &claims(issuer)));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.received("x-wristband-iss"), Some(issuer));
        assert_eq!(answer.received("x-wristband-sub"), Some("alice"));
        assert_eq!(answer.received("x-wristband-token"), None);
        assert_eq!(answer.wristband(), None);
    }
    for (code, wristband) in [
        ("unknown_issuer", token::sign("stranger", &claims("https://stranger.example.com"))),
        ("unknown_key", token::sign("stranger", &claims(A))),
        ("unknown_key", token::sign("cluster-b-2026-10", &claims(A))),
        ("bad_signature", forged("stranger", "cluster-a-2026-11", &claims(A))),
    ] {
        let before = envoy.count(&format!("denied.{code}"));
        let answer = with_wristband(&url, &wristband);
        assert_eq!((answer.status, answer.wristband()), (401, None), "{code}");
        assert_eq!(envoy.count(&format!("denied.{code}")), before + 1, "{code}");
    }
    assert_eq!(get(&url).json()["error"], "missing_token");

    let configuration = envoy.admin("/config_dump");
    assert!(configuration.contains("-----BEGIN PUBLIC KEY-----"));
    let environment = std::fs::read(format!("/proc/{}/environ", envoy.id())).unwrap();
    for text in [&configuration, &*String::from_utf8_lossy(&environment)] {
        assert!(!text.contains("PRIVATE KEY"));
    }

    sample.plugin("verify-only")["peers"][0]["keys"][0]["key"]["inlineString"] = key("cluster-a-2026-11").into();
    let refusal = envoy::validate(&sample.bootstrap, &[]).unwrap_err();
    let expected = "configuration rejected: peers[0].keys[0].key: a private key where only a public one may stand";
    assert!(refusal.contains(expected), "{refusal}");
}

/// By the commands in its first lines.
#[test]
fn in_a_rotation_another_file_takes_the_place_of_the_key() {
    let sample = Sample::load("rotation");
    let text = read("envoy/rotation.yaml");
    let keys = sample.keys().to_str().unwrap();
    let commands =
        text.lines().filter_map(|line| line.strip_prefix("#   ")).filter(|line| line.contains("target/rotation"));
    let commands: Vec<_> = commands.map(|line| line.replace("target/rotation", keys)).collect();
    let run = |command: &str| {
        let status = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(status.success(), "{command}");
    };
    assert_eq!(commands.len(), 5, "{commands:?}");
    let page = read("docs/operating.md");
    for command in &commands[2..] {
        let shown = command.replace(&format!("{keys}/"), "");
        assert!(page.contains(&shown), "{shown}");
    }
    commands[..2].iter().for_each(|command| run(command));
    let envoy = start(&sample);
    let url = sample.url("rotation");
    let all = |holds: &dyn Fn() -> bool| (0..20).all(|_| holds());
    let signed = || login(&url, "alice:wonderland", &[]).wristband().map(str::to_owned);
    envoy.wait_until("it signs", |_| all(&|| signed().is_some()));
    let old = signed().unwrap();
    let kid = |wristband: &str| token::header(wristband)["kid"].as_str().unwrap().to_owned();
    commands[2..].iter().for_each(|command| run(command));
    envoy.wait_until("both are published", |_| all(&|| published(&url).len() == 2));
    assert_eq!(kid(&signed().unwrap()), kid(&old));
    envoy.wait_until("the new one signs", |_| all(&|| kid(&signed().unwrap()) != kid(&old)));
    let new = signed().unwrap();
    assert_eq!(published(&url), [kid(&new), kid(&old)]);
    for wristband in [&old, &new] {
        let answer = with_wristband(&url, wristband);
        assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")));
    }
    assert_eq!(get(&url).status, 403);
    // After a restart the text has the old one too.
    drop(envoy);
    let envoy = start(&sample);
    envoy.wait_until("it signs", |_| all(&|| signed().is_some()));
    assert_eq!(with_wristband(&url, &old).status, 200);
}

/// Two Envoys: one is A, the other one C, which trusts whoever answers for A.
#[test]
fn over_tls_only_a_peer_with_its_own_name_and_authority_is_heard() {
    let a = Sample::load("tls");
    let _envoy_of_a = start(&a);
    let authority = read("testdata/worthless-certificates/federation-authority.pem");
    let port = a.url("cluster-a").rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let wristband = token::sign("cluster-a-2026-11", &claims(A));
    let outcome = |change: &dyn Fn(&mut Sample, &mut Value)| {
        let mut c = Sample::load("tls");
        let clusters = c.bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
        let mut cluster = clusters.pop().unwrap();
        let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        endpoint["address"]["socket_address"]["port_value"] = port.into();
        change(&mut c, &mut cluster);
        c.bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
        let _envoy = start(&c);
        with_wristband(&c.url("cluster-c"), &wristband).status
    };
    let context = "/transport_socket/typed_config/common_tls_context";
    assert_eq!(outcome(&|_, _| {}), 200);
    // Another authority, and another name.
    let other = "testdata/worthless-certificates/authority.pem";
    assert_eq!(
        outcome(&|_, cluster| {
            let context = cluster.pointer_mut(context).unwrap();
            context["validation_context"]["trusted_ca"]["filename"] = other.into();
        }),
        503
    );
    let uri = "https://cluster-b.example.com/.well-known/openid-connect/certs";
    let ask_for_b = |c: &mut Sample| c.plugin("cluster-c")["peers"][0]["remoteJwks"]["uri"] = uri.into();
    assert_eq!(outcome(&|c, _| ask_for_b(c)), 503);
    // What the comment warns of.
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let unchecked = |c: &mut Sample, cluster: &mut Value| {
        ask_for_b(c);
        let options = cluster.pointer_mut(options).unwrap();
        options.as_object_mut().unwrap().remove("upstream_http_protocol_options");
    };
    assert_eq!(outcome(&unchecked), 200, "any name will do");
    let answer = http::try_get_tls(&a.url("cluster-a").replace("http:", "https:"), &authority, None, &[]);
    assert!(answer.is_err(), "its certificate is for its name");
}

/// Who steals a wristband cannot use it, and who has no certificate does not even get a connection.
#[test]
fn with_mtls_a_wristband_is_good_with_the_certificate_that_it_was_issued_for() {
    const ALICE: &str = "spiffe://cluster-a.example.com/alice";
    let sample = Sample::load("mtls");
    let envoy = start(&sample);
    let url = sample.url("mtls").replace("http://", "https://");
    let file = |name: &str| read(&format!("testdata/worthless-certificates/{name}.pem"));
    let ask = |client: Option<(&str, &str)>, wristband: Option<&str>| {
        let headers: Vec<_> = wristband.map(|wristband| ("x-wristband-token", wristband)).into_iter().collect();
        http::try_get_tls(&url, &file("authority"), client, &headers)
    };
    let ask_as = |name: &str, wristband: Option<&str>| {
        ask(Some((&file(name), &file(&format!("{name}.key")))), wristband).unwrap()
    };

    let answer = ask_as("alice", None);
    assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, None));
    let wristband = answer.wristband().unwrap();
    let claims = verified(wristband, "cluster-a-2026-11");
    let digest = sha2::Sha256::digest(pem::parse(file("alice")).unwrap().contents());
    assert_eq!((&claims["sub"], &claims["cnf"]), (&json!(ALICE), &json!({"x5t#S256": token::encode(digest)})));

    let answer = ask_as("alice", Some(wristband));
    assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some(ALICE)));
    let answer = ask_as("mallory", Some(wristband));
    assert_eq!((answer.status, answer.wristband()), (401, None));
    assert_eq!(envoy.count("denied.wrong_certificate"), 1);
    let answer = ask_as("mallory", None);
    assert_eq!(token::payload(answer.wristband().unwrap())["sub"], "spiffe://cluster-a.example.com/mallory");
    // The server's certificate is of the same authority, and names nobody.
    let answer = ask_as("server", None);
    assert_eq!((answer.status, answer.wristband()), (200, None));
    assert_eq!(envoy.count("issue_skipped.no_identity"), 1);

    let stranger = (key("forms/certificate"), key("cluster-a-2026-11"));
    let port = url.rsplit(':').next().unwrap();
    for (client, counter) in
        [(None, "fail_verify_no_cert"), (Some((stranger.0.as_str(), stranger.1.as_str())), "fail_verify_error")]
    {
        assert!(ask(client, Some(wristband)).is_err(), "{counter}");
        assert_eq!(envoy.counter(&format!("listener.127.0.0.1_{port}.ssl.{counter}")), 1, "{counter}");
    }
}

#[test]
fn an_exchange_makes_a_wristband_of_b_of_one_of_a_and_stops_a_loop() {
    const OF_A: &str = "cluster-a-2026-11";
    const OF_B: &str = "cluster-b-2026-10";
    let sample = Sample::load("exchange");
    let envoy = start(&sample);
    let url = sample.url("exchange");
    let gateway = |name: &str| json!({"iss": format!("https://{name}.example.com"), "sub": "alice"});
    let mut inbound = claims(A);
    inbound["exp"] = json!(token::now() + 60);

    let mut way = gateway("cluster-a");
    for act in [None, Some(gateway("cluster-c"))] {
        if let Some(act) = act {
            inbound["act"] = act.clone();
            way["act"] = act;
        }
        let answer = with_wristband(&url, &token::sign(OF_A, &inbound));
        assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")));
        assert_eq!(answer.received("x-wristband-token"), None);
        let ours = verified(answer.wristband().unwrap(), OF_B);
        assert_eq!((&ours["iss"], &ours["sub"], &ours["act"]), (&json!(B), &json!("alice"), &way));
        assert_eq!(ours["exp"], inbound["exp"], "it lives longer than the one it was given for");
    }

    let mut far = inbound.clone();
    far["act"]["act"] = gateway("cluster-d");
    let mut back = inbound.clone();
    back["act"] = gateway("cluster-b");
    for (code, wristband) in [
        ("too_many_hops", token::sign(OF_A, &far)),
        ("loop", token::sign(OF_A, &back)),
        ("own_wristband", token::sign(OF_B, &claims(B))),
    ] {
        let answer = with_wristband(&url, &wristband);
        assert_eq!((answer.status, answer.wristband()), (200, None), "{code}");
        assert_eq!(envoy.count(&format!("issue_skipped.{code}")), 1, "{code}");
    }
    for answer in [get(&url), with_wristband(&url, &forged("stranger", OF_A, &inbound))] {
        assert_eq!((answer.status, answer.wristband()), (401, None));
    }
    assert_eq!(published(&url), [OF_B]);
}

#[test]
fn a_browser_carries_its_wristband_in_a_cookie() {
    let sample = Sample::load("cookie");
    let envoy = start(&sample);
    let url = sample.url("cookie");
    let with_cookie = |cookie: &str| get_with(&url, &[("cookie", cookie)]);
    let wristband_in = |answer: &Answer| {
        assert_eq!((answer.status, answer.wristband()), (200, None));
        let cookie = answer.header("set-cookie").unwrap();
        let cookie = cookie.strip_prefix("__Host-wristband=").unwrap();
        cookie.strip_suffix("; Path=/; Max-Age=3600; SameSite=Lax; Secure; HttpOnly").unwrap().to_owned()
    };

    let wristband = wristband_in(&login(&url, "alice:wonderland", &[]));
    assert_eq!(verified(&wristband, "cluster-a-2026-11")["sub"], "alice");
    let answer = with_cookie(&format!("theme=dark; __Host-wristband={wristband}; a=b"));
    assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")));
    assert_eq!((answer.received("cookie"), answer.header("set-cookie")), (Some("theme=dark; a=b"), None));

    for (status, answer) in [
        (403, get(&url)),
        (403, with_cookie("theme=dark")),
        (403, with_cookie(&format!("wristband={wristband}"))),
        (403, get_with(&url, &[("x-user", "mallory"), ("x-wristband-sub", "mallory")])),
        (401, login(&url, "alice:builder", &[])),
    ] {
        assert_eq!((answer.status, answer.header("set-cookie")), (status, None), "{answer:?}");
    }
    let forged = format!("__Host-wristband={}", forged("stranger", "cluster-a-2026-11", &claims(A)));
    assert_eq!(with_cookie(&forged).status, 401);
    assert_eq!(envoy.count("denied.bad_signature"), 1);
    // No cookie, bad or good, keeps anyone from logging in again, as somebody else perhaps.
    for old in [forged, format!("__Host-wristband={wristband}")] {
        let new = wristband_in(&login(&url, "alice:wonderland", &[("cookie", &old), ("x-user", "mallory")]));
        assert_ne!(new, wristband);
        assert_eq!(token::payload(&new)["sub"], "alice");
    }
}

#[test]
fn the_upstream_receives_a_pseudonym_and_the_client_nothing() {
    let sample = Sample::load("upstream");
    let envoy = start(&sample);
    let url = sample.url("gateway");
    let mut claims = token::claims("https://login.example.com");
    claims["aud"] = "cluster-a".into();
    claims["sub"] = "248289761001".into();
    claims["roles"] = json!(["reader", "editor"]);
    claims["tenant"] = "acme".into();
    let ask = |key: &str, claims: &Value| {
        let bearer = format!("Bearer {}", forged(key, "identity-provider", claims));
        get_with(&url, &[("authorization", &bearer), ("x-wristband-token", "forged")])
    };
    for document in ["openid-configuration", "openid-connect/certs", "jwks.json"] {
        assert_eq!(get(&format!("{url}/.well-known/{document}")).status, 200, "{document}");
    }

    // The name as JSON, as Go writes it.
    let digest = sha2::Sha256::digest(r#""248289761001""#);
    let pseudonym: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for id in ["1", "2"] {
        claims["jti"] = id.into();
        let answer = ask("identity-provider", &claims);
        assert_eq!((answer.status, answer.wristband()), (200, None), "{}", answer.body);
        assert_eq!(answer.received("authorization"), None);
        let [wristband] = answer.received_all("x-wristband-token")[..] else { panic!("{}", answer.body) };
        let verified = verified_for("services", wristband, "cluster-a-2026-11");
        for (claim, expected) in
            [("sub", &json!(pseudonym)), ("roles", &claims["roles"]), ("tenant", &claims["tenant"])]
        {
            assert_eq!(&verified[claim], expected, "{claim}");
        }
        assert!(!verified.to_string().contains("248289761001"));
    }

    claims.as_object_mut().unwrap().remove("tenant");
    let answer = ask("identity-provider", &claims);
    assert_eq!((answer.status, answer.received("x-wristband-token")), (200, None));
    assert_eq!(envoy.count("issue_skipped.claim_missing"), 1);
    for answer in [get(&url), ask("stranger", &claims), get(&format!("{url}/.well-known/other"))] {
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    assert_eq!(envoy.count("issued"), 2);
    assert_eq!(published(&url), ["cluster-a-2026-11"]);
}

#[test]
fn whom_the_authorizer_names_gets_a_wristband_and_nobody_else() {
    let mut sample = Sample::load("authorizer");
    let mut envoy = start(&sample);
    let url = sample.url("gateway");
    let ask = |password: &str| {
        let authorization = format!("Basic {}", STANDARD.encode(password));
        get_with(&url, &[("authorization", &authorization), ("x-auth-user", "mallory"), ("x-auth-role", "admin")])
    };

    let answer = ask("carol:secret");
    assert_eq!((answer.status, answer.received("authorization")), (200, None));
    let verified = verified(answer.wristband().unwrap(), "cluster-a-2026-11");
    assert_eq!((&verified["sub"], &verified["role"]), (&json!("carol"), &json!("editor")));
    for answer in [ask("carol:guess"), get(&url), get_with(&url, &[("x-auth-user", "carol")])] {
        assert_eq!((answer.status, answer.wristband()), (401, None));
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=cluster-a"));
    }
    assert_eq!(published(&url), ["cluster-a-2026-11"]);

    // Nobody comes in while the authorizer cannot be asked.
    envoy.stop();
    let clusters = sample.bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
    let authorizer = clusters.iter_mut().find(|cluster| cluster["name"] == "authorizer").unwrap();
    sample::visit(authorizer, &mut |members| {
        if let Some(port) = members.get_mut("port_value") {
            *port = free_port().into();
        }
    });
    let _envoy = start(&sample);
    let answer = ask("carol:secret");
    assert_eq!((answer.status, answer.wristband()), (403, None));
}

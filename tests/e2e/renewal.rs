//! Keys that change while Envoy runs: our own from a file, those of peers from where they publish them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;

use crate::jwks_server::{Answers, JwksServer, answer, ok};
use crate::live::Client;
use crate::support::config::{
    self, allow_fetching, cluster, filter, gateways, internal_listeners, key_by_call, stats_tags,
};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http;
use crate::support::key;
use crate::support::token::{self, A, B, claims, sign};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";
const PEER: &str = "https://peer.example.com";

fn swap(folder: &Path, version: &str, text: &str) {
    swap_file(folder, "key.pem", version, text);
}

/// Replaces a file as Kubernetes does: one symbolic link takes the place of another.
pub fn swap_file(folder: &Path, name: &str, version: &str, text: &str) {
    let data = folder.join(format!("..{version}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join(name), text).unwrap();
    let (link, current) = (folder.join("..tmp"), folder.join("..data"));
    std::os::unix::fs::symlink(format!("..{version}"), &link).unwrap();
    fs::rename(&link, &current).unwrap();
    let file = folder.join(name);
    if !file.exists() {
        std::os::unix::fs::symlink(format!("..data/{name}"), file).unwrap();
    }
}

fn fetching(plugin: &Value) -> Value {
    let mut filter = filter(plugin);
    allow_fetching(&mut filter);
    filter
}

/// One gateway whose own key is in a file, in an Envoy with these arguments.
fn signer(plugin: &Value, keys: &Path, arguments: &[&str]) -> (Envoy, String) {
    let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![fetching(plugin)]]);
    let (listener, cluster) = key_by_call(keys);
    bootstrap["bootstrap_extensions"] = internal_listeners();
    bootstrap["stats_config"] = json!({"stats_tags": stats_tags()});
    bootstrap["static_resources"]["listeners"].as_array_mut().unwrap().push(listener);
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
    (Envoy::try_start(&bootstrap, &[], arguments).unwrap(), urls[0].clone())
}

fn own_key(announce: u32) -> Value {
    json!({
        "issuer": A,
        "tokenDuration": 60,
        "discovery": {"maxAge": 1},
        "signingKeyRefs": [{
            "algorithm": "ES256",
            "key": {"cluster": "wristband-key", "path": "/key", "refresh": 1, "announce": announce},
        }],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

fn published(url: &str) -> Option<Vec<String>> {
    let answer = http::get(&format!("{url}/.well-known/openid-connect/certs"));
    if answer.status == 503 {
        assert_eq!(answer.header("retry-after"), Some("1"));
        return None;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let keys = answer.json()["keys"].clone();
    Some(keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect())
}

fn wristband(url: &str) -> Option<String> {
    let answer = http::get_with(url, &[("x-user", "alice")]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.wristband().map(str::to_owned)
}

/// Whether all workers say so: each new connection may reach another one.
fn all(holds: impl Fn() -> bool) -> bool {
    (0..20).all(|_| holds())
}

/// The RFC 7638 thumbprint of a key.
fn thumbprint(name: &str) -> String {
    let jwk = token::jwk(name);
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    token::encode(sha2::Sha256::digest(text))
}

/// As the page says: announced under its thumbprint, and then the old one stands behind the file.
#[test]
fn a_key_in_a_variable_gives_way_to_one_in_a_file() {
    let page = crate::support::read("docs/operating.md");
    let section = page.split("### From a variable to a file\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks: Vec<_> = section.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let plugin = |block: &str| {
        let block = block.replace("THUMBPRINT", &thumbprint(A2)).replace("name: east", &format!("name: {A1}"));
        let mut keys: Value = serde_yaml_ng::from_str(&block).unwrap();
        for entry in keys["signingKeyRefs"].as_array_mut().unwrap() {
            if let Some(text) = entry["key"].get_mut("inlineString") {
                let name = if *text == "the text of key.pub.pem" { A2 } else { A1 };
                *text = key(&format!("{name}.pub")).into();
            }
        }
        let mut plugin = own_key(3);
        plugin["signingKeyRefs"] = keys["signingKeyRefs"].clone();
        plugin
    };
    let setup = gateways(vec![vec![filter(&plugin(blocks[0]))]]);
    let _before = Envoy::start(&setup.bootstrap, &[("EAST_SIGNING_KEY", &key(A1))]);
    let before = &setup.urls[0];
    assert_eq!(published(before).unwrap(), [A1.to_owned(), thumbprint(A2)]);
    let folder = TempDir::new().unwrap();
    swap(folder.path(), "1", &key(A2));
    let (envoy, after) = signer(&plugin(blocks[1]), folder.path(), &[]);
    envoy.wait_until("the file signs", |_| all(|| wristband(&after).is_some()));
    assert_eq!(published(&after).unwrap(), [thumbprint(A2), A1.to_owned()]);
    let [old, new] = [before, &after].map(|url| wristband(url).unwrap());
    for (url, token) in [(&after, &old), (before, &new)] {
        assert_eq!(http::get_with(url, &[("x-wristband-token", token)]).status, 200);
    }
}

#[test]
fn a_file_is_renamed_and_everyone_knows() {
    let keys = TempDir::new().unwrap();
    swap(keys.path(), "1", &key(A1));
    let (envoy, url) = signer(&own_key(3), keys.path(), &["-l", "trace"]);
    envoy.wait_until("the first key signs", |_| all(|| wristband(&url).is_some()));
    let first = published(&url).unwrap();
    assert_eq!(first.len(), 1);
    let pid = envoy.id();
    // Someone who signs and presents what was signed, all the time.
    let asked = url.clone();
    let client = Client::start(move || {
        let wristband = wristband(&asked).unwrap();
        let kid = token::header(&wristband)["kid"].as_str().unwrap().to_owned();
        assert!(published(&asked).unwrap().contains(&kid), "what is signed is published");
        let answer = http::get_with(&asked, &[("x-wristband-token", &wristband)]);
        assert_eq!(answer.status, 200, "{answer:?}");
    });
    let old = wristband(&url).unwrap();
    swap(keys.path(), "2", &key(A2));
    envoy.wait_until("both are published", |_| all(|| published(&url).unwrap().len() == 2));
    assert_eq!(token::header(&wristband(&url).unwrap())["kid"], first[0].as_str(), "the old one signs");
    let second = published(&url).unwrap()[1].clone();
    let signs = || token::header(&wristband(&url).unwrap())["kid"] == second.as_str();
    envoy.wait_until("the new one signs", |_| all(signs));
    assert_eq!(published(&url).unwrap(), [second.clone(), first[0].clone()]);
    assert_eq!(http::get_with(&url, &[("x-wristband-token", &old)]).status, 200);
    // What cannot be used changes nothing, nor does a file that is gone.
    swap(keys.path(), "3", "-----BEGIN PRIVATE KEY-----\nno key\n-----END PRIVATE KEY-----\n");
    // Envoy's main thread never reaches a listener of its own.
    envoy.wait_until("it is refused", |envoy| envoy.admin("/stats?filter=key_rejected").contains(": 2"));
    fs::remove_file(keys.path().join("key.pem")).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(all(signs));
    assert!(client.stop() > 0);
    assert_eq!(envoy.id(), pid);
    let prometheus = envoy.admin("/stats/prometheus");
    assert!(prometheus.contains("wristband_key_rejected{filter=\"wristband\"} 2"), "{prometheus}");
    assert!(prometheus.contains("wristband_key_changed_timestamp_seconds{filter=\"wristband\"} 1"), "{prometheus}");
    let log = envoy.log();
    assert_eq!(log.matches("the text of the key was refused and changes nothing: not valid PEM").count(), 2);
    // The keys are nowhere, in whatever form.
    let pages = ["/config_dump?include_eds", "/stats", "/stats/prometheus", "/clusters", "/listeners", "/server_info"];
    let seen = pages.iter().fold(log, |seen, page| seen + &envoy.admin(page));
    for name in [A1, A2] {
        let (text, scalar) = (key(name), token::scalar(name));
        let line = text.lines().nth(1).unwrap();
        let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
        for secret in [line, &hex, &token::encode(&scalar)] {
            assert!(!seen.contains(secret), "{name}");
        }
    }
}

#[test]
fn before_there_is_a_key_nothing_is_signed_and_no_set_is_published() {
    let keys = TempDir::new().unwrap();
    swap(keys.path(), "1", "-");
    let mut plugin = own_key(0);
    let (envoy, url) = signer(&plugin, keys.path(), &[]);
    assert_eq!((wristband(&url), published(&url)), (None, None));
    assert!(envoy.count("issue_skipped.no_key") > 0);
    swap(keys.path(), "2", &key(A1));
    envoy.wait_until("it signs", |_| all(|| wristband(&url).is_some()));
    assert!(!envoy.log().contains("was refused"));
    // Whoever would rather have no response says so.
    plugin["issue"]["onFailure"] = "deny".into();
    let keys = TempDir::new().unwrap();
    swap(keys.path(), "1", "-");
    let (_envoy, url) = signer(&plugin, keys.path(), &[]);
    assert_eq!(http::get_with(&url, &[("x-user", "alice")]).status, 503);
}

/// A gateway that trusts a peer by what this server has.
struct Verifier {
    envoy: Envoy,
    url: String,
    server: JwksServer,
}

impl Verifier {
    fn start(answers: Answers, remote: &Value) -> Self {
        Self::with(answers, remote, |_| {})
    }

    fn with(answers: Answers, remote: &Value, change: impl FnOnce(&mut Value)) -> Self {
        let server = JwksServer::start(answers);
        let mut settings = json!({"cluster": "peer"});
        settings.as_object_mut().unwrap().extend(remote.as_object().unwrap().clone());
        let plugin = json!({
            "issuer": A,
            "peers": [{"issuer": PEER, "remoteJwks": settings}],
            "verify": {"outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]},
        });
        let mut filter = fetching(&plugin);
        change(&mut filter);
        let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![filter]]);
        bootstrap["stats_config"] = json!({"stats_tags": stats_tags()});
        bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster("peer", server.port));
        let envoy = Envoy::try_start(&bootstrap, &[], &["--concurrency", "1"]).unwrap();
        Self { envoy, url: urls[0].clone(), server }
    }

    fn present(&self, token: &str) -> http::Answer {
        http::get_with(&self.url, &[("x-wristband-token", token), ("x-sub", "forged")])
    }

    fn code(&self, token: &str) -> String {
        let answer = self.present(token);
        format!("{} {}", answer.status, answer.body)
    }
}

/// A peer's token, signed by one of the keys.
fn peers(key: &str, kid: &str) -> String {
    let text = json!({"alg": "ES256", "kid": kid, "typ": "JWT"}).to_string();
    token::sign_text(key, &text, &claims(PEER).to_string())
}

fn set(names: &[&str]) -> Value {
    let keys: Vec<_> = names.iter().map(|name| config::jwks(name)["keys"][0].clone()).collect();
    json!({"keys": keys})
}

#[test]
fn a_peer_s_keys_are_fetched_and_a_new_one_as_soon_as_a_token_names_it() {
    let verifier = Verifier::start(ok(&set(&[B1])), &json!({}));
    let answer = verifier.present(&peers(B1, B1));
    assert_eq!((answer.status, answer.received("x-sub")), (200, Some("alice")), "{answer:?}");
    let request = verifier.server.last().to_ascii_lowercase();
    assert!(request.starts_with("get /.well-known/openid-connect/certs http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nhost: peer.example.com\r\n"), "{request}");
    // The peer rotates without a word to anyone.
    verifier.server.answer_with(ok(&set(&[B1, A1])));
    let before = verifier.server.asked();
    assert_eq!(verifier.present(&peers(A1, A1)).status, 200);
    assert_eq!(verifier.server.asked(), before + 1);
    // Made-up names bring no other fetch for half a minute, and nobody waits for one.
    let started = Instant::now();
    for index in 0..50 {
        assert!(verifier.code(&peers(A2, &format!("made-up-{index}"))).contains("key of the token is not known"));
    }
    assert_eq!(verifier.server.asked(), before + 1);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let prometheus = verifier.envoy.admin("/stats/prometheus");
    for line in [
        "wristband_jwks_keys{filter=\"wristband\",peer=\"peer_example_com\"} 2",
        "wristband_jwks_skipped{filter=\"wristband\",peer=\"peer_example_com\"} 0",
        "wristband_waiting{filter=\"wristband\"} 0",
        "wristband_jwks_fetched_timestamp_seconds{filter=\"wristband\",peer=\"peer_example_com\"} 1",
    ] {
        assert!(prometheus.contains(line), "{line}: {prometheus}");
    }
}

#[test]
fn whatever_the_server_does_the_good_set_stays_and_requests_are_answered() {
    let verifier = Verifier::start(ok(&set(&[B1])), &json!({"refresh": 1, "timeout": 1}));
    let good = peers(B1, B1);
    assert_eq!(verifier.present(&good).status, 200);
    let gzip = "content-encoding: gzip\r\n";
    let private = json!({"keys": [{"kty": "EC", "crv": "P-256", "d": "AAAA", "kid": "p"}]});
    let large = format!("{{\"keys\": [{}]}}", " ".repeat(2 << 20));
    for (what, answers) in [
        ("500", answer("500 Oh", "", b"{}")),
        ("302", answer("302 Found", "location: http://127.0.0.1/\r\n", b"")),
        ("304", answer("304 Not Modified", "", b"")),
        ("gzip", answer("200 OK", gzip, set(&[B1]).to_string().as_bytes())),
        ("garbage", answer("200 OK", "", b"<html>")),
        ("no HTTP", Answers::Bytes(b"nonsense\r\n\r\n".to_vec())),
        ("a private half", ok(&private)),
        ("no key", ok(&json!({"keys": []}))),
        ("too large", answer("200 OK", "", large.as_bytes())),
        ("closes", Answers::Closes),
        ("hangs", Answers::Hangs),
        ("drips", Answers::Drips),
    ] {
        let failures =
            || verifier.envoy.counter("wasmcustom.wristband.jwks_failures.filter.wristband.peer.peer_example_com");
        let before = failures();
        verifier.server.answer_with(answers);
        verifier.envoy.wait_until(what, |_| {
            assert_eq!(verifier.present(&good).status, 200, "{what}");
            failures() > before
        });
        // Back to good, so that nothing is put off for long.
        verifier.server.answer_with(ok(&set(&[B1])));
        let fetched = || verifier.server.asked();
        let asked = fetched();
        verifier.envoy.wait_until("it is asked again", |_| fetched() > asked + 1);
    }
    assert!(verifier.envoy.log().contains("has a private `d`"));
}

#[test]
fn requests_wait_for_the_first_set_no_longer_than_they_may_and_not_too_many() {
    let verifier = Verifier::start(Answers::Hangs, &json!({"timeout": 2}));
    let good = peers(B1, B1);
    let started = Instant::now();
    let (url, token) = (verifier.url.clone(), good.clone());
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let (url, token) = (url.clone(), token.clone());
            std::thread::spawn(move || {
                let started = Instant::now();
                let answer = http::get_with(&url, &[("x-wristband-token", &token)]);
                assert_eq!(answer.header("retry-after"), Some("5"));
                (answer.status, answer.header("www-authenticate").map(str::to_owned), started.elapsed())
            })
        })
        .collect();
    // Whoever has no token, or a bad one, waits for nobody.
    assert_eq!(http::get(&verifier.url).status, 401);
    assert!(started.elapsed() < Duration::from_millis(1500));
    let answers: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    for (status, challenge, waited) in &answers {
        assert_eq!(*status, 503);
        assert!(challenge.as_ref().unwrap().contains("keys of the issuer cannot be had"), "{challenge:?}");
        assert!(*waited < Duration::from_secs(5), "{waited:?}");
    }
    let at_once = answers.iter().filter(|(_, _, waited)| *waited < Duration::from_millis(1000)).count();
    assert!((36..=60).contains(&at_once), "{at_once}");
    assert_eq!(verifier.envoy.counter("wasmcustom.wristband.waiting.filter.wristband"), 0);
}

#[test]
fn the_body_of_a_request_waits_with_it_and_a_client_that_leaves_is_forgotten() {
    for stops_iteration in [false, true] {
        let verifier = Verifier::with(Answers::Hangs, &json!({"timeout": 30}), |filter| {
            let config = &mut filter["typed_config"]["config"];
            config["allow_on_headers_stop_iteration"] = stops_iteration.into();
        });
        let waiting = || verifier.envoy.counter("wasmcustom.wristband.waiting.filter.wristband");
        let address = verifier.url.strip_prefix("http://").unwrap();
        let token = peers(B1, B1);
        let send = || {
            let mut stream = TcpStream::connect(address).unwrap();
            let head =
                format!("POST / HTTP/1.1\r\nhost: a\r\nx-wristband-token: {token}\r\ncontent-length: 100000\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&[b'x'; 50_000]).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(&[b'x'; 50_000]).unwrap();
            stream
        };
        let leaving: Vec<_> = (0..10).map(|_| send()).collect();
        verifier.envoy.wait_until("they wait", |_| waiting() == 10);
        std::thread::sleep(Duration::from_millis(300));
        // Nobody was let through without his key.
        let passed = verifier.envoy.counter("http.echo.downstream_rq_total");
        assert_eq!(passed, 0, "{stops_iteration}");
        drop(leaving);
        verifier.envoy.wait_until("they are forgotten", |_| waiting() == 0);
        assert_eq!(http::get(&verifier.url).status, 401);
    }
}

/// Envoy resumes the headers with the body where nobody is asked about that.
#[test]
fn who_is_not_asked_about_the_body_hands_out_nothing_of_a_request_that_went_on() {
    let verifier = Verifier::with(Answers::Hangs, &json!({"timeout": 3}), |filter| {
        filter["typed_config"]["config"]["allow_on_headers_stop_iteration"] = true.into();
        config::capabilities(filter).remove("proxy_on_request_body");
    });
    let token = peers(B1, B1);
    let mut stream = TcpStream::connect(verifier.url.strip_prefix("http://").unwrap()).unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\nx-wristband-token: {token}\r\ncontent-length: 3\r\n\r\nabc");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(!answer.contains("x-wristband-token"), "{answer}");
    assert!(verifier.envoy.log().contains("a request went on that was held"));
}

#[test]
fn gateways_trust_each_other_by_what_they_publish_and_rotate() {
    let (b, keys) = (free_port(), TempDir::new().unwrap());
    swap(keys.path(), "1", &key(B1));
    let mut signer = own_key(3);
    signer["issuer"] = B.into();
    let verifier = json!({
        "issuer": A,
        "peers": [{"issuer": B, "remoteJwks": {"cluster": "b", "refresh": 1}}],
        "verify": {"mode": "require"},
        "discovery": {"trust": true},
    });
    let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![fetching(&verifier)]]);
    let (listener, cluster_of_key) = key_by_call(keys.path());
    bootstrap["bootstrap_extensions"] = internal_listeners();
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().unwrap();
    listeners.push(listener);
    listeners.push(config::listener("b", b, vec![fetching(&signer)], config::to_upstream()));
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
    clusters.extend([cluster_of_key, cluster("b", b)]);
    let envoy = Envoy::start(&bootstrap, &[]);
    let (a, b) = (urls[0].clone(), format!("http://127.0.0.1:{b}"));
    envoy.wait_until("b signs", |_| all(|| wristband(&b).is_some()));
    let exchange = |count: u32| {
        for _ in 0..count {
            let answer = http::get_with(&a, &[("x-wristband-token", &wristband(&b).unwrap())]);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };
    exchange(20);
    let before = published(&b).unwrap();
    swap(keys.path(), "2", &key(A2));
    let signs = || token::header(&wristband(&b).unwrap())["kid"] != before[0].as_str();
    envoy.wait_until("the new key signs", |_| {
        exchange(1);
        all(signs)
    });
    exchange(40);
    let trust = http::get(&format!("{a}/.well-known/wristband/trust")).json();
    assert_eq!(trust["issuers"][1]["source"], "remote");
    assert!(trust["issuers"][1]["fetched"].as_str().unwrap().ends_with('Z'));
    assert_eq!(http::get_with(&a, &[("x-wristband-token", &sign(A1, &claims(B)))]).status, 401);
}

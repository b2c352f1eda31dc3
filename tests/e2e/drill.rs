//! Everything at once, for `DRILL` seconds, twenty unless it says otherwise: a key that changes every few seconds, a peer's server
//! that does what servers do on their worst days, updates good and bad, and clients who never stop and know what each answer has to
//! be.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::jwks_server::{Answers, JwksServer, answer, ok};
use crate::support::config::{
    self, allow_fetching, cluster, echo, filter, internal_listeners, key_by_call, stats_tags, to_upstream,
};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http;
use crate::support::key;
use crate::support::token::{self, A, claims};

const KEYS: [&str; 3] = ["cluster-a-2026-11", "cluster-a-2027-02", "stranger"];
const B1: &str = "cluster-b-2026-10";
const IDP: &str = "identity-provider";
const PEER: &str = "https://peer.example.com";

/// What was counted.
#[derive(Default)]
struct Table {
    sent: AtomicUsize,
    denied: AtomicUsize,
    passed: AtomicUsize,
    failed: AtomicUsize,
    /// The first of each kind.
    examples: Mutex<BTreeMap<&'static str, String>>,
}

impl Table {
    fn wrong(&self, count: &AtomicUsize, kind: &'static str, answer: &http::Answer) {
        count.fetch_add(1, Ordering::SeqCst);
        self.examples.lock().unwrap().entry(kind).or_insert_with(|| format!("{answer:?}"));
    }

    /// Takes note of an answer that had to be a yes or a no. 503 is a no that `keys_unavailable` explains, where it may be one.
    fn check(&self, answer: &http::Answer, is_good: bool) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        match (answer.status, is_good) {
            (200, true) | (401, false) => {}
            (200, false) => self.wrong(&self.passed, "wrongly passed", answer),
            (401 | 403, true) => self.wrong(&self.denied, "wrongly denied", answer),
            _ => self.wrong(&self.failed, "unexplained", answer),
        }
    }
}

fn plugin(duration: u32) -> Value {
    json!({
        "issuer": A,
        "tokenDuration": duration,
        "discovery": {"maxAge": 1, "trust": true},
        "signingKeyRefs": [{
            "algorithm": "ES256",
            "key": {"cluster": "wristband-key", "path": "/key", "refresh": 1, "announce": 2},
        }],
        "peers": [{"issuer": PEER, "remoteJwks": {"cluster": "peer", "refresh": 1, "timeout": 1}}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

fn listeners(port: u16, plugin: &Value) -> Value {
    let mut filter = filter(plugin);
    allow_fetching(&mut filter);
    let mut listener = config::listener("gateway", port, vec![filter], to_upstream());
    listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
    // The old configuration goes soon, and what it had under way.
    listener["drain_type"] = "MODIFY_ONLY".into();
    json!({"resources": [listener]})
}

fn peers(key: &str, kid: &str, life: i64) -> String {
    let mut claims = claims(PEER);
    claims["exp"] = (i64::try_from(token::now()).unwrap() + life).into();
    claims["jti"] = fastrand::u64(..).to_string().into();
    let header = json!({"alg": "ES256", "kid": kid, "typ": "JWT"}).to_string();
    token::sign_text(key, &header, &claims.to_string())
}

fn set(names: &[&str]) -> Value {
    json!({"keys": names.iter().map(|name| config::jwks(name)["keys"][0].clone()).collect::<Vec<_>>()})
}

/// Resident memory of a process, in MB.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

#[test]
fn nothing_is_denied_or_passed_wrongly_whatever_happens_at_once() {
    let seconds = std::env::var("DRILL").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let (folder, keys) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let put_key = |text: &str| {
        let next = keys.path().join("next.pem");
        fs::write(&next, text).unwrap();
        fs::rename(next, keys.path().join("key.pem")).unwrap();
    };
    put_key(&key(KEYS[0]));
    let server = Arc::new(JwksServer::start(ok(&set(&[B1]))));
    let (port, upstream) = (free_port(), free_port());
    let file = folder.path().join("dynamic/listeners.json");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, listeners(port, &plugin(60)).to_string()).unwrap();
    let (key_listener, key_cluster) = key_by_call(keys.path());
    let bootstrap = json!({
        "node": {"id": "test", "cluster": "test"},
        "bootstrap_extensions": internal_listeners(),
        "stats_config": {"stats_tags": stats_tags()},
        "dynamic_resources": {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": file}}},
        "static_resources": {
            "listeners": [echo(upstream), key_listener],
            "clusters": [cluster("echo", upstream), key_cluster, cluster("peer", server.port)],
        },
    });
    let envoy = Envoy::try_start_in(folder, &bootstrap, &[], &["--concurrency", "2", "--drain-time-s", "5"]).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let sign = |url: &str| http::get_with(url, &[("x-user", "alice")]);
    envoy
        .wait_until("it signs", |_| http::try_get(&url).is_some() && (0..20).all(|_| sign(&url).wristband().is_some()));
    let before = memory(envoy.id());
    let (table, stop) = (Arc::new(Table::default()), Arc::new(AtomicBool::new(false)));
    let mut clients = Vec::new();
    let mut client = |work: fn(&Table, &str)| {
        let (table, stop, url) = (Arc::clone(&table), Arc::clone(&stop), url.clone());
        clients.push(std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                work(&table, &url);
            }
        }));
    };
    // Whoever signs and presents it at once.
    for _ in 0..2 {
        client(|table, url| {
            let signed = http::get_with(url, &[("x-user", "alice")]);
            table.check(&signed, true);
            match signed.wristband() {
                Some(wristband) => table.check(&http::get_with(url, &[("x-wristband-token", wristband)]), true),
                None => table.wrong(&table.failed, "not signed", &signed),
            }
        });
    }
    // A peer's good token, whose key never goes; and bad ones.
    client(|table, url| {
        let good = peers(B1, B1, 300);
        table.check(&http::get_with(url, &[("x-wristband-token", &good)]), true);
        let bad = [peers(IDP, B1, 300), peers(IDP, "made-up", 300), peers(B1, B1, -100), peers(KEYS[0], KEYS[0], 300)];
        for token in &bad {
            table.check(&http::get_with(url, &[("x-wristband-token", token)]), false);
        }
    });
    // Made-up names, and nobody who waits for the answer.
    client(|_, url| {
        let token = peers(IDP, &format!("made-up-{}", fastrand::u32(..)), 300);
        let request =
            format!("POST / HTTP/1.1\r\nhost: a\r\nx-wristband-token: {token}\r\ncontent-length: 9\r\n\r\nabc");
        if let Ok(mut stream) = TcpStream::connect(url.strip_prefix("http://").unwrap()) {
            let _ = stream.write_all(request.as_bytes());
        }
        std::thread::sleep(Duration::from_millis(2));
    });
    let started = Instant::now();
    let mut round = 0_u32;
    let large = format!("{{\"keys\": [{}]}}", " ".repeat(10 << 20));
    while started.elapsed() < Duration::from_secs(seconds) {
        round += 1;
        // Every few seconds, and now and then what is no key.
        if round.is_multiple_of(8) {
            put_key("no key");
        } else if round.is_multiple_of(4) {
            put_key(&key(KEYS[usize::try_from(round / 4).unwrap() % KEYS.len()]));
        }
        server.answer_with(match round % 11 {
            0 => answer("500 Oh", "", b""),
            1 => Answers::Hangs,
            2 => answer("200 OK", "", b"garbage"),
            3 => answer("302 Found", "location: /\r\n", b""),
            4 => answer("200 OK", "content-encoding: gzip\r\n", b"garbage"),
            5 => answer("200 OK", "", large.as_bytes()),
            6 => Answers::Closes,
            7 => Answers::Drips,
            8 => answer("200 OK", "", b"{\"keys\": []}"),
            9 => ok(&set(&[B1, KEYS[2]])),
            _ => ok(&set(&[B1])),
        });
        if round.is_multiple_of(5) {
            let mut plugin = plugin(60 + round);
            if round.is_multiple_of(10) {
                plugin["verify"]["mode"] = "off".into();
            }
            envoy.replace("dynamic/listeners.json", &listeners(port, &plugin));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    stop.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    let (denied, passed, failed) = (count(&table.denied), count(&table.passed), count(&table.failed));
    let fetched = server.asked();
    envoy.wait_until("nobody waits", |envoy| envoy.admin("/stats?filter=wristband.waiting").contains(": 0"));
    let after = memory(envoy.id());
    println!(
        "requests sent | wrongly denied | wrongly passed | 5xx unexplained | fetches made | memory before | after (MB)"
    );
    println!("{} | {denied} | {passed} | {failed} | {fetched} | {before} | {after}", count(&table.sent));
    println!(
        "updates: {} good, {} refused",
        envoy.counter("listener_manager.lds.update_success"),
        envoy.counter("listener_manager.lds.update_rejected")
    );
    let examples = table.examples.lock().unwrap();
    assert_eq!((denied, passed, failed), (0, 0, 0), "{examples:?}");
    assert!(count(&table.sent) > 500, "{}", count(&table.sent));
    assert!(!envoy.log().contains("wasm.runtime") && !envoy.log().contains("panicked"));
    // By the clock one in a second for each worker and the main thread, and for each configuration that still drains.
    let most = usize::try_from(seconds * 3 * 3).unwrap();
    assert!(fetched < most, "{fetched} of {most}");
}

/// How often two gateways rotate in `make test`, and in how many seconds of `DRILL` once.
const ROTATIONS: u64 = 3;
const SECONDS_EACH: u64 = 4;

/// A gateway whose key is in a file, and which fetches the other one's.
fn of_two(issuer: &str, other: &str) -> Value {
    json!({
        "issuer": issuer,
        "tokenDuration": 60,
        "discovery": {"maxAge": 1},
        "signingKeyRefs": [{
            "algorithm": "ES256",
            "key": {"cluster": "wristband-key", "path": "/key", "refresh": 1, "announce": 3},
        }],
        "peers": [{"issuer": other, "remoteJwks": {"cluster": "other", "refresh": 1}}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

/// Two Envoys, each with a key file and an address of its own.
struct Two {
    envoys: [Envoy; 2],
    urls: [String; 2],
    keys: [TempDir; 2],
}

impl Two {
    fn start() -> Self {
        let (ports, keys) = ([free_port(), free_port()], [TempDir::new().unwrap(), TempDir::new().unwrap()]);
        let issuers = [A, PEER];
        let start = |this: usize| {
            let (issuer, other) = (issuers[this], issuers[1 - this]);
            fs::write(keys[this].path().join("key.pem"), fresh_key()).unwrap();
            let mut filter = filter(&of_two(issuer, other));
            allow_fetching(&mut filter);
            let (upstream, (key_listener, key_cluster)) = (free_port(), key_by_call(keys[this].path()));
            let gateway = config::listener("gateway", ports[this], vec![filter], to_upstream());
            let bootstrap = json!({
                "bootstrap_extensions": internal_listeners(),
                "static_resources": {
                    "listeners": [echo(upstream), key_listener, gateway],
                    "clusters": [cluster("echo", upstream), key_cluster, cluster("other", ports[1 - this])],
                },
            });
            Envoy::start(&bootstrap, &[])
        };
        Self { envoys: [start(0), start(1)], urls: ports.map(|port| format!("http://127.0.0.1:{port}")), keys }
    }

    /// A key that nobody has seen, in the place of the one in the file.
    fn rotate(&self, which: usize) {
        let next = self.keys[which].path().join("next.pem");
        fs::write(&next, fresh_key()).unwrap();
        fs::rename(next, self.keys[which].path().join("key.pem")).unwrap();
    }

    fn kid(&self, which: usize) -> Option<String> {
        let answer = http::get_with(&self.urls[which], &[("x-user", "alice")]);
        Some(token::header(answer.wristband()?)["kid"].as_str()?.to_owned())
    }
}

fn fresh_key() -> String {
    rcgen::KeyPair::generate().unwrap().serialize_pem()
}

#[test]
fn two_gateways_rotate_against_each_other_and_nobody_is_denied() {
    let seconds = std::env::var("DRILL").ok().and_then(|text| text.parse::<u64>().ok());
    let rotations = seconds.map_or(ROTATIONS, |seconds| (seconds / SECONDS_EACH).max(ROTATIONS));
    let two = Arc::new(Two::start());
    let signs = |which: usize| two.kid(which).is_some();
    two.envoys[0].wait_until("both sign", |_| (0..20).all(|_| signs(0) && signs(1)));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = [0, 1]
        .map(|from| {
            let (two, stop) = (Arc::clone(&two), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut count = 0_u32;
                while !stop.load(Ordering::SeqCst) {
                    let signed = http::get_with(&two.urls[from], &[("x-user", "alice")]);
                    let wristband = signed.wristband().unwrap_or_else(|| panic!("{signed:?}"));
                    // At whom it is for, and at home.
                    for url in [&two.urls[1 - from], &two.urls[from]] {
                        let answer = http::get_with(url, &[("x-wristband-token", wristband)]);
                        assert_eq!(answer.status, 200, "{answer:?}");
                    }
                    count += 1;
                }
                count
            })
        })
        .into();
    let mut seen = [two.kid(0).unwrap(), two.kid(1).unwrap()];
    for _ in 0..rotations {
        for which in [0, 1] {
            two.rotate(which);
        }
        for which in [0, 1] {
            let is_new = || two.kid(which).is_some_and(|kid| kid != seen[which]);
            two.envoys[which].wait_until("the new key signs", |_| (0..20).all(|_| is_new()));
            seen[which] = two.kid(which).unwrap();
        }
    }
    stop.store(true, Ordering::SeqCst);
    let counts: Vec<_> = clients.into_iter().map(|client| client.join().expect("nobody is denied")).collect();
    println!("rotations: {rotations} each; wristbands signed, and accepted twice: {counts:?}");
}

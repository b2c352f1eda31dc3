//! A federation of three clusters, step by step: `make run`, or `make run DEMO=once` to have it end by itself.
//!
//! Runs `federation.yaml` on free ports. Every step shows what is sent and what comes back, and checks it: the demo
//! fails if anything differs from what it says.

#![allow(clippy::indexing_slicing, reason = "of JSON, where what is missing is null")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Debug;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use support::envoy::Envoy;
use support::http::{self, Answer};
use support::key;
use support::sample::Sample;
use support::token::{self, A, B};

/// The files in `testdata`; their `kid` is their thumbprint.
const OLD_KEY: &str = "cluster-a-2026-11";
const NEW_KEY: &str = "cluster-a-2027-02";
const OLD_KID: &str = "NoSNkviA1IBXN5t2qepoU0wK18lkBBN7Sn9um0Fb5wM";
const NEW_KID: &str = "cjpqMfdYWm4t-vJPQ-_RFaa_75rBKgn2uALzkcD5_rE";
const KEY_OF_B: &str = "cluster-b-2026-10";
const KEY_OF_B_VARIABLE: &str = "CLUSTER_B_SIGNING_KEY";
const CERTS: &str = "/.well-known/openid-connect/certs";

/// What a step did not find as it should be.
type Step<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let once = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("once") => true,
        Some(other) => {
            eprintln!("DEMO={other} is unknown: `once`, or nothing");
            return ExitCode::FAILURE;
        }
    };
    match run(once) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\ndemo: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(once: bool) -> Step {
    // None of these may end the demo before it has ended Envoy, which ignores a closed terminal.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| format!("signals: {error}"))?;
    }
    let federation = Federation::start();
    let alice = federation.alice_logs_in()?;
    let bob = federation.bob_logs_in()?;
    federation.peers_accept(&alice)?;
    federation.c_signs_nothing(&alice)?;
    federation.a_stolen_key_speaks_for_its_owner_only()?;
    federation.native_envoy_verifies(&alice, &bob)?;
    federation.a_rotates(&alice)?;
    if once {
        println!("\nEverything was as it should be.");
        return Ok(());
    }
    federation.try_it_yourself();
    federation.wait_for(&stop)
}

/// One Envoy with the gateways of all clusters.
struct Federation {
    sample: Sample,
    envoy: Envoy,
    a: String,
    b: String,
    c: String,
    native: String,
}

/// What a request comes with.
#[derive(Clone, Copy)]
enum With<'a> {
    Nothing,
    Password(&'a str),
    Wristband(&'a str),
}

impl Federation {
    fn start() -> Self {
        let sample = Sample::load("federation");
        let envoy = Envoy::start(&sample.bootstrap, &[(KEY_OF_B_VARIABLE, &key(KEY_OF_B))]);
        let [a, b, c, native] = ["cluster-a", "cluster-b", "cluster-c", "native"].map(|name| sample.url(name));
        println!("The gateways of three clusters, and one service that stands for theirs (envoy/federation.yaml):\n");
        println!("  A  {a}  signs with its private key, verifies with the public keys of A and B");
        println!("  B  {b}  the same, with a private key of its own");
        println!("  C  {c}  holds no private key: it verifies with the public keys of A and B");
        println!("\nEach fetches the public keys of the others from where they publish them.");
        // Each worker fetches A's key for itself.
        envoy.wait_until("A has its key", |_| (0..20).all(|_| http::get(&format!("{a}{CERTS}")).status == 200));
        println!("\nTokens are shortened here.");
        Self { sample, envoy, a, b, c, native }
    }

    fn alice_logs_in(&self) -> Step<String> {
        title("1. Alice logs in at A. The answer carries a wristband: who she is, signed by A");
        let answer = get(&self.a, "/login", With::Password("alice:wonderland"));
        self.logged_in(&answer, A, OLD_KID, "alice", "eu-1")
    }

    fn bob_logs_in(&self) -> Step<String> {
        title("2. Bob logs in at B, which signs with a key of its own");
        let answer = get(&self.b, "/login", With::Password("bob:builder"));
        self.logged_in(&answer, B, KEY_OF_B, "bob", "us-2")
    }

    fn logged_in(&self, answer: &Answer, issuer: &str, key: &str, user: &str, region: &str) -> Step<String> {
        same("status", answer.status, 200)?;
        let wristband = answer.wristband().ok_or("there is no wristband")?;
        let claims = token::payload(wristband);
        for (claim, expected) in [("iss", issuer), ("sub", user), ("region", region), ("aud", "federation")] {
            same(claim, &claims[claim], &json!(expected))?;
        }
        same("kid", &token::header(wristband)["kid"], &json!(key))?;
        same("cache-control", answer.header("cache-control"), Some("no-store"))?;
        Ok(wristband.to_owned())
    }

    fn peers_accept(&self, alice: &str) -> Step {
        title("3. B and C accept A's wristband; their services see who is calling, and not the wristband");
        for cluster in [&self.b, &self.c] {
            self.accepts(cluster, alice)?;
        }
        Ok(())
    }

    fn accepts(&self, cluster: &str, alice: &str) -> Step {
        let answer = get(cluster, "/", With::Wristband(alice));
        same("status", answer.status, 200)?;
        for (header, expected) in [("iss", A), ("sub", "alice"), ("region", "eu-1")] {
            let header = format!("x-wristband-{header}");
            same(&header, answer.received(&header), Some(expected))?;
        }
        same("the service's token", answer.received("x-wristband-token"), None)
    }

    fn c_signs_nothing(&self, alice: &str) -> Step {
        title("4. C verifies and signs nothing: it has no private key to sign with, and no answer with a wristband");
        for (with, status) in
            [(With::Wristband(alice), 200), (With::Nothing, 401), (With::Password("alice:wonderland"), 401)]
        {
            let answer = get(&self.c, "/login", with);
            same("status", answer.status, status)?;
            same("the wristband in C's answer", answer.wristband(), None)?;
            println!("      (no wristband)");
        }
        Ok(())
    }

    fn a_stolen_key_speaks_for_its_owner_only(&self) -> Step {
        title("5. Somebody has stolen B's private key and signs in A's name. C refuses, whatever key the token names");
        let mut claims = token::claims(A);
        claims["aud"] = json!("federation");
        for (kid, code, text) in [
            (KEY_OF_B, "unknown_key", "key of the token is not known"),
            (OLD_KID, "bad_signature", "signature of the token is not valid"),
        ] {
            println!("\n  signed with B's key, \"iss\": \"{A}\", \"kid\": \"{kid}\"");
            let header = json!({"alg": "ES256", "kid": kid, "typ": "JWT"});
            let forged = token::sign_text(KEY_OF_B, &header.to_string(), &claims.to_string());
            let answer = get(&self.c, "/", With::Wristband(&forged));
            same("status", answer.status, 401)?;
            same("error_description", &answer.json()["error_description"], &json!(text))?;
            self.counted(&format!("wristband_denied{{filter=\"cluster-c\",peer=\"none\",code=\"{code}\"}} 1"))?;
        }
        Ok(())
    }

    /// Checks a line of the metrics as Prometheus reads them.
    fn counted(&self, line: &str) -> Step {
        let metrics = self.envoy.admin("/stats/prometheus");
        if !metrics.lines().any(|found| found == line) {
            return Err(format!("the metrics have no line `{line}`"));
        }
        println!("      metrics: {line}");
        Ok(())
    }

    fn native_envoy_verifies(&self, alice: &str, bob: &str) -> Step {
        title("6. A publishes its public keys. Any JWT library can use them; here it is Envoy's own jwt_authn");
        self.publishes(&[OLD_KID])?;
        let fetched = self.envoy.count("discovery");
        let answer = get(&self.native, "/", With::Wristband(alice));
        same("status", answer.status, 200)?;
        same("x-wristband-sub", answer.received("x-wristband-sub"), Some("alice"))?;
        if self.envoy.count("discovery") <= fetched {
            return Err("jwt_authn has not fetched A's keys".to_owned());
        }
        println!("      (jwt_authn has fetched A's keys over HTTP; of B it knows nothing:)");
        same("status", get(&self.native, "/", With::Wristband(bob)).status, 401)
    }

    fn publishes(&self, expected: &[&str]) -> Step {
        println!("\n  $ curl {}{CERTS}", self.a);
        let keys = http::get(&format!("{}{CERTS}", self.a)).json();
        let keys = keys["keys"].as_array().ok_or("no keys")?;
        for key in keys {
            println!("      {key}");
        }
        let names: Vec<_> = keys.iter().map(|key| &key["kid"]).collect();
        same(
            "the names of the keys",
            names,
            expected.iter().copied().map(Value::from).collect::<Vec<_>>().iter().collect(),
        )?;
        let private = keys.iter().any(|key| key.get("d").is_some());
        same("whether a private key is published", private, false)
    }

    fn a_rotates(&self, alice: &str) -> Step {
        title("7. A rotates: another key takes the place of the one in the file. Nothing restarts, and nobody is told");
        let pid = self.envoy.id();
        println!("\n  Envoy is process {pid}. From here on somebody logs in at A and calls B and C, without a pause.");
        let traffic = Traffic::start([&self.a, &self.b, &self.c]);
        println!("\n  $ mv next.pem key.pem");
        self.sample.put_key(&key(NEW_KEY));
        self.until("both are published", || {
            let keys = http::get(&format!("{}{CERTS}", self.a)).json();
            keys["keys"].as_array().is_some_and(|keys| keys.len() == 2)
        })?;
        println!("\n  The new key is published, and does not sign yet: whoever verifies has time to fetch it.");
        self.publishes(&[OLD_KID, NEW_KID])?;
        self.until("the new key signs", || {
            let answer = http::get_with(&format!("{}/login", self.a), &[("authorization", ALICE)]);
            answer.wristband().is_some_and(|wristband| token::header(wristband)["kid"] == NEW_KID)
        })?;
        println!(
            "\n  Six seconds later it signs. Of the old one the public half is left; its private half is overwritten."
        );
        self.publishes(&[NEW_KID, OLD_KID])?;
        let answer = get(&self.a, "/login", With::Password("alice:wonderland"));
        let new = self.logged_in(&answer, A, NEW_KID, "alice", "eu-1")?;
        println!("\n  B, C and jwt_authn know it:");
        for cluster in [&self.b, &self.c] {
            self.accepts(cluster, &new)?;
        }
        same("status", get(&self.native, "/", With::Wristband(&new)).status, 200)?;
        println!("\n  The wristband from before is still good, until it expires:");
        for cluster in [&self.a, &self.b, &self.c] {
            self.accepts(cluster, alice)?;
        }
        let (sent, failed) = traffic.stop();
        same("the process", self.envoy.id(), pid)?;
        println!("\n  Envoy is still process {pid}. Requests sent meanwhile: {sent}, failed: {}.", failed.len());
        same("requests that failed", failed, Vec::new())?;
        self.no_private_key_of_a_is_shown()
    }

    /// Waits for both workers.
    fn until(&self, what: &str, holds: impl Fn() -> bool) -> Step {
        for _ in 0..600 {
            if (0..10).all(|_| holds()) {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        Err(format!("{what} did not come true:\n{}", self.envoy.log()))
    }

    fn no_private_key_of_a_is_shown(&self) -> Step {
        let configuration = self.envoy.admin("/config_dump");
        for name in [OLD_KEY, NEW_KEY, KEY_OF_B] {
            same(&format!("the private key {name} in /config_dump"), holds(&configuration, name), false)?;
        }
        println!("\n  In Envoy's /config_dump there is no private key at all.");
        if cfg!(target_os = "linux") {
            let environment = std::fs::read(format!("/proc/{}/environ", self.envoy.id()));
            let environment = environment.map_err(|error| format!("the environment of Envoy: {error}"))?;
            let environment = String::from_utf8_lossy(&environment);
            // That B's is found shows that the search would find A's.
            same("the private key of B in the environment", holds(&environment, KEY_OF_B), true)?;
            same("a private key of A in the environment", holds(&environment, NEW_KEY), false)?;
            println!("  Its environment has B's, which came that way, and none of A's.");
        }
        Ok(())
    }

    fn try_it_yourself(&self) {
        let Self { a, c, .. } = self;
        println!("\nEverything was as it should be. The gateways stay up until Ctrl-C; try:\n");
        println!("  curl -i -u alice:wonderland {a}/login");
        println!(
            "  WRISTBAND=$(curl -si -u alice:wonderland {a}/login | sed -n 's/^x-wristband-token: //p' | tr -d '\\r')"
        );
        println!("  curl -i -H \"x-wristband-token: $WRISTBAND\" {c}/");
        println!("  curl -i {c}/");
        println!("  curl {a}{CERTS}");
        println!("  mv ANOTHER.pem {}", self.sample.keys().join("key.pem").display());
        println!("  curl -s {} | grep wristband", self.envoy.admin_url("/stats/prometheus"));
    }

    fn wait_for(&self, stop: &AtomicBool) -> Step {
        let upstream = self.sample.url("upstream");
        while !stop.load(Ordering::Relaxed) {
            // Ctrl-C ends Envoy too, perhaps a moment before it is noticed here.
            if http::try_get(&upstream).is_none() {
                sleep(Duration::from_secs(1));
                return if stop.load(Ordering::Relaxed) {
                    Ok(())
                } else {
                    Err(format!("Envoy has ended:\n{}", self.envoy.log()))
                };
            }
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

/// `alice:wonderland`.
const ALICE: &str = "Basic YWxpY2U6d29uZGVybGFuZA==";

/// Somebody who logs in and calls, all the time.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(usize, Vec<String>)>,
}

impl Traffic {
    fn start(gateways: [&str; 3]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, [a, b, c]) = (Arc::clone(&stop), gateways.map(str::to_owned));
        let thread = std::thread::spawn(move || {
            let (mut sent, mut failed) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let answer = http::get_with(&format!("{a}/login"), &[("authorization", ALICE)]);
                let wristband = answer.wristband().unwrap_or_default().to_owned();
                for url in [&b, &c] {
                    let answer = http::get_with(url, &[("x-wristband-token", &wristband)]);
                    if answer.status != 200 {
                        failed.push(format!("{url}: {} {}", answer.status, answer.body));
                    }
                }
                if answer.status != 200 {
                    failed.push(format!("{a}: {} {}", answer.status, answer.body));
                }
                sent = usize::saturating_add(sent, 3);
            }
            (sent, failed)
        });
        Self { stop, thread }
    }

    fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| (0, vec!["the client has ended".to_owned()]))
    }
}

fn title(text: &str) {
    println!("\n{text}");
}

/// A request, shown as curl would send it, and its answer, as far as it matters here.
fn get(cluster: &str, path: &str, with: With<'_>) -> Answer {
    let url = format!("{cluster}{path}");
    let (shown, headers) = match with {
        With::Nothing => (String::new(), Vec::new()),
        With::Password(password) => {
            let credentials = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, password);
            (format!("-u {password} "), vec![("authorization", format!("Basic {credentials}"))])
        }
        With::Wristband(wristband) => (
            format!("-H 'x-wristband-token: {}' ", short(wristband)),
            vec![("x-wristband-token", wristband.to_owned())],
        ),
    };
    println!("\n  $ curl {shown}{url}");
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = http::get_with(&url, &headers);
    show(&answer);
    answer
}

fn show(answer: &Answer) {
    println!("      {}", answer.status);
    if let Some(wristband) = answer.wristband() {
        println!("      x-wristband-token: {}", short(wristband));
        println!("        header {}", token::header(wristband));
        println!("        claims {}", token::payload(wristband));
    }
    if answer.status == 200 {
        let seen = answer.body.lines().filter(|line| line.starts_with("x-wristband-"));
        seen.for_each(|line| println!("      the service sees {line}"));
    } else {
        println!("      {}", answer.body);
    }
}

/// The two ends of a token.
fn short(token: &str) -> String {
    let start = token.get(..8).unwrap_or(token);
    let end = token.len().checked_sub(8).and_then(|at| token.get(at..)).unwrap_or("");
    format!("{start}...{end}")
}

/// Whether a text holds any line of a key of `testdata`, however it is quoted there.
fn holds(text: &str, name: &str) -> bool {
    let pem = key(name);
    let mut lines = pem.lines().filter(|line| !line.starts_with("-----"));
    lines.any(|line| text.contains(line))
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Step {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

//! How the cost of verifying grows with what an operator or a client makes large.

use std::time::Duration;

use fastrand::Rng;
use p256::ecdsa::SigningKey;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Map, Value, json};

use crate::listeners::{answering, ours};
use crate::load::{Load, TOKEN};
use crate::rig::{Expected, Plan, Rig};
use crate::statistics::Summary;
use crate::support::token::now;
use crate::tokens::{Folder, sign};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(700);
/// Tokens of one point. They come from all of its peers and keys in turn.
const TOKENS: usize = 1000;

/// One setting of one dimension.
struct Point {
    title: String,
    listener: String,
    load: Load,
}

/// Peers with keys, whose tokens have so many claims.
struct Scale {
    peers: usize,
    keys: usize,
    claims: usize,
    /// Bytes of a further request header.
    header: usize,
}

const USUAL: Scale = Scale { peers: 1, keys: 1, claims: 14, header: 0 };

pub fn print(folder: &Folder) {
    eprintln!("growth");
    println!("How it grows: delta in µs of verifying, host, `cache: {{tokens: 0}}`.\n");
    println!("| | delta | middle half |\n|---|---|---|");
    let scales = [1, 100, 1000].map(|peers| (format!("peers: {peers}"), Scale { peers, ..USUAL }));
    let keys = [1, 100, 10_000].map(|keys| (format!("keys of one peer: {keys}"), Scale { keys, ..USUAL }));
    let claims = [5, 50, 150].map(|claims| (format!("claims: {claims}"), Scale { claims, ..USUAL }));
    let headers =
        [0, 4, 32].map(|kib| (format!("KiB of another request header: {kib}"), Scale { header: kib << 10, ..USUAL }));
    let scales: Vec<_> = scales.into_iter().chain(keys).chain(claims).chain(headers).collect();
    print_points("1", folder, &scales);
    let workers = |number| vec![(format!("workers: {number}"), USUAL)];
    print_points("1", folder, &workers(1));
    print_points("2", folder, &workers(2));
    println!();
}

/// All points of one Envoy, in one row each.
fn print_points(concurrency: &str, folder: &Folder, scales: &[(String, Scale)]) {
    let mut plan = Plan::default();
    plan.listen("bare", |port| answering("bare", port, vec![], None));
    let add = |(index, (title, scale)): (usize, &(String, Scale))| {
        let listener = format!("point-{index}");
        let (plugin, tokens) = scale.make();
        let tokens = folder.write(&listener, &tokens);
        plan.listen(&listener, |port| answering(&listener, port, vec![ours(&listener, &plugin)], None));
        let headers = vec![("x-padding", "x".repeat(scale.header))];
        let load = Load::new(folder.path(), &listener, "/", headers, Some(&tokens));
        Point { title: title.clone(), listener, load }
    };
    let points: Vec<_> = scales.iter().enumerate().map(add).collect();
    let rig = plan.start(concurrency);
    let delta = |point: &Point| point.delta(&rig);
    points.iter().for_each(|point| _ = delta(point));
    let rounds: Vec<Vec<f64>> = (0..ROUNDS).map(|_| points.iter().map(delta).collect()).collect();
    for (index, point) in points.iter().enumerate() {
        let Summary { median, lower, upper } = Summary::of(rounds.iter().map(|round| round[index]));
        println!("| {} | {median:.1} | {lower:.1}..{upper:.1} |", point.title);
    }
}

impl Point {
    /// Beyond the same requests to a listener without a filter: Envoy itself reads what is longer.
    fn delta(&self, rig: &Rig) -> f64 {
        let cost = |listener: &str, expected| rig.measure(listener, &self.load, expected, TIME).each();
        let bare = cost("bare", Expected::PASSES);
        cost(&self.listener, Expected { counter: Some("verified"), ..Expected::PASSES }) - bare
    }
}

impl Scale {
    /// A verifier, and tokens for it.
    fn make(&self) -> (Value, Vec<String>) {
        let mut rng = Rng::with_seed(1);
        let peers: Vec<(String, Vec<SigningKey>)> = (0..self.peers)
            .map(|peer| (format!("https://peer-{peer}.example.com"), (0..self.keys).map(|_| key(&mut rng)).collect()))
            .collect();
        let entries: Vec<_> =
            peers.iter().map(|(issuer, keys)| json!({"issuer": issuer, "keys": entries(issuer, keys)})).collect();
        let plugin = json!({
            "crypto": "host",
            "peers": entries,
            "verify": {"fromHeaders": [{"name": TOKEN}], "mode": "require", "cache": {"tokens": 0}},
        });
        let tokens = (0..TOKENS).map(|number| {
            let (issuer, keys) = &peers[number % peers.len()];
            // All of the list, however long it is.
            let index = number * keys.len() / TOKENS;
            sign(&keys[index], &kid(issuer, index), &self.claims(issuer, number))
        });
        (plugin, tokens.collect())
    }

    fn claims(&self, issuer: &str, number: usize) -> Value {
        let now = now();
        let known = json!({"iss": issuer, "sub": "alice", "iat": now, "exp": now + 3600, "jti": number.to_string()});
        let mut claims: Map<_, _> = known.as_object().unwrap().clone();
        let more =
            (claims.len()..self.claims).map(|number| (format!("claim-{number}"), json!("a value of some length")));
        claims.extend(more);
        claims.into()
    }
}

fn key(rng: &mut Rng) -> SigningKey {
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    SigningKey::from_slice(&secret).unwrap()
}

/// The filter wants each name once, whoever has the key.
fn kid(issuer: &str, index: usize) -> String {
    format!("{issuer}/{index}")
}

fn entries(issuer: &str, keys: &[SigningKey]) -> Vec<Value> {
    let entry = |(index, key): (usize, &SigningKey)| {
        let der = key.verifying_key().to_public_key_der().unwrap();
        let text = pem::encode(&pem::Pem::new("PUBLIC KEY", der.into_vec()));
        json!({"name": kid(issuer, index), "algorithm": "ES256", "key": {"inlineString": text}})
    };
    keys.iter().enumerate().map(entry).collect()
}

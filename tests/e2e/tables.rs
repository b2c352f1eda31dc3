//! `crypto: tables` beside the host: in one Envoy both are asked about the same tokens, and say the same. `STREAM` asks for more of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use p256::ecdsa::Signature;
use serde_json::json;

use crate::gate::Gate;
use crate::support::changed::{WAYS, changed};
use crate::support::config::{filter, public};
use crate::support::token::{A, B, claims, encode, sign};

const KEYS: [(&str, &str); 2] = [(A, "cluster-a-2026-11"), (B, "cluster-b-2026-10")];

/// Has tokens of these issuers' keys accepted until there is a table of each, in a gateway that remembers none.
pub fn until_complete(gate: &mut Gate, gateway: usize, keys: &[(&str, &str)]) {
    // Before its table grows, and then a window of it or of the generator's each time.
    const ACCEPTED: usize = 16 + 43 + 43;
    for (issuer, key) in keys {
        let token = sign(key, &claims(issuer));
        for _ in 0..ACCEPTED {
            assert_eq!(gate.outcome(gateway, &token), "ok");
        }
    }
}

#[test]
fn tables_and_the_host_say_the_same_of_a_stream_of_tokens() {
    let count = std::env::var("STREAM").map_or(20_000, |count| count.parse::<u64>().unwrap());
    let gateway = |crypto: &str| {
        let peers = KEYS.map(|(issuer, key)| json!({"issuer": issuer, "keys": [public(key)]}));
        vec![filter(&json!({"crypto": crypto, "peers": peers, "verify": {"cache": {"tokens": 0}}}))]
    };
    let mut gate = Gate::with_filters(vec![gateway("host"), gateway("tables")]);
    until_complete(&mut gate, 1, &KEYS);
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    let (mut accepted, mut good) = (0, (String::new(), None));
    for number in 0..count {
        let way = number % WAYS;
        if way == 0 {
            let (issuer, key) = KEYS[random.usize(..2)];
            let mut claims = claims(issuer);
            claims["jti"] = json!(number.to_string());
            let token = sign(key, &claims);
            let (input, signature) = token.rsplit_once('.').unwrap();
            good = (input.to_owned(), Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).ok());
        }
        let (input, signature) = &good;
        let token = format!("{input}.{}", encode(changed(&mut random, way, signature.as_ref().unwrap())));
        let [host, tables] = [0, 1].map(|gateway| gate.outcome(gateway, &token));
        assert_eq!(host, tables, "way {way}, seed {seed}: {token}");
        assert_eq!((host == "ok"), way < 2, "way {way}, seed {seed}: {token}");
        accepted += u64::from(host == "ok");
    }
    assert_eq!(accepted, count.div_ceil(WAYS) + (count + WAYS - 2) / WAYS);
    assert_eq!(gate.envoy.count("crypto_disagreed"), 0);
}

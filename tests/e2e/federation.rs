//! The uses that the filter is made for, told step by step.

use std::process::Command;

use serde_json::{Value, json};

use crate::gate::outcome;
use crate::live::{Client, Live};
use crate::support::config::{filter, gateways, private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, Answer};
use crate::support::key;
use crate::support::token::{self, A, B, claims, jwk, sign};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";
const CERTS: &str = "/.well-known/openid-connect/certs";

fn log_in(url: &str, user: &str) -> String {
    let answer = http::get_with(url, &[("x-user", user)]);
    let wristband = answer.wristband().unwrap_or_else(|| panic!("{answer:?}"));
    wristband.to_owned()
}

fn present(url: &str, token: &str) -> Answer {
    http::get_with(url, &[("x-wristband-token", token)])
}

fn kids(url: &str) -> Vec<String> {
    let document = http::get(&format!("{url}{CERTS}")).json();
    let keys = document["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// A gateway of the federation: signs with its own key, and trusts a peer's.
fn member(issuer: &str, signing: Value, peer: &str, peer_key: &str) -> Value {
    json!({
        "issuer": issuer,
        "signingKeyRefs": [signing],
        "peers": [{"issuer": peer, "keys": [public(peer_key)]}],
        "issue": {"identity": {"header": "x-user"}, "audiences": ["federation"]},
        "verify": {
            "mode": "optional",
            "audiences": ["federation"],
            "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}, {"header": "x-iss", "claim": "iss"}],
        },
    })
}

#[test]
fn clusters_trust_each_others_callers_and_a_break_in_forges_nobody_elses_wristbands() {
    let setup = gateways(vec![
        vec![filter(&member(A, private(A1, "KEY_A"), B, B1))],
        vec![filter(&member(B, private(B1, "KEY_B"), A, A1))],
    ]);
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY_A", &key(A1)), ("KEY_B", &key(B1))]);
    let [a, b] = [&setup.urls[0], &setup.urls[1]];

    // Alice logs in at A, and A's gateway gives her a wristband.
    let of_alice = log_in(a, "alice");
    let claims_of_alice = token::payload(&of_alice);
    assert_eq!((&claims_of_alice["iss"], &claims_of_alice["sub"]), (&json!(A), &json!("alice")));

    // B has never seen Alice, and knows her by A's public key.
    let answer = present(b, &of_alice);
    assert_eq!(answer.status, 200);
    assert_eq!((answer.received("x-sub"), answer.received("x-iss")), (Some("alice"), Some(A)));
    assert_eq!(answer.received("x-wristband-token"), None);
    // The same the other way.
    let of_bob = log_in(b, "bob");
    let answer = present(a, &of_bob);
    assert_eq!((answer.received("x-sub"), answer.received("x-iss")), (Some("bob"), Some(B)));

    // Her own cluster does not lengthen her wristband; another one may answer with its own, which ends no later.
    let answer = http::get_with(a, &[("x-wristband-token", &of_alice), ("x-user", "alice")]);
    assert_eq!((answer.status, answer.wristband()), (200, None));
    assert_eq!(envoy.count("issue_skipped.own_wristband"), 1);
    let mut short = claims(A);
    short["aud"] = "federation".into();
    short["exp"] = (token::now() + 20).into();
    let answer = http::get_with(b, &[("x-wristband-token", &sign(A1, &short)), ("x-user", "alice")]);
    let exchanged = token::payload(answer.wristband().unwrap());
    assert_eq!((&exchanged["iss"], &exchanged["exp"]), (&json!(B), &short["exp"]));

    // Somebody breaks into B: its private key is theirs, and with it every name in B, but none in A.
    let mut forged = claims(A);
    forged["aud"] = "federation".into();
    for header in [json!({"alg": "ES256", "kid": A1}), json!({"alg": "ES256", "kid": B1}), json!({"alg": "ES256"})] {
        let token = token::sign_text(B1, &header.to_string(), &forged.to_string());
        for (cluster, url) in [("A", a), ("B", b)] {
            let code = outcome(&present(url, &token));
            assert!(matches!(code, "bad_signature" | "unknown_key"), "{cluster} {header}: {code}");
        }
    }
    forged["iss"] = B.into();
    assert_eq!(outcome(&present(a, &sign(B1, &forged))), "ok", "that is what a private key is");

    // What B's gateway holds of A is public anyway.
    assert_eq!(kids(a), [A1]);
    assert_eq!(kids(b), [B1]);
}

#[test]
fn the_stanza_of_the_issue_signs_with_the_first_key_and_publishes_and_accepts_both() {
    const SHARED: &str = "https://authorino.example.com/ns/cfg/wristband";
    let (local, peer) = (A1, B1);
    let entry = |name: &str, key: Value| json!({"name": name, "algorithm": "ES256", "key": key});
    let plugin = json!({
        "issuer": SHARED,
        "signingKeyRefs": [
            entry("local-signing-key", json!({"environmentVariable": "LOCAL_SIGNING_KEY"})),
            entry("peer-cluster-key", json!({"inlineString": key(&format!("{peer}.pub"))})),
        ],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    });
    assert!(!plugin.to_string().contains("PRIVATE KEY"), "nothing of the peer's but what is public");
    assert!(plugin.to_string().contains("BEGIN PUBLIC KEY"));
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let envoy = Envoy::start(&setup.bootstrap, &[("LOCAL_SIGNING_KEY", &key(local))]);
    let url = &setup.urls[0];

    let wristband = log_in(url, "alice");
    assert_eq!(token::header(&wristband), json!({"alg": "ES256", "kid": "local-signing-key", "typ": "JWT"}));
    assert_eq!(token::payload(&wristband)["iss"], SHARED);
    assert_eq!(present(url, &wristband).status, 200);

    let path = SHARED.strip_prefix("https://authorino.example.com").unwrap();
    let named = |file: &str, name: &str| {
        let mut jwk = jwk(file);
        jwk["kid"] = name.into();
        jwk
    };
    let published = http::get(&format!("{url}{path}{CERTS}")).json();
    let expected = [named(local, "local-signing-key"), named(peer, "peer-cluster-key")];
    assert_eq!(published, json!({"keys": expected}));

    // The peer signs in its own cluster, with the private key that is only there.
    let of_peer = |signer: &str, kid: &str| {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        token::sign_text(signer, &header, &claims(SHARED).to_string())
    };
    assert_eq!(present(url, &of_peer(peer, "peer-cluster-key")).status, 200);
    assert_eq!(outcome(&present(url, &of_peer(local, "peer-cluster-key"))), "bad_signature");
    assert_eq!(outcome(&present(url, &of_peer(peer, "local-signing-key"))), "bad_signature");
    assert_eq!(outcome(&present(url, &of_peer("stranger", "peer-cluster-key"))), "bad_signature");
    let no_kid = token::sign_text(peer, &json!({"alg": "ES256"}).to_string(), &claims(SHARED).to_string());
    assert_eq!(outcome(&present(url, &no_kid)), "unknown_key");

    // Whatever is signed here is signed by the first key.
    for _ in 0..10 {
        assert_eq!(token::header(&log_in(url, "bob"))["kid"], "local-signing-key");
    }
    assert!(!envoy.admin("/config_dump").contains("PRIVATE KEY"));
}

#[test]
fn clusters_that_share_an_issuer_list_each_others_public_keys() {
    let cluster = |own: &str, variable: &str, other: &str| {
        json!({
            "issuer": A,
            "signingKeyRefs": [private(own, variable), public(other)],
            "issue": {"identity": {"header": "x-user"}},
            "verify": {"mode": "require"},
        })
    };
    // A third gateway trusts the issuer, whichever cluster signs.
    let outside = json!({"peers": [{"issuer": A, "keys": [public(A1), public(B1)]}], "verify": {}});
    let one = cluster(A1, "KEY_ONE", B1);
    let mut login = one.clone();
    login["verify"]["mode"] = "optional".into();
    let mut other_login = cluster(B1, "KEY_TWO", A1);
    other_login["verify"]["mode"] = "optional".into();
    let plugins = [login, other_login, one, cluster(B1, "KEY_TWO", A1), outside];
    let setup = gateways(plugins.iter().map(|plugin| vec![filter(plugin)]).collect());
    let _envoy = Envoy::start(&setup.bootstrap, &[("KEY_ONE", &key(A1)), ("KEY_TWO", &key(B1))]);

    let of_one = log_in(&setup.urls[0], "alice");
    let of_two = log_in(&setup.urls[1], "alice");
    assert_eq!(token::header(&of_one)["kid"], A1);
    assert_eq!(token::header(&of_two)["kid"], B1);
    assert_eq!(token::payload(&of_one)["iss"], token::payload(&of_two)["iss"]);
    for url in &setup.urls[2..] {
        assert_eq!(present(url, &of_one).status, 200, "{url}");
        assert_eq!(present(url, &of_two).status, 200, "{url}");
        assert_eq!(outcome(&present(url, &sign("stranger", &claims(A)))), "unknown_key", "{url}");
    }
    // Both publish the same keys, each its own first.
    assert_eq!(kids(&setup.urls[2]), [A1, B1]);
    assert_eq!(kids(&setup.urls[3]), [B1, A1]);
    // A wristband of the shared issuer is an own one in both clusters.
    for wristband in [&of_one, &of_two] {
        let answer = http::get_with(&setup.urls[2], &[("x-wristband-token", wristband), ("x-user", "alice")]);
        assert_eq!((answer.status, answer.wristband()), (200, None));
    }
}

#[test]
fn a_key_is_rotated_without_a_failed_request() {
    let cluster_a =
        |keys: Value| json!({"issuer": A, "signingKeyRefs": keys, "issue": {"identity": {"header": "x-user"}}});
    let cluster_b = |keys: Value| json!({"peers": [{"issuer": A, "keys": keys}], "verify": {"mode": "require"}});
    let (old, new) = (private(A1, "OLD"), private(A2, "NEW"));
    let live = Live::start(
        &[cluster_a(json!([old])), cluster_b(json!([public(A1)]))],
        &[("OLD", &key(A1)), ("NEW", &key(A2))],
        &[],
    );
    let (a, b) = (live.urls[0].clone(), live.urls[1].clone());
    let kid = |token: &str| token::header(token)["kid"].as_str().unwrap().to_owned();
    // All the time people log in at A and go to B.
    let client = {
        let (a, b) = (a.clone(), b.clone());
        Client::start(move || assert_eq!(present(&b, &log_in(&a, "alice")).status, 200))
    };
    let early = log_in(&a, "alice");
    assert_eq!((kid(&early).as_str(), kids(&a)), (A1, vec![A1.to_owned()]));
    let future = sign(A2, &claims(A));
    assert_eq!(outcome(&present(&b, &future)), "unknown_key");

    // First everybody learns the new public key; the old one goes on signing.
    live.update_applies(&[cluster_a(json!([old, public(A2)])), cluster_b(json!([public(A1), public(A2)]))], || {
        kids(&a) == [A1, A2] && present(&b, &future).status == 200
    });
    assert_eq!(kid(&log_in(&a, "alice")), A1);

    // Then the new one signs. Of the old one only the public half is left, and its wristbands still count.
    live.update_applies(&[cluster_a(json!([new, public(A1)])), cluster_b(json!([public(A1), public(A2)]))], || {
        kids(&a) == [A2, A1]
    });
    let late = log_in(&a, "alice");
    assert_eq!(kid(&late), A2);
    assert_eq!(present(&b, &early).status, 200);
    assert_eq!(present(&b, &late).status, 200);

    // When the last of them has expired the old key goes.
    live.update_applies(&[cluster_a(json!([new])), cluster_b(json!([public(A2)]))], || {
        kids(&a) == [A2] && present(&b, &early).status == 401
    });
    assert_eq!(outcome(&present(&b, &early)), "unknown_key");
    assert_eq!(present(&b, &late).status, 200);
    let served = client.stop();
    assert!(served > 20, "{served} people came through meanwhile");
    assert_eq!(live.envoy.counter("listener_manager.lds.update_rejected"), 0);
}

#[test]
fn a_gateway_that_only_verifies_holds_no_private_key_and_signs_nothing() {
    let c = "https://cluster-c.example.com";
    let zero_trust = json!({
        "peers": [
            {"issuer": A, "keys": [public(A1), public(A2)]},
            {"issuer": B, "keys": [public(B1)]},
        ],
        "verify": {"mode": "require", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]},
    });
    // The same with an issuer of its own, whose public keys it publishes for another gateway that signs.
    let mut public_face = zero_trust.clone();
    public_face["issuer"] = c.into();
    public_face["signingKeyRefs"] = json!([public("stranger")]);
    let setup = gateways(vec![vec![filter(&zero_trust)], vec![filter(&public_face)]]);
    assert!(!setup.bootstrap.to_string().contains("PRIVATE KEY"));
    // No variable at all.
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    for url in &setup.urls {
        for token in [sign(A1, &claims(A)), sign(A2, &claims(A)), sign(B1, &claims(B))] {
            let answer = http::get_with(url, &[("x-wristband-token", &token), ("x-user", "alice")]);
            assert_eq!((answer.status, answer.received("x-sub")), (200, Some("alice")));
            assert_eq!(answer.wristband(), None);
        }
        for token in [sign("stranger", &claims(A)), sign(A1, &claims(B)), sign(B1, &claims(A))] {
            assert_eq!(present(url, &token).status, 401);
        }
        assert_eq!(http::get(url).status, 401);
    }
    assert_eq!(outcome(&present(&setup.urls[0], &sign("stranger", &claims(c)))), "unknown_issuer");
    assert_eq!(outcome(&present(&setup.urls[1], &sign("stranger", &claims(c)))), "ok");
    assert_eq!(http::get(&format!("{}{CERTS}", setup.urls[0])).status, 401, "nothing to publish");
    assert_eq!(kids(&setup.urls[1]), ["stranger"]);
    assert_eq!(envoy.count("issued"), 0);
}

#[test]
fn the_set_that_a_peer_publishes_is_all_that_has_to_be_known_of_its_keys() {
    let plugin = json!({
        "issuer": A, "signingKeyRefs": [private(A1, "KEY")], "discovery": {"trust": true},
        "issue": {"identity": {"header": "x-user"}},
    });
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let _signer = Envoy::start(&setup.bootstrap, &[("KEY", &key(A1))]);
    let a = setup.urls[0].as_str();
    let set = http::get(&format!("{a}/.well-known/jwks.json")).body;

    let plugin = json!({
        "issuer": B, "signingKeyRefs": [public(B1)], "discovery": {"trust": true}, "verify": {},
        "peers": [{"issuer": A, "jwks": {"inlineString": set}}],
    });
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let _verifier = Envoy::start(&setup.bootstrap, &[]);
    let b = setup.urls[0].as_str();
    assert_eq!(present(b, &log_in(a, "alice")).status, 200);
    assert_eq!(outcome(&present(b, &sign(B1, &claims(A)))), "unknown_key");

    // Whoever rotates at A asks at B whether his key is known there.
    let trust = |url: &str| http::get(&format!("{url}/.well-known/wristband/trust")).json();
    let of = |trust: &Value, issuer: &str| {
        let issuers = trust["issuers"].as_array().unwrap();
        issuers.iter().find(|entry| entry["issuer"] == issuer).unwrap()["keys"].clone()
    };
    assert_eq!(of(&trust(a), A), of(&trust(b), A));
    assert_eq!(of(&trust(b), A)[0]["kid"], A1);
    assert_eq!(http::get(&format!("{b}/.well-known/wristband/trust")).header("cache-control"), Some("no-cache"));
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("b.json"), trust(b).to_string()).unwrap();
    for ([signs, next], code) in [([A1, A2], 1), ([A2, A1], 0)] {
        let plugin = json!({
            "issuer": A, "signingKeyRefs": [private(signs, "KEY"), public(next)], "allowWorthlessKeys": true,
            "issue": {"identity": {"header": "x-user"}},
        });
        std::fs::write(file("a.json"), plugin.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wristband"));
        command.current_dir(&folder).args(["rotate", "a.json", "--trust", "b.json"]).env("KEY", key(signs));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{next}: {output:?}");
    }
}

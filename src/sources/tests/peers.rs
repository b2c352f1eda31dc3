//! Histories of peers' sets, and of those who wait for them.

use super::*;
use crate::denial::{Cause, Denial};
use crate::gateway::{Event, Waiting};
use crate::testing::sign;

const PEER: &str = "https://b.example";

fn configuration(members: &Value) -> Value {
    let mut remote = json!({"cluster": "b"});
    for (name, value) in members.as_object().unwrap() {
        remote[name] = value.clone();
    }
    json!({
        "issuer": "https://a.example",
        "peers": [{"issuer": PEER, "remoteJwks": remote}],
        "verify": {"audiences": ["federation"]},
        "discovery": {"trust": true},
    })
}

/// A token of the peer's with a long life.
fn token(pem: &str, name: &str) -> String {
    let claims = json!({"iss": PEER, "sub": "alice", "aud": "federation", "exp": NOW.0 + 80_000});
    sign(pem, name, &claims)
}

fn set(keys: &[(&str, &str)]) -> Outcome {
    body(json!({"keys": keys.iter().map(|(pem, name)| jwk(pem, name)).collect::<Vec<_>>()}).to_string())
}

/// With the set of one key.
fn begun(members: &Value) -> World {
    let mut world = World::new(&configuration(members));
    assert_eq!(world.tick_at(0).0, [Which::Peer(0)]);
    let news = world.answer(&set(&[(B, "b")]));
    assert!(matches!(&news[..], [News::Renewed { peer: 0, keys: 1, .. }]), "{news:?}");
    assert!(is_accepted(&world, &token(B, "b")));
    world
}

fn is_accepted(world: &World, token: &str) -> bool {
    matches!(world.present(token), Admission::Admitted(edits, _) if edits.events.contains(&Event::Verified))
}

fn denial(admission: Admission) -> Option<Denial> {
    match admission {
        Admission::Denied(_, denied) => Some(denied.cause.denial()),
        _ => None,
    }
}

fn waits(admission: Admission) -> Waiting {
    let Admission::Waiting(waiting) = admission else { panic!("{admission:?}") };
    waiting
}

fn again(world: &World, token: &str, waiting: Waiting) -> Admission {
    let pairs: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b"x-wristband-token", token.as_bytes())];
    world.gateway.on_request_again(&Headers::new(pairs.to_vec()), waiting, world.now().time, &world.host)
}

#[test]
fn it_asks_where_other_gateways_have_theirs_unless_it_is_told() {
    let location = |members: Value| {
        let mut world = World::new(&configuration(&members));
        world.tick_at(0);
        let fetch = world.under_way.remove(0);
        (fetch.cluster, fetch.headers.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>())
    };
    let accept = "accept application/jwk-set+json, application/json";
    assert_eq!(
        location(json!({})),
        (
            "b".to_owned(),
            [":method GET", ":authority b.example", ":path /.well-known/openid-connect/certs", accept]
                .map(str::to_owned)
                .into()
        )
    );
    assert_eq!(
        location(json!({"uri": "http://keys.example:8080/jwks?version=2"})).1,
        [":method GET", ":authority keys.example:8080", ":path /jwks?version=2", accept]
    );
}

/// One line for each thing that can come, and what is made of it.
#[test]
fn what_counts_and_what_does_not() {
    let read = |text: &'static str| move || Some(text.as_bytes().to_vec());
    let of = |headers: &[(&str, &str)], size| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        Outcome::of(&headers, size, read("text"))
    };
    let failed = |why: &str| Outcome::Failed(why.to_owned());
    let ok = (":status", "200");
    assert_eq!(of(&[ok, ("etag", "\"1\"")], 4), Outcome::Body(b"text".to_vec().into(), Some("\"1\"".to_owned())));
    assert_eq!(of(&[ok, ("etag", "\u{fc}"), ("content-encoding", "Identity")], 4), body("text"));
    assert_eq!(of(&[(":status", "304")], 0), Outcome::Unchanged);
    assert_eq!(of(&[], 0), failed("the answer broke off, or never came"));
    assert_eq!(of(&[ok], (1 << 20) + 1), failed("the answer has 1048577 bytes, of 1048576 at most"));
    assert_eq!(of(&[ok, ("content-encoding", "gzip")], 4), failed("the answer has a `content-encoding`"));
    for status in ["204", "206", "302", "404", "500", "503", "504"] {
        assert_eq!(of(&[(":status", status)], 4), Outcome::Failed(format!("the answer has status {status}")));
    }
    assert_eq!(of(&[(":status", "x\n")], 4), failed("the answer has status unknown"));
    assert_eq!(Outcome::of(&[(b":status", b"200")], 4, || None), failed("the answer cannot be read"));
}

#[test]
fn what_cannot_be_used_leaves_the_set_as_it_is_and_is_asked_for_again_later_and_later() {
    let mut world = begun(&json!({"refresh": 100, "staleFor": 1000}));
    let private = json!({"keys": [jwk(A, "x"), {"kty": "EC", "crv": "P-256", "d": "AAAA"}]}).to_string();
    let outcomes = [failed(), body("garbage"), body("{\"keys\": []}"), body(private), Outcome::Unchanged];
    let (mut second, mut delay) = (100, 1);
    for (index, outcome) in outcomes.iter().cycle().take(8).enumerate() {
        // The first one is earlier, so that the set is still fresh when the answer comes.
        assert_eq!(world.tick_at(if index == 0 { 90 } else { second - 1 }).0, [], "{index}");
        assert_eq!(world.tick_at(second).0, [Which::Peer(0)], "{index}");
        let news = world.answer(outcome);
        let [News::Failed { failures, is_refused, why, .. }] = &news[..] else { panic!("{news:?}") };
        assert_eq!(usize::try_from(*failures).unwrap(), index + 1);
        // Said once in a row.
        let is_new = matches!(outcome, Outcome::Body(..)) && matches!(index, 1 | 6);
        assert_eq!(*is_refused, is_new, "{why}");
        assert!(is_accepted(&world, &token(B, "b")));
        second += delay;
        delay = (delay * 2).min(60);
    }
    // Then all is well again.
    world.tick_at(second);
    let news = world.answer(&set(&[(A, "a")]));
    assert!(matches!(news[..], [News::Recovered { peer: 0, failures: 8 }, News::Renewed { .. }]), "{news:?}");
    assert!(is_accepted(&world, &token(A, "a")));
    assert_eq!(denial(world.present(&token(B, "b"))), None, "it may come early");
}

#[test]
fn a_set_is_fresh_then_stale_then_gone_and_an_unchanged_one_is_fresh_again() {
    let mut world = World::new(&configuration(&json!({"refresh": 100, "staleFor": 50})));
    world.tick_at(0);
    world.answer(&Outcome::Body(
        json!({"keys": [jwk(B, "b")]}).to_string().into_bytes().into(),
        Some("\"1\"".to_owned()),
    ));
    let held = token(B, "b");
    world.tick_at(100);
    assert_eq!(world.under_way[0].headers.last(), Some(&("if-none-match", "\"1\"".to_owned())));
    world.answer(&Outcome::Unchanged);
    for (second, is_good) in [(150, true), (200, true), (249, true), (250, false), (1000, false)] {
        if !world.tick_at(second).0.is_empty() {
            world.answer(&failed());
        }
        assert_eq!(is_accepted(&world, &held), is_good, "{second}");
    }
    // What was remembered of the token does not count either. The trust document says that there is none.
    assert!(!world.document("/.well-known/wristband/trust").body.contains("fetched"));
    // 304 brings it back: the bytes are still here.
    world.tick_at(2000);
    world.answer(&Outcome::Unchanged);
    assert!(is_accepted(&world, &held));
    let trust: Value = serde_json::from_str(&world.document("/.well-known/wristband/trust").body).unwrap();
    assert_eq!(trust["issuers"][1]["source"], "remote");
    assert_eq!(trust["issuers"][1]["fetched"].as_str(), world.now().time.to_rfc3339().as_deref());
    assert_eq!(trust["issuers"][1]["keys"][0]["kid"], "b");
}

#[test]
fn the_first_requests_wait_for_the_first_set() {
    let mut world = World::new(&configuration(&json!({})));
    let good = token(B, "b");
    let waiting = waits(world.present(&good));
    world.tick_at(1);
    let waiting = waits(again(&world, &good, waiting));
    world.answer(&set(&[(B, "b")]));
    assert!(matches!(again(&world, &good, waiting), Admission::Admitted(..)));
    // A key that has come for another configuration decides at once, whoever signed.
    let mut other = begun(&json!({}));
    let gateway = load_with(&configuration(&json!({})), &other.host).unwrap().gateway;
    let now = other.now();
    gateway.join(&mut other.store, now, &other.host);
    other.tick_at(301);
    other.answer(&set(&[(B, "b"), (A, "a")]));
    let forged = token(B, "a");
    let pairs: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", b"/"), (b"x-wristband-token", forged.as_bytes())];
    let admission = gateway.on_request(&Headers::new(pairs.to_vec()), other.now().time, &other.host);
    assert_eq!(denial(admission), Some(Denial::BadSignature));
    assert_eq!(other.tick_at(302).0, [], "nobody was asked");
    // Those whose keys cannot be had are told so.
    let mut world = World::new(&configuration(&json!({"timeout": 2})));
    let waiting = waits(world.present(&good));
    world.tick_at(0);
    world.answer(&failed());
    let Admission::Denied(reply, denied) = again(&world, &good, waiting) else { panic!() };
    assert_eq!(denied.cause, Cause::NoKeys);
    assert_eq!(reply.status, 503);
    assert!(reply.pairs()[0].1.contains("error_description"), "{:?}", reply.pairs());
    // Or after the time is up, if nobody ever answers.
    world.host.moment.set(Moment(500));
    let waiting = waits(world.present(&good));
    world.tick_at(1);
    let waiting = waits(again(&world, &good, waiting));
    world.tick_at(3);
    assert_eq!(denial(again(&world, &good, waiting)), Some(Denial::KeysUnavailable));
}

#[test]
fn a_name_that_is_not_known_brings_one_early_fetch_in_half_a_minute() {
    let mut world = begun(&json!({}));
    world.tick_at(10);
    let fresh = token(A, "a");
    let waiting = waits(world.present(&fresh));
    let made_up = waits(world.present(&token(A, "made-up")));
    assert_eq!(world.tick_at(10).0, [Which::Peer(0)], "one for both");
    world.answer(&set(&[(B, "b"), (A, "a")]));
    assert!(matches!(again(&world, &fresh, waiting), Admission::Admitted(..)));
    assert_eq!(denial(again(&world, &token(A, "made-up"), made_up)), Some(Denial::UnknownKey));
    for second in [11, 20, 39] {
        world.tick_at(second);
        assert_eq!(denial(world.present(&token(A, "made-up"))), Some(Denial::UnknownKey), "{second}");
        assert_eq!(world.tick_at(second).0, []);
    }
    world.tick_at(40);
    drop(waits(world.present(&token(A, "made-up"))));
    assert_eq!(world.tick_at(40).0, [Which::Peer(0)]);
}

#[test]
fn whoever_asks_after_a_call_has_begun_may_need_the_next_one() {
    let mut world = begun(&json!({}));
    world.tick_at(10);
    let first = waits(world.present(&token(A, "x")));
    world.tick_at(10);
    world.tick_at(11);
    let late = waits(world.present(&token(A, "a")));
    world.answer(&set(&[(B, "b")]));
    assert_eq!(denial(again(&world, &token(A, "x"), first)), Some(Denial::UnknownKey));
    // The early one of this half minute is spent.
    assert_eq!(denial(again(&world, &token(A, "a"), late)), Some(Denial::UnknownKey));
    // But the one by the clock is for everyone.
    world.tick_at(311);
    assert_eq!(world.under_way.len(), 1);
    let waiting = waits(world.present(&token(A, "a")));
    world.answer(&set(&[(A, "a")]));
    assert!(matches!(again(&world, &token(A, "a"), waiting), Admission::Admitted(..)));
}

#[test]
fn only_who_could_be_helped_waits() {
    let mut world = begun(&json!({}));
    world.tick_at(10);
    let with = |claims: Value| sign(A, "new", &claims);
    let expired = with(json!({"iss": PEER, "aud": "federation", "exp": NOW.0 - 100}));
    let early = with(json!({"iss": PEER, "aud": "federation", "exp": NOW.0 + 500, "nbf": NOW.0 + 400}));
    let stranger = with(json!({"iss": "https://c.example", "aud": "federation", "exp": NOW.0 + 100}));
    let forged = token(A, "b");
    let text = r#"{"alg":"RS256","kid":"b"}"#;
    let other = crate::testing::sign_text(B, text, &json!({"iss": PEER, "exp": NOW.0 + 100}).to_string());
    let text = r#"{"alg":"HS256","kid":"new"}"#;
    let symmetric = crate::testing::sign_text(B, text, &json!({"iss": PEER, "exp": NOW.0 + 100}).to_string());
    for (token, expected) in [
        (expired, Denial::Expired),
        (early, Denial::NotYetValid),
        (stranger, Denial::UnknownIssuer),
        (forged, Denial::BadSignature),
        (other, Denial::WrongAlgorithm),
        (symmetric, Denial::WrongAlgorithm),
        ("a.b.c".to_owned(), Denial::Malformed),
    ] {
        assert_eq!(denial(world.present(&token)), Some(expected));
    }
    assert_eq!(world.tick_at(10).0, [], "nobody was asked");
}

#[test]
fn only_so_many_wait_and_each_gives_its_place_back() {
    let world = World::new(&configuration(&json!({})));
    let good = token(B, "b");
    let mut waiting: Vec<_> = (0..64).map(|_| waits(world.present(&good))).collect();
    assert_eq!(denial(world.present(&good)), Some(Denial::KeysUnavailable));
    waiting.pop();
    waiting.push(waits(world.present(&good)));
    assert_eq!(denial(world.present(&good)), Some(Denial::KeysUnavailable));
    drop(waiting);
    drop(waits(world.present(&good)));
}

#[test]
fn of_many_peers_only_some_are_asked_at_a_time_and_first_whom_somebody_waits_for() {
    let issuer = |index: usize| format!("https://c{index}.example");
    let peers: Vec<_> =
        (0..100).map(|index| json!({"issuer": issuer(index), "remoteJwks": {"cluster": "sets"}})).collect();
    let mut world = World::new(&json!({"peers": peers, "verify": {}}));
    let peer = Which::Peer;
    assert_eq!(world.tick_at(0).0, (0..64).map(peer).collect::<Vec<_>>());
    // Nothing to do until one of them has answered, or should have.
    let now = world.now().moment;
    let wake = world.gateway.sources().unwrap().wake(now);
    assert!(wake.since(now) > Duration::from_secs(4), "{wake:?}");
    let token = sign(B, "b", &json!({"iss": issuer(99), "exp": NOW.0 + 100}));
    let waiting = waits(world.present(&token));
    assert_eq!(world.gateway.sources().unwrap().wake(now), now);
    assert_eq!(world.tick_at(0).0, [peer(99)]);
    for _ in 0..64 {
        world.answer(&failed());
    }
    // Who has failed comes later.
    assert_eq!(world.tick_at(0).0, (64..99).map(peer).collect::<Vec<_>>());
    world.answer(&set(&[(B, "b")]));
    assert!(matches!(again(&world, &token, waiting), Admission::Admitted(..)));
    for _ in 0..35 {
        world.answer(&set(&[(B, "b")]));
    }
    assert_eq!(world.tick_at(1).0.len(), 64);
}

#[test]
fn observing_asks_and_does_not_wait() {
    let mut configuration = configuration(&json!({}));
    configuration["verify"]["mode"] = "observe".into();
    let mut world = World::new(&configuration);
    let Admission::Admitted(edits, _) = world.present(&token(B, "b")) else { panic!() };
    assert_eq!(edits.observed[0].cause, Cause::NoKeys);
    world.tick_at(0);
    world.answer(&set(&[(B, "b")]));
    world.tick_at(50);
    let Admission::Admitted(edits, _) = world.present(&token(A, "a")) else { panic!() };
    assert_eq!(edits.observed[0].cause, Cause::NoKey);
    assert_eq!(world.tick_at(51).0, [Which::Peer(0)]);
}

#[test]
fn an_update_keeps_what_was_fetched_and_reads_it_in_its_own_way() {
    let mut world = begun(&json!({}));
    world.tick_at(10);
    world.update(&configuration(&json!({"timeout": 9})));
    assert!(is_accepted(&world, &token(B, "b")));
    assert_eq!(world.tick_at(11).0, [], "it is not due");
    // Sooner, if it is to be asked for more often now.
    world.update(&configuration(&json!({"refresh": 20})));
    assert_eq!(world.tick_at(32).0, [Which::Peer(0)]);
    // What was asked before the update is asked again after it.
    world.update(&configuration(&json!({"refresh": 20})));
    assert_eq!(world.tick_at(33).0, [Which::Peer(0)]);
    world.answer(&set(&[(B, "b")]));
    let mut narrow = configuration(&json!({}));
    narrow["peers"][0]["algorithms"] = json!(["ES384"]);
    world.update(&narrow);
    assert!(!is_accepted(&world, &token(B, "b")), "of other keys it never was a set");
    let mut same = configuration(&json!({}));
    same["peers"][0]["algorithms"] = json!(["ES256", "ES384"]);
    let mut world = begun(&json!({}));
    world.update(&same);
    assert!(is_accepted(&world, &token(B, "b")), "the bytes are here");
}

#[test]
fn two_configurations_of_one_vm_ask_once() {
    let mut world = begun(&json!({"refresh": 100}));
    let other = load_with(&configuration(&json!({"refresh": 100})), &world.host).unwrap().gateway;
    let now = world.now();
    other.join(&mut world.store, now, &world.host);
    assert_eq!(world.tick_at(100).0, [Which::Peer(0)]);
    assert!(other.on_tick(world.now(), &Rc::default(), &world.host).0.is_empty());
    world.answer(&set(&[(A, "a")]));
    // The other one finds it as soon as somebody asks.
    let pairs = [(":method", "GET"), (":path", "/"), ("x-wristband-token", &token(A, "a"))];
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let admission = other.on_request(&Headers::new(pairs), world.now().time, &world.host);
    assert!(matches!(admission, Admission::Admitted(..)), "{admission:?}");
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_does_not_count() {
    let mut world = begun(&json!({"refresh": 100, "timeout": 5}));
    world.tick_at(100);
    assert_eq!(world.tick_at(105).0, []);
    // Envoy has never said what became of it, which is a failure like others.
    assert_eq!(world.tick_at(106).0, []);
    assert_eq!(world.tick_at(107).0, [Which::Peer(0)]);
    assert_eq!(world.answer(&set(&[(A, "a")])), [], "the first one");
    let news = world.answer(&set(&[(A, "a")]));
    assert!(matches!(news[..], [News::Recovered { failures: 1, .. }, News::Renewed { .. }]), "{news:?}");
}

#[test]
fn a_key_of_the_samples_is_left_out_unless_it_is_allowed() {
    let mut configuration = configuration(&json!({}));
    configuration["allowWorthlessKeys"] = false.into();
    let mut world = World::new(&configuration);
    world.tick_at(0);
    let own: Value = serde_json::from_str(&crate::testing::fresh_public_key()).unwrap();
    let news = world.answer(&body(json!({"keys": [jwk(B, "b"), own]}).to_string()));
    let [News::Renewed { keys: 1, skipped, .. }] = &news[..] else { panic!("{news:?}") };
    assert_eq!(skipped.len(), 1);
    assert!(!is_accepted(&world, &token(B, "b")));
}

#[test]
fn only_so_many_keys_of_a_set_are_read() {
    let mut world = World::new(&configuration(&json!({})));
    world.tick_at(0);
    let keys: Vec<_> = (0..300).map(|index| jwk(B, &format!("b{index}"))).collect();
    let news = world.answer(&body(json!({"keys": keys}).to_string()));
    let [News::Renewed { keys: 256, left_out: 44, skipped, .. }] = &news[..] else { panic!("{news:?}") };
    assert_eq!(*skipped, ["keys[256]: stands behind 256 others"]);
    let keys = [vec![jwk(B, "b")], vec![json!(0); 5000]].concat();
    let body = json!({"keys": keys});
    let mut world = World::new(&configuration(&json!({})));
    world.tick_at(0);
    let news = world.answer(&super::body(body.to_string()));
    let [News::Renewed { keys: 1, left_out: 5000, skipped, .. }] = &news[..] else { panic!("{news:?}") };
    assert_eq!(skipped.len(), 20);
}

#[test]
fn the_next_thing_to_do_is_known_to_the_millisecond() {
    let mut world = World::new(&configuration(&json!({"refresh": 100, "timeout": 5})));
    let wake = |world: &World| world.gateway.sources().unwrap().wake(world.now().moment).0;
    assert_eq!(wake(&world), 0);
    world.tick_at(1);
    assert_eq!(wake(&world), 7000, "when the call is given up");
    world.answer(&set(&[(B, "b")]));
    assert!((91_000..=96_000).contains(&wake(&world)), "earlier by up to a tenth: {}", wake(&world));
}

#[test]
fn what_comes_in_time_comes_before_the_set_has_ended() {
    let mut world = begun(&json!({"refresh": 100, "staleFor": 0}));
    assert_eq!(world.tick_at(95).0, [Which::Peer(0)]);
    assert!(is_accepted(&world, &token(B, "b")));
    world.milliseconds = 99_900;
    world.answer(&set(&[(B, "b")]));
    world.tick_at(150);
    assert!(is_accepted(&world, &token(B, "b")));
}

#[test]
fn a_set_that_expires_is_told_and_everyone_who_shares_one_shows_it() {
    let mut shared = configuration(&json!({"refresh": 100, "staleFor": 0}));
    let peers = shared["peers"].as_array_mut().unwrap();
    let mut other = peers[0].clone();
    other["issuer"] = "https://inner.example".into();
    other["remoteJwks"]["uri"] = "https://b.example/.well-known/openid-connect/certs".into();
    peers.push(other);
    let mut world = World::new(&shared);
    assert_eq!(world.tick_at(0).0, [Which::Peer(0)], "one asks for both");
    let news = world.answer(&set(&[(B, "b")]));
    let told: Vec<_> = news.iter().filter(|news| matches!(news, News::Renewed { .. })).collect();
    assert_eq!(told.len(), 2, "{news:?}");
    world.tick_at(100);
    world.answer(&failed());
    let (_, news) = world.tick_at(101);
    assert_eq!(news, [News::Expired { peer: 0 }, News::Expired { peer: 1 }]);
}

#[test]
fn what_is_old_already_is_asked_for_at_once_when_it_is_to_be_fresher() {
    let mut world = begun(&json!({"refresh": 86_400}));
    world.tick_at(5000);
    world.update(&configuration(&json!({"refresh": 300})));
    assert_eq!(world.tick_at(5001).0, [Which::Peer(0)]);
}

#[test]
fn a_key_that_the_host_is_to_verify_with_and_cannot_is_left_out() {
    let mut configuration = configuration(&json!({}));
    configuration["crypto"] = "host".into();
    let mut world = World::new(&configuration);
    world.tick_at(0);
    let news = world.answer(&set(&[(B, "b")]));
    let [News::Failed { why, .. }] = &news[..] else { panic!("{news:?}") };
    assert!(why.contains("the host cannot verify with it"), "{why}");
}

//! What is remembered from one request to the next, and what is not.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Story, own, peers, with};
use crate::denial::Denial;
use crate::gateway::Event;
use crate::testing::{A, A_NEXT_PUB, A_PEM, B, B_PEM, B_PUB, NOW, claims, gateway_a, key, sign, sign_text};
use crate::time::Timestamp;
use crate::trust::limits::Limits;
use crate::trust::{KeySet, Origin, Ring, TrustedIssuer, TrustedKey};

fn memory_events(events: &[Event]) -> Vec<Event> {
    let is_one = |event: &&Event| {
        matches!(event, Event::TokenCacheHit | Event::TokenCacheMiss | Event::ReuseHit | Event::ReuseMiss)
    };
    events.iter().filter(is_one).copied().collect()
}

fn after(seconds: i64) -> Timestamp {
    Timestamp(NOW.0.saturating_add(seconds))
}

/// What comes of one token, time after time, with one gateway.
fn repeat(configuration: Value, token: &str, times: &[i64]) -> Vec<Event> {
    let story = Story::new(configuration);
    let gateway = story.gateway();
    let outcomes = times.iter().map(|time| {
        let outcome = story.run_on(&gateway, after(*time), &[("x-wristband-token", token)]);
        let denial = outcome.events.iter().find(|event| matches!(event, Event::Denied(_)));
        denial.copied().unwrap_or_else(|| memory_events(&outcome.events)[0])
    });
    outcomes.collect()
}

const HIT: Event = Event::TokenCacheHit;
const MISS: Event = Event::TokenCacheMiss;

#[test]
fn a_token_that_was_accepted_has_the_same_effect_again() {
    let mut configuration = gateway_a();
    configuration["verify"] = json!({
        "outputPayloadToHeader": "x-payload",
        "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}, {"header": "x-who", "claim": "principal"}],
    });
    configuration["issue"]["identity"] = json!({"wristband": true});
    configuration["issue"]["chain"] = json!(true);
    for claims_passed in [json!(null), json!(["nothing"])] {
        if claims_passed.is_array() {
            configuration["peers"][0]["claims"] = claims_passed;
        }
        let story = Story::new(configuration.clone());
        let gateway = story.gateway();
        let token = peers();
        let mut outcomes =
            (0..2).map(|_| story.run_on(&gateway, NOW, &[("x-wristband-token", token.as_str())])).collect::<Vec<_>>();
        let (second, first) = (outcomes.pop().unwrap(), outcomes.pop().unwrap());
        assert_eq!(memory_events(&first.events), [MISS]);
        assert_eq!(memory_events(&second.events), [HIT]);
        assert_eq!(second.request.set, first.request.set);
        assert_eq!(second.request.set.len(), 3);
        assert_eq!(second.request.remove, first.request.remove);
        assert_eq!(second.request.filter_state, first.request.filter_state);
        // The wristband too, which is signed with the claims: their time and number are the same here.
        assert!(second.wristband().is_some());
        assert_eq!(second.response.set, first.response.set);
    }
}

#[test]
fn what_can_change_is_checked_every_time() {
    let (plain, token) = (gateway_a(), own());
    // `exp` is 300 seconds away, and clocks may differ by 30.
    assert_eq!(
        repeat(plain.clone(), &token, &[0, 1, 329, 330, 329]),
        [MISS, HIT, HIT, Event::Denied(Denial::Expired), HIT]
    );
    // A clock that is set back.
    assert_eq!(repeat(plain, &token, &[0, -30, -31]), [MISS, HIT, Event::Denied(Denial::NotYetValid)]);

    let mut ending = gateway_a();
    ending["peers"] = json!([{"issuer": B, "keys": [key("b", B_PUB)], "maxLifetime": 300}]);
    ending["peers"][0]["keys"][0]["notAfter"] = json!("2027-01-15T08:01:00Z");
    let mut ageless = claims(B);
    ageless.as_object_mut().unwrap().retain(|name, _| name != "iat" && name != "nbf");
    let token = sign(B_PEM, "b", &ageless);
    assert_eq!(
        repeat(ending, &token, &[0, 59, 60, -30, -31]),
        [MISS, HIT, Event::Denied(Denial::EndedKey), HIT, Event::Denied(Denial::TooLongLived)]
    );
}

/// One issuer of a ring with other keys.
fn with_keys(ring: &Ring, name: &str, keys: Vec<Rc<TrustedKey>>) -> Ring {
    let issuer = ring.select(name).unwrap();
    let (is_own, limits) = (issuer.is_own, Rc::clone(&issuer.limits));
    ring.clone().with(TrustedIssuer {
        name: name.to_owned(),
        label: Rc::clone(&issuer.label),
        is_own,
        origin: Origin::Configured,
        keys: KeySet::new(keys),
        limits,
    })
}

#[test]
fn a_remembered_token_is_accepted_only_while_its_key_is_the_one_that_is_trusted() {
    let mut configuration = gateway_a();
    configuration["peers"][0]["keys"] = json!([key("b", B_PUB), key("b2", A_NEXT_PUB)]);
    let story = Story::new(configuration);
    let gateway = story.gateway();
    let token = peers();
    let run = || {
        let events = story.run_on(&gateway, NOW, &[("x-wristband-token", &token)]).events;
        let denial = events.iter().find(|event| matches!(event, Event::Denied(_)));
        denial.copied().unwrap_or_else(|| memory_events(&events)[0])
    };
    let first = gateway.ring();
    let of_b = first.select(B).unwrap().keys.keys().to_vec();
    let renamed = |key: &Rc<TrustedKey>| Rc::new(TrustedKey { name: "b".to_owned(), ..(**key).clone() });
    assert_eq!([run(), run()], [MISS, HIT]);
    for (ring, expected) in [
        // Withdrawn; another one under its name; the issuer itself is gone.
        (with_keys(&first, B, vec![Rc::clone(&of_b[1])]), Event::Denied(Denial::UnknownKey)),
        (with_keys(&first, B, vec![renamed(&of_b[1])]), Event::Denied(Denial::BadSignature)),
        (Ring::default(), Event::Denied(Denial::UnknownIssuer)),
        // The same key, while others come and go.
        (with_keys(&first, B, vec![Rc::clone(&of_b[0])]), HIT),
        (with_keys(&first, A, Vec::new()), HIT),
        ((*first).clone(), HIT),
        // The same numbers, but taken in once more: they are looked at once more.
        (with_keys(&first, B, vec![renamed(&of_b[0])]), MISS),
    ] {
        gateway.trust(ring);
        assert_eq!(run(), expected);
    }
    // Other limits of its word.
    let issuer = first.select(B).unwrap();
    let limits = Rc::new(Limits { audiences: vec!["other".to_owned()], ..Limits::default() });
    let keys = KeySet::new(vec![Rc::clone(&of_b[0])]);
    gateway.trust((*first).clone().with(TrustedIssuer {
        name: issuer.name.clone(),
        label: Rc::clone(&issuer.label),
        is_own: false,
        origin: Origin::Configured,
        keys,
        limits,
    }));
    assert_eq!(run(), Event::Denied(Denial::WrongAudience));
}

#[test]
fn a_key_that_is_withdrawn_is_published_no_more() {
    let mut configuration = gateway_a();
    configuration["signingKeyRefs"] = json!([key("a", A_PEM), key("a2", A_NEXT_PUB)]);
    let story = Story::new(configuration);
    let gateway = story.gateway();
    let kids = || {
        let reply = story.run_on(&gateway, NOW, &[(":path", "/.well-known/jwks.json")]).reply.unwrap();
        let jwks: Value = serde_json::from_str(&reply.body).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kids(), ["a", "a2"]);
    let first = gateway.ring();
    let keys = first.own().unwrap().keys.keys();
    gateway.trust(with_keys(&first, A, vec![Rc::clone(&keys[1])]));
    assert_eq!(kids(), ["a2"]);
    gateway.trust((*first).clone());
    assert_eq!(kids(), ["a", "a2"]);
}

#[test]
fn a_remembered_token_is_as_bound_to_its_certificate_as_any() {
    let digest = "00".repeat(32);
    let mut bound = claims(B);
    bound["cnf"] = json!({"x5t#S256": crate::jose::base64url::encode([0; 32])});
    let token = sign(B_PEM, "b", &bound);
    let mut story = Story::new(gateway_a());
    let gateway = story.gateway();
    let mut run = |certificate: Option<&'static str>| {
        story.host.certificate = certificate;
        story.run_on(&gateway, NOW, &[("x-wristband-token", &token)]).events
    };
    let (own, other): (&str, &str) = (digest.leak(), "11".repeat(32).leak());
    assert!(run(Some(own)).contains(&MISS));
    assert!(run(Some(own)).contains(&HIT));
    for thief in [None, Some(other)] {
        assert_eq!(run(thief), [Event::Denied(Denial::WrongCertificate)]);
    }
    assert!(run(Some(own)).contains(&HIT));
}

#[test]
fn only_the_very_token_is_recognised() {
    let story = Story::new(gateway_a());
    let gateway = story.gateway();
    let token = own();
    let run = |token: &str| story.run_on(&gateway, NOW, &[("x-wristband-token", token)]).events;
    assert!(run(&token).contains(&MISS));
    for index in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        let events = run(std::str::from_utf8(&other).unwrap());
        assert!(matches!(events[..], [Event::Denied(_)]), "{index}: {events:?}");
    }
    assert!(matches!(run(token.get(1..).unwrap())[..], [Event::Denied(_)]));
    assert!(run(&token).contains(&HIT));
}

#[test]
fn nothing_is_remembered_where_it_must_not_be() {
    let token = own();
    let mut off = gateway_a();
    with(&mut off, "/verify/cache", json!({"tokens": 0}));
    let mut once = gateway_a();
    with(&mut once, "/verify/replay", json!({"cache": 100}));
    for configuration in [off, once] {
        let story = Story::new(configuration);
        let gateway = story.gateway();
        for _ in 0..2 {
            let events = story.run_on(&gateway, NOW, &[("x-wristband-token", &token)]).events;
            assert_eq!(memory_events(&events), []);
        }
    }
    // A token of another gateway.
    let story = Story::new(gateway_a());
    for _ in 0..2 {
        assert!(story.run_on(&story.gateway(), NOW, &[("x-wristband-token", &token)]).events.contains(&MISS));
    }
}

#[test]
fn a_number_is_the_same_when_it_is_read_again() {
    let mut configuration = gateway_a();
    configuration["verify"] = json!({});
    configuration["peers"][0]["claims"] = json!(["number"]);
    configuration["issue"] = json!({"identity": {"wristband": true}, "subject": {"hash": true}});
    let story = Story::new(configuration);
    let gateway = story.gateway();
    let payload = claims(B).to_string().replacen('{', r#"{"number":909.29069845785675909,"#, 1);
    let token = sign_text(B_PEM, r#"{"alg":"ES256","kid":"b"}"#, &payload);
    let subject = || {
        let outcome = story.run_on(&gateway, NOW, &[("x-wristband-token", &token)]);
        (memory_events(&outcome.events)[0], outcome.wristband().unwrap().claims()["sub"].clone())
    };
    let ((first, before), (second, after)) = (subject(), subject());
    assert_eq!((first, second), (MISS, HIT));
    assert_eq!(before, after);
}

#[test]
fn a_token_without_a_kid_is_verified_every_time() {
    let token = sign_text(B_PEM, r#"{"alg":"ES256"}"#, &claims(B).to_string());
    assert_eq!(repeat(gateway_a(), &token, &[0, 1]), [MISS, MISS]);
}

fn reusing(seconds: u32) -> Value {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/reuse", json!(seconds));
    configuration
}

#[test]
fn a_wristband_is_handed_out_again_to_whoever_would_get_the_same() {
    let mut configuration = reusing(60);
    with(&mut configuration, "/issue/customClaims", json!({"team": {"expression": "team"}}));
    let mut story = Story::new(configuration);
    let gateway = story.gateway();
    let mut run = |team: &str, user: &str| {
        story.host.values.insert("team".to_owned(), team.as_bytes().to_vec());
        memory_events(&story.run_on(&gateway, NOW, &[("x-user", user)]).events)
    };
    for (team, user, expected) in [
        ("blue", "alice", Event::ReuseMiss),
        ("blue", "alice", Event::ReuseHit),
        ("blue", "bob", Event::ReuseMiss),
        ("red", "alice", Event::ReuseMiss),
        ("red", "alice", Event::ReuseHit),
        ("blue", "alice", Event::ReuseHit),
    ] {
        assert_eq!(run(team, user), [expected], "{team} {user}");
    }
}

#[test]
fn a_wristband_is_handed_out_again_only_while_it_is_young() {
    let (hit, miss) = (Event::ReuseHit, Event::ReuseMiss);
    for (seconds, times, expected) in [
        (60, &[0, 59, 60, 60][..], &[miss, hit, miss, hit][..]),
        // Half of 300 seconds.
        (86_400, &[0, 150, 151, 152], &[miss, hit, miss, hit]),
        // A clock that is set back.
        (60, &[0, -1, -1], &[miss, miss, hit]),
    ] {
        let story = Story::new(reusing(seconds));
        let gateway = story.gateway();
        let run = |time: &i64| story.run_on(&gateway, after(*time), &[("x-user", "alice")]).events;
        let events: Vec<_> = times.iter().map(|time| memory_events(&run(time))[0]).collect();
        assert_eq!(events, expected, "{seconds}");
    }
    let story = Story::new(gateway_a());
    let gateway = story.gateway();
    for _ in 0..2 {
        let outcome = story.run_on(&gateway, NOW, &[("x-user", "alice")]);
        assert_eq!(outcome.events, [Event::Issued], "by default each is signed anew");
    }
}

#[test]
fn a_wristband_that_is_handed_out_again_does_not_outlive_the_one_that_came() {
    let story = Story::new(reusing(60));
    let gateway = story.gateway();
    let run = |left: i64| {
        let mut claims = claims(B);
        claims["exp"] = json!(after(left).0);
        let token = sign(B_PEM, "b", &claims);
        let outcome = story.run_on(&gateway, NOW, &[("x-user", "alice"), ("x-wristband-token", &token)]);
        let event = memory_events(&outcome.events)[1];
        (event, outcome.wristband().unwrap().expires().0.saturating_sub(NOW.0))
    };
    assert_eq!(run(1000), (Event::ReuseMiss, 300));
    assert_eq!(run(200), (Event::ReuseMiss, 200));
    assert_eq!(run(1000), (Event::ReuseHit, 300), "a shorter one shortens nobody else's");
    assert_eq!(run(199), (Event::ReuseMiss, 199));
}

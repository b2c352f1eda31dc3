//! Histories of our own key.

use super::*;
use crate::denial::Cause;
use crate::gateway::Event;
use crate::issue::Skip;

const ISSUER: &str = "https://a.example";
/// Seconds: `tokenDuration`, what clocks may differ by, and `discovery.maxAge`.
const RETIRED_FOR: u64 = 100 + 300 + 60;

fn configuration(members: &Value) -> Value {
    let mut key = json!({"cluster": "key", "path": "/key"});
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    json!({
        "issuer": ISSUER,
        "tokenDuration": 100,
        "discovery": {"maxAge": 60},
        "signingKeyRefs": [{"algorithm": "ES256", "key": key}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

fn names(pems: &[&str]) -> Option<Vec<String>> {
    Some(pems.iter().map(|pem| thumbprint(pem)).collect())
}

/// With the first key, which signs at once.
fn begun(members: &Value) -> World {
    let mut world = World::new(&configuration(members));
    assert_eq!((world.published(), world.signs()), (None, None));
    assert_eq!(world.tick_at(0).0, [Which::Own]);
    let news = world.answer(&body(A));
    assert!(matches!(&news[..], [News::KeyIsWorthless(_), News::KeyChanged { .. }]), "{news:?}");
    assert_eq!((world.published(), world.signs()), (names(&[A]), Some(thumbprint(A))));
    world
}

/// Lets the next fetch bring this.
fn bring(world: &mut World, seconds: u64, outcome: &Outcome) -> Vec<News> {
    while !world.under_way.is_empty() {
        world.answer(&Outcome::Unchanged);
    }
    let (asked, mut news) = world.tick_at(seconds);
    assert_eq!(asked, [Which::Own], "{seconds}");
    news.extend(world.answer(outcome));
    news
}

#[test]
fn before_the_first_key_nothing_is_signed_and_no_set_is_published() {
    let mut world = World::new(&configuration(&json!({})));
    let reply = world.document("/.well-known/openid-configuration");
    assert_eq!((reply.status, reply.pairs()[0]), (503, ("retry-after", "1")));
    assert_eq!(world.document("/.well-known/openid-connect/certs").status, 503);
    // It is asked for soon again, and no later than every `refresh`.
    for (second, outcome) in
        [0, 1, 3, 7, 12].into_iter().zip([failed(), body(""), body("-"), body(" \n"), Outcome::Unchanged])
    {
        assert_eq!(bring(&mut world, second, &outcome), []);
        assert_eq!((world.published(), world.signs()), (None, None));
    }
    let Admission::Admitted(_, mut admitted) = world.ask(&[(":method", "GET"), (":path", "/"), ("x-user", "a")]) else {
        panic!()
    };
    let headers = Headers::new(vec![(b"x-user", b"a")]);
    world.gateway.on_admitted(&mut admitted, &headers, NOW, &world.host);
    let response = Headers::new(vec![(b":status", b"200")]);
    let Decision::Forward(edits) = world.gateway.on_response(Some(admitted), &response, NOW, &world.host) else {
        panic!()
    };
    assert_eq!(edits.events, [Event::IssueSkipped(Skip::NoKey)]);
    assert!(Skip::NoKey.is_failure());
    // One of our own that nobody can verify yet is not its bearer's fault.
    let other = begun(&json!({})).sign().unwrap();
    let Admission::Denied(reply, denied) = world.present(&other) else { panic!() };
    assert_eq!(denied.cause, Cause::NoKeys);
    assert_eq!(reply.status, 503);
}

#[test]
fn a_new_key_is_announced_then_signs_and_the_old_one_stays_until_its_wristbands_have_ended() {
    let mut world = begun(&json!({"announce": 90}));
    let before = world.sign().unwrap();
    let news = bring(&mut world, 5, &body(A_NEXT));
    assert!(matches!(&news[1], News::KeyAnnounced { seconds: 90, .. }), "{news:?}");
    assert_eq!((world.published(), world.signs()), (names(&[A, A_NEXT]), Some(thumbprint(A))));
    // Until it is fetched again the same text is not looked at.
    assert_eq!(bring(&mut world, 10, &body(A_NEXT)), []);
    assert_eq!(bring(&mut world, 94, &body(A_NEXT)), []);
    assert_eq!(world.signs(), Some(thumbprint(A)));
    let last = world.sign().unwrap();
    let (_, news) = world.tick_at(95);
    assert_eq!(news, [News::KeyChanged { kid: thumbprint(A_NEXT), at: world.now().time }]);
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT, A]), Some(thumbprint(A_NEXT))));
    for token in [&before, &last] {
        // That the old one ends is as it should be, and no news.
        assert!(matches!(world.present(token), Admission::Admitted(edits, _) if edits.ending.is_none()));
    }
    world.tick_at(95 + RETIRED_FOR - 1);
    assert_eq!(world.published(), names(&[A_NEXT, A]));
    world.tick_at(95 + RETIRED_FOR);
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT]), Some(thumbprint(A_NEXT))));
}

#[test]
fn without_an_announcement_a_key_signs_at_once() {
    let mut world = begun(&json!({"announce": 0}));
    let news = bring(&mut world, 5, &body(A_NEXT));
    assert!(matches!(&news[..], [News::KeyIsWorthless(_), News::KeyChanged { .. }]), "{news:?}");
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT, A]), Some(thumbprint(A_NEXT))));
}

#[test]
fn an_announcement_can_be_cut_short_taken_back_and_outdone() {
    // Cut short, by another configuration: a key has leaked.
    let mut world = begun(&json!({"announce": 90}));
    bring(&mut world, 5, &body(A_NEXT));
    world.update(&configuration(&json!({"announce": 0})));
    assert_eq!(world.signs(), Some(thumbprint(A)));
    world.tick_at(6);
    assert_eq!(world.signs(), Some(thumbprint(A_NEXT)));
    // Taken back: the old file is there again.
    let mut world = begun(&json!({"announce": 90}));
    bring(&mut world, 5, &body(A_NEXT));
    bring(&mut world, 10, &body(A));
    assert_eq!((world.published(), world.signs()), (names(&[A]), Some(thumbprint(A))));
    world.tick_at(200);
    assert_eq!(world.signs(), Some(thumbprint(A)));
    // Outdone by a third.
    let mut world = begun(&json!({"announce": 90}));
    bring(&mut world, 5, &body(A_NEXT));
    bring(&mut world, 50, &body(B));
    assert_eq!(world.published(), names(&[A, B]));
    bring(&mut world, 95, &body(B));
    assert_eq!(world.signs(), Some(thumbprint(A)));
    world.tick_at(140);
    assert_eq!((world.published(), world.signs()), (names(&[B, A]), Some(thumbprint(B))));
    // And back again: what has signed can sign once more, and is published all along.
    bring(&mut world, 145, &body(A));
    assert_eq!(world.published(), names(&[B, A]));
    world.tick_at(235);
    assert_eq!((world.published(), world.signs()), (names(&[A, B]), Some(thumbprint(A))));
    world.tick_at(140 + RETIRED_FOR);
    assert_eq!(world.published(), names(&[A, B]), "from when it signed last");
    world.tick_at(235 + RETIRED_FOR);
    assert_eq!(world.published(), names(&[A]));
}

#[test]
fn a_text_that_cannot_be_used_changes_nothing_and_is_said_once() {
    let mut world = begun(&json!({}));
    let public_only = crate::testing::A_NEXT_PUB;
    let with_private_behind = format!("{A_NEXT}{B}");
    let twice = format!("{A_NEXT}{A_NEXT}");
    let with_its_half = format!("{A_NEXT}{public_only}");
    let of_one_name = json!({"keys": [jwk(B, &thumbprint(A))]}).to_string();
    let texts = [
        ("garbage", "expected one key as PEM or as a JWK"),
        (public_only, "a public key where the private one that signs has to stand"),
        (&with_private_behind, "key 2: a private key where only a public one may stand"),
        (&twice, "key 2: a private key where only a public one may stand"),
        (&with_its_half, "key 2: the same name as that of key 1"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "not valid PEM"),
        ("{\"keys\": []}", "the JWK Set has no keys"),
        ("{\"keys\": 7}", "the `keys` of the JWK Set are no array"),
        ("{", "the JWK cannot be read"),
        (&of_one_name, "a public key where the private one that signs has to stand"),
    ];
    for (index, (text, expected)) in texts.iter().enumerate() {
        let second = 10 * u64::try_from(index + 1).unwrap();
        let news = bring(&mut world, second, &body(*text));
        let [News::KeyRejected(why)] = &news[..] else { panic!("{text}: {news:?}") };
        assert!(why.contains(expected), "{why}");
        assert!(!news[0].to_string().contains("AAAA"));
        assert_eq!(bring(&mut world, second + 5, &body(*text)), []);
        assert_eq!((world.published(), world.signs()), (names(&[A]), Some(thumbprint(A))), "{text}");
    }
    // The same again as before is a good text again.
    assert!(matches!(&bring(&mut world, 200, &body(A))[..], [News::KeyIsWorthless(_)]));
}

#[test]
fn public_keys_behind_the_private_one_are_ours_too() {
    let mut world = begun(&json!({}));
    let bundle = format!("{A}\nthe next one\n{}{}", crate::testing::A_NEXT_PUB, crate::testing::B_PUB);
    bring(&mut world, 5, &body(bundle));
    assert_eq!(world.published(), names(&[A, A_NEXT, B]));
    // After a restart the old block is in the text, so nothing is lost.
    let mut world = World::new(&configuration(&json!({})));
    world.tick_at(0);
    world.answer(&body(format!("{A_NEXT}{}", crate::testing::A_PUB)));
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT, A]), Some(thumbprint(A_NEXT))));
}

#[test]
fn keys_of_a_set_have_their_own_names_and_algorithms() {
    let private = |pem: &str, name: &str| {
        let mut jwk = jwk(pem, name);
        jwk["d"] = crate::testing::secret(pem).into();
        jwk
    };
    let rsa = include_str!("../../../testdata/worthless-keys/forms/rsa.pub.pem");
    let Ok(Material::Public(rsa)) = Material::parse(rsa, Algorithm::Ps384) else { panic!() };
    let mut rsa: Value = serde_json::from_str(&rsa.to_jwk().to_string()).unwrap();
    (rsa["kid"], rsa["alg"]) = ("r".into(), "PS384".into());
    let mut world = World::new(&configuration(&json!({})));
    world.tick_at(0);
    world.answer(&body(json!({"keys": [private(A, "one"), jwk(B, "two"), rsa]}).to_string()));
    assert_eq!(world.published(), Some(["one", "two", "r"].map(str::to_owned).into()));
    assert_eq!(world.signs().as_deref(), Some("one"));
    assert!(world.document("/.well-known/openid-configuration").body.contains("PS384"));
    assert!(!world.document("/.well-known/jwks.json").body.contains("\"d\""));
    // Another key of the same name would be taken for the old one by whoever has kept the set.
    let news = bring(&mut world, 5, &body(private(A_NEXT, "one").to_string()));
    assert_eq!(
        news,
        [News::KeyRejected("key 1: another key of ours has its `kid`; give it one of its own".to_owned())]
    );
    bring(&mut world, 10, &body(private(A_NEXT, "next").to_string()));
    let news = bring(&mut world, 15, &body(private(B, "next").to_string()));
    assert!(matches!(&news[..], [News::KeyRejected(_)]), "that of one that is announced is taken too: {news:?}");
    let news = bring(&mut world, 20, &body(private(A_NEXT, "a b").to_string()));
    assert!(matches!(&news[..], [News::KeyRejected(why)] if why.contains("`kid` is not 1 to 255")), "{news:?}");
    assert_eq!(world.signs().as_deref(), Some("one"));
}

#[test]
fn an_update_loses_nothing() {
    let mut world = begun(&json!({"announce": 90}));
    bring(&mut world, 5, &body(A_NEXT));
    world.update(&configuration(&json!({"announce": 90, "refresh": 7})));
    assert_eq!((world.published(), world.signs()), (names(&[A, A_NEXT]), Some(thumbprint(A))));
    // What the configuration before has called for will not be heard of; so it is asked anew.
    // And who signs, and since when, is said again.
    assert_eq!(
        bring(&mut world, 6, &body(A_NEXT)),
        [News::KeyChanged { kid: thumbprint(A), at: NOW }, News::KeyIsWorthless(thumbprint(A_NEXT))]
    );
    world.tick_at(95);
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT, A]), Some(thumbprint(A_NEXT))));
    world.update(&configuration(&json!({})));
    assert_eq!((world.published(), world.signs()), (names(&[A_NEXT, A]), Some(thumbprint(A_NEXT))));
    // Another place is another key.
    world.update(&configuration(&json!({"path": "/other"})));
    assert_eq!((world.published(), world.signs()), (None, None));
}

#[test]
fn a_revoked_key_signs_nothing_although_it_came_by_call() {
    let mut configuration = configuration(&json!({}));
    configuration["verify"]["revoked"] = json!([{"kid": thumbprint(A)}]);
    let mut world = World::new(&configuration);
    world.tick_at(0);
    world.answer(&body(A));
    assert_eq!((world.published(), world.signs()), (Some(Vec::new()), None));
}

#[test]
fn a_key_of_the_samples_is_refused_unless_it_is_allowed() {
    let mut configuration = configuration(&json!({}));
    configuration["allowWorthlessKeys"] = false.into();
    let mut world = World::new(&configuration);
    world.tick_at(0);
    let news = world.answer(&body(A));
    assert!(matches!(&news[..], [News::KeyRejected(why)] if why.contains("one of the samples")), "{news:?}");
    assert_eq!(world.signs(), None);
}

#[test]
fn what_is_handed_out_again_is_never_of_a_key_that_no_longer_signs() {
    let mut configuration = configuration(&json!({"announce": 0}));
    configuration["issue"]["reuse"] = 60.into();
    let mut world = World::new(&configuration);
    world.tick_at(0);
    world.answer(&body(A));
    assert_eq!(world.sign(), world.sign());
    bring(&mut world, 5, &body(A_NEXT));
    assert_eq!(world.signs(), Some(thumbprint(A_NEXT)));
}

/// A key of the configuration and one of the text may be the same: what the configuration says of it holds.
#[test]
fn what_the_configuration_says_of_a_key_holds_for_the_same_one_in_the_text() {
    let mut ended = configuration(&json!({}));
    let mut entry = crate::testing::key(&thumbprint(A), crate::testing::A_PUB);
    entry["notAfter"] = "2020-01-01T00:00:00Z".into();
    ended["signingKeyRefs"].as_array_mut().unwrap().push(entry.clone());
    let old = begun(&json!({})).sign().unwrap();
    let is_ended =
        |world: &World| matches!(world.present(&old), Admission::Denied(_, denied) if denied.cause == Cause::KeyEnded);
    let mut world = World::new(&ended);
    world.tick_at(0);
    world.answer(&body(format!("{A_NEXT}{}", crate::testing::A_PUB)));
    assert!(is_ended(&world));
    assert_eq!(world.published(), names(&[A_NEXT]));
    // So it does for one that was retired before the configuration said so.
    let mut world = begun(&json!({"announce": 0}));
    bring(&mut world, 5, &body(A_NEXT));
    world.update(&ended);
    assert!(is_ended(&world));
    assert_eq!(world.published(), names(&[A_NEXT]));
    // And what ends does not sign.
    let mut world = World::new(&ended);
    world.tick_at(0);
    let news = world.answer(&body(A));
    assert!(matches!(&news[..], [News::KeyRejected(why)] if why.contains("begins or ends")), "{news:?}");
    // Under another name it would be two keys.
    entry["name"] = "old".into();
    ended["signingKeyRefs"][1] = entry;
    let mut world = World::new(&ended);
    world.tick_at(0);
    let news = world.answer(&body(format!("{A_NEXT}{}", crate::testing::A_PUB)));
    let [News::KeyRejected(why)] = &news[..] else { panic!("{news:?}") };
    assert!(why.contains("the configuration has the same key as `old`"), "{why}");
}

#[test]
fn another_configuration_goes_on_with_no_key_that_it_would_not_take() {
    let mut world = begun(&json!({"announce": 0}));
    bring(&mut world, 5, &body(A_NEXT));
    let mut strict = configuration(&json!({}));
    strict["allowWorthlessKeys"] = false.into();
    world.update(&strict);
    assert_eq!((world.published(), world.signs()), (None, None));
    // For another algorithm it is another key; what was signed is still published.
    let mut world = begun(&json!({}));
    let mut other = configuration(&json!({}));
    other["signingKeyRefs"][0]["algorithm"] = "ES384".into();
    world.update(&other);
    assert_eq!(world.signs(), None);
    world.tick_at(1);
    let p384 = include_str!("../../../testdata/worthless-keys/forms/p384.pem");
    world.answer(&body(p384));
    let published = world.published().unwrap();
    assert_eq!((published.len(), published.last()), (2, Some(&thumbprint(A))));
    // A name of the configuration is not displaced.
    let mut world = World::new(&configuration(&json!({})));
    world.tick_at(0);
    let mut named = jwk(A, "one");
    named["d"] = crate::testing::secret(A).into();
    world.answer(&body(named.to_string()));
    assert_eq!(world.signs().as_deref(), Some("one"));
    let mut other = configuration(&json!({}));
    other["signingKeyRefs"].as_array_mut().unwrap().push(crate::testing::key("one", crate::testing::B_PUB));
    world.update(&other);
    assert_eq!(world.signs(), None);
    let token = crate::testing::sign(B, "one", &json!({"iss": ISSUER, "sub": "a", "exp": NOW.0 + 60}));
    assert!(matches!(world.present(&token), Admission::Admitted(..)));
}

#[test]
fn what_was_signed_for_long_is_published_for_long_whatever_the_configuration_says_later() {
    let mut long = configuration(&json!({"announce": 0}));
    long["tokenDuration"] = 80_000.into();
    let mut world = World::new(&long);
    world.tick_at(0);
    world.answer(&body(A));
    let old = world.sign().unwrap();
    world.update(&configuration(&json!({"announce": 0})));
    bring(&mut world, 10, &body(A_NEXT));
    world.tick_at(70_000);
    assert!(matches!(world.present(&old), Admission::Admitted(..)));
    world.tick_at(90_000);
    assert_eq!(world.published(), names(&[A_NEXT]));
}

#[test]
fn a_clock_that_is_wrong_for_a_moment_forgets_no_key() {
    let mut world = begun(&json!({"announce": 0}));
    let old = world.sign().unwrap();
    bring(&mut world, 5, &body(A_NEXT));
    let broken = Now { time: Timestamp(i64::MAX), moment: world.now().moment };
    world.gateway.on_tick(broken, &Rc::default(), &world.host);
    assert_eq!(world.published(), names(&[A_NEXT, A]));
    assert!(matches!(world.present(&old), Admission::Admitted(..)));
}

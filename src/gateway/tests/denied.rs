//! What an operator is told of a request that is denied.

use std::collections::HashSet;

use super::{A_PEM, B_PEM, own, peers, with};
use crate::denial::{Cause, Denial};
use crate::encoding::protobuf;
use crate::gateway::{Admission, Denied};
use crate::http::headers::Headers;
use crate::jose::base64url;
use crate::testing::{A, A_NEXT_PUB, B, Fake, NOW, claims, gateway_a, key, load_with, sign, sign_text};
use crate::time::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};

/// Someone who asks.
struct Caller {
    configuration: Value,
    host: Fake,
    now: Timestamp,
}

impl Default for Caller {
    fn default() -> Self {
        let mut configuration = gateway_a();
        with(&mut configuration, "/verify/mode", json!("require"));
        Self { configuration, host: Fake::default(), now: NOW }
    }
}

impl Caller {
    fn with(pointer: &str, value: Value) -> Self {
        let mut caller = Self::default();
        with(&mut caller.configuration, pointer, value);
        caller
    }

    fn ask(&self, headers: &[(&str, &str)]) -> Denied {
        self.ask_twice(headers, false)
    }

    fn ask_twice(&self, headers: &[(&str, &str)], is_second: bool) -> Denied {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.denied(&headers, is_second)
    }

    fn ask_bytes(&self, headers: &[(&str, &[u8])]) -> Denied {
        self.denied(headers, false)
    }

    fn denied(&self, headers: &[(&str, &[u8])], is_second: bool) -> Denied {
        let gateway = load_with(&self.configuration, &self.host).unwrap().gateway;
        let pairs = [(":method", &b"GET"[..]), (":path", b"/")].into_iter().chain(headers.iter().copied());
        let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value)).collect());
        if is_second {
            gateway.on_request(&headers, self.now, &self.host);
        }
        match gateway.on_request(&headers, self.now, &self.host) {
            Admission::Denied(_, denied) => denied,
            Admission::Admitted(mut edits, _) => edits.observed.pop().expect("it is accepted"),
            _ => panic!("it waits, or is answered"),
        }
    }

    fn token(&self, token: &str) -> Denied {
        self.ask(&[("x-wristband-token", token)])
    }
}

fn token(name: &str, value: Value) -> String {
    let mut claims = claims(A);
    claims[name] = value;
    sign(A_PEM, "a", &claims)
}

fn without(name: &str) -> String {
    let mut claims = claims(A);
    claims.as_object_mut().unwrap().remove(name);
    sign(A_PEM, "a", &claims)
}

fn headed(header: &str) -> String {
    sign_text(A_PEM, header, &claims(A).to_string())
}

/// A gateway whose peer has another member, and one whose peer's key has.
fn of_peer(name: &str, value: Value) -> Caller {
    let mut caller = Caller::default();
    caller.configuration["peers"][0][name] = value;
    caller
}

fn of_key(name: &str, value: Value) -> Caller {
    let mut caller = Caller::default();
    caller.configuration["peers"][0]["keys"][0][name] = value;
    caller
}

/// One request for each cause.
fn all() -> Vec<Denied> {
    let any = Caller::default();
    let [header, payload, signature] = own().split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    let certificate = "00".repeat(32);
    let bound = token("cnf", json!({"x5t#S256": base64url::encode([1; 32])}));
    let mut denied = vec![
        any.ask(&[]),
        any.ask(&[("x-wristband-token", "a,b")]),
        any.ask(&[("x-wristband-token", "a"), ("authorization", "Bearer a")]),
        Caller::with("/verify/fromCookies", json!(["wb"])).ask(&[("cookie", "a=1 wb=t")]),
        any.token(&"a".repeat(9000)),
        any.ask(&[("authorization", &format!("Bearer  {}", own()))]),
        any.ask_bytes(&[("x-wristband-token", b"a.b.\xff")]),
        any.token("a.b"),
        any.token(&format!("{header}=.{payload}.{signature}")),
        any.token(&headed("[]")),
        any.token(&format!("{header}.{payload}=.{signature}")),
        any.token(&sign_text(A_PEM, r#"{"alg":"ES256","kid":"a"}"#, "7")),
        any.token(&format!("{header}.{payload}.{signature}=")),
        any.token(&headed(r#"{"alg":"ES256","alg":"ES256"}"#)),
        any.token(&token("x", serde_json::from_str(&("[".repeat(40) + &"]".repeat(40))).unwrap())),
        any.token(&headed(r#"{"alg":"ES256","kid":"a","crit":["x"]}"#)),
        any.token(&headed(r#"{"kid":"a"}"#)),
        any.token(&headed(r#"{"alg":"ES256","kid":1}"#)),
        any.token(&without("iss")),
        any.token(&token("sub", json!(1))),
        any.token(&token("aud", json!(1))),
        any.token(&without("exp")),
        any.token(&token("exp", json!("soon"))),
        any.token(&token("iat", json!(-1))),
        any.token(&token("cnf", json!(1))),
        any.token(&token("iss", json!("https://stranger.example"))),
        any.token(&token("iss", json!(format!("{A}/")))),
        any.token(&headed(r#"{"alg":"HS256","kid":"a"}"#)),
        any.token(&headed(r#"{"alg":"ES384","kid":"a"}"#)),
        any.token(&headed(r#"{"alg":"ES256","kid":"x"}"#)),
        any.token(&headed(r#"{"alg":"ES384"}"#)),
        Caller::with("/signingKeyRefs", json!([key("a", A_PEM), key("a2", A_NEXT_PUB)]))
            .token(&headed(r#"{"alg":"ES256"}"#)),
        of_key("notBefore", json!("2027-01-15T08:00:01Z")).token(&peers()),
        of_key("notAfter", json!("2027-01-15T08:00:00Z")).token(&peers()),
        Caller::with("/verify/typ", json!(["x"])).token(&headed(r#"{"alg":"ES256","kid":"a"}"#)),
        Caller::with("/verify/typ", json!(["x"])).token(&own()),
        Caller::with("/verify/revoked", json!([{"kid": "b"}])).token(&peers()),
        Caller::with("/verify/revoked", json!([{"jti": "1"}])).token(&own()),
        Caller::with("/verify/revoked", json!([{"issuer": B, "issuedBefore": "2027-01-15T08:00:01Z"}])).token(&peers()),
        any.token(&token("exp", json!(1))),
        any.token(&token("nbf", json!(NOW.0 + 100))),
        Caller::with("/verify/audiences", json!(["a"])).token(&own()),
        Caller::with("/verify/audiences", json!(["a"])).token(&token("aud", json!("b"))),
        any.token(&token("aud", json!("b"))),
        of_peer("subjects", json!([{"exact": "bob"}])).token(&peers()),
        of_peer("maxLifetime", json!(1)).token(&peers()),
        any.token(&bound),
        any.token(&token("cnf", json!({"jkt": "x"}))),
        any.token(&format!("{header}.{payload}.AAAA")),
        Caller::with("/verify/replay", json!({"cache": 10})).token(&without("jti")),
        Caller::with("/verify/replay", json!({"cache": 10})).ask_twice(&[("x-wristband-token", &own())], true),
    ];
    let mut nameless = claims(B);
    nameless.as_object_mut().unwrap().remove("sub");
    denied.push(of_peer("subjects", json!([{"exact": "bob"}])).token(&sign(B_PEM, "b", &nameless)));
    let certified =
        Caller { host: Fake { certificate: Some(certificate.leak()), ..Fake::default() }, ..Caller::default() };
    denied.push(certified.token(&bound));
    let mut full = Caller::with("/verify/replay", json!({"cache": 2}));
    full.host.shared = Fake::default().shared;
    let gateway = load_with(&full.configuration, &full.host).unwrap().gateway;
    let verifier = &gateway.verification.as_ref().unwrap().verifier;
    verifier.verify(token("jti", json!("2")).as_bytes(), &gateway.ring(), NOW, &full.host).unwrap();
    denied.push(full.token(&own()));
    let broken = Fake { write_fails: Some(crate::host::Written::Refused), ..Fake::default() };
    denied.push(Caller { host: broken, ..Caller::with("/verify/replay", json!({"cache": 10})) }.token(&own()));
    let mut forged = Caller::with("/verify/onForgedHeader", json!("deny"));
    with(&mut forged.configuration, "/verify/outputPayloadToHeader", json!("x-payload"));
    denied.push(forged.ask(&[("x-payload", "e30")]));
    let mut remote = Caller::with("/verify/mode", json!("observe"));
    with(&mut remote.configuration, "/peers", json!([{"issuer": B, "remoteJwks": {"cluster": "b"}}]));
    denied.push(remote.token(&peers()));
    denied
}

#[test]
fn every_cause_is_reached_and_has_a_detail_of_its_own() {
    let reached: HashSet<Cause> = all().iter().map(|denied| denied.cause).collect();
    for cause in Cause::ALL {
        assert!(reached.contains(&cause), "{cause:?}");
    }
    let details: HashSet<_> = Cause::ALL.map(Cause::detail).into();
    assert_eq!(details.len(), Cause::ALL.len());
    let codes: HashSet<_> = Cause::ALL.map(Cause::denial).into();
    assert_eq!(codes.len(), Denial::ALL.len(), "every code has a cause");
    assert!(details.iter().all(|detail| detail.is_ascii()));
}

/// A peer is counted only for what it has signed.
#[test]
fn nobody_is_counted_under_a_name_that_he_only_writes() {
    let only_genuine = [
        Denial::WrongType,
        Denial::WrongAudience,
        Denial::WrongSubject,
        Denial::TooLongLived,
        Denial::WrongBinding,
        Denial::WrongCertificate,
        Denial::Replayed,
        Denial::ReplayFull,
    ];
    for denied in all() {
        let cause = denied.cause;
        let is_genuine = only_genuine.contains(&cause.denial())
            || matches!(cause, Cause::IdRevoked | Cause::TimeRevoked | Cause::NoId);
        assert_eq!(denied.peer.is_some(), is_genuine, "{denied}");
    }
    let own = Caller::with("/verify/audiences", json!(["a"])).token(&own());
    assert_eq!(own.peer.as_deref(), Some("self"));
    let of_peer = Caller::with("/verify/audiences", json!(["a"])).token(&peers());
    assert_eq!(of_peer.peer.as_deref(), Some("cluster-b_example_com"));
}

fn state(denied: &Denied) -> Value {
    protobuf::from_struct(prost_types::Struct::decode(&*denied.filter_state()).unwrap()).unwrap_or_default()
}

#[test]
fn the_filter_state_has_what_can_be_read_in_characters_that_can() {
    let bearer = |token: &str| Caller::default().ask(&[("authorization", &format!("Bearer {token}"))]);
    let denied = bearer(&sign(B_PEM, "b", &claims(A)));
    let expected = json!({
        "code": "unknown_key", "detail": "the issuer has no key of this `kid`", "place": "header authorization",
        "issuer": A, "kid": "b",
    });
    assert_eq!(state(&denied), expected);
    assert_eq!(
        denied.to_string(),
        format!("unknown_key (the issuer has no key of this `kid`), in header authorization, issuer {A}, kid b")
    );
    // The header can be read, the payload cannot.
    let half = bearer(&sign_text(A_PEM, r#"{"alg":"ES256","kid":"a b\n\u00e9"}"#, "[]"));
    let expected = json!({
        "code": "malformed", "detail": "the payload cannot be read as a JSON object", "place": "header authorization", "kid": "a?b??",
    });
    assert_eq!(state(&half), expected);
    // Members of other types are nothing that could be read.
    let typed = bearer(&sign_text(A_PEM, r#"{"alg":1,"kid":7}"#, &json!({"iss": [A]}).to_string()));
    assert_eq!(state(&typed)["detail"], "no `alg`, or one that is no text");
    assert_eq!(state(&typed).as_object().unwrap().len(), 3);
    let long = state(&bearer(&sign(B_PEM, &"\u{e9}".repeat(300), &claims(&"x".repeat(300)))));
    assert_eq!((long["kid"].as_str(), long["issuer"].as_str()), (Some(&*"?".repeat(255)), Some(&*"x".repeat(255))));
    let missing = json!({"code": "missing", "detail": "no token in any of the places"});
    assert_eq!(state(&Caller::default().ask(&[])), missing);
}

#[test]
fn a_place_is_named_by_what_it_is() {
    let mut everywhere = Caller::with("/verify/fromCookies", json!(["wb"]));
    with(&mut everywhere.configuration, "/verify/fromParams", json!(["token"]));
    with(&mut everywhere.configuration, "/verify/fromWebSocketProtocols", json!([{"prefix": "wb."}]));
    with(&mut everywhere.configuration, "/verify/fromHeaders", json!([{"name": "x-token"}]));
    for (header, place) in [
        (("x-token", "a"), "header x-token"),
        (("cookie", "wb=a"), "cookie wb"),
        (("sec-websocket-protocol", "chat, wb.a"), "subprotocol"),
        ((":path", "/?token=a"), "parameter token"),
        // As ambiguous as it is.
        (("cookie", "wb=a; wb=b"), "cookie wb"),
        (("x-token", "a, b"), "header x-token"),
    ] {
        let gateway = load_with(&everywhere.configuration, &everywhere.host).unwrap().gateway;
        let pairs =
            [(":method", "GET"), (":path", "/")].into_iter().filter(|(name, _)| *name != header.0).chain([header]);
        let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect());
        let Admission::Denied(_, denied) = gateway.on_request(&headers, NOW, &everywhere.host) else { panic!() };
        assert_eq!(state(&denied)["place"], place, "{header:?}");
    }
    let mut forged = Caller::with("/verify/onForgedHeader", json!("deny"));
    with(&mut forged.configuration, "/verify/outputPayloadToHeader", json!("x-payload"));
    assert_eq!(state(&forged.ask(&[("x-payload", "")]))["place"], "header x-payload");
}

#[test]
fn a_key_that_ends_within_a_week_is_told_with_every_token_of_it() {
    let at = |left: i64| {
        let end = Timestamp(NOW.0 + left).to_rfc3339().unwrap();
        let caller = of_key("notAfter", json!(end));
        let gateway = load_with(&caller.configuration, &caller.host).unwrap().gateway;
        // Remembered or not.
        let ends = [(); 2].map(|()| {
            let token = peers();
            let pairs: [(&[u8], &[u8]); 3] =
                [(b":method", b"GET"), (b":path", b"/"), (b"x-wristband-token", token.as_bytes())];
            let admission = gateway.on_request(&Headers::new(pairs.to_vec()), NOW, &caller.host);
            let Admission::Admitted(edits, _) = admission else { panic!() };
            edits.ending.map(|ending| (ending.issuer.name.clone(), ending.key.name.clone(), ending.end.0 - NOW.0))
        });
        assert_eq!(ends[0], ends[1]);
        ends[0].clone()
    };
    let week = 7 * 86_400;
    assert_eq!(at(week), None);
    assert_eq!(at(week - 1), Some((B.to_owned(), "b".to_owned(), week - 1)));
    assert_eq!(at(1), Some((B.to_owned(), "b".to_owned(), 1)));
}

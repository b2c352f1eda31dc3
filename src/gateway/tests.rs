mod denied;
mod memory;

use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::compile::Compiled;
use crate::denial::Denial;
use crate::encoding::protobuf;
use crate::http::headers::{Headers, can_be_value};
use crate::testing::{A, A_PEM, B, B_PEM, Fake, NOW, claims, gateway_a, load_with, metadata, sign};
use crate::verify::Verified;

/// A request and its response, by a configuration and a host.
struct Story {
    configuration: Value,
    host: Fake,
    status: &'static str,
    response: Vec<(&'static str, &'static str)>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    reply: Option<Rc<Reply>>,
    events: Vec<Event>,
    request: Edits,
    response: Edits,
}

impl Story {
    fn new(configuration: Value) -> Self {
        Self { configuration, host: Fake::default(), status: "200", response: Vec::new() }
    }

    fn run(&self, headers: &[(&str, &str)]) -> Outcome {
        let mut outcome = self.run_on(&self.gateway(), NOW, headers);
        // The first time everything is a miss.
        outcome.events.retain(|event| !matches!(event, Event::TokenCacheMiss | Event::ReuseMiss));
        outcome
    }

    fn gateway(&self) -> Gateway {
        load_with(&self.configuration, &self.host).unwrap().gateway
    }

    /// With a gateway that may have seen other requests.
    fn run_on(&self, gateway: &Gateway, now: Timestamp, headers: &[(&str, &str)]) -> Outcome {
        let pseudo = [(":method", "GET"), (":path", "/")].into_iter();
        let pseudo = pseudo.filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        let pairs = pseudo.chain(headers.iter().copied());
        let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect());
        let mut outcome = Outcome::default();
        let admitted = match gateway.on_request(&headers, now, &self.host) {
            Admission::Denied(reply, denied) => {
                outcome.events.push(Event::Denied(denied.cause.denial()));
                outcome.reply = Some(reply);
                None
            }
            Admission::Answered(reply) => {
                outcome.reply = Some(reply);
                outcome.events.push(Event::Discovery);
                None
            }
            Admission::Waiting(_) => panic!("nothing is fetched"),
            Admission::Admitted(edits, mut admitted) => {
                outcome.events.extend(edits.observed.iter().map(|denied| Event::Observed(denied.cause.denial())));
                outcome.events.extend(&edits.events);
                outcome.request = edits;
                match gateway.on_admitted(&mut admitted, &headers, now, &self.host) {
                    Decision::Reply(reply, events) => {
                        outcome.reply = Some(reply);
                        outcome.events.extend(events);
                        None
                    }
                    Decision::Forward(edits) => {
                        outcome.events.extend(&edits.events);
                        outcome.request.remove.extend(edits.remove);
                        outcome.request.set.extend(edits.set);
                        Some(admitted)
                    }
                }
            }
        };
        let response = [(":status", self.status)].into_iter().chain(self.response.iter().copied());
        let response = Headers::new(response.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect());
        match gateway.on_response(admitted, &response, now, &self.host) {
            Decision::Reply(reply, events) => {
                outcome.reply = Some(reply);
                outcome.events.extend(events);
            }
            Decision::Forward(edits) => {
                outcome.events.extend(&edits.events);
                outcome.response = edits;
            }
        }
        outcome
    }
}

impl Outcome {
    fn wristband(&self) -> Option<Verified> {
        let value = |edits: &Edits| Some(edits.set.iter().find(|(name, _)| name == "x-wristband-token")?.1.clone());
        let token = value(&self.response).or_else(|| value(&self.request))?;
        let compiled = load_with(
            &json!({
                "issuer": A, "signingKeyRefs": [crate::testing::key("a", crate::testing::A_PUB)],
                "verify": {"audiences": ["one", "two"]},
            }),
            &Fake::default(),
        );
        let compiled_without = load_with(
            &json!({
                "issuer": A, "signingKeyRefs": [crate::testing::key("a", crate::testing::A_PUB)], "verify": {},
            }),
            &Fake::default(),
        );
        let verify =
            |compiled: Compiled| crate::testing::verify(&compiled.gateway, token.as_bytes(), NOW, &Fake::default());
        Some(verify(compiled_without.unwrap()).or_else(|_| verify(compiled.unwrap())).unwrap())
    }
}

/// The payload of a token, in which no member stands twice.
fn payload(token: &str) -> Value {
    let payload = crate::jose::base64url::decode(token.split('.').nth(1).unwrap()).unwrap();
    crate::jose::json::parse(&payload).unwrap()
}

fn own() -> String {
    sign(A_PEM, "a", &claims(A))
}

fn peers() -> String {
    sign(B_PEM, "b", &claims(B))
}

fn with(configuration: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    configuration.pointer_mut(parent).unwrap()[member] = value;
}

#[test]
fn who_is_authenticated_gets_a_wristband_and_it_is_never_cached() {
    let mut configuration = gateway_a();
    with(
        &mut configuration,
        "/issue/customClaims",
        json!({"region": {"value": "eu-1"}, "n": {"value": [1, {"a": null}]}}),
    );
    let outcome = Story::new(configuration).run(&[("x-user", "alice")]);
    let wristband = outcome.wristband().unwrap();
    let mut expected = claims(A);
    expected["jti"] = json!("BwcHBwcHBwcHBwcHBwcHBw");
    (expected["iat"], expected["nbf"]) = (json!(NOW.0 - 5), json!(NOW.0 - 5));
    expected["region"] = json!("eu-1");
    expected["n"] = json!([1, {"a": null}]);
    assert_eq!(Value::Object(wristband.claims().clone()), expected);
    assert_eq!(outcome.events, [Event::Issued]);
    let cache_control = (HeaderName::known("cache-control"), "no-store".to_owned());
    assert!(outcome.response.set.contains(&cache_control));
}

#[test]
fn one_audience_is_a_string_and_several_are_an_array() {
    for (audiences, expected) in [(json!(["one"]), json!("one")), (json!(["one", "two"]), json!(["one", "two"]))] {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/audiences", audiences);
        let outcome = Story::new(configuration).run(&[("x-user", "alice")]);
        assert_eq!(outcome.wristband().unwrap().claims()["aud"], expected);
    }
}

#[test]
fn nobody_gets_none() {
    for headers in [&[][..], &[("x-user", "")], &[("x-user", "alice"), ("x-user", "bob")]] {
        let outcome = Story::new(gateway_a()).run(headers);
        assert!(outcome.wristband().is_none());
        assert_eq!(outcome.events, [Event::IssueSkipped(Skip::NoIdentity)]);
    }
}

#[test]
fn a_response_that_is_no_success_carries_none() {
    for status in ["100", "101", "199", "300", "302", "304", "401", "404", "500", "503", "", "2", "20", "2000"] {
        let mut story = Story::new(gateway_a());
        story.status = status;
        let outcome = story.run(&[("x-user", "alice")]);
        assert_eq!(outcome.events, [Event::IssueSkipped(Skip::ResponseStatus)], "{status}");
        assert!(outcome.wristband().is_none());
    }
    for status in ["200", "201", "204", "299"] {
        let mut story = Story::new(gateway_a());
        story.status = status;
        assert!(story.run(&[("x-user", "alice")]).wristband().is_some(), "{status}");
    }
}

#[test]
fn a_response_whose_request_was_never_seen_carries_none() {
    let host = Fake::default();
    let gateway = load_with(&gateway_a(), &host).unwrap().gateway;
    let response = Headers::new(vec![(b":status", b"200"), (b"x-wristband-token", b"forged")]);
    for admitted in [None, Some(Admitted::default())] {
        let Decision::Forward(edits) = gateway.on_response(admitted, &response, NOW, &host) else { panic!() };
        assert!(edits.set.is_empty() && edits.events.is_empty());
        assert_eq!(edits.remove, ["x-wristband-token"]);
    }
}

#[test]
fn an_upstream_cannot_smuggle_a_wristband_in() {
    for (user, status) in [("alice", "200"), ("", "200"), ("alice", "404")] {
        let mut story = Story::new(gateway_a());
        story.status = status;
        story.response = vec![("x-wristband-token", "forged"), ("x-wristband-token", "twice")];
        assert_eq!(story.run(&[("x-user", user)]).response.remove[0], "x-wristband-token", "{user} {status}");
    }
}

#[test]
fn our_own_wristband_is_not_refreshed_and_a_peer_s_is_not_outlived() {
    let outcome = Story::new(gateway_a()).run(&[("x-user", "alice"), ("x-wristband-token", &own())]);
    assert_eq!(outcome.events, [Event::Verified, Event::IssueSkipped(Skip::OwnWristband)]);
    let mut short = claims(B);
    short["exp"] = json!(NOW.0 + 10);
    let outcome = Story::new(gateway_a()).run(&[("x-user", "alice"), ("x-wristband-token", &sign(B_PEM, "b", &short))]);
    assert_eq!(outcome.wristband().unwrap().claims()["exp"], NOW.0 + 10);
    // Still accepted within the skew, but nothing can be signed that ends with it.
    short["exp"] = json!(NOW.0);
    let outcome = Story::new(gateway_a()).run(&[("x-user", "alice"), ("x-wristband-token", &sign(B_PEM, "b", &short))]);
    assert_eq!(outcome.events, [Event::Verified, Event::IssueSkipped(Skip::Expired)]);
}

#[test]
fn of_a_request_that_is_sent_once_more_nobody_knows_what_it_came_with() {
    let redirected = ("x-envoy-original-url", "http://gateway.example/first");
    let skipped = [Event::IssueSkipped(Skip::Redirected)];
    for (placement, mode) in [("response", "optional"), ("request", "optional"), ("request", "observe")] {
        let mut story = Story::new(gateway_a());
        with(&mut story.configuration, "/issue/placement", json!(placement));
        with(&mut story.configuration, "/verify/mode", json!(mode));
        let outcome = story.run(&[("x-user", "alice"), redirected]);
        assert_eq!((outcome.events.as_slice(), outcome.request.set.len()), (&skipped[..], 0), "{placement}");
        // Where it verifies nobody there is nothing to know.
        story.configuration.as_object_mut().unwrap().remove("verify");
        assert_eq!(story.run(&[("x-user", "alice"), redirected]).events, [Event::Issued], "{placement}");
    }
    // What the upstream was given the first time round is nobody's credential; what the client brings elsewhere still is.
    let mut story = Story::new(gateway_a());
    with(&mut story.configuration, "/issue/placement", json!("request"));
    let outcome = story.run(&[("x-user", "alice"), ("x-wristband-token", &own()), redirected]);
    assert_eq!((outcome.events.as_slice(), outcome.request.remove.len()), (&skipped[..], 1));
    let of_b = format!("Bearer {}", sign(B_PEM, "b", &claims(B)));
    let outcome = story.run(&[("x-user", "alice"), ("authorization", &of_b), redirected]);
    assert_eq!(outcome.events, [Event::Verified, Event::Issued]);
    with(&mut story.configuration, "/verify/mode", json!("require"));
    let outcome = story.run(&[("x-user", "alice"), ("x-wristband-token", &own()), redirected]);
    assert_eq!(outcome.events, [Event::Denied(Denial::Missing)]);
}

#[test]
fn a_signature_that_cannot_be_made_fails_no_response() {
    let mut story = Story::new(gateway_a());
    story.host.no_random = true;
    let outcome = story.run(&[("x-user", "alice")]);
    assert_eq!(outcome.events, [Event::IssueSkipped(Skip::SigningFailed)]);
    assert!(outcome.reply.is_none());
    for placement in ["response", "request"] {
        with(&mut story.configuration, "/issue/onFailure", json!("deny"));
        with(&mut story.configuration, "/issue/placement", json!(placement));
        let outcome = story.run(&[("x-user", "alice")]);
        assert_eq!(outcome.events, [Event::IssueSkipped(Skip::SigningFailed)], "{placement}");
        let reply = outcome.reply.unwrap();
        assert_eq!((reply.status, reply.details.as_str()), (503, "wristband_failed{signing_failed}"), "{placement}");
        // Nobody's fault: there was nobody to sign for.
        assert!(story.run(&[]).reply.is_none(), "{placement}");
    }
}

#[test]
fn what_our_own_verifier_would_refuse_is_not_handed_out() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/customClaims", json!({"x": {"value": "x".repeat(7000)}}));
    let outcome = Story::new(configuration).run(&[("x-user", "alice")]);
    assert_eq!(outcome.events, [Event::IssueSkipped(Skip::TooLarge)]);
}

#[test]
fn the_name_of_a_caller_is_its_identity_or_the_sub_of_it() {
    let names = "metadata.filter_metadata.idp.payload";
    let identity = |value: Value| {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/identity", json!({"expression": names}));
        let mut story = Story::new(configuration);
        story.host.metadata = Some(metadata(&json!({"idp": {"payload": value}})));
        let outcome = story.run(&[]);
        outcome.wristband().map(|wristband| wristband.claims()["sub"].clone()).ok_or(outcome.events)
    };
    assert_eq!(identity(json!("alice")), Ok(json!("alice")));
    assert_eq!(identity(json!({"sub": "alice", "x": null})), Ok(json!("alice")));
    // Of a payload that is too large for a claim only the name is asked for.
    let crowd = json!(vec!["role"; 8000]);
    assert_eq!(identity(json!({"sub": "alice", "roles": crowd})), Ok(json!("alice")));
    for large in [crowd.clone(), json!({"roles": crowd}), json!({"sub": crowd}), json!("x".repeat(9000))] {
        assert_eq!(identity(large), Err(vec![Event::IssueSkipped(Skip::ClaimTooLarge)]));
    }
    for no_subject in [json!({"sub": ""}), json!({"sub": 1}), json!({"name": "alice"}), json!(["alice"]), json!(1)] {
        assert_eq!(identity(no_subject), Err(vec![Event::IssueSkipped(Skip::NoSubject)]));
    }
    for nobody in [json!(null), json!(""), json!({}), json!([]), json!(false), json!(true)] {
        assert_eq!(identity(nobody), Err(vec![Event::IssueSkipped(Skip::NoIdentity)]));
    }
}

#[test]
fn conditions_and_subjects_are_asked_in_their_phase() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/when", json!({"request": "first", "response": "second"}));
    with(&mut configuration, "/issue/subject", json!({"expression": "name"}));
    let run = |first: &[u8], second: &[u8], name: Option<&[u8]>| {
        let mut story = Story::new(configuration.clone());
        let values = [("first", Some(first)), ("second", Some(second)), ("name", name)];
        let values = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_vec())));
        story.host.values = values.collect();
        let outcome = story.run(&[("x-user", "alice")]);
        outcome.wristband().map(|wristband| wristband.claims()["sub"].clone()).ok_or(outcome.events)
    };
    let skipped = |skip| Err(vec![Event::IssueSkipped(skip)]);
    assert_eq!(run(&[1], &[1], Some(b"carol")), Ok(json!("carol")));
    assert_eq!(run(&[0], &[1], Some(b"carol")), skipped(Skip::Condition));
    assert_eq!(run(&[1], &[0], Some(b"carol")), skipped(Skip::Condition));
    // Not a boolean.
    assert_eq!(run(b"yes", &[1], Some(b"carol")), skipped(Skip::Condition));
    assert_eq!(run(&[1], &[1], None), skipped(Skip::NoSubject));
    assert_eq!(run(&[1], &[1], Some(b"")), skipped(Skip::NoSubject));
    assert_eq!(run(&[1], &[1], Some(b"\x01")), skipped(Skip::NoSubject), "true is no name");
}

#[test]
fn with_placement_request_the_upstream_gets_it_and_an_inbound_copy_does_not_survive() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/placement", json!("request"));
    with(&mut configuration, "/issue/header", json!("x-our-token"));
    let story = Story::new(configuration);
    let outcome = story.run(&[("x-user", "alice"), ("x-our-token", "forged")]);
    assert_eq!(outcome.request.remove, ["x-our-token"]);
    assert_eq!(outcome.request.set.len(), 1);
    assert_eq!(outcome.events, [Event::Issued]);
    assert!(outcome.response.remove.is_empty());
    let outcome = story.run(&[("x-our-token", "forged")]);
    assert_eq!(outcome.request.remove, ["x-our-token"]);
    assert!(outcome.request.set.is_empty());
    assert_eq!(outcome.events, [Event::IssueSkipped(Skip::NoIdentity)]);
}

#[test]
fn the_modes_differ_in_what_a_missing_and_a_bad_token_do() {
    let bad = peers().replace('.', "_");
    for (mode, missing, denied) in [("require", true, true), ("optional", false, true), ("observe", false, false)] {
        let mut configuration = gateway_a();
        with(&mut configuration, "/verify/mode", json!(mode));
        configuration.as_object_mut().unwrap().remove("issue");
        configuration["signingKeyRefs"] = json!([crate::testing::key("a", crate::testing::A_PUB)]);
        let story = Story::new(configuration);
        assert_eq!(story.run(&[]).reply.is_some(), missing, "{mode}");
        let outcome = story.run(&[("x-wristband-token", &bad)]);
        assert_eq!(outcome.reply.is_some(), denied, "{mode}");
        let event = if denied { Event::Denied(Denial::Malformed) } else { Event::Observed(Denial::Malformed) };
        assert_eq!(outcome.events, [event], "{mode}");
        assert!(outcome.request.remove.is_empty() && outcome.request.filter_state.is_none(), "{mode}");
        let outcome = story.run(&[("x-wristband-token", &peers())]);
        assert_eq!(outcome.events, [Event::Verified], "{mode}");
        assert_eq!(outcome.request.remove, ["x-wristband-token"], "{mode}");
    }
}

#[test]
fn a_denial_says_which_and_nothing_of_the_request() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/mode", json!("require"));
    let story = Story::new(configuration);
    let missing = story.run(&[]).reply.unwrap();
    assert_eq!(missing.status, 401);
    assert_eq!(missing.pairs()[0], ("www-authenticate", "Bearer realm=\"wristband\""));
    assert_eq!(missing.body, r#"{"error":"missing_token","error_description":"no token"}"#);
    assert_eq!(missing.details, "wristband_denied{missing}");
    let expired =
        story.run(&[("authorization", &format!("Bearer {}", sign(A_PEM, "a", &json!({"iss": A, "exp": 1}))))]);
    let expired = expired.reply.unwrap();
    let challenge = r#"Bearer realm="wristband", error="invalid_token", error_description="token has expired""#;
    assert_eq!(expired.pairs()[0], ("www-authenticate", challenge));
    assert_eq!(expired.pairs()[1], ("content-type", "application/json"));
    assert_eq!(expired.body, r#"{"error":"invalid_token","error_description":"token has expired"}"#);
    assert_eq!(expired.details, "wristband_denied{expired}");
}

#[test]
fn every_denial_has_a_code_and_a_text_of_its_own() {
    let mut seen = std::collections::HashSet::new();
    for denial in Denial::ALL {
        assert!(seen.insert(denial.code()) && seen.insert(denial.text()), "{denial:?}");
        assert!(can_be_value(denial.text()) && !denial.text().contains(['"', '\\']), "{denial:?}");
    }
}

#[test]
fn claims_become_headers_as_text_or_not_at_all() {
    let mut configuration = gateway_a();
    let names = ["s", "i", "f", "b", "n", "l", "o", "crlf", "utf8", "space", "empty", "absent", "o.a"];
    let outputs: Vec<_> =
        names.iter().map(|name| json!({"header": format!("x-{}", name.replace('.', "-")), "claim": name})).collect();
    with(&mut configuration, "/verify/outputClaimToHeaders", json!(outputs));
    with(&mut configuration, "/verify/outputPayloadToHeader", json!("x-payload"));
    let mut claims = claims(B);
    for (name, value) in [
        ("s", json!("a b")),
        ("i", json!(-7)),
        ("f", json!(1.5)),
        ("b", json!(true)),
        ("n", json!(null)),
        ("l", json!(["x"])),
        ("o", json!({"a": 1})),
        ("crlf", json!("a\r\nx-admin: 1")),
        ("utf8", json!("\u{e9}")),
        ("space", json!(" a")),
        ("empty", json!("")),
    ] {
        claims[name] = value;
    }
    let token = sign(B_PEM, "b", &claims);
    let forged = ["x-s", "x-n", "x-crlf", "x-absent", "x-payload"].map(|name| (name, "forged"));
    let mut headers = forged.to_vec();
    headers.push(("x-wristband-token", &token));
    let outcome = Story::new(configuration).run(&headers);
    let set: Vec<_> = outcome.request.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        set,
        [
            ("x-payload", token.split('.').nth(1).unwrap()),
            ("x-s", "a b"),
            ("x-i", "-7"),
            ("x-f", "1.5"),
            ("x-b", "true"),
            ("x-l", "WyJ4Il0"),
            ("x-o", "eyJhIjoxfQ"),
            ("x-utf8", "\u{e9}"),
            ("x-o-a", "1"),
        ]
    );
    let dropped: Vec<_> = outcome.request.dropped.iter().map(|claim| &**claim).collect();
    assert_eq!(dropped, ["crlf", "space", "empty"], "those that are there");
    for (name, _) in forged {
        assert!(outcome.request.remove.iter().any(|removed| removed == name), "{name}");
    }
    let state = prost_types::Struct::decode(&*outcome.request.filter_state.unwrap()).unwrap();
    assert_eq!(protobuf::from_struct(state).unwrap(), claims);
}

#[test]
fn headers_that_are_ours_to_write_are_removed_whatever_the_verdict() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/outputClaimToHeaders", json!([{"header": "x-sub", "claim": "sub"}]));
    for mode in ["optional", "observe"] {
        with(&mut configuration, "/verify/mode", json!(mode));
        let outcome = Story::new(configuration.clone()).run(&[("x-sub", "admin")]);
        assert_eq!(outcome.request.remove, ["x-sub"], "{mode}");
    }
    let outcome = Story::new(configuration).run(&[("x-sub", "admin"), ("x-wristband-token", "bad")]);
    assert_eq!(outcome.request.remove, ["x-sub"]);
}

#[test]
fn a_forged_copy_of_a_header_of_ours_is_denied_where_routes_look_at_it() {
    let mut configuration = gateway_a();
    let claims = json!([{"header": "x-sub", "claim": "sub"}]);
    with(&mut configuration, "/verify/outputClaimToHeaders", claims);
    with(&mut configuration, "/verify/outputPayloadToHeader", json!("x-payload"));
    with(&mut configuration, "/verify/onForgedHeader", json!("deny"));
    with(&mut configuration, "/issue/cookie", json!({}));
    with(&mut configuration, "/verify/fromCookies", json!(["__Host-wristband"]));
    let token = own();
    for (mode, denied) in [("require", true), ("optional", true), ("observe", false)] {
        with(&mut configuration, "/verify/mode", json!(mode));
        let cookie = format!("__Host-wristband={token}");
        for header in ["x-sub", "x-payload"] {
            let outcome = Story::new(configuration.clone()).run(&[(header, ""), ("cookie", &cookie)]);
            let event = if denied { Event::Denied } else { Event::Observed }(Denial::ForgedHeader);
            assert_eq!(outcome.events[0], event, "{mode} {header}");
            match outcome.reply {
                Some(reply) => {
                    assert_eq!((reply.status, &*reply.details), (400, "wristband_denied{forged_header}"));
                    // The cookie is not to blame.
                    assert!(reply.pairs().iter().all(|(name, _)| *name != "set-cookie"));
                }
                None => assert!(!denied && outcome.request.remove.contains(&HeaderName::known("cookie"))),
            }
        }
        // Clients of `internal_address_config` can send the mark of an internal redirect too.
        let again = [("x-sub", "alice"), ("x-envoy-original-url", "http://a/"), ("cookie", &*cookie)];
        assert_eq!(Story::new(configuration.clone()).run(&again).reply.is_some(), denied, "{mode}");
    }
}

#[test]
fn an_accepted_token_is_forwarded_only_on_request() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/forward", json!(true));
    let outcome = Story::new(configuration).run(&[("authorization", &format!("Bearer {}", peers()))]);
    assert_eq!(outcome.events[0], Event::Verified);
    assert!(outcome.request.remove.is_empty());
    let outcome = Story::new(gateway_a()).run(&[("authorization", &format!("Bearer {}", peers()))]);
    assert_eq!(outcome.request.remove, ["authorization"]);
}

#[test]
fn what_is_forwarded_is_the_accepted_token_and_no_other_that_looks_like_ours() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/placement", json!("request"));
    with(&mut configuration, "/verify/forward", json!(true));
    let bearer = format!("Bearer {}", peers());
    let accepted = [("x-wristband-token", peers())];
    for (header, others, removed) in [
        ("x-wristband-token", vec![], vec![]),
        ("authorization", vec![("authorization", "forged.token.here")], vec!["authorization"]),
        ("x-our-token", vec![("x-our-token", "forged")], vec!["x-our-token"]),
    ] {
        with(&mut configuration, "/issue/header", json!(header));
        let sent = accepted.iter().map(|(name, token)| (*name, token.as_str())).chain(others);
        let outcome = Story::new(configuration.clone()).run(&sent.collect::<Vec<_>>());
        assert_eq!(outcome.request.remove, removed, "{header}");
        assert_eq!(outcome.events, [Event::Verified, Event::IssueSkipped(Skip::PeerWristband)], "{header}");
    }
    // The same header may be a place for tokens with a scheme, and one without hides nothing.
    with(&mut configuration, "/issue/header", json!("x-wristband-token"));
    let places =
        json!([{"name": "x-wristband-token", "prefix": "Wristband "}, {"name": "authorization", "prefix": "Bearer "}]);
    with(&mut configuration, "/verify/fromHeaders", places);
    let outcome = Story::new(configuration).run(&[("authorization", &bearer), ("x-wristband-token", "forged")]);
    assert_eq!(outcome.request.remove, ["x-wristband-token"]);
}

#[test]
fn an_identity_may_be_the_accepted_wristband() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/identity", json!({"wristband": true}));
    let story = Story::new(configuration);
    let outcome = story.run(&[("x-wristband-token", &peers())]);
    assert_eq!(outcome.wristband().unwrap().claims()["sub"], "alice");
    assert_eq!(story.run(&[]).events, [Event::IssueSkipped(Skip::NoIdentity)]);
}

#[test]
fn a_cookie_takes_the_place_of_the_header_unless_both_are_asked_for() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/cookie", json!({}));
    let mut story = Story::new(configuration);
    story.response = vec![
        ("set-cookie", "theme=dark"),
        ("set-cookie", "__Host-wristband=forged"),
        ("x-wristband-token", "kept"),
        ("cache-control", "max-age=60"),
    ];
    let outcome = story.run(&[("x-user", "alice")]);
    assert!(outcome.wristband().is_none());
    assert_eq!(outcome.response.remove[..2], ["set-cookie", "cache-control"]);
    let cookies: Vec<_> = outcome.response.add.iter().map(|(_, value)| std::str::from_utf8(value).unwrap()).collect();
    assert_eq!(cookies[0], "theme=dark");
    let token = cookies[1]
        .strip_prefix("__Host-wristband=")
        .unwrap()
        .strip_suffix("; Path=/; Max-Age=300; SameSite=Lax; Secure; HttpOnly")
        .unwrap();
    assert_eq!(token.split('.').count(), 3);
    // An upstream's forgery goes even when nothing takes its place.
    let outcome = story.run(&[]);
    assert_eq!(outcome.response.remove, ["set-cookie"]);
    assert_eq!(outcome.response.add.len(), 1);
    with(&mut story.configuration, "/issue/header", json!("x-wristband-token"));
    let outcome = story.run(&[("x-user", "alice")]);
    assert!(outcome.wristband().is_some());
    assert_eq!(outcome.response.add.len(), 2);
}

fn with_cookie() -> Story {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/cookie", json!({}));
    with(&mut configuration, "/verify/fromCookies", json!(["__Host-wristband"]));
    with(&mut configuration, "/verify/fromHeaders", json!([{"name": "x-wristband-token"}]));
    Story::new(configuration)
}

#[test]
fn a_cookie_s_name_binds_it_to_its_host_where_its_other_fields_allow_that() {
    for (cookie, expected) in [
        (json!({}), "__Host-wristband="),
        (json!({"sameSite": "strict", "httpOnly": false}), "__Host-wristband="),
        (json!({"name": "wb"}), "wb="),
        (json!({"path": "/app"}), "wristband="),
        (json!({"domain": "example.com"}), "wristband="),
        (json!({"secure": false}), "wristband="),
    ] {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/cookie", cookie.clone());
        let outcome = Story::new(configuration).run(&[("x-user", "alice")]);
        assert!(outcome.response.add[0].1.starts_with(expected.as_bytes()), "{cookie}");
    }
}

#[test]
fn an_application_can_log_out_and_has_the_last_word() {
    let mut story = with_cookie();
    story.response = vec![
        ("set-cookie", "__Host-wristband=x; Path=/; Max-Age=0"),
        ("set-cookie", "theme=dark"),
        ("set-cookie", "__Host-wristband=forged; Path=/"),
    ];
    let cookies = |outcome: &Outcome| {
        let added = outcome.response.add.iter().map(|(_, value)| String::from_utf8(value.clone()).unwrap());
        added.collect::<Vec<_>>()
    };
    let expected = ["theme=dark", "__Host-wristband=; Path=/; Max-Age=0"];
    for (headers, status) in
        [(vec![], "200"), (vec![("cookie", format!("__Host-wristband={}", own()))], "200"), (vec![], "302")]
    {
        story.status = status;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(cookies(&story.run(&headers)), expected, "{status}");
    }
    story.status = "200";
    let found = cookies(&story.run(&[("x-user", "alice")]));
    assert_eq!([&found[0], &found[2]], expected);
    assert!(found[1].starts_with("__Host-wristband=ey"), "{}", found[1]);
}

#[test]
fn a_cookie_that_browsers_would_drop_is_not_sent() {
    let mut story = with_cookie();
    let with_claim = |story: &mut Story, length: usize| {
        with(&mut story.configuration, "/issue/customClaims", json!({"x": {"value": "x".repeat(length)}}));
        story.run(&[("x-user", "alice")])
    };
    let largest = |story: &mut Story| {
        let length = (2500..3200).take_while(|length| with_claim(story, *length).response.add.len() == 1).last();
        with_claim(story, length.unwrap()).response.add[0].1.len()
    };
    let most = largest(&mut story);
    assert!((4093..=4096).contains(&most), "{most}");
    assert_eq!(with_claim(&mut story, 3200).events, [Event::IssueSkipped(Skip::TooLarge)]);
    assert_eq!(with_claim(&mut story, 3200).response.add.len(), 0);
}

#[test]
fn what_is_denied_in_our_cookie_is_deleted_with_the_denial() {
    let story = with_cookie();
    let cleared = |headers: &[(&str, &str)]| {
        let reply = story.run(headers).reply.unwrap();
        let pairs = reply.pairs();
        let cookie = pairs.iter().find(|(name, _)| *name == "set-cookie").map(|(_, value)| (*value).to_owned());
        (reply.status, cookie)
    };
    let cleared_cookie = || Some("__Host-wristband=; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly".to_owned());
    let good = own();
    for cookie in ["__Host-wristband=junk", "a=1; __Host-wristband=x.y.z", "__Host-wristband=a; __Host-wristband=b"] {
        assert_eq!(cleared(&[("cookie", cookie)]), (401, cleared_cookie()), "{cookie}");
    }
    let both = [("cookie", &*format!("__Host-wristband={good}")), ("x-wristband-token", &*good)];
    assert_eq!(cleared(&both), (401, cleared_cookie()), "ambiguous");
    assert_eq!(cleared(&[("x-wristband-token", "junk")]), (401, None));
    assert_eq!(cleared(&[("x-wristband-token", "junk"), ("cookie", "other=1")]), (401, None));
}

#[test]
fn the_first_source_that_has_a_value_is_the_identity() {
    let mut configuration = gateway_a();
    let sources = json!([{"expression": "late"}, {"header": "x-user"}, {"wristband": true}, {"expression": "last"}]);
    with(&mut configuration, "/issue/identity", sources);
    let subject = |late: Option<&str>, last: Option<&str>, headers: &[(&str, &str)]| {
        let mut story = Story::new(configuration.clone());
        let values = [("late", late), ("last", last)].into_iter();
        let values = values.filter_map(|(name, value)| Some((name.to_owned(), value?.as_bytes().to_vec())));
        story.host.values = values.collect();
        let outcome = story.run(headers);
        outcome.wristband().map(|wristband| wristband.claims()["sub"].clone()).ok_or(outcome.events)
    };
    let token = sign(B_PEM, "b", &json!({"iss": B, "sub": "peer", "exp": NOW.0 + 300}));
    let both = [("x-user", "header"), ("x-wristband-token", &*token)];
    for (late, last, headers, expected) in [
        (Some("late"), Some("last"), &both[..], "late"),
        (None, Some("last"), &both, "header"),
        (Some(""), Some("last"), &both, "header"),
        (None, Some("last"), &both[1..], "peer"),
        (None, Some("last"), &[], "last"),
    ] {
        assert_eq!(subject(late, last, headers), Ok(json!(expected)), "{late:?} {last:?} {headers:?}");
    }
    assert_eq!(subject(None, None, &[]), Err(vec![Event::IssueSkipped(Skip::NoIdentity)]));
    // Somebody is there, and nobody knows who: those behind do not count.
    let twice = [("x-user", "a"), ("x-user", ""), ("x-wristband-token", &*token)];
    assert_eq!(subject(None, Some("last"), &twice), Err(vec![Event::Verified, Event::IssueSkipped(Skip::NoIdentity)]));
    let bytes = [("late".to_owned(), b"\xff\xfe".to_vec())];
    let mut story = Story::new(configuration);
    story.host.values = bytes.into();
    assert_eq!(story.run(&both[..1]).events, [Event::IssueSkipped(Skip::NoIdentity)]);
}

#[test]
fn a_header_that_is_no_text_is_nobody_s_name_and_keeps_others_from_counting() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/identity", json!([{"header": "x-user"}, {"header": "x-other"}]));
    let gateway = Story::new(configuration).gateway();
    let host = Fake::default();
    let skipped = |value: &[u8]| {
        let headers = Headers::new(vec![(b"x-user", value), (b"x-other", b"other")]);
        let issuer = &gateway.delivery.as_ref().unwrap().issuer;
        let evaluated = issuer.on_request(&headers, None, &host);
        issuer.wristband(&evaluated, None, NOW, &host).map(|wristband| wristband.signed.token.clone()).err()
    };
    assert_eq!(skipped(b"\xff"), Some(Skip::NoIdentity));
    assert_eq!(skipped(b""), None);
}

#[test]
fn nobody_chooses_by_the_length_of_a_list_whose_name_he_gets() {
    let mut configuration = gateway_a();
    let first = json!({"expression": "P.filter(r, true)[0]"});
    with(&mut configuration, "/issue/identity", json!([first, {"header": "x-user"}, {"wristband": true}]));
    let token = sign(B_PEM, "b", &claims(B));
    let headers = [("x-user", "other"), ("x-wristband-token", &*token)];
    let mut story = Story::new(configuration.clone());
    for given_up in [None, Some(b"".to_vec())] {
        story.host.values = given_up.into_iter().map(|value| ("P.filter(r, true)[0]".to_owned(), value)).collect();
        assert_eq!(story.run(&headers).events, [Event::Verified, Event::IssueSkipped(Skip::NoIdentity)]);
    }
    story.host.values = [("P.filter(r, true)[0]".to_owned(), b"first".to_vec())].into();
    assert_eq!(story.run(&headers).wristband().unwrap().claims()["sub"], "first");
    // Behind the others it is one as any.
    with(&mut configuration, "/issue/identity", json!([{"header": "x-user"}, {"expression": "P.filter(r, true)[0]"}]));
    assert_eq!(Story::new(configuration).run(&headers[..1]).wristband().unwrap().claims()["sub"], "other");
}

#[test]
fn nothing_is_signed_without_a_claim_that_is_there() {
    let mut configuration = gateway_a();
    with(
        &mut configuration,
        "/issue/customClaims",
        json!({
            "roles": {"expression": "roles"},
            "listed": {"expression": "size(P) <= 256 ? P.map(r, r) : ['late']"},
            "payload": {"expression": "metadata.filter_metadata.idp.roles"},
        }),
    );
    let skipped = |roles: &[u8], listed: Option<&str>, payload: Value| {
        let mut story = Story::new(configuration.clone());
        story.host.values.insert("roles".to_owned(), roles.to_vec());
        if let Some(listed) = listed {
            let source = "size(P) <= 256 ? P.map(r, r) : ['late']";
            story.host.values.insert(source.to_owned(), listed.as_bytes().to_vec());
        }
        story.host.metadata = Some(metadata(&json!({"idp": {"roles": payload}})));
        match *story.run(&[("x-user", "alice")]).events {
            [Event::Issued] => None,
            [Event::IssueSkipped(skip)] => Some(skip),
            ref other => panic!("{other:?}"),
        }
    };
    let few = json!(["a"]);
    assert_eq!(skipped(b"text", Some("text"), few.clone()), None);
    assert_eq!(skipped(b"text", Some("text"), json!(null)), None);
    assert_eq!(skipped(&[b'x'; 9000], Some("text"), few.clone()), Some(Skip::ClaimTooLarge));
    assert_eq!(skipped(b"text", Some("text"), json!(vec!["a"; 257])), Some(Skip::ClaimTooLarge));
    assert_eq!(skipped(b"te\xffxt", Some("text"), few.clone()), Some(Skip::ClaimMissing));
    // The host has given up on a list.
    assert_eq!(skipped(b"text", None, few), Some(Skip::ClaimMissing));
}

#[test]
fn what_was_too_large_is_not_asked_for_again() {
    let mut configuration = gateway_a();
    with(
        &mut configuration,
        "/issue/customClaims",
        json!({"roles": {"expression": "roles"}, "late": {"expression": "late"}}),
    );
    let mut story = Story::new(configuration);
    story.host.values.insert("roles".to_owned(), vec![b'x'; 9000]);
    story.run(&[("x-user", "alice")]);
    let asked = |source: &str| {
        let asked = story.host.evaluated.borrow();
        asked.iter().filter(|evaluated| evaluated.starts_with(&format!("[{source}\n]"))).count()
    };
    assert_eq!([asked("roles"), asked("late")], [1, 2]);
}

#[test]
fn a_wristband_is_valid_for_consumers_whose_clock_is_a_little_behind() {
    for (backdate, expected) in [(None, 5), (Some(0), 0), (Some(60), 60)] {
        let mut configuration = gateway_a();
        if let Some(backdate) = backdate {
            with(&mut configuration, "/issue/backdate", json!(backdate));
        }
        let wristband = Story::new(configuration).run(&[("x-user", "alice")]).wristband().unwrap();
        let claims = wristband.claims();
        let [issued, start, end] = ["iat", "nbf", "exp"].map(|name| claims[name].as_i64().unwrap() - NOW.0);
        assert_eq!([issued, start, end], [-expected, -expected, 300]);
    }
}

#[test]
fn a_required_claim_without_a_value_is_no_wristband() {
    let mut configuration = gateway_a();
    with(
        &mut configuration,
        "/issue/customClaims",
        json!({"team": {"expression": "team", "required": true}, "x": {"expression": "x"}}),
    );
    let mut story = Story::new(configuration);
    assert_eq!(story.run(&[("x-user", "alice")]).events, [Event::IssueSkipped(Skip::ClaimMissing)]);
    story.host.values = [("team".to_owned(), b"red".to_vec())].into();
    let wristband = story.run(&[("x-user", "alice")]).wristband().unwrap();
    assert_eq!(wristband.claims()["team"], "red");
    assert!(!wristband.claims().contains_key("x"));
}

#[test]
fn a_wristband_can_be_bound_to_the_client_s_certificate() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/bindClientCertificate", json!(true));
    let mut story = Story::new(configuration);
    assert_eq!(story.run(&[("x-user", "alice")]).events, [Event::IssueSkipped(Skip::NoCertificate)]);
    story.host.certificate = Some("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let outcome = story.run(&[("x-user", "alice")]);
    let token = &outcome.response.set[1].1;
    assert_eq!(payload(token)["cnf"], json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}));
    // What was signed for this certificate is accepted with it, and with no other.
    let outcome = story.run(&[("x-wristband-token", token)]);
    assert_eq!(outcome.events[0], Event::Verified);
    story.host.certificate = None;
    assert_eq!(story.run(&[("x-wristband-token", token)]).events, [Event::Denied(Denial::WrongCertificate)]);
}

#[test]
fn an_admitted_records_its_hops_and_stops_before_a_loop() {
    let admitted = |max_hops: Option<u32>, act: Value| {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/identity", json!({"wristband": true}));
        with(&mut configuration, "/issue/chain", json!(true));
        if let Some(max_hops) = max_hops {
            with(&mut configuration, "/issue/maxHops", json!(max_hops));
        }
        let mut claims = claims(B);
        if !act.is_null() {
            claims["act"] = act;
        }
        let outcome = Story::new(configuration).run(&[("x-wristband-token", &sign(B_PEM, "b", &claims))]);
        outcome.wristband().map(|wristband| wristband.claims()["act"].clone()).ok_or(outcome.events[1])
    };
    let hop = |issuer: &str, act: Option<Value>| {
        let mut hop = json!({"iss": issuer, "sub": "alice"});
        if let Some(act) = act {
            hop["act"] = act;
        }
        hop
    };
    let (c, d, e) = ("https://c.example", "https://d.example", "https://e.example");
    assert_eq!(admitted(None, json!(null)), Ok(hop(B, None)));
    let two = hop(c, Some(hop(d, None)));
    assert_eq!(admitted(None, two.clone()), Ok(hop(B, Some(two.clone()))));
    let skipped = |skip| Err(Event::IssueSkipped(skip));
    assert_eq!(admitted(None, hop(e, Some(two.clone()))), skipped(Skip::TooManyHops));
    assert_eq!(admitted(Some(4), hop(e, Some(two.clone()))), Ok(hop(B, Some(hop(e, Some(two))))));
    assert_eq!(admitted(Some(1), json!(null)), Ok(hop(B, None)));
    assert_eq!(admitted(Some(1), hop(c, None)), skipped(Skip::TooManyHops));
    // Of a hop its issuer and subject are signed, and nothing else that a peer put there.
    let crowded = json!({"iss": c, "sub": "alice", "roles": ["admin"], "act": {"iss": d, "admin": true}});
    assert_eq!(admitted(None, crowded), Ok(hop(B, Some(json!({"iss": c, "sub": "alice", "act": {"iss": d}})))));
    for looping in [hop(A, None), hop(B, None), hop(c, Some(hop(A, None))), hop(c, Some(hop(c, None)))] {
        assert_eq!(admitted(None, looping), skipped(Skip::Loop));
    }
    // An actor without an issuer is nobody's gateway, and a hop.
    let bot = json!({"sub": "bot"});
    assert_eq!(admitted(None, bot.clone()), Ok(hop(B, Some(bot.clone()))));
    assert_eq!(admitted(Some(1), bot), skipped(Skip::TooManyHops));
    for unreadable in [json!("x"), json!({}), json!({"iss": 1}), json!({"iss": c, "sub": 1}), hop(c, Some(json!(1)))] {
        assert_eq!(admitted(None, unreadable), skipped(Skip::Actor));
    }
}

#[test]
fn who_acts_for_another_is_kept_in_an_exchange_or_nothing_is_signed() {
    let exchanged = |identity: Value, act: Value| {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/identity", identity);
        let mut claims = claims(B);
        claims["act"] = act;
        let token = sign(B_PEM, "b", &claims);
        let outcome = Story::new(configuration).run(&[("x-user", "bob"), ("x-wristband-token", &token)]);
        outcome.wristband().map(|wristband| wristband.claims()["act"].clone()).ok_or(outcome.events[1])
    };
    let skipped = |skip| Err(Event::IssueSkipped(skip));
    let wristband = json!({"wristband": true});
    for kept in [
        json!({"sub": "batch-bot"}),
        json!({"iss": B, "sub": "bot", "act": {"iss": A}}),
        json!({"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d"}}}}),
    ] {
        assert_eq!(exchanged(wristband.clone(), kept.clone()), Ok(kept));
    }
    let crowded = json!({"sub": "bot", "admin": true, "act": {"sub": "b", "exp": 1}});
    assert_eq!(exchanged(wristband.clone(), crowded), Ok(json!({"sub": "bot", "act": {"sub": "b"}})));
    for unreadable in [json!("bot"), json!(null), json!({}), json!({"sub": 1}), json!({"sub": "a", "act": []})] {
        assert_eq!(exchanged(wristband.clone(), unreadable), skipped(Skip::Actor));
    }
    // He does not act for anybody else.
    for identity in [json!({"header": "x-user"}), json!([{"header": "x-user"}, {"wristband": true}])] {
        assert_eq!(exchanged(identity, json!({"sub": "batch-bot"})), skipped(Skip::Actor));
    }
    let sources = json!([{"header": "x-absent"}, {"wristband": true}]);
    assert_eq!(exchanged(sources, json!({"sub": "batch-bot"})), Ok(json!({"sub": "batch-bot"})));
}

#[test]
fn the_gateways_that_an_identity_has_not_come_from_are_no_part_of_its_way() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/identity", json!([{"header": "x-user"}, {"wristband": true}]));
    with(&mut configuration, "/issue/chain", json!(true));
    let token = sign(B_PEM, "b", &claims(B));
    let act = |headers: &[(&str, &str)]| {
        let wristband = Story::new(configuration.clone()).run(headers).wristband().unwrap();
        wristband.claims().get("act").cloned()
    };
    assert_eq!(act(&[("x-user", "bob"), ("x-wristband-token", &token)]), None);
    assert_eq!(act(&[("x-wristband-token", &token)]), Some(json!({"iss": B, "sub": "alice"})));
}

#[test]
fn a_hash_is_of_the_whole_identity_or_there_is_none() {
    let hashed = |value: Value| {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/identity", json!({"expression": "metadata.filter_metadata.idp.payload"}));
        with(&mut configuration, "/issue/subject", json!({"hash": true}));
        let mut story = Story::new(configuration);
        story.host.metadata = Some(metadata(&json!({"idp": {"payload": value}})));
        let outcome = story.run(&[]);
        outcome.wristband().map(|wristband| wristband.claims()["sub"].as_str().unwrap().len()).ok_or(outcome.events)
    };
    assert_eq!(hashed(json!({"sub": "alice", "id": 9_007_199_254_740_991u64})), Ok(64));
    // Metadata has doubles, and one more is the same double.
    let rounded = json!({"sub": "alice", "id": 9_007_199_254_740_992u64});
    assert_eq!(hashed(rounded), Err(vec![Event::IssueSkipped(Skip::NoSubject)]));
    let large = json!({"sub": "alice", "roles": vec!["role"; 300]});
    assert_eq!(hashed(large), Err(vec![Event::IssueSkipped(Skip::ClaimTooLarge)]));
}

#[test]
fn a_token_is_taken_out_of_where_it_was_and_nothing_else_is() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/fromCookies", json!(["wb"]));
    with(&mut configuration, "/verify/fromParams", json!(["token"]));
    let mut story = Story::new(configuration);
    let token = peers();
    let outcome = story.run(&[("cookie", &format!("a=1; wb={token}; b=2"))]);
    assert_eq!(outcome.request.remove, ["cookie"]);
    assert_eq!(outcome.request.rewrite, Some(("cookie", b"a=1; b=2".to_vec())));
    assert_eq!(story.run(&[("cookie", &format!("wb={token}"))]).request.rewrite, None);
    // Naming places replaces the defaults.
    assert_eq!(story.run(&[("x-wristband-token", &token)]).events, [Event::IssueSkipped(Skip::NoIdentity)]);
    with(&mut story.configuration, "/verify/forward", json!(true));
    let outcome = story.run(&[("cookie", &format!("wb={token}"))]);
    assert!(outcome.request.remove.is_empty() && outcome.request.rewrite.is_none());
}

#[test]
fn a_preflight_passes_only_where_it_may_and_proves_nothing() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify", json!({"outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]}));
    let gateway = |allow: bool| {
        let mut configuration = configuration.clone();
        with(&mut configuration, "/verify/allowCorsPreflight", json!(allow));
        load_with(&configuration, &Fake::default()).unwrap()
    };
    let preflight: [(&[u8], &[u8]); 5] = [
        (b":method", b"OPTIONS"),
        (b":path", b"/"),
        (b"origin", b"https://app.example"),
        (b"access-control-request-method", b"PUT"),
        (b"x-sub", b"admin"),
    ];
    let ask = |allow, headers: &[(&'static [u8], &'static [u8])]| {
        gateway(allow).gateway.on_request(&Headers::new(headers.to_vec()), NOW, &Fake::default())
    };
    let Admission::Admitted(edits, _) = ask(true, &preflight) else { panic!() };
    assert_eq!(edits.remove, ["x-sub"]);
    assert!(edits.filter_state.is_none() && edits.events.is_empty());
    assert!(matches!(ask(false, &preflight), Admission::Denied(..)));
    for missing in [2, 3] {
        let mut headers = preflight.to_vec();
        headers.remove(missing);
        assert!(matches!(ask(true, &headers), Admission::Denied(..)));
    }
    let mut get = preflight;
    get[0] = (b":method", b"GET");
    assert!(matches!(ask(true, &get), Admission::Denied(..)));
}

#[test]
fn what_a_grpc_response_says_of_itself_counts() {
    for (statuses, issued) in [
        (&["0"][..], true),
        (&["7"], false),
        (&[""], false),
        (&["00"], false),
        (&["0", "7"], false),
        (&["7", "0"], false),
    ] {
        let mut story = Story::new(gateway_a());
        story.response = statuses.iter().map(|status| ("grpc-status", *status)).collect();
        assert_eq!(story.run(&[("x-user", "alice")]).wristband().is_some(), issued, "{statuses:?}");
    }
}

#[test]
fn caches_of_every_kind_are_told_to_keep_nothing() {
    let caching = [
        "cache-control",
        "edge-control",
        "expires",
        "surrogate-control",
        "x-accel-expires",
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
    ];
    let mut story = Story::new(gateway_a());
    assert!(story.run(&[("x-user", "alice")]).response.remove.is_empty());
    story.response = caching.map(|name| (name, "x")).into();
    let outcome = story.run(&[("x-user", "alice")]);
    assert_eq!(outcome.response.remove, caching);
    let names: Vec<_> = outcome.response.set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cache-control", "x-wristband-token"], "the token last");
}

#[test]
fn nobody_gets_a_bearer_token_for_a_bound_one() {
    for identity in [json!({"wristband": true}), json!({"expression": "who"}), json!({"header": "x-user"})] {
        let mut configuration = gateway_a();
        with(&mut configuration, "/issue/identity", identity.clone());
        let mut story = Story::new(configuration);
        story.host.certificate = Some("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        story.host.values = [("who".to_owned(), "alice".into())].into();
        let mut bound = claims(B);
        bound["cnf"] = json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
        let token = sign(B_PEM, "b", &bound);
        let outcome = story.run(&[("x-user", "alice"), ("x-wristband-token", &token)]);
        let payload = payload(&outcome.response.set[1].1);
        let expected = json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
        assert_eq!(payload["cnf"], expected, "{identity}");
    }
}

#[test]
fn no_claim_stands_twice_whatever_is_asked_for() {
    let mut configuration = gateway_a();
    let issue = json!({
        "identity": {"wristband": true}, "bindClientCertificate": true, "chain": true,
        "customClaims": {"a \"b\"\n": {"expression": "team"}, "fixed": {"value": 1}},
    });
    with(&mut configuration, "/issue", issue);
    let mut story = Story::new(configuration);
    story.host.certificate = Some("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    story.host.values = [("team".to_owned(), "\"\\\u{1}\u{e9}".into())].into();
    let mut bound = claims(B);
    bound["cnf"] = json!({"x5t#S256": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"});
    let outcome = story.run(&[("x-wristband-token", &sign(B_PEM, "b", &bound))]);
    let mut expected = claims(A);
    expected["jti"] = json!("BwcHBwcHBwcHBwcHBwcHBw");
    (expected["iat"], expected["nbf"]) = (json!(NOW.0 - 5), json!(NOW.0 - 5));
    expected["cnf"] = bound["cnf"].clone();
    expected["act"] = json!({"iss": B, "sub": "alice"});
    expected["fixed"] = json!(1);
    expected["a \"b\"\n"] = json!("\"\\\u{1}\u{e9}");
    assert_eq!(payload(&outcome.response.set[1].1), expected);
}

#[test]
fn a_response_never_carries_what_was_meant_for_the_upstream() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/issue/placement", json!("request"));
    let mut story = Story::new(configuration);
    story.response = vec![("x-wristband-token", "echoed")];
    assert_eq!(story.run(&[("x-user", "alice")]).response.remove, ["x-wristband-token"]);
}

#[test]
fn a_preflight_is_nobody_s_request() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/allowCorsPreflight", json!(true));
    let gateway = load_with(&configuration, &Fake::default()).unwrap().gateway;
    let headers = Headers::new(vec![
        (b":method", b"OPTIONS"),
        (b"origin", b"https://app.example"),
        (b"access-control-request-method", b"PUT"),
        (b"x-user", b"alice"),
    ]);
    let Admission::Admitted(_, mut admitted) = gateway.on_request(&headers, NOW, &Fake::default()) else { panic!() };
    gateway.on_admitted(&mut admitted, &headers, NOW, &Fake::default());
    let response = Headers::new(vec![(b":status", b"200")]);
    let Decision::Forward(edits) = gateway.on_response(Some(admitted), &response, NOW, &Fake::default()) else {
        panic!()
    };
    assert!(edits.set.is_empty());
}

#[test]
fn a_principal_that_cannot_stand_in_a_header_is_left_out() {
    let mut configuration = gateway_a();
    with(&mut configuration, "/verify/outputClaimToHeaders", json!([{"header": "x-who", "claim": "principal"}]));
    let story = Story::new(configuration);
    for (subject, expected) in
        [("alice", 1), ("a\r\nx-admin: 1", 0), ("a\n", 0), ("a\0", 0), ("caf\u{e9}", 1), ("a\u{2028}", 0), ("a ", 0)]
    {
        let mut claims = claims(B);
        claims["sub"] = json!(subject);
        let outcome = story.run(&[("x-wristband-token", &sign(B_PEM, "b", &claims))]);
        assert_eq!(outcome.request.set.len(), expected, "{subject:?}");
    }
}

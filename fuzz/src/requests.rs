//! A request and its response as a whole: one byte for the gateway, the request's headers, the response's, and after a zero
//! byte each what the host says. `{0}` to `{9}` in a value of the request stand for tokens.

use std::rc::Rc;

use serde_json::{Value, json};
use wristband::cache::{Cache, Capacity};
use wristband::denial::{Cause, Denial};
use wristband::encoding::protobuf::struct_bytes;
use wristband::gateway::{Admission, Admitted, Decision, Denied, Edits, Event, Gateway, OnFailure, OnForgedHeader};
use wristband::http::credential::{self, Place};
use wristband::http::headers::{Headers, SET_COOKIE, can_be_value};
use wristband::http::reply::Reply;
use wristband::issue::Skip;
use wristband::jose::token::Untrusted;

use super::credentials;
use super::fixture::{self, A, A_PEM, ED_PEM, NOW};
use super::host::Stage;
use super::input::Input;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

struct Case {
    configuration: Value,
    /// `None`: one input would leave something behind in it for the next.
    gateway: Option<Gateway>,
}

struct Fixture {
    cases: [Case; 5],
    tokens: Vec<String>,
    /// What each good token says: nothing else may be handed on.
    claims: Vec<Vec<u8>>,
}

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
}

fn configurations() -> [Value; 5] {
    let own = |algorithm, pem| json!([fixture::key("own", algorithm, pem)]);
    let outputs = json!([
        {"header": "x-role", "claim": "role"}, {"header": "x-groups", "claim": "groups", "format": "list"},
        {"header": "x-principal", "claim": "principal"}, {"header": "x-deep", "claim": "/deep/a"},
    ]);
    [
        json!({
            "issuer": A, "signingKeyRefs": own("ES256", A_PEM), "peers": fixture::peers(),
            "issue": {"identity": [{"wristband": true}, {"header": "x-user"}], "chain": true},
            "verify": {"mode": "require", "outputClaimToHeaders": outputs, "allowCorsPreflight": true},
        }),
        json!({
            "issuer": A, "signingKeyRefs": own("EdDSA", ED_PEM), "peers": fixture::peers(),
            "issue": {
                "identity": {"expression": "metadata.filter_metadata.a.b"}, "subject": {"hash": true},
                "cookie": {"name": "wb"}, "when": {"request": "r", "response": "s"},
                "customClaims": {
                    "x": {"expression": "x", "required": true}, "y": {"expression": "y"}, "z": {"value": [1]},
                },
            },
            "verify": {
                "mode": "optional", "outputPayloadToHeader": "x-payload", "onForgedHeader": "deny",
                "fromHeaders": [{"name": "authorization", "prefix": "Bearer "}], "fromCookies": ["wb"],
                "fromParams": ["token"], "fromWebSocketProtocols": [{"prefix": "wb."}],
            },
        }),
        json!({
            "issuer": A, "signingKeyRefs": own("EdDSA", ED_PEM), "peers": fixture::peers(),
            "issue": {
                "identity": [{"expression": "i"}, {"wristband": true}], "placement": "request",
                "onFailure": "deny", "bindClientCertificate": true, "audiences": ["us", "c"],
            },
            "verify": {"mode": "observe", "forward": true, "outputClaimToHeaders": outputs, "onForgedHeader": "deny"},
        }),
        // The host computes, and may lie about signatures too.
        json!({
            "crypto": "auto", "issuer": A, "signingKeyRefs": own("ES256", A_PEM), "peers": fixture::peers(),
            "issue": {"identity": {"header": "x-user"}, "subject": {"expression": "x"}, "onFailure": "deny"},
            "verify": {"mode": "optional", "replay": {"cache": 8}},
        }),
        json!({
            "issuer": A, "signingKeyRefs": own("EdDSA", ED_PEM), "peers": fixture::peers(),
            "issue": {"identity": {"header": "x-user"}, "reuse": 60}, "verify": {"mode": "optional"},
        }),
    ]
}

impl Fixture {
    fn new() -> Self {
        let claims = fixture::claims().into_iter().take(fixture::GOOD).map(|(letter, _, mut claims)| {
            if letter == b'c' {
                claims.as_object_mut().unwrap().remove("role");
            }
            struct_bytes(claims.as_object().unwrap())
        });
        let cases = configurations().map(|mut configuration| {
            if configuration["crypto"].is_null() {
                configuration["crypto"] = "wasm".into();
            }
            let reuses = !configuration["issue"]["reuse"].is_null();
            let gateway = (!reuses).then(|| fixture::load(&configuration, &Stage::default()));
            Case { configuration, gateway }
        });
        Self { cases, tokens: fixture::tokens(), claims: claims.collect() }
    }
}

pub(super) fn run(data: &[u8]) {
    FIXTURE.with(|fixture| {
        let mut input = Input::new(data);
        let case = &fixture.cases[usize::from(input.byte()) % fixture.cases.len()];
        let request =
            input.headers().into_iter().map(|(name, value)| (name.to_vec(), expanded(value, &fixture.tokens)));
        let request: Pairs = request.filter(can_come).collect();
        let response = input.headers().into_iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let response: Pairs = response.filter(can_come).collect();
        let fresh = case.gateway.is_none().then(|| fixture::load(&case.configuration, &Stage::default()));
        let gateway = case.gateway.as_ref().or(fresh.as_ref()).unwrap();
        let verification = gateway.verification.as_ref().unwrap();
        if let Some(remembered) = &verification.remembered {
            remembered.replace(Cache::new(Capacity::default()));
        }
        let host = Stage::default();
        let exchange = Exchange { fixture, case, gateway, host: &host, request, response };
        let outcome = || {
            host.lie(input.clone());
            exchange.outcome()
        };
        let (first, again) = (outcome(), outcome());
        if verification.verifier.replay.is_none() {
            assert_eq!(first, again, "not the same twice");
        }
    });
}

/// Envoy has names in lower case, and lets neither line ends nor zero bytes through.
fn can_come((name, _): &(Vec<u8>, Vec<u8>)) -> bool {
    name.iter().all(|byte| !byte.is_ascii_uppercase() && !byte.is_ascii_whitespace())
}

fn expanded(value: &[u8], tokens: &[String]) -> Vec<u8> {
    let mut written = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        match rest {
            [b'{', digit @ b'0'..=b'9', b'}', after @ ..] => {
                written.extend_from_slice(tokens[usize::from(digit - b'0')].as_bytes());
                rest = after;
            }
            _ => {
                written.push(*first);
                rest = after;
            }
        }
    }
    written
}

fn headers(pairs: &Pairs) -> Headers<'_> {
    Headers::new(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect())
}

struct Exchange<'f, 'd> {
    fixture: &'f Fixture,
    case: &'f Case,
    gateway: &'f Gateway,
    host: &'f Stage<'d>,
    request: Pairs,
    response: Pairs,
}

impl Exchange<'_, '_> {
    /// Whether a signature is what the host says.
    fn host_computes(&self) -> bool {
        self.case.configuration["crypto"] == "auto"
    }

    /// All that becomes of the two messages, as text, without what caches say of themselves.
    fn outcome(&self) -> Vec<String> {
        let request = headers(&self.request);
        let (edits, mut admitted) = match self.gateway.on_request(&request, NOW, self.host) {
            Admission::Answered(reply) => {
                fixture::assert_no_secret(&reply.body);
                return vec![format!("{reply:?}")];
            }
            Admission::Denied(reply, denied) => {
                self.check_denial(&reply, &denied);
                return vec![format!("{reply:?} {denied:?}")];
            }
            Admission::Waiting(_) => return vec!["waits".to_owned()],
            Admission::Admitted(edits, admitted) => (edits, admitted),
        };
        self.check_admitted(&request, &edits);
        let changed = applied(&self.request, &edits);
        let mut said = vec![text(&edits)];
        self.host.next_phase();
        let decision = self.gateway.on_admitted(&mut admitted, &headers(&changed), NOW, self.host);
        said.push(self.check_decision(&decision));
        if matches!(decision, Decision::Forward(_)) {
            said.push(self.respond(admitted));
        }
        said
    }

    fn respond(&self, admitted: Admitted) -> String {
        let response = headers(&self.response);
        self.host.next_phase();
        let decision = self.gateway.on_response(Some(admitted), &response, NOW, self.host);
        if let Decision::Forward(edits) = &decision {
            // No wristband but ours, and no cookie of its name that gives anything.
            let changed = applied(&self.response, edits);
            let ours: Vec<_> = edits.set.iter().map(|(_, value)| value.as_bytes()).collect();
            let delivery = self.gateway.delivery.as_ref().unwrap();
            if let Some(name) = &delivery.header {
                assert!(headers(&changed).values(name).all(|value| ours.contains(&value)));
            }
            if let Some(cookie) = &delivery.cookie {
                let set = changed.iter().filter(|(name, _)| name == SET_COOKIE.as_str().as_bytes());
                let set = set.map(|(_, value)| value).filter(|value| credentials::sets(value, &cookie.name));
                let emptied = format!("{}=;", cookie.name).into_bytes();
                let tokens = set.filter(|value| !value.starts_with(&emptied)).count();
                assert_eq!(tokens, usize::from(edits.events.contains(&Event::Issued)), "a cookie is not ours");
            }
        }
        self.check_decision(&decision)
    }

    /// Answers are those of the table, and a denial has a reason that its mode allows.
    fn check_denial(&self, reply: &Rc<Reply>, denied: &Denied) {
        fixture::assert_no_secret(&reply.body);
        assert!(denied.to_string().is_ascii() && denied.filter_state().len() < 2048);
        let denial = denied.cause.denial();
        let verification = self.gateway.verification.as_ref().unwrap();
        let mode = verification.mode;
        let denies = verification.on_forged_header == OnForgedHeader::Deny;
        assert!(denial != Denial::ForgedHeader || denies && self.is_forged(&headers(&self.request)));
        assert!(mode.name() != "observe" && (mode.name() == "require" || denial != Denial::Missing));
        let constant = Reply::from(denial);
        let cookie = self.gateway.delivery.as_ref().and_then(|delivery| delivery.cookie.as_ref());
        let with_deletion = cookie.map(|cookie| constant.clone().with("set-cookie", &cookie.clear()));
        assert!(**reply == constant || Some(&**reply) == with_deletion.as_ref(), "{reply:?}");
    }

    /// Whether the client may have written a header that only we write.
    fn is_forged(&self, request: &Headers<'_>) -> bool {
        self.gateway.verification.as_ref().unwrap().owned_headers().any(|name| request.has(name))
    }

    fn check_admitted(&self, request: &Headers<'_>, edits: &Edits) {
        let verification = self.gateway.verification.as_ref().unwrap();
        for owned in verification.owned_headers().filter(|name| request.has(name)) {
            assert!(edits.remove.contains(owned), "a header that only we write came through: {owned:?}");
        }
        if verification.on_forged_header == OnForgedHeader::Deny && self.is_forged(request) {
            assert_eq!(verification.mode.name(), "observe");
            assert!(edits.observed.iter().any(|denied| denied.cause == Cause::Header));
        }
        let is_verified = edits.events.contains(&Event::Verified);
        assert_eq!(edits.filter_state.is_some(), is_verified);
        assert!(is_verified || edits.set.is_empty());
        if let Some(state) = &edits.filter_state
            && !self.host_computes()
        {
            assert!(self.fixture.claims.iter().any(|claims| **claims == **state), "claims that no token has");
        }
        for (name, value) in &edits.set {
            assert!(verification.owned_headers().any(|owned| owned == name));
            assert!(can_be_value(value) && !value.is_empty(), "{value:?}");
        }
        if is_verified && !verification.forward {
            let changed = applied(&self.request, edits);
            let left = credential::find(&headers(&changed), verification.places.iter());
            assert!(matches!(left, Ok(None)), "a token stays behind");
            let had_one = |place: &&Place| matches!(credential::find(request, [*place].into_iter()), Ok(Some(_)));
            for place in verification.places.iter().filter(had_one) {
                credentials::assert_nobody_finds(
                    &changed.iter().map(|(name, value)| (&**name, &**value)).collect(),
                    place,
                );
            }
        }
        if !is_verified && verification.mode.name() == "require" {
            assert!(request.is_preflight(), "nobody let it through");
        }
    }

    /// What is signed is ours, and bounded.
    fn check_decision(&self, decision: &Decision) -> String {
        let delivery = self.gateway.delivery.as_ref().unwrap();
        let edits = match decision {
            Decision::Forward(edits) => edits,
            Decision::Reply(reply, events) => {
                assert!(delivery.on_failure == OnFailure::Deny && reply.status == 503);
                assert!(events.iter().any(|event| matches!(event, Event::IssueSkipped(skip) if skip.is_failure())));
                assert!(Skip::ALL.iter().any(|skip| reply.details.contains(skip.code())));
                return format!("{reply:?}");
            }
        };
        let is_issued = edits.events.contains(&Event::Issued);
        for token in edits.set.iter().filter(|(name, _)| delivery.header.as_ref() == Some(name)) {
            assert!(is_issued);
            self.check_token(token.1.as_bytes());
        }
        if let Some(cookie) = delivery.cookie.as_ref().filter(|_| is_issued) {
            let start = format!("{}=", cookie.name);
            let tokens = edits.add.iter().filter_map(|(_, value)| value.strip_prefix(start.as_bytes()));
            let tokens = tokens.map(|value| value.split(|byte| *byte == b';').next().unwrap());
            tokens.filter(|token| !token.is_empty()).for_each(|token| self.check_token(token));
        }
        text(edits)
    }

    fn check_token(&self, token: &[u8]) {
        let parsed = Untrusted::parse(token, 8192, &mut ()).unwrap_or_else(|unreadable| panic!("{unreadable:?}"));
        assert_eq!(parsed.issuer(), A);
        assert!(parsed.expires > NOW.seconds() && parsed.expires <= NOW.seconds() + 300.0);
        assert!(parsed.subject().is_some_and(|subject| !subject.is_empty()) && parsed.jwt_id().is_some());
        fixture::assert_no_secret(parsed.claims().json());
        if !self.host_computes() {
            let ring = self.gateway.ring();
            let keys = ring.own().unwrap().keys.keys();
            assert!(keys[0].key.verifies(parsed.signing_input, &parsed.signature, &Stage::default()));
        }
    }
}

/// A message after its edits, as the adapter makes them.
fn applied(message: &Pairs, edits: &Edits) -> Pairs {
    let mut changed = message.clone();
    let remove = |changed: &mut Pairs, name: &[u8]| changed.retain(|(other, _)| other != name);
    for name in &edits.remove {
        remove(&mut changed, name.as_str().as_bytes());
    }
    for (name, value) in &edits.set {
        remove(&mut changed, name.as_str().as_bytes());
        changed.push((name.as_str().into(), value.as_bytes().to_vec()));
    }
    for (name, value) in &edits.add {
        changed.push((name.as_str().into(), value.clone()));
    }
    if let Some((name, value)) = &edits.rewrite {
        remove(&mut changed, name.as_bytes());
        changed.push((name.as_bytes().to_vec(), value.clone()));
    }
    changed
}

fn text(edits: &Edits) -> String {
    let is_of_cache = |event: &&Event| {
        matches!(event, Event::TokenCacheHit | Event::TokenCacheMiss | Event::ReuseHit | Event::ReuseMiss)
    };
    let events: Vec<_> = edits.events.iter().filter(|event| !is_of_cache(event)).collect();
    let Edits { remove, set, add, rewrite, filter_state, dropped, .. } = edits;
    format!("{remove:?} {set:?} {add:?} {rewrite:?} {filter_state:?} {dropped:?} {events:?}")
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let said = |texts: &[&[u8]]| texts.concat();
    let text = |text: &str| [&[254][..], text.as_bytes(), &[0]].concat();
    let mut seeds = Vec::new();
    for case in 0..5u8 {
        for (request, response) in [
            (
                ":method: GET\n:path: /a\nx-wristband-token: {0}\nx-role: forged\nx-user: bob",
                ":status: 200\nexpires: 0",
            ),
            (":path: /a\nauthorization: Bearer {1}\nx-user: bob", ":status: 200\nset-cookie: wb=x; Max-Age=0"),
            (":path: /a\nauthorization: Bearer {1}\nx-payload: forged\nx-deep: forged", ":status: 200"),
            (":path: /a?b=c&token={5}\nx-user: bob", ":status: 404\nx-wristband-token: forged"),
            (":path: /a\ncookie: a=1; wb={3}", ":status: 200\ngrpc-status: 5"),
            (":path: /a\nsec-websocket-protocol: chat, wb.{7}", ":status: 204\nset-cookie: a=1\nset-cookie: wb=y"),
            (":path: /a\nx-wristband-token: {4}\nx-envoy-original-url: /", ":status: 200"),
            (":method: OPTIONS\norigin: https://x\naccess-control-request-method: GET", ":status: 200"),
            (":method: GET\n:path: /.well-known/openid-connect/certs\nif-none-match: \"x\"", ":status: 200"),
        ] {
            let truth = [255; 12];
            let start = [&[case][..], request.as_bytes(), &[0], response.as_bytes(), &[0]].concat();
            seeds.push(said(&[&start, &truth]));
            seeds.push(said(&[&start, &text("alice"), &text("bob"), &truth]));
        }
    }
    seeds
}

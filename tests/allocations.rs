//! How often a request asks for memory. Times depend on the machine, these counts do not: a change that makes the hot
//! path allocate more has to say so here.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wristband::compile;
use wristband::crypto::vm;
use wristband::gateway::{Admission, Decision, Event, Gateway};
use wristband::http::headers::Headers;
use wristband::jose::algorithm::Algorithm;
use wristband::keys::Material;
use wristband::time::Timestamp;

#[path = "support/nobody.rs"]
mod nobody;

use nobody::Nobody;

const NOW: Timestamp = Timestamp(1_800_000_000);
const A: &str = "https://cluster-a.example.com";
const B: &str = "https://cluster-b.example.com";

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count_one() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.with(Cell::get);
    let result = black_box(work());
    (COUNT.with(Cell::get) - before, result)
}

fn key(name: &str, pem: &str) -> Value {
    json!({"name": name, "algorithm": "ES256", "key": {"inlineString": pem}})
}

fn gateway(configuration: &Value) -> Gateway {
    let mut configuration = configuration.clone();
    configuration.as_object_mut().unwrap().insert("allowWorthlessKeys".to_owned(), true.into());
    match compile::load(configuration.to_string().as_bytes(), &Nobody) {
        Ok(compiled) => compiled.gateway,
        Err(problems) => panic!("{problems:?}"),
    }
}

fn verifier() -> Gateway {
    let public = include_str!("../testdata/worthless-keys/cluster-b-2026-10.pub.pem");
    gateway(&json!({"peers": [{"issuer": B, "keys": [key("b", public)]}], "verify": {}}))
}

fn token(number: usize) -> String {
    let pem = include_str!("../testdata/worthless-keys/cluster-b-2026-10.pem");
    let Ok(Material::Private(key)) = Material::parse(pem, Algorithm::Es256) else { panic!("no private key") };
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": B, "sub": "alice", "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 300, "jti": number.to_string(),
        "email": "alice@example.com", "groups": ["one", "two", "three"], "region": "eu-1",
    });
    let input = format!("{}.{}", part(json!({"alg": "ES256", "kid": "b", "typ": "JWT"})), part(claims));
    let signature = vm::sign(&key, input.as_bytes(), &mut |_| false).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const REMEMBERED: usize = 2;
const NEW: usize = 14;
/// The name of the place.
const JUNK: usize = 2;
const SIGNED: usize = 13;
const REUSED: usize = 8;

/// One request, from its headers to the decision.
fn request(gateway: &Gateway, name: &str, value: &str) -> (usize, Vec<Event>) {
    let pairs = [(":method", "GET"), (":path", "/"), (":authority", "a.example"), ("accept", "*/*"), (name, value)];
    let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).to_vec());
    let (count, admission) = allocations(|| gateway.on_request(&headers, NOW, &Nobody));
    match admission {
        Admission::Answered(_) => (count, vec![Event::Discovery]),
        Admission::Denied(_, denied) => (count, vec![Event::Denied(denied.cause.denial())]),
        Admission::Admitted(edits, _) => (count, edits.events),
        Admission::Waiting(_) => panic!("nothing is fetched"),
    }
}

#[test]
fn a_token_that_is_remembered_costs_a_handful() {
    let gateway = verifier();
    let token = token(0);
    request(&gateway, "x-wristband-token", &token);
    let (count, events) = request(&gateway, "x-wristband-token", &token);
    assert_eq!(events, [Event::Verified, Event::TokenCacheHit]);
    assert_eq!(count, REMEMBERED);
}

#[test]
fn a_token_that_is_new_costs_what_its_claims_do() {
    let gateway = verifier();
    request(&gateway, "x-wristband-token", &token(0));
    let (count, events) = request(&gateway, "x-wristband-token", &token(1));
    assert_eq!(events, [Event::Verified, Event::TokenCacheMiss]);
    assert_eq!(count, NEW);
}

#[test]
fn what_is_no_token_costs_next_to_nothing() {
    for junk in ["A".repeat(700), "A".repeat(9000), format!("{}.{}", "A".repeat(4), "A".repeat(700))] {
        let (count, events) = request(&verifier(), "x-wristband-token", &junk);
        assert!(matches!(events[..], [Event::Denied(_)]), "{events:?}");
        assert_eq!(count, JUNK, "{}", junk.len());
    }
}

#[test]
fn who_has_no_token_costs_nothing_but_the_answer() {
    let (count, _) = request(&verifier(), "x-other", "1");
    assert_eq!(count, 0);
}

/// A request and its response.
fn response(gateway: &Gateway) -> usize {
    let request = [(&b":method"[..], &b"GET"[..]), (b":path", b"/"), (b"x-user", b"alice")];
    let response = [(&b":status"[..], &b"200"[..]), (b"content-type", b"text/plain")];
    let (request, response) = (Headers::new(request.to_vec()), Headers::new(response.to_vec()));
    let (count, decision) = allocations(|| {
        let Admission::Admitted(_, mut admitted) = gateway.on_request(&request, NOW, &Nobody) else {
            panic!("a reply")
        };
        gateway.on_admitted(&mut admitted, &request, NOW, &Nobody);
        gateway.on_response(Some(admitted), &response, NOW, &Nobody)
    });
    let Decision::Forward(edits) = decision else { panic!("a reply") };
    assert!(edits.events.contains(&Event::Issued), "{:?}", edits.events);
    count
}

#[test]
fn a_wristband_costs_what_is_signed_and_none_when_it_is_handed_out_again() {
    let private = include_str!("../testdata/worthless-keys/cluster-a-2026-11.pem");
    let issuer = |reuse: u32| {
        gateway(&json!({
            "issuer": A, "signingKeyRefs": [key("a", private)],
            "issue": {"identity": {"header": "x-user"}, "reuse": reuse, "customClaims": {"region": {"value": "eu-1"}}},
        }))
    };
    assert_eq!([response(&issuer(0)), response(&issuer(0))], [SIGNED; 2]);
    let reusing = issuer(60);
    response(&reusing);
    assert_eq!(response(&reusing), REUSED);
}

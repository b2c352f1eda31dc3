//! A wristband that Authorino signed is accepted by the configurations that `docs/from-authorino.md` shows, at its time.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wristband::compile;
use wristband::denial::Denial;
use wristband::gateway::{Admission, Event, Gateway};
use wristband::http::headers::Headers;
use wristband::time::Timestamp;

#[path = "support/nobody.rs"]
mod nobody;

use nobody::Nobody;

const WRISTBAND: &str = include_str!("../testdata/authorino/wristband.jwt");
const ISSUED: i64 = 1_795_803_861;

/// The gateway that takes Authorino's issuer over, and a peer of it.
fn gateways() -> [(Value, Gateway); 2] {
    let page = include_str!("../docs/from-authorino.md");
    let blocks: Vec<_> = page.split("```yaml\n").collect();
    [blocks[2], blocks[3]].map(|block| {
        let configuration: Value = serde_yaml_ng::from_str(block.split("```").next().unwrap()).unwrap();
        let gateway = load(&configuration);
        (configuration, gateway)
    })
}

fn load(configuration: &Value) -> Gateway {
    let mut configuration = configuration.clone();
    configuration["allowWorthlessKeys"] = true.into();
    match compile::load(configuration.to_string().as_bytes(), &Nobody) {
        Ok(compiled) => compiled.gateway,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// What becomes of a wristband: the first that is to be counted.
fn verdict(gateway: &Gateway, wristband: &str, now: i64) -> Event {
    let pairs = [(":method", "GET"), (":path", "/"), (":authority", "peer.example"), ("x-wristband-token", wristband)];
    let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).to_vec());
    match gateway.on_request(&headers, Timestamp(now), &Nobody) {
        Admission::Denied(_, denied) => Event::Denied(denied.cause.denial()),
        Admission::Answered(_) => Event::Discovery,
        Admission::Waiting(_) => panic!("nothing is fetched"),
        Admission::Admitted(edits, _) => edits.events.into_iter().next().unwrap(),
    }
}

fn part(index: usize) -> Value {
    let part = WRISTBAND.trim().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_wristband_of_authorino_is_good_for_its_time_and_no_longer() {
    for (_, gateway) in gateways() {
        let at = |now| verdict(&gateway, WRISTBAND.trim(), now);
        assert_eq!(at(ISSUED), Event::Verified);
        assert_eq!(at(ISSUED + 300 + 29), Event::Verified);
        assert_eq!(at(ISSUED + 300 + 31), Event::Denied(Denial::Expired));
        assert_eq!(at(ISSUED - 31), Event::Denied(Denial::NotYetValid));
    }
}

#[test]
fn its_header_and_claims_are_those_that_the_page_names() {
    assert_eq!(part(0), json!({"alg": "ES256", "kid": "wristband-signing-key", "typ": "JWT"}));
    let names: Vec<_> = part(1).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["exp", "iat", "iss", "sub", "username"]);
}

#[test]
fn nobody_else_speaks_for_it_and_it_speaks_for_nobody_else() {
    let [(_, first), (configuration, peer)] = gateways();
    let (input, signature) = WRISTBAND.trim().rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[40] ^= 1;
    let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
    for gateway in [&first, &peer] {
        assert_eq!(verdict(gateway, &forged, ISSUED), Event::Denied(Denial::BadSignature));
    }
    let mut strict = configuration.clone();
    strict["peers"][0].as_object_mut().unwrap().remove("allowMissingAudience");
    assert_eq!(verdict(&load(&strict), WRISTBAND.trim(), ISSUED), Event::Denied(Denial::WrongAudience));
    let mut other = configuration;
    other["peers"][0]["issuer"] = json!("https://authorino.example.com/west/shop/x-wristband-token");
    assert_eq!(verdict(&load(&other), WRISTBAND.trim(), ISSUED), Event::Denied(Denial::UnknownIssuer));
}

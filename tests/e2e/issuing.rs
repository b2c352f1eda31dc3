//! Wristbands in responses.

use serde_json::json;

use crate::support::config::{filter, gateways, private};
use crate::support::envoy::Envoy;
use crate::support::token::{self, A};
use crate::support::{http, key};

#[test]
fn a_login_is_answered_with_a_wristband() {
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [private("cluster-a-2026-11", "KEY")],
        "issue": {
            "identity": {"header": "x-user"}, "audiences": ["federation"],
            "customClaims": {
                "region": {"value": "eu-1"},
                "path": {"expression": "request.path"},
                "n": {"expression": "1 + 2"}, "u": {"expression": "7u"}, "d": {"expression": "1.5"}, "whole": {"expression": "4.0"},
                "b": {"expression": "request.path == '/x'"}, "none": {"expression": "request.headers['nope']"},
                "code": {"expression": "response.code"},
            }},
    });
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let start = std::time::Instant::now();
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY", &key("cluster-a-2026-11"))]);
    println!("{:?}", start.elapsed());
    let answer = http::get_with(&format!("{}/x", setup.urls[0]), &[("x-user", "alice")]);
    println!("{answer:?} {:?}", answer.wristband().map(token::payload));
    println!(
        "{}",
        http::get(&format!("{}/.well-known/openid-connect/certs", setup.urls[0])).body
    );
    println!("{}", envoy.admin("/stats?filter=wasmcustom"));
    println!("{}", envoy.log());
    panic!();
}

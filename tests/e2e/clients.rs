//! Real clients: browsers that log out, callers with umlauts in their names, directories with hundreds of groups.

use serde_json::{Value, json};

use crate::gate::{Gate, outcome, plugin};
use crate::support::config::{filter, filter_with, gateways, of_a_test, private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, Connection};
use crate::support::key;
use crate::support::token::{self, A, B, claims, sign};

const A1: &str = "cluster-a-2026-11";
const B1: &str = "cluster-b-2026-10";

/// A gateway that sets its wristband as a cookie and takes it back from there.
fn browser() -> (Envoy, String) {
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [private(A1, "KEY")],
        "issue": {"identity": {"header": "x-user"}, "cookie": {"secure": false}},
        "verify": {"mode": "optional", "fromCookies": ["wristband"]},
    });
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY", &key(A1))]);
    (envoy, setup.urls[0].clone())
}

#[test]
fn an_application_can_log_out_and_nobody_else_sets_our_cookie() {
    let (_envoy, url) = browser();
    let ask = |set: &str| {
        let answer = http::get_with(&url, &[("x-echo-set", set)]);
        answer.header("set-cookie").map(str::to_owned)
    };
    assert_eq!(ask("set-cookie=wristband=gone; Path=/; Max-Age=0").as_deref(), Some("wristband=; Path=/; Max-Age=0"));
    let expires = "wristband=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(ask(&format!("set-cookie={expires}")).as_deref(), Some(expires));
    assert_eq!(ask("set-cookie=wristband=forged; Path=/; Max-Age=60"), None);
    assert_eq!(ask("set-cookie=other=1; Path=/").as_deref(), Some("other=1; Path=/"));
}

#[test]
fn a_bad_cookie_is_deleted_by_its_denial_and_the_others_keep_their_bytes() {
    let (_envoy, url) = browser();
    let login = http::get_with(&url, &[("x-user", "alice")]);
    let cookie = login.header("set-cookie").unwrap();
    let token = cookie.strip_prefix("wristband=").unwrap().split(';').next().unwrap();
    let ask = |cookie: &str| http::get_with(&url, &[("cookie", cookie)]);
    for form in [format!("wristband={token}; a=\"x;y\""), format!("a=\"x;y\"; wristband=\"{token}\"")] {
        let answer = ask(&form);
        assert_eq!((answer.status, answer.received("cookie")), (200, Some("a=\"x;y\"")), "{form}");
    }
    for (cookie, code) in
        [("wristband=junk".to_owned(), "malformed"), (format!("wristband={token}; wristband=x"), "ambiguous")]
    {
        let answer = ask(&cookie);
        assert_eq!(outcome(&answer), code);
        assert_eq!(answer.header("set-cookie"), Some("wristband=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly"));
    }
}

#[test]
fn a_name_with_an_umlaut_passes_from_the_login_to_the_peer_s_upstream() {
    let issuing = json!({
        "issuer": A, "signingKeyRefs": [private(A1, "KEY")],
        "issue": {"identity": [{"header": "x-admin"}, {"header": "x-user"}]},
    });
    let verifying = json!({
        "peers": [{"issuer": A, "keys": [public(A1)]}],
        "verify": {"outputClaimToHeaders": [
            {"header": "x-sub", "claim": "sub"},
            {"header": "x-percent", "claim": "sub", "format": "percent"},
        ]},
    });
    let setup = gateways(vec![vec![filter(&issuing)], vec![filter(&verifying)]]);
    let _envoy = Envoy::start(&setup.bootstrap, &[("KEY", &key(A1))]);
    let login = http::send("GET", &setup.urls[0], &[("x-user", "j\u{fc}rgen".as_bytes())]);
    let wristband = login.wristband().unwrap();
    let answer = http::get_with(&setup.urls[1], &[("x-wristband-token", wristband)]);
    assert_eq!(answer.received("x-sub"), Some("j\u{fc}rgen"));
    assert_eq!(answer.received("x-percent"), Some("j%C3%BCrgen"));
    let login = http::get_with(&setup.urls[0], &[("x-user", "user"), ("x-admin", "root")]);
    let payload = token::payload(login.wristband().unwrap());
    assert_eq!(payload["sub"], "root", "the first that has a value");
    assert!(payload["iat"].as_u64().unwrap() <= token::now() - 4, "backdated");
}

#[test]
fn claims_by_pointer_as_lists_and_with_every_digit() {
    let verify = json!({"outputClaimToHeaders": [
        {"header": "x-namespace", "claim": "/kubernetes.io/namespace"},
        {"header": "x-roles", "claim": "/realm_access/roles", "format": "list"},
        {"header": "x-number", "claim": "number"},
        {"header": "x-beyond", "claim": "beyond"},
    ]});
    let mut gate = Gate::start(&[plugin(&verify)]);
    let payload = format!(
        r#"{{"iss":"{A}","exp":{},"kubernetes.io":{{"namespace":"n"}},"realm_access":{{"roles":["admin","dev"]}},
            "number":18446744073709551615,"beyond":18446744073709551617}}"#,
        token::now() + 100
    );
    let token = token::sign_text(A1, &json!({"alg": "ES256", "kid": A1}).to_string(), &payload);
    // The second time it is remembered.
    for times in 1..=2 {
        let answer = gate.present(0, &token);
        let received = ["x-namespace", "x-roles", "x-number", "x-beyond"].map(|name| answer.received(name));
        assert_eq!(received, [Some("n"), Some("admin, dev"), Some("18446744073709551615"), None]);
        assert_eq!(gate.envoy.count("claim_dropped"), times);
    }
}

#[test]
fn a_websocket_brings_its_token_among_its_protocols() {
    let verify = json!({"fromWebSocketProtocols": [{"prefix": "wristband.bearer."}]});
    let setup = gateways(vec![vec![filter(&plugin(&verify))]]);
    let _envoy = Envoy::start(&setup.bootstrap, &[]);
    let mut connection = Connection::new(&setup.urls[0]);
    let mut ask = |protocols: &str| connection.get("/", &[("sec-websocket-protocol", protocols.as_bytes())]);
    let good = token::of_a();
    let answer = ask(&format!("chat, wristband.bearer.{good}, superchat"));
    assert_eq!((answer.status, answer.received("sec-websocket-protocol")), (200, Some("chat, superchat")));
    let answer = ask(&format!("wristband.bearer.{good}"));
    assert_eq!((answer.status, answer.received("sec-websocket-protocol")), (200, None));
    assert_eq!(outcome(&ask(&format!("wristband.bearer.{good},wristband.bearer.{good}"))), "ambiguous");
    assert_eq!(outcome(&ask("chat")), "missing");
    assert_eq!(outcome(&ask("wristband.bearer.x.y.z")), "malformed");
}

#[test]
fn real_issuers_and_large_tokens_stand_side_by_side() {
    let account = "sa@project.iam.gserviceaccount.com";
    let same_name = |file: &str| {
        json!({"name": "wristband-signing-key", "algorithm": "ES256",
        "key": {"inlineString": key(&format!("{file}.pub"))}})
    };
    let peers = json!([
        {"issuer": account, "keys": [same_name("stranger")], "typ": ["at+jwt"]},
        {"issuer": B, "keys": [same_name(B1)], "typ": [""], "allowMissingAudience": true},
        {"issuer": format!("{B}/"), "keys": [same_name(B1)]},
    ]);
    let verify = json!({"audiences": ["us"], "maxTokenBytes": 16_384});
    let setup = gateways(vec![vec![filter(&json!({"peers": peers, "verify": verify}))]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    assert!(envoy.log().contains("peers[2].issuer: differs from that of peers[1] in nothing but a slash at the end"));
    let ask = |signer: &str, issuer: &str, typ: Option<&str>, change: &dyn Fn(&mut Value)| {
        let mut header = json!({"alg": "ES256", "kid": "wristband-signing-key"});
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let mut claims = claims(issuer);
        change(&mut claims);
        let token = token::sign_text(signer, &header.to_string(), &claims.to_string());
        outcome(&http::get_with(&setup.urls[0], &[("x-wristband-token", &token)]))
    };
    let ours = |claims: &mut Value| claims["aud"] = "us".into();
    let groups: Vec<_> = (0..200).map(|group| format!("group-{group}-of-a-directory-with-long-names")).collect();
    let large = |claims: &mut Value| {
        claims["aud"] = "us".into();
        claims["groups"] = json!(groups);
    };
    assert_eq!(ask("stranger", account, Some("at+jwt"), &large), "ok");
    assert_eq!(ask("stranger", account, None, &ours), "wrong_type");
    assert_eq!(ask(B1, B, None, &|_| {}), "ok");
    assert_eq!(ask(B1, B, None, &|claims| claims["aud"] = "them".into()), "wrong_audience");
    assert_eq!(ask(B1, &format!("{B}/"), Some("JWT"), &ours), "ok");
    // One name, but each key speaks for its own issuer.
    assert_eq!(ask("stranger", B, None, &|_| {}), "bad_signature");
    assert_eq!(ask(B1, account, Some("at+jwt"), &ours), "bad_signature");
    let huge = |claims: &mut Value| claims["x"] = "x".repeat(13_000).into();
    assert_eq!(ask(B1, B, None, &huge), "too_large");
}

#[test]
fn a_browser_reads_the_jwks_and_another_host_keeps_its_own() {
    let mut configuration = plugin(&json!({"mode": "optional"}));
    configuration["discovery"] = json!({"hosts": ["127.0.0.1"]});
    let setup = gateways(vec![vec![filter(&configuration)]]);
    let _envoy = Envoy::start(&setup.bootstrap, &[]);
    let jwks = format!("{}/.well-known/jwks.json", setup.urls[0]);
    let preflight = [("origin", &b"https://app.example"[..]), ("access-control-request-method", b"GET")];
    let answer = http::send("OPTIONS", &jwks, &preflight);
    let allowed = ["origin", "methods", "headers"].map(|what| answer.header(&format!("access-control-allow-{what}")));
    assert_eq!((answer.status, allowed), (204, [Some("*"), Some("GET, HEAD"), Some("*")]));
    assert!(http::get(&jwks).json()["keys"].is_array());
    let other = http::get_with(&jwks, &[("host", "idp.example.com")]);
    assert_eq!(other.received(":path"), Some("/.well-known/jwks.json"), "the upstream answers");
}

#[test]
fn a_configuration_in_a_secret_works_and_is_not_in_the_dump() {
    let configuration = json!({
        "issuer": A,
        "signingKeyRefs": [{"name": A1, "algorithm": "ES256", "key": {"inlineString": key(A1)}}],
        "issue": {"identity": {"header": "x-user"}},
    });
    let secret = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.GenericSecret",
        "secret": {"inline_string": of_a_test(&configuration).to_string()},
    });
    let setup = gateways(vec![vec![filter_with(secret, &[])]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    assert!(http::get_with(&setup.urls[0], &[("x-user", "alice")]).wristband().is_some());
    let dump = envoy.admin("/config_dump");
    assert!(dump.contains("[redacted]") && !dump.contains("x-user") && !dump.contains("PRIVATE KEY"));
}

#[test]
fn a_peer_s_wristband_alone_is_not_nobody() {
    let configuration = json!({
        "issuer": A,
        "signingKeyRefs": [private(A1, "KEY")],
        "peers": [{"issuer": B, "keys": [public(B1)]}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    });
    let setup = gateways(vec![vec![filter(&configuration)]]);
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY", &key(A1))]);
    http::get_with(&setup.urls[0], &[("x-wristband-token", &sign(B1, &claims(B)))]);
    http::get(&setup.urls[0]);
    let counts = ["peer_wristband", "no_identity"].map(|code| envoy.count(&format!("issue_skipped.{code}")));
    assert_eq!(counts, [1, 1]);
}

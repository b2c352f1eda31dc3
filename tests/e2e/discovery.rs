//! The well-known documents, and what others make of them.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::support::config::{cluster, echo, filter, gateways, listener, private, public, to_upstream};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, Answer};
use crate::support::key;
use crate::support::token::{self, A, B, claims, jwk, now, sign};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const CERTS: &str = "/.well-known/openid-connect/certs";
const JWKS: &str = "/.well-known/jwks.json";

/// A verifying gateway of this issuer with these further fields.
fn verifier(issuer: &str, fields: Value) -> Value {
    let mut plugin = json!({"issuer": issuer, "signingKeyRefs": [public(A1)], "verify": {"mode": "require"}});
    plugin.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    plugin
}

/// Gateways, each with one plugin, and one Envoy for them.
fn start(plugins: &[Value]) -> (Envoy, Vec<String>) {
    let setup = gateways(plugins.iter().map(|plugin| vec![filter(plugin)]).collect());
    (Envoy::start(&setup.bootstrap, &[("KEY", &key(A1))]), setup.urls)
}

fn keys(answer: &Answer) -> Vec<String> {
    let document = answer.json();
    assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    let keys = document["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn is_document(answer: &Answer, max_age: u32) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let cache = format!("public, max-age={max_age}");
    assert_eq!(answer.header("cache-control"), Some(cache.as_str()));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let etag = answer.header("etag").unwrap();
    assert!(etag.len() > 10 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    assert_eq!(answer.header("www-authenticate"), None);
}

fn rfc3339(seconds: u64) -> String {
    format!("{:?}", DateTime::from_timestamp(seconds.try_into().unwrap(), 0).unwrap())
}

#[test]
fn documents_are_at_the_issuers_path_before_verification_and_nowhere_else() {
    let with_path = "https://example.com/realms/a";
    let issuers = [
        A,
        "https://cluster-a.example.com/",
        with_path,
        "https://example.com/realms/a/",
        "http://example.com:8080/a%20b/c",
    ];
    let (envoy, urls) = start(&issuers.map(|issuer| verifier(issuer, json!({}))));
    let paths = ["", "", "/realms/a", "/realms/a", "/a%20b/c"];
    for ((issuer, path), url) in issuers.iter().zip(paths).zip(&urls) {
        let configuration = http::get(&format!("{url}{path}{CONFIGURATION}"));
        is_document(&configuration, 300);
        // For whatever host it is asked.
        let of_another = http::get_with(&format!("{url}{path}{CONFIGURATION}"), &[("host", "idp.example.org")]);
        assert_eq!(of_another.body, configuration.body);
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        assert_eq!(
            configuration.json(),
            json!({
                "issuer": issuer,
                "jwks_uri": format!("{base}{CERTS}"),
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }),
            "{issuer}"
        );
        for jwks in [CERTS, JWKS] {
            let answer = http::get(&format!("{url}{path}{jwks}"));
            is_document(&answer, 300);
            assert_eq!(answer.json(), json!({"keys": [jwk(A1)]}), "{issuer}");
            assert_ne!(answer.header("etag"), configuration.header("etag"));
        }
        // Anything else needs a token.
        for other in [
            format!("{path}{CERTS}/"),
            format!("{path}/{CERTS}"),
            format!("{path}{CERTS}x"),
            format!("/x{path}{CERTS}"),
            format!("{path}{}", CERTS.to_uppercase()),
            format!("{path}/.well-known/openid-connect"),
            format!("{path}/.well-known/"),
            format!("/?{CERTS}"),
            format!("{path}/.well-known%2Fjwks.json"),
        ] {
            assert_eq!(http::get(&format!("{url}{other}")).status, 401, "{issuer} {other}");
        }
        if !path.is_empty() {
            assert_eq!(http::get(&format!("{url}{CERTS}")).status, 401, "{issuer}: the root is not its path");
        }
        // The document says where the keys are; the way there from outside is that of the issuer.
        let uri = configuration.json()["jwks_uri"].as_str().unwrap().to_owned();
        let (_, rest) = uri.split_once("://").unwrap();
        let (_, path) = rest.split_once('/').unwrap();
        assert_eq!(http::get(&format!("{url}/{path}")).status, 200, "{uri}");
    }
    assert_eq!(envoy.count("discovery"), 5 * 5);
    assert_eq!(envoy.counter("cluster.echo.upstream_rq_total"), 0);
}

#[test]
fn documents_are_read_by_get_and_head_only_whatever_else_the_request_says() {
    let (envoy, urls) = start(&[
        verifier(A, json!({"discovery": {"maxAge": 0}})),
        verifier(A, json!({"discovery": {"maxAge": 86400}})),
    ]);
    let mut connection = http::Connection::new(&urls[0]);
    let stranger = sign("stranger", &claims(A));
    for path in [CONFIGURATION, CERTS, JWKS] {
        let get = connection.get(path, &[]);
        is_document(&get, 0);
        is_document(&http::get(&format!("{}{path}", urls[1])), 86_400);
        for query in ["?", "?a=b", "?/../x", "?a?b", "?%00"] {
            let answer = connection.get(&format!("{path}{query}"), &[]);
            assert_eq!((answer.status, &answer.body), (200, &get.body), "{query}");
        }
        for (name, value) in [
            ("x-wristband-token", stranger.as_bytes()),
            ("x-wristband-token", b"\xff"),
            ("authorization", b"Bearer x,Bearer y"),
            ("accept", b"text/html"),
            ("if-none-match", b"\"other\""),
            ("if-none-match", b"\xff\""),
            ("range", b"bytes=0-1"),
        ] {
            let answer = connection.get(path, &[(name, value)]);
            assert_eq!((answer.status, &answer.body), (200, &get.body), "{name}");
        }

        let head = connection.send("HEAD", path, &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        for name in ["content-type", "content-length", "cache-control", "etag", "access-control-allow-origin"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = connection.send(method, path, &[("content-length", b"0")]);
            assert_eq!(answer.status, 405, "{method}");
            let allow = answer.header("allow").unwrap();
            let mut allowed: Vec<_> = allow.split(", ").collect();
            allowed.sort_unstable();
            assert_eq!(allowed, ["GET", "HEAD"], "{method}");
            assert!(!answer.body.contains("keys"), "{method}");
        }
    }
    assert_eq!(envoy.count("denied.missing"), 0);
    assert_eq!(envoy.counter("cluster.echo.upstream_rq_total"), 0);
}

#[test]
fn who_has_the_document_already_does_not_get_it_again() {
    let (_envoy, urls) = start(&[verifier(A, json!({}))]);
    let mut connection = http::Connection::new(&urls[0]);
    for path in [CONFIGURATION, CERTS, JWKS] {
        let full = connection.get(path, &[]);
        let etag = full.header("etag").unwrap().to_owned();
        let bare = etag.trim_matches('"');
        assert_eq!(connection.get(path, &[]).header("etag"), Some(etag.as_str()), "it stays the same");
        for known in [
            etag.clone(),
            format!("W/{etag}"),
            "*".to_owned(),
            format!("\"a\", {etag}"),
            format!("\"a\",{etag},\"b\""),
            format!("W/\"a\" ,  W/{etag}"),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = connection.send(method, path, &[("if-none-match", known.as_bytes())]);
                assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
                // What a cache needs to go on with its copy (RFC 9110, section 15.4.5).
                for name in ["etag", "cache-control", "access-control-allow-origin"] {
                    assert_eq!(answer.header(name), full.header(name), "{name}");
                }
            }
        }
        let answer = connection.get(path, &[("if-none-match", b"\"a\""), ("If-None-Match", etag.as_bytes())]);
        assert_eq!(answer.status, 304, "in the second of two headers");
        for other in [
            String::new(),
            "\"\"".to_owned(),
            "\"a\"".to_owned(),
            bare.to_owned(),
            format!("\"{}\"", bare.to_lowercase()),
            format!("\"{}\"", &bare[1..]),
            format!("w/{etag}"),
            "\"*\"".to_owned(),
            "W/".to_owned(),
        ] {
            let answer = connection.get(path, &[("if-none-match", other.as_bytes())]);
            assert_eq!((answer.status, &answer.body), (200, &full.body), "{other:?}");
        }
    }
}

#[test]
fn own_keys_are_published_in_their_order_and_nobody_elses() {
    let c = "https://cluster-c.example.com";
    let peer = |issuer: &str, key: &str| json!({"issuer": issuer, "keys": [public(key)]});
    let plugin =
        verifier(A, json!({"signingKeyRefs": [public(A2), public(A1)], "peers": [peer(c, "stranger"), peer(B, B1)]}));
    let (_envoy, urls) = start(&[plugin]);
    let answer = http::get(&format!("{}{CERTS}", urls[0]));
    assert_eq!(answer.json()["keys"], json!([jwk(A2), jwk(A1)]));
    for (token, status) in [
        (sign(B1, &claims(B)), 200),
        (sign("stranger", &claims(c)), 200),
        (sign(B1, &claims(A)), 401),
        (sign("stranger", &claims(A)), 401),
        (sign(A1, &claims(B)), 401),
    ] {
        assert_eq!(http::get_with(&urls[0], &[("x-wristband-token", &token)]).status, status);
    }
}

#[test]
fn the_key_that_signs_is_published_without_its_secret() {
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [private(A1, "KEY"), public(A2)],
        "issue": {"identity": {"header": "x-user"}},
    });
    let (_envoy, urls) = start(&[plugin]);
    let answer = http::get(&format!("{}{CERTS}", urls[0]));
    assert_eq!(answer.json(), json!({"keys": [jwk(A1), jwk(A2)]}), "these members and no other");
    assert!(!answer.body.contains("\"d\""));
    assert!(!answer.body.contains(&token::encode(token::scalar(A1))));
}

#[test]
fn without_an_issuer_there_is_nothing_to_discover() {
    let plugin = json!({"peers": [{"issuer": B, "keys": [public(B1)]}], "verify": {"mode": "optional"}});
    let (envoy, urls) = start(&[plugin]);
    for path in [CONFIGURATION, CERTS, JWKS] {
        let answer = http::get(&format!("{}{path}", urls[0]));
        assert_eq!(answer.received(":path"), Some(path), "the upstream answers");
    }
    assert_eq!(envoy.count("discovery"), 0);
}

#[test]
fn an_ended_key_is_neither_published_nor_accepted_and_may_end_while_running() {
    let mut past = public(B1);
    past["notAfter"] = "2020-01-01T00:00:00Z".into();
    let mut future = public(A1);
    future["notAfter"] = "2999-01-01T00:00:00+02:00".into();
    let plugin = |end: u64| {
        let mut ending = public(A2);
        ending["notAfter"] = rfc3339(end).into();
        let peer = json!({
            "name": "peer", "algorithm": "ES256", "notAfter": rfc3339(end), "key": {"inlineString": key("stranger.pub")},
        });
        let peers = json!([{"issuer": B, "keys": [peer]}]);
        verifier(A, json!({"signingKeyRefs": [past, ending, future], "peers": peers}))
    };
    // On a machine that is busy with other tests Envoy may take longer to start than that.
    let mut starts = [3, 20, 60].into_iter().map(|seconds| {
        let end = now() + seconds;
        (end, start(&[plugin(end)]))
    });
    let (end, (_envoy, urls)) = starts.find(|(end, _)| now() + 1 < *end).unwrap();
    let url = &urls[0];
    let ask = |token: &str| http::get_with(url, &[("x-wristband-token", token)]);
    let code = |token: &str| {
        let answer = ask(token);
        if answer.status == 200 { "ok" } else { crate::gate::outcome(&answer) }
    };
    let peer =
        token::sign_text("stranger", &json!({"alg": "ES256", "kid": "peer"}).to_string(), &claims(B).to_string());
    let ended = sign(B1, &claims(A));
    let ending = sign(A2, &claims(A));
    let living = sign(A1, &claims(A));

    let before = http::get(&format!("{url}{CERTS}"));
    let codes = [code(&living), code(&ending), code(&peer), code(&ended)];
    assert_eq!(keys(&before), [A2, A1]);
    assert_eq!(codes, ["ok", "ok", "ok", "ended_key"]);

    while now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    let after = http::get(&format!("{url}{CERTS}"));
    assert_eq!(keys(&after), [A1]);
    assert_ne!(after.header("etag"), before.header("etag"));
    let old = before.header("etag").unwrap();
    assert_eq!(http::get_with(&format!("{url}{CERTS}"), &[("if-none-match", old)]).status, 200);
    // Both workers say so, on whichever connection.
    for _ in 0..10 {
        assert_eq!(keys(&http::get(&format!("{url}{JWKS}"))), [A1]);
        assert_eq!(
            [code(&living), code(&ending), code(&peer), code(&ended)],
            ["ok", "ended_key", "ended_key", "ended_key"]
        );
    }
}

#[test]
fn envoys_own_jwt_authn_verifies_a_wristband_with_nothing_but_our_jwks() {
    let issuing = json!({
        "issuer": A,
        "signingKeyRefs": [private(A1, "KEY"), public(A2)],
        "issue": {"identity": {"header": "x-user"}, "audiences": ["federation"]},
    });
    let (upstream, gateway, native) = (free_port(), free_port(), free_port());
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"a": {
                "issuer": A,
                "audiences": ["federation"],
                "remote_jwks": {
                    "http_uri": {"uri": format!("{A}{CERTS}"), "cluster": "gateway", "timeout": "5s"},
                    "cache_duration": "60s",
                },
                "from_headers": [{"name": "x-wristband-token"}],
                "claim_to_headers": [{"header_name": "x-sub", "claim_name": "sub"}],
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "a"}}],
        },
    });
    let bootstrap = json!({"static_resources": {
        "listeners": [
            echo(upstream),
            listener("gateway", gateway, vec![filter(&issuing)], to_upstream()),
            listener("native", native, vec![jwt_authn], to_upstream()),
        ],
        "clusters": [cluster("echo", upstream), cluster("gateway", gateway)],
    }});
    let envoy = Envoy::start(&bootstrap, &[("KEY", &key(A1))]);
    let answer = http::get_with(&format!("http://127.0.0.1:{gateway}/"), &[("x-user", "alice")]);
    let wristband = answer.wristband().unwrap();
    let native = format!("http://127.0.0.1:{native}/");
    let ask = |token: &str| http::get_with(&native, &[("x-wristband-token", token)]);

    let answer = ask(wristband);
    assert_eq!((answer.status, answer.received("x-sub")), (200, Some("alice")), "{}", answer.body);
    assert!(envoy.count("discovery") > 0, "the key came from the filter");
    let mut claims = claims(A);
    claims["aud"] = "federation".into();
    assert_eq!(ask(&sign(A2, &claims)).status, 200, "the second key is in the set too");
    let under_our_name = token::sign_text("stranger", &token_header(A1), &claims.to_string());
    for (what, token) in [
        ("a stranger", sign("stranger", &claims)),
        ("a stranger under our key's name", under_our_name),
        ("nobody", String::new()),
    ] {
        assert_eq!(ask(&token).status, 401, "{what}");
    }
}

fn token_header(kid: &str) -> String {
    json!({"alg": "ES256", "kid": kid}).to_string()
}

#[test]
fn another_jwt_library_verifies_a_wristband_with_nothing_but_our_documents() {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

    let issuing = json!({
        "issuer": A,
        "signingKeyRefs": [private(A1, "KEY"), public(A2)],
        "issue": {"identity": {"header": "x-user"}, "audiences": ["federation"]},
    });
    let (_envoy, urls) = start(&[issuing]);
    let configuration = http::get(&format!("{}{CONFIGURATION}", urls[0])).json();
    let path = configuration["jwks_uri"].as_str().unwrap().strip_prefix(A).unwrap();
    let set: JwkSet = serde_json::from_str(&http::get(&format!("{}{path}", urls[0])).body).unwrap();
    assert_eq!(set.keys.len(), 2);
    let verify = |token: &str| {
        let kid = decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[configuration["issuer"].as_str().unwrap()]);
        validation.set_audience(&["federation"]);
        validation.validate_nbf = true;
        decode::<Value>(token, &key, &validation)
    };
    let answer = http::get_with(&urls[0], &[("x-user", "alice")]);
    let wristband = answer.wristband().unwrap();
    let verified = verify(wristband).unwrap();
    assert_eq!(verified.claims["sub"], "alice");
    assert_eq!(verified.claims, token::payload(wristband));
    let (rest, _) = wristband.rsplit_once('.').unwrap();
    let forged = format!("{rest}.{}", token::encode(token::signature("stranger", rest.as_bytes())));
    verify(&forged).unwrap_err();
}

#![allow(clippy::arithmetic_side_effects)]

use serde_json::{Value, json};

use crate::http::headers::Headers;
use crate::jose::algorithm::Algorithm;

use crate::gateway::Ending;
use crate::testing::{A, A_NEXT_PUB, A_PEM, A_PUB, B, B_PEM, B_PUB, Fake, NOW, gateway_a, key, load, load_with};

/// The message for the gateway of A with one value changed, named by its JSON pointer.
fn with(pointer: &str, value: Value) -> String {
    let mut configuration = gateway_a();
    set(&mut configuration, pointer, value);
    load(&configuration).map(|_| String::from("accepted")).unwrap_or_else(|problem| problem)
}

fn warnings(configuration: &Value) -> Vec<String> {
    load(configuration).unwrap().report.warnings.iter().map(ToString::to_string).collect()
}

fn set(configuration: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match configuration.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.insert(member.to_owned(), value)),
        Value::Array(items) => items.push(value),
        other => panic!("{other}"),
    }
}

#[test]
fn the_stanza_that_all_began_with_works() {
    let compiled = load(&json!({
        "issuer": A,
        "signingKeyRefs": [key("local-signing-key", A_PEM), key("peer-cluster-key", B_PUB)],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {},
    }));
    assert_eq!(
        compiled.unwrap().report.summary,
        "configuration in force: own keys 2, peers 0, keys of peers 0, signing yes, verification require, discovery yes, \
         version 0.1.0"
    );
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    for duration in ["300", "300.0", "3e2"] {
        let text = gateway_a().to_string().replacen('{', &format!("{{\"tokenDuration\":{duration},"), 1);
        assert!(super::load(text.as_bytes(), &Fake::default()).is_ok(), "{duration}");
    }
}

#[test]
fn a_gateway_that_only_verifies_peers_needs_no_issuer() {
    let compiled = load(&json!({"peers": [{"issuer": B, "keys": [key("b", B_PUB)]}], "verify": {}})).unwrap();
    assert_eq!(compiled.report.digest, "f91123c1b3dc0a54");
    assert_eq!(
        compiled.report.summary,
        "configuration in force: own keys 0, peers 1, keys of peers 1, signing no, verification require, discovery no, \
         version 0.1.0"
    );
    assert_eq!(compiled.report.crypto_summary().as_deref(), Some("crypto: verify ES256 by wasm"));
}

#[test]
fn tables_are_for_who_asks_for_them() {
    let page = include_str!("../../docs/es256.md");
    assert_eq!(page.split("```").nth(1), Some("yaml\ncrypto: tables\n"));
    for (crypto, says) in [
        (None, "crypto: sign ES256 by wasm, verify ES256 by wasm"),
        (Some("auto"), "crypto: sign ES256 by wasm, verify ES256 by wasm"),
        (Some("tables"), "crypto: sign ES256 by wasm, verify ES256 by tables"),
    ] {
        let mut configuration = gateway_a();
        if let Some(crypto) = crypto {
            configuration["crypto"] = crypto.into();
        }
        assert_eq!(load(&configuration).unwrap().report.crypto_summary().as_deref(), Some(says));
    }
}

#[test]
fn whoever_holds_a_private_key_is_told_where_it_must_not_be() {
    let public_only =
        "a private key where only a public one may stand; put its public half here (openssl pkey -pubout -in KEY)";
    let cases = [
        (with("/signingKeyRefs/-", key("b2", B_PEM)), format!("signingKeyRefs[1].key: {public_only}")),
        (with("/peers/0/keys", json!([key("b", B_PEM)])), format!("peers[0].keys[0].key: {public_only}")),
        (
            with("/signingKeyRefs", json!([key("a", A_PUB)])),
            "signingKeyRefs[0].key: a public key where the private one that signs has to stand; that comes first, public ones after it".to_owned(),
        ),
        (
            load(&json!({"issuer": A, "signingKeyRefs": [key("a", A_PEM)], "verify": {}})).err().unwrap(),
            format!("signingKeyRefs[0].key: {public_only}: without `issue` nothing is signed"),
        ),
        (
            load(&json!({"issuer": A, "issue": {"identity": {"header": "x-user"}}})).err().unwrap(),
            "signingKeyRefs: `issue` needs a private key in the first entry".to_owned(),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_name_and_a_key_stand_once_at_an_issuer_and_an_issuer_once() {
    let of_b = |keys: Value| json!([{"issuer": B, "keys": keys}]);
    let cases = [
        (
            with("/signingKeyRefs/-", key("a", A_NEXT_PUB)),
            "signingKeyRefs[1].name: the same name as that of signingKeyRefs[0]",
        ),
        (
            with("/signingKeyRefs/-", key("a2", A_PUB)),
            "signingKeyRefs[1].key: the same key as that of signingKeyRefs[0]",
        ),
        (
            with("/peers", of_b(json!([key("b", B_PUB), key("b", A_NEXT_PUB)]))),
            "peers[0].keys[1].name: the same name as that of peers[0].keys[0]",
        ),
        (
            with("/peers", of_b(json!([key("b", B_PUB), key("c", B_PUB)]))),
            "peers[0].keys[1].key: the same key as that of peers[0].keys[0]",
        ),
        (
            with("/peers/-", json!({"issuer": B, "keys": [key("a3", A_NEXT_PUB)]})),
            "peers[1].issuer: the same issuer as that of peers[0]",
        ),
        (
            // Another one in between that looks alike hides nothing.
            with(
                "/peers",
                Value::from(
                    [B, &format!("{B}/"), B]
                        .map(|issuer| json!({"issuer": issuer, "keys": [key("b", B_PUB)]}))
                        .to_vec(),
                ),
            ),
            "peers[2].issuer: the same issuer as that of peers[0]",
        ),
        (
            with("/peers/0/issuer", json!(A)),
            "peers[0].issuer: is our own `issuer`; put its public keys under `signingKeyRefs`",
        ),
        // Issuers have nothing to do with each other.
        (with("/peers", of_b(json!([key("a", B_PUB)]))), "accepted"),
        (with("/signingKeyRefs/-", key("b2", B_PUB)), "accepted"),
        (with("/peers/-", json!({"issuer": "https://c.example", "keys": [key("b", A_NEXT_PUB)]})), "accepted"),
        (with("/peers/-", json!({"issuer": "https://c.example", "keys": [key("c", B_PUB)]})), "accepted"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

/// As they are found: the fields from the top down, then what needs several of them, then the keys.
#[test]
fn all_that_is_wrong_is_said_in_one_load_and_nothing_that_only_follows_from_it() {
    let configuration = json!({
        "issuer": "cluster-a",
        "tokenduration": 300,
        "signingKeyRefs": [
            {"name": "a", "algorithm": "ES256", "key": {"environmentVariable": "A_KEY"}, "notAfter": "soon"},
            {"name": "a b", "algorithm": "HS256", "key": {"inlineString": A_PUB}},
            key("a3", B_PEM),
        ],
        "peers": [
            {"issuer": 7, "keys": [key("b", "no key"), {"name": "c"}]},
            {"issuer": B, "keys": [], "customClaims": {}},
        ],
        "issue": {"identity": {"header": ":path"}, "when": null, "chain": true, "customClaims": {
            "sub": {"value": 1}, "x": {"expression": "broken"}, "y": {"expression": "fine"},
        }},
        "verify": {"mode": "of", "clockSkew": 500, "fromHeaders": [{"name": "a"}, {"name": "a"}], "replay": 7},
        "discovery": {"maxAge": -1},
    });
    let variable = "signingKeyRefs[0].key: the environment variable `A_KEY` is missing or empty; set it, and list it in \
                    `vm_config.environment_variables.host_env_keys`";
    let root = "`issuer`, `tokenDuration`, `signingKeyRefs`, `peers`, `issue`, `verify`, `discovery`, `crypto`, `allowWorthlessKeys`";
    let of_peer = "`issuer`, `keys`, `jwks`, `remoteJwks`, `algorithms`, `label`, `typ`, `subjects`, `audiences`, `allowMissingAudience`, `claims`, `maxLifetime`, \
                   `publish`";
    let problems = load(&configuration).err().unwrap();
    assert_eq!(
        problems.lines().collect::<Vec<_>>(),
        [
            &format!("tokenduration: unknown field, expected one of {root}; did you mean `tokenDuration`?"),
            "issuer: expected an absolute http or https URL without query and fragment",
            "signingKeyRefs[0].notAfter: expected a time as in RFC 3339, such as `2026-12-01T00:00:00Z`",
            "signingKeyRefs[1].name: expected at most 255 visible ASCII characters without spaces",
            "signingKeyRefs[1].algorithm: unknown algorithm, expected one of ES256, ES384, ES512, RS256, RS384, RS512, \
             PS256, PS384, PS512, EdDSA, Ed25519",
            "peers[0].issuer: expected a string, found a number",
            "peers[0].keys[1].algorithm: is missing",
            "peers[0].keys[1].key: is missing",
            &format!(
                "peers[1].customClaims: unknown field, expected one of {of_peer}; `customClaims` stands under `issue`"
            ),
            "peers[1].keys: is empty; list at least one",
            "issue.when: is null; leave the field out or give it a value",
            "issue.identity.header: expected the name of a header (no pseudo-header)",
            "issue.customClaims.sub: `sub` is a reserved claim; set `issue.subject` instead",
            "verify.mode: expected one of `require`, `optional`, `observe`",
            "verify.replay: expected an object, found a number",
            "verify.clockSkew: expected a whole number from 0 to 300, found 500",
            "discovery.maxAge: expected a whole number from 0 to 86400, found -1",
            variable,
            "signingKeyRefs[2].key: a private key where only a public one may stand; put its public half here (openssl \
             pkey -pubout -in KEY)",
            "peers[0].keys[0].key: expected one key as PEM or as a JWK, found neither; put its text here, not the name \
             of its file",
            "verify.fromHeaders[1]: the same place is listed already",
            "issue.customClaims.x.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)",
        ]
    );
}

#[test]
fn a_peer_s_issuer_is_any_text_that_real_issuers_have() {
    for issuer in [
        "testing@secure.istio.io",
        "sa@project.iam.gserviceaccount.com",
        "accounts.google.com",
        "urn:x",
        "kubernetes/serviceaccount",
        "https://b.example/?tenant=1",
    ] {
        assert_eq!(with("/peers/0/issuer", json!(issuer)), "accepted", "{issuer}");
    }
    let slash = |issuers: [&str; 2]| {
        let mut configuration = gateway_a();
        let peers = issuers.map(|issuer| json!({"issuer": issuer, "keys": [key("b", B_PUB)]}));
        configuration["peers"] = json!(peers);
        let mut warnings = warnings(&configuration);
        warnings.retain(|warning| warning.contains("slash"));
        warnings
    };
    let two = "in nothing but a slash at the end; they are two issuers";
    assert_eq!(
        slash([B, "https://cluster-b.example.com/"]),
        [format!("peers[1].issuer: differs from that of peers[0] {two}")]
    );
    let ours = format!("peers[0].issuer: differs from our own `issuer` {two}");
    assert_eq!(slash(["https://cluster-a.example.com/", B]), [ours]);
    assert!(slash([B, "https://c.example"]).is_empty());
}

#[test]
fn a_claim_that_no_peer_may_pass_on_is_warned_of() {
    let warned = |claims: [Value; 2], claim: &str| {
        let mut configuration = gateway_a();
        let peers = ["https://b.example", "https://c.example"].into_iter().zip(claims).map(|(issuer, claims)| {
            let mut peer = json!({"issuer": issuer, "keys": [key("b", B_PUB)]});
            if !claims.is_null() {
                peer["claims"] = claims;
            }
            peer
        });
        configuration["peers"] = peers.collect();
        configuration["verify"]["outputClaimToHeaders"] = json!([{"header": "x-a", "claim": claim}]);
        let warning = "verify.outputClaimToHeaders[0].claim: the `claims` of every peer leave it out, so no peer's token \
                       brings it";
        warnings(&configuration).iter().any(|found| found == warning)
    };
    let (none, roles) = (json!(["x"]), json!(["roles", "a.b", "a/b"]));
    for (claims, claim, expected) in [
        ([none.clone(), none.clone()], "roles", true),
        ([none.clone(), none.clone()], "/roles/0", true),
        ([none.clone(), roles.clone()], "roles", false),
        ([none.clone(), roles.clone()], "roles.x", false),
        ([none.clone(), roles.clone()], "/roles/0", false),
        ([none.clone(), roles.clone()], "a.b", false),
        ([none.clone(), roles.clone()], "/a~1b/c", false),
        ([none.clone(), roles.clone()], "a.c", true),
        ([none.clone(), json!(null)], "roles", false),
        ([none.clone(), none.clone()], "sub", false),
        ([none.clone(), none.clone()], "principal", false),
    ] {
        assert_eq!(warned(claims.clone(), claim), expected, "{claims:?} {claim}");
    }
}

#[test]
fn a_memory_is_not_asked_for_where_no_token_passes_twice() {
    let with = |cache: Value| {
        let mut configuration = gateway_a();
        configuration["verify"] = json!({"replay": {"cache": 100}, "cache": cache});
        load(&configuration).map(|compiled| compiled.gateway.verification.unwrap().remembered.is_some())
    };
    assert_eq!(with(json!({"tokens": 0})), Ok(false));
    let expected = "verify.cache: excludes `replay`, with which no token is accepted twice";
    assert_eq!(with(json!({})).unwrap_err(), expected);
    assert_eq!(with(json!({"tokens": 1})).unwrap_err(), expected);
}

#[test]
fn wristbands_for_several_and_once_each_are_warned_of() {
    let count = |reuse: u32, replay: bool| {
        let mut configuration = gateway_a();
        configuration["issue"]["reuse"] = json!(reuse);
        if replay {
            configuration["verify"]["replay"] = json!({"cache": 100});
        }
        warnings(&configuration).iter().filter(|warning| warning.starts_with("issue.reuse: ")).count()
    };
    assert_eq!([count(60, true), count(0, true), count(60, false)], [1, 0, 0]);
}

#[test]
fn what_is_missing_misspelt_or_out_of_range_is_named_with_its_path() {
    let url = "expected an absolute http or https URL without query and fragment";
    let cases = [
        ("/issuer", json!("cluster-a"), format!("issuer: {url}")),
        ("/issuer", json!("ftp://a.example"), format!("issuer: {url}")),
        ("/issuer", json!("https://a.example?x"), format!("issuer: {url}")),
        ("/issuer", json!("https://a.example#x"), format!("issuer: {url}")),
        ("/issuer", json!("https://"), format!("issuer: {url}")),
        ("/issuer", json!("https://a example"), format!("issuer: {url}")),
        ("/issuer", json!("https://user:secret@a.example"), format!("issuer: {url}")),
        ("/issuer", json!("https://a.example:99999"), format!("issuer: {url}")),
        ("/issue/header", json!("Set-Cookie"), "issue.header: `set-cookie` has a meaning of its own and cannot be used".into()),
        ("/verify/revoked", json!([{"kid": "B"}]), "verify.revoked[0].kid: no key has this name".into()),
        ("/verify/revoked", json!([{"issuer": "https://b.example", "issuedBefore": "2026-01-01T00:00:00Z"}]), "verify.revoked[0].issuer: is neither our own nor a peer's".into()),
        ("/verify/revoked", json!([{"issuer": B, "issuedBefore": "2027-06-01T00:00:00Z"}, {"issuer": B, "issuedBefore": "2020-01-01T00:00:00Z"}]), "verify.revoked[1].issuer: is listed already".into()),
        ("/signingKeyRefs/0/key", json!({A_PEM: "x"}), "signingKeyRefs[0].key.<member>: unknown field, expected one of `inlineString`, `environmentVariable`, `cluster`, `path`, `refresh`, `announce`".into()),
        ("/issuer", json!(""), "issuer: is empty".into()),
        ("/issuer", json!(7), "issuer: expected a string, found a number".into()),
        ("/peers/0/issuer", json!("a b"), "peers[0].issuer: expected 1 to 255 visible ASCII characters without `#`".into()),
        ("/peers/0/issuer", json!("did:a#b"), "peers[0].issuer: expected 1 to 255 visible ASCII characters without `#`".into()),
        ("/peers/0/issuer", json!("j\u{fc}rgen"), "peers[0].issuer: expected 1 to 255 visible ASCII characters without `#`".into()),
        ("/peers/0/issuer", json!("x".repeat(256)), "peers[0].issuer: expected 1 to 255 visible ASCII characters without `#`".into()),
        ("/peers/0/issuer", json!(""), "peers[0].issuer: is empty".into()),
        ("/verify/maxTokenBytes", json!(1023), "verify.maxTokenBytes: expected a whole number from 1024 to 65536, found 1023".into()),
        ("/issue/backdate", json!(61), "issue.backdate: expected a whole number from 0 to 60, found 61".into()),
        ("/issue/identity", json!([]), "issue.identity: is empty; list at least one".into()),
        ("/issue/identity", json!([{"header": "x-user"}, {"header": "cookie"}]), "issue.identity[1].header: carries credentials, which are nobody's name".into()),
        ("/issue/identity", json!([{"header": "x-user"}, {"expression": "broken"}]), "issue.identity[1].expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)".into()),
        ("/verify/fromHeaders", json!([{"name": "Sec-WebSocket-Protocol"}]), "verify.fromHeaders[0].name: is a list of protocols; use `fromWebSocketProtocols: [{prefix: wristband.bearer.}]`".into()),
        ("/verify/fromWebSocketProtocols", json!([{"prefix": "a b"}]), "verify.fromWebSocketProtocols[0].prefix: expected the start of a WebSocket protocol, such as `wristband.bearer.`".into()),
        ("/verify/fromWebSocketProtocols", json!([{"prefix": "wb."}, {"prefix": "wb.b."}]), "verify.fromWebSocketProtocols: the same place is listed already".into()),
        ("/verify/outputClaimToHeaders", json!([{"header": "x-a", "claim": "/a~2"}]), "verify.outputClaimToHeaders[0].claim: not a JSON Pointer: write `~` as `~0`, and `/` in a name as `~1`".into()),
        ("/verify/outputClaimToHeaders", json!([{"header": "x-a", "claim": "a", "format": "json"}]), "verify.outputClaimToHeaders[0].format: expected one of `text`, `percent`, `list`".into()),
        ("/discovery", json!({"hosts": ["https://a.example"]}), "discovery.hosts[0]: expected the name of a host, without scheme, port and path".into()),
        ("/discovery", json!({"hosts": ["a.example:443"]}), "discovery.hosts[0]: expected the name of a host, without scheme, port and path".into()),
        ("/tokenDuration", json!(0), "tokenDuration: expected a whole number from 1 to 86400, found 0".into()),
        ("/tokenDuration", json!(86401), "tokenDuration: expected a whole number from 1 to 86400, found 86401".into()),
        ("/tokenDuration", json!(1.5), "tokenDuration: expected a whole number from 1 to 86400, found 1.5".into()),
        ("/tokenDuration", json!("300"), "tokenDuration: expected a whole number, found a string; write it without unit, fraction and quotes".into()),
        ("/signingKeyRefs", json!([]), "signingKeyRefs: is empty; list at least one".into()),
        ("/signingKeyRefs", json!({}), "signingKeyRefs: expected an array, found an object".into()),
        ("/signingKeyRefs/-", json!({}), "signingKeyRefs[1].name: is missing\nsigningKeyRefs[1].algorithm: is missing\nsigningKeyRefs[1].key: is missing".into()),
        ("/signingKeyRefs/0/algorithm", json!("none"), "signingKeyRefs[0].algorithm: unknown algorithm, expected one of ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA, Ed25519".into()),
        ("/signingKeyRefs/0/algorithm", json!("HS256"), "signingKeyRefs[0].algorithm: unknown algorithm, expected one of ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA, Ed25519".into()),
        ("/signingKeyRefs/0/algorithm", json!("RS256"), "signingKeyRefs[0].key: `RS256` needs an RSA key, found a P-256 key".into()),
        ("/signingKeyRefs/0/algoritm", json!("ES256"), "signingKeyRefs[0].algoritm: unknown field, expected one of `name`, `algorithm`, `key`, `notBefore`, `notAfter`; did you mean `algorithm`?".into()),
        ("/signingKeyRefs/0/key", json!("text"), "signingKeyRefs[0].key: expected `{inlineString: TEXT}` or `{environmentVariable: NAME}`, found a string".into()),
        ("/signingKeyRefs/0/key", json!({}), "signingKeyRefs[0].key: expected exactly one of `inlineString`, `environmentVariable`, `cluster`".into()),
        ("/signingKeyRefs/0/key/environmentVariable", json!("X"), "signingKeyRefs[0].key: expected exactly one of `inlineString`, `environmentVariable`, `cluster`".into()),
        ("/signingKeyRefs/0/notAfter", json!("2026-12-01"), "signingKeyRefs[0].notAfter: expected a time as in RFC 3339, such as `2026-12-01T00:00:00Z`".into()),
        ("/signingKeyRefs/0/notAfter", json!("2036-12-01T00:00:00Z"), "signingKeyRefs[0].notAfter: the key that signs cannot end; put its successor before it first".into()),
        ("/peers/0/keys", json!([]), "peers[0].keys: is empty; list at least one".into()),
        ("/peers/0/publish", json!(true), "peers[0].publish: is gone: whoever verifies with our JWKS alone would take this peer's keys for ours; leave it out, and have consumers fetch the peer's own JWKS (`discovery.trust` shows who is trusted)".into()),
        ("/issue", json!(null), "issue: is null; leave the field out or give it a value".into()),
        ("/verify", json!(null), "verify: is null; leave the field out or give it a value".into()),
        ("/issue/identity", json!({}), "issue.identity: expected exactly one of `header`, `expression`, `wristband`".into()),
        ("/issue/identity", json!({"header": ":path"}), "issue.identity.header: expected the name of a header (no pseudo-header)".into()),
        ("/issue/identity", json!({"header": "Authorization"}), "issue.identity.header: carries credentials, which are nobody's name".into()),
        ("/issue/identity", json!({"header": "proxy-authorization"}), "issue.identity.header: carries credentials, which are nobody's name".into()),
        ("/issue/identity", json!({"header": "cookie"}), "issue.identity.header: carries credentials, which are nobody's name".into()),
        ("/issue/identity", json!({"header": "x-wristband-token"}), "issue.identity.header: carries tokens, which are nobody's name; use `{wristband: true}`".into()),
        ("/issue/identity", json!({"wristband": false}), "issue.identity.wristband: expected true; leave it out otherwise".into()),
        ("/issue/identity", json!({"expression": "broken"}), "issue.identity.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)".into()),
        ("/issue/subject", json!({"expression": "broken"}), "issue.subject.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)".into()),
        ("/issue/subject", json!({"hash": true, "expression": "a"}), "issue.subject: expected exactly one of `expression`, `hash`".into()),
        ("/issue/when", json!({"response": "broken"}), "issue.when.response: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)".into()),
        ("/issue/when", json!({"always": "x"}), "issue.when.always: unknown field, expected one of `request`, `response`".into()),
        ("/issue/placement", json!("both"), "issue.placement: expected one of `response`, `request`".into()),
        ("/issue/header", json!("host"), "issue.header: `host` has a meaning of its own and cannot be used".into()),
        ("/issue/header", json!("a b"), "issue.header: expected the name of a header (no pseudo-header)".into()),
        ("/issue/audiences", json!([""]), "issue.audiences[0]: is empty".into()),
        ("/issue/customClaims", json!({"sub": {"value": "x"}}), "issue.customClaims.sub: `sub` is a reserved claim; set `issue.subject` instead".into()),
        ("/issue/customClaims", json!({"act": {"value": {}}}), "issue.customClaims.act: `act` is a reserved claim; set `issue.chain` instead".into()),
        ("/issue/customClaims", json!({"a": "x"}), "issue.customClaims.a: expected an object, found a string".into()),
        ("/issue/customClaims", json!({"a": {"expression": "broken"}}), "issue.customClaims.a.expression: not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at level `info` (`--component-log-level wasm:info`)".into()),
        ("/verify/mode", json!("off"), "verify.mode: expected one of `require`, `optional`, `observe`".into()),
        ("/verify/clockSkew", json!(301), "verify.clockSkew: expected a whole number from 0 to 300, found 301".into()),
        ("/verify/clockSkew", json!(-1), "verify.clockSkew: expected a whole number from 0 to 300, found -1".into()),
        ("/verify/fromHeaders", json!([]), "verify.fromHeaders: is empty; list at least one".into()),
        ("/verify/fromHeaders", json!([{"name": "a", "prefix": "Bearer"}]), "verify.fromHeaders[0].prefix: expected an authentication scheme and one space, such as `Bearer `".into()),
        ("/verify/fromHeaders", json!([{"name": "a"}, {"name": "A", "prefix": "Bearer "}]), "verify.fromHeaders[1]: the same place is listed already".into()),
        ("/verify/outputClaimToHeaders", json!([{"header": "x-a"}]), "verify.outputClaimToHeaders[0].claim: is missing".into()),
        ("/verify/outputClaimToHeaders", json!([{"header": "x-a", "claim": "a"}, {"header": "X-A", "claim": "b"}]), "verify.outputClaimToHeaders[1].header: the same header as verify.outputClaimToHeaders[0].header".into()),
        ("/verify/outputClaimToHeaders", json!([{"header": "authorization", "claim": "a"}]), "verify.outputClaimToHeaders[0].header: this header carries tokens".into()),
        ("/verify/outputPayloadToHeader", json!("x-wristband-token"), "verify.outputPayloadToHeader: this header carries tokens".into()),
        ("/verify/outputPayloadToHeader", json!("x-user"), "issue.identity.header: is written by `verify`; use `{wristband: true}`".into()),
        ("/issue/cookie", json!({"name": "a="}), "issue.cookie.name: expected the name of a cookie".into()),
        ("/verify/fromCookies", json!(["a b"]), "verify.fromCookies[0]: expected the name of a cookie".into()),
        ("/verify/fromCookies", json!(["a", "a"]), "verify.fromCookies: the same place is listed already".into()),
        ("/verify/fromParams", json!(["a", "a"]), "verify.fromParams: the same place is listed already".into()),
        ("/verify/replay", json!({"cache": 0}), "verify.replay.cache: expected a whole number from 1 to 1000000, found 0".into()),
        ("/verify/revoked", json!([{}]), "verify.revoked[0]: expected exactly one of `kid`, `jti`, `issuer`".into()),
        ("/verify/revoked", json!([{"issuer": B}]), "verify.revoked[0].issuedBefore: is missing".into()),
        ("/verify/revoked", json!([{"kid": "x", "issuedBefore": "2026-01-01T00:00:00Z"}]), "verify.revoked[0].issuedBefore: goes with `issuer`\nverify.revoked[0].kid: no key has this name".into()),
        ("/verify/revoked", json!([{"kid": "a"}]), "verify.revoked[0].kid: is the key that signs; put another one first".into()),
        ("/verify/typ", json!([]), "verify.typ: is empty; list at least one".into()),
        ("/peers/0/subjects", json!([{"suffix": "a"}]), "peers[0].subjects[0].suffix: unknown field, expected one of `exact`, `prefix`".into()),
        ("/peers/0/maxLifetime", json!(0), "peers[0].maxLifetime: expected a whole number from 1 to 31536000, found 0".into()),
        ("/issue/chain", json!(true), "issue.chain: needs `identity: {wristband: true}`".into()),
        ("/issue/maxHops", json!(3), "issue.maxHops: needs `chain: true`".into()),
        ("/issue/cookie", json!({"name": "__Host-a", "path": "/a"}), "issue.cookie.name: `__Host-` needs `secure`, the path `/` and no `domain`; browsers drop it otherwise".into()),
        ("/issue/onFailure", json!("ignore"), "issue.onFailure: expected one of `pass`, `deny`".into()),
        ("/issue/customClaims", json!({"a": {"value": 1, "required": true}}), "issue.customClaims.a.required: a fixed value is always there".into()),
        ("/discovery", json!({"maxAge": 86401}), "discovery.maxAge: expected a whole number from 0 to 86400, found 86401".into()),
        ("/verify/cache", json!({"tokens": 1_000_001}), "verify.cache.tokens: expected a whole number from 0 to 1000000, found 1000001".into()),
        ("/verify/cache", json!({"bytes": -1}), "verify.cache.bytes: expected a whole number from 0 to 1073741824, found -1".into()),
        ("/verify/cache", json!(100), "verify.cache: expected an object, found a number".into()),
        ("/issue/reuse", json!(86401), "issue.reuse: expected a whole number from 0 to 86400, found 86401".into()),
        ("/issue/reuse", json!(true), "issue.reuse: expected a whole number, found a boolean".into()),
        ("/crypto", json!("native"), "crypto: expected one of `auto`, `host`, `wasm`, `tables`".into()),
        ("/crypto", json!("host"), "signingKeyRefs[0].algorithm: the host cannot sign with `ES256`; leave `crypto: host` out\npeers[0].keys[0].algorithm: the host cannot verify with `ES256`; leave `crypto: host` out".into()),
        ("/extra", json!(1), "extra: unknown field, expected one of `issuer`, `tokenDuration`, `signingKeyRefs`, `peers`, `issue`, `verify`, `discovery`, `crypto`, `allowWorthlessKeys`".into()),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(with(pointer, value.clone()), expected, "{pointer} {value}");
    }
}

#[test]
fn fields_that_exclude_each_other_are_refused() {
    let both = json!({"identity": {"header": "x-user"}, "placement": "request", "when": {"response": "true"}});
    assert_eq!(
        with("/issue", both),
        "issue.when.response: cannot be asked: with `placement: request` the wristband is signed before there is a response"
    );
    for (pointer, value, problem) in [
        ("/issue/header", json!("x-sub"), "issue.header: is written by `verify` too"),
        (
            "/issue/identity",
            json!({"header": "x-sub"}),
            "issue.identity.header: is written by `verify`; use `{wristband: true}`",
        ),
        (
            "/issue/identity",
            json!({"header": "x-token"}),
            "issue.identity.header: carries tokens, which are nobody's name; use `{wristband: true}`",
        ),
    ] {
        let mut both = gateway_a();
        set(&mut both, "/issue/placement", json!("request"));
        set(&mut both, "/verify/outputClaimToHeaders", json!([{"header": "x-sub", "claim": "sub"}]));
        set(&mut both, "/verify/fromHeaders", json!([{"name": "x-token"}]));
        set(&mut both, pointer, value);
        assert_eq!(load(&both).err().unwrap(), problem);
    }
    let nothing = "set `issue`, `verify` or both";
    assert_eq!(load(&json!({})).err().unwrap(), nothing);
    assert_eq!(load(&json!({"issuer": A})).err().unwrap(), nothing);
    assert_eq!(load(&json!([])).err().unwrap(), "expected an object, found an array");
    let no_issuer = "issuer: is missing; only a filter that verifies nobody but peers can do without";
    for configuration in [
        json!({"verify": {}, "signingKeyRefs": [key("a", A_PUB)]}),
        json!({"issue": {"identity": {"header": "x-user"}}, "signingKeyRefs": [key("a", A_PEM)]}),
    ] {
        assert_eq!(load(&configuration).err().unwrap(), no_issuer);
    }
    let no_key = "verify: no key could verify anything; list `signingKeyRefs` or `peers`";
    assert_eq!(load(&json!({"verify": {}})).err().unwrap(), format!("{no_issuer}\n{no_key}"));
    assert_eq!(
        load(&json!({"issuer": A, "verify": {}})).err().unwrap(),
        "verify: no key could verify anything; list `signingKeyRefs` or `peers`"
    );
    let mut exchange = gateway_a();
    set(&mut exchange, "/issue/identity", json!({"wristband": true}));
    assert!(load(&exchange).is_ok());
    exchange.as_object_mut().unwrap().remove("verify");
    assert_eq!(load(&exchange).err().unwrap(), "issue.identity.wristband: needs `verify`");
}

#[test]
fn what_has_ended_or_is_revoked_is_not_published() {
    let published = |change: &dyn Fn(&mut Value)| {
        let mut configuration = gateway_a();
        configuration["signingKeyRefs"] = json!([key("a", A_PEM), key("a2", A_NEXT_PUB)]);
        change(&mut configuration);
        let headers = [(&b":method"[..], &b"GET"[..]), (b":path", b"/.well-known/jwks.json")];
        let reply = {
            let gateway = load(&configuration).unwrap().gateway;
            let discovery = gateway.discovery.as_ref().unwrap();
            discovery.answer(&Headers::new(headers.into()), &gateway.ring(), NOW)
        };
        let keys: Value = serde_json::from_str(&reply.unwrap().body).unwrap();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(published(&|_| {}), ["a", "a2"]);
    assert_eq!(published(&|plugin| plugin["verify"]["revoked"] = json!([{"kid": "a2"}])), ["a"]);
    assert_eq!(published(&|plugin| plugin["signingKeyRefs"][1]["notAfter"] = json!("2027-01-15T08:00:00Z")), ["a"]);
    assert_eq!(published(&|plugin| plugin["signingKeyRefs"][1]["notAfter"] = json!("2027-01-15T08:00:01Z")).len(), 2);
}

#[test]
fn a_variable_has_to_be_there_and_to_hold_a_key() {
    let mut configuration = gateway_a();
    set(&mut configuration, "/signingKeyRefs/0/key", json!({"environmentVariable": "A_KEY"}));
    let with = |text: Option<&str>| {
        let environment = text.map(|text| ("A_KEY", text.to_owned())).into_iter().collect();
        load_with(&configuration, &Fake { environment, ..Fake::default() }).err()
    };
    assert_eq!(with(Some(A_PEM)), None);
    let missing = "signingKeyRefs[0].key: the environment variable `A_KEY` is missing or empty; set it, and list it in \
                   `vm_config.environment_variables.host_env_keys`";
    for text in [None, Some(""), Some(" \n")] {
        assert_eq!(with(text).as_deref(), Some(missing));
    }
    assert_eq!(with(Some("-----BEGIN")).as_deref(), Some("signingKeyRefs[0].key: not valid PEM"));
}

#[test]
fn no_message_repeats_a_key_wherever_it_was_put() {
    let body: Vec<_> = A_PEM.lines().filter(|line| !line.starts_with("-----")).collect();
    for pointer in [
        "/issuer",
        "/tokenDuration",
        "/signingKeyRefs",
        "/signingKeyRefs/0/name",
        "/signingKeyRefs/0/algorithm",
        "/signingKeyRefs/0/key",
        "/signingKeyRefs/0/key/inlineString",
        "/signingKeyRefs/0/notAfter",
        "/peers",
        "/peers/0/issuer",
        "/peers/0/keys/0/key",
        "/issue/identity",
        "/issue/placement",
        "/issue/header",
        "/verify/mode",
        "/verify/fromHeaders",
        "/discovery",
    ] {
        let message = with(pointer, json!(A_PEM));
        assert!(body.iter().all(|line| !message.contains(line)), "{pointer}: {message}");
    }
    let name = "expected at most 255 visible ASCII characters without spaces";
    for text in ["a b", "a\u{e9}", &"x".repeat(256)] {
        assert_eq!(with("/signingKeyRefs/0/name", json!(text)), format!("signingKeyRefs[0].name: {name}"));
    }
    let material = "looks like key material; name the key here, its text goes under `key`";
    let der = A_PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for text in [A_PEM, &A_PEM.replace('\n', " "), &der, der.trim_end_matches('='), r#"{"kty":"EC"}"#, "{"] {
        assert_eq!(with("/signingKeyRefs/0/name", json!(text)), format!("signingKeyRefs[0].name: {material}"));
    }
    for text in
        ["x".repeat(255).as_str(), "projects/p/locations/eu/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "did:web:a#0"]
    {
        assert_eq!(with("/signingKeyRefs/0/name", json!(text)), "accepted", "{text}");
    }
    let hex = "A7".repeat(32);
    for text in [A_PEM, A_PEM.lines().nth(1).unwrap(), &hex] {
        let message = with("/signingKeyRefs/0/key", json!({"environmentVariable": text}));
        assert!(
            message.starts_with("signingKeyRefs[0].key: the environment variable is missing or empty"),
            "{message}"
        );
    }
    let line = A_PEM.lines().nth(1).unwrap();
    for place in ["/signingKeyRefs/0/key", "/issue/customClaims", "/issue"] {
        let message = with(place, json!({line: {}}));
        assert!(message.contains("<member>: ") && !message.contains(line), "{message}");
    }
    let twice = format!("{{\"{line}\":1,\"{line}\":1}}");
    let message = super::load(twice.as_bytes(), &Fake::default()).err().unwrap()[0].to_string();
    assert_eq!(message, "<member>: the same member twice");
    let broken = A_PEM.replace("MIG", "M?G");
    let message = with("/signingKeyRefs", json!([key("a", &broken)]));
    assert_eq!(message, "signingKeyRefs[0].key: not valid PEM");
}

#[test]
fn what_excludes_a_delivery_is_refused() {
    let same = json!({"identity": {"header": "x-ours"}, "header": "x-ours", "placement": "request"});
    let alone = json!({"issuer": A, "signingKeyRefs": [key("a", A_PEM)], "issue": same});
    assert_eq!(
        load(&alone).err().unwrap(),
        "issue.identity.header: delivers the wristband; what a client writes into it would be its name"
    );
    let cookie = json!({"identity": {"header": "x-user"}, "placement": "request", "cookie": {}});
    assert_eq!(with("/issue", cookie), "issue.cookie: is set with a response; it excludes `placement: request`");
}

#[test]
fn a_replay_memory_needs_shared_data() {
    let mut configuration = gateway_a();
    set(&mut configuration, "/verify/replay", json!({"cache": 100}));
    let host = Fake { no_shared: true, ..Fake::default() };
    assert_eq!(
        load_with(&configuration, &host).err().unwrap(),
        "verify.replay: the host keeps no shared data; allow `proxy_get_shared_data` and `proxy_set_shared_data`"
    );
    assert!(load(&configuration).is_ok());
}

/// Whether or not this filter looks for credentials there itself.
#[test]
fn a_credential_is_nobody_s_name() {
    for header in ["authorization", "proxy-authorization", "cookie", "x-wristband-token"] {
        let issue = json!({"identity": {"header": header}, "header": "x-ours"});
        let alone = json!({"issuer": A, "signingKeyRefs": [key("a", A_PEM)], "issue": issue});
        let problem = load(&alone).err().unwrap();
        assert!(problem.starts_with("issue.identity.header: carries "), "{problem}");
    }
}

#[test]
fn a_peer_whose_keys_are_of_no_use_or_are_ours_too_is_warned_of() {
    let fresh = crate::testing::fresh_public_key();
    let of_peers = |mut configuration: Value, pem: &str| {
        configuration["peers"] = json!([{"issuer": B, "keys": [key("b", pem)]}]);
        let mut warnings = warnings(&configuration);
        warnings.retain(|warning| warning.starts_with("peers[0]: "));
        warnings
    };
    let signs = json!({"issuer": A, "signingKeyRefs": [key("a", A_PEM)], "issue": {"identity": {"header": "x-user"}}});
    let unused = "peers[0]: without `verify` nothing is done with its keys";
    assert_eq!(of_peers(signs, &fresh), [unused]);
    assert!(of_peers(json!({"verify": {}}), &fresh).is_empty());
    let ours =
        "peers[0]: one of its keys is a key of our own too; whoever holds its private half speaks for both issuers";
    assert_eq!(of_peers(gateway_a(), A_PUB), [ours]);
    assert!(of_peers(gateway_a(), &fresh).is_empty());
}

#[test]
fn a_key_of_the_samples_and_a_private_key_in_the_configuration_are_warned_of() {
    let worthless = "a key of the samples, whose private half everyone has; replace it unless this is a test";
    assert_eq!(
        warnings(&gateway_a()),
        [
            "signingKeyRefs[0].key: a private key in the configuration, which /config_dump shows; deliver it by \
             `environmentVariable`"
                .to_owned(),
            format!("signingKeyRefs[0].key: {worthless}"),
            format!("peers[0].keys[0].key: {worthless}"),
        ]
    );
    // Each of them, and no other.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/worthless-keys");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.to_string_lossy().ends_with(".pub.pem") {
            let pem = std::fs::read_to_string(&file).unwrap();
            let configuration = json!({"issuer": A, "signingKeyRefs": [key("k", &pem)], "verify": {}});
            assert_eq!(warnings(&configuration), [format!("signingKeyRefs[0].key: {worthless}")], "{}", file.display());
            count += 1;
        }
    }
    assert_eq!(count, 5);
    let fresh = crate::testing::fresh_public_key();
    assert!(warnings(&json!({"issuer": A, "signingKeyRefs": [key("k", &fresh)], "verify": {}})).is_empty());
}

#[test]
fn one_key_cannot_stand_twice_with_two_algorithms() {
    let pem = include_str!("../../testdata/worthless-keys/forms/rsa.pub.pem");
    let key = |name: &str, algorithm: &str| json!({"name": name, "algorithm": algorithm, "key": {"inlineString": pem}});
    let keys = json!([key("1", "RS256"), key("2", "PS256")]);
    let configuration = json!({"peers": [{"issuer": B, "keys": keys}], "verify": {}});
    assert_eq!(load(&configuration).err().unwrap(), "peers[0].keys[1].key: the same key as that of peers[0].keys[0]");
}

#[test]
fn an_expression_that_envoy_takes_long_for_is_shown_how_not_to() {
    let said = |source: &str| {
        let mut configuration = gateway_a();
        set(&mut configuration, "/issue/customClaims", json!({"roles": {"expression": source}}));
        let warnings = warnings(&configuration);
        warnings.into_iter().find(|warning| warning.starts_with("issue.customClaims.roles.expression: "))
    };
    for source in ["P.map(r, r)", "P.filter(r, r != '')"] {
        let expected = "issue.customClaims.roles.expression: calls `map` or `filter`, for which Envoy takes quadratic \
             time: keep the list short by `size(LIST) <= 256 ? LIST.map(...) : []`, or a condition by `size(LIST) <= 256 \
             && ...`";
        assert_eq!(said(source).as_deref(), Some(expected));
    }
    for source in ["size(P) <= 256 ? P.map(r, r) : []", "P.exists(r, r == 'a')", "P"] {
        assert_eq!(said(source), None, "{source}");
    }
}

#[test]
fn a_key_whose_private_half_everyone_has_is_refused_wherever_it_stands() {
    const ERROR: &str = "a key of the samples, whose private half everyone has; replace it, or set \
         `allowWorthlessKeys: true` if this is a test";
    // One of RFC 7515, and one that is there as a certificate alone.
    let of_the_rfc = json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let certificate = include_str!("../../testdata/worthless-certificates/alice.pem");
    let mut configuration = gateway_a();
    set(&mut configuration, "/signingKeyRefs/-", key("fresh", &crate::testing::fresh_public_key()));
    set(&mut configuration, "/signingKeyRefs/-", key("rfc", &of_the_rfc.to_string()));
    set(&mut configuration, "/peers/0/keys/-", key("alice", certificate));
    let places = ["signingKeyRefs[0].key", "signingKeyRefs[2].key", "peers[0].keys[0].key", "peers[0].keys[1].key"];
    set(&mut configuration, "/allowWorthlessKeys", json!(false));
    let expected = places.map(|place| format!("{place}: {ERROR}"));
    assert_eq!(load(&configuration).err().unwrap(), expected.join("\n"));
    set(&mut configuration, "/allowWorthlessKeys", json!(true));
    let warnings = warnings(&configuration);
    for place in places {
        assert!(
            warnings.iter().any(|warning| warning.starts_with(&format!("{place}: a key of the samples"))),
            "{place}"
        );
    }
    assert_eq!(warnings.iter().filter(|warning| warning.contains("samples")).count(), places.len());
}

#[test]
fn every_member_that_stands_twice_is_said_and_the_other_mistakes_too() {
    let text = r#"{"issuer": "https://a.example", "issuer": 7, "verify": {"mode": "observe", "mode": "x", "clockSkew": 500},
        "peers": [{"issuer": "b", "keys": []}, {"issuer": "c", "issuer": "c", "keys": []}]}"#;
    let problems = super::load(text.as_bytes(), &Fake::default()).err().unwrap();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for expected in [
        "issuer: the same member twice",
        "verify.mode: the same member twice",
        "peers[1].issuer: the same member twice",
        "verify.clockSkew: expected a whole number from 0 to 300, found 500",
        "peers[0].keys: is empty; list at least one",
    ] {
        assert!(said.iter().any(|said| said == expected), "{expected}: {said:?}");
    }
}

#[test]
fn a_key_begins_and_ends_in_this_order_and_the_one_that_signs_does_neither() {
    let at = |seconds: u32| chrono::DateTime::from_timestamp(NOW.after(seconds).0, 0).unwrap().naive_utc();
    let rfc3339 = |seconds: u32| format!("{:?}Z", at(seconds));
    let with = |index: usize, member: &str, value: String| {
        let mut configuration = gateway_a();
        set(&mut configuration, "/signingKeyRefs/-", key("next", A_NEXT_PUB));
        set(&mut configuration, &format!("/signingKeyRefs/{index}/{member}"), value.into());
        configuration
    };
    let error = |configuration: &Value| load(configuration).err();
    assert_eq!(
        error(&with(0, "notBefore", rfc3339(0))).unwrap(),
        "signingKeyRefs[0].notBefore: the key that signs cannot begin later; announce it by its public half behind the one \
         that signs until then"
    );
    let mut backwards = with(1, "notBefore", rfc3339(60));
    set(&mut backwards, "/signingKeyRefs/1/notAfter", rfc3339(60).into());
    assert_eq!(error(&backwards).unwrap(), "signingKeyRefs[1].notAfter: is not after `notBefore`");
    set(&mut backwards, "/signingKeyRefs/1/notAfter", rfc3339(61).into());
    assert_eq!(error(&backwards), None);
    let said = |seconds: u32| {
        let warnings = warnings(&with(1, "notAfter", rfc3339(seconds)));
        warnings.into_iter().find(|warning| warning.starts_with("signingKeyRefs[1].notAfter: "))
    };
    assert_eq!(
        said(120).unwrap(),
        "signingKeyRefs[1].notAfter: is 120 seconds from now: if the key has signed until now, its wristbands live 300 \
         seconds more, and `discovery.maxAge` is 300; let it end 630 seconds after it last signed"
    );
    assert_eq!([said(0), said(630)], [None, None]);
    assert!(said(629).is_some());
}

#[test]
fn a_peer_s_keys_may_come_as_the_set_that_it_publishes() {
    let jwk = |name: &str, pem: &str| {
        let Ok(crate::keys::Material::Public(key)) = crate::keys::Material::parse(pem, Algorithm::Es256) else {
            panic!("{name}")
        };
        let mut jwk: Value = serde_json::from_str(&key.to_jwk().to_string()).unwrap();
        jwk["kid"] = name.into();
        jwk
    };
    let peer = |jwks: Value| json!({"issuer": B, "jwks": jwks});
    let inline = |set: &Value| peer(json!({"inlineString": set.to_string()}));
    let set = json!({"keys": [jwk("b", B_PUB), jwk("next", A_NEXT_PUB), {"kty": "oct", "k": "AA"}]});
    let load_peer = |peer: Value| {
        let mut configuration = gateway_a();
        configuration["peers"] = json!([peer]);
        let host = Fake { environment: [("SET", set.to_string())].into(), ..Fake::default() };
        load_with(&configuration, &host)
    };
    let token = crate::testing::sign(B_PEM, "b", &crate::testing::claims(B));
    for from in [inline(&set), peer(json!({"environmentVariable": "SET"}))] {
        let compiled = load_peer(from).unwrap();
        assert!(crate::testing::verify(&compiled.gateway, token.as_bytes(), NOW, &Fake::default()).is_ok());
        let said: Vec<_> = compiled.report.warnings.iter().map(ToString::to_string).collect();
        let left_out =
            "peers[0].jwks: keys[2] of the set is left out: a symmetric key, which fits none of the algorithms";
        assert!(said.iter().any(|warning| warning == left_out), "{said:?}");
    }
    let error = |peer: Value| load_peer(peer).err().unwrap();
    let mut both = inline(&set);
    both["keys"] = json!([key("b", B_PUB)]);
    assert_eq!(error(both), "peers[0].jwks: excludes `keys`; leave one of them out");
    let mut limited = inline(&set);
    limited["algorithms"] = json!(["ES384", "RS256"]);
    assert_eq!(
        error(limited),
        "peers[0].jwks: no key of the JWK Set can be used: keys[0]: a P-256 key, which fits none of the algorithms"
    );
    let mut alone = json!({"issuer": B, "keys": [key("b", B_PUB)]});
    alone["algorithms"] = json!(["ES256"]);
    assert_eq!(
        error(alone),
        "peers[0].algorithms: goes with `jwks` and `remoteJwks`; each of `keys` has its own `algorithm`"
    );
    assert_eq!(error(inline(&jwk("b", B_PUB))), "peers[0].jwks: expected a JWK Set, an object with an array `keys`");
    let mut private = set.clone();
    private["keys"][1]["d"] = json!("AAAA");
    assert!(error(inline(&private)).starts_with("peers[0].jwks: keys[1] of the JWK Set has a private `d`; "));
    let absent = peer(json!({"environmentVariable": "ABSENT"}));
    assert!(error(absent).starts_with("peers[0].jwks: the environment variable `ABSENT` is missing or empty"));
    // A key of a set can be revoked by its name, as any other.
    let mut configuration = gateway_a();
    configuration["peers"] = json!([inline(&set)]);
    set_revoked(&mut configuration, "next");
    assert!(load(&configuration).is_ok());
    set_revoked(&mut configuration, "nobody");
    assert_eq!(load(&configuration).err().unwrap(), "verify.revoked[0].kid: no key has this name");
    // It may be that of one in a set that is not at hand.
    configuration["peers"][0]["jwks"] = json!({"environmentVariable": "ABSENT"});
    let problem = load(&configuration).err().unwrap();
    assert!(problem.contains("`ABSENT` is missing or empty") && !problem.contains("revoked"), "{problem}");
}

fn set_revoked(configuration: &mut Value, name: &str) {
    configuration["verify"]["revoked"] = json!([{"kid": name}]);
}

#[test]
fn what_is_fetched_has_rules_of_its_own() {
    let base = || {
        json!({
            "issuer": A,
            "signingKeyRefs": [{"algorithm": "ES256", "key": {"cluster": "k", "path": "/key"}}],
            "peers": [{"issuer": B, "remoteJwks": {"cluster": "b"}}],
            "issue": {"identity": {"header": "x-user"}},
            "verify": {},
        })
    };
    let problems = |pointer: &str, value: Value| {
        let mut configuration = base();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match configuration.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.push(value),
            parent => parent[name] = value,
        }
        load(&configuration).err().unwrap_or_default()
    };
    let second = json!({"algorithm": "ES256", "key": {"cluster": "k", "path": "/next"}});
    let peers_key = json!([{"name": "b", "algorithm": "ES256", "key": {"cluster": "b"}}]);
    let uri = "expected an absolute http or https URL without user and fragment";
    for (pointer, value, expected) in [
        ("/discovery", json!({}), String::new()),
        ("/signingKeyRefs/0/name", json!("a"), "signingKeyRefs[0].name: of a key by `cluster` its text alone says; leave it out".into()),
        ("/signingKeyRefs/0/notBefore", json!("2026-01-01T00:00:00Z"), "signingKeyRefs[0].notBefore: of a key by `cluster` its text alone says; leave it out".into()),
        ("/signingKeyRefs/0/notAfter", json!("2036-01-01T00:00:00Z"), "signingKeyRefs[0].notAfter: of a key by `cluster` its text alone says; leave it out".into()),
        ("/signingKeyRefs/0/key", json!({"cluster": "k"}), "signingKeyRefs[0].key.path: is missing".into()),
        ("/signingKeyRefs/0/key", json!({"path": "/key", "inlineString": A_PEM}), "signingKeyRefs[0].name: is missing\nsigningKeyRefs[0].key.path: goes with `cluster`".into()),
        ("/signingKeyRefs/0/key/inlineString", json!(A_PEM), "signingKeyRefs[0].key: expected exactly one of `inlineString`, `environmentVariable`, `cluster`".into()),
        ("/signingKeyRefs/0/key/path", json!("key"), "signingKeyRefs[0].key.path: expected a path that starts with `/`, of visible ASCII characters without `#`".into()),
        ("/signingKeyRefs/0/key/refresh", json!(0), "signingKeyRefs[0].key.refresh: expected a whole number from 1 to 3600, found 0".into()),
        ("/signingKeyRefs/0/key/announce", json!(86401), "signingKeyRefs[0].key.announce: expected a whole number from 0 to 86400, found 86401".into()),
        ("/signingKeyRefs/-", second, "signingKeyRefs[1].key: only the key that signs is fetched by `cluster`; public ones can stand behind it in the same text".into()),
        ("/peers/0/remoteJwks", json!({}), "peers[0].remoteJwks.cluster: is missing".into()),
        ("/peers/0/remoteJwks/uri", json!("/certs"), format!("peers[0].remoteJwks.uri: {uri}")),
        ("/peers/0/remoteJwks/uri", json!("https://user@b.example/certs"), format!("peers[0].remoteJwks.uri: {uri}")),
        ("/peers/0/remoteJwks/uri", json!("https://b.example/certs#x"), format!("peers[0].remoteJwks.uri: {uri}")),
        ("/peers/0/remoteJwks/uri", json!("https://b.example:8443/certs?x=1"), String::new()),
        ("/peers/0/issuer", json!("sa@project.example"), "peers[0].remoteJwks.uri: is missing; the issuer is no URL, under which the set would be looked for".into()),
        ("/peers/0/remoteJwks/refresh", json!(86401), "peers[0].remoteJwks.refresh: expected a whole number from 1 to 86400, found 86401".into()),
        ("/peers/0/remoteJwks/timeout", json!(61), "peers[0].remoteJwks.timeout: expected a whole number from 1 to 60, found 61".into()),
        ("/peers/0/remoteJwks/staleFor", json!(2_592_001), "peers[0].remoteJwks.staleFor: expected a whole number from 0 to 2592000, found 2592001".into()),
        ("/peers/0/jwks", json!({"inlineString": "{}"}), "peers[0].remoteJwks: excludes `jwks`; leave one of them out".into()),
        ("/peers/0/keys", json!([]), "peers[0].remoteJwks: excludes `keys`; leave one of them out".into()),
        ("/peers/-", json!({"issuer": "https://c.example", "keys": peers_key}), "peers[1].keys[0].key.cluster: is for our own key; a peer's are fetched by `remoteJwks`, in the place of `keys`".into()),
        ("/peers/0/label", json!("west.example"), String::new()),
        ("/peers/0/label", json!("w".repeat(256)), "peers[0].label: expected at most 255 characters".into()),
        ("/verify/revoked", json!([{"kid": "whatever"}]), String::new()),
    ] {
        let found = problems(pointer, value);
        if expected.is_empty() || !found.contains(&expected) {
            assert_eq!(found, expected, "{pointer}");
        }
    }
    // Nobody signs, so nobody needs a private key.
    let mut configuration = base();
    configuration.as_object_mut().unwrap().remove("issue");
    assert_eq!(
        load(&configuration).err().unwrap(),
        "signingKeyRefs[0].key: a private key by `cluster` where nothing is signed; without `issue` there is none"
    );
}

#[test]
fn what_would_break_someone_with_fetched_keys_is_warned_of() {
    let mut configuration = json!({
        "issuer": A,
        "signingKeyRefs": [{"algorithm": "ES256", "key": {"cluster": "k", "path": "/key", "announce": 100}}],
        "peers": [
            {"issuer": "https://sso.example/realms/one", "remoteJwks": {"cluster": "b"}},
            {"issuer": "https://sso.example/realms/two", "remoteJwks": {"cluster": "b"}},
        ],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"revoked": [{"kid": "x"}]},
    });
    let warnings = |configuration: &Value| {
        let report = load(configuration).unwrap().report;
        report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(&configuration),
        [
            "peers[1]: has the metrics of peers[0]; give one of them a `label`",
            "verify.revoked[0].kid: no key of the configuration has this name; it may be that of one that is fetched",
            "signingKeyRefs[0].key.announce: is 100 seconds, and `discovery.maxAge` 300: whoever has kept our JWKS for so long will \
             not know the key that signs by then; let it be longer",
        ]
    );
    configuration["signingKeyRefs"][0]["key"]["announce"] = 0.into();
    configuration["peers"][1]["label"] = "two".into();
    configuration["verify"] = json!({});
    assert!(warnings(&configuration).is_empty());
    let summary = load(&configuration).unwrap().report.summary;
    assert!(summary.contains("discovery yes, fetched from 3 places, version"), "{summary}");
}

#[test]
fn the_log_names_each_issuer_s_keys_and_their_times_and_fifty_of_them_at_most() {
    let mut configuration = gateway_a();
    configuration["signingKeyRefs"].as_array_mut().unwrap().push(key("old", A_NEXT_PUB));
    configuration["signingKeyRefs"][1]["notAfter"] = "2027-02-01T00:00:00Z".into();
    configuration["peers"][0]["keys"][0]["notBefore"] = "2027-01-01T00:00:00Z".into();
    let remote = json!({"issuer": "https://c.example", "remoteJwks": {"cluster": "c"}});
    configuration["peers"].as_array_mut().unwrap().push(remote);
    let lines = |configuration: &Value| super::key_lines(&load(configuration).unwrap().gateway.ring());
    assert_eq!(
        lines(&configuration),
        [
            "our own keys, of https://cluster-a.example.com: a, old until 2027-02-01T00:00:00Z",
            "keys of https://c.example: none fetched yet",
            "keys of https://cluster-b.example.com: b from 2027-01-01T00:00:00Z",
        ]
    );
    let peer = |number: usize| json!({"issuer": format!("https://{number}.example"), "keys": [key("k", B_PUB)]});
    configuration["peers"] = (10..70).map(peer).collect();
    let lines = lines(&configuration);
    assert_eq!(lines.iter().filter(|line| line.ends_with(": k")).count(), 48);
    assert_eq!((lines.len(), lines[49].as_str()), (50, "and 12 more keys"));
}

#[test]
fn an_issuer_that_will_have_no_key_is_told_a_week_before() {
    let mut configuration = gateway_a();
    configuration["peers"][0]["keys"] = json!([key("b", B_PUB), key("b2", A_NEXT_PUB)]);
    let endings = |configuration: &Value| {
        let found = super::endings(&load(configuration).unwrap().gateway.ring(), NOW);
        found.into_iter().map(|Ending { issuer, key, .. }| format!("{} {}", issuer.name, key.name)).collect::<Vec<_>>()
    };
    let at = |left: i64| Value::from(crate::time::Timestamp(NOW.0 + left).to_rfc3339());
    configuration["peers"][0]["keys"][0]["notAfter"] = at(100);
    assert!(endings(&configuration).is_empty(), "it has a successor");
    configuration["peers"][0]["keys"][1]["notAfter"] = at(200);
    assert_eq!(endings(&configuration), [format!("{B} b2")]);
    configuration["peers"][0]["keys"][1]["notAfter"] = at(8 * 86_400);
    assert!(endings(&configuration).is_empty(), "there is time");
    // A successor that begins too late is none.
    configuration["peers"][0]["keys"][1].as_object_mut().unwrap().remove("notAfter");
    configuration["peers"][0]["keys"][1]["notBefore"] = at(101);
    assert_eq!(endings(&configuration), [format!("{B} b")]);
    configuration["peers"][0]["keys"][1]["notBefore"] = at(100);
    assert!(endings(&configuration).is_empty(), "it begins when the other one ends");
    configuration["peers"][0]["keys"][1].as_object_mut().unwrap().remove("notBefore");
    // What has ended is no longer about to.
    configuration["peers"][0]["keys"][0]["notAfter"] = at(-1);
    configuration["peers"][0]["keys"][1]["notAfter"] = at(0);
    assert!(endings(&configuration).is_empty());
}

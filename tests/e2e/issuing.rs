//! Wristbands from every source of identity that Envoy has, delivered in every way there is.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::support::config::{cluster, filter, gateways, jwks, jwt_authn, listener, private, public, to_upstream};
use crate::support::envoy::{Envoy, free_port, validate};
use crate::support::token::{self, A, B};
use crate::support::{http, key};

const IDP: &str = "https://idp.example.com";

/// A gateway of cluster A that signs.
fn signer(issue: Value) -> Value {
    json!({"issuer": A, "signingKeyRefs": [private("cluster-a-2026-11", "KEY")], "issue": issue})
}

fn start(bootstrap: &Value) -> Envoy {
    Envoy::start(bootstrap, &[("KEY", &key("cluster-a-2026-11"))])
}

/// What the payload of a wristband is besides what differs from one to the next.
fn claims_of(answer: &http::Answer) -> Value {
    let mut claims = token::payload(answer.wristband().unwrap_or_else(|| panic!("no wristband: {answer:?}")));
    for name in ["iat", "nbf", "exp", "jti"] {
        assert!(claims.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    claims
}

#[test]
fn an_identity_provider_s_token_becomes_a_wristband_before_and_after_jwt_authn() {
    let plugin = signer(json!({
        "identity": {"expression": "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload"},
        "audiences": ["federation", "audit"],
        "customClaims": {
            "region": {"value": "eu-1"},
            "roles": {"expression": "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload.roles"},
            "age": {"expression": "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload.age"},
            "none": {"expression": "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload.none"},
        },
    }));
    let idp = jwt_authn(IDP, &jwks("stranger"), true);
    let setup = gateways(vec![vec![filter(&plugin), idp.clone()], vec![idp, filter(&plugin)]]);
    let envoy = start(&setup.bootstrap);
    // A null somewhere inside makes CEL give up the whole payload.
    let mut claims = token::claims(IDP);
    claims["roles"] = json!(["admin", {"of": ["x", 1]}]);
    claims["age"] = json!(42);
    claims["nothing"] = json!(null);
    let login = format!("Bearer {}", token::sign("stranger", &claims));
    let mut ids = Vec::new();
    for url in &setup.urls {
        let answer = http::get_with(url, &[("authorization", &login)]);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let expected = json!({
            "iss": A, "sub": "alice", "aud": ["federation", "audit"], "region": "eu-1", "age": 42,
            "roles": ["admin", {"of": ["x", 1]}],
        });
        assert_eq!(claims_of(&answer), expected);
        let header = json!({"alg": "ES256", "kid": "cluster-a-2026-11", "typ": "JWT"});
        assert_eq!(token::header(answer.wristband().unwrap()), header);
        ids.push(token::payload(answer.wristband().unwrap())["jti"].clone());
        assert_eq!(http::get(url).wristband(), None);
        let forged = format!("Bearer {}", token::sign("cluster-b-2026-10", &token::claims(IDP)));
        let denied = http::get_with(url, &[("authorization", &forged)]);
        assert_eq!((denied.status, denied.wristband()), (401, None));
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(envoy.count("issued"), 2);
    assert_eq!(envoy.count("issue_skipped.no_identity"), 2);
    // Where jwt_authn comes first, the filter never saw the request.
    assert_eq!(envoy.count("issue_skipped.response_status"), 1);
}

#[test]
fn values_of_expressions_keep_their_type_in_both_phases() {
    let expressions = [
        ("string", "request.headers['x-digits']", json!("12345678")),
        ("int", "-1 + size(request.path)", json!(3)),
        ("uint", "7u", json!(7)),
        ("double", "1.5", json!(1.5)),
        ("whole", "4.0", json!(4)),
        ("bool", "request.path == '/abc'", json!(true)),
        ("list", "['a', 1, 2.5, true, ['b', []], {'c': null}]", json!(["a", 1, 2.5, true, ["b", []], {"c": null}])),
        ("map", "{'a': {'b': {'c': [1]}}, 'd': 'e'}", json!({"a": {"b": {"c": [1]}}, "d": "e"})),
        ("headers", "request.headers.exists(name, name == 'x-digits')", json!(true)),
        ("late", "response.code", json!(200)),
        ("comment", "'a' // b", json!("a")),
    ];
    let mut custom: serde_json::Map<String, Value> =
        expressions.iter().map(|(name, source, _)| ((*name).to_owned(), json!({"expression": source}))).collect();
    for (name, source) in
        [("null", "null"), ("absent", "request.headers['x-absent']"), ("zero", "1 / 0"), ("time", "request.time")]
    {
        custom.insert(name.to_owned(), json!({"expression": source}));
    }
    let setup =
        gateways(vec![vec![filter(&signer(json!({"identity": {"header": "x-user"}, "customClaims": custom})))]]);
    let _envoy = start(&setup.bootstrap);
    let answer = http::get_with(&format!("{}/abc", setup.urls[0]), &[("x-user", "alice"), ("x-digits", "12345678")]);
    let mut expected = json!({"iss": A, "sub": "alice"});
    for (name, _, value) in expressions {
        expected[name] = value;
    }
    assert_eq!(claims_of(&answer), expected);
}

#[test]
fn a_claim_does_not_disappear_because_its_user_makes_it_long() {
    let roles = "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload.roles";
    let idp = jwt_authn(IDP, &jwks("stranger"), true);
    let gateway = |expression: String| {
        let issue = json!({"identity": {"header": "x-user"}, "customClaims": {"all": {"expression": expression}}});
        vec![idp.clone(), filter(&signer(issue))]
    };
    let setup = gateways(vec![
        gateway(roles.to_owned()),
        gateway(format!("[{roles}]")),
        gateway(format!("{{'deep': {{'er': {roles}}}}}")),
        gateway(format!("{roles}.map(role, role).filter(role, role.startsWith('deny'))")),
    ]);
    let envoy = start(&setup.bootstrap);
    let ask = |gateway: usize, roles: Value| {
        let mut claims = token::claims(IDP);
        claims["roles"] = roles;
        let login = format!("Bearer {}", token::sign("stranger", &claims));
        let answer = http::get_with(&setup.urls[gateway], &[("authorization", &login), ("x-user", "alice")]);
        assert_eq!(answer.status, 200);
        answer.wristband().map(|wristband| token::payload(wristband)["all"].clone())
    };
    let list = |count: usize| Value::from(vec!["r"; count]);
    for (gateway, most) in [(0, 256), (1, 255), (2, 254)] {
        let wrapped = |roles: Value| match gateway {
            0 => roles,
            1 => json!([roles]),
            _ => json!({"deep": {"er": roles}}),
        };
        for count in [0, 1, most] {
            assert_eq!(ask(gateway, list(count)), Some(wrapped(list(count))), "{gateway} {count}");
        }
        let before = envoy.count("issue_skipped.claim_too_large");
        for count in [most + 1, 5000] {
            assert_eq!(ask(gateway, list(count)), None, "{gateway} {count}");
        }
        assert_eq!(envoy.count("issue_skipped.claim_too_large"), before + 2);
        let mixed = json!(["a", 1, {"b": "c"}, null]);
        assert_eq!(ask(gateway, mixed.clone()), Some(wrapped(mixed)), "{gateway}");
    }
    // A fifth level.
    assert_eq!(ask(2, json!([{"b": ["c"]}])), None);
    assert_eq!(ask(3, json!(["deny-all", "admin"])), Some(json!(["deny-all"])));
    // Here it is the host that gives up.
    let long = Value::from([vec!["deny-all"], vec!["r"; 5100]].concat());
    assert_eq!(ask(3, long), None);
    assert_eq!(envoy.count("issue_skipped.claim_missing"), 1);
}

#[test]
fn an_expression_that_does_not_compile_is_refused_and_envoy_says_where() {
    let plugin =
        signer(json!({"identity": {"header": "x-user"}, "customClaims": {"a": {"expression": "request.path ++ 'x'"}}}));
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let log = validate(&setup.bootstrap, &[("KEY", &key("cluster-a-2026-11"))]).unwrap_err();
    assert!(log.contains("configuration rejected: issue.customClaims.a.expression: not a CEL expression"), "{log}");
    assert!(log.contains("expr_create parse error: ERROR: <input>:1:15"), "{log}");
}

#[test]
fn conditions_are_asked_in_their_phase() {
    let plugin = signer(json!({
        "identity": {"header": "x-user"},
        "subject": {"expression": "request.headers['x-name']"},
        "when": {"request": "request.path.startsWith('/login')", "response": "response.code == 201"},
    }));
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let envoy = start(&setup.bootstrap);
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let answer = http::get_with(&format!("{}{path}", setup.urls[0]), headers);
        answer.wristband().map(|token| token::payload(token)["sub"].clone())
    };
    let (user, name, created) = (("x-user", "alice"), ("x-name", "Alice"), ("x-echo-status", "201"));
    assert_eq!(ask("/login", &[user, name, created]), Some(json!("Alice")));
    assert_eq!(ask("/other", &[user, name, created]), None);
    assert_eq!(ask("/login", &[user, name]), None);
    assert_eq!(ask("/login", &[user, created]), None);
    assert_eq!(ask("/login", &[name, created]), None);
    assert_eq!(ask("/login", &[user, name, ("x-echo-status", "404")]), None);
    for (counter, count) in [("condition", 2), ("no_subject", 1), ("no_identity", 1), ("response_status", 1)] {
        assert_eq!(envoy.count(&format!("issue_skipped.{counter}")), count, "{counter}");
    }
}

#[test]
fn an_external_authorizer_s_word_is_taken_before_and_after_it() {
    let authorizer = free_port();
    let lua = json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": r#"
                function envoy_on_request(request)
                  if request:headers():get("authorization") == "Basic Y2Fyb2w6c2VjcmV0" then
                    request:respond({[":status"] = "200", ["x-auth-user"] = "carol"}, "")
                  else
                    request:respond({[":status"] = "403"}, "")
                  end
                end"#},
        },
    });
    let ext_authz = json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "http_service": {
                "server_uri": {"uri": "http://authorizer", "cluster": "authorizer", "timeout": "5s"},
                "authorization_response": {
                    "allowed_upstream_headers": {"patterns": [{"exact": "x-auth-user"}]},
                    "dynamic_metadata_from_headers": {"patterns": [{"exact": "x-auth-user"}]},
                },
            },
        },
    });
    let before = signer(
        json!({"identity": {"expression": "metadata.filter_metadata['envoy.filters.http.ext_authz']['x-auth-user']"}}),
    );
    let after = signer(json!({"identity": {"header": "x-auth-user"}}));
    let mut setup = gateways(vec![vec![filter(&before), ext_authz.clone()], vec![ext_authz, filter(&after)]]);
    let resources = &mut setup.bootstrap["static_resources"];
    resources["clusters"].as_array_mut().unwrap().push(cluster("authorizer", authorizer));
    resources["listeners"].as_array_mut().unwrap().push(listener("authorizer", authorizer, vec![lua], to_upstream()));
    let _envoy = start(&setup.bootstrap);
    for url in &setup.urls {
        // The client's own x-auth-user is overwritten by the authorizer's.
        let login = [("authorization", "Basic Y2Fyb2w6c2VjcmV0"), ("x-auth-user", "mallory")];
        assert_eq!(claims_of(&http::get_with(url, &login))["sub"], "carol");
        let denied = http::get_with(url, &[("x-auth-user", "mallory")]);
        assert_eq!((denied.status, denied.wristband()), (403, None));
    }
}

#[test]
fn an_upstream_can_be_given_the_wristband_instead_of_the_client() {
    let issue = |header: &str| json!({"identity": {"header": "x-user"}, "placement": "request", "header": header});
    let setup = gateways(vec![vec![filter(&signer(issue("x-wristband-token")))]]);
    let envoy = start(&setup.bootstrap);
    let answer = http::get_with(
        &setup.urls[0],
        &[("x-user", "alice"), ("x-wristband-token", "forged"), ("x-echo-status", "404")],
    );
    let token = answer.received("x-wristband-token").unwrap();
    assert_eq!(token::payload(token)["sub"], "alice");
    assert_eq!((answer.wristband(), answer.header("cache-control")), (None, None));
    let answer = http::get_with(&setup.urls[0], &[("x-wristband-token", "forged"), ("X-Wristband-Token", "twice")]);
    assert_eq!(answer.received("x-wristband-token"), None);
    assert_eq!(envoy.count("issued"), 1);
}

#[test]
fn nobody_names_himself_in_the_header_that_delivers() {
    let issue =
        json!({"identity": {"expression": "request.headers['x-id']"}, "placement": "request", "header": "x-id"});
    let setup = gateways(vec![vec![filter(&signer(issue))]]);
    let _envoy = start(&setup.bootstrap);
    assert_eq!(http::get_with(&setup.urls[0], &[("x-id", "admin")]).received("x-id"), None);
}

#[test]
fn a_cookie_is_set_beside_those_of_the_upstream_and_never_forged_by_it() {
    let plugin =
        signer(json!({"identity": {"header": "x-user"}, "cookie": {"name": "__Host-wb", "sameSite": "Strict"}}));
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let _envoy = start(&setup.bootstrap);
    let cookies = |headers: &[(&str, &str)]| {
        let answer = http::get_with(&setup.urls[0], headers);
        assert_eq!(answer.wristband(), None);
        let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
        cookies.collect::<Vec<_>>()
    };
    let (user, theirs) = (("x-user", "alice"), ("x-echo-set", "set-cookie=theme=dark; Path=/"));
    let set = cookies(&[user, theirs]);
    assert_eq!(set[0], "theme=dark; Path=/");
    let token = set[1].strip_prefix("__Host-wb=").unwrap();
    let token = token.strip_suffix("; Path=/; Max-Age=300; SameSite=Strict; Secure; HttpOnly").unwrap();
    assert_eq!(token::payload(token)["sub"], "alice");
    let forged = ("x-echo-set", "set-cookie=__Host-wb=forged");
    assert_eq!(cookies(&[user, forged]).len(), 1);
    assert!(cookies(&[forged]).is_empty());
}

#[test]
fn a_peer_s_wristband_is_exchanged_for_one_of_ours_hop_by_hop_until_a_loop() {
    let exchange = |issuer: &str, keys: Value, peer: Value| {
        json!({
            "issuer": issuer, "signingKeyRefs": [keys], "peers": [peer],
            "issue": {"identity": {"wristband": true}, "chain": true, "maxHops": 2},
            "verify": {"mode": "require"},
        })
    };
    let peer = |issuer: &str, name: &str| json!({"issuer": issuer, "keys": [public(name)]});
    let a = exchange(A, private("cluster-a-2026-11", "KEY"), peer(B, "cluster-b-2026-10"));
    let b = exchange(B, private("cluster-b-2026-10", "KEY_B"), peer(A, "cluster-a-2026-11"));
    let setup = gateways(vec![vec![filter(&a)], vec![filter(&b)]]);
    let envoy =
        Envoy::start(&setup.bootstrap, &[("KEY", &key("cluster-a-2026-11")), ("KEY_B", &key("cluster-b-2026-10"))]);
    let mut first = token::claims(B);
    first["exp"] = json!(token::now() + 60);
    let first_token = token::sign("cluster-b-2026-10", &first);
    let answer = http::get_with(&setup.urls[0], &[("x-wristband-token", &first_token)]);
    assert_eq!(claims_of(&answer), json!({"iss": A, "sub": "alice", "act": {"iss": B, "sub": "alice"}}));
    let second = answer.wristband().unwrap();
    assert_eq!(token::payload(second)["exp"], first["exp"], "it does not outlive what it was exchanged for");
    // Back at B: B has been there.
    let answer = http::get_with(&setup.urls[1], &[("x-wristband-token", second)]);
    assert_eq!((answer.status, answer.wristband()), (200, None));
    assert_eq!(envoy.count("issue_skipped.loop"), 1);
    let mut far = token::claims(B);
    far["act"] = json!({"iss": "https://c.example", "act": {"iss": "https://d.example"}});
    let answer = http::get_with(&setup.urls[0], &[("x-wristband-token", &token::sign("cluster-b-2026-10", &far))]);
    assert_eq!((answer.status, answer.wristband()), (200, None));
    assert_eq!(envoy.count("issue_skipped.too_many_hops"), 1);
    // No refresh of our own.
    let answer = http::get_with(&setup.urls[0], &[("x-wristband-token", &token::of_a())]);
    assert_eq!((answer.status, answer.wristband()), (200, None));
    assert_eq!(envoy.count("issue_skipped.own_wristband"), 1);
}

#[test]
fn an_internal_redirect_makes_nobody_verified_and_refreshes_nothing() {
    let plugin = |placement: &str| {
        let mut plugin = signer(json!({"identity": {"header": "x-user"}, "placement": placement}));
        plugin["verify"] = json!({"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]});
        vec![filter(&plugin)]
    };
    let mut setup = gateways(vec![plugin("request"), plugin("response")]);
    for listener in 1..=2 {
        let routes = format!(
            "/static_resources/listeners/{listener}/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes"
        );
        let routes = setup.bootstrap.pointer_mut(&routes).unwrap().as_array_mut().unwrap();
        let mut second = routes[0].clone();
        second["match"] = json!({"path": "/second"});
        second["request_headers_to_remove"] = json!(["x-echo-status"]);
        routes[0]["route"]["internal_redirect_policy"] = json!({"max_internal_redirects": 1});
        routes.insert(0, second);
    }
    let envoy = start(&setup.bootstrap);
    for (number, (url, own)) in (1..).zip([(&setup.urls[0], None), (&setup.urls[1], Some(token::of_a()))]) {
        let location = format!("location={url}/second");
        let mut headers = vec![("x-user", "alice"), ("x-echo-status", "302"), ("x-echo-set", &location)];
        headers.extend(own.as_deref().map(|token| ("x-wristband-token", token)));
        let answer = http::get_with(url, &headers);
        assert_eq!((answer.status, answer.wristband()), (200, None), "{answer:?}");
        assert_eq!((answer.received("x-sub"), answer.received("x-wristband-token")), (None, None), "{answer:?}");
        assert_eq!(envoy.count("issue_skipped.redirected"), number);
        // Envoy alone can say so.
        let answer = http::get_with(url, &[("x-user", "alice"), ("x-envoy-original-url", &location)]);
        assert!(answer.wristband().or_else(|| answer.received("x-wristband-token")).is_some(), "{answer:?}");
    }
}

#[test]
fn a_pseudonym_is_authorino_s() {
    let plugin = signer(json!({
        "identity": {"expression": "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload"},
        "subject": {"hash": true},
    }));
    let setup = gateways(vec![vec![jwt_authn(IDP, &jwks("stranger"), false), filter(&plugin)]]);
    let _envoy = start(&setup.bootstrap);
    // Written as Go writes it, so that its hash is that of the identity.
    let identity = format!(r#"{{"a":"\u003cb\u003e","exp":4000000000,"iss":"{IDP}","n":1.5,"sub":"alice"}}"#);
    let token = token::sign_text("stranger", r#"{"alg":"ES256","kid":"stranger"}"#, &identity);
    let answer = http::get_with(&setup.urls[0], &[("authorization", &format!("Bearer {token}"))]);
    let expected: String = sha2::Sha256::digest(identity).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(claims_of(&answer)["sub"], expected);
}

#[test]
fn a_wristband_that_cannot_be_made_fails_no_response_unless_asked_to() {
    let issue = |extra: Value| {
        let mut issue = json!({"identity": {"header": "x-user"}, "customClaims": {"x": {"value": "x".repeat(7000)}}});
        issue.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        vec![filter(&signer(issue))]
    };
    let setup = gateways(vec![
        issue(json!({})),
        issue(json!({"onFailure": "deny"})),
        issue(json!({"onFailure": "deny", "placement": "request"})),
    ]);
    let envoy = start(&setup.bootstrap);
    for _ in 0..3 {
        let answer = http::get_with(&setup.urls[0], &[("x-user", "alice")]);
        assert_eq!((answer.status, answer.wristband()), (200, None));
    }
    assert_eq!(envoy.count("issue_skipped.too_large"), 3);
    for url in &setup.urls[1..] {
        let answer = http::get_with(url, &[("x-user", "alice")]);
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, r#"{"error":"server_error","error_description":"no wristband could be signed"}"#);
        assert_eq!(answer.received("x-user"), None, "nothing of the upstream's answer");
        assert_eq!(http::get(url).status, 200);
    }
    let complaints = envoy.log().matches("no wristband could be signed: too_large").count();
    assert!((1..=6).contains(&complaints), "at most once a minute, worker and gateway: {complaints}");
    envoy.wait_until("the access log", |envoy| envoy.log().contains(" 503 wristband_failed{too_large}"));
}

/// A certificate and its key, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

fn identity(san: SanType, authority: &Issuer<'_, KeyPair>) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![san];
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

#[test]
fn a_wristband_is_bound_to_the_certificate_of_who_asked_for_it() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = params.self_signed(&authority_key).unwrap().pem();
    let authority = Issuer::new(params, authority_key);
    let uri = |name: &str| SanType::URI(format!("spiffe://example.com/{name}").try_into().unwrap());
    let server = identity(SanType::IpAddress([127, 0, 0, 1].into()), &authority);
    let (alice, mallory) = (identity(uri("alice"), &authority), identity(uri("mallory"), &authority));

    let mut plugin = signer(json!({
        "identity": {"expression": "connection.uri_san_peer_certificate"},
        "bindClientCertificate": true,
    }));
    plugin["verify"] = json!({"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]});
    let mut setup = gateways(vec![vec![filter(&plugin)]]);
    setup.bootstrap["static_resources"]["listeners"][1]["filter_chains"][0]["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": server.certificate},
                    "private_key": {"inline_string": server.key},
                }],
                "validation_context": {"trusted_ca": {"inline_string": authority_pem}},
            },
        },
    });
    let envoy = start(&setup.bootstrap);
    let url = setup.urls[0].replace("http://", "https://");
    let ask = |client: Option<&Identity>, token: Option<&str>| {
        let client = client.map(|client| (client.certificate.as_str(), client.key.as_str()));
        let headers: Vec<_> = token.map(|token| ("x-wristband-token", token)).into_iter().collect();
        http::get_tls(&url, &authority_pem, client, &headers)
    };
    let answer = ask(Some(&alice), None);
    let wristband = answer.wristband().unwrap().to_owned();
    let payload = token::payload(&wristband);
    assert_eq!(payload["sub"], "spiffe://example.com/alice");
    let der = pem::parse(&alice.certificate).unwrap().into_contents();
    assert_eq!(payload["cnf"], json!({"x5t#S256": token::encode(sha2::Sha256::digest(der))}));

    let answer = ask(Some(&alice), Some(&wristband));
    assert_eq!((answer.status, answer.received("x-sub")), (200, Some("spiffe://example.com/alice")));
    for thief in [Some(&mallory), None] {
        let answer = ask(thief, Some(&wristband));
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("token is bound to another client certificate"), "{}", answer.body);
    }
    assert_eq!(envoy.count("denied.wrong_certificate"), 2);
    // Without a certificate there is neither an identity nor anything to bind to.
    let answer = ask(None, None);
    assert_eq!((answer.status, answer.wristband()), (200, None));
}

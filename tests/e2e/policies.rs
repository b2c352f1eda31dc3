//! What genuine tokens may still not do, where else they may come from, and what native filters make of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::config::{allow_replay, capabilities, filter, gateways, private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, Connection};
use crate::support::token::{self, A, B, claims, sign};

const A1: &str = "cluster-a-2026-11";
const B1: &str = "cluster-b-2026-10";

/// A gateway of cluster A that trusts cluster B, with these fields of `verify` and of the peer.
fn plugin(verify: &Value, peer: &Value) -> Value {
    let mut trusted = json!({"issuer": B, "keys": [public(B1)]});
    trusted.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
    json!({"issuer": A, "signingKeyRefs": [public(A1)], "peers": [trusted], "verify": verify})
}

fn of_b(change: &dyn Fn(&mut Value)) -> String {
    let mut claims = claims(B);
    change(&mut claims);
    sign(B1, &claims)
}

fn code(answer: &http::Answer) -> String {
    if answer.status == 200 { "ok".to_owned() } else { answer.json()["error_description"].as_str().unwrap().to_owned() }
}

#[test]
fn a_peer_names_whom_it_may_and_grants_nothing_that_is_not_listed() {
    let outputs = json!([
        {"header": "x-sub", "claim": "sub"}, {"header": "x-roles", "claim": "roles"},
        {"header": "x-region", "claim": "region"}, {"header": "x-principal", "claim": "principal"},
    ]);
    let verify = json!({
        "outputClaimToHeaders": outputs, "outputPayloadToHeader": "x-payload",
        "revoked": [{"jti": "stolen"}, {"issuer": A, "issuedBefore": "2099-01-01T00:00:00Z"}],
    });
    let peer = json!({"subjects": [{"exact": "alice"}, {"prefix": "svc-"}], "claims": ["region"], "maxLifetime": 300});
    let setup = gateways(vec![vec![filter(&plugin(&verify, &peer))]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let ask = |token: &str| http::get_with(&setup.urls[0], &[("x-wristband-token", token), ("x-roles", "admin")]);
    let answer = ask(&of_b(&|claims| {
        claims["roles"] = json!(["superuser"]);
        claims["region"] = json!("eu-1");
        claims["principal"] = json!("root");
    }));
    assert_eq!(answer.received("x-sub"), Some("alice"));
    assert_eq!(answer.received("x-region"), Some("eu-1"));
    assert_eq!(answer.received("x-principal"), Some("https://cluster-b.example.com#alice"));
    assert_eq!(answer.received("x-roles"), None);
    let payload = token::payload(&format!(".{}.", answer.received("x-payload").unwrap()));
    assert_eq!((&payload["region"], payload.get("roles")), (&json!("eu-1"), None));
    for (change, text) in [
        (json!({"sub": "svc-1"}), "ok"),
        (json!({"sub": "bob"}), "subject of the token is not accepted from its issuer"),
        (json!({"exp": token::now() + 3600}), "token lives longer than is accepted"),
        (json!({"jti": "stolen"}), "token has been revoked"),
    ] {
        let token = of_b(&|claims| claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone()));
        assert_eq!(code(&ask(&token)), text, "{change}");
    }
    assert_eq!(code(&ask(&token::of_a())), "token has been revoked");
    envoy.wait_until("the access log", |envoy| envoy.log().contains("wristband_denied{wrong_subject}"));
    assert!(!envoy.log().contains("superuser"), "what is not passed on is not in the filter state");
    for (name, count) in [("wrong_subject", 1), ("too_long_lived", 1), ("revoked", 2)] {
        assert_eq!(envoy.count(&format!("denied.{name}")), count, "{name}");
    }
}

#[test]
fn a_token_is_accepted_once_by_all_workers_together() {
    let plugin = plugin(&json!({"replay": {"cache": 1000}}), &json!({}));
    let mut wasm = filter(&plugin);
    allow_replay(&mut wasm);
    let setup = gateways(vec![vec![wasm]]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let url = setup.urls[0].as_str();
    for round in 0..20 {
        let token = of_b(&|claims| claims["jti"] = json!(format!("round-{round}")));
        // New connections are spread over the workers; all of them present the same token at once.
        let accepted: usize = std::thread::scope(|scope| {
            let ask = || usize::from(http::get_with(url, &[("x-wristband-token", &token)]).status == 200);
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(accepted, 1, "round {round}");
    }
    assert_eq!((envoy.count("verified"), envoy.count("denied.replayed")), (20, 140));
    let nameless = of_b(&|claims| drop(claims.as_object_mut().unwrap().remove("jti")));
    assert_eq!(code(&http::get_with(url, &[("x-wristband-token", &nameless)])), "token is malformed");
}

#[test]
fn a_flood_of_one_peer_makes_nobody_s_token_pass_twice_and_denies_no_other_s() {
    let with = |name: &str, replay: Value| {
        let mut filter = filter(&plugin(&json!({"replay": replay}), &json!({})));
        allow_replay(&mut filter);
        filter["typed_config"]["config"]["name"] = json!(name);
        vec![filter]
    };
    let forget = json!({"cache": 20, "onFull": "forget"});
    let setup =
        gateways(vec![with("denies", json!({"cache": 20})), with("forgets", forget.clone()), with("another", forget)]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let token = |number: usize| of_b(&|claims| claims["jti"] = json!(format!("flood-{number}")));
    let ask = |gateway: usize, token: &str| {
        let answer = http::get_with(&setup.urls[gateway], &[("x-wristband-token", token)]);
        (answer.status, if answer.status == 200 { String::new() } else { code(&answer) })
    };
    let (ok, full) = ((200, String::new()), (503, "too many tokens are in use; try again later".to_owned()));
    let replayed = (401, "token has been used before".to_owned());
    let tokens: Vec<_> = (0..12).map(token).collect();
    for (number, token) in tokens.iter().enumerate() {
        assert_eq!(ask(0, token), if number < 10 { ok.clone() } else { full.clone() }, "{number}");
        assert_eq!(ask(1, token), ok, "{number}");
    }
    assert_eq!(ask(0, &tokens[0]), replayed);
    assert_eq!(ask(0, &token::of_a()), ok, "our own have a share of their own");
    assert_eq!(ask(1, &tokens[11]), replayed);
    // A plugin of another name has not seen it.
    assert_eq!(ask(2, &tokens[11]), ok);
    assert_eq!((envoy.count("replay_forgotten"), envoy.count("denied.replay_full")), (2, 2));
}

#[test]
fn a_header_that_only_the_filter_writes_chooses_no_route_for_whoever_forges_it() {
    let outputs = json!([{"header": "x-role", "claim": "role"}]);
    let verify = |on_forged: &str| json!({"outputClaimToHeaders": outputs, "onForgedHeader": on_forged});
    let mut setup = gateways(["remove", "deny"].map(|on| vec![filter(&plugin(&verify(on), &json!({})))]).into());
    let to_echo = json!({"cluster": "echo"});
    for listener in setup.bootstrap["static_resources"]["listeners"].as_array_mut().unwrap().iter_mut().skip(1) {
        // Who comes as `batch` is let into where others are not.
        let is_batch = json!([{"name": "x-role", "string_match": {"exact": "batch"}}]);
        let routes = json!([
            {"match": {"prefix": "/", "headers": is_batch}, "route": to_echo,
             "request_headers_to_add": [{"header": {"key": "x-let-in", "value": "yes"}}]},
            {"match": {"prefix": "/"}, "route": to_echo},
        ]);
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["route_config"]["virtual_hosts"][0]["routes"] = routes;
    }
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let ask = |gateway: usize, role: &str, forged: bool| {
        let token = of_b(&|claims| claims["role"] = json!(role));
        let headers = [("x-wristband-token", &*token), ("x-role", "batch")];
        http::get_with(&setup.urls[gateway], if forged { &headers } else { &headers[..1] })
    };
    // The route is chosen anew after the filter has written the header, or removed the client's.
    assert_eq!(ask(0, "guest", true).received("x-let-in"), None);
    for gateway in [0, 1] {
        assert_eq!(ask(gateway, "batch", false).received("x-let-in"), Some("yes"));
        assert_eq!(ask(gateway, "guest", false).received("x-let-in"), None);
    }
    let denied = ask(1, "guest", true);
    assert_eq!((denied.status, code(&denied)), (400, "request has a header that only the gateway writes".to_owned()));
    assert_eq!(denied.json()["error"], "invalid_request");
    assert_eq!(envoy.count("denied.forged_header"), 1);
}

#[test]
fn a_replay_memory_without_its_host_calls_is_refused_at_load() {
    let setup = gateways(vec![vec![filter(&plugin(&json!({"replay": {"cache": 10}}), &json!({})))]]);
    let log = crate::support::envoy::validate(&setup.bootstrap, &[]).unwrap_err();
    assert!(log.contains("configuration rejected: verify.replay: the host keeps no shared data"), "{log}");
}

#[test]
fn cookies_and_parameters_carry_tokens_where_they_may_and_lose_them_before_the_upstream() {
    let sub = json!([{"header": "x-sub", "claim": "sub"}]);
    let places = json!({
        "fromHeaders": [{"name": "x-wristband-token"}], "fromCookies": ["__Host-wb"], "fromParams": ["wb_token"],
        "outputClaimToHeaders": sub,
    });
    let setup = gateways(vec![
        vec![filter(&plugin(&places, &json!({})))],
        vec![filter(&plugin(&json!({"mode": "optional", "outputClaimToHeaders": sub}), &json!({})))],
    ]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let token = of_b(&|_| {});
    let ask = |gateway: usize, path: &str, headers: &[(&str, &str)]| {
        http::get_with(&format!("{}{path}", setup.urls[gateway]), headers)
    };
    let answer = ask(0, "/", &[("cookie", &format!("theme=dark; __Host-wb={token}; lang=de"))]);
    assert_eq!(answer.received("x-sub"), Some("alice"));
    assert_eq!(answer.received_all("cookie"), ["theme=dark; lang=de"]);
    let answer = ask(0, "/", &[("cookie", &format!("__Host-wb={token}"))]);
    assert_eq!((answer.received("x-sub"), answer.received("cookie")), (Some("alice"), None));
    let answer = ask(0, &format!("/a/b?x=1&wb%5Ftoken={token}&y=%20"), &[]);
    assert_eq!((answer.received("x-sub"), answer.received(":path")), (Some("alice"), Some("/a/b?x=1&y=%20")));
    let answer = ask(0, &format!("/a?wb_token={token}"), &[]);
    assert_eq!(answer.received(":path"), Some("/a"));

    let (cookie, path) = (format!("__Host-wb={token}"), format!("/?wb_token={token}"));
    for (path, headers) in [
        (path.as_str(), vec![("cookie", cookie.as_str())]),
        (path.as_str(), vec![("x-wristband-token", token.as_str())]),
        ("/", vec![("cookie", cookie.as_str()), ("x-wristband-token", token.as_str())]),
        ("/", vec![("cookie", cookie.as_str()), ("cookie", cookie.as_str())]),
        (&format!("{path}&wb_token={token}"), vec![]),
    ] {
        assert_eq!(code(&ask(0, path, &headers)), "more than one token", "{headers:?}");
    }
    assert_eq!(code(&ask(0, "/", &[("cookie", "__Host-wb=forged")])), "token is malformed");
    // The default that was replaced, and places that nobody asked for.
    assert_eq!(code(&ask(0, "/", &[("authorization", &format!("Bearer {token}"))])), "no token");
    let answer = ask(1, &path, &[("cookie", &cookie)]);
    assert_eq!((answer.status, answer.received("x-sub"), answer.received(":path")), (200, None, Some(path.as_str())));
    assert_eq!(envoy.count("verified"), 4);
}

#[test]
fn a_type_is_checked_as_configured() {
    let setup = gateways(vec![
        vec![filter(&plugin(&json!({}), &json!({})))],
        vec![filter(&plugin(&json!({"typ": ["wristband+jwt"]}), &json!({})))],
    ]);
    let _envoy = Envoy::start(&setup.bootstrap, &[]);
    let typed = |header: Value| token::sign_text(B1, &header.to_string(), &claims(B).to_string());
    let plain = json!({"alg": "ES256", "kid": B1});
    let with = |typ: &str| json!({"alg": "ES256", "kid": B1, "typ": typ});
    let wrong = "type of the token is not accepted";
    for (header, default, configured) in [
        (plain, "ok", wrong),
        (with("JWT"), "ok", wrong),
        (with("wristband+jwt"), wrong, "ok"),
        (with("application/Wristband+JWT"), wrong, "ok"),
        (with("at+jwt"), wrong, wrong),
    ] {
        let token = typed(header.clone());
        for (url, expected) in setup.urls.iter().zip([default, configured]) {
            assert_eq!(code(&http::get_with(url, &[("x-wristband-token", &token)])), expected, "{header}");
        }
    }
}

#[test]
fn grpc_head_websockets_and_preflights_are_denied_in_their_own_way() {
    let setup = gateways(vec![
        vec![filter(&plugin(&json!({}), &json!({})))],
        vec![filter(&plugin(&json!({"allowCorsPreflight": true}), &json!({})))],
    ]);
    let envoy = Envoy::start(&setup.bootstrap, &[]);
    let grpc = http::send("POST", &setup.urls[0], &[("content-type", b"application/grpc"), ("te", b"trailers")]);
    assert_eq!((grpc.status, grpc.header("grpc-status")), (200, Some("16")));
    assert!(grpc.header("grpc-message").unwrap().contains("no token"), "{grpc:?}");
    let head = http::send("HEAD", &setup.urls[0], &[]);
    assert_eq!((head.status, head.body.as_str()), (401, ""));
    assert_eq!(head.header("www-authenticate"), Some("Bearer realm=\"wristband\""));

    let upgrade = |token: &str| {
        let address = setup.urls[0].strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let request = format!(
            "GET /chat HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{token}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        String::from_utf8(start.to_vec()).unwrap()
    };
    assert_eq!(upgrade(""), "HTTP/1.1 401");
    // The upstream is no WebSocket server: what counts is that it was asked.
    assert_ne!(upgrade(&format!("x-wristband-token: {}\r\n", of_b(&|_| {}))), "HTTP/1.1 401");

    let preflight: [(&str, &[u8]); 2] = [("origin", b"https://app.example"), ("access-control-request-method", b"PUT")];
    assert_eq!(http::send("OPTIONS", &setup.urls[0], &preflight).status, 401);
    assert_eq!(http::send("OPTIONS", &setup.urls[1], &preflight).status, 200);
    assert_eq!(http::send("OPTIONS", &setup.urls[1], &preflight[..1]).status, 401);
    assert_eq!(http::send("GET", &setup.urls[1], &preflight).status, 401);
    assert_eq!(envoy.count("verified"), 1);
}

#[test]
fn a_claim_header_feeds_filters_that_read_dynamic_metadata_and_chooses_routes() {
    let to_metadata = json!({
        "name": "envoy.filters.http.header_to_metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
            "request_rules": [{
                "header": "x-sub",
                "on_header_present": {"metadata_namespace": "wristband", "key": "sub", "type": "STRING"},
                "remove": false,
            }],
        },
    });
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"no-mallory": {
                "permissions": [{"any": true}],
                "principals": [{"metadata": {
                    "filter": "wristband", "path": [{"key": "sub"}], "value": {"string_match": {"exact": "mallory"}},
                }}],
            }}},
        },
    });
    let verify = json!({"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]});
    let mut setup = gateways(vec![vec![filter(&plugin(&verify, &json!({}))), to_metadata, rbac]]);
    let routes =
        "/static_resources/listeners/1/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
    setup.bootstrap.pointer_mut(routes).unwrap().as_array_mut().unwrap().insert(
        0,
        json!({
            "match": {"prefix": "/", "headers": [{"name": "x-sub", "string_match": {"exact": "vip"}}]},
            "direct_response": {"status": 200, "body": {"inline_string": "the fast lane"}},
        }),
    );
    let _envoy = Envoy::start(&setup.bootstrap, &[]);
    let mut connection = Connection::new(&setup.urls[0]);
    let mut ask = |subject: &str, forged: &str| {
        let token = of_b(&|claims| claims["sub"] = json!(subject));
        connection.get("/", &[("x-wristband-token", token.as_bytes()), ("x-sub", forged.as_bytes())])
    };
    assert_eq!(ask("alice", "mallory").received("x-sub"), Some("alice"));
    assert_eq!(ask("mallory", "alice").status, 403);
    assert_eq!(ask("vip", "alice").body, "the fast lane");
    assert_ne!(ask("alice", "vip").body, "the fast lane");
}

#[test]
fn expressions_see_the_headers_that_are_ours_as_we_have_written_them() {
    let verify = json!({"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]});
    let issue = |identity: &str, placement: &str| {
        let mut plugin = plugin(&verify, &json!({}));
        plugin["signingKeyRefs"] = json!([private(A1, "KEY")]);
        plugin["issue"] = json!({
            "identity": {"expression": identity}, "placement": placement,
            "customClaims": {"copy": {"expression": "request.headers['x-sub']"}},
        });
        vec![filter(&plugin)]
    };
    let both = "filter_state['wasm.wristband'].iss + '#' + filter_state['wasm.wristband'].sub";
    let setup = gateways(vec![
        issue("request.headers['x-sub']", "response"),
        issue("filter_state['wasm.wristband'].sub", "request"),
        issue(both, "response"),
    ]);
    let _envoy = Envoy::start(&setup.bootstrap, &[("KEY", &crate::support::key(A1))]);
    let token = of_b(&|_| {});
    let cases = [("response", "alice"), ("request", "alice"), ("response", "https://cluster-b.example.com#alice")];
    for (url, (header, subject)) in setup.urls.iter().zip(cases) {
        let ask = |headers: &[(&str, &str)]| {
            let answer = http::get_with(url, headers);
            let token = if header == "response" { answer.wristband() } else { answer.received("x-wristband-token") };
            token.map(|token| (token::payload(token)["sub"].clone(), token::payload(token)["copy"].clone()))
        };
        assert_eq!(ask(&[("x-sub", "admin")]), None, "{header}: nobody can name himself");
        let alice = Some((json!(subject), json!("alice")));
        assert_eq!(ask(&[("x-sub", "admin"), ("x-wristband-token", &token)]), alice, "{header}");
    }
}

#[test]
fn a_capability_that_is_missing_lets_nothing_pass() {
    let without = |capability: &str| {
        let mut signer = plugin(&json!({}), &json!({}));
        signer["signingKeyRefs"] = json!([private(A1, "KEY")]);
        signer["issue"] = json!({"identity": {"header": "x-user"}});
        let mut wasm = filter(&signer);
        capabilities(&mut wasm).remove(capability);
        vec![wasm]
    };
    let missing = ["proxy_on_request_headers", "proxy_get_header_map_pairs", "proxy_remove_header_map_value"];
    let setup = gateways(missing.iter().map(|capability| without(capability)).collect());
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY", &crate::support::key(A1))]);
    for (url, capability) in setup.urls.iter().zip(missing) {
        // A good token: without it the last of the three would be denied for that.
        let token = of_b(&|_| {});
        let headers = [("x-wristband-token", token.as_str()), ("x-echo-set", "x-wristband-token=forged")];
        let answer = http::get_with(url, &headers);
        assert_eq!((answer.status, answer.wristband()), (500, None), "{capability}");
    }
    envoy.wait_until("the access log", |envoy| envoy.log().matches("wristband_host_error").count() == 3);
    assert!(envoy.log().contains("Envoy refuses a host call; see `capability_restriction_config`"));
}

#[test]
fn what_clients_cause_does_not_silence_what_the_host_refuses() {
    let mut signer = plugin(&json!({"mode": "optional"}), &json!({}));
    signer["signingKeyRefs"] = json!([private(A1, "KEY")]);
    signer["issue"] = json!({"identity": {"header": "x-user"}, "customClaims": {"x": {"value": "x".repeat(7000)}}});
    let mut wasm = filter(&signer);
    capabilities(&mut wasm).remove("proxy_remove_header_map_value").unwrap();
    let setup = gateways(vec![vec![wasm]]);
    let environment = [("KEY", crate::support::key(A1))];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let envoy = Envoy::try_start(&setup.bootstrap, &environment, &["--concurrency", "1"]).unwrap_or_else(|_| panic!());
    assert_eq!(http::get_with(&setup.urls[0], &[("x-user", "alice")]).status, 200);
    assert_eq!(http::get_with(&setup.urls[0], &[("x-wristband-token", &of_b(&|_| {}))]).status, 500);
    let log = envoy.log();
    assert!(log.contains("no wristband could be signed: too_large"), "{log}");
    assert!(log.contains("Envoy refuses a host call; see `capability_restriction_config`"), "{log}");
}

#[test]
fn what_is_needed_at_load_is_missed_at_load() {
    for capability in ["proxy_get_buffer_bytes", "random_get", "proxy_call_foreign_function", "proxy_define_metric"] {
        let mut wasm = filter(&plugin(&json!({}), &json!({})));
        capabilities(&mut wasm).remove(capability).unwrap();
        let refusal = Envoy::try_start(&gateways(vec![vec![wasm]]).bootstrap, &[], &[]).err();
        let refusal = refusal.unwrap_or_else(|| panic!("{capability}"));
        let problem = format!("configuration rejected: the host does not allow {capability}; see `capability_");
        assert!(refusal.log.contains(&problem), "{}", refusal.log);
    }
}

#[test]
fn a_grpc_refusal_is_no_success() {
    let mut signer = plugin(&json!({"mode": "optional"}), &json!({}));
    signer["signingKeyRefs"] = json!([private(A1, "KEY")]);
    signer["issue"] = json!({"identity": {"header": "x-user"}});
    let deny = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"all": {"permissions": [{"any": true}], "principals": [{"any": true}]}}},
        },
    });
    let setup = gateways(vec![vec![filter(&signer), deny]]);
    let envoy = Envoy::start(&setup.bootstrap, &[("KEY", &crate::support::key(A1))]);
    let answer = http::send("POST", &setup.urls[0], &[("x-user", b"alice"), ("content-type", b"application/grpc")]);
    assert_eq!((answer.status, answer.header("grpc-status"), answer.wristband()), (200, Some("7"), None));
    assert_eq!(envoy.count("issue_skipped.response_status"), 1);
}

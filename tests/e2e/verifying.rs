//! What follows from a verdict: answers, modes, headers, filter state.

use serde_json::{Value, json};

use crate::gate::{DENIALS, Gate, outcome, plugin};
use crate::support::config::filter;
use crate::support::token::{self, A, B, claims, now, of_a, sign};

/// Requests that are denied, one for each code. Whatever a request says of itself says `marker`.
fn denied() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let with = |change: Value| {
        let mut claims = claims(A);
        claims["sub"] = "marker".into();
        claims["marker"] = "marker".into();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let a = |change: Value| sign("cluster-a-2026-11", &with(change));
    let token = |token: String| vec![("x-wristband-token", token)];
    let header = |header: Value, key: &str| token::sign_text(key, &header.to_string(), &with(json!({})).to_string());
    vec![
        ("missing", vec![("x-marker", "marker".to_owned())]),
        ("ambiguous", vec![("x-wristband-token", a(json!({}))), ("x-wristband-token", a(json!({})))]),
        ("too_large", token("marker".repeat(2000))),
        ("malformed", token("marker.marker.marker".to_owned())),
        ("unknown_issuer", token(a(json!({"iss": "https://marker.example"})))),
        ("wrong_algorithm", token(header(json!({"alg": "marker", "kid": "cluster-a-2026-11"}), "stranger"))),
        ("unknown_key", token(header(json!({"alg": "ES256", "kid": "marker"}), "stranger"))),
        ("expired", token(a(json!({"exp": now() - 100})))),
        ("not_yet_valid", token(a(json!({"nbf": now() + 100})))),
        ("wrong_audience", token(a(json!({"aud": "marker"})))),
        ("bad_signature", token(header(json!({"alg": "ES256", "kid": "cluster-a-2026-11"}), "stranger"))),
    ]
}

fn bytes<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a [u8])> {
    headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
}

#[test]
fn every_denial_has_its_answer_its_details_and_its_counter_and_echoes_nothing() {
    let mut gate = Gate::start(&[plugin(&json!({}))]);
    let denied = denied();
    let covered: Vec<_> = denied.iter().map(|(code, _)| *code).collect();
    assert_eq!(covered, DENIALS.map(|(code, _)| code), "every code has its request");
    for ((code, headers), (_, text)) in denied.iter().zip(DENIALS) {
        let counts = |gate: &Gate| DENIALS.map(|(code, _)| gate.envoy.count(&format!("denied.{code}")));
        let before = counts(&gate);
        let answer = gate.ask_for(0, &format!("/{code}"), &bytes(headers));
        let (error, challenge) = match *code {
            "missing" => ("missing_token", "Bearer realm=\"wristband\"".to_owned()),
            _ => (
                "invalid_token",
                format!("Bearer realm=\"wristband\", error=\"invalid_token\", error_description=\"{text}\""),
            ),
        };
        assert_eq!(answer.status, 401, "{code}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()), "{code}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{code}");
        assert_eq!(answer.json(), json!({"error": error, "error_description": text}), "{code}");
        for marker in ["marker", "bWFya2Vy"].into_iter().chain(headers.iter().map(|(_, value)| value.as_str())) {
            assert!(!answer.body.contains(marker), "{code}: {}", answer.body);
            assert!(!format!("{:?}", answer.headers).contains(marker), "{code}: {:?}", answer.headers);
        }
        for ((other, _), (before, after)) in DENIALS.iter().zip(before.into_iter().zip(counts(&gate))) {
            assert_eq!(after - before, u64::from(other == code), "{other} after {code}");
        }
        let line = format!("access /{code} 401 wristband_denied{{{code}}} -");
        gate.envoy.wait_until(&line, |envoy| envoy.log().contains(&line));
        gate.still_works(code);
    }
    let log = gate.envoy.log();
    assert!(!log.contains("marker"), "the log names what a client sent");
    assert_eq!(gate.envoy.count("verified"), u64::try_from(denied.len()).unwrap());
}

#[test]
fn a_denial_answers_every_method_and_never_reaches_the_upstream() {
    let gate = Gate::start(&[plugin(&json!({}))]);
    let mut connection = crate::support::http::Connection::new(&gate.urls[0]);
    for method in ["HEAD", "OPTIONS", "DELETE", "PROPFIND"] {
        let answer = connection.send(method, "/", &[]);
        assert_eq!(answer.status, 401, "{method}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"wristband\""), "{method}");
    }
    assert_eq!(gate.envoy.counter("cluster.echo.upstream_rq_total"), 0);
    // A client of gRPC is answered in its language: 16 is UNAUTHENTICATED.
    let answer = connection.send("POST", "/", &[("content-type", b"application/grpc"), ("content-length", b"0")]);
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("16")), "{answer:?}");
    assert_eq!(gate.envoy.counter("cluster.echo.upstream_rq_total"), 0);
}

#[test]
fn optional_lets_a_request_without_a_token_pass_but_none_with_a_bad_one() {
    let mut gate = Gate::start(&[plugin(&json!({"mode": "optional"}))]);
    for (code, headers) in denied() {
        let expected = if code == "missing" { "ok" } else { code };
        assert_eq!(outcome(&gate.ask(0, &bytes(&headers))), expected);
        let counted = gate.envoy.count(&format!("denied.{code}"));
        assert_eq!(counted, u64::from(code != "missing"), "{code}");
    }
    assert_eq!(gate.outcome(0, ""), "ok", "an empty header is no token");
    assert_eq!(gate.envoy.count("verified"), 0);
    assert_eq!(gate.outcome(0, of_a()), "ok");
    assert_eq!(gate.envoy.count("verified"), 1);
    assert_eq!(gate.envoy.count("denied.missing"), 0);
}

#[test]
fn observe_denies_nothing_counts_what_it_would_have_denied_and_leaves_it_in_place() {
    let verify = json!({
        "mode": "observe",
        "outputPayloadToHeader": "x-payload",
        "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}],
    });
    let mut gate = Gate::start(&[plugin(&verify)]);
    for (code, headers) in denied() {
        let answer = gate.ask_for(0, &format!("/observed/{code}"), &bytes(&headers));
        assert_eq!(answer.status, 200, "{code}");
        for (name, _) in &headers {
            let sent: Vec<_> = headers.iter().filter(|header| header.0 == *name).map(|header| &header.1).collect();
            assert_eq!(answer.received_all(name), sent, "{code}: the token stays as it came");
        }
        assert_eq!(answer.received("x-payload"), None, "{code}");
        assert_eq!(answer.received("x-sub"), None, "{code}");
        let observed = gate.envoy.count(&format!("observed.{code}"));
        assert_eq!(observed, u64::from(code != "missing"), "{code}");
        assert_eq!(gate.envoy.count(&format!("denied.{code}")), 0, "{code}");
        let line = format!("access /observed/{code} 200 via_upstream -\n");
        gate.envoy.wait_until(&line, |envoy| envoy.log().contains(&line));
    }
    assert_eq!(gate.envoy.count("verified"), 0);
    let answer = gate.present(0, of_a());
    assert_eq!(answer.received("x-wristband-token"), None, "a good one is treated as always");
    assert_eq!(answer.received("x-sub"), Some("alice"));
    assert_eq!(gate.envoy.count("verified"), 1);
}

#[test]
fn an_accepted_token_is_taken_out_unless_it_is_forwarded() {
    let mut gate = Gate::start(&[plugin(&json!({})), plugin(&json!({"forward": true}))]);
    for name in ["x-wristband-token", "X-Wristband-Token", "authorization", "AUTHORIZATION"] {
        let lower = name.to_lowercase();
        let token = if lower == "authorization" { format!("Bearer {}", of_a()) } else { of_a() };
        let sent = [(name, token.as_bytes()), ("x-other", b"stays")];
        let answer = gate.ask(0, &sent);
        assert_eq!((answer.status, answer.received(&lower)), (200, None), "{name}");
        assert_eq!(answer.received("x-other"), Some("stays"));
        assert!(!answer.body.contains(&of_a()[..40]), "no part of the token goes on: {}", answer.body);
        let answer = gate.ask(1, &sent);
        assert_eq!((answer.status, answer.received(&lower)), (200, Some(token.as_str())), "{name}");
    }
    // The credential of somebody else is not ours to take.
    let answer = gate.ask(0, &[("x-wristband-token", of_a().as_bytes()), ("authorization", b"Basic dTpw")]);
    assert_eq!(answer.received("authorization"), Some("Basic dTpw"));
}

#[test]
fn a_client_cannot_send_the_headers_that_the_filter_writes() {
    let verify = |mode: &str| {
        plugin(&json!({
            "mode": mode,
            "outputPayloadToHeader": "x-payload",
            "outputClaimToHeaders": [
                {"header": "x-sub", "claim": "sub"},
                {"header": "x-team", "claim": "team"},
                {"header": "x-team-name", "claim": "team.name"},
            ],
        }))
    };
    let mut gate = Gate::start(&["require", "optional", "observe"].map(verify));
    let forged: [(&str, &[u8]); 10] = [
        ("x-payload", b"forged"),
        ("X-PAYLOAD", b"forged"),
        ("x-sub", b"forged"),
        ("X-Sub", b"forged"),
        ("X-SUB", b"forged,forged"),
        ("x-sub", b""),
        ("x-team", b"forged"),
        ("X-Team", b"forged \xff"),
        ("x-team-name", b"forged"),
        ("X-Team-Name", b"forged"),
    ];
    let owned = ["x-payload", "x-sub", "x-team", "x-team-name"];
    let good = of_a();
    let bad = sign("stranger", &claims(A));
    let verdicts = [("good", Some(&good)), ("bad", Some(&bad)), ("none", None)];
    let mut passed = 0;
    for gateway in 0..3 {
        for (verdict, token) in verdicts {
            let mut headers = forged.to_vec();
            headers.extend(token.map(|token| ("x-wristband-token", token.as_bytes())));
            // Before and behind the token.
            headers.extend(forged);
            let answer = gate.ask(gateway, &headers);
            if answer.status != 200 {
                continue;
            }
            passed += 1;
            assert!(!answer.body.contains("forged"), "{gateway} {verdict}: {}", answer.body);
            for name in owned {
                let payload = good.split('.').nth(1).unwrap();
                let expected: &[&str] = match (verdict, name) {
                    ("good", "x-payload") => &[payload],
                    ("good", "x-sub") => &["alice"],
                    _ => &[],
                };
                assert_eq!(answer.received_all(name), expected, "{gateway} {verdict} {name}");
            }
        }
    }
    assert_eq!(passed, 3 + 1 + 2, "good in three modes, none in two, bad in one");
}

#[test]
fn claims_become_headers_unless_a_header_cannot_hold_them() {
    let object = json!({"b": [1, {"c": null}], "a": "\u{e9}\n"});
    let encoded = |value: &Value| Some(token::encode(value.to_string()));
    let text = |text: &str| Some(text.to_owned());
    let cases: Vec<(Value, Option<String>)> = vec![
        ("text".into(), text("text")),
        ("two words, and: \"more\"".into(), text("two words, and: \"more\"")),
        ("x".repeat(2500).into(), Some("x".repeat(2500))),
        (0.into(), text("0")),
        ((-7).into(), text("-7")),
        (9_007_199_254_740_993_u64.into(), text("9007199254740993")),
        (u64::MAX.into(), text("18446744073709551615")),
        (1.5.into(), text("1.5")),
        (true.into(), text("true")),
        (false.into(), text("false")),
        (json!([]), encoded(&json!([]))),
        (json!(["a", 1, null]), encoded(&json!(["a", 1, null]))),
        (json!({}), encoded(&json!({}))),
        (object.clone(), encoded(&object)),
        (Value::Null, None),
        ("a\r\nx-injected: 1".into(), None),
        ("a\nx-injected: 1".into(), None),
        ("a\rx-injected: 1".into(), None),
        ("a\u{0}b".into(), None),
        ("a\tb".into(), None),
        ("caf\u{e9}".into(), Some("caf\u{e9}".to_owned())),
        ("\u{85}".into(), None),
        ("\u{2028}".into(), None),
        ("\u{7f}".into(), None),
        (" a".into(), None),
        ("a ".into(), None),
    ];
    let outputs = ["x-claim", "x-nested", "x-absent"];
    let verify = json!({"outputClaimToHeaders": [
        {"header": outputs[0], "claim": "claim"},
        {"header": outputs[1], "claim": "deep.claim"},
        {"header": outputs[2], "claim": "absent"},
    ]});
    let mut gate = Gate::start(&[plugin(&verify)]);
    for (value, expected) in cases {
        let mut claims = claims(A);
        claims["claim"] = value.clone();
        claims["deep"] = json!({"claim": value});
        let answer = gate.present(0, sign("cluster-a-2026-11", &claims));
        assert_eq!(answer.status, 200, "{value}");
        assert_eq!(answer.received("x-claim"), expected.as_deref(), "{value}");
        assert_eq!(answer.received("x-nested"), expected.as_deref(), "{value}");
        assert_eq!(answer.received("x-absent"), None);
        assert_eq!(answer.received("x-injected"), None, "{value}");
    }
}

#[test]
fn the_payload_becomes_a_header_as_it_came() {
    let mut gate = Gate::start(&[plugin(&json!({"outputPayloadToHeader": "x-wristband-payload"}))]);
    // Order, white space and escapes are the issuer's.
    let payload = format!(
        "{{ \"sub\":\"\\u0061lice\\r\\n\", \"exp\":{}, \"iss\":\"{B}\", \"n\":1.0, \"z\":[] , \"a\":\"caf\u{e9}\" }}",
        now() + 100
    );
    let header = json!({"alg": "ES256", "kid": "cluster-b-2026-10"}).to_string();
    let answer = gate.present(0, token::sign_text("cluster-b-2026-10", &header, &payload));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.received("x-wristband-payload"), Some(token::encode(&payload).as_str()));
}

/// An RBAC filter that denies by a CEL condition on the filter state.
fn deny_subject(subject: &str) -> Value {
    let state = json!({"call_expr": {"function": "_[_]", "args": [
        {"ident_expr": {"name": "filter_state"}},
        {"const_expr": {"string_value": "wasm.wristband"}},
    ]}});
    let condition = json!({"call_expr": {"function": "_==_", "args": [
        {"select_expr": {"operand": state, "field": "sub"}},
        {"const_expr": {"string_value": subject}},
    ]}});
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"subject": {
                "permissions": [{"any": true}], "principals": [{"any": true}], "condition": condition,
            }}},
        },
    })
}

/// A filter that passes claims on with Envoy's own formatters.
fn claims_by_formatter() -> Value {
    let header = |name: &str, value: &str| json!({"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [
                header("x-cel-sub", "%CEL(filter_state['wasm.wristband'].sub)%"),
                header("x-cel-admin", "%CEL('admin' in filter_state['wasm.wristband'].roles)%"),
                header("x-state", "%FILTER_STATE(wasm.wristband:TYPED)%"),
            ]},
        },
    })
}

#[test]
fn the_filters_of_the_page_on_claims_let_an_admin_pass_and_nobody_else() {
    let mut chain = vec![filter(&plugin(&json!({"mode": "optional"})))];
    chain.extend(crate::support::page::blocks("claims"));
    assert_eq!(chain.len(), 3);
    let by_text = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"mallory": {
                "permissions": [{"any": true}],
                "principals": [{"filter_state": {"key": "wasm.wristband", "string_match": {"exact": "mallory"}}}],
            }}},
        },
    });
    let trap = vec![filter(&plugin(&json!({}))), by_text];
    let mut gate = Gate::with_filters(vec![chain, trap]);
    let with_roles = |roles: Value| {
        let mut claims = claims(A);
        claims["sub"] = "mallory".into();
        claims["realm_access"] = json!({"roles": roles});
        sign("cluster-a-2026-11", &claims)
    };
    let admin = gate.present(0, with_roles(json!(["dev", "admin"])));
    assert_eq!((admin.status, admin.received("x-is-admin")), (200, Some("true")));
    assert_eq!(gate.present(0, with_roles(json!(["administrator"]))).status, 403);
    assert_eq!(gate.present(0, token::of_a()).status, 403, "no roles at all");
    assert_eq!(gate.ask(0, &[]).status, 403, "no token");
    assert_eq!(gate.present(1, with_roles(json!([]))).status, 200, "what the page warns of");
}

#[test]
fn native_filters_and_access_logs_see_the_claims_of_accepted_tokens_only() {
    let chain =
        |mode: &str| vec![filter(&plugin(&json!({"mode": mode}))), deny_subject("mallory"), claims_by_formatter()];
    let mut gate = Gate::with_filters(vec![chain("require"), chain("observe")]);
    let of = |key: &str, sub: &str| {
        let mut claims = claims(A);
        claims["sub"] = sub.into();
        claims["roles"] = json!(["admin", "dev"]);
        claims["nested"] = json!({"null": null, "number": 1.5, "yes": true});
        (sign(key, &claims), claims)
    };

    let (alice, claims) = of("cluster-a-2026-11", "alice");
    let answer = gate.ask_for(0, "/alice", &[("x-wristband-token", alice.as_bytes())]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.received("x-cel-sub"), Some("alice"));
    assert_eq!(answer.received("x-cel-admin"), Some("true"));
    let state: Value = serde_json::from_str(answer.received("x-state").unwrap()).unwrap();
    assert_eq!(state["@type"], "type.googleapis.com/google.protobuf.Struct");
    let state = &state["value"];
    let float = |value: &Value| value.as_f64();
    assert_eq!(float(&state["exp"]), float(&claims["exp"]));
    for claim in ["iss", "sub", "roles", "nested", "jti"] {
        assert_eq!(state[claim], claims[claim], "{claim}");
    }

    let (mallory, _) = of("cluster-a-2026-11", "mallory");
    let answer = gate.ask_for(0, "/mallory", &[("x-wristband-token", mallory.as_bytes())]);
    assert_eq!(answer.status, 403, "RBAC knows who it is");

    // In `observe` a token that nobody vouches for passes, but no filter takes it for true.
    let (forged, _) = of("stranger", "mallory");
    let answer = gate.ask_for(1, "/forged", &[("x-wristband-token", forged.as_bytes())]);
    assert_eq!(answer.status, 200);
    for name in ["x-cel-sub", "x-state", "x-cel-admin"] {
        assert!(matches!(answer.received(name), None | Some("-" | "")), "{name}: {}", answer.body);
    }

    let logged = |path: &str| {
        let prefix = format!("access {path} ");
        let line = |log: &str| {
            let mut gateway = log.lines().filter(|line| !line.contains(" lua_response "));
            gateway.find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        };
        gate.envoy.wait_until(path, |envoy| line(&envoy.log()).is_some());
        line(&gate.envoy.log()).unwrap()
    };
    let (start, state) = {
        let line = logged("/alice");
        let (start, state) = line.split_once(" {").unwrap();
        (start.to_owned(), format!("{{{state}"))
    };
    assert_eq!(start, "200 via_upstream");
    assert_eq!(serde_json::from_str::<Value>(&state).unwrap()["value"]["sub"], "alice");
    assert!(logged("/mallory").starts_with("403 rbac_access_denied"), "{}", logged("/mallory"));
    assert_eq!(logged("/forged"), "200 via_upstream -");
}

//! What `docs/from-authorino.md` shows is run as it stands there. Authorino's wristband and its answers were recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::gate::outcome;
use crate::support::config::{cluster, echo, filter, listener, to_upstream};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, Answer, get, get_with};
use crate::support::token::{self, now};
use crate::support::{key, page, read};

const ISSUER: &str = "https://authorino.example.com/east/shop/x-wristband-token";
const AUTHORINO_S: &str = "cluster-a-2026-11";
const GATEWAY_S: &str = "cluster-a-2027-02";
const WELL_KNOWN: &str = "/east/shop/x-wristband-token/.well-known";

/// A wristband with the header and the claims of the recorded one, valid now.
fn of_authorino(signer: &str) -> String {
    let recorded = read("testdata/authorino/wristband.jwt");
    let mut claims = token::payload(recorded.trim());
    claims["iat"] = now().into();
    claims["exp"] = (now() + 300).into();
    token::sign_text(signer, &token::header(recorded.trim()).to_string(), &claims.to_string())
}

fn extension(name: &str, config: &Value) -> Value {
    let mut config = config.clone();
    config["@type"] = format!("type.googleapis.com/envoy.extensions.filters.http.{name}").into();
    json!({"name": name, "typed_config": config})
}

/// What Authorino said of alice's key and, for all others, of a forged one. It listens at the second port, and the first
/// makes gRPC of it.
fn authorino(port: u16, inner: u16) -> [Value; 2] {
    let bytes = |name: &str| {
        let recorded = STANDARD.decode(read(&format!("testdata/authorino/{name}.base64")).trim()).unwrap();
        recorded.iter().map(|byte| format!("\\{byte:03}")).collect::<String>()
    };
    let code = format!(
        r#"
        function envoy_on_request(request)
          local body = request:body()
          local asked = body:getBytes(0, body:length())
          local headers = {{[":status"] = "200", ["content-type"] = "application/x-protobuf"}}
          local is_alice = asked:find("APIKEY wonderland", 1, true)
          request:respond(headers, is_alice and "{}" or "{}")
        end"#,
        bytes("alice"),
        bytes("denied")
    );
    let lua = extension("lua.v3.Lua", &json!({"default_source_code": {"inline_string": code}}));
    let bridge = extension(
        "grpc_http1_reverse_bridge.v3.FilterConfig",
        &json!({"content_type": "application/x-protobuf", "withhold_grpc_frames": true}),
    );
    let to_inner = json!([{"match": {"prefix": "/"}, "route": {"cluster": "recorded"}}]);
    [listener("authorino", port, vec![bridge], to_inner), listener("recorded", inner, vec![lua], to_upstream())]
}

/// Gateways before the echo upstream, with Authorino beside them. A gateway is a chain, or what a page shows.
fn start(gateways: &[Value]) -> (Envoy, Vec<String>) {
    let (upstream, service, recorded) = (free_port(), free_port(), free_port());
    let mut grpc = cluster("authorino", service);
    grpc["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let mut listeners = vec![echo(upstream)];
    listeners.extend(authorino(service, recorded));
    let mut urls = Vec::new();
    for (index, shown) in gateways.iter().enumerate() {
        let port = free_port();
        listeners.push(page::listening(&format!("gateway-{index}"), port, shown));
        urls.push(format!("http://127.0.0.1:{port}"));
    }
    let clusters =
        json!([cluster("echo", upstream), cluster("upstream", upstream), cluster("recorded", recorded), grpc]);
    let bootstrap = json!({"static_resources": {"listeners": listeners, "clusters": clusters}});
    let keys = [("GATEWAY_SIGNING_KEY", GATEWAY_S), ("SHOP_SIGNING_KEY", GATEWAY_S), ("BANK_SIGNING_KEY", AUTHORINO_S)];
    let keys = keys.map(|(variable, name)| (variable, key(name)));
    let keys: Vec<_> = keys.iter().map(|(variable, key)| (*variable, key.as_str())).collect();
    (Envoy::start(&bootstrap, &keys), urls)
}

fn present(url: &str, wristband: &str) -> Answer {
    get_with(url, &[("x-wristband-token", wristband), ("x-wristband-user", "mallory")])
}

fn login(url: &str, password: &str) -> Answer {
    get_with(url, &[("authorization", &format!("APIKEY {password}")), ("x-wristband-token", "")])
}

fn published(url: &str) -> Vec<Value> {
    let keys = get(&format!("{url}{WELL_KNOWN}/openid-connect/certs")).json();
    keys["keys"].as_array().unwrap().clone()
}

#[test]
fn from_authorino_s_key_to_the_gateway_s_nobody_is_refused_who_was_not_before() {
    let shown = page::blocks("from-authorino");
    let alone = |plugin: &Value| json!({"http_filters": [filter(plugin)]});
    let (_envoy, urls) = start(&[alone(&shown[1]), alone(&shown[2]), shown[3].clone()]);
    let [first, peer, second] = &urls[..] else { panic!("{urls:?}") };
    let old = of_authorino(AUTHORINO_S);
    let answer = login(second, "wonderland");
    let new = answer.received("x-wristband-token").unwrap();
    assert_eq!(token::header(new)["kid"], "gateway-2027-02");
    assert_eq!((&token::payload(new)["iss"], &token::payload(new)["username"]), (&json!(ISSUER), &json!("alice")));
    for wristband in [old.as_str(), new] {
        for url in [first, peer] {
            assert_eq!(present(url, wristband).received("x-wristband-user"), Some("alice"), "{url}");
        }
    }
    let recorded: Value = serde_json::from_str(&read("testdata/authorino/certs.json")).unwrap();
    let [of_first, of_second] = [first, second].map(|url| published(url));
    assert_eq!(of_first[0], recorded["keys"][0], "what Authorino publishes");
    assert_eq!(of_first.iter().rev().collect::<Vec<_>>(), of_second.iter().collect::<Vec<_>>());
    let recorded: Value = serde_json::from_str(&read("testdata/authorino/openid-configuration.json")).unwrap();
    let discovery = get(&format!("{first}{WELL_KNOWN}/openid-configuration")).json();
    for name in ["issuer", "jwks_uri"] {
        assert_eq!(discovery[name], recorded[name]);
    }

    for url in [first, peer] {
        assert_eq!(outcome(&present(url, &of_authorino("stranger"))), "bad_signature");
        let in_its_name = token::sign("stranger", &token::payload(&old));
        assert_eq!(outcome(&present(url, &in_its_name)), "unknown_key");
    }
    let forged = login(second, "forged");
    assert_eq!((forged.status, forged.received("x-wristband-token")), (401, None));
    let beside = get(&format!("{second}{WELL_KNOWN}/../../../../admin"));
    assert_eq!((beside.status, beside.received(":path")), (404, None), "nothing is served without Authorino");
}

#[test]
fn whom_authorino_knows_gets_a_wristband_and_nobody_else() {
    let (envoy, urls) = start(&page::blocks("from-authorino")[5..6]);
    let url = &urls[0];
    let answer = login(url, "wonderland");
    let claims = token::payload(answer.wristband().unwrap());
    let expected = json!(["https://login.example.com", "alice", "federation", "staff"]);
    assert_eq!(json!([claims["iss"], claims["sub"], claims["aud"], claims["groups"]]), expected);
    for answer in [
        login(url, "forged"),
        http::send("GET", url, &[]),
        get_with(url, &[("x-user", "alice"), ("x-ext-auth-reason", "alice")]),
    ] {
        assert_eq!((answer.status, answer.wristband()), (401, None));
        assert_eq!(answer.header("www-authenticate"), Some("APIKEY realm=\"friends\""), "Authorino's denial");
    }
    assert_eq!(envoy.count("issued"), 1);
    assert!(get(&format!("{url}/.well-known/openid-connect/certs")).json()["keys"][0].is_object(), "without a key");
}

/// Two issuers in one listener, each at its own host.
#[test]
fn several_authconfigs_are_several_filters_and_none_speaks_for_another() {
    let shown = page::blocks("from-authorino");
    // The first source that has a value.
    let identity = &shown[6]["issue"]["identity"];
    let mut both = shown[7].clone();
    for filter in [0, 1] {
        let issue = both.pointer_mut(&format!("/http_filters/{filter}/typed_config/config/configuration/value/issue"));
        issue.unwrap()["identity"] = identity.clone();
    }
    let (_envoy, urls) = start(&[both]);
    let ask = |host: &str, path: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("host", host)];
        all.extend(headers);
        get_with(&format!("{}{path}", urls[0]), &all)
    };
    let login = |host: &str| ask(host, "/", &[("authorization", "APIKEY wonderland")]);
    let mut issued = Vec::new();
    for name in ["shop", "bank"] {
        let answer = login(&format!("{name}.example.com"));
        let wristband = answer.wristband().unwrap_or_else(|| panic!("{name}: {}", answer.body)).to_owned();
        let issuer = format!("https://authorino.example.com/east/{name}/x-wristband-token");
        assert_eq!(
            (&token::payload(&wristband)["iss"], &token::payload(&wristband)["sub"]),
            (&json!(issuer), &json!("alice"))
        );
        issued.push(wristband);
    }
    assert_eq!(outcome(&ask("bank.example.com", "/", &[("x-wristband-token", &issued[0])])), "unknown_issuer");
    let certs = "/.well-known/openid-connect/certs";
    let of = |host: &str, path: &str| {
        ask(host, &format!("/east/{path}/x-wristband-token{certs}"), &[]).json()["keys"][0]["kid"].clone()
    };
    assert_eq!(of("shop.example.com", "shop"), "shop-2027-02");
    assert_eq!(of("bank.example.com", "bank"), "bank-2027-02");
}

/// Authorino says nothing of `x-user` here.
#[test]
fn a_header_that_authorino_does_not_set_is_the_client_s_unless_it_is_removed() {
    let mut careless = page::blocks("from-authorino").remove(3);
    let issue = &mut careless["http_filters"][1]["typed_config"]["config"]["configuration"]["value"]["issue"];
    issue["identity"] = json!({"header": "x-user"});
    let mut careful = careless.clone();
    let removing = json!({"mutations": {"request_mutations": [{"remove": "x-user"}]}});
    let removing = extension("header_mutation.v3.HeaderMutation", &removing);
    careful["http_filters"].as_array_mut().unwrap().insert(0, removing);
    let (_envoy, urls) = start(&[careless, careful]);
    for (url, expected) in urls.iter().zip([Some("mallory"), None]) {
        let headers = [("authorization", "APIKEY wonderland"), ("x-user", "mallory")];
        let answer = get_with(url, &headers);
        let subject = answer.received("x-wristband-token").map(|wristband| token::payload(wristband)["sub"].clone());
        assert_eq!((answer.status, subject), (200, expected.map(Value::from)));
    }
}

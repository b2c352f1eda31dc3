//! What `docs/security.md` says of the parts of Envoy around the filter: what they do to it, and what it cannot do about that.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live::Live;
use crate::support::config::{allow_replay, cluster, filter, gateways, private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, Connection};
use crate::support::key;
use crate::support::token::{self, A, B, claims, sign};

const A1: &str = "cluster-a-2026-11";
const B1: &str = "cluster-b-2026-10";

fn gateway(fields: &Value) -> Value {
    let mut gateway = json!({
        "issuer": A, "signingKeyRefs": [public(A1)], "peers": [{"issuer": B, "keys": [public(B1)]}],
    });
    gateway.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    gateway
}

/// With these fields of `issue`.
fn signer(issue: &Value, fields: &Value) -> Value {
    let mut gateway = gateway(fields);
    gateway["signingKeyRefs"] = json!([private(A1, "KEY")]);
    gateway["issue"] = issue.clone();
    gateway
}

fn of_user() -> Value {
    json!({"identity": {"header": "x-user"}})
}

fn start(bootstrap: &Value) -> Envoy {
    Envoy::start(bootstrap, &[("KEY", &key(A1))])
}

fn extension(name: &str, kind: &str, config: &Value) -> Value {
    let mut config = config.clone();
    config["@type"] = format!("type.googleapis.com/envoy.extensions.{kind}").into();
    json!({"name": name, "typed_config": config})
}

/// Lets nobody pass.
fn closed() -> Value {
    extension("rbac", "filters.http.rbac.v3.RBAC", &json!({"rules": {"action": "ALLOW", "policies": {}}}))
}

/// The connection manager of a gateway.
fn manager(bootstrap: &mut Value, gateway: usize) -> &mut Value {
    &mut bootstrap["static_resources"]["listeners"][gateway + 1]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn routes(bootstrap: &mut Value, gateway: usize) -> &mut Vec<Value> {
    manager(bootstrap, gateway)["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap()
}

#[test]
fn weakness_of_two_filters_in_one_chain_the_second_refreshes_our_own_wristband() {
    let verifier = gateway(&json!({"verify": {}}));
    let issue = json!({"identity": {"expression": "filter_state['wasm.wristband'].sub"}});
    let setup = gateways(vec![vec![filter(&verifier), filter(&signer(&issue, &json!({})))]]);
    let _envoy = start(&setup.bootstrap);
    let mut ours = claims(A);
    ours["exp"] = json!(token::now() + 60);
    let answer = http::get_with(&setup.urls[0], &[("x-wristband-token", &sign(A1, &ours))]);
    let refreshed = token::payload(answer.wristband().unwrap());
    assert!(refreshed["exp"].as_u64() > ours["exp"].as_u64());
}

#[test]
fn weakness_a_status_that_is_rewritten_before_the_filter_sees_it_counts_as_success() {
    let signing = || filter(&signer(&of_user(), &json!({})));
    let redirect = extension(
        "page",
        "http.custom_response.redirect_policy.v3.RedirectPolicy",
        &json!({"uri": "http://gateway.example/page"}),
    );
    let input = json!({"name": "status", "typed_config": {
        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput",
    }});
    let matcher = json!({"predicate": {"single_predicate": {"input": input, "value_match": {"exact": "403"}}}, "on_match": {"action": redirect}});
    let page = || {
        let matchers = json!({"custom_response_matcher": {"matcher_list": {"matchers": [matcher]}}});
        extension("custom-response", "filters.http.custom_response.v3.CustomResponse", &matchers)
    };
    let mut setup = gateways(vec![
        vec![signing(), closed()],
        vec![signing(), closed()],
        vec![page(), signing()],
        vec![signing(), page()],
    ]);
    let forbidden = json!({"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 403, "runtime_key": "none"}}}});
    manager(&mut setup.bootstrap, 1)["local_reply_config"] =
        json!({"mappers": [{"filter": forbidden, "status_code": 200}]});
    for gateway in [2, 3] {
        let mut page = routes(&mut setup.bootstrap, gateway)[0].clone();
        page["match"] = json!({"path": "/page"});
        page["request_headers_to_remove"] = json!(["x-echo-status"]);
        routes(&mut setup.bootstrap, gateway).insert(0, page);
    }
    let _envoy = start(&setup.bootstrap);
    for (url, expected) in setup.urls.iter().zip([(403, false), (200, true), (403, true), (403, false)]) {
        let answer = http::get_with(url, &[("x-user", "mallory"), ("x-echo-status", "403")]);
        assert_eq!((answer.status, answer.wristband().is_some()), expected, "{answer:?}");
    }
}

#[test]
fn weakness_a_route_that_a_forged_header_chooses_has_chosen_the_filters_unless_it_is_denied() {
    let outputs = json!([{"header": "x-sub", "claim": "sub"}]);
    let mut setup = gateways(
        ["remove", "deny"]
            .map(|on| json!({"mode": "optional", "outputClaimToHeaders": outputs, "onForgedHeader": on}))
            .map(|verify| vec![filter(&gateway(&json!({"verify": verify}))), closed()])
            .into(),
    );
    for gateway in [0, 1] {
        let mut vip = routes(&mut setup.bootstrap, gateway)[0].clone();
        vip["match"]["headers"] = json!([{"name": "x-sub", "string_match": {"exact": "vip"}}]);
        vip["typed_per_filter_config"] =
            json!({"rbac": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true}});
        routes(&mut setup.bootstrap, gateway).insert(0, vip);
    }
    let _envoy = start(&setup.bootstrap);
    for url in &setup.urls {
        assert_eq!(http::get(url).status, 403);
    }
    let answer = http::get_with(&setup.urls[0], &[("x-sub", "vip")]);
    assert_eq!((answer.status, answer.received("x-sub")), (200, None));
    assert_eq!(http::get_with(&setup.urls[1], &[("x-sub", "vip")]).status, 400);
}

#[test]
fn weakness_as_a_filter_of_a_cluster_it_finds_no_token_in_a_retry() {
    let mut setup = gateways(vec![vec![]]);
    let codec = extension("codec", "filters.http.upstream_codec.v3.UpstreamCodec", &json!({}));
    let mut options = json!({"explicit_http_config": {"http_protocol_options": {}}});
    options["http_filters"] = json!([filter(&gateway(&json!({"verify": {}}))), codec]);
    options["@type"] = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions".into();
    setup.bootstrap["static_resources"]["clusters"][0]["typed_extension_protocol_options"] =
        json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options});
    routes(&mut setup.bootstrap, 0)[0]["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1});
    let _envoy = start(&setup.bootstrap);
    let ask = |status: &str| {
        let token = sign(B1, &claims(B));
        http::get_with(&setup.urls[0], &[("x-wristband-token", &token), ("x-echo-status", status)]).status
    };
    assert_eq!((ask("200"), ask("503")), (200, 401));
}

#[test]
fn retries_and_mirrors_carry_the_same_wristband_which_a_peer_with_replay_takes_once() {
    let mut issue = of_user();
    issue["placement"] = json!("request");
    let verifier = json!({
        "peers": [{"issuer": A, "keys": [public(A1)]}], "verify": {"replay": {"cache": 100}},
    });
    let mut peer = filter(&verifier);
    allow_replay(&mut peer);
    let mut setup = gateways(vec![vec![filter(&signer(&issue, &json!({})))], vec![peer]]);
    let port = setup.urls[1].rsplit_once(':').unwrap().1.parse().unwrap();
    setup.bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster("peer", port));
    routes(&mut setup.bootstrap, 0)[0]["route"] =
        json!({"cluster": "peer", "retry_policy": {"retry_on": "5xx", "num_retries": 1}});
    let mirrored = json!({
        "match": {"path": "/mirrored"},
        "route": {"cluster": "echo", "request_mirror_policies": [{"cluster": "peer"}]},
    });
    routes(&mut setup.bootstrap, 0).insert(0, mirrored);
    let envoy = start(&setup.bootstrap);
    let answer = http::get_with(&setup.urls[0], &[("x-user", "alice"), ("x-echo-status", "503")]);
    assert_eq!((answer.status, envoy.count("denied.replayed")), (401, 1), "{answer:?}");
    let answer = http::get_with(&format!("{}/mirrored", setup.urls[0]), &[("x-user", "alice")]);
    assert!(answer.received("x-wristband-token").is_some(), "{answer:?}");
    envoy.wait_until("the mirror has it too", |envoy| envoy.count("verified") == 2);
}

#[test]
fn a_cache_before_it_answers_without_it() {
    let simple = extension("simple", "http.cache.simple_http_cache.v3.SimpleHttpCacheConfig", &json!({}));
    let cache =
        extension("cache", "filters.http.cache.v3.CacheConfig", &json!({"typed_config": simple["typed_config"]}));
    let verifying = || filter(&gateway(&json!({"verify": {}})));
    let setup = gateways(vec![vec![cache.clone(), verifying()], vec![verifying(), cache]]);
    let _envoy = start(&setup.bootstrap);
    let statuses: Vec<_> = setup.urls.iter().map(|url| http::get(url).status).collect();
    assert_eq!(statuses, [200, 401]);
}

/// How long the wristband lives that comes back on this connection.
fn duration(connection: &mut Connection) -> u64 {
    let answer = connection.get("/", &[("x-user", b"alice")]);
    let payload = token::payload(answer.wristband().unwrap());
    payload["exp"].as_u64().unwrap() - payload["iat"].as_u64().unwrap() - token::BACKDATE
}

#[test]
fn weakness_an_update_by_lds_that_goes_back_while_the_old_listener_drains_shows_nothing() {
    let plugin = |duration: u32, max_age: u32| {
        signer(&of_user(), &json!({"tokenDuration": duration, "discovery": {"maxAge": max_age}}))
    };
    let live = Live::start(&[plugin(100, 300)], &[("KEY", &key(A1))], &[]);
    let is = |expected: u64| duration(&mut Connection::new(&live.urls[0])) == expected;
    let loaded = || live.envoy.log().matches("configuration in force").count();
    live.update_applies(&[plugin(200, 300)], || is(200));
    let before = loaded();
    live.update_applies(&[plugin(100, 300)], || is(100));
    assert_eq!(loaded(), before);
    live.update_applies(&[plugin(200, 301)], || is(200));
    assert!(loaded() > before);
}

#[test]
fn an_open_connection_gets_an_update_by_ecds_and_not_one_by_lds() {
    let plugin = |duration: u32| signer(&of_user(), &json!({"tokenDuration": duration}));
    let live = Live::start(&[plugin(100)], &[("KEY", &key(A1))], &[]);
    let mut open = Connection::new(&live.urls[0]);
    assert_eq!(duration(&mut open), 100);
    live.update_applies(&[plugin(200)], || duration(&mut Connection::new(&live.urls[0])) == 200);
    assert_eq!(duration(&mut open), 100);

    let file = "dynamic/filter.json";
    let resource = |duration: u32| {
        let mut filter = filter(&plugin(duration));
        filter["@type"] = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig".into();
        json!({"resources": [filter]})
    };
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(file);
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, resource(100).to_string()).unwrap();
    let discovered = json!({"name": "wristband", "config_discovery": {
        "config_source": {"resource_api_version": "V3", "path_config_source": {"path": path}},
        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
    }});
    let mut setup = gateways(vec![vec![discovered]]);
    setup.bootstrap["node"] = json!({"id": "test", "cluster": "test"});
    let envoy = Envoy::try_start_in(directory, &setup.bootstrap, &[("KEY", &key(A1))], &[]).unwrap();
    let mut open = Connection::new(&setup.urls[0]);
    assert_eq!(duration(&mut open), 100);
    envoy.replace(file, &resource(200));
    envoy.wait_until("the update applies", |_| duration(&mut open) == 200);
}

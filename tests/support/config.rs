//! Envoy configurations, in the parts that the tests vary.

use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use std::path::Path;

use super::envoy::{free_port, is_before_1_40};
use super::sample::visit;
use super::token::encode;

const RESTRICTION: &str = "capability_restriction_config";

/// The host calls that the filter needs, and no other: the samples allow the same.
pub const CAPABILITIES: [&str; 22] = [
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_call_foreign_function",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "environ_get",
    "environ_sizes_get",
    "clock_time_get",
    "random_get",
];

/// The filter with a plugin configuration of any type.
pub fn filter_with(configuration: Value, environment: &[&str]) -> Value {
    let allowed: serde_json::Map<_, _> = CAPABILITIES.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let mut filter = json!({
        "name": "wristband",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "wristband",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": "target/wristband.wasm"}},
                    "environment_variables": {"host_env_keys": environment},
                    "capability_restriction_config": {"allowed_capabilities": allowed},
                },
                "configuration": configuration,
            },
        },
    });
    if is_before_1_40() {
        as_before_1_40(&mut filter);
    }
    filter
}

/// Writes filters as Envoy read them before 1.40: what they may ask of it stood beside `vm_config`, and not in it. And
/// before 1.39 two filters shared a VM although their variables were different, unless each had a `vm_id`.
pub fn as_before_1_40(value: &mut Value) {
    visit(value, &mut |members| {
        let Some(machine) = members.get_mut("vm_config").and_then(Value::as_object_mut) else { return };
        if let Some(variables) = machine.get("environment_variables").map(Value::to_string) {
            machine.insert("vm_id".to_owned(), variables.into());
        }
        if let Some(allowed) = machine.remove(RESTRICTION) {
            members.insert(RESTRICTION.to_owned(), allowed);
        }
    });
}

/// The filter with a configuration as plain YAML would give it, and the variables that it names. `$CRYPTO` says who
/// computes, where the configuration does not: the same tests hold whoever does.
pub fn filter(plugin: &Value) -> Value {
    let mut environment = Vec::new();
    variables(plugin, &mut environment);
    let mut plugin = plugin.clone();
    if let (Ok(crypto), Some(members)) = (std::env::var("CRYPTO"), plugin.as_object_mut()) {
        members.entry("crypto").or_insert(crypto.into());
    }
    filter_with(as_struct(&plugin), &environment)
}

/// A plugin configuration as plain YAML would give it, with the keys of `testdata` allowed.
pub fn as_struct(plugin: &Value) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": of_a_test(plugin)})
}

/// The same as JSON text.
pub fn as_text(plugin: &Value) -> Value {
    let text = of_a_test(plugin).to_string();
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

/// A configuration that may have keys of `testdata`; an empty one stays empty.
pub fn of_a_test(plugin: &Value) -> Value {
    let mut plugin = plugin.clone();
    if let Some(members) = plugin.as_object_mut().filter(|members| !members.is_empty()) {
        members.entry("allowWorthlessKeys").or_insert(true.into());
    }
    plugin
}

/// The host calls that a filter may make.
pub fn capabilities(filter: &mut Value) -> &mut serde_json::Map<String, Value> {
    let config = &mut filter["typed_config"]["config"];
    let place = if is_before_1_40() { config } else { &mut config["vm_config"] };
    place[RESTRICTION]["allowed_capabilities"].as_object_mut().unwrap()
}

/// The host calls that `replay` needs beside the others.
pub const REMEMBERING: [&str; 2] = ["proxy_get_shared_data", "proxy_set_shared_data"];

/// Allows them.
pub fn allow_replay(filter: &mut Value) {
    for name in REMEMBERING {
        capabilities(filter).insert(name.to_owned(), json!({}));
    }
}

/// The host calls that fetched keys need beside the others.
pub const FETCHING: [&str; 8] = [
    "proxy_on_tick",
    "proxy_on_http_call_response",
    "proxy_set_tick_period_milliseconds",
    "proxy_http_call",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_set_effective_context",
    "proxy_continue_stream",
];

/// Those of them without which nobody can wait for a key.
pub const WAITING: [&str; 3] = ["proxy_on_request_body", "proxy_on_request_trailers", "proxy_continue_stream"];

/// Allows them.
pub fn allow_fetching(filter: &mut Value) {
    for name in FETCHING {
        capabilities(filter).insert(name.to_owned(), json!({}));
    }
}

/// A listener inside of Envoy that hands out the file `key.pem` of a folder, and the cluster that leads to it.
pub fn key_by_call(folder: &Path) -> (Value, Value) {
    let folder = folder.to_str().unwrap();
    let body = json!({"filename": format!("{folder}/key.pem"), "watched_directory": {"path": folder}});
    let routes = json!([{"match": {"path": "/key"}, "direct_response": {"status": 200, "body": body}}]);
    let mut listener = listener("wristband-key", 0, Vec::new(), routes);
    let members = listener.as_object_mut().unwrap();
    members.remove("address");
    members.insert("internal_listener".to_owned(), json!({}));
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["max_direct_response_body_size_bytes"] = 65_536.into();
    let mut cluster = cluster("wristband-key", 0);
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] =
        json!({"envoy_internal_address": {"server_listener_name": "wristband-key"}});
    (listener, cluster)
}

/// What a listener inside of Envoy needs.
pub fn internal_listeners() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
    json!([{"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": kind}}])
}

/// Labels of metrics, as the samples have them.
pub fn stats_tags() -> Value {
    super::sample::parse(&super::read("envoy/federation.yaml"))["stats_config"]["stats_tags"].take()
}

fn variables<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    if let Some(name) = value.get("environmentVariable").and_then(Value::as_str) {
        found.push(name);
    }
    let inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => return,
    };
    inner.for_each(|value| variables(value, found));
}

/// An upstream that answers with the request headers it received, one a line. `x-echo-status` chooses the status,
/// `x-echo-set: NAME=VALUE` sets a response header.
pub fn echo(port: u16) -> Value {
    let code = r#"
        function envoy_on_request(request)
          local headers = request:headers()
          local lines = {}
          for name, value in pairs(headers) do table.insert(lines, name .. ": " .. value) end
          table.sort(lines)
          local answer = {[":status"] = headers:get("x-echo-status") or "200", ["content-type"] = "text/plain"}
          local set = headers:get("x-echo-set")
          if set then
            local name, value = set:match("^(.-)=(.*)$")
            answer[name] = value
          end
          request:respond(answer, table.concat(lines, "\n") .. "\n")
        end"#;
    let lua = json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": code},
        },
    });
    let routes = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 404}}]);
    listener("echo", port, vec![lua], routes)
}

/// A listener with these filters before the router.
pub fn listener(name: &str, port: u16, mut filters: Vec<Value>, routes: Value) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "max_request_headers_kb": 96,
                "upgrade_configs": [{"upgrade_type": "websocket"}],
                "access_log": [{
                    "name": "envoy.access_loggers.stderr",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
                        "log_format": {"text_format_source": {"inline_string":
                            "access %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.wristband:TYPED)%\n"}},
                    },
                }],
                "http_filters": filters,
                "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
            },
        }]}],
    })
}

pub fn to_upstream() -> Value {
    json!([{"match": {"prefix": "/"}, "route": {"cluster": "echo"}}])
}

pub fn cluster(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]},
    })
}

/// Envoy's own JWT filter for the tokens of one issuer, with its payload as dynamic metadata `payload`.
pub fn jwt_authn(issuer: &str, jwks: &Value, optional: bool) -> Value {
    let provider = json!({"provider_name": "idp"});
    let requires =
        if optional { json!({"requires_any": {"requirements": [provider, {"allow_missing": {}}]}}) } else { provider };
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"idp": {
                "issuer": issuer,
                "local_jwks": {"inline_string": jwks.to_string()},
                "payload_in_metadata": "payload",
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": requires}],
        },
    })
}

/// The public half of a key in `testdata` as a JWKS.
pub fn jwks(name: &str) -> Value {
    let pem = pem::parse(super::key(&format!("{name}.pub"))).unwrap();
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(pem.contents()).unwrap();
    let point = key.to_sec1_point(false);
    let (x, y) = (encode(point.x().unwrap()), encode(point.y().unwrap()));
    json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": name}]})
}

/// Gateways in one Envoy, all in front of the echo upstream.
pub struct Gateways {
    pub bootstrap: Value,
    /// The address of each gateway, without a slash at its end.
    pub urls: Vec<String>,
}

/// One gateway for each list of filters.
pub fn gateways(chains: Vec<Vec<Value>>) -> Gateways {
    let upstream = free_port();
    let mut listeners = vec![echo(upstream)];
    let mut urls = Vec::new();
    for (index, filters) in chains.into_iter().enumerate() {
        let port = free_port();
        listeners.push(listener(&format!("gateway-{index}"), port, filters, to_upstream()));
        urls.push(format!("http://127.0.0.1:{port}"));
    }
    let bootstrap = json!({"static_resources": {"listeners": listeners, "clusters": [cluster("echo", upstream)]}});
    Gateways { bootstrap, urls }
}

/// A public key of `testdata` as an entry of the configuration.
pub fn public(name: &str) -> Value {
    json!({"name": name, "algorithm": "ES256", "key": {"inlineString": super::key(&format!("{name}.pub"))}})
}

/// A private key of `testdata`, to be delivered by a variable.
pub fn private(name: &str, variable: &str) -> Value {
    json!({"name": name, "algorithm": "ES256", "key": {"environmentVariable": variable}})
}

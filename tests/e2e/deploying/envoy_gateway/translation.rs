//! What Envoy Gateway makes of the objects: one listener with its filters and routes.

use serde_json::{Map, Value, json};
use sha2::Digest as _;

use crate::deploying::objects;
use crate::deploying::rig::{HOST, Surroundings};
use crate::support::config::{listener, of_a_test};
use crate::support::read;

/// What a change of a policy's configuration makes of it.
pub type Change<'c> = &'c dyn Fn(&str, Value) -> Value;

fn manifests(kind: &str) -> Vec<Value> {
    let files = ["issue", "verify"].map(|name| read(&format!("deploy/envoy-gateway/{name}.yaml")));
    files.iter().flat_map(|text| objects(text)).filter(|object| object["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The policy of a kind that is for a route.
fn policy_for(kind: &str, route: &str) -> Option<Value> {
    manifests(kind).into_iter().find(|policy| {
        let targets = policy["spec"]["targetRefs"].as_array().unwrap();
        targets.iter().any(|target| target["kind"] == "HTTPRoute" && target["name"] == route)
    })
}

fn filter_name(policy: &str) -> String {
    format!("envoy.filters.http.wasm/envoyextensionpolicy/federation/{policy}/wasm/0")
}

/// The filter of a policy. The module is what a server of the control plane has.
fn filter(policy: &Value, module: &[u8], change: Change) -> Value {
    let wasm = &policy["spec"]["wasm"][0];
    let digest: String = sha2::Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect();
    let configuration = change(name(policy), of_a_test(&wasm["config"]));
    let mut machine = json!({
        "vm_id": format!("envoyextensionpolicy/federation/{}/wasm/0", name(policy)),
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"remote": {
            "http_uri": {"uri": format!("https://envoy-gateway:18002/{digest}.wasm"), "cluster": "wasm_cluster", "timeout": "10s"},
            "sha256": digest,
            "retry_policy": {"num_retries": 10, "retry_back_off": {"base_interval": "1s", "max_interval": "30s"}},
        }},
    });
    if let Some(names) = wasm["env"].get("hostKeys") {
        machine["environment_variables"] = json!({"host_env_keys": names});
    }
    assert_eq!(wasm["failOpen"], false);
    json!({
        "name": filter_name(name(policy)),
        "disabled": true,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": wasm["name"],
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration.to_string(),
                },
                "vm_config": machine,
            },
        },
    })
}

/// What a `SecurityPolicy` becomes: it is asked for on routes of their own, and the payload goes where the provider's name says.
fn authentication() -> Value {
    let provider = &manifests("SecurityPolicy")[0]["spec"]["jwt"]["providers"][0];
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"provider": {
                "issuer": provider["issuer"],
                "audiences": provider["audiences"],
                "payload_in_metadata": provider["name"],
                "forward": true,
                "remote_jwks": {
                    "http_uri": {"uri": provider["remoteJWKS"]["uri"], "cluster": "login_example_com_443", "timeout": "10s"},
                    "async_fetch": {},
                },
            }},
            "requirement_map": {"required": {"provider_name": "provider"}},
        },
    })
}

/// The routes of all matches of all `HTTPRoute`s, the exact ones first.
fn routes() -> Vec<Value> {
    let mut routes = Vec::new();
    for route in manifests("HTTPRoute") {
        assert_eq!(route["spec"]["hostnames"], json!([HOST]));
        let mut filters = Map::new();
        if let Some(policy) = policy_for("EnvoyExtensionPolicy", name(&route)) {
            let on = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
            filters.insert(filter_name(name(&policy)), on);
        }
        if policy_for("SecurityPolicy", name(&route)).is_some() {
            let kind = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig";
            let required = json!({"@type": kind, "requirement_name": "required"});
            filters.insert("envoy.filters.http.jwt_authn".to_owned(), required);
        }
        for found in route["spec"]["rules"][0]["matches"].as_array().unwrap() {
            let member = if found["path"]["type"] == "Exact" { "path" } else { "path_separated_prefix" };
            routes.push(json!({
                "match": {member: found["path"]["value"]},
                "route": {"cluster": "echo"},
                "typed_per_filter_config": filters,
            }));
        }
    }
    routes.sort_by_key(|route| route["match"].get("path").is_none());
    routes
}

/// What LDS has.
pub fn listeners(surroundings: &Surroundings, module: &[u8], change: Change) -> Value {
    let mut filters = vec![authentication()];
    filters.extend(manifests("EnvoyExtensionPolicy").iter().map(|policy| filter(policy, module, change)));
    let mut listener = listener("gateway", surroundings.port, filters, routes().into());
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"][0]["domains"] = json!([HOST]);
    manager["common_http_protocol_options"] = json!({"headers_with_underscores_action": "REJECT_REQUEST"});
    listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
    json!({"resources": [listener]})
}

//! Listeners that answer by themselves, so that no upstream is part of the cost.

use serde_json::{Value, json};

use crate::support::config;
use crate::support::http::Answer;

/// Headers that Envoy writes by itself.
pub const OF_ENVOY: [&str; 3] = ["content-length", "date", "server"];

/// A listener with these filters and no access log, which answers 200 and nothing more, or what this answer was.
pub fn answering(name: &str, port: u16, filters: Vec<Value>, answer: Option<&Answer>) -> Value {
    let mut route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    if let Some(Answer { headers, body, .. }) = answer {
        route["direct_response"]["body"] = json!({"inline_string": body});
        let headers = headers.iter().filter(|(name, _)| !OF_ENVOY.contains(&name.as_str()));
        let added = headers.map(|(name, value)| {
            let header = json!({"key": name.as_str(), "value": value.to_str().unwrap()});
            json!({"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
        });
        route["response_headers_to_add"] = added.collect();
    }
    let mut listener = config::listener(name, port, filters, json!([route]));
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager.as_object_mut().unwrap().remove("access_log");
    listener
}

/// Our filter as a plugin of its own. Those with the same `vm_config` share a VM on each worker; what they remember, they
/// do not share.
pub fn ours(name: &str, plugin: &Value) -> Value {
    let mut filter = config::filter(plugin);
    filter["typed_config"]["config"]["name"] = name.into();
    filter
}

/// Envoy's own filter, for the tokens of one issuer, with these further fields of the provider.
pub fn jwt_authn(issuer: &str, key: &str, further: &Value) -> Value {
    let mut provider = json!({
        "issuer": issuer,
        "local_jwks": {"inline_string": config::jwks(key).to_string()},
        "from_headers": [{"name": super::load::TOKEN}],
    });
    provider.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"a": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "a"}}],
        },
    })
}

/// The least that Lua can do: look at one header.
pub fn lua() -> Value {
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string":
                "function envoy_on_request(request) request:headers():get(\"x-wristband-token\") end"},
        },
    })
}

/// An external authorizer over HTTP, which receives the token.
pub fn ext_authz(cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "allowed_headers": {"patterns": [{"exact": super::load::TOKEN}]},
            "http_service": {"server_uri": {"uri": "http://127.0.0.1", "cluster": cluster, "timeout": "5s"}},
        },
    })
}

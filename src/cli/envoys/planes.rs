//! What Istio and Envoy Gateway are told beside a configuration.

use serde_json::Value;

use super::{Say, of_variables};
use crate::cli::check::Severity;
use crate::cli::document::Node;

/// Of a `WasmPlugin`, or an entry of `spec.wasm` of an `EnvoyExtensionPolicy`.
pub(super) fn remarks(around: &Node, value: &Value, say: &mut Say<'_>) {
    match around.at(&["spec"]) {
        Some(spec) if says(around.at(&["kind"]), "WasmPlugin") => of_istio(spec, value, say),
        _ => of_envoy_gateway(around, value, say),
    }
}

fn says(node: Option<&Node>, text: &str) -> bool {
    node.and_then(Node::text) == Some(text)
}

const OPEN: &str = "after a crash, and where the module cannot be loaded, every request passes unverified";

fn of_istio(spec: &Node, value: &Value, say: &mut Say<'_>) {
    let strategy = spec.at(&["failStrategy"]);
    if says(strategy, "FAIL_OPEN") {
        say(strategy.unwrap_or(spec), "spec.failStrategy", Severity::Warning, format!("{OPEN}; use `FAIL_RELOAD`"));
    } else if !says(strategy, "FAIL_RELOAD") {
        let message = "without `FAIL_RELOAD` one crash of a plugin is 503 for good";
        say(strategy.unwrap_or(spec), "spec.failStrategy", Severity::Warning, message.to_owned());
    }
    let phase = spec.at(&["phase"]);
    if !["AUTHN", "AUTHZ"].iter().any(|before| says(phase, before)) {
        let message = "without `AUTHN` the filter comes after Istio's policies, and they decide by what clients have written \
             into the headers that it replaces";
        say(phase.unwrap_or(spec), "spec.phase", Severity::Warning, message.to_owned());
    }
    let environment = spec.at(&["vmConfig", "env"]);
    let entries = || environment.map(Node::items).unwrap_or_default().iter();
    of_variables(
        value,
        |name| entries().any(|entry| says(entry.at(&["name"]), name)),
        |message| {
            say(environment.unwrap_or(spec), "spec.vmConfig.env", Severity::Error, message);
        },
    );
    // Without `HOST` its value is what stands here.
    let has_value = |entry: &Node| entry.at(&["value"]).and_then(Node::text).is_some_and(|value| !value.is_empty());
    for entry in entries().filter(|entry| !says(entry.at(&["valueFrom"]), "HOST") && !has_value(entry)) {
        let message = "needs `valueFrom: HOST`: otherwise the variable is empty".to_owned();
        say(entry, "spec.vmConfig.env", Severity::Error, message);
    }
}

fn of_envoy_gateway(extension: &Node, value: &Value, say: &mut Say<'_>) {
    let open = extension.at(&["failOpen"]);
    if says(open, "true") {
        let message = format!("{OPEN}; leave it out");
        say(open.unwrap_or(extension), "spec.wasm.failOpen", Severity::Warning, message);
    }
    let keys = extension.at(&["env", "hostKeys"]);
    let listed = |name: &str| keys.map(Node::items).unwrap_or_default().iter().any(|key| says(Some(key), name));
    of_variables(value, listed, |message| {
        say(keys.unwrap_or(extension), "spec.wasm.env.hostKeys", Severity::Error, message);
    });
}

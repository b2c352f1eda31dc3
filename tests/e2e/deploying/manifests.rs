//! The manifests against the schemas and rules of those who define their kinds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{files, objects};
use crate::support::read;

/// What `make manifests` has made, or nothing where there is no Go.
fn validator() -> Option<PathBuf> {
    let validator = std::env::var_os("MANIFESTS").filter(|path| !path.is_empty());
    if validator.is_none() {
        eprintln!(
            "skipped: MANIFESTS is not set, so deploy/ is not checked against the schemas of Kubernetes and others"
        );
    }
    validator.map(PathBuf::from)
}

fn validate(validator: &Path, files: &[PathBuf]) -> Result<(), String> {
    let crds = validator.with_file_name("crds");
    let output = Command::new(validator).arg(crds).args(files).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(said),
        _ => panic!("{said}"),
    }
}

#[test]
fn every_manifest_is_what_its_api_server_takes() {
    let Some(validator) = validator() else { return };
    validate(&validator, &files()).unwrap();
}

/// In which file, which object, what stands where, and what is said of it. A text in the place of a value that takes none, a
/// field at the wrong place, a rule that is broken.
fn mistakes() -> Vec<(&'static str, &'static str, &'static str, Value, &'static str)> {
    let zero = json!(0);
    vec![
        ("istio/wristband", "WasmPlugin", "/spec/failureStrategy", json!("FAIL_RELOAD"), "unknown field"),
        ("istio/wristband", "WasmPlugin", "/spec/failStrategy", json!("FAIL_FAST"), "Unsupported value"),
        ("istio/wristband", "WasmPlugin", "/spec/vmConfig/env/0/valueFrom", json!("SECRET"), "Unsupported value"),
        (
            "istio/wristband",
            "WasmPlugin",
            "/spec/vmConfig/env/0/value",
            json!("x"),
            "only be set when valueFrom is INLINE",
        ),
        ("istio/wristband", "WasmPlugin", "/spec/vmConfig/env/1/name", json!("WRISTBAND_KEY_A"), "Duplicate value"),
        ("istio/wristband", "WasmPlugin", "/spec/url", json!("ftp://example.com/x"), "url must have schema one of"),
        ("istio/wristband", "WasmPlugin", "/spec/targetRef", json!({"kind": "Gateway", "name": "g"}), "only one of"),
        (
            "istio/gateway-patch",
            "Deployment",
            "/spec/template/spec/containers/0/environment",
            json!([]),
            "unknown field",
        ),
        ("istio/metrics", "ConfigMap", "/spec", json!({}), "unknown field"),
        ("istio/authentication", "RequestAuthentication", "/spec/jwtRules/0/jwksURI", json!("x"), "unknown field"),
        ("istio/authentication", "AuthorizationPolicy", "/spec/action", json!("ALLOWED"), "Unsupported value"),
        ("istio/authentication", "AuthorizationPolicy", "/spec/rules/0/from/0/principals", json!([]), "unknown field"),
        ("istio/authentication", "EnvoyFilter", "/spec/configPatches/0/applyTo", json!("HCM"), "Unsupported value"),
        ("istio/peers", "ServiceEntry", "/spec/ports/0/number", zero.clone(), "port must be between 1-65535"),
        ("istio/peers", "DestinationRule", "/spec/trafficPolicy/tls/caCert", json!("system"), "unknown field"),
        (
            "envoy-gateway/gateway",
            "EnvoyProxy",
            "/spec/bootstrap/value",
            Value::Null,
            "provided bootstrap patch doesn't match",
        ),
        ("envoy-gateway/gateway", "EnvoyProxy", "/spec/logging/level/wasm", json!("all"), "Unsupported value"),
        ("envoy-gateway/gateway", "EnvoyProxy", "/spec/env", json!([]), "unknown field"),
        ("envoy-gateway/gateway", "Gateway", "/spec/listeners/0/port", zero.clone(), "greater than or equal to 1"),
        (
            "envoy-gateway/issue",
            "HTTPRoute",
            "/spec/rules/0/matches/0/path/value",
            json!("login"),
            "must be an absolute path",
        ),
        ("envoy-gateway/issue", "HTTPRoute", "/spec/rules/0/backend", json!([]), "unknown field"),
        ("envoy-gateway/issue", "SecurityPolicy", "/spec/jwt/providers/0/localJWKS", json!({}), "one of"),
        ("envoy-gateway/issue", "EnvoyExtensionPolicy", "/spec/wasm/0/failStrategy", json!("x"), "unknown field"),
        (
            "envoy-gateway/issue",
            "EnvoyExtensionPolicy",
            "/spec/wasm/0/code/type",
            json!("HTTP"),
            "http field needs to be set",
        ),
        (
            "kubernetes/gateway",
            "Deployment",
            "/spec/template/spec/containers/0/volumeMounts/0/path",
            json!("/x"),
            "unknown field",
        ),
        ("kubernetes/gateway", "Service", "/spec/ports/0/port", json!("80x"), "cannot unmarshal string"),
    ]
}

#[test]
fn a_mistake_in_any_kind_is_refused() {
    let Some(validator) = validator() else { return };
    let directory = TempDir::new().unwrap();
    let (mut tried, mut planted) = (BTreeSet::new(), Vec::new());
    for (index, (file, kind, place, value, _)) in mistakes().into_iter().enumerate() {
        let mut objects = objects(&read(&format!("deploy/{file}.yaml")));
        let object = objects.iter_mut().find(|object| object["kind"] == kind).unwrap();
        tried.insert((object["apiVersion"].to_string(), kind.to_owned()));
        let (parent, member) = place.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap_or_else(|| panic!("{kind}: {parent}"))[member] = value;
        planted.push(directory.path().join(format!("{index}.yaml")));
        std::fs::write(&planted[index], object.to_string()).unwrap();
    }
    let said = validate(&validator, &planted).unwrap_err();
    for (file, (_, kind, place, _, expected)) in planted.iter().zip(mistakes()) {
        let file = file.display().to_string();
        let found = said.lines().any(|line| line.starts_with(&file) && line.contains(expected));
        assert!(found, "{kind} {place}: {said}");
    }
    let all = files().into_iter().flat_map(|file| objects(&std::fs::read_to_string(file).unwrap()));
    let all = all.map(|object| (object["apiVersion"].to_string(), object["kind"].as_str().unwrap().to_owned()));
    assert_eq!(all.collect::<BTreeSet<_>>(), tried, "a kind without a mistake");
}

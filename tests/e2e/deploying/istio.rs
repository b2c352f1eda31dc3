//! `deploy/istio`, as istiod 1.30 makes it into a configuration of Envoy and the agent hands it on: the module is a file, the
//! filter comes by ECDS. Left out are Istio's own filters and the TLS of the listener.

use serde_json::{Value, json};

use super::object;
use super::pages::steps;
use super::rig::{Gateway, Surroundings, assert_metric, metrics, of_b, wrong};
use crate::live::Client;
use crate::support::config::{self, listener, of_a_test, to_upstream};
use crate::support::envoy::Envoy;
use crate::support::key;
use crate::support::token::A;

const OLD: &str = "cluster-a-2026-11";
const NEW: &str = "cluster-a-2027-02";
/// What istiod 1.30 makes of the name `wristband` in the namespace `istio-ingress`.
const NAME: &str = "istio-ingress.wristband~istio-translated-wasmplugin";
const LABEL: &str = "istio-ingress_wristband_istio-translated-wasmplugin";

fn plugin() -> Value {
    object("istio/wristband.yaml", "WasmPlugin", "wristband")
}

fn configuration(plugin: &Value) -> Value {
    of_a_test(&plugin["spec"]["pluginConfig"])
}

/// The resource that the agent hands to Envoy.
fn extension(plugin: &Value, configuration: &Value) -> Value {
    let spec = &plugin["spec"];
    let variables = spec["vmConfig"]["env"].as_array().cloned().unwrap_or_default();
    assert!(variables.iter().all(|variable| variable["valueFrom"] == "HOST"));
    let names: Vec<_> = variables.iter().map(|variable| variable["name"].clone()).collect();
    let policy = match spec["failStrategy"].as_str() {
        Some("FAIL_CLOSE") => "FAIL_CLOSED",
        other => other.unwrap(),
    };
    let filter = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": NAME,
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": configuration.to_string(),
            },
            "failure_policy": policy,
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": "target/wristband.wasm"}},
                "environment_variables": {"host_env_keys": names},
            },
        },
    });
    let kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
    json!({"resources": [{"@type": kind, "name": NAME, "typed_config": filter}]})
}

/// The place in the chain where it goes.
fn discovered(surroundings: &Surroundings) -> Value {
    json!({
        "name": NAME,
        "config_discovery": {
            "config_source": {
                "path_config_source": {"path": surroundings.directory.path().join("extension.json")},
                "resource_api_version": "V3",
                "initial_fetch_timeout": "0s",
            },
            "type_urls": [
                "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            ],
        },
    })
}

/// What a `RequestAuthentication` becomes. istiod fetches the keys and puts them in.
fn authentication() -> Value {
    let object = object("istio/authentication.yaml", "RequestAuthentication", "identity-provider");
    let rule = &object["spec"]["jwtRules"][0];
    let mut filter = config::jwt_authn(rule["issuer"].as_str().unwrap(), &config::jwks("identity-provider"), true);
    filter["typed_config"]["providers"]["idp"]["audiences"] = rule["audiences"].clone();
    filter
}

/// What an `AuthorizationPolicy` becomes: a policy for each rule.
fn authorization() -> Value {
    let object = object("istio/authentication.yaml", "AuthorizationPolicy", "known-callers-only");
    assert_eq!(object["spec"]["action"], "ALLOW");
    let claim = |name: &str| {
        json!({"metadata": {
            "filter": "envoy.filters.http.jwt_authn",
            "path": [{"key": "payload"}, {"key": name}],
            "value": {"string_match": {"safe_regex": {"regex": ".+"}}},
        }})
    };
    let principals = object["spec"]["rules"].as_array().unwrap().iter().map(|rule| {
        if *rule == json!({"from": [{"source": {"requestPrincipals": ["*"]}}]}) {
            return json!({"and_ids": {"ids": [claim("iss"), claim("sub")]}});
        }
        let condition = &rule["when"][0];
        assert_eq!(condition["values"], json!(["*"]));
        let name = condition["key"].as_str().unwrap().strip_prefix("request.headers[").unwrap().trim_end_matches(']');
        json!({"header": {"name": name, "present_match": true}})
    });
    let policies = principals.enumerate().map(|(index, principal)| {
        (index.to_string(), json!({"permissions": [{"any": true}], "principals": [principal]}))
    });
    let policies: serde_json::Map<_, _> = policies.collect();
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": policies},
        },
    })
}

/// What the `ServiceEntry` and the `DestinationRule` of the peer become.
fn peer(surroundings: &Surroundings) -> Value {
    let entry = object("istio/peers.yaml", "ServiceEntry", "cluster-b");
    let rule = object("istio/peers.yaml", "DestinationRule", "cluster-b");
    let (host, tls) = (&entry["spec"]["hosts"][0], &rule["spec"]["trafficPolicy"]["tls"]);
    assert_eq!(
        (host, &tls["mode"], &tls["caCertificates"]),
        (&rule["spec"]["host"], &json!("SIMPLE"), &json!("system"))
    );
    let name = format!("outbound|{}||{}", entry["spec"]["ports"][0]["number"], host.as_str().unwrap());
    let mut cluster = config::cluster(&name, surroundings.outside);
    let names = tls["subjectAltNames"].as_array().unwrap();
    let names: Vec<_> = names.iter().map(|name| json!({"san_type": "DNS", "matcher": {"exact": name}})).collect();
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls["sni"],
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": surroundings.authority()},
                "match_typed_subject_alt_names": names,
            }},
        },
    });
    cluster
}

/// An Envoy of the gateway, with the keys in its environment and, unless it is left out, what `metrics.yaml` adds.
fn start(configuration: &Value, with_metrics: bool) -> (Envoy, Gateway) {
    let mut surroundings = Surroundings::new();
    let filters = vec![discovered(&surroundings), authentication(), authorization()];
    let mut gateway = listener("gateway", surroundings.port, filters, to_upstream());
    let patch = object("istio/authentication.yaml", "EnvoyFilter", "no-headers-with-underscores");
    let patch = &patch["spec"]["configPatches"][0]["patch"]["value"]["typed_config"];
    let manager = gateway.pointer_mut("/filter_chains/0/filters/0/typed_config").unwrap().as_object_mut().unwrap();
    manager.extend(patch.as_object().unwrap().clone());
    surroundings.listeners.push(gateway);
    run(surroundings, &extension(&plugin(), configuration), with_metrics)
}

/// Runs it as `gateway-patch.yaml` says.
fn run(mut surroundings: Surroundings, extension: &Value, with_metrics: bool) -> (Envoy, Gateway) {
    std::fs::write(surroundings.directory.path().join("extension.json"), extension.to_string()).unwrap();
    let deployment = object("istio/gateway-patch.yaml", "Deployment", "istio-ingress");
    let pod = &deployment["spec"]["template"];
    let annotation = |name: &str| pod["metadata"]["annotations"][format!("sidecar.istio.io/{name}")].as_str().unwrap();
    let secret = |file: &Value| match file.as_str().unwrap() {
        "a.pem" => key(OLD),
        "b.pem" => key(NEW),
        other => panic!("{other}"),
    };
    let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap().iter();
    let variables: Vec<_> = variables
        .map(|variable| (variable["name"].as_str().unwrap(), secret(&variable["valueFrom"]["secretKeyRef"]["key"])))
        .collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut arguments = vec!["-l", "warning", "--component-log-level", annotation("componentLogLevel")];
    let addition = object("istio/metrics.yaml", "ConfigMap", annotation("bootstrapOverride"));
    if with_metrics {
        arguments.extend(["--config-yaml", addition["data"]["custom_bootstrap.json"].as_str().unwrap()]);
    }
    let clusters = json!([config::cluster("echo", surroundings.service), peer(&surroundings)]);
    let gateway = surroundings.gateway();
    // Of Istio's rules for metrics those that touch ours: a label that takes a part out of `token_cache`, and what is kept.
    let bootstrap = json!({
        "node": {"id": "gateway", "cluster": "istio-ingress"},
        "stats_config": {
            "use_all_default_tags": false,
            "stats_tags": [{"tag_name": "cache", "regex": "(cache\\.([^.]+)\\.)"}],
            "stats_matcher": {"inclusion_list": {"patterns": [
                {"prefix": "wasm"}, {"prefix": "listener_manager"}, {"prefix": "server"},
            ]}},
        },
        "static_resources": {"listeners": std::mem::take(&mut surroundings.listeners), "clusters": clusters},
    });
    (Envoy::try_start_in(surroundings.directory, &bootstrap, &variables, &arguments).unwrap(), gateway)
}

#[test]
fn the_gateway_issues_and_accepts_wristbands_and_its_metrics_have_labels() {
    let (envoy, gateway) = start(&configuration(&plugin()), true);
    gateway.does_its_work(403);
    assert_eq!(gateway.get("/orders", &[("x_wristband_sub", "mallory")]).status, 403);
    assert_eq!(gateway.published(), [OLD]);
    for expected in [
        format!("wristband_issued{{filter=\"{LABEL}\"}} 1"),
        format!("wristband_verified{{filter=\"{LABEL}\",peer=\"cluster-b_example_com\"}} 1"),
        format!("wristband_keys{{filter=\"{LABEL}\",peer=\"self\"}} 1"),
        "wristband_build_info{version=".to_owned(),
    ] {
        assert_metric(&envoy, &expected);
    }
    assert!(envoy.log().contains(&format!("wasm log: {NAME}: configuration in force: own keys 1, peers 1")));
}

/// Nothing restarts: both keys are in the environment from the start.
#[test]
fn a_key_is_rotated_in_the_steps_of_the_guide_and_nobody_notices() {
    let start_with = configuration(&plugin());
    let (envoy, gateway) = start(&start_with, true);
    let (old, _) = gateway.wristband();
    let asked = gateway.clone();
    let client = Client::start(move || assert_eq!(asked.login().status, 200));
    let with_keys = |keys: Value| {
        let mut configuration = start_with.clone();
        configuration["signingKeyRefs"] = keys;
        envoy.replace("extension.json", &extension(&plugin(), &configuration));
    };
    let all = |holds: &dyn Fn() -> bool| (0..20).all(|_| holds());
    let [announced, switched, retired] = steps("istio");
    assert_eq!(announced[0], start_with["signingKeyRefs"][0]);
    with_keys(announced);
    envoy.wait_until("the new key is announced", |_| all(&|| gateway.published() == [OLD, NEW]));
    assert_eq!(gateway.wristband().1, OLD);
    with_keys(switched);
    envoy.wait_until("the new key signs", |_| all(&|| gateway.wristband().1 == NEW));
    assert_eq!(gateway.published(), [NEW, OLD]);
    assert_eq!(gateway.present(&old).status, 200);
    with_keys(retired);
    envoy.wait_until("the old key is gone", |_| all(&|| gateway.published() == [NEW]));
    assert_eq!(gateway.present(&old).status, 401);
    assert!(client.stop() > 0);
}

#[test]
fn a_wrong_configuration_changes_nothing_at_an_update_and_is_500_at_a_start() {
    let right = configuration(&plugin());
    let (envoy, gateway) = start(&right, false);
    envoy.replace("extension.json", &extension(&plugin(), &wrong(&right)));
    envoy.wait_until("it is refused", |envoy| envoy.log().contains("configuration rejected: nonsense: unknown field"));
    gateway.does_its_work(403);
    // Without metrics.yaml: no labels, and what an operator has to see is there.
    let name = LABEL.replace('-', "_");
    assert_metric(&envoy, &format!("wristband_configuration_rejected_timestamp_seconds_filter_{name}{{}} 1"));
    assert_metric(&envoy, &format!("wristband_verified_filter_{name}_peer_cluster_b_example_com{{}} 1"));
    assert_metric(&envoy, "wristband_build_info_version_");

    let (envoy, gateway) = start(&wrong(&right), true);
    assert_eq!(envoy.admin("/ready"), "LIVE\n");
    for path in ["/login", "/orders", "/.well-known/openid-connect/certs"] {
        let answer = gateway.get(path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
    }
    assert!(!metrics(&envoy).iter().any(|line| line.starts_with("wristband")), "{:?}", metrics(&envoy));
    assert!(envoy.log().contains("configuration rejected: nonsense: unknown field"));
    envoy.replace("extension.json", &extension(&plugin(), &right));
    envoy.wait_until("the next one is taken", |_| gateway.certs().status == 200);
    gateway.does_its_work(403);
}

#[test]
fn a_service_that_only_verifies_takes_wristbands_of_the_peer_alone() {
    let plugin = object("istio/verify-only.yaml", "WasmPlugin", "wristband");
    let mut surroundings = Surroundings::new();
    let filters = vec![discovered(&surroundings)];
    surroundings.listeners.push(listener("inbound", surroundings.port, filters, to_upstream()));
    let (_envoy, gateway) = run(surroundings, &extension(&plugin, &configuration(&plugin)), true);
    let answer = gateway.present(&of_b("cluster-b-2026-10"));
    assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")), "{answer:?}");
    assert_eq!(gateway.present(&of_b("stranger")).status, 401);
    assert_eq!(gateway.get("/orders", &[]).status, 401);
    // A key that signs would be refused there.
    let mut signing = configuration(&plugin);
    signing["issuer"] = A.into();
    signing["signingKeyRefs"] = configuration(&self::plugin())["signingKeyRefs"].clone();
    let (envoy, gateway) = start(&signing, true);
    assert_eq!(gateway.certs().status, 500);
    assert!(envoy.log().contains("configuration rejected: signingKeyRefs[0].key"), "{}", envoy.log());
}

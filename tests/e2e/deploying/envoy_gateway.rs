//! `deploy/envoy-gateway`, as Envoy Gateway 1.9 makes it into a configuration of Envoy: the module is fetched from the control
//! plane, the filter is off but on the routes that a policy names, and it comes by LDS. Left out is the TLS of the listener.

mod translation;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use self::translation::{Change, listeners};
use super::object;
use super::pages::steps;
use super::rig::{Gateway, HOST, Surroundings, assert_metric, of_b, wrong};
use crate::jwks_server::{JwksServer, answer};
use crate::live::Client;
use crate::support::config;
use crate::support::envoy::Envoy;
use crate::support::sample;
use crate::support::{key, path};
use crate::traps::trapping;

const OLD: &str = "cluster-a-2026-11";
const NEW: &str = "cluster-a-2027-02";
const ISSUE: &str = "wristband-issue";

fn as_it_is(_: &str, configuration: Value) -> Value {
    configuration
}

struct Running {
    envoy: Envoy,
    gateway: Gateway,
    /// Its surroundings without the folder, which Envoy has.
    surroundings: Surroundings,
    module: Vec<u8>,
    _server: JwksServer,
}

impl Running {
    fn update(&self, change: Change) {
        self.envoy.replace("listeners.json", &listeners(&self.surroundings, &self.module, change));
    }
}

fn start(change: Change) -> Running {
    start_module(std::fs::read(path("target/wristband.wasm")).unwrap(), change)
}

/// Starts it as the `EnvoyProxy` says.
fn start_module(module: Vec<u8>, change: Change) -> Running {
    let mut surroundings = Surroundings::new();
    let server = JwksServer::start(answer("200 OK", "", &module));
    let proxy = object("envoy-gateway/gateway.yaml", "EnvoyProxy", "wristband");
    let (kubernetes, levels) = (&proxy["spec"]["provider"]["kubernetes"], &proxy["spec"]["logging"]["level"]);
    let variables = kubernetes["envoyDeployment"]["container"]["env"].as_array().unwrap().iter();
    let variables: Vec<_> = variables
        .map(|variable| match variable["valueFrom"]["secretKeyRef"]["key"].as_str().unwrap() {
            "a.pem" => (variable["name"].as_str().unwrap(), key(OLD)),
            "b.pem" => (variable["name"].as_str().unwrap(), key(NEW)),
            other => panic!("{other}"),
        })
        .collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Envoy merges as Envoy Gateway does.
    assert_eq!(proxy["spec"]["bootstrap"]["type"], "Merge");
    let mut addition = sample::parse(proxy["spec"]["bootstrap"]["value"].as_str().unwrap());
    surroundings.settle(&mut addition);
    let addition = addition.to_string();
    let wasm = format!("wasm:{}", levels["wasm"].as_str().unwrap());
    let level = levels["default"].as_str().unwrap();
    let arguments = ["-l", level, "--component-log-level", &wasm, "--config-yaml", &addition];
    let mut identity_provider = addition_cluster(&surroundings);
    identity_provider["name"] = "login_example_com_443".into();
    let clusters = json!([
        config::cluster("echo", surroundings.service),
        config::cluster("wasm_cluster", server.port),
        identity_provider,
    ]);
    let directory = surroundings.directory.path();
    std::fs::write(directory.join("listeners.json"), listeners(&surroundings, &module, change).to_string()).unwrap();
    let bootstrap = json!({
        "node": {"id": "gateway", "cluster": "federation"},
        "stats_config": {"use_all_default_tags": true},
        "dynamic_resources": {"lds_config": {
            "path_config_source": {"path": directory.join("listeners.json")},
            "resource_api_version": "V3",
        }},
        "static_resources": {"listeners": std::mem::take(&mut surroundings.listeners), "clusters": clusters},
    });
    let gateway = surroundings.gateway();
    let directory = std::mem::replace(&mut surroundings.directory, tempfile::TempDir::new().unwrap());
    let envoy = Envoy::try_start_in(directory, &bootstrap, &variables, &arguments).unwrap();
    Running { envoy, gateway, surroundings, module, _server: server }
}

/// A cluster like the one of the peer, for the keys of the identity provider, which Envoy Gateway makes.
fn addition_cluster(surroundings: &Surroundings) -> Value {
    let proxy = object("envoy-gateway/gateway.yaml", "EnvoyProxy", "wristband");
    let mut addition = sample::parse(proxy["spec"]["bootstrap"]["value"].as_str().unwrap());
    surroundings.settle(&mut addition);
    addition["static_resources"]["clusters"][0].take()
}

#[test]
fn the_gateway_issues_and_accepts_wristbands_on_the_routes_of_its_policies() {
    let running = start(&as_it_is);
    let Running { envoy, gateway, .. } = &running;
    envoy.wait_until("the keys of the identity provider are there", |_| gateway.login().status == 200);
    gateway.does_its_work(401);
    assert_eq!(gateway.get("/orders", &[("x_wristband_sub", "mallory")]).status, 400);
    // The routes of one policy know nothing of the other.
    assert_eq!(gateway.get("/login", &[("x-wristband-token", &of_b("cluster-b-2026-10"))]).status, 401);
    assert_eq!(gateway.get("/.well-known/anything", &[]).status, 404);
    for expected in [
        "wristband_issued{filter=\"issue\"}",
        "wristband_verified{filter=\"verify\",peer=\"cluster-b_example_com\"} 1",
        "wristband_denied{filter=\"verify\",peer=\"none\",code=\"missing\"} 1",
        "wristband_keys{filter=\"issue\",peer=\"self\"} 1",
        "wristband_build_info{version=",
    ] {
        assert_metric(envoy, expected);
    }
    assert!(envoy.log().contains("issue: configuration in force: own keys 1, peers 0"));
}

#[test]
fn a_key_is_rotated_in_the_steps_of_the_guide_and_nobody_notices() {
    let running = start(&as_it_is);
    let Running { envoy, gateway, .. } = &running;
    envoy.wait_until("the keys of the identity provider are there", |_| gateway.login().status == 200);
    let asked = gateway.clone();
    let client = Client::start(move || assert_eq!(asked.login().status, 200));
    let with_keys = |keys: &Value| {
        running.update(&|policy, mut configuration| {
            if policy == ISSUE {
                configuration["signingKeyRefs"] = keys.clone();
            }
            configuration
        });
    };
    let all = |holds: &dyn Fn() -> bool| (0..20).all(|_| holds());
    let [announced, switched, retired] = steps("envoy-gateway");
    with_keys(&announced);
    envoy.wait_until("the new key is announced", |_| all(&|| gateway.published() == [OLD, NEW]));
    assert_eq!(gateway.wristband().1, OLD);
    with_keys(&switched);
    envoy.wait_until("the new key signs", |_| all(&|| gateway.wristband().1 == NEW));
    assert_eq!(gateway.published(), [NEW, OLD]);
    with_keys(&retired);
    envoy.wait_until("the old key is gone", |_| all(&|| gateway.published() == [NEW]));
    assert!(client.stop() > 0);
}

#[test]
fn a_wrong_configuration_changes_nothing_at_an_update_and_is_503_at_a_start() {
    let wrong = |policy: &str, configuration: Value| {
        if policy == ISSUE { wrong(&configuration) } else { configuration }
    };
    let running = start(&as_it_is);
    let Running { envoy, gateway, .. } = &running;
    envoy.wait_until("the keys of the identity provider are there", |_| gateway.login().status == 200);
    // A change of the other policy that comes with it is refused too.
    running.update(&|policy, configuration| match policy {
        ISSUE => wrong(policy, configuration),
        _ => {
            let mut other = configuration;
            other["verify"]["audiences"] = json!(["other"]);
            other
        }
    });
    envoy.wait_until("it is refused", |envoy| envoy.counter("listener_manager.lds.update_rejected") == 1);
    gateway.does_its_work(401);
    assert!(envoy.log().contains("configuration rejected: nonsense: unknown field"));
    // The gauge goes with the listener that was refused; Envoy's own counter stays.
    assert_metric(envoy, "envoy_listener_manager_lds_update_rejected{} 1");
    assert_eq!(envoy.count_of("configuration_rejected_timestamp_seconds.filter.issue"), None);

    let running = start(&wrong);
    let Running { envoy, gateway, .. } = &running;
    envoy.wait_until("it is refused", |envoy| envoy.log().contains("configuration rejected: nonsense"));
    assert_eq!(envoy.admin("/ready"), "LIVE\n");
    assert_eq!(gateway.certs().status, 503);
    // Its own policy only.
    envoy.wait_until("the other policy works", |_| gateway.present(&of_b("cluster-b-2026-10")).status == 200);
    assert_metric(envoy, "wristband_configuration_rejected_timestamp_seconds{filter=\"issue\"} 1");
    let configured = |envoy: &Envoy| envoy.count_of("configured_timestamp_seconds.filter.issue");
    assert_eq!(configured(envoy), None);
    running.update(&as_it_is);
    let is_taken = || (0..20).all(|_| gateway.certs().status == 200);
    envoy.wait_until("the next one is taken", |envoy| is_taken() && configured(envoy).is_some());
    gateway.does_its_work(401);
}

/// What the page says of a crash, with a build of the filter that has one when a request has a body.
#[test]
fn after_a_crash_nothing_passes_and_no_other_vm_takes_its_place() {
    let running = start_module(trapping("proxy_on_request_body"), &as_it_is);
    let Running { envoy, gateway, surroundings, .. } = &running;
    let orders = || gateway.present(&of_b("cluster-b-2026-10")).status;
    envoy.wait_until("it works", |_| orders() == 200);
    let post = || {
        let mut stream = TcpStream::connect(("127.0.0.1", surroundings.port)).unwrap();
        let head =
            format!("POST /orders HTTP/1.1\r\nhost: {HOST}\r\nx-wristband-token: {}\r\n", of_b("cluster-b-2026-10"));
        stream.write_all(format!("{head}content-length: 1\r\nconnection: close\r\n\r\nx").as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let is_down = || (0..20).all(|_| orders() == 503);
    envoy.wait_until("both workers have had one", |_| {
        post();
        is_down()
    });
    // Longer than Envoy waits with FAIL_RELOAD.
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_down());
    assert_eq!((envoy.counter("wasm.verify.vm_reload_success"), envoy.admin("/ready").as_str()), (0, "LIVE\n"));
    assert_eq!(gateway.certs().status, 200, "the other policy has a VM of its own");
}

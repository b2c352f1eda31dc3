//! `deploy/kubernetes`: what the kubelet makes of the volumes, and the Envoy that the Deployment starts with them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::rig::{Gateway, Surroundings, assert_metric, wrong};
use super::{object, pages};
use crate::live::Client;
use crate::renewal::swap_file;
use crate::support::config::of_a_test;
use crate::support::envoy::Envoy;
use crate::support::sample;
use crate::support::{key, path};

const OLD: &str = "cluster-a-2026-11";
const FILTER: &str = "resources/0/typed_config/config/configuration/value";

struct Pod {
    envoy: Envoy,
    gateway: Gateway,
    /// Each path in the container, and where it is here.
    volumes: Vec<(String, PathBuf)>,
    ready: String,
}

impl Pod {
    /// The folder of a volume.
    fn folder(&self, mounted: &str) -> &Path {
        &self.volumes.iter().find(|(path, _)| path == mounted).unwrap().1
    }

    /// What the kubelet asks for.
    fn is_ready(&self) -> bool {
        self.gateway.get(&self.ready, &[]).status == 200
    }

    fn configure(&self, version: &str, change: &dyn Fn(Value) -> Value) {
        let text = filter_file(&self.volumes, change);
        swap_file(self.folder("/etc/wristband/filter"), "wristband.yaml", version, &text);
    }
}

/// A text with the paths as they are here.
fn here(volumes: &[(String, PathBuf)], text: &str) -> String {
    volumes.iter().fold(text.to_owned(), |text, (mounted, folder)| text.replace(mounted, folder.to_str().unwrap()))
}

fn data(name: &str, file: &str) -> String {
    let map = object("kubernetes/configuration.yaml", "ConfigMap", name);
    map["data"][file].as_str().unwrap().to_owned()
}

/// The ConfigMap of the filter, its configuration changed.
fn filter_file(volumes: &[(String, PathBuf)], change: &dyn Fn(Value) -> Value) -> String {
    let mut resource = sample::parse(&here(volumes, &data("wristband-filter", "wristband.yaml")));
    let configuration = resource.pointer_mut(&format!("/{FILTER}")).unwrap();
    *configuration = change(of_a_test(configuration));
    resource.to_string()
}

/// Short times, so that a test can watch a rotation.
fn quickly(mut configuration: Value) -> Value {
    configuration["signingKeyRefs"][0]["key"]["refresh"] = 1.into();
    configuration["signingKeyRefs"][0]["key"]["announce"] = 3.into();
    configuration["discovery"] = json!({"maxAge": 1});
    configuration
}

/// Starts the pod of the Deployment.
fn start(text_of_key: &str, change: &dyn Fn(Value) -> Value) -> Pod {
    let mut surroundings = Surroundings::new();
    let deployment = object("kubernetes/gateway.yaml", "Deployment", "gateway");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mounts = container["volumeMounts"].as_array().unwrap().iter();
    let volumes: Vec<_> = mounts
        .map(|mount| {
            let folder = surroundings.directory.path().join(mount["name"].as_str().unwrap());
            fs::create_dir(&folder).unwrap();
            (mount["mountPath"].as_str().unwrap().to_owned(), folder)
        })
        .collect();
    for ((_, folder), mount) in volumes.iter().zip(container["volumeMounts"].as_array().unwrap()) {
        let all = pod["volumes"].as_array().unwrap();
        let volume = all.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        if volume["configMap"]["name"] == "wristband-filter" {
            swap_file(folder, "wristband.yaml", "1", &filter_file(&volumes, change));
        } else if volume["secret"]["secretName"] == "wristband-key" {
            swap_file(folder, "key.pem", "1", text_of_key);
        } else if volume.get("image").is_some() {
            std::os::unix::fs::symlink(path("target/wristband.wasm"), folder.join("plugin.wasm")).unwrap();
        } else {
            assert_eq!(volume["configMap"]["name"], "wristband-envoy");
        }
    }
    assert_eq!(container["args"], json!(["-c", "/etc/envoy/envoy.yaml"]));
    let mut bootstrap = sample::parse(&here(&volumes, &data("wristband-envoy", "envoy.yaml")));
    surroundings.settle(&mut bootstrap);
    bootstrap["node"] = json!({"id": "gateway", "cluster": "federation"});
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().unwrap();
    listeners.append(&mut surroundings.listeners);
    let ready = container["readinessProbe"]["httpGet"]["path"].as_str().unwrap().to_owned();
    let gateway = surroundings.gateway();
    let envoy = Envoy::try_start_in(surroundings.directory, &bootstrap, &[], &[]).unwrap();
    Pod { envoy, gateway, volumes, ready }
}

fn all(holds: &dyn Fn() -> bool) -> bool {
    (0..20).all(|_| holds())
}

#[test]
fn the_gateway_is_ready_with_its_key_and_does_its_work() {
    let pod = start("", &quickly);
    assert_eq!(pod.envoy.admin("/ready"), "LIVE\n");
    assert!(!pod.is_ready(), "{:?}", pod.gateway.certs());
    swap_file(pod.folder("/etc/wristband/key"), "key.pem", "2", &key(OLD));
    pod.envoy.wait_until("it has its key", |_| all(&|| pod.is_ready()));
    pod.envoy.wait_until("the keys of the identity provider are there", |_| pod.gateway.login().status == 200);
    pod.gateway.does_its_work(403);
    assert_eq!(pod.gateway.get("/orders", &[("x_wristband_sub", "mallory")]).status, 403);
    assert_metric(&pod.envoy, "wristband_verified{filter=\"gateway\",peer=\"cluster-b_example_com\"} 1");
    assert_metric(&pod.envoy, "wristband_keys{filter=\"gateway\",peer=\"self\"} 1");
}

#[test]
fn a_secret_is_changed_and_nobody_notices() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("key.pem"), key(OLD)).unwrap();
    let pod = start(&key(OLD), &quickly);
    pod.envoy.wait_until("it has its key", |_| all(&|| pod.is_ready() && pod.gateway.login().status == 200));
    let (old, first) = pod.gateway.wristband();
    let asked = pod.gateway.clone();
    let client = Client::start(move || assert_eq!(asked.login().status, 200));
    pages::run("kubernetes", "## Rotating the key", folder.path());
    let next = fs::read_to_string(folder.path().join("key.pem")).unwrap();
    swap_file(pod.folder("/etc/wristband/key"), "key.pem", "2", &next);
    pod.envoy.wait_until("both are published", |_| all(&|| pod.gateway.published().len() == 2));
    assert_eq!(pod.gateway.wristband().1, first);
    pod.envoy.wait_until("the new one signs", |_| all(&|| pod.gateway.wristband().1 != first));
    assert_eq!(pod.gateway.present(&old).status, 200);
    assert!(client.stop() > 0);
    assert_metric(&pod.envoy, "wristband_key_changed_timestamp_seconds{filter=\"gateway\"} 1");
}

#[test]
fn a_wrong_configuration_changes_nothing_at_an_update_and_is_never_ready_at_a_start() {
    let pod = start(&key(OLD), &|configuration| configuration);
    pod.envoy.wait_until("it has its key", |_| all(&|| pod.is_ready() && pod.gateway.login().status == 200));
    pod.configure("2", &|configuration| wrong(&configuration));
    pod.envoy
        .wait_until("it is refused", |envoy| envoy.log().contains("configuration rejected: nonsense: unknown field"));
    pod.gateway.does_its_work(403);
    assert_metric(&pod.envoy, "wristband_configuration_rejected_timestamp_seconds{filter=\"gateway\"} 1");

    let pod = start(&key(OLD), &|configuration| wrong(&configuration));
    assert_eq!((pod.envoy.admin("/ready").as_str(), pod.gateway.certs().status), ("LIVE\n", 500));
    assert!(!pod.is_ready());
    pod.configure("2", &|configuration| configuration);
    pod.envoy.wait_until("the next one is taken", |_| all(&|| pod.is_ready()));
}

/// What each object names has to be there.
#[test]
fn the_objects_find_each_other() {
    let deployment = object("kubernetes/gateway.yaml", "Deployment", "gateway");
    let service = object("kubernetes/gateway.yaml", "Service", "gateway");
    let template = &deployment["spec"]["template"];
    assert_eq!(service["spec"]["selector"], template["metadata"]["labels"]);
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]);
    let port = &template["spec"]["containers"][0]["ports"][0];
    assert_eq!((&service["spec"]["ports"][0]["targetPort"], &port["containerPort"]), (&port["name"], &json!(8080)));
}

//! What `docs/operating.md` says of keys that are in variables.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live::Client;
use crate::renewal::swap_file;
use crate::support::config::{self, filter_with, gateways, private, public};
use crate::support::envoy::{Envoy, free_port};
use crate::support::token::{self, A};
use crate::support::{http, key, page};

const OLD: &str = "cluster-a-2026-11";
const NEW: &str = "cluster-a-2027-02";

fn plugin(keys: Value) -> Value {
    json!({
        "issuer": A,
        "signingKeyRefs": keys,
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional"},
    })
}

/// Signs and presents what was signed: the name of the key.
fn round_trip(url: &str) -> String {
    let answer = http::get_with(url, &[("x-user", "alice")]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let wristband = answer.wristband().unwrap().to_owned();
    let answer = http::get_with(url, &[("x-wristband-token", &wristband)]);
    assert_eq!(answer.status, 200, "{answer:?}");
    token::header(&wristband)["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_hot_restart_with_another_key_in_the_environment_turns_nobody_away() {
    let base = free_port().to_string();
    let config::Gateways { bootstrap, urls } =
        gateways(vec![vec![config::filter(&plugin(json!([private(OLD, "KEY"), public(NEW)])))]]);
    let mut after = bootstrap.clone();
    let rotated = config::filter(&plugin(json!([private(NEW, "KEY"), public(OLD)])));
    *after
        .pointer_mut("/static_resources/listeners/1/filter_chains/0/filters/0/typed_config/http_filters/0")
        .unwrap() = rotated;
    let arguments =
        |epoch| ["--restart-epoch", epoch, "--base-id", &base, "--drain-time-s", "2", "--parent-shutdown-time-s", "4"];
    let first = Envoy::try_start(&bootstrap, &[("KEY", &key(OLD))], &arguments("0")).unwrap();
    let url = urls[0].clone();
    assert_eq!(round_trip(&url), OLD);
    let asked = url.clone();
    let client = Client::start(move || drop(round_trip(&asked)));
    let second = Envoy::try_start(&after, &[("KEY", &key(NEW))], &arguments("1")).unwrap();
    second.wait_until("the new one signs", |_| (0..20).all(|_| round_trip(&url) == NEW));
    std::thread::sleep(std::time::Duration::from_secs(5));
    drop(first);
    assert_eq!(round_trip(&url), NEW);
    assert!(client.stop() > 0);
}

/// Both variables are there from the start, and a `ConfigMap` is swapped.
#[test]
fn with_two_variables_an_update_rotates() {
    let folder = TempDir::new().unwrap();
    let dynamic = folder.path().join("dynamic");
    fs::create_dir(&dynamic).unwrap();
    let resource = |keys: Value| {
        let configuration = config::as_struct(&plugin(keys));
        let mut filter = filter_with(configuration, &["KEY_NOW", "KEY_NEXT"]);
        let name = filter["name"].take();
        let kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
        let resource = json!({"@type": kind, "name": name, "typed_config": filter["typed_config"].take()});
        json!({"resources": [resource]}).to_string()
    };
    let swap = |version: &str, text: &str| swap_file(&dynamic, "wristband.yaml", version, text);
    swap("1", &resource(json!([private(OLD, "KEY_NOW"), public(NEW)])));
    let shown = page::blocks("operating").into_iter().find(|block| block["config_discovery"].is_object()).unwrap();
    let shown = shown.to_string().replace("/etc/envoy/dynamic", dynamic.to_str().unwrap());
    let mut filter: Value = serde_json::from_str(&shown).unwrap();
    filter["name"] = "wristband".into();
    let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![filter]]);
    bootstrap["node"] = json!({"id": "test", "cluster": "test"});
    let keys = [("KEY_NOW", key(OLD)), ("KEY_NEXT", key(NEW))];
    let environment = keys.each_ref().map(|(name, text)| (*name, text.as_str()));
    let envoy = Envoy::try_start_in(folder, &bootstrap, &environment, &[]).unwrap();
    let url = urls[0].clone();
    assert_eq!(round_trip(&url), OLD);
    let asked = url.clone();
    let client = Client::start(move || drop(round_trip(&asked)));
    swap("2", &resource(json!([private(NEW, "KEY_NEXT"), public(OLD)])));
    envoy.wait_until("the new one signs", |_| (0..20).all(|_| round_trip(&url) == NEW));
    assert!(client.stop() > 0);
}

/// No cluster of that name is there, which is never an error of the configuration.
#[test]
fn what_the_pages_show_of_peers_that_are_fetched_comes_into_force() {
    let page = crate::support::read("docs/operating.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let shown: Vec<_> = blocks.filter(|block| block.contains("remoteJwks")).collect();
    assert_eq!(shown.len(), 2);
    for block in shown {
        let mut plugin: Value = crate::support::sample::parse(block);
        plugin["issuer"] = A.into();
        plugin["verify"] = json!({"mode": "optional"});
        let mut filter = config::filter(&plugin);
        config::allow_fetching(&mut filter);
        let config::Gateways { bootstrap, urls } = gateways(vec![vec![filter]]);
        let envoy = Envoy::start(&bootstrap, &[]);
        assert_eq!(http::get(&urls[0]).status, 200);
        envoy.wait_until("it says that it cannot", |envoy| {
            envoy.admin("/stats?filter=jwks_failures").contains("peer.west_example_com")
        });
    }
}

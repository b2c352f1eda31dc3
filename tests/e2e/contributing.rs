//! What the pages for contributors and for whoever checks a release tell one to do.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::make::as_a_user;
use crate::support::config::{as_before_1_40, filter, gateways, private, public};
use crate::support::envoy::{Envoy, binary, binary_without_sign};
use crate::support::http::get_with;
use crate::support::sample::Sample;
use crate::support::token::{self, A, B};
use crate::support::{key, page, path, read};

/// The commands of a page, block by block.
fn commands(name: &str) -> Vec<String> {
    read(name).split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn run(script: &str) -> String {
    let output = as_a_user("bash", &["-euc", script], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}\n{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_part_of_the_tests_runs_by_the_commands_of_the_page() {
    let blocks = commands("CONTRIBUTING.md");
    // Whoever runs this has run the first.
    let [whole, parts] = &blocks[..] else { panic!("{blocks:?}") };
    assert!(whole.lines().all(|line| line.starts_with("make ")), "{whole}");
    let text = run(parts);
    let results: Vec<_> = text.lines().filter(|line| line.starts_with("test result: ok. ")).collect();
    assert_eq!(results.len(), parts.matches("cargo test ").count(), "{text}");
    assert!(results.iter().all(|line| !line.contains(" 0 passed")), "{results:?}");
}

#[test]
fn the_digest_of_the_module_is_what_the_page_on_security_prints() {
    let [command] = &commands("SECURITY.md")[..] else { panic!() };
    let digest: String = Sha256::digest(std::fs::read(path("target/wristband.wasm")).unwrap())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(run(command), format!("{digest}  target/wristband.wasm\n"));
}

/// With the last Envoy that does not sign: what 1.40 reads it does not know, and what the page shows it does.
#[test]
fn before_1_40_what_the_filter_may_ask_for_stands_where_the_page_has_it() {
    let shown = page::blocks("compatibility").remove(0);
    let mut old = filter(&json!({"verify": {}, "peers": [{"issuer": A, "keys": [public("cluster-a-2026-11")]}]}));
    let mut new = old.clone();
    as_before_1_40(&mut old);
    let has =
        |config: &Value| config.as_object().unwrap().keys().filter(|name| shown["config"].get(name).is_some()).count();
    assert_eq!(has(&old["typed_config"]["config"]), shown["config"].as_object().unwrap().len());
    let start = |filter: &Value| {
        let bootstrap = gateways(vec![vec![filter.clone()]]).bootstrap;
        Envoy::try_start_binary(&binary_without_sign(), TempDir::new().unwrap(), &bootstrap, &[], &[])
    };
    assert!(start(&old).is_ok());
    let config = &mut new["typed_config"]["config"];
    let allowed = shown["config"]["capability_restriction_config"].clone();
    config.as_object_mut().unwrap().remove("capability_restriction_config");
    config["vm_config"]["capability_restriction_config"] = allowed;
    let Err(refusal) = start(&new) else { panic!("it knows the field there") };
    // Envoy breaks the line and doubles spaces, so that nobody counts on its words.
    let log = refusal.log.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = "no such field: 'capability_restriction_config'";
    assert!(log.contains(message) && read("docs/compatibility.md").contains(message), "{log}");
}

/// In either Envoy they find the same.
#[test]
fn the_access_log_is_searched_by_the_commands_of_the_page_before_1_40_and_since() {
    let [commands] = &commands("docs/compatibility.md")[..] else { panic!() };
    let mut claims = token::claims(A);
    claims["aud"] = "federation".into();
    let good = token::sign("cluster-a-2026-11", &claims);
    claims["aud"] = "elsewhere".into();
    let other = token::sign("cluster-a-2026-11", &claims);
    for binary in [binary(), binary_without_sign()] {
        let mut sample = Sample::load("verify-only");
        if binary == binary_without_sign() {
            as_before_1_40(&mut sample.bootstrap);
        }
        let directory = TempDir::new().unwrap();
        let envoy = Envoy::try_start_binary(&binary, directory, &sample.bootstrap, &[], &[]).unwrap();
        let url = sample.url("verify-only");
        for (path, token) in [("/good", &*good), ("/other", &*other), ("/nobody", "")] {
            get_with(&format!("{url}{path}"), &[("x-wristband-token", token)]);
        }
        envoy.wait_until("the log is written", |envoy| envoy.access_log().len() == 3);
        let log = envoy.directory().join("out");
        let found = as_a_user("sh", &["-c", commands], &[("LOG", log.to_str().unwrap())]);
        let lines = String::from_utf8(found.stdout).unwrap();
        let paths: Vec<_> =
            lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].take()).collect();
        assert_eq!(paths, ["/other", "/nobody"], "{binary:?}");
    }
}

/// With the last Envoy that does not sign.
#[test]
fn before_1_39_each_filter_with_variables_of_its_own_has_a_vm_of_its_own_where_the_page_names_it() {
    let shown = page::blocks("compatibility").remove(1);
    let variable = shown["vm_config"]["environment_variables"]["host_env_keys"][0].as_str().unwrap().to_owned();
    let signs = |issuer: &str, name: &str, variable: &str| {
        let plugin = json!({
            "issuer": issuer,
            "signingKeyRefs": [private(name, variable)],
            "issue": {"identity": {"header": "x-user"}},
        });
        let mut filter = filter(&plugin);
        as_before_1_40(&mut filter);
        filter["typed_config"]["config"]["vm_config"].as_object_mut().unwrap().remove("vm_id");
        filter
    };
    let (of_a, of_b) = (key("cluster-a-2026-11"), key("cluster-b-2026-10"));
    let environment = [("A_SIGNING_KEY", &*of_a), (&variable, &of_b)];
    let start = |vm_id: Option<&Value>| {
        let (a, mut b) = (signs(A, "cluster-a-2026-11", "A_SIGNING_KEY"), signs(B, "cluster-b-2026-10", &variable));
        if let Some(vm_id) = vm_id {
            b["typed_config"]["config"]["vm_config"]["vm_id"] = vm_id.clone();
        }
        let setup = gateways(vec![vec![a], vec![b]]);
        let directory = TempDir::new().unwrap();
        let started = Envoy::try_start_binary(&binary_without_sign(), directory, &setup.bootstrap, &environment, &[]);
        started.map(|envoy| (envoy, setup.urls))
    };
    let Err(refusal) = start(None) else { panic!("they have a VM each") };
    let missing = format!("the environment variable `{variable}` is missing or empty");
    assert!(refusal.log.contains(&missing), "{}", refusal.log);
    let (_envoy, urls) = start(Some(&shown["vm_config"]["vm_id"])).unwrap();
    for url in &urls {
        assert!(get_with(url, &[("x-user", "alice")]).wristband().is_some(), "{url}");
    }
}

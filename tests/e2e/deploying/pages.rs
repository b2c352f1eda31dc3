//! What the pages of `docs/deploying` show: their commands find what they name, and their YAML is what the other tests here run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{files, object, objects};
use crate::support::config::{CAPABILITIES, FETCHING, stats_tags};
use crate::support::page::blocks;
use crate::support::prometheus::promtool;
use crate::support::{path, read, sample};

const PAGES: [&str; 4] = ["istio", "envoy-gateway", "kubernetes", "systemd"];

/// The lines of all blocks of commands of a page.
fn commands(page: &str) -> Vec<String> {
    let text = read(&format!("docs/deploying/{page}.md"));
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// The steps of a rotation: the entries of `signingKeyRefs`, one list a step.
pub fn steps(page: &str) -> [Value; 3] {
    let steps: Vec<_> = blocks(&format!("deploying/{page}"))
        .into_iter()
        .filter_map(|mut block| block.get_mut("signingKeyRefs").map(Value::take))
        .collect();
    steps.try_into().unwrap()
}

/// Runs those commands of a section of a page that need nothing but `openssl`, in a folder. What the page calls
/// `/etc/wristband` is that folder.
pub fn run(page: &str, section: &str, folder: &Path) {
    let text = read(&format!("docs/deploying/{page}.md"));
    let (_, rest) = text.split_once(section).unwrap_or_else(|| panic!("{page}: no {section}"));
    let block = rest.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let lines = block.lines().filter(|line| !line.starts_with("kubectl") && !line.starts_with("systemctl"));
    let script: String = lines.map(|line| line.replace("/etc/wristband", ".") + "\n").collect();
    let output = Command::new("bash").args(["-euc", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_pages_name_every_file_and_none_that_is_not_there() {
    let index = read("docs/deploying/README.md");
    for page in PAGES {
        assert!(index.contains(&format!("({page}.md)")), "{page}");
        let text = read(&format!("docs/deploying/{page}.md"));
        let folder = path("deploy").join(page);
        for file in fs::read_dir(&folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(text.contains(&format!("(../../deploy/{page}/{name})")), "{page}: {name}");
        }
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            assert!(path("docs/deploying").join(target).exists(), "{page}: {target}");
        }
        for line in commands(page) {
            let words = line.split_whitespace().filter(|word| word.ends_with(".yaml"));
            for word in words.map(|word| word.rsplit('/').next().unwrap()) {
                assert!(folder.join(word).exists(), "{page}: {line}");
            }
        }
    }
}

/// The policy believes a header that only the filter removes, so it comes after it.
#[test]
fn the_policy_of_istio_is_applied_after_the_filter() {
    let commands = commands("istio");
    let applied = |file: &str| {
        let found = commands.iter().position(|line| line.starts_with("kubectl apply") && line.contains(file));
        found.unwrap_or_else(|| panic!("{file}"))
    };
    assert!(applied("wristband.yaml") < applied("authentication.yaml"));
}

/// What `kubectl create secret` makes is what the manifests of that page read.
#[test]
fn the_secrets_of_the_pages_are_those_of_the_manifests() {
    for (page, namespace) in
        [("istio", "istio-ingress"), ("envoy-gateway", "envoy-gateway-system"), ("kubernetes", "federation")]
    {
        let manifests: String = files()
            .iter()
            .filter(|file| file.parent().unwrap().ends_with(page))
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        let mut made = 0;
        for line in commands(page).iter().filter(|line| line.contains("create secret")) {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(&words[..4], ["kubectl", "create", "secret", "generic"], "{line}");
            assert_eq!(&words[5..7], ["-n", namespace], "{line}");
            let name = words[4];
            assert!(
                manifests.contains(&format!("name: {name}")) || manifests.contains(&format!("secretName: {name}")),
                "{line}"
            );
            for file in words.iter().filter_map(|word| word.strip_prefix("--from-file=")) {
                assert!(manifests.contains(file), "{line}");
                made += 1;
            }
        }
        assert!(made > 1, "{page}");
    }
}

/// As the reader runs it, beside the files of the page and a key.
#[test]
fn the_command_does_with_the_files_what_the_pages_say() {
    let binaries = Path::new(env!("CARGO_BIN_EXE_wristband")).parent().unwrap().display();
    let mut ran = Vec::new();
    for page in PAGES {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("a.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        for file in fs::read_dir(path("deploy").join(page)).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        for line in commands(page).iter().filter(|line| line.contains("wristband ") && line.contains(".yaml")) {
            let Some((_, rest)) = line.split_once("wristband ").filter(|(before, _)| !before.contains("kubectl"))
            else {
                continue;
            };
            let script = format!("PATH={binaries}:$PATH; {}", line.replace("/etc/wristband/", ""));
            let output = Command::new("bash").args(["-euc", &script]).current_dir(folder.path()).output().unwrap();
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success() && !said.contains("error:"), "{line}: {said}");
            ran.push(format!("{page}: {}", rest.split(' ').next().unwrap()));
        }
    }
    let all = ["check", "rotate", "peer"];
    let of =
        |page: &str, commands: &[&str]| commands.iter().map(|command| format!("{page}: {command}")).collect::<Vec<_>>();
    let expected =
        [of("istio", &all), of("envoy-gateway", &all), of("kubernetes", &["check"]), of("systemd", &["check"])];
    assert_eq!(ran, expected.concat());
}

#[test]
fn promtool_takes_the_alert_for_envoy_gateway() {
    let rules = blocks("deploying/envoy-gateway").into_iter().find(|block| block.get("groups").is_some()).unwrap();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("rules.json");
    fs::write(&file, rules.to_string()).unwrap();
    promtool("deploy", &["check", "rules", file.to_str().unwrap()]).unwrap();
}

/// The labels of metrics, the access log, what a filter may ask of Envoy: as in the samples.
#[test]
fn what_the_samples_have_is_here_too() {
    let additions = object("istio/metrics.yaml", "ConfigMap", "wristband-bootstrap");
    let additions = sample::parse(additions["data"]["custom_bootstrap.json"].as_str().unwrap());
    let proxy = object("envoy-gateway/gateway.yaml", "EnvoyProxy", "wristband");
    let proxy = sample::parse(proxy["spec"]["bootstrap"]["value"].as_str().unwrap());
    let map = |name: &str, file: &str| {
        let map = object("kubernetes/configuration.yaml", "ConfigMap", name);
        sample::parse(map["data"][file].as_str().unwrap())
    };
    let bootstraps = [map("wristband-envoy", "envoy.yaml"), sample::parse(&read("deploy/systemd/envoy.yaml"))];
    for bootstrap in [&additions, &proxy].into_iter().chain(&bootstraps) {
        assert_eq!(bootstrap["stats_config"]["stats_tags"], stats_tags());
    }
    let verifier = sample::parse(&read("envoy/verify-only.yaml"));
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    for name in ["access_log", "common_http_protocol_options"] {
        let expected = &verifier.pointer(manager).unwrap()[name];
        assert!(bootstraps.iter().all(|bootstrap| &bootstrap.pointer(manager).unwrap()[name] == expected), "{name}");
    }
    let expected: BTreeSet<_> = CAPABILITIES.iter().chain(&FETCHING).map(|name| (*name).to_owned()).collect();
    let mut filters = 0;
    for mut configuration in [map("wristband-filter", "wristband.yaml"), bootstraps[1].clone()] {
        sample::visit(&mut configuration, &mut |members| {
            let Some(machine) = members.get("vm_config") else { return };
            let allowed = machine["capability_restriction_config"]["allowed_capabilities"].as_object().unwrap();
            assert_eq!(allowed.keys().cloned().collect::<BTreeSet<_>>(), expected);
            assert_eq!(members["failure_policy"], "FAIL_RELOAD");
            filters += 1;
        });
    }
    assert_eq!(filters, 2);
}

/// One image everywhere, by its digest.
#[test]
fn every_plugin_is_an_image_by_its_digest() {
    let digest = format!("registry.example.com/wristband@sha256:{}", "0".repeat(64));
    let mut images = 0;
    for object in files().into_iter().flat_map(|file| objects(&fs::read_to_string(file).unwrap())) {
        let image = match object["kind"].as_str().unwrap() {
            "WasmPlugin" => object["spec"]["url"].as_str().unwrap().strip_prefix("oci://").unwrap().to_owned(),
            "EnvoyExtensionPolicy" => object["spec"]["wasm"][0]["code"]["image"]["url"].as_str().unwrap().to_owned(),
            _ => continue,
        };
        assert_eq!(image, digest);
        images += 1;
    }
    assert_eq!(images, 4);
}

//! `deploy/systemd`: the unit as `systemd-analyze` reads it, and the Envoy that it starts, with the credential where the unit has it.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::pages;
use super::rig::{Gateway, Surroundings, assert_metric, wrong};
use crate::support::config::of_a_test;
use crate::support::envoy::{self, Envoy, Refusal};
use crate::support::{key, path, read, sample};

const OLD: &str = "cluster-a-2026-11";
const UNIT: &str = "wristband-envoy.service";

fn unit() -> String {
    read(&format!("deploy/systemd/{UNIT}"))
}

/// What the unit has of a setting.
fn setting(name: &str) -> String {
    let unit = unit();
    let found = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// What `systemd-analyze` says of a unit, nothing if it is right; nothing at all where there is none.
fn verify(unit: &str) -> Option<String> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(UNIT);
    // It wants to find the program.
    fs::write(&file, unit.replace("/usr/local/bin/envoy", envoy::binary().to_str().unwrap())).unwrap();
    let Ok(output) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output() else {
        eprintln!("skipped: there is no systemd-analyze to read {UNIT}");
        return None;
    };
    Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn systemd_takes_the_unit_and_refuses_a_mistake() {
    if let Some(said) = verify(&unit()) {
        assert!(!said.contains(UNIT), "{said}");
    }
    for (right, wrong) in [
        ("LoadCredential=", "LoadCredentials="),
        ("DynamicUser=yes", "DynamicUser=perhaps"),
        ("key.pem:/etc/wristband/key.pem", "key.pem:etc/wristband/key.pem"),
        ("[Service]", "[Services]"),
    ] {
        assert!(unit().contains(right));
        if let Some(said) = verify(&unit().replace(right, wrong)) {
            assert!(said.contains(UNIT), "{wrong}: {said}");
        }
    }
}

/// Starts what the unit starts.
fn start(text_of_key: &str, change: &dyn Fn(&Value) -> Value) -> Result<(Envoy, Gateway), Refusal> {
    let mut surroundings = Surroundings::new();
    let (name, _) =
        setting("LoadCredential").split_once(':').map(|(name, file)| (name.to_owned(), file.to_owned())).unwrap();
    let credentials = surroundings.directory.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join(name), text_of_key).unwrap();
    let arguments = setting("ExecStart");
    let (before, after) = arguments.split_once(" -c /etc/wristband/envoy.yaml").unwrap();
    assert_eq!((before, after), ("/usr/local/bin/envoy", " --disable-hot-restart"));
    let configuration = read("deploy/systemd/envoy.yaml")
        .replace(&format!("/run/credentials/{UNIT}"), credentials.to_str().unwrap())
        .replace("/usr/local/lib/wristband/wristband.wasm", path("target/wristband.wasm").to_str().unwrap());
    let mut bootstrap = sample::parse(&configuration);
    surroundings.settle(&mut bootstrap);
    sample::visit(&mut bootstrap, &mut |members| {
        if members.contains_key("vm_config") {
            let configuration = &mut members["configuration"]["value"];
            *configuration = change(&of_a_test(configuration));
        }
    });
    let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().unwrap();
    listeners.append(&mut surroundings.listeners);
    let gateway = surroundings.gateway();
    let envoy = Envoy::try_start_in(surroundings.directory, &bootstrap, &[], &[])?;
    envoy.wait_until("it has its key", |_| (0..20).all(|_| gateway.certs().status == 200));
    envoy.wait_until("the keys of the identity provider are there", |_| gateway.login().status == 200);
    Ok((envoy, gateway))
}

#[test]
fn the_gateway_reads_its_credential_and_does_its_work() {
    let (envoy, gateway) = start(&key(OLD), &Value::clone).unwrap();
    gateway.does_its_work(403);
    assert_eq!(gateway.get("/orders", &[("x_wristband_sub", "mallory")]).status, 403);
    assert_metric(&envoy, "wristband_keys{filter=\"gateway\",peer=\"self\"} 1");
    // The secret is nowhere.
    let line = key(OLD).lines().nth(1).unwrap().to_owned();
    assert!(!envoy.log().contains(&line) && !envoy.admin("/config_dump").contains(&line));
}

/// A restart in each step: first the text with the new public half behind, then the one with the old public half behind.
#[test]
fn a_key_is_rotated_by_two_restarts() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key.pem");
    fs::write(&file, key(OLD)).unwrap();
    pages::run("systemd", "**First, announce.**", folder.path());
    let (envoy, gateway) = start(&fs::read_to_string(&file).unwrap(), &Value::clone).unwrap();
    let (old, first) = gateway.wristband();
    let published = gateway.published();
    assert_eq!((published.len(), &published[0]), (2, &first));
    drop(envoy);
    pages::run("systemd", "**Second, switch.**", folder.path());
    let (_envoy, gateway) = start(&fs::read_to_string(&file).unwrap(), &Value::clone).unwrap();
    assert_eq!(gateway.wristband().1, published[1]);
    assert_eq!(gateway.published(), [published[1].clone(), first]);
    assert_eq!(gateway.present(&old).status, 200);
}

#[test]
fn a_wrong_configuration_never_starts() {
    let Err(refusal) = start(&key(OLD), &wrong) else { panic!("it started") };
    assert!(!refusal.status.success());
    assert!(refusal.log.contains("configuration rejected: nonsense: unknown field"), "{}", refusal.log);
}

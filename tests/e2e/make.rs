//! What the Makefile promises.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::envoy;

/// A program as a user would call it, and not as a part of the `make` and the `cargo` that run this test. Whatever `cargo`
/// sets for tests would have it build things again.
pub fn as_a_user(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let of_cargo = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CARGO_"));
    let of_cargo = of_cargo.filter(|name| !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name.as_str()));
    let of_tests = ["MAKEFLAGS", "MAKELEVEL", "LD_LIBRARY_PATH", "ENVOY", "ENVOY_PATH", "CRYPTO"];
    for name in of_cargo.chain(of_tests.map(str::to_owned)) {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).output().unwrap()
}

fn make(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    as_a_user("make", arguments, environment)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A script in place of a program, since what it stands for may not be there.
fn script(folder: &Path, name: &str, body: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_bare_make_lists_the_targets() {
    let output = make(&[], &[]);
    assert!(output.status.success());
    for target in ["run", "test", "bench", "build", "envoy"] {
        assert!(text(&output).lines().any(|line| line.starts_with(&format!("make {target} "))), "{target}");
    }
}

#[test]
fn envoy_is_the_one_asked_for_then_func_e_s_and_its_path_is_all_that_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let [mine, theirs] = ["mine", "theirs"].map(|name| script(folder.path(), name, "exit 0"));
    script(folder.path(), "func-e", &format!("[ \"$1\" = which ] && echo 'looking for it' && echo {theirs}"));
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let found = |environment: &[(&str, &str)]| {
        let output = make(&["-s", "envoy"], environment);
        output.status.success().then(|| text(&output))
    };
    assert_eq!(found(&[("PATH", &path), ("ENVOY", &mine)]), Some(format!("{mine}\n")));
    assert_eq!(found(&[("PATH", &path)]), Some(format!("{theirs}\n")));
    // What was asked for is never replaced by something else.
    assert_eq!(found(&[("PATH", &path), ("ENVOY", "/nowhere/envoy")]), None);
}

#[test]
fn the_demo_runs_to_its_end() {
    let output = make(&["run", "DEMO=once"], &[("ENVOY", envoy::binary().to_str().unwrap())]);
    let text = text(&output);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{complaint}");
    for line in [
        "1. Alice logs in at A. The answer carries a wristband: who she is, signed by A",
        "      the service sees x-wristband-sub: alice",
        "      metrics: wristband_denied{filter=\"cluster-c\",peer=\"none\",code=\"unknown_key\"} 1",
        "      metrics: wristband_denied{filter=\"cluster-c\",peer=\"none\",code=\"bad_signature\"} 1",
        "        header {\"alg\":\"ES256\",\"kid\":\"cjpqMfdYWm4t-vJPQ-_RFaa_75rBKgn2uALzkcD5_rE\",\"typ\":\"JWT\"}",
        "  Envoy is still process",
        "Everything was as it should be.",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}:\n{text}");
    }
}

//! The command `wristband`, as people and scripts call it.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::panic, clippy::string_slice)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;
use wristband::config::reference;

/// How the command ended, and what it printed.
#[derive(Debug)]
struct Ended {
    code: i32,
    output: String,
    notes: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A folder in which the command is called.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[], "")
    }

    fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wristband"))
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever wants none has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            output: String::from_utf8(output.stdout).unwrap(),
            notes: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn repository(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A gateway that a user has made with `keygen`, and what he gives to others.
fn gateway(folder: &Folder) -> (String, String) {
    let made = folder.run(&["keygen", "east", "--issuer", "https://east.example.com"]);
    assert_eq!(made.code, 0, "{made:?}");
    let (ours, peers) = made.output.split_once("\n# At each peer").unwrap();
    let (_, peers) = peers.split_once('\n').unwrap();
    let ours = format!(
        "{ours}\nissue:\n  identity: {{header: x-user}}\n  audiences: [federation]\nverify: {{audiences: [federation]}}\n"
    );
    folder.write("ours.yaml", &ours);
    let theirs = format!("{peers}verify: {{audiences: [federation]}}\n");
    folder.write("theirs.yaml", &theirs);
    (ours, theirs)
}

fn key(folder: &Folder) -> String {
    folder.read("east.pem")
}

#[test]
fn keygen_writes_two_files_and_no_secret_to_anyone_else_and_overwrites_nothing() {
    let folder = Folder::new();
    let made = folder.run(&["keygen", "east", "--issuer", "https://east.example.com"]);
    assert_eq!(made.code, 0, "{made:?}");
    let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("east.pem"), mode("east.pub.pem")), (0o600, 0o644));
    let (private, public) = (folder.read("east.pem"), folder.read("east.pub.pem"));
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n") && public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    for line in private.lines().filter(|line| !line.starts_with('-')) {
        assert!(!made.output.contains(line) && !made.notes.contains(line));
    }
    let again = folder.run(&["keygen", "east"]);
    assert_eq!((again.code, again.output.as_str()), (2, ""), "{again:?}");
    fs::remove_file(folder.path("east.pub.pem")).unwrap();
    assert_eq!(folder.run(&["keygen", "east"]).code, 2);
    assert_eq!(folder.read("east.pem"), private);
    for name in ["", "a b", "../x", "-x"] {
        assert_eq!(folder.run(&["keygen", "--", name]).code, 2, "{name}");
    }
    // A peer may be called so, and we may not.
    for issuer in ["ftp://east.example.com", "east.example.com", "https://east.example.com/?x"] {
        let refused = folder.run(&["keygen", "north", "--issuer", issuer]);
        assert!(refused.code == 2 && refused.notes.contains("issuer: expected an absolute http"), "{refused:?}");
        assert!(!folder.path("north.pem").exists() && !folder.path("north.pub.pem").exists());
    }
    let elsewhere = folder.run(&["keygen", "https://x/y", "--out", "z.pem", "--algorithm", "EdDSA"]);
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
    assert!(elsewhere.output.contains("algorithm: EdDSA") && folder.path("z.pub.pem").exists());
}

#[test]
fn every_algorithm_makes_a_key_with_which_the_filter_signs_and_verifies() {
    for algorithm in wristband::jose::algorithm::Algorithm::ALL.map(|algorithm| algorithm.name()) {
        // Of RSA one: it takes long to make.
        if algorithm.starts_with(['R', 'P']) && algorithm != "PS256" {
            continue;
        }
        let folder = Folder::new();
        let made = folder.run(&["keygen", "east", "--issuer", "https://east.example.com", "--algorithm", algorithm]);
        let (ours, _) = made.output.split_once("\n# At each peer").unwrap();
        folder.write("ours.yaml", &format!("{ours}\nissue: {{identity: {{header: x-user}}}}\nverify: {{}}\n"));
        let private = key(&folder);
        let environment = [("EAST_SIGNING_KEY", private.as_str())];
        let signed = folder.run_with(&["sign", "--config", "ours.yaml", "--subject", "alice"], &environment, "");
        assert_eq!(signed.code, 0, "{algorithm}: {signed:?}");
        let verified = folder.run_with(&["verify", "--config", "ours.yaml", "-"], &environment, &signed.output);
        assert_eq!(verified.code, 0, "{algorithm}: {verified:?}");
    }
}

/// As a new user would go: no file is opened that the command has not named.
#[test]
fn from_a_key_to_a_peer_that_accepts_what_it_signs() {
    let folder = Folder::new();
    gateway(&folder);
    let private = key(&folder);
    let environment = [("EAST_SIGNING_KEY", private.as_str())];
    let checked = folder.run_with(&["check", "ours.yaml", "theirs.yaml"], &environment, "");
    assert_eq!(checked.code, 0, "{checked:?}");
    let without = folder.run(&["check", "ours.yaml"]);
    assert_eq!(without.code, 1);
    assert!(without.output.starts_with("ours.yaml:"), "{without:?}");
    assert!(
        without
            .output
            .contains(": error: signingKeyRefs[0].key: the environment variable `EAST_SIGNING_KEY` is missing")
    );
    assert_eq!(folder.run(&["check", "--assume-keys", "ours.yaml"]).code, 0);
    assert_eq!(folder.run(&["check", "--assume-keys", "--strict", "ours.yaml"]).code, 1);
    folder.write("env", &format!("# keys\nexport EAST_SIGNING_KEY=\"{}\"\n", private.replace('\n', "\\n")));
    assert_eq!(folder.run(&["check", "--env-file", "env", "ours.yaml"]).code, 0);

    let claim = ["sign", "--config", "ours.yaml", "--subject", "alice", "--claim", "groups=[\"dev\"]"];
    let signed = folder.run_with(&claim, &environment, "");
    assert_eq!(signed.code, 0, "{signed:?}");
    let token = signed.output.trim();
    let verify = ["verify", "--config", "theirs.yaml", "--output", "json", "-"];
    let verified = folder.run_with(&verify, &[], token).json();
    let expected = json!({"accepted": true, "issuer": "https://east.example.com", "subject": "alice", "kid": "east"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(verified[name], *value, "{verified}");
    }
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let denied = folder.run_with(&verify, &[], &forged);
    assert_eq!(denied.code, 1);
    assert_eq!(denied.json()["code"], "bad_signature");
    let explained = folder.run(&["explain", token]);
    assert!(
        explained.output.starts_with("NOT VERIFIED: ") && explained.output.contains("\"groups\": ["),
        "{explained:?}"
    );
    assert_eq!(folder.run(&["explain", "--output", "json", token]).json()["claims"]["groups"], json!(["dev"]));

    // The set, and the stanzas made of it.
    let set = folder.run_with(&["jwks", "ours.yaml"], &environment, "");
    assert_eq!(set.json()["keys"][0]["kid"], "east");
    assert!(set.json()["keys"][0].get("d").is_none());
    folder.write("set.json", &set.output);
    let peer = folder.run_with(&["peer", "ours.yaml"], &environment, "");
    let imported = folder.run(&["import", "jwks", "--issuer", "https://east.example.com", "set.json"]);
    let (stanza, advice) = peer.output.split_once("# It signs for federation").unwrap();
    assert!(advice.contains("audiences: [federation]"));
    assert_eq!(stanza, imported.output);
    folder.write("imported.yaml", &format!("{}verify: {{audiences: [federation]}}\n", imported.output));
    assert_eq!(folder.run_with(&["verify", "--config", "imported.yaml", "-"], &[], token).code, 0);
}

#[test]
fn what_is_wrong_is_found_where_it_stands_in_whatever_file() {
    let folder = Folder::new();
    let (ours, _) = gateway(&folder);
    let broken = ours
        .replace("identity: {header: x-user}", "identity: {headr: x-user}")
        .replace("audiences: [federation]\nverify", "audience: [federation]\nverify");
    let indented = |text: &str, by: usize| {
        let lines = text.lines().map(|line| format!("{}{line}\n", " ".repeat(by)));
        lines.collect::<String>()
    };
    let json_text =
        json!({"issuer": "https://east.example.com", "issue": {"identity": {"headr": "x-user"}, "audience": 1}});
    let pretty = serde_json::to_string_pretty(&json_text).unwrap();
    let plugin = |configuration: &str| {
        format!(
            "static_resources:\n  listeners:\n  - name: l\n    filter_chains:\n    - filters:\n      - typed_config:\n          http_filters:\n          - name: wristband\n            typed_config:\n              config:\n                name: edge\n                failure_policy: FAIL_RELOAD\n                vm_config: {{runtime: v8, environment_variables: {{host_env_keys: [EAST_SIGNING_KEY]}}}}\n                configuration:\n{configuration}"
        )
    };
    let structured = format!(
        "                  \"@type\": type.googleapis.com/google.protobuf.Struct\n                  value:\n{}",
        indented(&broken, 20)
    );
    let textual = format!(
        "                  \"@type\": type.googleapis.com/google.protobuf.StringValue\n                  value: |\n{}",
        indented(&pretty, 20)
    );
    let files = [
        ("plain.yaml", broken.clone()),
        ("plain.json", pretty.clone()),
        ("bootstrap.yaml", plugin(&structured)),
        ("text.yaml", plugin(&textual)),
        (
            "configmap.yaml",
            format!(
                "kind: ConfigMap\ndata:\n  other: x\n  envoy.yaml: |\n{}  more: |\n    y\n",
                indented(&plugin(&structured), 4)
            ),
        ),
        (
            "list.yaml",
            format!(
                "kind: List\nitems:\n- kind: ConfigMap\n  data:\n    envoy.yaml: |\n{}",
                indented(&plugin(&structured), 6)
            ),
        ),
        (
            "resource.yaml",
            format!(
                "resources:\n- \"@type\": x\n  name: a\n  typed_config:\n    config:\n      vm_config: {{}}\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.Struct\n        value:\n{}",
                indented(&broken, 10)
            ),
        ),
        (
            "istio.yaml",
            format!(
                "apiVersion: v1\nkind: ConfigMap\n---\nkind: WasmPlugin\nmetadata: {{name: w}}\nspec:\n  pluginConfig:\n{}",
                indented(&broken, 4)
            ),
        ),
        (
            "gateway.yaml",
            format!("kind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - name: w\n    config:\n{}", indented(&broken, 6)),
        ),
    ];
    for (name, text) in &files {
        folder.write(name, text);
        let checked = folder.run(&["check", "--assume-keys", "--output", "json", name]);
        assert_eq!(checked.code, 1, "{name}: {checked:?}");
        let report = checked.json();
        for (path, word) in [("issue.identity.headr", "headr"), ("issue.audience", "audience")] {
            let problem = report["problems"].as_array().unwrap().iter().find(|problem| problem["path"] == path);
            let problem = problem.unwrap_or_else(|| panic!("{name}: {path}: {report:#}"));
            assert_eq!((&problem["severity"], &problem["file"]), (&json!("error"), &json!(name)));
            let [line, column] = ["line", "column"].map(|at| usize::try_from(problem[at].as_u64().unwrap()).unwrap());
            let rest = &text.lines().nth(line - 1).unwrap()[column - 1..];
            assert!(rest.trim_start_matches('"').starts_with(word), "{name}: {path} is not at {line}:{column}: {rest}");
        }
    }
    // A mistake in the syntax of a text.
    let text = plugin(&textual).replace("\"issue\":", "\"issue\"");
    folder.write("syntax.yaml", &text);
    let line = text.lines().position(|line| line.contains("\"issue\"")).unwrap() + 1;
    let checked = folder.run(&["check", "syntax.yaml"]);
    assert!(checked.output.starts_with(&format!("syntax.yaml:{line}:")), "{checked:?}");
    // Standard input, and nothing to check.
    let piped = folder.run_with(&["check", "--assume-keys", "-"], &[], &broken);
    assert!(piped.code == 1 && piped.output.starts_with("-:"), "{piped:?}");
    let nothing = folder.run_with(&["check", "-"], &[], "kind: Pod\n");
    assert!(nothing.code == 1 && nothing.output.contains("no configuration of wristband is in it"), "{nothing:?}");
    let unreadable = folder.run_with(&["check", "-"], &[], "a: [1,\nb: }\n");
    assert!(unreadable.code == 1 && unreadable.output.starts_with("-:2:"), "{unreadable:?}");
    // Among others.
    folder.write("pod.yaml", "kind: Pod\n");
    let among = folder.run(&["check", "pod.yaml", "plain.yaml"]);
    assert!(among.output.contains("pod.yaml:1:1: hint: no configuration"), "{among:?}");
    // One that cannot be read does not keep the others from being looked at.
    let both = folder.run(&["check", "--assume-keys", "absent.yaml", "plain.yaml"]);
    assert!(
        both.code == 2 && both.output.contains("issue.identity.headr") && both.notes.contains("absent.yaml"),
        "{both:?}"
    );
}

/// The mistakes that are made most, each with the words that name the cure.
#[test]
fn the_commonest_mistakes_are_named() {
    let folder = Folder::new();
    gateway(&folder);
    let private = key(&folder);
    let sample = repository("envoy/verify-only.yaml");
    for (from, to, words) in [
        ("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN", "every request passes unverified"),
        ("                failure_policy: FAIL_RELOAD\n", "", "one crash of a plugin is 503 for good"),
        ("                      proxy_set_property: {}\n", "", "lacks proxy_set_property"),
        ("headers_with_underscores_action", "max_headers_count", "some servers take `x_wristband_sub`"),
        ("allowWorthlessKeys: true", "crypto: auto", "a key of the samples"),
        ("audiences:", "audience:", "did you mean `audiences`?"),
        ("mode: require", "mode: on", "expected"),
        ("name: x-wristband-token", "header: x-wristband-token", "unknown field"),
        (
            "issuer: https://cluster-a.example.com",
            "issuer: https://cluster-b.example.com",
            "the same issuer as that of",
        ),
        ("-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY----", "peers[0].keys[0].key: "),
    ] {
        assert!(sample.contains(from), "{from}");
        folder.write("sample.yaml", &sample.replacen(from, to, 1));
        let checked = folder.run(&["check", "sample.yaml"]);
        assert!(checked.output.contains(words), "{from}: {words}: {}", checked.output);
    }
    let federation = repository("envoy/federation.yaml");
    for (from, to, words) in [
        ("host_env_keys: [CLUSTER_B_SIGNING_KEY]", "host_env_keys: [OTHER]", "does not list `CLUSTER_B_SIGNING_KEY`"),
        ("remove: x-user", "remove: x-other", "nothing removes `x-user`"),
        ("remoteJwks: {cluster: cluster-b", "remoteJwks: {cluster: cluster-x", "has no `cluster-x`"),
        ("", "", "nobody checks who answers over `cluster-a`"),
        ("", "", "has a password of the samples"),
        ("", "", "may name everyone"),
        (
            "http.rbac.v3.RBAC",
            "http.buffer.v3.Buffer",
            "no filter behind this one decides about requests without a token",
        ),
    ] {
        folder.write("federation.yaml", &federation.replacen(from, to, 1));
        let checked = folder.run(&["check", "--assume-keys", "federation.yaml"]);
        assert!(checked.output.contains(words), "{from}: {words}: {}", checked.output);
    }
    // What only looks like the cure: a removal from answers, one in a filter that is off, one behind the plugin.
    let removal = "request_mutations: [{remove: x-user}]";
    let mutation = |more: &str, mutations: &str| {
        format!(
            "{{name: m, {more} typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation, mutations: {{{mutations}}}}}}}"
        )
    };
    let plugin = "{name: w, typed_config: {config: {name: w, vm_config: {runtime: v8}, configuration: {\"@type\": type.googleapis.com/google.protobuf.Struct, value: {issuer: \"https://x.example\", issue: {identity: {header: x-user}}}}}}}";
    let lua = "{name: l, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}}";
    let warning = "warning: http_filters: nothing removes `x-user`";
    for (filters, expected) in [
        (vec![mutation("", removal), plugin.to_owned()], None),
        (vec![mutation("", &removal.replace("request", "response")), plugin.to_owned()], Some(warning)),
        (vec![mutation("disabled: true,", removal), plugin.to_owned()], Some(warning)),
        (vec![plugin.to_owned(), mutation("", removal)], Some(warning)),
        (vec![plugin.replace("name: w", "name: v"), mutation("", removal), plugin.to_owned()], None),
        (
            vec![lua.to_owned(), plugin.to_owned()],
            Some("hint: http_filters: nothing that can be read here removes `x-user`"),
        ),
    ] {
        let count = filters.iter().filter(|filter| filter.contains("vm_config")).count();
        folder.write("chain.yaml", &format!("http_filters:\n- {}\n", filters.join("\n- ")));
        let output = folder.run(&["check", "--assume-keys", "chain.yaml"]).output;
        let found = output.matches("removes `x-user`").count();
        // Of two plugins the first has nothing before it.
        assert_eq!(found, usize::from(expected.is_some()) + count - 1, "{filters:?}: {output}");
        assert!(expected.is_none_or(|expected| output.contains(expected)), "{filters:?}: {output}");
    }
    let tls = repository("envoy/tls.yaml");
    for (from, to, is_checked) in [
        ("", "", true),
        ("auto_san_validation: true", "auto_san_validation: false", false),
        ("trusted_ca", "crl", false),
        ("trusted_ca:", "trust_chain_verification: ACCEPT_UNTRUSTED\n            trusted_ca:", false),
    ] {
        assert!(tls.contains(from), "{from}");
        folder.write("tls.yaml", &tls.replace(from, to));
        let output = folder.run(&["check", "--assume-keys", "tls.yaml"]).output;
        assert_eq!(!output.contains("nobody checks who answers"), is_checked, "{to}: {output}");
    }
    // A private key where a public one belongs is named and not shown.
    let theirs = folder.read("theirs.yaml");
    let start = theirs.find("        -----BEGIN").unwrap();
    let end = theirs.find("-----END PUBLIC KEY-----").unwrap() + 25;
    let pem: String = private.lines().map(|line| format!("        {line}\n")).collect();
    folder.write("leak.yaml", &format!("{}{pem}{}", &theirs[..start], &theirs[end..]));
    let checked = folder.run(&["check", "leak.yaml"]);
    assert!(
        checked.code == 1 && checked.output.contains("a private key where only a public one may stand"),
        "{checked:?}"
    );
    assert!(private.lines().filter(|line| !line.starts_with('-')).all(|line| !checked.output.contains(line)));
    // The placeholder.
    let made = folder.run(&["keygen", "west"]);
    let (ours, peers) = made.output.split_once("\n# At each peer").unwrap();
    folder.write("west.yaml", &format!("{ours}\nissue: {{identity: {{header: x-user}}}}\n"));
    assert!(
        folder.run(&["check", "--assume-keys", "west.yaml"]).output.contains("error: issuer: expected an absolute")
    );
    folder.write("peer.yaml", &format!("{}verify: {{}}\n", peers.split_once('\n').unwrap().1));
    assert_eq!(folder.run(&["check", "peer.yaml"]).code, 1);
}

/// What control planes are told beside a configuration.
#[test]
fn a_plugin_of_istio_or_envoy_gateway_is_looked_at_as_a_whole() {
    let folder = Folder::new();
    gateway(&folder);
    let ours = folder.read("ours.yaml");
    let indented: String = ours.lines().map(|line| format!("      {line}\n")).collect();
    let istio = |more: &str| format!("kind: WasmPlugin\nspec:\n  phase: AUTHN\n{more}  pluginConfig:\n{indented}");
    let gateway =
        |more: &str| format!("kind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - name: w\n{more}    config:\n{indented}");
    for (text, expected) in [
        (
            istio("  failStrategy: FAIL_OPEN\n"),
            &["every request passes unverified", "spec.vmConfig.env: does not list `EAST_SIGNING_KEY`"][..],
        ),
        (istio("  vmConfig: {env: [{name: EAST_SIGNING_KEY, valueFrom: HOST}]}\n"), &["503 for good"]),
        (istio("  failStrategy: FAIL_RELOAD\n  vmConfig: {env: [{name: EAST_SIGNING_KEY, valueFrom: HOST}]}\n"), &[]),
        (
            istio("  failStrategy: FAIL_RELOAD\n  vmConfig: {env: [{name: EAST_SIGNING_KEY}]}\n")
                .replace("phase: AUTHN", "phase: STATS"),
            &["spec.phase: without `AUTHN`", "spec.vmConfig.env: needs `valueFrom: HOST`"],
        ),
        (
            gateway("    failOpen: true\n"),
            &["every request passes unverified", "spec.wasm.env.hostKeys: does not list `EAST_SIGNING_KEY`"],
        ),
        (gateway("    env: {hostKeys: [EAST_SIGNING_KEY]}\n"), &[]),
    ] {
        folder.write("plane.yaml", &text);
        let output = folder.run(&["check", "--assume-keys", "plane.yaml"]).output;
        let lines: Vec<_> = output.lines().filter(|line| line.contains(" spec.")).collect();
        assert_eq!(lines.len(), expected.len(), "{text}: {output}");
        assert!(expected.iter().all(|words| output.contains(words)), "{text}: {output}");
    }
}

/// A key that stands by mistake where a name belongs is in no message.
#[test]
fn names_that_could_be_keys_are_not_shown() {
    let folder = Folder::new();
    gateway(&folder);
    let private = key(&folder);
    let secret = private.lines().nth(1).unwrap();
    let sample = repository("envoy/federation.yaml");
    for (from, to) in [
        ("header: x-user", "header: SECRET"),
        ("remoteJwks: {cluster: cluster-b", "remoteJwks: {cluster: SECRET"),
        ("environmentVariable: CLUSTER_B_SIGNING_KEY", "environmentVariable: SECRET"),
        ("name: cluster-b\n", "name: SECRET\n"),
    ] {
        assert!(sample.contains(from), "{from}");
        folder.write("sample.yaml", &sample.replace(from, &to.replace("SECRET", secret)));
        for arguments in
            [&["check", "sample.yaml"][..], &["peer", "sample.yaml"], &["peer", "--plugin", "x", "sample.yaml"]]
        {
            let ended = folder.run(arguments);
            assert!(
                !ended.output.contains(secret) && !ended.notes.contains(secret),
                "{from}: {arguments:?}: {ended:?}"
            );
        }
    }
    folder.write("variables", &format!("EAST_SIGNING_KEY=x\n{secret}\n"));
    let ended = folder.run(&["check", "--env-file", "variables", "ours.yaml"]);
    assert!(
        ended.code == 2 && ended.notes.contains("variables:2: expected NAME=VALUE") && !ended.notes.contains(secret)
    );
}

/// Scripts get of every command what people get.
#[test]
fn whatever_is_printed_is_printed_as_json_too() {
    let rotation = Rotation::new();
    let json = |arguments: &[&str]| {
        let ended = rotation.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()
    };
    rotation.with("announced", &["one", "two"], None);
    let peers = json(&["peer", "announced"]);
    assert_eq!(peers.pointer("/peers/0/keys/1/name"), Some(&json!("two")), "{peers}");
    let set = json(&["jwks", "announced"]);
    assert_eq!(set.pointer("/keys/1/kid"), Some(&json!("two")), "{set}");
    rotation.folder.write("set", &set.to_string());
    let imported = json(&["import", "jwks", "--issuer", "https://east.example.com", "set"]);
    assert_eq!(imported["peers"][0]["keys"], peers["peers"][0]["keys"]);
    let step = json(&["rotate", "announced"]);
    assert_eq!((&step["step"], step.pointer("/edit/signingKeyRefs/0/name")), (&json!("switch"), Some(&json!("two"))));
    rotation.with("alone", &["one"], None);
    let step = json(&["rotate", "alone"]);
    assert_eq!((&step["step"], &step["edit"]), (&json!("announce"), &Value::Null));
    let signed = json(&["sign", "--config", "alone", "--subject", "alice"]);
    let verified = json(&["verify", "--config", "alone", signed["token"].as_str().unwrap()]);
    assert_eq!(verified["subject"], "alice");
    let made = json(&["keygen", "three", "--issuer", "https://east.example.com"]);
    assert_eq!(made.pointer("/signingKeyRefs/0/key"), Some(&json!({"environmentVariable": "THREE_SIGNING_KEY"})));
    assert_eq!(made.pointer("/peers/0/keys/0/name"), Some(&json!("three")));
    assert_eq!(json(&["schema"])["type"], "object");
}

/// As systemd, Docker and editors on other systems write them.
#[test]
fn a_file_of_variables_is_read_in_any_encoding_and_from_standard_input() {
    let folder = Folder::new();
    gateway(&folder);
    let line = format!("EAST_SIGNING_KEY={}", key(&folder).replace('\n', "\\n"));
    for (prefix, line_end) in [("", "\n"), ("", "\r\n"), ("\u{feff}", "\r\n"), ("# keys\n\nexport ", "\n")] {
        folder.write("variables", &format!("{prefix}{line}{line_end}"));
        let checked = folder.run(&["check", "--env-file", "variables", "ours.yaml"]);
        assert_eq!(checked.code, 0, "{prefix:?} {line_end:?}: {checked:?}");
    }
    fs::write(folder.path("variables"), [b"NAME=J\xfcrgen\n", line.as_bytes()].concat()).unwrap();
    assert_eq!(folder.run(&["check", "--env-file", "variables", "ours.yaml"]).code, 0);
    assert_eq!(folder.run_with(&["check", "--env-file", "-", "ours.yaml"], &[], &line).code, 0);
    fs::write(folder.path("ours.yaml"), [folder.read("ours.yaml").as_bytes(), b"# J\xfcrgen\n"].concat()).unwrap();
    let unreadable = folder.run(&["check", "--env-file", "variables", "ours.yaml"]);
    assert!(unreadable.code == 2 && unreadable.notes.contains("ours.yaml: is not UTF-8"), "{unreadable:?}");
}

#[test]
fn every_sample_passes_and_is_accepted_by_the_schema() {
    let folder = Folder::new();
    let manifests = [
        "istio/wristband.yaml",
        "istio/verify-only.yaml",
        "envoy-gateway/issue.yaml",
        "envoy-gateway/verify.yaml",
        "kubernetes/configuration.yaml",
        "systemd/envoy.yaml",
    ];
    for name in manifests {
        folder.write("manifest.yaml", &repository(&format!("deploy/{name}")));
        let checked = folder.run(&["check", "--assume-keys", "manifest.yaml"]);
        assert!(checked.code == 0 && !checked.output.contains("no configuration"), "{name}: {checked:?}");
    }
    let validator = jsonschema::validator_for(&reference::schema()).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let checked = folder.run(&["check", "--assume-keys", path.to_str().unwrap()]);
        assert_eq!(checked.code, 0, "{checked:?}");
        let mut configurations = Vec::new();
        collect(&serde_yaml_ng::from_str(&fs::read_to_string(&path).unwrap()).unwrap(), &mut configurations);
        for configuration in configurations {
            let errors: Vec<_> = validator.iter_errors(&configuration).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
    for refused in [
        json!({}),
        json!({"verify": null}),
        json!({"verify": {"mod": "require"}}),
        json!({"verify": {"mode": "on"}}),
        json!({"verify": {"clockSkew": 301}}),
        json!({"verify": {"audiences": []}}),
        json!({"issue": {}}),
        json!({"issue": {"identity": {"header": "x", "expression": "y"}}}),
        json!({"verify": {}, "peers": [{"keys": []}]}),
        json!({"verify": {}, "peers": [{"issuer": "a b"}]}),
    ] {
        assert!(!validator.is_valid(&refused), "{refused}");
    }
}

fn collect(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            if members.contains_key("vm_config") {
                found.push(members["configuration"]["value"].clone());
            }
            members.values().for_each(|member| collect(member, found));
        }
        _ => {}
    }
}

/// `WRITE=1 cargo test` brings them up to date.
#[test]
fn the_schema_and_the_reference_page_are_current() {
    let folder = Folder::new();
    let printed = folder.run(&["schema"]).output;
    for (file, text) in [("docs/configuration.schema.json", printed), ("docs/configuration.md", reference::page())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("WRITE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert!(
            fs::read_to_string(path).unwrap_or_default() == text,
            "{file}: WRITE=1 cargo test brings it up to date"
        );
    }
}

/// What others get counts there as it does here, and is what they take.
#[test]
fn a_stanza_has_no_key_that_does_not_count_and_only_what_a_filter_takes() {
    let rotation = Rotation::new();
    rotation.with("plain", &["one", "two"], None);
    let plain: Value = serde_json::from_str(&rotation.folder.read("plain")).unwrap();
    let mut later = plain.clone();
    later["signingKeyRefs"][1]["notBefore"] = rfc3339(3600).into();
    later["issue"]["typ"] = "wristband+jwt".into();
    rotation.folder.write("later", &later.to_string());
    let ended = rotation.run(&["peer", "later"]);
    let stanza: Value = serde_yaml_ng::from_str(&ended.output).unwrap();
    assert_eq!(stanza["peers"][0]["keys"][1]["notBefore"], later["signingKeyRefs"][1]["notBefore"], "{ended:?}");
    assert!(ended.output.contains("#   typ: [\"wristband+jwt\"]"), "{ended:?}");
    for (revoked, left) in [(&["one"][..], 1), (&["one", "two"], 0)] {
        let mut revoking = plain.clone();
        revoking["verify"]["revoked"] = revoked.iter().map(|kid| json!({"kid": kid})).collect();
        // Whoever still signs with a revoked key is not what this is about.
        revoking["issue"].take();
        revoking.as_object_mut().unwrap().remove("issue");
        revoking["signingKeyRefs"][0]["key"] = json!({"inlineString": rotation.folder.read("one.pub.pem")});
        rotation.folder.write("revoking", &revoking.to_string());
        let ended = rotation.run(&["peer", "revoking"]);
        assert_eq!(ended.output.matches("name: ").count(), left, "{ended:?}");
        assert_eq!(ended.code, i32::from(left == 0), "{ended:?}");
        assert!(left == 1 || ended.notes.contains("no key that counts"), "{ended:?}");
    }
    // The set for the hosts that may ask for it.
    let mut elsewhere = plain;
    elsewhere["discovery"] = json!({"hosts": ["keys.example.com"]});
    rotation.folder.write("elsewhere", &elsewhere.to_string());
    assert_eq!(rotation.run(&["jwks", "elsewhere"]).json()["keys"].as_array().unwrap().len(), 2);
    // An issuer that is none.
    let set = rotation.run(&["jwks", "elsewhere"]).output;
    rotation.folder.write("set.json", &set);
    let ended = rotation.run(&["import", "jwks", "--issuer", "a b", "set.json"]);
    assert!((ended.code, ended.output.as_str()) == (2, "") && ended.notes.contains("issuer: expected"), "{ended:?}");
    let ended = rotation.run(&["keygen", "three", "--issuer", "not a url"]);
    assert!(ended.code == 2 && !rotation.folder.path("three.pem").exists(), "{ended:?}");
    assert!(rotation.run(&["keygen", "2026-a"]).output.contains("{environmentVariable: _2026_A_SIGNING_KEY}"));
}

#[test]
fn a_token_is_signed_and_judged_as_at_the_gateway_or_not_at_all() {
    let rotation = Rotation::new();
    rotation.with("plain", &["one"], None);
    let plain: Value = serde_json::from_str(&rotation.folder.read("plain")).unwrap();
    let sign =
        |file: &str, more: &[&str]| rotation.run(&[&["sign", "--config", file, "--subject", "a"], more].concat());
    let mut strict = plain.clone();
    strict["issue"]["customClaims"] = json!({"team": {"expression": "request.id", "required": true}});
    rotation.folder.write("strict", &strict.to_string());
    let without = sign("strict", &[]);
    assert!(without.code == 1 && without.output.is_empty() && without.notes.contains("`team`"), "{without:?}");
    assert_eq!(sign("strict", &["--claim", "team=\"x\""]).code, 0);
    // A key goes where the configuration leaves it open, and nowhere else.
    assert_eq!(sign("plain", &["--key", "two.pem"]).code, 2);
    let mut fetched = plain.clone();
    fetched["signingKeyRefs"] = json!([{"algorithm": "ES256", "key": {"cluster": "k", "path": "/key"}}]);
    rotation.folder.write("fetched", &fetched.to_string());
    assert_eq!(sign("fetched", &[]).code, 2);
    let bundle = rotation.folder.read("two.pem") + &rotation.folder.read("one.pub.pem");
    rotation.folder.write("bundle.pem", &bundle);
    let signed = sign("fetched", &["--key", "bundle.pem"]);
    assert_eq!(signed.code, 0, "{signed:?}");
    assert_eq!(sign("fetched", &["--key", "one.pub.pem"]).code, 1);
    // Only the gateway has what it has fetched.
    let mut peer =
        json!({"peers": [{"issuer": "https://east.example.com", "remoteJwks": {"cluster": "east"}}], "verify": {}});
    rotation.folder.write("peer", &peer.to_string());
    let asked = rotation.run(&["verify", "--config", "peer", signed.output.trim()]);
    assert!((asked.code, asked.output.as_str()) == (2, ""), "{asked:?}");
    peer["peers"][0]["issuer"] = "https://west.example.com".into();
    rotation.folder.write("other", &peer.to_string());
    assert_eq!(rotation.run(&["verify", "--config", "other", signed.output.trim()]).code, 1);
    // What a terminal would obey.
    let claims = URL_SAFE_NO_PAD.encode("{\"iss\":\"x\",\"sub\":\"\u{1b}[2J\u{202e}x\"}".replace('\u{1b}', "\\u001b"));
    let token = format!("{}.{claims}.AA", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#));
    for output in ["text", "json"] {
        let explained = rotation.run(&["explain", "--output", output, &token]);
        assert!(explained.output.contains("\\u001b[2J\\u202ex"), "{explained:?}");
        assert!(explained.code == 0 && explained.output.contains("no `exp`"), "{explained:?}");
    }
}

#[test]
fn help_completions_and_manual_are_there_and_mistakes_end_with_2() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]);
    for command in [
        "keygen",
        "check",
        "jwks",
        "peer",
        "sign",
        "verify",
        "explain",
        "diff",
        "rotate",
        "import",
        "schema",
        "completions",
        "man",
    ] {
        assert!(help.output.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {}", help.output);
        let of_command = folder.run(&[command, "--help"]);
        assert_eq!(of_command.code, 0, "{of_command:?}");
    }
    assert!(help.output.contains("Examples:"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.run(&["completions", shell]).output.contains("wristband"), "{shell}");
    }
    assert!(folder.run(&["man"]).output.contains(".TH wristband 1"));
    for wrong in [
        &[][..],
        &["chek"],
        &["check"],
        &["sign", "--config", "x"],
        &["keygen", "a", "--algorithm", "HS256"],
        &["check", "--output", "xml", "x"],
    ] {
        let ended = folder.run(wrong);
        assert_eq!((ended.code, ended.output.as_str()), (2, ""), "{wrong:?}: {ended:?}");
    }
    // A full disk is no yes.
    for arguments in [&["--help"][..], &["--version"], &["schema"], &["completions", "bash"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_wristband")).args(arguments).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(ended.stderr).unwrap().starts_with("wristband: standard output: "));
    }
    assert_eq!(folder.run(&["--version"]).output, format!("wristband {}\n", env!("CARGO_PKG_VERSION")));
}

/// Configurations as a rotation makes them, one after the other: made of the keys of a folder, `one` and `two`.
struct Rotation {
    folder: Folder,
    /// What was said when the keys were made.
    made: String,
}

impl Rotation {
    fn new() -> Self {
        let folder = Folder::new();
        let made = ["one", "two"].map(|name| folder.run(&["keygen", name]).output).concat();
        Self { folder, made }
    }

    /// The first one signs; `not_after` is that of the second.
    fn with(&self, file: &str, keys: &[&str], not_after: Option<i64>) {
        let entry = |(index, name): (usize, &&str)| {
            let mut entry = json!({"name": name, "algorithm": "ES256"});
            entry["key"] = if index == 0 {
                json!({"environmentVariable": name.to_ascii_uppercase()})
            } else {
                json!({"inlineString": self.folder.read(&format!("{name}.pub.pem"))})
            };
            if let Some(seconds) = not_after.filter(|_| index > 0) {
                entry["notAfter"] = rfc3339(seconds).into();
            }
            entry
        };
        let keys: Vec<_> = keys.iter().enumerate().map(entry).collect();
        let configuration = json!({
            "issuer": "https://east.example.com", "signingKeyRefs": keys,
            "issue": {"identity": {"header": "x-user"}}, "verify": {},
        });
        self.folder.write(file, &configuration.to_string());
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let [one, two] = ["one", "two"].map(|name| self.folder.read(&format!("{name}.pem")));
        self.folder.run_with(arguments, &[("ONE", &one), ("TWO", &two)], "")
    }
}

/// So many seconds from now.
fn rfc3339(seconds: i64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    wristband::time::Timestamp(i64::try_from(now).unwrap() + seconds).to_rfc3339().unwrap()
}

#[test]
fn diff_knows_whose_tokens_a_step_of_a_rotation_would_refuse() {
    let rotation = Rotation::new();
    rotation.with("begun", &["one"], None);
    rotation.with("announced", &["one", "two"], None);
    rotation.with("switched", &["two", "one"], Some(700));
    rotation.with("hasty", &["two", "one"], Some(100));
    rotation.with("retired", &["two"], None);
    for (old, new, further, code, words) in [
        ("begun", "begun", &[][..], 0, "nobody is trusted otherwise"),
        ("begun", "announced", &[], 0, "+ https://east.example.com, key two: is trusted"),
        ("announced", "switched", &[], 0, ""),
        ("announced", "hasty", &[], 1, "! https://east.example.com, key one: ends at "),
        (
            "switched",
            "retired",
            &[],
            1,
            "! https://east.example.com, key one: is gone, and what it has signed lives for up to 330 seconds",
        ),
        ("switched", "retired", &["--after", "300"], 1, "up to 30 seconds"),
        ("switched", "retired", &["--after", "330"], 0, "- https://east.example.com, key one: is trusted no more"),
        ("begun", "retired", &[], 1, "+ https://east.example.com, key two: is trusted"),
    ] {
        let ended = rotation.run(&[&["diff", old, new], further].concat());
        assert_eq!(ended.code, code, "{old} {new} {further:?}: {ended:?}");
        assert!(ended.output.contains(words), "{old} {new}: {words}: {ended:?}");
    }
    let json = rotation.run(&["diff", "--output", "json", "begun", "retired"]).json();
    assert_eq!((&json["refused"][0]["kid"], &json["gained"][0]["kid"]), (&json!("one"), &json!("two")), "{json:#}");
}

#[test]
fn diff_looks_at_peers_their_keys_and_their_limits() {
    let folder = Folder::new();
    let names = ["west", "other"];
    names.iter().for_each(|name| assert_eq!(folder.run(&["keygen", name]).code, 0));
    let key = |name: &str, file: &str| json!({"name": name, "algorithm": "ES256", "key": {"inlineString": folder.read(&format!("{file}.pub.pem"))}});
    let peer = |further: Value| {
        let mut peer = json!({"issuer": "https://west.example.com", "keys": [key("west", "west")]});
        peer.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        json!({"peers": [peer], "verify": {}}).to_string()
    };
    let all = |verify: Value| {
        let peer = json!({"issuer": "https://west.example.com", "keys": [key("west", "west")]});
        json!({"peers": [peer], "verify": verify}).to_string()
    };
    folder.write("plain", &peer(json!({})));
    for (new, code, words) in [
        (
            json!({"peers": [{"issuer": "https://south.example.com", "keys": [key("west", "west")]}], "verify": {}})
                .to_string(),
            1,
            "! https://west.example.com: all of its tokens",
        ),
        (
            peer(json!({"keys": [key("west", "other")]})),
            1,
            "! https://west.example.com, key west: is another key under the same name",
        ),
        (peer(json!({"keys": [key("next", "other")]})), 1, "! https://west.example.com, key west: is gone"),
        (
            peer(json!({"keys": [key("west", "west"), key("next", "other")]})),
            0,
            "+ https://west.example.com, key next: is trusted",
        ),
        (peer(json!({"subjects": [{"prefix": "a"}]})), 1, "tokens that need what `subjects` has lost"),
        (peer(json!({"claims": ["groups"]})), 0, "- https://west.example.com: `claims` are limited from now on"),
        (peer(json!({"maxLifetime": 600})), 1, "! https://west.example.com: tokens that live longer than 600 seconds"),
        (peer(json!({"typ": ["wristband+jwt"]})), 1, "- https://west.example.com: `typ`: \"JWT\", none"),
        (peer(json!({"audiences": ["a"], "allowMissingAudience": true})), 0, "+ https://west.example.com: `audiences`: \"a\""),
        (all(json!({"audiences": ["a"]})), 1, "! https://west.example.com: tokens that need what `audiences` has lost"),
        (all(json!({"revoked": [{"kid": "west"}]})), 1, "! https://west.example.com, key west: is revoked"),
        (all(json!({"clockSkew": 60})), 0, "nobody is trusted otherwise than before"),
        (json!({"issuer": "https://east.example.com", "signingKeyRefs": [key("other", "other")], "peers": [{"issuer": "https://west.example.com", "keys": [key("west", "west")]}], "verify": {}}).to_string(), 0, "+ https://east.example.com: is trusted, with 1 keys"),
    ] {
        folder.write("new", &new);
        let ended = folder.run(&["diff", "plain", "new"]);
        assert_eq!(ended.code, code, "{words}: {ended:?}");
        assert!(ended.output.contains(words), "{words}: {ended:?}");
    }
    folder.write("revoked", &all(json!({"revoked": [{"kid": "west"}]})));
    assert!(
        folder.run(&["diff", "revoked", "plain"]).output.contains("+ https://west.example.com, key west: is trusted")
    );
    folder.write("new", &peer(json!({"claims": ["groups"]})));
    folder.write("narrow", &peer(json!({"claims": ["groups"]})));
    let ended = folder.run(&["diff", "narrow", "new"]);
    assert!(ended.code == 0 && ended.output.contains("nobody is trusted otherwise"), "{ended:?}");
    folder.write("wide", &peer(json!({"claims": ["groups", "roles"]})));
    assert!(folder.run(&["diff", "narrow", "wide"]).output.contains("+ https://west.example.com: `claims`: \"roles\""));
}

#[test]
fn import_names_the_logins_that_get_no_wristband_and_the_version_that_it_does_not_read() {
    let folder = Folder::new();
    let config = |version: &str, response: &str| {
        format!(
            "apiVersion: authorino.kuadrant.io/{version}\nkind: AuthConfig\nmetadata: {{name: shop}}\nspec:\n  authentication:\n    \
             people: {{jwt: {{issuerUrl: https://idp.example.com}}}}\n    robots: {{apiKey: {{selector: {{}}}}}}\n  response: {response}\n"
        )
    };
    let wristband = "{issuer: https://east.example.com, signingKeyRefs: [{name: k, algorithm: ES256}]}";
    folder.write(
        "now.yaml",
        &config("v1beta3", &format!("{{success: {{headers: {{x-w: {{wristband: {wristband}}}}}}}}}")),
    );
    let ended = folder.run(&["import", "authconfig", "now.yaml"]);
    assert!(
        ended.code == 0 && ended.notes.contains("who logs in by `authentication.robots` gets no wristband"),
        "{ended:?}"
    );
    assert!(!ended.notes.contains("authentication.people"), "{ended:?}");
    folder.write("old.yaml", &config("v1beta1", &format!("[{{name: w, wristband: {wristband}}}]")));
    let ended = folder.run(&["import", "authconfig", "old.yaml"]);
    assert!(ended.code == 1 && ended.notes.contains("v1beta1, of which nothing is read"), "{ended:?}");
}

#[test]
fn who_denies_his_own_wristbands_for_their_audience_is_told() {
    let folder = Folder::new();
    gateway(&folder);
    let ours = folder.read("ours.yaml");
    let hint = "hint: verify: has no `audiences`";
    assert!(!folder.run(&["check", "--assume-keys", "ours.yaml"]).output.contains(hint));
    folder.write("ours.yaml", &ours.replace("verify: {audiences: [federation]}", "verify: {}"));
    let ended = folder.run(&["check", "--assume-keys", "ours.yaml"]);
    assert!(ended.code == 0 && ended.output.contains(hint), "{ended:?}");
}

#[test]
fn what_stands_twice_is_an_error_in_yaml_as_in_json() {
    let folder = Folder::new();
    folder.write("twice.yaml", "verify: {}\npeers: []\nverify: {mode: observe}\n");
    let ended = folder.run(&["check", "twice.yaml"]);
    assert!(ended.code == 1 && ended.output.contains("twice.yaml:3:1: error: verify: stands twice"), "{ended:?}");
}

#[test]
fn diff_looks_at_the_mode_and_at_a_key_that_goes_into_a_file() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["keygen", "west"]).code, 0);
    let key = json!({"name": "west", "algorithm": "ES256", "key": {"inlineString": folder.read("west.pub.pem")}});
    let peers = json!([{"issuer": "https://west.example.com", "keys": [key]}]);
    let verifier = |verify: Value| json!({"peers": peers, "verify": verify}).to_string();
    let signer = |verify: Value| {
        json!({"issuer": "https://west.example.com", "signingKeyRefs": [key], "verify": verify}).to_string()
    };
    let fetched = json!({
        "issuer": "https://west.example.com", "verify": {}, "issue": {"identity": {"header": "x-user"}},
        "signingKeyRefs": [{"algorithm": "ES256", "key": {"cluster": "k", "path": "/key"}}],
    });
    for (old, new, code, words) in [
        (
            verifier(json!({})),
            verifier(json!({"mode": "observe"})),
            0,
            "+ all issuers: `verify.mode` is `observe` and was `require`",
        ),
        (
            verifier(json!({"mode": "optional"})),
            verifier(json!({})),
            0,
            "- all issuers: `verify.mode` is `require` and was `optional`",
        ),
        (signer(json!({})), fetched.to_string(), 1, "! https://west.example.com, key west: has to be in the file"),
    ] {
        folder.write("old", &old);
        folder.write("new", &new);
        let ended = folder.run(&["diff", "old", "new"]);
        assert!(ended.code == code && ended.output.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn rotate_leads_from_step_to_step() {
    let rotation = Rotation::new();
    let step = |keys: &[&str], not_after| {
        rotation.with("now", keys, not_after);
        let ended = rotation.run(&["rotate", "now"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.output
    };
    let announce = step(&["one"], None);
    assert!(announce.starts_with("# Step 1 of 3: announce.") && announce.contains("360 seconds"), "{announce}");
    let switch = step(&["one", "two"], None);
    assert!(switch.starts_with("# Step 2 of 3: switch."), "{switch}");
    // What it says, done, is what `diff` calls safe.
    let edits: Value = serde_yaml_ng::from_str(&switch.replace("THE_VARIABLE_OF_THE_NEXT_KEY", "TWO")).unwrap();
    let mut next: Value = serde_json::from_str(&rotation.folder.read("now")).unwrap();
    next["signingKeyRefs"] = edits["signingKeyRefs"].clone();
    rotation.folder.write("next", &next.to_string());
    let compared = rotation.run(&["diff", "now", "next"]);
    assert_eq!(compared.code, 0, "{compared:?}");
    let wait = rotation.run(&["rotate", "next"]).output;
    assert!(wait.starts_with("# Step 3 of 3: retire. Wait until "), "{wait}");
    let retire = step(&["two", "one"], Some(-1));
    assert!(retire.contains("# Now: remove from `signingKeyRefs`: one\n"), "{retire}");
    let fetched = json!({
        "issuer": "https://east.example.com", "issue": {"identity": {"header": "x-user"}},
        "signingKeyRefs": [{"algorithm": "ES256", "key": {"cluster": "k", "path": "/key"}}],
    });
    rotation.folder.write("fetched", &fetched.to_string());
    let ended = rotation.run(&["rotate", "fetched"]);
    assert!(ended.code == 1 && ended.notes.contains("put the next key into the file"), "{ended:?}");
}

#[test]
fn rotate_waits_for_the_peers_that_say_whom_they_trust() {
    let rotation = Rotation::new();
    rotation.with("now", &["one", "two"], None);
    let set = rotation.run(&["jwks", "now"]).json();
    let key = |name: &str| {
        let jwk = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap();
        // RFC 7638, section 3.
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        json!({"kid": name, "alg": "ES256", "thumbprint": URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(text))})
    };
    let (one, two) = (key("one"), key("two"));
    let thumbprint = format!("\n# {}\n", one["thumbprint"].as_str().unwrap());
    assert!(rotation.made.contains(&thumbprint), "{}", rotation.made);
    let mut other = one.clone();
    other["kid"] = "two".into();
    let trusts = |file: &str, issuer: &str, keys: &[&Value]| {
        let of = json!({"issuer": issuer, "source": "configured", "keys": keys});
        let peer = format!("https://{file}.example.com");
        rotation.folder.write(file, &json!({"issuer": peer, "issuers": [of]}).to_string());
    };
    const EAST: &str = "https://east.example.com";
    trusts("west", EAST, &[&one, &two]);
    trusts("south", EAST, &[&one]);
    trusts("another-key", EAST, &[&one, &other]);
    trusts("another-issuer", "https://east.example.com/", &[&one, &two]);
    rotation.folder.write("no-document", "{\"keys\": []}");
    let run = |files: &[&str]| {
        let trust = files.iter().flat_map(|file| ["--trust", *file]);
        rotation.run(&["rotate", "now"].into_iter().chain(trust).collect::<Vec<_>>())
    };
    let switch = run(&["west"]);
    assert!(
        switch.code == 0 && switch.output.contains("all peers know it, as https://west.example.com does.\n"),
        "{switch:?}"
    );
    for unaware in ["south", "another-key", "another-issuer"] {
        let ended = run(&["west", unaware]);
        let says = format!("not yet: https://{unaware}.example.com does not know the key two");
        assert!(ended.code == 1 && ended.output.is_empty() && ended.notes.contains(&says), "{ended:?}");
    }
    for file in ["no-document", "one.pub.pem", "nothing"] {
        let ended = run(&["west", file]);
        assert!(ended.code == 2 && ended.notes.starts_with(&format!("wristband: {file}: ")), "{ended:?}");
    }
}

#[test]
fn an_authconfig_becomes_a_configuration_and_what_has_no_counterpart_is_listed() {
    let folder = Folder::new();
    for name in ["current", "previous"] {
        assert_eq!(folder.run(&["keygen", name]).code, 0);
    }
    let secret = |name: &str| {
        let pem = folder.read(&format!("{name}.pem"));
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key.pem": pem}})
            .to_string()
    };
    let config = r#"
apiVersion: authorino.kuadrant.io/v1beta3
kind: AuthConfig
metadata: {name: shop, namespace: east}
spec:
  hosts: [shop.example.com]
  when: [{selector: context.request.http.path, operator: matches, value: "^/shop"}]
  authentication: {sso: {jwt: {issuerUrl: "https://sso.example.com"}}}
  authorization: {all: {opa: {rego: allow = true}}}
  response:
    success:
      headers:
        x-wristband:
          when:
          - {predicate: "auth.identity.email_verified"}
          - any: [{selector: auth.identity.roles, operator: incl, value: dev}, {selector: request.method, operator: eq, value: GET}]
          - {selector: auth.authorization.x, operator: eq, value: y}
          wristband:
            issuer: https://shop.example.com/east
            tokenDuration: 600
            customClaims:
              region: {value: eu}
              mail: {selector: auth.identity.email}
              odd: {selector: "auth.identity.roles.@values"}
            signingKeyRefs:
            - {name: current, algorithm: ES256}
            - {name: previous, algorithm: ES256}
            - {name: absent, algorithm: ES256}
"#;
    folder.write("all.yaml", &format!("{config}---\n{}\n---\n{}\n", secret("current"), secret("previous")));
    let imported = folder.run(&["import", "authconfig", "all.yaml"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    for name in ["current", "previous"] {
        let private = folder.read(&format!("{name}.pem"));
        for line in private.lines().filter(|line| !line.starts_with('-')) {
            assert!(!imported.output.contains(line) && !imported.notes.contains(line), "{name}");
        }
    }
    let configuration: Value = serde_yaml_ng::from_str(&imported.output).unwrap();
    let objects = serde_yaml_ng::Deserializer::from_str(&folder.read("all.yaml"))
        .map(|object| serde::Deserialize::deserialize(object).unwrap())
        .collect::<Vec<Value>>();
    let list = json!({"kind": "List", "items": objects}).to_string();
    assert_eq!(folder.run_with(&["import", "authconfig", "-"], &[], &list).output, imported.output);
    let as_json = folder.run(&["import", "authconfig", "--output", "json", "all.yaml"]);
    assert_eq!((as_json.json(), &as_json.notes), (json!({"configurations": [&configuration]}), &imported.notes));
    let jwt = "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload";
    let public = folder.read("previous.pub.pem");
    assert_eq!(
        configuration,
        json!({
            "issuer": "https://shop.example.com/east",
            "tokenDuration": 600,
            "signingKeyRefs": [
                {"name": "current", "algorithm": "ES256", "key": {"environmentVariable": "CURRENT_SIGNING_KEY"}},
                {"name": "previous", "algorithm": "ES256", "key": {"inlineString": public}},
                {"name": "absent", "algorithm": "ES256", "key": {"inlineString": "<public half of absent>"}},
            ],
            "issue": {
                "placement": "request",
                "header": "x-wristband",
                "identity": {"expression": jwt},
                "customClaims": {"region": {"value": "eu"}, "mail": {"expression": format!("{jwt}.email")}},
                "when": {"request": format!(
                    "request.path.matches('^/shop') && ({jwt}.email_verified) && ('dev' in {jwt}.roles || request.method == 'GET') && false")},
            },
            "verify": {"mode": "optional"},
        })
    );
    for note in [
        "shop: `authorization` has no counterpart here",
        "shop: the claim `odd` cannot be translated",
        "shop: a condition of `when` cannot be translated; until it is, nothing is signed: {\"operator\":\"eq\",\"selector\":\"auth.authorization.x\"",
        "shop: the Secret `current` signs: give its `key.pem` to Envoy as CURRENT_SIGNING_KEY",
        "shop: the Secret `previous` has a private key that is not needed",
        "shop: no Secret `absent` in the files",
        "shop: `sub` changes",
    ] {
        assert!(imported.notes.lines().any(|line| line.contains(note)), "{note}: {}", imported.notes);
    }
    // What is missing `check` finds; all else it accepts.
    folder.write("imported.yaml", &imported.output);
    let checked = folder.run(&["check", "--assume-keys", "--output", "json", "imported.yaml"]).json();
    let errors = checked["problems"].as_array().unwrap().iter().filter(|problem| problem["severity"] == "error");
    assert_eq!(errors.map(|problem| problem["path"].clone()).collect::<Vec<_>>(), [json!("signingKeyRefs[2].key")]);
    // As its page says.
    let page = repository("docs/from-authorino.md");
    let rows = page.lines().skip_while(|line| *line != "| selector | CEL |").skip(2);
    let rows: Vec<Vec<_>> = rows
        .map_while(|line| line.strip_prefix("| `"))
        .map(|row| row.trim_end_matches("` |").split("` | `").collect())
        .collect();
    assert!(rows.len() > 5);
    for row in &rows {
        let other = config.replace("auth.identity.email}", &format!("{}}}", row[0]));
        let imported = folder.run_with(&["import", "authconfig", "-"], &[], &other);
        let value: Value = serde_yaml_ng::from_str(&imported.output).unwrap();
        assert_eq!(value["issue"]["customClaims"]["mail"]["expression"], row[1]);
    }
    let jwt = "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload";
    for (selector, cel) in
        [("groups.0", ".groups[0]"), ("a.in", ".a['in']"), ("2fa", "['2fa']"), ("a-b.c", "['a-b'].c")]
    {
        let other = config.replace("auth.identity.email}", &format!("auth.identity.{selector}}}"));
        let value: Value =
            serde_yaml_ng::from_str(&folder.run_with(&["import", "authconfig", "-"], &[], &other).output).unwrap();
        assert_eq!(value["issue"]["customClaims"]["mail"]["expression"], format!("{jwt}{cel}"));
    }
    let older = folder.run_with(
        &["import", "authconfig", "-"],
        &[],
        "kind: AuthConfig\nmetadata: {name: old}\nspec: {response: [{name: x, wristband: {}}]}\n",
    );
    assert!(older.code == 1 && older.notes.contains("old: is an AuthConfig of v1beta1"), "{older:?}");
    // Authorino's own identity, handed over by dynamic metadata.
    let other = config.replace("sso: {jwt: {issuerUrl: \"https://sso.example.com\"}}", "friends: {apiKey: {}}");
    let imported = folder.run_with(&["import", "authconfig", "-"], &[], &other);
    assert!(imported.output.contains("['envoy.filters.http.ext_authz'].identity.email"), "{imported:?}");
    assert_eq!(folder.run_with(&["import", "authconfig", "-"], &[], "kind: Pod\n").code, 1);
}

/// `TRYCMD=overwrite` keeps what is printed now.
#[test]
fn help_and_output_are_as_they_are_kept() {
    trycmd::TestCases::new().case("tests/command/*.trycmd");
}

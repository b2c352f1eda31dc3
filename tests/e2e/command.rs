//! The command `wristband` beside a running gateway: both say the same.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::gate::{Gate, outcome};
use crate::live::Live;
use crate::support::config::{private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, get_with};
use crate::support::sample::Sample;
use crate::support::token::{self, A, B};
use crate::support::{key, path, read};

/// What the command prints, and whether it ends with 0.
fn run(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wristband"))
        .args(arguments)
        .current_dir(path(""))
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), format!("{}{notes}", String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn what_it_signs_passes_at_the_peers_of_the_running_federation() {
    let sample = Sample::load("federation");
    let private = key("cluster-b-2026-10");
    let environment = [("CLUSTER_B_SIGNING_KEY", private.as_str())];
    let envoy = Envoy::start(&sample.bootstrap, &environment);
    let (signed, token) = run(
        &["sign", "--config", "envoy/federation.yaml", "--plugin", "cluster-b", "--subject", "bob"],
        &environment,
        "",
    );
    assert!(signed, "{token}");
    let token = token.trim();
    assert_eq!(token::payload(token)["region"], "us-2", "what is the same for everyone is there");
    for gateway in ["cluster-a", "cluster-b", "cluster-c"] {
        let url = sample.url(gateway);
        envoy.wait_until("it has the key", |_| get_with(&url, &[("x-wristband-token", token)]).status != 503);
        let answer = get_with(&url, &[("x-wristband-token", token)]);
        assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("bob")), "{gateway}: {answer:?}");
    }
    // A's key is fetched at run time, so it is given.
    let key_file = path("testdata/worthless-keys/cluster-a-2026-11.pem");
    let key_file = key_file.to_str().unwrap();
    let of_a =
        ["sign", "--config", "envoy/federation.yaml", "--plugin", "cluster-a", "--subject", "alice", "--key", key_file];
    let (signed, token) = run(&of_a, &[], "");
    assert!(signed, "{token}");
    let url = sample.url("cluster-c");
    envoy.wait_until("it has the key", |_| get_with(&url, &[("x-wristband-token", token.trim())]).status == 200);
}

#[test]
fn it_denies_for_what_the_gateway_denies_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [public("cluster-a-2026-11")],
        "peers": [{"issuer": B, "keys": [public("cluster-b-2026-10")],
            "subjects": [{"exact": "alice"}], "maxLifetime": 3600}],
        "verify": {"revoked": [{"jti": "gone"}]},
        "allowWorthlessKeys": true,
    });
    let file = folder.path().join("plugin.json");
    std::fs::write(&file, plugin.to_string()).unwrap();
    let mut gate = Gate::start(&[plugin]);
    let changed = |name: &str, value: Value| {
        let mut claims = token::claims(B);
        claims[name] = value;
        token::sign("cluster-b-2026-10", &claims)
    };
    let headed = |header: &str| token::sign_text("cluster-b-2026-10", header, &token::claims(B).to_string());
    let now = token::now();
    let good = token::sign("cluster-b-2026-10", &token::claims(B));
    let mut seen = std::collections::BTreeSet::new();
    for token in [
        good.clone(),
        token::of_a(),
        "a.b.c".to_owned(),
        "a".repeat(9000),
        changed("iss", "https://stranger.example".into()),
        changed("iss", format!("{B}/").into()),
        headed(r#"{"alg":"HS256","kid":"cluster-b-2026-10"}"#),
        headed(r#"{"alg":"ES256","kid":"other"}"#),
        headed(r#"{"alg":"ES256","kid":"cluster-b-2026-10","typ":"x"}"#),
        changed("exp", (now - 100).into()),
        changed("nbf", (now + 100).into()),
        changed("aud", "elsewhere".into()),
        changed("sub", "bob".into()),
        changed("exp", (now + 100_000).into()),
        changed("jti", "gone".into()),
        changed("cnf", json!({"x5t#S256": token::encode([1; 32])})),
        changed("cnf", json!({"jkt": "x"})),
        format!("{}AAAA", &good[..good.len() - 4]),
    ] {
        let answer = gate.present(0, &token);
        let text = answer.status == 401;
        let code = if text { denial(&answer.json()["error_description"]) } else { outcome(&answer).to_owned() };
        let (accepted, said) =
            run(&["verify", "--config", file.to_str().unwrap(), "--output", "json", "-"], &[], &token);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((accepted, said["code"].as_str().unwrap_or("ok")), (!text, &*code), "{said} {answer:?}");
        seen.insert(code);
    }
    assert!(seen.len() > 12, "{seen:?}");
}

/// The code of a denial by its text.
fn denial(text: &Value) -> String {
    let denial = wristband::denial::Denial::ALL.into_iter().find(|denial| denial.text() == text);
    denial.unwrap_or_else(|| panic!("{text}")).code().to_owned()
}

#[test]
fn with_an_envoy_expressions_are_compiled_by_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("plugin.json");
    let check = |expression: &str, envoy: bool| {
        let plugin = json!({
            "issuer": A, "signingKeyRefs": [private("cluster-a-2026-11", "KEY")],
            "issue": {"identity": {"header": "x-user"}, "customClaims": {"c": {"expression": expression}}},
        });
        std::fs::write(&file, plugin.to_string()).unwrap();
        let binary = crate::support::envoy::binary();
        let with = ["--envoy", binary.to_str().unwrap()];
        let arguments = [&["check", "--assume-keys"][..], if envoy { &with } else { &[] }, &[file.to_str().unwrap()]];
        run(&arguments.concat(), &[], "")
    };
    // A function that nobody has is CEL, and Envoy does not take it.
    let (passes, said) = check("nosuch(request.path)", false);
    assert!(passes, "{said}");
    let (passes, said) = check("nosuch(request.path)", true);
    assert!(!passes && said.contains("error: issue.customClaims.c.expression: Envoy does not compile it: "), "{said}");
    assert!(said.contains("nosuch"), "{said}");
    assert!(check("request.path + 'x'", true).0);
    // Something else says nothing of it.
    let arguments = ["check", "--assume-keys", "--envoy", "/bin/true", file.to_str().unwrap()];
    let (passes, said) = run(&arguments, &[], "");
    assert!(!passes && said.contains("/bin/true does not say whether it compiles an expression"), "{said}");
    let (passes, said) = run(&arguments, &[("TMPDIR", "/absent")], "");
    assert!(!passes && said.contains("/absent/wristband-check-"), "{said}");
    // What is no CEL at all needs no Envoy, and has its position.
    let (passes, said) = check("request.headers[", false);
    assert!(!passes && said.contains("not a CEL expression: "), "{said}");
    assert!(!said.contains("expr_create"), "{said}");
}

/// What `diff` calls safe loses no token under way, and what it does not call safe loses one.
#[test]
fn diff_says_what_an_update_does_to_tokens_under_way() {
    let (old_key, new_key) = (key("cluster-a-2026-11"), key("cluster-a-2027-02"));
    let environment = [("OLD", old_key.as_str()), ("NEW", new_key.as_str())];
    let of = |keys: Value| json!({"issuer": A, "signingKeyRefs": keys, "issue": {"identity": {"header": "x-user"}}, "verify": {"mode": "optional"}});
    let (old, new) = (private("cluster-a-2026-11", "OLD"), private("cluster-a-2027-02", "NEW"));
    let announced = public("cluster-a-2027-02");
    let mut retired = public("cluster-a-2026-11");
    retired["notAfter"] = "2099-01-01T00:00:00Z".into();
    let mut ended = retired.clone();
    ended["notAfter"] = "2026-01-01T00:00:00Z".into();
    let folder = tempfile::TempDir::new().unwrap();
    for (before, after) in [
        (json!([old]), json!([old, announced])),
        (json!([old, announced]), json!([new, retired])),
        (json!([old, announced]), json!([new, ended])),
        (json!([old, announced]), json!([new])),
    ] {
        let files = [("old.json", &before), ("new.json", &after)].map(|(name, keys)| {
            let file = folder.path().join(name);
            let mut plugin = of(keys.clone());
            plugin["allowWorthlessKeys"] = true.into();
            std::fs::write(&file, plugin.to_string()).unwrap();
            file.to_str().unwrap().to_owned()
        });
        let (is_safe, said) = run(&["diff", &files[0], &files[1]], &environment, "");
        let live = Live::start(&[of(before.clone())], &environment, &[]);
        let url = live.urls[0].clone();
        let token = get_with(&url, &[("x-user", "alice")]).wristband().unwrap().to_owned();
        assert_eq!(get_with(&url, &[("x-wristband-token", &token)]).status, 200);
        live.update(&[of(after.clone())]);
        let updates = || live.envoy.counter("listener_manager.lds.update_success");
        live.envoy.wait_until("the update applies", |_| updates() >= 2);
        let keys = after.as_array().unwrap().iter().filter(|key| key["notAfter"] != "2026-01-01T00:00:00Z").count();
        let published = || http::get(&format!("{url}/.well-known/jwks.json")).json()["keys"].as_array().unwrap().len();
        live.envoy.wait_until("both workers have it", |_| (0..20).all(|_| published() == keys));
        let passes = get_with(&url, &[("x-wristband-token", &token)]).status == 200;
        assert_eq!(passes, is_safe, "{before} {after}: {said}");
    }
}

/// The commands of its page, one after the other, in an empty folder.
#[test]
fn the_page_of_the_command_works_as_it_stands() {
    let folder = tempfile::TempDir::new().unwrap();
    let page = read("docs/command.md");
    let commands = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_wristband")).parent().unwrap();
    let paths = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(&folder)
        .env("PATH", paths)
        .output();
    let output = output.unwrap();
    let (text, notes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{notes}");
    assert!(text.lines().last().unwrap().starts_with("accepted: alice of https://east.example.com"), "{text}{notes}");
}

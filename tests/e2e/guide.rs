//! What the README and the pages for newcomers tell one to do is done, to the letter.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gate::outcome;
use crate::support::config::{cluster, echo};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{Answer, Connection, get_with};
use crate::support::page;
use crate::support::sample::Sample;
use crate::support::token;
use crate::support::{path, read};

/// The commands of a text, block by block.
fn commands(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Runs commands in a folder, with the command `wristband` in reach.
fn run(script: &str, folder: &Path) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_wristband")).parent().unwrap();
    let paths = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", paths)
        .output()
        .unwrap()
}

/// The first four digits of ten ports that are free, as far as a gateway of the sample and another one need them.
fn free_tens() -> [String; 2] {
    let is_free = |tens: &u16| [0, 1, 9].iter().all(|port| TcpListener::bind(("127.0.0.1", tens * 10 + port)).is_ok());
    let seed = free_port() % 1_000;
    let mut found = (1_200 + seed..3_200).filter(is_free).map(|tens| tens.to_string());
    [found.next().unwrap(), found.next().unwrap()]
}

/// Only the ports are others, and what is built already is not built again.
#[test]
fn a_federation_of_ones_own_is_there_after_the_commands_of_the_readme() {
    let folder = TempDir::new().unwrap();
    for name in ["Makefile", "target", ".envoy"] {
        symlink(path(name), folder.path().join(name)).unwrap();
    }
    let [east, west] = free_tens();
    let moved = |text: &str| text.replace("1010", &west).replace("1000", &east);
    std::fs::create_dir(folder.path().join("envoy")).unwrap();
    std::fs::write(folder.path().join("envoy/gateway.yaml"), moved(&read("envoy/gateway.yaml"))).unwrap();
    let readme = read("README.md");
    let (_, section) = readme.split_once("## A federation of your own\n").unwrap();
    let blocks = commands(section.split("\n## ").next().unwrap());
    let [build, setting_up] = blocks[0].split_once('\n').map(|(first, rest)| [first, rest]).unwrap();
    assert!(build.starts_with("make build install "), "{build}");
    let (asked, ended) = blocks[2].split_once("kill %1 %2").unwrap();
    assert_eq!(ended.trim(), "# ends both");
    // The others of this machine have their own.
    let bases = setting_up.replace("--base-id 1", "--use-dynamic-base-id");
    let bases = bases.replace("-c mine/east.yaml", "-c mine/east.yaml --use-dynamic-base-id");
    let script =
        format!("trap 'kill %1 %2; wait' EXIT; {}{}{asked}", moved(&bases), moved(blocks[1]), asked = moved(asked));
    let Output { status, stdout, stderr } = run(&script, folder.path());
    let (text, notes) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let log = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert!(status.success(), "{text}{notes}{}{}", log("mine/east.log"), log("mine/west.log"));
    assert!(text.contains("\"sub\": \"alice\""), "{text}{notes}");
    let (_, at_west) = text.split_once("exp 2").unwrap();
    let (at_west, without) = at_west.split_once("HTTP/1.1 403 Forbidden").unwrap();
    assert!(without.contains("HTTP/1.1 401 Unauthorized"), "{text}");
    for line in ["HTTP/1.1 200 OK", "x-wristband-sub: alice", "x-wristband-iss: https://east.example.com"] {
        assert!(at_west.contains(line), "{line}: {text}");
    }
    assert!(!at_west.contains("x-wristband-token"), "{text}");
}

/// A gateway whose connection manager has the parts that a page shows.
fn start(shown: &Value) -> (Envoy, Connection) {
    let (upstream, port) = (free_port(), free_port());
    let listeners = [echo(upstream), page::listening("gateway", port, shown)];
    let bootstrap = json!({"static_resources": {"listeners": listeners, "clusters": [cluster("echo", upstream)]}});
    let envoy = Envoy::start(&bootstrap, &[]);
    (envoy, Connection::new(&format!("http://127.0.0.1:{port}")))
}

#[test]
fn what_jwt_authn_says_of_a_token_the_filter_in_its_place_says_too() {
    let [mut native, mut ours] =
        page::blocks("from-jwt-authn").try_into().map(|blocks: [Value; 2]| blocks.map(|block| start(&block))).unwrap();
    let claims = |change: &dyn Fn(&mut Value)| {
        let mut claims = token::claims("https://login.example.com");
        claims["aud"] = "shop".into();
        change(&mut claims);
        token::sign("identity-provider", &claims)
    };
    let cases = [
        (claims(&|_| {}), 200),
        (claims(&|claims| claims["aud"] = "other".into()), 401),
        (claims(&|claims| claims["iss"] = "https://other.example.com".into()), 401),
        (claims(&|claims| claims["exp"] = 1.into()), 401),
        (token::of_a(), 401),
        ("junk".to_owned(), 401),
        (String::new(), 401),
    ];
    for (token, expected) in &cases {
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("x-caller", &b"mallory"[..])];
        headers.extend((!token.is_empty()).then_some(("authorization", authorization.as_bytes())));
        let answers: [Answer; 2] = [&mut native, &mut ours].map(|(_, connection)| connection.get("/", &headers));
        for answer in &answers {
            // Envoy says 403 of an audience.
            let status = if answer.status == 403 { 401 } else { answer.status };
            assert_eq!(status, *expected, "{token}: {}", answer.body);
            assert_eq!(answer.received("x-caller"), (status == 200).then_some("alice"), "{token}");
        }
    }
}

#[test]
fn logins_of_the_guide_say_who_a_caller_is() {
    let guide = read("docs/setup.md");
    // The line for a password is the one of the sample.
    let line = commands(&guide).into_iter().find(|command| command.contains("{SHA}")).unwrap();
    let printed = run(&format!("PASSWORD=wonderland\n{line}"), Path::new("/"));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(read("envoy/gateway.yaml").contains(printed.trim()), "{printed}");
    // A key becomes a name, which nobody can give himself.
    let shown = page::blocks("setup").into_iter().find(|block| block["http_filters"].is_array()).unwrap();
    let (_envoy, mut connection) = start(&shown);
    let key = shown.pointer("/http_filters/1/typed_config/credentials/0/key").unwrap().as_str().unwrap().as_bytes();
    let answer = connection.get("/", &[("x-api-key", key), ("x-user", b"mallory")]);
    assert_eq!((answer.status, answer.received("x-user")), (200, Some("alice")), "{}", answer.body);
    assert_eq!(answer.received("x-api-key"), None);
    for headers in [vec![("x-user", &b"alice"[..])], vec![("x-api-key", b"another")]] {
        assert_eq!(connection.get("/", &headers).status, 401);
    }
}

/// The commands in the first lines of the sample.
#[test]
fn a_token_of_the_identity_provider_can_be_made_for_the_sample_of_the_edge() {
    let text = read("envoy/edge.yaml");
    let lines =
        text.lines().skip_while(|line| !line.contains("export KEY=")).map_while(|line| line.strip_prefix("#   "));
    let script = lines.collect::<Vec<_>>().join("\n") + "\nprintf %s \"$TOKEN\"";
    let made = run(&script, &path(""));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).unwrap();
    let sample = Sample::load("edge");
    let _envoy =
        Envoy::start(&sample.bootstrap, &[("CLUSTER_A_SIGNING_KEY", &crate::support::key("cluster-a-2026-11"))]);
    let answer = get_with(&sample.url("edge"), &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!((outcome(&answer), answer.wristband().is_some()), ("ok", true), "{}", answer.body);
}

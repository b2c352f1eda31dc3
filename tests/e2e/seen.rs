//! What an operator sees: in the log, in the access log, and while a rollout goes on.

use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::gate::plugin;
use crate::support::config::{allow_replay, as_text, filter, filter_with, gateways, private, public};
use crate::support::envoy::Envoy;
use crate::support::http::{self, get_with};
use crate::support::sample::Sample;
use crate::support::token::{self, A, B};
use crate::support::{key, read};

const OF_A: &str = "cluster-a-2026-11";
const OF_B: &str = "cluster-b-2026-10";

fn start(plugin: &Value) -> (Envoy, String) {
    start_with(filter(plugin), &[])
}

fn start_with(filter: Value, arguments: &[&str]) -> (Envoy, String) {
    let setup = gateways(vec![vec![filter]]);
    let envoy = Envoy::try_start(&setup.bootstrap, &[("KEY", &key(OF_A))], arguments).unwrap();
    (envoy, setup.urls.into_iter().next().unwrap())
}

/// What the filter has logged at a level, without what Envoy puts before it.
fn lines(envoy: &Envoy, level: &str) -> Vec<String> {
    let log = envoy.log();
    let of_level = log.lines().filter(|line| line.contains(&format!("[{level}][wasm]")));
    of_level
        .filter_map(|line| line.split_once("wasm log").map(|(_, text)| text.trim_start_matches([':', ' ']).to_owned()))
        .collect()
}

fn debug(envoy: &Envoy) {
    assert_eq!(http::send("POST", &envoy.admin_url("/logging?wasm=debug"), &[]).status, 200);
}

#[test]
fn the_access_log_of_the_samples_says_who_was_denied_and_why() {
    let sample = Sample::load("verify-only");
    let envoy = Envoy::start(&sample.bootstrap, &[]);
    let url = sample.url("verify-only");
    let mut claims = token::claims(A);
    claims["aud"] = "federation".into();
    let good = token::sign(OF_A, &claims);
    let forged = token::sign_text(OF_B, &json!({"alg": "ES256", "kid": OF_A}).to_string(), &claims.to_string());
    claims["iss"] = format!("{A}/").into();
    let alike = token::sign(OF_A, &claims);
    for (path, token) in
        [("/good?x=1", &*good), ("/forged", &*forged), ("/alike", &*alike), ("/junk", "junk"), ("/none", "")]
    {
        get_with(&format!("{url}{path}"), &[("x-wristband-token", token)]);
    }
    envoy.wait_until("the log is written", |envoy| envoy.access_log().len() == 5);
    let mut log = envoy.access_log();
    for line in &mut log {
        for name in ["time", "request_id"] {
            assert!(line.as_object_mut().unwrap().remove(name).is_some_and(|text| text.is_string()), "{line}");
        }
        assert_eq!(line.as_object_mut().unwrap().remove("client"), Some(json!("127.0.0.1")));
        assert_eq!(line.as_object_mut().unwrap().remove("host"), url.strip_prefix("http://").map(Value::from));
        let details =
            line["code"].as_str().map_or("via_upstream".to_owned(), |code| format!("wristband_denied{{{code}}}"));
        assert_eq!(line.as_object_mut().unwrap().remove("response_code_details"), Some(details.into()));
    }
    let place = "header x-wristband-token";
    assert_eq!(
        log,
        [
            json!({"method": "GET", "path": "/good", "status": 200, "caller": "alice", "issuer": A}),
            json!({"method": "GET", "path": "/forged", "status": 401, "code": "bad_signature", "issuer": A, "kid": OF_A,
                "detail": "the signature is not that of the key", "place": place}),
            json!({"method": "GET", "path": "/alike", "status": 401, "code": "unknown_issuer", "issuer": format!("{A}/"),
                "kid": OF_A, "detail": "`iss` differs from a trusted one in a slash at the end", "place": place}),
            json!({"method": "GET", "path": "/junk", "status": 401, "code": "malformed",
                "detail": "not three parts with dots between them", "place": place}),
            json!({"method": "GET", "path": "/none", "status": 401, "code": "missing",
                "detail": "no token in any of the places"}),
        ]
    );
}

/// The three steps of the guide.
#[test]
fn a_rollout_begins_with_looking_and_finds_who_would_be_denied() {
    let page = read("docs/setup.md");
    let (_, steps) = page.split_once("## Rolling it out\n").unwrap();
    let steps = steps.split("\n#").next().unwrap();
    let commands: Vec<_> = steps.lines().map(str::trim_start).filter(|line| line.starts_with("grep ")).collect();
    let modes: Vec<_> = steps.split("mode: ").skip(1).map(|rest| rest.split(['`', ',', ' ']).next().unwrap()).collect();
    assert_eq!((modes.first(), modes.last()), (Some(&"observe"), Some(&"require")));
    let mut claims = token::claims(A);
    claims["aud"] = "federation".into();
    let good = token::sign(OF_A, &claims);
    claims["aud"] = "elsewhere".into();
    // Whatever it writes into its names.
    let header = json!({"alg": "ES256", "kid": "\",\"caller\":\"x"}).to_string();
    let other = token::sign_text(OF_A, &header, &claims.to_string());
    let ask = |mode: &str| {
        let mut sample = Sample::load("verify-only");
        sample.plugin("verify-only")["verify"]["mode"] = mode.into();
        let envoy = Envoy::start(&sample.bootstrap, &[]);
        let url = sample.url("verify-only");
        let callers = [("/good", &*good), ("/other", &*other), ("/nobody", "")];
        let statuses =
            callers.map(|(path, token)| get_with(&format!("{url}{path}"), &[("x-wristband-token", token)]).status);
        envoy.wait_until("the log is written", |envoy| envoy.access_log().len() == 3);
        let log = envoy.directory().join("out");
        let found = commands.iter().map(|command| {
            let found = Command::new("sh").args(["-c", command]).env("LOG", &log).output().unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            let paths = found.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].take());
            paths.map(|path| path.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        });
        (statuses, found.collect::<Vec<_>>())
    };
    // Whoever has a bad token, and whoever has none.
    let expected = [["/other"], ["/nobody"]].map(|paths| paths.map(str::to_owned).to_vec()).to_vec();
    assert_eq!(ask("observe"), ([200; 3], expected));
    assert_eq!(ask("require").0, [200, 401, 401]);
}

#[test]
fn at_load_the_log_says_which_configuration_it_is_and_whose_keys_it_has() {
    let mut plugin = plugin(&json!({}));
    plugin["signingKeyRefs"].as_array_mut().unwrap().push(public("cluster-a-2027-02"));
    plugin["signingKeyRefs"][1]["notAfter"] = "2099-01-01T00:00:00Z".into();
    let text = as_text(&plugin);
    let digest: String =
        Sha256::digest(text["value"].as_str().unwrap()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (envoy, _) = start_with(filter_with(text, &[]), &[]);
    let log = lines(&envoy, "info");
    let version = env!("CARGO_PKG_VERSION");
    for expected in [
        &*format!("discovery yes, version {version}, digest {digest}"),
        "wristband: our own keys, of https://cluster-a.example.com: cluster-a-2026-11, cluster-a-2027-02 until 2099-01-01T00:00:00Z",
        "wristband: keys of https://cluster-b.example.com: cluster-b-2026-10",
    ] {
        assert!(log.iter().any(|line| line.ends_with(expected)), "{expected}\n{log:#?}");
    }
}

#[test]
fn at_debug_each_denial_each_skip_and_each_dropped_claim_has_a_line() {
    let (envoy, url) = start(&json!({
        "issuer": A,
        "signingKeyRefs": [private(OF_A, "KEY")],
        "peers": [{"issuer": B, "keys": [public(OF_B)]}],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub", "format": "list"}]},
    }));
    debug(&envoy);
    let header = json!({"alg": "ES256", "kid": "k\n\u{1b}[31m"}).to_string();
    let forged = token::sign_text(OF_B, &header, &token::claims(B).to_string());
    get_with(&url, &[("x-wristband-token", &forged)]);
    get_with(&url, &[("x-wristband-token", &token::sign(OF_B, &token::claims(B)))]);
    get_with(&url, &[("x-user", "alice"), ("x-echo-status", "404")]);
    let expected = [
        format!(
            "wristband: denied: unknown_key (the issuer has no key of this `kid`), in header x-wristband-token, issuer {B}, kid k??[31m"
        ),
        "wristband: claim dropped: sub".to_owned(),
        "wristband: no wristband: peer_wristband (nobody is known but whom a peer's wristband speaks of)".to_owned(),
        "wristband: no wristband: response_status (the response is not 2xx)".to_owned(),
    ];
    assert_eq!(lines(&envoy, "debug"), expected);
}

/// How often the log says that a key ends, after requests that both workers have answered.
fn endings(capabilities: impl Fn(&mut Value)) -> Vec<String> {
    // 2026-11-28 and three days: whenever this runs, from now.
    let end = token::now() + 3 * 86_400;
    let end = chrono(end);
    let mut plugin = plugin(&json!({}));
    plugin["peers"][0]["keys"][0]["notAfter"] = end.into();
    let mut filter = filter(&plugin);
    capabilities(&mut filter);
    let (envoy, url) = start_with(filter, &[]);
    for _ in 0..20 {
        assert_eq!(get_with(&url, &[("x-wristband-token", &token::sign(OF_B, &token::claims(B)))]).status, 200);
    }
    lines(&envoy, "warning").into_iter().filter(|line| line.contains("ends at")).collect()
}

/// A time as RFC 3339 has it.
fn chrono(seconds: u64) -> String {
    let output =
        Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d", &format!("@{seconds}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_key_that_ends_is_told_once_an_hour_by_all_workers_together() {
    let told = endings(allow_replay);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].starts_with("wristband: the key `cluster-b-2026-10` of https://cluster-b.example.com ends at 20"),
        "{told:?}"
    );
    assert!(told[0].ends_with("; it is the last one of its issuer, and needs a successor"), "{told:?}");
    // Who may share nothing says it for himself: the main thread twice, and two workers.
    let told = endings(|_| {});
    assert!((3..=4).contains(&told.len()), "{told:#?}");
}

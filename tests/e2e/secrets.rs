//! Where the private key must not be: anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::configuration::log_of_refusals;
use crate::live::Live;
use crate::support::config::{as_struct, filter, gateways, private, public};
use crate::support::envoy::{self, Envoy};
use crate::support::http::{self, Answer};
use crate::support::key;
use crate::support::token::{self, A, B, claims, scalar, sign};

const A1: &str = "cluster-a-2026-11";
const A2: &str = "cluster-a-2027-02";
const B1: &str = "cluster-b-2026-10";

/// Every form in which a private key could show up.
fn forms(name: &str) -> Vec<String> {
    let pem = key(name);
    let secret = scalar(name);
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect();
    forms.extend([
        pem.lines().nth(1).unwrap()[..48].to_owned(),
        STANDARD_NO_PAD.encode(&secret),
        token::encode(&secret),
        // As a list of numbers, as `Debug` writes one.
        secret[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
        format!("{:?}", String::from_utf8_lossy(&secret)),
    ]);
    for half in [&hex[..32], &hex[32..]] {
        forms.extend([half.to_owned(), half.to_uppercase()]);
    }
    let (first, last) = secret.split_at(16);
    forms.extend([first, last].map(|half| u128::from_be_bytes(half.try_into().unwrap()).to_string()));
    forms
}

/// Fails if any form of these keys stands in a text. It does not show which.
fn no_secret_in(what: &str, text: &str, keys: &[&str]) {
    for name in keys {
        for (index, form) in forms(name).iter().enumerate() {
            assert!(!text.contains(form), "form {index} of {name} is in {what}");
        }
    }
}

fn everything(answer: &Answer) -> String {
    format!("{:?}\n{}", answer.headers, answer.body)
}

/// Panics know where they are in the source, which is under somebody's home.
#[test]
fn the_module_names_no_directory_of_the_machine_that_built_it() {
    let module = std::fs::read("target/wristband.wasm").unwrap();
    let module = String::from_utf8_lossy(&module);
    assert!(module.contains("/src/modular/pow.rs"), "a path in crypto-bigint");
    for name in ["CARGO_HOME", "CARGO_MANIFEST_DIR", "HOME"] {
        let directory = std::env::var(name).unwrap_or_default();
        // Some have none, or the root.
        let directory = directory.trim_end_matches('/');
        assert!(directory.is_empty() || !module.contains(&format!("{directory}/")), "{directory}");
    }
}

#[test]
fn the_search_for_secrets_finds_them() {
    let jwk = json!({"d": token::encode(scalar(A1))}).to_string();
    let hex: String = scalar(A1).iter().map(|byte| format!("{byte:02X}")).collect();
    for text in [key(A1), jwk, hex, format!("{:?}", scalar(A1)), key(A1).lines().nth(2).unwrap().to_owned()] {
        assert!(forms(A1).iter().any(|form| text.contains(form)), "{text}");
    }
    for form in forms(A1) {
        assert!(form.len() >= 20, "{form} could be there by chance");
        assert!(!key(&format!("{A1}.pub")).contains(&form), "{form} is public");
    }
}

#[test]
fn a_key_from_a_variable_is_in_no_log_no_dump_and_no_answer() {
    let gateway = |fields: Value| {
        let mut gateway = json!({
            "issuer": A,
            "signingKeyRefs": [private(A1, "KEY"), public(A2)],
            "issue": {"identity": {"header": "x-user"}},
            "verify": {"mode": "optional", "outputPayloadToHeader": "x-payload"},
        });
        gateway.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        gateway
    };
    let broken = {
        let pem = key(A2);
        let lines: Vec<_> = pem.lines().enumerate().filter(|(index, _)| *index != 2).map(|(_, line)| line).collect();
        lines.join("\n")
    };
    let cut = key(A2).replace("-----END", "");
    let junk = key(A2).replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\n!");
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": token::encode(scalar(A2))}).to_string();
    let (signing, other) = (key(A1), key(A2));
    let environment =
        [("KEY", &signing), ("OTHER", &other), ("BROKEN", &broken), ("CUT", &cut), ("JUNK", &junk), ("JWK", &jwk)]
            .map(|(name, value)| (name, value.as_str()));
    let live = Live::start(&[gateway(json!({}))], &environment, &["-l", "trace"]);
    let url = live.urls[0].clone();
    let mut answers = String::new();
    let mut ask = |headers: &[(&str, &str)]| {
        let answer = http::get_with(&url, headers);
        answers.push_str(&everything(&answer));
        answer
    };

    let wristband = ask(&[("x-user", "alice")]).wristband().unwrap().to_owned();
    assert_eq!(ask(&[("x-wristband-token", &wristband)]).status, 200);
    let forged = sign("stranger", &claims(A));
    assert_eq!(ask(&[("x-wristband-token", &forged)]).status, 401);
    assert_eq!(ask(&[("x-wristband-token", "x")]).status, 401);
    for path in ["openid-configuration", "openid-connect/certs", "jwks.json"] {
        let url = format!("{url}/.well-known/{path}");
        answers.push_str(&everything(&http::get(&url)));
        answers.push_str(&everything(&http::send("POST", &url, &[])));
    }
    for (plugin, reason) in [
        (gateway(json!({"signingKeyRefs": [private(A1, "KEY"), private(A2, "OTHER")]})), "signingKeyRefs[1].key: "),
        (gateway(json!({"peers": [{"issuer": B, "keys": [private(B1, "OTHER")]}]})), "peers[0].keys[0].key: "),
        (gateway(json!({"signingKeyRefs": [private(A2, "BROKEN")]})), "signingKeyRefs[0].key: "),
        (gateway(json!({"signingKeyRefs": [private(A2, "CUT")]})), "signingKeyRefs[0].key: "),
        (gateway(json!({"signingKeyRefs": [private(A2, "JUNK")]})), "signingKeyRefs[0].key: "),
        (gateway(json!({"signingKeyRefs": [private(A2, "JWK")]})), "signingKeyRefs[0].key: "),
        (gateway(json!({"tokenDuration": "x"})), "tokenDuration: "),
        (
            gateway(
                json!({"signingKeyRefs": [{"name": A1, "algorithm": "RS256", "key": {"environmentVariable": "KEY"}}]}),
            ),
            "signingKeyRefs[0]",
        ),
    ] {
        live.update_is_refused(&[plugin]);
        assert!(live.envoy.log().contains(&format!("configuration rejected: {reason}")), "{reason}");
    }
    // A rotation, so that the first key goes.
    let rotated = gateway(json!({"signingKeyRefs": [private(A2, "OTHER"), public(A1)]}));
    live.update_applies(&[rotated], || {
        let answer = http::get_with(&url, &[("x-user", "alice")]);
        token::header(answer.wristband().unwrap())["kid"] == A2
    });
    assert!(!answers.is_empty());
    no_secret_in("an answer", &answers, &[A1, A2]);
    for path in [
        "/config_dump?include_eds",
        "/config_dump",
        "/stats",
        "/stats/prometheus",
        "/listeners",
        "/clusters",
        "/server_info",
        "/memory",
        "/runtime",
        "/init_dump",
        "/contention",
    ] {
        no_secret_in(path, &live.envoy.admin(path), &[A1, A2]);
    }
    let log = live.envoy.log();
    assert!(log.contains("[trace]") && log.contains("configuration rejected"), "the log is a full one");
    no_secret_in("the log", &log, &[A1, A2]);
}

/// What the filter itself logs, entry by entry. For a key that stands in the configuration Envoy logs more, which is not
/// ours to keep.
fn our_entries(log: &str) -> Vec<String> {
    // An entry may have several lines.
    let entries = format!("\n{log}");
    let entries = entries.split("\n[2").filter(|entry| entry.contains("wasm log"));
    entries.map(str::to_owned).collect()
}

#[test]
fn a_private_key_in_any_wrong_field_is_not_quoted() {
    let pem = key(A1);
    let line = pem.lines().nth(1).unwrap();
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": token::encode(scalar(A1))});
    let entry = || json!({"name": A1, "algorithm": "ES256", "key": {"inlineString": pem}});
    let plugin =
        || json!({"issuer": A, "signingKeyRefs": [entry()], "issue": {"identity": {"header": "x-user"}}, "verify": {}});
    let with = |pointer: &str, value: Value| {
        let mut plugin = plugin();
        match plugin.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                plugin.pointer_mut(parent).unwrap()[name] = value;
            }
        }
        plugin
    };
    let second = |key: Value| {
        let mut plugin = plugin();
        let entries = plugin["signingKeyRefs"].as_array_mut().unwrap();
        entries.push(json!({"name": "second", "algorithm": "ES256", "key": key}));
        plugin
    };
    let mut peer = public(B1);
    peer["key"] = json!({"inlineString": pem});
    let cases = vec![
        with("/signingKeyRefs/0/key", pem.as_str().into()),
        with("/signingKeyRefs/0/key", json!([pem])),
        with("/signingKeyRefs/0/key", jwk.clone()),
        with("/signingKeyRefs/0/key/inlineString", jwk.clone()),
        with("/signingKeyRefs/0/key/inlineString", jwk.to_string().into()),
        with("/signingKeyRefs/0/key/inlineString", line.into()),
        with("/signingKeyRefs/0/key/inlineString", pem.replace(line, "").into()),
        // Whatever the label says, it is a private key.
        second(json!({"inlineString": pem.replace("PRIVATE", "PUBLIC")})),
        second(json!({"inlineString": pem.replace("PRIVATE KEY", "CERTIFICATE")})),
        second(json!({"inlineString": pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()})),
        with("/signingKeyRefs/0/key/inlineString", pem.replace("PRIVATE KEY", "SOMETHING").into()),
        with("/signingKeyRefs/0/key/inlineString", format!("{pem}{pem}").into()),
        with("/signingKeyRefs/0/key/inlineString", format!("{{\"d\":\"{line}\",\"d\":\"{line}\"}}").into()),
        with("/signingKeyRefs/0/algorithm", pem.as_str().into()),
        with("/signingKeyRefs/0/notAfter", pem.as_str().into()),
        with("/signingKeyRefs/0/name", json!([pem])),
        with("/signingKeyRefs", pem.as_str().into()),
        with("/issuer", pem.as_str().into()),
        with("/tokenDuration", pem.as_str().into()),
        with("/issue/header", pem.as_str().into()),
        with("/issue/placement", pem.as_str().into()),
        with("/issue/identity", json!({"header": pem})),
        with("/verify/mode", pem.as_str().into()),
        with("/verify/fromHeaders", json!([{"name": "x", "prefix": pem}])),
        with("/discovery", pem.as_str().into()),
        with("/peers", json!([{"issuer": pem, "keys": [public(B1)]}])),
        with("/peers", json!([{"issuer": B, "keys": [peer]}])),
        second(json!({"inlineString": pem})),
        second(json!({"inlineString": key(A2)})),
        json!({"issuer": A, "signingKeyRefs": [entry()], "verify": {}}),
    ];
    let mut configurations: Vec<_> = cases.iter().map(as_struct).collect();
    // Text that is no JSON, but has the key in it.
    for text in [pem.clone(), format!("{{\"key\": {pem}}}"), format!("[{:?}]", pem)] {
        configurations.push(json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}));
    }
    assert_eq!(leaks(configurations), Vec::<String>::new());
}

#[test]
fn a_private_key_where_the_name_of_a_variable_should_stand_is_not_quoted() {
    let pem = key(A1);
    let names = [&pem, pem.lines().nth(1).unwrap(), &token::encode(scalar(A1))];
    let configurations = names.map(|name| {
        let keys = json!([{"name": A1, "algorithm": "ES256", "key": {"environmentVariable": name}}]);
        as_struct(&json!({"issuer": A, "signingKeyRefs": keys, "issue": {"identity": {"header": "x-user"}}}))
    });
    assert_eq!(leaks(configurations.into()), Vec::<String>::new());
}

/// The configurations whose refusal quotes a private key, by number and path.
fn leaks(configurations: Vec<Value>) -> Vec<String> {
    let count = configurations.len();
    let ours = our_entries(&log_of_refusals(configurations, &[]));
    let leaks = (0..count).filter_map(|index| {
        let prefix = format!("wasm log case-{index}: configuration rejected: ");
        let mut entries = ours.iter().filter_map(|entry| Some(entry.split_once(&prefix)?.1));
        let entry = entries.next().unwrap_or_else(|| panic!("no reason for case {index}"));
        let is_there = [A1, A2].iter().flat_map(|name| forms(name)).any(|form| entry.contains(&form));
        let path = entry.split(": ").next().unwrap_or_default();
        is_there.then(|| format!("case {index}, {path}"))
    });
    leaks.collect()
}

#[test]
fn a_private_key_in_the_place_of_a_name_is_not_quoted() {
    let mut named = private(A1, "KEY");
    named["name"] = key(A1).into();
    let plugin = json!({"issuer": A, "signingKeyRefs": [named], "issue": {"identity": {"header": "x-user"}}});
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let refusal = Envoy::try_start(&setup.bootstrap, &[("KEY", &key(A1))], &[]).err().unwrap();
    let ours = our_entries(&refusal.log).concat();
    assert!(ours.contains("signingKeyRefs[0].name: "));
    no_secret_in("our entries", &ours, &[A1]);
}

#[test]
fn validation_says_what_is_wrong_without_the_key() {
    let plugin = json!({"issuer": A, "signingKeyRefs": [private(A1, "KEY")], "verify": {}});
    let setup = gateways(vec![vec![filter(&plugin)]]);
    let log = envoy::validate(&setup.bootstrap, &[("KEY", &key(A1))]).unwrap_err();
    assert!(log.contains("configuration rejected: signingKeyRefs[0].key: "), "{log}");
    no_secret_in("everything that Envoy says", &log, &[A1]);
}

#![allow(clippy::arithmetic_side_effects)]

use serde_json::{Value, json};

use super::*;
use crate::config::fields::OBJECTS;
use crate::config::{Config, Problem, Problems};

/// A configuration in which every kind of object stands once, but for those that exclude one another.
fn whole() -> Value {
    json!({
        "issuer": "https://a.example",
        "signingKeyRefs": [
            {"algorithm": "ES256", "key": {"cluster": "k", "path": "/k"}},
            {"name": "a", "algorithm": "ES256", "key": {"inlineString": "x"}},
        ],
        "peers": [
            {"issuer": "https://b.example", "keys": [{"name": "b", "algorithm": "ES256", "key": {"inlineString": "x"}}],
                "subjects": [{"exact": "x"}]},
            {"issuer": "https://c.example", "jwks": {"inlineString": "x"}},
            {"issuer": "https://d.example", "remoteJwks": {"cluster": "d"}},
        ],
        "issue": {
            "identity": {"header": "x-user"}, "subject": {"expression": "x"}, "when": {"request": "x"}, "cookie": {},
            "customClaims": {"c": {"expression": "x"}}, "chain": true,
        },
        "verify": {
            "fromHeaders": [{"name": "x-a"}], "fromWebSocketProtocols": [{"prefix": "x"}], "replay": {"cache": 1},
            "cache": {}, "outputClaimToHeaders": [{"header": "x-b", "claim": "c"}], "revoked": [{"kid": "b"}],
        },
        "discovery": {},
    })
}

/// Where an object of this kind stands there.
fn pointer(place: &str) -> String {
    match place {
        "" => String::new(),
        "signingKeyRefs[]" => "/signingKeyRefs/1".to_owned(),
        "peers[].jwks" => "/peers/1/jwks".to_owned(),
        "peers[].remoteJwks" => "/peers/2/remoteJwks".to_owned(),
        "issue.customClaims.NAME" => "/issue/customClaims/c".to_owned(),
        place => format!("/{}", place.replace("[]", ".0").replace('.', "/")),
    }
}

/// What the reader says of a field with this value.
fn said(place: &str, name: &str, value: Value) -> Option<String> {
    let (path, errors) = read(place, name, value);
    errors.into_iter().find(|problem| problem.path.to_string() == path).map(|problem| problem.message)
}

/// The path of a field with this value, and all that the reader says of the whole.
fn read(place: &str, name: &str, value: Value) -> (String, Vec<Problem>) {
    let mut configuration = whole();
    let pointer = match name {
        "algorithms" | "jwks" => "/peers/1".to_owned(),
        "remoteJwks" => "/peers/2".to_owned(),
        _ => pointer(place),
    };
    let object = configuration.pointer_mut(&pointer).unwrap();
    let is_alternative = |(known, names): &(&str, &[&str])| *known == place && names.contains(&name);
    match (place, name) {
        ("verify.revoked[]", "issuedBefore") => *object = json!({"issuer": "x", name: value}),
        ("verify.revoked[]", _) => *object = json!({name: value}),
        _ if ONE_OF.iter().any(is_alternative) => *object = json!({name: value}),
        _ => object[name] = value,
    }
    let problems = Problems::default();
    Config::read(configuration.to_string().as_bytes(), &problems);
    let path = format!("{pointer}/{name}").replace("/0", "[0]").replace("/1", "[1]").replace("/2", "[2]");
    let path = path.trim_start_matches('/').replace('/', ".");
    (path, problems.into_found().0)
}

#[test]
fn every_field_of_the_reader_is_here_and_no_other() {
    assert_eq!(REFERENCE.len(), OBJECTS.len());
    for object in OBJECTS {
        let names: Vec<_> = at(object.place).iter().map(|field| field.name).collect();
        assert_eq!(names, object.names, "{}", object.place);
    }
}

#[test]
fn types_ranges_and_words_are_those_of_the_reader() {
    let expected = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    for (place, fields) in REFERENCE {
        for Field { name, kind, .. } in *fields {
            let said = |value: Value| said(place, name, value);
            match kind {
                Type::Integer(from, to) => {
                    let message = format!("expected a whole number from {from} to {to}, found ");
                    assert_eq!([said(json!(from)), said(json!(to))], [None, None], "{place} {name}");
                    for beyond in [i64::from(*from) - 1, i64::from(*to) + 1] {
                        let text = said(json!(beyond)).unwrap_or_else(|| panic!("{place} {name} {beyond}"));
                        assert!(text.starts_with(&message), "{place} {name}: {text}");
                    }
                }
                Type::Boolean => {
                    let text = said(json!("x")).unwrap_or_else(|| panic!("{place} {name}"));
                    assert!(text.starts_with("expected true or false"), "{place} {name}: {text}");
                }
                Type::Word(words) if *words != ALGORITHMS => {
                    for word in *words {
                        assert_eq!(said(json!(word)), None, "{place} {name} {word}");
                    }
                    assert_eq!(
                        said(json!("zzz")),
                        Some(format!("expected one of {}", expected(words))),
                        "{place} {name}"
                    );
                }
                Type::Text | Type::Pattern(_) | Type::Time => {
                    let text = said(json!("")).unwrap_or_else(|| panic!("{place} {name}"));
                    assert_eq!(text, "is empty", "{place} {name}");
                }
                Type::Texts | Type::TextsOrEmpty | Type::Objects(_) | Type::Words(_) => {
                    let text = said(json!([])).unwrap_or_else(|| panic!("{place} {name}"));
                    assert_eq!(text, "is empty; list at least one", "{place} {name}");
                }
                _ => {}
            }
        }
    }
    let algorithms: Vec<_> = crate::jose::algorithm::Algorithm::ALL.map(|algorithm| algorithm.name()).into();
    let mut known = ALGORITHMS.to_vec();
    let mut algorithms = algorithms;
    known.sort_unstable();
    algorithms.sort_unstable();
    assert_eq!(known, algorithms);
}

#[test]
fn a_default_says_what_an_absent_field_means() {
    let read = |configuration: &Value| {
        let problems = Problems::default();
        let config = Config::read(configuration.to_string().as_bytes(), &problems).unwrap();
        let verify = config.verify.unwrap();
        let issue = config.issue.unwrap();
        (
            (config.token_duration, config.discovery.max_age, config.discovery.trust, config.allow_worthless_keys),
            (verify.clock_skew, verify.max_token_bytes, verify.forward, verify.mode, verify.allow_cors_preflight),
            (issue.backdate, issue.reuse, issue.typ, issue.on_failure, issue.bind_client_certificate),
            (config.peers[0].limits.max_lifetime, config.peers[0].limits.allow_missing_audience),
            config.peers[0]
                .remote_jwks
                .as_ref()
                .map(|remote| [remote.policy.refresh, remote.policy.timeout, remote.policy.stale_for]),
            issue.cookie.map(|cookie| (cookie.name, cookie.path, cookie.secure, cookie.http_only)),
        )
    };
    let bare = json!({
        "peers": [{"issuer": "https://d.example", "remoteJwks": {"cluster": "d"}}],
        "issue": {"identity": {"header": "x-user"}, "cookie": {}}, "verify": {}, "discovery": {},
    });
    let mut full = bare.clone();
    for place in ["", "peers[]", "peers[].remoteJwks", "issue", "issue.cookie", "verify", "discovery"] {
        let pointer = match place {
            "peers[].remoteJwks" => "/peers/0/remoteJwks".to_owned(),
            place => pointer(place),
        };
        let object = full.pointer_mut(&pointer).unwrap();
        for field in at(place).iter().filter(|field| !field.default.is_empty()) {
            // With a cookie there is no header, and no chain no hops.
            if !matches!(field.name, "header" | "maxHops") {
                object[field.name] = serde_json::from_str(field.default).unwrap();
            }
        }
    }
    assert_eq!(read(&bare), read(&full));
}

#[test]
fn each_field_has_an_example_that_the_reader_takes() {
    for (place, fields) in REFERENCE {
        for Field { name, example, .. } in fields.iter().filter(|field| field.name != "publish") {
            let value: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{place} {name}: {error}"));
            let (path, errors) = read(place, name, value);
            let of_it = errors.iter().find(|problem| problem.path.to_string().starts_with(&path));
            assert!(of_it.is_none(), "{place} {name}: {}", of_it.unwrap());
        }
    }
}

/// That the schema takes what the filter has taken; every test that loads a configuration asks it.
pub(crate) fn accept(bytes: &[u8]) {
    let value = serde_json::from_slice(bytes).or_else(|_| {
        let message = <prost_types::Struct as prost::Message>::decode(bytes).unwrap();
        crate::encoding::protobuf::from_struct(message).map_err(|_| ())
    });
    let value: Value = value.unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    if let Some(error) = validator.iter_errors(&value).next() {
        panic!("the schema refuses {value}: {error} at {}", error.instance_path());
    }
}

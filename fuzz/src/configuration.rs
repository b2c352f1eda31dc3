//! The bytes of a plugin configuration: JSON, a `google.protobuf.Struct` or a `GenericSecret`.

use prost::Message as _;
use prost::encoding::{bytes, string};
use serde_json::{Value, json};
use wristband::compile::{self, Compiled};
use wristband::encoding::protobuf::{from_struct, struct_bytes};
use wristband::gateway::Admission;
use wristband::http::headers::Headers;
use wristband::jose::json;

use super::fixture::{self, A, A_PEM, B_PEM, NOW};
use super::host::Stage;
use super::members::Members;

const PERMISSION: &str = "allowWorthlessKeys";

pub(super) fn run(data: &[u8]) {
    let outcome = load(data);
    assert_eq!(load(data), outcome);
    if let Err(problems) = &outcome {
        assert!(!problems.is_empty());
    }
    without_permission(data);
    let Some(members) = Members::of(data) else { return };
    let doubles = members.doubles();
    // The name of a variable is shown however long it is: a key has small letters.
    let is_variable = |text: &String| !text.contains(|character: char| character.is_ascii_lowercase());
    for text in members.texts().into_iter().filter(|text| !is_variable(text)) {
        for message in outcome.as_ref().map_or_else(|problems| problems.as_slice(), |report| report.as_slice()) {
            fixture::assert_no_quote(message, text.as_bytes());
        }
    }
    assert!(doubles == 0 || outcome.is_err());
    // The other forms say the same.
    let Ok(Value::Object(members)) = json::parse(data) else { return };
    assert_eq!(load(&secret(data)), outcome);
    // An empty `Struct` has no bytes at all, of which there is something else to say.
    if !members.is_empty() && members.values().all(is_exact) {
        assert_eq!(load(&struct_bytes(&members)), outcome);
    }
}

/// That a key of `testdata` is in force only where the configuration says that it may be.
fn without_permission(data: &[u8]) {
    let as_struct = || from_struct(prost_types::Struct::decode(data).ok()?).ok();
    let Some(Value::Object(mut members)) = json::parse(data).ok().or_else(as_struct) else { return };
    let Ok(compiled) = compile::load(data, &Stage::default()) else { return };
    if !fixture::has_worthless_key(&compiled.gateway) {
        return;
    }
    assert_eq!(members.remove(PERMISSION), Some(true.into()), "a worthless key");
    for other in [None, Some(json!(false)), Some(json!("true")), Some(json!(1)), Some(json!(null))] {
        members.extend(other.map(|other| (PERMISSION.to_owned(), other)));
        let loaded = compile::load(Value::Object(members.clone()).to_string().as_bytes(), &Stage::default());
        assert!(loaded.is_err(), "a worthless key");
    }
}

/// What the operator reads.
fn load(data: &[u8]) -> Result<Vec<String>, Vec<String>> {
    match compile::load(data, &Stage::default()) {
        Ok(compiled) => {
            serve(&compiled);
            let report = compiled.report;
            let warnings = report.warnings.iter().map(ToString::to_string);
            Ok(messages(warnings.chain([report.summary.clone()].into_iter().chain(report.crypto_summary()))))
        }
        Err(problems) => Err(messages(problems.iter().map(ToString::to_string))),
    }
}

fn messages(messages: impl Iterator<Item = String>) -> Vec<String> {
    let check = |message: &String| {
        assert!(!message.contains(char::is_control), "{message:?}");
        fixture::assert_no_secret(message);
    };
    messages.inspect(check).collect()
}

/// What is in force has something to do, and publishes no secret.
fn serve(compiled: &Compiled) {
    let gateway = &compiled.gateway;
    assert!(gateway.verification.is_some() || gateway.delivery.is_some());
    let ask = |path: &str| {
        let headers = Headers::new(vec![(b":method", b"GET"), (b":path", path.as_bytes())]);
        gateway.on_request(&headers, NOW, &Stage::default())
    };
    for document in ["/.well-known/openid-connect/certs", "/.well-known/openid-configuration"] {
        if let Admission::Answered(reply) = ask(document) {
            fixture::assert_no_secret(&reply.body);
            assert!(!reply.body.contains("\"d\":"));
            // Without a body as long as our own key is fetched.
            assert!(reply.status == 503 || serde_json::from_str::<Value>(&reply.body).is_ok());
        }
    }
}

/// Whether no number loses anything as a double.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.abs() < 1 << 53),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

/// A `GenericSecret` with this as `secret.inline_string`.
fn secret(text: &[u8]) -> Vec<u8> {
    let (mut source, mut secret) = (Vec::new(), Vec::new());
    string::encode(3, &std::str::from_utf8(text).unwrap().to_owned(), &mut source);
    bytes::encode(1, &source, &mut secret);
    secret
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut found = vec![
        json!({"allowWorthlessKeys": true, "peers": fixture::peers(), "verify": {}}),
        json!({
            "allowWorthlessKeys": true, "issuer": A, "signingKeyRefs": [fixture::key("a", "ES256", A_PEM)],
            "issue": {"identity": {"header": "x-user"}},
        }),
        // Keys where they do not belong.
        json!({
            "issuer": B_PEM, "crypto": B_PEM, "signingKeyRefs": [{"name": B_PEM, "algorithm": B_PEM, "key": B_PEM}],
            "peers": [{"issuer": B_PEM, "keys": [fixture::key(B_PEM, B_PEM, B_PEM)], B_PEM: 1}],
            "verify": {"mode": B_PEM, "fromCookies": [B_PEM], "revoked": [{"kid": B_PEM}, {"jti": B_PEM}]},
            "issue": {"identity": {"header": B_PEM}, "cookie": {"name": B_PEM}, "customClaims": {B_PEM: {B_PEM: B_PEM}}},
        }),
    ];
    let unpermitted = found.iter().cloned().map(|mut configuration| {
        configuration.as_object_mut().unwrap().remove(PERMISSION);
        configuration
    });
    found.extend(unpermitted.collect::<Vec<_>>());
    for sample in fixture::files("envoy") {
        let sample: Result<Value, _> = serde_yaml_ng::from_slice(&sample);
        if let Ok(sample) = sample {
            plugins(&sample, &mut found);
        }
    }
    let bytes = found.iter().flat_map(|value| [value.to_string().into(), struct_bytes(value.as_object().unwrap())]);
    bytes.collect()
}

/// The plugin configurations of a sample.
fn plugins(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| plugins(item, found)),
        Value::Object(members) if members.contains_key("vm_config") => {
            found.extend(value.pointer("/configuration/value").cloned());
        }
        Value::Object(members) => members.values().for_each(|member| plugins(member, found)),
        _ => {}
    }
}

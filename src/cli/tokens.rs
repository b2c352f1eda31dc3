//! Tokens by hand: signed as a configuration signs them, verified as it verifies them, and read as they are.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Output;
use super::host::{Shell, now};
use super::input;
use super::output::{Failure, note, print, print_json};
use super::reading::Request;
use crate::compile;
use crate::denial::Denial;
use crate::gateway::{Admission, Decision, Event, Gateway};
use crate::http::headers::Headers;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::jose::json;
use crate::jose::token::{Untrusted, printable};
use crate::keys::{Bundled, Material, bundle};
use crate::time::Timestamp;

/// The header in which the subject comes to the gateway.
const SUBJECT: &str = "x-wristband-command-subject";
/// The largest token that is looked at where no configuration says so, in bytes.
const LARGEST: usize = 65_536;

/// The token of an argument; `-` is standard input.
fn argument(token: &str) -> Result<String, Failure> {
    if token != "-" {
        return Ok(token.trim().to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
    Ok(text.trim().to_owned())
}

/// `sign`: a token of this subject, with all that is the same for everyone.
pub(super) fn sign(
    request: &Request,
    subject: &str,
    claims: &[String],
    key: Option<&Path>,
    output: Output,
) -> Result<ExitCode, Failure> {
    let host = request.host()?;
    let found = request.found()?;
    let mut value = found.value().unwrap_or_default();
    let is_fetched = value.pointer("/signingKeyRefs/0/key/cluster").is_some();
    if is_fetched && key.is_none() {
        return Err(Failure::Usage("its key is fetched at run time: give it by --key FILE".to_owned()));
    }
    if !is_fetched && key.is_some() {
        return Err(Failure::Usage("--key: the configuration says itself where its key is".to_owned()));
    }
    // That it is right as it stands.
    request.compile(&found, &host)?;
    let claims: Map<String, Value> = claims.iter().map(|claim| custom(claim)).collect::<Result<_, _>>()?;
    for_subject(&mut value, claims)?;
    if let Some(file) = key {
        with_key(&mut value, &input::text(file)?)?;
    }
    let compiled = compile::load(value.to_string().as_bytes(), &host).map_err(|problems| {
        Failure::No(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nwristband: "))
    })?;
    let token = signed(&compiled.gateway, subject, &host)?;
    if output == Output::Json { print_json(&json!({"token": token})) } else { print(&token) }
}

/// A claim of the command line.
fn custom(claim: &str) -> Result<(String, Value), Failure> {
    let (name, value) =
        claim.split_once('=').ok_or_else(|| Failure::Usage(format!("--claim {claim}: expected NAME=JSON")))?;
    let value: Value = serde_json::from_str(value).map_err(|_| {
        Failure::Usage(format!("--claim {name}: the value is no JSON; a text has quotes: {name}='\"{value}\"'"))
    })?;
    Ok((name.to_owned(), json!({"value": value})))
}

/// Makes the one who asks the identity, and what he says of himself the claims. What Envoy would have to say is left out.
fn for_subject(value: &mut Value, claims: Map<String, Value>) -> Result<(), Failure> {
    let issue = value.get_mut("issue").and_then(Value::as_object_mut);
    let issue = issue.ok_or_else(|| Failure::No("without `issue` nothing is signed".to_owned()))?;
    if issue.get("bindClientCertificate") == Some(&Value::Bool(true)) {
        return Err(Failure::No(
            "its wristbands are bound to the client's certificate, which only a request has".to_owned(),
        ));
    }
    issue.insert("identity".to_owned(), json!({"header": SUBJECT}));
    for name in ["subject", "when", "chain", "maxHops", "reuse", "cookie", "placement", "header"] {
        issue.remove(name);
    }
    let customs = issue.entry("customClaims").or_insert_with(|| json!({}));
    let Some(customs) = customs.as_object_mut() else {
        return Ok(());
    };
    let missing: Vec<_> = customs
        .iter()
        .filter(|(name, claim)| claim.get("expression").is_some() && !claims.contains_key(*name))
        .map(|(name, _)| name.clone())
        .collect();
    let needs = |name: &String| customs.get(name).and_then(|claim| claim.get("required")) == Some(&Value::Bool(true));
    if let Some(name) = missing.iter().find(|name| needs(name)) {
        return Err(Failure::No(format!(
            "without the claim `{name}` nothing is signed; give it by --claim '{name}=JSON'"
        )));
    }
    customs.retain(|_, claim| claim.get("expression").is_none());
    customs.extend(claims);
    if customs.is_empty() {
        issue.remove("customClaims");
    }
    if !missing.is_empty() {
        note(&format!("wristband: only a request has {}; give them by --claim", missing.join(", ")));
    }
    Ok(())
}

/// Puts the key that is fetched at run time in its place.
fn with_key(value: &mut Value, text: &str) -> Result<(), Failure> {
    let entry = value.pointer_mut("/signingKeyRefs/0").and_then(Value::as_object_mut);
    let entry = entry.ok_or_else(|| Failure::No("it has no `signingKeyRefs`".to_owned()))?;
    let algorithm = entry.get("algorithm").and_then(Value::as_str).and_then(Algorithm::from_name);
    let algorithm = algorithm.ok_or_else(|| Failure::No("its first key has no `algorithm`".to_owned()))?;
    // As the filter reads it: the first one signs, and its text names it.
    let keys = bundle::parse(text.as_bytes(), algorithm).map_err(|error| Failure::No(format!("--key: {error}")))?;
    let Some(Bundled { name, material: Material::Private(key) }) = keys.into_iter().next() else {
        return Err(Failure::No("--key: expected a private key first".to_owned()));
    };
    let name = name.unwrap_or_else(|| key.public_key().thumbprint());
    let der = key.to_pkcs8().ok_or_else(|| Failure::No("--key: cannot be written".to_owned()))?;
    entry.insert("name".to_owned(), name.into());
    entry.insert("key".to_owned(), json!({"inlineString": STANDARD.encode(&*der)}));
    Ok(())
}

/// What the gateway signs for a login of this subject.
fn signed(gateway: &Gateway, subject: &str, host: &Shell) -> Result<String, Failure> {
    let request: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", b"/"), (SUBJECT.as_bytes(), subject.as_bytes())];
    let (request, response) = (Headers::new(request.to_vec()), Headers::new(vec![(b":status", b"200")]));
    // Whoever verifies would deny a login without a token.
    let mut admitted = match gateway.on_request(&request, now(), host) {
        Admission::Admitted(_, admitted) => admitted,
        _ => crate::gateway::Admitted::default(),
    };
    gateway.on_admitted(&mut admitted, &request, now(), host);
    let (edits, events) = match gateway.on_response(Some(admitted), &response, now(), host) {
        Decision::Forward(edits) => (edits.set, edits.events),
        Decision::Reply(_, events) => (Vec::new(), events),
    };
    let token = edits
        .into_iter()
        .find(|(name, _)| name.as_str() == crate::config::DEFAULT_HEADER.as_str())
        .map(|(_, token)| token);
    token.ok_or_else(|| {
        let why = events.iter().find_map(|event| match event {
            Event::IssueSkipped(skip) => Some(format!("{} ({})", skip.code(), skip.text())),
            _ => None,
        });
        Failure::No(format!("nothing was signed: {}", why.unwrap_or_default()))
    })
}

/// `verify`: whether the configuration accepts a token.
pub(super) fn verify(request: &Request, token: &str, output: Output) -> Result<ExitCode, Failure> {
    let token = argument(token)?;
    let host = request.host()?;
    let gateway = request.compiled(&host)?.gateway;
    let verification = gateway.verification.as_ref();
    let verifier = verification.map(|verification| &verification.verifier);
    let verifier = verifier.ok_or_else(|| Failure::No("without `verify` no token is looked at".to_owned()))?;
    let (ring, now) = (gateway.ring(), now());
    let (answer, text) = match verifier.verify(token.as_bytes(), &ring, now, &host) {
        Ok(verified) => {
            let text = |name: &str| verified.claims().get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let left = verified.expires().0.saturating_sub(now.0);
            let key = &verified.key().name;
            let answer = json!({
                "accepted": true, "issuer": text("iss"), "subject": text("sub"), "kid": key, "seconds": left,
            });
            let line =
                format!("accepted: {} of {}, key {key}, good for {left} seconds", printable(&text("sub")), text("iss"));
            (answer, line)
        }
        Err(refused) if refused.cause.denial() == Denial::KeysUnavailable => {
            return Err(Failure::Usage(
                "the keys of its issuer are fetched at run time, so only the gateway itself can say".to_owned(),
            ));
        }
        Err(refused) => {
            let (denial, detail) = (refused.cause.denial(), refused.cause.detail());
            let answer = json!({
                "accepted": false, "code": denial.code(), "detail": detail, "issuer": refused.hearsay.issuer,
                "kid": refused.hearsay.key_id,
            });
            (answer, format!("denied: {} ({detail})", denial.code()))
        }
    };
    let is_accepted = answer.get("accepted") == Some(&Value::Bool(true));
    print(&if output == Output::Json { answer.to_string() } else { text })?;
    Ok(if is_accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `explain`: what a token says, and nobody has vouched for.
pub(super) fn explain(token: &str, output: Output) -> Result<ExitCode, Failure> {
    let token = argument(token)?;
    // What the filter denies unread can still be shown where it is JSON.
    let problem =
        Untrusted::parse(token.as_bytes(), LARGEST, &mut ()).err().map(|unreadable| unreadable.cause.detail());
    let part = |index| json::parse_object(&base64url::decode(token.split('.').nth(index)?)?).ok().map(Value::Object);
    let parts = Some(()).filter(|()| token.len() <= LARGEST).and_then(|()| Some((part(0)?, part(1)?)));
    let Some((header, claims)) = parts else {
        return Err(Failure::No(format!("no token: {}", problem.unwrap_or_default())));
    };
    if output == Output::Json {
        let answer = json!({"verified": false, "header": header, "claims": claims, "problem": problem});
        return print(&answer.to_string());
    }
    let pretty = |value: &Value| serde_json::to_string_pretty(value).map_err(|error| Failure::Usage(error.to_string()));
    let now = now();
    let mut text = format!(
        "NOT VERIFIED: nobody has vouched for this\nheader {}\nclaims {}\n",
        pretty(&header)?,
        pretty(&claims)?
    );
    if let Some(problem) = problem {
        text += &format!("malformed for every gateway: {problem}\n");
    }
    for name in ["iat", "nbf", "exp"] {
        let time = claims.get(name).and_then(Value::as_f64).map(Timestamp::at_or_before);
        if let Some((time, written)) = time.and_then(|time| Some((time, time.to_rfc3339()?))) {
            let seconds = time.0.saturating_sub(now.0);
            let apart = if seconds >= 0 {
                format!("in {seconds} seconds")
            } else {
                format!("{} seconds ago", seconds.unsigned_abs())
            };
            text += &format!("{name} {written}, {apart}\n");
        }
    }
    print(&text)
}

//! What others need of a configuration: its JWK Set, and the stanza for their `peers`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Output;
use super::document::documents;
use super::find::Found;
use super::host::{Shell, now};
use super::input;
use super::output::{Failure, note, print, print_json};
use super::reading::Request;
use crate::compile;
use crate::gateway::Admission;
use crate::http::discovery::{CERTS, without_slash};
use crate::http::headers::Headers;
use crate::keys::{JwkSet, PublicKey};
use crate::time::Timestamp;

/// What stands where an issuer has to: `check` refuses it.
pub(super) const PLACEHOLDER: &str = "<issuer URL of this gateway>";

/// A public key and its name.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) key: PublicKey,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
}

impl Key {
    /// One that counts for good.
    pub(super) fn new(name: String, key: PublicKey) -> Self {
        Self { name, key, not_before: None, not_after: None }
    }
}

/// Prints a stanza: as it is, for people to paste, or as JSON.
pub(super) fn print_stanza(stanza: &str, output: Output) -> Result<ExitCode, Failure> {
    match output {
        Output::Text => print(stanza),
        Output::Json => print_json(&as_json(stanza).unwrap_or_default()),
    }
}

/// What a stanza says beside its comments; `None`: nothing.
pub(super) fn as_json(stanza: &str) -> Option<Value> {
    Some(documents(stanza).ok()?.first()?.json().0)
}

/// A text as YAML has it, in quotes where it could be read as something else.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_word =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if starts && !is_word && text.bytes().all(is_plain) && !text.ends_with(':') {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// The variable that holds the key of this name.
pub(super) fn variable(name: &str) -> String {
    let capital =
        |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
    let start = if name.starts_with(|first: char| first.is_ascii_digit()) { "_" } else { "" };
    format!("{start}{}_SIGNING_KEY", name.chars().map(capital).collect::<String>())
}

/// A public key as PEM.
pub(super) fn pem(key: &PublicKey) -> Result<String, Failure> {
    let der = key.to_spki().ok_or_else(|| Failure::Usage("a key that cannot be written".to_owned()))?;
    let pem = pem::encode_config(
        &pem::Pem::new("PUBLIC KEY", der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    );
    Ok(pem)
}

/// The `peers` stanza with these keys, as the filter takes it.
pub(super) fn peers(issuer: &str, keys: &[Key]) -> Result<String, Failure> {
    let mut text = format!("peers:\n- issuer: {}\n  keys:\n", quoted(issuer));
    for Key { name, key, not_before, not_after } in keys {
        text += &format!(
            "  - name: {}\n    algorithm: {}\n    key:\n      inlineString: |\n",
            quoted(name),
            key.algorithm().name()
        );
        pem(key)?.lines().for_each(|line| text += &format!("        {line}\n"));
        for (field, time) in [("notBefore", not_before), ("notAfter", not_after)] {
            if let Some(time) = time.and_then(Timestamp::to_rfc3339) {
                text += &format!("    {field}: \"{time}\"\n");
            }
        }
    }
    accepted(issuer, keys).map(|()| text)
}

/// That the filter takes such a peer.
fn accepted(issuer: &str, keys: &[Key]) -> Result<(), Failure> {
    let peers = json!([{"issuer": named(issuer), "keys": entries(keys)?}]);
    compiled(&json!({"peers": peers, "verify": {}, "allowWorthlessKeys": true}), "peers[0].")
}

/// That the filter takes such an issuer and key for its own.
pub(super) fn accepted_as_ours(issuer: &str, key: &Key) -> Result<(), Failure> {
    let keys = entries(std::slice::from_ref(key))?;
    let value = json!({"issuer": named(issuer), "signingKeyRefs": keys, "verify": {}, "allowWorthlessKeys": true});
    compiled(&value, "signingKeyRefs[0].")
}

/// The issuer, or any where a name stands for another: of that there is nothing to ask.
fn named(issuer: &str) -> &str {
    if issuer == PLACEHOLDER { "https://issuer.invalid" } else { issuer }
}

fn entries(keys: &[Key]) -> Result<Vec<Value>, Failure> {
    let entry = |Key { name, key, .. }: &Key| {
        Ok(json!({"name": name, "algorithm": key.algorithm().name(), "key": {"inlineString": pem(key)?}}))
    };
    keys.iter().map(entry).collect()
}

/// That the filter takes a configuration, or what is wrong at that place. Whoever verifies with a key of the samples has to say
/// so, and it is allowed there.
fn compiled(value: &Value, place: &str) -> Result<(), Failure> {
    let Err(problems) = compile::load(value.to_string().as_bytes(), &Shell::without_variables()) else {
        return Ok(());
    };
    let lines = problems.iter().map(|problem| problem.to_string().trim_start_matches(place).to_owned());
    Err(Failure::Usage(lines.collect::<Vec<_>>().join("\nwristband: ")))
}

/// `jwks`: what would be published.
pub(super) fn jwks(request: &Request) -> Result<ExitCode, Failure> {
    let host = request.host()?;
    let found = request.found()?;
    let gateway = request.compile(&found, &host)?.gateway;
    let issuer = gateway.ring().own().map(|own| own.name.clone());
    let issuer = issuer.ok_or_else(|| Failure::No("without `issuer` nothing is published".to_owned()))?;
    let authority = without_slash(&issuer).split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) =
        authority.split_at_checked(authority.find('/').unwrap_or(authority.len())).unwrap_or_default();
    let path = format!("{path}{CERTS}");
    let value = found.value().unwrap_or_default();
    let authority = value.pointer("/discovery/hosts/0").and_then(Value::as_str).unwrap_or(authority);
    let pairs: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", path.as_bytes()), (b":authority", authority.as_bytes())];
    match gateway.on_request(&Headers::new(pairs.to_vec()), now(), &host) {
        Admission::Answered(reply) if reply.status == 200 => print(&reply.body),
        Admission::Answered(_) => Err(Failure::No("its key is fetched at run time; ask the gateway itself".to_owned())),
        _ => Err(Failure::No("its JWK Set is for other hosts only; see `discovery.hosts`".to_owned())),
    }
}

/// `peer`: the stanza to send to others.
pub(super) fn peer(request: &Request, output: Output) -> Result<ExitCode, Failure> {
    let host = request.host()?;
    let found = request.found()?;
    let gateway = request.compile(&found, &host)?.gateway;
    let ring = gateway.ring();
    let own = ring.own().ok_or_else(|| Failure::No("without `issuer` there is nobody to trust".to_owned()))?;
    if own.lacks_keys() {
        return Err(Failure::No(
            "its key is fetched at run time: let peers fetch its JWK Set, by `remoteJwks: {cluster: NAME}`".to_owned(),
        ));
    }
    let is_revoked = |name: &str| {
        gateway.verification.as_ref().is_some_and(|verification| verification.verifier.revoked.covers_key(name))
    };
    let published = own.keys.keys().iter().filter(|key| key.is_published(now()) && !is_revoked(&key.name));
    let keys: Vec<_> = published
        .map(|key| Key {
            name: key.name.clone(),
            key: key.key.public().clone(),
            not_before: key.not_before,
            not_after: key.not_after,
        })
        .collect();
    if keys.is_empty() {
        return Err(Failure::No("it has no key that counts".to_owned()));
    }
    let hints = hints(&found);
    if output == Output::Json {
        hints.lines().for_each(note);
    }
    print_stanza(&(peers(&own.name, &keys)? + &hints), output)
}

/// What its tokens need of those who verify them, as comments.
fn hints(found: &Found) -> String {
    let value = found.value().unwrap_or_default();
    let mut text = String::new();
    let audiences = value.pointer("/issue/audiences").and_then(Value::as_array).into_iter().flatten();
    let audiences: Vec<_> = audiences.filter_map(Value::as_str).map(quoted).collect();
    if !audiences.is_empty() {
        text += &format!(
            "# It signs for {0}: one of them has to stand in `verify`:\n#   audiences: [{0}]\n",
            audiences.join(", ")
        );
    }
    if let Some(kind) = value.pointer("/issue/typ").and_then(Value::as_str).filter(|kind| *kind != "JWT") {
        text += &format!(
            "# Its tokens are of this type, which has to stand in the entry of `peers`:\n#   typ: [{}]\n",
            quoted(kind)
        );
    }
    text
}

/// `import jwks`: a stanza of a set.
pub(super) fn import_jwks(issuer: &str, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    let text = input::text(file)?;
    let set = JwkSet::parse(text.as_bytes(), None, |_| None)
        .map_err(|error| Failure::No(format!("{}: {error}", input::shown(file))))?;
    for (index, problem) in &set.skipped {
        note(&format!("wristband: keys[{index}] is left out: {problem}"));
    }
    let keys: Vec<_> = set.keys.into_iter().map(|(name, key)| Key::new(name, key)).collect();
    print_stanza(&peers(issuer, &keys)?, output)
}

//! What others need of a configuration: its JWK Set, and the stanza for their `peers`.

use std::path::Path;
use std::process::ExitCode;

use super::find::Found;
use super::host::now;
use super::output::{Failure, print};
use super::reading::{self, Request};
use crate::gateway::Admission;
use crate::http::discovery::{CERTS, without_slash};
use crate::http::headers::Headers;
use crate::keys::{JwkSet, PublicKey};
use crate::time::Timestamp;

/// A public key and its name.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) key: PublicKey,
    pub(super) not_after: Option<Timestamp>,
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
    format!("{}_SIGNING_KEY", name.chars().map(capital).collect::<String>())
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

/// The `peers` stanza with these keys. `audiences` are what is signed for.
pub(super) fn peers(issuer: &str, keys: &[Key], audiences: Option<&[String]>) -> Result<String, Failure> {
    let mut text = format!("peers:\n- issuer: {}\n  keys:\n", quoted(issuer));
    for Key { name, key, not_after } in keys {
        text += &format!(
            "  - name: {}\n    algorithm: {}\n    key:\n      inlineString: |\n",
            quoted(name),
            key.algorithm().name()
        );
        pem(key)?.lines().for_each(|line| text += &format!("        {line}\n"));
        if let Some(end) = not_after.and_then(Timestamp::to_rfc3339) {
            text += &format!("    notAfter: \"{end}\"\n");
        }
    }
    if let Some(audiences) = audiences.filter(|audiences| !audiences.is_empty()) {
        let listed: Vec<_> = audiences.iter().map(|audience| quoted(audience)).collect();
        text += &format!(
            "# It signs for {0}: one of them has to stand in `verify`:\n#   audiences: [{0}]\n",
            listed.join(", ")
        );
    }
    Ok(text)
}

/// `jwks`: what would be published.
pub(super) fn jwks(request: &Request) -> Result<ExitCode, Failure> {
    let host = request.host()?;
    let gateway = request.compiled(&host)?.gateway;
    let issuer = gateway.ring().own().map(|own| own.name.clone());
    let issuer = issuer.ok_or_else(|| Failure::No("without `issuer` nothing is published".to_owned()))?;
    let authority = without_slash(&issuer).split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) =
        authority.split_at_checked(authority.find('/').unwrap_or(authority.len())).unwrap_or_default();
    let path = format!("{path}{CERTS}");
    let pairs: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", path.as_bytes()), (b":authority", authority.as_bytes())];
    match gateway.on_request(&Headers::new(pairs.to_vec()), now(), &host) {
        Admission::Answered(reply) if reply.status == 200 => print(&reply.body),
        Admission::Answered(_) => Err(Failure::No("its key is fetched at run time; ask the gateway itself".to_owned())),
        _ => Err(Failure::No("its JWK Set is for other hosts only; see `discovery.hosts`".to_owned())),
    }
}

/// `peer`: the stanza to send to others.
pub(super) fn peer(request: &Request) -> Result<ExitCode, Failure> {
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
    let published = own.keys.keys().iter().filter(|key| key.is_published(now()));
    let keys: Vec<_> = published
        .map(|key| Key { name: key.name.clone(), key: key.key.public().clone(), not_after: key.not_after })
        .collect();
    print(&peers(&own.name, &keys, Some(&audiences(&found)))?)
}

fn audiences(found: &Found) -> Vec<String> {
    let value = found.value().unwrap_or_default();
    let audiences = value.pointer("/issue/audiences").and_then(serde_json::Value::as_array);
    audiences.into_iter().flatten().filter_map(|audience| audience.as_str().map(str::to_owned)).collect()
}

/// `import jwks`: a stanza of a set.
pub(super) fn import_jwks(issuer: &str, file: &Path) -> Result<ExitCode, Failure> {
    let text = reading::text(file)?;
    let set = JwkSet::parse(text.as_bytes(), None, |_| None)
        .map_err(|error| Failure::No(format!("{}: {error}", reading::shown(file))))?;
    for (index, problem) in &set.skipped {
        eprintln!("wristband: keys[{index}] is left out: {problem}");
    }
    let keys: Vec<_> = set.keys.into_iter().map(|(name, key)| Key { name, key, not_after: None }).collect();
    print(&peers(issuer, &keys, None)?)
}

//! `rotate`: the next step of a rotation of a key that is in a variable, as edits to make.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Output;
use super::host::now;
use super::input::{shown, text};
use super::output::{Failure, print, print_json};
use super::reading::Request;
use super::stanzas::{self, quoted};
use crate::config::reference;
use crate::time::Timestamp;
use crate::trust::TrustedKey;

/// Seconds by which the clocks of those who verify may differ from ours.
const SKEW: u32 = 30;

/// Seconds beside `discovery.maxAge` for which a key is published before it signs, as with `announce`.
const ANNOUNCED: u32 = 60;

/// Seconds that an edit may take until it is in force.
const HANDLING: u32 = 3_600;

/// Prints the step, with the times at which it is safe. Where the next key is to sign, peers that have said whom they trust have to
/// know it.
pub(super) fn run(request: &Request, trust: &[PathBuf], output: Output) -> Result<ExitCode, Failure> {
    let host = request.host()?;
    let found = request.found()?;
    let gateway = request.compile(&found, &host)?.gateway;
    let value = found.value().unwrap_or_default();
    if value.pointer("/signingKeyRefs/0/key/cluster").is_some() {
        return Err(Failure::No(
            "its key is fetched at run time: put the next key into the file, with the old public half behind it, by a rename"
                .to_owned(),
        ));
    }
    if value.get("issue").is_none() {
        return Err(Failure::No("without `issue` there is no key that signs".to_owned()));
    }
    let seconds = |pointer: &str, place: &str, name: &str| {
        let default =
            reference::at(place).iter().find(|field| field.name == name).and_then(|field| field.default.parse().ok());
        let set = value.pointer(pointer).and_then(serde_json::Value::as_u64);
        set.and_then(|seconds| u32::try_from(seconds).ok()).or(default).unwrap_or_default()
    };
    let duration = seconds("/tokenDuration", "", "tokenDuration");
    let max_age = seconds("/discovery/maxAge", "discovery", "maxAge");
    let announced = max_age.saturating_add(ANNOUNCED);
    let ring = gateway.ring();
    let own = ring.own().filter(|own| !own.keys.keys().is_empty());
    let Some((own, (signs, others))) = own.and_then(|own| own.keys.keys().split_first().map(|keys| (own, keys))) else {
        return Err(Failure::No("it has no key".to_owned()));
    };
    let peers = trust.iter().map(PathBuf::as_path).map(Peer::read).collect::<Result<Vec<_>, _>>()?;
    let now = now();
    let time = |time: Timestamp| time.to_rfc3339().unwrap_or_default();
    let ended = others.iter().filter(|key| !key.is_published(now));
    let ended: Vec<_> = ended.map(|key| quoted(&key.name)).collect();
    let (step, text) = if !ended.is_empty() {
        let text = format!(
            "# Step 3 of 3: retire. {} ended, and nothing that it has signed is valid.\n# Now: remove from `signingKeyRefs`: {}\n",
            if ended.len() == 1 { "This key has" } else { "These keys have" },
            ended.join(", "),
        );
        ("retire", text)
    } else if let Some(key) = others.iter().find(|key| key.not_after.is_none()) {
        let life = duration.saturating_add(SKEW).saturating_add(max_age);
        let end = now.after(life.saturating_add(HANDLING));
        let known = known_to(&peers, &own.name, key)?;
        ("switch", switch(signs, key, &known, announced, &time(end))?)
    } else if let Some(end) = others.iter().filter_map(|key| key.not_after).min() {
        ("retire", format!("# Step 3 of 3: retire. Wait until {}, then run this again.\n", time(end)))
    } else {
        let text = format!(
            "# Step 1 of 3: announce. Make the next key, and publish its public half behind the one that signs:\n#\n\
             #   wristband keygen NAME\n#\n# Then in `signingKeyRefs`, as the second entry:\n\
             # - name: NAME\n#   algorithm: {}\n#   key: {{inlineString: its public half}}\n#\n\
             # Give peers that list your keys the same entry, and Envoy the next key: a variable needs a restart.\n# Step 2 is \
             safe {announced} seconds after that, which is `discovery.maxAge` and a minute, and not before all peers have it:\n# \
             those that fetch have it after their `refresh`.\n",
            signs.algorithm().name(),
        );
        ("announce", text)
    };
    match output {
        Output::Text => print(&text),
        Output::Json => print_json(&json!({"step": step, "edit": stanzas::as_json(&text), "text": text})),
    }
}

/// What is said of the peers, if all of those that have said whom they trust know the key.
fn known_to(peers: &[Peer], issuer: &str, key: &TrustedKey) -> Result<String, Failure> {
    let says = |peers: Vec<&Peer>| {
        let names: Vec<_> = peers.iter().map(|peer| quoted(&peer.name)).collect();
        format!("{} {}", names.join(", "), if names.len() == 1 { "does" } else { "do" })
    };
    let unaware: Vec<_> = peers.iter().filter(|peer| !peer.knows(issuer, key)).collect();
    if !unaware.is_empty() {
        return Err(Failure::No(format!("not yet: {} not know the key {}", says(unaware), quoted(&key.name))));
    }
    let known = "all peers know it".to_owned();
    Ok(if peers.is_empty() { known } else { format!("{known}, as {}", says(peers.iter().collect())) })
}

/// The key that was announced signs, and the other one stays for as long as what it has signed lives.
fn switch(signs: &TrustedKey, next: &TrustedKey, known: &str, announced: u32, end: &str) -> Result<String, Failure> {
    let pem: String = stanzas::pem(signs.key.public())?.lines().map(|line| format!("      {line}\n")).collect();
    Ok(format!(
        "# Step 2 of 3: switch. Safe once {} has been published for {announced} seconds, which is `discovery.maxAge` and a \
         minute, and {known}.\n# If {} is an old key: give it a `notAfter`, and run this again.\n# Now, in the place of both:\n\
         signingKeyRefs:\n- name: {}\n  algorithm: {}\n  key: {{environmentVariable: THE_VARIABLE_OF_THE_NEXT_KEY}}\n\
         - name: {}\n  algorithm: {}\n  key:\n    inlineString: |\n{pem}  notAfter: \"{end}\"    # if it is in force \
         within an hour\n",
        quoted(&next.name),
        quoted(&next.name),
        quoted(&next.name),
        next.algorithm().name(),
        quoted(&signs.name),
        signs.algorithm().name(),
    ))
}

/// Whom a peer trusts, as it says itself.
struct Peer {
    name: String,
    issuers: Vec<Value>,
}

impl Peer {
    fn read(file: &Path) -> Result<Self, Failure> {
        let document: Value = serde_json::from_str(&text(file)?).unwrap_or_default();
        let name = document.get("issuer").and_then(Value::as_str);
        match (name, document.get("issuers").and_then(Value::as_array)) {
            (Some(name), Some(issuers)) => Ok(Self { name: name.to_owned(), issuers: issuers.clone() }),
            _ => Err(Failure::Usage(format!(
                "{}: is not what a gateway says of whom it trusts: {{\"issuer\": ..., \"issuers\": [...]}}",
                shown(file)
            ))),
        }
    }

    /// Whether it trusts this key of ours under its name.
    fn knows(&self, issuer: &str, key: &TrustedKey) -> bool {
        let ours = self.issuers.iter().filter(|entry| entry.get("issuer").is_some_and(|name| name == issuer));
        let mut keys = ours.filter_map(|entry| entry.get("keys")?.as_array()).flatten();
        let is = |entry: &Value, name: &str, value: &str| entry.get(name).is_some_and(|text| text == value);
        let thumbprint = key.key.public().thumbprint();
        keys.any(|entry| is(entry, "kid", &key.name) && is(entry, "thumbprint", &thumbprint))
    }
}

//! `import authconfig`: configurations of Authorino's wristbands, as far as they have a counterpart here.
//!
//! What has none is said on standard error, a line each. A private key stays where it is: the one that signs is named by a
//! variable, of every other the public half is taken, and that it was there is said.

mod language;

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Output;
use super::document::documents;
use super::input;
use super::output::{Failure, note, print, print_json};
use super::stanzas::{self, quoted};
use crate::jose::algorithm::Algorithm;
use crate::keys::Material;
use language::{EXT_AUTHZ, JWT, Language};

/// What was found in the files.
#[derive(Default)]
struct Files {
    configs: Vec<Value>,
    secrets: Vec<Value>,
}

impl Files {
    /// Takes an object in, or those of a list, as `kubectl get` prints several.
    fn take(&mut self, mut object: Value) {
        match object.get("kind").and_then(Value::as_str) {
            Some("AuthConfig") => self.configs.push(object),
            Some("Secret") => self.secrets.push(object),
            Some("List") => {
                let items = object.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
                items.into_iter().flatten().for_each(|item| self.take(item));
            }
            _ => {}
        }
    }
}

/// What has no counterpart, and what an operator has to do.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, place: &str, note: &str) {
        self.0.push(format!("{place}: {note}"));
    }
}

/// Prints a configuration for each wristband.
pub(super) fn run(files: &[PathBuf], output: Output) -> Result<ExitCode, Failure> {
    let mut found = Files::default();
    for file in files {
        let shown = input::shown(file);
        let text = Zeroizing::new(input::text(file)?);
        let failure = |place: super::document::Place, message: &str| {
            Failure::Usage(format!("{shown}:{}:{}: {message}", place.line, place.column))
        };
        for document in documents(&text).map_err(|error| failure(error.place, &error.message))? {
            found.take(document.json().0);
        }
    }
    let (mut notes, mut configurations) = (Notes::default(), Vec::new());
    for config in &found.configs {
        of_config(config, &found.secrets, &mut configurations, &mut notes)?;
    }
    if configurations.is_empty() {
        notes.0.iter().for_each(|text| note(&format!("wristband: {text}")));
        return Err(Failure::No("no AuthConfig with a wristband is in the files".to_owned()));
    }
    let code = match output {
        Output::Text => print(&configurations.join("---\n"))?,
        Output::Json => {
            let configurations: Vec<_> = configurations.iter().filter_map(|stanza| stanzas::as_json(stanza)).collect();
            print_json(&json!({"configurations": configurations}))?
        }
    };
    notes.0.iter().for_each(|text| note(&format!("wristband: {text}")));
    Ok(code)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn of_config(
    config: &Value,
    secrets: &[Value],
    configurations: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<(), Failure> {
    let name = text(config, "/metadata/name").unwrap_or("AuthConfig");
    if config.pointer("/spec/response").is_some_and(Value::is_array) {
        notes.add(name, "is an AuthConfig of v1beta1, of which nothing is read; write it as one of v1beta2 first");
        return Ok(());
    }
    let methods = config.pointer("/spec/authentication").and_then(Value::as_object);
    let methods = || methods.into_iter().flatten();
    let is_jwt = methods().any(|(_, method)| method.get("jwt").is_some());
    for (method, _) in methods().filter(|(_, method)| is_jwt && method.get("jwt").is_none()) {
        notes.add(name, &format!("who logs in by `authentication.{method}` gets no wristband here until `identity` names it as well: see docs/from-authorino.md"));
    }
    for part in ["authorization", "metadata", "callbacks", "response/unauthenticated", "response/unauthorized"] {
        if config.pointer(&format!("/spec/{part}")).is_some() {
            let part = part.replace('/', ".");
            notes.add(
                name,
                &format!("`{part}` has no counterpart here; leave it to Authorino, or to Envoy's own filters"),
            );
        }
    }
    for place in ["headers", "dynamicMetadata"] {
        let responses = config.pointer(&format!("/spec/response/success/{place}")).and_then(Value::as_object);
        for (header, response) in responses.into_iter().flatten() {
            if let Some(wristband) = response.get("wristband") {
                let whole = Wristband { name, header, place, is_jwt, config, response, wristband };
                configurations.push(whole.configuration(secrets, notes)?);
            }
        }
    }
    Ok(())
}

/// A wristband of an `AuthConfig`, and what is around it.
struct Wristband<'v> {
    name: &'v str,
    header: &'v str,
    /// `headers` or `dynamicMetadata`.
    place: &'static str,
    is_jwt: bool,
    config: &'v Value,
    response: &'v Value,
    wristband: &'v Value,
}

impl Wristband<'_> {
    fn language(&self) -> Language {
        Language { is_jwt: self.is_jwt }
    }

    fn configuration(&self, secrets: &[Value], notes: &mut Notes) -> Result<String, Failure> {
        let Self { name, header, wristband, .. } = self;
        let issuer = text(wristband, "/issuer").unwrap_or("<issuer>");
        let mut yaml = format!("# {name}: {header}\nissuer: {}\n", quoted(issuer));
        if let Some(duration) = wristband.get("tokenDuration").and_then(Value::as_u64) {
            yaml += &format!("tokenDuration: {}\n", duration.min(86_400));
            if duration > 86_400 {
                notes.add(name, "`tokenDuration` is more than a day, which is the most here");
            }
        }
        yaml += "signingKeyRefs:\n";
        let keys = wristband.get("signingKeyRefs").and_then(Value::as_array).into_iter().flatten();
        for (index, key) in keys.enumerate() {
            yaml += &self.key(index, key, secrets, notes)?;
        }
        let placement = if self.place == "headers" { "request" } else { "response" };
        let (identity, subject) = if self.is_jwt {
            (JWT.to_owned(), "`sub` of the token")
        } else {
            (format!("{EXT_AUTHZ}.username"), "the username")
        };
        yaml += &format!("issue:\n  placement: {placement}\n");
        if self.place == "headers" && *header != "x-wristband-token" {
            yaml += &format!("  header: {}\n", quoted(&header.to_ascii_lowercase()));
        }
        yaml += &format!("  identity: {{expression: {}}}\n", Value::from(identity));
        notes.add(name, &format!("`sub` changes: Authorino's is a hash of the whole identity, here it is {subject}. What decides by it has to change first"));
        yaml += &self.claims(notes);
        let conditions = [self.config.pointer("/spec/when"), self.response.get("when")];
        let conditions: Vec<_> =
            conditions.into_iter().flatten().filter_map(|when| self.conditions(when, notes)).collect();
        if !conditions.is_empty() {
            yaml += &format!("  when: {{request: {}}}\n", Value::from(conditions.join(" && ")));
        }
        Ok(yaml + "verify: {mode: optional}\n")
    }

    /// The first key signs; of every other the public half is enough.
    fn key(&self, index: usize, key: &Value, secrets: &[Value], notes: &mut Notes) -> Result<String, Failure> {
        let name = text(key, "/name").unwrap_or("key");
        let algorithm = text(key, "/algorithm").unwrap_or("ES256");
        let entry = format!("- name: {}\n  algorithm: {}\n", quoted(name), quoted(algorithm));
        if index == 0 {
            let variable = stanzas::variable(name);
            notes.add(
                self.name,
                &format!("the Secret `{name}` signs: give its `key.pem` to Envoy as {variable}, or make another key"),
            );
            return Ok(format!("{entry}  key: {{environmentVariable: {variable}}}\n"));
        }
        let secret = secrets.iter().find(|secret| text(secret, "/metadata/name") == Some(name));
        let Some(pem) = secret.and_then(pem_of) else {
            notes.add(
                self.name,
                &format!("no Secret `{name}` in the files: put the public half of that key in its place"),
            );
            return Ok(format!(
                "{entry}  key: {{inlineString: \"<public half of {}>\"}}\n",
                name.replace(['"', '\\'], "")
            ));
        };
        let algorithm =
            Algorithm::from_name(algorithm).ok_or_else(|| Failure::No(format!("{name}: unknown algorithm")))?;
        let public = match Material::parse(pem.as_slice(), algorithm) {
            Ok(Material::Private(key)) => {
                notes.add(self.name, &format!("the Secret `{name}` has a private key that is not needed: its public half is taken; destroy it wherever it is not the one that signs"));
                key.public_key()
            }
            Ok(Material::Public(key)) => key,
            Err(error) => return Err(Failure::No(format!("Secret `{name}`: {error}"))),
        };
        let lines: String = stanzas::pem(&public)?.lines().map(|line| format!("      {line}\n")).collect();
        Ok(format!("{entry}  key:\n    inlineString: |\n{lines}"))
    }

    fn claims(&self, notes: &mut Notes) -> String {
        let claims = self.wristband.get("customClaims").and_then(Value::as_object);
        let mut yaml = String::new();
        for (name, claim) in claims.into_iter().flatten() {
            let source = if let Some(value) = claim.get("value") {
                format!("{{value: {value}}}")
            } else {
                let expression = text(claim, "/selector")
                    .and_then(|selector| self.language().selector(selector))
                    .or_else(|| text(claim, "/expression").and_then(|cel| self.language().cel(cel)));
                let Some(expression) = expression else {
                    notes.add(
                        self.name,
                        &format!("the claim `{name}` cannot be translated; write it as CEL over Envoy's attributes"),
                    );
                    continue;
                };
                if !self.is_jwt && expression.contains(EXT_AUTHZ) {
                    notes.add(self.name, &format!("the claim `{name}` is what Authorino has to hand over in `dynamicMetadata`, as `identity`: see docs/from-authorino.md"));
                }
                format!("{{expression: {}}}", Value::from(expression))
            };
            yaml += &format!("    {}: {source}\n", quoted(name));
        }
        if yaml.is_empty() { yaml } else { format!("  customClaims:\n{yaml}") }
    }

    /// All of these have to hold.
    fn conditions(&self, when: &Value, notes: &mut Notes) -> Option<String> {
        let mut all = Vec::new();
        for pattern in when.as_array().into_iter().flatten() {
            match self.language().condition(pattern) {
                Some(condition) => all.push(condition),
                // Without it more would be signed than there.
                None => {
                    notes.add(
                        self.name,
                        &format!(
                            "a condition of `when` cannot be translated; until it is, nothing is signed: {pattern}"
                        ),
                    );
                    all.push("false".to_owned());
                }
            }
        }
        (!all.is_empty()).then(|| all.join(" && "))
    }
}

/// The key of a Secret, as Authorino has it.
fn pem_of(secret: &Value) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(pem) = text(secret, "/stringData/key.pem") {
        return Some(Zeroizing::new(pem.as_bytes().to_vec()));
    }
    let data = text(secret, "/data/key.pem")?;
    STANDARD.decode(data.split_ascii_whitespace().collect::<String>()).ok().map(Zeroizing::new)
}

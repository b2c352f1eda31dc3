//! `diff`: what a change of the configuration does to trust, and to the tokens that are under way.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::Output;
use super::host::{Shell, now};
use super::output::{Failure, print, print_json};
use super::reading::Request;
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey};

/// What is lost and what is won.
#[derive(Default, Serialize)]
struct Difference {
    /// Who and what is trusted now, and was not before.
    gained: Vec<Change>,
    /// Who and what is trusted no more.
    lost: Vec<Change>,
    /// Tokens under way that were accepted and will not be.
    refused: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    message: String,
}

/// One of the two configurations.
struct Side {
    ring: Ring,
    value: Value,
}

impl Side {
    fn read(request: &Request, host: &Shell) -> Result<Self, Failure> {
        let found = request.found()?;
        let gateway = request.compile(&found, host)?.gateway;
        Ok(Self { ring: (*gateway.ring()).clone(), value: found.value().unwrap_or_default() })
    }

    fn seconds(&self, pointer: &str, default: u32) -> u32 {
        let seconds = self.value.pointer(pointer).and_then(Value::as_u64);
        seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(default)
    }

    fn issuers(&self) -> BTreeMap<&str, &TrustedIssuer> {
        self.ring.issuers().map(|issuer| (issuer.name.as_str(), &**issuer)).collect()
    }

    /// What a peer's entry says under this name.
    fn of_peer(&self, issuer: &str, name: &str) -> Option<&Value> {
        let peers = self.value.get("peers").and_then(Value::as_array).into_iter().flatten();
        let mut peers = peers.filter(|peer| peer.get("issuer").and_then(Value::as_str) == Some(issuer));
        peers.next()?.get(name)
    }

    /// Whether tokens are looked at at all.
    fn verifies(&self) -> bool {
        self.value.get("verify").is_some()
    }

    fn revokes(&self, key: &TrustedKey) -> bool {
        let revoked = self.value.pointer("/verify/revoked").and_then(Value::as_array).into_iter().flatten();
        revoked.filter_map(|entry| entry.get("kid")).any(|name| *name == key.name)
    }

    /// What an issuer may say under this name; `None`: whatever it likes. The empty text stands for a token that says nothing.
    fn allowed(&self, issuer: &str, name: &str) -> Option<Vec<Value>> {
        let of_peer = self.of_peer(issuer, name).and_then(Value::as_array).cloned();
        let of_all = || self.value.get("verify")?.get(name)?.as_array().cloned();
        match name {
            "typ" => of_peer.or_else(of_all).or_else(|| Some(vec!["JWT".into(), "".into()])),
            "audiences" => {
                let mut audiences = of_peer.or_else(of_all).unwrap_or_else(|| vec!["".into()]);
                if self.of_peer(issuer, "allowMissingAudience") == Some(&Value::Bool(true)) {
                    audiences.push("".into());
                }
                Some(audiences)
            }
            _ => of_peer,
        }
    }
}

/// What becomes of requests whose token is bad, or that have none.
fn of_mode(old: &Side, new: &Side, difference: &mut Difference) {
    const MODES: [&str; 3] = ["require", "optional", "observe"];
    let mode = |side: &Side| side.value.pointer("/verify/mode").and_then(Value::as_str).unwrap_or("require").to_owned();
    let rank = |side: &Side| MODES.iter().position(|known| *known == mode(side));
    let message = format!("`verify.mode` is `{}` and was `{}`", mode(new), mode(old));
    let changes = match rank(new).cmp(&rank(old)) {
        Ordering::Greater => &mut difference.gained,
        Ordering::Less => &mut difference.lost,
        Ordering::Equal => return,
    };
    changes.push(change("all issuers", None, message));
}

/// Compares two configurations. `after` is for how many seconds the old one has not signed with the keys that go.
pub(super) fn run(old: &Request, new: &Request, after: u32, output: Output) -> Result<ExitCode, Failure> {
    let (old, new) = (Side::read(old, &old.host()?)?, Side::read(new, &new.host()?)?);
    let difference = compare(&old, &new, after, now());
    let is_safe = difference.refused.is_empty();
    match output {
        Output::Json => print_json(&difference)?,
        Output::Text => print(&text(&difference))?,
    };
    Ok(if is_safe { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(difference: &Difference) -> String {
    let lines = |sign: &str, changes: &[Change]| {
        let line = |change: &Change| {
            let kid = change.kid.as_ref().map(|kid| format!(", key {kid}")).unwrap_or_default();
            format!("{sign} {}{kid}: {}\n", change.issuer, change.message)
        };
        changes.iter().map(line).collect::<String>()
    };
    let Difference { gained, lost, refused } = difference;
    let text = lines("+", gained) + &lines("-", lost) + &lines("!", refused);
    if text.is_empty() { "nobody is trusted otherwise than before\n".to_owned() } else { text }
}

fn compare(old: &Side, new: &Side, after: u32, now: Timestamp) -> Difference {
    let mut difference = Difference::default();
    if old.verifies() && new.verifies() {
        of_mode(old, new, &mut difference);
    }
    let (before, later) = (old.issuers(), new.issuers());
    // For so long a token is under way that an own key has signed last.
    let life = old.seconds("/tokenDuration", 300).saturating_add(new.seconds("/verify/clockSkew", 30));
    for (name, issuer) in &later {
        match before.get(name) {
            None => difference.gained.push(change(
                name,
                None,
                format!("is trusted, with {} keys", issuer.keys.keys().len()),
            )),
            Some(was) => {
                let is_new = |key: &&std::rc::Rc<TrustedKey>| {
                    !new.revokes(key) && (!was.keys.names(&key.name) || old.revokes(key))
                };
                for key in issuer.keys.keys().iter().filter(is_new) {
                    difference.gained.push(change(name, Some(key), "is trusted".to_owned()));
                }
            }
        }
    }
    for (name, was) in &before {
        // Whoever verified nothing refuses nothing.
        let Some(issuer) = later.get(name) else {
            difference.lost.push(change(name, None, "is trusted no more".to_owned()));
            if new.verifies() || was.is_own {
                difference.refused.push(change(name, None, "all of its tokens".to_owned()));
            }
            continue;
        };
        let life = if was.is_own { life.saturating_sub(after) } else { life };
        for key in was.keys.keys().iter().filter(|key| key.is_published(now) && !old.revokes(key)) {
            if new.revokes(key) {
                difference.lost.push(change(name, Some(key), "is trusted no more".to_owned()));
                difference.refused.push(change(
                    name,
                    Some(key),
                    "is revoked, and with it what it has signed".to_owned(),
                ));
            } else {
                lost_key(name, key, issuer, life, now, &mut difference);
            }
        }
        match (old.verifies(), new.verifies()) {
            (true, true) => of_limits(old, new, name, &mut difference),
            (true, false) => {
                difference.lost.push(change(name, None, "its tokens are not looked at any more".to_owned()))
            }
            (false, true) => difference.gained.push(change(name, None, "its tokens are looked at".to_owned())),
            (false, false) => {}
        }
    }
    difference
}

/// What becomes of what a key has signed.
fn lost_key(
    name: &str,
    key: &TrustedKey,
    issuer: &TrustedIssuer,
    life: u32,
    now: Timestamp,
    difference: &mut Difference,
) {
    // What is fetched comes and goes by itself.
    if issuer.lacks_keys() && !issuer.is_own {
        return;
    }
    let mut refuse = |message: String| {
        if life > 0 {
            difference.refused.push(change(name, Some(key), message));
        }
    };
    match issuer.keys.keys().iter().find(|known| known.name == key.name) {
        None if issuer.lacks_keys() => {
            refuse(
                "has to be in the file from which keys are fetched, under this name, and that cannot be seen here"
                    .to_owned(),
            );
        }
        None => {
            refuse(format!("is gone, and what it has signed lives for up to {life} seconds"));
            difference.lost.push(change(name, Some(key), "is trusted no more".to_owned()));
        }
        Some(known) if known.key.public() != key.key.public() => {
            refuse("is another key under the same name".to_owned());
            difference.lost.push(change(name, Some(key), "is trusted no more".to_owned()));
            difference.gained.push(change(name, Some(known), "is trusted".to_owned()));
        }
        Some(known) => {
            if let Some(end) =
                known.not_after.filter(|end| key.not_after.is_none_or(|before| *end < before) && *end < now.after(life))
            {
                refuse(format!(
                    "ends at {}, and what it has signed may live longer",
                    end.to_rfc3339().unwrap_or_default()
                ));
            }
            if known.not_before.is_some_and(|start| now < start) && key.not_before.is_none_or(|start| start <= now) {
                refuse("counts later than before".to_owned());
            }
        }
    }
}

/// What an issuer may say, before and after.
fn of_limits(old: &Side, new: &Side, issuer: &str, difference: &mut Difference) {
    for name in ["claims", "subjects", "audiences", "typ"] {
        let item = |item: &&Value| if *item == "" { "none".to_owned() } else { item.to_string() };
        let listed = |items: Vec<&Value>| items.iter().map(item).collect::<Vec<_>>().join(", ");
        let (before, later) = (old.allowed(issuer, name), new.allowed(issuer, name));
        match (&before, &later) {
            (None, Some(_)) => difference.lost.push(change(issuer, None, format!("`{name}` are limited from now on"))),
            (Some(_), None) => difference.gained.push(change(issuer, None, format!("`{name}` are limited no more"))),
            (Some(before), Some(later)) => {
                let more: Vec<_> = later.iter().filter(|item| !before.contains(item)).collect();
                let less: Vec<_> = before.iter().filter(|item| !later.contains(item)).collect();
                if !more.is_empty() {
                    difference.gained.push(change(issuer, None, format!("`{name}`: {}", listed(more))));
                }
                if !less.is_empty() {
                    difference.lost.push(change(issuer, None, format!("`{name}`: {}", listed(less))));
                }
            }
            (None, None) => {}
        }
        let narrows = match (&before, &later) {
            (None, Some(_)) => true,
            (Some(before), Some(later)) => before.iter().any(|item| !later.contains(item)),
            _ => false,
        };
        // A claim that is not passed on refuses no token.
        if narrows && name != "claims" {
            difference.refused.push(change(issuer, None, format!("tokens that need what `{name}` has lost")));
        }
    }
    of_lifetime(old, new, issuer, difference);
}

/// How long its tokens may live.
fn of_lifetime(old: &Side, new: &Side, issuer: &str, difference: &mut Difference) {
    let longest = |side: &Side| side.of_peer(issuer, "maxLifetime").and_then(Value::as_u64).unwrap_or(86_400);
    if longest(new) < longest(old) {
        let message = format!("tokens that live longer than {} seconds", longest(new));
        difference.refused.push(change(issuer, None, message));
    }
}

fn change(issuer: &str, key: Option<&TrustedKey>, message: String) -> Change {
    Change { issuer: issuer.to_owned(), kid: key.map(|key| key.name.clone()), message }
}

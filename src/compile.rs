//! From a configuration to a [`Gateway`]: everything a request needs and nothing that can fail.
//!
//! What single fields cannot show is found here; who may hold which key is asked of [`trust::rules`](crate::trust::rules).
//! Whatever is wrong is said, and the rest is still looked at, so that one load names all mistakes; a configuration with
//! one of them never comes into force.

mod issue;
mod keys;
mod report;
mod risks;
mod sources;
mod variable;
mod verify;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use self::keys::Keys;
pub use self::keys::Set;
pub use self::report::{Report, VERSION, endings, key_lines};
use crate::config::{
    self, Config, Identity, Issue, KeyRef, KeySource, Problem, Problems, RevokedIssuer, RevokedKey, Verify,
};
use crate::crypto::Tables;
use crate::gateway::Gateway;
use crate::host::Setup;
use crate::http::discovery::{Discovery, without_slash};
use crate::http::headers::HeaderName;
use crate::issue::Placement;
use crate::jose::path::Path;

const REUSE_WITH_REPLAY: &str =
    "`verify.replay` accepts a wristband once, however many have got it; leave one of the two out";

/// A configuration in force, and what its operator should know of it.
pub struct Compiled {
    /// Who decides on requests.
    pub gateway: Gateway,
    /// For the log and the metrics.
    pub report: Report,
}

/// Reads and compiles a plugin configuration.
///
/// # Errors
/// Everything that an operator has to change, each with its path. There is one at least.
pub fn load(bytes: &[u8], setup: &impl Setup) -> Result<Compiled, Vec<Problem>> {
    load_with(bytes, setup, &Rc::default())
}

/// The same with the tables of a VM, which keep what the configuration before has made of them.
///
/// # Errors
/// As with [`load`].
pub fn load_with(bytes: &[u8], setup: &impl Setup, tables: &Rc<Tables>) -> Result<Compiled, Vec<Problem>> {
    let Examined { compiled, errors, .. } = examine_with(bytes, setup, tables);
    compiled.ok_or(errors)
}

/// Everything that is to be said of a configuration.
pub struct Examined {
    /// What it is once it is in force; `None` when it cannot be.
    pub compiled: Option<Compiled>,
    /// What an operator has to change; something when there is nothing in force.
    pub errors: Vec<Problem>,
    /// What is not in the report, because there is none.
    pub warnings: Vec<Problem>,
}

/// The same for whoever wants to know the warnings beside the errors.
pub fn examine(bytes: &[u8], setup: &impl Setup) -> Examined {
    examine_with(bytes, setup, &Rc::default())
}

fn examine_with(bytes: &[u8], setup: &impl Setup, tables: &Rc<Tables>) -> Examined {
    let problems = Problems::default();
    let compiled = Config::read(bytes, &problems).and_then(|config| compile(config, &problems, setup, tables));
    match compiled {
        Some((gateway, keys)) if !problems.has_errors() => {
            #[cfg(test)]
            crate::config::reference::accept(bytes);
            let report = Report::new(bytes, &gateway, keys.arithmetic, keys.sets, problems.into_found().1);
            Examined { compiled: Some(Compiled { gateway, report }), errors: Vec::new(), warnings: Vec::new() }
        }
        _ => {
            // Nothing is left out without a word; if it were, it would still not come into force.
            if !problems.has_errors() {
                problems.error(&Path::root(), "cannot be compiled");
            }
            let (errors, warnings) = problems.into_found();
            Examined { compiled: None, errors, warnings }
        }
    }
}

/// `None` where so much is wrong that nothing can be made of it, which has been said.
#[inline(never)]
fn compile(config: Config, problems: &Problems, setup: &impl Setup, tables: &Rc<Tables>) -> Option<(Gateway, Keys)> {
    if config.issue.is_none() && config.verify.is_none() {
        // Otherwise a forgotten configuration would let everything pass.
        problems.error(&Path::root(), "set `issue`, `verify` or both");
    }
    check_issuers(&config, problems);
    if config.verify.is_some() && config.signing_key_refs.is_empty() && config.peers.is_empty() {
        let problem = "no key could verify anything; list `signingKeyRefs` or `peers`";
        problems.error(&Path::of(&["verify"]), problem);
    }
    if let Some(verify) = &config.verify {
        verify::check_claims(verify, &config.peers, problems);
    }
    if let (Some(issue), Some(verify)) = (&config.issue, &config.verify) {
        check_headers_of_both(issue, verify, problems);
        if issue.reuse > 0 && verify.replay.is_some() {
            problems.warn(&Path::of(&["issue", "reuse"]), REUSE_WITH_REPLAY);
        }
    }
    let mut keys = Keys::load(&config, problems, setup, tables);
    risks::warn_of_same_labels(&config.peers, problems);
    check_revoked(&config, &keys, problems);
    let revoked = config.verify.iter().flat_map(|verify| &verify.revoked.keys);
    let unpublished: HashSet<_> = revoked.map(|revoked| revoked.name.clone()).collect();
    let discovery = config.issuer.as_deref().map(|issuer| {
        let config::Discovery { max_age, hosts, trust } = &config.discovery;
        Discovery::new(issuer, unpublished, *max_age, hosts.clone(), *trust)
    });
    if config.discovery.trust && config.issuer.is_none() {
        problems.error(&Path::of(&["discovery", "trust"]), "needs `issuer`, under whose path the document is");
    }
    let verifies = config.verify.is_some();
    let sources = sources::Named::of(&config, problems);
    let ring = verify::ring(config.issuer.as_deref(), config.peers, config.verify.as_ref(), &mut keys);
    let verification = match &config.verify {
        None => Some(None),
        Some(verify) => verify::verification(verify, &ring, problems, setup).map(Some),
    };
    let delivery = match config.issue {
        None => None,
        // Without the key nothing is made of the rest, but looked at it is.
        Some(issue) => {
            let (issuer, duration) = (config.issuer.unwrap_or_default(), config.token_duration);
            Some(issue::delivery(issue, issuer, duration, keys.signing.take(), verifies, problems, setup)?)
        }
    };
    let sources = sources.sources(&ring, &keys.arithmetic, tables);
    Some((Gateway::new(ring, discovery, verification?, delivery).with_sources(sources), keys))
}

/// An issuer is one peer. Two that differ in a slash at the end are two, although people take them for one.
#[inline(never)]
fn check_issuers(config: &Config, problems: &Problems) {
    if config.issuer.is_none()
        && (config.issue.is_some() || config.verify.is_some())
        && (config.issue.is_some() || !config.signing_key_refs.is_empty() || config.peers.is_empty())
    {
        let problem = "is missing; only a filter that verifies nobody but peers can do without";
        problems.error(&Path::of(&["issuer"]), problem);
    }
    let (mut seen, mut alike): (HashMap<&str, &Path>, HashMap<&str, &Path>) = (HashMap::new(), HashMap::new());
    for peer in &config.peers {
        let (path, Some(issuer)) = (peer.path.member("issuer"), &peer.issuer) else {
            continue;
        };
        if config.issuer.as_ref() == Some(issuer) {
            problems.error(&path, "is our own `issuer`; put its public keys under `signingKeyRefs`");
        } else if config.issuer.as_deref().map(without_slash) == Some(without_slash(issuer)) {
            problems
                .warn(&path, "differs from our own `issuer` in nothing but a slash at the end; they are two issuers");
        }
        if let Some(first) = seen.insert(issuer, &peer.path) {
            problems.error(&path, format!("the same issuer as that of {first}"));
        } else if let Some(first) = alike.insert(without_slash(issuer), &peer.path) {
            let problem = "in nothing but a slash at the end; they are two issuers";
            problems.warn(&path, format!("differs from that of {first} {problem}"));
        }
    }
}

#[inline(never)]
fn check_headers_of_both(issue: &Issue, verify: &Verify, problems: &Problems) {
    let is_written = |name: &HeaderName| verify.outputs().any(|(_, output)| output == name);
    for (path, identity) in &issue.identity {
        let Identity::Header(name) = identity else {
            continue;
        };
        let path = path.member("header");
        if is_written(name) {
            problems.error(&path, "is written by `verify`; use `{wristband: true}`");
        } else if verify.carries_tokens(name) {
            problems.error(&path, "carries tokens, which are nobody's name; use `{wristband: true}`");
        }
    }
    if issue.placement == Placement::Request && issue.header.as_ref().is_some_and(is_written) {
        problems.error(&Path::of(&["issue", "header"]), "is written by `verify` too");
    }
}

/// A misspelt revocation would revoke nothing, and one of the key that signs would refuse all that we sign.
#[inline(never)]
fn check_revoked(config: &Config, loaded: &Keys, problems: &Problems) {
    let Some(revoked) = config.verify.as_ref().map(|verify| &verify.revoked) else {
        return;
    };
    let signs = config.issue.as_ref().and_then(|_| config.signing_key_refs.first()).and_then(|key| key.name.as_ref());
    // Those that cannot be used have been named too.
    let named = config.signing_key_refs.iter().chain(config.peers.iter().flat_map(|peer| &peer.keys));
    let named = named.filter_map(|key| key.name.as_deref());
    let of_sets = loaded.peers.iter().flatten().map(|key| key.name.as_str());
    let names: HashSet<_> = named.chain(of_sets).collect();
    // What will be fetched has names that nobody knows yet.
    let is_fetched = |key: &KeyRef| matches!(key.key, Some(KeySource::Call(_)));
    let may_come =
        config.signing_key_refs.iter().any(is_fetched) || config.peers.iter().any(|peer| peer.remote_jwks.is_some());
    // Of what could not be read has been told, and nobody knows its names either.
    let is_unread = config.peers.iter().zip(&loaded.peers).any(|(peer, keys)| peer.jwks.is_some() && keys.is_empty());
    for RevokedKey { path, name } in &revoked.keys {
        if signs == Some(name) {
            problems.error(path, "is the key that signs; put another one first");
        } else if may_come && !names.contains(name.as_str()) {
            problems.warn(path, "no key of the configuration has this name; it may be that of one that is fetched");
        } else if !is_unread && !names.contains(name.as_str()) {
            problems.error(path, "no key has this name");
        }
    }
    let mut seen = HashSet::new();
    for RevokedIssuer { path, issuer, .. } in &revoked.issuers {
        let mut known = config.peers.iter().map(|peer| &peer.issuer).chain([&config.issuer]);
        if !known.any(|known| known.as_ref() == Some(issuer)) {
            problems.error(path, "is neither our own nor a peer's");
        } else if !seen.insert(issuer) {
            problems.error(path, "is listed already");
        }
    }
}

#[cfg(test)]
mod tests;

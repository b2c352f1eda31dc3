//! From a configuration to a [`Gateway`]: everything a request needs and nothing that can fail.
//!
//! What single fields cannot show is found here; who may hold which key, in `keys`.

mod issue;
mod keys;
mod report;
mod verify;

use std::collections::{HashMap, HashSet};

use self::keys::Keys;
pub use self::report::Report;
use crate::config::{Config, ConfigError, Identity, Issue, RevokedIssuer, RevokedKey, Verify};
use crate::gateway::Gateway;
use crate::host::Setup;
use crate::http::discovery::{Discovery, without_slash};
use crate::http::headers::HeaderName;
use crate::issue::Placement;
use crate::trust::TrustedKey;

const REUSE_WITH_REPLAY: &str =
    "issue.reuse: `verify.replay` accepts a wristband once, however many have got it; leave one of the two out";

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
/// The first thing that an operator has to change, with its path.
pub fn load(bytes: &[u8], setup: &impl Setup) -> Result<Compiled, ConfigError> {
    compile(Config::read(bytes)?, setup)
}

/// Compiles a configuration.
///
/// # Errors
/// What no single field shows: keys that cannot be read, do not fit or are where they must not be, names used
/// twice, fields that exclude each other.
#[inline(never)]
fn compile(mut config: Config, setup: &impl Setup) -> Result<Compiled, ConfigError> {
    if config.issue.is_none() && config.verify.is_none() {
        // Otherwise a forgotten configuration would let everything pass.
        return Err(ConfigError::at("", "set `issue`, `verify` or both"));
    }
    check_issuers(&config)?;
    check_revoked(&config)?;
    let keys = Keys::load(&mut config, setup)?;
    if config.verify.is_some() && keys.own.is_empty() && keys.peers.is_empty() {
        return Err(ConfigError::at("verify", "no key could verify anything; list `signingKeyRefs` or `peers`"));
    }
    if let (Some(issue), Some(verify)) = (&config.issue, &config.verify) {
        check_headers_of_both(issue, verify)?;
    }
    let discovery = config.issuer.as_deref().map(|issuer| discovery(issuer, &keys, &config));
    let mut report = Report::new(&keys);
    let reuses = config.issue.as_ref().is_some_and(|issue| issue.reuse > 0);
    let delivery = match config.issue {
        None => None,
        Some(issue) => {
            let (Some(key), Some(issuer)) = (keys.private, &config.issuer) else {
                return Err(ConfigError::at("issue", "needs `issuer` and a private key"));
            };
            Some(issue::delivery(issue, issuer, config.token_duration, key, config.verify.is_some(), setup)?)
        }
    };
    let verification = match config.verify {
        Some(verify) => Some(verify::verification(verify, config.issuer, keys.own, keys.peers, setup)?),
        None => None,
    };
    if reuses && verification.as_ref().is_some_and(|verification| verification.verifier.replay.is_some()) {
        report.warnings.push(REUSE_WITH_REPLAY.to_owned());
    }
    let gateway = Gateway { discovery, verification, delivery };
    report.describe(&gateway);
    Ok(Compiled { gateway, report })
}

/// What is published under our issuer: our own keys and those of the peers that ask for it, but for the revoked ones.
fn discovery(issuer: &str, keys: &Keys, config: &Config) -> Discovery {
    let revoked = config.verify.as_ref().map(|verify| verify.revoked.keys.as_slice()).unwrap_or_default();
    let is_revoked = |key: &TrustedKey| revoked.iter().any(|revoked| revoked.name == key.name);
    let peers = keys.peers.iter().filter(|peer| peer.publish).flat_map(|peer| &peer.keys);
    let published = keys.own.iter().chain(peers).filter(|key| !is_revoked(key));
    Discovery::new(issuer, published.cloned().collect(), config.discovery.max_age)
}

/// Two issuers that differ in a slash at the end are one to people.
#[inline(never)]
fn check_issuers(config: &Config) -> Result<(), ConfigError> {
    if config.issuer.is_none()
        && (config.issue.is_some() || !config.signing_key_refs.is_empty() || config.peers.is_empty())
    {
        return Err(ConfigError::at(
            "issuer",
            "is missing; only a filter that verifies nobody but peers can do without",
        ));
    }
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for peer in &config.peers {
        let path = format!("{}.issuer", peer.path);
        if config.issuer.as_deref().map(without_slash) == Some(without_slash(&peer.issuer)) {
            return Err(ConfigError::at(path, "is our own `issuer`; put its public keys under `signingKeyRefs`"));
        }
        if let Some(first) = seen.insert(without_slash(&peer.issuer), &peer.path) {
            return Err(ConfigError::at(path, format!("the same issuer as that of {first}")));
        }
    }
    Ok(())
}

#[inline(never)]
fn check_headers_of_both(issue: &Issue, verify: &Verify) -> Result<(), ConfigError> {
    let is_written = |name: &HeaderName| verify.outputs().any(|(_, output)| output == name);
    if let Identity::Header(name) = &issue.identity {
        let problem = match name {
            name if is_written(name) => Some("is written by `verify`; use `{wristband: true}`"),
            name if verify.carries_tokens(name) => {
                Some("carries tokens, which are nobody's name; use `{wristband: true}`")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(ConfigError::at("issue.identity.header", problem));
        }
    }
    if issue.placement == Placement::Request && issue.header.as_ref().is_some_and(is_written) {
        return Err(ConfigError::at("issue.header", "is written by `verify` too"));
    }
    Ok(())
}

/// A misspelt revocation would revoke nothing, and one of the key that signs would refuse all that we sign.
#[inline(never)]
fn check_revoked(config: &Config) -> Result<(), ConfigError> {
    let Some(revoked) = config.verify.as_ref().map(|verify| &verify.revoked) else {
        return Ok(());
    };
    let signs = config.issue.as_ref().and_then(|_| config.signing_key_refs.first()).map(|key| &key.name);
    let keys = || config.signing_key_refs.iter().chain(config.peers.iter().flat_map(|peer| &peer.keys));
    for RevokedKey { path, name } in &revoked.keys {
        if signs == Some(name) {
            return Err(ConfigError::at(path.as_str(), "is the key that signs; put another one first"));
        }
        if !keys().any(|key| key.name == *name) {
            return Err(ConfigError::at(path.as_str(), "no key has this name"));
        }
    }
    let mut seen = HashSet::new();
    for RevokedIssuer { path, issuer, .. } in &revoked.issuers {
        let is_peer = config.peers.iter().any(|peer| peer.issuer == *issuer);
        if config.issuer.as_ref() != Some(issuer) && !is_peer {
            return Err(ConfigError::at(path.as_str(), "is neither our own nor a peer's"));
        }
        if !seen.insert(issuer) {
            return Err(ConfigError::at(path.as_str(), "is listed already"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

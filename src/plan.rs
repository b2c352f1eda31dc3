//! From a configuration to a plan: everything a request needs and nothing that can fail.
//!
//! What single fields cannot show is found here; who may hold which key, in `keys`.

mod inbound;
mod issuing;
mod keys;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use self::inbound::inbound;
use self::issuing::issuing;
use self::keys::Keys;
use crate::cache::Cache;
use crate::config::{
    ClaimHeader, Config, ConfigError, Identity, Issue, Mode, OnFailure, Placement, RevokedIssuer, RevokedKey, Verify,
};
use crate::crypto::{Backend, Operation};
use crate::denial::Denial;
use crate::gateway::Outputs;
use crate::host::Setup;
use crate::http::cookie::Cookie;
use crate::http::credential::Place;
use crate::http::discovery::{Discovery, without_slash};
use crate::http::headers::HeaderName;
use crate::http::reply::Reply;
use crate::issue::Issuer;
use crate::jose::algorithm::Algorithm;
use crate::trust::TrustedKey;
use crate::verify::Verifier;

const REUSE_WITH_REPLAY: &str =
    "issue.reuse: `verify.replay` accepts a wristband once, however many have got it; leave one of the two out";

/// A configuration in force.
pub struct Plan {
    /// The well-known documents, when there is an issuer.
    pub discovery: Option<Discovery>,
    /// How inbound tokens are treated, if they are.
    pub inbound: Option<Inbound>,
    /// How wristbands are signed, if they are.
    pub issuing: Option<Issuing>,
    /// How much is configured, for the log.
    pub counts: Counts,
    /// Who does the arithmetic, for every algorithm that is used.
    pub arithmetic: BTreeMap<(Operation, Algorithm), Backend>,
    /// What a person should know of the configuration although it is in force.
    pub warnings: Vec<String>,
}

/// How much is configured.
pub struct Counts {
    own_keys: usize,
    peers: usize,
    keys_of_peers: usize,
}

/// How inbound tokens are treated.
pub struct Inbound {
    /// Who may vouch for what.
    pub verifier: Verifier,
    /// Tokens that were accepted, and what followed for their requests.
    pub remembered: Option<RefCell<Cache<Outputs>>>,
    /// The answers to requests that are denied.
    pub denials: Vec<(Denial, Rc<Reply>)>,
    /// What a missing or bad token does.
    pub mode: Mode,
    /// Where tokens are looked for.
    pub places: Vec<Place>,
    /// Whether CORS preflights pass without a token.
    pub allow_cors_preflight: bool,
    /// Whether the upstream sees an accepted token.
    pub forward: bool,
    /// Receives the payload.
    pub payload_header: Option<HeaderName>,
    /// Receive claims.
    pub claim_headers: Vec<ClaimHeader>,
}

/// How wristbands are signed and delivered.
pub struct Issuing {
    /// Signs them.
    pub issuer: Issuer,
    /// Carries them.
    pub header: Option<HeaderName>,
    /// Carries them too.
    pub cookie: Option<Cookie>,
    /// What happens when one cannot be signed.
    pub on_failure: OnFailure,
}

impl Inbound {
    /// The headers that only this filter may write: inbound copies are removed from every request.
    pub fn owned_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.payload_header.iter().chain(self.claim_headers.iter().map(|output| &output.header))
    }
}

impl Plan {
    /// Reads and compiles a plugin configuration.
    ///
    /// # Errors
    /// The first thing that an operator has to change, with its path.
    pub fn load(bytes: &[u8], setup: &impl Setup) -> Result<Self, ConfigError> {
        Self::compile(Config::read(bytes)?, setup)
    }

    /// What is in force, in one line for the log: counts and roles, no name and no key.
    #[must_use]
    pub fn summary(&self) -> String {
        let role = |present| if present { "yes" } else { "no" };
        let Counts { own_keys, peers, keys_of_peers } = self.counts;
        format!(
            "configuration in force: own keys {own_keys}, peers {peers}, keys of peers {keys_of_peers}, signing {}, \
             verification {}, discovery {}",
            role(self.issuing.is_some()),
            self.inbound.as_ref().map_or("no", |inbound| inbound.mode.name()),
            role(self.discovery.is_some()),
        )
    }

    /// Who does the arithmetic of what, in one line for the log.
    #[must_use]
    pub fn crypto_summary(&self) -> String {
        let choices = self.arithmetic.iter().map(|((operation, algorithm), backend)| {
            format!("{} {} by {}", operation.name(), algorithm.name(), backend.name())
        });
        format!("crypto: {}", choices.collect::<Vec<_>>().join(", "))
    }

    /// Compiles a configuration.
    ///
    /// # Errors
    /// What no single field shows: keys that cannot be read, do not fit or are where they must not be, names used
    /// twice, fields that exclude each other.
    #[inline(never)]
    pub fn compile(mut config: Config, setup: &impl Setup) -> Result<Self, ConfigError> {
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
        let counts = Counts {
            own_keys: keys.own.len(),
            peers: keys.peers.len(),
            keys_of_peers: keys.peers.iter().map(|peer| peer.keys.len()).sum(),
        };
        let discovery = config.issuer.as_deref().map(|issuer| discovery(issuer, &keys, &config));
        let reuses = config.issue.as_ref().is_some_and(|issue| issue.reuse > 0);
        let issuing = match config.issue {
            None => None,
            Some(issue) => {
                let (Some(key), Some(issuer)) = (keys.private, &config.issuer) else {
                    return Err(ConfigError::at("issue", "needs `issuer` and a private key"));
                };
                Some(issuing(issue, issuer, config.token_duration, key, config.verify.is_some(), setup)?)
            }
        };
        let inbound = match config.verify {
            Some(verify) => Some(inbound(verify, config.issuer, keys.own, keys.peers, setup)?),
            None => None,
        };
        let mut warnings = keys.warnings;
        if reuses && inbound.as_ref().is_some_and(|inbound| inbound.verifier.replay.is_some()) {
            warnings.push(REUSE_WITH_REPLAY.to_owned());
        }
        Ok(Self { discovery, inbound, issuing, counts, arithmetic: keys.arithmetic, warnings })
    }
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

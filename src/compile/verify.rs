//! How inbound tokens are treated, compiled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::keys::PeerKeys;
use crate::cache::{Cache, Capacity};
use crate::config::{ConfigError, LONGEST_DURATION, Revocations, Verify};
use crate::denial::Denial;
use crate::gateway::Verification;
use crate::host::Setup;
use crate::http::credential::Place;
use crate::trust::limits::Limits;
use crate::trust::replay::Replay;
use crate::trust::revocation::Revoked;
use crate::trust::{KeySet, TrustedKey};
use crate::verify::Verifier;

#[inline(never)]
pub(super) fn verification(
    verify: Verify,
    issuer: Option<String>,
    own: Vec<TrustedKey>,
    peers: Vec<PeerKeys>,
    setup: &impl Setup,
) -> Result<Verification, ConfigError> {
    check_places(&verify)?;
    check_outputs(&verify)?;
    let replay = replay(verify.replay, setup)?;
    let cache = cache(verify.cache, replay.is_some())?;
    // What is to be accepted once must come to an end. No wristband lives longer than a day.
    let longest = replay.is_some().then_some(LONGEST_DURATION);
    let mut issuers = HashMap::new();
    let own = issuer.clone().map(|issuer| (issuer, Limits::default(), own));
    for (issuer, mut policy, keys) in peers.into_iter().map(|peer| (peer.issuer, peer.policy, peer.keys)).chain(own) {
        if policy.audiences.is_empty() {
            policy.audiences.clone_from(&verify.audiences);
        }
        policy.max_lifetime = policy.max_lifetime.or(longest);
        issuers.insert(issuer, (KeySet::new(keys), policy));
    }
    Ok(Verification {
        denials: Denial::ALL.map(|denial| (denial, Rc::new(denial.into()))).into(),
        remembered: (cache.values > 0).then(|| RefCell::new(Cache::new(cache))),
        verifier: Verifier {
            own_issuer: issuer,
            issuers,
            types: verify.types,
            clock_skew: verify.clock_skew,
            revoked: revoked(verify.revoked),
            replay,
        },
        mode: verify.mode,
        places: verify.places,
        allow_cors_preflight: verify.allow_cors_preflight,
        forward: verify.forward,
        payload_header: verify.output_payload_to_header,
        claim_headers: verify.output_claim_to_headers.into_iter().map(|output| output.output).collect(),
    })
}

fn revoked(revocations: Revocations) -> Revoked {
    let issuers = revocations.issuers.into_iter();
    Revoked {
        keys: revocations.keys.into_iter().map(|key| key.name).collect(),
        tokens: revocations.tokens.into_iter().collect(),
        issued_before: issuers.map(|revoked| (revoked.issuer, revoked.issued_before)).collect(),
    }
}

fn replay(tokens: Option<u32>, setup: &impl Setup) -> Result<Option<Replay>, ConfigError> {
    const NEEDED: &str = "the host keeps no shared data; allow `proxy_get_shared_data` and `proxy_set_shared_data`";
    let Some(tokens) = tokens else {
        return Ok(None);
    };
    Replay::reserve(tokens, setup).map(Some).ok_or_else(|| ConfigError::at("verify.replay", NEEDED))
}

fn cache(limits: Option<Capacity>, has_replay: bool) -> Result<Capacity, ConfigError> {
    match limits {
        None if has_replay => Ok(Capacity { values: 0, ..Capacity::default() }),
        Some(limits) if has_replay && limits.values > 0 => {
            Err(ConfigError::at("verify.cache", "excludes `replay`, with which no token is accepted twice"))
        }
        limits => Ok(limits.unwrap_or_default()),
    }
}

/// A place listed twice would find every token twice.
#[inline(never)]
fn check_places(verify: &Verify) -> Result<(), ConfigError> {
    for (index, place) in verify.places.iter().enumerate() {
        if verify.places.iter().take(index).any(|other| other.clashes_with(place)) {
            let path = match place {
                Place::Header { .. } => format!("verify.fromHeaders[{index}]"),
                Place::Cookie(_) => "verify.fromCookies".to_owned(),
                Place::Parameter(_) => "verify.fromParams".to_owned(),
            };
            return Err(ConfigError::at(path, "the same place is listed already"));
        }
    }
    Ok(())
}

/// Each output has a header of its own, and none is one that carries tokens.
#[inline(never)]
fn check_outputs(verify: &Verify) -> Result<(), ConfigError> {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (path, name) in verify.outputs() {
        if verify.carries_tokens(name) {
            return Err(ConfigError::at(path, "this header carries tokens"));
        }
        if let Some(first) = seen.get(name.as_str()) {
            return Err(ConfigError::at(path, format!("the same header as {first}")));
        }
        seen.insert(name.as_str(), path);
    }
    Ok(())
}

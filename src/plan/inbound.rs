//! How inbound tokens are treated, compiled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Inbound;
use super::keys::PeerKeys;
use crate::cache::{Cache, Limits};
use crate::config::{ConfigError, LONGEST_DURATION, Verify};
use crate::credential::Place;
use crate::denial::Denial;
use crate::host::Setup;
use crate::policy::Policy;
use crate::replay::Replay;
use crate::revocation::Revoked;
use crate::trust::{KeySet, TrustedKey};
use crate::verify::Verifier;

#[inline(never)]
pub(super) fn inbound(
    verify: Verify,
    issuer: Option<String>,
    own: Vec<TrustedKey>,
    peers: Vec<PeerKeys>,
    setup: &impl Setup,
) -> Result<Inbound, ConfigError> {
    check_places(&verify)?;
    check_outputs(&verify)?;
    let replay = match verify.replay {
        Some(tokens) => Some(Replay::reserve(tokens, setup).ok_or_else(|| {
            let needed = "the host keeps no shared data; allow `proxy_get_shared_data` and `proxy_set_shared_data`";
            ConfigError::at("verify.replay", needed)
        })?),
        None => None,
    };
    // What is to be remembered must come to an end. No wristband lives longer than a day.
    let bound_lifetime = |policy: &mut Policy| {
        if replay.is_some() {
            policy.max_lifetime.get_or_insert(LONGEST_DURATION);
        }
    };
    let mut issuers: HashMap<_, _> = peers
        .into_iter()
        .map(|peer| {
            let mut policy = peer.policy;
            bound_lifetime(&mut policy);
            if policy.audiences.is_empty() {
                policy.audiences.clone_from(&verify.audiences);
            }
            (peer.issuer, (KeySet::new(peer.keys), policy))
        })
        .collect();
    if let Some(issuer) = &issuer {
        let mut policy = Policy { audiences: verify.audiences, ..Policy::default() };
        bound_lifetime(&mut policy);
        issuers.insert(issuer.clone(), (KeySet::new(own), policy));
    }
    let cache = match (verify.cache, &replay) {
        (None, Some(_)) => Limits { values: 0, ..Limits::default() },
        (Some(cache), Some(_)) if cache.values > 0 => {
            return Err(ConfigError::at("verify.cache", "excludes `replay`, with which no token is accepted twice"));
        }
        (cache, _) => cache.unwrap_or_default(),
    };
    Ok(Inbound {
        denials: Denial::ALL.map(|denial| (denial, Rc::new(denial.into()))).into(),
        remembered: (cache.values > 0).then(|| RefCell::new(Cache::new(cache))),
        verifier: Verifier {
            own_issuer: issuer,
            issuers,
            types: verify.types,
            clock_skew: verify.clock_skew,
            revoked: Revoked {
                keys: verify.revoked.keys.into_iter().map(|(name, _)| name).collect(),
                tokens: verify.revoked.tokens.into_iter().collect(),
                issued_before: verify
                    .revoked
                    .issued_before
                    .into_iter()
                    .map(|(issuer, start, _)| (issuer, start))
                    .collect(),
            },
            replay,
        },
        mode: verify.mode,
        places: verify.places,
        allow_cors_preflight: verify.allow_cors_preflight,
        forward: verify.forward,
        payload_header: verify.output_payload_to_header,
        claim_headers: verify.output_claim_to_headers,
    })
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

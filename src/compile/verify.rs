//! How inbound tokens are treated, compiled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::keys::{Keys, Signs};
use crate::cache::{Cache, Capacity};
use crate::config::{LONGEST_DURATION, Peer, Problems, Revocations, Verify};
use crate::denial::Denial;
use crate::gateway::{PRINCIPAL, Verification};
use crate::host::Setup;
use crate::http::credential::Place;
use crate::jose::claims;
use crate::jose::path::Path;
use crate::trust::limits::Limits;
use crate::trust::replay::{OnFull, Replay};
use crate::trust::revocation::Revoked;
use crate::trust::{KeySet, Origin, Ring, SELF, TrustedIssuer};
use crate::verify::Verifier;

/// Whom this gateway trusts, and within which limits.
pub(super) fn ring(issuer: Option<&str>, peers: Vec<Peer>, verify: Option<&Verify>, keys: &mut Keys) -> Ring {
    let own_origin = match &keys.signing {
        Some(Signs::ByCall) => Origin::ByCall { is_known: false },
        Some(Signs::Now(_)) | None => Origin::Configured,
    };
    let mut sources = 0..;
    // What is to be accepted once must come to an end. No wristband lives longer than a day.
    let longest = verify.is_some_and(|verify| verify.replay.is_some()).then_some(LONGEST_DURATION);
    let audiences = verify.map(|verify| verify.audiences.as_slice()).unwrap_or_default();
    let types = verify.and_then(|verify| verify.types.as_ref());
    let limited = |mut limits: Limits| {
        limits.types = limits.types.or_else(|| types.cloned());
        if limits.audiences.is_empty() {
            limits.audiences = audiences.to_vec();
        }
        limits.max_lifetime = limits.max_lifetime.or(longest);
        Rc::new(limits)
    };
    let own = issuer.map(|issuer| TrustedIssuer {
        name: issuer.to_owned(),
        label: SELF.into(),
        is_own: true,
        origin: own_origin,
        keys: KeySet::new(std::mem::take(&mut keys.own)),
        limits: limited(Limits::default()),
    });
    let peers = peers.into_iter().zip(std::mem::take(&mut keys.peers)).filter_map(|(peer, keys)| {
        let source = peer.remote_jwks.and_then(|_| sources.next());
        let origin = source.map_or(Origin::Configured, |source| Origin::Remote { source, fetched: None });
        let (label, keys, limits) = (peer.label.into(), KeySet::new(keys), limited(peer.limits));
        Some(TrustedIssuer { name: peer.issuer?, label, is_own: false, origin, keys, limits })
    });
    Ring::new(own.into_iter().chain(peers))
}

/// `None` where something is missing without which there is no verifying, which has been said.
#[inline(never)]
pub(super) fn verification(
    verify: &Verify,
    ring: &Ring,
    problems: &Problems,
    setup: &impl Setup,
) -> Option<Verification> {
    check_places(verify, problems);
    check_outputs(verify, problems);
    let cache = cache(verify, problems);
    let replay = match verify.replay {
        None => None,
        Some((tokens, on_full)) => Some(replay(tokens, on_full, ring, problems, setup)?),
    };
    Some(Verification {
        denials: Denial::ALL.map(|denial| (denial, Rc::new(denial.into()))).into(),
        remembered: (cache.values > 0).then(|| RefCell::new(Cache::new(cache))),
        verifier: Verifier {
            max_token_bytes: usize::try_from(verify.max_token_bytes).unwrap_or(usize::MAX),
            clock_skew: verify.clock_skew,
            revoked: revoked(&verify.revoked),
            replay,
        },
        mode: verify.mode,
        places: verify.places.clone(),
        allow_cors_preflight: verify.allow_cors_preflight,
        forward: verify.forward,
        on_forged_header: verify.on_forged_header,
        payload_header: verify.output_payload_to_header.clone(),
        claim_headers: verify.output_claim_to_headers.iter().map(|output| output.output.clone()).collect(),
    })
}

fn revoked(revocations: &Revocations) -> Revoked {
    let issuers = revocations.issuers.iter();
    Revoked {
        keys: revocations.keys.iter().map(|key| key.name.clone()).collect(),
        tokens: revocations.tokens.iter().cloned().collect(),
        issued_before: issuers.map(|revoked| (revoked.issuer.clone(), revoked.issued_before)).collect(),
    }
}

fn replay(tokens: u32, on_full: OnFull, ring: &Ring, problems: &Problems, setup: &impl Setup) -> Option<Replay> {
    const NEEDED: &str = "the host keeps no shared data; allow `proxy_get_shared_data` and `proxy_set_shared_data`";
    let issuers = ring.own().into_iter().chain(ring.peers()).map(|issuer| issuer.name.as_str());
    let replay = Replay::reserve(tokens, on_full, issuers, setup);
    if replay.is_none() {
        problems.error(&Path::of(&["verify", "replay"]), NEEDED);
    }
    replay
}

fn cache(verify: &Verify, problems: &Problems) -> Capacity {
    match verify.cache {
        None if verify.replay.is_some() => Capacity { values: 0, ..Capacity::default() },
        Some(cache) if verify.replay.is_some() && cache.values > 0 => {
            let problem = "excludes `replay`, with which no token is accepted twice";
            problems.error(&Path::of(&["verify", "cache"]), problem);
            cache
        }
        cache => cache.unwrap_or_default(),
    }
}

/// A place listed twice would find every token twice.
#[inline(never)]
fn check_places(verify: &Verify, problems: &Problems) {
    for (index, place) in verify.places.iter().enumerate() {
        if verify.places.iter().take(index).any(|other| other.clashes_with(place)) {
            let path = match place {
                Place::Header { .. } => Path::of(&["verify", "fromHeaders"]).item(index),
                Place::Cookie(_) => Path::of(&["verify", "fromCookies"]),
                Place::Parameter(_) => Path::of(&["verify", "fromParams"]),
                Place::WebSocketProtocol(_) => Path::of(&["verify", "fromWebSocketProtocols"]),
            };
            problems.error(&path, "the same place is listed already");
        }
    }
}

/// A claim that no peer may pass on is a header that never comes.
pub(super) fn check_claims(verify: &Verify, peers: &[Peer], problems: &Problems) {
    for output in &verify.output_claim_to_headers {
        let claim = &*output.output.claim;
        let first = match claim.strip_prefix('/') {
            Some(pointer) => pointer.split('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~"),
            None => claim.split('.').next().unwrap_or_default().to_owned(),
        };
        let passes = |name: &str| claims::reserved(name).is_some() || name == PRINCIPAL;
        let is_left_out = |peer: &Peer| {
            let is_listed = |claims: &Vec<String>| claims.iter().any(|listed| listed == claim || *listed == first);
            peer.limits.claims.as_ref().is_some_and(|claims| !is_listed(claims))
        };
        if !peers.is_empty() && !passes(&first) && peers.iter().all(is_left_out) {
            let problem = "the `claims` of every peer leave it out, so no peer's token brings it";
            problems.warn(&output.path.member("claim"), problem);
        }
    }
}

/// Each output has a header of its own, and none is one that carries tokens.
#[inline(never)]
fn check_outputs(verify: &Verify, problems: &Problems) {
    let mut seen: HashMap<&str, Path> = HashMap::new();
    for (path, name) in verify.outputs() {
        if verify.carries_tokens(name) {
            problems.error(&path, "this header carries tokens");
        } else if let Some(first) = seen.get(name.as_str()) {
            problems.error(&path, format!("the same header as {first}"));
        } else {
            seen.insert(name.as_str(), path);
        }
    }
}

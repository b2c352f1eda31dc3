//! What is allowed, and seldom meant: warnings of what keys and peers together will do.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::{Config, Peer, Problems};
use crate::time::Timestamp;
use crate::trust::TrustedKey;

const OURS: &str = "is a key of our own too; whoever holds its private half speaks for both issuers";

/// Seconds by which the clocks of those who verify may differ from ours.
const SKEW: u32 = 30;

/// A key that ends while a wristband that it has signed may still be under way, or while consumers may still take it for the
/// one that signs.
pub(super) fn warn_of_early_ends(config: &Config, problems: &Problems, now: Timestamp) {
    let (duration, max_age) = (config.token_duration, config.discovery.max_age);
    let most = duration.saturating_add(SKEW).saturating_add(max_age);
    for key in config.signing_key_refs.iter().skip(1) {
        let Some(end) = key.not_after.filter(|end| *end > now && *end < now.after(most)) else {
            continue;
        };
        let left = end.0.saturating_sub(now.0);
        let problem = format!(
            "is {left} seconds from now: if the key has signed until now, its wristbands live {duration} seconds more, and \
             `discovery.maxAge` is {max_age}; let it end {most} seconds after it last signed"
        );
        problems.warn(&key.path.member("notAfter"), problem);
    }
}

/// A key of ours at a peer: allowed, since an issuer can have two names, but seldom meant.
pub(super) fn warn_of_shared<'c>(
    own: &[Rc<TrustedKey>],
    peers: impl Iterator<Item = (&'c Peer, &'c Vec<Rc<TrustedKey>>)>,
    problems: &Problems,
) {
    let id = |key: &TrustedKey| key.key.public().to_jwk().to_string();
    let own: HashMap<_, _> = own.iter().map(|key| (id(key), &key.name)).collect();
    for (peer, keys) in peers {
        if keys.iter().any(|key| own.contains_key(&id(key))) {
            problems.warn(&peer.path, format!("one of its keys {OURS}"));
        }
    }
}

/// Two peers whose metrics nobody could tell apart.
pub(super) fn warn_of_same_labels(peers: &[Peer], problems: &Problems) {
    let mut seen: HashMap<&str, &Peer> = HashMap::new();
    for peer in peers {
        if let Some(first) = seen.insert(&peer.label, peer) {
            let problem = format!("has the metrics of {}; give one of them a `label`", first.path);
            problems.warn(&peer.path, problem);
        }
    }
}

//! Where keys are fetched from, compiled.

use std::rc::Rc;

use crate::config::{Config, KeySource, Problems};
use crate::crypto::{Chosen, Preference, Tables};
use crate::sources::{Location, OwnPolicy, OwnSource, PeerSource, Policy, Reading, Sources};
use crate::trust::Ring;
use crate::verify::LONGEST_SKEW;

/// Seconds that a key is published before it signs, beyond those for which clients may keep the set.
const ANNOUNCED_LONGER: u32 = 60;

/// What a configuration says of its sources.
pub(super) struct Named {
    own: Option<(Location, OwnPolicy)>,
    peers: Vec<NamedPeer>,
    preference: Preference,
}

struct NamedPeer {
    issuer: String,
    label: String,
    location: Location,
    reading: Reading,
    policy: Policy,
}

impl Named {
    /// Those that are there.
    #[inline(never)]
    pub(super) fn of(config: &Config, problems: &Problems) -> Self {
        let max_age = config.discovery.max_age;
        let own = config.signing_key_refs.first().filter(|_| config.issue.is_some()).and_then(|key| {
            let Some(KeySource::Call(call)) = &key.key else {
                return None;
            };
            let announce = call.announce.unwrap_or(max_age.saturating_add(ANNOUNCED_LONGER));
            if (1..max_age).contains(&announce) {
                let problem = format!(
                    "is {announce} seconds, and `discovery.maxAge` {max_age}: whoever has kept our JWKS for so long will not know \
                     the key that signs by then; let it be longer"
                );
                problems.warn(&key.path.member("key").member("announce"), problem);
            }
            let policy = OwnPolicy {
                algorithm: key.algorithm?,
                refresh: call.refresh,
                announce,
                // Its last wristband, wherever the clock is slow, and whoever has kept the set.
                retire: config.token_duration.saturating_add(LONGEST_SKEW).saturating_add(max_age),
                allows_worthless: config.allow_worthless_keys,
                verifies: config.verify.is_some(),
            };
            Some((call.location.clone(), policy))
        });
        // Without `verify` nothing is done with the keys of peers.
        let peers = config.peers.iter().filter(|_| config.verify.is_some()).filter_map(|peer| {
            let remote = peer.remote_jwks.as_ref()?;
            let reading =
                Reading { algorithms: peer.algorithms.clone(), allows_worthless: config.allow_worthless_keys };
            Some(NamedPeer {
                issuer: peer.issuer.clone()?,
                label: peer.label.clone(),
                location: remote.location.clone(),
                reading,
                policy: remote.policy,
            })
        });
        Self { own, peers: peers.collect(), preference: config.crypto }
    }

    /// The sources of those who are in the ring.
    pub(super) fn sources(self, ring: &Ring, chosen: &Chosen, tables: &Rc<Tables>) -> Option<Sources> {
        let own = self
            .own
            .zip(ring.own())
            .map(|((location, policy), own)| OwnSource::new(location, &policy, own.keys.keys().to_vec()));
        let peers = self.peers.into_iter().filter_map(|named| {
            let limits = Rc::clone(&ring.select(&named.issuer).ok()?.limits);
            let NamedPeer { issuer, label, location, reading, policy } = named;
            Some(PeerSource::new(issuer, label.into(), limits, location, reading, policy))
        });
        Sources::new(own, peers.collect(), self.preference, chosen.clone(), Rc::clone(tables))
    }
}

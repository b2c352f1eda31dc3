//! What is shown of a gateway in force beside what requests cause: gauges, and what happens at its sources.

use std::collections::BTreeMap;
use std::rc::Rc;

use log::{debug, info, warn};

use super::abi::Refused;
use super::active::Active;
use super::now;
use crate::compile::{Report, VERSION, endings};
use crate::crypto::{Backend, Chosen, Operation};
use crate::jose::algorithm::Algorithm;
use crate::sources::{News, PeerSource, Sources};
use crate::time::Timestamp;
use crate::trust::{Origin, TrustedIssuer, label};

/// How many failures in a row it takes until they are worth a warning.
const PATIENCE: u32 = 3;

impl Active {
    /// Shows what is in force. What is refused by the first metric would be refused by all.
    pub(super) fn show(&self, report: &Report) -> Result<(), Refused> {
        self.metrics.record("configured_timestamp_seconds", &[], seconds(now()))?;
        self.show_arithmetic(&report.arithmetic);
        self.show_ends();
        self.show_keys();
        let sources = self.gateway.sources().map(Sources::peers).unwrap_or_default();
        // From zero on, so that the first one is seen to be one more.
        sources.iter().for_each(|peer| self.metrics.begin("jwks_failures", &[("peer", peer.label())]));
        if self.gateway.sources().is_some_and(|sources| sources.own().is_some()) {
            self.metrics.begin("key_rejected", &[]);
        }
        for name in ["jwks_keys", "jwks_skipped", "jwks_fetched_timestamp_seconds"] {
            self.metrics.forget_all_but(name, sources.iter().map(PeerSource::label));
        }
        report.sets.iter().for_each(|set| self.show_set(&set.label, set.keys, set.skipped));
        Ok(())
    }

    /// Warns of issuers who will have no keys.
    pub(super) fn warn_of_ends(&self) {
        for ending in endings(&self.gateway.ring(), now()) {
            let line = || self.line(format_args!("{ending}; it is the last one of its issuer, and needs a successor"));
            self.endings.say(&ending, line);
        }
    }

    /// Shows which version this is, and who does the arithmetic.
    fn show_arithmetic(&self, arithmetic: &Chosen) {
        let labels = |((operation, algorithm), by): (&(Operation, Algorithm), &Backend)| {
            [("operation", operation.name()), ("algorithm", algorithm.name()), ("by", by.name())]
        };
        let labels: Vec<_> = arithmetic.iter().map(labels).collect();
        let version = [("version", VERSION)];
        let has_tables = |by: &Backend| matches!(by, Backend::TablesOrHost | Backend::TablesOrWasm);
        if arithmetic.values().any(has_tables) {
            self.metrics.begin("crypto_disagreed", &[]);
        }
        let crypto = labels.iter().map(|labels| ("crypto", &labels[..]));
        self.metrics.share(crypto.chain([("build_info", &version[..])]));
    }

    /// Shows when the keys of the configuration end.
    fn show_ends(&self) {
        let ring = self.gateway.ring();
        // Two names may look alike: then the first end counts.
        let mut ends: BTreeMap<(Rc<str>, String), u64> = BTreeMap::new();
        for issuer in ring.issuers().filter(|issuer| !matches!(issuer.origin, Origin::Remote { .. })) {
            for key in issuer.keys.keys() {
                if let Some(end) = key.not_after.map(seconds) {
                    let known = ends.entry((Rc::clone(&issuer.label), label(&key.name))).or_insert(end);
                    *known = end.min(*known);
                }
            }
        }
        let labels: Vec<_> = ends.keys().map(|(peer, kid)| [("peer", &**peer), ("kid", kid.as_str())]).collect();
        let ends = labels.iter().zip(ends.values()).map(|(labels, end)| (&labels[..], *end));
        self.metrics.record_all("key_not_after_timestamp_seconds", ends);
    }

    /// Shows how many keys each issuer has, with those that have ended.
    pub(super) fn show_keys(&self) {
        let ring = self.gateway.ring();
        let before = self.shown.replace(Some(Rc::clone(&ring)));
        if before.as_ref().is_some_and(|shown| Rc::ptr_eq(shown, &ring)) {
            return;
        }
        let is_shown = |issuer: &Rc<TrustedIssuer>| {
            let shown = before.as_ref().and_then(|before| before.select(&issuer.name).ok());
            shown.is_some_and(|shown| Rc::ptr_eq(shown, issuer))
        };
        let changed = ring.issuers().filter(|issuer| !is_shown(issuer));
        let mut counts: BTreeMap<&str, u64> = changed.map(|issuer| (&*issuer.label, 0)).collect();
        for issuer in ring.issuers() {
            if let Some(count) = counts.get_mut(&*issuer.label) {
                *count = count.saturating_add(u64::try_from(issuer.keys.keys().len()).unwrap_or(u64::MAX));
            }
        }
        let labels: Vec<_> = counts.keys().map(|peer| [("peer", *peer)]).collect();
        let counts = labels.iter().map(|label| &label[..]).zip(counts.values().copied());
        if before.is_some() {
            // Issuers come and go with configurations only.
            for (labels, count) in counts {
                let _ = self.metrics.record("keys", labels, count);
            }
        } else {
            self.metrics.record_all("keys", counts);
        }
    }

    /// Shows how many keys of a peer's set are used.
    pub(super) fn show_set(&self, label: &str, keys: usize, skipped: usize) {
        for (name, count) in [("jwks_keys", keys), ("jwks_skipped", skipped)] {
            let _ = self.metrics.record(name, &[("peer", label)], u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Says what has happened at a source, and shows it.
    pub(super) fn tell(&self, news: &News) {
        let sources = self.gateway.sources();
        let peer = |index: usize| sources.and_then(|sources| sources.peers().get(index)).map(PeerSource::label);
        match news {
            News::KeyChanged { at, .. } => {
                info!("{}", self.line(news));
                let _ = self.metrics.record("key_changed_timestamp_seconds", &[], seconds(*at));
            }
            News::KeyAnnounced { .. } => info!("{}", self.line(news)),
            News::KeyRejected(_) => {
                warn!("{}", self.line(news));
                self.metrics.increment("key_rejected", &[]);
            }
            News::KeyIsWorthless(_) => warn!("{}", self.line(news)),
            News::Renewed { peer: index, at, keys, left_out, .. } => {
                let label = peer(*index).unwrap_or_default();
                debug!("{}", self.line(format_args!("peer {label}: {news}")));
                let _ = self.metrics.record("jwks_fetched_timestamp_seconds", &[("peer", label)], seconds(*at));
                self.show_set(label, *keys, *left_out);
            }
            News::Expired { peer: index } => {
                let label = peer(*index).unwrap_or_default();
                warn!("{}", self.line(format_args!("peer {label}: {news}")));
                self.show_set(label, 0, 0);
            }
            News::Recovered { peer: index, failures } => {
                let line = self.line(format_args!("peer {}: {news}", peer(*index).unwrap_or_default()));
                // Where it was a warning that it did not come.
                if *failures >= PATIENCE {
                    info!("{line}");
                } else {
                    debug!("{line}");
                }
            }
            News::Failed { peer: index, failures, is_refused, .. } => {
                let label = peer(*index).unwrap_or_default();
                let line = self.line(format_args!("peer {label}: {news}"));
                // Once in a row, and soon where the peer itself is to mend it.
                if *is_refused || *failures == PATIENCE {
                    warn!("{line}");
                } else {
                    debug!("{line}");
                }
                self.metrics.increment("jwks_failures", &[("peer", label)]);
            }
        }
        if let (Some(sources), News::KeyChanged { .. } | News::Renewed { .. }) = (sources, news) {
            self.show_arithmetic(&sources.arithmetic());
        }
    }
}

/// A time as gauges have it.
pub(super) fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or_default()
}

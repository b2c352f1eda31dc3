//! A gateway in force in one VM: what it decides is carried out, counted and said.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;

use log::{debug, info, warn};
use proxy_wasm::types::Action;

use super::abi::{self, HeaderMap, Refused};
use super::answers::Envoy;
use super::complaint::{Complaint, Endings};
use super::metrics::Metrics;
use super::{filter_state, now};
use crate::compile::{Report, VERSION, endings};
use crate::crypto::{Backend, Chosen, Operation};
use crate::encoding::pairs;
use crate::gateway::{Admission, Admitted, Decision, Denied, Edits, Event, Gateway, Waiting};
use crate::host::Setup as _;
use crate::http::headers::Headers;
use crate::http::reply::Reply;
use crate::jose::algorithm::Algorithm;
use crate::sources::{News, PeerSource, Sources};
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey, label};

/// How many failures in a row it takes until they are worth a warning.
const PATIENCE: u32 = 3;

/// A configuration in force, and what is shown of it.
pub(super) struct Active {
    pub(super) gateway: Gateway,
    pub(super) metrics: Metrics,
    /// As log lines begin: with the name of the plugin, which Envoy has in those of requests only.
    prefix: String,
    /// The ring whose keys the metrics show.
    shown: RefCell<Option<Rc<Ring>>>,
    /// Of what the host refuses, which is the operator's to mend.
    refusals: Complaint,
    /// Of what cannot be signed. Clients can cause it, so it must not silence the other.
    failures: Complaint,
    endings: Endings,
}

impl Active {
    /// A configuration that is in force from now on.
    pub(super) fn new(gateway: Gateway) -> Self {
        let plugin = Envoy.plugin_name();
        let metrics = Metrics::new(&plugin);
        let endings = Endings::new(&plugin, &gateway.ring());
        let prefix = if plugin.is_empty() { plugin } else { plugin + ": " };
        let (shown, refusals, failures) = Default::default();
        Self { gateway, metrics, prefix, shown, refusals, failures, endings }
    }

    /// A line for the log.
    pub(super) fn line(&self, text: impl Display) -> String {
        format!("{}{text}", self.prefix)
    }

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
        for (issuer, key, end) in endings(&self.gateway.ring(), now()) {
            let line =
                || format!("{}; it is the last one of its issuer, and needs a successor", ends(&issuer, &key, end));
            self.endings.say(&issuer, &key, || self.line(line()));
        }
    }

    /// Shows which version this is, and who does the arithmetic.
    fn show_arithmetic(&self, arithmetic: &Chosen) {
        let labels = |((operation, algorithm), by): (&(Operation, Algorithm), &Backend)| {
            [("operation", operation.name()), ("algorithm", algorithm.name()), ("by", by.name())]
        };
        let labels: Vec<_> = arithmetic.iter().map(labels).collect();
        let version = [("version", VERSION)];
        let crypto = labels.iter().map(|labels| ("crypto", &labels[..]));
        self.metrics.share(crypto.chain([("build_info", &version[..])]));
    }

    /// Shows when the keys of the configuration end.
    fn show_ends(&self) {
        let ring = self.gateway.ring();
        let ends = ring.issuers().flat_map(|issuer| {
            let end =
                |key: &Rc<TrustedKey>| Some((Rc::clone(&issuer.label), label(&key.name), seconds(key.not_after?)));
            issuer.keys.keys().iter().filter_map(end).collect::<Vec<_>>()
        });
        let ends: Vec<_> = ends.collect();
        let labels: Vec<_> = ends.iter().map(|(peer, kid, _)| [("peer", &**peer), ("kid", kid.as_str())]).collect();
        let ends = labels.iter().zip(&ends).map(|(labels, (_, _, end))| (&labels[..], *end));
        self.metrics.record_all("key_not_after_timestamp_seconds", ends);
    }

    /// Shows how many keys each issuer has, with those that have ended.
    pub(super) fn show_keys(&self) {
        let ring = self.gateway.ring();
        if self.shown.borrow().as_ref().is_some_and(|shown| Rc::ptr_eq(shown, &ring)) {
            return;
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for issuer in ring.issuers() {
            let count = counts.entry(&issuer.label).or_default();
            *count = count.saturating_add(u64::try_from(issuer.keys.keys().len()).unwrap_or(u64::MAX));
        }
        let labels: Vec<_> = counts.keys().map(|peer| [("peer", *peer)]).collect();
        self.metrics.record_all("keys", labels.iter().map(|label| &label[..]).zip(counts.values().copied()));
        self.shown.replace(Some(ring));
    }

    /// Shows how many keys of a peer's set are used.
    pub(super) fn show_set(&self, label: &str, keys: usize, skipped: usize) {
        for (name, count) in [("jwks_keys", keys), ("jwks_skipped", skipped)] {
            let _ = self.metrics.record(name, &[("peer", label)], u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// A request, as far as it goes without a response. `waited` is what it has waited for.
    pub(super) fn on_request(&self, waited: Option<Waiting>) -> Result<Step, Refused> {
        let bytes = HeaderMap::Request.read()?;
        let headers = Headers::new(pairs::read(&bytes).ok_or(Refused)?);
        let now = now();
        let admission = match waited {
            None => self.gateway.on_request(&headers, now, &Envoy),
            Some(waited) => self.gateway.on_request_again(&headers, waited, now, &Envoy),
        };
        let (edits, mut admitted) = match admission {
            Admission::Answered(answer) => {
                self.answer(&answer, &[Event::Discovery]);
                return Ok(Step::Answered);
            }
            Admission::Denied(answer, denied) => {
                self.tell_denied(&denied, false);
                self.answer(&answer, &[]);
                return Ok(Step::Answered);
            }
            Admission::Waiting(waiting) => return Ok(Step::Waits(waiting)),
            Admission::Admitted(edits, admitted) => (edits, admitted),
        };
        self.apply(HeaderMap::Request, &edits)?;
        let decision = self.gateway.on_admitted(&mut admitted, &headers, now, &Envoy);
        let goes_on = self.carry_out(HeaderMap::Request, decision)? == Action::Continue;
        Ok(if goes_on { Step::GoesOn(admitted) } else { Step::Answered })
    }

    /// What cannot be read or changed does not pass: it may be a header that must not reach the other side.
    pub(super) fn fail(&self) -> Action {
        self.refusals.say("Envoy refuses a host call; see `capability_restriction_config`");
        host_error()
    }

    pub(super) fn carry_out(&self, map: HeaderMap, decision: Decision) -> Result<Action, Refused> {
        match decision {
            Decision::Forward(edits) => self.apply(map, &edits).map(|()| Action::Continue),
            Decision::Reply(answer, events) => Ok(self.answer(&answer, &events)),
        }
    }

    fn answer(&self, answer: &Reply, events: &[Event]) -> Action {
        events.iter().for_each(|event| self.count(*event, None));
        reply(answer)
    }

    fn apply(&self, map: HeaderMap, edits: &Edits) -> Result<(), Refused> {
        for name in &edits.remove {
            map.remove(name.as_str())?;
        }
        for (name, value) in &edits.set {
            map.set(name.as_str(), value.as_bytes())?;
        }
        for (name, value) in &edits.add {
            map.add(name.as_str(), value)?;
        }
        if let Some((name, value)) = &edits.rewrite {
            map.set(name, value)?;
        }
        if let Some(state) = &edits.filter_state {
            filter_state::set_accepted(state)?;
        }
        for claim in &edits.dropped {
            debug!("claim dropped: {claim}");
            self.count(Event::ClaimDropped, None);
        }
        edits.observed.iter().for_each(|denied| self.tell_denied(denied, true));
        if let Some((issuer, key, end)) = &edits.ending {
            self.endings.say(issuer, key, || format!("{}, and is in use", ends(issuer, key, *end)));
        }
        edits.events.iter().for_each(|event| self.count(*event, edits.peer.as_ref()));
        Ok(())
    }

    /// Says why a request is denied, or in `observe` would be.
    fn tell_denied(&self, denied: &Denied, is_observed: bool) {
        let denial = denied.cause.denial();
        let (event, word) =
            if is_observed { (Event::Observed(denial), "observed") } else { (Event::Denied(denial), "denied") };
        debug!("{word}: {denied}");
        filter_state::set_denied(&denied.filter_state());
        self.count(event, denied.peer.as_ref());
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

    fn count(&self, event: Event, peer: Option<&Rc<str>>) {
        if let Event::IssueSkipped(skip) = event {
            debug!("no wristband: {} ({})", skip.code(), skip.text());
            if skip.is_failure() {
                self.failures.say(&format!("no wristband could be signed: {} ({})", skip.code(), skip.text()));
            }
        }
        self.metrics.count(event, peer);
    }
}

fn ends(issuer: &TrustedIssuer, key: &TrustedKey, end: Timestamp) -> String {
    format!("the key `{}` of {} ends at {}", key.name, issuer.name, end.to_rfc3339().unwrap_or_default())
}

/// How far a request has come.
pub(super) enum Step {
    /// It goes on.
    GoesOn(Admitted),
    /// It is held, and nothing of it has been changed.
    Waits(Waiting),
    /// It was answered.
    Answered,
}

/// Answers that nothing could be decided.
pub(super) fn host_error() -> Action {
    reply(&Reply::new(500, &[], String::new(), "wristband_host_error".to_owned()))
}

/// Answers, and stops the request even if that fails.
fn reply(reply: &Reply) -> Action {
    if abi::reply(reply).is_err() {
        warn!("a response could not be sent");
    }
    Action::Pause
}

pub(super) fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or_default()
}

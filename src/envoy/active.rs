//! A gateway in force in one VM: what it decides is carried out, counted and said.

use std::fmt::Display;

use log::{debug, info, warn};
use proxy_wasm::types::Action;

use super::abi::{self, HeaderMap, Refused};
use super::answers::Envoy;
use super::complaint::Complaint;
use super::labelled::Labelled;
use super::{filter_state, now};
use crate::crypto::{Backend, Chosen};
use crate::encoding::pairs;
use crate::gateway::{Admission, Admitted, Decision, Edits, Event, Gateway, Waiting};
use crate::host::Setup as _;
use crate::http::headers::Headers;
use crate::http::reply::Reply;
use crate::sources::{News, PeerSource};
use crate::time::Timestamp;

/// How many failures in a row it takes until they are worth a warning.
const PATIENCE: u32 = 3;

/// A configuration in force and the counters it counts with.
pub(super) struct Active {
    pub(super) gateway: Gateway,
    pub(super) metrics: Labelled,
    /// As log lines begin: with the name of the plugin, which Envoy has in those of requests only.
    prefix: String,
    counters: Vec<(Event, u32)>,
    /// Of what the host refuses, which is the operator's to mend.
    refusals: Complaint,
    /// Of what cannot be signed. Clients can cause it, so it must not silence the other.
    failures: Complaint,
}

impl Active {
    /// With a counter for everything that can be counted.
    pub(super) fn new(gateway: Gateway) -> Result<Self, Refused> {
        let plugin = Envoy.plugin_name();
        let metrics = Labelled::new(&plugin);
        let prefix = if plugin.is_empty() { plugin } else { plugin + ": " };
        let counters = Event::all().map(|event| Ok((event, abi::define_counter(&event.counter())?)));
        let counters = counters.collect::<Result<_, Refused>>()?;
        let (refusals, failures) = Default::default();
        Ok(Self { gateway, metrics, prefix, counters, refusals, failures })
    }

    /// A line for the log.
    pub(super) fn line(&self, text: impl Display) -> String {
        format!("{}{text}", self.prefix)
    }

    /// Shows who does the arithmetic.
    pub(super) fn show(&self, arithmetic: &Chosen) {
        for ((operation, algorithm), backend) in arithmetic {
            let name = format!("wristband.host_crypto.{}.{}", operation.name(), algorithm.name());
            if let Ok(gauge) = abi::define_gauge(&name) {
                abi::record(gauge, u64::from(*backend == Backend::Host));
            }
        }
    }

    /// Shows how many keys of a peer's set are used.
    pub(super) fn show_set(&self, label: &str, keys: usize, skipped: usize) {
        for (name, count) in [("jwks_keys", keys), ("jwks_skipped", skipped)] {
            self.metrics.record(name, Some(label), u64::try_from(count).unwrap_or(u64::MAX));
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
            Admission::Answered(answer, event) => {
                self.answer(&answer, &[event]);
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
        events.iter().for_each(|event| self.count(*event));
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
            filter_state::set(state)?;
        }
        for claim in &edits.dropped {
            debug!("claim dropped: {claim}");
            self.count(Event::ClaimDropped);
        }
        edits.events.iter().for_each(|event| self.count(*event));
        Ok(())
    }

    /// Says what has happened at a source, and shows it.
    pub(super) fn tell(&self, news: &News) {
        let sources = self.gateway.sources();
        let peer = |index: usize| sources.and_then(|sources| sources.peers().get(index)).map(PeerSource::label);
        match news {
            News::KeyChanged { at, .. } => {
                info!("{}", self.line(news));
                self.metrics.record("key_changed_timestamp_seconds", None, seconds(*at));
            }
            News::KeyAnnounced { .. } => info!("{}", self.line(news)),
            News::KeyRejected(_) => {
                warn!("{}", self.line(news));
                self.metrics.increment("key_rejected", None);
            }
            News::KeyIsWorthless(_) => warn!("{}", self.line(news)),
            News::Renewed { peer: index, at, keys, left_out, .. } => {
                let label = peer(*index);
                debug!("{}", self.line(format_args!("peer {}: {news}", label.unwrap_or_default())));
                self.metrics.record("jwks_fetched_timestamp_seconds", label, seconds(*at));
                label.iter().for_each(|label| self.show_set(label, *keys, *left_out));
            }
            News::Expired { peer: index } => {
                let label = peer(*index).unwrap_or_default();
                warn!("{}", self.line(format_args!("peer {label}: {news}")));
                self.show_set(label, 0, 0);
            }
            News::Failed { peer: index, failures, is_refused, .. } => {
                let label = peer(*index);
                let line = self.line(format_args!("peer {}: {news}", label.unwrap_or_default()));
                // Once in a row, and soon where the peer itself is to mend it.
                if *is_refused || *failures == PATIENCE {
                    warn!("{line}");
                } else {
                    debug!("{line}");
                }
                self.metrics.increment("jwks_failures", label);
            }
        }
        if let (Some(sources), News::KeyChanged { .. } | News::Renewed { .. }) = (sources, news) {
            self.show(&sources.arithmetic());
        }
    }

    fn count(&self, event: Event) {
        if let Event::Denied(denial) = event {
            debug!("denied: {}", denial.code());
        }
        if let Event::IssueSkipped(skip) = event
            && skip.is_failure()
        {
            self.failures.say(&format!("no wristband could be signed: {}", skip.code()));
        }
        if let Some((_, counter)) = self.counters.iter().find(|(counted, _)| *counted == event) {
            abi::increment(*counter);
        }
    }
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

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or_default()
}

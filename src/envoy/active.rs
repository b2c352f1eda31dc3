//! A gateway in force in one VM: what it decides is carried out, counted and said.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;

use log::{debug, error, warn};
use proxy_wasm::types::Action;

use super::abi::{self, HeaderMap, Refused};
use super::answers::Envoy;
use super::complaint::{Complaint, Endings};
use super::metrics::Metrics;
use super::{TABLES, filter_state, now};
use crate::encoding::pairs;
use crate::gateway::{Admission, Admitted, Decision, Denied, Edits, Event, Gateway, Waiting};
use crate::host::Setup as _;
use crate::http::headers::Headers;
use crate::http::reply::Reply;
use crate::trust::Ring;

/// A configuration in force, and what is shown of it.
pub(super) struct Active {
    pub(super) gateway: Gateway,
    pub(super) metrics: Metrics,
    /// As log lines begin: with the name of the plugin, which Envoy has in those of requests only.
    prefix: String,
    /// The ring whose keys the metrics show.
    pub(super) shown: RefCell<Option<Rc<Ring>>>,
    /// Of what the host refuses, which is the operator's to mend.
    refusals: Complaint,
    /// Of what cannot be signed. Clients can cause it, so it must not silence the other.
    failures: Complaint,
    pub(super) endings: Endings,
    /// Whether tables have ended, and what they had accepted is forgotten.
    is_without_tables: Cell<bool>,
}

impl Active {
    /// A configuration that is in force from now on.
    pub(super) fn new(gateway: Gateway) -> Self {
        let plugin = Envoy.plugin_name();
        let metrics = Metrics::new(&plugin);
        let endings = Endings::new(&plugin, &gateway.ring());
        let prefix = if plugin.is_empty() { plugin } else { plugin + ": " };
        let (shown, refusals, failures, is_without_tables) = Default::default();
        Self { gateway, metrics, prefix, shown, refusals, failures, endings, is_without_tables }
    }

    /// A line for the log.
    pub(super) fn line(&self, text: impl Display) -> String {
        format!("{}{text}", self.prefix)
    }

    /// A request, as far as it goes without a response. `waited` is what it has waited for.
    pub(super) fn on_request(&self, waited: Option<Waiting>) -> Result<Step, Refused> {
        let bytes = HeaderMap::Request.read()?;
        let headers = Headers::new(pairs::read(&bytes).ok_or(Refused)?);
        let now = now();
        self.heed_disagreement();
        let admission = match waited {
            None => self.gateway.on_request(&headers, now, &Envoy),
            Some(waited) => self.gateway.on_request_again(&headers, waited, now, &Envoy),
        };
        self.heed_disagreement();
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
        if let Some(ending) = &edits.ending {
            self.endings.say(ending, || format!("{ending}, and is in use"));
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

    /// Where tables have been wrong, forgets the tokens that they may have accepted. The filter of the VM that has seen it says so.
    fn heed_disagreement(&self) {
        let [are_ended, is_news] = TABLES.with(|tables| [tables.are_ended(), tables.has_disagreed()]);
        if are_ended && !self.is_without_tables.replace(true) {
            self.gateway.forget_tokens();
        }
        if is_news {
            error!("{}", self.line("ES256 by tables has given another answer than the ordinary one, which was taken; this VM uses tables no more: set `crypto: auto` and report it"));
            self.metrics.increment("crypto_disagreed", &[]);
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

/// How far a request has come.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and the large one is the common one")]
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

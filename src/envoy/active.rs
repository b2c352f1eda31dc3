//! A gateway in force in one VM: what it decides is carried out, counted and said.

use log::{debug, warn};
use proxy_wasm::types::Action;

use super::abi::{self, HeaderMap, Refused};
use super::complaint::Complaint;
use super::filter_state;
use crate::gateway::{Decision, Edits, Event, Gateway};
use crate::http::reply::Reply;

/// A configuration in force and the counters it counts with.
pub(super) struct Active {
    pub(super) gateway: Gateway,
    counters: Vec<(Event, u32)>,
    /// Of what the host refuses, which is the operator's to mend.
    pub(super) refusals: Complaint,
    /// Of what cannot be signed. Clients can cause it, so it must not silence the other.
    failures: Complaint,
}

impl Active {
    /// With a counter for everything that can be counted.
    pub(super) fn new(gateway: Gateway) -> Result<Self, Refused> {
        let counters = Event::all().map(|event| Ok((event, abi::define_counter(&event.counter())?)));
        let counters = counters.collect::<Result<_, Refused>>()?;
        Ok(Self { gateway, counters, refusals: Complaint::default(), failures: Complaint::default() })
    }

    pub(super) fn carry_out(&self, map: HeaderMap, decision: Decision) -> Result<Action, Refused> {
        match decision {
            Decision::Forward(edits) => self.apply(map, &edits).map(|()| Action::Continue),
            Decision::Reply(answer, events) => Ok(self.answer(&answer, &events)),
        }
    }

    pub(super) fn answer(&self, answer: &Reply, events: &[Event]) -> Action {
        events.iter().for_each(|event| self.count(*event));
        reply(answer)
    }

    pub(super) fn apply(&self, map: HeaderMap, edits: &Edits) -> Result<(), Refused> {
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

/// Answers, and stops the request even if that fails.
pub(super) fn reply(reply: &Reply) -> Action {
    if abi::reply(reply).is_err() {
        warn!("a response could not be sent");
    }
    Action::Pause
}

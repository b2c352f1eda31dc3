//! Keys that come while the gateway is in force, and requests that wait for them.

use std::rc::Rc;

use super::verification::Accepted;
use super::{Denied, Edits, Gateway, Mode, Verification};
use crate::host::{Crypto, Host};
use crate::http::headers::{HeaderName, Headers};
use crate::sources::{Fetch, News, Outcome, Seat, Sources, Store, Which};
use crate::time::{Moment, Now, Timestamp};

/// A request that waits for a peer's keys. It gives its place back when it is dropped.
#[cfg_attr(test, derive(Debug))]
pub struct Waiting {
    _seat: Seat,
    peer: usize,
    since: Moment,
}

/// What to do with a request's token.
pub(super) enum Verdict<'g> {
    /// It passes, with an accepted token or none.
    Passes(Option<Accepted<'g>>),
    /// It is denied, or would be.
    Denied(Denied),
    /// Its key may come.
    Waits(Waiting),
}

impl Gateway {
    /// The same, with keys that are fetched, and with none of them yet.
    #[must_use]
    pub fn with_sources(self, sources: Option<Sources>) -> Self {
        Self { sources, ..self }
    }

    /// Where keys are fetched from, if any are.
    #[must_use]
    pub fn sources(&self) -> Option<&Sources> {
        self.sources.as_ref()
    }

    /// Goes on with what the VM has fetched for other configurations.
    pub fn join(&self, store: &mut Store, now: Now, host: &dyn Crypto) {
        if let Some(sources) = &self.sources {
            sources.join(store, now);
            self.renew(sources, now.moment, host);
        }
    }

    /// Does what is due by the clock. What has to be fetched comes with it; `caller` lives as long as whoever can receive what
    /// comes of it.
    pub fn on_tick(&self, now: Now, caller: &Rc<()>, host: &dyn Crypto) -> (Vec<Fetch>, Vec<News>) {
        let Some(sources) = &self.sources else {
            return Default::default();
        };
        sources.advance(now);
        self.renew(sources, now.moment, host);
        (sources.due(now.moment, caller), sources.news())
    }

    /// Takes in what came of a fetch that was decided on at `since`.
    pub fn on_fetched(&self, which: Which, since: Moment, outcome: &Outcome, now: Now, host: &dyn Crypto) -> Vec<News> {
        let Some(sources) = &self.sources else {
            return Vec::new();
        };
        sources.fetched(which, since, outcome, now, host);
        self.renew(sources, now.moment, host);
        sources.news()
    }

    /// Whether a request that waits may get what it waits for by waiting on.
    #[must_use]
    pub fn lets_wait(&self, waiting: &Waiting, now: Moment) -> bool {
        self.sources.as_ref().is_some_and(|sources| sources.is_worth_waiting(waiting.peer, waiting.since, now))
    }

    /// Trusts and signs with the keys of now: whether they are others than before.
    fn renew(&self, sources: &Sources, now: Moment, host: &dyn Crypto) -> bool {
        let Some(ring) = sources.renew(&self.ring(), now, host) else {
            return false;
        };
        self.trust(ring);
        if let (Some(own), Some(delivery)) = (sources.own(), &self.delivery) {
            let is_revoked = |name: &str| {
                self.verification.as_ref().is_some_and(|verification| verification.verifier.revoked.covers_key(name))
            };
            let signs = own.signs().filter(|(name, _)| !is_revoked(name));
            delivery.issuer.sign_with(signs.as_ref().map(|(name, key)| (name.as_str(), Rc::clone(key))));
        }
        true
    }

    /// What to do with the token of a request, which may have waited before.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "each is one thing")]
    pub(super) fn judge<'g>(
        &'g self,
        verification: &'g Verification,
        headers: &Headers<'_>,
        ours: Option<&HeaderName>,
        waited: Option<Waiting>,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Verdict<'g> {
        let mut outcome = verification.admit(headers, ours, &self.ring(), now, host, edits);
        if let (Err(Denied { source: Some(_), .. }), Some(sources)) = (&outcome, &self.sources)
            // It may have come for another configuration.
            && self.renew(sources, host.moment(), host)
        {
            outcome = verification.admit(headers, ours, &self.ring(), now, host, edits);
        }
        let denied = match outcome {
            Ok(accepted) => return Verdict::Passes(accepted),
            Err(denied) => denied,
        };
        let (Some(sources), Some(peer)) = (&self.sources, denied.source) else {
            return Verdict::Denied(denied);
        };
        let moment = host.moment();
        if verification.mode == Mode::Observe {
            sources.hurry(peer, moment);
            return Verdict::Denied(denied);
        }
        let waits = match waited {
            Some(waiting) => sources.is_worth_waiting(peer, waiting.since, moment).then_some(waiting),
            None if sources.hurry(peer, moment) => {
                sources.seat().map(|seat| Waiting { _seat: seat, peer, since: moment })
            }
            None => None,
        };
        waits.map_or(Verdict::Denied(denied), Verdict::Waits)
    }
}

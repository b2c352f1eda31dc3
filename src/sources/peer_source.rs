//! Where a peer's set is fetched from, as a configuration says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::news::News;
use super::outcome::Outcome;
use super::peer_set::{Freshness, PeerSet, Reading};
use super::store::Store;
use super::{Fetch, Location, Which};
use crate::crypto::Arithmetic;
use crate::keys::{JwkSet, PublicKey};
use crate::time::{Moment, Now, Timestamp};
use crate::trust::limits::Limits;
use crate::trust::{KeySet, Origin, Ring, TrustedIssuer, TrustedKey};

/// When a peer's set is asked for, and how long it counts.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The time between two fetches.
    pub refresh: Duration,
    /// How long an answer is waited for, and a request for its key.
    pub timeout: Duration,
    /// For how much longer than `refresh` a set counts that cannot be fetched again.
    pub stale_for: Duration,
}

/// The source of a peer's set.
pub struct PeerSource {
    issuer: String,
    /// As metrics name the peer.
    label: Rc<str>,
    limits: Rc<Limits>,
    location: Location,
    reading: Reading,
    policy: Policy,
    state: RefCell<Rc<RefCell<PeerSet>>>,
    /// What the ring has.
    shown: RefCell<Shown>,
}

/// The set, and when it was fetched.
type Shown = Option<(Rc<JwkSet>, Timestamp)>;

impl PeerSource {
    /// A source of the keys of an issuer that is in the ring, with these limits of its word. `label` is how metrics name it.
    #[must_use]
    pub fn new(
        issuer: String,
        label: Rc<str>,
        limits: Rc<Limits>,
        location: Location,
        reading: Reading,
        policy: Policy,
    ) -> Self {
        let (state, shown) = (RefCell::default(), RefCell::default());
        Self { issuer, label, limits, location, reading, policy, state, shown }
    }

    /// How metrics name the peer.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    fn state(&self) -> Rc<RefCell<PeerSet>> {
        Rc::clone(&self.state.borrow())
    }

    pub(super) fn join(&self, store: &mut Store) {
        let state = store.peer(&self.location, &self.reading, &self.state());
        {
            let mut state = state.borrow_mut();
            let due = state.due(self.policy.refresh);
            state.schedule.no_later_than(due);
        }
        self.state.replace(state);
    }

    /// Whether an answer is awaited.
    pub(super) fn is_calling(&self, now: Moment) -> bool {
        self.state().borrow().schedule.is_calling(now)
    }

    /// What is to be fetched now. Without `room` for it only what somebody waits for is.
    pub(super) fn due(&self, index: usize, now: Moment, caller: &Rc<()>, room: bool) -> Option<Fetch> {
        let state = self.state();
        let mut state = state.borrow_mut();
        if !room && !state.schedule.is_wanted() {
            return None;
        }
        state.schedule.begin(now, self.policy.timeout, caller).then(|| {
            let mut fetch = Fetch::get(Which::Peer(index), now, &self.location, self.policy.timeout);
            fetch.headers.push(("accept", "application/jwk-set+json, application/json".to_owned()));
            fetch.headers.extend(state.etag().map(|etag| ("if-none-match", etag.to_owned())));
            fetch
        })
    }

    /// Says what went wrong, and that it goes well again; what has come is found when the ring is renewed.
    pub(super) fn fetched(
        &self,
        peer: usize,
        since: Moment,
        outcome: &Outcome,
        now: Now,
        jitter: u8,
        arithmetic: &mut Arithmetic<'_>,
    ) -> Option<News> {
        let state = self.state();
        let mut state = state.borrow_mut();
        if !state.schedule.end(since) {
            return None;
        }
        let arithmetic = RefCell::new(arithmetic);
        let can_verify = |key: &PublicKey| arithmetic.borrow_mut().verifying(key.clone()).is_ok();
        match state.take(outcome, &self.reading, &can_verify, now) {
            Ok(()) => {
                let failures = state.schedule.succeeded(now.moment, self.policy.refresh, jitter);
                (failures > 0).then_some(News::Recovered { peer, failures })
            }
            Err(failure) => {
                let failures = state.schedule.failed(now.moment);
                Some(News::Failed { peer, why: failure.why, failures, is_refused: failure.is_refused })
            }
        }
    }

    /// The peer with its keys of now, and what to say of it; `None` when the ring has them.
    pub(super) fn renew(
        &self,
        index: usize,
        ring: &Ring,
        now: Moment,
        arithmetic: &mut Arithmetic<'_>,
    ) -> Option<(TrustedIssuer, News)> {
        let state = self.state();
        let state = state.borrow();
        let held = match state.at(now, self.policy.refresh, self.policy.stale_for) {
            Freshness::Fresh(held) | Freshness::Stale(held) => Some(held),
            Freshness::NeverFetched | Freshness::Expired => None,
        };
        let current: Shown = held.map(|held| (Rc::clone(&held.keys), held.fetched));
        let is_shown = match (&current, &*self.shown.borrow()) {
            (None, None) => true,
            (Some((keys, fetched)), Some((shown, at))) => Rc::ptr_eq(keys, shown) && fetched == at,
            _ => false,
        };
        if is_shown {
            return None;
        }
        let before = ring.select(&self.issuer).ok();
        let keys = current.iter().flat_map(|(set, _)| &set.keys).filter_map(|(name, key)| {
            let same = before.and_then(|before| before.keys.same(name, key, [None, None]));
            same.or_else(|| {
                let key = arithmetic.verifying(key.clone()).ok()?;
                Some(Rc::new(TrustedKey { name: name.clone(), key, not_before: None, not_after: None }))
            })
        });
        let keys = KeySet::new(keys.collect());
        let fetched = current.as_ref().map(|(_, fetched)| *fetched);
        let news = match &current {
            None => News::Expired { peer: index },
            Some((set, at)) => {
                let skipped = set.skipped.iter().map(|(index, problem)| format!("keys[{index}]: {problem}")).collect();
                News::Renewed { peer: index, at: *at, keys: keys.keys().len(), left_out: set.left_out, skipped }
            }
        };
        self.shown.replace(current);
        let issuer = TrustedIssuer {
            name: self.issuer.clone(),
            label: Rc::clone(&self.label),
            is_own: false,
            origin: Origin::Remote { source: index, fetched },
            keys,
            limits: Rc::clone(&self.limits),
        };
        Some((issuer, news))
    }

    pub(super) fn hurry(&self, now: Moment) -> bool {
        self.state().borrow_mut().schedule.hurry(now)
    }

    pub(super) fn is_worth_waiting(&self, since: Moment, now: Moment) -> bool {
        let state = self.state();
        let mut state = state.borrow_mut();
        now < since.after(self.policy.timeout) && !state.schedule.has_answered_since(since) && state.schedule.hurry(now)
    }

    /// When there is something to do next: without `room` for another fetch, `None` where that is all.
    pub(super) fn wake(&self, now: Moment, room: bool) -> Option<Moment> {
        let state = self.state();
        let schedule = &state.borrow().schedule;
        (room || schedule.is_wanted() || schedule.is_calling(now)).then(|| schedule.wake(now))
    }
}

//! Where our own key is fetched from, as a configuration says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::news::News;
use super::outcome::Outcome;
use super::own_key::{Kind, Rules, is_same};
use super::own_keys::{OwnKeys, Signing};
use super::store::Store;
use super::{Fetch, Location, Which};
use crate::crypto::{Arithmetic, SigningKey, VerifyingKey};
use crate::jose::algorithm::Algorithm;
use crate::keys::PublicKey;
use crate::time::{Moment, Now, Timestamp};
use crate::trust::{KeySet, Origin, Ring, TrustedIssuer, TrustedKey};

/// The listener is one of the same Envoy, or on the same machine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The source of our own key.
pub struct OwnSource {
    location: Location,
    refresh: Duration,
    rules: Rules,
    /// Keys of ours that the configuration itself has.
    configured: Vec<Rc<TrustedKey>>,
    state: RefCell<Rc<RefCell<OwnKeys>>>,
    /// What the ring has.
    shown: Cell<Option<u64>>,
    /// The key that signs, as it was told last.
    told: RefCell<Option<String>>,
}

/// What a configuration says of the source of our own key.
pub struct OwnPolicy {
    /// Of the key that signs.
    pub algorithm: Algorithm,
    /// Seconds between two fetches.
    pub refresh: u32,
    /// Seconds for which a key is published before it signs.
    pub announce: u32,
    /// Seconds for which a key is published after it has signed.
    pub retire: u32,
    /// Whether keys are accepted whose private halves everyone has.
    pub allows_worthless: bool,
    /// Whether tokens are verified.
    pub verifies: bool,
}

impl OwnSource {
    /// A source, beside the keys of ours that the configuration itself has.
    #[must_use]
    pub fn new(location: Location, policy: &OwnPolicy, configured: Vec<Rc<TrustedKey>>) -> Self {
        let rules = Rules {
            kind: Kind { algorithm: policy.algorithm, allows_worthless: policy.allows_worthless },
            announce: Duration::from_secs(policy.announce.into()),
            retire: policy.retire,
            verifies: policy.verifies,
        };
        Self {
            location,
            refresh: Duration::from_secs(policy.refresh.into()),
            rules,
            configured,
            state: RefCell::default(),
            shown: Cell::new(None),
            told: RefCell::default(),
        }
    }

    /// The key that signs now, and its `kid`.
    #[must_use]
    pub fn signs(&self) -> Option<(String, Rc<SigningKey>)> {
        let state = self.state();
        let state = state.borrow();
        state.signing.active().map(|key| (key.name.clone(), Rc::clone(&key.private)))
    }

    fn state(&self) -> Rc<RefCell<OwnKeys>> {
        Rc::clone(&self.state.borrow())
    }

    pub(super) fn join(&self, store: &mut Store, now: Now) {
        let state = store.own(&self.location, self.rules.kind, &self.state(), now);
        // What the configuration says of a name holds.
        if state.borrow().clashes_with(&self.configured) {
            return;
        }
        {
            let mut state = state.borrow_mut();
            state.look_again();
            state.schedule.no_later_than(now.moment);
        }
        self.state.replace(state);
        self.shown.set(None);
    }

    pub(super) fn due(&self, now: Moment, caller: &Rc<()>) -> Option<Fetch> {
        let is_due = self.state().borrow_mut().schedule.begin(now, TIMEOUT, caller);
        is_due.then(|| Fetch::get(Which::Own, now, &self.location, TIMEOUT))
    }

    /// An answer that does not count is not worth a word: on Envoy's main thread there is never another.
    pub(super) fn fetched(
        &self,
        since: Moment,
        outcome: &Outcome,
        now: Now,
        arithmetic: &mut Arithmetic<'_>,
    ) -> Vec<News> {
        let state = self.state();
        let mut state = state.borrow_mut();
        if !state.schedule.end(since) {
            return Vec::new();
        }
        let news = match outcome {
            Outcome::Body(text, _) => state.take(text, &self.rules, &self.configured, arithmetic, now),
            Outcome::Unchanged | Outcome::Failed(_) => Vec::new(),
        };
        // The first one is wanted soon, whatever keeps it.
        if state.signing.active().is_none() {
            state.schedule.failed(now.moment);
            state.schedule.no_later_than(now.moment.after(self.refresh));
        } else {
            let _ = state.schedule.succeeded(now.moment, self.refresh, 0);
        }
        news
    }

    pub(super) fn advance(&self, now: Now) {
        self.state().borrow_mut().advance(&self.rules, now);
    }

    /// The ring with our keys of now, and what to say of them; `None` when it has them.
    pub(super) fn renew(&self, ring: &Ring, arithmetic: &mut Arithmetic<'_>) -> Option<(Ring, Option<News>)> {
        let state = self.state();
        let state = state.borrow();
        let own = ring.own().filter(|_| self.shown.get() != Some(state.version))?;
        self.shown.set(Some(state.version));
        let mut keys: Vec<_> = state
            .published()
            .into_iter()
            .filter_map(|(name, key, end)| {
                // What the configuration says of a key holds too.
                let said = self.configured.iter().find(|said| is_same(said.key.public(), key));
                let end = said.and_then(|said| said.not_after).into_iter().chain(end).min();
                let start = said.and_then(|said| said.not_before);
                own.keys.same(name, key, [start, end]).or_else(|| self.trusted(name, key, [start, end], arithmetic))
            })
            .collect();
        let is_new = |key: &&Rc<TrustedKey>| keys.iter().all(|other| other.name != key.name);
        let configured: Vec<_> = self.configured.iter().filter(is_new).cloned().collect();
        keys.extend(configured);
        let is_known = !matches!(state.signing, Signing::Absent);
        let news = self.changed(&state);
        let ring = ring.clone().with(TrustedIssuer {
            name: own.name.clone(),
            label: Rc::clone(&own.label),
            is_own: true,
            origin: Origin::ByCall { is_known },
            keys: KeySet::new(keys),
            limits: Rc::clone(&own.limits),
        });
        Some((ring, news))
    }

    fn changed(&self, state: &OwnKeys) -> Option<News> {
        let (kid, at) = state.signing.active().map(|key| &key.name).zip(state.changed)?;
        let is_new = self.told.borrow().as_ref() != Some(kid);
        self.told.replace(Some(kid.clone()));
        is_new.then(|| News::KeyChanged { kid: kid.clone(), at })
    }

    fn trusted(
        &self,
        name: &str,
        key: &PublicKey,
        [not_before, not_after]: [Option<Timestamp>; 2],
        arithmetic: &mut Arithmetic<'_>,
    ) -> Option<Rc<TrustedKey>> {
        let key = key.clone();
        let key = if self.rules.verifies { arithmetic.verifying(key).ok()? } else { VerifyingKey::in_vm(key) };
        Some(Rc::new(TrustedKey { name: name.to_owned(), key, not_before, not_after }))
    }

    pub(super) fn wake(&self, now: Moment) -> Moment {
        let state = self.state();
        let state = state.borrow();
        let fetch = state.schedule.wake(now);
        state.takes_over(&self.rules).map_or(fetch, |moment| moment.min(fetch))
    }
}

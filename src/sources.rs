//! Keys that change while the filter runs: our own by call, and the JWK Sets of peers.
//!
//! A configuration in force never changes; what changes has its place here. A configuration names its [`Sources`], and what has
//! been fetched from them belongs to the VM: a [`Store`] finds it again for the next configuration, by the [`Location`] that it
//! came from. So an update loses nothing, and two configurations of one VM share what they share.
//!
//! Time and what was fetched go in; what to fetch when, which keys count, and what an operator should know of it come out. The
//! guarantees are in the types:
//!
//! - The key of our own is [`Signing::Absent`], [`Signing::Active`], or active with a successor that is
//!   [`Signing::Announced`]: published, but not signing yet, so that peers know it first. What has signed stays published and
//!   accepted until all of its wristbands have ended, as a public key: its private half is dropped, and overwritten as it drops.
//! - A peer's set is [`Freshness::NeverFetched`], fresh, stale or expired. Only a set that was read whole takes the place of
//!   another: whatever else comes is a failure, after which the set before still counts until it expires.
//! - A source is asked by one call at a time. Who wants it asked earlier can have that once in 30 seconds, whoever
//!   asks: that bounds what a client with made-up key names can cause at a peer.
//! - Who waits for a fetch has a [`Seat`], of which a VM has 64, and gives it back when it is dropped.

mod news;
mod outcome;
mod own_key;
mod own_keys;
mod own_source;
mod peer_set;
mod peer_source;
mod schedule;
mod store;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub use news::News;
pub use outcome::Outcome;
pub use own_key::OwnKey;
pub use own_keys::Signing;
pub use own_source::{OwnPolicy, OwnSource};
pub use peer_set::{Freshness, Reading};
pub use peer_source::{PeerSource, Policy};
pub use store::{Seat, Store};

use crate::crypto::{Arithmetic, Chosen, Preference, Tables};
use crate::host::Crypto;
use crate::time::{Moment, Now};
use crate::trust::Ring;
use store::Room;

/// Where something is fetched from: a path of a host, behind a cluster of Envoy's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The cluster.
    pub cluster: String,
    /// What the request has as `:authority`.
    pub authority: String,
    /// What it has as `:path`.
    pub path: String,
}

/// How many sets of peers a configuration fetches at a time, in each worker: of a thousand that are due at once neither Envoy's
/// circuit breakers nor whoever answers for many of them gets more. What somebody waits for comes in addition.
const MOST_AT_ONCE: usize = 64;

/// Which source of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// That of our own key.
    Own,
    /// That of a peer's set, by its place in [`Sources::peers`].
    Peer(usize),
}

/// A request to be made.
pub struct Fetch {
    /// Whom its outcome is for.
    pub which: Which,
    /// When it was decided on: with `which`, its name.
    pub since: Moment,
    /// The cluster.
    pub cluster: String,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// How long to wait for the answer.
    pub timeout: Duration,
}

/// The sources that a configuration names.
pub struct Sources {
    own: Option<OwnSource>,
    peers: Vec<PeerSource>,
    preference: Preference,
    tables: Rc<Tables>,
    chosen: RefCell<Chosen>,
    room: RefCell<Rc<Room>>,
    /// What has been found and not been told yet.
    news: RefCell<Vec<News>>,
}

impl Fetch {
    fn get(which: Which, since: Moment, location: &Location, timeout: Duration) -> Self {
        let Location { cluster, authority, path } = location.clone();
        let headers = [(":method", "GET".to_owned()), (":authority", authority), (":path", path)];
        Self { which, since, cluster, headers: headers.into(), timeout }
    }
}

impl Sources {
    /// These, with states of their own until they [`join`](Self::join) those of the VM. `None` when there are none. Arithmetic is
    /// done by whom it was `chosen` for, and for other algorithms as the operator prefers.
    #[must_use]
    pub fn new(
        own: Option<OwnSource>,
        peers: Vec<PeerSource>,
        preference: Preference,
        chosen: Chosen,
        tables: Rc<Tables>,
    ) -> Option<Self> {
        let has_some = own.is_some() || !peers.is_empty();
        has_some.then(|| Self {
            own,
            peers,
            preference,
            tables,
            chosen: RefCell::new(chosen),
            room: RefCell::default(),
            news: RefCell::default(),
        })
    }

    /// How many there are: one at least.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "they are never none")]
    pub fn len(&self) -> usize {
        self.peers.len().saturating_add(usize::from(self.own.is_some()))
    }

    /// That of our own key.
    #[must_use]
    pub fn own(&self) -> Option<&OwnSource> {
        self.own.as_ref()
    }

    /// Those of peers.
    #[must_use]
    pub fn peers(&self) -> &[PeerSource] {
        &self.peers
    }

    /// Who does the arithmetic of what.
    #[must_use]
    pub fn arithmetic(&self) -> Chosen {
        self.chosen.borrow().clone()
    }

    /// Goes on with what the VM has fetched from the same places, for whatever configuration.
    pub fn join(&self, store: &mut Store, now: Now) {
        if let Some(own) = &self.own {
            own.join(store, now);
        }
        self.peers.iter().for_each(|peer| peer.join(store));
        self.room.replace(store.room());
    }

    /// What has to be fetched now. `caller` lives as long as whoever can receive the outcome.
    pub fn due(&self, now: Moment, caller: &Rc<()>) -> Vec<Fetch> {
        let own = self.own.as_ref().and_then(|own| own.due(now, caller));
        let mut room = self.room_at(now);
        let peers = self.peers.iter().enumerate().filter_map(|(index, peer)| {
            let fetch = peer.due(index, now, caller, room > 0)?;
            room = room.saturating_sub(1);
            Some(fetch)
        });
        own.into_iter().chain(peers).collect()
    }

    /// How many more sets of peers may be fetched at a time.
    fn room_at(&self, now: Moment) -> usize {
        MOST_AT_ONCE.saturating_sub(self.peers.iter().filter(|peer| peer.is_calling(now)).count())
    }

    /// Takes in what came of a fetch. Its keys count once the ring is [renewed](Self::renew).
    pub fn fetched(&self, which: Which, since: Moment, outcome: &Outcome, now: Now, host: &dyn Crypto) {
        let mut jitter = [0];
        host.random(&mut jitter);
        let [jitter] = jitter;
        let news: Vec<_> = self.with_arithmetic(host, |arithmetic| match which {
            Which::Own => self.own.iter().flat_map(|own| own.fetched(since, outcome, now, arithmetic)).collect(),
            Which::Peer(index) => {
                let peer = self.peers.get(index);
                let news = peer.and_then(|peer| peer.fetched(index, since, outcome, now, jitter, arithmetic));
                news.into_iter().collect()
            }
        });
        self.news.borrow_mut().extend(news);
    }

    /// The ring with the keys of now; `None` when it has them already.
    pub fn renew(&self, ring: &Ring, now: Moment, host: &dyn Crypto) -> Option<Ring> {
        let mut news = self.news.borrow_mut();
        self.with_arithmetic(host, |arithmetic| {
            let own = self.own.as_ref().and_then(|own| own.renew(ring, arithmetic));
            let mut renewed = own.map(|(ring, changed)| {
                news.extend(changed);
                ring
            });
            for (index, peer) in self.peers.iter().enumerate() {
                let current = renewed.as_ref().unwrap_or(ring);
                if let Some((issuer, renewal)) = peer.renew(index, current, now, arithmetic) {
                    news.push(renewal);
                    renewed = Some(renewed.unwrap_or_else(|| ring.clone()).with(issuer));
                }
            }
            renewed
        })
    }

    /// What has been found, by whoever looked, and not been told yet.
    pub fn news(&self) -> Vec<News> {
        self.news.take()
    }

    /// Does what is due by the clock alone.
    pub fn advance(&self, now: Now) {
        self.own.iter().for_each(|own| own.advance(now));
    }

    /// When there is something to do next.
    #[must_use]
    pub fn wake(&self, now: Moment) -> Moment {
        let own = self.own.iter().map(|own| own.wake(now));
        let has_room = self.room_at(now) > 0;
        own.chain(self.peers.iter().filter_map(|peer| peer.wake(now, has_room))).min().unwrap_or(Moment(u64::MAX))
    }

    /// Asks for a peer's set earlier than it is due: whether it is on its way then.
    pub fn hurry(&self, peer: usize, now: Moment) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.hurry(now))
    }

    /// Whether someone who has waited for a peer's set since then may get what he waits for by waiting on.
    pub fn is_worth_waiting(&self, peer: usize, since: Moment, now: Moment) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.is_worth_waiting(since, now))
    }

    /// A place to wait at, if there is one left.
    pub fn seat(&self) -> Option<Seat> {
        Room::seat(&self.room.borrow())
    }

    fn with_arithmetic<T>(&self, host: &dyn Crypto, work: impl FnOnce(&mut Arithmetic<'_>) -> T) -> T {
        let mut arithmetic = Arithmetic::new(self.preference, host, &self.tables).with(self.chosen.take());
        let done = work(&mut arithmetic);
        self.chosen.replace(arithmetic.into_chosen());
        done
    }
}

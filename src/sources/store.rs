//! What the VM has fetched, found again by where it came from.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::{Rc, Weak};

use super::Location;
use super::own_key::Kind;
use super::own_keys::OwnKeys;
use super::peer_set::{PeerSet, Reading};
use crate::time::Now;

/// How many requests of a VM may wait at a time: each takes some 25 KB, and a client can make them.
const SEATS: usize = 64;

/// Everything that the configurations of one VM have fetched and still use.
#[derive(Default)]
pub struct Store {
    own: HashMap<(Location, Kind), Weak<RefCell<OwnKeys>>>,
    peers: HashMap<(Location, Reading), Weak<RefCell<PeerSet>>>,
    room: Rc<Room>,
}

impl Store {
    /// Our own keys from there that are taken for this: those of before, or these, to begin with what is published of those
    /// that were taken for something else.
    pub(super) fn own(
        &mut self,
        location: &Location,
        kind: Kind,
        fresh: &Rc<RefCell<OwnKeys>>,
        now: Now,
    ) -> Rc<RefCell<OwnKeys>> {
        let place = (location.clone(), kind);
        if known(&mut self.own, &place).is_none() {
            let others = self.own.iter().filter(|((other, _), _)| other == location);
            for other in others.filter_map(|(_, keys)| keys.upgrade()) {
                fresh.borrow_mut().begin_with(&other.borrow(), kind, now);
            }
        }
        found(&mut self.own, place, fresh)
    }

    /// A set from there that is read in this way: the one of before, or this one, to begin with what was read in another way.
    pub(super) fn peer(
        &mut self,
        location: &Location,
        reading: &Reading,
        fresh: &Rc<RefCell<PeerSet>>,
    ) -> Rc<RefCell<PeerSet>> {
        let place = (location.clone(), reading.clone());
        if known(&mut self.peers, &place).is_none() {
            let others = self.peers.iter().filter(|((other, _), _)| other == location);
            for other in others.filter_map(|(_, set)| set.upgrade()) {
                fresh.borrow_mut().begin_with(&other.borrow(), reading);
            }
        }
        found(&mut self.peers, place, fresh)
    }

    /// Where the requests of the VM wait.
    pub(super) fn room(&self) -> Rc<Room> {
        Rc::clone(&self.room)
    }
}

fn known<K: Hash + Eq, V>(kept: &mut HashMap<K, Weak<RefCell<V>>>, place: &K) -> Option<Rc<RefCell<V>>> {
    kept.retain(|_, value| value.strong_count() > 0);
    kept.get(place).and_then(Weak::upgrade)
}

fn found<K: Hash + Eq, V>(kept: &mut HashMap<K, Weak<RefCell<V>>>, place: K, fresh: &Rc<RefCell<V>>) -> Rc<RefCell<V>> {
    match known(kept, &place) {
        Some(known) => known,
        None => {
            kept.insert(place, Rc::downgrade(fresh));
            Rc::clone(fresh)
        }
    }
}

/// A number of seats.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Room {
    taken: Cell<usize>,
}

/// A place to wait at, given back when it is dropped.
#[cfg_attr(test, derive(Debug))]
pub struct Seat {
    room: Rc<Room>,
}

impl Room {
    /// Takes a seat, if there is one left.
    pub(super) fn seat(room: &Rc<Self>) -> Option<Seat> {
        let taken = room.taken.get();
        (taken < SEATS).then(|| {
            room.taken.set(taken.saturating_add(1));
            Seat { room: Rc::clone(room) }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.taken.set(self.room.taken.get().saturating_sub(1));
    }
}

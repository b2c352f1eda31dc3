//! What the VM has fetched, found again by where it came from.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::{Rc, Weak};

use super::Location;
use super::own_keys::OwnKeys;
use super::peer_set::{PeerSet, Reading};

/// How many requests of a VM may wait at a time: each takes some 25 KB, and a client can make them.
const SEATS: usize = 64;

/// Everything that the configurations of one VM have fetched and still use.
#[derive(Default)]
pub struct Store {
    own: HashMap<Location, Weak<RefCell<OwnKeys>>>,
    peers: HashMap<(Location, Reading), Weak<RefCell<PeerSet>>>,
    room: Rc<Room>,
}

impl Store {
    /// Our own keys from there: those of before, or these.
    pub(super) fn own(&mut self, location: &Location, fresh: &Rc<RefCell<OwnKeys>>) -> Rc<RefCell<OwnKeys>> {
        found(&mut self.own, location.clone(), fresh)
    }

    /// A set from there that is read in this way: the one of before, or this one, to begin with what was read in another way.
    pub(super) fn peer(
        &mut self,
        location: &Location,
        reading: &Reading,
        fresh: &Rc<RefCell<PeerSet>>,
    ) -> Rc<RefCell<PeerSet>> {
        let others = self.peers.iter().filter(|((other, how), _)| other == location && how != reading);
        for other in others.filter_map(|(_, set)| set.upgrade()) {
            fresh.borrow_mut().begin_with(&other.borrow(), reading);
        }
        found(&mut self.peers, (location.clone(), reading.clone()), fresh)
    }

    /// Where the requests of the VM wait.
    pub(super) fn room(&self) -> Rc<Room> {
        Rc::clone(&self.room)
    }
}

fn found<K: Hash + Eq, V>(kept: &mut HashMap<K, Weak<RefCell<V>>>, place: K, fresh: &Rc<RefCell<V>>) -> Rc<RefCell<V>> {
    kept.retain(|_, value| value.strong_count() > 0);
    match kept.get(&place).and_then(Weak::upgrade) {
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

//! A peer's JWK Set, as it was fetched.

use std::rc::Rc;
use std::time::Duration;

use super::outcome::Outcome;
use super::schedule::Schedule;
use crate::jose::algorithm::Algorithm;
use crate::keys::{JwkSet, KeyError, PublicKey};
use crate::time::{Moment, Now, Timestamp};
use crate::trust::worthless::is_worthless;

const WORTHLESS: &str = "a key of wristband's samples, whose private half everyone has";

/// How a set is read: the same bytes are other keys to other configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The algorithms that are accepted, and for a key without `alg` the first that its type allows.
    pub algorithms: Option<Vec<Algorithm>>,
    /// Whether keys are accepted whose private halves everyone has.
    pub allows_worthless: bool,
}

impl Reading {
    fn read(&self, body: &[u8], can_verify: &dyn Fn(&PublicKey) -> bool) -> Result<JwkSet, KeyError> {
        let refuses = |key: &PublicKey| match () {
            () if !self.allows_worthless && is_worthless(key) => Some(WORTHLESS),
            () if !can_verify(key) => Some("the host cannot verify with it; leave `crypto: host` out"),
            () => None,
        };
        JwkSet::parse(body, self.algorithms.as_deref(), refuses)
    }
}

/// How old a set is.
pub enum Freshness<'s> {
    /// There was never one.
    NeverFetched,
    /// It is due when it has been.
    Fresh(&'s Held),
    /// It should have been fetched again, and counts until then.
    Stale(&'s Held),
    /// It is so old that it counts no more.
    Expired,
}

/// A set that was read whole.
pub struct Held {
    /// Its keys: the same object as long as the bytes are the same.
    pub keys: Rc<JwkSet>,
    /// When it came, or was said to hold still.
    pub fetched: Timestamp,
    body: Rc<[u8]>,
    etag: Option<String>,
    renewed: Moment,
}

/// What is known of a peer's set.
#[derive(Default)]
pub(super) struct PeerSet {
    pub(super) schedule: Schedule,
    held: Option<Held>,
    /// Whether the last answer was refused for what it was.
    was_refused: bool,
}

impl PeerSet {
    /// How old it is, where it is asked for again after `refresh` and counts for `stale_for` longer.
    pub(super) fn at(&self, now: Moment, refresh: Duration, stale_for: Duration) -> Freshness<'_> {
        let Some(held) = &self.held else {
            return Freshness::NeverFetched;
        };
        let due = held.renewed.after(refresh);
        if now <= due {
            Freshness::Fresh(held)
        } else if now < due.after(stale_for) {
            Freshness::Stale(held)
        } else {
            Freshness::Expired
        }
    }

    /// Names the bytes that are here, and thereby what a 304 means.
    pub(super) fn etag(&self) -> Option<&str> {
        self.held.as_ref()?.etag.as_deref()
    }

    /// When it should be asked for again.
    pub(super) fn due(&self, refresh: Duration) -> Moment {
        self.held.as_ref().map_or(Moment::default(), |held| held.renewed.after(refresh))
    }

    /// Takes in an answer that has come now. What is refused changes nothing.
    pub(super) fn take(
        &mut self,
        outcome: &Outcome,
        reading: &Reading,
        can_verify: &dyn Fn(&PublicKey) -> bool,
        now: Now,
    ) -> Result<(), Failure> {
        let taken = self.read(outcome, reading, can_verify, now);
        let refused = taken.as_ref().is_err_and(|failure| failure.is_refused);
        let was_refused = std::mem::replace(&mut self.was_refused, refused);
        taken.map_err(|failure| Failure { is_refused: refused && !was_refused, ..failure })
    }

    fn read(
        &mut self,
        outcome: &Outcome,
        reading: &Reading,
        can_verify: &dyn Fn(&PublicKey) -> bool,
        now: Now,
    ) -> Result<(), Failure> {
        let held = match (outcome, self.held.take()) {
            (Outcome::Failed(why), held) => {
                self.held = held;
                return Err(Failure { why: why.clone(), is_refused: false });
            }
            (Outcome::Unchanged, Some(held)) if held.etag.is_some() => held,
            (Outcome::Unchanged, held) => {
                self.held = held;
                return Err(Failure { why: "the answer has status 304, unasked".to_owned(), is_refused: false });
            }
            (Outcome::Body(body, etag), Some(held)) if *held.body == ***body => Held { etag: etag.clone(), ..held },
            (Outcome::Body(body, etag), held) => match reading.read(body, can_verify) {
                Ok(keys) => Held {
                    keys: Rc::new(keys),
                    fetched: now.time,
                    body: body.as_slice().into(),
                    etag: etag.clone(),
                    renewed: now.moment,
                },
                Err(error) => {
                    self.held = held;
                    return Err(Failure { why: error.to_string(), is_refused: true });
                }
            },
        };
        self.held = Some(Held { fetched: now.time, renewed: now.moment, ..held });
        Ok(())
    }

    /// Begins with the bytes of another set from the same place, if they can be read in this way too.
    pub(super) fn begin_with(&mut self, other: &Self, reading: &Reading) {
        let is_newer = |held: &Held| self.held.as_ref().is_none_or(|own| own.renewed < held.renewed);
        let Some(held) = other.held.as_ref().filter(|held| is_newer(held)) else {
            return;
        };
        // Who verifies with them says so when they come anew.
        if let Ok(keys) = reading.read(&held.body, &|_| true) {
            self.held = Some(Held {
                keys: Rc::new(keys),
                fetched: held.fetched,
                body: Rc::clone(&held.body),
                etag: held.etag.clone(),
                renewed: held.renewed,
            });
        }
    }
}

/// Why an answer does not count.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether something came, and was refused for what it is, other than the last time.
    pub(super) is_refused: bool,
}

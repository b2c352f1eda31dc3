//! Wristbands that are handed out again instead of being signed anew, for a while and to whoever would get the same.
//!
//! They are found by all of their claims but those that every wristband has: what differs in anything that it says is
//! another wristband. The memory belongs to the issuer and thereby to its key.

use std::cell::RefCell;
use std::rc::Rc;

use super::Signed;
use crate::cache::{Cache, Capacity};
use crate::time::Timestamp;

/// Wristbands that may be handed out again.
pub(super) struct Reusable {
    seconds: u32,
    signed: RefCell<Cache<Box<[u8]>, Rc<Signed>>>,
}

impl Reusable {
    /// Hands out for so many seconds.
    pub(super) fn new(seconds: u32) -> Self {
        Self { seconds, signed: RefCell::new(Cache::new(Capacity::default())) }
    }

    /// A wristband with these claims that is not too old, has half of its life before it, and does not outlive `end`.
    pub(super) fn find(&self, claims: &[u8], now: Timestamp, end: Timestamp) -> Option<Rc<Signed>> {
        self.young(claims, now).filter(|signed| signed.expires <= end)
    }

    /// Remembers a wristband with these claims, unless there is one that lives longer: who came with a token that ends
    /// soon shortens nobody else's.
    pub(super) fn keep(&self, claims: &[u8], signed: &Rc<Signed>, now: Timestamp) {
        if self.young(claims, now).is_some_and(|known| known.expires > signed.expires) {
            return;
        }
        let bytes = claims.len().saturating_add(signed.token.len()).saturating_add(size_of::<Signed>());
        self.signed.borrow_mut().insert(claims.into(), Rc::clone(signed), bytes);
    }

    /// Forgets them all.
    pub(super) fn clear(&self) {
        self.signed.replace(Cache::new(Capacity::default()));
    }

    fn young(&self, claims: &[u8], now: Timestamp) -> Option<Rc<Signed>> {
        let signed = self.signed.borrow_mut().get(claims).map(Rc::clone)?;
        let left = signed.expires.0.saturating_sub(now.0);
        let is_fresh = signed.issued <= now && now < signed.issued.after(self.seconds);
        let has_half = left >= now.0.saturating_sub(signed.issued.0);
        (is_fresh && has_half).then_some(signed)
    }
}

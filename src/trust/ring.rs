//! Everyone who is trusted at one time. `iss` selects one issuer, and with it the only keys that may speak for it (RFC 8725,
//! section 3.8).
//!
//! A [`Ring`] never changes inside. When keys come or go, another ring takes its place as a whole, in which everything that
//! stays is the same object: so whoever has remembered something can tell whether it still holds.

use std::collections::HashMap;
use std::rc::Rc;

use super::key_set::{KeySet, TrustedKey};
use super::limits::Limits;
use crate::denial::Denial;

/// An issuer: its keys, and the limits of its word.
#[derive(Debug)]
pub struct TrustedIssuer {
    /// Its `iss`.
    pub name: String,
    /// Whether it is ourselves.
    pub is_own: bool,
    /// Its keys.
    pub keys: KeySet,
    /// What its tokens may say.
    pub limits: Rc<Limits>,
}

/// All issuers that are trusted at one time.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    own: Option<Rc<TrustedIssuer>>,
    by_name: HashMap<String, Rc<TrustedIssuer>>,
}

impl Ring {
    /// A ring of these. Their names have to differ, and at most one is ourselves.
    #[must_use]
    pub fn new(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        issuers.into_iter().fold(Self::default(), |ring, issuer| ring.with(issuer))
    }

    /// The same ring with this issuer, in place of the one of its name.
    #[must_use]
    pub fn with(mut self, issuer: TrustedIssuer) -> Self {
        let issuer = Rc::new(issuer);
        if issuer.is_own {
            self.own = Some(Rc::clone(&issuer));
        }
        self.by_name.insert(issuer.name.clone(), issuer);
        self
    }

    /// Ourselves, where we have a name.
    #[must_use]
    pub fn own(&self) -> Option<&Rc<TrustedIssuer>> {
        self.own.as_ref()
    }

    /// Everyone else.
    pub fn peers(&self) -> impl Iterator<Item = &Rc<TrustedIssuer>> {
        self.by_name.values().filter(|issuer| !issuer.is_own)
    }

    /// The issuer of this name.
    ///
    /// # Errors
    /// [`Denial::UnknownIssuer`].
    pub fn select(&self, name: &str) -> Result<&Rc<TrustedIssuer>, Denial> {
        self.by_name.get(name).ok_or(Denial::UnknownIssuer)
    }

    /// Whether what `issuer` vouched for with `key` still counts: the key is still trusted to speak for it, and the limits
    /// of its word are the same.
    #[must_use]
    pub fn still_trusts(&self, issuer: &Rc<TrustedIssuer>, key: &Rc<TrustedKey>) -> bool {
        self.by_name.get(&issuer.name).is_some_and(|now| {
            Rc::ptr_eq(now, issuer) || Rc::ptr_eq(&now.limits, &issuer.limits) && now.keys.holds(key)
        })
    }
}

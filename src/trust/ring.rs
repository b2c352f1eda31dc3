//! Everyone who is trusted at one time. `iss` selects one issuer, and with it the only keys that may speak for it (RFC 8725,
//! section 3.8).
//!
//! A [`Ring`] never changes inside. When keys come or go, another ring takes its place as a whole, in which everything that
//! stays is the same object: so whoever has remembered something can tell whether it still holds.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::key_set::{KeySet, TrustedKey};
use super::limits::Limits;
use crate::denial::Cause;
use crate::time::Timestamp;

/// An issuer: its keys, and the limits of its word.
#[derive(Debug)]
pub struct TrustedIssuer {
    /// Its `iss`.
    pub name: String,
    /// As metrics name it: `self` if it is ourselves.
    pub label: Rc<str>,
    /// Whether it is ourselves.
    pub is_own: bool,
    /// Where its keys are from.
    pub origin: Origin,
    /// Its keys.
    pub keys: KeySet,
    /// What its tokens may say.
    pub limits: Rc<Limits>,
}

/// Where an issuer's keys are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the configuration.
    Configured,
    /// The one that signs is fetched: our own.
    ByCall {
        /// Whether it ever was.
        is_known: bool,
    },
    /// They are fetched: a peer's.
    Remote {
        /// The place of its source among those of peers.
        source: usize,
        /// When; `None`: never, or so long ago that they count no more.
        fetched: Option<Timestamp>,
    },
}

impl TrustedIssuer {
    /// Whether it has keys of which none has come yet, or none that still counts.
    #[must_use]
    pub fn lacks_keys(&self) -> bool {
        match self.origin {
            Origin::Configured => false,
            Origin::ByCall { is_known } => !is_known,
            Origin::Remote { .. } => self.keys.keys().is_empty(),
        }
    }
}

/// As metrics name ourselves.
pub const SELF: &str = "self";
/// As metrics name an issuer that is not known.
pub const NOBODY: &str = "none";

/// A text as metrics name it, where a dot would end a name.
#[must_use]
pub fn label(text: &str) -> String {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || "-_".contains(*character);
    text.chars().map(|character| if is_plain(&character) { character } else { '_' }).collect()
}

/// All issuers that are trusted at one time.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    own: Option<Rc<TrustedIssuer>>,
    by_name: BTreeMap<String, Rc<TrustedIssuer>>,
}

impl Ring {
    /// A ring of these. Their names have to differ, and at most one is ourselves.
    #[must_use]
    pub fn new(issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        issuers.into_iter().fold(Self::default(), |ring, issuer| ring.with(issuer))
    }

    /// The same ring with this issuer, in place of the one of its name, and of ourselves if it is that.
    #[must_use]
    pub fn with(mut self, issuer: TrustedIssuer) -> Self {
        let issuer = Rc::new(issuer);
        let is_replaced = |own: &Rc<TrustedIssuer>| issuer.is_own || own.name == issuer.name;
        if let Some(own) = self.own.take_if(|own| is_replaced(own)) {
            self.by_name.remove(&own.name);
        }
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

    /// Everyone else, by their names.
    pub fn peers(&self) -> impl Iterator<Item = &Rc<TrustedIssuer>> {
        self.by_name.values().filter(|issuer| !issuer.is_own)
    }

    /// The issuer of this name.
    ///
    /// # Errors
    /// [`Cause::Stranger`], [`Cause::StrangerButForASlash`].
    pub fn select(&self, name: &str) -> Result<&Rc<TrustedIssuer>, Cause> {
        self.by_name.get(name).ok_or_else(|| {
            let is_alike = match name.strip_suffix('/') {
                Some(without) => self.by_name.contains_key(without),
                None => self.by_name.contains_key(&format!("{name}/")),
            };
            if is_alike { Cause::StrangerButForASlash } else { Cause::Stranger }
        })
    }

    /// Everyone: ourselves first, then the others.
    pub fn issuers(&self) -> impl Iterator<Item = &Rc<TrustedIssuer>> {
        self.own.iter().chain(self.peers())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(name: &str, is_own: bool) -> TrustedIssuer {
        let (keys, limits) = (KeySet::default(), Rc::default());
        TrustedIssuer { name: name.to_owned(), label: name.into(), is_own, origin: Origin::Configured, keys, limits }
    }

    #[test]
    fn an_issuer_takes_the_place_of_the_one_of_its_name_and_ourselves_that_of_ourselves() {
        let names = |ring: &Ring| {
            let mut peers: Vec<_> = ring.peers().map(|peer| peer.name.clone()).collect();
            peers.sort();
            (ring.own().map(|own| own.name.clone()), peers.join(" "))
        };
        let ring = Ring::new([issuer("a", true), issuer("b", false)]);
        assert_eq!(names(&ring), (Some("a".to_owned()), "b".to_owned()));
        let renamed = ring.clone().with(issuer("c", true));
        assert_eq!(names(&renamed), (Some("c".to_owned()), "b".to_owned()));
        assert_eq!(renamed.select("a").err(), Some(Cause::Stranger));
        let taken = ring.clone().with(issuer("a", false));
        assert_eq!(names(&taken), (None, "a b".to_owned()));
        assert!(!taken.select("a").unwrap().is_own);
        assert_eq!(names(&ring.with(issuer("b", true))), (Some("b".to_owned()), String::new()));
    }
}

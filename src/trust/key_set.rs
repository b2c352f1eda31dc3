//! Which of one issuer's keys may verify a token: `kid` selects the key, and the key decides the algorithm (RFC 8725,
//! section 3.1).

use std::collections::HashMap;
use std::rc::Rc;

use crate::crypto::VerifyingKey;
use crate::denial::Cause;
use crate::jose::algorithm::Algorithm;
use crate::keys::PublicKey;
use crate::time::Timestamp;

/// A public key with all that was said of it.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The `kid`.
    pub name: String,
    /// The key.
    pub key: VerifyingKey,
    /// From then on it is accepted; published it is before.
    pub not_before: Option<Timestamp>,
    /// From then on it is neither published nor accepted.
    pub not_after: Option<Timestamp>,
}

impl TrustedKey {
    /// The one algorithm that it may be used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.key.public().algorithm()
    }

    /// Whether the key is published: it has not ended.
    #[must_use]
    pub fn is_published(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }

    /// Whether what it has signed is accepted: it has begun and not ended.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.has_begun(now) && self.is_published(now)
    }

    /// When the key ends, if that is within so many seconds.
    #[must_use]
    pub fn ends_within(&self, seconds: u32, now: Timestamp) -> Option<Timestamp> {
        self.not_after.filter(|end| now < *end && *end < now.after(seconds))
    }

    fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now)
    }
}

/// One issuer's keys, in the order in which they are published. It never changes: where a key is withdrawn, another set
/// takes its place, and the keys that stay are the same objects.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Rc<TrustedKey>>,
    by_name: HashMap<String, Rc<TrustedKey>>,
}

impl KeySet {
    /// The keys of one issuer. Their names have to differ.
    #[must_use]
    pub fn new(keys: Vec<Rc<TrustedKey>>) -> Self {
        let by_name = keys.iter().map(|key| (key.name.clone(), Rc::clone(key))).collect();
        Self { keys, by_name }
    }

    /// All of them, the ended ones included.
    #[must_use]
    pub fn keys(&self) -> &[Rc<TrustedKey>] {
        &self.keys
    }

    /// Whether this very key is one of them: not one of the same name, and not one that has the same numbers.
    #[must_use]
    pub fn holds(&self, key: &Rc<TrustedKey>) -> bool {
        self.by_name.get(&key.name).is_some_and(|found| Rc::ptr_eq(found, key))
    }

    /// The key of this name, if it is this one, and begins and ends then.
    #[must_use]
    pub fn same(&self, name: &str, key: &PublicKey, times: [Option<Timestamp>; 2]) -> Option<Rc<TrustedKey>> {
        let same = |found: &&Rc<TrustedKey>| found.key.public() == key && [found.not_before, found.not_after] == times;
        self.by_name.get(name).filter(same).map(Rc::clone)
    }

    /// Whether there is a key of this name.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The key that a token has to be signed with.
    ///
    /// # Errors
    /// [`Cause::Algorithm`] when `algorithm` is none of ours, [`Cause::NoKey`], [`Cause::KeyNotBegun`], [`Cause::KeyEnded`] and
    /// [`Cause::AlgorithmOfKey`] for the key of the name; [`Cause::NoKeyOfAlgorithm`] and [`Cause::SeveralKeys`] when no name is
    /// given and not exactly one live key has the algorithm.
    pub fn select(&self, algorithm: &str, name: Option<&str>, now: Timestamp) -> Result<&Rc<TrustedKey>, Cause> {
        let algorithm = Algorithm::from_name(algorithm).ok_or(Cause::Algorithm)?;
        let Some(name) = name else {
            return self.only(algorithm, now);
        };
        let key = self.by_name.get(name).ok_or(Cause::NoKey)?;
        if !key.has_begun(now) {
            return Err(Cause::KeyNotBegun);
        }
        if !key.is_live(now) {
            return Err(Cause::KeyEnded);
        }
        if key.algorithm() != algorithm {
            return Err(Cause::AlgorithmOfKey);
        }
        Ok(key)
    }

    fn only(&self, algorithm: Algorithm, now: Timestamp) -> Result<&Rc<TrustedKey>, Cause> {
        let mut live = self.keys.iter().filter(|key| key.algorithm() == algorithm && key.is_live(now));
        match (live.next(), live.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Cause::SeveralKeys),
            (None, _) => Err(Cause::NoKeyOfAlgorithm),
        }
    }
}

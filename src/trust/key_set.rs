//! Which key may verify what: `iss` selects one issuer's keys, then `kid` selects the key, then the key decides the
//! algorithm. No key can vouch for an issuer it was not configured for, whatever is published where (RFC 8725,
//! sections 3.1 and 3.8).

use std::collections::HashMap;

use crate::crypto::VerifyingKey;
use crate::denial::Denial;
use crate::jose::algorithm::Algorithm;
use crate::time::Timestamp;

/// A public key with all that was said of it.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The `kid`.
    pub name: String,
    /// The key.
    pub key: VerifyingKey,
    /// From then on it is neither published nor accepted.
    pub not_after: Option<Timestamp>,
}

impl TrustedKey {
    /// The one algorithm that it may be used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.key.public().algorithm()
    }

    /// Whether the key still counts.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

/// One issuer's keys.
#[derive(Debug, Default)]
pub struct KeySet {
    by_name: HashMap<String, TrustedKey>,
    by_algorithm: HashMap<Algorithm, Vec<String>>,
}

impl KeySet {
    /// The keys of one issuer. Their names have to differ.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = TrustedKey>) -> Self {
        let mut set = Self::default();
        for key in keys {
            set.by_algorithm.entry(key.algorithm()).or_default().push(key.name.clone());
            set.by_name.insert(key.name.clone(), key);
        }
        set
    }

    /// The key that a token has to be signed with.
    ///
    /// # Errors
    /// [`Denial::WrongAlgorithm`] when `algorithm` is none of ours or not that of the key, [`Denial::UnknownKey`] when
    /// there is no such key, it has ended, or no name is given and not exactly one key has the algorithm.
    pub fn select(&self, algorithm: &str, name: Option<&str>, now: Timestamp) -> Result<&TrustedKey, Denial> {
        let algorithm = Algorithm::from_name(algorithm).ok_or(Denial::WrongAlgorithm)?;
        let Some(name) = name else {
            return self.only(algorithm, now);
        };
        let key = self.by_name.get(name).filter(|key| key.is_live(now)).ok_or(Denial::UnknownKey)?;
        if key.algorithm() != algorithm {
            return Err(Denial::WrongAlgorithm);
        }
        Ok(key)
    }

    fn only(&self, algorithm: Algorithm, now: Timestamp) -> Result<&TrustedKey, Denial> {
        let names = self.by_algorithm.get(&algorithm).into_iter().flatten();
        let mut live = names.filter_map(|name| self.by_name.get(name)).filter(|key| key.is_live(now));
        match (live.next(), live.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(Denial::UnknownKey),
        }
    }
}

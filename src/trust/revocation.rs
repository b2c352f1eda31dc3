//! What is no longer trusted although it would verify: a key, a single token, everything an issuer said before a time.

use std::collections::{HashMap, HashSet};

use crate::denial::Cause;
use crate::jose::token::Untrusted;
use crate::time::Timestamp;

/// The revocations in force.
#[derive(Debug, Default)]
pub struct Revoked {
    /// Names of keys.
    pub keys: HashSet<String>,
    /// `jti` of tokens.
    pub tokens: HashSet<String>,
    /// For each issuer the time before which nothing counts.
    pub issued_before: HashMap<String, Timestamp>,
}

impl Revoked {
    /// Whether the key of this name is revoked, at every issuer that has one.
    #[must_use]
    pub fn covers_key(&self, name: &str) -> bool {
        self.keys.contains(name)
    }

    /// That a token is not revoked, by its `jti` or its time. One that does not say when it was issued may be older than any
    /// time.
    ///
    /// # Errors
    /// [`Cause::IdRevoked`], [`Cause::TimeRevoked`].
    pub fn check(&self, token: &Untrusted<'_>) -> Result<(), Cause> {
        if token.jwt_id().is_some_and(|id| self.tokens.contains(&*id)) {
            return Err(Cause::IdRevoked);
        }
        let too_old = |start: &Timestamp| token.issued_at().is_none_or(|issued| issued < start.seconds());
        if self.issued_before.get(&*token.issuer()).is_some_and(too_old) { Err(Cause::TimeRevoked) } else { Ok(()) }
    }
}

//! What an operator should know of a source.

use std::fmt;

use crate::time::Timestamp;

/// Something that has happened at a source. It quotes no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Another key of ours signs than the one before.
    KeyChanged {
        /// Its `kid`.
        kid: String,
        /// Since when.
        at: Timestamp,
    },
    /// Another key of ours is published, and will sign.
    KeyAnnounced {
        /// Its `kid`.
        kid: String,
        /// In how many seconds.
        seconds: u64,
    },
    /// What is to be our key cannot be, and why. The one before goes on.
    KeyRejected(String),
    /// A key of ours that everyone can sign with, as the configuration allows.
    KeyIsWorthless(String),
    /// A peer's set has come, or still holds, and counts.
    Renewed {
        /// The peer.
        peer: usize,
        /// When.
        at: Timestamp,
        /// How many of its keys can be used.
        keys: usize,
        /// How many cannot.
        left_out: usize,
        /// Why the first of them cannot, each with its place in the set.
        skipped: Vec<String>,
    },
    /// A peer's set is so old that it counts no more.
    Expired {
        /// The peer.
        peer: usize,
    },
    /// A peer's set has come after failures.
    Recovered {
        /// The peer.
        peer: usize,
        /// How often in a row it had not come.
        failures: u32,
    },
    /// A peer's set has not come.
    Failed {
        /// The peer.
        peer: usize,
        /// Why not.
        why: String,
        /// How often in a row.
        failures: u32,
        /// Whether something came, and was refused for what it is, other than the time before.
        is_refused: bool,
    },
}

impl fmt::Display for News {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyChanged { kid, .. } => write!(formatter, "the key `{kid}` signs"),
            Self::KeyAnnounced { kid, seconds } => {
                write!(formatter, "the key `{kid}` is published, and signs in {seconds} seconds")
            }
            Self::KeyRejected(why) => {
                write!(formatter, "the text of the key was refused and changes nothing: {why}")
            }
            Self::KeyIsWorthless(kid) => {
                write!(formatter, "the key `{kid}` is one of the samples, whose private half everyone has")
            }
            Self::Expired { .. } => formatter.write_str("its JWK Set is too old and counts no more"),
            Self::Renewed { keys, left_out, skipped, .. } => {
                write!(formatter, "its JWK Set was fetched: {keys} keys, {left_out} left out")?;
                skipped.iter().try_for_each(|skipped| write!(formatter, "; {skipped}"))
            }
            Self::Recovered { failures, .. } => {
                write!(formatter, "its JWK Set is fetched again; before, it was not, {failures} times in a row")
            }
            Self::Failed { why, failures: 1, .. } => write!(formatter, "its JWK Set was not fetched: {why}"),
            Self::Failed { why, failures, .. } => {
                write!(formatter, "its JWK Set was not fetched, {failures} times in a row: {why}")
            }
        }
    }
}

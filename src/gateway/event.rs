//! What is counted.

use crate::denial::Denial;
use crate::issue::Skip;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A wristband was signed.
    Issued,
    /// None was, and why.
    IssueSkipped(Skip),
    /// A token was accepted.
    Verified,
    /// A request was denied.
    Denied(Denial),
    /// `observe` would have denied it.
    Observed(Denial),
    /// A claim of an accepted token could not be handed on.
    ClaimDropped,
    /// A token was forgotten that could be used again.
    ReplayForgotten,
    /// A well-known document was asked for.
    Discovery,
    /// A token was accepted because it had been before.
    TokenCacheHit,
    /// A token was accepted by its signature.
    TokenCacheMiss,
    /// A wristband was handed out again.
    ReuseHit,
    /// A wristband was signed, and may be handed out again.
    ReuseMiss,
}

impl Event {
    /// Everything that can be counted.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::Issued,
            Self::Verified,
            Self::ClaimDropped,
            Self::ReplayForgotten,
            Self::Discovery,
            Self::TokenCacheHit,
            Self::TokenCacheMiss,
            Self::ReuseHit,
            Self::ReuseMiss,
        ];
        plain
            .into_iter()
            .chain(Skip::ALL.map(Self::IssueSkipped))
            .chain(Denial::ALL.map(Self::Denied))
            .chain(Denial::ALL.into_iter().filter(|denial| *denial != Denial::Missing).map(Self::Observed))
    }

    /// The name of its counter.
    #[must_use]
    pub fn counter(self) -> String {
        match self {
            Self::Issued => "wristband.issued".to_owned(),
            Self::IssueSkipped(skip) => format!("wristband.issue_skipped.{}", skip.code()),
            Self::Verified => "wristband.verified".to_owned(),
            Self::Denied(denial) => format!("wristband.denied.{}", denial.code()),
            Self::Observed(denial) => format!("wristband.observed.{}", denial.code()),
            Self::ClaimDropped => "wristband.claim_dropped".to_owned(),
            Self::ReplayForgotten => "wristband.replay_forgotten".to_owned(),
            Self::Discovery => "wristband.discovery".to_owned(),
            Self::TokenCacheHit => "wristband.token_cache.hit".to_owned(),
            Self::TokenCacheMiss => "wristband.token_cache.miss".to_owned(),
            Self::ReuseHit => "wristband.issue_reuse.hit".to_owned(),
            Self::ReuseMiss => "wristband.issue_reuse.miss".to_owned(),
        }
    }
}

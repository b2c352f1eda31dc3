//! What is counted.

use crate::denial::Denial;
use crate::issue::Skip;

/// Something that is counted, for the filter that it happened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The name of its counter, after `wristband`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::IssueSkipped(_) => "issue_skipped",
            Self::Verified => "verified",
            Self::Denied(_) => "denied",
            Self::Observed(_) => "observed",
            Self::ClaimDropped => "claim_dropped",
            Self::ReplayForgotten => "replay_forgotten",
            Self::Discovery => "discovery",
            Self::TokenCacheHit | Self::TokenCacheMiss => "token_cache",
            Self::ReuseHit | Self::ReuseMiss => "issue_reuse",
        }
    }

    /// Whether it is counted by peer.
    #[must_use]
    pub fn is_of_peer(self) -> bool {
        matches!(self, Self::Verified | Self::Denied(_) | Self::Observed(_) | Self::ReplayForgotten)
    }

    /// The label by which events of its name are told apart.
    #[must_use]
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::IssueSkipped(skip) => Some(("code", skip.code())),
            Self::Denied(denial) | Self::Observed(denial) => Some(("code", denial.code())),
            Self::TokenCacheHit | Self::ReuseHit => Some(("result", "hit")),
            Self::TokenCacheMiss | Self::ReuseMiss => Some(("result", "miss")),
            Self::Issued | Self::Verified | Self::ClaimDropped | Self::ReplayForgotten | Self::Discovery => None,
        }
    }
}

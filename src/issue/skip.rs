//! Why there is no wristband.

closed_list! {
/// Why a response carries no wristband: a closed list, one counter each.
pub enum Skip {
    /// Nobody was authenticated.
    NoIdentity,
    /// Nobody but whom a peer's wristband speaks of, which is no identity here.
    PeerWristband,
    /// The identity has no name.
    NoSubject,
    /// The response is not 2xx.
    ResponseStatus,
    /// `when` is false.
    Condition,
    /// The request came with a wristband of our own: there is no refresh.
    OwnWristband,
    /// Envoy sends the request once more, and what it came with has been taken out.
    Redirected,
    /// The wristband that the request came with ends now, and ours must not outlive it.
    Expired,
    /// A required claim has no value, or any claim one that cannot be read.
    ClaimMissing,
    /// The value of an expression is larger than a claim may be.
    ClaimTooLarge,
    /// Those who act for the identity cannot be named, or not with this identity.
    Actor,
    /// The wristband is to be bound to a certificate, and the client has none.
    NoCertificate,
    /// The identity has passed through too many gateways.
    TooManyHops,
    /// The identity has passed through one gateway twice.
    Loop,
    /// Verifiers would refuse it, or browsers its cookie, as too large.
    TooLarge,
    /// The key that signs is fetched, and none has come yet; or it is revoked.
    NoKey,
    /// No randomness or no signature.
    SigningFailed,
}
}

impl Skip {
    /// The code, for metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoIdentity => "no_identity",
            Self::PeerWristband => "peer_wristband",
            Self::NoSubject => "no_subject",
            Self::ResponseStatus => "response_status",
            Self::Condition => "condition",
            Self::OwnWristband => "own_wristband",
            Self::Redirected => "redirected",
            Self::Expired => "expired",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimTooLarge => "claim_too_large",
            Self::Actor => "actor",
            Self::NoCertificate => "no_certificate",
            Self::TooManyHops => "too_many_hops",
            Self::Loop => "loop",
            Self::TooLarge => "too_large",
            Self::NoKey => "no_key",
            Self::SigningFailed => "signing_failed",
        }
    }

    /// Whether a wristband was due, and it is the filter that could not make it.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::NoKey | Self::SigningFailed | Self::TooLarge | Self::ClaimTooLarge)
    }
}

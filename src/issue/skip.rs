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
        self.row().0
    }

    /// The text, for the log.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::NoIdentity => ("no_identity", "no source of `identity` has a value"),
            Self::PeerWristband => ("peer_wristband", "nobody is known but whom a peer's wristband speaks of"),
            Self::NoSubject => ("no_subject", "the identity has no name, or none that is a text"),
            Self::ResponseStatus => ("response_status", "the response is not 2xx"),
            Self::Condition => ("condition", "`when` is not true"),
            Self::OwnWristband => ("own_wristband", "the request came with a wristband of ours"),
            Self::Redirected => ("redirected", "Envoy sends the request once more"),
            Self::Expired => ("expired", "the wristband that the request came with ends now"),
            Self::ClaimMissing => ("claim_missing", "a required claim has no value, or one cannot be read"),
            Self::ClaimTooLarge => ("claim_too_large", "the value of an expression is too large"),
            Self::Actor => ("actor", "`act` of the inbound token cannot be kept"),
            Self::NoCertificate => ("no_certificate", "the client has no certificate"),
            Self::TooManyHops => ("too_many_hops", "more actors than `maxHops`"),
            Self::Loop => ("loop", "this issuer is in `act` already"),
            Self::TooLarge => ("too_large", "peers would refuse the wristband, or browsers its cookie"),
            Self::NoKey => ("no_key", "the key that signs has not been fetched, or is revoked"),
            Self::SigningFailed => ("signing_failed", "no randomness, or no signature"),
        }
    }

    /// Whether a wristband was due, and it is the filter that could not make it.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::NoKey | Self::SigningFailed | Self::TooLarge | Self::ClaimTooLarge)
    }
}

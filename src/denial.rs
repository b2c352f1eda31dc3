//! Why a request is denied: a closed list, with the machine's code and the client's text in one place.

closed_list! {
/// One reason. Its texts are constant: nothing of the request is echoed.
pub enum Denial {
    /// No credential.
    Missing,
    /// More than one credential, even if they are the same.
    Ambiguous,
    /// Over `verify.maxTokenBytes`.
    TooLarge,
    /// Not a token in the one form that is accepted.
    Malformed,
    /// `iss` is neither ours nor a peer's.
    UnknownIssuer,
    /// `alg` is none of ours, or not the key's.
    WrongAlgorithm,
    /// The issuer has no such key.
    UnknownKey,
    /// The issuer's keys are fetched, and none has come yet or none that still counts.
    KeysUnavailable,
    /// The key has passed its `notAfter`.
    EndedKey,
    /// `typ` is none of those that are accepted (RFC 8725, section 3.11).
    WrongType,
    /// The key, the token or everything the issuer said at that time is revoked.
    Revoked,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// `aud` is not ours.
    WrongAudience,
    /// The issuer may not name this subject.
    WrongSubject,
    /// The issuer may not sign for so long.
    TooLongLived,
    /// The token is bound to a certificate that the client has not shown (RFC 8705, section 3).
    WrongCertificate,
    /// The token is bound to something that its bearer cannot be asked to prove here (RFC 7800).
    WrongBinding,
    /// The signature is not the key's.
    BadSignature,
    /// The token was accepted before.
    Replayed,
    /// The issuer's share of the memory of accepted tokens is full, so that this one could be used again.
    ReplayFull,
    /// The request has a header that only this filter writes.
    ForgedHeader,
}
}

impl Denial {
    /// The code, for metrics and response code details.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// The text, for the client.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("missing", "no token"),
            Self::Ambiguous => ("ambiguous", "more than one token"),
            Self::TooLarge => ("too_large", "token is too large"),
            Self::Malformed => ("malformed", "token is malformed"),
            Self::UnknownIssuer => ("unknown_issuer", "issuer of the token is not trusted"),
            Self::WrongAlgorithm => ("wrong_algorithm", "algorithm of the token is not allowed"),
            Self::UnknownKey => ("unknown_key", "key of the token is not known"),
            Self::KeysUnavailable => ("keys_unavailable", "keys of the issuer cannot be had; try again later"),
            Self::EndedKey => ("ended_key", "key of the token has ended"),
            Self::WrongType => ("wrong_type", "type of the token is not accepted"),
            Self::Revoked => ("revoked", "token has been revoked"),
            Self::Expired => ("expired", "token has expired"),
            Self::NotYetValid => ("not_yet_valid", "token is not yet valid"),
            Self::WrongAudience => ("wrong_audience", "token is meant for another audience"),
            Self::WrongSubject => ("wrong_subject", "subject of the token is not accepted from its issuer"),
            Self::TooLongLived => ("too_long_lived", "token lives longer than is accepted"),
            Self::WrongCertificate => ("wrong_certificate", "token is bound to another client certificate"),
            Self::WrongBinding => ("wrong_binding", "token is bound to a proof that is not asked for here"),
            Self::BadSignature => ("bad_signature", "signature of the token is not valid"),
            Self::Replayed => ("replayed", "token has been used before"),
            Self::ReplayFull => ("replay_full", "too many tokens are in use; try again later"),
            Self::ForgedHeader => ("forged_header", "request has a header that only the gateway writes"),
        }
    }
}

//! Why a request is denied: two closed lists. A [`Denial`] is what the client is told, with the machine's code and the text in
//! one place; a [`Cause`] is what was found, and only the operator is told it.

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

closed_list! {
/// What was found of a request that is denied. Several causes share a code, since a client is not told more; an operator is,
/// in filter state and in the log. The texts are constant: nothing of the request is in them.
pub enum Cause {
    /// Nothing is in any of the places.
    NoToken,
    /// One place has several values.
    SeveralValues,
    /// Two places have one.
    SeveralPlaces,
    /// What another parser would take for a token.
    LooksLikeAnother,
    /// Over `verify.maxTokenBytes`.
    TooLong,
    /// What follows the scheme (RFC 9110, section 11.4) is not one space and a token.
    Separator,
    /// Bytes that no text has.
    Characters,
    /// Not the compact serialization (RFC 7515, section 7.1).
    Parts,
    /// The header is no base64url.
    HeaderEncoding,
    /// The header is no JSON object.
    HeaderJson,
    /// The payload is no base64url.
    PayloadEncoding,
    /// The payload is no JSON object.
    PayloadJson,
    /// The signature is no base64url.
    SignatureEncoding,
    /// A member stands twice.
    MemberTwice,
    /// Objects or arrays nest too deep.
    TooDeep,
    /// An extension that has to be understood (RFC 7515, section 4.1.11).
    Extension,
    /// No `alg`.
    NoAlgorithm,
    /// `kid`, `typ` or `cty` is no text.
    HeaderType,
    /// No `iss`.
    NoIssuer,
    /// `sub` or `jti` is no text.
    ClaimType,
    /// `aud` has another type than it may have (RFC 7519, section 4.1.3).
    AudienceType,
    /// No `exp`.
    NoExpiry,
    /// A time that is none (RFC 7519, section 2).
    Date,
    /// A token from before there were any.
    Before1970,
    /// `cnf` or its thumbprint has another type than it may have (RFC 7800, section 3.1).
    ConfirmationType,
    /// Without `jti` it cannot be told from others.
    NoId,
    /// Nobody of this name.
    Stranger,
    /// Nobody of this name, but for a slash at its end.
    StrangerButForASlash,
    /// `alg` is not known.
    Algorithm,
    /// `alg` is that of another key.
    AlgorithmOfKey,
    /// No key of this `kid`.
    NoKey,
    /// The key has not begun.
    KeyNotBegun,
    /// Without `kid` no key comes into question.
    NoKeyOfAlgorithm,
    /// Without `kid` more than one comes into question.
    SeveralKeys,
    /// The issuer has no keys now.
    NoKeys,
    /// The key has ended.
    KeyEnded,
    /// No `typ`.
    NoType,
    /// Another `typ`.
    Type,
    /// The key is revoked.
    KeyRevoked,
    /// The `jti` is revoked.
    IdRevoked,
    /// What its issuer said at that time is revoked.
    TimeRevoked,
    /// `exp` has passed.
    Past,
    /// `nbf` or `iat` is to come.
    Future,
    /// No `aud`, where there has to be one.
    NoAudience,
    /// Another `aud`.
    Audience,
    /// An `aud`, where nobody has told which is ours.
    AudienceUnasked,
    /// No `sub`, where its issuer may not name everyone.
    NoSubject,
    /// Another `sub`.
    Subject,
    /// `exp` is too far away.
    Lifetime,
    /// The client has no certificate.
    NoCertificate,
    /// The client has another certificate.
    Certificate,
    /// Bound to something else than a certificate.
    Binding,
    /// Another signature.
    Signature,
    /// Accepted before.
    Again,
    /// The memory of accepted tokens cannot be asked.
    NoMemory,
    /// The memory of accepted tokens is full.
    MemoryFull,
    /// A header that only this filter writes.
    Header,
}
}

impl Cause {
    /// What the client is told.
    #[must_use]
    pub fn denial(self) -> Denial {
        self.row().0
    }

    /// What the operator is told.
    #[must_use]
    pub fn detail(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (Denial, &'static str) {
        use Denial::{Ambiguous, Malformed, Replayed, Revoked, UnknownIssuer, UnknownKey, WrongAudience, WrongSubject};
        match self {
            Self::NoToken => (Denial::Missing, "no token in any of the places"),
            Self::SeveralValues => (Ambiguous, "one place has several values"),
            Self::SeveralPlaces => (Ambiguous, "two places have a token"),
            Self::LooksLikeAnother => (Ambiguous, "another parser would find one more token here"),
            Self::TooLong => (Denial::TooLarge, "over `verify.maxTokenBytes`"),
            Self::Separator => (Malformed, "not exactly one space and a token after the scheme"),
            Self::Characters => (Malformed, "not a text, let alone three parts of base64url"),
            Self::Parts => (Malformed, "not three parts with dots between them"),
            Self::HeaderEncoding => (Malformed, "the header of the token is not canonical base64url"),
            Self::HeaderJson => (Malformed, "the header of the token cannot be read as a JSON object"),
            Self::PayloadEncoding => (Malformed, "the payload is not canonical base64url"),
            Self::PayloadJson => (Malformed, "the payload cannot be read as a JSON object"),
            Self::SignatureEncoding => (Malformed, "the signature is not canonical base64url"),
            Self::MemberTwice => (Malformed, "the same member twice"),
            Self::TooDeep => (Malformed, "nested too deep"),
            Self::Extension => (Malformed, "`crit` or `b64` in the header of the token"),
            Self::NoAlgorithm => (Malformed, "no `alg`, or one that is no text"),
            Self::HeaderType => (Malformed, "`kid`, `typ` or `cty` is no text"),
            Self::NoIssuer => (Malformed, "no `iss`, or one that is no text"),
            Self::ClaimType => (Malformed, "`sub` or `jti` is no text"),
            Self::AudienceType => (Malformed, "`aud` is neither a text nor an array of texts"),
            Self::NoExpiry => (Malformed, "no `exp`"),
            Self::Date => (Malformed, "`exp`, `nbf` or `iat` is no time up to the year 9999"),
            Self::Before1970 => (Malformed, "`nbf` or `iat` is before 1970"),
            Self::ConfirmationType => (Malformed, "`cnf` is no object, or its `x5t#S256` no text"),
            Self::NoId => (Malformed, "no `jti`, without which `verify.replay` accepts nothing"),
            Self::Stranger => (UnknownIssuer, "`iss` is neither ours nor a peer's"),
            Self::StrangerButForASlash => (UnknownIssuer, "`iss` differs from a trusted one in a slash at the end"),
            Self::Algorithm => (Denial::WrongAlgorithm, "`alg` is none of those that exist here"),
            Self::AlgorithmOfKey => (Denial::WrongAlgorithm, "`alg` is not that of the key"),
            Self::NoKey => (UnknownKey, "the issuer has no key of this `kid`"),
            Self::KeyNotBegun => (UnknownKey, "the `notBefore` of the key is to come"),
            Self::NoKeyOfAlgorithm => (UnknownKey, "no `kid`, and no key of the issuer has this `alg`"),
            Self::SeveralKeys => (UnknownKey, "no `kid`, and several keys of the issuer have this `alg`"),
            Self::NoKeys => (Denial::KeysUnavailable, "the keys of the issuer have not been fetched, or are too old"),
            Self::KeyEnded => (Denial::EndedKey, "the `notAfter` of the key has passed"),
            Self::NoType => (Denial::WrongType, "no `typ`"),
            Self::Type => (Denial::WrongType, "`typ` is none of those that are accepted"),
            Self::KeyRevoked => (Revoked, "its key is revoked"),
            Self::IdRevoked => (Revoked, "its `jti` is revoked"),
            Self::TimeRevoked => (Revoked, "`iat` is before `issuedBefore`, or missing"),
            Self::Past => (Denial::Expired, "`exp` has passed"),
            Self::Future => (Denial::NotYetValid, "`nbf` or `iat` is to come"),
            Self::NoAudience => (WrongAudience, "no `aud`"),
            Self::Audience => (WrongAudience, "`aud` has none of `audiences`"),
            Self::AudienceUnasked => (WrongAudience, "an `aud`, and no `audiences` in the configuration"),
            Self::NoSubject => (WrongSubject, "no `sub`, and the issuer may not name everyone"),
            Self::Subject => (WrongSubject, "`sub` is none of `peers[].subjects`"),
            Self::Lifetime => (Denial::TooLongLived, "`exp` is further away than `peers[].maxLifetime`"),
            Self::NoCertificate => (Denial::WrongCertificate, "the client has shown no certificate"),
            Self::Certificate => (Denial::WrongCertificate, "the client has shown another certificate"),
            Self::Binding => (Denial::WrongBinding, "`cnf` has another member than `x5t#S256`"),
            Self::Signature => (Denial::BadSignature, "the signature is not that of the key"),
            Self::Again => (Replayed, "its `jti` has been accepted before"),
            Self::NoMemory => (Replayed, "whether its `jti` has been accepted before cannot be told"),
            Self::MemoryFull => (Denial::ReplayFull, "the issuer's share of `replay.cache` is full"),
            Self::Header => (Denial::ForgedHeader, "a header that `verify` writes"),
        }
    }
}

impl From<Cause> for Denial {
    fn from(cause: Cause) -> Self {
        cause.denial()
    }
}

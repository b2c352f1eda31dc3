//! From a token to its claims, or to the reason why not.
//!
//! [`Verified`] is made by [`Verifier::verify`] and nowhere else: who holds one holds the claims of an issuer that this
//! gateway trusts, signed by one of that issuer's keys, for an audience of this gateway, at this time.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::certificate;
use crate::denial::Denial;
use crate::host::Host;
use crate::time::Timestamp;
use crate::token::Untrusted;
use crate::trust::KeySet;

/// Whom this gateway trusts, and for what.
pub struct Verifier {
    own_issuer: Option<String>,
    issuers: HashMap<String, KeySet>,
    audiences: Vec<String>,
    clock_skew: f64,
}

/// An accepted token.
#[derive(Debug)]
pub struct Verified {
    payload: String,
    claims: Map<String, Value>,
    expires: f64,
    is_own: bool,
}

impl Verifier {
    /// A verifier of these issuers' tokens. `clock_skew` is in seconds.
    #[must_use]
    pub fn new(
        own_issuer: Option<String>,
        issuers: HashMap<String, KeySet>,
        audiences: Vec<String>,
        clock_skew: u32,
    ) -> Self {
        Self { own_issuer, issuers, audiences, clock_skew: clock_skew.into() }
    }

    /// Verifies a token: what is cheap first, the signature last, once, with one key.
    ///
    /// # Errors
    /// The first [`Denial`] in the order in which RFC 8725 and the cost suggest: form, issuer, algorithm and key, time,
    /// audience, certificate, signature.
    pub fn verify(&self, token: &[u8], now: Timestamp, host: &impl Host) -> Result<Verified, Denial> {
        let token = Untrusted::parse(token)?;
        let keys = self.issuers.get(&token.issuer).ok_or(Denial::UnknownIssuer)?;
        let key = keys.select(&token.algorithm, token.key_id.as_deref(), now)?;
        self.check_time(&token, now)?;
        self.check_audience(&token)?;
        if let Some(thumbprint) = certificate::bound_to(&token.claims)?
            && certificate::of_client(host).as_deref() != Some(thumbprint)
        {
            return Err(Denial::WrongCertificate);
        }
        if !key.key.verifies(token.signing_input, &token.signature) {
            return Err(Denial::BadSignature);
        }
        Ok(Verified {
            payload: token.payload.to_owned(),
            is_own: self.own_issuer.as_ref() == Some(&token.issuer),
            claims: token.claims,
            expires: token.expires,
        })
    }

    fn check_time(&self, token: &Untrusted<'_>, now: Timestamp) -> Result<(), Denial> {
        let now = now.seconds();
        // At `exp` itself a token has expired (RFC 7519, section 4.1.4).
        if now - self.clock_skew >= token.expires {
            return Err(Denial::Expired);
        }
        if token.not_before.is_some_and(|start| now + self.clock_skew < start) {
            return Err(Denial::NotYetValid);
        }
        Ok(())
    }

    fn check_audience(&self, token: &Untrusted<'_>) -> Result<(), Denial> {
        let meant_for_us = match &token.audiences {
            None => self.audiences.is_empty(),
            Some(audiences) => audiences.iter().any(|audience| self.audiences.contains(audience)),
        };
        if meant_for_us { Ok(()) } else { Err(Denial::WrongAudience) }
    }
}

impl Verified {
    /// The payload as it came, base64url without padding.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The last second at which the token has not expired.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        Timestamp::at_or_before(self.expires)
    }

    /// Whether it was issued in our own name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// A claim by its name or, if no claim has that name, by a dotted path, as Envoy's `claim_to_headers` takes it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name).or_else(|| {
            let mut steps = name.split('.');
            let first = self.claims.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        })
    }
}

#[cfg(test)]
mod tests;

//! From a token to its claims, or to the reason why not.
//!
//! [`Verified`] is made by [`Verifier::verify`] and nowhere else: who holds one holds the claims of an issuer that this
//! gateway trusts, signed by one of that issuer's keys, for an audience of this gateway, at this time.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::certificate;
use crate::denial::Denial;
use crate::host::Host;
use crate::key::base64url;
use crate::policy::Policy;
use crate::replay::Replay;
use crate::revocation::Revoked;
use crate::time::Timestamp;
use crate::token::Untrusted;
use crate::trust::KeySet;

/// Whom this gateway trusts, and for what.
pub struct Verifier {
    /// Our own `iss`.
    pub own_issuer: Option<String>,
    /// Every issuer's keys and the limits of its word.
    pub issuers: HashMap<String, (KeySet, Policy)>,
    /// Accepted values of `typ`; `None`: `JWT`, or none at all.
    pub types: Option<Vec<String>>,
    /// Seconds by which clocks may differ.
    pub clock_skew: u32,
    /// What is not accepted any more.
    pub revoked: Revoked,
    /// The memory of accepted tokens, if each is to be accepted once.
    pub replay: Option<Replay>,
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
    /// Verifies a token: what is cheap first, the signature once, with one key, and only what is genuine is remembered.
    ///
    /// # Errors
    /// The first [`Denial`] in the order in which RFC 8725 and the cost suggest: form, issuer, algorithm and key, type,
    /// revocation, time, the issuer's limits, certificate, signature, replay.
    pub fn verify(&self, token: &[u8], now: Timestamp, host: &impl Host) -> Result<Verified, Denial> {
        let token = Untrusted::parse(token)?;
        let (keys, policy) = self.issuers.get(&token.issuer).ok_or(Denial::UnknownIssuer)?;
        let key = keys.select(&token.algorithm, token.key_id.as_deref(), now)?;
        self.check_type(token.typ.as_deref())?;
        if self.revoked.covers(&token, &key.name) {
            return Err(Denial::Revoked);
        }
        self.check_time(&token, now)?;
        policy.check(&token, now, self.clock_skew.into())?;
        if let Some(thumbprint) = certificate::bound_to(&token.claims)?
            && certificate::of_client(host).as_deref() != Some(thumbprint)
        {
            return Err(Denial::WrongCertificate);
        }
        if !key.key.verifies(token.signing_input, &token.signature, host) {
            return Err(Denial::BadSignature);
        }
        self.check_replay(&token, now, host)?;
        let mut claims = token.claims;
        policy.limit(&mut claims);
        let payload = if policy.passes_all() {
            token.payload.to_owned()
        } else {
            base64url(Value::Object(claims.clone()).to_string().as_bytes())
        };
        Ok(Verified {
            payload,
            is_own: self.own_issuer.as_ref() == Some(&token.issuer),
            claims,
            expires: token.expires,
        })
    }

    /// Media types are compared without case, and `application/` may be left out (RFC 7515, section 4.1.9).
    fn check_type(&self, typ: Option<&str>) -> Result<(), Denial> {
        let short = |typ: &str| {
            let lower = typ.to_ascii_lowercase();
            lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
        };
        let accepted = match (&self.types, typ) {
            (None, None) => true,
            (None, Some(typ)) => short(typ) == "jwt",
            (Some(_), None) => false,
            (Some(types), Some(typ)) => types.iter().any(|accepted| short(accepted) == short(typ)),
        };
        if accepted { Ok(()) } else { Err(Denial::WrongType) }
    }

    fn check_replay(&self, token: &Untrusted<'_>, now: Timestamp, host: &impl Host) -> Result<(), Denial> {
        let Some(replay) = &self.replay else {
            return Ok(());
        };
        // What has no name cannot be recognised.
        let id = token.claims.get("jti").and_then(Value::as_str).ok_or(Denial::Malformed)?;
        let until = Timestamp::at_or_before(token.expires).after(self.clock_skew);
        replay.admit(&token.issuer, id, until, now, host)
    }

    fn check_time(&self, token: &Untrusted<'_>, now: Timestamp) -> Result<(), Denial> {
        let (now, clock_skew) = (now.seconds(), f64::from(self.clock_skew));
        // At `exp` itself a token has expired (RFC 7519, section 4.1.4).
        if now - clock_skew >= token.expires {
            return Err(Denial::Expired);
        }
        if token.not_before.is_some_and(|start| now + clock_skew < start) {
            return Err(Denial::NotYetValid);
        }
        Ok(())
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

    /// The thumbprint of the client's certificate, if the token is bound to it.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        certificate::bound_to(&self.claims).ok().flatten()
    }

    /// Whether it was issued in our own name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Who the token speaks of: issuer and subject, since a subject alone is unique to its issuer only (RFC 7519, section
    /// 4.1.2). An issuer has no `#` in it, so no two pairs look alike.
    #[must_use]
    pub fn principal(&self) -> Option<String> {
        let text = |name| self.claims.get(name).and_then(Value::as_str);
        Some(format!("{}#{}", text("iss")?, text("sub")?))
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

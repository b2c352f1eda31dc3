//! From a token to its claims, or to the reason why not.
//!
//! [`Verified`] is made by [`Verifier::verify`], or of what that has found by [`Verifier::verify_again`], and nowhere else:
//! who holds one holds the claims of an issuer that this gateway trusts, signed by one of that issuer's keys, for an
//! audience of this gateway, at this time.

mod verified;

use std::rc::Rc;

pub use verified::{Facts, Verified};

use crate::denial::{Cause, Denial};
use crate::encoding::protobuf::StructBytes;
use crate::host::Host;
use crate::jose::base64url;
use crate::jose::confirmation;
use crate::jose::token::{Hearsay, Unreadable, Untrusted};
use crate::time::Timestamp;
use crate::trust::limits::{self, Limits};
use crate::trust::replay::Replay;
use crate::trust::revocation::Revoked;
use crate::trust::{Origin, Ring, TrustedIssuer, TrustedKey};

/// The largest number of seconds by which clocks may differ.
pub const LONGEST_SKEW: u32 = 300;

/// What this gateway asks of every token, whoever signed it.
pub struct Verifier {
    /// The largest token that is looked at, in bytes.
    pub max_token_bytes: usize,
    /// Seconds by which clocks may differ.
    pub clock_skew: u32,
    /// What is not accepted any more.
    pub revoked: Revoked,
    /// The memory of accepted tokens, if each is to be accepted once.
    pub replay: Option<Replay>,
}

/// Why a token is not accepted, and what can be told of it.
#[derive(Debug)]
pub struct NotVerified {
    /// What was found.
    pub cause: Cause,
    /// What it says of itself.
    pub hearsay: Hearsay,
    /// Who has signed it. Nobody as long as its signature has not been verified: who only writes a name into a token must not
    /// be counted under it.
    pub signer: Option<Rc<TrustedIssuer>>,
    /// The source of a peer's keys that may bring the one for want of which it is not accepted.
    pub source: Option<usize>,
}

/// Who has signed a token, and with which key.
type Signer<'r> = (&'r Rc<TrustedIssuer>, &'r Rc<TrustedKey>);

impl From<Unreadable> for NotVerified {
    fn from(Unreadable { cause, hearsay }: Unreadable) -> Self {
        Self { cause, hearsay, signer: None, source: None }
    }
}

impl Verifier {
    /// Verifies a token: what is cheap first, the signature once, with one key, and only what is genuine is remembered.
    ///
    /// # Errors
    /// The first [`Cause`] in this order: form, issuer, algorithm and key, time, signature; then what only a genuine token is
    /// told: type, the issuer's limits, binding, certificate, revocation, replay.
    #[inline(never)]
    pub fn verify(&self, text: &[u8], ring: &Ring, now: Timestamp, host: &impl Host) -> Result<Verified, NotVerified> {
        let mut as_struct = StructBytes::default();
        let mut token = Untrusted::parse(text, self.max_token_bytes, &mut as_struct)?;
        let (issuer, key) = self.authenticate(&token, ring, now, host).map_err(|(cause, source)| NotVerified {
            cause,
            hearsay: token.hearsay(),
            signer: None,
            source,
        })?;
        let refused = |cause, token: &Untrusted<'_>| {
            let signer = Some(Rc::clone(issuer));
            NotVerified { cause, hearsay: token.hearsay(), signer, source: None }
        };
        let admitted = self.admit(&token, &issuer.limits, now, host);
        let has_forgotten = admitted.map_err(|cause| refused(cause, &token))?;
        let thumbprint = token.thumbprint.take();
        let names_its_key = token.key_id().is_some();
        let (expires, not_before) = (token.expires, token.not_before);
        let (limited, claims) = if issuer.limits.passes_all() {
            (None, token.into_claims())
        } else {
            as_struct.0.clear();
            let claims = issuer.limits.limited(token.claims(), &mut as_struct);
            let claims = claims.map_err(|_| refused(Cause::PayloadJson, &token))?;
            (Some(base64url::encode(claims.json())), claims)
        };
        let facts = Facts {
            token: text.into(),
            limited,
            expires,
            not_before,
            names_its_key,
            issuer: Rc::clone(issuer),
            key: Rc::clone(key),
            thumbprint,
        };
        Ok(Verified::new(facts, claims, as_struct.0, has_forgotten))
    }

    /// Who has signed a token, and with which key. With the cause why nobody has, the source that may bring the key.
    fn authenticate<'r>(
        &self,
        token: &Untrusted<'_>,
        ring: &'r Ring,
        now: Timestamp,
        host: &impl Host,
    ) -> Result<Signer<'r>, (Cause, Option<usize>)> {
        let refused = |cause| (cause, None);
        let issuer = ring.select(&token.issuer()).map_err(refused)?;
        let key = issuer.keys.select(&token.algorithm(), token.key_id().as_deref(), now);
        let key = key.map_err(|cause| self.keyless(cause, token, issuer, now))?;
        if self.revoked.covers_key(&key.name) {
            return Err(refused(Cause::KeyRevoked));
        }
        self.check_time(token.expires, token.not_before, now).map_err(refused)?;
        if !key.key.verifies(token.signing_input, &token.signature, host) {
            return Err(refused(Cause::Signature));
        }
        Ok((issuer, key))
    }

    /// Whether a genuine token is good here and now, and whether another one was forgotten for it. Before, whoever can write a
    /// token could ask what would be accepted of others.
    fn admit(&self, token: &Untrusted<'_>, limits: &Limits, now: Timestamp, host: &impl Host) -> Result<bool, Cause> {
        limits.check(token, now, self.clock_skew.into())?;
        if token.is_bound_otherwise {
            return Err(Cause::Binding);
        }
        check_certificate(token.thumbprint.as_deref(), host)?;
        self.revoked.check(token)?;
        self.check_replay(token, now, host)
    }

    /// Verifies a token once more, now and from this client, if the facts are those of just this token and its key is still
    /// the trusted one. What cannot change while a configuration is in force is not looked at again: form, type, revocation,
    /// audience, subject and signature.
    ///
    /// `None`, which is no denial, when [`verify`](Self::verify) has to decide. With `replay` it always has.
    pub fn verify_again(
        &self,
        facts: &Rc<Facts>,
        token: &[u8],
        ring: &Ring,
        now: Timestamp,
        host: &impl Host,
    ) -> Option<Verified> {
        let clock_skew = f64::from(self.clock_skew);
        let holds = are_same(&facts.token, token)
            && self.replay.is_none()
            && facts.names_its_key
            && ring.still_trusts(&facts.issuer, &facts.key)
            && facts.key.is_live(now)
            && self.check_time(facts.expires, facts.not_before, now).is_ok()
            && limits::check_lifetime(facts.issuer.limits.max_lifetime, facts.expires, now, clock_skew).is_ok()
            && check_certificate(facts.thumbprint.as_deref(), host).is_ok();
        holds.then(|| Verified::again(facts))
    }

    /// Why a token has no key, and the source that may bring it: the peer has none, or the token names one that it has not.
    /// Where keys come and go its time is looked at first: nobody is asked for the key of what has expired.
    fn keyless(
        &self,
        cause: Cause,
        token: &Untrusted<'_>,
        issuer: &TrustedIssuer,
        now: Timestamp,
    ) -> (Cause, Option<usize>) {
        if cause.denial() != Denial::UnknownKey || issuer.origin == Origin::Configured {
            return (cause, None);
        }
        if let Err(cause) = self.check_time(token.expires, token.not_before, now) {
            return (cause, None);
        }
        let lacks_keys = issuer.lacks_keys();
        let is_new = token.key_id().map_or(lacks_keys, |name| !issuer.keys.names(&name));
        let source = match issuer.origin {
            Origin::Remote { source, .. } if is_new => Some(source),
            _ => None,
        };
        (if lacks_keys { Cause::NoKeys } else { cause }, source)
    }

    /// Whether another token was forgotten for this one.
    fn check_replay(&self, token: &Untrusted<'_>, now: Timestamp, host: &impl Host) -> Result<bool, Cause> {
        let Some(replay) = &self.replay else {
            return Ok(false);
        };
        // What has no name cannot be recognised.
        let id = token.jwt_id().ok_or(Cause::NoId)?;
        // Longer than now needed: another configuration may look at it with a larger skew.
        let until = Timestamp::at_or_before(token.expires).after(LONGEST_SKEW);
        replay.admit(&token.issuer(), &id, until, now, host)
    }

    fn check_time(&self, expires: f64, not_before: Option<f64>, now: Timestamp) -> Result<(), Cause> {
        let (now, clock_skew) = (now.seconds(), f64::from(self.clock_skew));
        // At `exp` itself a token has expired (RFC 7519, section 4.1.4).
        if now - clock_skew >= expires {
            return Err(Cause::Past);
        }
        if not_before.is_some_and(|start| now + clock_skew < start) {
            return Err(Cause::Future);
        }
        Ok(())
    }
}

/// Whether two tokens are one, eight bytes at a time: the C library of WASI compares one by one.
fn are_same(token: &[u8], other: &[u8]) -> bool {
    let ((chunks, rest), (others, other_rest)) = (token.as_chunks(), other.as_chunks());
    let mut pairs = chunks.iter().zip(others);
    token.len() == other.len()
        && pairs.all(|(chunk, other)| u64::from_ne_bytes(*chunk) == u64::from_ne_bytes(*other))
        && rest == other_rest
}

/// That a token that is bound to a certificate comes with it.
fn check_certificate(thumbprint: Option<&str>, host: &impl Host) -> Result<(), Cause> {
    if thumbprint.is_none() {
        return Ok(());
    }
    let shown = host.client_certificate().and_then(|digits| confirmation::thumbprint(&digits));
    let shown = shown.ok_or(Cause::NoCertificate)?;
    if Some(&*shown) == thumbprint { Ok(()) } else { Err(Cause::Certificate) }
}

#[cfg(test)]
mod tests;

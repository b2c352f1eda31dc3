//! From a token to its claims, or to the reason why not.
//!
//! [`Verified`] is made by [`Verifier::verify`], or of what that has found by [`Verifier::verify_again`], and nowhere else:
//! who holds one holds the claims of an issuer that this gateway trusts, signed by one of that issuer's keys, for an
//! audience of this gateway, at this time.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::denial::Denial;
use crate::host::Host;
use crate::jose::base64url;
use crate::jose::confirmation;
use crate::jose::json;
use crate::jose::token::Untrusted;
use crate::time::Timestamp;
use crate::trust::limits;
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

/// An accepted token.
pub struct Verified {
    facts: Rc<Facts>,
    /// Read from the payload again where a token is remembered: they take three times the memory of the token.
    claims: OnceCell<Map<String, Value>>,
    has_forgotten: bool,
}

/// All of an accepted token that is worth remembering.
pub struct Facts {
    token: Box<[u8]>,
    /// The payload with the claims that are passed on; `None`: all are.
    limited: Option<String>,
    expires: f64,
    not_before: Option<f64>,
    /// Without a `kid`, which key is the only one changes as keys end.
    names_its_key: bool,
    /// Who vouched for it, and with which key: it is good only while both are trusted.
    issuer: Rc<TrustedIssuer>,
    key: Rc<TrustedKey>,
    /// Of the client's certificate that the token is bound to.
    thumbprint: Option<String>,
}

impl Verifier {
    /// Verifies a token: what is cheap first, the signature once, with one key, and only what is genuine is remembered.
    ///
    /// # Errors
    /// The first [`Denial`] in this order: form, issuer, algorithm and key, time, signature; then what only a genuine token is
    /// told: type, the issuer's limits, binding, certificate, revocation, replay.
    #[inline(never)]
    pub fn verify(&self, text: &[u8], ring: &Ring, now: Timestamp, host: &impl Host) -> Result<Verified, Denial> {
        let mut token = Untrusted::parse(text, self.max_token_bytes)?;
        let issuer = ring.select(token.issuer())?;
        let key = issuer.keys.select(token.algorithm(), token.key_id(), now);
        let (key, limits) = (key.map_err(|denial| self.keyless(denial, &token, issuer, now))?, &issuer.limits);
        if self.revoked.covers_key(&key.name) {
            return Err(Denial::Revoked);
        }
        self.check_time(token.expires, token.not_before, now)?;
        if !key.key.verifies(token.signing_input, &token.signature, host) {
            return Err(Denial::BadSignature);
        }
        // From here on it is genuine. Before, whoever can write a token could ask what would be accepted of others.
        limits.check(&token, now, self.clock_skew.into())?;
        if token.is_bound_otherwise {
            return Err(Denial::WrongBinding);
        }
        check_certificate(token.thumbprint.as_deref(), host)?;
        if self.revoked.covers(&token) {
            return Err(Denial::Revoked);
        }
        let has_forgotten = self.check_replay(&token, now, host)?;
        let thumbprint = token.thumbprint.take();
        let names_its_key = token.key_id().is_some();
        let (expires, not_before) = (token.expires, token.not_before);
        let mut claims = token.into_claims();
        limits.limit(&mut claims);
        let limited = (!limits.passes_all()).then(|| base64url::encode(Value::Object(claims.clone()).to_string()));
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
        Ok(Verified { facts: Rc::new(facts), claims: OnceCell::from(claims), has_forgotten })
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
        let holds = *facts.token == *token
            && self.replay.is_none()
            && facts.names_its_key
            && ring.still_trusts(&facts.issuer, &facts.key)
            && facts.key.is_live(now)
            && self.check_time(facts.expires, facts.not_before, now).is_ok()
            && limits::check_lifetime(facts.issuer.limits.max_lifetime, facts.expires, now, clock_skew).is_ok()
            && check_certificate(facts.thumbprint.as_deref(), host).is_ok();
        holds.then(|| Verified { facts: Rc::clone(facts), claims: OnceCell::new(), has_forgotten: false })
    }

    /// Why a token has no key. Where keys come and go its time is looked at first: nobody is asked for the key of what has
    /// expired.
    fn keyless(&self, denial: Denial, token: &Untrusted<'_>, issuer: &TrustedIssuer, now: Timestamp) -> Denial {
        if denial != Denial::UnknownKey || issuer.origin == Origin::Configured {
            return denial;
        }
        match self.check_time(token.expires, token.not_before, now) {
            Err(denial) => denial,
            Ok(()) if issuer.lacks_keys() => Denial::KeysUnavailable,
            Ok(()) => denial,
        }
    }

    /// The source of a peer's keys that may bring the one for want of which a token was denied: the peer has none, or the
    /// token names one that it has not.
    #[must_use]
    pub fn may_come_from(&self, denial: Denial, text: &[u8], ring: &Ring) -> Option<usize> {
        if !matches!(denial, Denial::UnknownKey | Denial::KeysUnavailable) {
            return None;
        }
        let token = Untrusted::parse(text, self.max_token_bytes).ok()?;
        let issuer = ring.select(token.issuer()).ok()?;
        let Origin::Remote { source, .. } = issuer.origin else {
            return None;
        };
        let is_new = token.key_id().map_or_else(|| issuer.lacks_keys(), |name| !issuer.keys.names(name));
        is_new.then_some(source)
    }

    /// Whether another token was forgotten for this one.
    fn check_replay(&self, token: &Untrusted<'_>, now: Timestamp, host: &impl Host) -> Result<bool, Denial> {
        let Some(replay) = &self.replay else {
            return Ok(false);
        };
        // What has no name cannot be recognised.
        let id = token.jwt_id().ok_or(Denial::Malformed)?;
        // Longer than now needed: another configuration may look at it with a larger skew.
        let until = Timestamp::at_or_before(token.expires).after(LONGEST_SKEW);
        replay.admit(token.issuer(), id, until, now, host)
    }

    fn check_time(&self, expires: f64, not_before: Option<f64>, now: Timestamp) -> Result<(), Denial> {
        let (now, clock_skew) = (now.seconds(), f64::from(self.clock_skew));
        // At `exp` itself a token has expired (RFC 7519, section 4.1.4).
        if now - clock_skew >= expires {
            return Err(Denial::Expired);
        }
        if not_before.is_some_and(|start| now + clock_skew < start) {
            return Err(Denial::NotYetValid);
        }
        Ok(())
    }
}

/// That a token that is bound to a certificate comes with it.
fn check_certificate(thumbprint: Option<&str>, host: &impl Host) -> Result<(), Denial> {
    let is_bound_to_another = thumbprint.is_some()
        && host.client_certificate().and_then(|digits| confirmation::thumbprint(&digits)).as_deref() != thumbprint;
    if is_bound_to_another { Err(Denial::WrongCertificate) } else { Ok(()) }
}

impl fmt::Debug for Verified {
    /// Without the token and its claims, which are its bearer's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Verified(..)")
    }
}

impl Facts {
    /// Whether [`Verifier::verify_again`] can say yes to them.
    #[must_use]
    pub fn are_worth_remembering(&self) -> bool {
        self.names_its_key
    }

    /// The bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = [&self.limited, &self.thumbprint].into_iter().flatten().map(String::len);
        texts.fold(self.token.len(), usize::saturating_add).saturating_add(size_of::<Self>())
    }
}

impl Verified {
    /// What is worth remembering.
    #[must_use]
    pub fn facts(&self) -> &Rc<Facts> {
        &self.facts
    }

    /// The payload as it came, base64url without padding; without the claims that are not passed on.
    #[must_use]
    pub fn payload(&self) -> &str {
        let sent = || self.facts.token.split(|byte| *byte == b'.').nth(1);
        let sent = || sent().and_then(|payload| std::str::from_utf8(payload).ok()).unwrap_or_default();
        self.facts.limited.as_deref().unwrap_or_else(sent)
    }

    /// All claims that are passed on.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        self.claims.get_or_init(|| {
            let payload = base64url::decode(self.payload()).unwrap_or_default();
            json::parse_object(&payload).unwrap_or_default()
        })
    }

    /// Whether another token was forgotten, and could be used again, so that this one can be remembered.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// `exp`, rounded down to a second.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        Timestamp::at_or_before(self.facts.expires)
    }

    /// The thumbprint of the client's certificate, if the token is bound to it.
    #[must_use]
    pub fn thumbprint(&self) -> Option<&str> {
        self.facts.thumbprint.as_deref()
    }

    /// Whether it was issued in our own name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.facts.issuer.is_own
    }

    /// Who the token speaks of: issuer and subject, since a subject alone is unique to its issuer only (RFC 7519, section
    /// 4.1.2). An issuer has no `#` in it, so no two pairs look alike. An empty subject is none.
    #[must_use]
    pub fn principal(&self) -> Option<String> {
        let text = |name| self.claims().get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(format!("{}#{}", text("iss")?, text("sub")?))
    }

    /// A claim by its JSON Pointer (RFC 6901) if it starts with `/`. Otherwise by its name or, if no claim has that name, by
    /// a dotted path, as Envoy's `claim_to_headers` takes it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        if let Some(pointer) = name.strip_prefix('/') {
            let end = pointer.find('/').unwrap_or(pointer.len());
            let (first, rest) = pointer.split_at_checked(end)?;
            return self.claims().get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest);
        }
        self.claims().get(name).or_else(|| {
            let mut steps = name.split('.');
            let first = self.claims().get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.get(step))
        })
    }
}

#[cfg(test)]
mod tests;

//! From an identity to a wristband (Authorino's name for a JWT that a gateway signs about a caller).
//!
//! An [`Issuer`] holds the one private key. What it needs of a request is evaluated in two phases, [`Evaluated`], because
//! attributes of the request are gone when the response comes and those of later filters are not there before.

mod actor;
mod evaluated;
pub mod expression;
mod identity;
pub mod pseudonym;
mod reuse;
mod signer;
mod skip;

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use crate::crypto::SigningKey;
use crate::host::Host;
use crate::http::headers::{HeaderName, Headers};
use crate::issue::expression::{Answer, Condition, Expression};
use crate::jose::confirmation;
use crate::time::Timestamp;
use crate::verify::Verified;
use identity::Identity;
use reuse::Reusable;
use signer::ClaimMembers;

pub use evaluated::Evaluated;
pub use signer::{Signed, Signer};
pub use skip::Skip;

/// Signs wristbands.
pub struct Issuer {
    rules: Rules,
    signer: Signer,
    /// What may be handed out again, by the claims that are not the same for everyone.
    reusable: Option<Reusable>,
}

/// Who gets a wristband, and what is in it.
pub struct Rules {
    /// Our `iss`. To find it in an inbound `act` is to find a loop.
    pub issuer: String,
    /// Seconds from `iat` to `exp`.
    pub duration: u32,
    /// To whom wristbands are delivered.
    pub placement: Placement,
    /// Who the request was authenticated as: the first source that says anything counts.
    pub identity: Vec<Source>,
    /// Seconds by which `iat` and `nbf` lie in the past.
    pub backdate: u32,
    /// What `sub` is made of, unless of the identity.
    pub subject: Option<Subject>,
    /// Asked in the request phase.
    pub when_request: Option<Condition>,
    /// Asked in the response phase.
    pub when_response: Option<Condition>,
    /// Custom claims that are not the same for everyone.
    pub computed: Vec<Claim>,
    /// How many hops `act` may have, if we are to be recorded in it.
    pub chain: Option<u32>,
    /// Whether wristbands are bound to the client's certificate.
    pub bind_client_certificate: bool,
}

/// Who receives a wristband.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The client, with the response.
    Response,
    /// The upstream, with the request.
    Request,
}

/// A custom claim that depends on the request.
#[derive(Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its value.
    pub expression: Expression,
    /// Whether a wristband without it is none.
    pub required: bool,
}

/// A wristband for a request.
pub struct Wristband {
    /// The token.
    pub signed: Rc<Signed>,
    /// Seconds until it expires.
    pub seconds: i64,
    /// Whether another request had it before.
    pub is_reused: bool,
}

/// Where an identity comes from.
#[derive(Debug)]
pub enum Source {
    /// A request header.
    Header(HeaderName),
    /// An expression, and whether it goes through the items of a list: then how long that is decides whether it has a value,
    /// and those behind it never count.
    Expression(Expression, bool),
    /// The accepted inbound wristband.
    Wristband,
}

/// What `sub` is made of.
#[derive(Debug)]
pub enum Subject {
    /// An expression.
    Expression(Expression),
    /// The hash of the identity.
    Hash,
}

impl Issuer {
    /// An issuer that hands out a wristband again for `reuse` seconds.
    #[must_use]
    pub fn new(rules: Rules, signer: Signer, reuse: u32) -> Self {
        Self { rules, signer, reusable: (reuse > 0).then(|| Reusable::new(reuse)) }
    }

    /// Signs with this key from now on, whose name is `kid`; with none it signs nothing. What another one has signed is not
    /// handed out again.
    pub fn sign_with(&self, key: Option<(&str, Rc<SigningKey>)>) {
        if self.signer.sign_with(key)
            && let Some(reusable) = &self.reusable
        {
            reusable.clear();
        }
    }

    /// To whom wristbands are delivered.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.rules.placement
    }

    /// Gathers what there is in the request phase.
    pub fn on_request(&self, headers: &Headers<'_>, inbound: Option<&Verified>, host: &impl Host) -> Evaluated {
        Evaluated::on_request(&self.rules, headers, inbound, host)
    }

    /// Adds what there is in the response phase only.
    pub fn on_response(&self, evaluated: &mut Evaluated, host: &impl Host) {
        evaluated.on_response(&self.rules, host);
    }

    /// Signs a wristband for whom a request was authenticated as.
    ///
    /// # Errors
    /// Why there is none.
    pub fn wristband(
        &self,
        evaluated: &Evaluated,
        inbound: Option<&Verified>,
        now: Timestamp,
        host: &impl Host,
    ) -> Result<Wristband, Skip> {
        if inbound.is_some_and(Verified::is_own) {
            return Err(Skip::OwnWristband);
        }
        if evaluated.condition == Some(false) {
            return Err(Skip::Condition);
        }
        let identity = evaluated.identity(&self.rules, inbound)?;
        let mut claims = self.claims(evaluated, identity, inbound, host)?;
        let end = now.after(self.rules.duration);
        let end = inbound.map_or(end, |inbound| end.min(inbound.expires()));
        if end <= now {
            return Err(Skip::Expired);
        }
        let subject = self.subject(identity, &evaluated.subject)?;
        claims.add("sub", &subject)?;
        if let Some(signed) = self.reusable.as_ref().and_then(|reusable| reusable.find(claims.text(), now, end)) {
            return Ok(Wristband::new(signed, now, true));
        }
        let signed = Rc::new(self.signer.sign(&claims, now, now.before(self.rules.backdate), end, host)?);
        if let Some(reusable) = &self.reusable {
            reusable.keep(claims.text(), &signed, now);
        }
        Ok(Wristband::new(signed, now, false))
    }

    /// The claims that depend on the request, but for `sub`.
    fn claims(
        &self,
        evaluated: &Evaluated,
        identity: Identity<'_>,
        inbound: Option<&Verified>,
        host: &impl Host,
    ) -> Result<ClaimMembers, Skip> {
        let mut claims = ClaimMembers::default();
        for (answer, claim) in evaluated.claims.iter().zip(&self.rules.computed) {
            match answer {
                Answer::Value(value) => claims.add(&claim.name, value)?,
                Answer::TooLarge => return Err(Skip::ClaimTooLarge),
                Answer::Unreadable => return Err(Skip::ClaimMissing),
                Answer::Nothing if claim.required => return Err(Skip::ClaimMissing),
                Answer::Nothing => {}
            }
        }
        if self.rules.bind_client_certificate {
            let thumbprint = host.client_certificate().and_then(|digits| confirmation::thumbprint(&digits));
            let thumbprint = thumbprint.ok_or(Skip::NoCertificate)?;
            claims.add("cnf", &confirmation::of(&thumbprint))?;
        } else if let Some(thumbprint) = inbound.and_then(Verified::thumbprint) {
            // What was bound stays bound, whatever the identity is read from: nobody gets a bearer token for it.
            claims.add("cnf", &confirmation::of(thumbprint))?;
        }
        let actor = match (identity, inbound) {
            (Identity::Wristband(_), Some(inbound)) => actor::of(&self.rules.issuer, inbound, self.rules.chain)?,
            // Who acts for whom the wristband speaks of does not act for anybody else, and may be what the identity was made
            // of.
            (_, Some(inbound)) if inbound.member("act").is_some() => return Err(Skip::Actor),
            _ => None,
        };
        if let Some(actor) = actor {
            claims.add("act", &actor)?;
        }
        Ok(claims)
    }

    /// Whether wristbands may be handed out again.
    #[must_use]
    pub fn reuses(&self) -> bool {
        self.reusable.is_some()
    }

    fn subject<'v>(&self, identity: Identity<'v>, evaluated: &'v Answer) -> Result<Cow<'v, str>, Skip> {
        let subject = match (&self.rules.subject, evaluated) {
            (Some(Subject::Hash), _) => return identity.pseudonym().map(Cow::Owned).ok_or(Skip::NoSubject),
            (Some(Subject::Expression(_)), Answer::TooLarge) => return Err(Skip::ClaimTooLarge),
            (Some(Subject::Expression(_)), answer) => answer.value().and_then(Value::as_str).map(Cow::Borrowed),
            (None, _) => identity.name(),
        };
        subject.filter(|subject| !subject.is_empty()).ok_or(Skip::NoSubject)
    }
}

impl Wristband {
    fn new(signed: Rc<Signed>, now: Timestamp, is_reused: bool) -> Self {
        Self { seconds: signed.expires.0.saturating_sub(now.0), signed, is_reused }
    }
}

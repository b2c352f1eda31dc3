//! From an identity to a wristband (Authorino's name for a JWT that a gateway signs about a caller).
//!
//! An [`Issuer`] holds the one private key. What it needs of a request is evaluated in two phases, [`Evaluated`], because
//! attributes of the request are gone when the response comes and those of later filters are not there before.

mod chain;
pub mod expression;
mod identity;
pub mod pseudonym;
mod reuse;
mod signer;
mod skip;

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use crate::host::Host;
use crate::http::headers::{HeaderName, Headers};
use crate::issue::expression::{Attributes, Condition, Expression};
use crate::jose::confirmation;
use crate::time::Timestamp;
use crate::verify::Verified;
use identity::Identity;
use reuse::Reusable;
use signer::ClaimMembers;

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
    /// Who the request was authenticated as: the first source that has a value counts.
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
    /// How many hops `act` may record, if it records any.
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
    /// An expression.
    Expression(Expression),
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

/// What is known of a request so far.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Evaluated {
    condition: Option<bool>,
    /// Of each source, but for the accepted wristband.
    identity: Vec<Option<Value>>,
    subject: Option<Value>,
    claims: Vec<Option<Value>>,
}

impl Issuer {
    /// An issuer that hands out a wristband again for `reuse` seconds.
    #[must_use]
    pub fn new(rules: Rules, signer: Signer, reuse: u32) -> Self {
        Self { rules, signer, reusable: (reuse > 0).then(|| Reusable::new(reuse)) }
    }

    /// To whom wristbands are delivered.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.rules.placement
    }

    /// Gathers what there is in the request phase.
    pub fn on_request(&self, headers: &Headers<'_>, inbound: Option<&Verified>, host: &impl Host) -> Evaluated {
        let attributes = Attributes::new(host);
        let mut evaluated = Evaluated {
            condition: self.rules.when_request.as_ref().map(|condition| condition.holds(&attributes)),
            claims: self.rules.computed.iter().map(|_| None).collect(),
            ..Evaluated::default()
        };
        let sources = self.rules.identity.iter().map(|source| match source {
            Source::Header(name) => headers.only_text(name).map(Value::from),
            Source::Wristband | Source::Expression(_) => None,
        });
        evaluated.identity = sources.collect();
        if !inbound.is_some_and(Verified::is_own) {
            self.evaluate(&mut evaluated, &attributes);
        }
        evaluated
    }

    /// Adds what there is in the response phase only.
    pub fn on_response(&self, evaluated: &mut Evaluated, host: &impl Host) {
        let attributes = Attributes::new(host);
        if let Some(condition) = &self.rules.when_response {
            evaluated.condition = Some(evaluated.condition.unwrap_or(true) && condition.holds(&attributes));
        }
        self.evaluate(evaluated, &attributes);
    }

    /// Evaluates every expression that has had no value yet, as far as it can still count.
    fn evaluate(&self, evaluated: &mut Evaluated, attributes: &Attributes<'_, impl Host>) {
        if evaluated.condition == Some(false) {
            return;
        }
        let fill = |value: &mut Option<Value>, expression: &Expression| {
            if value.is_none() {
                *value = expression.value(attributes);
            }
        };
        for (value, source) in evaluated.identity.iter_mut().zip(&self.rules.identity) {
            if let Source::Expression(expression) = source {
                fill(value, expression);
            }
            if value.as_ref().is_some_and(|value| !Identity::Value(value).is_nobody()) {
                // Those behind it do not count.
                break;
            }
        }
        if let Some(Subject::Expression(expression)) = &self.rules.subject {
            fill(&mut evaluated.subject, expression);
        }
        for (value, claim) in evaluated.claims.iter_mut().zip(&self.rules.computed) {
            fill(value, &claim.expression);
        }
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
        let sources = self.rules.identity.iter().zip(&evaluated.identity);
        let mut known = sources.filter_map(|(source, value)| match source {
            Source::Wristband => inbound.map(|inbound| Identity::Wristband(inbound.claims())),
            Source::Header(_) | Source::Expression(_) => value.as_ref().map(Identity::Value),
        });
        let nobody = if inbound.is_some() { Skip::PeerWristband } else { Skip::NoIdentity };
        let identity = known.find(|identity| !identity.is_nobody()).ok_or(nobody)?;
        let mut claims = self.claims(evaluated, inbound, host)?;
        let end = now.after(self.rules.duration);
        let end = inbound.map_or(end, |inbound| end.min(inbound.expires()));
        if end <= now {
            return Err(Skip::Expired);
        }
        let subject = self.subject(identity, evaluated.subject.as_ref()).ok_or(Skip::NoSubject)?;
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
        inbound: Option<&Verified>,
        host: &impl Host,
    ) -> Result<ClaimMembers, Skip> {
        let mut claims = ClaimMembers::default();
        for (value, claim) in evaluated.claims.iter().zip(&self.rules.computed) {
            match value {
                Some(value) => claims.add(&claim.name, value)?,
                None if claim.required => return Err(Skip::ClaimMissing),
                None => {}
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
        if let (Some(max_hops), Some(inbound)) = (self.rules.chain, inbound) {
            claims.add("act", &chain::actor(&self.rules.issuer, inbound.claims(), max_hops)?)?;
        }
        Ok(claims)
    }

    /// Whether wristbands may be handed out again.
    #[must_use]
    pub fn reuses(&self) -> bool {
        self.reusable.is_some()
    }

    fn subject<'v>(&self, identity: Identity<'v>, evaluated: Option<&'v Value>) -> Option<Cow<'v, str>> {
        let subject = match &self.rules.subject {
            Some(Subject::Hash) => return Some(identity.pseudonym().into()),
            Some(Subject::Expression(_)) => evaluated?.as_str(),
            None => identity.name(),
        };
        subject.filter(|subject| !subject.is_empty()).map(Cow::Borrowed)
    }
}

impl Wristband {
    fn new(signed: Rc<Signed>, now: Timestamp, is_reused: bool) -> Self {
        Self { seconds: signed.expires.0.saturating_sub(now.0), signed, is_reused }
    }
}

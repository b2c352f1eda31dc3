//! One request and its response: what the filter does with them, decided without touching them.
//!
//! The adapter reads headers, asks [`Plan::on_request`], [`Plan::on_admitted`] and [`Plan::on_response`], and carries out
//! each answer before it asks on.

use std::rc::Rc;

use serde_json::Value;

use crate::config::{Mode, OnFailure, Placement, source};
use crate::credential::{self, Place};
use crate::denial::Denial;
use crate::headers::{COOKIE, HeaderName, Headers, SET_COOKIE, can_be_value};
use crate::host::Host;
use crate::issue::{Gathered, Skip};
use crate::key::base64url;
use crate::plan::{Inbound, Issuing, Plan};
use crate::reply::Reply;
use crate::time::Timestamp;
use crate::verify::{Facts, Verified};

const CACHE_CONTROL: HeaderName = HeaderName::known("cache-control");

/// Whether a header says how long a response may be kept: to everyone, to proxies of one make, or to those of one operator
/// (RFC 9213, section 2.1, where anybody may have one).
fn is_on_caching(name: &str) -> bool {
    matches!(name, "cache-control" | "edge-control" | "expires" | "surrogate-control" | "x-accel-expires")
        || name.ends_with("-cache-control")
}

/// How many of a token's last bytes it is looked up by: they are its signature's, so that hardly two tokens share them.
const LOOKED_UP_BY: usize = 32;

/// The output that is no claim but issuer and subject together; no claim of that name takes its place.
const PRINCIPAL: &str = "principal";

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A wristband was signed.
    Issued,
    /// None was, and why.
    IssueSkipped(Skip),
    /// A token was accepted.
    Verified,
    /// A request was denied.
    Denied(Denial),
    /// `observe` would have denied it.
    Observed(Denial),
    /// A well-known document was asked for.
    Discovery,
    /// A token was accepted because it had been before.
    TokenCacheHit,
    /// A token was accepted by its signature.
    TokenCacheMiss,
    /// A wristband was handed out again.
    ReuseHit,
    /// A wristband was signed, and may be handed out again.
    ReuseMiss,
}

/// What to do with a message. It has tokens in it, and outside the tests no `Debug`.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Edits {
    /// Headers to remove, all their values.
    pub remove: Vec<HeaderName>,
    /// Headers to set after that.
    pub set: Vec<(HeaderName, String)>,
    /// Values to add after that, as bytes because some are an upstream's.
    pub add: Vec<(HeaderName, Vec<u8>)>,
    /// What remains of `cookie` or `:path` when a token is taken out.
    pub rewrite: Option<(&'static str, Vec<u8>)>,
    /// A serialized `google.protobuf.Struct` for the filter state `wasm.wristband`.
    pub filter_state: Option<Rc<[u8]>>,
    /// What to count.
    pub events: Vec<Event>,
}

/// What to do with a request or a response.
#[cfg_attr(test, derive(Debug))]
pub enum Decision {
    /// Answer in its place, and count.
    Reply(Rc<Reply>, Vec<Event>),
    /// Let it pass, changed.
    Forward(Edits),
}

/// What later steps have to know of the request.
#[derive(Default)]
pub struct Exchange {
    inbound: Option<Verified>,
    /// The header in which the accepted token goes on to the upstream.
    forwarded: Option<HeaderName>,
    /// `None` when nothing is to be signed for this request.
    gathered: Option<Gathered>,
    is_preflight: bool,
}

impl Event {
    /// Everything that can be counted.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Discovery, Self::TokenCacheHit, Self::TokenCacheMiss, Self::ReuseHit, Self::ReuseMiss];
        [Self::Issued, Self::Verified]
            .into_iter()
            .chain(others)
            .chain(Skip::ALL.map(Self::IssueSkipped))
            .chain(Denial::ALL.map(Self::Denied))
            .chain(Denial::ALL.into_iter().filter(|denial| *denial != Denial::Missing).map(Self::Observed))
    }

    /// The name of its counter.
    #[must_use]
    pub fn counter(self) -> String {
        match self {
            Self::Issued => "wristband.issued".to_owned(),
            Self::IssueSkipped(skip) => format!("wristband.issue_skipped.{}", skip.code()),
            Self::Verified => "wristband.verified".to_owned(),
            Self::Denied(denial) => format!("wristband.denied.{}", denial.code()),
            Self::Observed(denial) => format!("wristband.observed.{}", denial.code()),
            Self::Discovery => "wristband.discovery".to_owned(),
            Self::TokenCacheHit => "wristband.token_cache.hit".to_owned(),
            Self::TokenCacheMiss => "wristband.token_cache.miss".to_owned(),
            Self::ReuseHit => "wristband.issue_reuse.hit".to_owned(),
            Self::ReuseMiss => "wristband.issue_reuse.miss".to_owned(),
        }
    }
}

impl Plan {
    /// The first step of a request: who sends it. Its edits have to be made before [`Plan::on_admitted`], so that no
    /// expression sees what a client has written into a header that is ours.
    ///
    /// The headers are the client's, as earlier filters have left them; the exchange is for the steps after this one.
    pub fn on_request(&self, headers: &Headers<'_>, now: Timestamp, host: &impl Host) -> (Decision, Exchange) {
        let mut exchange = Exchange::default();
        if let Some(reply) = self.discovery.as_ref().and_then(|discovery| discovery.answer(headers, now)) {
            return (Decision::Reply(reply, vec![Event::Discovery]), exchange);
        }
        let mut edits = Edits::default();
        if let Some(inbound) = &self.inbound {
            exchange.is_preflight = inbound.allow_cors_preflight && is_preflight(headers);
            edits.remove.extend(inbound.owned_headers().filter(|name| headers.has(name)).cloned());
            if !exchange.is_preflight {
                match inbound.admit(headers, now, host, &mut edits) {
                    Ok(None) => {}
                    Ok(Some((verified, place))) => {
                        exchange.inbound = Some(verified);
                        exchange.forwarded = place.header().filter(|_| inbound.forward);
                    }
                    Err(denial) => {
                        return (Decision::Reply(inbound.denial(denial), vec![Event::Denied(denial)]), exchange);
                    }
                }
            }
        }
        (Decision::Forward(edits), exchange)
    }

    /// The second step of a request that was let through: what can be said of it before there is a response.
    pub fn on_admitted(
        &self,
        exchange: &mut Exchange,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
    ) -> Decision {
        let mut edits = Edits::default();
        let Some(issuing) = &self.issuing else {
            return Decision::Forward(edits);
        };
        let inbound = exchange.inbound.as_ref();
        // A preflight was let through without a look at its token, so nobody is known.
        let gathered = (!exchange.is_preflight).then(|| issuing.issuer.on_request(headers, inbound, host));
        if issuing.issuer.placement() == Placement::Response {
            exchange.gathered = gathered;
            return Decision::Forward(edits);
        }
        // Unless it is the accepted one, on its way to an upstream that is to have it.
        if exchange.forwarded != issuing.header {
            issuing.clear(headers, &mut edits);
        }
        match gathered {
            Some(gathered) => issuing.deliver(&gathered, inbound, headers, now, host, edits),
            None => Decision::Forward(edits),
        }
    }

    /// Whether responses have to be looked at.
    #[must_use]
    pub fn sees_responses(&self) -> bool {
        self.issuing.is_some()
    }

    /// Decides on a response. `exchange` is `None` when it is the filter's own.
    pub fn on_response(
        &self,
        exchange: Option<Exchange>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
    ) -> Decision {
        let mut edits = Edits::default();
        let Some(issuing) = &self.issuing else {
            return Decision::Forward(edits);
        };
        // Whoever wrote it, it is not ours; or it is, and an upstream hands on what was meant for itself.
        issuing.clear(headers, &mut edits);
        let Some(Exchange { inbound, gathered: Some(mut gathered), .. }) = exchange else {
            return Decision::Forward(edits);
        };
        if !is_success(headers) {
            edits.events.push(Event::IssueSkipped(Skip::ResponseStatus));
            return Decision::Forward(edits);
        }
        issuing.issuer.on_response(&mut gathered, host);
        issuing.deliver(&gathered, inbound.as_ref(), headers, now, host, edits)
    }
}

/// Whether a response is a success: 2xx, and for gRPC, whose errors are 200 as well, no status but 0. A gRPC status in
/// trailers comes too late to be seen.
fn is_success(headers: &Headers<'_>) -> bool {
    let status = HeaderName::known("grpc-status");
    matches!(headers.pseudo(":status"), Some([b'2', _, _])) && headers.values(&status).all(|status| status == b"0")
}

impl Issuing {
    /// Removes what would pass for a wristband of ours.
    fn clear(&self, headers: &Headers<'_>, edits: &mut Edits) {
        edits.remove.extend(self.header.iter().filter(|header| headers.has(header)).cloned());
        if let Some(others) = self.cookie.as_ref().and_then(|cookie| cookie.others(headers)) {
            edits.remove.push(SET_COOKIE);
            edits.add.extend(others.into_iter().map(|other| (SET_COOKIE, other)));
        }
    }

    /// Signs a wristband and puts it where it belongs.
    fn deliver(
        &self,
        gathered: &Gathered,
        inbound: Option<&Verified>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
        mut edits: Edits,
    ) -> Decision {
        let wristband = match self.issuer.wristband(gathered, inbound, now, host) {
            Ok(wristband) => wristband,
            Err(skip) => {
                edits.events.push(Event::IssueSkipped(skip));
                if skip.is_failure() && self.on_failure == OnFailure::Deny {
                    return Decision::Reply(Reply::cannot_sign(skip).into(), edits.events);
                }
                return Decision::Forward(edits);
            }
        };
        edits.events.push(Event::Issued);
        if self.issuer.reuses() {
            edits.events.push(if wristband.is_reused { Event::ReuseHit } else { Event::ReuseMiss });
        }
        if self.issuer.placement() == Placement::Response {
            // Before the token, so that it is never there without them.
            edits.remove.extend(headers.names().filter(|name| is_on_caching(name)).filter_map(HeaderName::parse));
            edits.set.push((CACHE_CONTROL, "no-store".to_owned()));
        }
        if let Some(cookie) = &self.cookie {
            edits.add.push((SET_COOKIE, cookie.set(&wristband.signed.token, wristband.seconds).into_bytes()));
        }
        if let Some(header) = &self.header {
            edits.set.push((header.clone(), wristband.signed.token.clone()));
        }
        Decision::Forward(edits)
    }
}

impl Inbound {
    /// Verifies the token of a request, if there is one, and writes down what follows for its headers. An accepted token
    /// comes with the place where it was.
    #[inline(never)]
    fn admit(
        &self,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Result<Option<(Verified, &Place)>, Denial> {
        let outcome = credential::find(headers, &self.places).and_then(|credential| {
            let Some(credential) = credential else {
                return Ok(None);
            };
            self.verify(&credential.token, now, host, edits).map(|verified| Some((verified, credential.place)))
        });
        match (outcome, self.mode) {
            (Ok(Some((verified, place))), _) => {
                if !self.forward {
                    take_out(headers, place, edits);
                }
                Ok(Some((verified, place)))
            }
            (Ok(None), Mode::Require) => Err(Denial::Missing),
            (Ok(None), Mode::Optional | Mode::Observe) => Ok(None),
            (Err(denial), Mode::Observe) => {
                edits.events.push(Event::Observed(denial));
                Ok(None)
            }
            (Err(denial), Mode::Require | Mode::Optional) => Err(denial),
        }
    }

    /// Verifies a token, or remembers it, and writes down what follows from its claims.
    fn verify(&self, token: &[u8], now: Timestamp, host: &impl Host, edits: &mut Edits) -> Result<Verified, Denial> {
        let Some(remembered) = &self.remembered else {
            let verified = self.verifier.verify(token, now, host)?;
            self.outputs(&verified).write(edits);
            return Ok(verified);
        };
        // Tokens with the same end are told apart by all of their bytes; an attacker gains nothing but a miss.
        let key = token.get(token.len().saturating_sub(LOOKED_UP_BY)..).unwrap_or(token);
        let known = remembered.borrow_mut().get(key);
        if let Some(known) = known
            && let Some(verified) = self.verifier.verify_again(&known.facts, token, now, host)
        {
            known.write(edits);
            edits.events.push(Event::TokenCacheHit);
            return Ok(verified);
        }
        let verified = self.verifier.verify(token, now, host)?;
        let outputs = Rc::new(self.outputs(&verified));
        outputs.write(edits);
        edits.events.push(Event::TokenCacheMiss);
        if outputs.facts.are_worth_remembering() {
            let bytes = outputs.bytes();
            remembered.borrow_mut().insert(key, outputs, bytes);
        }
        Ok(verified)
    }

    /// The answer to a request that is denied.
    fn denial(&self, denial: Denial) -> Rc<Reply> {
        let prepared = self.denials.iter().find(|(of, _)| *of == denial);
        prepared.map_or_else(|| Rc::new(denial.into()), |(_, reply)| Rc::clone(reply))
    }

    #[inline(never)]
    fn outputs(&self, verified: &Verified) -> Outputs {
        let payload = self.payload_header.iter().map(|name| (name.clone(), verified.payload().to_owned()));
        let claims = self.claim_headers.iter().filter_map(|output| {
            let text = match output.claim.as_str() {
                PRINCIPAL => verified.principal().filter(|text| can_be_value(text)),
                claim => verified.claim(claim).and_then(header_text),
            };
            Some((output.header.clone(), text?))
        });
        Outputs {
            facts: Rc::clone(verified.facts()),
            headers: payload.chain(claims).collect(),
            filter_state: source::struct_bytes(verified.claims()).into(),
        }
    }
}

/// What follows from an accepted token for its request, whatever else the request is.
pub struct Outputs {
    facts: Rc<Facts>,
    headers: Vec<(HeaderName, String)>,
    filter_state: Rc<[u8]>,
}

impl Outputs {
    fn write(&self, edits: &mut Edits) {
        edits.events.push(Event::Verified);
        edits.set.extend_from_slice(&self.headers);
        edits.filter_state = Some(Rc::clone(&self.filter_state));
    }

    /// The bytes that they take.
    fn bytes(&self) -> usize {
        let headers =
            self.headers.iter().map(|(_, value)| value.len().saturating_add(size_of::<(HeaderName, String)>()));
        headers.fold(self.facts.bytes(), usize::saturating_add).saturating_add(self.filter_state.len())
    }
}

/// Takes the token out of the request, and nothing else.
#[inline(never)]
fn take_out(headers: &Headers<'_>, place: &Place, edits: &mut Edits) {
    match place {
        Place::Header { name, .. } => edits.remove.push(name.clone()),
        Place::Cookie(name) => {
            // Several lines become one.
            edits.remove.push(COOKIE);
            let others = credential::without_cookie(headers, name);
            edits.rewrite = (!others.is_empty()).then_some(("cookie", others));
        }
        Place::Parameter(name) => edits.rewrite = Some((":path", credential::without_parameter(headers, name))),
    }
}

/// A CORS preflight, which browsers send without credentials (Fetch standard, section 3.2.2).
fn is_preflight(headers: &Headers<'_>) -> bool {
    headers.pseudo(":method") == Some(b"OPTIONS")
        && headers.has(&HeaderName::known("origin"))
        && headers.has(&HeaderName::known("access-control-request-method"))
}

/// A claim as the value of a header, or `None` if it cannot stand there.
fn header_text(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        // Many take an empty header for a name, and others for none.
        Value::String(text) => (!text.is_empty() && can_be_value(text)).then(|| text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(claim.to_string()),
        Value::Array(_) | Value::Object(_) => Some(base64url(claim.to_string().as_bytes())),
    }
}

#[cfg(test)]
mod tests;

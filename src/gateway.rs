//! One request and its response: what the filter does with them, decided without touching them.
//!
//! The adapter reads headers, asks [`Plan::on_request`] and [`Exchange::on_response`], and carries out the answer.

use http::HeaderName;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, COOKIE, ORIGIN, SET_COOKIE};
use prost::Message as _;
use serde_json::Value;

use crate::config::{Mode, OnFailure, Placement, source};
use crate::credential::{self, Credential, Place};
use crate::denial::Denial;
use crate::headers::{Headers, can_be_value};
use crate::host::Host;
use crate::issue::{Gathered, Skip};
use crate::key::base64url;
use crate::plan::{Inbound, Issuing, Plan};
use crate::reply::Reply;
use crate::time::Timestamp;
use crate::verify::Verified;

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
}

/// What to do with a message.
#[derive(Debug, Default)]
pub struct Edits {
    /// Headers to remove, all their values.
    pub remove: Vec<HeaderName>,
    /// Headers to set after that.
    pub set: Vec<(HeaderName, String)>,
    /// Values to add after that.
    pub add: Vec<(HeaderName, String)>,
    /// What remains of `cookie` or `:path` when a token is taken out.
    pub rewrite: Option<(&'static str, Vec<u8>)>,
    /// A serialized `google.protobuf.Struct` for the filter state `wasm.wristband`.
    pub filter_state: Option<Vec<u8>>,
    /// What to count.
    pub events: Vec<Event>,
}

/// What to do with a request or a response.
#[derive(Debug)]
pub enum Decision {
    /// Answer in its place.
    Reply(Reply, Event),
    /// Let it pass, changed.
    Forward(Edits),
}

/// What the response phase has to know of the request.
#[derive(Default)]
pub struct Exchange {
    inbound: Option<Verified>,
    /// `None` when there is nothing left to do.
    gathered: Option<Gathered>,
}

impl Event {
    /// Everything that can be counted.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Issued, Self::Verified, Self::Discovery]
            .into_iter()
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
        }
    }
}

impl Plan {
    /// Decides on a request.
    pub fn on_request(&self, headers: &Headers<'_>, now: Timestamp, host: &impl Host) -> (Decision, Exchange) {
        let mut exchange = Exchange::default();
        if let Some(reply) = self.discovery.as_ref().and_then(|discovery| discovery.answer(headers, now)) {
            return (Decision::Reply(reply, Event::Discovery), exchange);
        }
        let mut edits = Edits::default();
        if let Some(inbound) = &self.inbound {
            match inbound.admit(headers, now, host, &mut edits) {
                Ok(verified) => exchange.inbound = verified,
                Err(denial) => return (Decision::Reply(denial.into(), Event::Denied(denial)), exchange),
            }
        }
        if let Some(issuing) = &self.issuing {
            let gathered = issuing.issuer.on_request(headers, exchange.inbound.as_ref(), host);
            match issuing.issuer.placement {
                Placement::Response => exchange.gathered = Some(gathered),
                Placement::Request => {
                    issuing.clear(headers, &mut edits);
                    if let Err(skip) = issuing.deliver(&gathered, exchange.inbound.as_ref(), now, host, &mut edits) {
                        return (Decision::Reply(Reply::cannot_sign(skip), Event::IssueSkipped(skip)), exchange);
                    }
                }
            }
        }
        (Decision::Forward(edits), exchange)
    }

    /// Decides on the response to a request. `exchange` is `None` when the request phase never ran, and empty when the
    /// response is the filter's own.
    pub fn on_response(
        &self,
        exchange: Option<Exchange>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
    ) -> Decision {
        let mut edits = Edits::default();
        let Some(issuing) = self.issuing.as_ref().filter(|issuing| issuing.issuer.placement == Placement::Response)
        else {
            return Decision::Forward(edits);
        };
        // Whoever wrote it, it is not ours.
        issuing.clear(headers, &mut edits);
        let Some(Exchange { inbound, gathered: Some(mut gathered) }) = exchange else {
            return Decision::Forward(edits);
        };
        if !matches!(headers.pseudo(":status"), Some([b'2', _, _])) {
            edits.events.push(Event::IssueSkipped(Skip::ResponseStatus));
            return Decision::Forward(edits);
        }
        issuing.issuer.on_response(&mut gathered, host);
        match issuing.deliver(&gathered, inbound.as_ref(), now, host, &mut edits) {
            Ok(()) => Decision::Forward(edits),
            Err(skip) => Decision::Reply(Reply::cannot_sign(skip), Event::IssueSkipped(skip)),
        }
    }
}

impl Issuing {
    /// Removes what would pass for a wristband of ours.
    fn clear(&self, headers: &Headers<'_>, edits: &mut Edits) {
        let header = self.header.iter().filter(|header| headers.has(header) && !edits.remove.contains(header));
        let header: Vec<_> = header.cloned().collect();
        edits.remove.extend(header);
        if let Some(others) = self.cookie.as_ref().and_then(|cookie| cookie.others(headers)) {
            edits.remove.push(SET_COOKIE);
            edits.add.extend(others.into_iter().map(|other| (SET_COOKIE, other)));
        }
    }

    /// Signs a wristband and puts it where it belongs.
    ///
    /// # Errors
    /// Only when it could not be signed and the message must not go on without.
    fn deliver(
        &self,
        gathered: &Gathered,
        inbound: Option<&Verified>,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Result<(), Skip> {
        let wristband = match self.issuer.wristband(gathered, inbound, now, host) {
            Ok(wristband) => wristband,
            Err(skip) if skip.is_failure() && self.on_failure == OnFailure::Deny => return Err(skip),
            Err(skip) => {
                edits.events.push(Event::IssueSkipped(skip));
                return Ok(());
            }
        };
        edits.events.push(Event::Issued);
        if let Some(cookie) = &self.cookie {
            edits.add.push((SET_COOKIE, cookie.set(&wristband.token, wristband.seconds)));
        }
        if let Some(header) = &self.header {
            edits.set.push((header.clone(), wristband.token));
        }
        if self.issuer.placement == Placement::Response {
            edits.remove.push(CACHE_CONTROL);
            edits.set.push((CACHE_CONTROL, "no-store".to_owned()));
        }
        Ok(())
    }
}

impl Inbound {
    /// Verifies the token of a request, if there is one, and writes down what follows for its headers.
    fn admit(
        &self,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Result<Option<Verified>, Denial> {
        edits.remove.extend(self.owned_headers().filter(|name| headers.has(name)).cloned());
        if self.allow_cors_preflight && is_preflight(headers) {
            return Ok(None);
        }
        let outcome = credential::find(headers, &self.places).and_then(|credential| {
            let Some(credential) = credential else {
                return Ok(None);
            };
            self.verifier.verify(&credential.token, now, host).map(|verified| Some((credential, verified)))
        });
        match (outcome, self.mode) {
            (Ok(Some((credential, verified))), _) => {
                self.accept(headers, &credential, &verified, edits);
                Ok(Some(verified))
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

    fn accept(&self, headers: &Headers<'_>, credential: &Credential<'_, '_>, verified: &Verified, edits: &mut Edits) {
        edits.events.push(Event::Verified);
        if !self.forward {
            take_out(headers, credential.place, edits);
        }
        let payload = self.payload_header.iter().map(|name| (name.clone(), verified.payload().to_owned()));
        edits.set.extend(payload);
        for output in &self.claim_headers {
            let text = match output.claim.as_str() {
                PRINCIPAL => verified.principal().filter(|text| can_be_value(text)),
                claim => verified.claim(claim).and_then(header_text),
            };
            edits.set.extend(text.map(|text| (output.header.clone(), text)));
        }
        edits.filter_state = Some(source::to_struct(verified.claims()).encode_to_vec());
    }
}

/// Takes the token out of the request, and nothing else.
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
    headers.pseudo(":method") == Some(b"OPTIONS") && headers.has(&ORIGIN) && headers.has(&ACCESS_CONTROL_REQUEST_METHOD)
}

/// A claim as the value of a header, or `None` if it cannot stand there.
fn header_text(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => can_be_value(text).then(|| text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(claim.to_string()),
        Value::Array(_) | Value::Object(_) => Some(base64url(claim.to_string().as_bytes())),
    }
}

#[cfg(test)]
mod tests;

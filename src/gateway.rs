//! One request and its response: what the filter does with them, decided without touching them.
//!
//! The adapter reads headers, asks [`Plan::on_request`], [`Plan::on_admitted`] and [`Plan::on_response`], and carries out
//! each answer before it asks on.

mod delivery;
mod event;
mod inbound;

use std::rc::Rc;

pub use event::Event;
pub use inbound::Outputs;

use crate::config::Placement;
use crate::host::Host;
use crate::http::headers::{HeaderName, Headers};
use crate::http::reply::Reply;
use crate::issue::{Gathered, Skip};
use crate::plan::{Issuing, Plan};
use crate::time::Timestamp;
use crate::verify::Verified;

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

/// What became of a request's first step.
#[cfg_attr(test, derive(Debug))]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and the large one is the common one")]
pub enum Admission {
    /// It is answered in its place, and counted.
    Answered(Rc<Reply>, Event),
    /// It may go on, once these edits are made, to [`Plan::on_admitted`].
    Admitted(Edits, Exchange),
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
#[cfg_attr(test, derive(Debug))]
pub struct Exchange {
    inbound: Option<Verified>,
    /// The header in which the accepted token goes on to the upstream.
    forwarded: Option<HeaderName>,
    /// `None` when nothing is to be signed for this request.
    gathered: Option<Gathered>,
    is_preflight: bool,
    /// Whether it came with more than can be seen now, for whoever verifies.
    is_redirected: bool,
}

impl Plan {
    /// The first step of a request: who sends it. Its edits have to be made before [`Plan::on_admitted`], so that no
    /// expression sees what a client has written into a header that is ours.
    ///
    /// The headers are the client's, as earlier filters have left them.
    pub fn on_request(&self, headers: &Headers<'_>, now: Timestamp, host: &impl Host) -> Admission {
        if let Some(reply) = self.discovery.as_ref().and_then(|discovery| discovery.answer(headers, now)) {
            return Admission::Answered(reply, Event::Discovery);
        }
        let (mut edits, mut exchange) = (Edits::default(), Exchange::default());
        if let Some(inbound) = &self.inbound {
            exchange.is_preflight = inbound.allow_cors_preflight && is_preflight(headers);
            edits.remove.extend(inbound.owned_headers().filter(|name| headers.has(name)).cloned());
            exchange.is_redirected = self.issuing.is_some() && is_redirected(headers);
            if !exchange.is_preflight {
                // What we have written into it the first time round is not the caller's word.
                let ours = self.issuing.as_ref().filter(|_| exchange.is_redirected).and_then(Issuing::request_header);
                match inbound.admit(headers, ours, now, host, &mut edits) {
                    Ok(None) => {}
                    Ok(Some((verified, place))) => {
                        exchange.inbound = Some(verified);
                        exchange.forwarded = if inbound.forward { place.header() } else { None };
                    }
                    Err(denial) => {
                        return Admission::Answered(inbound.denial(denial), Event::Denied(denial));
                    }
                }
            }
        }
        if let Some(issuing) = &self.issuing
            && issuing.request_header().is_some()
            // Unless it is the accepted one, on its way to an upstream that is to have it.
            && exchange.forwarded != issuing.header
        {
            issuing.clear(headers, &mut edits);
        }
        Admission::Admitted(edits, exchange)
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
        if exchange.is_redirected && inbound.is_none() {
            // It may have been a wristband of our own, or one that ours must not outlive.
            edits.events.push(Event::IssueSkipped(Skip::Redirected));
            return Decision::Forward(edits);
        }
        // A preflight was let through without a look at its token, so nobody is known.
        let gathered = (!exchange.is_preflight).then(|| issuing.issuer.on_request(headers, inbound, host));
        if issuing.issuer.placement() == Placement::Response {
            exchange.gathered = gathered;
            return Decision::Forward(edits);
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

/// Whether Envoy sends the request once more because the upstream has redirected it (`internal_redirect_policy`): then the
/// filters have had it before, and what they have changed in it is changed.
fn is_redirected(headers: &Headers<'_>) -> bool {
    headers.has(&HeaderName::known("x-envoy-original-url"))
}

/// A CORS preflight, which browsers send without credentials (Fetch standard, section 3.2.2).
fn is_preflight(headers: &Headers<'_>) -> bool {
    headers.pseudo(":method") == Some(b"OPTIONS")
        && headers.has(&HeaderName::known("origin"))
        && headers.has(&HeaderName::known("access-control-request-method"))
}

#[cfg(test)]
mod tests;

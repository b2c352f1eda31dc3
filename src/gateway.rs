//! One request and its response: what the filter does with them, decided without touching them.
//!
//! A [`Gateway`] is a configuration in force. The adapter reads headers, asks [`Gateway::on_request`],
//! [`Gateway::on_admitted`] and [`Gateway::on_response`], and carries out each answer before it asks on. A request meets
//! nothing that can still be wrong with the configuration: that was found while it was compiled.

mod delivery;
mod denied;
mod edits;
mod event;
mod outputs;
mod renewal;
mod verification;

use std::cell::RefCell;
use std::rc::Rc;

pub use delivery::{Delivery, OnFailure};
pub use denied::Denied;
pub use edits::{Edits, Ending};
pub use event::Event;
pub use outputs::{ClaimFormat, ClaimHeader, Outputs, PRINCIPAL};
pub use renewal::Waiting;
pub use verification::{Mode, OnForgedHeader, Verification};

use crate::denial::{Cause, Denial};
use crate::host::Host;
use crate::http::discovery::Discovery;
use crate::http::headers::{HeaderName, Headers, SET_COOKIE};
use crate::http::reply::Reply;
use crate::issue::{Evaluated, Placement, Skip};
use crate::sources::Sources;
use crate::time::Timestamp;
use crate::trust::Ring;
use crate::verify::Verified;
use renewal::Verdict;
use verification::Accepted;

/// A configuration in force: who decides on requests and responses.
pub struct Gateway {
    /// The well-known documents, when there is an issuer.
    pub discovery: Option<Discovery>,
    /// Whom it trusts now. It is replaced as a whole.
    ring: RefCell<Rc<Ring>>,
    /// Where keys are fetched from, if any are.
    sources: Option<Sources>,
    /// How inbound tokens are treated, if they are.
    pub verification: Option<Verification>,
    /// How wristbands are signed and delivered, if they are.
    pub delivery: Option<Delivery>,
}

/// What became of a request's first step.
#[cfg_attr(test, derive(Debug))]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and the large one is the common one")]
pub enum Admission {
    /// It is for one of our documents.
    Answered(Rc<Reply>),
    /// It is denied with this answer.
    Denied(Rc<Reply>, Denied),
    /// It may go on, once these edits are made, to [`Gateway::on_admitted`].
    Admitted(Edits, Admitted),
    /// It waits for keys, and is then asked about [again](Gateway::on_request_again). Nothing of it has been changed.
    Waiting(Waiting),
}

/// What to do with a request or a response.
#[cfg_attr(test, derive(Debug))]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and the large one is the common one")]
pub enum Decision {
    /// Answer in its place, and count.
    Reply(Rc<Reply>, Vec<Event>),
    /// Let it pass, changed.
    Forward(Edits),
}

/// What later steps have to know of the request.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Admitted {
    inbound: Option<Verified>,
    /// The header in which the accepted token goes on to the upstream.
    forwarded: Option<HeaderName>,
    /// `None` when nothing is to be signed for this request.
    evaluated: Option<Evaluated>,
    is_preflight: bool,
    /// Whether it came with more than can be seen now, for whoever verifies.
    is_redirected: bool,
}

impl Gateway {
    /// A gateway that trusts these issuers until it is told of others.
    #[must_use]
    pub fn new(
        ring: Ring,
        discovery: Option<Discovery>,
        verification: Option<Verification>,
        delivery: Option<Delivery>,
    ) -> Self {
        Self { ring: RefCell::new(Rc::new(ring)), sources: None, discovery, verification, delivery }
    }

    /// Whom it trusts now.
    #[must_use]
    pub fn ring(&self) -> Rc<Ring> {
        Rc::clone(&self.ring.borrow())
    }

    /// Forgets which tokens it has accepted.
    pub fn forget_tokens(&self) {
        if let Some(remembered) = self.verification.as_ref().and_then(|verification| verification.remembered.as_ref()) {
            remembered.borrow_mut().clear();
        }
    }

    /// Trusts these issuers and their keys, and nobody else any more: what a key that is gone has signed is no longer
    /// accepted, remembered or not, and it is no longer published.
    pub fn trust(&self, ring: Ring) {
        self.ring.replace(Rc::new(ring));
    }

    /// The first step of a request: who sends it. Its edits have to be made before [`Gateway::on_admitted`], so that no
    /// expression sees what a client has written into a header that is ours.
    ///
    /// The headers are the client's, as earlier filters have left them.
    pub fn on_request(&self, headers: &Headers<'_>, now: Timestamp, host: &impl Host) -> Admission {
        self.admit(headers, None, now, host)
    }

    /// The same step of a request that has waited.
    pub fn on_request_again(
        &self,
        headers: &Headers<'_>,
        waited: Waiting,
        now: Timestamp,
        host: &impl Host,
    ) -> Admission {
        self.admit(headers, Some(waited), now, host)
    }

    #[inline(never)]
    fn admit(&self, headers: &Headers<'_>, waited: Option<Waiting>, now: Timestamp, host: &impl Host) -> Admission {
        let ring = self.ring();
        if let Some(reply) = self.discovery.as_ref().and_then(|discovery| discovery.answer(headers, &ring, now)) {
            return Admission::Answered(reply);
        }
        let (mut edits, mut admitted) = (Edits::default(), Admitted::default());
        if let Some(verification) = &self.verification {
            admitted.is_preflight = verification.allow_cors_preflight && headers.is_preflight();
            edits.remove.extend(verification.owned_headers().filter(|name| headers.has(name)).cloned());
            // After an internal redirect it may be of ours; but whoever may send the mark of one could forge it then.
            if let Some(forged) = edits.remove.first()
                && verification.on_forged_header == OnForgedHeader::Deny
            {
                let denied = Denied::unread(Cause::Header, Some(format!("header {}", forged.as_str())));
                if verification.mode != Mode::Observe {
                    return Admission::Denied(verification.denial(denied.cause.denial()), denied);
                }
                edits.observed.push(denied);
            }
            admitted.is_redirected = self.delivery.is_some() && is_redirected(headers);
            if !admitted.is_preflight {
                // What we have written into it the first time round is not the caller's word.
                let ours = self.delivery.as_ref().filter(|_| admitted.is_redirected).and_then(Delivery::request_header);
                match self.judge(verification, headers, ours, waited, now, host, &mut edits) {
                    Verdict::Passes(None) => {}
                    Verdict::Passes(Some(Accepted { verified, place })) => {
                        admitted.inbound = Some(verified);
                        admitted.forwarded = if verification.forward { place.header() } else { None };
                    }
                    Verdict::Denied(denied) if verification.mode == Mode::Observe => edits.observed.push(denied),
                    Verdict::Denied(denied) => {
                        let reply = self.denied(denied.cause.denial(), verification, headers);
                        return Admission::Denied(reply, denied);
                    }
                    Verdict::Waits(waiting) => return Admission::Waiting(waiting),
                }
            }
        }
        if let Some(delivery) = &self.delivery
            && delivery.request_header().is_some()
            // Unless it is the accepted one, on its way to an upstream that is to have it.
            && admitted.forwarded != delivery.header
        {
            delivery.clear_header(headers, &mut edits);
        }
        Admission::Admitted(edits, admitted)
    }

    /// The answer to a request that is denied. What came in the cookie that we set is deleted with it: a browser would send
    /// it again until it ends.
    fn denied(&self, denial: Denial, verification: &Verification, headers: &Headers<'_>) -> Rc<Reply> {
        let reply = verification.denial(denial);
        let cookie = self.delivery.as_ref().and_then(|delivery| delivery.cookie.as_ref());
        // It is not the token's fault that there is no room to remember it, or that its key cannot be had.
        let is_of_token = !matches!(denial, Denial::Missing | Denial::ReplayFull | Denial::KeysUnavailable);
        match cookie.filter(|cookie| is_of_token && verification.looks_into(headers, &cookie.name)) {
            Some(cookie) => Rc::new((*reply).clone().with(SET_COOKIE.as_str(), &cookie.clear())),
            None => reply,
        }
    }

    /// The second step of a request that was let through: what can be said of it before there is a response.
    pub fn on_admitted(
        &self,
        admitted: &mut Admitted,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
    ) -> Decision {
        let mut edits = Edits::default();
        let Some(delivery) = &self.delivery else {
            return Decision::Forward(edits);
        };
        let inbound = admitted.inbound.as_ref();
        if admitted.is_redirected && inbound.is_none() {
            // It may have been a wristband of our own, or one that ours must not outlive.
            edits.events.push(Event::IssueSkipped(Skip::Redirected));
            return Decision::Forward(edits);
        }
        // A preflight was let through without a look at its token, so nobody is known.
        let evaluated = (!admitted.is_preflight).then(|| delivery.issuer.on_request(headers, inbound, host));
        if delivery.issuer.placement() == Placement::Response {
            admitted.evaluated = evaluated;
            return Decision::Forward(edits);
        }
        match evaluated {
            Some(evaluated) => delivery.deliver(&evaluated, inbound, headers, now, host, edits),
            None => Decision::Forward(edits),
        }
    }

    /// Whether responses have to be looked at.
    #[must_use]
    pub fn sees_responses(&self) -> bool {
        self.delivery.is_some()
    }

    /// Decides on a response. `admitted` is `None` when it is the filter's own.
    pub fn on_response(
        &self,
        admitted: Option<Admitted>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
    ) -> Decision {
        let mut edits = Edits::default();
        let Some(delivery) = &self.delivery else {
            return Decision::Forward(edits);
        };
        // Whoever wrote it, it is not ours; or it is, and an upstream hands on what was meant for itself.
        delivery.clear_header(headers, &mut edits);
        let deletions = delivery.clear_cookie(headers, now, &mut edits);
        let mut decision = self.respond(delivery, admitted, headers, now, host, edits);
        if let Decision::Forward(edits) = &mut decision {
            // Behind one of ours, so that logging out has the last word.
            edits.add.extend(deletions.into_iter().map(|deletion| (SET_COOKIE, deletion)));
        }
        decision
    }

    fn respond(
        &self,
        delivery: &Delivery,
        admitted: Option<Admitted>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
        mut edits: Edits,
    ) -> Decision {
        let Some(Admitted { inbound, evaluated: Some(mut evaluated), .. }) = admitted else {
            return Decision::Forward(edits);
        };
        if !is_success(headers) {
            edits.events.push(Event::IssueSkipped(Skip::ResponseStatus));
            return Decision::Forward(edits);
        }
        delivery.issuer.on_response(&mut evaluated, host);
        delivery.deliver(&evaluated, inbound.as_ref(), headers, now, host, edits)
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

#[cfg(test)]
mod tests;

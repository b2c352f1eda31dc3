//! A request's token: found, verified or remembered, taken out, and its claims handed on.

use std::cell::RefCell;
use std::rc::Rc;

use super::denied::Denied;
use super::outputs::{ClaimHeader, Outputs};
use super::{Edits, Ending, Event};
use crate::cache::Cache;
use crate::denial::{Cause, Denial};
use crate::host::Host;
use crate::http::credential::{self, Credential, Place};
use crate::http::headers::{COOKIE, HeaderName, Headers, SEC_WEBSOCKET_PROTOCOL};
use crate::http::reply::Reply;
use crate::time::Timestamp;
use crate::trust::Ring;
use crate::verify::{NotVerified, Verified, Verifier};

/// How many of a token's last bytes it is looked up by: they are its signature's, so that hardly two tokens share them.
const LOOKED_UP_BY: usize = 32;

/// How inbound tokens are treated.
pub struct Verification {
    /// Who may vouch for what.
    pub verifier: Verifier,
    /// Tokens that were accepted, and what followed for their requests.
    pub remembered: Option<RefCell<Cache<[u8; LOOKED_UP_BY], Outputs>>>,
    /// The answers to requests that are denied.
    pub denials: Vec<(Denial, Rc<Reply>)>,
    /// What a missing or bad token does.
    pub mode: Mode,
    /// Where tokens are looked for.
    pub places: Vec<Place>,
    /// Whether CORS preflights pass without a token.
    pub allow_cors_preflight: bool,
    /// Whether the upstream sees an accepted token.
    pub forward: bool,
    /// What a header does that only this filter may write.
    pub on_forged_header: OnForgedHeader,
    /// Receives the payload.
    pub payload_header: Option<HeaderName>,
    /// Receive claims.
    pub claim_headers: Vec<ClaimHeader>,
}

closed_list! {
/// What happens to a request whose token is missing or bad.
pub enum Mode {
    /// Both are denied.
    Require,
    /// Only a bad one is denied.
    Optional,
    /// Neither is denied; a bad one is counted and has no other effect.
    Observe,
}
}

/// What happens to a request that comes with a header that only this filter writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnForgedHeader {
    /// The header is removed, and the request is as if it had never been there. Routes have seen it all the same: Envoy
    /// chooses one before any filter.
    Remove,
    /// The request is denied, or in [`Mode::Observe`] counted.
    Deny,
}

impl Mode {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Optional => "optional",
            Self::Observe => "observe",
        }
    }
}

impl Verification {
    /// The headers that only this filter may write: inbound copies are removed from every request.
    pub fn owned_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.payload_header.iter().chain(self.claim_headers.iter().map(|output| &output.header))
    }

    /// Verifies the token of a request, if there is one, and writes down what follows for its headers. Nothing is looked for in
    /// the header `ours`.
    #[inline(never)]
    pub(super) fn admit(
        &self,
        headers: &Headers<'_>,
        ours: Option<&HeaderName>,
        ring: &Ring,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Result<Option<Accepted<'_>>, Denied> {
        let places = self.places.iter().filter(|place| ours.is_none() || place.header().as_ref() != ours);
        let Some(Credential { token, place }) = credential::find(headers, places)? else {
            return if self.mode == Mode::Require { Err(Denied::unread(Cause::NoToken, None)) } else { Ok(None) };
        };
        let verified = self.verify(&token, ring, now, host, edits);
        let verified = verified.map_err(|refused| Denied::refused(refused, place, &token))?;
        edits.peer = Some(Rc::clone(&verified.issuer().label));
        edits.ending = Ending::of(verified.issuer(), verified.key(), now);
        if !self.forward {
            take_out(headers, place, edits);
        }
        Ok(Some(Accepted { verified, place }))
    }

    /// Verifies a token, or remembers it, and writes down what follows from its claims.
    fn verify(
        &self,
        token: &[u8],
        ring: &Ring,
        now: Timestamp,
        host: &impl Host,
        edits: &mut Edits,
    ) -> Result<Verified, NotVerified> {
        // Tokens with the same end are told apart by all of their bytes; an attacker gains nothing but a miss.
        let tail = token.last_chunk::<LOOKED_UP_BY>();
        if let (Some(remembered), Some(tail)) = (&self.remembered, tail)
            && let Some(known) = remembered.borrow_mut().get(tail)
            && let Some(verified) = self.verifier.verify_again(known.facts(), token, ring, now, host)
        {
            known.write(edits);
            edits.events.push(Event::TokenCacheHit);
            return Ok(verified);
        }
        let verified = self.verifier.verify(token, ring, now, host)?;
        if verified.has_forgotten() {
            edits.events.push(Event::ReplayForgotten);
        }
        let outputs = Outputs::of(&verified, self.payload_header.as_ref(), &self.claim_headers);
        outputs.write(edits);
        if let Some(remembered) = &self.remembered {
            edits.events.push(Event::TokenCacheMiss);
            if let Some(tail) = tail.filter(|_| outputs.facts().are_worth_remembering()) {
                let bytes = outputs.bytes().saturating_add(LOOKED_UP_BY);
                remembered.borrow_mut().insert(*tail, outputs, bytes);
            }
        }
        Ok(verified)
    }

    /// Whether a token was looked for in this cookie, and the request has one of that name.
    pub(super) fn looks_into(&self, headers: &Headers<'_>, cookie: &str) -> bool {
        let is_place = self.places.iter().any(|place| matches!(place, Place::Cookie(name) if name == cookie));
        is_place && credential::has_cookie(headers, cookie)
    }

    /// The answer to a request that is denied.
    pub(super) fn denial(&self, denial: Denial) -> Rc<Reply> {
        let prepared = self.denials.iter().find(|(of, _)| *of == denial);
        prepared.map_or_else(|| Rc::new(denial.into()), |(_, reply)| Rc::clone(reply))
    }
}

/// A token that was accepted, and the place where it was.
pub(super) struct Accepted<'v> {
    pub(super) verified: Verified,
    pub(super) place: &'v Place,
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
        Place::WebSocketProtocol(prefix) => {
            edits.remove.push(SEC_WEBSOCKET_PROTOCOL);
            let others = credential::without_protocol(headers, prefix);
            edits.rewrite = (!others.is_empty()).then_some(("sec-websocket-protocol", others));
        }
        Place::Parameter(name) => edits.rewrite = Some((":path", credential::without_parameter(headers, name))),
    }
}

//! A wristband on its way out: what would pass for one goes, and no cache keeps it.

use serde_json::json;

use super::{Decision, Edits, Event};
use crate::host::Host;
use crate::http::headers::{HeaderName, Headers, SET_COOKIE};
use crate::http::reply::Reply;
use crate::http::set_cookie::Cookie;
use crate::issue::{Evaluated, Issuer, Placement, Skip};
use crate::time::Timestamp;
use crate::verify::Verified;

const CACHE_CONTROL: HeaderName = HeaderName::known("cache-control");

/// Browsers drop a larger `set-cookie` (RFC 6265, section 6.1).
const LARGEST_COOKIE: usize = 4096;

/// Whether a header says how long a response may be kept: to everyone, to proxies of one make, or to those of one operator
/// (RFC 9213, section 2.1, where anybody may have one).
fn is_on_caching(name: &str) -> bool {
    matches!(name, "cache-control" | "edge-control" | "expires" | "surrogate-control" | "x-accel-expires")
        || name.ends_with("-cache-control")
}

/// How wristbands are signed and delivered.
pub struct Delivery {
    /// Signs them.
    pub issuer: Issuer,
    /// Carries them.
    pub header: Option<HeaderName>,
    /// Carries them too.
    pub cookie: Option<Cookie>,
    /// What happens when one cannot be signed.
    pub on_failure: OnFailure,
}

/// What happens to a message whose wristband cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It goes on without.
    Pass,
    /// It is answered with 503.
    Deny,
}

impl Delivery {
    /// The header in which the upstream gets the wristband.
    pub(super) fn request_header(&self) -> Option<&HeaderName> {
        self.header.as_ref().filter(|_| self.issuer.placement() == Placement::Request)
    }

    /// Removes the header that would pass for a wristband of ours.
    pub(super) fn clear_header(&self, headers: &Headers<'_>, edits: &mut Edits) {
        edits.remove.extend(self.header.iter().filter(|header| headers.has(header)).cloned());
    }

    /// Removes the cookie that would pass for a wristband of ours from a response. What deletes it is returned.
    pub(super) fn clear_cookie(&self, headers: &Headers<'_>, now: Timestamp, edits: &mut Edits) -> Vec<Vec<u8>> {
        let Some(remaining) = self.cookie.as_ref().and_then(|cookie| cookie.others(headers, now)) else {
            return Vec::new();
        };
        edits.remove.push(SET_COOKIE);
        edits.add.extend(remaining.others.into_iter().map(|other| (SET_COOKIE, other)));
        remaining.deletions
    }

    /// Signs a wristband and puts it where it belongs.
    pub(super) fn deliver(
        &self,
        evaluated: &Evaluated,
        inbound: Option<&Verified>,
        headers: &Headers<'_>,
        now: Timestamp,
        host: &impl Host,
        mut edits: Edits,
    ) -> Decision {
        let wristband = self.issuer.wristband(evaluated, inbound, now, host).and_then(|wristband| {
            let cookie = self.cookie.as_ref().map(|cookie| cookie.set(&wristband.signed.token, wristband.seconds));
            let is_too_large = cookie.as_ref().is_some_and(|cookie| cookie.len() > LARGEST_COOKIE);
            if is_too_large { Err(Skip::TooLarge) } else { Ok((wristband, cookie)) }
        });
        let (wristband, cookie) = match wristband {
            Ok(wristband) => wristband,
            Err(skip) => {
                edits.events.push(Event::IssueSkipped(skip));
                if skip.is_failure() && self.on_failure == OnFailure::Deny {
                    return Decision::Reply(cannot_sign(skip).into(), edits.events);
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
        if let Some(cookie) = cookie {
            edits.add.push((SET_COOKIE, cookie.into_bytes()));
        }
        if let Some(header) = &self.header {
            edits.set.push((header.clone(), wristband.signed.token.clone()));
        }
        Decision::Forward(edits)
    }
}

/// 503, for those who would rather have no response than one without its wristband.
fn cannot_sign(skip: Skip) -> Reply {
    Reply::new(
        503,
        &[("content-type", "application/json")],
        json!({"error": "server_error", "error_description": "no wristband could be signed"}).to_string(),
        format!("wristband_failed{{{}}}", skip.code()),
    )
}

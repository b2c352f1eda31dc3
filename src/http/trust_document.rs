//! Who is trusted at this gateway now, for those who rotate a key and ask whether their peers know it yet.
//!
//! It has names and thumbprints and no key material, so that nobody takes it for a JWKS: in ours a peer's key would speak for
//! us.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;

use crate::http::reply::{DETAILS, Reply};
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey};

/// Where it is, behind the issuer's path.
pub(super) const PATH: &str = "/.well-known/wristband/trust";

#[derive(Serialize)]
struct Trust<'r> {
    issuer: &'r str,
    issuers: Vec<Issuer<'r>>,
}

#[derive(Serialize)]
struct Issuer<'r> {
    issuer: &'r str,
    /// Where its keys come from.
    source: &'static str,
    keys: Vec<Key<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'r> {
    kid: &'r str,
    alg: &'static str,
    /// RFC 7638.
    thumbprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

/// The document, written anew when somebody else is trusted: who asks costs no more than the answer.
#[derive(Default)]
pub(super) struct TrustDocument {
    current: RefCell<Option<Current>>,
}

struct Current {
    of: Rc<Ring>,
    /// No key ends meanwhile.
    valid: Range<Timestamp>,
    reply: Rc<Reply>,
}

impl TrustDocument {
    /// As it is now.
    pub(super) fn answer(&self, issuer: &str, ring: &Rc<Ring>, now: Timestamp) -> Rc<Reply> {
        let mut current = self.current.borrow_mut();
        match current.as_ref() {
            Some(current) if current.valid.contains(&now) && Rc::ptr_eq(&current.of, ring) => Rc::clone(&current.reply),
            _ => Rc::clone(&current.insert(Current::new(issuer, ring, now)).reply),
        }
    }
}

impl Current {
    fn new(issuer: &str, ring: &Rc<Ring>, now: Timestamp) -> Self {
        const HEADERS: [(&str, &str); 2] = [("cache-control", "no-cache"), ("content-type", "application/json")];
        let keys = ring.own().into_iter().chain(ring.peers()).flat_map(|issuer| issuer.keys.keys());
        let end = keys.filter_map(|key| key.not_after).filter(|end| *end > now).min();
        let reply = Reply::new(200, &HEADERS, body(issuer, ring, now), DETAILS.to_owned());
        Self { of: Rc::clone(ring), valid: now..end.unwrap_or(Timestamp(i64::MAX)), reply: Rc::new(reply) }
    }
}

/// Ourselves first, then the peers by name, without keys that have ended.
fn body(issuer: &str, ring: &Ring, now: Timestamp) -> String {
    let mut peers: Vec<_> = ring.peers().collect();
    peers.sort_by(|one, other| one.name.cmp(&other.name));
    let issuers = ring.own().into_iter().chain(peers).map(|issuer| Issuer::at(issuer, now));
    serde_json::to_string(&Trust { issuer, issuers: issuers.collect() }).unwrap_or_default()
}

impl<'r> Issuer<'r> {
    fn at(issuer: &'r TrustedIssuer, now: Timestamp) -> Self {
        let keys = issuer.keys.keys().iter().filter(|key| key.is_published(now)).map(|key| Key::from(&**key));
        Self { issuer: &issuer.name, source: "configured", keys: keys.collect() }
    }
}

impl<'r> From<&'r TrustedKey> for Key<'r> {
    fn from(key: &'r TrustedKey) -> Self {
        let text = |time: Option<Timestamp>| time.and_then(Timestamp::to_rfc3339);
        Self {
            kid: &key.name,
            alg: key.algorithm().name(),
            thumbprint: key.key.public().thumbprint(),
            not_before: text(key.not_before),
            not_after: text(key.not_after),
        }
    }
}

//! Who is trusted at this gateway now, for those who rotate a key and ask whether their peers know it yet.
//!
//! It has names and thumbprints and no key material, so that nobody takes it for a JWKS: in ours a peer's key would speak for
//! us.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::http::reply::{DETAILS, Reply};
use crate::time::Timestamp;
use crate::trust::{Origin, Ring, TrustedIssuer, TrustedKey};

/// Where it is, behind the issuer's path.
pub(super) const PATH: &str = "/.well-known/wristband/trust";

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
    pub(super) fn answer(&self, issuer: &str, revoked: &HashSet<String>, ring: &Rc<Ring>, now: Timestamp) -> Rc<Reply> {
        let mut current = self.current.borrow_mut();
        match current.as_ref() {
            Some(current) if current.valid.contains(&now) && Rc::ptr_eq(&current.of, ring) => Rc::clone(&current.reply),
            _ => Rc::clone(&current.insert(Current::new(issuer, revoked, ring, now)).reply),
        }
    }
}

impl Current {
    fn new(issuer: &str, revoked: &HashSet<String>, ring: &Rc<Ring>, now: Timestamp) -> Self {
        const HEADERS: [(&str, &str); 2] = [("cache-control", "no-cache"), ("content-type", "application/json")];
        let keys = ring.own().into_iter().chain(ring.peers()).flat_map(|issuer| issuer.keys.keys());
        let end = keys.filter_map(|key| key.not_after).filter(|end| *end > now).min();
        let reply = Reply::new(200, &HEADERS, body(issuer, revoked, ring, now), DETAILS.to_owned());
        Self { of: Rc::clone(ring), valid: now..end.unwrap_or(Timestamp(i64::MAX)), reply: Rc::new(reply) }
    }
}

/// Ourselves first, then the peers by name, without keys that have ended or are revoked.
fn body(issuer: &str, revoked: &HashSet<String>, ring: &Ring, now: Timestamp) -> String {
    let of = |issuer: &TrustedIssuer| {
        let trusted = |key: &&Rc<TrustedKey>| key.is_published(now) && !revoked.contains(&key.name);
        let keys = issuer.keys.keys().iter().filter(trusted).map(|key| entry(key));
        let mut members = json!({"issuer": issuer.name, "keys": keys.collect::<Vec<_>>()});
        let (source, fetched) = match issuer.origin {
            Origin::Configured | Origin::ByCall { .. } => ("configured", None),
            Origin::Remote { fetched, .. } => ("remote", fetched),
        };
        add(&mut members, "source", Some(source.to_owned()));
        add(&mut members, "fetched", fetched.and_then(Timestamp::to_rfc3339));
        members
    };
    let mut peers = Map::new();
    for peer in ring.peers() {
        peers.insert(peer.name.clone(), of(peer));
    }
    let own = ring.own().map(|own| of(own));
    let issuers: Vec<_> = own.into_iter().chain(peers.into_iter().map(|(_, peer)| peer)).collect();
    json!({"issuer": issuer, "issuers": issuers}).to_string()
}

fn entry(key: &TrustedKey) -> Value {
    let public = key.key.public();
    let mut entry = json!({"kid": key.name, "alg": key.algorithm().name(), "thumbprint": public.thumbprint()});
    add(&mut entry, "notBefore", key.not_before.and_then(Timestamp::to_rfc3339));
    add(&mut entry, "notAfter", key.not_after.and_then(Timestamp::to_rfc3339));
    entry
}

/// A member, where there is one.
fn add(members: &mut Value, name: &str, text: Option<String>) {
    if let (Some(members), Some(text)) = (members.as_object_mut(), text) {
        members.insert(name.to_owned(), text.into());
    }
}

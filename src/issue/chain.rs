//! The way of an identity through gateways, as `act` records it.

use serde_json::{Map, Value};

use super::Skip;

/// The gateways that an identity has passed through, the last one outermost (RFC 8693, section 4.1): of each its
/// `iss` and `sub`, and nothing else that a peer may have put there for us to sign. A path that cannot be read may
/// hide a loop, and counts as one.
#[inline(never)]
pub(super) fn actor(own_issuer: &str, inbound: &Map<String, Value>, max_hops: u32) -> Result<Value, Skip> {
    let mut seen = vec![own_issuer];
    let mut hops = Vec::new();
    let mut next = Some(inbound);
    while let Some(hop) = next {
        let issuer = hop.get("iss").and_then(Value::as_str).ok_or(Skip::Loop)?;
        if seen.contains(&issuer) {
            return Err(Skip::Loop);
        }
        // The first entry is ourselves, who are no hop yet.
        if u32::try_from(seen.len()).is_ok_and(|hops| hops > max_hops) {
            return Err(Skip::TooManyHops);
        }
        seen.push(issuer);
        let mut actor = Map::new();
        actor.insert("iss".to_owned(), issuer.into());
        if let Some(subject) = hop.get("sub").and_then(Value::as_str) {
            actor.insert("sub".to_owned(), subject.into());
        }
        hops.push(actor);
        next = match hop.get("act") {
            None => None,
            Some(act) => Some(act.as_object().ok_or(Skip::Loop)?),
        };
    }
    let outermost = hops.into_iter().rev().reduce(|inner, mut outer| {
        outer.insert("act".to_owned(), Value::Object(inner));
        outer
    });
    outermost.map(Value::Object).ok_or(Skip::Loop)
}

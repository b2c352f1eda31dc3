//! Those who act for an identity, as `act` records them (RFC 8693, section 4.1).
//!
//! In an exchange an inbound `act` is kept, or nothing is signed: without it, what someone does for another would be done by
//! that other. With `chain` the gateways that the identity passes through become actors too.

use serde_json::{Map, Value};

use super::Skip;
use crate::verify::Verified;

/// Someone who acts: of what an issuer says of him, these two are kept, and nothing else that it may have put there for us to
/// sign. Without an issuer he is one of that of the token.
struct Actor {
    issuer: Option<String>,
    subject: Option<String>,
}

impl Actor {
    fn read(member: impl Fn(&str) -> Option<Value>) -> Result<Self, Skip> {
        let text = |name| match member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Skip::Actor),
        };
        let actor = Self { issuer: text("iss")?, subject: text("sub")? };
        if actor.issuer.is_none() && actor.subject.is_none() { Err(Skip::Actor) } else { Ok(actor) }
    }

    fn into_members(self) -> Map<String, Value> {
        let members = [("iss", self.issuer), ("sub", self.subject)].into_iter();
        members.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
    }
}

/// The `act` of a wristband that is signed for these inbound claims, the last actor outermost. With `chain`, which is how many
/// hops there may be, the first of them is the gateway that the identity comes from.
#[inline(never)]
pub(super) fn of(own_issuer: &str, inbound: &Verified, chain: Option<u32>) -> Result<Option<Value>, Skip> {
    let mut actors = Vec::new();
    if chain.is_some() {
        actors.push(Actor::read(|name| inbound.member(name))?);
    }
    let act = inbound.member("act");
    let mut next = act.as_ref();
    while let Some(act) = next {
        let members = act.as_object().ok_or(Skip::Actor)?;
        actors.push(Actor::read(|name| members.get(name).cloned())?);
        next = members.get("act");
    }
    if let Some(most) = chain {
        check(own_issuer, &actors, most)?;
    }
    let outermost = actors.into_iter().rev().map(Actor::into_members).reduce(|inner, mut outer| {
        outer.insert("act".to_owned(), Value::Object(inner));
        outer
    });
    Ok(outermost.map(Value::Object))
}

/// That no gateway was passed twice, and not too many.
fn check(own_issuer: &str, actors: &[Actor], most: u32) -> Result<(), Skip> {
    let mut seen = vec![own_issuer];
    for (hop, actor) in (1..).zip(actors) {
        let issuer = actor.issuer.as_deref();
        if issuer.is_some_and(|issuer| seen.contains(&issuer)) {
            return Err(Skip::Loop);
        }
        if hop > most {
            return Err(Skip::TooManyHops);
        }
        seen.extend(issuer);
    }
    Ok(())
}

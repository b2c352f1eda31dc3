//! `verify`: which tokens are accepted, and what follows from them.

use std::ops::RangeInclusive;

use super::names::{cookie_name, header_name, owned_header, parameter_name};
use super::{instant, text, types};
use crate::cache::Capacity;
use crate::config::fields::{CACHE, CLAIM_HEADER, FROM_HEADER, FROM_WEB_SOCKET_PROTOCOL, REPLAY, REVOKED, VERIFY};
use crate::config::{ClaimHeader, DEFAULT_HEADER, Node, Object, Revocations, RevokedIssuer, RevokedKey, Verify};
use crate::gateway::{self, ClaimFormat, Mode, OnForgedHeader};
use crate::http::credential::Place;
use crate::http::headers::{HeaderName, SEC_WEBSOCKET_PROTOCOL, is_token_character};
use crate::trust::replay::OnFull;
use crate::verify::LONGEST_SKEW;

const DEFAULT_CLOCK_SKEW: u32 = 30;
/// What common servers take in one header.
const DEFAULT_TOKEN_BYTES: u32 = 8192;
/// Envoy takes 60 KiB of headers by default.
const TOKEN_BYTES: RangeInclusive<u32> = 1024..=65_536;
const MAX_CACHE: u32 = 1_000_000;
/// A quarter of what a VM can address.
const MAX_BYTES: u32 = 1 << 30;
const MAX_REPLAY: u32 = 1_000_000;

#[inline(never)]
pub(super) fn verify(node: &Node<'_>) -> Verify {
    const ON_FORGED_HEADER: [(&str, OnForgedHeader); 2] =
        [("remove", OnForgedHeader::Remove), ("deny", OnForgedHeader::Deny)];
    let fields = node.object(&VERIFY);
    let modes = Mode::ALL.map(|mode| (mode.name(), mode));
    Verify {
        mode: fields.or("mode", Mode::Require, |node| node.word(&modes)),
        max_token_bytes: fields.or("maxTokenBytes", DEFAULT_TOKEN_BYTES, |node| node.integer(TOKEN_BYTES)),
        places: places(&fields),
        types: fields.read("typ", types),
        revoked: fields.or("revoked", Revocations::default(), |node| Some(revoked(node))),
        replay: fields.read("replay", replay),
        on_forged_header: fields.or("onForgedHeader", OnForgedHeader::Remove, |node| node.word(&ON_FORGED_HEADER)),
        cache: fields.read("cache", |node| Some(cache(node))),
        allow_cors_preflight: fields.or("allowCorsPreflight", false, Node::boolean),
        audiences: fields.list("audiences", |node| text(&node)),
        clock_skew: fields.or("clockSkew", DEFAULT_CLOCK_SKEW, |node| node.integer(0..=LONGEST_SKEW)),
        forward: fields.or("forward", false, Node::boolean),
        output_payload_to_header: fields.read("outputPayloadToHeader", owned_header),
        output_claim_to_headers: fields.list("outputClaimToHeaders", |node| claim_header(&node)),
    }
}

/// As in Envoy and Istio: who names one place has named them all.
#[inline(never)]
fn places(fields: &Object<'_>) -> Vec<Place> {
    let mut places = fields.list("fromHeaders", |node| credential_header(&node));
    places.extend(fields.list("fromCookies", |node| cookie_name(&node).map(Place::Cookie)));
    places.extend(fields.list("fromParams", |node| parameter_name(&node).map(Place::Parameter)));
    places.extend(fields.list("fromWebSocketProtocols", |node| web_socket_protocol(&node)));
    if places.is_empty() {
        let header = |name, prefix: &str| Place::Header { name, prefix: prefix.to_owned() };
        places = vec![header(DEFAULT_HEADER, ""), header(HeaderName::known("authorization"), "Bearer ")];
    }
    places
}

#[inline(never)]
fn revoked(node: &Node<'_>) -> Revocations {
    let mut revoked = Revocations::default();
    for entry in node.items() {
        let fields = entry.object(&REVOKED);
        let Some((kind, node)) = fields.one_of(&["kid", "jti", "issuer"]) else {
            continue;
        };
        let (path, text) = (node.path().clone(), text(&node));
        if kind == "issuer" {
            let issued_before = fields.required("issuedBefore").and_then(|node| instant(&node));
            if let (Some(issuer), Some(issued_before)) = (text, issued_before) {
                revoked.issuers.push(RevokedIssuer { path, issuer, issued_before });
            }
            continue;
        }
        if let Some(node) = fields.optional("issuedBefore") {
            node.fail::<()>("goes with `issuer`");
        }
        match text {
            Some(name) if kind == "kid" => revoked.keys.push(RevokedKey { path, name }),
            text => revoked.tokens.extend(text),
        }
    }
    revoked
}

fn replay(node: &Node<'_>) -> Option<(u32, OnFull)> {
    const ON_FULL: [(&str, OnFull); 2] = [("deny", OnFull::Deny), ("forget", OnFull::Forget)];
    let fields = node.object(&REPLAY);
    let on_full = fields.or("onFull", OnFull::Deny, |node| node.word(&ON_FULL));
    Some((fields.required("cache")?.integer(1..=MAX_REPLAY)?, on_full))
}

fn cache(node: &Node<'_>) -> Capacity {
    let fields = node.object(&CACHE);
    let limit = |name, default, most| {
        let number = fields.read(name, |node| node.integer(0..=most));
        number.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
    };
    let default = Capacity::default();
    Capacity { values: limit("tokens", default.values, MAX_CACHE), bytes: limit("bytes", default.bytes, MAX_BYTES) }
}

#[inline(never)]
fn credential_header(node: &Node<'_>) -> Option<Place> {
    let fields = node.object(&FROM_HEADER);
    let prefix = fields.or("prefix", String::new(), prefix);
    let node = fields.required("name")?;
    let name = header_name(&node)?;
    if name == SEC_WEBSOCKET_PROTOCOL {
        return node.fail("is a list of protocols; use `fromWebSocketProtocols: [{prefix: wristband.bearer.}]`");
    }
    Some(Place::Header { name, prefix })
}

/// The start of the one item that carries the token; an item is a token (RFC 6455, section 4.1).
fn web_socket_protocol(node: &Node<'_>) -> Option<Place> {
    let node = node.object(&FROM_WEB_SOCKET_PROTOCOL).required("prefix")?;
    let prefix = text(&node)?;
    if prefix.bytes().all(is_token_character) {
        return Some(Place::WebSocketProtocol(prefix));
    }
    node.fail("expected the start of a WebSocket protocol, such as `wristband.bearer.`")
}

/// `Bearer ` and its like: a scheme (RFC 9110, section 11.1) and one space. Anything else would make it a guess where
/// the prefix ends and the token begins.
fn prefix(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(is_token_character);
    if text.strip_suffix(' ').is_some_and(is_scheme) {
        return Some(text.to_owned());
    }
    node.fail("expected an authentication scheme and one space, such as `Bearer `")
}

/// A name, a dotted path, or a JSON Pointer (RFC 6901).
fn claim(node: &Node<'_>) -> Option<String> {
    let claim = text(node)?;
    let mut escapes = claim.split('~').skip(1);
    if claim.starts_with('/') && !escapes.all(|rest| rest.starts_with(['0', '1'])) {
        return node.fail("not a JSON Pointer: write `~` as `~0`, and `/` in a name as `~1`");
    }
    Some(claim)
}

fn claim_header(node: &Node<'_>) -> Option<ClaimHeader> {
    let fields = node.object(&CLAIM_HEADER);
    let header = fields.required("header").and_then(|node| owned_header(&node));
    let claim = fields.required("claim").and_then(|node| claim(&node));
    let format = fields.or("format", ClaimFormat::Text, |node| {
        node.word(&[("text", ClaimFormat::Text), ("percent", ClaimFormat::Percent), ("list", ClaimFormat::List)])
    });
    let output = gateway::ClaimHeader { header: header?, claim: claim?.into(), format };
    Some(ClaimHeader { path: node.path().clone(), output })
}

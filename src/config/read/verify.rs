//! `verify`: which tokens are accepted, and what follows from them.

use super::{cookie_name, header_name, instant, list, or, owned_header, text, texts, word};
use crate::cache::Capacity;
use crate::config::{
    ClaimHeader, ConfigError, DEFAULT_HEADER, Node, Object, Revocations, RevokedIssuer, RevokedKey, Verify,
};
use crate::gateway::{self, Mode};
use crate::http::credential::Place;
use crate::http::headers::{HeaderName, is_token_character};

const DEFAULT_CLOCK_SKEW: u32 = 30;
const MAX_CACHE: u32 = 1_000_000;
/// A quarter of what a VM can address.
const MAX_BYTES: u32 = 1 << 30;
const MAX_REPLAY: u32 = 1_000_000;

#[inline(never)]
pub(super) fn verify(node: &Node<'_>) -> Result<Verify, ConfigError> {
    let fields = node.object(&[
        "mode",
        "fromHeaders",
        "fromCookies",
        "fromParams",
        "typ",
        "revoked",
        "replay",
        "cache",
        "allowCorsPreflight",
        "audiences",
        "clockSkew",
        "forward",
        "outputPayloadToHeader",
        "outputClaimToHeaders",
    ])?;
    let modes = Mode::ALL.map(|mode| (mode.name(), mode));
    Ok(Verify {
        mode: or(fields.optional("mode"), Mode::Require, |node| word(node, &modes))?,
        places: places(&fields)?,
        types: fields.optional("typ").map(|node| texts(&node)).transpose()?,
        revoked: or(fields.optional("revoked"), Revocations::default(), revoked)?,
        replay: fields.optional("replay").map(|node| replay(&node)).transpose()?,
        cache: fields.optional("cache").map(|node| cache(&node)).transpose()?,
        allow_cors_preflight: or(fields.optional("allowCorsPreflight"), false, Node::boolean)?,
        audiences: list(fields.optional("audiences"), |node| text(&node))?,
        clock_skew: or(fields.optional("clockSkew"), DEFAULT_CLOCK_SKEW, |node| node.integer(0..=300))?,
        forward: or(fields.optional("forward"), false, Node::boolean)?,
        output_payload_to_header: fields
            .optional("outputPayloadToHeader")
            .map(|node| owned_header(&node))
            .transpose()?,
        output_claim_to_headers: list(fields.optional("outputClaimToHeaders"), claim_header)?,
    })
}

/// As in Envoy and Istio: who names one place has named them all.
#[inline(never)]
fn places(fields: &Object<'_>) -> Result<Vec<Place>, ConfigError> {
    let mut places = list(fields.optional("fromHeaders"), credential_header)?;
    places.extend(list(fields.optional("fromCookies"), |node| cookie_name(&node).map(Place::Cookie))?);
    places.extend(list(fields.optional("fromParams"), |node| text(&node).map(Place::Parameter))?);
    if places.is_empty() {
        let header = |name, prefix: &str| Place::Header { name, prefix: prefix.to_owned() };
        places = vec![header(DEFAULT_HEADER, ""), header(HeaderName::known("authorization"), "Bearer ")];
    }
    Ok(places)
}

#[inline(never)]
fn revoked(node: &Node<'_>) -> Result<Revocations, ConfigError> {
    let mut revoked = Revocations::default();
    for entry in node.items()? {
        let fields = entry.object(&["kid", "jti", "issuer", "issuedBefore"])?;
        let (kind, node) = fields.one_of(&["kid", "jti", "issuer"])?;
        match (kind, fields.optional("issuedBefore")) {
            ("issuer", _) => {
                let issued_before = instant(&fields.required("issuedBefore")?)?;
                let path = node.path().to_owned();
                revoked.issuers.push(RevokedIssuer { path, issuer: text(&node)?, issued_before });
            }
            (_, Some(node)) => return Err(node.error("goes with `issuer`")),
            ("kid", None) => revoked.keys.push(RevokedKey { path: node.path().to_owned(), name: text(&node)? }),
            (_, None) => revoked.tokens.push(text(&node)?),
        }
    }
    Ok(revoked)
}

fn cache(node: &Node<'_>) -> Result<Capacity, ConfigError> {
    let fields = node.object(&["tokens", "bytes"])?;
    let limit = |name, default, most| {
        let number = fields.optional(name).map(|node| node.integer(0..=most)).transpose()?;
        Ok::<_, ConfigError>(number.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX)))
    };
    let default = Capacity::default();
    Ok(Capacity {
        values: limit("tokens", default.values, MAX_CACHE)?,
        bytes: limit("bytes", default.bytes, MAX_BYTES)?,
    })
}

fn replay(node: &Node<'_>) -> Result<u32, ConfigError> {
    node.object(&["cache"])?.required("cache")?.integer(1..=MAX_REPLAY)
}

#[inline(never)]
fn credential_header(node: Node<'_>) -> Result<Place, ConfigError> {
    let fields = node.object(&["name", "prefix"])?;
    Ok(Place::Header {
        name: header_name(&fields.required("name")?)?,
        prefix: or(fields.optional("prefix"), String::new(), prefix)?,
    })
}

/// `Bearer ` and its like: a scheme (RFC 9110, section 11.1) and one space. Anything else would make it a guess where
/// the prefix ends and the token begins.
fn prefix(node: &Node<'_>) -> Result<String, ConfigError> {
    let text = node.string()?;
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(is_token_character);
    if text.strip_suffix(' ').is_some_and(is_scheme) {
        return Ok(text.to_owned());
    }
    Err(node.error("expected an authentication scheme and one space, such as `Bearer `"))
}

fn claim_header(node: Node<'_>) -> Result<ClaimHeader, ConfigError> {
    let fields = node.object(&["header", "claim"])?;
    Ok(ClaimHeader {
        path: node.path().to_owned(),
        output: gateway::ClaimHeader {
            header: owned_header(&fields.required("header")?)?,
            claim: text(&fields.required("claim")?)?,
        },
    })
}

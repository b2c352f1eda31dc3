//! What is fetched, and from where.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::fields::REMOTE_JWKS;
use super::super::{KeyCall, LONGEST_DURATION, Node, Object, RemoteJwks};
use super::{issuer_uri, text};
use crate::http::discovery::{CERTS, without_slash};
use crate::sources::{Location, Policy};
use crate::trust::{NOBODY, SELF, label};

const KEY_REFRESH: u32 = 5;
const LONGEST_KEY_REFRESH: u32 = 3600;
const JWKS_REFRESH: u32 = 300;
const JWKS_TIMEOUT: u32 = 5;
const LONGEST_TIMEOUT: u32 = 60;
const STALE_FOR: u32 = 86_400;
/// A month, in seconds.
const LONGEST_STALE: u32 = 2_592_000;

/// Nobody asks for the host of our own key.
const KEY_AUTHORITY: &str = "wristband-key";

/// Where our own key is fetched from.
pub(super) fn key_call(fields: &Object<'_>) -> Option<KeyCall> {
    let cluster = fields.read("cluster", text);
    let path = fields.required("path").and_then(|node| path(&node));
    let refresh = fields.or("refresh", KEY_REFRESH, |node| node.integer(1..=LONGEST_KEY_REFRESH));
    let announce = fields.read("announce", |node| node.integer(0..=LONGEST_DURATION));
    let location = Location { cluster: cluster?, authority: KEY_AUTHORITY.to_owned(), path: path? };
    Some(KeyCall { location, refresh, announce })
}

/// Where a peer's set is fetched from: unless it says so, from where other gateways of ours have theirs.
pub(super) fn remote_jwks(node: &Node<'_>, issuer: Option<&str>) -> Option<RemoteJwks> {
    const NO_URL: &str = "is missing; the issuer is no URL, under which the set would be looked for";
    let fields = node.object(&REMOTE_JWKS);
    let cluster = fields.required("cluster").and_then(|node| text(&node));
    let seconds = |name: &str, default: u32, range: RangeInclusive<u32>| {
        Duration::from_secs(fields.or(name, default, |node| node.integer(range)).into())
    };
    let policy = Policy {
        refresh: seconds("refresh", JWKS_REFRESH, 1..=LONGEST_DURATION),
        timeout: seconds("timeout", JWKS_TIMEOUT, 1..=LONGEST_TIMEOUT),
        stale_for: seconds("staleFor", STALE_FOR, 0..=LONGEST_STALE),
    };
    let place = match (fields.optional("uri"), issuer) {
        (Some(uri), _) => authority_and_path(uri.string()?).or_else(|| uri.fail(NOT_A_URI)),
        (None, None) => None,
        (None, Some(issuer)) if issuer_uri(issuer).is_some() => {
            authority_and_path(&format!("{}{CERTS}", without_slash(issuer)))
        }
        (None, Some(_)) => node.fail_at("uri", NO_URL),
    };
    let (authority, path) = place?;
    Some(RemoteJwks { location: Location { cluster: cluster?, authority, path }, policy })
}

const NOT_A_URI: &str = "expected an absolute http or https URL without user and fragment";

/// Both parts of an http or https URL.
fn authority_and_path(uri: &str) -> Option<(String, String)> {
    let (scheme_and_authority, _) = uri.split_at_checked(uri.find('?').unwrap_or(uri.len()))?;
    issuer_uri(scheme_and_authority)?;
    let uri: ::http::Uri = uri.parse().ok().filter(|_| !uri.contains('#'))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some((uri.authority()?.as_str().to_owned(), path.to_owned()))
}

/// The path of a request.
fn path(node: &Node<'_>) -> Option<String> {
    let path = node.string()?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Some(path.to_owned());
    }
    node.fail("expected a path that starts with `/`, of visible ASCII characters without `#`")
}

/// How metrics name a peer that has no label: by the host of its issuer, or by all of it.
pub(super) fn label_of(issuer: &str) -> String {
    let host = issuer_uri(issuer).and_then(|uri| uri.host().map(str::to_owned));
    let label = label(host.as_deref().unwrap_or(issuer));
    // These two mean something else.
    if [SELF, NOBODY].contains(&&*label) { label + "_" } else { label }
}

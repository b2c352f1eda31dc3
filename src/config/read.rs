//! From a tree of values to a [`Config`], field by field. What cannot be read is said, and left out of what is returned:
//! whoever compiles it finds the other mistakes, and brings nothing into force.

mod fetched;
mod issue;
mod names;
mod verify;

use serde_json::Value;

use self::fetched::{key_call, remote_jwks};
use self::issue::issue;
use self::verify::verify;
use super::fields::{DISCOVERY, JWKS, KEY, KEY_REF, PATTERN, PEER, ROOT};
use super::{Config, Discovery, KeyRef, KeySource, LONGEST_DURATION, Node, Object, Peer, Problems, source};
use crate::crypto::Preference;
use crate::jose::algorithm::Algorithm;
use crate::keys::looks_like_material;
use crate::time::Timestamp;
use crate::trust;
use crate::trust::limits::{Limits, Pattern};

const DEFAULT_DURATION: u32 = 300;
/// A year, in seconds.
const LONGEST_LIFETIME: u32 = 31_536_000;
const DEFAULT_MAX_AGE: u32 = 300;
const MAX_NAME: usize = 255;

const PUBLISH_IS_GONE: &str = "is gone: whoever verifies with our JWKS alone would take this peer's keys for ours; leave it \
     out, and have consumers fetch the peer's own JWKS (`discovery.trust` shows who is trusted)";

impl Config {
    /// Reads the bytes of a plugin configuration: a `google.protobuf.Struct` or JSON text. `None` when they are neither.
    /// Everything that is unknown, missing, of the wrong type or out of range goes to `problems`.
    pub fn read(bytes: &[u8], problems: &Problems) -> Option<Self> {
        match source::read(bytes, problems) {
            Ok(value) => Some(Self::from_value(&value, problems)),
            Err(problem) => {
                problems.error(&problem.path, problem.message);
                None
            }
        }
    }

    fn from_value(value: &Value, problems: &Problems) -> Self {
        const PREFERENCES: [(&str, Preference); 4] = [
            ("auto", Preference::Auto),
            ("host", Preference::Host),
            ("wasm", Preference::Wasm),
            ("tables", Preference::Tables),
        ];
        let root = Node::root(value, problems).object(&ROOT);
        Self {
            issuer: root.read("issuer", issuer),
            token_duration: root.or("tokenDuration", DEFAULT_DURATION, |node| node.integer(1..=LONGEST_DURATION)),
            signing_key_refs: root.list("signingKeyRefs", |node| Some(key_ref(&node, false))),
            peers: root.list("peers", |node| Some(peer(&node))),
            issue: root.optional("issue").map(|node| issue(&node)),
            verify: root.optional("verify").map(|node| verify(&node)),
            discovery: discovery(root.optional("discovery")),
            allow_worthless_keys: root.or("allowWorthlessKeys", false, Node::boolean),
            crypto: root.or("crypto", Preference::Auto, |node| node.word(&PREFERENCES)),
        }
    }
}

fn text(node: &Node<'_>) -> Option<String> {
    node.string().map(str::to_owned)
}

/// An issuer URL. It is compared as text and has the discovery path appended, which a query or fragment would swallow
/// (OpenID Connect Discovery 1.0, section 3).
fn issuer(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if issuer_uri(text).is_none() {
        return node.fail("expected an absolute http or https URL without query and fragment");
    }
    Some(text.to_owned())
}

/// An absolute http or https URL without user, query and fragment.
fn issuer_uri(text: &str) -> Option<::http::Uri> {
    // A user or a port out of range would make the authority another text.
    let is_plain = |uri: &::http::Uri| {
        let host = uri.host().filter(|host| !host.is_empty())?;
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        (uri.authority()?.as_str() == format!("{host}{port}")).then_some(())
    };
    let uri = text.parse().ok().filter(|_| !text.contains(['?', '#']))?;
    (matches!(::http::Uri::scheme_str(&uri), Some("http" | "https")) && is_plain(&uri).is_some()).then_some(uri)
}

#[inline(never)]
fn key_ref(node: &Node<'_>, is_peers: bool) -> KeyRef {
    const OF_TEXT: &str = "of a key by `cluster` its text alone says; leave it out";
    let fields = node.object(&KEY_REF);
    let is_fetched = fields.optional("key").is_some_and(|key| key.value().get("cluster").is_some());
    if is_fetched {
        for name in ["name", "notBefore", "notAfter"] {
            fields.optional(name).and_then(|node| node.fail::<()>(OF_TEXT));
        }
    }
    let (not_before, not_after) = (fields.read("notBefore", instant), fields.read("notAfter", instant));
    if not_before.zip(not_after).is_some_and(|(start, end)| end <= start) {
        node.fail_at::<()>("notAfter", "is not after `notBefore`");
    }
    KeyRef {
        path: node.path().clone(),
        name: if is_fetched { None } else { fields.required("name").and_then(|node| key_name(&node)) },
        algorithm: fields.required("algorithm").and_then(|node| algorithm(&node)),
        key: fields.required("key").and_then(|node| key_source(&node, is_peers)),
        not_before,
        not_after,
    }
}

/// A peer's issuer: a StringOrURI (RFC 7519, section 2) that no `#` divides, since `principal` puts one behind it. Real ones
/// are names of accounts and hosts as well as URLs.
fn peer_issuer(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Some(text.to_owned());
    }
    node.fail(format!("expected 1 to {MAX_NAME} visible ASCII characters without `#`"))
}

/// A `kid` is published, so it must not be a key by mistake.
fn key_name(node: &Node<'_>) -> Option<String> {
    let name = node.string()?;
    if looks_like_material(name.as_bytes()) {
        return node.fail("looks like key material; name the key here, its text goes under `key`");
    }
    if name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(name.to_owned());
    }
    node.fail(format!("expected at most {MAX_NAME} visible ASCII characters without spaces"))
}

fn algorithm(node: &Node<'_>) -> Option<Algorithm> {
    let name = node.string()?;
    Algorithm::from_name(name).or_else(|| {
        let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        node.fail(format!("unknown algorithm, expected one of {}", names.join(", ")))
    })
}

/// The key of a `signingKeyRefs` entry or of one of a peer's `keys`.
fn key_source(node: &Node<'_>, is_peers: bool) -> Option<KeySource> {
    const OF_PEERS: &str = "is for our own key; a peer's are fetched by `remoteJwks`, in the place of `keys`";
    if node.value().is_string() {
        return text_source(node);
    }
    let fields = node.object(&KEY);
    let cluster = fields.optional("cluster");
    if is_peers {
        return cluster.map_or_else(|| text_of(&fields, JWKS.names), |cluster| cluster.fail(OF_PEERS));
    }
    if cluster.is_none() {
        for name in ["path", "refresh", "announce"] {
            fields.optional(name).and_then(|node| node.fail::<()>("goes with `cluster`"));
        }
    }
    text_of(&fields, &["inlineString", "environmentVariable", "cluster"])
}

/// A text that stands in the configuration or in a variable.
fn text_source(node: &Node<'_>) -> Option<KeySource> {
    if node.value().is_string() {
        return node.fail("expected `{inlineString: TEXT}` or `{environmentVariable: NAME}`, found a string");
    }
    text_of(&node.object(&JWKS), JWKS.names)
}

fn text_of(fields: &Object<'_>, sources: &[&'static str]) -> Option<KeySource> {
    Some(match fields.one_of(sources)? {
        ("inlineString", node) => KeySource::Inline(text(&node)?),
        ("environmentVariable", node) => KeySource::Environment(text(&node)?),
        _ => KeySource::Call(key_call(fields)?),
    })
}

fn instant(node: &Node<'_>) -> Option<Timestamp> {
    Timestamp::from_rfc3339(node.string()?)
        .or_else(|| node.fail("expected a time as in RFC 3339, such as `2026-12-01T00:00:00Z`"))
}

#[inline(never)]
fn peer(node: &Node<'_>) -> Peer {
    let fields = node.object(&PEER);
    if let Some(node) = fields.optional("publish") {
        node.fail::<()>(PUBLISH_IS_GONE);
    }
    let issuer = fields.required("issuer").and_then(|node| peer_issuer(&node));
    let (jwks, remote) = (fields.optional("jwks"), fields.optional("remoteJwks"));
    let keys = match (&jwks, &remote) {
        (None, None) => fields.required("keys"),
        (Some(_), Some(remote)) => remote.fail("excludes `jwks`; leave one of them out"),
        (Some(set), None) | (None, Some(set)) if fields.optional("keys").is_some() => {
            set.fail("excludes `keys`; leave one of them out")
        }
        _ => None,
    };
    let keys = keys.into_iter().flat_map(|node| node.items());
    let algorithms = fields.optional("algorithms").and_then(|node| match (&jwks, &remote) {
        (None, None) => node.fail("goes with `jwks` and `remoteJwks`; each of `keys` has its own `algorithm`"),
        _ => Some(node.items().filter_map(|node| algorithm(&node)).collect()),
    });
    let label = fields.read("label", label);
    Peer {
        path: node.path().clone(),
        keys: keys.map(|node| key_ref(&node, true)).collect(),
        jwks: jwks.and_then(|node| text_source(&node)),
        remote_jwks: remote.and_then(|node| remote_jwks(&node, issuer.as_deref())),
        label: label.unwrap_or_else(|| fetched::label_of(issuer.as_deref().unwrap_or_default())),
        issuer,
        algorithms,
        limits: Limits {
            types: fields.read("typ", types),
            audiences: fields.list("audiences", |node| text(&node)),
            allow_missing_audience: fields.or("allowMissingAudience", false, Node::boolean),
            subjects: fields.list("subjects", |node| pattern(&node)),
            claims: fields.read("claims", texts),
            max_lifetime: Some(fields.or("maxLifetime", LONGEST_DURATION, |node| node.integer(1..=LONGEST_LIFETIME))),
        },
    }
}

/// The name that metrics give a peer, in the characters that they have.
fn label(node: &Node<'_>) -> Option<String> {
    let label = trust::label(&text(node)?);
    if [trust::SELF, trust::NOBODY].contains(&&*label) {
        return node.fail("is what metrics call our own issuer or an unknown one; choose another");
    }
    if label.len() <= MAX_NAME { Some(label) } else { node.fail(format!("expected at most {MAX_NAME} characters")) }
}

fn pattern(node: &Node<'_>) -> Option<Pattern> {
    let (kind, node) = node.object(&PATTERN).one_of(PATTERN.names)?;
    let text = text(&node)?;
    Some(if kind == "exact" { Pattern::Exact(text) } else { Pattern::Prefix(text) })
}

fn texts(node: &Node<'_>) -> Option<Vec<String>> {
    Some(node.items().filter_map(|node| text(&node)).collect())
}

/// Values of `typ`. The empty one stands for a token that has none.
fn types(node: &Node<'_>) -> Option<Vec<String>> {
    let typ = |node: Node<'_>| if node.value() == "" { Some(String::new()) } else { text(&node) };
    Some(node.items().filter_map(typ).collect())
}

fn discovery(node: Option<Node<'_>>) -> Discovery {
    let fields = node.map(|node| node.object(&DISCOVERY));
    let fields = fields.as_ref();
    let max_age = fields.and_then(|fields| fields.read("maxAge", |node| node.integer(0..=LONGEST_DURATION)));
    let hosts = fields.map(|fields| fields.list("hosts", |node| host(&node))).unwrap_or_default();
    let trust = fields.is_some_and(|fields| fields.or("trust", false, Node::boolean));
    Discovery { max_age: max_age.unwrap_or(DEFAULT_MAX_AGE), hosts, trust }
}

/// A host as it stands in a request, without its port.
fn host(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let is_plain = |authority: &::http::uri::Authority| authority.host() == text && authority.as_str() == text;
    if text.parse().is_ok_and(|authority| is_plain(&authority)) {
        return Some(text.to_ascii_lowercase());
    }
    node.fail("expected the name of a host, without scheme, port and path")
}

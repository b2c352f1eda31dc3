//! From a tree of values to a [`Config`], field by field.

mod issue;
mod verify;

use serde_json::Value;

use self::issue::issue;
use self::verify::verify;
use super::{Config, ConfigError, Discovery, KeyRef, KeySource, LONGEST_DURATION, Node, Peer, source};
use crate::crypto::Preference;
use crate::http::headers::{HeaderName, is_token_character};
use crate::jose::algorithm::Algorithm;
use crate::time::Timestamp;
use crate::trust::limits::{Limits, Pattern};

const DEFAULT_DURATION: u32 = 300;
const DEFAULT_MAX_AGE: u32 = 300;
const MAX_NAME: usize = 100;

impl Config {
    /// Reads the bytes of a plugin configuration: a `google.protobuf.Struct` or JSON text.
    ///
    /// # Errors
    /// The first field that is unknown, missing, of the wrong type or out of range.
    pub fn read(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::from_value(&source::read(bytes)?)
    }

    fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let root = Node::root(value).object(&[
            "issuer",
            "tokenDuration",
            "signingKeyRefs",
            "peers",
            "issue",
            "verify",
            "discovery",
            "crypto",
        ])?;
        Ok(Self {
            issuer: root.optional("issuer").map(|node| issuer(&node)).transpose()?,
            token_duration: or(root.optional("tokenDuration"), DEFAULT_DURATION, |node| {
                node.integer(1..=LONGEST_DURATION)
            })?,
            signing_key_refs: list(root.optional("signingKeyRefs"), key_ref)?,
            peers: list(root.optional("peers"), peer)?,
            issue: root.optional("issue").map(|node| issue(&node)).transpose()?,
            verify: root.optional("verify").map(|node| verify(&node)).transpose()?,
            discovery: discovery(root.optional("discovery"))?,
            crypto: or(root.optional("crypto"), Preference::Auto, |node| {
                word(node, &[("auto", Preference::Auto), ("host", Preference::Host), ("wasm", Preference::Wasm)])
            })?,
        })
    }
}

/// A field with a default.
fn or<'a, T>(
    node: Option<Node<'a>>,
    default: T,
    read: impl FnOnce(&Node<'a>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    node.map_or(Ok(default), |node| read(&node))
}

/// A list that may be left out.
fn list<'a, T>(
    node: Option<Node<'a>>,
    read: impl FnMut(Node<'a>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    node.map_or(Ok(Vec::new()), |node| node.items()?.map(read).collect())
}

/// One of a few words.
fn word<T: Copy>(node: &Node<'_>, words: &[(&str, T)]) -> Result<T, ConfigError> {
    let text = node.string()?;
    words.iter().find_map(|(word, meaning)| (*word == text).then_some(*meaning)).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        node.error(format!("expected one of {}", words.join(", ")))
    })
}

fn text(node: &Node<'_>) -> Result<String, ConfigError> {
    node.string().map(str::to_owned)
}

/// An issuer URL. It is compared as text and has the discovery path appended, which a query or fragment would swallow
/// (OpenID Connect Discovery 1.0, section 3).
fn issuer(node: &Node<'_>) -> Result<String, ConfigError> {
    let text = node.string()?;
    // A user or a port out of range would make the authority another text.
    let is_plain = |uri: &http::Uri| {
        let host = uri.host().filter(|host| !host.is_empty())?;
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        (uri.authority()?.as_str() == format!("{host}{port}")).then_some(())
    };
    let valid = |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && is_plain(uri).is_some();
    if text.contains(['?', '#']) || !text.parse().is_ok_and(|uri| valid(&uri)) {
        return Err(node.error("expected an absolute http or https URL without query and fragment"));
    }
    Ok(text.to_owned())
}

#[inline(never)]
fn key_ref(node: Node<'_>) -> Result<KeyRef, ConfigError> {
    let fields = node.object(&["name", "algorithm", "key", "notAfter"])?;
    Ok(KeyRef {
        path: node.path().to_owned(),
        name: key_name(&fields.required("name")?)?,
        algorithm: algorithm(&fields.required("algorithm")?)?,
        key: key_source(&fields.required("key")?)?,
        not_after: fields.optional("notAfter").map(|node| instant(&node)).transpose()?,
    })
}

/// A `kid` is published. What could be a key by mistake, PEM or a private JWK, is longer or has spaces in it.
fn key_name(node: &Node<'_>) -> Result<String, ConfigError> {
    let name = node.string()?;
    if name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(name.to_owned());
    }
    Err(node.error(format!("expected at most {MAX_NAME} visible ASCII characters without spaces")))
}

fn algorithm(node: &Node<'_>) -> Result<Algorithm, ConfigError> {
    let name = node.string()?;
    Algorithm::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        node.error(format!("unknown algorithm, expected one of {}", names.join(", ")))
    })
}

fn key_source(node: &Node<'_>) -> Result<KeySource, ConfigError> {
    const SOURCES: [&str; 2] = ["inlineString", "environmentVariable"];
    if node.value().is_string() {
        return Err(node.error("expected `{inlineString: TEXT}` or `{environmentVariable: NAME}`, found a string"));
    }
    let (source, node) = node.object(&SOURCES)?.one_of(&SOURCES)?;
    let text = text(&node)?;
    Ok(if source == "inlineString" { KeySource::Inline(text) } else { KeySource::Environment(text) })
}

fn instant(node: &Node<'_>) -> Result<Timestamp, ConfigError> {
    Timestamp::from_rfc3339(node.string()?)
        .ok_or_else(|| node.error("expected a time as in RFC 3339, such as `2026-12-01T00:00:00Z`"))
}

#[inline(never)]
fn peer(node: Node<'_>) -> Result<Peer, ConfigError> {
    let fields = node.object(&["issuer", "publish", "keys", "subjects", "audiences", "claims", "maxLifetime"])?;
    Ok(Peer {
        path: node.path().to_owned(),
        issuer: issuer(&fields.required("issuer")?)?,
        publish: or(fields.optional("publish"), false, Node::boolean)?,
        keys: fields.required("keys")?.items()?.map(key_ref).collect::<Result<_, _>>()?,
        policy: Limits {
            audiences: list(fields.optional("audiences"), |node| text(&node))?,
            subjects: list(fields.optional("subjects"), pattern)?,
            claims: fields.optional("claims").map(|node| texts(&node)).transpose()?,
            max_lifetime: fields.optional("maxLifetime").map(|node| node.integer(1..=LONGEST_DURATION)).transpose()?,
        },
    })
}

fn pattern(node: Node<'_>) -> Result<Pattern, ConfigError> {
    const KINDS: [&str; 2] = ["exact", "prefix"];
    let (kind, node) = node.object(&KINDS)?.one_of(&KINDS)?;
    let text = text(&node)?;
    Ok(if kind == "exact" { Pattern::Exact(text) } else { Pattern::Prefix(text) })
}

fn texts(node: &Node<'_>) -> Result<Vec<String>, ConfigError> {
    node.items()?.map(|node| text(&node)).collect()
}

fn cookie_name(node: &Node<'_>) -> Result<String, ConfigError> {
    let name = text(node)?;
    if name.bytes().all(is_token_character) { Ok(name) } else { Err(node.error("expected the name of a cookie")) }
}

fn header_name(node: &Node<'_>) -> Result<HeaderName, ConfigError> {
    HeaderName::parse(node.string()?).ok_or_else(|| node.error("expected the name of a header (no pseudo-header)"))
}

/// A header that the filter removes and writes. Those are refused without which a message, or what the filter itself
/// says in it, would not be understood.
#[inline(never)]
fn owned_header(node: &Node<'_>) -> Result<HeaderName, ConfigError> {
    const FRAMING: [&str; 15] = [
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expires",
        "host",
        "keep-alive",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    ];
    let name = header_name(node)?;
    let text = name.as_str();
    if FRAMING.contains(&text) {
        return Err(node.error(format!("`{text}` has a meaning of its own and cannot be used")));
    }
    Ok(name)
}

fn discovery(node: Option<Node<'_>>) -> Result<Discovery, ConfigError> {
    let Some(node) = node else {
        return Ok(Discovery { max_age: DEFAULT_MAX_AGE });
    };
    let fields = node.object(&["maxAge"])?;
    Ok(Discovery {
        max_age: or(fields.optional("maxAge"), DEFAULT_MAX_AGE, |node| node.integer(0..=LONGEST_DURATION))?,
    })
}

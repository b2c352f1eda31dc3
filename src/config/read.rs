//! From a tree of values to a [`Config`], field by field.

use serde_json::Value;

use super::{
    ClaimHeader, ClaimSource, Config, ConfigError, DEFAULT_HEADER, Discovery, Identity, Issue, KeyRef, KeySource,
    LONGEST_DURATION, Mode, Node, Object, OnFailure, Peer, Placement, Revocations, Subject, Verify, source,
};
use crate::cache::Limits;
use crate::cookie::{Cookie, SameSite};
use crate::credential::Place;
use crate::crypto::Preference;
use crate::headers::{HeaderName, is_token_character};
use crate::key::Algorithm;
use crate::policy::{Pattern, Policy};
use crate::time::Timestamp;

const DEFAULT_DURATION: u32 = 300;
const DEFAULT_CLOCK_SKEW: u32 = 30;
const DEFAULT_MAX_AGE: u32 = 300;
const DEFAULT_COOKIE: &str = "wristband";
const DEFAULT_HOPS: u32 = 3;
const MAX_HOPS: u32 = 16;
const MAX_NAME: usize = 100;
const MAX_CACHE: u32 = 1_000_000;
/// A quarter of what a VM can address.
const MAX_BYTES: u32 = 1 << 30;
const MAX_REPLAY: u32 = 1_000_000;

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
    Err(node.error("expected at most 100 visible ASCII characters without spaces"))
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
        policy: Policy {
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

#[inline(never)]
fn issue(node: &Node<'_>) -> Result<Issue, ConfigError> {
    let fields = node.object(&[
        "header",
        "placement",
        "identity",
        "subject",
        "when",
        "audiences",
        "customClaims",
        "cookie",
        "chain",
        "maxHops",
        "bindClientCertificate",
        "onFailure",
        "typ",
        "reuse",
    ])?;
    let when = fields.optional("when").map(|node| node.object(&["request", "response"])).transpose()?;
    let condition = |phase| {
        let node = when.as_ref().and_then(|when| when.optional(phase));
        node.map(|node| text(&node)).transpose()
    };
    let cookie = fields.optional("cookie").map(|node| cookie(&node)).transpose()?;
    let chain = or(fields.optional("chain"), false, Node::boolean)?;
    let max_hops = fields
        .optional("maxHops")
        .map(|node| if chain { node.integer(1..=MAX_HOPS) } else { Err(node.error("needs `chain: true`")) });
    let max_hops = max_hops.transpose()?.unwrap_or(DEFAULT_HOPS);
    Ok(Issue {
        header: match fields.optional("header") {
            Some(node) => Some(owned_header(&node)?),
            None => cookie.is_none().then_some(DEFAULT_HEADER),
        },
        cookie,
        placement: or(fields.optional("placement"), Placement::Response, |node| {
            word(node, &[("response", Placement::Response), ("request", Placement::Request)])
        })?,
        identity: identity(&fields.required("identity")?)?,
        subject: fields.optional("subject").map(|node| subject(&node)).transpose()?,
        when_request: condition("request")?,
        when_response: condition("response")?,
        audiences: list(fields.optional("audiences"), |node| text(&node))?,
        custom_claims: or(fields.optional("customClaims"), Vec::new(), custom_claims)?,
        chain: chain.then_some(max_hops),
        bind_client_certificate: or(fields.optional("bindClientCertificate"), false, Node::boolean)?,
        typ: or(fields.optional("typ"), "JWT".to_owned(), text)?,
        reuse: or(fields.optional("reuse"), 0, |node| node.integer(0..=LONGEST_DURATION))?,
        on_failure: or(fields.optional("onFailure"), OnFailure::Pass, |node| {
            word(node, &[("pass", OnFailure::Pass), ("deny", OnFailure::Deny)])
        })?,
    })
}

#[inline(never)]
fn cookie(node: &Node<'_>) -> Result<Cookie, ConfigError> {
    let fields = node.object(&["name", "path", "domain", "sameSite", "secure", "httpOnly"])?;
    // As our other words are written, and as the attribute is.
    let same_site = [
        ("strict", SameSite::Strict),
        ("lax", SameSite::Lax),
        ("none", SameSite::None),
        ("Strict", SameSite::Strict),
        ("Lax", SameSite::Lax),
        ("None", SameSite::None),
    ];
    let cookie = Cookie {
        name: or(fields.optional("name"), DEFAULT_COOKIE.to_owned(), text)?,
        path: or(fields.optional("path"), "/".to_owned(), text)?,
        domain: fields.optional("domain").map(|node| text(&node)).transpose()?,
        same_site: or(fields.optional("sameSite"), SameSite::Lax, |node| word(node, &same_site))?,
        secure: or(fields.optional("secure"), true, Node::boolean)?,
        http_only: or(fields.optional("httpOnly"), true, Node::boolean)?,
    };
    match cookie.problem() {
        Some((field, problem)) => Err(ConfigError::at(format!("{}.{field}", node.path()), problem)),
        None => Ok(cookie),
    }
}

fn identity(node: &Node<'_>) -> Result<Identity, ConfigError> {
    const SOURCES: [&str; 3] = ["header", "expression", "wristband"];
    let (source, node) = node.object(&SOURCES)?.one_of(&SOURCES)?;
    Ok(match source {
        "header" => Identity::Header(header_name(&node)?),
        "expression" => Identity::Expression(text(&node)?),
        _ => only_true(&node).map(|()| Identity::Wristband)?,
    })
}

fn subject(node: &Node<'_>) -> Result<Subject, ConfigError> {
    const SOURCES: [&str; 2] = ["expression", "hash"];
    let (source, node) = node.object(&SOURCES)?.one_of(&SOURCES)?;
    Ok(match source {
        "expression" => Subject::Expression(text(&node)?),
        _ => only_true(&node).map(|()| Subject::Hash)?,
    })
}

/// A field that is a choice by being there.
fn only_true(node: &Node<'_>) -> Result<(), ConfigError> {
    if node.boolean()? {
        return Ok(());
    }
    Err(node.error("expected true; leave it out otherwise"))
}

#[inline(never)]
fn custom_claims(node: &Node<'_>) -> Result<Vec<(String, ClaimSource)>, ConfigError> {
    const SOURCES: [&str; 2] = ["value", "expression"];
    let claims = node.members()?.map(|(name, node)| {
        if let Some(instead) = crate::issue::reserved(name) {
            return Err(node.error(format!("`{name}` is a reserved claim; {instead}")));
        }
        let fields = node.object(&["value", "expression", "required"])?;
        let (source, value) = fields.one_of(&SOURCES)?;
        let required = fields.optional("required");
        let source = match source {
            "value" => match required {
                Some(node) => return Err(node.error("a fixed value is always there")),
                None => ClaimSource::Value(value.value().clone()),
            },
            _ => ClaimSource::Expression { source: text(&value)?, required: or(required, false, Node::boolean)? },
        };
        Ok((name.to_owned(), source))
    });
    claims.collect()
}

#[inline(never)]
fn verify(node: &Node<'_>) -> Result<Verify, ConfigError> {
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
    let modes = [("require", Mode::Require), ("optional", Mode::Optional), ("observe", Mode::Observe)];
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

fn cookie_name(node: &Node<'_>) -> Result<String, ConfigError> {
    let name = text(node)?;
    if name.bytes().all(is_token_character) { Ok(name) } else { Err(node.error("expected the name of a cookie")) }
}

#[inline(never)]
fn revoked(node: &Node<'_>) -> Result<Revocations, ConfigError> {
    let mut revoked = Revocations::default();
    for entry in node.items()? {
        let fields = entry.object(&["kid", "jti", "issuer", "issuedBefore"])?;
        let (kind, node) = fields.one_of(&["kid", "jti", "issuer"])?;
        match (kind, fields.optional("issuedBefore")) {
            ("issuer", _) => {
                let start = instant(&fields.required("issuedBefore")?)?;
                revoked.issued_before.push((text(&node)?, start, node.path().to_owned()));
            }
            (_, Some(node)) => return Err(node.error("goes with `issuer`")),
            ("kid", None) => revoked.keys.push((text(&node)?, node.path().to_owned())),
            (_, None) => revoked.tokens.push(text(&node)?),
        }
    }
    Ok(revoked)
}

fn cache(node: &Node<'_>) -> Result<Limits, ConfigError> {
    let fields = node.object(&["tokens", "bytes"])?;
    let limit = |name, default, most| {
        let number = fields.optional(name).map(|node| node.integer(0..=most)).transpose()?;
        Ok::<_, ConfigError>(number.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX)))
    };
    let default = Limits::default();
    Ok(Limits { values: limit("tokens", default.values, MAX_CACHE)?, bytes: limit("bytes", default.bytes, MAX_BYTES)? })
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
        header: owned_header(&fields.required("header")?)?,
        claim: text(&fields.required("claim")?)?,
    })
}

fn header_name(node: &Node<'_>) -> Result<HeaderName, ConfigError> {
    HeaderName::parse(node.string()?).ok_or_else(|| node.error("expected the name of a header (no pseudo-header)"))
}

/// A header that the filter removes and writes. Those that HTTP, browsers or caches act upon are refused.
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

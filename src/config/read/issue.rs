//! `issue`: who gets a wristband, and what is in it.

use super::names::{cookie_name, header_name, owned_header};
use super::text;
use crate::config::fields::{CLAIM, COOKIE, IDENTITY, ISSUE, SUBJECT, WHEN};
use crate::config::{ClaimSource, DEFAULT_HEADER, Identity, Issue, LONGEST_DURATION, Node, Subject};
use crate::gateway::OnFailure;
use crate::http::headers::HeaderName;
use crate::http::set_cookie::{Cookie, SameSite};
use crate::issue::Placement;
use crate::jose::claims;
use crate::jose::path::Path;

const DEFAULT_COOKIE: &str = "wristband";
/// The same bound to its host, secure and for all of it (RFC 6265bis, section 4.1.3.2): nobody else can set it there.
const DEFAULT_HOST_COOKIE: &str = "__Host-wristband";
const DEFAULT_HOPS: u32 = 3;
const MAX_HOPS: u32 = 16;
/// Consumers whose clock is a second behind refuse a token from the future.
const DEFAULT_BACKDATE: u32 = 5;
const MAX_BACKDATE: u32 = 60;

#[inline(never)]
pub(super) fn issue(node: &Node<'_>) -> Issue {
    const PLACEMENTS: [(&str, Placement); 2] = [("response", Placement::Response), ("request", Placement::Request)];
    const ON_FAILURE: [(&str, OnFailure); 2] = [("pass", OnFailure::Pass), ("deny", OnFailure::Deny)];
    let fields = node.object(&ISSUE);
    let when = fields.optional("when").map(|node| node.object(&WHEN));
    let condition = |phase| when.as_ref().and_then(|when| when.read(phase, text));
    let cookie = fields.optional("cookie").map(|node| cookie(&node));
    let chain = fields.or("chain", false, Node::boolean);
    let max_hops = fields.or("maxHops", DEFAULT_HOPS, |node| {
        if chain { node.integer(1..=MAX_HOPS) } else { node.fail("needs `chain: true`") }
    });
    let default_header = cookie.is_none().then_some(DEFAULT_HEADER);
    Issue {
        header: fields.optional("header").map_or(default_header, |node| owned_header(&node)),
        cookie,
        placement: fields.or("placement", Placement::Response, |node| node.word(&PLACEMENTS)),
        identity: fields.required("identity").map(|node| identities(&node)).unwrap_or_default(),
        subject: fields.read("subject", subject),
        when_request: condition("request"),
        when_response: condition("response"),
        audiences: fields.list("audiences", |node| text(&node)),
        custom_claims: fields.or("customClaims", Vec::new(), |node| Some(custom_claims(node))),
        chain: chain.then_some(max_hops),
        bind_client_certificate: fields.or("bindClientCertificate", false, Node::boolean),
        typ: fields.or("typ", "JWT".to_owned(), text),
        reuse: fields.or("reuse", 0, |node| node.integer(0..=LONGEST_DURATION)),
        backdate: fields.or("backdate", DEFAULT_BACKDATE, |node| node.integer(0..=MAX_BACKDATE)),
        on_failure: fields.or("onFailure", OnFailure::Pass, |node| node.word(&ON_FAILURE)),
    }
}

#[inline(never)]
fn cookie(node: &Node<'_>) -> Cookie {
    // As our other words are written, and as the attribute is.
    const SAME_SITE: [(&str, SameSite); 6] = [
        ("strict", SameSite::Strict),
        ("lax", SameSite::Lax),
        ("none", SameSite::None),
        ("Strict", SameSite::Strict),
        ("Lax", SameSite::Lax),
        ("None", SameSite::None),
    ];
    let fields = node.object(&COOKIE);
    let (path, domain) = (fields.or("path", "/".to_owned(), text), fields.read("domain", text));
    let secure = fields.or("secure", true, Node::boolean);
    let name = if secure && path == "/" && domain.is_none() { DEFAULT_HOST_COOKIE } else { DEFAULT_COOKIE };
    let cookie = Cookie {
        name: fields.or("name", name.to_owned(), cookie_name),
        path,
        domain,
        same_site: fields.or("sameSite", SameSite::Lax, |node| node.word(&SAME_SITE)),
        secure,
        http_only: fields.or("httpOnly", true, Node::boolean),
    };
    if let Some((field, problem)) = cookie.problem() {
        node.fail_at::<()>(field, problem);
    }
    cookie
}

/// One source, or a list of them.
fn identities(node: &Node<'_>) -> Vec<(Path, Identity)> {
    let one = |node: &Node<'_>| Some((node.path().clone(), identity(node)?));
    if node.value().is_array() {
        node.items().filter_map(|node| one(&node)).collect()
    } else {
        one(node).into_iter().collect()
    }
}

fn identity(node: &Node<'_>) -> Option<Identity> {
    let (source, node) = node.object(&IDENTITY).one_of(IDENTITY.names)?;
    match source {
        "header" => identity_header(&node).map(Identity::Header),
        "expression" => text(&node).map(Identity::Expression),
        _ => only_true(&node).map(|()| Identity::Wristband),
    }
}

/// A header that names the caller. A credential in its place would be signed as `sub`, for all to read.
fn identity_header(node: &Node<'_>) -> Option<HeaderName> {
    let name = header_name(node)?;
    if name == DEFAULT_HEADER {
        return node.fail("carries tokens, which are nobody's name; use `{wristband: true}`");
    }
    if ["authorization", "proxy-authorization", "cookie"].contains(&name.as_str()) {
        return node.fail("carries credentials, which are nobody's name");
    }
    Some(name)
}

fn subject(node: &Node<'_>) -> Option<Subject> {
    let (source, node) = node.object(&SUBJECT).one_of(SUBJECT.names)?;
    match source {
        "expression" => text(&node).map(Subject::Expression),
        _ => only_true(&node).map(|()| Subject::Hash),
    }
}

/// A field that is a choice by being there.
fn only_true(node: &Node<'_>) -> Option<()> {
    if node.boolean()? { Some(()) } else { node.fail("expected true; leave it out otherwise") }
}

#[inline(never)]
fn custom_claims(node: &Node<'_>) -> Vec<(String, ClaimSource)> {
    let claims = node.members().filter_map(|(name, node)| {
        if let Some(instead) = claims::reserved(name) {
            return node.fail(format!("`{name}` is a reserved claim; {instead}"));
        }
        let fields = node.object(&CLAIM);
        let (source, value) = fields.one_of(&["value", "expression"])?;
        let required = fields.optional("required");
        let source = match (source, required) {
            ("value", Some(node)) => node.fail("a fixed value is always there")?,
            ("value", None) => ClaimSource::Value(value.value().clone()),
            (_, required) => ClaimSource::Expression {
                source: text(&value)?,
                required: required.is_some_and(|node| node.boolean().unwrap_or_default()),
            },
        };
        Some((name.to_owned(), source))
    });
    claims.collect()
}

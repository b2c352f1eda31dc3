//! `issue`: who gets a wristband, and what is in it.

use super::{cookie_name, header_name, list, or, owned_header, text, word};
use crate::config::{ClaimSource, ConfigError, DEFAULT_HEADER, Identity, Issue, LONGEST_DURATION, Node, Subject};
use crate::gateway::OnFailure;
use crate::http::cookie::{Cookie, SameSite};
use crate::http::headers::HeaderName;
use crate::issue::Placement;
use crate::jose::claims;

const DEFAULT_COOKIE: &str = "wristband";
const DEFAULT_HOPS: u32 = 3;
const MAX_HOPS: u32 = 16;

const FIELDS: [&str; 14] = [
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
];

#[inline(never)]
pub(super) fn issue(node: &Node<'_>) -> Result<Issue, ConfigError> {
    let fields = node.object(&FIELDS)?;
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
        name: or(fields.optional("name"), DEFAULT_COOKIE.to_owned(), cookie_name)?,
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
        "header" => Identity::Header(identity_header(&node)?),
        "expression" => Identity::Expression(text(&node)?),
        _ => only_true(&node).map(|()| Identity::Wristband)?,
    })
}

/// A header that names the caller. A credential in its place would be signed as `sub`, for all to read.
fn identity_header(node: &Node<'_>) -> Result<HeaderName, ConfigError> {
    let name = header_name(node)?;
    if name == DEFAULT_HEADER {
        return Err(node.error("carries tokens, which are nobody's name; use `{wristband: true}`"));
    }
    if ["authorization", "proxy-authorization", "cookie"].contains(&name.as_str()) {
        return Err(node.error("carries credentials, which are nobody's name"));
    }
    Ok(name)
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
        if let Some(instead) = claims::reserved(name) {
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

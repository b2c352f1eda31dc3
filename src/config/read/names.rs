//! Names of headers, cookies and parameters.

use super::super::Node;
use super::text;
use crate::http::headers::{HeaderName, is_token_character};

pub(super) fn cookie_name(node: &Node<'_>) -> Option<String> {
    let name = text(node)?;
    if name.bytes().all(is_token_character) { Some(name) } else { node.fail("expected the name of a cookie") }
}

/// A name that stands in a URL as it is (RFC 3986, section 2.3).
pub(super) fn parameter_name(node: &Node<'_>) -> Option<String> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let name = text(node)?;
    if name.bytes().all(is_unreserved) {
        return Some(name);
    }
    node.fail("expected the name of a parameter: letters, digits and `-._~`")
}

pub(super) fn header_name(node: &Node<'_>) -> Option<HeaderName> {
    HeaderName::parse(node.string()?).or_else(|| node.fail("expected the name of a header (no pseudo-header)"))
}

/// A header that the filter removes and writes. Those are refused without which a message, or what the filter itself
/// says in it, would not be understood.
#[inline(never)]
pub(super) fn owned_header(node: &Node<'_>) -> Option<HeaderName> {
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
        return node.fail(format!("`{text}` has a meaning of its own and cannot be used"));
    }
    Some(name)
}

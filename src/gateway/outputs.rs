//! What follows from an accepted token for its request, whatever else the request is: its claims, handed on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::Value;

use super::{Edits, Event};
use crate::http::headers::{HeaderName, can_be_value};
use crate::jose::{base64url, json};
use crate::verify::{Facts, Verified};

/// The output that is no claim but issuer and subject together; no claim of that name takes its place.
pub const PRINCIPAL: &str = "principal";

/// A claim that the upstream receives as a header.
#[derive(Clone)]
pub struct ClaimHeader {
    /// The header.
    pub header: HeaderName,
    /// The claim: a member of the payload, a dotted path into it, or a JSON Pointer (RFC 6901).
    pub claim: Rc<str>,
    /// How it is written.
    pub format: ClaimFormat,
}

/// How a claim is written into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFormat {
    /// Texts as they are, in UTF-8; objects and arrays as the base64url of their JSON.
    Text,
    /// In the characters that every header may have (RFC 8187, section 3.2.1).
    Percent,
    /// An array of texts as a list with commas (RFC 9110, section 5.6.1).
    List,
}

/// What follows from an accepted token for its request.
pub struct Outputs {
    facts: Rc<Facts>,
    headers: Vec<(HeaderName, String)>,
    /// Claims that are there and cannot be handed on.
    dropped: Vec<Rc<str>>,
    filter_state: Rc<[u8]>,
}

impl Outputs {
    #[inline(never)]
    pub(super) fn of(verified: &Verified, payload_header: Option<&HeaderName>, claim_headers: &[ClaimHeader]) -> Self {
        let payload = payload_header.map(|name| (name.clone(), verified.payload().to_owned()));
        let mut headers: Vec<_> = payload.into_iter().collect();
        let mut dropped = Vec::new();
        for ClaimHeader { header, claim, format } in claim_headers {
            let value = match &**claim {
                PRINCIPAL => verified.principal().map(|principal| Cow::Owned(principal.into())),
                claim => verified.claim(claim),
            };
            match value.filter(|value| !value.is_null()).map(|value| written(&value, *format)) {
                Some(Some(text)) => headers.push((header.clone(), text)),
                Some(None) => dropped.push(Rc::clone(claim)),
                None => {}
            }
        }
        let filter_state = verified.claims_as_struct().into();
        Self { facts: Rc::clone(verified.facts()), headers, dropped, filter_state }
    }

    pub(super) fn write(&self, edits: &mut Edits) {
        edits.events.push(Event::Verified);
        edits.set.extend_from_slice(&self.headers);
        edits.dropped.extend_from_slice(&self.dropped);
        edits.filter_state = Some(Rc::clone(&self.filter_state));
    }

    /// Of the token.
    pub(super) fn facts(&self) -> &Rc<Facts> {
        &self.facts
    }

    /// The bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        let headers =
            self.headers.iter().map(|(_, value)| value.len().saturating_add(size_of::<(HeaderName, String)>()));
        let dropped = self.dropped.len().saturating_mul(size_of::<Rc<str>>());
        let bytes = headers.fold(self.facts.bytes(), usize::saturating_add).saturating_add(self.filter_state.len());
        bytes.saturating_add(dropped)
    }
}

/// A claim as the value of a header, or `None` if it cannot stand there. Many take an empty header for a name, and others
/// for none.
fn written(claim: &Value, format: ClaimFormat) -> Option<String> {
    let text = match (claim, format) {
        (Value::Array(items), ClaimFormat::List) => list(items)?,
        (_, ClaimFormat::List) => return None,
        (Value::Null, _) => return None,
        (Value::String(text), ClaimFormat::Percent) => percent(text),
        (Value::String(text), ClaimFormat::Text) => text.clone(),
        (Value::Number(number), _) => json::is_exact(number).then(|| number.to_string())?,
        (Value::Bool(_), _) => claim.to_string(),
        (Value::Array(_) | Value::Object(_), _) => base64url::encode(claim.to_string()),
    };
    (!text.is_empty() && can_be_value(&text)).then_some(text)
}

/// Texts without a comma, which would make two of one.
fn list(items: &[Value]) -> Option<String> {
    let is_item = |text: &&str| !text.is_empty() && !text.contains(',') && can_be_value(text);
    let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().filter(is_item)).collect();
    Some(texts?.join(", "))
}

/// `value-chars` of RFC 8187, section 3.2.1.
fn percent(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_written_in_its_format_or_not_at_all() {
        use ClaimFormat::{List, Percent, Text};
        for (claim, format, expected) in [
            (json!("j\u{fc}rgen"), Text, Some("j\u{fc}rgen")),
            (json!("j\u{fc}rgen, \"x\" 100%"), Percent, Some("j%C3%BCrgen%2C%20%22x%22%20100%25")),
            (json!(" a\r\nb"), Percent, Some("%20a%0D%0Ab")),
            (json!("a!#$&+-.^_`|~Z9"), Percent, Some("a!#$&+-.^_`|~Z9")),
            (json!("a'*%()"), Percent, Some("a%27%2A%25%28%29")),
            (json!(""), Percent, None),
            (json!("a\u{85}b"), Text, None),
            (json!(["admin", "dev ops", "j\u{fc}rgen"]), List, Some("admin, dev ops, j\u{fc}rgen")),
            (json!(["a"]), List, Some("a")),
            (json!([]), List, None),
            (json!(["a", ""]), List, None),
            (json!(["a,b"]), List, None),
            (json!(["a", 1]), List, None),
            (json!(["a "]), List, None),
            (json!("a"), List, None),
            (json!(["a"]), Text, Some("WyJhIl0")),
            (json!(["a"]), Percent, Some("WyJhIl0")),
            (json!(u64::MAX), Text, Some("18446744073709551615")),
            (json!(i64::MIN), Text, Some("-9223372036854775808")),
            (json!(18_446_744_073_709_551_616.0), Text, None),
            (json!(-1e30), Percent, None),
            (json!(9_007_199_254_740_992.0), Text, None),
            (json!(-9_223_372_036_854_775_809.0), Text, None),
            (json!(9_007_199_254_740_991.0), Text, Some("9007199254740991.0")),
            (json!(1.5), Text, Some("1.5")),
            (json!(true), Text, Some("true")),
        ] {
            assert_eq!(written(&claim, format).as_deref(), expected, "{claim} {format:?}");
        }
    }
}

//! The names of headers.

use std::fmt;
use std::rc::Rc;

/// The name of a header (RFC 9110, section 5.1), in lower case as Envoy has it; not that of a pseudo-header.
#[derive(Clone)]
pub struct HeaderName(Name);

#[derive(Clone)]
enum Name {
    Known(&'static str),
    Configured(Rc<str>),
}

impl HeaderName {
    /// A name that is written in the code, in lower case.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Name::Known(name))
    }

    /// A name in any case; `None` when no header can have it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is_name = !name.is_empty() && name.bytes().all(is_token_character);
        is_name.then(|| Self(Name::Configured(name.to_ascii_lowercase().into())))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Configured(name) => name,
        }
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for HeaderName {}

impl fmt::Debug for HeaderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// `cookie` (RFC 6265).
pub const COOKIE: HeaderName = HeaderName::known("cookie");

/// `set-cookie` (RFC 6265).
pub const SET_COOKIE: HeaderName = HeaderName::known("set-cookie");

/// `sec-websocket-protocol` (RFC 6455, section 11.3.4).
pub const SEC_WEBSOCKET_PROTOCOL: HeaderName = HeaderName::known("sec-websocket-protocol");

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2): the name of a header or a cookie, a scheme.
#[must_use]
pub fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_case_and_no_colon() {
        assert_eq!(HeaderName::parse("X-User").unwrap(), HeaderName::known("x-user"));
        for name in ["", ":path", "a b", "a\r\nb", "x-\u{e9}", "a:"] {
            assert!(HeaderName::parse(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_token_has_the_characters_of_rfc_9110_and_no_other() {
        let letters = (b'a'..=b'z').chain(b'A'..=b'Z').chain(b'0'..=b'9');
        let mut expected: Vec<_> = letters.chain(*b"!#$%&'*+-.^_`|~").collect();
        expected.sort_unstable();
        assert_eq!((0..=255).filter(|byte| is_token_character(*byte)).collect::<Vec<_>>(), expected);
        assert_eq!(expected.len(), 77);
    }
}

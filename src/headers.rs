//! The headers of a message as bytes: Envoy lets through what is not UTF-8.

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

impl PartialEq<str> for HeaderName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for HeaderName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// `cookie` (RFC 6265).
pub const COOKIE: HeaderName = HeaderName::known("cookie");

/// `set-cookie` (RFC 6265).
pub const SET_COOKIE: HeaderName = HeaderName::known("set-cookie");

/// Whether a byte may stand in the name of a header or cookie (RFC 9110, section 5.6.2).
#[must_use]
pub fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Names and values in the order of the message. Envoy has made the names lower-case.
pub struct Headers<'m>(Vec<(&'m [u8], &'m [u8])>);

impl<'m> Headers<'m> {
    /// These headers.
    #[must_use]
    pub fn new(pairs: Vec<(&'m [u8], &'m [u8])>) -> Self {
        Self(pairs)
    }

    /// Every value of a header.
    pub fn values<'s>(&'s self, name: &'s HeaderName) -> impl Iterator<Item = &'m [u8]> + 's {
        self.raw(name.as_str())
    }

    /// Whether the header is there.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a pseudo-header (RFC 9113, section 8.3).
    #[must_use]
    pub fn pseudo(&self, name: &str) -> Option<&'m [u8]> {
        self.raw(name).next()
    }

    /// The value of a header that stands once and is not empty, as text.
    #[must_use]
    pub fn only_text(&self, name: &HeaderName) -> Option<&'m str> {
        let mut values = self.values(name);
        let value = values.next().filter(|value| !value.is_empty())?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok()
    }

    fn raw<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'m [u8]> + 's {
        self.0.iter().filter(move |(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// Whether a text can be the value of a header without losing anything: visible ASCII and inner spaces. Everything else
/// is cut, re-encoded or, as CR and LF, taken for the end of the header, and Envoy writes what a filter sets as it is.
#[must_use]
pub fn can_be_value(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim_matches(' ').len() == text.len()
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
    fn only_what_arrives_unchanged_can_be_a_value() {
        for text in ["", "a", "a b", "~!\"#,;=", "0"] {
            assert!(can_be_value(text), "{text:?}");
        }
        for text in [" a", "a ", "a\r\nb: c", "a\nb", "a\0", "a\tb", "\u{e9}", "a\u{7f}"] {
            assert!(!can_be_value(text), "{text:?}");
        }
    }
}

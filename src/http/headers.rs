//! The headers of a message as bytes: Envoy lets through what is not UTF-8.

pub use super::name::{COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE, is_token_character};

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

    /// The name of every header, as often as it stands there. What is not UTF-8 is no name.
    pub fn names(&self) -> impl Iterator<Item = &'m str> {
        self.0.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok())
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

    /// Whether it is a CORS preflight, which browsers send without credentials (Fetch standard, section 3.2.2).
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.pseudo(":method") == Some(b"OPTIONS")
            && self.has(&HeaderName::known("origin"))
            && self.has(&HeaderName::known("access-control-request-method"))
    }

    fn raw<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'m [u8]> + 's {
        self.0.iter().filter(move |(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// Whether a text can be the value of a header, as its UTF-8 bytes, without losing anything. Spaces at an end are cut, and
/// a control character may be taken for the end of the line, by HTTP or by whoever reads a log: Envoy writes what a filter
/// sets as it is.
#[must_use]
pub fn can_be_value(text: &str) -> bool {
    let ends_line = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    !text.contains(ends_line) && !text.starts_with(' ') && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_arrives_unchanged_can_be_a_value() {
        for text in ["", "a", "a b", "~!\"#,;=", "0", "j\u{fc}rgen", "\u{1f600}", "\u{a0}a"] {
            assert!(can_be_value(text), "{text:?}");
        }
        for text in [
            " a",
            "a ",
            "a\r\nb: c",
            "a\nb",
            "a\0",
            "a\tb",
            "a\u{7f}",
            "a\u{85}",
            "a\u{9f}b",
            "a\u{2028}b",
            "a\u{2029}",
        ] {
            assert!(!can_be_value(text), "{text:?}");
        }
    }
}

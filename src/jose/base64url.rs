//! Base64url without padding (RFC 7515, section 2), canonical (RFC 4648, section 3.5): no two texts mean the same bytes,
//! so that a token has one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes bytes.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes bytes behind what the text has already.
pub fn append(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes a text; `None` for padding, other characters, and bits beyond the last byte that are not zero.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_text() {
        for (bytes, text) in [(&b""[..], ""), (b"\0", "AA"), (b"\xfb\xff", "-_8"), (b"abc", "YWJj")] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        for text in ["A", "AB", "AA==", "A A", "+/8", "AAA\n", "-_9"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}

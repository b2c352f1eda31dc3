//! What could be a key although it stands where none should: names are published, and shown in messages.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, Tag, Tagged as _};
use zeroize::Zeroizing;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// No key in DER has fewer bytes: this many has a P-256 key in SEC 1 without parameters and public half.
pub(super) const SMALLEST: usize = 39;

/// Base64 of either alphabet, with or without padding, in one line or many. It may be that of a secret.
pub(super) fn base64_decoded(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let standard = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    // As large as they get, so that nothing is left behind where they grew.
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(standard));
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    BASE64.decode_vec(&*letters, &mut bytes).ok()?;
    if bytes.is_empty() { None } else { Some(bytes) }
}

/// Whether a text looks like the text of a key: PEM, a JWK, or base64 of one of them or of DER.
#[must_use]
pub fn looks_like_material(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
        || has_block(text)
        || base64_decoded(text).is_some_and(|bytes| {
            // One byte that a brace could be is found in every 256th name of a key.
            let is_object = matches!(bytes.trim_ascii(), [b'{', inner @ .., b'}'] if inner.contains(&b'"'));
            let is_sequence = || AnyRef::from_der(&bytes).is_ok_and(|any| any.tag() == Tag::Sequence);
            is_object || has_block(&bytes) || bytes.len() >= SMALLEST && is_sequence()
        })
}

pub(super) fn has_block(text: &[u8]) -> bool {
    text.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// How every PEM block starts (RFC 7468, section 2).
const BEGIN: &[u8] = b"-----BEGIN";

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::looks_like_material;
    use crate::testing::{A_PEM, A_PUB};

    #[test]
    fn a_key_is_recognised_and_a_name_is_none() {
        let der = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let ed25519 = include_str!("../../testdata/worthless-keys/forms/ed25519.pub.pem");
        // SEQUENCE { INTEGER 1, OCTET STRING of 32 bytes }
        let smallest = [&[0x30, 37, 2, 1, 1, 4, 32][..], &[7; 32]].concat();
        assert_eq!(smallest.len(), 39);
        assert!(looks_like_material(base64::engine::general_purpose::STANDARD.encode(smallest).as_bytes()));
        let of_urls = der(A_PEM).replace('+', "-").replace('/', "_");
        assert_ne!(of_urls, der(A_PEM));
        let bare = [&der(A_PEM), &der(A_PUB), &der(ed25519), &of_urls];
        for text in bare.into_iter().map(String::as_str).chain([A_PEM, A_PUB, " {\"kty\":\"EC\"}", "{", "x -----BEGIN"])
        {
            assert!(looks_like_material(text.as_bytes()), "{text}");
        }
        for text in [A_PEM, ed25519, "{\"kty\":\"EC\",\"d\":\"AA\"}"] {
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            assert!(looks_like_material(encoded.as_bytes()), "{text}");
        }
        // The base64 of what begins with a brace and is no JWK.
        for text in [
            "e2Fi",
            "ewAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "",
            "MAA",
            "MAIxx",
            "MIGHAgEAMBMG",
            "cluster-a-2026-11",
            "did:web:a#0",
            &"A".repeat(255),
        ] {
            assert!(!looks_like_material(text.as_bytes()), "{text}");
        }
    }
}

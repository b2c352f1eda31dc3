//! Public keys.

use jwt_compact::jwk::JsonWebKey;
use rsa::BoxedUint;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256};

use super::error::KeyError;
use super::key_type::KeyType;
use super::parts::Parts;
use super::to_der;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;

/// The sizes of RSA moduli, in bits: RFC 7518, section 3.3 asks for 2048 or more; beyond 8192 one verification takes
/// milliseconds on any machine.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// A public key, for the one algorithm that it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    numbers: Numbers,
}

/// What kind of key it is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    P256(p256::ecdsa::VerifyingKey),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Rsa(Box<rsa::PublicKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

impl PublicKey {
    pub(super) fn new(algorithm: Algorithm, numbers: Numbers) -> Self {
        Self { algorithm, numbers }
    }

    /// A point of the algorithm's curve, in any of its forms; `None` when it is none.
    pub(super) fn from_point(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        let plain = without_hybrid(point);
        let point = plain.as_deref().unwrap_or(point);
        let numbers = match KeyType::of(algorithm) {
            KeyType::P256 => Numbers::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?),
            KeyType::P384 => Numbers::P384(Box::new(p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?)),
            KeyType::P521 => Numbers::P521(Box::new(p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?)),
            KeyType::Rsa | KeyType::RsaPss | KeyType::Ed25519 | KeyType::Other(_) => return None,
        };
        Some(Self { algorithm, numbers })
    }

    /// Modulus and exponent, big-endian.
    pub(super) fn from_rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) =
            (BoxedUint::from_be_slice_vartime(modulus), BoxedUint::from_be_slice_vartime(exponent));
        let bits = modulus.bit_width_vartime();
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(KeyError::new(format!("an RSA key needs {least} to {most} bits, found {bits}")));
        }
        let key = rsa::PublicKey::new(modulus, exponent)
            .map_err(|_| KeyError::new("the RSA key has an even modulus or an exponent that cannot be one"))?;
        Ok(Self { algorithm, numbers: Numbers::Rsa(Box::new(key)) })
    }

    /// An encoded point of Ed25519; `None` when it is none, or one of the few with which anything can be signed. A point
    /// has one encoding (RFC 8032, section 5.1.3), which the decoder does not insist on.
    pub(super) fn from_ed25519(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let key = ed25519_dalek::VerifyingKey::try_from(bytes).ok()?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != key.as_bytes() {
            return None;
        }
        Some(Self { algorithm, numbers: Numbers::Ed25519(Box::new(key)) })
    }

    /// The one algorithm that it may be used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How many bytes a signature has.
    #[must_use]
    pub fn signature_length(&self) -> usize {
        match &self.numbers {
            Numbers::P256(_) | Numbers::Ed25519(_) => 64,
            Numbers::P384(_) => 96,
            Numbers::P521(_) => 132,
            Numbers::Rsa(key) => key.size(),
        }
    }

    /// For whoever computes with it.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn parts(&self) -> Parts {
        match &self.numbers {
            Numbers::P256(key) => Parts::Point(key.to_sec1_point(false).as_bytes().into()),
            Numbers::P384(key) => Parts::Point(key.to_sec1_point(false).as_bytes().into()),
            Numbers::P521(key) => Parts::Point(key.to_sec1_point(false).as_bytes().into()),
            Numbers::Rsa(key) => Parts::Rsa {
                modulus: key.n().to_be_bytes_trimmed_vartime(),
                exponent: key.e().to_be_bytes_trimmed_vartime(),
            },
            Numbers::Ed25519(key) => Parts::Ed25519(key.to_bytes()),
        }
    }

    /// The modulus of an RSA key, big-endian.
    #[must_use]
    pub fn modulus(&self) -> Option<Box<[u8]>> {
        if let Parts::Rsa { modulus, .. } = self.parts() { Some(modulus) } else { None }
    }

    /// Its thumbprint (RFC 7638): base64url of the SHA-256 of its JWK.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        base64url::encode(Sha256::digest(self.to_jwk().to_string()))
    }

    /// The key as a JWK (RFC 7517), which is also its identity: equal keys have equal JWKs.
    #[must_use]
    pub fn to_jwk(&self) -> JsonWebKey<'static> {
        let curve = match KeyType::of(self.algorithm) {
            KeyType::P256 => "P-256",
            KeyType::P384 => "P-384",
            KeyType::P521 => "P-521",
            KeyType::Ed25519 => "Ed25519",
            KeyType::Rsa | KeyType::RsaPss | KeyType::Other(_) => "",
        };
        match self.parts() {
            Parts::Point(point) => {
                // After the first byte, which says `uncompressed`, come x and y in full length: their leading zeros stay
                // (RFC 7518, section 6.2.1.2).
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at_checked(coordinates.len() / 2).unwrap_or_default();
                JsonWebKey::EllipticCurve {
                    curve: curve.into(),
                    x: x.to_vec().into(),
                    y: y.to_vec().into(),
                    secret: None,
                }
            }
            Parts::Rsa { modulus, exponent } => JsonWebKey::Rsa {
                modulus: modulus.into_vec().into(),
                public_exponent: exponent.into_vec().into(),
                private_parts: None,
            },
            Parts::Ed25519(bytes) => {
                JsonWebKey::KeyPair { curve: curve.into(), x: bytes.to_vec().into(), secret: None }
            }
        }
    }

    /// The key as DER of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1), points uncompressed.
    #[must_use]
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        to_der::spki(self.algorithm, &self.parts())
    }
}

/// A hybrid point, as an uncompressed one: it has all of `y`, and in its first byte once more whether that is odd (SEC 1
/// of 2000, section 2.3.4). The crates do not read it, OpenSSL writes it when told to. `None` for every other form.
fn without_hybrid(point: &[u8]) -> Option<Vec<u8>> {
    let (first, coordinates) = point.split_first()?;
    let is_odd = coordinates.last()? & 1;
    (*first == 6 | is_odd).then(|| [&[4], coordinates].concat())
}

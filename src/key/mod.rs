//! Keys that are what they claim to be: their type fits their one algorithm, and private and public are two types.
//!
//! A [`PrivateKey`] can sign and hand out its public half. It can be neither printed, serialized nor published: it has
//! no such trait, and its `Debug` shows the algorithm only.

mod material;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::jwk::JsonWebKey;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

pub use material::{KeyError, Material};

/// A signature algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1). Neither `none` nor a symmetric one exists
/// here: with the latter, whoever verifies could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// EdDSA on Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::EdDsa,
    ];

    /// The value of `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this `alg`. Names are case-sensitive (RFC 7515, section 4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether this version can use it. The others are known, so that they are not mistaken for a typing error.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self == Self::Es256
    }

    fn key_type(self) -> KeyType {
        match self {
            Self::Es256 => KeyType::P256,
            Self::Es384 => KeyType::P384,
            Self::Es512 => KeyType::P521,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyType::Rsa,
            Self::EdDsa => KeyType::Ed25519,
        }
    }
}

/// What a key is, whatever it is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyType {
    P256,
    P384,
    P521,
    Rsa,
    Ed25519,
    Other,
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::P521 => "a P-521 key",
            Self::Rsa => "an RSA key",
            Self::Ed25519 => "an Ed25519 key",
            Self::Other => "a key of another type",
        })
    }
}

/// A public key. It verifies with the one algorithm that it was made for.
#[derive(Clone, Debug)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Whether `signature` is this key's for `message`: `r || s`, 64 bytes, both within range (RFC 7518, section 3.4).
    /// A signature of any other form is wrong, not an error.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    /// The key as a JWK (RFC 7517), which is also its identity: equal keys have equal JWKs.
    #[must_use]
    pub fn to_jwk(&self) -> JsonWebKey<'static> {
        let point = self.0.to_sec1_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map_or_else(Vec::new, |bytes| bytes.to_vec()).into();
        JsonWebKey::EllipticCurve {
            curve: "P-256".into(),
            x: coordinate(point.x()),
            y: coordinate(point.y()),
            secret: None,
        }
    }
}

/// A private key.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// Signs a message: `r || s`, with the deterministic nonce of RFC 6979.
    ///
    /// # Errors
    /// When the arithmetic fails, which no message can bring about on purpose.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature: Signature = self.0.try_sign(message).map_err(|_| SigningFailed)?;
        Ok(signature.to_bytes().to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}

/// A signature could not be made.
#[derive(Debug, PartialEq, Eq)]
pub struct SigningFailed;

/// Base64url without padding (RFC 7515, section 2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_by_its_name_and_by_nothing_else() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        for name in ["", "none", "None", "HS256", "HS512", "es256", "ES256 ", "ES256K", "EdDsa", "Ed25519"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}

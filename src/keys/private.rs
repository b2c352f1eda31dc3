//! Private keys.

use std::fmt;

use rsa::BoxedUint;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::key_type::KeyType;
use super::public::{Numbers, PublicKey};
use super::to_der;
use crate::jose::algorithm::Algorithm;

/// A private key, for the one algorithm that it was made for.
pub struct PrivateKey {
    algorithm: Algorithm,
    secret: Secret,
}

/// What kind of key it is, and what it is. It has no `Debug`.
pub(crate) enum Secret {
    P256(p256::ecdsa::SigningKey),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
    Rsa(Box<rsa::PrivateKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl PrivateKey {
    /// The secret scalar of the algorithm's curve, big-endian; `None` when it is none. It has the curve's size: a shorter
    /// one may be that of another curve.
    pub(super) fn from_scalar(algorithm: Algorithm, scalar: &[u8]) -> Option<Self> {
        if KeyType::of(algorithm).field_size() != Some(scalar.len()) {
            return None;
        }
        let secret = match KeyType::of(algorithm) {
            KeyType::P256 => Secret::P256(p256::SecretKey::from_slice(scalar).ok()?.into()),
            KeyType::P384 => Secret::P384(Box::new(p384::SecretKey::from_slice(scalar).ok()?.into())),
            KeyType::P521 => Secret::P521(Box::new(p521::SecretKey::from_slice(scalar).ok()?.into())),
            KeyType::Rsa | KeyType::RsaPss | KeyType::Ed25519 | KeyType::Other(_) => return None,
        };
        Some(Self { algorithm, secret })
    }

    /// The numbers of an RSA key, big-endian: modulus, public and private exponent, and the two primes, which are
    /// computed if they are not known. That they belong together is checked.
    pub(super) fn from_rsa(
        algorithm: Algorithm,
        [modulus, public, private]: [&[u8]; 3],
        primes: Option<[&[u8]; 2]>,
    ) -> Result<Self, KeyError> {
        // For its size and exponent.
        PublicKey::from_rsa(algorithm, modulus, public)?;
        let alien = || KeyError::new("the parts of the RSA key do not belong together");
        // Where it looks for the primes, the crate takes it for granted that there is an exponent.
        if private.iter().all(|byte| *byte == 0) {
            return Err(alien());
        }
        let [modulus, public, private] = [modulus, public, private].map(BoxedUint::from_be_slice_vartime);
        let primes = primes.into_iter().flatten().map(BoxedUint::from_be_slice_vartime).collect();
        let key = rsa::PrivateKey::from_components(modulus, public, private, primes).map_err(|_| alien())?;
        Ok(Self { algorithm, secret: Secret::Rsa(Box::new(key)) })
    }

    /// The seed of an Ed25519 key (RFC 8032, section 5.1.5); `None` when it is not 32 bytes.
    pub(super) fn from_seed(algorithm: Algorithm, seed: &[u8]) -> Option<Self> {
        let key = ed25519_dalek::SigningKey::try_from(seed).ok()?;
        Some(Self { algorithm, secret: Secret::Ed25519(Box::new(key)) })
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let numbers = match &self.secret {
            Secret::P256(key) => Numbers::P256(*key.verifying_key()),
            Secret::P384(key) => Numbers::P384(Box::new(*key.verifying_key())),
            Secret::P521(key) => Numbers::P521(Box::new(*key.verifying_key())),
            Secret::Rsa(key) => Numbers::Rsa(Box::new(rsa::PublicKey::from(&**key))),
            Secret::Ed25519(key) => Numbers::Ed25519(Box::new(key.verifying_key())),
        };
        PublicKey::new(self.algorithm, numbers)
    }

    /// For whoever computes with it.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The one algorithm that it may be used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as DER of PKCS#8 (RFC 5958), its public half included; `None` for an Ed25519 key, for which no host asks.
    #[must_use]
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let scalar = match &self.secret {
            Secret::P256(key) => Zeroizing::new(key.to_bytes().to_vec()),
            Secret::P384(key) => Zeroizing::new(key.to_bytes().to_vec()),
            Secret::P521(key) => Zeroizing::new(key.to_bytes().to_vec()),
            Secret::Rsa(key) => return to_der::rsa_pkcs8(key),
            Secret::Ed25519(_) => return None,
        };
        to_der::ec_pkcs8(self.algorithm, &scalar, &self.public_key().parts())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}

//! The arithmetic of every algorithm in the VM, by RustCrypto's crates: always there, and what the host is measured against.

use std::fmt;

use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signature::{SignatureEncoding, Signer, Verifier};

use crate::jose::algorithm::Algorithm;
use crate::keys::{Numbers, PrivateKey, PublicKey, Secret};

/// A signature could not be made.
#[derive(Debug, PartialEq, Eq)]
pub struct SigningFailed;

/// Whether `signature` is the key's for `message`, in the one form that its algorithm has (RFC 7518, sections 3.3
/// to 3.5; RFC 8037, section 3.1). A signature of any other form is wrong, not an error.
#[must_use]
pub fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let algorithm = key.algorithm();
    match key.numbers() {
        Numbers::P256(key) => ecdsa_verifies::<p256::ecdsa::Signature>(key, message, signature),
        Numbers::P384(key) => ecdsa_verifies::<p384::ecdsa::Signature>(&**key, message, signature),
        Numbers::P521(key) => ecdsa_verifies::<p521::ecdsa::Signature>(&**key, message, signature),
        Numbers::Rsa(key) => rsa_verifies(algorithm, key, message, signature),
        Numbers::Ed25519(key) => ed25519_verifies(key, message, signature),
    }
}

/// Signs a message in the form of RFC 7515. ECDSA takes the deterministic nonce of RFC 6979, so
/// only RSA asks for randomness: for its salt, and to blind its arithmetic.
///
/// # Errors
/// When there is no randomness, or the arithmetic fails, which no message can bring about on purpose.
pub fn sign(
    key: &PrivateKey,
    message: &[u8],
    random: &mut dyn FnMut(&mut [u8]) -> bool,
) -> Result<Vec<u8>, SigningFailed> {
    let algorithm = key.algorithm();
    match key.secret() {
        Secret::P256(key) => deterministic::<p256::ecdsa::Signature>(key, message),
        Secret::P384(key) => deterministic::<p384::ecdsa::Signature>(&**key, message),
        Secret::P521(key) => deterministic::<p521::ecdsa::Signature>(&**key, message),
        Secret::Ed25519(key) => deterministic::<ed25519_dalek::Signature>(&**key, message),
        Secret::Rsa(key) => rsa_sign(algorithm, key, message, &mut Random(random)),
    }
}

#[inline(never)]
fn ecdsa_verifies<S: for<'s> TryFrom<&'s [u8]>>(key: &impl Verifier<S>, message: &[u8], signature: &[u8]) -> bool {
    S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// Strict: no point of small order, no second spelling of one (RFC 8032, section 5.1.7).
#[inline(never)]
fn ed25519_verifies(key: &ed25519_dalek::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    ed25519_dalek::Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

#[inline(never)]
fn rsa_verifies(algorithm: Algorithm, key: &rsa::PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let Some((digest, padding)) = rsa_scheme(algorithm, message) else {
        return false;
    };
    let result = match padding {
        Padding::Pkcs1(padding) => key.verify(padding, &digest, signature),
        Padding::Pss256(padding) => key.verify(padding, &digest, signature),
        Padding::Pss384(padding) => key.verify(padding, &digest, signature),
        Padding::Pss512(padding) => key.verify(padding, &digest, signature),
    };
    result.is_ok()
}

/// How RSA pads a digest (RFC 7518, sections 3.3 and 3.5).
enum Padding {
    Pkcs1(Pkcs1v15Sign),
    /// The salt is as long as the digest.
    Pss256(Pss<Sha256>),
    Pss384(Pss<Sha384>),
    Pss512(Pss<Sha512>),
}

/// The digest that an RSA key signs for a message, and its padding; `None` for algorithms of other keys.
#[inline(never)]
fn rsa_scheme(algorithm: Algorithm, message: &[u8]) -> Option<(Vec<u8>, Padding)> {
    Some(match algorithm {
        Algorithm::Rs256 => (Sha256::digest(message).to_vec(), Padding::Pkcs1(Pkcs1v15Sign::new::<Sha256>())),
        Algorithm::Rs384 => (Sha384::digest(message).to_vec(), Padding::Pkcs1(Pkcs1v15Sign::new::<Sha384>())),
        Algorithm::Rs512 => (Sha512::digest(message).to_vec(), Padding::Pkcs1(Pkcs1v15Sign::new::<Sha512>())),
        Algorithm::Ps256 => (Sha256::digest(message).to_vec(), Padding::Pss256(Pss::new())),
        Algorithm::Ps384 => (Sha384::digest(message).to_vec(), Padding::Pss384(Pss::new())),
        Algorithm::Ps512 => (Sha512::digest(message).to_vec(), Padding::Pss512(Pss::new())),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa | Algorithm::Ed25519 => return None,
    })
}

/// The caller's randomness in the form that RustCrypto takes.
struct Random<'r>(&'r mut dyn FnMut(&mut [u8]) -> bool);

impl TryRng for Random<'_> {
    type Error = SigningFailed;

    fn try_next_u32(&mut self) -> Result<u32, SigningFailed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, SigningFailed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        if (self.0)(bytes) { Ok(()) } else { Err(SigningFailed) }
    }
}

impl TryCryptoRng for Random<'_> {}

impl fmt::Display for SigningFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no signature could be made")
    }
}

impl std::error::Error for SigningFailed {}

#[inline(never)]
fn deterministic<S: SignatureEncoding>(key: &impl Signer<S>, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
    key.try_sign(message).map(|signature| signature.to_vec()).map_err(|_| SigningFailed)
}

#[inline(never)]
fn rsa_sign(
    algorithm: Algorithm,
    key: &rsa::PrivateKey,
    message: &[u8],
    random: &mut Random<'_>,
) -> Result<Vec<u8>, SigningFailed> {
    let (digest, padding) = rsa_scheme(algorithm, message).ok_or(SigningFailed)?;
    let signature = match padding {
        Padding::Pkcs1(padding) => key.sign_with_rng(random, padding, &digest),
        Padding::Pss256(padding) => key.sign_with_rng(random, padding, &digest),
        Padding::Pss384(padding) => key.sign_with_rng(random, padding, &digest),
        Padding::Pss512(padding) => key.sign_with_rng(random, padding, &digest),
    };
    signature.map_err(|_| SigningFailed)
}

//! Keys whose private halves are public: those of this repository. Whoever copies a sample and leaves one in trusts everyone
//! who can read it.

use sha2::{Digest as _, Sha256};

use crate::jose::base64url;
use crate::keys::PublicKey;

/// A fingerprint and where the private half is, a line each.
const LIST: &str = include_str!("worthless.txt");

/// Whether everyone has the private half of this key.
#[must_use]
pub fn is_worthless(key: &PublicKey) -> bool {
    let fingerprint = fingerprint(key);
    LIST.lines().any(|line| line.split(' ').next() == Some(&*fingerprint))
}

/// What tells a key pair by its public half: the thumbprint (RFC 7638) or, of an RSA key, that of its modulus, since whoever
/// knows its primes can sign for every exponent.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    key.modulus().map_or_else(|| key.thumbprint(), |modulus| base64url::encode(Sha256::digest(modulus)))
}

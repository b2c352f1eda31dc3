//! New keys, for the command: the filter makes none.

use p256::elliptic_curve::Generate as _;
use pkcs8::{EncodePrivateKey as _, LineEnding};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::key_type::KeyType;
use crate::jose::algorithm::Algorithm;

/// In bits: enough until 2030 and beyond (NIST SP 800-57, part 1, table 2).
const RSA_BITS: usize = 3072;

/// A new private key as PKCS#8 PEM; `None` when it cannot be made.
pub fn generate(algorithm: Algorithm, random: &mut impl CryptoRng) -> Option<Zeroizing<String>> {
    let pem = match KeyType::of(algorithm) {
        KeyType::P256 => p256::SecretKey::generate_from_rng(random).to_pkcs8_pem(LineEnding::LF),
        KeyType::P384 => p384::SecretKey::generate_from_rng(random).to_pkcs8_pem(LineEnding::LF),
        KeyType::P521 => p521::SecretKey::generate_from_rng(random).to_pkcs8_pem(LineEnding::LF),
        KeyType::Ed25519 => {
            let mut secret = Zeroizing::new([0; 32]);
            random.fill_bytes(&mut *secret);
            ed25519_dalek::SigningKey::from_bytes(&secret).to_pkcs8_pem(LineEnding::LF)
        }
        KeyType::Rsa | KeyType::RsaPss => rsa::PrivateKey::new(random, RSA_BITS).ok()?.to_pkcs8_pem(LineEnding::LF),
        KeyType::Other(_) => return None,
    };
    pem.ok()
}

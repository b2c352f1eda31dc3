//! Keys written as DER, in the forms that hosts read.

use pkcs8::der::Encode as _;
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{EncodePrivateKey as _, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use super::key_type::KeyType;
use super::oid::{EC, ED25519, P256, P384, P521, RSA};
use super::parts::Parts;
use crate::jose::algorithm::Algorithm;

/// The identifier of an EC key's algorithm, whose parameter is its curve.
fn on_curve(key_type: KeyType) -> Option<AlgorithmIdentifierRef<'static>> {
    let curve = match key_type {
        KeyType::P256 => &P256,
        KeyType::P384 => &P384,
        KeyType::P521 => &P521,
        KeyType::Rsa | KeyType::RsaPss | KeyType::Ed25519 | KeyType::Other(_) => return None,
    };
    Some(AlgorithmIdentifierRef { oid: EC, parameters: Some(AnyRef::from(curve)) })
}

/// A public key as `SubjectPublicKeyInfo`.
pub(super) fn spki(algorithm: Algorithm, parts: &Parts) -> Option<Vec<u8>> {
    let write = |algorithm, key: &[u8]| {
        SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(key).ok()? }.to_der().ok()
    };
    match parts {
        Parts::Point(point) => write(on_curve(KeyType::of(algorithm))?, point),
        Parts::Ed25519(bytes) => write(AlgorithmIdentifierRef { oid: ED25519, parameters: None }, bytes),
        Parts::Rsa { modulus, exponent } => {
            let number = |bytes| pkcs1::UintRef::new(bytes).ok();
            let key = pkcs1::RsaPublicKeyRef { modulus: number(modulus)?, public_exponent: number(exponent)? };
            write(AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) }, &key.to_der().ok()?)
        }
    }
}

/// A private EC key as PKCS#8, with its public half: hosts would compute that at every use.
pub(super) fn ec_pkcs8(algorithm: Algorithm, scalar: &[u8], public: &Parts) -> Option<Zeroizing<Vec<u8>>> {
    let Parts::Point(point) = public else {
        return None;
    };
    let key = EcPrivateKey { private_key: scalar, parameters: None, public_key: Some(point) };
    let key = Zeroizing::new(key.to_der().ok()?);
    let info = PrivateKeyInfoRef::new(on_curve(KeyType::of(algorithm))?, OctetStringRef::new(&key).ok()?);
    info.to_der().ok().map(Zeroizing::new)
}

/// A private RSA key as PKCS#8.
pub(super) fn rsa_pkcs8(key: &rsa::PrivateKey) -> Option<Zeroizing<Vec<u8>>> {
    key.to_pkcs8_der().ok().map(|document| document.to_bytes())
}

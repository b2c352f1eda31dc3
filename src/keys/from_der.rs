//! Keys read from DER, in every form that `openssl` writes.

use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};

use super::error::KeyError;
use super::key_type::KeyType;
use super::material::Material;
use super::oid::{EC, ED25519, P256, P384, P521, RSA, RSA_PSS};
use super::private::PrivateKey;
use super::public::PublicKey;
use crate::jose::algorithm::Algorithm;

fn unreadable() -> KeyError {
    KeyError::new("the key inside the PEM block cannot be read")
}

/// PKCS#8 (RFC 5958).
pub(super) fn from_pkcs8(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| unreadable())?;
    key_type(&info.algorithm).check(algorithm)?;
    let (octets, public) = (info.private_key.as_bytes(), info.public_key.map(|public| public.raw_bytes()));
    match KeyType::of(algorithm) {
        KeyType::Rsa => from_pkcs1(octets, algorithm),
        KeyType::Ed25519 => {
            let seed = <&OctetStringRef>::from_der(octets).map_err(|_| unreadable())?;
            let key = PrivateKey::from_seed(algorithm, seed.as_bytes()).ok_or_else(unreadable)?;
            let public = public.map(|bytes| PublicKey::from_ed25519(algorithm, bytes).ok_or_else(unreadable));
            with_public_half(key, public.transpose()?)
        }
        _ => from_sec1(octets, algorithm),
    }
}

/// SEC 1, appendix C.4 (RFC 5915).
pub(super) fn from_sec1(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = EcPrivateKey::try_from(der).map_err(|_| unreadable())?;
    match info.parameters.and_then(EcParameters::named_curve) {
        Some(curve) => curve_type(curve).check(algorithm)?,
        // It does not say on which curve it is, but that it is on one.
        None if KeyType::of(algorithm).field_size().is_none() => KeyType::Other.check(algorithm)?,
        None => {}
    }
    let key = PrivateKey::from_scalar(algorithm, info.private_key).ok_or_else(unreadable)?;
    let public = info.public_key.map(|point| PublicKey::from_point(algorithm, point).ok_or_else(unreadable));
    with_public_half(key, public.transpose()?)
}

/// A private key that comes with a public one, which has to be its own.
fn with_public_half(key: PrivateKey, public: Option<PublicKey>) -> Result<Material, KeyError> {
    if public.is_some_and(|public| public != key.public_key()) {
        return Err(unreadable());
    }
    Ok(Material::Private(key))
}

/// PKCS#1 (RFC 8017, appendix A.1.2). Keys of more than two primes are not read.
pub(super) fn from_pkcs1(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| unreadable())?;
    if key.other_prime_infos.is_some() {
        return Err(unreadable());
    }
    let numbers = [&key.modulus, &key.public_exponent, &key.private_exponent].map(|number| number.as_bytes());
    let primes = [&key.prime1, &key.prime2].map(|number| number.as_bytes());
    PrivateKey::from_rsa(algorithm, numbers, Some(primes)).map(Material::Private)
}

/// PKCS#1 (RFC 8017, appendix A.1.1).
pub(super) fn from_pkcs1_public(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| unreadable())?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    PublicKey::from_rsa(algorithm, modulus, exponent).map(Material::Public)
}

/// `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
pub(super) fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| unreadable())?;
    key_type(&info.algorithm).check(algorithm)?;
    let bytes = info.subject_public_key.as_bytes().ok_or_else(unreadable)?;
    let key = match KeyType::of(algorithm) {
        KeyType::Rsa => return from_pkcs1_public(bytes, algorithm),
        KeyType::Ed25519 => PublicKey::from_ed25519(algorithm, bytes),
        _ => PublicKey::from_point(algorithm, bytes),
    };
    key.map(Material::Public).ok_or_else(unreadable)
}

/// Only the key of a certificate counts. Who signed it and until when is the operator's business: trust in a key comes
/// from its place in the configuration, its end from `notAfter`.
pub(super) fn from_certificate(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    from_spki(subject_public_key_info(der).map_err(|_| unreadable())?, algorithm)
}

/// The `SubjectPublicKeyInfo` of a certificate (RFC 5280, section 4.1). What stands before it is stepped over: a crate
/// that understands all of a certificate weighs 33 KB here, and nothing else of it would be used.
fn subject_public_key_info(der: &[u8]) -> pkcs8::der::Result<&[u8]> {
    const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let certificate = AnyRef::from_der(der)?;
    certificate.tag().assert_eq(Tag::Sequence)?;
    let mut members = SliceReader::new(certificate.value())?;
    let to_be_signed = AnyRef::decode(&mut members)?;
    to_be_signed.tag().assert_eq(Tag::Sequence)?;
    let _algorithm_and_signature = (AnyRef::decode(&mut members)?, BitStringRef::decode(&mut members)?);
    members.finish()?;
    let mut members = SliceReader::new(to_be_signed.value())?;
    if Tag::peek(&members)? == VERSION {
        AnyRef::decode(&mut members)?;
    }
    for before in [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::Sequence, Tag::Sequence] {
        // Serial number, algorithm, issuer, validity, subject.
        AnyRef::decode(&mut members)?.tag().assert_eq(before)?;
    }
    members.tlv_bytes()
}

fn key_type(algorithm: &AlgorithmIdentifierRef<'_>) -> KeyType {
    match algorithm.oid {
        EC => algorithm.parameters_oid().map_or(KeyType::Other, curve_type),
        RSA => KeyType::Rsa,
        RSA_PSS => KeyType::RsaPss,
        ED25519 => KeyType::Ed25519,
        _ => KeyType::Other,
    }
}

fn curve_type(curve: ObjectIdentifier) -> KeyType {
    match curve {
        P256 => KeyType::P256,
        P384 => KeyType::P384,
        P521 => KeyType::P521,
        _ => KeyType::Other,
    }
}

//! Keys read from DER. What the bytes are is read off the bytes: a label that names another form of the same key is a slip
//! that tools make, and no reason to refuse it. What cannot be read is refused with what was found, and never with its bytes.

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};

use super::error::KeyError;
use super::key_type::KeyType;
use super::material::Material;
use super::oid::{EC, ED25519, NAMED, P256, P384, P521, RSA, RSA_PSS};
use super::private::PrivateKey;
use super::pss;
use super::public::PublicKey;
use crate::jose::algorithm::Algorithm;

const NO_KEY: &str = "no key is in there: neither PKCS#8, SEC 1, PKCS#1, SubjectPublicKeyInfo nor a certificate";

const EXPLICIT: &str = "the curve is written out (explicit parameters) instead of named; name it (openssl ec -param_enc \
     named_curve -in KEY)";

const EXPLICIT_PUBLIC: &str = "the curve is written out (explicit parameters) instead of named; name it (openssl ec -pubin \
     -pubout -param_enc named_curve -in KEY)";

pub(super) const ENCRYPTED: &str = "the key is encrypted; decrypt it first (openssl pkey -in KEY)";

pub(super) const REQUEST: &str = "a certificate request where a key has to stand; take its key (openssl req -pubkey -noout \
     -in KEY)";

pub(super) const PKCS7: &str = "a PKCS#7 bundle where a key has to stand; take one of its certificates (openssl pkcs7 \
     -print_certs -in KEY)";

const PKCS12: &str = "a PKCS#12 store where a key has to stand; take the key out of it (openssl pkcs12 -nodes -nocerts -in \
     KEY)";

fn damaged(form: &str) -> KeyError {
    KeyError::new(format!("the {form} in there is damaged or cut; make it again (openssl pkey -in KEY)"))
}

/// A key in any of its forms (RFC 7468 names them by label). What `may_go_on` has something behind it, as OpenSSL's
/// `TRUSTED CERTIFICATE` has.
pub(super) fn read(der: &[u8], algorithm: Algorithm, may_go_on: bool) -> Result<Material, KeyError> {
    let no_key = |_| KeyError::new(NO_KEY);
    let mut all = SliceReader::new(der).map_err(no_key)?;
    let outer = AnyRef::decode(&mut all).map_err(no_key)?;
    if !may_go_on && !all.is_finished() {
        return Err(KeyError::new("there is more than one key or certificate in there; cut what stands behind it"));
    }
    let mut members = SliceReader::new(outer.value()).map_err(no_key)?;
    let mut next = || AnyRef::decode(&mut members).ok().map(|any| any.tag());
    let form = if outer.tag() == Tag::Sequence { (next(), next(), next()) } else { (None, None, None) };
    match form {
        (Some(Tag::Integer), Some(Tag::Sequence), None | Some(Tag::Sequence)) => Err(KeyError::new(PKCS12)),
        (Some(Tag::Integer), Some(Tag::Sequence), _) => from_pkcs8(der, algorithm),
        (Some(Tag::Integer), Some(Tag::OctetString), _) => from_sec1(der, algorithm, false, None),
        (Some(Tag::Integer), Some(Tag::Integer), None) => {
            KeyType::Rsa.check(algorithm).and_then(|()| from_pkcs1_public(der, algorithm)).map(Material::Public)
        }
        (Some(Tag::Integer), Some(Tag::Integer), Some(_)) => {
            KeyType::Rsa.check(algorithm).and_then(|()| from_pkcs1(der, algorithm)).map(Material::Private)
        }
        (Some(Tag::Sequence), Some(Tag::BitString), None) => from_spki(der, algorithm),
        (Some(Tag::Sequence), Some(Tag::Sequence), _) => from_certificate(outer, algorithm),
        (Some(Tag::Sequence), Some(Tag::OctetString), None) => Err(KeyError::new(ENCRYPTED)),
        (Some(Tag::ObjectIdentifier), Some(_), None) => Err(KeyError::new(PKCS7)),
        _ => Err(KeyError::new(NO_KEY)),
    }
}

/// PKCS#8 (RFC 5958), in its second version with the public half. It may be tagged as older tools have it, explicitly.
fn from_pkcs8(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let (identifier, octets, public) = pkcs8(der).map_err(|_| damaged("PKCS#8 key"))?;
    check_type(&identifier, algorithm, true)?;
    match KeyType::of(algorithm) {
        KeyType::Rsa => {
            let public = public.map(|der| from_pkcs1_public(der, algorithm));
            with_public_halves(from_pkcs1(octets, algorithm)?, public.transpose()?)
        }
        KeyType::Ed25519 => {
            let seed = <&OctetStringRef>::from_der(octets).map_err(|_| damaged("PKCS#8 key"))?.as_bytes();
            let key = PrivateKey::from_seed(algorithm, seed)
                .ok_or_else(|| KeyError::new(format!("an Ed25519 key has 32 bytes, found {}", seed.len())))?;
            let public = public.map(|bytes| PublicKey::from_ed25519(algorithm, bytes).ok_or_else(weak));
            with_public_halves(key, public.transpose()?)
        }
        _ => from_sec1(octets, algorithm, true, public),
    }
}

type Pkcs8<'d> = (AlgorithmIdentifierRef<'d>, &'d [u8], Option<&'d [u8]>);

fn pkcs8(der: &[u8]) -> pkcs8::der::Result<Pkcs8<'_>> {
    const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    const PUBLIC: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(1) };
    const PUBLIC_EXPLICIT: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(1) };
    let mut members = SliceReader::new(AnyRef::from_der(der)?.value())?;
    AnyRef::decode(&mut members)?.tag().assert_eq(Tag::Integer)?;
    let identifier = AlgorithmIdentifierRef::decode(&mut members)?;
    let octets = <&OctetStringRef>::decode(&mut members)?.as_bytes();
    let mut public = None;
    while !members.is_finished() {
        let member = AnyRef::decode(&mut members)?;
        match member.tag() {
            ATTRIBUTES => {}
            // No unused bits.
            PUBLIC => public = member.value().strip_prefix(&[0]),
            PUBLIC_EXPLICIT => public = BitStringRef::from_der(member.value())?.as_bytes(),
            other => return Err(other.unexpected_error(None).into()),
        }
    }
    Ok((identifier, octets, public))
}

/// SEC 1, appendix C.4 (RFC 5915). Where the curve is named and the key's point is there and fits, the scalar may lack the
/// zeros at its start, or have one more. PKCS#8 may have the point once more, outside.
fn from_sec1(
    der: &[u8],
    algorithm: Algorithm,
    is_named: bool,
    outer_point: Option<&[u8]>,
) -> Result<Material, KeyError> {
    let explicit = || is_explicit(der).then(|| KeyError::new(EXPLICIT));
    let info = EcPrivateKey::try_from(der).map_err(|_| explicit().unwrap_or_else(|| damaged("SEC 1 key")))?;
    let curve = info.parameters.and_then(EcParameters::named_curve);
    match curve {
        Some(curve) => curve_type(curve).check(algorithm)?,
        // It does not say on which curve it is, but that it is on one.
        None if KeyType::of(algorithm).field_size().is_none() => KeyType::Other("an EC key").check(algorithm)?,
        None => {}
    }
    let public = |point| PublicKey::from_point(algorithm, point).ok_or_else(|| off_curve(algorithm, point));
    let publics: Result<Vec<_>, _> = [info.public_key, outer_point].into_iter().flatten().map(public).collect();
    let publics = publics?;
    let may_be_resized = !publics.is_empty() && (is_named || curve.is_some());
    let key = scalar(info.private_key, algorithm, may_be_resized)?;
    with_public_halves(key, publics)
}

/// A secret scalar. One of another length than the curve's may be that of another curve.
pub(super) fn scalar(bytes: &[u8], algorithm: Algorithm, may_be_resized: bool) -> Result<PrivateKey, KeyError> {
    let size = KeyType::of(algorithm).field_size().unwrap_or_default();
    let resized = if may_be_resized { resized(bytes, size) } else { None };
    let length = resized.as_ref().map_or(bytes.len(), |resized| resized.len());
    if length != size {
        let problem = format!("the secret scalar has {} bytes, that of `{}` has {size}", bytes.len(), algorithm.name());
        return Err(KeyError::new(problem));
    }
    PrivateKey::from_scalar(algorithm, resized.as_ref().map_or(bytes, |resized| resized.as_slice()))
        .ok_or_else(|| KeyError::new("the secret scalar is zero, or not below the order of its curve"))
}

/// A number in so many bytes: the zeros before it come and go.
pub(super) fn resized(bytes: &[u8], size: usize) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = bytes.get(zeros..)?;
    let missing = size.checked_sub(significant.len())?;
    // Room for all of it at once: what grows leaves a copy behind.
    let mut number = zeroize::Zeroizing::new(Vec::with_capacity(size));
    number.resize(missing, 0);
    number.extend_from_slice(significant);
    Some(number)
}

fn off_curve(algorithm: Algorithm, point: &[u8]) -> KeyError {
    let (name, length) = (KeyType::of(algorithm), point.len());
    KeyError::new(format!("the public point, of {length} bytes, is none on the curve of {name}"))
}

fn weak() -> KeyError {
    KeyError::new("the public point is none of Ed25519, or one with which anything can be signed")
}

/// A private key that comes with a public one, which has to be its own.
fn with_public_halves(key: PrivateKey, publics: impl IntoIterator<Item = PublicKey>) -> Result<Material, KeyError> {
    if publics.into_iter().any(|public| public != key.public_key()) {
        return Err(KeyError::new("the private key comes with the public half of another key; export it again"));
    }
    Ok(Material::Private(key))
}

/// PKCS#1 (RFC 8017, appendix A.1.2). Keys of more than two primes are not read.
fn from_pkcs1(der: &[u8], algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| damaged("PKCS#1 key"))?;
    if key.other_prime_infos.is_some() {
        return Err(KeyError::new("an RSA key of more than two primes; make one of two (openssl genpkey)"));
    }
    let numbers = [&key.modulus, &key.public_exponent, &key.private_exponent].map(|number| number.as_bytes());
    let primes = [&key.prime1, &key.prime2].map(|number| number.as_bytes());
    PrivateKey::from_rsa(algorithm, numbers, Some(primes))
}

/// PKCS#1 (RFC 8017, appendix A.1.1).
fn from_pkcs1_public(der: &[u8], algorithm: Algorithm) -> Result<PublicKey, KeyError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| damaged("PKCS#1 public key"))?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    PublicKey::from_rsa(algorithm, modulus, exponent)
}

/// `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let unreadable = || damaged("SubjectPublicKeyInfo");
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| unreadable())?;
    check_type(&info.algorithm, algorithm, false)?;
    let bytes = info.subject_public_key.as_bytes().ok_or_else(unreadable)?;
    let key = match KeyType::of(algorithm) {
        KeyType::Rsa => from_pkcs1_public(bytes, algorithm),
        KeyType::Ed25519 => PublicKey::from_ed25519(algorithm, bytes).ok_or_else(weak),
        _ => PublicKey::from_point(algorithm, bytes).ok_or_else(|| off_curve(algorithm, bytes)),
    };
    key.map(Material::Public)
}

/// Only the key of a certificate counts. Who signed it and until when is the operator's business: trust in a key comes
/// from its place in the configuration, its end from `notAfter`.
fn from_certificate(certificate: AnyRef<'_>, algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = subject_public_key_info(certificate)
        .map_err(|_| if is_request(certificate) { KeyError::new(REQUEST) } else { damaged("certificate") })?;
    from_spki(info, algorithm)
}

/// The `SubjectPublicKeyInfo` of a certificate (RFC 5280, section 4.1). What stands before it is stepped over: a crate
/// that understands all of a certificate weighs 33 KB here, and nothing else of it would be used.
fn subject_public_key_info(certificate: AnyRef<'_>) -> pkcs8::der::Result<&[u8]> {
    const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
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

/// Whether what looks like a certificate is a request for one (RFC 2986, section 4.1), which begins with a version, a name
/// and a key.
fn is_request(certificate: AnyRef<'_>) -> bool {
    let key = || {
        let mut members = SliceReader::new(AnyRef::decode(&mut SliceReader::new(certificate.value())?)?.value())?;
        AnyRef::decode(&mut members)?.tag().assert_eq(Tag::Integer)?;
        AnyRef::decode(&mut members)?;
        SubjectPublicKeyInfoRef::decode(&mut members)
    };
    key().is_ok()
}

/// That the identifier of a key allows it for the algorithm.
fn check_type(identifier: &AlgorithmIdentifierRef<'_>, algorithm: Algorithm, is_private: bool) -> Result<(), KeyError> {
    let found = match identifier.oid {
        EC if identifier.parameters.is_some_and(|parameters| parameters.tag() == Tag::Sequence) => {
            return Err(KeyError::new(if is_private { EXPLICIT } else { EXPLICIT_PUBLIC }));
        }
        EC => identifier.parameters_oid().map_or(KeyType::Other("an EC key without a curve"), curve_type),
        RSA => KeyType::Rsa,
        RSA_PSS if pss::hash_of(algorithm).is_some() => return pss::check(identifier, algorithm),
        RSA_PSS => KeyType::RsaPss,
        ED25519 => KeyType::Ed25519,
        other => KeyType::Other(name_of(other)),
    };
    found.check(algorithm)
}

fn name_of(other: ObjectIdentifier) -> &'static str {
    NAMED.iter().find(|(known, _)| *known == other).map_or("a key of another type", |(_, name)| name)
}

fn curve_type(curve: ObjectIdentifier) -> KeyType {
    match curve {
        P256 => KeyType::P256,
        P384 => KeyType::P384,
        P521 => KeyType::P521,
        other => KeyType::Other(name_of(other)),
    }
}

/// Whether an EC key of SEC 1 writes its curve out instead of naming it.
fn is_explicit(der: &[u8]) -> bool {
    const PARAMETERS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let members = || {
        let mut members = SliceReader::new(AnyRef::from_der(der)?.value())?;
        AnyRef::decode(&mut members)?;
        AnyRef::decode(&mut members)?;
        AnyRef::decode(&mut members)
    };
    let is_sequence = |value: &[u8]| AnyRef::from_der(value).is_ok_and(|any| any.tag() == Tag::Sequence);
    members().is_ok_and(|member: AnyRef<'_>| member.tag() == PARAMETERS && is_sequence(member.value()))
}

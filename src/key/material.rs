//! The text of a key, PEM or JWK, and what it turns out to be: private or public is read off the material.

use std::fmt;

use jwt_compact::jwk::JsonWebKey;
use p256::elliptic_curve::sec1::Sec1Point;
use p256::pkcs8::der::{Decode as _, Encode as _};
use p256::pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use p256::pkcs8::{DecodePublicKey as _, ObjectIdentifier, PrivateKeyInfoRef};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Algorithm, KeyType, PrivateKey, PublicKey};
use crate::json;

/// What is wrong with the text of a key, for the operator. It never quotes the text.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyError(String);

impl KeyError {
    fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One key that fits its algorithm.
#[derive(Debug)]
pub enum Material {
    /// A private key.
    Private(PrivateKey),
    /// A public key.
    Public(PublicKey),
}

const UNREADABLE: &str = "expected one key as PEM or as a JWK, found neither";

impl Material {
    /// Reads a key: PEM of one of the forms that `openssl` writes, or a JWK (RFC 7517) as JSON.
    ///
    /// # Errors
    /// Text that is neither; more than one key; an encrypted key; a key that does not fit `algorithm`, or whose private
    /// and public halves do not belong together.
    pub fn parse(text: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') {
            return from_jwk(text, algorithm);
        }
        from_pem(text, algorithm)
    }
}

fn from_pem(text: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
    // A lone carriage return is a line end as well, but not to the PEM reader.
    let text = Zeroizing::new(text.replace('\r', "\n"));
    let mut blocks = pem::parse_many(text.as_bytes()).map_err(|_| KeyError::new("not valid PEM"))?;
    // The reader skips a block that does not end.
    if blocks.len() != text.matches("-----BEGIN").count() {
        return Err(KeyError::new("not valid PEM"));
    }
    if matches!(blocks.as_slice(), [parameters, key] if parameters.tag() == "EC PARAMETERS" && key.tag() == "EC PRIVATE KEY")
    {
        blocks.remove(0);
    }
    let block = match blocks.as_slice() {
        [block] => block,
        [] => return Err(KeyError::new(UNREADABLE)),
        _ => return Err(KeyError::new("expected one key, found more than one PEM block")),
    };
    if block.headers().iter().next().is_some() || block.tag() == "ENCRYPTED PRIVATE KEY" {
        return Err(KeyError::new("the key is encrypted; decrypt it first (openssl pkey)"));
    }
    let der = block.contents();
    match block.tag() {
        "PRIVATE KEY" => from_pkcs8(der, algorithm),
        "EC PRIVATE KEY" => from_sec1(der, algorithm),
        "PUBLIC KEY" => from_spki(der, algorithm),
        "CERTIFICATE" => from_certificate(der, algorithm),
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => Err(misfit(algorithm, KeyType::Rsa)),
        _ => Err(KeyError::new(
            "expected a PEM block `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`, `PUBLIC KEY`, `RSA PUBLIC KEY` or \
             `CERTIFICATE`",
        )),
    }
}

fn misfit(algorithm: Algorithm, found: KeyType) -> KeyError {
    let (name, expected) = (algorithm.name(), algorithm.key_type());
    KeyError::new(format!("`{name}` needs {expected}, found {found}"))
}

fn fits(algorithm: Algorithm, found: KeyType) -> Result<(), KeyError> {
    if algorithm.key_type() == found {
        return Ok(());
    }
    Err(misfit(algorithm, found))
}

fn unreadable(_: impl Sized) -> KeyError {
    KeyError::new("the key inside the PEM block cannot be read")
}

fn from_pkcs8(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(unreadable)?;
    fits(algorithm, key_type(&info.algorithm))?;
    // Checks that the public half, where there is one, belongs to the private one.
    let key = p256::SecretKey::try_from(info).map_err(unreadable)?;
    Ok(Material::Private(PrivateKey(key.into())))
}

fn from_sec1(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = sec1::EcPrivateKey::try_from(der).map_err(unreadable)?;
    if let Some(curve) = info.parameters.and_then(|parameters| parameters.named_curve()) {
        fits(algorithm, curve_type(curve))?;
    }
    let key = p256::SecretKey::try_from(info).map_err(unreadable)?;
    Ok(Material::Private(PrivateKey(key.into())))
}

fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(unreadable)?;
    fits(algorithm, key_type(&info.algorithm))?;
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).map_err(unreadable)?;
    Ok(Material::Public(PublicKey(key)))
}

/// Only the key of a certificate counts. Who signed it and until when is the operator's business: trust in a key comes
/// from its place in the configuration, its end from `notAfter`.
fn from_certificate(der: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    let certificate = x509_cert::Certificate::from_der(der).map_err(unreadable)?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    from_spki(&info.to_der().map_err(unreadable)?, algorithm)
}

fn key_type(algorithm: &AlgorithmIdentifierRef<'_>) -> KeyType {
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    match algorithm.oid {
        EC => algorithm.parameters_oid().map_or(KeyType::Other, curve_type),
        RSA => KeyType::Rsa,
        ED25519 => KeyType::Ed25519,
        _ => KeyType::Other,
    }
}

fn curve_type(curve: ObjectIdentifier) -> KeyType {
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    match curve {
        P256 => KeyType::P256,
        P384 => KeyType::P384,
        P521 => KeyType::P521,
        _ => KeyType::Other,
    }
}

fn from_jwk(text: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
    // Every member that is secret in some key type (RFC 7518, section 6). One that does not belong to this key's type
    // would be dropped by the reader below, and a private key taken for a public one.
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let members =
        json::parse_object(text.as_bytes()).map_err(|error| KeyError::new(format!("the JWK is {}", error.problem)))?;
    let member = |name: &str| members.get(name).map(|value| value.as_str().unwrap_or_default());
    if member("alg").is_some_and(|alg| alg != algorithm.name()) {
        return Err(KeyError::new(format!("the JWK's `alg` is not `{}`", algorithm.name())));
    }
    if member("use").is_some_and(|usage| usage != "sig") {
        return Err(KeyError::new("the JWK's `use` is not `sig`"));
    }
    let found = match (member("kty"), member("crv")) {
        (Some("EC"), Some("P-256")) => KeyType::P256,
        (Some("EC"), Some("P-384")) => KeyType::P384,
        (Some("EC"), Some("P-521")) => KeyType::P521,
        (Some("RSA"), _) => KeyType::Rsa,
        (Some("OKP"), Some("Ed25519")) => KeyType::Ed25519,
        (Some(_), _) => KeyType::Other,
        (None, _) => return Err(KeyError::new("the JWK has no `kty`")),
    };
    fits(algorithm, found)?;
    let is_private = PRIVATE.iter().any(|name| members.contains_key(*name));
    let incomplete = || KeyError::new("the JWK lacks a member of its key type or has one of the wrong form");
    let jwk = serde_json::from_value(Value::Object(members)).map_err(|_| incomplete())?;
    let JsonWebKey::EllipticCurve { x, y, secret, .. } = jwk else {
        return Err(incomplete());
    };
    let coordinate = |bytes: &[u8]| p256::FieldBytes::try_from(bytes).map_err(|_| incomplete());
    let point = Sec1Point::<p256::NistP256>::from_affine_coordinates(&coordinate(&x)?, &coordinate(&y)?, false);
    let public = p256::PublicKey::from_sec1_bytes(point.as_bytes())
        .map_err(|_| KeyError::new("the JWK's `x` and `y` are not a point on the curve"))?;
    match secret {
        None if is_private => Err(incomplete()),
        None => Ok(Material::Public(PublicKey(public.into()))),
        Some(secret) => {
            let secret = p256::SecretKey::from_slice(secret.as_ref()).map_err(|_| incomplete())?;
            if secret.public_key() != public {
                return Err(KeyError::new("the JWK's `d` does not belong to its `x` and `y`"));
            }
            Ok(Material::Private(PrivateKey(secret.into())))
        }
    }
}

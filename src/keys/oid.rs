//! The object identifiers of keys and curves.

use pkcs8::ObjectIdentifier;

pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(super) const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
pub(super) const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Keys that are not for any of our algorithms, by the names that people know them by.
pub(super) const NAMED: [(ObjectIdentifier, &str); 13] = [
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), "a secp256k1 key"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.33"), "a P-224 key"),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.1"), "a P-192 key"),
    (ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7"), "a brainpoolP256r1 key"),
    (ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.11"), "a brainpoolP384r1 key"),
    (ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.13"), "a brainpoolP512r1 key"),
    (ObjectIdentifier::new_unwrap("1.3.101.110"), "an X25519 key, which cannot sign"),
    (ObjectIdentifier::new_unwrap("1.3.101.111"), "an X448 key, which cannot sign"),
    (ObjectIdentifier::new_unwrap("1.3.101.113"), "an Ed448 key"),
    (ObjectIdentifier::new_unwrap("1.2.840.10040.4.1"), "a DSA key"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1"), "a Diffie-Hellman key, which cannot sign"),
    (ObjectIdentifier::new_unwrap("1.2.156.10197.1.301"), "an SM2 key"),
    (ObjectIdentifier::new_unwrap("1.3.132.1.12"), "an ECDH key, which cannot sign"),
];

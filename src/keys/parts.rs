//! What a public key is made of, for whoever writes it.

/// The parts of a key that depend on its type, big-endian.
pub(super) enum Parts {
    /// A point in the form of SEC 1, section 2.3.3, uncompressed.
    Point(Box<[u8]>),
    Rsa {
        modulus: Box<[u8]>,
        exponent: Box<[u8]>,
    },
    /// RFC 8032, section 5.1.5.
    Ed25519([u8; 32]),
}

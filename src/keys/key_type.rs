//! The types of keys, and the one that each algorithm takes: what a key is decides what it may be used for.

use std::fmt;

use super::error::KeyError;
use crate::jose::algorithm::Algorithm;

/// What a key is, whatever it is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    P256,
    P384,
    P521,
    Rsa,
    /// What `openssl genpkey -algorithm RSA-PSS` makes: good for PS256 and its like alone.
    RsaPss,
    Ed25519,
    /// What people call it, with its article.
    Other(&'static str),
}

impl KeyType {
    /// The one type of key that an algorithm takes.
    pub(super) fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::P256,
            Algorithm::Es384 => Self::P384,
            Algorithm::Es512 => Self::P521,
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Self::Rsa,
            Algorithm::EdDsa | Algorithm::Ed25519 => Self::Ed25519,
        }
    }

    /// That keys of this type are for the algorithm.
    pub(super) fn check(self, algorithm: Algorithm) -> Result<(), KeyError> {
        let expected = Self::of(algorithm);
        if expected == self {
            return Ok(());
        }
        Err(KeyError::new(format!("`{}` needs {expected}, found {self}", algorithm.name())))
    }

    /// The bytes of a coordinate, for curves.
    pub(super) fn field_size(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Rsa | Self::RsaPss | Self::Ed25519 | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::P521 => "a P-521 key",
            Self::Rsa => "an RSA key",
            Self::RsaPss => "one for RSASSA-PSS alone (id-RSASSA-PSS)",
            Self::Ed25519 => "an Ed25519 key",
            Self::Other(name) => name,
        })
    }
}

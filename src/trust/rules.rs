//! Who may hold which key. Whoever takes in keys, from a configuration or from elsewhere, asks here, and gets a
//! [`PrivateKey`] for the one that signs and a [`PublicKey`] for every other.

use std::collections::HashMap;
use std::fmt;

use crate::keys::{Material, PrivateKey, PublicKey};

/// Why a key may not be where it is, for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A private key where only a public one may stand.
    Private,
    /// The same, where nothing is signed at all.
    PrivateWithoutIssue,
    /// A public key where the one has to stand that signs.
    CannotSign,
    /// The name is taken by an earlier key of the issuer, which has this number.
    SameName(usize),
    /// The key is an earlier one of the issuer, which has this number.
    SameKey(usize),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PUBLIC_ONLY: &str =
            "a private key where only a public one may stand; put its public half here (openssl pkey -pubout -in KEY)";
        match self {
            Self::Private => formatter.write_str(PUBLIC_ONLY),
            Self::PrivateWithoutIssue => write!(formatter, "{PUBLIC_ONLY}: without `issue` nothing is signed"),
            Self::CannotSign => formatter.write_str(
                "a public key where the private one that signs has to stand; that comes first, public ones after it",
            ),
            Self::SameName(first) => write!(formatter, "the same name as that of key {first}"),
            Self::SameKey(first) => write!(formatter, "the same key as key {first}"),
        }
    }
}

/// The key that signs.
///
/// # Errors
/// [`Refusal::CannotSign`].
pub fn signing(material: Material) -> Result<PrivateKey, Refusal> {
    match material {
        Material::Private(key) => Ok(key),
        Material::Public(_) => Err(Refusal::CannotSign),
    }
}

/// Any other key. `signs` says whether anything is signed here at all.
///
/// # Errors
/// [`Refusal::Private`], [`Refusal::PrivateWithoutIssue`].
pub fn verifying(material: Material, signs: bool) -> Result<PublicKey, Refusal> {
    match material {
        Material::Public(key) => Ok(key),
        Material::Private(_) if signs => Err(Refusal::Private),
        Material::Private(_) => Err(Refusal::PrivateWithoutIssue),
    }
}

/// The keys of one issuer as they come, each with a number. No name stands for two of them, and no key has two names.
/// Issuers have nothing to do with each other.
#[derive(Default)]
pub struct KeysOfOne {
    names: HashMap<String, usize>,
    keys: HashMap<String, usize>,
}

impl KeysOfOne {
    /// Takes in a key.
    ///
    /// # Errors
    /// [`Refusal::SameName`], [`Refusal::SameKey`].
    pub fn admit(&mut self, number: usize, name: &str, key: &PublicKey) -> Result<(), Refusal> {
        if let Some(first) = self.names.insert(name.to_owned(), number) {
            return Err(Refusal::SameName(first));
        }
        match self.keys.insert(key.to_jwk().to_string(), number) {
            Some(first) => Err(Refusal::SameKey(first)),
            None => Ok(()),
        }
    }
}

//! A key as it was read: private and public are two types, read off the material and never declared.

use super::private::PrivateKey;
use super::public::PublicKey;

/// One key that fits its algorithm.
#[derive(Debug)]
pub enum Material {
    /// A private key.
    Private(PrivateKey),
    /// A public key.
    Public(PublicKey),
}

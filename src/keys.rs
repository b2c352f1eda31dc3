//! Keys that are what they claim to be: their type fits their one algorithm, and private and public are two types.
//!
//! A [`PrivateKey`] can sign and hand out its public half. It can be neither printed, serialized nor published: it has
//! no such trait, and its `Debug` shows nothing of it.
//!
//! A key computes nothing: that is [`crypto`](crate::crypto)'s.

mod der;
mod jwk;
mod key_type;
mod material;
mod private;
mod public;
#[cfg(test)]
mod tests;

pub use material::{KeyError, Material};
pub use private::PrivateKey;
pub(crate) use private::Secret;
pub(crate) use public::Numbers;
pub use public::PublicKey;

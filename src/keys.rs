//! Keys that are what they claim to be: their type fits their one algorithm, and private and public are two types.
//!
//! A [`PrivateKey`] can sign and hand out its public half. It can be neither printed, serialized nor published: it has
//! no such trait, and its `Debug` shows nothing of it.
//!
//! A key computes nothing: that is [`crypto`](crate::crypto)'s.

mod text;
mod from_der;
mod pss;
#[cfg(not(target_family = "wasm"))]
mod generate;
mod jwk;
mod jwk_set;
pub mod bundle;
mod material;
mod private;
mod public;
mod to_der;
mod parts;
mod key_type;
mod oid;
mod error;
mod recognition;
#[cfg(test)]
mod tests;

pub use bundle::Bundled;
pub use error::KeyError;
#[cfg(not(target_family = "wasm"))]
pub use generate::generate;
pub use jwk_set::JwkSet;
pub use material::Material;
pub use private::PrivateKey;
pub(crate) use private::Secret;
pub(crate) use public::Numbers;
pub use public::PublicKey;
pub use recognition::looks_like_material;

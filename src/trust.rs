//! Whom this gateway trusts, and for what: an issuer's keys, the limits of its word, and what is revoked or was used before.
//! No key can vouch for an issuer that it was not configured for (RFC 8725, sections 3.1 and 3.8).

mod key_set;
pub mod limits;
pub mod replay;
pub mod revocation;
mod ring;
pub mod rules;
pub mod worthless;

pub use key_set::{KeySet, TrustedKey};
pub use ring::{NOBODY, Origin, Ring, SELF, TrustedIssuer, label};

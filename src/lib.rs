//! **wristband**, an Envoy filter that signs, publishes and verifies *wristbands*: short-lived JWTs with which the
//! gateway of one cluster vouches for a caller to the gateways of others.
//!
//! Each gateway holds one private key, its own, or none; of everyone else it holds public keys. A break-in gives away
//! that one key and nothing that could speak for another cluster.
//!
//! The core is pure: bytes, a time and a [`Host`](host::Host) in, a decision out. In reading order:
//!
//! - [`config`]: the configuration as written; [`plan`]: compiled, with every rule on keys enforced
//! - [`key`]: typed keys from PEM and JWK; [`crypto`]: who does their arithmetic; [`trust`]: which key may verify what
//! - [`gateway`]: one request and its response; [`credential`]: where a token is found
//! - [`token`]: a token taken apart; [`verify`]: from a token to its claims; [`denial`]: why not; [`policy`],
//!   [`revocation`] and [`replay`]: what genuine tokens may still not do; [`cache`]: what need not be computed twice
//! - [`issue`]: from an identity to a wristband; [`expression`]: CEL and the types of its values; [`pseudonym`],
//!   [`cookie`] and [`certificate`]: how it is named, delivered and bound
//! - [`discovery`]: the JWKS and its company; [`reply`]: responses of our own
//! - [`base64url`], [`json`], [`protobuf`] and [`pairs`]: the encodings; [`headers`]: what messages have; [`claim`]: what
//!   claims are registered
//!
//! [`envoy`] is the adapter, and the only module that knows proxy-wasm.

pub mod cache;
pub mod compile;
pub mod config;
pub mod crypto;
pub mod denial;
pub mod encoding;
pub mod envoy;
pub mod gateway;
pub mod host;
pub mod http;
pub mod issue;
pub mod jose;
pub mod keys;
#[cfg(test)]
mod testing;
pub mod time;
pub mod trust;
pub mod verify;

//! **wristband**, an Envoy filter that signs, publishes and verifies *wristbands*: short-lived JWTs with which the
//! gateway of one cluster vouches for a caller to the gateways of others.
//!
//! Each gateway holds one private key, its own, or none; of everyone else it holds public keys. A break-in gives away
//! that one key and nothing that could speak for another cluster.
//!
//! # The map of the house
//!
//! From the ground up: a module uses those above it in this list and none below it (`tests/tidy.rs` sees to it).
//!
//! - [`time`], [`denial`]: when, and why not. [`jose`]: the texts of the RFCs: tokens, algorithms, claims, JSON.
//!   [`encoding`]: the encodings of Envoy. [`host`]: what is asked of whoever runs the filter. [`cache`]: a bounded memory.
//! - [`keys`]: what a key is, read from PEM and JWK. [`crypto`]: who computes with it. [`trust`]: whose key may say what.
//! - [`http`]: headers, cookies, the one credential of a request, answers and documents of our own.
//! - [`verify`]: from a token to its claims, or to a denial. [`issue`]: from an identity to a wristband.
//! - [`gateway`]: one request and its response: what to do with them.
//! - [`config`]: the configuration as it is written. [`compile`]: from there to a gateway.
//! - [`envoy`]: the adapter, and the only module that knows proxy-wasm.
//!
//! Everything but the adapter is pure: bytes, a time and a [`Host`](host::Host) in, a decision out. `docs/architecture.md`
//! has the drawing, and follows a request and a configuration from file to file.

pub mod time;
pub mod denial;
pub mod jose;
pub mod encoding;
pub mod host;
pub mod cache;
pub mod keys;
pub mod crypto;
pub mod trust;
pub mod http;
pub mod verify;
pub mod issue;
pub mod gateway;
pub mod config;
pub mod compile;
pub mod envoy;

#[cfg(test)]
mod testing;

//! **wristband**, an Envoy filter that signs, publishes and verifies *wristbands*: short-lived JWTs with which the
//! gateway of one cluster vouches for a caller to the gateways of others.
//!
//! Each gateway holds one private key, its own, or none; of everyone else it holds public keys. A break-in gives away
//! that one key and nothing that could speak for another cluster.
//!
//! # The map of the house
//!
//! A module uses only those that stand before it in this list (`tests/tidy.rs` sees to it).
//!
//! - [`time`]: points in time. [`denial`]: why a request is denied. [`jose`]: tokens, algorithms, claims and JSON, as the
//!   RFCs have them. [`encoding`]: how Envoy encodes what it hands over. [`host`]: what Envoy is asked for, as an interface.
//!   [`cache`]: a memory of bounded size.
//! - [`keys`]: what a key is, read from PEM and JWK. [`crypto`]: its arithmetic, done by Envoy or in the VM. [`trust`]: which
//!   issuers are trusted, with which keys, and within which limits. [`sources`]: keys that change while the filter runs.
//! - [`http`]: headers, cookies, the one credential of a request, replies and published documents.
//! - [`verify`]: from a token to its claims, or to a denial. [`issue`]: from an identity to a wristband.
//! - [`gateway`]: one request and its response: what to do with them.
//! - [`config`]: the configuration as it is written. [`compile`]: from there to a gateway.
//! - [`envoy`]: the adapter, and the only module that knows proxy-wasm. `cli`: the command, which is not in the filter.
//!
//! Everything but the adapter is pure: it has no clock, no environment and no connection of its own, and asks its
//! [`Host`](host::Host). `docs/architecture.md` has the drawing, and follows a request and a configuration from file to file.

/// An enumeration that can be gone through: no variant can be missing in `ALL`.
macro_rules! closed_list {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$meaning:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$meaning])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];
        }
    };
}

pub mod time;
pub mod denial;
pub mod jose;
pub mod encoding;
pub mod host;
pub mod cache;
pub mod keys;
pub mod crypto;
pub mod trust;
pub mod sources;
pub mod http;
pub mod verify;
pub mod issue;
pub mod gateway;
pub mod config;
pub mod compile;
pub mod envoy;
#[cfg(not(target_family = "wasm"))]
pub mod cli;

#[cfg(test)]
mod testing;

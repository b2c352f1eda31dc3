//! What the end-to-end tests and the demo share: a real Envoy, a plain HTTP client, keys and tokens.

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, unreachable_pub)]

pub mod changed;
pub mod config;
pub mod costly;
pub mod envoy;
pub mod fleet;
pub mod http;
pub mod page;
pub mod prometheus;
pub mod sample;
pub mod token;

use std::path::PathBuf;

/// A file of the repository.
pub fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The text of a file of the repository.
pub fn read(relative: &str) -> String {
    let path = path(relative);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A worthless key by its file's name.
pub fn key(name: &str) -> String {
    read(&format!("testdata/worthless-keys/{name}.pem"))
}

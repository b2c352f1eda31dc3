//! End-to-end tests: the built filter in a real Envoy, real HTTP, and consumers that are not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod algorithms;
mod around;
mod authorino;
mod clients;
mod command;
mod configuration;
mod contributing;
mod credentials;
mod deploying;
mod differential;
mod discovery;
mod drill;
mod federation;
mod fleet;
mod fleet_replay;
mod gate;
mod guide;
mod image;
mod issuing;
mod jwks_server;
mod live;
mod make;
mod metrics;
mod monitoring;
mod operating;
mod policies;
mod registry;
mod renewal;
mod routes;
mod samples;
mod secrets;
mod seen;
mod tables;
mod tokens;
mod traps;
mod troubles;
mod trust;
mod updates;
mod verifying;

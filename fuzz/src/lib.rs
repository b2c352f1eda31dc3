//! What is fuzzed, and what has to hold whatever comes in. `make fuzz` feeds it by coverage; `tests/corpus.rs` of the
//! filter includes this very file and runs the corpus through it.

mod fixture;
mod host;
mod input;

mod configuration;
mod credentials;
mod encodings;
mod es256;
mod expressions;
mod keys;
mod members;
mod readers;
mod replay;
mod requests;
mod tokens;

/// Something that takes bytes from outside.
pub struct Target {
    /// Its name, also that of its binary and of its folder in the corpus.
    pub name: &'static str,
    /// Takes one input. It panics when something does not hold.
    pub run: fn(&[u8]),
    /// What to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "configuration", run: configuration::run, seeds: configuration::seeds },
    Target { name: "credentials", run: credentials::run, seeds: credentials::seeds },
    Target { name: "encodings", run: encodings::run, seeds: encodings::seeds },
    Target { name: "es256", run: es256::run, seeds: es256::seeds },
    Target { name: "expressions", run: expressions::run, seeds: expressions::seeds },
    Target { name: "keys", run: keys::run, seeds: keys::seeds },
    Target { name: "replay", run: replay::run, seeds: replay::seeds },
    Target { name: "requests", run: requests::run, seeds: requests::seeds },
    Target { name: "tokens", run: tokens::run, seeds: tokens::seeds },
];

/// The target of this name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("a target")
}

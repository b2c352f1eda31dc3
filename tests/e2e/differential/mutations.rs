//! What can be done to a token, and to the request that carries it.

mod header;
mod json;
mod payload;
mod place;
mod signature;
mod spelling;

use std::sync::LazyLock;

use fastrand::Rng;

use super::case::Mutation;

/// The kind of a mutation, and how it is done.
pub type Row = (&'static str, Mutation);

pub static MUTATIONS: LazyLock<Vec<&Row>> = LazyLock::new(|| {
    let all = [header::MUTATIONS, payload::MUTATIONS, signature::MUTATIONS, spelling::MUTATIONS, place::MUTATIONS];
    all.into_iter().flatten().collect()
});

fn one_of<'t>(rng: &mut Rng, values: &[&'t str]) -> &'t str {
    values[rng.usize(..values.len())]
}

//! What a request costs with the filter, beside a listener without it and beside Envoy's own `jwt_authn`, in one Envoy.
//!
//! `make bench` runs it and prints Markdown; `BENCH=quick make bench` is over in a minute and says less. The figure that
//! counts is CPU time, not latency: on a machine with few cores the load generator and Envoy would measure each other.
//! Absolute figures move with the machine, so what is held against a target is a ratio within one run. With `BESIDE=FILE`
//! another module runs in the same Envoy, and what ours costs is printed as a ratio to it.
//!
//! Nothing here fails because the filter is slow: noise must not fail a build. It fails where an answer is not what the
//! variant is there to measure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::arithmetic_side_effects, unreachable_pub)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod authorino;
mod cpu;
mod fleet;
mod floor;
mod growth;
mod listeners;
mod load;
mod machine;
mod report;
mod rig;
mod rounds;
mod startup;
mod statistics;
mod tokens;
mod variants;

use std::time::Duration;

use machine::Watch;

/// How much is measured.
struct Effort {
    rounds: usize,
    /// Of one variant in one round.
    time: Duration,
    /// Starts of each Envoy whose time to ready is measured.
    starts: usize,
    growth: bool,
}

impl Effort {
    fn asked() -> Self {
        match std::env::var("BENCH").as_deref() {
            Ok("quick") => Self { rounds: 4, time: Duration::from_millis(250), starts: 4, growth: false },
            Ok("") | Err(_) => Self { rounds: 25, time: Duration::from_millis(500), starts: 5, growth: true },
            Ok(other) => panic!("BENCH={other} is unknown: `quick`, or nothing"),
        }
    }
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    if !is_bench || std::env::var_os("ENVOY").is_none() {
        println!("benches/envoy needs an Envoy: use `make bench`");
        return;
    }
    let effort = Effort::asked();
    machine::print();
    println!("- {} rounds of {:?} a variant\n", effort.rounds, effort.time);
    let tokens = tokens::Folder::new();
    let (rig, variants) = variants::start(&tokens);
    let watch = Watch::begin(rig.envoy.id());
    let costs = rounds::run(&rig, &variants, &effort);
    let others = watch.others();
    report::print_costs(&variants, &costs);
    report::print_beside(&variants, &costs);
    println!("Meanwhile others had {others:.0} % of the machine.\n");
    // The Envoys of what follows have the machine for themselves.
    drop(rig);
    let start = startup::measure(&tokens, effort.starts);
    report::print_targets(&costs, &start);
    if effort.growth {
        growth::print(&tokens);
        fleet::print(&tokens);
        authorino::print(&tokens);
    }
}

//! All variants, again and again, in changing order: what happens to the machine meanwhile happens to each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Effort;
use crate::rig::{Expected, Rig};
use crate::statistics::Summary;
use crate::variants::Variant;

/// Twice as many requests as there are tokens in rotation, and some: what one run leaves out because it was under way, the
/// next time round brings. Then whoever remembers tokens has seen them all.
const WARM: u64 = 11_000;
/// Enough for V8, and for what is allocated once. It is less than what common variants do in the time of one run.
const LUKEWARM: u64 = 500;

/// Microseconds of a request, one figure a round, by variant.
pub struct Costs(BTreeMap<&'static str, Vec<f64>>);

impl Costs {
    pub fn total(&self, name: &str) -> &[f64] {
        &self.0[name]
    }

    /// What it costs beyond another one in the same round.
    pub fn beyond(&self, name: &str, other: &str) -> Vec<f64> {
        self.total(name).iter().zip(self.total(other)).map(|(total, other)| total - other).collect()
    }
}

/// How often a round comes to a listener without a filter. Everything is measured against it, so one bad moment there
/// would be one everywhere.
const BARE: usize = 3;

pub fn run(rig: &Rig, variants: &[Variant], effort: &Effort) -> Costs {
    variants.iter().for_each(|variant| warm_up(rig, variant));
    let mut costs = BTreeMap::<_, Vec<f64>>::new();
    for round in 0..effort.rounds {
        eprintln!("round {} of {}", round + 1, effort.rounds);
        let mut order = order(variants);
        if round % 2 != 0 {
            order.reverse();
        }
        let mut found = BTreeMap::<_, Vec<f64>>::new();
        for variant in order {
            let cost = rig.measure(variant.name, &variant.load, variant.expected, effort.time);
            found.entry(variant.name).or_default().push(cost.each());
        }
        for (name, found) in found {
            costs.entry(name).or_default().push(Summary::of(found).median);
        }
    }
    Costs(costs)
}

/// Each variant once, and between them, at equal distances, those without a filter.
fn order(variants: &[Variant]) -> Vec<&Variant> {
    let (bare, others): (Vec<_>, Vec<_>) = variants.iter().partition(|variant| variant.name == variant.bare);
    let parts = others.chunks(others.len().div_ceil(BARE - 1));
    parts.flat_map(|part| bare.iter().chain(part).copied()).chain(bare.iter().copied()).collect()
}

fn warm_up(rig: &Rig, variant: &Variant) {
    let remembers = variant.name.ends_with("-cached");
    // What is remembered later is not yet.
    let expected = Expected { counter: None, ..variant.expected };
    let mut left = if remembers { WARM } else { LUKEWARM };
    while left > 0 {
        let cost = rig.measure(variant.name, &variant.load, expected, Duration::from_millis(300));
        left = left.saturating_sub(cost.requests);
    }
}

//! The tables.

use crate::rounds::Costs;
use crate::startup::Startup;
use crate::statistics::Summary;
use crate::variants::{BARE, BARE_WITHOUT_TOKEN, BESIDE, Variant};

pub fn print_costs(variants: &[Variant], costs: &Costs) {
    println!(
        "µs of CPU a request in Envoy's worker. Delta: beyond the listener without a filter, in the same round.\n"
    );
    println!("| | total | delta | middle half |\n|---|---|---|---|");
    for variant in variants {
        let total = Summary::of(costs.total(variant.name).iter().copied());
        let title = variant.title;
        if variant.name == variant.bare {
            println!("| {title} | {:.1} | | {:.1}..{:.1} (total) |", total.median, total.lower, total.upper);
            continue;
        }
        let delta = Summary::of(costs.beyond(variant.name, variant.bare));
        println!("| {title} | {:.1} | {:.1} | {:.1}..{:.1} |", total.median, delta.median, delta.lower, delta.upper);
    }
    println!();
}

/// Our filter beside itself, where another module was given.
pub fn print_beside(variants: &[Variant], costs: &Costs) {
    let pairs = variants.iter().filter_map(|variant| {
        let other = variants.iter().find(|other| other.name.strip_prefix(BESIDE) == Some(variant.name))?;
        Some((variant, ratio(&costs.beyond(variant.name, variant.bare), &costs.beyond(other.name, other.bare))))
    });
    for (index, (variant, Summary { median, lower, upper })) in pairs.enumerate() {
        if index == 0 {
            println!("Deltas of this module / of the other one.\n\n| | ratio | middle half |\n|---|---|---|");
        }
        println!("| {} | {median:.3} | {lower:.3}..{upper:.3} |", variant.title);
    }
    println!();
}

/// A row of what is held against a target.
struct Target {
    title: &'static str,
    unit: &'static str,
    target: f64,
    measured: Summary,
    /// What a module takes that only makes the calls without which it cannot be done, where there is one: no wasm filter
    /// that leaves arithmetic to the host can be below.
    floor: Option<Summary>,
}

/// Of the medians: in a single round a small divisor can be anything. The ends are those of single rounds.
fn ratio(parts: &[f64], wholes: &[f64]) -> Summary {
    let median = |values: &[f64]| Summary::of(values.iter().copied()).median;
    let rounds = Summary::of(parts.iter().zip(wholes).map(|(part, whole)| part / whole));
    Summary { median: median(parts) / median(wholes), ..rounds }
}

/// The targets are fractions of what Envoy's own filter takes, where it has something to compare.
fn targets(costs: &Costs, startup: &Startup) -> Vec<Target> {
    let native = costs.beyond("native", BARE);
    let of_native = |name, bare| ratio(&costs.beyond(name, bare), &native);
    let refused = |ours, native| ratio(&costs.beyond(ours, BARE), &costs.beyond(native, BARE));
    let jwks = ratio(costs.total("jwks"), costs.total("jwks-direct"));
    let cached = Summary::of(costs.beyond("verify-cached", "native-cached"));
    let [verify, host] = ["only-verify", "verify-host"].map(|name| costs.beyond(name, BARE));
    let remote = ratio(&costs.beyond("verify-remote", BARE), &host);
    let sign = costs.beyond("only-sign", BARE_WITHOUT_TOKEN);
    let row = |title, unit, target, measured| Target { title, unit, target, measured, floor: None };
    let above = |floor, row| Target { floor: Some(floor), ..row };
    let without_token = |name| of_native(name, BARE_WITHOUT_TOKEN);
    vec![
        above(
            ratio(&verify, &native),
            row("verify, unique tokens, tables / native", "", 0.80, of_native("verify-tables", BARE)),
        ),
        above(
            ratio(&costs.beyond("only-verify-and-accept", BARE), &verify),
            row("verify, unique tokens, host / only the signature", "", 1.15, ratio(&host, &verify)),
        ),
        row("verify, unique tokens, keys that are fetched / keys of the configuration", "", 1.0, remote),
        above(
            Summary::of(costs.beyond("only-accept", "native-cached")),
            row("verify, 5,000 in rotation - native cached", " µs", 1.5, cached),
        ),
        above(ratio(&sign, &native), row("sign each response / native", "", 0.52, without_token("sign-host"))),
        above(
            without_token("only-hand-out"),
            row("identical claims again / native", "", 0.085, without_token("reuse")),
        ),
        above(
            of_native("only-exchange", BARE),
            row("verify a unique token and sign, tables / native", "", 1.25, of_native("exchange-tables", BARE)),
        ),
        above(
            ratio(costs.total("only-publish"), costs.total("jwks-direct")),
            row("JWKS, total / `direct_response`, total", "", 1.2, jwks),
        ),
        above(
            refused("only-deny", "native-junk"),
            row("junk refused / native refusing it", "", 1.0, refused("junk", "native-junk")),
        ),
        row("expired refused / native refusing it", "", 1.0, refused("expired", "native-expired")),
        row("bad signature refused / native refusing it", "", 1.0, refused("forged", "native-forged")),
        row("memory beyond no wasm, concurrency 1", " MB", 44.0, startup.memory),
        row("memory of a further worker", " MB", 2.0, startup.worker),
        row("time to ready beyond no wasm", " ms", 300.0, startup.ready),
    ]
}

pub fn print_targets(costs: &Costs, startup: &Startup) {
    println!("| | target | measured | middle half | floor | |\n|---|---|---|---|---|---|");
    for Target { title, unit, target, measured: Summary { median, lower, upper }, floor } in targets(costs, startup) {
        let verdict = if median <= target { "met" } else { "MISSED" };
        let floor = floor.map_or_else(String::new, |floor| format!("{:.3}{unit}", floor.median));
        println!("| {title} | {target}{unit} | {median:.3}{unit} | {lower:.3}..{upper:.3} | {floor} | {verdict} |");
    }
    let Summary { median, lower, upper } = startup.cpu;
    println!("\nCPU time until ready beyond no wasm, all threads: {median:.0} ms ({lower:.0}..{upper:.0}).\n");
}

//! What it costs that several Envoys accept each token once, beside one that remembers by itself.

use std::time::Duration;

use serde_json::Value;

use crate::cpu;
use crate::load::Load;
use crate::rig::{Expected, Rig};
use crate::statistics::{Summary, real};
use crate::support::envoy::free_port;
use crate::support::fleet::{Fleet, Server, of_a};
use crate::support::sample::Sample;
use crate::tokens::Folder;

const ROUNDS: usize = 9;
const TIME: Duration = Duration::from_millis(700);
/// More than one of the listeners answers in all rounds: each passes once.
const TOKENS: usize = 60_000;

/// Microseconds of a request: of Envoy's workers, of the service and of Redis.
type Costs = [f64; 3];

pub fn print(folder: &Folder) {
    eprintln!("fleet");
    let Some(Fleet { samples: [sample, _], envoys: [envoy, _other], service, redis, .. }) = Fleet::start(add_alone)
    else {
        return;
    };
    let tokens: Vec<_> = (0..TOKENS).map(|number| of_a(&format!("{number:022}"))).collect();
    let tokens = folder.write("fleet", &tokens);
    let names = ["alone", "fleet"];
    let loads = names.map(|name| Load::new(folder.path(), name, "/", vec![], Some(&tokens)));
    let ports = names.map(|name| (name.to_owned(), sample.port(name))).into();
    let rig = Rig { envoy, ports };
    let measure = |index: usize| measure(&rig, names[index], &loads[index], [&service, &redis]);
    let rounds: Vec<[Costs; 2]> = (0..=ROUNDS).map(|_| [0, 1].map(measure)).skip(1).collect();
    println!("Once in a fleet: CPU in µs of a request of `envoy/fleet.yaml`, and the middle half.\n");
    println!("| | Envoy | rate limit service | Redis |\n|---|---|---|---|");
    for (index, title) in ["without the rate limit filter: `replay` alone", "with it"].iter().enumerate() {
        let of = |part: usize| {
            let Summary { median, lower, upper } = Summary::of(rounds.iter().map(|round| round[index][part]));
            format!("{median:.0} ({lower:.0}..{upper:.0})")
        };
        println!("| {title} | {} | {} | {} |", of(0), of(1), of(2));
    }
    println!();
}

/// The same listener once more, without the rate limit filter.
fn add_alone(sample: &mut Sample) {
    let listeners = sample.bootstrap["static_resources"]["listeners"].as_array_mut().unwrap();
    let mut alone = listeners[0].clone();
    alone["name"] = "alone".into();
    alone["address"]["socket_address"]["port_value"] = free_port().into();
    let manager = &mut alone["filter_chains"][0]["filters"][0]["typed_config"];
    manager["stat_prefix"] = "alone".into();
    let filters = manager["http_filters"].as_array_mut().unwrap();
    filters[0]["typed_config"]["config"]["name"] = "alone".into();
    let limit = filters.remove(1);
    assert_eq!(limit["name"], Value::from("once-in-the-fleet"));
    listeners.push(alone);
}

fn measure(rig: &Rig, listener: &str, load: &Load, servers: [&Server; 2]) -> Costs {
    let of = |servers: [&Server; 2]| servers.map(|server| cpu::of_process(server.id()));
    let before = of(servers);
    let cost = rig.measure(listener, load, Expected::PASSES, TIME);
    let [service, redis] = of(servers);
    let each = |nanoseconds: u64| real(nanoseconds / 1000) / real(cost.requests);
    [cost.each(), each(service - before[0]), each(redis - before[1])]
}

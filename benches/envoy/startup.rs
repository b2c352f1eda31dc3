//! What the filter costs before the first request and beside the requests: the time until Envoy is ready, and memory.

use std::time::Instant;

use serde_json::json;

use crate::cpu;
use crate::listeners::{answering, ours};
use crate::load::TOKEN;
use crate::rig::{Plan, Rig};
use crate::statistics::{Summary, real};
use crate::support::http::Connection;
use crate::tokens::Folder;
use crate::variants::verifier;

/// With the filter, beyond an Envoy without wasm.
pub struct Startup {
    /// MB with one worker.
    pub memory: Summary,
    /// MB for each further one.
    pub worker: Summary,
    /// Milliseconds until it is ready.
    pub ready: Summary,
    /// Milliseconds of CPU until then: what others do on the machine changes it less.
    pub cpu: Summary,
}

/// Starts of the two Envoys take turns.
pub fn measure(folder: &Folder, starts: usize) -> Startup {
    let (mut memory, mut worker, mut ready, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let tokens = std::fs::read_to_string(&folder.rotation).unwrap();
    for _ in 0..starts {
        let [without, with] = [false, true].map(|wasm| {
            let start = Instant::now();
            let rig = plan(wasm).start("1");
            let elapsed = start.elapsed().as_secs_f64() * 1000.0;
            let cpu = real(cpu::of_process(rig.envoy.id()) / 1000) / 1000.0;
            (elapsed, used(&rig, &tokens), cpu)
        });
        let [without_4, with_4] = [false, true].map(|wasm| used(&plan(wasm).start("4"), &tokens));
        ready.push(with.0 - without.0);
        cpu.push(with.2 - without.2);
        memory.push(with.1 - without.1);
        worker.push(((with_4 - with.1) - (without_4 - without.1)) / 3.0);
    }
    let [memory, worker, ready, cpu] = [memory, worker, ready, cpu].map(Summary::of);
    Startup { memory, worker, ready, cpu }
}

fn plan(wasm: bool) -> Plan {
    let filters = if wasm { vec![ours("verifier", &verifier("auto", &json!({})))] } else { vec![] };
    let mut plan = Plan::default();
    plan.listen("gateway", |port| answering("gateway", port, filters, None));
    plan
}

/// Resident MB after a thousand requests over so many connections that every worker has some.
fn used(rig: &Rig, tokens: &str) -> f64 {
    let mut connections: Vec<_> = (0..20).map(|_| Connection::new(&rig.url("gateway"))).collect();
    let mut tokens = tokens.lines();
    for _ in 0..50 {
        for connection in &mut connections {
            let answer = connection.get("/", &[(TOKEN, tokens.next().unwrap().as_bytes())]);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    f64::from(cpu::resident(rig.envoy.id())) * 1.024e-3
}

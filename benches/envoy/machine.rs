//! The machine that is measured on, and whether it was ours alone.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Instant;

use crate::statistics::real;
use crate::support;

/// Of the kernel's times in `/proc`, everywhere.
const TICKS_A_SECOND: f64 = 100.0;

pub fn print() {
    let version = Command::new(support::envoy::binary()).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let size = fs::metadata(support::path("target/wristband.wasm")).expect("`make build` makes the filter").len();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|model| model.1);
    println!("- processor: {}", model.unwrap_or("unknown"));
    println!("- cores: {}", available_parallelism().unwrap());
    println!("- Envoy: {}", version.trim().rsplit("version: ").next().unwrap());
    println!("- target/wristband.wasm: {size} bytes");
}

/// What others make of the machine while an Envoy is measured. Caches and clock rates are shared, so a figure from a
/// machine that others use is not one.
pub struct Watch {
    start: Instant,
    envoy: u32,
    busy: u64,
    ours: u64,
}

impl Watch {
    pub fn begin(envoy: u32) -> Self {
        Self { start: Instant::now(), envoy, busy: busy(), ours: ours(envoy) }
    }

    /// The share of all cores that others had since then, in per cent.
    pub fn others(&self) -> f64 {
        let (busy, ours) = (busy() - self.busy, ours(self.envoy) - self.ours);
        let cores = real(u64::try_from(available_parallelism().unwrap().get()).unwrap());
        let all = self.start.elapsed().as_secs_f64() * TICKS_A_SECOND * cores;
        real(busy.saturating_sub(ours)) / all * 100.0
    }
}

/// Of the whole machine: user, nice, system, interrupts, and what a hypervisor gave to its other guests.
fn busy() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let ticks = numbers(text.lines().next().unwrap());
    [0, 1, 2, 5, 6, 7].iter().map(|index| ticks[*index]).sum()
}

/// Of Envoy, of this process, and of its children that have ended: the load generators.
fn ours(envoy: u32) -> u64 {
    let of = |process: &str, times: &[usize]| -> u64 {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The name before it may hold blanks. Then come the state and, eleven numbers later, the times.
        let (_, rest) = text.rsplit_once(')').unwrap();
        let ticks = numbers(rest);
        times.iter().map(|index| ticks[10 + *index]).sum()
    };
    of("self", &[0, 1, 2, 3]) + of(&envoy.to_string(), &[0, 1])
}

/// The numbers after the first word.
fn numbers(line: &str) -> Vec<u64> {
    line.split_ascii_whitespace().skip(1).map(|word| word.parse().unwrap_or(0)).collect()
}

//! `seeds TARGET FOLDER` writes what a target begins with.

// Without its runtime what is instrumented does not link.
use libfuzzer_sys as _;

fn main() {
    let [name, folder] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("TARGET FOLDER");
    for (index, seed) in (wristband_fuzz::target(&name).seeds)().iter().enumerate() {
        std::fs::write(format!("{folder}/{index}"), seed).expect("a file");
    }
}

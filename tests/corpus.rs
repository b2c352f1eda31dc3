//! The corpus of `make fuzz` and the seeds of its targets, natively: what was found once stays mended.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::string_slice)]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// Runs what is in the target's folder, by name, and its seeds.
fn run_all(name: &str) {
    let target = fuzz::target(name);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    assert!(!files.is_empty(), "{}", folder.display());
    let seeds = (target.seeds)().into_iter().enumerate().map(|(index, seed)| (format!("seed {index}"), seed));
    for (place, input) in files.into_iter().chain(seeds) {
        assert!(catch_unwind(|| (target.run)(&input)).is_ok(), "{name}: {place}");
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run_all(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(fuzz::TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

targets! { configuration credentials encodings es256 expressions keys replay requests tokens }

//! What the architecture promises, checked on the source.

#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 10);
    found
}

/// No file outside of these folders mentions any of these words in its code.
fn only_in(folders: &[&str], words: &[&str]) {
    for (path, text) in sources() {
        if folders.iter().any(|folder| path.to_string_lossy().contains(folder)) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let code = line.trim_start();
            let mentions = words.iter().any(|word| code.contains(word));
            assert!(code.starts_with("//") || !mentions, "{}:{}: {line}", path.display(), index + 1);
        }
    }
}

#[test]
fn only_the_adapter_knows_the_host() {
    only_in(&["src/envoy"], &["proxy_wasm", "extern \"C\"", "unsafe "]);
}

#[test]
fn the_core_has_no_clock_no_environment_and_no_randomness_of_its_own() {
    only_in(&["src/envoy"], &["SystemTime", "Instant::now", "std::env", "getrandom", "thread_rng", "Utc::now"]);
}

#[test]
fn only_the_key_module_knows_a_signature_scheme() {
    only_in(&["src/key", "src/testing.rs", "tests.rs"], &["p256::", "x509_cert::", "sec1::"]);
}

#[test]
fn nothing_of_the_core_is_shared_between_threads_or_kept_in_globals() {
    only_in(&[], &["static mut", "thread_local!", "OnceLock", "LazyLock", "Mutex<", "Arc<"]);
}

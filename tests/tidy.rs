//! What the architecture promises, checked on the source.

#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every source, by its path in the repository.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
    collect(&root.join("src"), &mut found);
    assert!(found.len() > 10);
    found.into_iter().map(|(path, text)| (path.strip_prefix(root).unwrap().to_owned(), text)).collect()
}

/// No file beside these, or outside of these folders, mentions any of these words in its code.
fn only_in(places: &[&str], words: &[&str]) {
    for (path, text) in sources() {
        if places.iter().any(|place| path.starts_with(place)) {
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
    only_in(&["src/envoy"], &["proxy_wasm", "extern \"C\"", "unsafe_code"]);
}

#[test]
fn the_core_has_no_clock_no_environment_and_no_randomness_of_its_own() {
    only_in(&["src/envoy"], &["SystemTime", "Instant::now", "std::env", "getrandom", "thread_rng", "Utc::now"]);
    // But for the seeds of hashes, which decide nothing.
    only_in(&["src/cache.rs"], &["RandomState"]);
}

#[test]
fn only_keys_and_who_computes_with_them_know_a_signature_scheme() {
    only_in(
        &["src/keys", "src/keys.rs", "src/crypto", "src/verify/tests.rs", "src/testing.rs"],
        &["p256::", "p384::", "p521::", "rsa::", "ed25519_dalek::", "sec1::", "pkcs1::"],
    );
}

#[test]
fn nothing_of_the_core_is_shared_between_threads_or_kept_in_globals() {
    only_in(&[], &["static mut", "thread_local!", "OnceLock", "LazyLock", "Mutex<", "Arc<"]);
}

/// A name in upper case would never be found in a message.
#[test]
fn the_headers_that_the_code_names_are_in_lower_case() {
    let mut names = 0;
    for (path, text) in sources() {
        for rest in text.split("HeaderName::known(\"").skip(1) {
            let (name, _) = rest.split_once('"').unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}: {name}", path.display());
            names += 1;
        }
    }
    assert!(names > 5, "{names}");
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The words that stand as code in a section of the README.
fn words_of(readme: &str, section: &str) -> HashSet<String> {
    let (_, text) = readme.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let words = text.split('`').skip(1).step_by(2).flat_map(|code| {
        code.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').map(str::to_owned)
    });
    words.collect()
}

#[test]
fn the_readme_has_every_denial_with_its_text_and_every_code() {
    let readme = readme();
    for denial in wristband::denial::Denial::ALL {
        let row = format!("| `{}` | {} |", denial.code(), denial.text());
        assert!(readme.contains(&row), "{row}");
    }
    let metrics = words_of(&readme, "Metrics");
    for skip in wristband::issue::Skip::ALL {
        assert!(metrics.contains(skip.code()), "{}", skip.code());
    }
}

/// The fields and words are those that the reading of the configuration names, so a new one cannot be forgotten.
#[test]
fn the_readme_has_every_field_of_the_configuration() {
    let documented = words_of(&readme(), "Configuration");
    let sources = sources();
    let is_read = |path: &Path| path == Path::new("src/config/read.rs") || path.starts_with("src/config/read");
    let read: Vec<_> = sources.iter().filter(|(path, _)| is_read(path)).collect();
    assert!(read.len() > 2);
    let all: String = read.iter().map(|(_, text)| text.as_str()).collect();
    let (before, framing) = all.split_once("const FRAMING").unwrap();
    let (_, after) = framing.split_once("];").unwrap();
    let fields: Vec<_> = before
        .lines()
        .chain(after.lines())
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(|text| text.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter(|text| text.chars().all(|character| character.is_ascii_alphanumeric()))
        .filter(|text| !["http", "https", "authorization"].contains(text))
        .collect();
    assert!(fields.contains(&"bindClientCertificate") && fields.contains(&"maxAge"), "{fields:?}");
    for field in fields {
        assert!(documented.contains(field), "{field}");
    }
}

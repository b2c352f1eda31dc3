//! What the architecture promises, checked on the source.

#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::{HashMap, HashSet};
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

/// A source without its tests, which may use anything.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

/// The modules, in the order in which they are declared.
fn modules() -> Vec<String> {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let modules = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules: Vec<_> = modules.map(str::to_owned).collect();
    assert!(modules.len() > 10);
    modules
}

/// What a source uses of the crate: `use crate::a::b::{..}` and paths in the code.
fn used(text: &str) -> HashSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = code.flat_map(|line| line.split("crate::").skip(1));
    let heads = paths.map(|path| path.split(|character: char| !character.is_alphanumeric() && character != '_').next());
    heads.map(|head| head.unwrap().to_owned()).collect()
}

#[test]
fn a_module_uses_only_those_before_it_in_the_map_so_there_is_no_circle() {
    let modules = modules();
    let floor = |name: &str| modules.iter().position(|module| module == name);
    let mut arrows = 0;
    for (path, text) in sources() {
        let name = path.iter().nth(1).unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(own) = floor(name) else {
            assert!(matches!(name, "lib" | "main" | "testing"), "{name} has no place in the map");
            continue;
        };
        if path.ends_with("tests.rs") || path.iter().any(|part| part == "tests") {
            continue;
        }
        for head in used(without_tests(&text)) {
            let other = floor(&head).unwrap_or_else(|| panic!("{}: crate::{head}", path.display()));
            assert!(other <= own, "{}: {name} uses {head}, which stands behind it in the map", path.display());
            arrows += usize::from(other < own);
        }
    }
    assert!(arrows > 100, "{arrows}");
}

/// Within a module the files form no circle either, but for the one that the module is named after: it has their common
/// types, and they its parts.
#[test]
fn siblings_form_no_circle() {
    let mut arrows: HashMap<String, HashSet<String>> = HashMap::new();
    for (path, text) in sources() {
        let mut parts: Vec<_> =
            path.iter().skip(1).map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
        let name = parts.pop().unwrap();
        let folder = parts.join("::");
        let code: Vec<_> = without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for line in code {
            for prefix in ["super::", &format!("crate::{folder}::")] {
                for path in line.split(prefix).skip(1) {
                    let head = path.split(|character: char| !character.is_alphanumeric() && character != '_').next();
                    arrows
                        .entry(format!("{folder}::{name}"))
                        .or_default()
                        .insert(format!("{folder}::{}", head.unwrap()));
                }
            }
        }
    }
    for start in arrows.keys() {
        let (mut seen, mut next) = (HashSet::new(), vec![start]);
        while let Some(name) = next.pop() {
            for target in arrows.get(name).into_iter().flatten() {
                assert!(target != start, "{start} is reached from itself, by way of {name}");
                if seen.insert(target) {
                    next.push(target);
                }
            }
        }
    }
    assert!(arrows.len() > 20, "{}", arrows.len());
}

/// A file of more holds two things.
#[test]
fn no_file_has_more_than_300_lines_without_its_tests() {
    for (path, text) in sources() {
        let is_test = path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
        let lines = without_tests(&text).lines().count();
        assert!(is_test || lines <= 300, "{}: {lines}", path.display());
    }
}

#[test]
fn the_drawing_has_the_modules_of_the_map_in_their_order() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    let drawing = page.split("```").nth(1).unwrap();
    let drawn = drawing.lines().filter_map(|line| line.split_once("  ").map(|(name, _)| name.to_owned()));
    assert_eq!(drawn.collect::<Vec<_>>(), modules());
    // Every file that the page names is there.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = page.split('`').skip(1).step_by(2).filter(|code| code.ends_with(".rs") && !code.starts_with("src/"));
    for file in files.filter(|file| !file.starts_with("tests/")) {
        assert!(root.join(file).exists(), "{file}");
    }
}

#[test]
fn only_the_adapter_knows_the_host() {
    only_in(&["src/envoy"], &["proxy_wasm", "extern \"C\"", "unsafe_code"]);
}

#[test]
fn the_core_has_no_clock_no_environment_and_no_randomness_of_its_own() {
    // And but for a test that is told where the module is.
    only_in(
        &["src/envoy", "src/envoy.rs", "src/cli", "src/crypto/tables/tests/compiled.rs"],
        &["SystemTime", "Instant::now", "std::env", "getrandom", "thread_rng", "Utc::now"],
    );
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
    // What the VM keeps for the next configuration, and where its clock begins; and a computation that is looked at by a test.
    only_in(&["src/envoy.rs", "src/envoy/renewal.rs", "src/crypto/tables/tests"], &["thread_local!"]);
    only_in(&[], &["static mut", "OnceLock", "LazyLock", "Mutex<", "Arc<"]);
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

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The words that stand as code in a section of a page.
fn words_of(page: &str, section: &str) -> HashSet<String> {
    let (_, text) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let words = text.split('`').skip(1).step_by(2).flat_map(|code| {
        code.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').map(str::to_owned)
    });
    words.collect()
}

#[test]
fn the_pages_have_every_denial_with_its_text_and_every_code() {
    let denials = page("docs/verifying.md");
    for denial in wristband::denial::Denial::ALL {
        let row = format!("| `{}` | {} |", denial.code(), denial.text());
        assert!(denials.contains(&row), "{row}");
    }
    let metrics = words_of(&page("docs/monitoring.md"), "Metrics");
    for skip in wristband::issue::Skip::ALL {
        assert!(metrics.contains(skip.code()), "{}", skip.code());
    }
}

/// Every page for people.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_ours = ["docs", "deploy", "testdata"].iter().any(|name| path.starts_with(root.join(name)));
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// What GitHub calls a heading in links.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !place.is_empty() {
                let headings = fs::read_to_string(&target).unwrap();
                let mut headings = headings.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#')) == place);
                assert!(is_there, "{}: {link}", path.display());
            }
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
}

/// A page that one reads in five minutes.
#[test]
fn the_readme_is_short() {
    assert!(page("README.md").lines().count() <= 120);
}

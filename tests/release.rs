//! What a release promises: the pages around it, what is linked into it, and how it is made.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

const PAGES: [&str; 5] = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/compatibility.md", "docs/image.md"];

/// The pieces of a page that stand as code, and the lines of its commands.
fn code(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).flat_map(|rest| rest.split("```").next().unwrap().lines());
    let inline = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    blocks.chain(inline).map(str::to_owned).collect()
}

#[test]
fn the_pages_name_targets_files_and_sections_that_are_there() {
    let makefile = read("Makefile");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut targets, mut files) = (BTreeSet::new(), 0);
    for name in PAGES {
        let page = read(name);
        for piece in code(&page) {
            for target in piece.split("make ").skip(1) {
                let target = target.trim_start_matches("-s ");
                let target = target.split(|letter: char| !letter.is_ascii_lowercase() && letter != '-').next().unwrap();
                assert!(makefile.contains(&format!("\n{target}:")), "{name}: make {target}");
                targets.insert(target.to_owned());
            }
        }
        let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.starts_with("https://")) {
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let target = root.join(name).parent().unwrap().join(file);
            let text = fs::read_to_string(&target).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
            let mut headings = text
                .lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace('`', "").replace(' ', "-"));
            assert!(section.is_empty() || headings.any(|heading| heading == section), "{name}: {link}");
            files += 1;
        }
    }
    assert!(targets.contains("check") && targets.contains("dist") && files > 5, "{targets:?} {files}");
}

/// A table without a row for a version would say nothing about it, and look as if it did.
#[test]
fn each_envoy_of_the_makefile_has_its_row_and_the_one_of_make_test_stands_first() {
    let makefile = read("Makefile");
    let value = |name: &str| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(&format!("{name} := "))).unwrap();
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let versions = value("VERSIONS");
    let page = read("docs/compatibility.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| 1.")?.split(' ').next());
    assert_eq!(rows.map(|rest| format!("1.{rest}")).collect::<Vec<_>>(), versions);
    assert_eq!(versions[..1], value("ENVOY_VERSION"));
    assert!(versions.contains(&value("ENVOY_WITHOUT_SIGN_VERSION")[0]));
}

#[test]
fn the_changelog_has_this_version_or_what_is_to_become_it() {
    let page = read("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    let first = page.lines().find_map(|line| line.strip_prefix("## ")).unwrap();
    let is_to_come = first == "[Unreleased]" && page.contains(&format!("This will be {version}, "));
    assert!(is_to_come || first.starts_with(&format!("[{version}] - 20")), "{first}");
}

/// Each default that the changelog names is that of the reference, which is made of the code.
#[test]
fn what_an_operator_has_to_do_is_what_the_filter_asks_for() {
    let (changelog, reference) = (read("CHANGELOG.md"), read("docs/configuration.md"));
    let mut defaults = 0;
    for (path, rest) in changelog.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` is `")) {
        let (default, _) = rest.split_once("` by default").unwrap();
        let (section, field) = path.rsplit_once('.').unwrap();
        let (_, table) = reference.split_once(&format!("## `{section}`\n")).unwrap_or_else(|| panic!("{section}"));
        let row = table.split("\n## ").next().unwrap().lines().find(|line| line.starts_with(&format!("| `{field}` |")));
        assert!(row.unwrap_or_else(|| panic!("{path}")).contains(&format!(" | `{default}` | ")), "{path}: {row:?}");
        defaults += 1;
    }
    assert_eq!(defaults, 4);

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plugin.yaml");
    let key = read("testdata/worthless-keys/cluster-b-2026-10.pub.pem").replace('\n', "\n        ");
    let peer = format!(
        "peers:\n- issuer: https://b.example\n  keys:\n  - name: b\n    algorithm: ES256\n    key:\n      inlineString: |\n        {key}\n"
    );
    let check = |configuration: &str| {
        fs::write(&file, configuration).unwrap();
        let command = ["check", "--assume-keys", file.to_str().unwrap()];
        let output = Command::new(env!("CARGO_BIN_EXE_wristband")).args(command).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let allowed = format!("verify: {{}}\nallowWorthlessKeys: true\n{peer}");
    assert!(check(&allowed).0, "{:?}", check(&allowed));
    for (configuration, path) in [
        (format!("verify: {{}}\n{peer}"), "peers[0].keys[0].key: "),
        (format!("{allowed}  publish: true\n"), "peers[0].publish: "),
    ] {
        let (passed, problems) = check(&configuration);
        assert!(!passed && problems.contains(path), "{path} {problems}");
    }
}

/// The crates that are linked into the module and the command, with their licences.
fn linked() -> BTreeSet<(String, String)> {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut found = BTreeSet::new();
    for target in ["wasm32-wasip1", host] {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"])
            .args(["--format", "{p}|{l}", "--target", target])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        found.extend(text.lines().map(|line| line.split_once('|').unwrap()).map(|(name, licence)| {
            let name = name.split(' ').take(2).collect::<Vec<_>>().join(" ");
            (name, licence.to_owned())
        }));
    }
    assert!(found.len() > 100, "{}", found.len());
    found
}

#[test]
fn no_pre_release_is_linked_and_no_licence_that_nobody_looked_at() {
    let accepted = read("deploy/about.toml");
    let is_accepted = |licence: &str| accepted.contains(&format!("\"{licence}\""));
    for (name, licence) in linked() {
        let (_, version) = name.split_once(" v").unwrap();
        let version = version.split('+').next().unwrap();
        assert!(!version.contains('-'), "{name}");
        let mut choices = licence.split(" OR ").flat_map(|choice| choice.split('/'));
        assert!(choices.any(|choice| choice.split(" AND ").all(is_accepted)), "{name}: {licence}");
    }
}

/// A tag can be moved by whoever owns it.
#[test]
fn workflows_use_actions_by_their_commit_and_ask_for_no_more_than_they_need() {
    for name in ["ci", "release"] {
        let workflow = read(&format!(".github/workflows/{name}.yml"));
        let actions = workflow.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, action)| action);
        for action in actions.filter(|action| !action.starts_with("./")) {
            let commit = action.split_once('@').unwrap().1.split(' ').next().unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
        }
        let granted = workflow.matches(": write").count();
        assert_eq!(granted, usize::from(name == "release"), "{name}");
        assert!(workflow.contains("\npermissions:"), "{name}");
    }
}

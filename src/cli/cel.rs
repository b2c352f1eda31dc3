//! Expressions: parsed here, or compiled by a real Envoy.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path as File;
use std::process::Command;
use std::thread::{Builder, JoinHandle};

use serde_json::{Value, json};

use crate::jose::path::{Path, harmless};

/// Every expression of a configuration, and its place.
pub(super) fn expressions(configuration: &Value) -> Vec<(Path, &str)> {
    let mut found = Vec::new();
    if let Some(issue) = configuration.get("issue") {
        for name in ["identity", "subject", "when", "customClaims"] {
            if let Some(value) = issue.get(name) {
                collect(value, &Path::of(&["issue", name]), &mut found);
            }
        }
    }
    found
}

fn collect<'v>(value: &'v Value, path: &Path, found: &mut Vec<(Path, &'v str)>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, &path.item(index), found));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let inner = path.member(name);
                match member {
                    Value::String(text) if matches!(name.as_str(), "expression" | "request" | "response") => {
                        found.push((inner, text));
                    }
                    // A fixed value is none, whatever is in it.
                    _ if name == "value" => {}
                    _ => collect(member, &inner, found),
                }
            }
        }
        _ => {}
    }
}

/// How deep an expression may nest, which is what the parser takes, and how many bytes of one are looked at here.
const DEEPEST: usize = 90;
const LONGEST: usize = 32_768;
/// Bytes of stack for the parser, which calls itself for whatever stands inside of something, and for each of many operands.
const STACK: usize = 1 << 28;

/// Why a text is no CEL, with the position.
pub(super) fn problem(expression: &str) -> Option<String> {
    if expression.len() > LONGEST {
        return Some(format!("it has more than {LONGEST} bytes"));
    }
    if nesting(expression) > DEEPEST {
        return Some(format!("it nests deeper than {DEEPEST} levels"));
    }
    let source = expression.to_owned();
    let parse = move || cel::Program::compile(&source).err().map(|error| error.to_string());
    let parser = Builder::new().stack_size(STACK).spawn(parse);
    let error = match parser.map(JoinHandle::join) {
        Ok(Ok(error)) => error?,
        _ => "the parser gave up".to_owned(),
    };
    Some(first(&error))
}

/// The first mistake, `LINE:COLUMN: WHAT`. The text itself stands in the file; it may be a key by mistake.
fn first(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let line = line.strip_prefix("ERROR: <input>:").unwrap_or(line);
    let is_harmless = line.split_whitespace().all(|word| harmless(word.trim_matches('\'')).is_some());
    if is_harmless {
        return line.to_owned();
    }
    let place: Vec<_> = line.splitn(3, ':').take(2).collect();
    format!("{}: syntax error", place.join(":"))
}

/// The most brackets that are open at a time. Those in texts count too.
fn nesting(expression: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open = open.saturating_add(1),
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// What an Envoy says of an expression: `None` when it compiles it.
///
/// It is asked with an access log that has the expression for its filter, and nothing else: no listener is opened, and no module
/// is needed.
pub(super) fn envoys_problem(envoy: &File, expression: &str) -> Result<Option<String>, String> {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let log = json!({
        "name": "log",
        "filter": {"extension_filter": {"name": "cel", "typed_config": {
            "@type": kind("access_loggers.filters.cel.v3.ExpressionFilter"), "expression": expression}}},
        "typed_config": {"@type": kind("access_loggers.stream.v3.StdoutAccessLog")},
    });
    let manager = json!({
        "@type": kind("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "check", "route_config": {}, "access_log": [log],
        "http_filters": [{"name": "router", "typed_config": {"@type": kind("filters.http.router.v3.Router")}}],
    });
    let bootstrap = json!({"static_resources": {"listeners": [{
        "name": "check",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }]}});
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    let file = std::env::temp_dir().join(format!("wristband-check-{:016x}.json", u64::from_le_bytes(random)));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let written = opened.and_then(|mut file| file.write_all(bootstrap.to_string().as_bytes()));
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    let output = Command::new(envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(&file).output();
    let _ = std::fs::remove_file(&file);
    let output = output.map_err(|error| format!("{}: {error}", envoy.display()))?;
    // So that nothing passes that something else than an Envoy was asked about.
    if output.status.success() && output.stdout.trim_ascii_end().ends_with(b" OK") {
        return Ok(None);
    }
    let log = String::from_utf8_lossy(&output.stderr);
    let line = log.lines().find_map(|line| line.split_once(".json': ").map(|(_, problem)| problem.to_owned()));
    line.map(Some).ok_or_else(|| format!("{} does not say whether it compiles an expression", envoy.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_a_file_the_parser_comes_back() {
        for part in ["(", "[", "{1:", "a.b(", "!", "-", "a?b:", "a&&", "a+", "a.b"] {
            for count in [100, 2_000, 10_000, 16_000] {
                problem(&format!("{}a", part.repeat(count)));
            }
        }
        let deepest = |depth: usize| problem(&format!("{}a{}", "(".repeat(depth), ")".repeat(depth)));
        assert_eq!(deepest(DEEPEST), None);
        assert_eq!(deepest(DEEPEST + 1).as_deref(), Some("it nests deeper than 90 levels"));
        assert_eq!(problem("a == 'b'"), None);
        let mistake = problem("a ==\n == b").unwrap();
        assert!(mistake.starts_with("2:2: Syntax error: extraneous input '=='"), "{mistake}");
        let key = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
        assert!(!problem(&format!("a {key}")).unwrap().contains(key));
    }
}

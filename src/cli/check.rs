//! `check`: all that is wrong with the configurations in some files, each with its place.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::document::Place;
use super::find::{self, Found};
use super::host::Shell;
use super::output::{Failure, note, print, print_json};
use super::{Output, cel, envoys, input};
use crate::compile;

/// How to check.
pub(super) struct Options {
    pub(super) assume_keys: bool,
    pub(super) strict: bool,
    pub(super) envoy: Option<PathBuf>,
    pub(super) output: Output,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The filter refuses it, or cannot work.
    Error,
    /// It is allowed, and seldom meant.
    Warning,
    /// It is worth a thought.
    Hint,
}

/// Something that is to be said.
#[derive(Debug, Serialize)]
struct Problem {
    file: String,
    line: usize,
    column: usize,
    /// In the configuration, or in what is around it.
    path: String,
    severity: Severity,
    message: String,
}

#[derive(Serialize)]
struct Report {
    problems: Vec<Problem>,
}

/// The beginning of what the filter says of a variable that is not there.
const MISSING_VARIABLE: &str = "the environment variable";

/// The beginning of what the filter says of an expression that Envoy does not compile.
const NO_CEL: &str = "not a CEL expression";

/// Checks files, and prints what is to be said of them.
pub(super) fn run(files: &[PathBuf], options: Options, env_file: Option<&Path>) -> Result<ExitCode, Failure> {
    let host = Shell::new(env_file)?;
    let mut problems = Vec::new();
    let mut is_unreadable = false;
    let mut without = Vec::new();
    for file in files {
        let mut of_file = Vec::new();
        match check(file, &options, &host, &mut of_file) {
            Ok(true) => {}
            Ok(false) => without.push(name(file)),
            // The others are worth a look.
            Err(failure) => {
                note(&format!("wristband: {failure}"));
                is_unreadable = true;
            }
        }
        of_file.sort_by_key(|problem| (problem.line, problem.column));
        problems.append(&mut of_file);
    }
    // Among others there may be such files; of nothing but them something is wrong.
    let severity = if without.len() < files.len() { Severity::Hint } else { Severity::Error };
    for file in without {
        let message = "no configuration of wristband is in it".to_owned();
        problems.push(Problem { file, line: 1, column: 1, path: String::new(), severity, message });
    }
    let count = |severity| problems.iter().filter(|problem: &&Problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match options.output {
        Output::Json => {
            print_json(&Report { problems })?;
        }
        Output::Text => {
            print(&problems.iter().map(line).collect::<String>())?;
            let of = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
            note(&format!("{}, {}", of(errors, "error"), of(warnings, "warning")));
        }
    }
    let is_no = errors > 0 || options.strict && warnings > 0;
    Ok(if is_unreadable { ExitCode::from(2) } else { ExitCode::from(u8::from(is_no)) })
}

fn line(problem: &Problem) -> String {
    let Problem { file, line, column, path, severity, message } = problem;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "hint",
    };
    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
    format!("{file}:{line}:{column}: {severity}: {path}{message}\n")
}

/// A file as its problems name it.
fn name(file: &Path) -> String {
    if file == Path::new("-") { "-".to_owned() } else { file.display().to_string() }
}

/// Whether there is a configuration in a file, or could be.
fn check(file: &Path, options: &Options, host: &Shell, problems: &mut Vec<Problem>) -> Result<bool, Failure> {
    let source = input::text(file)?;
    let name = name(file);
    let mut say = |Place { line, column }: Place, path: String, severity: Severity, message: String| {
        problems.push(Problem { file: name.clone(), line, column, path, severity, message });
    };
    let found = match find::configurations(&source) {
        Ok(found) => found,
        Err(error) => {
            say(error.place, String::new(), Severity::Error, format!("cannot be read: {}", error.message));
            return Ok(true);
        }
    };
    for found in &found {
        of_configuration(found, options, host, &mut say);
        if let Some(envoy) = &options.envoy {
            of_envoy(found, envoy, &mut say)?;
        }
        for remark in envoys::remarks(found) {
            say(remark.place, remark.path, remark.severity, remark.message);
        }
    }
    Ok(!found.is_empty())
}

/// What the filter says of a configuration.
fn of_configuration(
    found: &Found,
    options: &Options,
    host: &Shell,
    say: &mut impl FnMut(Place, String, Severity, String),
) {
    for path in &found.doubles {
        let message = "stands twice, and Envoy keeps the last without a word; make one of both".to_owned();
        say(found.place_of(path), path.to_string(), Severity::Error, message);
    }
    let examined = compile::examine(&found.bytes, host);
    let value = found.value().unwrap_or_default();
    let expressions = cel::expressions(&value);
    for mut problem in examined.errors {
        // Here there is no log of Envoy's in which more stands.
        if problem.message.starts_with(NO_CEL)
            && let Some((_, expression)) = expressions.iter().find(|(path, _)| *path == problem.path)
            && let Some(why) = cel::problem(expression)
        {
            problem.message = format!("not a CEL expression: {why}");
        }
        let is_key = problem.message.starts_with(MISSING_VARIABLE) && options.assume_keys;
        // What Envoy or a control plane has to be told of it is looked at by itself.
        if let Some((what, _)) = problem.message.split_once("; set it, and list it in ") {
            problem.message = format!("{what}; set it here, or give it in --env-file");
        }
        let severity = if is_key { Severity::Warning } else { Severity::Error };
        let mut place = found.place_of(&problem.path);
        if let Some(inside) = syntax(&problem.message) {
            place = found.place_in(inside);
            problem.message = "not valid JSON".to_owned();
        }
        say(place, problem.path.to_string(), severity, problem.message);
    }
    let in_force = examined.compiled.map(|compiled| compiled.report.warnings).unwrap_or_default();
    for problem in examined.warnings.into_iter().chain(in_force) {
        say(found.place_of(&problem.path), problem.path.to_string(), Severity::Warning, problem.message);
    }
}

/// The place that a message names itself: that of a mistake in JSON's syntax.
fn syntax(message: &str) -> Option<Place> {
    let (line, column) = message.strip_prefix("not valid JSON at line ")?.split_once(", column ")?;
    Some(Place { line: line.parse().ok()?, column: column.parse().ok()? })
}

/// What Envoy itself says of the expressions that can be parsed.
fn of_envoy(found: &Found, envoy: &Path, say: &mut impl FnMut(Place, String, Severity, String)) -> Result<(), Failure> {
    let value = found.value().unwrap_or_default();
    for (path, expression) in cel::expressions(&value) {
        if cel::problem(expression).is_some() {
            continue;
        }
        if let Some(why) = cel::envoys_problem(envoy, expression).map_err(Failure::Usage)? {
            say(found.place_of(&path), path.to_string(), Severity::Error, format!("Envoy does not compile it: {why}"));
        }
    }
    Ok(())
}

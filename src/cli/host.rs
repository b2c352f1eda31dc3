//! The command as the host of the core: it has a clock, variables and randomness, and Envoy's expressions it can only parse.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::host::{Crypto, ExpressionId, Expressions, Function, Host, Setup, Written};
use crate::time::{Moment, Timestamp};

/// The host.
pub(super) struct Shell {
    /// In the place of the process's own.
    variables: Option<HashMap<String, String>>,
    expressions: RefCell<u32>,
}

impl Shell {
    /// With the variables of a file of lines `NAME=VALUE`, or those of the process. In a value `\n` is a line feed, so that a
    /// key fits into a line.
    pub(super) fn new(env_file: Option<&Path>) -> Result<Self, String> {
        let variables = match env_file {
            None => None,
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
                Some(text.lines().filter_map(variable).collect())
            }
        };
        Ok(Self { variables, expressions: RefCell::default() })
    }
}

fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    let value = if is_quoted('"') || is_quoted('\'') { value.get(1..value.len().saturating_sub(1))? } else { value };
    Some((name.trim().to_owned(), value.replace("\\n", "\n")))
}

impl Crypto for Shell {
    fn call(&self, _: Function, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}

impl Setup for Shell {
    fn now(&self) -> Timestamp {
        now()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        match &self.variables {
            Some(variables) => variables.get(name).map(|value| value.clone().into_bytes()),
            None => std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes),
        }
    }

    fn plugin_name(&self) -> String {
        String::new()
    }

    fn reserve(&self, _: &str) -> bool {
        true
    }
}

/// What the clock shows.
pub(super) fn now() -> Timestamp {
    Timestamp::of_clock(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok())
}

impl Expressions for Shell {
    /// Whether it is CEL; what Envoy's attributes are, only Envoy knows.
    fn compile(&self, source: &str) -> Option<ExpressionId> {
        cel::Program::compile(source).ok()?;
        let mut count = self.expressions.borrow_mut();
        *count = count.saturating_add(1);
        Some(ExpressionId(*count))
    }

    fn discard(&self, _: ExpressionId) {}
}

impl Host for Shell {
    fn moment(&self) -> Moment {
        Moment::default()
    }

    fn evaluate(&self, _: ExpressionId) -> Option<Vec<u8>> {
        None
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        None
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        None
    }

    fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
        Some((Vec::new(), 1))
    }

    fn share(&self, _: &str, _: &[u8], _: u32) -> Written {
        Written::Done
    }
}

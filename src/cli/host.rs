//! The command as the host of the core: it has a clock, variables and randomness, and Envoy's expressions it can only parse.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::input;
use super::output::Failure;
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
    /// key fits into a line; what stands around a key may be in any encoding, as in a variable of the process.
    pub(super) fn new(env_file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = env_file else {
            return Ok(Self { variables: None, expressions: RefCell::default() });
        };
        let bytes = Zeroizing::new(input::bytes(file)?);
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let mut variables = HashMap::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                // What stands there may be a part of a key.
                let place = format!("{}:{}", input::shown(file), index.saturating_add(1));
                let expected = "expected NAME=VALUE; in VALUE, a line feed is written \\n";
                let (name, value) = variable(line).ok_or_else(|| Failure::Usage(format!("{place}: {expected}")))?;
                variables.insert(name, value);
            }
        }
        Ok(Self { variables: Some(variables), expressions: RefCell::default() })
    }

    /// With none, for a configuration that needs none.
    pub(super) fn without_variables() -> Self {
        Self { variables: Some(HashMap::new()), expressions: RefCell::default() }
    }
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let name = Some(name.trim()).filter(|name| is_name(name))?;
    let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    let value = if is_quoted('"') || is_quoted('\'') { value.get(1..value.len().saturating_sub(1))? } else { value };
    Some((name.to_owned(), value.replace("\\n", "\n")))
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
        if super::cel::problem(source).is_some() {
            return None;
        }
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

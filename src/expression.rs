//! CEL expressions that Envoy evaluates, and their values as JSON.
//!
//! Envoy returns the bytes of a value without its type: `"12345678"` and a number look the same. What a caller is called
//! must not be a guess, so there are two ways to a type:
//!
//! - An expression that only walks into dynamic metadata, as most do, is read from the metadata's protobuf, where every
//!   value has a type, and where a null somewhere inside does not spoil the rest as it does in CEL.
//! - For any other expression a second one is compiled which tells the type of the first.

use prost::Message as _;
use serde_json::Value;

use crate::config::ConfigError;
use crate::config::source;
use crate::host::{ExpressionId, Host, Setup};

/// An expression whose value becomes JSON.
#[derive(Debug)]
pub struct Expression(Form);

#[derive(Debug)]
enum Form {
    Metadata(Vec<String>),
    Cel { value: ExpressionId, kind: ExpressionId },
}

/// An expression that is true or not.
#[derive(Debug)]
pub struct Condition(ExpressionId);

fn compile(path: &str, source: &str, setup: &impl Setup) -> Result<ExpressionId, ConfigError> {
    setup.compile(source).ok_or_else(|| {
        ConfigError::at(
            path,
            "not a CEL expression that Envoy compiles; its log line `expr_create` says why",
        )
    })
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// When Envoy does not compile it.
    pub fn compile(path: &str, source: &str, setup: &impl Setup) -> Result<Self, ConfigError> {
        compile(path, source, setup).map(Self)
    }

    /// Whether it is true. What has no value, or one that is no boolean, is not.
    pub fn holds(&self, host: &impl Host) -> bool {
        host.evaluate(self.0).is_some_and(|bytes| bytes == [1])
    }
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When Envoy does not compile it.
    pub fn compile(path: &str, source: &str, setup: &impl Setup) -> Result<Self, ConfigError> {
        let value = compile(path, source, setup)?;
        if let Some(steps) = metadata_path(source) {
            return Ok(Self(Form::Metadata(steps)));
        }
        let kind = compile(path, &kind_of(source), setup)?;
        Ok(Self(Form::Cel { value, kind }))
    }

    /// Its value, if it has one in this phase. Null is none.
    pub fn value(&self, host: &impl Host) -> Option<Value> {
        match &self.0 {
            Form::Metadata(steps) => from_metadata(&host.metadata()?, steps),
            Form::Cel { value, kind } => {
                let kind = integer(&host.evaluate(*kind)?)?;
                decode(kind, &host.evaluate(*value)?)
            }
        }
    }
}

/// `envoy.config.core.v3.Metadata`, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) filter_metadata: std::collections::BTreeMap<String, prost_types::Struct>,
}

fn from_metadata(bytes: &[u8], steps: &[String]) -> Option<Value> {
    let (namespace, steps) = steps.split_first()?;
    let members = Metadata::decode(bytes).ok()?.filter_metadata.remove(namespace)?;
    let mut value = source::from_struct(members, "").ok()?;
    for step in steps {
        value = value.as_object_mut()?.remove(step)?;
    }
    (!value.is_null()).then_some(value)
}

/// The steps of an expression that is nothing but a walk into `metadata.filter_metadata`: `.name` and `['name']`.
fn metadata_path(source: &str) -> Option<Vec<String>> {
    let mut rest = source.trim().strip_prefix("metadata.filter_metadata")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            after.split_at_checked(end)?
        } else {
            let quoted = rest.strip_prefix('[')?;
            let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
            let (step, after) = quoted.strip_prefix(quote)?.split_once(quote)?;
            (step, after.strip_prefix(']')?)
        };
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let valid = if rest.starts_with('.') {
            step.chars().all(is_name) && !step.starts_with(|first: char| first.is_ascii_digit())
        } else {
            !step.contains(['\\', '\n'])
        };
        if step.is_empty() || !valid {
            return None;
        }
        steps.push(step.to_owned());
        rest = after;
    }
    (!steps.is_empty()).then_some(steps)
}

const STRING: i64 = 1;
const INT: i64 = 2;
const UINT: i64 = 3;
const DOUBLE: i64 = 4;
const BOOL: i64 = 5;

/// An expression that tells the type of another. The line feed ends a comment that `source` may end with.
fn kind_of(source: &str) -> String {
    let types = [
        ("string", STRING),
        ("int", INT),
        ("uint", UINT),
        ("double", DOUBLE),
        ("bool", BOOL),
    ];
    let tests = types.map(|(name, kind)| format!("type({source}\n) == {name} ? {kind} : "));
    format!("{}0", tests.concat())
}

fn integer(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_le_bytes)
}

fn decode(kind: i64, bytes: &[u8]) -> Option<Value> {
    match kind {
        STRING => String::from_utf8(bytes.to_vec()).ok().map(Value::String),
        INT => integer(bytes).map(Value::from),
        UINT => bytes.try_into().ok().map(u64::from_le_bytes).map(Value::from),
        DOUBLE => bytes
            .try_into()
            .ok()
            .map(f64::from_le_bytes)
            .and_then(source::number)
            .map(Value::Number),
        BOOL => match bytes {
            [0] => Some(Value::Bool(false)),
            [1] => Some(Value::Bool(true)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_into_metadata_is_recognised_and_nothing_else() {
        let steps = |source| metadata_path(source).map(|steps| steps.join("/"));
        for (source, expected) in [
            (
                "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload",
                "envoy.filters.http.jwt_authn/payload",
            ),
            (" metadata.filter_metadata[\"a\"]['b c'].d_1 ", "a/b c/d_1"),
            ("metadata.filter_metadata.lua", "lua"),
        ] {
            assert_eq!(steps(source).as_deref(), Some(expected));
        }
        for source in [
            "metadata.filter_metadata",
            "metadata.filter_metadata.a == 'b'",
            "metadata.filter_metadata['a'][0]",
            "metadata.filter_metadata['a'].b.size()",
            "metadata.filter_metadata['a\\n']",
            "metadata.filter_metadata['a'",
            "metadata.filter_metadata..a",
            "metadata.filter_metadata_x",
            "metadata.filter_metadata.1a",
            "request.headers['a']",
        ] {
            assert_eq!(steps(source), None, "{source}");
        }
    }

    #[test]
    fn numbers_keep_their_type() {
        for (kind, bytes, expected) in [
            (INT, (-5i64).to_le_bytes().to_vec(), Some(Value::from(-5))),
            (UINT, u64::MAX.to_le_bytes().to_vec(), Some(Value::from(u64::MAX))),
            (DOUBLE, 300f64.to_le_bytes().to_vec(), Some(Value::from(300))),
            (DOUBLE, 0.5f64.to_le_bytes().to_vec(), Some(Value::from(0.5))),
            (DOUBLE, f64::NAN.to_le_bytes().to_vec(), None),
            (BOOL, vec![1], Some(Value::Bool(true))),
            (BOOL, vec![2], None),
            (STRING, b"12345678".to_vec(), Some(Value::from("12345678"))),
            (STRING, b"\xff".to_vec(), None),
            (INT, vec![0], None),
            (0, vec![0], None),
        ] {
            assert_eq!(decode(kind, &bytes), expected, "{kind} {bytes:?}");
        }
    }
}

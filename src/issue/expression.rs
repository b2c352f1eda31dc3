//! CEL expressions that Envoy evaluates, and their values as JSON.
//!
//! Envoy returns the bytes of a value without its type: `"12345678"` and a number look the same. What a caller is called
//! must not be a guess, so there are two ways to a type:
//!
//! - An expression that only walks into dynamic metadata, as most do, is read from the metadata's protobuf, where every
//!   value has a type, and where a null somewhere inside does not spoil the rest as it does in CEL.
//! - Any other expression is wrapped into one that returns each value together with its type, lists and maps included.

use std::cell::OnceCell;

use prost::Message as _;
use prost_types::value::Kind;
use serde_json::{Map, Value};

use crate::encoding::pairs;
use crate::encoding::protobuf;
use crate::host::{ExpressionId, Host, Setup};

/// An expression whose value becomes JSON.
#[derive(Debug)]
pub struct Expression(Form);

#[derive(Debug)]
enum Form {
    Metadata(Vec<String>),
    Typed(ExpressionId),
}

/// An expression that is true or not.
#[derive(Debug)]
pub struct Condition(pub Expression);

/// A host whose metadata is read and decoded once, however many expressions look into it.
pub struct Attributes<'h, H> {
    host: &'h H,
    metadata: OnceCell<Option<Metadata>>,
}

impl<'h, H: Host> Attributes<'h, H> {
    /// The attributes as they are in this phase.
    pub fn new(host: &'h H) -> Self {
        Self { host, metadata: OnceCell::new() }
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.get_or_init(|| Metadata::decode(self.host.metadata()?.as_slice()).ok()).as_ref()
    }
}

impl Condition {
    /// Whether it is true. What has no value, or one that is no boolean, is not.
    pub fn holds(&self, attributes: &Attributes<'_, impl Host>) -> bool {
        self.0.value(attributes) == Some(Value::Bool(true))
    }
}

impl Expression {
    /// Compiles an expression; `None` when Envoy does not compile it.
    pub fn compile(source: &str, setup: &impl Setup) -> Option<Self> {
        // As it is, so that it is an expression by itself and errors point into it.
        setup.discard(setup.compile(source)?);
        Some(Self(match metadata_path(source) {
            Some(steps) => Form::Metadata(steps),
            None => Form::Typed(setup.compile(&typed(source))?),
        }))
    }

    /// Its value, if it has one in this phase. Null is none.
    pub fn value(&self, attributes: &Attributes<'_, impl Host>) -> Option<Value> {
        let value = match &self.0 {
            Form::Metadata(steps) => from_metadata(attributes.metadata()?, steps),
            Form::Typed(expression) => untyped(&attributes.host.evaluate(*expression)?),
        };
        value.filter(|value| !value.is_null())
    }
}

/// `envoy.config.core.v3.Metadata`, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) filter_metadata: std::collections::BTreeMap<String, prost_types::Struct>,
}

fn from_metadata(metadata: &Metadata, steps: &[String]) -> Option<Value> {
    let (namespace, steps) = steps.split_first()?;
    let members = metadata.filter_metadata.get(namespace)?;
    let Some((first, steps)) = steps.split_first() else {
        let members = prost_types::Value { kind: Some(Kind::StructValue(members.clone())) };
        return protobuf::from_member(members).ok();
    };
    let mut value = members.fields.get(first)?;
    for step in steps {
        let Some(Kind::StructValue(members)) = &value.kind else {
            return None;
        };
        value = members.fields.get(step)?;
    }
    protobuf::from_member(value.clone()).ok()
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

/// How deep lists and maps of an expression may nest. Each level doubles the wrapping expression.
const MAX_DEPTH: usize = 4;

/// The types that JSON has too, in the order of the flags that [`pair`] makes.
const TYPES: [&str; 8] = ["string", "int", "uint", "double", "bool", "null_type", "list", "map"];

/// An expression for the value of `source` with its types: `[FLAGS, VALUE]`, in which one of the flags says which of
/// [`TYPES`] it is, a list is a list of such pairs and a map one of `[KEY, PAIR]`.
///
/// The list around `source` has it evaluated once; the line feed ends a comment at its end.
fn typed(source: &str) -> String {
    format!("[{source}\n].map(v0, {})[0]", pair("v0", 0))
}

/// Flat where it can be: Envoy's parser takes 32 levels of nested expressions, the operator's own included.
fn pair(value: &str, depth: usize) -> String {
    let is_nested = depth < MAX_DEPTH;
    let types = TYPES.iter().filter(|name| is_nested || !matches!(**name, "list" | "map"));
    let flags: Vec<_> = types.map(|name| format!("type({value}) == {name}")).collect();
    let nested = if is_nested {
        let depth = depth.saturating_add(1);
        let (item, name) = (format!("v{depth}"), format!("k{depth}"));
        let (in_list, in_map) = (pair(&item, depth), pair(&format!("{value}[{name}]"), depth));
        format!(
            "type({value}) == list ? {value}.map({item}, {in_list}) : \
             type({value}) == map ? {value}.map({name}, [string({name}), {in_map}]) : "
        )
    } else {
        String::new()
    };
    // Null, and a list with null in it, are what Envoy cannot return.
    format!("[[{}], {nested}type({value}) == null_type ? 0 : {value}]", flags.join(", "))
}

/// The value of a `[FLAGS, VALUE]`; `None` for a type that JSON has not.
fn untyped(bytes: &[u8]) -> Option<Value> {
    let mut pair = items(bytes)?.into_iter();
    let flag = items(pair.next()?)?.into_iter().position(|flag| flag == [1])?;
    let value = pair.next()?;
    match *TYPES.get(flag)? {
        "string" => std::str::from_utf8(value).ok().map(Value::from),
        "int" => value.try_into().ok().map(i64::from_le_bytes).map(Value::from),
        "uint" => value.try_into().ok().map(u64::from_le_bytes).map(Value::from),
        "double" => value.try_into().ok().map(f64::from_le_bytes).and_then(protobuf::number).map(Value::Number),
        "bool" => match value {
            [0] => Some(Value::Bool(false)),
            [1] => Some(Value::Bool(true)),
            _ => None,
        },
        "null_type" => Some(Value::Null),
        "list" => items(value)?.into_iter().map(untyped).collect::<Option<_>>().map(Value::Array),
        "map" => {
            let mut members = Map::new();
            for item in items(value)? {
                let (name, value) = member(item)?;
                members.insert(name, value);
            }
            Some(Value::Object(members))
        }
        _ => None,
    }
}

fn member(bytes: &[u8]) -> Option<(String, Value)> {
    let mut member = items(bytes)?.into_iter();
    let name = std::str::from_utf8(member.next()?).ok()?;
    Some((name.to_owned(), untyped(member.next()?)?))
}

/// The items of a list: Envoy encodes it as header pairs are, each item a name with an empty value.
fn items(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    Some(pairs::read(bytes)?.into_iter().map(|(item, _)| item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn what_metadata_says_finds_a_place_in_a_token() {
        let fits = |value: &Value| {
            let claims = json!({"claim": value}).to_string();
            crate::jose::json::parse(claims.as_bytes()).is_ok()
        };
        for lists in [29, 30, 31, 32] {
            let value = (0..lists).fold(json!(1), |inner, _| json!([inner]));
            let bytes = protobuf::struct_bytes(json!({"a": value}).as_object().unwrap());
            let namespace = prost_types::Struct::decode(&*bytes).unwrap();
            let metadata = Metadata { filter_metadata: [("n".to_owned(), namespace)].into() };
            let whole = from_metadata(&metadata, &["n".to_owned()]);
            let member = from_metadata(&metadata, &["n".to_owned(), "a".to_owned()]);
            assert_eq!([whole.is_some(), member.is_some()], [lists <= 30, lists <= 31], "{lists}");
            assert!(whole.iter().chain(&member).all(fits), "{lists}");
        }
    }

    fn list(items: &[&[u8]]) -> Vec<u8> {
        pairs::write(&items.iter().map(|item| (*item, &b""[..])).collect::<Vec<_>>())
    }

    fn typed_value(kind: &str, value: &[u8]) -> Vec<u8> {
        let flags: Vec<&[u8]> = TYPES.iter().map(|name| if *name == kind { &[1][..] } else { &[0][..] }).collect();
        list(&[&list(&flags), value])
    }

    #[test]
    fn values_keep_their_type() {
        let text = typed_value("string", b"12345678");
        for (kind, bytes, expected) in [
            ("string", b"12345678".to_vec(), Some(json!("12345678"))),
            ("string", b"\xff".to_vec(), None),
            ("int", (-5i64).to_le_bytes().to_vec(), Some(json!(-5))),
            ("int", vec![0], None),
            ("uint", u64::MAX.to_le_bytes().to_vec(), Some(json!(u64::MAX))),
            ("double", 300f64.to_le_bytes().to_vec(), Some(json!(300))),
            ("double", 0.5f64.to_le_bytes().to_vec(), Some(json!(0.5))),
            ("double", f64::NAN.to_le_bytes().to_vec(), None),
            ("bool", vec![1], Some(json!(true))),
            ("bool", vec![2], None),
            ("null_type", 0i64.to_le_bytes().to_vec(), Some(json!(null))),
            ("list", list(&[&text, &text]), Some(json!(["12345678", "12345678"]))),
            ("list", list(&[]), Some(json!([]))),
            ("map", list(&[&list(&[b"a", &text])]), Some(json!({"a": "12345678"}))),
            ("list", list(&[&typed_value("duration", b"")]), None),
            ("duration", vec![0; 8], None),
        ] {
            assert_eq!(untyped(&typed_value(kind, &bytes)), expected, "{kind} {bytes:?}");
        }
        let whole = typed_value("map", &list(&[&list(&[b"a", &text])]));
        for length in 0..whole.len() {
            assert_eq!(untyped(&whole[..length]), None, "{length}");
        }
    }
}

//! CEL expressions that Envoy evaluates, and their values as JSON.
//!
//! Envoy returns the bytes of a value without its type: `"12345678"` and a number look the same. What a caller is called
//! must not be a guess, so there are two ways to a type:
//!
//! - An expression that only walks into dynamic metadata, as most do, is read from the metadata's protobuf, where every
//!   value has a type, and where a null somewhere inside does not spoil the rest as it does in CEL.
//! - Any other expression is wrapped into one that returns each value together with its type. A wrapper unfolds so many
//!   levels of lists and maps as were found to be needed, since each doubles it, and no list beyond [`MOST_ITEMS`]: Envoy
//!   takes quadratic time for them, and who calls chooses how long they are.
//!
//! A value that is there and that cannot be had is told from one that is not there ([`Answer`]), as far as Envoy tells: a
//! wristband without a claim may open what the claim would have closed. Where it does not tell, because it has given up on a
//! long list, the expression [`iterates`], and whoever asks takes no value for one that cannot be had. What has
//! no counterpart in JSON, such as a time, counts as no value: that is the expression's, not the caller's, to choose.

mod calls;
mod metadata;
mod typed;

use std::cell::{Cell, OnceCell};
use std::io;

use serde_json::Value;

pub use calls::{calls_map_or_filter, is_guarded, iterates};

use crate::host::{ExpressionId, Host, Setup};
use typed::{MOST_LEVELS, Typed};

/// How many items of lists and members of maps a value may have, at all depths.
pub const MOST_ITEMS: usize = 256;

/// How many items with types of their own the values of one phase may have before no more of them are asked for: each costs
/// some ten microseconds, and who calls chooses how many there are.
const MOST_UNFOLDED: usize = 512;

/// How many bytes a value may have as JSON.
const MOST_BYTES: usize = 8192;

/// An expression whose value becomes JSON.
#[derive(Debug)]
pub struct Expression(Form);

#[derive(Debug)]
enum Form {
    Metadata(Vec<String>),
    Wrapped(Wrapped),
}

/// An expression by the levels of lists and maps that its wrapper unfolds. All but the first are compiled when a value turns
/// out to need them; `None` is one that Envoy does not compile.
#[derive(Debug)]
struct Wrapped {
    source: Box<str>,
    levels: [OnceCell<Option<ExpressionId>>; MOST_LEVELS],
    /// Where to begin: a list or map was found before.
    first: Cell<usize>,
}

/// An expression that is true or not.
#[derive(Debug)]
pub struct Condition(pub Expression);

/// What a source says in this phase.
#[derive(Debug, Default, PartialEq)]
pub enum Answer {
    /// No value, or null.
    #[default]
    Nothing,
    /// This one.
    Value(Value),
    /// One beyond [`MOST_ITEMS`], beyond 8 KB of JSON, or too deep.
    TooLarge,
    /// One that is no text, such as the bytes of a header that are not UTF-8, or whose parts Envoy does not return.
    Unreadable,
}

impl Answer {
    /// Its value, if it is one.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

/// A value within the bounds.
impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            value if items(&value) > MOST_ITEMS || length(&value) > MOST_BYTES => Self::TooLarge,
            value => Self::Value(value),
        }
    }
}

/// How many items and members a value has, at all depths.
fn items(value: &Value) -> usize {
    match value {
        Value::Array(inner) => inner.iter().map(items).fold(inner.len(), usize::saturating_add),
        Value::Object(inner) => inner.values().map(items).fold(inner.len(), usize::saturating_add),
        _ => 0,
    }
}

/// How many bytes a value has as JSON.
fn length(value: &Value) -> usize {
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).map_or(usize::MAX, |()| length.0)
}

/// A host whose metadata is read once, however many expressions look into it.
pub struct Attributes<'h, H> {
    host: &'h H,
    metadata: OnceCell<Option<Vec<u8>>>,
    unfolded: Cell<usize>,
}

impl<'h, H: Host> Attributes<'h, H> {
    /// The attributes as they are in this phase.
    pub fn new(host: &'h H) -> Self {
        Self { host, metadata: OnceCell::new(), unfolded: Cell::default() }
    }

    fn metadata(&self) -> Option<&[u8]> {
        self.metadata.get_or_init(|| self.host.metadata()).as_deref()
    }
}

impl Condition {
    /// Whether it is true. What has no value, or one that is no boolean, is not.
    pub fn holds(&self, attributes: &Attributes<'_, impl Host>) -> bool {
        match &self.0.0 {
            Form::Metadata(steps) => attributes.metadata().map(|bytes| metadata::answer(bytes, steps)),
            Form::Wrapped(wrapped) => wrapped.at(0, attributes).map(|typed| match typed {
                Typed::Value(value) => Answer::from(value),
                _ => Answer::Nothing,
            }),
        }
        .is_some_and(|answer| answer == Answer::Value(Value::Bool(true)))
    }
}

impl Expression {
    /// Compiles an expression; `None` when Envoy does not compile it.
    pub fn compile(source: &str, setup: &impl Setup) -> Option<Self> {
        // As it is, so that it is an expression by itself and errors point into it.
        setup.discard(setup.compile(source)?);
        if let Some(steps) = metadata::path(source) {
            return Some(Self(Form::Metadata(steps)));
        }
        let levels: [OnceCell<_>; MOST_LEVELS] = Default::default();
        let flat = setup.compile(&typed::wrapped(source, 0))?;
        levels.first()?.set(Some(flat)).ok()?;
        Some(Self(Form::Wrapped(Wrapped { source: source.into(), levels, first: Cell::default() })))
    }

    /// What it says in this phase.
    pub fn answer(&self, attributes: &Attributes<'_, impl Host>) -> Answer {
        match &self.0 {
            Form::Metadata(steps) => {
                attributes.metadata().map_or(Answer::Nothing, |bytes| metadata::answer(bytes, steps))
            }
            Form::Wrapped(wrapped) => wrapped.answer(attributes),
        }
    }

    /// What it says of an identity of which only a name is asked: of an object that is too large as a whole, such as the
    /// payload of a token with thousands of roles, its `sub` alone.
    pub fn name(&self, attributes: &Attributes<'_, impl Host>) -> Answer {
        let answer = self.answer(attributes);
        let Form::Metadata(steps) = &self.0 else {
            return answer;
        };
        if answer != Answer::TooLarge {
            return answer;
        }
        let steps = [steps.as_slice(), &["sub".to_owned()]].concat();
        match attributes.metadata().map(|bytes| metadata::answer(bytes, &steps)) {
            Some(Answer::Value(subject)) => Answer::Value(serde_json::json!({"sub": subject})),
            _ => answer,
        }
    }
}

impl Wrapped {
    fn answer(&self, attributes: &Attributes<'_, impl Host>) -> Answer {
        let start = self.first.get();
        for level in start..MOST_LEVELS {
            match self.at(level, attributes) {
                // What a flatter wrapper sees is there, and what gives up is the unfolding.
                None if level > start || level > 0 && self.at(0, attributes).is_some() => return Answer::Unreadable,
                None | Some(Typed::Foreign) => return Answer::Nothing,
                Some(Typed::Value(value)) => return value.into(),
                Some(Typed::TooLarge) => return Answer::TooLarge,
                Some(Typed::Unreadable) => return Answer::Unreadable,
                // Not further next time either: a second level is asked for when the first has shown how much is in it.
                Some(Typed::Folded) => self.first.set(1),
            }
        }
        Answer::TooLarge
    }

    /// What the wrapper that unfolds so many levels returns. A wrapper that Envoy does not compile is one that is too deep.
    fn at(&self, level: usize, attributes: &Attributes<'_, impl Host>) -> Option<Typed> {
        if attributes.unfolded.get() > MOST_UNFOLDED {
            return Some(Typed::TooLarge);
        }
        let (compiled, host) = (self.levels.get(level)?, attributes.host);
        let Some(expression) = compiled.get_or_init(|| host.compile(&typed::wrapped(&self.source, level))) else {
            return Some(Typed::TooLarge);
        };
        let (typed, unfolded) = typed::read(&host.evaluate(*expression)?);
        attributes.unfolded.set(attributes.unfolded.get().saturating_add(unfolded));
        Some(typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::pairs;
    use crate::testing::Fake;
    use serde_json::json;

    #[test]
    fn a_list_that_envoy_does_not_unfold_is_there_all_the_same() {
        // `[FLAGS, VALUE, SIZE]` of a list of three, not unfolded.
        let flags: Vec<_> = (0..8).map(|flag| [u8::from(flag == 6)]).collect();
        let flags = pairs::write(&flags.iter().map(|flag| (&flag[..], &b""[..])).collect::<Vec<_>>());
        let folded = pairs::write(&[(&flags, b""), (&[0; 8], b""), (&3_u64.to_le_bytes(), b"")]);
        let host = Fake { raw: [(typed::wrapped("list", 0), folded)].into(), ..Fake::default() };
        let expression = Expression::compile("list", &host).unwrap();
        // The second time it begins with the wrapper that gives up.
        for _ in 0..2 {
            assert_eq!(expression.answer(&Attributes::new(&host)), Answer::Unreadable);
        }
        let absent = Fake { compiled: host.compiled, ..Fake::default() };
        assert_eq!(expression.answer(&Attributes::new(&absent)), Answer::Nothing);
    }

    #[test]
    fn a_value_has_at_most_256_items_at_all_depths_and_8_kilobytes() {
        let answer = |value: Value| match Answer::from(value.clone()) {
            Answer::Value(same) => same == value,
            other => {
                assert_eq!(other, Answer::TooLarge);
                false
            }
        };
        let list = |count: usize| Value::from(vec![json!(1); count]);
        assert!(answer(list(256)) && !answer(list(257)));
        // The lists themselves are items of the outer one.
        assert!(answer(json!([list(200), list(54)])) && !answer(json!([list(200), list(55)])));
        assert!(answer(json!({"a": {"b": list(254)}})) && !answer(json!({"a": {"b": list(255)}})));
        assert!(answer(json!("x".repeat(8190))) && !answer(json!("x".repeat(8191))));
        assert_eq!(Answer::from(Value::Null), Answer::Nothing);
    }
}

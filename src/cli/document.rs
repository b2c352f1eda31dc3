//! YAML and JSON as people write it, with the place of everything.
//!
//! A [`Node`] keeps what its text looks like: only who knows where it stands can say what it means. Envoy reads numbers of a
//! `Struct` in one way, and those of JSON text in another.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Number, Value};

use crate::jose::path::Path;

/// A line and a column, both from one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col().saturating_add(1) }
    }
}

/// A value of a document, and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// How deep it nests, and how many values it has, with its aliases: nothing that goes through it takes longer.
    height: usize,
    size: usize,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text.
    Scalar {
        text: String,
        /// Without quotes: it may be a number, a truth or nothing.
        is_plain: bool,
        /// Whether its lines stand below, indented.
        is_block: bool,
    },
    /// A list.
    List(Vec<Rc<Node>>),
    /// Members in their order. A name may stand twice.
    Members(Vec<(String, Place, Rc<Node>)>),
}

/// A document that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) place: Place,
    pub(super) message: String,
}

/// How deep a document may nest, and how many values it may have with its aliases: more than any configuration has.
const MAX_DEPTH: usize = 100;
const MAX_VALUES: usize = 200_000;
const TOO_DEEP: &str = "nested too deep";

/// The documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Rc<Node>>, Unreadable> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new() };
    let mut documents = Vec::new();
    while let Some((event, place)) = reader.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => documents.push(reader.node(event, place, 0)?),
        }
    }
    Ok(documents)
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Rc<Node>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Place)>, Unreadable> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, Place::of(&span.start)))),
            Some(Err(error)) => Err(Unreadable { place: Place::of(error.marker()), message: error.info().to_owned() }),
        }
    }

    fn node(&mut self, event: Event<'t>, place: Place, depth: usize) -> Result<Rc<Node>, Unreadable> {
        let unreadable = |message: &str| Unreadable { place, message: message.to_owned() };
        if depth > MAX_DEPTH {
            return Err(unreadable(TOO_DEEP));
        }
        let deeper = depth.saturating_add(1);
        let (anchor, kind) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or_else(|| unreadable("an alias of nothing"))?;
                return Ok(Rc::clone(node));
            }
            Event::Scalar(text, style, anchor, tag) => {
                // Envoy looks at no tag but the one that says that it is a text.
                let is_text = tag.is_some_and(|tag| tag.handle.is_empty() && tag.suffix == "!");
                let is_plain = style == ScalarStyle::Plain && !is_text;
                let is_block = style == ScalarStyle::Literal;
                (anchor, Kind::Scalar { text: text.into_owned(), is_plain, is_block })
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()?.ok_or_else(|| unreadable("it ends within a list"))? {
                        (Event::SequenceEnd, _) => break,
                        (event, place) => items.push(self.node(event, place, deeper)?),
                    }
                }
                (anchor, Kind::List(items))
            }
            Event::MappingStart(anchor, _) => {
                let mut members = Vec::new();
                loop {
                    let (event, at) = self.next()?.ok_or_else(|| unreadable("it ends within an object"))?;
                    if event == Event::MappingEnd {
                        break;
                    }
                    let name = self.node(event, at, deeper)?;
                    let Kind::Scalar { text: name, .. } = &name.kind else {
                        return Err(Unreadable { place: at, message: "a name that is no text".to_owned() });
                    };
                    let (event, place) = self.next()?.ok_or_else(|| unreadable("it ends within an object"))?;
                    members.push((name.clone(), at, self.node(event, place, deeper)?));
                }
                (anchor, Kind::Members(members))
            }
            _ => return Err(unreadable("nothing that a document may have here")),
        };
        let inner: Vec<&Rc<Node>> = match &kind {
            Kind::Scalar { .. } => Vec::new(),
            Kind::List(items) => items.iter().collect(),
            Kind::Members(members) => members.iter().map(|(.., node)| node).collect(),
        };
        let height = inner.iter().map(|node| node.height).max().unwrap_or_default().saturating_add(1);
        let size = inner.iter().map(|node| node.size).fold(1, usize::saturating_add);
        if height > MAX_DEPTH {
            return Err(unreadable(TOO_DEEP));
        }
        if size > MAX_VALUES {
            return Err(unreadable("too many values"));
        }
        let node = Rc::new(Node { place, kind, height, size });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }
}

impl Node {
    /// The member of this name; of several the last one, as Envoy has it. Envoy's own fields may be written in camel case.
    pub(super) fn member(&self, name: &str) -> Option<&Rc<Node>> {
        let is_it = |known: &str| known == name || name.contains('_') && known == camel(name);
        self.members().iter().rev().find(|(known, ..)| is_it(known)).map(|(.., node)| node)
    }

    /// What is at the end of these names.
    pub(super) fn at(&self, names: &[&str]) -> Option<&Node> {
        names.iter().try_fold(self, |node, name| node.member(name).map(|node| &**node))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List(_) | Kind::Members(_) => None,
        }
    }

    /// Its items, if it is a list.
    pub(super) fn items(&self) -> &[Rc<Node>] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } | Kind::Members(_) => &[],
        }
    }

    /// Its members, if it has some.
    pub(super) fn members(&self) -> &[(String, Place, Rc<Node>)] {
        match &self.kind {
            Kind::Members(members) => members,
            Kind::Scalar { .. } | Kind::List(_) => &[],
        }
    }

    /// The value that Envoy makes of it for a `Struct`, and what stands twice.
    pub(super) fn value(&self) -> (Value, Vec<Path>) {
        self.read(envoys)
    }

    /// The value that Kubernetes makes of it, and what stands twice.
    pub(super) fn json(&self) -> (Value, Vec<Path>) {
        self.read(json)
    }

    fn read(&self, plain: fn(&str) -> Value) -> (Value, Vec<Path>) {
        let mut doubles = Vec::new();
        let value = self.valued(plain, &Path::root(), &mut doubles);
        (value, doubles)
    }

    fn valued(&self, plain: fn(&str) -> Value, path: &Path, doubles: &mut Vec<Path>) -> Value {
        match &self.kind {
            Kind::Scalar { text, is_plain: true, .. } => plain(text),
            Kind::Scalar { text, .. } => text.clone().into(),
            Kind::List(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| item.valued(plain, &path.item(index), doubles)).collect()
            }
            Kind::Members(members) => {
                let mut object = Map::new();
                for (name, _, node) in members {
                    let path = path.member(name);
                    let value = node.valued(plain, &path, doubles);
                    if object.insert(name.clone(), value).is_some() {
                        doubles.push(path);
                    }
                }
                Value::Object(object)
            }
        }
    }

    /// Where something inside of it stands: the nearest place that there is, of a member its name.
    pub(super) fn place_of(&self, path: &Path) -> Place {
        use crate::jose::path::Segment;
        let (mut node, mut place) = (self, self.place);
        for segment in path.segments() {
            let next = match segment {
                Segment::Member(name) => {
                    node.members().iter().rev().find(|(known, ..)| known == name).map(|(_, at, node)| (node, *at))
                }
                Segment::Item(index) => node.items().get(*index).map(|node| (node, node.place)),
            };
            let Some((inner, at)) = next else {
                break;
            };
            (node, place) = (inner, at);
        }
        place
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|letter| letter.to_ascii_uppercase());
        camel + &capital.into_iter().chain(letters).collect::<String>()
    })
}

/// What yaml-cpp and go-yaml take a text without quotes for alike: truths, nothing, and whole numbers in three bases.
fn usual(text: &str) -> Option<Value> {
    let (sign, digits) =
        text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |digits| (-1, digits));
    let number = |digits: &str, base| {
        let starts = digits.starts_with(|first: char| first.is_ascii_hexdigit());
        i64::from_str_radix(digits, base).ok().filter(|_| starts)?.checked_mul(sign)
    };
    let whole = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => digits.get(2..).and_then(|digits| number(digits, 16)),
        [b'0', _, ..] => number(digits, 8),
        _ => number(digits, 10),
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Some(true.into()),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Some(false.into()),
        _ => whole.map(Value::from),
    }
}

/// What Envoy takes a text without quotes for, on its way into a `Struct`: of numbers only those stay numbers that are whole
/// and have 32 bits.
fn envoys(text: &str) -> Value {
    let is_small = |value: &Value| value.as_i64().is_none_or(|number| i32::try_from(number).is_ok());
    usual(text).filter(is_small).unwrap_or_else(|| text.into())
}

/// What Kubernetes takes a text without quotes for, and JSON.
fn json(text: &str) -> Value {
    let starts = text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
    let number = || text.parse::<Number>().ok().filter(|_| starts).map(Value::Number);
    usual(text).or_else(number).unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_read_as_envoy_reads_it() {
        let text =
            "a: &x {b: 1, c: [1, 2.5, '3', ~, true, 99999999999]}\nd: *x\ne: |\n  one\n  two\n---\n\"z\": \"1\"\n";
        let documents = documents(text).unwrap();
        let values: Vec<_> = documents.iter().map(|document| document.value().0).collect();
        let x = json!({"b": 1, "c": [1, "2.5", "3", null, true, "99999999999"]});
        assert_eq!(values, [json!({"a": x, "d": x, "e": "one\ntwo\n"}), json!({"z": "1"})]);
    }

    /// As Envoy 1.40 was seen to read them.
    #[test]
    fn numbers_and_truths_are_those_of_yaml_1_1() {
        let of = |text: &str| documents(&format!("a: {text}")).unwrap()[0].value().0["a"].clone();
        for (text, expected) in [
            ("010", json!(8)),
            ("0300", json!(192)),
            ("0x10", json!(16)),
            ("!!str 5", json!(5)),
            ("-7", json!(-7)),
            ("089", json!("089")),
            ("0.5", json!("0.5")),
            ("1e3", json!("1e3")),
            ("2147483648", json!("2147483648")),
            ("yes", json!(true)),
            ("'yes'", json!("yes")),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        let kubernetes = documents("{a: 0.5, b: 1e3, c: 4294967296, d: on}").unwrap();
        assert_eq!(kubernetes[0].json().0, json!({"a": 0.5, "b": 1e3, "c": 4_294_967_296_u64, "d": true}));
        let camel = documents("vmConfig: {hostEnvKeys: 1}").unwrap();
        assert!(camel[0].at(&["vm_config", "host_env_keys"]).is_some());
    }

    #[test]
    fn what_stands_twice_is_told_and_the_last_one_counts() {
        let documents = documents("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap();
        let (value, doubles) = documents[0].value();
        assert_eq!(value, json!({"a": 3, "b": {"c": 2}}));
        assert_eq!(doubles.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b.c", "a"]);
    }

    #[test]
    fn a_place_is_that_of_the_name_or_the_nearest_that_there_is() {
        let documents = documents("a:\n  - b: 1\n    c:\n      d: 2\n").unwrap();
        let place = |names: &[&str]| {
            let Place { line, column } = documents[0].place_of(&names.iter().fold(Path::root(), |path, name| {
                name.parse().map_or_else(|_| path.member(name), |index| path.item(index))
            }));
            (line, column)
        };
        assert_eq!(place(&["a"]), (1, 1));
        assert_eq!(place(&["a", "0", "c", "d"]), (4, 7));
        assert_eq!(place(&["a", "0", "c", "x"]), (3, 5));
        assert_eq!(place(&["a", "7"]), (1, 1));
    }

    #[test]
    fn what_cannot_be_read_has_a_place_and_bombs_do_not_go_off() {
        let error = documents("a: [1,\nb: }").unwrap_err();
        assert_eq!(error.place.line, 2, "{error:?}");
        assert!(documents(&"[".repeat(500)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        assert_eq!(documents(&bomb).unwrap_err().message, "too many values");
        // Depth counts through aliases.
        let mut ladder = "a0: &a0 [x]\n".to_owned();
        for level in 1..50 {
            ladder += &format!("a{level}: &a{level} [[[[*a{}]]]]\n", level - 1);
        }
        assert_eq!(documents(&ladder).unwrap_err().message, TOO_DEEP);
    }
}

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
            return Err(unreadable("nested too deep"));
        }
        let deeper = depth.saturating_add(1);
        let (anchor, kind) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or_else(|| unreadable("an alias of nothing"))?;
                return Ok(Rc::clone(node));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
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
        let node = Rc::new(Node { place, kind });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }
}

impl Node {
    /// The member of this name; of several the last one, as Envoy has it.
    pub(super) fn member(&self, name: &str) -> Option<&Rc<Node>> {
        let Kind::Members(members) = &self.kind else {
            return None;
        };
        members.iter().rev().find(|(known, ..)| known == name).map(|(.., node)| node)
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
    pub(super) fn value(&self) -> Result<(Value, Vec<Path>), Unreadable> {
        self.read(envoys)
    }

    /// The value that Kubernetes makes of it, and what stands twice.
    pub(super) fn json(&self) -> Result<(Value, Vec<Path>), Unreadable> {
        self.read(json)
    }

    fn read(&self, plain: fn(&str) -> Value) -> Result<(Value, Vec<Path>), Unreadable> {
        let (mut doubles, mut count) = (Vec::new(), 0);
        let value = self.valued(plain, &Path::root(), &mut doubles, &mut count)?;
        Ok((value, doubles))
    }

    fn valued(
        &self,
        plain: fn(&str) -> Value,
        path: &Path,
        doubles: &mut Vec<Path>,
        count: &mut usize,
    ) -> Result<Value, Unreadable> {
        *count = count.saturating_add(1);
        if *count > MAX_VALUES {
            return Err(Unreadable { place: self.place, message: "too many values".to_owned() });
        }
        Ok(match &self.kind {
            Kind::Scalar { text, is_plain: true, .. } => plain(text),
            Kind::Scalar { text, .. } => text.clone().into(),
            Kind::List(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| item.valued(plain, &path.item(index), doubles, count));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Kind::Members(members) => {
                let mut object = Map::new();
                for (name, _, node) in members {
                    let path = path.member(name);
                    let value = node.valued(plain, &path, doubles, count)?;
                    if object.insert(name.clone(), value).is_some() {
                        doubles.push(path);
                    }
                }
                Value::Object(object)
            }
        })
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

/// What Envoy takes a text without quotes for, on its way into a `Struct`: of numbers only those stay numbers that are whole
/// and have 32 bits.
fn envoys(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => false.into(),
        text => match text.parse::<i32>() {
            Ok(number) => Value::Number(Number::from(number)),
            Err(_) => text.into(),
        },
    }
}

/// What Kubernetes takes a text without quotes for.
fn json(text: &str) -> Value {
    let number = || {
        text.parse()
            .map(Value::Number)
            .ok()
            .filter(|_| text.starts_with(|first: char| first.is_ascii_digit() || first == '-'))
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        text => number().unwrap_or_else(|| text.into()),
    }
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
        let values: Vec<_> = documents.iter().map(|document| document.value().unwrap().0).collect();
        let x = json!({"b": 1, "c": [1, "2.5", "3", null, true, "99999999999"]});
        assert_eq!(values, [json!({"a": x, "d": x, "e": "one\ntwo\n"}), json!({"z": "1"})]);
    }

    #[test]
    fn what_stands_twice_is_told_and_the_last_one_counts() {
        let documents = documents("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap();
        let (value, doubles) = documents[0].value().unwrap();
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
        let documents = documents(&bomb).unwrap();
        assert_eq!(documents[0].value().unwrap_err().message, "too many values");
    }
}

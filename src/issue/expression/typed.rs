//! An expression that returns the value of another one with its types, and what it returns, read.

use serde_json::{Map, Value};

use super::MOST_ITEMS;
use crate::encoding::pairs;
use crate::encoding::protobuf;

/// How many wrappers there are: none, one ... levels of lists and maps unfolded.
pub(super) const MOST_LEVELS: usize = 5;

/// The types that JSON has too, in the order of the flags.
const TYPES: [&str; 8] = ["string", "int", "uint", "double", "bool", "null_type", "list", "map"];

/// An expression for the value of `source` with its types: `[FLAGS, VALUE, SIZE]`, in which one of the flags says which of
/// [`TYPES`] it is. On the first `levels` levels the value of a list or map is
///
/// - `[FLAGS, ITEMS]` where all items are of one type without parts, which costs next to nothing, or
/// - `[[], ITEMS]`, in which each is `[KEY, TRIPLE]`; the key of an item of a list says nothing.
///
/// Of what is deeper or too long there is the size alone.
///
/// The list around `source` has it evaluated once; the line feed ends a comment at its end.
pub(super) fn wrapped(source: &str, levels: usize) -> String {
    format!("[{source}\n].map(v0, {})[0]", triple("v0", 0, levels))
}

/// Flat where it can be: Envoy's parser takes 32 levels of nested expressions, the operator's own included. The next level
/// stands in it once, for lists and maps alike, since what is compiled takes much memory.
fn triple(value: &str, level: usize, levels: usize) -> String {
    let (kind, is_container) = (flags(value), is_any(value, &["list", "map"]));
    let size = format!("{is_container} ? size({value}) : 0");
    // Null, and a list with null in it, are what Envoy cannot return.
    if level >= levels {
        return format!("[[{kind}], type({value}) == null_type || {is_container} ? 0 : {value}, {size}]");
    }
    let level = level.saturating_add(1);
    let (item, key, pair, first) =
        (format!("v{level}"), format!("k{level}"), format!("p{level}"), format!("{value}[0]"));
    let inner = triple(&format!("{pair}[1]"), level, levels);
    let has_parts = is_any(&item, &["null_type", "list", "map"]);
    let is_plain = format!(
        "(type({value}) == list ? \
         size({value}) > 0 && {value}.all({item}, type({item}) == type({first}) && !({has_parts})) : \
         {value}.all({key}, type({key}) == string && type({value}[{key}]) == string))"
    );
    let items = flags(&first);
    format!(
        "[[{kind}], \
         ({is_container}) && size({value}) <= {MOST_ITEMS} && !{is_plain} ? \
         [[], (type({value}) == list ? {value}.map({item}, ['', {item}]) : \
         {value}.map({key}, [string({key}), {value}[{key}]])).map({pair}, [{pair}[0], {inner}])] : \
         type({value}) == null_type || ({is_container}) && size({value}) > {MOST_ITEMS} ? 0 : \
         type({value}) == list ? [[{items}], {value}] : type({value}) == map ? [[true], {value}] : {value}, \
         {size}]"
    )
}

fn flags(value: &str) -> String {
    TYPES.map(|name| format!("type({value}) == {name}")).join(", ")
}

fn is_any(value: &str, types: &[&str]) -> String {
    types.iter().map(|name| format!("type({value}) == {name}")).collect::<Vec<_>>().join(" || ")
}

/// What a wrapped expression returns.
#[derive(Debug, PartialEq)]
pub(super) enum Typed {
    /// All of the value.
    Value(Value),
    /// A value that is not too large, and that has lists or maps in it that the wrapper has not unfolded.
    Folded,
    /// One with more than [`MOST_ITEMS`].
    TooLarge,
    /// One of a type that JSON has not, or with such a one in it.
    Foreign,
    /// Bytes that are not what they say.
    Unreadable,
}

/// Why reading ends.
enum Stop {
    TooLarge,
    Foreign,
    Unreadable,
}

/// Reads what a wrapped expression returns, and how many items it has that came with a type of their own.
pub(super) fn read(bytes: &[u8]) -> (Typed, usize) {
    let mut reader = Reader { items: 0, unfolded: 0, is_folded: false };
    let typed = match reader.value(bytes) {
        Ok(_) if reader.is_folded => Typed::Folded,
        Ok(value) => Typed::Value(value),
        Err(Stop::TooLarge) => Typed::TooLarge,
        Err(Stop::Foreign) => Typed::Foreign,
        Err(Stop::Unreadable) => Typed::Unreadable,
    };
    (typed, reader.unfolded)
}

struct Reader {
    items: usize,
    unfolded: usize,
    is_folded: bool,
}

impl Reader {
    /// The value of a `[FLAGS, VALUE, SIZE]`; an empty one for what is not unfolded.
    fn value(&mut self, bytes: &[u8]) -> Result<Value, Stop> {
        let [flags, value, size] = items(bytes)?;
        match flagged(flags)? {
            name @ ("list" | "map") => self.container(name == "map", value, size),
            name => scalar(name, value),
        }
    }

    fn container(&mut self, is_map: bool, contents: &[u8], size: &[u8]) -> Result<Value, Stop> {
        let size = size.try_into().ok().map(u64::from_le_bytes).ok_or(Stop::Unreadable)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.items = self.items.saturating_add(size);
        if self.items > MOST_ITEMS {
            return Err(Stop::TooLarge);
        }
        let (kind, items) = match *list(contents)? {
            // In its place is a zero, which has no items.
            [] => {
                self.is_folded |= size > 0;
                return Ok(if is_map { Value::Object(Map::new()) } else { Value::Array(Vec::new()) });
            }
            [flags, items] if list(flags)?.is_empty() => (None, items),
            [flags, items] => (Some(flagged(flags)?), items),
            _ => return Err(Stop::Unreadable),
        };
        let items = pairs::read(items).filter(|items| items.len() == size).ok_or(Stop::Unreadable)?;
        let items = items.into_iter();
        Ok(match (kind, is_map) {
            (Some(kind), false) => Value::Array(items.map(|(item, _)| scalar(kind, item)).collect::<Result<_, _>>()?),
            (Some(kind), true) => {
                let members = items.map(|(name, value)| Ok((text(name)?, scalar(kind, value)?)));
                Value::Object(members.collect::<Result<_, _>>()?)
            }
            (None, false) => {
                let items = items.map(|(item, _)| Ok(self.member(item)?.1));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            (None, true) => Value::Object(items.map(|(item, _)| self.member(item)).collect::<Result<_, _>>()?),
        })
    }

    fn member(&mut self, bytes: &[u8]) -> Result<(String, Value), Stop> {
        self.unfolded = self.unfolded.saturating_add(1);
        let [name, value] = items(bytes)?;
        Ok((text(name)?, self.value(value)?))
    }
}

/// The type whose flag is set.
fn flagged(flags: &[u8]) -> Result<&'static str, Stop> {
    let flag = list(flags)?.into_iter().position(|flag| flag == [1]).ok_or(Stop::Foreign)?;
    TYPES.get(flag).copied().ok_or(Stop::Unreadable)
}

/// A value without parts.
fn scalar(name: &str, bytes: &[u8]) -> Result<Value, Stop> {
    let value = match name {
        "string" => return text(bytes).map(Value::String),
        "int" => bytes.try_into().ok().map(i64::from_le_bytes).map(Value::from),
        "uint" => bytes.try_into().ok().map(u64::from_le_bytes).map(Value::from),
        "double" => bytes.try_into().ok().map(f64::from_le_bytes).and_then(protobuf::number).map(Value::Number),
        "bool" => match bytes {
            [0] => Some(Value::Bool(false)),
            [1] => Some(Value::Bool(true)),
            _ => None,
        },
        "null_type" => Some(Value::Null),
        _ => None,
    };
    value.ok_or(Stop::Unreadable)
}

fn text(bytes: &[u8]) -> Result<String, Stop> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Stop::Unreadable)
}

/// The items of a list: Envoy encodes it as header pairs are, each item a name with an empty value.
fn list(bytes: &[u8]) -> Result<Vec<&[u8]>, Stop> {
    let pairs = pairs::read(bytes).ok_or(Stop::Unreadable)?;
    Ok(pairs.into_iter().map(|(item, _)| item).collect())
}

/// The items of a list of so many.
fn items<const N: usize>(bytes: &[u8]) -> Result<[&[u8]; N], Stop> {
    list(bytes)?.try_into().map_err(|_| Stop::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list_of(items: &[&[u8]]) -> Vec<u8> {
        pairs::write(&items.iter().map(|item| (*item, &b""[..])).collect::<Vec<_>>())
    }

    fn flags(kind: &str) -> Vec<u8> {
        let flags: Vec<&[u8]> = TYPES.iter().map(|name| if *name == kind { &[1][..] } else { &[0][..] }).collect();
        list_of(&flags)
    }

    fn sized(kind: &str, value: &[u8], size: usize) -> Vec<u8> {
        list_of(&[&flags(kind), value, &u64::try_from(size).unwrap().to_le_bytes()])
    }

    fn typed(kind: &str, value: &[u8]) -> Vec<u8> {
        sized(kind, value, 0)
    }

    /// Not unfolded.
    fn folded(kind: &str, size: usize) -> Vec<u8> {
        sized(kind, &[0; 8], size)
    }

    fn of(kind: &str, items: &[&[u8]]) -> Vec<u8> {
        let keyed = |item: &&[u8]| if kind == "list" { list_of(&[b"", item]) } else { item.to_vec() };
        let keyed: Vec<_> = items.iter().map(keyed).collect();
        let keyed: Vec<_> = keyed.iter().map(Vec::as_slice).collect();
        sized(kind, &list_of(&[&list_of(&[]), &list_of(&keyed)]), items.len())
    }

    /// All of one type.
    fn plain(kind: &str, of: &str, items: &[pairs::Pair<'_>]) -> Vec<u8> {
        sized(kind, &list_of(&[&flags(of), &pairs::write(items)]), items.len())
    }

    #[test]
    fn values_keep_their_type() {
        let text = typed("string", b"12345678");
        let member = list_of(&[b"a", &text]);
        let value = |value: Value| Typed::Value(value);
        for (bytes, expected) in [
            (text.clone(), value(json!("12345678"))),
            (typed("string", b"\xff"), Typed::Unreadable),
            (typed("int", &(-5i64).to_le_bytes()), value(json!(-5))),
            (typed("int", &[0]), Typed::Unreadable),
            (typed("uint", &u64::MAX.to_le_bytes()), value(json!(u64::MAX))),
            (typed("double", &300f64.to_le_bytes()), value(json!(300))),
            (typed("double", &0.5f64.to_le_bytes()), value(json!(0.5))),
            (typed("double", &f64::NAN.to_le_bytes()), Typed::Unreadable),
            (typed("bool", &[1]), value(json!(true))),
            (typed("bool", &[2]), Typed::Unreadable),
            (typed("null_type", &0i64.to_le_bytes()), value(json!(null))),
            (of("list", &[&text, &text]), value(json!(["12345678", "12345678"]))),
            (of("list", &[]), value(json!([]))),
            (folded("list", 0), value(json!([]))),
            (folded("map", 0), value(json!({}))),
            (of("map", &[&member]), value(json!({"a": "12345678"}))),
            (of("list", &[&typed("duration", b"")]), Typed::Foreign),
            (typed("duration", &[0; 8]), Typed::Foreign),
            (folded("list", 256), Typed::Folded),
            (folded("list", 257), Typed::TooLarge),
            (folded("map", usize::MAX), Typed::TooLarge),
            (of("list", &[&text, &folded("map", 254)]), Typed::Folded),
            // With the two of the list itself.
            (of("list", &[&text, &folded("map", 255)]), Typed::TooLarge),
            (plain("list", "string", &[(b"a", b""), (b"b", b"")]), value(json!(["a", "b"]))),
            (plain("list", "double", &[(&0.5f64.to_le_bytes(), b"")]), value(json!([0.5]))),
            (plain("list", "bool", &[(&[1], b""), (&[0], b"")]), value(json!([true, false]))),
            (plain("list", "bool", &[(b"a", b"")]), Typed::Unreadable),
            (plain("map", "string", &[(b"a", b"1"), (b"b", b"")]), value(json!({"a": "1", "b": ""}))),
            (plain("map", "string", &[(b"\xff", b"1")]), Typed::Unreadable),
            (plain("list", "duration", &[(b"a", b"")]), Typed::Foreign),
            (sized("list", &list_of(&[&list_of(&[]), &list_of(&[&text])]), 2), Typed::Unreadable),
            (Vec::new(), Typed::Unreadable),
        ] {
            assert_eq!(read(&bytes).0, expected, "{bytes:?}");
        }
        assert_eq!(read(&of("list", &[&text, &of("list", &[&text])])).1, 3);
        assert_eq!(read(&plain("list", "string", &[(b"a", b""), (b"b", b"")])).1, 0);
        let whole = of("map", &[&member]);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]).0, Typed::Unreadable, "{length}");
        }
    }
}

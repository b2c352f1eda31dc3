//! The reference page of the configuration.

use super::{Field, Type, at};
use crate::config::fields::OBJECTS;

/// The reference page, as it is kept in `docs`.
#[must_use]
pub fn page() -> String {
    let mut page =
        "# Configuration\n\nEvery field, made of the same definitions as the schema ([`configuration.schema.json`]\
        (configuration.schema.json), which `wristband schema` prints). What fields mean together is in \
        [issuing.md](issuing.md) and [verifying.md](verifying.md).\n"
            .to_owned();
    for object in OBJECTS {
        let title = if object.place.is_empty() { "the configuration" } else { object.place };
        page += &format!("\n## `{title}`\n\n| field | type | default | meaning | example |\n|---|---|---|---|---|\n");
        for field in at(object.place).iter().filter(|field| field.name != "publish") {
            let default = if field.is_required { "needed".to_owned() } else { code(field.default) };
            let Field { name, kind, about, example, .. } = field;
            page += &format!("| `{name}` | {} | {default} | {about} | `{name}: {example}` |\n", in_words(*kind));
        }
    }
    page.replace("`the configuration`", "The configuration")
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn in_words(kind: Type) -> String {
    let words = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let place = |place: &str| format!("[`{place}`](#{})", place.to_lowercase().replace(['[', ']', '.'], ""));
    match kind {
        Type::Text | Type::Pattern(_) => "text".to_owned(),
        Type::Boolean => "true or false".to_owned(),
        Type::Integer(from, to) => format!("{from} to {to}"),
        Type::Word(known) => format!("one of {}", words(known)),
        Type::Time => "RFC 3339 time".to_owned(),
        Type::Any => "anything".to_owned(),
        Type::Object(of) => place(of),
        Type::Objects(of) => format!("list of {}", place(of)),
        Type::ObjectOrObjects(of) => format!("{}, or a list of them", place(of)),
        Type::ObjectsByName(of) => format!("{} by names", place(of)),
        Type::Texts | Type::TextsOrEmpty => "list of texts".to_owned(),
        Type::Words(known) => format!("list of {}", words(known)),
    }
}

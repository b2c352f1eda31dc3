//! What the parts of the module weigh: bytes of code by crate, as a Markdown table. `make weight` runs it on a module that
//! still has its names.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]

use std::collections::HashMap;

use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Crates that stand for themselves; what is smaller is counted together.
const ROWS: usize = 12;

fn main() {
    let Some(path) = std::env::var_os("WASM") else {
        println!("benches/weight needs a module with names: use `make weight`");
        return;
    };
    let module = std::fs::read(path).unwrap();
    let (mut names, mut imports, mut bodies) = (HashMap::new(), 0, Vec::new());
    for payload in Parser::new(0).parse_all(&module) {
        match payload.unwrap() {
            Payload::ImportSection(section) => imports = section.count(),
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes().len()),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(section) = section.as_known() else { continue };
                for part in section {
                    let Name::Function(functions) = part.unwrap() else { continue };
                    names.extend(functions.into_iter().map(Result::unwrap).map(|name| (name.index, name.name)));
                }
            }
            _ => {}
        }
    }
    let mut weights = HashMap::<_, usize>::new();
    for (index, bytes) in (imports..).zip(&bodies) {
        *weights.entry(part(names.get(&index).copied().unwrap_or_default())).or_default() += bytes;
    }
    let all: usize = bodies.iter().sum();
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let (large, small) = weights.split_at(ROWS.min(weights.len()));
    println!("| crate | KB of code | |\n|---|---|---|");
    let print = |name: &str, bytes: usize| println!("| {name} | {} | {} % |", bytes / 1000, bytes * 100 / all);
    large.iter().for_each(|(name, bytes)| print(&format!("`{name}`"), *bytes));
    print(&format!("{} others", small.len()), small.iter().map(|(_, bytes)| bytes).sum());
    print("all", all);
}

/// The crate whose code a function is: for a method, that of its type, and for a method of a reference or a type
/// parameter, that of the trait. Generic code is counted where it was written, whoever uses it.
fn part(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let is_outside = |character: char| !character.is_ascii_alphanumeric() && character != '_';
    let part = name.split_once("::").and_then(|(path, _)| path.rsplit(is_outside).next());
    part.unwrap_or("C").to_owned()
}

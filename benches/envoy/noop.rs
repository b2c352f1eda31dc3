//! A wasm filter that does nothing: what Envoy's wasm costs before anybody has written a line.
//!
//! It is put together by hand because no build is needed then: an example of this package would want its
//! dev-dependencies for wasm, and those that are C do not compile for it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

const I32: u8 = 0x7f;
const FUNCTION: u8 = 0x60;

/// A module with the two callbacks for headers, which let everything pass, and what Envoy asks of every module.
fn module() -> Vec<u8> {
    let types = vec![vec![FUNCTION, 0, 0], vec![FUNCTION, 1, I32, 1, I32], vec![FUNCTION, 3, I32, I32, I32, 1, I32]];
    // `i32.const 0`: no memory, and `Action::Continue`.
    let (nothing, zero) = (vec![2, 0, 0x0b], vec![4, 0, 0x41, 0, 0x0b]);
    let functions = [
        ("proxy_abi_version_0_2_1", 0, &nothing),
        ("malloc", 1, &zero),
        ("proxy_on_request_headers", 2, &zero),
        ("proxy_on_response_headers", 2, &zero),
    ];
    let mut exports: Vec<_> = (0..).zip(&functions).map(|(index, (name, _, _))| export(name, 0, index)).collect();
    exports.push(export("memory", 2, 0));
    let kinds = functions.iter().map(|(_, kind, _)| vec![*kind]).collect();
    let codes = functions.iter().map(|(_, _, code)| (*code).clone()).collect();
    let sections = [(1, types), (3, kinds), (5, vec![vec![0, 1]]), (7, exports), (10, codes)];
    let sections = sections.into_iter().flat_map(|(id, items)| section(id, &items));
    b"\0asm\x01\0\0\0".iter().copied().chain(sections).collect()
}

fn export(name: &str, kind: u8, index: u8) -> Vec<u8> {
    [&[length(name.len())], name.as_bytes(), &[kind, index]].concat()
}

fn section(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
    let content = [vec![length(items.len())], items.concat()].concat();
    let size = content.len();
    // LEB128 of two bytes.
    let size = [u8::try_from(size & 0x7f).unwrap() | 0x80, u8::try_from(size >> 7).unwrap()];
    [&[id], size.as_slice(), &content].concat()
}

fn length(length: usize) -> u8 {
    u8::try_from(length).ok().filter(|length| *length < 0x80).unwrap()
}

pub fn filter(directory: &Path) -> Value {
    let file = directory.join("noop.wasm");
    fs::write(&file, module()).unwrap();
    json!({
        "name": "noop",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "noop",
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
            },
        },
    })
}

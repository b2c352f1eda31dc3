//! Filters that do next to nothing: what Envoy's wasm costs before anybody has written a line, and what the host takes for
//! one signature. Nobody's filter that does the same and more can be cheaper.
//!
//! They are encoded here because no build is needed then: an example of this package would want its dev-dependencies for
//! wasm, and those that are C do not compile for it.

use std::fs;
use std::path::Path;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use serde_json::{Value, json};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, MemArg, MemArgTarget, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use crate::support;
use crate::tokens::{KEY, signing_key};

/// What such a filter does.
#[derive(Clone, Copy)]
pub enum Deed {
    Nothing,
    /// The host's `sign`, once for each response.
    Sign,
    /// The host's `verify_signature`, once for each request.
    Verify,
}

/// As much as is signed of a common token.
const MESSAGE: usize = 600;

impl Deed {
    /// The name of the host's function, and its arguments: `SignArguments` or `VerifySignatureArguments`, whose fields are
    /// the hash, the key, the signature to verify, and the text.
    fn call(self) -> Option<(&'static str, Vec<u8>)> {
        let text = vec![b'x'; MESSAGE];
        let key = |name: &str| pem::parse(support::key(name)).unwrap().into_contents();
        let (name, fields) = match self {
            Self::Nothing => return None,
            Self::Sign => ("sign", vec![key(KEY), text]),
            Self::Verify => {
                let signature: DerSignature = SigningKey::sign(&signing_key(KEY), &text);
                ("verify_signature", vec![key(&format!("{KEY}.pub")), signature.as_bytes().to_vec(), text])
            }
        };
        let mut arguments = Vec::new();
        for (tag, field) in (1..).zip([vec![b"sha256".to_vec()], fields].concat()) {
            prost::encoding::bytes::encode(tag, &field, &mut arguments);
        }
        Some((name, arguments))
    }
}

// Where in the one page of memory it is: the place and the length of what the host returns, the function's name and
// arguments, and what the host returns.
const PLACE: i32 = 8;
const LENGTH: i32 = 12;
const NAME: i32 = 16;
const ARGUMENTS: i32 = 64;
const ANSWER: i32 = 32_768;

/// A module with the two callbacks for headers, which let everything pass, and what Envoy asks of every module.
fn module(deed: Deed) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32; 3], [ValType::I32]);
    types.ty().function([ValType::I32; 6], [ValType::I32]);
    let (mut imports, mut functions, mut exports, mut code, mut data) =
        <(ImportSection, FunctionSection, ExportSection, CodeSection, DataSection)>::default();
    imports.import("env", "proxy_call_foreign_function", EntityType::Function(3));
    let call = deed.call();
    let (on_request, on_response) = match deed {
        Deed::Nothing => (None, None),
        Deed::Sign => (None, call.as_ref()),
        Deed::Verify => (call.as_ref(), None),
    };
    let bodies = [
        ("proxy_abi_version_0_2_1", 0, body(None)),
        ("malloc", 1, constant(ANSWER)),
        ("proxy_on_request_headers", 2, calling(on_request)),
        ("proxy_on_response_headers", 2, calling(on_response)),
    ];
    for (index, (name, kind, body)) in (1..).zip(&bodies) {
        functions.function(*kind);
        exports.export(name, ExportKind::Func, index);
        code.function(body);
    }
    exports.export("memory", ExportKind::Memory, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    if let Some((name, arguments)) = &call {
        data.active(0, &ConstExpr::i32_const(NAME), name.bytes());
        data.active(0, &ConstExpr::i32_const(ARGUMENTS), arguments.iter().copied());
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories);
    module.section(&exports).section(&code).section(&data);
    module
}

fn body(value: Option<i32>) -> Function {
    let mut body = Function::new([]);
    value.into_iter().for_each(|value| _ = body.instructions().i32_const(value));
    body.instructions().end();
    body
}

fn constant(value: i32) -> Function {
    body(Some(value))
}

/// Calls the host if there is something to call for, traps unless it says yes, and returns `Action::Continue`.
fn calling(call: Option<&(&str, Vec<u8>)>) -> Function {
    let Some((name, arguments)) = call else {
        return constant(0);
    };
    let length = |length: usize| i32::try_from(length).unwrap();
    let arguments = [NAME, length(name.len()), ARGUMENTS, length(arguments.len()), PLACE, LENGTH];
    let mut body = Function::new([]);
    let mut code = body.instructions();
    arguments.into_iter().for_each(|argument| _ = code.i32_const(argument));
    // The answer starts with `result`, its field 1.
    code.call(0).i32_const(ANSWER).i32_load16_u(MemArg {
        offset: 0,
        align: 0,
        target: MemArgTarget::Memory(0),
        ordering: None,
    });
    code.i32_const(0x0108).i32_ne().i32_or().if_(BlockType::Empty).unreachable().end();
    code.i32_const(0).end();
    body
}

pub fn filter(directory: &Path, deed: Deed) -> Value {
    let name = match deed {
        Deed::Nothing => "nothing",
        Deed::Sign => "only-sign",
        Deed::Verify => "only-verify",
    };
    let file = directory.join(name).with_extension("wasm");
    fs::write(&file, module(deed).finish()).unwrap();
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
            },
        },
    })
}

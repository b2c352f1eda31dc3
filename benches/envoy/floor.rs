//! Filters that do next to nothing: what Envoy's wasm costs before anybody has written a line, and what the host takes for
//! one signature. Nobody's filter that does the same and more can be cheaper.
//!
//! They are encoded here because no build is needed then: an example of this package would want its dev-dependencies for
//! wasm, and those that are C do not compile for it.

use std::fs;
use std::path::Path;

use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemArg, MemArgTarget, MemorySection, MemoryType, Module, TypeSection,
    ValType,
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
/// So many messages in turn: a processor learns the branches that one and the same signature takes, and verifies it faster
/// than it does those of strangers.
const MESSAGES: usize = 256;

/// What the host is asked, in turn.
struct Call {
    function: &'static str,
    /// All of one length.
    arguments: Vec<Vec<u8>>,
}

impl Deed {
    fn call(self) -> Option<Call> {
        let key = |name: &str| pem::parse(support::key(name)).unwrap().into_contents();
        let (function, key) = match self {
            Self::Nothing => return None,
            Self::Sign => ("sign", key(KEY)),
            Self::Verify => ("verify_signature", key(&format!("{KEY}.pub"))),
        };
        let signer = signing_key(KEY);
        let signed = (0..).map(|number| {
            let text = format!("{number:0MESSAGE$}").into_bytes();
            let signature: DerSignature = signer.sign(&text);
            (text, signature)
        });
        // `SignArguments` or `VerifySignatureArguments`: the hash, the key, the signature to verify, and the text.
        let arguments = signed.filter(|(_, signature)| signature.as_bytes().len() == 71).map(|(text, signature)| {
            let mut fields = vec![b"sha256".as_slice(), &key];
            fields.extend(matches!(self, Self::Verify).then_some(signature.as_bytes()));
            fields.push(&text);
            let mut arguments = Vec::new();
            for (tag, field) in (1..).zip(fields) {
                prost::encoding::bytes::encode(tag, &field.to_vec(), &mut arguments);
            }
            arguments
        });
        Some(Call { function, arguments: arguments.take(MESSAGES).collect() })
    }
}

// Where in its memory it is: the place and the length of what the host returns, the function's name, what the host
// returns, and the arguments of all calls.
const PLACE: i32 = 8;
const LENGTH: i32 = 12;
const NAME: i32 = 16;
const ANSWER: i32 = 64;
const ARGUMENTS: i32 = 1024;

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
    memories.memory(MemoryType { minimum: 8, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut next = GlobalSection::new();
    next.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(ARGUMENTS));
    if let Some(Call { function, arguments }) = &call {
        data.active(0, &ConstExpr::i32_const(NAME), function.bytes());
        data.active(0, &ConstExpr::i32_const(ARGUMENTS), arguments.concat());
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&next);
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
fn calling(call: Option<&Call>) -> Function {
    let Some(Call { function, arguments }) = call else {
        return constant(0);
    };
    let length = |length: usize| i32::try_from(length).unwrap();
    let (step, all) = (length(arguments[0].len()), length(arguments.concat().len()));
    let mut body = Function::new([]);
    let mut code = body.instructions();
    code.i32_const(NAME).i32_const(length(function.len()));
    code.global_get(0).i32_const(step).i32_const(PLACE).i32_const(LENGTH);
    // The answer starts with `result`, its field 1.
    code.call(0).i32_const(ANSWER).i32_load16_u(MemArg {
        offset: 0,
        align: 0,
        target: MemArgTarget::Memory(0),
        ordering: None,
    });
    code.i32_const(0x0108).i32_ne().i32_or().if_(BlockType::Empty).unreachable().end();
    code.global_get(0).i32_const(step).i32_add().global_set(0);
    code.global_get(0)
        .i32_const(ARGUMENTS + all)
        .i32_eq()
        .if_(BlockType::Empty)
        .i32_const(ARGUMENTS)
        .global_set(0)
        .end();
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

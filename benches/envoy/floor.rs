//! Filters that do next to nothing: what Envoy's wasm costs before anybody has written a line, and what the host takes for
//! one signature, for all that has to be asked of it for a token or a refusal, or for one wristband that is there already.
//! Nobody's filter that does the same and more can be cheaper.
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
    GlobalSection, GlobalType, ImportSection, InstructionSink, MemArg, MemArgTarget, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};

use wristband::denial::Denial;
use wristband::encoding::protobuf::struct_of_texts;
use wristband::http::reply::Reply;

use crate::load::TOKEN;
use crate::support;
use crate::tokens::{KEY, signing_key};

/// What such a filter does.
#[derive(Clone, Copy)]
pub enum Deed {
    Nothing,
    /// Reads the token, and has the host verify one.
    Verify,
    /// Reads all headers, has the host sign, counts, and sets the headers of a response with a wristband.
    Sign,
    /// The same with a wristband that is there already, which is counted once more.
    HandOut,
    /// Reads all headers, removes the token, says who is there, and counts twice.
    Accept,
    /// The same, and has the host verify one.
    VerifyAndAccept,
    /// The same, and as `Sign` with the response.
    Exchange,
    /// Reads all headers, says why, counts, and replies as our filter does.
    Deny,
    /// Reads all headers, counts, and replies with a document.
    Publish,
}

/// As much as is signed of a common token.
const MESSAGE: usize = 600;
/// So many messages in turn: a processor learns the branches that one and the same signature takes, and verifies it faster
/// than it does those of strangers.
const MESSAGES: usize = 256;
/// About as long as a wristband without custom claims.
const WRISTBAND: usize = 400;
/// About as long as the claims of a token as filter state.
const STATE: usize = 480;
/// About as long as a JWKS with one key.
const SET: usize = 220;

/// What it imports. A function's place here is its number.
const IMPORTS: [(&str, &[ValType]); 9] = [
    ("proxy_call_foreign_function", &[I32; 6]),
    ("proxy_send_local_response", &[I32; 8]),
    ("proxy_get_header_map_value", &[I32; 5]),
    ("proxy_replace_header_map_value", &[I32; 5]),
    ("proxy_get_header_map_pairs", &[I32; 3]),
    ("proxy_remove_header_map_value", &[I32; 3]),
    ("proxy_set_property", &[I32; 4]),
    ("proxy_define_metric", &[I32; 4]),
    ("proxy_increment_metric", &[I32, ValType::I64]),
];
const I32: ValType = ValType::I32;
const CALL_FOREIGN_FUNCTION: u32 = 0;
const SEND_LOCAL_RESPONSE: u32 = 1;
const GET_HEADER: u32 = 2;
const REPLACE_HEADER: u32 = 3;
const GET_HEADERS: u32 = 4;
const REMOVE_HEADER: u32 = 5;
const SET_PROPERTY: u32 = 6;
const DEFINE_METRIC: u32 = 7;
const INCREMENT_METRIC: u32 = 8;

// Its variables: where the next arguments of both functions are, and whether the counter has been made.
const NEXT_TO_VERIFY: u32 = 0;
const NEXT_TO_SIGN: u32 = 1;
const IS_COUNTING: u32 = 2;

// Of proxy-wasm: kinds of header maps, and what a callback may return.
const REQUEST: i32 = 0;
const RESPONSE: i32 = 2;
const CONTINUE: i32 = 0;
const PAUSE: i32 = 1;

// Where in its memory it is: the place and the length of what the host returns, the number of the counter, what the host
// returns, and the texts.
const PLACE: i32 = 8;
const LENGTH: i32 = 12;
const COUNTER: i32 = 16;
const ANSWER: i32 = 64;
const TEXTS: i32 = 16_384;

/// Bytes in its memory.
#[derive(Default)]
struct Texts(Vec<u8>);

#[derive(Clone, Copy)]
struct Text {
    place: i32,
    length: i32,
}

impl Texts {
    fn add(&mut self, text: impl AsRef<[u8]>) -> Text {
        let length = |bytes: &[u8]| i32::try_from(bytes.len()).unwrap();
        let place = TEXTS + length(&self.0);
        self.0.extend_from_slice(text.as_ref());
        Text { place, length: length(text.as_ref()) }
    }
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Verify => "only-verify",
            Self::Sign => "only-sign",
            Self::HandOut => "only-hand-out",
            Self::Accept => "only-accept",
            Self::VerifyAndAccept => "only-verify-and-accept",
            Self::Exchange => "only-exchange",
            Self::Deny => "only-deny",
            Self::Publish => "only-publish",
        }
    }

    /// What it does with a request and with a response.
    fn callbacks(self, texts: &mut Texts) -> [Function; 2] {
        let nothing = || callback(CONTINUE, |_| {});
        match self {
            Self::Nothing => [nothing(), nothing()],
            Self::Verify => {
                let on_request = callback(CONTINUE, |code| {
                    read(code, TOKEN, texts);
                    verify(code, texts);
                });
                [on_request, nothing()]
            }
            Self::Sign => {
                [callback(CONTINUE, |code| read_all(code, REQUEST)), callback(CONTINUE, |code| sign(code, texts))]
            }
            Self::HandOut => [
                callback(CONTINUE, |code| read_all(code, REQUEST)),
                callback(CONTINUE, |code| {
                    read_all(code, RESPONSE);
                    count(code, texts);
                    set_wristband(code, texts);
                }),
            ],
            Self::Accept => [callback(CONTINUE, |code| accept(code, false, texts)), nothing()],
            Self::VerifyAndAccept => [callback(CONTINUE, |code| accept(code, true, texts)), nothing()],
            Self::Exchange => {
                [callback(CONTINUE, |code| accept(code, true, texts)), callback(CONTINUE, |code| sign(code, texts))]
            }
            Self::Deny => {
                let on_request = callback(PAUSE, |code| {
                    let denial = Denial::Malformed;
                    read_all(code, REQUEST);
                    let state = struct_of_texts(&[("code", denial.code()), ("place", TOKEN)]);
                    set_state(code, "wristband_denied", &state, texts);
                    count(code, texts);
                    reply(code, &denial.into(), texts);
                });
                [on_request, nothing()]
            }
            Self::Publish => {
                let on_request = callback(PAUSE, |code| {
                    read_all(code, REQUEST);
                    count(code, texts);
                    let headers = [("content-type", "application/json"), ("cache-control", "public, max-age=300")];
                    reply(code, &Reply::new(200, &headers, "a".repeat(SET), String::new()), texts);
                });
                [on_request, nothing()]
            }
        }
    }
}

fn callback(action: i32, write: impl FnOnce(&mut InstructionSink<'_>)) -> Function {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    write(&mut code);
    code.i32_const(action).end();
    body
}

/// Calls the host with what has been put together for it, and traps if it refuses.
fn call(code: &mut InstructionSink<'_>, function: u32) {
    code.call(function).if_(BlockType::Empty).unreachable().end();
}

fn give(code: &mut InstructionSink<'_>, text: Text) {
    code.i32_const(text.place).i32_const(text.length);
}

fn read(code: &mut InstructionSink<'_>, header: &str, texts: &mut Texts) {
    code.i32_const(REQUEST);
    give(code, texts.add(header));
    code.i32_const(PLACE).i32_const(LENGTH);
    call(code, GET_HEADER);
}

fn set_wristband(code: &mut InstructionSink<'_>, texts: &mut Texts) {
    count(code, texts);
    for (name, value) in [("cache-control", "no-store"), (TOKEN, &"a".repeat(WRISTBAND))] {
        code.i32_const(RESPONSE);
        give(code, texts.add(name));
        give(code, texts.add(value));
        call(code, REPLACE_HEADER);
    }
}

fn accept(code: &mut InstructionSink<'_>, verifies: bool, texts: &mut Texts) {
    read_all(code, REQUEST);
    if verifies {
        verify(code, texts);
    }
    code.i32_const(REQUEST);
    give(code, texts.add(TOKEN));
    call(code, REMOVE_HEADER);
    set_state(code, "wristband", &vec![b'a'; STATE], texts);
    (0..2).for_each(|_| count(code, texts));
}

fn read_all(code: &mut InstructionSink<'_>, map: i32) {
    code.i32_const(map).i32_const(PLACE).i32_const(LENGTH);
    call(code, GET_HEADERS);
}

fn set_state(code: &mut InstructionSink<'_>, name: &str, value: &[u8], texts: &mut Texts) {
    give(code, texts.add(name));
    give(code, texts.add(value));
    call(code, SET_PROPERTY);
}

fn count(code: &mut InstructionSink<'_>, texts: &mut Texts) {
    const KIND: i32 = 0;
    code.global_get(IS_COUNTING).i32_eqz().if_(BlockType::Empty).i32_const(1).global_set(IS_COUNTING).i32_const(KIND);
    give(code, texts.add("floor"));
    code.i32_const(COUNTER);
    call(code, DEFINE_METRIC);
    let number = MemArg { offset: 0, align: 2, target: MemArgTarget::Memory(0), ordering: None };
    code.end().i32_const(COUNTER).i32_load(number).i64_const(1);
    call(code, INCREMENT_METRIC);
}

fn reply(code: &mut InstructionSink<'_>, reply: &Reply, texts: &mut Texts) {
    code.i32_const(reply.status.into());
    for text in [reply.details.as_bytes(), reply.body.as_bytes(), &reply.headers] {
        give(code, texts.add(text));
    }
    // No gRPC status.
    code.i32_const(-1);
    call(code, SEND_LOCAL_RESPONSE);
}

fn verify(code: &mut InstructionSink<'_>, texts: &mut Texts) {
    ask(code, NEXT_TO_VERIFY, "verify_signature", &verify_arguments(), texts);
}

fn sign(code: &mut InstructionSink<'_>, texts: &mut Texts) {
    read_all(code, RESPONSE);
    ask(code, NEXT_TO_SIGN, "sign", &sign_arguments(), texts);
    set_wristband(code, texts);
}

/// Has the host sign or verify the next message, and traps unless it says yes.
fn ask(code: &mut InstructionSink<'_>, next: u32, function: &str, arguments: &[Vec<u8>], texts: &mut Texts) {
    let function = texts.add(function);
    // They are all of one length.
    let first = texts.add(&arguments[0]);
    let last = arguments[1..].iter().map(|arguments| texts.add(arguments)).last().unwrap();
    code.global_get(next).i32_eqz().if_(BlockType::Empty).i32_const(first.place).global_set(next).end();
    give(code, function);
    code.global_get(next).i32_const(first.length).i32_const(PLACE).i32_const(LENGTH);
    call(code, CALL_FOREIGN_FUNCTION);
    // The answer starts with `result`, its field 1.
    let answer = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };
    code.i32_const(ANSWER).i32_load16_u(answer).i32_const(0x0108).i32_ne();
    code.if_(BlockType::Empty).unreachable().end();
    code.global_get(next).i32_const(first.length).i32_add().global_set(next);
    code.global_get(next).i32_const(last.place).i32_gt_s().if_(BlockType::Empty).i32_const(0).global_set(next).end();
}

fn sign_arguments() -> Vec<Vec<u8>> {
    signed().map(|(text, _)| fields(&[b"sha256", &der(KEY), &text])).collect()
}

fn verify_arguments() -> Vec<Vec<u8>> {
    let key = der(&format!("{KEY}.pub"));
    signed().map(|(text, signature)| fields(&[b"sha256", &key, signature.as_bytes(), &text])).collect()
}

fn der(key: &str) -> Vec<u8> {
    pem::parse(support::key(key)).unwrap().into_contents()
}

/// Messages with signatures of one length.
fn signed() -> impl Iterator<Item = (Vec<u8>, DerSignature)> {
    let signer = signing_key(KEY);
    let signed = (0..).map(move |number| {
        let text = format!("{number:0MESSAGE$}").into_bytes();
        let signature: DerSignature = signer.sign(&text);
        (text, signature)
    });
    signed.filter(|(_, signature)| signature.as_bytes().len() == 71).take(MESSAGES)
}

/// `SignArguments` or `VerifySignatureArguments`: the hash, the key, the signature to verify, and the text.
fn fields(fields: &[&[u8]]) -> Vec<u8> {
    let mut arguments = Vec::new();
    for (tag, field) in (1..).zip(fields) {
        prost::encoding::bytes::encode(tag, &field.to_vec(), &mut arguments);
    }
    arguments
}

/// A module with the two callbacks for headers, and what Envoy asks of every module.
fn module(deed: Deed) -> Module {
    let mut texts = Texts::default();
    let [on_request, on_response] = deed.callbacks(&mut texts);
    let (mut types, mut imports, mut functions, mut exports, mut code, mut data) =
        <(TypeSection, ImportSection, FunctionSection, ExportSection, CodeSection, DataSection)>::default();
    // The type of each function is its own: imports first, then what is exported.
    let mut declare = |parameters: &[ValType]| {
        types.ty().function(parameters.iter().copied(), [I32]);
        types.len() - 1
    };
    for (name, parameters) in IMPORTS {
        imports.import("env", name, EntityType::Function(declare(parameters)));
    }
    // Envoy looks at the name alone of the first one.
    let exported = [
        ("proxy_abi_version_0_2_1", 0, callback(0, |_| {})),
        ("malloc", 1, callback(ANSWER, |_| {})),
        ("proxy_on_request_headers", 3, on_request),
        ("proxy_on_response_headers", 3, on_response),
    ];
    for (name, parameters, body) in &exported {
        let number = declare(&vec![I32; *parameters]);
        functions.function(number);
        exports.export(name, ExportKind::Func, number);
        code.function(body);
    }
    exports.export("memory", ExportKind::Memory, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 8, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    for _ in [NEXT_TO_VERIFY, NEXT_TO_SIGN, IS_COUNTING] {
        globals.global(GlobalType { val_type: I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
    }
    data.active(0, &ConstExpr::i32_const(TEXTS), texts.0);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code).section(&data);
    module
}

pub fn filter(directory: &Path, deed: Deed) -> Value {
    let name = deed.name();
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

//! The adapter with a host that is no Envoy: it serves the functions of proxy-wasm, and refuses whichever it is told to.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![expect(unsafe_code, reason = "the other side of the border")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::slice::from_raw_parts;

use proxy_wasm::traits::{Context as _, HttpContext, RootContext};
use proxy_wasm::types::Action;
use serde_json::{Value, json};
use wristband::encoding::pairs;
use wristband::envoy::Root;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INTERNAL_FAILURE: u32 = 10;

/// What the host has and has seen.
#[derive(Default)]
struct Host {
    configuration: Vec<u8>,
    /// Request and response.
    headers: [Vec<(Vec<u8>, Vec<u8>)>; 2],
    properties: HashMap<Vec<u8>, Vec<u8>>,
    counters: Vec<(String, i64)>,
    gauges: BTreeMap<String, u64>,
    /// Status, details and body.
    answers: Vec<(u32, String, String)>,
    /// What it says of signatures, one after the other, and of all that follow; `None`: the VM computes.
    verdicts: Option<(Vec<bool>, bool)>,
    /// What it does not do; the names are those of the functions.
    refuses: Option<&'static str>,
    calls: Vec<&'static str>,
    /// How often it has been asked to tick.
    periods: Vec<u32>,
    /// The cluster of each call, and the headers.
    fetched: Vec<(String, Vec<(String, String)>)>,
    /// What a call is answered with, if it is.
    answer: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    body: Vec<u8>,
    /// Whom calls are about, who is gone, and whose requests went on.
    held: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    context: u32,
    gone: Vec<u32>,
    continued: Vec<u32>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

fn host<T>(work: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| work(&mut host.borrow_mut()))
}

/// Serves a call, unless it is refused.
fn serve(name: &'static str, work: impl FnOnce(&mut Host) -> u32) -> u32 {
    host(|host| {
        host.calls.push(name);
        if host.refuses == Some(name) { INTERNAL_FAILURE } else { work(host) }
    })
}

/// What the guest passes.
fn bytes<'b>(data: *const u8, length: usize) -> &'b [u8] {
    // SAFETY: the adapter passes what it has borrowed; no call keeps it.
    if data.is_null() { &[] } else { unsafe { from_raw_parts(data, length) } }
}

/// Hands bytes over, as the allocator of the guest would have them.
fn give(value: Option<Vec<u8>>, data: *mut *mut u8, length: *mut usize) -> u32 {
    let Some(value) = value else { return NOT_FOUND };
    let value = value.into_boxed_slice();
    // SAFETY: both pointers are the adapter's own variables.
    unsafe {
        *length = value.len();
        *data = Box::into_raw(value).cast();
    }
    OK
}

fn map(number: u32) -> usize {
    usize::from(number != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(kind: u32, _: usize, _: usize, data: *mut *mut u8, length: *mut usize) -> u32 {
    serve("proxy_get_buffer_bytes", |host| {
        give(Some(if kind == 4 { host.body.clone() } else { host.configuration.clone() }), data, length)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(number: u32, data: *mut *mut u8, length: *mut usize) -> u32 {
    serve("proxy_get_header_map_pairs", |host| {
        let answer = host.answer.clone();
        let headers = if number == 6 { &answer.unwrap_or_default() } else { &host.headers[map(number)] };
        let borrowed: Vec<_> = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        give(Some(pairs::write(&borrowed)), data, length)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_add_header_map_value(number: u32, n: *const u8, nl: usize, v: *const u8, vl: usize) -> u32 {
    serve("proxy_add_header_map_value", |host| {
        host.headers[map(number)].push((bytes(n, nl).to_vec(), bytes(v, vl).to_vec()));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(number: u32, n: *const u8, nl: usize, v: *const u8, vl: usize) -> u32 {
    serve("proxy_replace_header_map_value", |host| {
        let headers = &mut host.headers[map(number)];
        headers.retain(|(name, _)| name != bytes(n, nl));
        headers.push((bytes(n, nl).to_vec(), bytes(v, vl).to_vec()));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(number: u32, n: *const u8, nl: usize) -> u32 {
    serve("proxy_remove_header_map_value", |host| {
        host.headers[map(number)].retain(|(name, _)| name != bytes(n, nl));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(p: *const u8, pl: usize, data: *mut *mut u8, length: *mut usize) -> u32 {
    serve("proxy_get_property", |host| give(host.properties.get(bytes(p, pl)).cloned(), data, length))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(p: *const u8, pl: usize, v: *const u8, vl: usize) -> u32 {
    serve("proxy_set_property", |host| {
        host.properties.insert(bytes(p, pl).to_vec(), bytes(v, vl).to_vec());
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_shared_data(_: *const u8, _: usize, _: *mut *mut u8, _: *mut usize, _: *mut u32) -> u32 {
    serve("proxy_get_shared_data", |_| NOT_FOUND)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_shared_data(_: *const u8, _: usize, _: *const u8, _: usize, _: u32) -> u32 {
    serve("proxy_set_shared_data", |_| BAD_ARGUMENT)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    details: *const u8,
    details_length: usize,
    body: *const u8,
    body_length: usize,
    _: *const u8,
    _: usize,
    _: i32,
) -> u32 {
    let text = |data, length| String::from_utf8(bytes(data, length).to_vec()).unwrap();
    serve("proxy_send_local_response", |host| {
        host.answers.push((status, text(details, details_length), text(body, body_length)));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_call_foreign_function(
    n: *const u8,
    nl: usize,
    _: *const u8,
    _: usize,
    data: *mut *mut u8,
    length: *mut usize,
) -> u32 {
    serve("proxy_call_foreign_function", |host| match bytes(n, nl) {
        b"declare_property" => give(Some(Vec::new()), data, length),
        b"verify_signature" if host.verdicts.is_some() => {
            let (first, then) = host.verdicts.as_mut().unwrap();
            let is_right = if first.is_empty() { *then } else { first.remove(0) };
            // `VerifySignatureResult`, with its `result`.
            give(Some(vec![8, u8::from(is_right)]), data, length)
        }
        // The VM computes, and there are no expressions.
        _ => NOT_FOUND,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(kind: u32, n: *const u8, nl: usize, id: *mut u32) -> u32 {
    serve("proxy_define_metric", |host| {
        let name = String::from_utf8(bytes(n, nl).to_vec()).unwrap();
        if kind == 1 {
            host.gauges.insert(name.clone(), u64::MAX);
        }
        host.counters.push((name, 0));
        // SAFETY: the adapter's own variable.
        unsafe { *id = u32::try_from(host.counters.len() - 1).unwrap() };
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> u32 {
    serve("proxy_increment_metric", |host| {
        host.counters[usize::try_from(id).unwrap()].1 += offset;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    serve("proxy_record_metric", |host| {
        let name = host.counters[usize::try_from(id).unwrap()].0.clone();
        host.gauges.insert(name, value);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    serve("proxy_set_tick_period_milliseconds", |host| {
        host.periods.push(period);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    serve("proxy_set_effective_context", |host| {
        if host.gone.contains(&context) {
            return BAD_ARGUMENT;
        }
        host.context = context;
        // Each request has headers of its own.
        if let Some(headers) = &host.held {
            host.headers[0] = headers.clone();
        }
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_: u32) -> u32 {
    serve("proxy_continue_stream", |host| {
        let context = host.context;
        host.continued.push(context);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    upstream: *const u8,
    upstream_length: usize,
    headers: *const u8,
    headers_length: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: u32,
    token: *mut u32,
) -> u32 {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    serve("proxy_http_call", |host| {
        let pairs = pairs::read(bytes(headers, headers_length)).unwrap();
        let pairs = pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect();
        host.fetched.push((text(bytes(upstream, upstream_length)), pairs));
        // SAFETY: the SDK's own variable.
        unsafe { *token = u32::try_from(host.fetched.len()).unwrap() };
        OK
    })
}

/// What the SDK could call, and the adapter never does.
macro_rules! never {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)] extern "C" fn $name() -> u32 { serve(stringify!($name), |_| BAD_ARGUMENT) })*
    };
}

never! {
    proxy_close_stream
    proxy_dequeue_shared_queue
    proxy_done
    proxy_enqueue_shared_queue
    proxy_get_current_time_nanoseconds
    proxy_get_header_map_value
    proxy_get_status
    proxy_grpc_call
    proxy_grpc_cancel
    proxy_grpc_close
    proxy_grpc_send
    proxy_grpc_stream
    proxy_register_shared_queue
    proxy_resolve_shared_queue
    proxy_set_buffer_bytes
    proxy_set_header_map_pairs
}

fn configuration() -> Value {
    let key = include_str!("../testdata/worthless-keys/cluster-a-2026-11.pem");
    json!({
        "allowWorthlessKeys": true,
        "issuer": "https://a.example",
        "signingKeyRefs": [{"name": "a", "algorithm": "ES256", "key": {"inlineString": key}}],
        "issue": {"identity": {"header": "x-user"}, "cookie": {}, "header": "x-wristband-token"},
        "verify": {"mode": "optional", "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]},
    })
}

/// A plugin with this configuration, and whether it is in force.
fn plugin(configuration: &Value) -> (Root, bool) {
    host(|host| host.configuration = configuration.to_string().into_bytes());
    let mut root = Root::new(1);
    let is_in_force = root.on_configure(1);
    (root, is_in_force)
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn value(map: usize, name: &str) -> Option<String> {
    let found = |host: &Host| host.headers[map].iter().find(|(key, _)| key == name.as_bytes()).cloned();
    host(|host| found(host).map(|(_, value)| String::from_utf8(value).unwrap()))
}

fn count(name: &str) -> i64 {
    host(|host| host.counters.iter().filter(|(counter, _)| counter == name).map(|(_, count)| count).sum())
}

/// A request with these headers and its response, as Envoy would have them.
fn exchange(root: &Root, request: &[(&str, &str)]) -> (Action, Action) {
    let mut stream = root.create_http_context(2).unwrap();
    (ask(&mut *stream, request), respond(&mut *stream))
}

fn ask(stream: &mut dyn HttpContext, request: &[(&str, &str)]) -> Action {
    let pseudo = [(":method", "GET"), (":path", "/"), (":authority", "a.example")];
    host(|host| host.headers[0] = headers(&[&pseudo[..], request].concat()));
    stream.on_http_request_headers(0, true)
}

fn respond(stream: &mut dyn HttpContext) -> Action {
    let response = [(":status", "200"), ("set-cookie", "theme=dark"), ("x-wristband-token", "forged")];
    host(|host| host.headers[1] = headers(&response));
    stream.on_http_response_headers(0, true)
}

fn last_answer() -> Option<(u32, String, String)> {
    host(|host| host.answers.last().cloned())
}

/// A VM that computes wrongly cannot be had, a host that does can. What it says counts, tables are used no more, and it is told.
#[test]
fn tables_that_differ_from_the_host_are_used_no_more_and_that_is_counted() {
    const DISAGREED: &str = "wristband.crypto_disagreed.filter.none";
    // A right signature and five wrong ones: it passes its test.
    host(|host| host.verdicts = Some((vec![true, false, false, false, false, false], true)));
    let mut configuration = configuration();
    configuration["crypto"] = "tables".into();
    configuration["verify"]["cache"] = json!({"tokens": 0});
    let (root, is_in_force) = plugin(&configuration);
    assert!(is_in_force);
    let gauges = host(|host| host.gauges.clone());
    assert_eq!(gauges["wristband.crypto.operation.verify.algorithm.ES256.by.tables"], 1);
    // It begins at zero.
    assert_eq!(host(|host| host.counters.iter().filter(|(name, _)| name == DISAGREED).count()), 1);
    assert_eq!(exchange(&root, &[("x-user", "alice")]), (Action::Continue, Action::Continue));
    let token = value(1, "x-wristband-token").unwrap();
    let verified = |token: &str| {
        let asked = || host(|host| host.calls.iter().filter(|name| **name == "proxy_call_foreign_function").count());
        let before = asked();
        let action = ask(&mut *root.create_http_context(3).unwrap(), &[("x-wristband-token", token)]);
        (action, asked() > before)
    };
    // It is used repeatedly, and then two tables grow.
    for _ in 0..16 + 2 * 43 {
        assert_eq!(verified(&token), (Action::Continue, true));
    }
    // Another filter of the VM remembers what it has accepted.
    configuration["verify"]["cache"] = json!({"tokens": 10});
    host(|host| host.verdicts = Some((vec![true, false, false, false, false, false], true)));
    let (other, is_in_force) = plugin(&configuration);
    assert!(is_in_force);
    let remembered = || ask(&mut *other.create_http_context(4).unwrap(), &[("x-wristband-token", &token)]);
    // The first answer is compared.
    assert_eq!(remembered(), Action::Continue);
    host(|host| host.verdicts = Some((Vec::new(), false)));
    assert_eq!((remembered(), count(DISAGREED)), (Action::Continue, 0));
    // And then one in 256.
    for _ in 1..256 {
        assert_eq!(verified(&token), (Action::Continue, false));
    }
    assert_eq!((verified(&token), count(DISAGREED)), ((Action::Pause, true), 1));
    assert_eq!(remembered(), Action::Pause);
    host(|host| host.verdicts = Some((Vec::new(), true)));
    for _ in 0..300 {
        assert_eq!(verified(&token), (Action::Continue, true));
    }
    assert_eq!(count(DISAGREED), 1);
}

#[test]
fn a_wristband_is_signed_handed_out_and_accepted() {
    let (root, is_in_force) = plugin(&configuration());
    assert!(is_in_force);
    let gauges = host(|host| host.gauges.clone());
    assert_eq!(gauges["wristband.crypto.operation.sign.algorithm.ES256.by.wasm"], 1, "the VM computes here");
    assert_eq!(exchange(&root, &[("x-user", "alice"), ("x-sub", "mallory")]), (Action::Continue, Action::Continue));
    assert_eq!(value(0, "x-sub"), None);
    let token = value(1, "x-wristband-token").unwrap();
    assert_eq!(value(1, "cache-control").as_deref(), Some("no-store"));
    let cookies = host(|host| host.headers[1].iter().filter(|(name, _)| name == b"set-cookie").count());
    assert_eq!(cookies, 2, "the upstream's own and ours");
    assert_eq!(exchange(&root, &[("x-wristband-token", &token)]), (Action::Continue, Action::Continue));
    assert_eq!((value(0, "x-sub").as_deref(), value(0, "x-wristband-token")), (Some("alice"), None));
    assert!(host(|host| host.properties.contains_key(&b"wristband"[..])));
    assert_eq!((count("wristband.issued.filter.none"), count("wristband.verified.filter.none.peer.self")), (1, 1));
    assert_eq!(ask(&mut *root.create_http_context(3).unwrap(), &[("x-wristband-token", "bad")]), Action::Pause);
    let (status, details, _) = last_answer().unwrap();
    let count = count("wristband.denied.filter.none.peer.none.code.malformed");
    assert_eq!((status, &*details, count), (401, "wristband_denied{malformed}", 1));
    assert!(host(|host| host.properties.contains_key(&b"wristband_denied"[..])));
}

/// What becomes of a request and its response when a call is refused from then on.
fn with_refusal(root: &Root, name: &'static str, token: &str) -> (Action, Action) {
    host(|host| (host.refuses, host.answers) = (Some(name), Vec::new()));
    // A header of ours and one of the client's, so that every kind of change is made.
    let request = [("x-wristband-token", token), ("x-sub", "mallory")];
    let mut stream = root.create_http_context(2).unwrap();
    let asked = ask(&mut *stream, &request);
    host(|host| host.refuses = None);
    let mut login = root.create_http_context(3).unwrap();
    ask(&mut *login, &[("x-user", "alice")]);
    host(|host| host.refuses = Some(name));
    let answered = respond(&mut *login);
    host(|host| host.refuses = None);
    (asked, answered)
}

#[test]
fn what_the_host_refuses_lets_nothing_pass() {
    use Action::{Continue, Pause};
    let (root, _) = plugin(&configuration());
    exchange(&root, &[("x-user", "alice")]);
    let token = value(1, "x-wristband-token").unwrap();
    for (name, expected) in [
        ("proxy_get_header_map_pairs", (Pause, Pause)),
        ("proxy_remove_header_map_value", (Pause, Pause)),
        ("proxy_replace_header_map_value", (Pause, Pause)),
        ("proxy_set_property", (Pause, Continue)),
        ("proxy_add_header_map_value", (Continue, Pause)),
        // Nobody counts, and all the same.
        ("proxy_increment_metric", (Continue, Continue)),
        ("proxy_call_foreign_function", (Continue, Continue)),
    ] {
        assert_eq!(with_refusal(&root, name, &token), expected, "{name}");
        let answers = host(|host| host.answers.clone());
        let refused = usize::from(expected.0 == Pause) + usize::from(expected.1 == Pause);
        assert_eq!(answers.len(), refused, "{name}");
        assert!(answers.iter().all(|answer| (answer.0, &*answer.1) == (500, "wristband_host_error")), "{answers:?}");
    }
}

#[test]
fn a_denial_that_cannot_be_sent_stops_the_request_all_the_same() {
    let (root, _) = plugin(&configuration());
    host(|host| host.refuses = Some("proxy_send_local_response"));
    let mut stream = root.create_http_context(2).unwrap();
    assert_eq!(ask(&mut *stream, &[("x-wristband-token", "bad")]), Action::Pause);
    // Envoy asks about the filter's own response, in which there is nothing to look for.
    let before = host(|host| (host.refuses = None, host.calls.len()).1);
    assert_eq!(respond(&mut *stream), Action::Continue);
    assert_eq!(host(|host| host.calls.len()), before);
}

#[test]
fn what_is_refused_at_load_is_no_configuration() {
    for name in ["proxy_get_buffer_bytes", "proxy_call_foreign_function", "proxy_define_metric"] {
        host(|host| host.refuses = Some(name));
        let (root, is_in_force) = plugin(&configuration());
        assert!(!is_in_force, "{name}");
        host(|host| host.refuses = None);
        assert_eq!(exchange(&root, &[]).0, Action::Pause, "{name}: what was never configured lets nothing pass");
        assert_eq!(last_answer().unwrap().0, 500);
    }
    assert!(!plugin(&json!({"issuer": 7})).1);
    // An update that is refused leaves the old one in force.
    let (mut root, _) = plugin(&configuration());
    host(|host| host.configuration = b"{}".to_vec());
    assert!(!root.on_configure(2));
    assert_eq!(exchange(&root, &[("x-user", "alice")]), (Action::Continue, Action::Continue));
    assert!(value(1, "x-wristband-token").is_some());
}

#[test]
fn a_response_whose_request_was_not_asked_about_does_not_pass_where_tokens_are_verified() {
    let (root, _) = plugin(&configuration());
    assert_eq!(respond(&mut *root.create_http_context(2).unwrap()), Action::Pause);
    let mut configuration = configuration();
    configuration.as_object_mut().unwrap().remove("verify");
    let (root, _) = plugin(&configuration);
    assert_eq!(respond(&mut *root.create_http_context(2).unwrap()), Action::Continue);
    assert_eq!(value(1, "x-wristband-token"), None);
}

fn fetching() -> Value {
    json!({
        "allowWorthlessKeys": true,
        "issuer": "https://a.example",
        "peers": [{"issuer": "https://b.example", "remoteJwks": {"cluster": "b"}}],
        "verify": {},
    })
}

/// A token of the peer's, and the set that it can be verified with.
fn of_peer() -> (String, String) {
    let key = include_str!("../testdata/worthless-keys/cluster-b-2026-10.pem");
    let mut signer = configuration();
    signer["issuer"] = "https://b.example".into();
    signer["signingKeyRefs"][0]["key"]["inlineString"] = key.into();
    let (root, _) = plugin(&signer);
    exchange(&root, &[("x-user", "alice")]);
    let token = value(1, "x-wristband-token").unwrap();
    host(|host| host.headers[0] = headers(&[(":method", "GET"), (":path", "/.well-known/jwks.json")]));
    root.create_http_context(9).unwrap().on_http_request_headers(0, true);
    (token, last_answer().unwrap().2)
}

/// Answers the last call with this body.
fn answer(root: &mut Root, status: &str, body: &str) {
    let token = host(|host| {
        host.answer = Some(headers(&[(":status", status)]));
        host.body = body.as_bytes().to_vec();
        u32::try_from(host.fetched.len()).unwrap()
    });
    root.on_http_call_response(token, 1, body.len(), 0);
}

#[test]
fn requests_wait_for_keys_and_go_on_sixteen_at_a_time() {
    let (token, set) = of_peer();
    let (mut root, is_in_force) = plugin(&fetching());
    assert!(is_in_force);
    assert_eq!(host(|host| (host.periods.clone(), host.fetched.len())), (vec![1], 0), "nothing is called yet");
    let mut streams: Vec<_> = (10..30).map(|id| root.create_http_context(id).unwrap()).collect();
    for stream in &mut streams {
        assert_eq!(ask(&mut **stream, &[("x-wristband-token", &token)]), Action::Pause);
        assert_eq!(stream.on_http_request_body(3, true), Action::Pause);
        assert_eq!(stream.on_http_request_trailers(1), Action::Pause);
    }
    let waiting = || count("wristband.waiting.filter.none");
    assert_eq!((waiting(), last_answer().is_some()), (20, true));
    host(|host| host.held = Some(host.headers[0].clone()));
    root.on_tick();
    assert_eq!(host(|host| host.fetched[0].0.clone()), "b");
    // One client leaves, and Envoy has forgotten another one that we still know.
    streams.remove(0);
    host(|host| host.gone = vec![11]);
    assert_eq!(waiting(), 19);
    host(|host| host.answers.clear());
    answer(&mut root, "200", &set);
    let went_on: Vec<u32> = host(|host| host.continued.clone());
    assert_eq!(went_on.len(), 15, "of 16 that were asked about one is gone: {went_on:?}");
    assert_eq!(host(|host| host.context), 1, "what follows is about the root");
    root.on_tick();
    assert_eq!(host(|host| host.continued.len()), 18);
    for stream in &mut streams[1..] {
        assert_eq!(stream.on_http_request_body(3, true), Action::Continue);
        assert_eq!(respond(&mut **stream), Action::Continue);
    }
    assert_eq!(host(|host| host.answers.len()), 0);
    drop(streams);
    assert_eq!(waiting(), 0);
    // From then on nobody waits.
    assert_eq!(ask(&mut *root.create_http_context(40).unwrap(), &[("x-wristband-token", &token)]), Action::Continue);
}

#[test]
fn whatever_the_host_refuses_a_request_that_waits_is_answered_or_held() {
    let (token, set) = of_peer();
    for (name, answered) in [
        ("proxy_remove_header_map_value", true),
        ("proxy_set_property", true),
        ("proxy_continue_stream", true),
        ("proxy_set_effective_context", false),
    ] {
        let (mut root, _) = plugin(&fetching());
        let mut stream = root.create_http_context(10).unwrap();
        assert_eq!(ask(&mut *stream, &[("x-wristband-token", &token)]), Action::Pause);
        root.on_tick();
        let token = host(|host| {
            (host.answers, host.continued) = Default::default();
            host.answer = Some(headers(&[(":status", "200")]));
            host.body = set.as_bytes().to_vec();
            u32::try_from(host.fetched.len()).unwrap()
        });
        host(|host| host.refuses = Some(name));
        root.on_http_call_response(token, 1, set.len(), 0);
        host(|host| host.refuses = None);
        let (answers, continued) = host(|host| (host.answers.clone(), host.continued.clone()));
        assert_eq!(answers.len(), usize::from(answered), "{name}: {answers:?}");
        assert!(continued.is_empty(), "{name}");
    }
}

#[test]
fn what_cannot_tick_is_refused_and_what_cannot_call_says_so() {
    for name in ["proxy_set_tick_period_milliseconds", "proxy_set_effective_context"] {
        host(|host| host.refuses = Some(name));
        assert!(!plugin(&fetching()).1, "{name}");
        host(|host| host.refuses = None);
        // What is not in force is not shown.
        let shown: Vec<_> = host(|host| host.gauges.keys().cloned().collect());
        assert_eq!(shown, ["wristband.configuration_rejected_timestamp_seconds.filter.none"], "{name}");
    }
    // Without sources nobody asks for a tick.
    let before = host(|host| host.periods.len());
    assert!(plugin(&configuration()).1);
    assert_eq!(host(|host| host.periods.len()), before);
    let (mut root, _) = plugin(&fetching());
    host(|host| host.refuses = Some("proxy_http_call"));
    root.on_tick();
    host(|host| host.refuses = None);
    assert_eq!(count("wristband.jwks_failures.filter.none.peer.b_example"), 1);
    // An answer that nobody waits for, and one without headers.
    root.on_http_call_response(77, 0, 0, 0);
}

#[test]
fn a_request_that_went_on_while_it_was_held_is_answered() {
    let (token, _) = of_peer();
    let (root, _) = plugin(&fetching());
    for (details, expected) in [("via_upstream", Action::Pause), ("request_overall_timeout", Action::Continue)] {
        let mut stream = root.create_http_context(10).unwrap();
        assert_eq!(ask(&mut *stream, &[("x-wristband-token", &token)]), Action::Pause);
        let property = b"response\0code_details".to_vec();
        host(|host| host.properties.insert(property, details.as_bytes().to_vec()));
        assert_eq!(respond(&mut *stream), expected, "{details}");
    }
}

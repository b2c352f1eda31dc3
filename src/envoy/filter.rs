//! The plugin's contexts.

use std::cell::Cell;
use std::rc::Rc;
use std::time::SystemTime;

use log::{debug, error, info, warn};
use prost::Message as _;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use super::abi::{self, HeaderMap, Refused};
use super::answers::Envoy;
use crate::compile::{self, Compiled, Report};
use crate::crypto::Backend;
use crate::encoding::pairs;
use crate::gateway::{Admission, Admitted, Decision, Edits, Event, Gateway};
use crate::host::{Crypto as _, Setup as _};
use crate::http::headers::Headers;
use crate::http::reply::Reply;
use crate::time::Timestamp;

/// The name of the filter state; Envoy puts `wasm.` before it.
const FILTER_STATE: &str = "wristband";

#[cfg(target_family = "wasm")]
proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// One configuration of the plugin in one VM.
#[derive(Default)]
pub struct Root {
    active: Option<Rc<Active>>,
}

/// A configuration in force and the counters it counts with.
struct Active {
    gateway: Gateway,
    counters: Vec<(Event, u32)>,
    /// Of what the host refuses, which is the operator's to mend.
    refusals: Complaint,
    /// Of what cannot be signed. Clients can cause it, so it must not silence the other.
    failures: Complaint,
}

/// What a person should know, said at most once a minute and worker: whoever can cause it could fill the log.
#[derive(Default)]
struct Complaint {
    silent_until: Cell<Option<Timestamp>>,
}

impl Complaint {
    fn say(&self, problem: &str) {
        let now = now();
        if self.silent_until.get().is_none_or(|end| now >= end) {
            self.silent_until.set(Some(now.after(60)));
            warn!("{problem}");
        }
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match configure(size) {
            Ok((active, report)) => {
                // Envoy names the plugin in the log lines of requests only.
                let name = Envoy.plugin_name();
                let name = if name.is_empty() { name } else { name + ": " };
                info!("{name}{}", report.summary);
                info!("{name}{}", report.crypto_summary());
                report.warnings.iter().for_each(|warning| warn!("{name}{warning}"));
                self.active = Some(Rc::new(active));
                true
            }
            Err(problem) => {
                error!("configuration rejected: {problem}");
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { active: self.active.clone(), admitted: None, request_seen: false, answered: false }))
    }
}

#[inline(never)]
fn configure(size: usize) -> Result<(Active, Report), String> {
    let refused = |what: &str| format!("the host does not allow {what}; see `capability_restriction_config`");
    let bytes = match abi::plugin_configuration() {
        Ok(bytes) => bytes,
        Err(Refused) if size == 0 => Vec::new(),
        Err(Refused) => return Err(refused("proxy_get_buffer_bytes")),
    };
    // Without it the first `HashMap` panics, before anything of ours can say why.
    if !Envoy.random(&mut [0]) {
        return Err(refused("random_get"));
    }
    let Compiled { gateway, report } = compile::load(&bytes, &Envoy).map_err(|error| error.to_string())?;
    declare_filter_state().map_err(|Refused| refused("proxy_call_foreign_function"))?;
    for ((operation, algorithm), backend) in &report.arithmetic {
        let name = format!("wristband.host_crypto.{}.{}", operation.name(), algorithm.name());
        abi::set_gauge(&name, u64::from(*backend == Backend::Host));
    }
    let counters = Event::all().map(|event| Ok((event, abi::define_counter(&event.counter())?)));
    let counters = counters.collect::<Result<_, Refused>>().map_err(|Refused| refused("proxy_define_metric"))?;
    Ok((Active { gateway, counters, refusals: Complaint::default(), failures: Complaint::default() }, report))
}

/// The arguments of Envoy's `declare_property`
/// (`envoy.source.extensions.common.wasm.DeclarePropertyArguments`).
#[derive(Clone, PartialEq, prost::Message)]
struct DeclareProperty {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bool, tag = "2")]
    readonly: bool,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(string, tag = "4")]
    schema: String,
    #[prost(int32, tag = "5")]
    span: i32,
}

/// Gives the filter state a type, so that CEL, RBAC and access logs can look into it: without one a rule that denies a
/// subject would never match.
#[inline(never)]
fn declare_filter_state() -> Result<(), Refused> {
    const PROTOBUF: i32 = 3;
    const FILTER_CHAIN: i32 = 0;
    let arguments = DeclareProperty {
        name: FILTER_STATE.to_owned(),
        readonly: false,
        kind: PROTOBUF,
        schema: "type.googleapis.com/google.protobuf.Struct".to_owned(),
        span: FILTER_CHAIN,
    };
    abi::declare_property(&arguments.encode_to_vec())
}

/// One request and its response.
struct Stream {
    /// `None` if the plugin was never configured, which lets nothing pass.
    active: Option<Rc<Active>>,
    admitted: Option<Admitted>,
    /// Whether Envoy has asked about the request at all.
    request_seen: bool,
    /// Whether the response is ours, in which there is nothing to look for.
    answered: bool,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.request_seen = true;
        let action = self.on_request().unwrap_or_else(|Refused| self.fail());
        self.takes(action)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let action = self.on_response().unwrap_or_else(|Refused| self.fail());
        self.takes(action)
    }
}

impl Stream {
    fn on_request(&mut self) -> Result<Action, Refused> {
        let active = self.active.as_ref().ok_or(Refused)?;
        let bytes = HeaderMap::Request.read()?;
        let headers = Headers::new(pairs::read(&bytes).ok_or(Refused)?);
        let now = now();
        let (edits, mut admitted) = match active.gateway.on_request(&headers, now, &Envoy) {
            Admission::Answered(answer, event) => return Ok(active.answer(&answer, &[event])),
            Admission::Admitted(edits, admitted) => (edits, admitted),
        };
        active.apply(HeaderMap::Request, &edits)?;
        let decision = active.gateway.on_admitted(&mut admitted, &headers, now, &Envoy);
        self.admitted = Some(admitted);
        active.carry_out(HeaderMap::Request, decision)
    }

    fn on_response(&mut self) -> Result<Action, Refused> {
        if self.answered {
            return Ok(Action::Continue);
        }
        let active = self.active.as_ref().ok_or(Refused)?;
        // Envoy leaves a filter's request phase out only if `capability_restriction_config` says so: then nobody has
        // verified anything.
        if !self.request_seen && active.gateway.verification.is_some() {
            return Err(Refused);
        }
        if !active.gateway.sees_responses() {
            return Ok(Action::Continue);
        }
        let bytes = HeaderMap::Response.read()?;
        let headers = Headers::new(pairs::read(&bytes).ok_or(Refused)?);
        let decision = active.gateway.on_response(self.admitted.take(), &headers, now(), &Envoy);
        active.carry_out(HeaderMap::Response, decision)
    }

    /// Takes note of an answer, which alone pauses: Envoy asks about it as about any response.
    fn takes(&mut self, action: Action) -> Action {
        self.answered |= action == Action::Pause;
        action
    }

    /// What cannot be read or changed does not pass: it may be a header that must not reach the other side.
    fn fail(&self) -> Action {
        match &self.active {
            Some(active) => active.refusals.say("Envoy refuses a host call; see `capability_restriction_config`"),
            None => error!("not configured; see `capability_restriction_config`"),
        }
        reply(&Reply::new(500, &[], String::new(), "wristband_host_error".to_owned()))
    }
}

impl Active {
    fn carry_out(&self, map: HeaderMap, decision: Decision) -> Result<Action, Refused> {
        match decision {
            Decision::Forward(edits) => self.apply(map, &edits).map(|()| Action::Continue),
            Decision::Reply(answer, events) => Ok(self.answer(&answer, &events)),
        }
    }

    fn answer(&self, answer: &Reply, events: &[Event]) -> Action {
        events.iter().for_each(|event| self.count(*event));
        reply(answer)
    }

    fn apply(&self, map: HeaderMap, edits: &Edits) -> Result<(), Refused> {
        for name in &edits.remove {
            map.remove(name.as_str())?;
        }
        for (name, value) in &edits.set {
            map.set(name.as_str(), value.as_bytes())?;
        }
        for (name, value) in &edits.add {
            map.add(name.as_str(), value)?;
        }
        if let Some((name, value)) = &edits.rewrite {
            map.set(name, value)?;
        }
        if let Some(state) = &edits.filter_state {
            abi::set_property(FILTER_STATE, state)?;
        }
        edits.events.iter().for_each(|event| self.count(*event));
        Ok(())
    }

    fn count(&self, event: Event) {
        if let Event::Denied(denial) = event {
            debug!("denied: {}", denial.code());
        }
        if let Event::IssueSkipped(skip) = event
            && skip.is_failure()
        {
            self.failures.say(&format!("no wristband could be signed: {}", skip.code()));
        }
        if let Some((_, counter)) = self.counters.iter().find(|(counted, _)| *counted == event) {
            abi::increment(*counter);
        }
    }
}

/// Answers, and stops the request even if that fails.
fn reply(reply: &Reply) -> Action {
    if abi::reply(reply).is_err() {
        warn!("a response could not be sent");
    }
    Action::Pause
}

fn now() -> Timestamp {
    Timestamp::of_clock(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok())
}

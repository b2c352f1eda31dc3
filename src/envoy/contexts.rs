//! The plugin's contexts.

use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use super::abi::{self, HeaderMap, Refused};
use super::active::{Active, reply};
use super::answers::Envoy;
use super::{filter_state, now};
use crate::compile::{self, Compiled, Report};
use crate::crypto::Backend;
use crate::encoding::pairs;
use crate::gateway::{Admission, Admitted};
use crate::host::{Crypto as _, Setup as _};
use crate::http::headers::Headers;
use crate::http::reply::Reply;

/// How many problems of a configuration are logged: more than anyone mends at once.
const MOST_PROBLEMS: usize = 20;

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
            Err(problems) => {
                problems.iter().take(MOST_PROBLEMS).for_each(|problem| error!("configuration rejected: {problem}"));
                let more = problems.len().saturating_sub(MOST_PROBLEMS);
                if more > 0 {
                    error!("configuration rejected: {more} more problems");
                }
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
fn configure(size: usize) -> Result<(Active, Report), Vec<String>> {
    let refused = |what: &str| vec![format!("the host does not allow {what}; see `capability_restriction_config`")];
    let bytes = match abi::plugin_configuration() {
        Ok(bytes) => bytes,
        Err(Refused) if size == 0 => Vec::new(),
        Err(Refused) => return Err(refused("proxy_get_buffer_bytes")),
    };
    // Without it the first `HashMap` panics, before anything of ours can say why.
    if !Envoy.random(&mut [0]) {
        return Err(refused("random_get"));
    }
    let Compiled { gateway, report } = compile::load(&bytes, &Envoy)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    filter_state::declare().map_err(|Refused| refused("proxy_call_foreign_function"))?;
    for ((operation, algorithm), backend) in &report.arithmetic {
        let name = format!("wristband.host_crypto.{}.{}", operation.name(), algorithm.name());
        abi::set_gauge(&name, u64::from(*backend == Backend::Host));
    }
    let active = Active::new(gateway).map_err(|Refused| refused("proxy_define_metric"))?;
    Ok((active, report))
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

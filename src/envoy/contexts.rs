//! The plugin's contexts.

use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use super::abi::{self, HeaderMap, Refused};
use super::active::{Active, Step, host_error};
use super::answers::Envoy;
use super::metrics::Metrics;
use super::renewal::{Released, Renewal, Slot};
use super::shown::seconds;
use super::{TABLES, filter_state, now};
use crate::compile::{self, Compiled, Report};
use crate::encoding::pairs;
use crate::gateway::Admitted;
use crate::host::{Crypto as _, Setup as _};
use crate::http::headers::Headers;

/// How many problems of a configuration are logged: more than anyone mends at once.
const MOST_PROBLEMS: usize = 20;

#[cfg(target_family = "wasm")]
proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Debug);
    proxy_wasm::set_root_context(|id| Box::new(Root::new(id)));
}}

/// One configuration of the plugin in one VM.
pub struct Root {
    id: u32,
    active: Option<Rc<Active>>,
    renewal: Rc<Renewal>,
    /// Lives as long as this: what it has called for, nobody hears of after it.
    alive: Rc<()>,
}

impl Root {
    /// The root context of this number, which nobody has configured yet.
    #[must_use]
    pub fn new(id: u32) -> Self {
        Self { id, active: None, renewal: Rc::default(), alive: Rc::new(()) }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, _trailers: usize) {
        if let Some(active) = &self.active {
            self.renewal.on_response(active, self.id, token, if headers == 0 { 0 } else { size });
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configured = configure(size).and_then(|(active, report)| {
            self.renewal.begin(&active, self.id).map_err(|what| vec![refused(what)])?;
            // Only what is in force is shown.
            active.show(&report).map_err(|Refused| vec![refused("proxy_define_metric")])?;
            Ok((active, report))
        });
        match configured {
            Ok((active, report)) => {
                info!("{}, digest {}", active.line(&report.summary), report.digest);
                compile::key_lines(&active.gateway.ring()).iter().for_each(|keys| info!("{}", active.line(keys)));
                report.crypto_summary().iter().for_each(|summary| info!("{}", active.line(summary)));
                report.warnings.iter().for_each(|warning| warn!("{}", active.line(warning)));
                active.warn_of_ends();
                active.show_keys();
                self.active = Some(Rc::new(active));
                true
            }
            Err(problems) => {
                let metrics = Metrics::new(&Envoy.plugin_name());
                let _ = metrics.record("configuration_rejected_timestamp_seconds", &[], seconds(now()));
                problems.iter().take(MOST_PROBLEMS).for_each(|problem| error!("configuration rejected: {problem}"));
                let more = problems.len().saturating_sub(MOST_PROBLEMS);
                if more > 0 {
                    error!("configuration rejected: {more} more problems");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(active) = &self.active {
            self.renewal.on_tick(active, self.id, &self.alive);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            id,
            active: self.active.clone(),
            renewal: Rc::clone(&self.renewal),
            admitted: None,
            request_seen: false,
            answered: false,
            waits: None,
        }))
    }
}

fn refused(what: &str) -> String {
    format!("the host does not allow {what}; see `capability_restriction_config`")
}

#[inline(never)]
fn configure(size: usize) -> Result<(Active, Report), Vec<String>> {
    let refused = |what: &str| vec![refused(what)];
    let bytes = match abi::plugin_configuration() {
        Ok(bytes) => bytes,
        Err(Refused) if size == 0 => Vec::new(),
        Err(Refused) => return Err(refused("proxy_get_buffer_bytes")),
    };
    // Without it the first `HashMap` panics, before anything of ours can say why.
    if !Envoy.random(&mut [0]) {
        return Err(refused("random_get"));
    }
    let Compiled { gateway, report } = TABLES
        .with(|tables| compile::load_with(&bytes, &Envoy, tables))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    filter_state::declare().map_err(|Refused| refused("proxy_call_foreign_function"))?;
    Ok((Active::new(gateway), report))
}

/// One request and its response.
struct Stream {
    id: u32,
    /// `None` if the plugin was never configured, which lets nothing pass.
    active: Option<Rc<Active>>,
    renewal: Rc<Renewal>,
    admitted: Option<Admitted>,
    /// Whether Envoy has asked about the request at all.
    request_seen: bool,
    /// Whether the response is ours, in which there is nothing to look for.
    answered: bool,
    /// Where it finds what became of it, while it waits or has not looked.
    waits: Option<Rc<Slot>>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.request_seen = true;
        let Some(active) = &self.active else {
            error!("not configured; see `capability_restriction_config`");
            return self.stops(host_error());
        };
        match active.on_request(None) {
            Ok(Step::GoesOn(admitted)) => {
                self.admitted = Some(admitted);
                Action::Continue
            }
            Ok(Step::Waits(waiting)) => {
                self.waits = Some(self.renewal.wait(self.id, active, waiting));
                Action::Pause
            }
            Ok(Step::Answered) => self.stops(Action::Pause),
            Err(Refused) => {
                let action = active.fail();
                self.stops(action)
            }
        }
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        self.hold()
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.hold()
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.settle();
        if let Some(slot) = self.waits.take()
            && let Some(answer) = slot.give_up()
        {
            return self.stops(answer);
        }
        match self.on_response() {
            Ok(action) => self.stops(action),
            Err(Refused) => {
                let action = self.active.as_ref().map_or_else(host_error, |active| active.fail());
                self.stops(action)
            }
        }
    }
}

impl Stream {
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

    /// Takes note of an answer: Envoy asks about it as about any response.
    fn stops(&mut self, action: Action) -> Action {
        self.answered |= action == Action::Pause;
        action
    }

    /// What follows the headers waits with them.
    fn hold(&mut self) -> Action {
        self.settle();
        if self.waits.is_some() { Action::Pause } else { Action::Continue }
    }

    /// Looks what has become of a request that waited.
    fn settle(&mut self) {
        match self.waits.as_ref().and_then(|slot| slot.take()) {
            None => return,
            Some(Released::Admitted(admitted)) => self.admitted = Some(*admitted),
            Some(Released::Answered) => self.answered = true,
        }
        self.waits = None;
    }
}

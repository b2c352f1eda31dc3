//! Calls, ticks, and the requests that wait for what they bring: one for each root context, which alone may call and tick.
//!
//! It decides nothing. What to fetch when, and how long a request may wait, the core says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use log::error;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Action;

use super::abi::{self, HeaderMap, Refused};
use super::active::{Active, Step, host_error};
use super::answers::Envoy;
use super::metrics::Present;
use super::{both, moment};
use crate::encoding::pairs;
use crate::gateway::{Admitted, Waiting};
use crate::sources::{Fetch, Outcome, Store, Which};
use crate::time::Moment;

/// How many requests are let go in one call: each takes stack in the host, which ends at about 250.
const MOST_RELEASED: usize = 16;

/// In milliseconds.
const SLOWEST: u32 = 1000;
const WHILE_SOMEONE_WAITS: u32 = 50;
const AT_ONCE: u32 = 1;

const NOT_SENT: &str = "Envoy has no such cluster, or no endpoint of it";

thread_local! {
    static STORE: RefCell<Store> = RefCell::default();
}

/// What one root context has under way.
#[derive(Default)]
pub(super) struct Renewal {
    /// In milliseconds; zero: it does not tick. Setting a period begins it anew, so it is set only when it is another.
    pace: Cell<u32>,
    /// No `HashMap`, which needs randomness: a root context is made before anything can be said about its absence.
    calls: RefCell<BTreeMap<u32, (Which, Moment)>>,
    waiting: RefCell<VecDeque<Weak<Slot>>>,
    /// How many of them have not been asked about since something came.
    unasked: Cell<usize>,
}

/// Where a request that waits finds what became of it.
pub(super) struct Slot {
    stream: u32,
    active: Rc<Active>,
    waits: RefCell<Option<(Waiting, Present)>>,
    outcome: RefCell<Option<Released>>,
}

/// What became of a request that has waited.
pub(super) enum Released {
    /// It went on.
    Admitted(Box<Admitted>),
    /// It was answered.
    Answered,
}

impl Slot {
    /// What became of it; `None` as long as it waits.
    pub(super) fn take(&self) -> Option<Released> {
        self.outcome.take()
    }

    /// There is a response although it waits. Envoy itself has given it up, by a timeout; or it went on without us, which is
    /// answered here.
    pub(super) fn give_up(&self) -> Option<Action> {
        drop(self.waits.take());
        let details = abi::property("response\0code_details").unwrap_or_default();
        let went_on = matches!(details.as_slice(), b"via_upstream" | b"direct_response");
        went_on.then(|| {
            error!(
                "a request went on that was held; with `allow_on_headers_stop_iteration`, allow `proxy_on_request_body`"
            );
            host_error()
        })
    }
}

impl Renewal {
    /// Begins with what the VM has, and with the first tick. Nothing is called yet: a call from `on_configure` can end Envoy.
    pub(super) fn begin(&self, active: &Active, root: u32) -> Result<(), &'static str> {
        // What they bring would be for another configuration.
        self.calls.borrow_mut().clear();
        if active.gateway.sources().is_some() {
            // Without it nobody who waits could be let go, and the SDK takes it for granted.
            abi::set_effective_context(root).map_err(|Refused| "proxy_set_effective_context")?;
            STORE.with(|store| active.gateway.join(&mut store.borrow_mut(), both(), &Envoy));
            self.tick_in(AT_ONCE).map_err(|Refused| "proxy_set_tick_period_milliseconds")?;
        }
        Ok(())
    }

    /// Lets a request wait.
    pub(super) fn wait(&self, stream: u32, active: &Rc<Active>, waiting: Waiting) -> Rc<Slot> {
        let waits = Some((waiting, active.metrics.present("waiting")));
        let slot = Slot { stream, active: Rc::clone(active), waits: RefCell::new(waits), outcome: RefCell::default() };
        let slot = Rc::new(slot);
        let mut waiting = self.waiting.borrow_mut();
        // Those who have left hold nothing but their place in the queue.
        waiting.retain(|slot| slot.strong_count() > 0);
        waiting.push_back(Rc::downgrade(&slot));
        drop(waiting);
        self.set_pace(active);
        slot
    }

    /// Does what is due. `root` is the context that ticks, and lives as long as `alive`.
    pub(super) fn on_tick(&self, active: &Active, root: u32, alive: &Rc<()>) {
        let (fetches, news) = active.gateway.on_tick(both(), alive, &Envoy);
        news.iter().for_each(|news| active.tell(news));
        active.show_keys();
        for fetch in &fetches {
            self.call(active, fetch);
        }
        self.release(root);
        self.set_pace(active);
    }

    fn call(&self, active: &Active, fetch: &Fetch) {
        let headers: Vec<_> = fetch.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match hostcalls::dispatch_http_call(&fetch.cluster, headers, None, Vec::new(), fetch.timeout) {
            Ok(token) => drop(self.calls.borrow_mut().insert(token, (fetch.which, fetch.since))),
            Err(_) => self.take_in(active, fetch.which, fetch.since, &Outcome::Failed(NOT_SENT.to_owned())),
        }
    }

    /// Takes in the answer to a call.
    pub(super) fn on_response(&self, active: &Active, root: u32, token: u32, size: usize) {
        let call = self.calls.borrow_mut().remove(&token);
        if let Some((which, since)) = call {
            let bytes = HeaderMap::CallResponse.read().unwrap_or_default();
            let headers = pairs::read(&bytes).unwrap_or_default();
            let outcome = Outcome::of(&headers, size, || abi::call_response_body(size).ok());
            self.take_in(active, which, since, &outcome);
        }
        self.release(root);
        self.set_pace(active);
    }

    fn take_in(&self, active: &Active, which: Which, since: Moment, outcome: &Outcome) {
        let news = active.gateway.on_fetched(which, since, outcome, both(), &Envoy);
        news.iter().for_each(|news| active.tell(news));
        active.show_keys();
        self.unasked.set(self.waiting.borrow().len());
    }

    /// Asks once more about some of those who wait: about everyone when something has come, otherwise about those whose time is
    /// up.
    fn release(&self, root: u32) {
        let (count, unasked) = (self.waiting.borrow().len(), self.unasked.get());
        if count == 0 {
            return;
        }
        let mut asked = 0_usize;
        for _ in 0..if unasked > 0 { unasked.min(count) } else { count } {
            if asked == MOST_RELEASED {
                break;
            }
            self.unasked.set(self.unasked.get().saturating_sub(1));
            let next = self.waiting.borrow_mut().pop_front();
            let Some(slot) = next.and_then(|slot| slot.upgrade()) else {
                continue;
            };
            let is_due = unasked > 0 || slot.is_due();
            asked = asked.saturating_add(usize::from(is_due));
            if !is_due || slot.ask() {
                self.waiting.borrow_mut().push_back(Rc::downgrade(&slot));
            }
        }
        // What follows is about the root again, which is there as long as it is called.
        let _ = abi::set_effective_context(root);
    }

    fn set_pace(&self, active: &Active) {
        let now = moment();
        let wake = active.gateway.sources().map(|sources| sources.wake(now).since(now));
        let due = wake.map_or(SLOWEST, |wake| u32::try_from(wake.as_millis()).unwrap_or(SLOWEST));
        let most = match (self.waiting.borrow().is_empty(), self.unasked.get()) {
            (true, _) => SLOWEST,
            (false, 0) => WHILE_SOMEONE_WAITS,
            (false, _) => AT_ONCE,
        };
        // If that is refused the next tick comes in its own time.
        let _ = self.tick_in(due.clamp(AT_ONCE, most));
    }

    fn tick_in(&self, milliseconds: u32) -> Result<(), Refused> {
        if self.pace.get() != milliseconds {
            abi::set_tick_period(milliseconds)?;
            self.pace.set(milliseconds);
        }
        Ok(())
    }
}

impl Slot {
    /// Whether there is nothing to wait for any more.
    fn is_due(&self) -> bool {
        let waits = self.waits.borrow();
        waits.as_ref().is_none_or(|(waiting, _)| !self.active.gateway.lets_wait(waiting, moment()))
    }

    /// Asks about the request once more: whether it waits on.
    fn ask(&self) -> bool {
        // One that is gone leaves us with the context before, and is nobody's business.
        if abi::set_effective_context(self.stream).is_err() {
            return false;
        }
        let Some((waiting, present)) = self.waits.take() else {
            return false;
        };
        let step = self.active.on_request(Some(waiting)).unwrap_or_else(|_| {
            self.active.fail();
            Step::Answered
        });
        match step {
            Step::Waits(waiting) => {
                self.waits.replace(Some((waiting, present)));
                return true;
            }
            Step::GoesOn(admitted) => {
                self.outcome.replace(Some(Released::Admitted(Box::new(admitted))));
                // The last word: it takes the headers away.
                if abi::continue_request().is_err() {
                    self.outcome.replace(Some(Released::Answered));
                    self.active.fail();
                }
            }
            Step::Answered => drop(self.outcome.replace(Some(Released::Answered))),
        }
        false
    }
}

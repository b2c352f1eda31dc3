//! The adapter between Envoy and the core: it reads, asks and writes.
//!
//! Rules that Envoy forces on it: names and values are bytes, since a header may hold 0xff; request headers are gone in
//! the response phase; a plugin's VM outlives its configuration, so everything belongs to a configuration and nothing to the VM;
//! one trap kills the VM, so no host call is taken for granted.

mod abi;
mod active;
mod answers;
mod complaint;
mod contexts;
mod filter_state;
mod metrics;
mod renewal;
mod shown;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

pub use contexts::Root;

use crate::crypto::Tables;
use crate::time::{Moment, Now, Timestamp};
use metrics::Known;

/// What the clock shows.
fn now() -> Timestamp {
    Timestamp::of_clock(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok())
}

thread_local! {
    /// Where the clock begins that nobody sets.
    static START: Instant = Instant::now();

    /// A VM has its metrics for good, whatever configuration has made them.
    static METRICS: RefCell<Known> = RefCell::default();

    /// The same with tables of keys, which configurations share.
    static TABLES: Rc<Tables> = Rc::default();
}

fn with_metrics<T>(work: impl FnOnce(&mut Known) -> T) -> T {
    METRICS.with(|metrics| work(&mut metrics.borrow_mut()))
}

/// What the clock shows that nobody sets.
fn moment() -> Moment {
    // Zero is not a time before which nothing can have been.
    START.with(|start| Moment::default().after(start.elapsed()))
}

/// What both show.
fn both() -> Now {
    Now { time: now(), moment: moment() }
}

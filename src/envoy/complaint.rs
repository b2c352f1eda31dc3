//! Complaints to a person, throttled: whoever can cause one could fill the log.

use std::cell::Cell;

use log::warn;

use super::now;
use crate::time::Timestamp;

/// Seconds.
const SILENCE: u64 = 60;

/// What a person should know, said at most once a minute and worker.
#[derive(Default)]
pub(super) struct Complaint {
    said: Cell<Option<Timestamp>>,
}

impl Complaint {
    pub(super) fn say(&self, problem: &str) {
        let now = now();
        // Whichever way the clock has gone meanwhile.
        if self.said.get().is_none_or(|said| now.0.abs_diff(said.0) >= SILENCE) {
            self.said.set(Some(now));
            warn!("{problem}");
        }
    }
}

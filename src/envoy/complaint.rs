//! Complaints to a person, throttled: whoever can cause one could fill the log.

use std::cell::Cell;

use log::warn;

use super::now;
use crate::time::Timestamp;

/// What a person should know, said at most once a minute and worker.
#[derive(Default)]
pub(super) struct Complaint {
    silent_until: Cell<Option<Timestamp>>,
}

impl Complaint {
    pub(super) fn say(&self, problem: &str) {
        let now = now();
        if self.silent_until.get().is_none_or(|end| now >= end) {
            self.silent_until.set(Some(now.after(60)));
            warn!("{problem}");
        }
    }
}

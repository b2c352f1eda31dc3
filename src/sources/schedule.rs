//! When a source is asked.

use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::time::Moment;

/// How much longer than its timeout a call is waited for: Envoy ends it in time, or never says a word of it.
const GRACE: Duration = Duration::from_secs(1);

/// Whoever wants a source asked earlier than it is due can have that once in this time.
const EARLY: Duration = Duration::from_secs(30);

/// After failures a source is asked again in a second, then in two, in four, and so on up to this many.
const LONGEST_BACK_OFF: u64 = 60;

/// When one source is asked next: by one call at a time.
#[derive(Default)]
pub(super) struct Schedule {
    next: Moment,
    failures: u32,
    calling: Option<Call>,
    early: Option<Moment>,
    /// Someone waits for the next call.
    is_wanted: bool,
    /// When the last call began that has come to an end.
    answered: Option<Moment>,
}

struct Call {
    since: Moment,
    until: Moment,
    /// Who is gone hears nothing any more.
    caller: Weak<()>,
}

impl Schedule {
    pub(super) fn is_calling(&self, now: Moment) -> bool {
        self.calling.as_ref().is_some_and(|call| now < call.until && call.caller.strong_count() > 0)
    }

    /// Whether somebody waits for the next call, which so comes before others.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Begins a call if one is due.
    pub(super) fn begin(&mut self, now: Moment, timeout: Duration, caller: &Rc<()>) -> bool {
        // Of one that Envoy never answered nothing will come; one whose caller is gone is made again at once.
        if let Some(lost) = self.calling.take_if(|call| now >= call.until || call.caller.strong_count() == 0)
            && lost.caller.strong_count() > 0
        {
            self.failed(now);
        }
        let is_due = self.calling.is_none() && self.next <= now;
        if is_due {
            self.is_wanted = false;
            let until = now.after(timeout).after(GRACE);
            self.calling = Some(Call { since: now, until, caller: Rc::downgrade(caller) });
        }
        is_due
    }

    /// Whether the call that began then is the one that is waited for. It has come to an end.
    pub(super) fn end(&mut self, since: Moment) -> bool {
        let is_it = self.calling.take_if(|call| call.since == since).is_some();
        if is_it {
            self.answered = Some(since);
        }
        is_it
    }

    /// What was asked for has come. The next call begins earlier by up to a tenth of the time, and `jitter` spreads those over
    /// half of that who began together: so that what comes in time comes before the time is over. Says how often in a row it has not
    /// come before.
    pub(super) fn succeeded(&mut self, now: Moment, refresh: Duration, jitter: u8) -> u32 {
        let twentieth = refresh.checked_div(20).unwrap_or_default();
        let spread = twentieth.saturating_mul(jitter.into()).checked_div(u8::MAX.into()).unwrap_or_default();
        self.next = now.after(refresh.saturating_sub(twentieth).saturating_sub(spread));
        std::mem::take(&mut self.failures)
    }

    /// It has not: how often in a row.
    pub(super) fn failed(&mut self, now: Moment) -> u32 {
        let seconds = 1_u64.checked_shl(self.failures).unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF);
        self.next = now.after(Duration::from_secs(seconds));
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Asks then, if not earlier.
    pub(super) fn no_later_than(&mut self, moment: Moment) {
        self.next = self.next.min(moment);
    }

    /// Asks early for someone, unless it was done for someone lately: whether an answer is on its way.
    pub(super) fn hurry(&mut self, now: Moment) -> bool {
        if self.is_calling(now) {
            return true;
        }
        if self.next > now {
            if self.early.is_some_and(|early| now.since(early) < EARLY) {
                return false;
            }
            self.early = Some(now);
            self.next = now;
        }
        self.is_wanted = true;
        true
    }

    /// Whether a call that began then or later has come to an end.
    pub(super) fn has_answered_since(&self, moment: Moment) -> bool {
        self.answered.is_some_and(|answered| answered >= moment)
    }

    /// When there is something to do next.
    pub(super) fn wake(&self, now: Moment) -> Moment {
        match &self.calling {
            Some(call) if self.is_calling(now) => call.until,
            _ => self.next,
        }
    }
}

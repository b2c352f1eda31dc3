//! Complaints to a person, throttled: whoever can cause one could fill the log.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use log::warn;

use super::answers::Envoy;
use super::{abi, now};
use crate::gateway::Ending;
use crate::host::{Host as _, Setup as _, Written};
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey};

/// Seconds.
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Whether that long has gone by, whichever way the clock has gone meanwhile.
fn is_past(said: Timestamp, now: Timestamp, seconds: u64) -> bool {
    now.0.abs_diff(said.0) >= seconds
}

/// What a person should know, said at most once a minute and worker.
#[derive(Default)]
pub(super) struct Complaint {
    said: Cell<Option<Timestamp>>,
}

impl Complaint {
    pub(super) fn say(&self, problem: &str) {
        let now = now();
        if self.said.get().is_none_or(|said| is_past(said, now, MINUTE)) {
            self.said.set(Some(now));
            warn!("{problem}");
        }
    }
}

/// That keys end: said of each once an hour, by whichever worker is the first to see it. Where Envoy lets workers share
/// nothing, each says it.
pub(super) struct Endings {
    plugin: String,
    said: RefCell<Vec<(Rc<TrustedKey>, Timestamp)>>,
}

impl Endings {
    /// Those of the plugin of this name. What workers share is made here, by the main thread before there is any.
    pub(super) fn new(plugin: &str, ring: &Ring) -> Self {
        let endings = Self { plugin: plugin.to_owned(), said: RefCell::default() };
        for issuer in ring.issuers() {
            for key in issuer.keys.keys().iter().filter(|key| key.not_after.is_some()) {
                Envoy.reserve(&endings.place(issuer, key));
            }
        }
        endings
    }

    fn place(&self, issuer: &TrustedIssuer, key: &TrustedKey) -> String {
        format!("wristband.ending.{}\0{}\0{}", self.plugin, issuer.name, key.name)
    }

    pub(super) fn say(&self, Ending { issuer, key, .. }: &Ending, problem: impl FnOnce() -> String) {
        let now = now();
        let mut said = self.said.borrow_mut();
        if said.iter().any(|(of, said)| Rc::ptr_eq(of, key) && !is_past(*said, now, HOUR)) {
            return;
        }
        said.retain(|(of, _)| !Rc::ptr_eq(of, key));
        said.push((Rc::clone(key), now));
        if is_first(&self.place(issuer, key), now) {
            warn!("{}", problem());
        }
    }
}

/// Whether no worker has said it within the hour.
fn is_first(place: &str, now: Timestamp) -> bool {
    let Some((bytes, version)) = Envoy.shared(place) else {
        return true;
    };
    let said = bytes.first_chunk().map(|bytes| Timestamp(i64::from_le_bytes(*bytes)));
    said.is_none_or(|said| is_past(said, now, HOUR))
        && abi::share(place, &now.0.to_le_bytes(), version) != Written::Overtaken
}

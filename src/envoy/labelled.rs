//! Metrics that say of which filter they are, and of which peer. Their labels are parts of their names; `stats_tags` takes them
//! out again.

use std::cell::RefCell;
use std::collections::HashMap;

use super::abi::{self, Refused};

/// The metrics of one filter.
pub(super) struct Labelled {
    filter: String,
    /// Each definition takes memory in the host, the second of one name too.
    known: RefCell<HashMap<String, u32>>,
}

impl Labelled {
    /// Those of the plugin of this name.
    pub(super) fn new(plugin: &str) -> Self {
        let is_plain = |character: &char| character.is_ascii_alphanumeric() || "-_".contains(*character);
        let plain = |character| if is_plain(&character) { character } else { '_' };
        let filter: String = plugin.chars().map(plain).collect();
        let filter = if filter.is_empty() { "none".to_owned() } else { filter };
        Self { filter, known: RefCell::default() }
    }

    /// Sets a gauge.
    pub(super) fn record(&self, name: &str, peer: Option<&str>, value: u64) {
        if let Ok(gauge) = self.id(name, peer, abi::define_gauge) {
            abi::record(gauge, value);
        }
    }

    /// Adds one to a counter.
    pub(super) fn increment(&self, name: &str, peer: Option<&str>) {
        if let Ok(counter) = self.id(name, peer, abi::define_counter) {
            abi::increment(counter);
        }
    }

    /// Counts in a gauge what lasts as long as what is returned.
    pub(super) fn present(&self, name: &str) -> Present {
        let gauge = self.id(name, None, abi::define_gauge).ok();
        gauge.into_iter().for_each(|gauge| abi::add(gauge, 1));
        Present(gauge)
    }

    fn id(
        &self,
        name: &str,
        peer: Option<&str>,
        define: impl Fn(&str) -> Result<u32, Refused>,
    ) -> Result<u32, Refused> {
        let peer = peer.map(|peer| format!(".peer.{peer}")).unwrap_or_default();
        let full = format!("wristband.{name}.filter.{}{peer}", self.filter);
        let mut known = self.known.borrow_mut();
        if let Some(id) = known.get(&full) {
            return Ok(*id);
        }
        let id = define(&full)?;
        known.insert(full, id);
        Ok(id)
    }
}

/// One of those that a gauge counts.
pub(super) struct Present(Option<u32>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.iter().for_each(|gauge| abi::add(*gauge, -1));
    }
}

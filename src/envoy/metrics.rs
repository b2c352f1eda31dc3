//! Metrics with labels. Envoy's have names only, so a label is a part of the name, `.filter.edge.peer.west`, which `stats_tags`
//! makes a label of again.
//!
//! What clients write is in no name: how many series there are, the configuration decides. Each is made when there is
//! something to show.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::abi::{self, Refused};
use super::with_metrics;
use crate::gateway::Event;
use crate::trust::{NOBODY, label};

/// Labels beside the filter: names and values.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

/// What a VM has of its metrics.
#[derive(Default)]
pub(super) struct Known {
    /// Each by its name. A definition takes memory in the host, the second of one name too.
    ids: BTreeMap<String, u32>,
    /// The gauges that each filter has in common with others.
    shared: BTreeMap<String, Vec<String>>,
}

/// What is counted, and of whom.
type Counted = (Event, Option<Rc<str>>);

/// The metrics of one filter.
pub(super) struct Metrics {
    filter: String,
    /// Those that count events: they are looked up with each. No `HashMap`, which needs randomness: a configuration without it
    /// is refused, and that is shown.
    events: RefCell<BTreeMap<Counted, u32>>,
}

impl Metrics {
    /// Those of the plugin of this name.
    pub(super) fn new(plugin: &str) -> Self {
        let filter = if plugin.is_empty() { NOBODY.to_owned() } else { label(plugin) };
        Self { filter, events: RefCell::default() }
    }

    /// Counts an event. `peer` is whom it is about, if it is known.
    pub(super) fn count(&self, event: Event, peer: Option<&Rc<str>>) {
        let peer = peer.filter(|_| event.is_of_peer()).cloned();
        let mut events = self.events.borrow_mut();
        let key = (event, peer);
        let id = match events.get(&key) {
            Some(id) => *id,
            None => {
                let peer = key.1.as_deref().unwrap_or(NOBODY);
                let peer = event.is_of_peer().then_some(("peer", peer));
                let labels: Vec<_> = peer.into_iter().chain(event.label()).collect();
                let Ok(id) = define(self.name(event.name(), &labels), abi::define_counter) else {
                    return;
                };
                events.insert(key, id);
                id
            }
        };
        abi::add(id, 1);
    }

    /// Shows a counter before there is anything to count.
    pub(super) fn begin(&self, name: &str, labels: Labels<'_>) {
        // What is refused now is tried again.
        let _ = define(self.name(name, labels), abi::define_counter);
    }

    /// Adds one to a counter.
    pub(super) fn increment(&self, name: &str, labels: Labels<'_>) {
        if let Ok(counter) = define(self.name(name, labels), abi::define_counter) {
            abi::add(counter, 1);
        }
    }

    /// Sets a gauge.
    pub(super) fn record(&self, name: &str, labels: Labels<'_>, value: u64) -> Result<(), Refused> {
        define(self.name(name, labels), abi::define_gauge).map(|gauge| abi::record(gauge, value))
    }

    /// Sets the gauges of one name, and those to zero that are no more.
    pub(super) fn record_all<'l>(&self, name: &str, values: impl Iterator<Item = (Labels<'l>, u64)>) {
        let mut shown = BTreeSet::new();
        for (labels, value) in values {
            // A gauge that does not show is no reason to fail anything.
            let _ = self.record(name, labels, value);
            shown.insert(self.name(name, labels));
        }
        self.forget(name, &shown);
    }

    /// Sets the gauges of one name to zero, but for those of these peers.
    pub(super) fn forget_all_but<'p>(&self, name: &str, peers: impl Iterator<Item = &'p str>) {
        self.forget(name, &peers.map(|peer| self.name(name, &[("peer", peer)])).collect());
    }

    fn forget(&self, name: &str, shown: &BTreeSet<String>) {
        let start = self.name(name, &[]) + ".";
        with_metrics(|known| {
            let gone = known.ids.iter().filter(|(full, _)| full.starts_with(&start) && !shown.contains(*full));
            gone.for_each(|(_, gauge)| abi::record(*gauge, 0));
        });
    }

    /// Sets gauges to one that filters share, those of these names and labels. One that only this filter has shown before, and
    /// does not any more, is zero.
    pub(super) fn share<'l>(&self, shared: impl Iterator<Item = (&'static str, Labels<'l>)>) {
        let names: Vec<_> = shared.map(|(name, labels)| full(name, labels)).collect();
        for name in &names {
            if let Ok(gauge) = define(name.clone(), abi::define_gauge) {
                abi::record(gauge, 1);
            }
        }
        with_metrics(|known| {
            let before = known.shared.insert(self.filter.clone(), names).unwrap_or_default();
            let is_shown = |name: &String| known.shared.values().any(|names| names.contains(name));
            let gone = before.iter().filter(|name| !is_shown(name)).filter_map(|name| known.ids.get(name));
            gone.for_each(|gauge| abi::record(*gauge, 0));
        });
    }

    /// Counts in a gauge what lasts as long as what is returned.
    pub(super) fn present(&self, name: &str) -> Present {
        let gauge = define(self.name(name, &[]), abi::define_gauge).ok();
        gauge.into_iter().for_each(|gauge| abi::add(gauge, 1));
        Present(gauge)
    }

    fn name(&self, name: &str, labels: Labels<'_>) -> String {
        full(name, &[&[("filter", self.filter.as_str())], labels].concat())
    }
}

fn define(full: String, define: impl Fn(&str) -> Result<u32, Refused>) -> Result<u32, Refused> {
    with_metrics(|known| match known.ids.get(&full) {
        Some(id) => Ok(*id),
        None => {
            let id = define(&full)?;
            known.ids.insert(full, id);
            Ok(id)
        }
    })
}

fn full(name: &str, labels: Labels<'_>) -> String {
    let labels = labels.iter().map(|(label, value)| format!(".{label}.{value}"));
    labels.fold(format!("wristband.{name}"), |full, label| full + &label)
}

/// One of those that a gauge counts.
pub(super) struct Present(Option<u32>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.iter().for_each(|gauge| abi::add(*gauge, -1));
    }
}

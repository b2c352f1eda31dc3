//! What is in force, for the operator: counts and roles, no name of a person and no key.

use std::collections::BTreeMap;

use super::keys::Keys;
use crate::crypto::{Backend, Operation};
use crate::gateway::Gateway;
use crate::jose::algorithm::Algorithm;

/// What an operator should know of a configuration in force.
pub struct Report {
    /// How much is configured, in one line for the log.
    pub summary: String,
    /// Who does the arithmetic, for every algorithm that is used.
    pub arithmetic: BTreeMap<(Operation, Algorithm), Backend>,
    /// What a person should know of the configuration although it is in force.
    pub warnings: Vec<String>,
}

impl Report {
    pub(super) fn new(keys: &Keys) -> Self {
        let keys_of_peers: usize = keys.peers.iter().map(|peer| peer.keys.len()).sum();
        let (own, peers) = (keys.own.len(), keys.peers.len());
        Self {
            summary: format!("own keys {own}, peers {peers}, keys of peers {keys_of_peers}"),
            arithmetic: keys.arithmetic.clone(),
            warnings: keys.warnings.clone(),
        }
    }

    pub(super) fn describe(&mut self, gateway: &Gateway) {
        let role = |present| if present { "yes" } else { "no" };
        self.summary = format!(
            "configuration in force: {}, signing {}, verification {}, discovery {}",
            self.summary,
            role(gateway.delivery.is_some()),
            gateway.verification.as_ref().map_or("no", |verification| verification.mode.name()),
            role(gateway.discovery.is_some()),
        );
    }

    /// Who does the arithmetic of what, in one line for the log.
    #[must_use]
    pub fn crypto_summary(&self) -> String {
        let choices = self.arithmetic.iter().map(|((operation, algorithm), backend)| {
            format!("{} {} by {}", operation.name(), algorithm.name(), backend.name())
        });
        format!("crypto: {}", choices.collect::<Vec<_>>().join(", "))
    }
}

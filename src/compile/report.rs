//! What is in force, for the operator: counts and roles, no name of a person and no key.

use super::keys::Set;
use crate::config::Problem;
use crate::crypto::Chosen;
use crate::gateway::Gateway;
use crate::sources::Sources;

/// What an operator should know of a configuration in force.
pub struct Report {
    /// How much is configured, in one line for the log.
    pub summary: String,
    /// Who does the arithmetic, for every algorithm that is used.
    pub arithmetic: Chosen,
    /// What was made of the JWK Sets that stand in it.
    pub sets: Vec<Set>,
    /// What a person should know of the configuration although it is in force.
    pub warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new(gateway: &Gateway, arithmetic: Chosen, sets: Vec<Set>, warnings: Vec<Problem>) -> Self {
        let role = |present| if present { "yes" } else { "no" };
        let ring = gateway.ring();
        let own = ring.own().map_or(0, |own| own.keys.keys().len());
        let peers: Vec<_> = ring.peers().map(|peer| peer.keys.keys().len()).collect();
        let fetched = gateway.sources().map_or(0, Sources::len);
        let fetched = if fetched > 0 { format!(", fetched from {fetched} places") } else { String::new() };
        let summary = format!(
            "configuration in force: own keys {own}, peers {}, keys of peers {}, signing {}, verification {}, discovery {}{fetched}",
            peers.len(),
            peers.iter().sum::<usize>(),
            role(gateway.delivery.is_some()),
            gateway.verification.as_ref().map_or("no", |verification| verification.mode.name()),
            role(gateway.discovery.is_some()),
        );
        Self { summary, arithmetic, sets, warnings }
    }

    /// Who does the arithmetic of what, in one line for the log; `None` as long as nobody does any.
    #[must_use]
    pub fn crypto_summary(&self) -> Option<String> {
        let choices = self.arithmetic.iter().map(|((operation, algorithm), backend)| {
            format!("{} {} by {}", operation.name(), algorithm.name(), backend.name())
        });
        let choices: Vec<_> = choices.collect();
        (!choices.is_empty()).then(|| format!("crypto: {}", choices.join(", ")))
    }
}

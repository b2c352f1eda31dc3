//! What is in force, for the operator: counts and roles, no name of a person and no key.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::keys::Set;
use crate::config::Problem;
use crate::crypto::Chosen;
use crate::gateway::{Ending, Gateway};
use crate::jose::token::printable;
use crate::sources::Sources;
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey};

/// The version of this filter.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many keys are named at most, of all issuers together.
const MOST_KEYS: usize = 50;

/// What an operator should know of a configuration in force.
pub struct Report {
    /// How much is configured, and the version of the filter, in one line for the log.
    pub summary: String,
    /// Which configuration it is: the first 16 hexadecimal digits of the SHA-256 of its bytes, as Envoy hands them over.
    pub digest: String,
    /// Who does the arithmetic, for every algorithm that is used.
    pub arithmetic: Chosen,
    /// What was made of the JWK Sets that stand in it.
    pub sets: Vec<Set>,
    /// What a person should know of the configuration although it is in force.
    pub warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new(
        bytes: &[u8],
        gateway: &Gateway,
        arithmetic: Chosen,
        sets: Vec<Set>,
        warnings: Vec<Problem>,
    ) -> Self {
        let role = |present| if present { "yes" } else { "no" };
        let ring = gateway.ring();
        let own = ring.own().map_or(0, |own| own.keys.keys().len());
        let peers: Vec<_> = ring.peers().map(|peer| peer.keys.keys().len()).collect();
        let fetched = gateway.sources().map_or(0, Sources::len);
        let fetched = if fetched > 0 { format!(", fetched from {fetched} places") } else { String::new() };
        let digest: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let summary = format!(
            "configuration in force: own keys {own}, peers {}, keys of peers {}, signing {}, verification {}, discovery \
             {}{fetched}, version {VERSION}",
            peers.len(),
            peers.iter().sum::<usize>(),
            role(gateway.delivery.is_some()),
            gateway.verification.as_ref().map_or("no", |verification| verification.mode.name()),
            role(gateway.discovery.is_some()),
        );
        Self { summary, digest, arithmetic, sets, warnings }
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

/// Whose keys are trusted, a line for each issuer: their names, and when they begin and end. The first fifty keys are named,
/// and how many more there are.
#[must_use]
pub fn key_lines(ring: &Ring) -> Vec<String> {
    let (mut left, mut lines, mut others) = (MOST_KEYS, Vec::new(), 0_usize);
    for issuer in ring.issuers() {
        let keys = issuer.keys.keys();
        if left == 0 {
            others = others.saturating_add(keys.len());
            continue;
        }
        let mut names: Vec<_> = keys.iter().take(left).map(named).collect();
        left = left.saturating_sub(names.len().max(1));
        others = others.saturating_add(keys.len().saturating_sub(names.len()));
        names.extend(issuer.lacks_keys().then(|| "none fetched yet".to_owned()));
        let whose = if issuer.is_own { "our own keys, of" } else { "keys of" };
        lines.push(format!("{whose} {}: {}", issuer.name, names.join(", ")));
    }
    lines.extend((others > 0).then(|| format!("and {others} more keys")));
    lines
}

fn named(key: &Rc<TrustedKey>) -> String {
    let time =
        |word, time: Option<Timestamp>| time.and_then(Timestamp::to_rfc3339).map(|time| format!(" {word} {time}"));
    let times = [time("from", key.not_before), time("until", key.not_after)];
    times.into_iter().flatten().fold(printable(&key.name), |named, time| named + &time)
}

/// The keys after which an issuer has none that counts, if that is soon. A key that has a successor ends as it should.
#[must_use]
pub fn endings(ring: &Ring, now: Timestamp) -> Vec<Ending> {
    let last = |issuer: &Rc<TrustedIssuer>| {
        let (mut then, mut last) = (now, None);
        // From end to end, as long as there is one that goes on.
        loop {
            let live = || issuer.keys.keys().iter().filter(|key| key.is_live(then));
            if live().any(|key| key.not_after.is_none()) {
                return None;
            }
            let Some(longest) = live().max_by_key(|key| key.not_after) else {
                break;
            };
            then = longest.not_after?;
            last = Some(longest);
        }
        Ending::of(issuer, last?, now)
    };
    ring.issuers().filter_map(last).collect()
}

//! Keys of ours that are fetched: which of them signs, which will, and which did.

use std::mem;
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::news::News;
use super::own_key::{Kind, OwnKey, Rules, Text, is_same};
use super::schedule::Schedule;
use crate::crypto::Arithmetic;
use crate::keys::PublicKey;
use crate::time::{Moment, Now, Timestamp};
use crate::trust::TrustedKey;
use crate::trust::worthless::is_worthless;

/// Which key signs.
#[derive(Default)]
pub enum Signing {
    /// None was ever there.
    #[default]
    Absent,
    /// This one.
    Active(OwnKey),
    /// The first one, while the other is published already.
    Announced {
        /// Signs.
        active: OwnKey,
        /// Will sign.
        next: OwnKey,
        /// When it was first published.
        since: Moment,
    },
}

/// What is known of the keys of ours that are fetched.
#[derive(Default)]
pub(super) struct OwnKeys {
    pub(super) schedule: Schedule,
    pub(super) signing: Signing,
    /// What stood behind the private key.
    others: Vec<(String, PublicKey)>,
    /// What has signed.
    retired: Vec<Retired>,
    /// When the last wristband that was signed so far will have ended everywhere, whoever's configuration it was signed by.
    covered: Moment,
    /// Since when the key signs that does.
    pub(super) changed: Option<Timestamp>,
    /// The text that was looked at last.
    seen: Option<[u8; 32]>,
    /// Counts the changes.
    pub(super) version: u64,
}

/// A key that has signed, and when its last wristband has ended everywhere: by the clock for those who verify, and by the one
/// that nobody sets for whoever forgets it.
struct Retired {
    name: String,
    public: PublicKey,
    end: Timestamp,
    forgotten: Moment,
}

impl OwnKeys {
    /// Looks at the next text again, although it may be the same: it may mean something else under other rules.
    pub(super) fn look_again(&mut self) {
        self.seen = None;
    }

    /// Takes in a text. `configured` are the keys of ours that the configuration itself has.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        rules: &Rules,
        configured: &[Rc<TrustedKey>],
        arithmetic: &mut Arithmetic<'_>,
        now: Now,
    ) -> Vec<News> {
        // The second is what Envoy has for a secret that is not there.
        if matches!(text.trim_ascii(), b"" | b"-") {
            return Vec::new();
        }
        let digest = Sha256::digest(text).into();
        if self.seen == Some(digest) {
            return Vec::new();
        }
        self.seen = Some(digest);
        match Text::read(text, &self.taken(), rules, configured, arithmetic) {
            Ok(text) => self.accept(text, rules, now),
            Err(why) => vec![News::KeyRejected(why)],
        }
    }

    /// The names that are not for another key: of what signs, will sign, or has signed.
    fn taken(&self) -> Vec<(&str, &PublicKey)> {
        let signing = self.signing.keys().map(|key| (key.name.as_str(), &key.public));
        signing.chain(self.retired.iter().map(|key| (key.name.as_str(), &key.public))).collect()
    }

    fn accept(&mut self, text: Text, rules: &Rules, now: Now) -> Vec<News> {
        self.version = self.version.saturating_add(1);
        let mut news = Vec::new();
        if is_worthless(&text.signs.public) {
            news.push(News::KeyIsWorthless(text.signs.name.clone()));
        }
        self.others = text.others;
        let signs = text.signs;
        let is = |key: &OwnKey| key.name == signs.name && key.public == signs.public;
        self.signing = match mem::take(&mut self.signing) {
            Signing::Absent => {
                self.changed = Some(now.time);
                Signing::Active(signs)
            }
            // Whoever does the arithmetic may be another now.
            Signing::Active(active) | Signing::Announced { active, .. } if is(&active) => Signing::Active(signs),
            Signing::Announced { active, next, since } if is(&next) => {
                Signing::Announced { active, next: signs, since }
            }
            Signing::Active(active) | Signing::Announced { active, .. } => {
                if !rules.announce.is_zero() {
                    news.push(News::KeyAnnounced { kid: signs.name.clone(), seconds: rules.announce.as_secs() });
                }
                Signing::Announced { active, next: signs, since: now.moment }
            }
        };
        self.advance(rules, now);
        news
    }

    /// Lets the next key sign when its time has come, and forgets what has ended.
    pub(super) fn advance(&mut self, rules: &Rules, now: Now) {
        self.covered = self.covered.max(now.moment.after(Duration::from_secs(rules.retire.into())));
        let before = self.retired.len();
        self.retired.retain(|key| now.moment < key.forgotten);
        if self.retired.len() < before {
            self.version = self.version.saturating_add(1);
        }
        match mem::take(&mut self.signing) {
            Signing::Announced { active, next, since } if now.moment >= since.after(rules.announce) => {
                self.version = self.version.saturating_add(1);
                self.changed = Some(now.time);
                self.signing = Signing::Active(next);
                let OwnKey { name, public, private: _ } = active;
                self.retire(name, public, now);
            }
            other => self.signing = other,
        }
    }

    fn retire(&mut self, name: String, public: PublicKey, now: Now) {
        let forgotten = self.covered;
        let left = u32::try_from(forgotten.since(now.moment).as_secs()).unwrap_or(u32::MAX);
        self.retired.retain(|other| other.name != name);
        self.retired.push(Retired { name, public, end: now.time.after(left), forgotten });
    }

    /// Goes on publishing what others have, whose keys are taken for something else: what they have signed is under way.
    pub(super) fn begin_with(&mut self, other: &Self, kind: Kind, now: Now) {
        self.covered = self.covered.max(other.covered);
        for (name, public, _) in other.published() {
            if kind.allows_worthless || !is_worthless(public) {
                self.retire(name.to_owned(), public.clone(), now);
                self.version = self.version.saturating_add(1);
            }
        }
    }

    /// Whether a key of the configuration has the name of one of these and is another.
    pub(super) fn clashes_with(&self, configured: &[Rc<TrustedKey>]) -> bool {
        let is_another = |name: &str, key: &PublicKey| {
            configured.iter().any(|other| other.name == name && !is_same(other.key.public(), key))
        };
        self.published().into_iter().any(|(name, key, _)| is_another(name, key))
    }

    /// When there is something to do next but to fetch.
    pub(super) fn takes_over(&self, rules: &Rules) -> Option<Moment> {
        match &self.signing {
            Signing::Absent | Signing::Active(_) => None,
            Signing::Announced { since, .. } => Some(since.after(rules.announce)),
        }
    }

    /// Everything that is to be published, with when it ends: the key that signs, the one that will, those of the text, and
    /// those that have signed.
    pub(super) fn published(&self) -> Vec<(&str, &PublicKey, Option<Timestamp>)> {
        let signing = self.signing.keys().map(|key| (key.name.as_str(), &key.public, None));
        let others = self.others.iter().map(|(name, key)| (name.as_str(), key, None));
        let retired = self.retired.iter().map(|key| (key.name.as_str(), &key.public, Some(key.end)));
        let mut published: Vec<(&str, &PublicKey, Option<Timestamp>)> = Vec::new();
        for key in signing.chain(others).chain(retired) {
            if published.iter().all(|(name, _, _)| *name != key.0) {
                published.push(key);
            }
        }
        published
    }
}

impl Signing {
    /// The key that signs, and the one that will.
    fn keys(&self) -> impl Iterator<Item = &OwnKey> {
        let next = match self {
            Self::Absent | Self::Active(_) => None,
            Self::Announced { next, .. } => Some(next),
        };
        self.active().into_iter().chain(next)
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> Option<&OwnKey> {
        match self {
            Self::Absent => None,
            Self::Active(active) | Self::Announced { active, .. } => Some(active),
        }
    }
}

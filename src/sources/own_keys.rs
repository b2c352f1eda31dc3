//! Keys of ours that are fetched: which of them signs, which will, and which did.

use std::mem;
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::news::News;
use super::schedule::Schedule;
use crate::crypto::{Arithmetic, SigningKey, Unusable};
use crate::jose::algorithm::Algorithm;
use crate::keys::{Bundled, PrivateKey, PublicKey, bundle, looks_like_material};
use crate::time::{Moment, Now, Timestamp};
use crate::trust::TrustedKey;
use crate::trust::rules::{self, KeysOfOne};
use crate::trust::worthless::is_worthless;

/// How many characters a `kid` may have.
const LONGEST_NAME: usize = 255;

/// A key that signs, or is going to. It has no `Debug`.
pub struct OwnKey {
    /// Its `kid`.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
    /// Its private half, ready for use: overwritten when nobody holds it any more.
    pub private: Rc<SigningKey>,
}

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

/// How our keys are to be treated.
pub(super) struct Rules {
    /// Of the key that signs, and of others that do not say.
    pub(super) algorithm: Algorithm,
    /// How long a key is published before it signs.
    pub(super) announce: Duration,
    /// For how many seconds one is published after it has signed.
    pub(super) retire: u32,
    /// Whether keys are accepted whose private halves everyone has.
    pub(super) allows_worthless: bool,
}

/// What is known of the keys of ours that are fetched.
#[derive(Default)]
pub(super) struct OwnKeys {
    pub(super) schedule: Schedule,
    pub(super) signing: Signing,
    /// What stood behind the private key.
    others: Vec<(String, PublicKey)>,
    /// What has signed, and when its last wristband has ended everywhere.
    retired: Vec<(String, PublicKey, Timestamp)>,
    /// The text that was looked at last.
    seen: Option<[u8; 32]>,
    /// Counts the changes.
    pub(super) version: u64,
}

/// What a text has in it.
struct Text {
    signs: OwnKey,
    others: Vec<(String, PublicKey)>,
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
        match self.read(text, rules, configured, arithmetic) {
            Ok(text) => self.accept(text, rules, now),
            Err(why) => vec![News::KeyRejected(why)],
        }
    }

    fn read(
        &self,
        text: &[u8],
        rules: &Rules,
        configured: &[Rc<TrustedKey>],
        arithmetic: &mut Arithmetic<'_>,
    ) -> Result<Text, String> {
        let keys = bundle::parse(text, rules.algorithm).map_err(|error| error.to_string())?;
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or("there is no key in it")?;
        let private = rules::signing(first.material).map_err(|refusal| refusal.to_string())?;
        let mut of_one = KeysOfOne::default();
        let mut admit = |number: usize, given: Option<String>, key: &PublicKey| {
            let name = name(given, key)?;
            let refused = |why: String| format!("key {}: {why}", number.saturating_add(1));
            of_one.admit(number, &name, key).map_err(|refusal| refused(refusal.to_string()))?;
            if self.names_another(&name, key, configured) {
                return Err(refused("another key of ours has its `kid`; give it one of its own".to_owned()));
            }
            if !rules.allows_worthless && is_worthless(key) {
                return Err(refused("one of the samples, whose private half everyone has".to_owned()));
            }
            Ok(name)
        };
        let public = private.public_key();
        let kid = admit(0, first.name, &public)?;
        let mut others = Vec::new();
        for (index, Bundled { name, material }) in keys.enumerate() {
            let number = index.saturating_add(1);
            let key = rules::verifying(material, true)
                .map_err(|refusal| format!("key {}: {refusal}", number.saturating_add(1)))?;
            others.push((admit(number, name, &key)?, key));
        }
        let private = Rc::new(ready(private, arithmetic)?);
        Ok(Text { signs: OwnKey { name: kid, public, private }, others })
    }

    /// Whether a key that is published, or was lately, has this name and is another.
    fn names_another(&self, name: &str, key: &PublicKey, configured: &[Rc<TrustedKey>]) -> bool {
        let signing = self.signing.keys().map(|key| (&key.name, &key.public));
        let retired = self.retired.iter().map(|(name, key, _)| (name, key));
        let configured = configured.iter().map(|key| (&key.name, key.key.public()));
        signing.chain(retired).chain(configured).any(|(other, found)| other == name && found != key)
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
                news.push(News::KeyChanged { kid: signs.name.clone(), at: now.time });
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
        news.extend(self.advance(rules, now));
        news
    }

    /// Lets the next key sign when its time has come, and forgets what has ended.
    pub(super) fn advance(&mut self, rules: &Rules, now: Now) -> Option<News> {
        let before = self.retired.len();
        self.retired.retain(|(_, _, end)| now.time < *end);
        if self.retired.len() < before {
            self.version = self.version.saturating_add(1);
        }
        match mem::take(&mut self.signing) {
            Signing::Announced { active, next, since } if now.moment >= since.after(rules.announce) => {
                self.version = self.version.saturating_add(1);
                let news = News::KeyChanged { kid: next.name.clone(), at: now.time };
                self.signing = Signing::Active(next);
                let OwnKey { name, public, private: _ } = active;
                self.retired.retain(|(other, _, _)| *other != name);
                self.retired.push((name, public, now.time.after(rules.retire)));
                Some(news)
            }
            other => {
                self.signing = other;
                None
            }
        }
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
        let retired = self.retired.iter().map(|(name, key, end)| (name.as_str(), key, Some(*end)));
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

/// A key's `kid`: its own, or its thumbprint.
fn name(given: Option<String>, key: &PublicKey) -> Result<String, String> {
    let Some(name) = given else {
        return Ok(key.thumbprint());
    };
    let is_plain = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && !looks_like_material(name.as_bytes()) {
        return Ok(name);
    }
    Err(format!("its `kid` is not 1 to {LONGEST_NAME} visible ASCII characters, or looks like a key"))
}

/// The key, tried out.
fn ready(private: PrivateKey, arithmetic: &mut Arithmetic<'_>) -> Result<SigningKey, String> {
    arithmetic.signing(private).map_err(|problem| match problem {
        Unusable::NotByHost(_, algorithm) => {
            format!("the host cannot sign with `{}`; leave `crypto: host` out", algorithm.name())
        }
        Unusable::CannotSign => "it cannot sign; make another key".to_owned(),
        Unusable::DoesNotMatch => "it signs what its own public half does not verify".to_owned(),
    })
}

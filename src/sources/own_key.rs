//! One key of ours, and the text that it comes in.

use std::rc::Rc;
use std::time::Duration;

use crate::crypto::{Arithmetic, SigningKey, Unusable};
use crate::jose::algorithm::Algorithm;
use crate::keys::{Bundled, PrivateKey, PublicKey, bundle, looks_like_material};
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

/// What a text is taken for: the same one is other keys to other configurations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// Of the key that signs, and of others that do not say.
    pub(super) algorithm: Algorithm,
    /// Whether keys are accepted whose private halves everyone has.
    pub(super) allows_worthless: bool,
}

/// How our keys are to be treated.
pub(super) struct Rules {
    pub(super) kind: Kind,
    /// How long a key is published before it signs.
    pub(super) announce: Duration,
    /// For how many seconds one is published after it has signed.
    pub(super) retire: u32,
    /// Whether tokens are verified.
    pub(super) verifies: bool,
}

/// What a text has in it.
pub(super) struct Text {
    pub(super) signs: OwnKey,
    pub(super) others: Vec<(String, PublicKey)>,
}

impl Text {
    /// Reads a text, of which no key may have one of the names that are `taken` unless it is that key.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub(super) fn read(
        text: &[u8],
        taken: &[(&str, &PublicKey)],
        rules: &Rules,
        configured: &[Rc<TrustedKey>],
        arithmetic: &mut Arithmetic<'_>,
    ) -> Result<Self, String> {
        let keys = bundle::parse(text, rules.kind.algorithm).map_err(|error| error.to_string())?;
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or("there is no key in it")?;
        let private = rules::signing(first.material).map_err(|refusal| refusal.to_string())?;
        let mut of_one = KeysOfOne::default();
        let mut admit = |number: usize, given: Option<String>, key: &PublicKey, arithmetic: &mut Arithmetic<'_>| {
            let refused = |why: String| format!("key {number}: {why}");
            let name = name(given, key).map_err(refused)?;
            of_one.admit(number, &name, key).map_err(|refusal| refused(refusal.to_string()))?;
            let configured_names = configured.iter().map(|key| (key.name.as_str(), key.key.public()));
            let mut others = taken.iter().copied().chain(configured_names);
            if others.any(|(other, found)| other == name && !is_same(found, key)) {
                return Err(refused("another key of ours has its `kid`; give it one of its own".to_owned()));
            }
            if let Some(twin) = configured.iter().find(|twin| twin.name != name && is_same(twin.key.public(), key)) {
                let problem = format!("the configuration has the same key as `{}`; leave one of them out", twin.name);
                return Err(refused(problem));
            }
            let has_times = |twin: &Rc<TrustedKey>| twin.not_before.is_some() || twin.not_after.is_some();
            if number == 1 && configured.iter().any(|twin| is_same(twin.key.public(), key) && has_times(twin)) {
                return Err(refused("the configuration says when it begins or ends, and it is to sign".to_owned()));
            }
            if !rules.kind.allows_worthless && is_worthless(key) {
                return Err(refused("one of the samples, whose private half everyone has".to_owned()));
            }
            if rules.verifies && arithmetic.verifying(key.clone()).is_err() {
                return Err(refused("the host cannot verify with it; leave `crypto: host` out".to_owned()));
            }
            Ok(name)
        };
        let public = private.public_key();
        let kid = admit(1, first.name, &public, arithmetic)?;
        let mut others = Vec::new();
        for (index, Bundled { name, material }) in keys.enumerate() {
            let number = index.saturating_add(2);
            let key = rules::verifying(material, true).map_err(|refusal| format!("key {number}: {refusal}"))?;
            others.push((admit(number, name, &key, arithmetic)?, key));
        }
        let private = Rc::new(ready(private, arithmetic)?);
        Ok(Self { signs: OwnKey { name: kid, public, private }, others })
    }
}

/// The same numbers, whatever they are used for.
pub(super) fn is_same(one: &PublicKey, other: &PublicKey) -> bool {
    one == other || one.to_jwk().to_string() == other.to_jwk().to_string()
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

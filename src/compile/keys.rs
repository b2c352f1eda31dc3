//! Every key of a configuration in its role: exactly one private key, the first of `signingKeyRefs`, when `issue` is there,
//! and none at all when it is not.

use std::rc::Rc;

use zeroize::Zeroizing;

use super::risks;
use super::variable::missing_variable;
use crate::config::{Config, KeyRef, KeySource, Peer, Problems};
use crate::crypto::{Arithmetic, Chosen, SigningKey, Tables, Unusable, VerifyingKey};
use crate::host::Setup;
use crate::jose::path::Path;
use crate::keys::{JwkSet, Material, PrivateKey, PublicKey};
use crate::time::Timestamp;
use crate::trust::TrustedKey;
use crate::trust::rules::{self, KeysOfOne, Refusal};
use crate::trust::worthless::is_worthless;

/// Every key that can be used. Of the others it has been said why not.
pub(super) struct Keys {
    pub(super) signing: Option<Signs>,
    pub(super) own: Vec<Rc<TrustedKey>>,
    /// In the order of `peers`.
    pub(super) peers: Vec<Vec<Rc<TrustedKey>>>,
    /// What was made of the JWK Sets of the configuration.
    pub(super) sets: Vec<Set>,
    /// Who does the arithmetic.
    pub(super) arithmetic: Chosen,
}

/// What was made of a peer's JWK Set.
pub struct Set {
    /// How metrics name the peer.
    pub label: String,
    /// How many of its keys are used.
    pub keys: usize,
    /// How many are left out.
    pub skipped: usize,
}

/// Which key signs.
pub(super) enum Signs {
    /// This one.
    Now(NamedKey),
    /// One that is fetched.
    ByCall,
}

/// The key that signs, and its `kid`.
pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) key: SigningKey,
}

const NEEDS_PRIVATE: &str = "`issue` needs a private key in the first entry";

const FETCHED_BEHIND: &str =
    "only the key that signs is fetched by `cluster`; public ones can stand behind it in the same text";

const FETCHED_IN_VAIN: &str = "a private key by `cluster` where nothing is signed; without `issue` there is none";

const SIGNING_KEY_BEGINS: &str = "the key that signs cannot begin later; announce it by its public half behind the one that \
     signs until then";

const SIGNING_KEY_ENDS: &str = "the key that signs cannot end; put its successor before it first";

const INLINE: &str =
    "a private key in the configuration, which /config_dump shows; deliver it by `environmentVariable`";

const WORTHLESS: &str = "a key of the samples, whose private half everyone has; replace it unless this is a test";

const WORTHLESS_ERROR: &str = "a key of the samples, whose private half everyone has; replace it, or set \
     `allowWorthlessKeys: true` if this is a test";

const UNUSED: &str = "without `verify` nothing is done with its keys";

/// Takes keys in, one after the other.
struct Loader<'c, S> {
    arithmetic: Arithmetic<'c>,
    /// Without `verify` keys are published and nothing else.
    verifies: bool,
    allows_worthless: bool,
    problems: &'c Problems,
    setup: &'c S,
}

impl Keys {
    #[inline(never)]
    pub(super) fn load(config: &Config, problems: &Problems, setup: &impl Setup, tables: &Rc<Tables>) -> Self {
        let arithmetic = Arithmetic::new(config.crypto, setup, tables);
        let mut loader = Loader {
            arithmetic,
            verifies: config.verify.is_some(),
            allows_worthless: config.allow_worthless_keys,
            problems,
            setup,
        };
        let signs = config.issue.is_some();
        if signs && config.signing_key_refs.is_empty() {
            problems.error(&Path::of(&["signingKeyRefs"]), NEEDS_PRIVATE);
        }
        let mut signing = None;
        for (index, key) in config.signing_key_refs.iter().enumerate() {
            match &key.key {
                Some(KeySource::Call(_)) if index > 0 => loader.key_error(key, FETCHED_BEHIND),
                Some(KeySource::Call(_)) if !signs => loader.key_error(key, FETCHED_IN_VAIN),
                Some(KeySource::Call(_)) => signing = Some(Signs::ByCall),
                _ => {}
            }
        }
        let own = loader.issuer(&config.signing_key_refs, false, |loader, index, key, material| {
            if index > 0 || !signs {
                return loader.allowed(key, rules::verifying(material, signs));
            }
            let private = loader.allowed(key, rules::signing(material))?;
            let public = private.public_key();
            signing = loader.signing(key, private).map(Signs::Now);
            Some(public)
        });
        let (mut peers, mut sets) = (Vec::new(), Vec::new());
        for peer in &config.peers {
            if config.verify.is_none() {
                problems.warn(&peer.path, UNUSED);
            }
            peers.push(match &peer.jwks {
                Some(jwks) => loader.set(peer, jwks, &mut sets),
                None if peer.remote_jwks.is_some() => Vec::new(),
                None => loader.issuer(&peer.keys, true, |loader, _, key, material| {
                    loader.allowed(key, rules::verifying(material, true))
                }),
            });
        }
        if signs {
            risks::warn_of_early_ends(config, problems, setup.now());
        }
        risks::warn_of_shared(&own, config.peers.iter().zip(&peers), problems);
        Self { signing, own, peers, sets, arithmetic: loader.arithmetic.into_chosen() }
    }
}

impl<S: Setup> Loader<'_, S> {
    /// The keys of one issuer that can be used.
    fn issuer(
        &mut self,
        keys: &[KeyRef],
        is_peers: bool,
        mut role: impl FnMut(&mut Self, usize, &KeyRef, Material) -> Option<PublicKey>,
    ) -> Vec<Rc<TrustedKey>> {
        let mut of_one = KeysOfOne::default();
        let mut usable = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let public = self.material(key, is_peers).and_then(|material| role(self, index, key, material));
            let Some((name, public)) = key.name.as_ref().zip(public) else {
                continue;
            };
            match of_one.admit(index, name, &public) {
                Ok(()) => {
                    let times = [key.not_before, key.not_after];
                    usable.extend(self.trusted(&Place::of(key), name, public, times).map(Rc::new));
                }
                Err(refusal) => self.twice(keys, key, refusal),
            }
        }
        usable
    }

    /// The keys of a JWK Set that can be used. Of the others it is said why not.
    #[inline(never)]
    fn set(&mut self, peer: &Peer, jwks: &KeySource, sets: &mut Vec<Set>) -> Vec<Rc<TrustedKey>> {
        let path = peer.path.member("jwks");
        let Some(text) = self.text(&path, jwks) else {
            return Vec::new();
        };
        let set = match JwkSet::parse(&text, peer.algorithms.as_deref(), |_| None) {
            Ok(set) => set,
            Err(error) => {
                self.problems.error(&path, error.to_string());
                return Vec::new();
            }
        };
        for (index, problem) in &set.skipped {
            self.problems.warn(&path, format!("keys[{index}] of the set is left out: {problem}"));
        }
        sets.push(Set { label: peer.label.clone(), keys: set.keys.len(), skipped: set.left_out });
        let place = Place { key: path.clone(), algorithm: path };
        let keys = set.keys.into_iter();
        keys.filter_map(|(name, public)| self.trusted(&place, &name, public, [None, None]).map(Rc::new)).collect()
    }

    fn key_error(&self, key: &KeyRef, problem: impl Into<String>) {
        self.problems.error(&key.path.member("key"), problem);
    }

    fn text(&self, path: &Path, source: &KeySource) -> Option<Zeroizing<Vec<u8>>> {
        match source {
            // What stands in the configuration stands in Envoy's memory anyway.
            KeySource::Inline(text) => Some(Zeroizing::new(text.clone().into_bytes())),
            KeySource::Environment(name) => {
                let text = self.setup.variable(name).filter(|text| !text.trim_ascii().is_empty());
                if text.is_none() {
                    self.problems.error(path, missing_variable(name));
                }
                text.map(Zeroizing::new)
            }
            KeySource::Call(_) => None,
        }
    }

    #[inline(never)]
    fn material(&self, key: &KeyRef, is_peers: bool) -> Option<Material> {
        let text = self.text(&key.path.member("key"), key.key.as_ref()?)?;
        let (text, algorithm) = (text.as_slice(), key.algorithm?);
        let material = if is_peers { Material::parse_peers(text, algorithm) } else { Material::parse(text, algorithm) };
        material.map_err(|error| self.key_error(key, error.to_string())).ok()
    }

    fn allowed<T>(&self, key: &KeyRef, admitted: Result<T, Refusal>) -> Option<T> {
        admitted.map_err(|refusal| self.key_error(key, refusal.to_string())).ok()
    }

    /// What stands twice, with the place where it stands first.
    fn twice(&self, keys: &[KeyRef], key: &KeyRef, refusal: Refusal) {
        let place = |first: usize| keys.get(first).map(|key| key.path.to_string()).unwrap_or_default();
        match refusal {
            Refusal::SameName(first) => {
                self.problems.error(&key.path.member("name"), format!("the same name as that of {}", place(first)));
            }
            Refusal::SameKey(first) => self.key_error(key, format!("the same key as that of {}", place(first))),
            other => self.key_error(key, other.to_string()),
        }
    }

    /// The key that signs. It cannot have an end, and should not stand in the configuration itself.
    #[inline(never)]
    fn signing(&mut self, key: &KeyRef, private: PrivateKey) -> Option<NamedKey> {
        if key.not_before.is_some() {
            self.problems.error(&key.path.member("notBefore"), SIGNING_KEY_BEGINS);
        }
        if key.not_after.is_some() {
            self.problems.error(&key.path.member("notAfter"), SIGNING_KEY_ENDS);
        }
        if let Some(KeySource::Inline(_)) = &key.key {
            self.problems.warn(&key.path.member("key"), INLINE);
        }
        let signing = self.arithmetic.signing(private);
        let signing = signing.map_err(|problem| self.unusable(&Place::of(key), &problem)).ok()?;
        Some(NamedKey { name: key.name.clone()?, key: signing })
    }

    fn trusted(
        &mut self,
        place: &Place,
        name: &str,
        public: PublicKey,
        [not_before, not_after]: [Option<Timestamp>; 2],
    ) -> Option<TrustedKey> {
        match (is_worthless(&public), self.allows_worthless) {
            (false, _) => {}
            (true, true) => self.problems.warn(&place.key, WORTHLESS),
            (true, false) => self.problems.error(&place.key, WORTHLESS_ERROR),
        }
        let public = if self.verifies { self.arithmetic.verifying(public) } else { Ok(VerifyingKey::in_vm(public)) };
        let key = public.map_err(|problem| self.unusable(place, &problem)).ok()?;
        Some(TrustedKey { name: name.to_owned(), key, not_before, not_after })
    }

    fn unusable(&self, place: &Place, problem: &Unusable) {
        match problem {
            Unusable::NotByHost(operation, algorithm) => {
                let (operation, name) = (operation.name(), algorithm.name());
                let problem = format!("the host cannot {operation} with `{name}`; leave `crypto: host` out");
                self.problems.error(&place.algorithm, problem);
            }
            Unusable::CannotSign => self.problems.error(&place.key, "cannot sign; make another key"),
            Unusable::DoesNotMatch => {
                self.problems.error(&place.key, "signs what its own public half does not verify");
            }
        }
    }
}

/// Where a key and its algorithm stand.
struct Place {
    key: Path,
    algorithm: Path,
}

impl Place {
    fn of(key: &KeyRef) -> Self {
        Self { key: key.path.member("key"), algorithm: key.path.member("algorithm") }
    }
}

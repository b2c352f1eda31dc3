//! Who may hold which key: exactly one private key, the first of `signingKeyRefs`, when `issue` is there, and none at all
//! when it is not. Every other key is a [`PublicKey`] from here on.

use std::collections::{BTreeMap, HashMap};

use zeroize::Zeroizing;

use crate::config::{Config, ConfigError, KeyRef, KeySource, Peer};
use crate::crypto::{Arithmetic, Backend, Operation, SigningKey, Unusable, VerifyingKey};
use crate::host::Setup;
use crate::jose::algorithm::Algorithm;
use crate::keys::{Material, PrivateKey, PublicKey};
use crate::trust::TrustedKey;
use crate::trust::limits::Limits;

/// Every key of a configuration, each in its role.
pub(super) struct Keys {
    pub(super) private: Option<NamedKey>,
    pub(super) own: Vec<TrustedKey>,
    pub(super) peers: Vec<PeerKeys>,
    /// Who does the arithmetic.
    pub(super) arithmetic: BTreeMap<(Operation, Algorithm), Backend>,
    /// What a person should know of them.
    pub(super) warnings: Vec<String>,
}

/// The key that signs, and its `kid`.
pub(super) struct NamedKey {
    pub(super) name: String,
    pub(super) key: SigningKey,
}

pub(super) struct PeerKeys {
    pub(super) issuer: String,
    pub(super) publish: bool,
    pub(super) policy: Limits,
    pub(super) keys: Vec<TrustedKey>,
}

/// The `x` of every key pair that the samples use. Whoever copies a sample and leaves one in trusts
/// everyone who can read this repository.
const SAMPLE_KEYS: [&str; 5] = [
    "kAx6VfuTiypOBiN4wLEqwOme6LwPbFfkWnumN8I5NQI",
    "RyC1ZGGr7Nn-RO7IjdP3fl5o6mK8WnTy-UC1zVWfNWc",
    "mulEHWNHlUd1PUT3n368ONzh_EsmHT5r7e_2pNVYOAk",
    "hRR3D6nWHOEeDfUqXA2pRRw8icrtEV7nAxSuzxuULoU",
    "EbRzBA57ftgWdA8lsV-JhGsx_Os6aI-b3GBl2O-RVmI",
];

/// Where each name and each key was first seen, and what a person should know of them.
struct Seen<'h> {
    arithmetic: Arithmetic<'h>,
    /// Without `verify` keys are published and nothing else.
    verifies: bool,
    warnings: Vec<String>,
    names: HashMap<String, String>,
    keys: HashMap<String, String>,
}

const PUBLIC_ONLY: &str =
    "a private key where only a public one may stand; put its public half here (openssl pkey -pubout -in KEY)";

const PRIVATE_FIRST: &str =
    "a public key where the private one that signs has to stand; that comes first, public ones after it";

const INLINE: &str =
    "a private key in the configuration, which /config_dump shows; deliver it by `environmentVariable`";

const WORTHLESS: &str = "a key of the samples, whose private half everyone has; replace it unless this is a test";

const SPEAKS_FOR_US: &str =
    "whoever verifies with our JWKS alone takes these keys for ours, and this peer can speak for us there";

const UNPUBLISHED: &str = "without `issuer` nothing is published";

const UNUSED: &str = "without `verify` or `publish` nothing is done with its keys";

/// The message for a variable that is missing, with its name where that cannot be the key itself: whoever put the key
/// there by mistake would find it in the log.
fn missing_variable(name: &str) -> String {
    let is_plain = name.contains('_') && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    let shown = if is_plain { format!(" `{name}`") } else { String::new() };
    format!(
        "the environment variable{shown} is missing or empty; set it, and list it in \
         `vm_config.environment_variables.host_env_keys`"
    )
}

impl Keys {
    #[inline(never)]
    pub(super) fn load(config: &mut Config, setup: &impl Setup) -> Result<Self, ConfigError> {
        let mut seen = Seen {
            arithmetic: Arithmetic::new(config.crypto, setup),
            verifies: config.verify.is_some(),
            warnings: Vec::new(),
            names: HashMap::new(),
            keys: HashMap::new(),
        };
        if config.issue.is_some() && config.signing_key_refs.is_empty() {
            return Err(ConfigError::at("signingKeyRefs", "`issue` needs a private key in the first entry"));
        }
        let (mut private_key, mut own, mut peers) = (None, Vec::new(), Vec::new());
        for (index, key) in config.signing_key_refs.iter().enumerate() {
            let public = match (material(key, setup)?, index == 0 && config.issue.is_some()) {
                (Material::Private(private), true) => {
                    let public = private.public_key();
                    private_key = Some(seen.signing(key, private)?);
                    public
                }
                (Material::Public(_), true) => return Err(key_error(key, PRIVATE_FIRST)),
                (Material::Private(_), false) if config.issue.is_none() => {
                    return Err(key_error(key, format!("{PUBLIC_ONLY}: without `issue` nothing is signed")));
                }
                (Material::Private(_), false) => return Err(key_error(key, PUBLIC_ONLY)),
                (Material::Public(public), false) => public,
            };
            own.push(seen.admit(key, public)?);
        }
        for peer in std::mem::take(&mut config.peers) {
            seen.warnings.extend(doubts(&peer, config));
            let keys = seen.trusted(&peer.keys, setup)?;
            peers.push(PeerKeys { issuer: peer.issuer, publish: peer.publish, policy: peer.policy, keys });
        }
        let (arithmetic, warnings) = (seen.arithmetic.into_chosen(), seen.warnings);
        Ok(Self { private: private_key, own, peers, arithmetic, warnings })
    }
}

/// What a person should know of what becomes of a peer's keys.
fn doubts(peer: &Peer, config: &Config) -> Option<String> {
    let path = &peer.path;
    match (peer.publish, &config.issuer, &config.verify) {
        (true, Some(_), _) => Some(format!("{path}.publish: {SPEAKS_FOR_US}")),
        (true, None, _) => Some(format!("{path}.publish: {UNPUBLISHED}")),
        (false, _, None) => Some(format!("{path}: {UNUSED}")),
        (false, _, Some(_)) => None,
    }
}

fn key_error(key: &KeyRef, problem: impl Into<String>) -> ConfigError {
    ConfigError::at(format!("{}.key", key.path), problem)
}

#[inline(never)]
fn material(key: &KeyRef, setup: &impl Setup) -> Result<Material, ConfigError> {
    let text = match &key.key {
        // What stands in the configuration stands in Envoy's memory anyway.
        KeySource::Inline(text) => Zeroizing::new(text.clone()),
        KeySource::Environment(name) => setup
            .variable(name)
            .filter(|text| !text.trim().is_empty())
            .map(Zeroizing::new)
            .ok_or_else(|| key_error(key, missing_variable(name)))?,
    };
    Material::parse(&text, key.algorithm).map_err(|error| key_error(key, error.to_string()))
}

fn unusable(key: &KeyRef, problem: &Unusable) -> ConfigError {
    match problem {
        Unusable::NotByHost(operation, algorithm) => {
            let (operation, name) = (operation.name(), algorithm.name());
            let problem = format!("the host cannot {operation} with `{name}`; leave `crypto: host` out");
            ConfigError::at(format!("{}.algorithm", key.path), problem)
        }
        Unusable::CannotSign => key_error(key, "cannot sign; make another key"),
        Unusable::DoesNotMatch => key_error(key, "signs what its own public half does not verify"),
    }
}

impl Seen<'_> {
    /// The key that signs. It cannot have an end, and should not stand in the configuration itself.
    #[inline(never)]
    fn signing(&mut self, key: &KeyRef, private: PrivateKey) -> Result<NamedKey, ConfigError> {
        if key.not_after.is_some() {
            let path = format!("{}.notAfter", key.path);
            return Err(ConfigError::at(path, "the key that signs cannot end; put its successor before it first"));
        }
        if let KeySource::Inline(_) = &key.key {
            self.warnings.push(format!("{}.key: {INLINE}", key.path));
        }
        let signing = self.arithmetic.signing(private).map_err(|problem| unusable(key, &problem))?;
        Ok(NamedKey { name: key.name.clone(), key: signing })
    }

    /// A peer's keys.
    fn trusted(&mut self, keys: &[KeyRef], setup: &impl Setup) -> Result<Vec<TrustedKey>, ConfigError> {
        let trusted = keys.iter().map(|key| match material(key, setup)? {
            Material::Public(public) => self.admit(key, public),
            Material::Private(_) => Err(key_error(key, PUBLIC_ONLY)),
        });
        trusted.collect()
    }

    fn admit(&mut self, key: &KeyRef, public: PublicKey) -> Result<TrustedKey, ConfigError> {
        if let Some(first) = self.names.insert(key.name.clone(), key.path.clone()) {
            return Err(ConfigError::at(format!("{}.name", key.path), format!("the same name as that of {first}")));
        }
        let jwk = public.to_jwk().to_string();
        if SAMPLE_KEYS.iter().any(|x| jwk.contains(x)) {
            self.warnings.push(format!("{}.key: {WORTHLESS}", key.path));
        }
        if let Some(first) = self.keys.insert(jwk, key.path.clone()) {
            return Err(key_error(key, format!("the same key as that of {first}")));
        }
        let public = if self.verifies {
            self.arithmetic.verifying(public).map_err(|problem| unusable(key, &problem))?
        } else {
            VerifyingKey::in_vm(public)
        };
        Ok(TrustedKey { name: key.name.clone(), key: public, not_after: key.not_after })
    }
}

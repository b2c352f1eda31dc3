//! Who does the arithmetic of a signature: the host, whose BoringSSL is many times faster, or the VM, with RustCrypto; and of ES256, if
//! the operator asks for it, the VM with [`tables`] of its own, which are faster than the host.
//!
//! It is chosen once for each algorithm, when a configuration is compiled: the host where it has the algorithm and passes a test
//! with known answers, which it has to get right when they are wrong as well; otherwise the VM. From then on a
//! [`VerifyingKey`] and a [`SigningKey`] know by themselves what to do. The host has neither RSASSA-PSS nor Ed25519, and
//! an Envoy before 1.37 does not sign.
//!
//! Whoever computes, the rules are the same and are enforced here: the key decides the algorithm, the hash and the form
//! of the signature, as the host ties none of them together. A host that fails at a request denies it.

mod edwards;
mod foreign;
mod known_answers;
mod places;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod vm;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::host::Crypto;
use crate::jose::algorithm::Algorithm;
use crate::keys::{Numbers, PrivateKey, PublicKey};
pub use tables::Tables;
pub use vm::SigningFailed;

/// Whom the operator wants to do the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// The host where it can, otherwise the VM.
    Auto,
    /// The host; what it cannot do is a configuration error.
    Host,
    /// The VM.
    Wasm,
    /// The VM by tables where there are some, otherwise as with `Auto`.
    Tables,
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Envoy, by its foreign functions `sign` and `verify_signature`.
    Host,
    /// RustCrypto in the VM.
    Wasm,
    /// [`Tables`] in the VM, and the host where they have no answer.
    TablesOrHost,
    /// [`Tables`] in the VM, and RustCrypto where they have no answer.
    TablesOrWasm,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Signing.
    Sign,
    /// Verifying.
    Verify,
}

/// Who does what with which algorithm.
pub type Chosen = BTreeMap<(Operation, Algorithm), Backend>;

/// Why a key cannot be used as wanted, for the operator.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// `crypto: host` asks for what the host does not have, or does wrong.
    NotByHost(Operation, Algorithm),
    /// The VM cannot sign: an RSA key needs randomness, and the host gives none.
    CannotSign,
    /// What the key signs its own public half does not verify.
    DoesNotMatch,
}

/// A public key that verifies.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    public: PublicKey,
    /// `None`: the VM computes.
    host: Option<foreign::VerifyingKey>,
    /// They are asked first.
    tables: Option<Rc<Tables>>,
}

/// A private key that signs. It has no `Debug` and no other way out.
pub struct SigningKey {
    algorithm: Algorithm,
    means: Means,
}

enum Means {
    Host(foreign::SigningKey),
    Wasm(PrivateKey),
}

/// Makes keys ready for use, and remembers who was chosen for what.
pub struct Arithmetic<'h> {
    preference: Preference,
    host: &'h dyn Crypto,
    tables: Rc<Tables>,
    chosen: Chosen,
}

impl<'h> Arithmetic<'h> {
    /// Chooses as the operator prefers and the host allows. Only who prefers tables has some.
    #[must_use]
    pub fn new(preference: Preference, host: &'h dyn Crypto, tables: &Rc<Tables>) -> Self {
        Self { preference, host, tables: Rc::clone(tables), chosen: BTreeMap::new() }
    }

    /// The same, where it has been chosen for some already.
    #[must_use]
    pub fn with(self, chosen: Chosen) -> Self {
        Self { chosen, ..self }
    }

    /// Who was chosen so far.
    #[must_use]
    pub fn into_chosen(self) -> Chosen {
        self.chosen
    }

    /// A key that verifies.
    ///
    /// # Errors
    /// [`Unusable::NotByHost`].
    pub fn verifying(&mut self, public: PublicKey) -> Result<VerifyingKey, Unusable> {
        let (algorithm, operation) = (public.algorithm(), Operation::Verify);
        let backend = match self.chosen.get(&(operation, algorithm)) {
            Some(backend) => *backend,
            None => self.choose(operation, algorithm, |host| known_answers::is_passed(algorithm, host))?,
        };
        let tables = || Some(Rc::clone(&self.tables));
        let by_host = |public: &PublicKey| foreign::VerifyingKey::new(public);
        Ok(match backend {
            Backend::Host => VerifyingKey { host: by_host(&public), tables: None, public },
            // Those of Ed25519 are part of the ordinary way.
            Backend::Wasm if matches!(public.numbers(), Numbers::Ed25519(_)) => {
                VerifyingKey { host: None, tables: tables(), public }
            }
            Backend::Wasm => VerifyingKey::in_vm(public),
            Backend::TablesOrHost => VerifyingKey { host: by_host(&public), tables: tables(), public },
            Backend::TablesOrWasm => VerifyingKey { host: None, tables: tables(), public },
        })
    }

    /// A key that signs. A wristband that no peer can verify is worse than none, so whoever signs, the key's own public
    /// half has to verify it, in the VM: that is found out before anyone depends on it.
    ///
    /// # Errors
    /// [`Unusable`].
    #[inline(never)]
    pub fn signing(&mut self, private: PrivateKey) -> Result<SigningKey, Unusable> {
        const TEST: &[u8] = b"wristband";
        let public = private.public_key();
        let algorithm = public.algorithm();
        let works = |key: &SigningKey, host: &dyn Crypto| {
            key.sign(TEST, host).is_ok_and(|signature| vm::verifies(&public, TEST, &signature))
        };
        // No second copy of the key where it would not be used.
        let in_host = if self.preference == Preference::Wasm { None } else { foreign::SigningKey::new(&private) };
        let in_host = in_host.map(|key| SigningKey { algorithm, means: Means::Host(key) });
        let backend =
            self.choose(Operation::Sign, algorithm, |host| in_host.as_ref().is_some_and(|key| works(key, host)))?;
        if let (Backend::Host, Some(key)) = (backend, in_host) {
            return Ok(key);
        }
        let key = SigningKey { algorithm, means: Means::Wasm(private) };
        let signature = key.sign(TEST, self.host).map_err(|SigningFailed| Unusable::CannotSign)?;
        if vm::verifies(&public, TEST, &signature) { Ok(key) } else { Err(Unusable::DoesNotMatch) }
    }

    fn choose(
        &mut self,
        operation: Operation,
        algorithm: Algorithm,
        host_works: impl Fn(&dyn Crypto) -> bool,
    ) -> Result<Backend, Unusable> {
        let has_tables = self.preference == Preference::Tables && (operation, algorithm) == OF_TABLES;
        let backend = match self.preference {
            Preference::Wasm => Backend::Wasm,
            Preference::Auto | Preference::Host | Preference::Tables if host_works(self.host) => {
                if has_tables {
                    Backend::TablesOrHost
                } else {
                    Backend::Host
                }
            }
            Preference::Auto | Preference::Tables => {
                if has_tables {
                    Backend::TablesOrWasm
                } else {
                    Backend::Wasm
                }
            }
            Preference::Host => return Err(Unusable::NotByHost(operation, algorithm)),
        };
        self.chosen.insert((operation, algorithm), backend);
        Ok(backend)
    }
}

/// What there are tables for.
const OF_TABLES: (Operation, Algorithm) = (Operation::Verify, Algorithm::Es256);

impl VerifyingKey {
    /// A key whose arithmetic is done in the VM.
    #[must_use]
    pub fn in_vm(public: PublicKey) -> Self {
        Self { public, host: None, tables: None }
    }

    /// The key itself.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Whether `signature` is this key's for `message`: see [`vm::verifies`]. When the host does not answer, it
    /// is not.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8], host: &dyn Crypto) -> bool {
        let ordinary = || match &self.host {
            Some(key) => key.verifies(message, signature, host),
            None => vm::verifies(&self.public, message, signature),
        };
        match (&self.tables, self.public.numbers()) {
            (Some(tables), Numbers::P256(key)) => tables.verifies(key, message, signature, ordinary),
            (Some(tables), Numbers::Ed25519(key)) => tables.edwards.verifies(key, message, signature, ordinary),
            _ => ordinary(),
        }
    }
}

impl SigningKey {
    /// The algorithm that it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs a message in the form of RFC 7515.
    ///
    /// # Errors
    /// When the host does not answer, or there is no randomness. The host is not asked about a message that is longer than
    /// [`MAX_SIZE`](crate::jose::token::MAX_SIZE).
    pub fn sign(&self, message: &[u8], host: &dyn Crypto) -> Result<Vec<u8>, SigningFailed> {
        match &self.means {
            Means::Host(key) => key.sign(message, host).ok_or(SigningFailed),
            Means::Wasm(key) => vm::sign(key, message, &mut |bytes| host.random(bytes)),
        }
    }
}

impl Backend {
    /// Its name in the configuration and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Wasm => "wasm",
            Self::TablesOrHost | Self::TablesOrWasm => "tables",
        }
    }
}

impl Operation {
    /// Its name in messages and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
        }
    }
}

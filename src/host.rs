//! What the core asks of its host. Envoy answers in production; tests answer as they like.

use crate::time::{Moment, Timestamp};

/// An expression that the host has compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionId(pub u32);

/// A function of the host that signs or verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Envoy's `sign`, since 1.37.
    Sign,
    /// Envoy's `verify_signature`, since 1.30.
    VerifySignature,
}

/// Asked for cryptography, at any time.
pub trait Crypto {
    /// Calls a function with its serialized arguments; `None` when there is none of that name or it refuses.
    fn call(&self, function: Function, arguments: &[u8]) -> Option<Vec<u8>>;

    /// Fills `bytes` with random ones that nobody can foresee; `false` when there are none.
    fn random(&self, bytes: &mut [u8]) -> bool;
}

/// Asked for expressions, at any time.
pub trait Expressions {
    /// Compiles a CEL expression; `None` when it does not compile.
    fn compile(&self, source: &str) -> Option<ExpressionId>;

    /// Forgets an expression.
    fn discard(&self, expression: ExpressionId);
}

/// Asked while a configuration is compiled.
pub trait Setup: Crypto + Expressions {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// A variable of the plugin's environment, in whatever encoding it is.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;

    /// The plugin's name in Envoy's configuration.
    fn plugin_name(&self) -> String;

    /// Makes an empty value that the workers share, unless it is there already; `false` when there is no such thing.
    fn reserve(&self, key: &str) -> bool;
}

/// Asked while a request is answered.
pub trait Host: Crypto + Expressions {
    /// What the clock shows that nobody sets.
    fn moment(&self) -> Moment;

    /// Evaluates an expression; `None` when it has no value in this phase. The bytes carry no type.
    fn evaluate(&self, expression: ExpressionId) -> Option<Vec<u8>>;

    /// The request's dynamic metadata so far, a serialized `envoy.config.core.v3.Metadata`.
    fn metadata(&self) -> Option<Vec<u8>>;

    /// The SHA-256 of the certificate that the client has proved to own in its TLS handshake, in hexadecimal as Envoy has it.
    fn client_certificate(&self) -> Option<Vec<u8>>;

    /// A value that was reserved, and its version; `None` when there is none.
    fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes a shared value if it still has this version.
    fn share(&self, key: &str, value: &[u8], version: u32) -> Written;
}

/// What became of a shared value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    Done,
    /// Another worker has written it meanwhile.
    Overtaken,
    /// It cannot be written.
    Refused,
}

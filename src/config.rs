//! The configuration as the operator writes it: names, defaults and ranges, nothing resolved yet.
//!
//! [`Config::read`] finds every error that a field alone can have. What needs keys, the environment or two
//! fields at once is found by [`compile::load`](crate::compile::load).

pub mod fields;
mod node;
mod problems;
mod read;
#[cfg(not(target_family = "wasm"))]
pub mod reference;
mod source;

use serde_json::Value;

use node::{Node, Object};
pub use problems::{Problem, Problems};

use crate::cache::Capacity;
use crate::crypto::Preference;
use crate::gateway::{self, Mode, OnFailure, OnForgedHeader};
use crate::http::credential::Place;
use crate::http::headers::HeaderName;
use crate::http::set_cookie::Cookie;
use crate::issue::Placement;
use crate::jose::algorithm::Algorithm;
use crate::jose::path::Path;
use crate::sources::{Location, Policy};
use crate::time::Timestamp;
use crate::trust::limits::Limits;
use crate::trust::replay::OnFull;

/// The header that carries a wristband unless the configuration says otherwise; Authorino's name for it.
pub const DEFAULT_HEADER: HeaderName = HeaderName::known("x-wristband-token");

/// The longest that a wristband may live, in seconds: a day.
pub const LONGEST_DURATION: u32 = 86_400;

/// The whole configuration. Field by field it is documented in `docs/configuration.md`.
///
/// What has to be there and is `None` cannot be read, and that has been said.
pub struct Config {
    /// `iss` of what is signed here, and where the discovery documents are.
    pub issuer: Option<String>,
    /// Seconds that a wristband lives.
    pub token_duration: u32,
    /// This issuer's keys. The first one signs if `issue` is present.
    pub signing_key_refs: Vec<KeyRef>,
    /// Other issuers and their public keys.
    pub peers: Vec<Peer>,
    /// Absent: never sign.
    pub issue: Option<Issue>,
    /// Absent: inbound tokens are not looked at.
    pub verify: Option<Verify>,
    /// The well-known documents.
    pub discovery: Discovery,
    /// Whether keys are accepted whose private halves everyone has.
    pub allow_worthless_keys: bool,
    /// Who is to do the arithmetic of signatures.
    pub crypto: Preference,
}

/// One key, still as text or as the name of a variable.
pub struct KeyRef {
    /// Where it stands, for messages.
    pub path: Path,
    /// The `kid` (RFC 7515, section 4.1.4).
    pub name: Option<String>,
    /// The one algorithm that the key may be used with.
    pub algorithm: Option<Algorithm>,
    /// Where its text is.
    pub key: Option<KeySource>,
    /// Before, the key is published, and accepted from then on.
    pub not_before: Option<Timestamp>,
    /// From then on the key is neither published nor accepted.
    pub not_after: Option<Timestamp>,
}

/// Where the text of a key is. It is not `Debug`: the text may be a private key.
#[derive(Clone)]
pub enum KeySource {
    /// In the configuration, which `/config_dump` shows.
    Inline(String),
    /// In a variable of the VM's environment, which `/config_dump` does not show.
    Environment(String),
    /// Behind a cluster of Envoy's, fetched again and again. In no configuration and no log.
    Call(KeyCall),
}

/// Where our own key is fetched from.
#[derive(Clone)]
pub struct KeyCall {
    /// The cluster and the path.
    pub location: Location,
    /// Seconds between two fetches.
    pub refresh: u32,
    /// Seconds for which another key is published before it signs; `None`: a minute longer than clients may cache.
    pub announce: Option<u32>,
}

/// Where a peer's JWK Set is fetched from.
pub struct RemoteJwks {
    /// The cluster, the host and the path.
    pub location: Location,
    /// When, and how long it counts.
    pub policy: Policy,
}

/// Another issuer.
pub struct Peer {
    /// Where it stands, for messages.
    pub path: Path,
    /// Its `iss`.
    pub issuer: Option<String>,
    /// Its public keys. They can only speak for this issuer.
    pub keys: Vec<KeyRef>,
    /// Its JWK Set, in the place of `keys`.
    pub jwks: Option<KeySource>,
    /// The same, fetched.
    pub remote_jwks: Option<RemoteJwks>,
    /// How metrics name it: of letters, digits, `-` and `_`.
    pub label: String,
    /// The algorithms that keys of the set may be used with.
    pub algorithms: Option<Vec<Algorithm>>,
    /// What its tokens may say; without audiences of its own, those of `verify` hold.
    pub limits: Limits,
}

/// How wristbands are signed.
pub struct Issue {
    /// The header that delivers them; `None` when a cookie does.
    pub header: Option<HeaderName>,
    /// The cookie that delivers them.
    pub cookie: Option<Cookie>,
    /// To whom they are delivered.
    pub placement: Placement,
    /// Who the request was authenticated as: the first source that has a value counts. Each has the place where it stands.
    pub identity: Vec<(Path, Identity)>,
    /// What `sub` is made of. Absent: of the identity.
    pub subject: Option<Subject>,
    /// CEL condition, evaluated in the request phase.
    pub when_request: Option<String>,
    /// CEL condition, evaluated in the response phase.
    pub when_response: Option<String>,
    /// `aud`.
    pub audiences: Vec<String>,
    /// Claims beside the registered ones.
    pub custom_claims: Vec<(String, ClaimSource)>,
    /// How many hops `act` may record; `None`: it records none.
    pub chain: Option<u32>,
    /// Whether wristbands are bound to the client's certificate (RFC 8705, section 3.1).
    pub bind_client_certificate: bool,
    /// `typ` of the header.
    pub typ: String,
    /// Seconds for which a wristband is handed out again where another one would say the same; zero: never.
    pub reuse: u32,
    /// Seconds by which `iat` and `nbf` lie in the past.
    pub backdate: u32,
    /// What happens when a wristband is due and cannot be signed.
    pub on_failure: OnFailure,
}

/// Where the identity comes from.
pub enum Identity {
    /// A request header that an earlier, trusted filter sets.
    Header(HeaderName),
    /// A CEL expression that Envoy evaluates.
    Expression(String),
    /// The verified inbound wristband.
    Wristband,
}

/// What `sub` is made of.
pub enum Subject {
    /// A CEL expression.
    Expression(String),
    /// The hash of the identity: Authorino's pseudonymous form.
    Hash,
}

/// Where a claim comes from.
pub enum ClaimSource {
    /// The configuration itself.
    Value(Value),
    /// A CEL expression. With `required`, nothing is signed when it has no value.
    Expression {
        /// The expression.
        source: String,
        /// Whether a wristband without the claim is none.
        required: bool,
    },
}

/// How inbound wristbands are verified.
pub struct Verify {
    /// What a missing or bad token does.
    pub mode: Mode,
    /// The largest token that is looked at, in bytes.
    pub max_token_bytes: u32,
    /// Where tokens are looked for.
    pub places: Vec<Place>,
    /// Accepted values of `typ`; `None`: `JWT`, or none at all.
    pub types: Option<Vec<String>>,
    /// What is not accepted any more.
    pub revoked: Revocations,
    /// How many tokens to remember, so that each is accepted once, and what happens beyond; `None`: each may be used until it
    /// expires.
    pub replay: Option<(u32, OnFull)>,
    /// How many accepted tokens to remember, so that their signatures need not be verified again; `None`: as many as is
    /// usual.
    pub cache: Option<Capacity>,
    /// Whether CORS preflights pass without a token.
    pub allow_cors_preflight: bool,
    /// One of these has to be in `aud`; empty: a token with an `aud` is denied (RFC 7519, section 4.1.3).
    pub audiences: Vec<String>,
    /// Seconds by which clocks may differ.
    pub clock_skew: u32,
    /// Whether the upstream sees an accepted token.
    pub forward: bool,
    /// What happens to a request with a header that only this filter writes.
    pub on_forged_header: OnForgedHeader,
    /// Receives the payload, base64url.
    pub output_payload_to_header: Option<HeaderName>,
    /// Receive single claims.
    pub output_claim_to_headers: Vec<ClaimHeader>,
}

impl Verify {
    /// The headers that are written for an accepted token, each with its path in the configuration.
    pub fn outputs(&self) -> impl Iterator<Item = (Path, &HeaderName)> {
        let payload = self.output_payload_to_header.iter();
        let payload = payload.map(|name| (Path::of(&["verify", "outputPayloadToHeader"]), name));
        let claims = self.output_claim_to_headers.iter();
        payload.chain(claims.map(|output| (output.path.member("header"), &output.output.header)))
    }

    /// Whether a token may be in this header.
    #[must_use]
    pub fn carries_tokens(&self, name: &HeaderName) -> bool {
        self.places.iter().any(|place| place.header().as_ref() == Some(name))
    }
}

/// What is revoked.
#[derive(Default)]
pub struct Revocations {
    /// Keys.
    pub keys: Vec<RevokedKey>,
    /// `jti` of tokens.
    pub tokens: Vec<String>,
    /// Issuers.
    pub issuers: Vec<RevokedIssuer>,
}

/// A key of which nothing counts.
pub struct RevokedKey {
    /// Where it stands, for messages.
    pub path: Path,
    /// Its name.
    pub name: String,
}

/// An issuer of which nothing counts that is older than a time.
pub struct RevokedIssuer {
    /// Where it stands, for messages.
    pub path: Path,
    /// Its `iss`.
    pub issuer: String,
    /// The time.
    pub issued_before: Timestamp,
}

/// A claim that the upstream receives as a header.
pub struct ClaimHeader {
    /// Where it stands, for messages.
    pub path: Path,
    /// The header and the claim.
    pub output: gateway::ClaimHeader,
}

/// The well-known documents.
pub struct Discovery {
    /// Seconds that clients may cache them.
    pub max_age: u32,
    /// The hosts that have them, in lower case and without a port; empty: all.
    pub hosts: Vec<String>,
    /// Whether they show who is trusted.
    pub trust: bool,
}

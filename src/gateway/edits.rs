//! What is to be changed in a message: written down by the core, carried out by the adapter.

use std::fmt;
use std::rc::Rc;

use super::{Denied, Event};
use crate::http::headers::HeaderName;
use crate::time::Timestamp;
use crate::trust::{Origin, TrustedIssuer, TrustedKey};

/// A key that ends soon.
#[cfg_attr(test, derive(Debug))]
pub struct Ending {
    /// Whose it is.
    pub issuer: Rc<TrustedIssuer>,
    /// The key.
    pub key: Rc<TrustedKey>,
    /// When it ends.
    pub end: Timestamp,
}

impl Ending {
    /// The key, if it ends within a week, in which someone can be reached. One that is fetched ends by itself, when another has
    /// taken its place.
    #[must_use]
    pub fn of(issuer: &Rc<TrustedIssuer>, key: &Rc<TrustedKey>, now: Timestamp) -> Option<Self> {
        const SOON: u32 = 7 * 86_400;
        let end = key.ends_within(SOON, now).filter(|_| issuer.origin == Origin::Configured)?;
        Some(Self { issuer: Rc::clone(issuer), key: Rc::clone(key), end })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.end.to_rfc3339().unwrap_or_default();
        write!(formatter, "the key `{}` of {} ends at {end}", self.key.name, self.issuer.name)
    }
}

/// What to do with a message. It has tokens in it, and outside the tests no `Debug`.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Edits {
    /// Headers to remove, all their values.
    pub remove: Vec<HeaderName>,
    /// Headers to set after that.
    pub set: Vec<(HeaderName, String)>,
    /// Values to add after that, as bytes because some are an upstream's.
    pub add: Vec<(HeaderName, Vec<u8>)>,
    /// What remains of `cookie` or `:path` when a token is taken out.
    pub rewrite: Option<(&'static str, Vec<u8>)>,
    /// A serialized `google.protobuf.Struct` for the filter state `wasm.wristband`.
    pub filter_state: Option<Rc<[u8]>>,
    /// Claims that are there and could not be handed on.
    pub dropped: Vec<Rc<str>>,
    /// Why it would have been denied, in `observe`.
    pub observed: Vec<Denied>,
    /// Whose token was accepted, as metrics name them.
    pub peer: Option<Rc<str>>,
    /// Whose key has verified the token and ends soon.
    pub ending: Option<Ending>,
    /// What to count.
    pub events: Vec<Event>,
}

//! What is to be changed in a message: written down by the core, carried out by the adapter.

use std::rc::Rc;

use super::{Denied, Event};
use crate::http::headers::HeaderName;
use crate::time::Timestamp;
use crate::trust::{TrustedIssuer, TrustedKey};

/// A key that ends within a week: whose it is, and when it ends.
pub type Ending = (Rc<TrustedIssuer>, Rc<TrustedKey>, Timestamp);

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

//! What the operator is told of a request that is denied, or in `observe` would be.

use std::fmt;
use std::rc::Rc;

use crate::denial::{Cause, Denial};
use crate::encoding::protobuf;
use crate::http::credential::{Ambiguity, Place};
use crate::jose::token::Hearsay;
use crate::verify::NotVerified;

/// A request that is denied, or would be. What its token says of itself is made printable, and nobody has vouched for it: it is
/// for filter state and the log, and for the name of no metric.
#[derive(Debug)]
pub struct Denied {
    /// What was found.
    pub cause: Cause,
    /// Who has signed the token, as metrics name them: nobody as long as that has not been verified.
    pub peer: Option<Rc<str>>,
    place: Option<String>,
    hearsay: Hearsay,
    /// The source of a peer's keys with others of which the answer may be another.
    pub(super) source: Option<usize>,
}

impl Denied {
    /// Without a token that could be read.
    pub(super) fn unread(cause: Cause, place: Option<String>) -> Self {
        Self { cause, peer: None, place, hearsay: Hearsay::default(), source: None }
    }

    /// By its token.
    pub(super) fn refused(refused: NotVerified, place: &Place, token: &[u8]) -> Self {
        let NotVerified { cause, hearsay, signer, source } = refused;
        // The scheme with something else behind it than one space is taken for a token that cannot pass.
        let has_scheme = matches!(place, Place::Header { prefix, .. } if !prefix.is_empty());
        let is_separated = token.first().is_some_and(|first| first.is_ascii_alphanumeric() || b"-_.".contains(first));
        let is_cut = has_scheme && !is_separated && cause.denial() == Denial::Malformed;
        let cause = if is_cut { Cause::Separator } else { cause };
        let peer = signer.map(|signer| Rc::clone(&signer.label));
        Self { cause, peer, place: Some(place.to_string()), hearsay, source }
    }

    /// The filter state `wasm.wristband_denied`, a serialized `google.protobuf.Struct` of texts.
    #[must_use]
    pub fn filter_state(&self) -> Vec<u8> {
        let Hearsay { issuer, key_id } = &self.hearsay;
        let mut members = vec![("code", self.cause.denial().code()), ("detail", self.cause.detail())];
        for (name, text) in [("place", &self.place), ("issuer", issuer), ("kid", key_id)] {
            members.extend(text.as_deref().map(|text| (name, text)));
        }
        protobuf::struct_of_texts(&members)
    }
}

impl From<Ambiguity<'_>> for Denied {
    fn from(Ambiguity { cause, place }: Ambiguity<'_>) -> Self {
        Self::unread(cause, Some(place.to_string()))
    }
}

impl fmt::Display for Denied {
    /// For the log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.cause.denial().code(), self.cause.detail())?;
        let Hearsay { issuer, key_id } = &self.hearsay;
        for (what, text) in [("in", &self.place), ("issuer", issuer), ("kid", key_id)] {
            if let Some(text) = text {
                write!(formatter, ", {what} {text}")?;
            }
        }
        Ok(())
    }
}

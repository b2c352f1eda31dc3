//! Who a request was authenticated as.

use std::borrow::Cow;

use serde_json::Value;

use crate::issue::pseudonym;
use crate::verify::Verified;

/// Who a request was authenticated as.
#[derive(Clone, Copy)]
pub(super) enum Identity<'v> {
    /// What a header or an expression says.
    Value(&'v Value),
    /// The accepted wristband.
    Wristband(&'v Verified),
}

impl<'v> Identity<'v> {
    /// Whether it is one of nobody: an earlier filter that left an empty name or object behind.
    pub(super) fn is_nobody(self) -> bool {
        match self {
            Self::Value(Value::Null | Value::Bool(_)) => true,
            Self::Value(Value::Number(_)) => false,
            Self::Value(Value::String(text)) => text.is_empty(),
            Self::Value(Value::Array(items)) => items.is_empty(),
            Self::Value(Value::Object(members)) => members.is_empty(),
            Self::Wristband(_) => false,
        }
    }

    pub(super) fn name(self) -> Option<Cow<'v, str>> {
        match self {
            Self::Value(value) => value.as_str().or_else(|| value.get("sub")?.as_str()).map(Cow::Borrowed),
            Self::Wristband(wristband) => wristband.text("sub"),
        }
    }

    /// The hash of all of it; `None` where two identities would have one.
    pub(super) fn pseudonym(self) -> Option<String> {
        match self {
            Self::Value(value) => pseudonym::of(value),
            Self::Wristband(wristband) => pseudonym::of(&Value::Object(wristband.claims().clone())),
        }
    }
}

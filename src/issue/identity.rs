//! Who a request was authenticated as.

use serde_json::{Map, Value};

use crate::issue::pseudonym;

/// Who a request was authenticated as.
#[derive(Clone, Copy)]
pub(super) enum Identity<'v> {
    /// What a header or an expression says.
    Value(&'v Value),
    /// The claims of the accepted wristband.
    Wristband(&'v Map<String, Value>),
}

impl<'v> Identity<'v> {
    /// Whether it is one of nobody: an earlier filter that left an empty name or object behind.
    pub(super) fn is_nobody(self) -> bool {
        match self {
            Self::Value(Value::Null | Value::Bool(_)) => true,
            Self::Value(Value::Number(_)) => false,
            Self::Value(Value::String(text)) => text.is_empty(),
            Self::Value(Value::Array(items)) => items.is_empty(),
            Self::Value(Value::Object(members)) | Self::Wristband(members) => members.is_empty(),
        }
    }

    pub(super) fn name(self) -> Option<&'v str> {
        match self {
            Self::Value(value) => value.as_str().or_else(|| value.get("sub")?.as_str()),
            Self::Wristband(claims) => claims.get("sub")?.as_str(),
        }
    }

    /// The hash of all of it; `None` where two identities would have one.
    pub(super) fn pseudonym(self) -> Option<String> {
        match self {
            Self::Value(value) => pseudonym::of(value),
            Self::Wristband(claims) => pseudonym::of(&Value::Object(claims.clone())),
        }
    }
}

//! Envoy as the core sees it: it answers what a [`Host`] is asked.

use std::ffi::OsString;

use super::abi::{self, Refused};
use crate::host::{Crypto, ExpressionId, Expressions, Function, Host, Setup, Written};
use crate::time::{Moment, Timestamp};

/// The host.
pub(super) struct Envoy;

impl Crypto for Envoy {
    fn call(&self, function: Function, arguments: &[u8]) -> Option<Vec<u8>> {
        let name = match function {
            Function::Sign => "sign",
            Function::VerifySignature => "verify_signature",
        };
        abi::foreign(name, arguments).ok()
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}

impl Setup for Envoy {
    fn now(&self) -> Timestamp {
        super::now()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(OsString::into_encoded_bytes)
    }

    fn plugin_name(&self) -> String {
        String::from_utf8_lossy(&abi::property("plugin_name").unwrap_or_default()).into_owned()
    }

    fn reserve(&self, key: &str) -> bool {
        match abi::shared(key) {
            Ok(Some(_)) => true,
            Ok(None) => abi::share(key, &[], 0) == Written::Done,
            Err(Refused) => false,
        }
    }
}

impl Expressions for Envoy {
    fn compile(&self, source: &str) -> Option<ExpressionId> {
        let id = abi::foreign("expr_create", source.as_bytes()).ok()?;
        id.try_into().ok().map(u32::from_le_bytes).map(ExpressionId)
    }

    fn discard(&self, expression: ExpressionId) {
        let _ = abi::foreign("expr_delete", &expression.0.to_le_bytes());
    }
}

impl Host for Envoy {
    fn moment(&self) -> Moment {
        super::moment()
    }

    fn evaluate(&self, expression: ExpressionId) -> Option<Vec<u8>> {
        abi::foreign("expr_evaluate", &expression.0.to_le_bytes()).ok()
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        abi::property("metadata").ok()
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        abi::property("connection\0sha256_peer_certificate_digest").ok()
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        abi::shared(key).ok().flatten()
    }

    fn share(&self, key: &str, value: &[u8], version: u32) -> Written {
        abi::share(key, value, version)
    }
}

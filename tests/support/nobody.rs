//! A host for tests of the core alone.

use wristband::host::{Crypto, ExpressionId, Expressions, Function, Host, Setup, Written};
use wristband::time::{Moment, Timestamp};

/// A host that knows nothing, and whose randomness is none.
pub(crate) struct Nobody;

impl Crypto for Nobody {
    fn call(&self, _: Function, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        true
    }
}

impl Setup for Nobody {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn variable(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn plugin_name(&self) -> String {
        String::new()
    }

    fn reserve(&self, _: &str) -> bool {
        false
    }
}

impl Expressions for Nobody {
    fn compile(&self, _: &str) -> Option<ExpressionId> {
        None
    }

    fn discard(&self, _: ExpressionId) {}
}

impl Host for Nobody {
    fn moment(&self) -> Moment {
        Moment::default()
    }

    fn evaluate(&self, _: ExpressionId) -> Option<Vec<u8>> {
        None
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        None
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        None
    }

    fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn share(&self, _: &str, _: &[u8], _: u32) -> Written {
        Written::Refused
    }
}

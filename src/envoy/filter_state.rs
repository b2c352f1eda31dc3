//! The filter states `wasm.wristband`, in which native filters find the claims of an accepted token, and
//! `wasm.wristband_denied`, in which access logs find why a request was denied.

use prost::Message as _;

use super::abi::{self, Refused};

/// Their names; Envoy puts `wasm.` before them.
const ACCEPTED: &str = "wristband";
const DENIED: &str = "wristband_denied";

/// The arguments of Envoy's `declare_property`
/// (`envoy.source.extensions.common.wasm.DeclarePropertyArguments`).
#[derive(Clone, PartialEq, prost::Message)]
struct DeclareProperty {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bool, tag = "2")]
    readonly: bool,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(string, tag = "4")]
    schema: String,
    #[prost(int32, tag = "5")]
    span: i32,
}

/// Gives the filter states a type, so that CEL, RBAC and access logs can look into it: without one a rule that denies a
/// subject would never match. They are not read-only: where two filters of a chain verify, the second one sets them anew.
#[inline(never)]
pub(super) fn declare() -> Result<(), Refused> {
    const PROTOBUF: i32 = 3;
    const FILTER_CHAIN: i32 = 0;
    [ACCEPTED, DENIED].into_iter().try_for_each(|name| {
        let arguments = DeclareProperty {
            name: name.to_owned(),
            readonly: false,
            kind: PROTOBUF,
            schema: "type.googleapis.com/google.protobuf.Struct".to_owned(),
            span: FILTER_CHAIN,
        };
        abi::declare_property(&arguments.encode_to_vec())
    })
}

/// Sets that of an accepted token, to a serialized `google.protobuf.Struct`.
pub(super) fn set_accepted(state: &[u8]) -> Result<(), Refused> {
    abi::set_property(ACCEPTED, state)
}

/// Sets that of a denied request. It decides nothing, so one that cannot be set is no reason to fail anything.
pub(super) fn set_denied(state: &[u8]) {
    let _ = abi::set_property(DENIED, state);
}

//! The filter state `wasm.wristband`, in which native filters find the claims of an accepted token.

use prost::Message as _;

use super::abi::{self, Refused};

/// The name of the filter state; Envoy puts `wasm.` before it.
const NAME: &str = "wristband";

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

/// Gives the filter state a type, so that CEL, RBAC and access logs can look into it: without one a rule that denies a
/// subject would never match. It is not read-only: where two filters of a chain verify, the second one sets it anew.
#[inline(never)]
pub(super) fn declare() -> Result<(), Refused> {
    const PROTOBUF: i32 = 3;
    const FILTER_CHAIN: i32 = 0;
    let arguments = DeclareProperty {
        name: NAME.to_owned(),
        readonly: false,
        kind: PROTOBUF,
        schema: "type.googleapis.com/google.protobuf.Struct".to_owned(),
        span: FILTER_CHAIN,
    };
    abi::declare_property(&arguments.encode_to_vec())
}

/// Sets it, to a serialized `google.protobuf.Struct`.
pub(super) fn set(state: &[u8]) -> Result<(), Refused> {
    abi::set_property(NAME, state)
}

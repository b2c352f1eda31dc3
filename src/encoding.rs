//! The encodings in which Envoy and the filter talk. What is read is bounded and never taken for more than it says.

pub mod pairs;
pub mod protobuf;

//! The texts of the RFCs: what is well-formed, without a word on whom to trust. There is one reading of a token, a key or a
//! claim and no other, so that two who look at it cannot see two different things.

pub mod algorithm;
pub mod base64url;
pub mod claims;
pub mod confirmation;
pub mod json;
pub mod path;
pub mod token;

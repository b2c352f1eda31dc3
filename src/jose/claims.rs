//! The claims that a wristband has by its nature, and that nobody makes up: who vouches for whom, since when and for how
//! long, over which way, and bound to what.

/// Each with the field of the configuration that sets it.
const RESERVED: [(&str, &str); 9] = [
    ("iss", "set `issuer` instead"),
    ("sub", "set `issue.subject` instead"),
    ("aud", "set `issue.audiences` instead"),
    ("exp", "set `tokenDuration` instead"),
    ("nbf", "it is set for every wristband"),
    ("iat", "it is set for every wristband"),
    ("jti", "it is set for every wristband"),
    ("cnf", "set `issue.bindClientCertificate` instead"),
    ("act", "set `issue.chain` instead"),
];

/// The field that sets a reserved claim, for whoever tries to set it as a custom one; `None` for any other name.
#[must_use]
pub fn reserved(claim: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(name, _)| *name == claim).map(|(_, field)| *field)
}

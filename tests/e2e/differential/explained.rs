//! Every difference between the two filters that there is, and why.

/// A kind of mutation, our code or its text, and why the two differ: we or our way first, `it` is `jwt_authn`.
pub type Explained = (&'static str, &'static str, &'static str);

/// What we refuse and `jwt_authn` accepts.
pub const WE_ALONE_REFUSE: &[Explained] = &[
    ("kid: empty", "unknown_key", "it takes an empty name for none; here it is a name, and nobody's"),
    ("typ: another", "wrong_type", "a token made for another purpose is none of ours (RFC 8725, section 3.11)"),
    ("typ: of another type", "malformed", STRING),
    ("cty: of another type", "malformed", STRING),
    ("crit", "malformed", "what must be understood, is not (RFC 7515, section 4.1.11); it does not look"),
    ("b64", "malformed", "it changes what is signed (RFC 7797); it does not look"),
    ("header: nested deeper", "malformed", DEPTH),
    ("header: lax JSON", "malformed", JSON),
    ("header: one byte another", "malformed", JSON),
    ("header: one byte another", "wrong_type", "the byte was one of `typ`"),
    ("exp: absent", "malformed", "a token without an end never ends"),
    ("exp: zero", "expired", "it takes 0 for no end; here it is 1970"),
    ("exp: after the year 9999", "malformed", DATE),
    ("iat: after the year 9999", "malformed", DATE),
    ("iat: future", "not_yet_valid", "issued in the future; it does not look at `iat`"),
    ("aud: any", "wrong_audience", "RFC 7519, section 4.1.3; it does not look unless it is told an audience"),
    ("aud: of nobody", "wrong_audience", "RFC 7519, section 4.1.3; it does not look unless it is told an audience"),
    ("cnf: a certificate", "wrong_certificate", "bound to a certificate that nobody showed (RFC 8705, section 3)"),
    ("cnf: something else", "wrong_binding", "bound to a proof that nobody asks for (RFC 7800); it does not look"),
    ("cnf: of another type", "malformed", "an object (RFC 7800, section 3.1); it does not look"),
    ("payload: nested deeper", "malformed", DEPTH),
    ("payload: lax JSON", "malformed", JSON),
    ("payload: one byte another", "malformed", JSON),
    ("payload: one byte another", "not_yet_valid", "the byte was one of `iat`"),
    ("payload: one byte another", "too_long_lived", "the byte was one of `exp`; `peers[].maxLifetime`"),
    ("size: too large", "too_large", "8,192 bytes; it takes what fits into the headers"),
    ("signature: a byte longer", "bad_signature", LENGTH),
    ("signature: both halves longer in front", "bad_signature", LENGTH),
    ("spelling: padding", "malformed", SPELLING),
    ("spelling: stray bits", "malformed", SPELLING),
    ("spelling: whitespace inside", "malformed", SPELLING),
    ("spelling: a dot before or behind", "malformed", SPELLING),
    ("spelling: a dot doubled", "malformed", SPELLING),
    ("place: something before the scheme", "missing", "another scheme; it looks for `Bearer ` anywhere in the value"),
    ("place: two spaces", "malformed", ONE_SPACE),
    ("place: a space and more", "malformed", ONE_SPACE),
    ("place: a word behind", "malformed", SPELLING),
    ("place: a list with another scheme", "ambiguous", ONE_CREDENTIAL),
    ("place: one header twice", "ambiguous", ONE_CREDENTIAL),
    ("place: one header twice, once something else", "ambiguous", ONE_CREDENTIAL),
    ("place: both headers", "ambiguous", ONE_CREDENTIAL),
];

const STRING: &str = "a string (RFC 7515, sections 4.1.9 and 4.1.10); it does not look";
const DATE: &str = "no date that anybody means; it takes 64 bits";
const DEPTH: &str = "32 levels; it takes 100";
const JSON: &str = "not JSON (RFC 8259); its parser takes commas at the end, single quotes, bare names and more";
const SPELLING: &str = "a token has one spelling (RFC 7515, section 2); it forgives";
const LENGTH: &str = "64 bytes (RFC 7518, section 3.4); it takes two halves of any length";
const ONE_SPACE: &str = "exactly one space follows the scheme; it skips what cannot start a token";
const ONE_CREDENTIAL: &str = "one credential a request; it wants every one to be good, and overlooks some in a list";

/// What we accept and `jwt_authn` refuses.
pub const WE_ALONE_ACCEPT: &[Explained] = &[
    ("place: a scheme of other case", "Jwt is missing", "schemes are compared without case (RFC 9110, section 11.1)"),
    ("place: both headers, one empty", NO_TOKEN, "an empty header is no credential; it takes it for an empty token"),
    ("sub: control characters", "invalid header value for: x-subject", LEFT_OUT),
    ("payload: one byte another", "invalid header value for: x-subject", LEFT_OUT),
];

const NO_TOKEN: &str = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
const LEFT_OUT: &str =
    "a value that cannot stand in a header is left out; it sets it, and Envoy's router refuses the request";

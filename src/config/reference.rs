//! Every field of the configuration, said once for people and their tools: its type, default and range, what it means, and an
//! example. The JSON Schema and the reference page are made of it.
//!
//! It stands beside the reader and is no part of the filter. A derive such as serde's would have made one of the two, at the
//! price of the reader's messages, which name the cure, and of a larger module. So that the two never differ, a test takes
//! every field from here and asks the reader: each is known there, each default is what an absent field means, each range ends
//! where the reader says, each word is one of its words, and each example is accepted.

mod page;
mod schema;

pub use page::page;
pub use schema::schema;

/// What a field may be.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A text that is not empty.
    Text,
    /// A text of this form, a regular expression.
    Pattern(&'static str),
    /// True or false.
    Boolean,
    /// A whole number within this range.
    Integer(u32, u32),
    /// One of these.
    Word(&'static [&'static str]),
    /// A time as in RFC 3339.
    Time,
    /// Whatever JSON has but null.
    Any,
    /// An object of the kind that stands at this place.
    Object(&'static str),
    /// A list of such objects.
    Objects(&'static str),
    /// One such object, or a list of them.
    ObjectOrObjects(&'static str),
    /// Such objects by names that the operator chooses.
    ObjectsByName(&'static str),
    /// A list of texts that are not empty.
    Texts,
    /// A list of texts of which one may be empty.
    TextsOrEmpty,
    /// A list of these words.
    Words(&'static [&'static str]),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Type,
    /// What it is when it is absent, as JSON; empty: there is no such value.
    pub default: &'static str,
    /// Whether it always has to be there.
    pub is_required: bool,
    /// What it means.
    pub about: &'static str,
}

const ALGORITHMS: &[&str] =
    &["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"];

const fn field(name: &'static str, kind: Type, default: &'static str, about: &'static str) -> Field {
    Field { name, kind, default, is_required: false, about }
}

const fn required(name: &'static str, kind: Type, about: &'static str) -> Field {
    Field { name, kind, default: "", is_required: true, about }
}

/// The fields of each kind of object, by the place where it stands.
#[rustfmt::skip]
pub const REFERENCE: &[(&str, &[Field])] = {
    use Type::*;
    &[
        ("", &[
            field("issuer", Pattern("^[Hh][Tt][Tt][Pp][Ss]?://[^?#]+$"), "", "`iss` of our wristbands: an absolute http(s) URL without query and fragment, which peers write letter for letter the same. Needed unless only peers are verified"),
            field("tokenDuration", Integer(1, 86_400), "300", "Seconds that a wristband lives"),
            field("signingKeyRefs", Objects("signingKeyRefs[]"), "", "Our own keys; all their public halves are published. With `issue` the first one is private and signs; every other key is public"),
            field("peers", Objects("peers[]"), "", "Other issuers, and the public keys that speak for them"),
            field("issue", Object("issue"), "", "How wristbands are signed. Absent: nothing is signed, and no private key may be there"),
            field("verify", Object("verify"), "", "How inbound tokens are verified. Absent: they are not looked at"),
            field("discovery", Object("discovery"), "", "The well-known documents"),
            field("crypto", Word(&["auto", "host", "wasm"]), "\"auto\"", "Who computes signatures: Envoy where it can (`auto`), Envoy alone (`host`), or the VM (`wasm`)"),
            field("allowWorthlessKeys", Boolean, "false", "Whether keys are accepted whose private halves are in wristband's repository; for tests"),
        ]),
        ("signingKeyRefs[]", &[
            field("name", Pattern("^[!-~]{1,255}$"), "", "The `kid`; unique within its issuer. Of a key by `cluster` its text says it"),
            required("algorithm", Word(ALGORITHMS), "The one algorithm that the key may be used with"),
            required("key", Object("signingKeyRefs[].key"), "Where the text of the key is"),
            field("notBefore", Time, "", "From then on the key is accepted; it is published from the start. Not for the key that signs"),
            field("notAfter", Time, "", "From then on the key is neither published nor accepted. Not for the key that signs"),
        ]),
        ("signingKeyRefs[].key", &[
            field("inlineString", Text, "", "The text itself: PEM, a JWK, or base64 of one of them or of DER. A private key does not belong here"),
            field("environmentVariable", Text, "", "The variable that holds the text; it stands in `host_env_keys` too"),
            field("cluster", Text, "", "The cluster of Envoy's over which the text is fetched; for the key that signs"),
            field("path", Pattern("^/[!\"$-~]*$"), "", "The path that it is fetched from; with `cluster`"),
            field("refresh", Integer(1, 3600), "5", "Seconds between two fetches; with `cluster`"),
            field("announce", Integer(0, 86_400), "", "Seconds for which a new key is published before it signs; with `cluster`. By default `discovery.maxAge` and 60"),
        ]),
        ("peers[].jwks", &[
            field("inlineString", Text, "", "The set itself"),
            field("environmentVariable", Text, "", "The variable that holds the set"),
        ]),
        ("peers[].remoteJwks", &[
            required("cluster", Text, "The cluster of Envoy's over which the set is fetched. Give it TLS that is checked"),
            field("uri", Pattern("^[Hh][Tt][Tt][Pp][Ss]?://[^#]+$"), "", "Where the set is. By default the issuer and `/.well-known/openid-connect/certs`"),
            field("refresh", Integer(1, 86_400), "300", "Seconds between two fetches"),
            field("timeout", Integer(1, 60), "5", "Seconds to wait for an answer"),
            field("staleFor", Integer(0, 2_592_000), "86400", "Seconds for which a set counts longer that cannot be fetched again"),
        ]),
        ("peers[]", &[
            required("issuer", Pattern("^[!-\"$-~]{1,255}$"), "`iss` of its tokens, letter for letter"),
            field("keys", Objects("signingKeyRefs[]"), "", "Its public keys"),
            field("jwks", Object("peers[].jwks"), "", "Its JWK Set, in the place of `keys`"),
            field("remoteJwks", Object("peers[].remoteJwks"), "", "Its JWK Set, fetched, in the place of `keys`"),
            field("algorithms", Words(ALGORITHMS), "", "The algorithms of the keys of its set"),
            field("label", Pattern("^[A-Za-z0-9_-]{1,255}$"), "", "How metrics name it. By default the host of its issuer"),
            field("typ", TextsOrEmpty, "", "Accepted values of `typ` in its tokens. By default those of `verify`"),
            field("subjects", Objects("peers[].subjects[]"), "", "Whom it may name. Absent: everyone"),
            field("audiences", Texts, "", "One of these has to be in `aud` of its tokens. By default those of `verify`"),
            field("allowMissingAudience", Boolean, "false", "Whether a token without `aud` is accepted although there are audiences"),
            field("claims", Texts, "", "The claims that are passed on beside the registered ones. Absent: all"),
            field("maxLifetime", Integer(1, 31_536_000), "86400", "Seconds that a token may have left to live"),
            field("publish", Any, "", "Is gone, and an error"),
        ]),
        ("peers[].subjects[]", &[field("exact", Text, "", "This subject"), field("prefix", Text, "", "All subjects that start so")]),
        ("issue", &[
            field("header", Text, "\"x-wristband-token\"", "The header that delivers the wristband; with `cookie` none by default"),
            field("placement", Word(&["response", "request"]), "\"response\"", "To whom it is delivered: to the client with 2xx responses, or to the upstream"),
            required("identity", ObjectOrObjects("issue.identity"), "Who the request was authenticated as: the first source that has a value"),
            field("subject", Object("issue.subject"), "", "What `sub` is made of. Absent: of the identity"),
            field("when", Object("issue.when"), "", "Conditions"),
            field("audiences", Texts, "", "`aud`: one becomes a text, several a list"),
            field("customClaims", ObjectsByName("issue.customClaims.NAME"), "", "Claims beside the registered ones"),
            field("cookie", Object("issue.cookie"), "", "Delivers the wristband as a cookie"),
            field("chain", Boolean, "false", "Whether the way is recorded in `act` (RFC 8693); with `identity: {wristband: true}`"),
            field("maxHops", Integer(1, 16), "3", "How many actors `act` may have; with `chain`"),
            field("bindClientCertificate", Boolean, "false", "Whether wristbands are bound to the client's certificate (RFC 8705)"),
            field("onFailure", Word(&["pass", "deny"]), "\"pass\"", "What happens when a wristband is due and cannot be signed"),
            field("typ", Text, "\"JWT\"", "`typ` of the header of the token"),
            field("reuse", Integer(0, 86_400), "0", "Seconds for which a wristband is handed out again to whoever would get the same"),
            field("backdate", Integer(0, 60), "5", "Seconds by which `iat` and `nbf` lie in the past"),
        ]),
        ("issue.identity", &[
            field("header", Text, "", "A header that an earlier, trusted filter sets"),
            field("expression", Text, "", "A CEL expression over Envoy's attributes"),
            field("wristband", Boolean, "", "`true`: the accepted inbound token"),
        ]),
        ("issue.subject", &[
            field("expression", Text, "", "A CEL expression over Envoy's attributes"),
            field("hash", Boolean, "", "`true`: Authorino's hash of the whole identity"),
        ]),
        ("issue.when", &[
            field("request", Text, "", "A CEL expression, asked when the request comes"),
            field("response", Text, "", "A CEL expression, asked when the response comes"),
        ]),
        ("issue.customClaims.NAME", &[
            field("value", Any, "", "A fixed value"),
            field("expression", Text, "", "A CEL expression over Envoy's attributes"),
            field("required", Boolean, "false", "Whether nothing is signed when the expression has no value"),
        ]),
        ("issue.cookie", &[
            field("name", Text, "\"__Host-wristband\"", "Its name; `wristband` with another `path`, a `domain` or without `secure`"),
            field("path", Text, "\"/\"", "Its path"),
            field("domain", Text, "", "Its domain"),
            field("sameSite", Word(&["strict", "lax", "none", "Strict", "Lax", "None"]), "\"lax\"", "Whether other sites' requests bring it"),
            field("secure", Boolean, "true", "Whether it is sent over TLS alone"),
            field("httpOnly", Boolean, "true", "Whether scripts cannot read it"),
        ]),
        ("verify", &[
            field("mode", Word(&["require", "optional", "observe"]), "\"require\"", "What is denied: no token and a bad one, a bad one, or neither"),
            field("fromHeaders", Objects("verify.fromHeaders[]"), "", "Headers in which tokens are looked for. By default `x-wristband-token`, and `authorization` with `Bearer `; whoever names a place of any kind replaces the default"),
            field("fromCookies", Texts, "", "Cookies in which tokens are looked for"),
            field("fromParams", Texts, "", "Query parameters in which tokens are looked for"),
            field("typ", TextsOrEmpty, "", "Accepted values of `typ`. Absent: `JWT`, or none at all"),
            field("revoked", Objects("verify.revoked[]"), "", "What is not accepted any more"),
            field("replay", Object("verify.replay"), "", "Accepts a `jti` once"),
            field("cache", Object("verify.cache"), "", "How many accepted tokens are remembered"),
            field("allowCorsPreflight", Boolean, "false", "Whether CORS preflights pass without a token"),
            field("audiences", Texts, "", "One of these has to be in `aud`. Absent: a token with an `aud` is denied"),
            field("clockSkew", Integer(0, 300), "30", "Seconds by which clocks may differ"),
            field("forward", Boolean, "false", "Whether the upstream sees an accepted token"),
            field("outputPayloadToHeader", Text, "", "The header that receives the payload, base64url"),
            field("outputClaimToHeaders", Objects("verify.outputClaimToHeaders[]"), "", "Claims that the upstream receives as headers"),
            field("onForgedHeader", Word(&["remove", "deny"]), "\"remove\"", "What happens to a request with a header that only this filter writes"),
            field("maxTokenBytes", Integer(1024, 65_536), "8192", "How large a token may be"),
            field("fromWebSocketProtocols", Objects("verify.fromWebSocketProtocols[]"), "", "Items of `sec-websocket-protocol` in which tokens are looked for"),
        ]),
        ("verify.fromHeaders[]", &[
            required("name", Text, "The header"),
            field("prefix", Pattern("^[^ ]+ $"), "", "What stands before the token: a scheme and one space"),
        ]),
        ("verify.fromWebSocketProtocols[]", &[required("prefix", Text, "The beginning of the item whose rest is the token")]),
        ("verify.revoked[]", &[
            field("kid", Text, "", "A key"),
            field("jti", Text, "", "A token"),
            field("issuer", Text, "", "An issuer, of which nothing counts that is older than `issuedBefore`"),
            field("issuedBefore", Time, "", "The time; with `issuer`"),
        ]),
        ("verify.replay", &[
            required("cache", Integer(1, 1_000_000), "How many tokens are remembered"),
            field("onFull", Word(&["deny", "forget"]), "\"deny\"", "What happens when there is no room"),
        ]),
        ("verify.cache", &[
            field("tokens", Integer(0, 1_000_000), "10000", "How many tokens"),
            field("bytes", Integer(0, 1_073_741_824), "8388608", "How many bytes"),
        ]),
        ("verify.outputClaimToHeaders[]", &[
            required("header", Text, "The header"),
            required("claim", Text, "A claim's name, a dotted path, a JSON Pointer, or `principal`: issuer and subject"),
            field("format", Word(&["text", "percent", "list"]), "\"text\"", "How it is written"),
        ]),
        ("discovery", &[
            field("maxAge", Integer(0, 86_400), "300", "Seconds that clients may keep the documents"),
            field("hosts", Texts, "", "The hosts that have them. Absent: all"),
            field("trust", Boolean, "false", "Whether a document shows who is trusted"),
        ]),
    ]
};

/// The fields of the objects at a place.
#[must_use]
pub fn at(place: &str) -> &'static [Field] {
    REFERENCE.iter().find(|(known, _)| *known == place).map(|(_, fields)| *fields).unwrap_or_default()
}

/// Exactly one of these fields stands in such an object.
const ONE_OF: [(&str, &[&str]); 6] = [
    ("signingKeyRefs[].key", &["inlineString", "environmentVariable", "cluster"]),
    ("peers[].jwks", &["inlineString", "environmentVariable"]),
    ("peers[].subjects[]", &["exact", "prefix"]),
    ("issue.identity", &["header", "expression", "wristband"]),
    ("issue.subject", &["expression", "hash"]),
    ("issue.customClaims.NAME", &["value", "expression"]),
];

#[cfg(test)]
mod tests;

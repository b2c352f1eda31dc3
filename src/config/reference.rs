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
    /// A value that it may have, as JSON.
    pub example: &'static str,
}

const ALGORITHMS: &[&str] =
    &["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"];

const fn field(
    name: &'static str,
    kind: Type,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Field {
    Field { name, kind, default, is_required: false, about, example }
}

const fn required(name: &'static str, kind: Type, about: &'static str, example: &'static str) -> Field {
    Field { name, kind, default: "", is_required: true, about, example }
}

/// The fields of each kind of object, by the place where it stands.
#[rustfmt::skip]
pub const REFERENCE: &[(&str, &[Field])] = {
    use Type::*;
    &[
        ("", &[
            field("issuer", Pattern("^[Hh][Tt][Tt][Pp][Ss]?://[^?#]+$"), "", "`iss` of our wristbands: an absolute http(s) URL without query and fragment, which peers write letter for letter the same. Needed unless only peers are verified", r#""https://east.example.com""#),
            field("tokenDuration", Integer(1, 86_400), "300", "Seconds that a wristband lives. What is out can be revoked (`verify.revoked`), but at each verifier", "300"),
            field("signingKeyRefs", Objects("signingKeyRefs[]"), "", "Our own keys; all their public halves are published. With `issue` the first one is private and signs; every other key, everywhere, is public", r#"[{"name": "east-2026-11", "algorithm": "ES256", "key": {"environmentVariable": "EAST_SIGNING_KEY"}}]"#),
            field("peers", Objects("peers[]"), "", "Other issuers, and the public keys that speak for them", r#"[{"issuer": "https://west.example.com", "remoteJwks": {"cluster": "west"}}]"#),
            field("issue", Object("issue"), "", "How wristbands are signed. Absent: nothing is signed, and no private key may be there", r#"{"identity": {"header": "x-user"}, "audiences": ["federation"]}"#),
            field("verify", Object("verify"), "", "How inbound tokens are verified. Absent: they are not looked at", r#"{"audiences": ["federation"]}"#),
            field("discovery", Object("discovery"), "", "The well-known documents", r#"{"maxAge": 60}"#),
            field("crypto", Word(&["auto", "host", "wasm", "tables"]), "\"auto\"", "Who computes signatures: Envoy where it can (`auto`), Envoy alone (`host`: a key that it cannot use is an error), the VM (`wasm`), or as with `auto` but for the verification of ES256, which the VM does by tables of each key (`tables`)", r#""host""#),
            field("allowWorthlessKeys", Boolean, "false", "`true`: keys whose private halves are in wristband's repository are a warning and no error; for tests", "true"),
        ]),
        ("signingKeyRefs[]", &[
            field("name", Pattern("^[!-~]{1,255}$"), "", "The `kid`, whatever a JWK says of its own; unique within its issuer. Of a key by `cluster` its text says it, and `name` stands nowhere", r#""east-2026-11""#),
            required("algorithm", Word(ALGORITHMS), "The one algorithm that the key may be used with. `Ed25519` (RFC 9864) has the keys of `EdDSA` and another `alg`", r#""ES256""#),
            required("key", Object("signingKeyRefs[].key"), "Where the text of the key is", r#"{"environmentVariable": "EAST_SIGNING_KEY"}"#),
            field("notBefore", Time, "", "From then on the key is accepted; it is published from the start. Not for the key that signs", r#""2026-12-01T00:00:00Z""#),
            field("notAfter", Time, "", "From then on the key is neither published nor accepted. Not for the key that signs. One of our own that ends sooner than `tokenDuration`, 30 seconds and `discovery.maxAge` from now is a warning", r#""2027-01-01T00:00:00Z""#),
        ]),
        ("signingKeyRefs[].key", &[
            field("inlineString", Text, "", "The text itself: PEM (PKCS#8, SEC1, PKCS#1, SPKI, X.509 certificate), a JWK, or base64 of one of them or of the DER, as a Secret's `data` has it. What stands around a block does not matter, unless it is a private key. Of a certificate only the key counts. RSA: 2048 to 8192 bits, two primes; a key made for RSASSA-PSS alone is good for the hash that it is bound to. A private key does not belong here: `/config_dump` shows it", r#""MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE...""#),
            field("environmentVariable", Text, "", "The variable that holds the text; it stands in `vm_config.environment_variables.host_env_keys` too", r#""EAST_SIGNING_KEY""#),
            field("cluster", Text, "", "The cluster of Envoy's over which the text is fetched; for the key that signs", r#""keys""#),
            field("path", Pattern("^/[!\"$-~]*$"), "", "The path that it is fetched from; with `cluster`", r#""/east.pem""#),
            field("refresh", Integer(1, 3600), "5", "Seconds between two fetches; with `cluster`", "5"),
            field("announce", Integer(0, 86_400), "", "Seconds for which a new key is published before it signs; longer than the `refresh` of peers. By default `discovery.maxAge` and 60. 0: it signs at once, for a key that has leaked. With `cluster`", "360"),
        ]),
        ("peers[].jwks", &[
            field("inlineString", Text, "", "The set itself. A key without `kid` is called by its RFC 7638 thumbprint; one that cannot be used is left out with a warning; one with a private half is an error", r#""{\"keys\": [...]}""#),
            field("environmentVariable", Text, "", "The variable that holds the set", r#""WEST_JWKS""#),
        ]),
        ("peers[].remoteJwks", &[
            required("cluster", Text, "The cluster of Envoy's over which the set is fetched. Give it TLS that is checked: whoever answers names the keys", r#""west""#),
            field("uri", Pattern("^[Hh][Tt][Tt][Pp][Ss]?://[^#]+$"), "", "Where the set is. By default the issuer and `/.well-known/openid-connect/certs`, where other gateways of ours and Authorino have theirs", r#""https://west.example.com/.well-known/jwks.json""#),
            field("refresh", Integer(1, 86_400), "300", "Seconds between two fetches", "300"),
            field("timeout", Integer(1, 60), "5", "Seconds to wait for an answer", "5"),
            field("staleFor", Integer(0, 2_592_000), "86400", "Seconds for which a set counts longer that cannot be fetched again", "86400"),
        ]),
        ("peers[]", &[
            required("issuer", Pattern("^[!-\"$-~]{1,255}$"), "`iss` of its tokens, letter for letter; a URL or not (`sa@project.iam.gserviceaccount.com`)", r#""https://west.example.com""#),
            field("keys", Objects("signingKeyRefs[]"), "", "Its public keys. Each speaks for its own issuer only, so two peers may use one `name`, and one key may stand at several", r#"[{"name": "west-2026-11", "algorithm": "ES256", "key": {"inlineString": "MFkwEwYHKoZIzj0CAQYI..."}}]"#),
            field("jwks", Object("peers[].jwks"), "", "Its JWK Set, in the place of `keys`", r#"{"environmentVariable": "WEST_JWKS"}"#),
            field("remoteJwks", Object("peers[].remoteJwks"), "", "Its JWK Set, fetched, in the place of `keys`", r#"{"cluster": "west"}"#),
            field("algorithms", Words(ALGORITHMS), "", "With `jwks` and `remoteJwks`: the algorithms of its keys. A key without `alg` has the first that its type allows; without the list `ES256`, `ES384`, `ES512` or `EdDSA` by its curve, and `RS256` if it is RSA", r#"["ES256"]"#),
            field("label", Pattern(r"^[\s\S]{1,255}$"), "", "How metrics name it, every other character than letters, digits, `-` and `_` being `_` there; `self` and `none` have a meaning. By default the host of its issuer, or else all of it", r#""west""#),
            field("typ", TextsOrEmpty, "", "Accepted values of `typ` in its tokens. By default those of `verify`", r#"["wristband+jwt"]"#),
            field("subjects", Objects("peers[].subjects[]"), "", "Whom it may name. Absent: everyone", r#"[{"prefix": "spiffe://west.example.com/"}]"#),
            field("audiences", Texts, "", "One of these has to be in `aud` of its tokens. By default those of `verify`", r#"["east"]"#),
            field("allowMissingAudience", Boolean, "false", "`true`: a token without `aud` is accepted although there are audiences (Authorino's have none); one that has it still has to match", "true"),
            field("claims", Texts, "", "The claims that are passed on, beside `iss sub aud exp nbf iat jti cnf act`; `outputPayloadToHeader` has no others either; the token itself, with `forward`, is what it is. Absent: all. List them, and a peer cannot grant roles", r#"["groups"]"#),
            field("maxLifetime", Integer(1, 31_536_000), "86400", "Seconds that a token may have left to live", "600"),
            field("publish", Any, "", "Is gone, and an error", "null"),
        ]),
        ("peers[].subjects[]", &[field("exact", Text, "", "This subject", r#""spiffe://west.example.com/ns/shop/sa/cart""#), field("prefix", Text, "", "All subjects that start so", r#""spiffe://west.example.com/""#)]),
        ("issue", &[
            field("header", Text, "\"x-wristband-token\"", "The header that delivers the wristband; with `cookie` none by default. An upstream's own header of that name is removed first", r#""x-wristband-token""#),
            field("placement", Word(&["response", "request"]), "\"response\"", "To whom it is delivered: to the client, with 2xx responses only (`response`), or to the upstream (`request`)", r#""request""#),
            required("identity", ObjectOrObjects("issue.identity"), "Who the request was authenticated as: the first source that has a value. Nobody, no wristband. A header that stands twice or is no UTF-8 is nobody's name, and no other source counts then", r#"{"header": "x-user"}"#),
            field("subject", Object("issue.subject"), "", "What `sub` is made of. Absent: the identity if it is a text, its `sub` if it is an object", r#"{"hash": true}"#),
            field("when", Object("issue.when"), "", "Conditions, each asked in its phase; what is not true is false", r#"{"request": "request.path.startsWith('/login')"}"#),
            field("audiences", Texts, "", "`aud`: one becomes a text, several a list. Without it a wristband is good at every peer that asks for none", r#"["federation"]"#),
            field("customClaims", ObjectsByName("issue.customClaims.NAME"), "", "Claims beside the registered ones", r#"{"region": {"value": "eu"}}"#),
            field("cookie", Object("issue.cookie"), "", "Delivers the wristband as a cookie", r#"{"sameSite": "strict"}"#),
            field("chain", Boolean, "false", "`true`, with `identity: {wristband: true}`: records the way in `act` (RFC 8693) and refuses loops", "true"),
            field("maxHops", Integer(1, 16), "3", "How many actors `act` may have; with `chain`", "3"),
            field("bindClientCertificate", Boolean, "false", "`true`: the wristband is good only together with the client's certificate (`cnf.x5t#S256`, RFC 8705)", "true"),
            field("onFailure", Word(&["pass", "deny"]), "\"pass\"", "`deny`: 503 when all is there for a wristband and it cannot be signed, or is too large for peers to accept. A claim that is missing is no failure", r#""deny""#),
            field("typ", Text, "\"JWT\"", "`typ` of the header of the token; peers have to accept it", r#""wristband+jwt""#),
            field("reuse", Integer(0, 86_400), "0", "Seconds, of which at most half of `tokenDuration` count, for which a wristband is handed out again to whoever would get the same", "60"),
            field("backdate", Integer(0, 60), "5", "Seconds by which `iat` and `nbf` lie in the past: a consumer whose clock is a second behind would refuse the token. `exp` is not moved", "5"),
        ]),
        ("issue.identity", &[
            field("header", Text, "", "A header that an earlier, trusted filter sets, and removes from what clients send; none that carries credentials", r#""x-user""#),
            field("expression", Text, "", "A CEL expression over Envoy's attributes", r#""connection.uri_san_peer_certificate""#),
            field("wristband", Boolean, "", "`true`: the accepted inbound token, which is exchanged for one of ours", "true"),
        ]),
        ("issue.subject", &[
            field("expression", Text, "", "A CEL expression over Envoy's attributes", r#""connection.uri_san_peer_certificate""#),
            field("hash", Boolean, "", "`true`: Authorino's hash of the whole identity, so of something that is the same every time: a name, and not a token's claims. A whole number that no double holds has no hash: two of them would have one", "true"),
        ]),
        ("issue.when", &[
            field("request", Text, "", "A CEL expression, asked when the request comes", r#""request.path.startsWith('/login')""#),
            field("response", Text, "", "A CEL expression, asked when the response comes", r#""response.code == 200""#),
        ]),
        ("issue.customClaims.NAME", &[
            field("value", Any, "", "A fixed value, whatever it is but null", r#""eu""#),
            field("expression", Text, "", "A CEL expression over Envoy's attributes", r#""request.headers['x-tenant']""#),
            field("required", Boolean, "false", "`true`: nothing is signed when the expression has no value. One that goes through a list (`map`, `filter`, `exists`, `exists_one`, `all`) always is", "true"),
        ]),
        ("issue.cookie", &[
            field("name", Text, "\"__Host-wristband\"", "Its name. `__Host-` lets nobody but this host set it; `wristband` is the default with another `path`, a `domain` or without `secure`. A `Set-Cookie` of more than 4,096 bytes is not sent, since browsers drop it", r#""__Host-wristband""#),
            field("path", Text, "\"/\"", "Its path", r#""/""#),
            field("domain", Text, "", "Its domain", r#""example.com""#),
            field("sameSite", Word(&["strict", "lax", "none", "Strict", "Lax", "None"]), "\"lax\"", "Whether other sites' requests bring it", r#""strict""#),
            field("secure", Boolean, "true", "Whether it is sent over TLS alone", "true"),
            field("httpOnly", Boolean, "true", "Whether scripts cannot read it", "true"),
        ]),
        ("verify", &[
            field("mode", Word(&["require", "optional", "observe"]), "\"require\"", "`require`: no token is 401, on login routes too, so with `issue` it is usually `optional`, and a native filter decides; `optional`: only a bad one is denied; `observe`: nothing is denied, only counted", r#""observe""#),
            field("fromHeaders", Objects("verify.fromHeaders[]"), "", "Headers in which tokens are looked for. By default `x-wristband-token`, and `authorization` with `Bearer `; whoever names a place of any kind replaces the default. Where `authorization` carries the tokens of an identity provider, list the other header alone: they would be `unknown_issuer`, with `optional` too", r#"[{"name": "authorization", "prefix": "Bearer "}]"#),
            field("fromCookies", Texts, "", "Cookies in which tokens are looked for", r#"["__Host-wristband"]"#),
            field("fromParams", Texts, "", "Query parameters in which tokens are looked for, of letters, digits and `-._~`. URLs end up in logs and in `location`: only where nothing else will do", r#"["access_token"]"#),
            field("typ", TextsOrEmpty, "", "Accepted values of `typ`; if set, it has to be there (RFC 8725, section 3.11). `\"\"` in the list stands for a token without. Absent: `JWT`, or none at all", r#"["wristband+jwt"]"#),
            field("revoked", Objects("verify.revoked[]"), "", "What is not accepted any more. A key or issuer that is not in the configuration is an error: it would revoke nothing", r#"[{"kid": "west-2026-10"}]"#),
            field("replay", Object("verify.replay"), "", "Accepts a `jti` once", r#"{"cache": 10000}"#),
            field("cache", Object("verify.cache"), "", "How many accepted tokens each worker remembers, so that their signatures are not verified again", r#"{"tokens": 10000}"#),
            field("allowCorsPreflight", Boolean, "false", "`true`: `OPTIONS` with `origin` and `access-control-request-method` passes, its token unseen, and gets no wristband", "true"),
            field("audiences", Texts, "", "One of these has to be in `aud`. Absent: a token with an `aud` is denied (RFC 7519)", r#"["federation"]"#),
            field("clockSkew", Integer(0, 300), "30", "Seconds by which clocks may differ; it counts for both ends of a token's life", "30"),
            field("forward", Boolean, "false", "`true`: the upstream sees the accepted token too; otherwise the header, cookie or parameter is removed", "true"),
            field("outputPayloadToHeader", Text, "", "The header that receives the payload, base64url", r#""x-wristband-payload""#),
            field("outputClaimToHeaders", Objects("verify.outputClaimToHeaders[]"), "", "Claims that the upstream receives as headers. What cannot stand in one is left out, counted (`claim_dropped`) and named at `debug`: an empty text, a control character, a space at an end, an integer beyond 64 bits, whose last digits are lost", r#"[{"header": "x-caller", "claim": "principal"}]"#),
            field("onForgedHeader", Word(&["remove", "deny"]), "\"remove\"", "`deny`: a request with a header that only this filter writes (`outputPayloadToHeader`, `outputClaimToHeaders`) is 400, `forged_header`. Set it wherever routes look at such headers: Envoy has chosen the route before the header is removed, and the filters with it. A request that Envoy redirects internally brings those that we have written, and is denied too", r#""deny""#),
            field("maxTokenBytes", Integer(1024, 65_536), "8192", "How large a token may be; raise it for identity providers with hundreds of groups, and Envoy's `max_request_headers_kb` with it", "8192"),
            field("fromWebSocketProtocols", Objects("verify.fromWebSocketProtocols[]"), "", "Items of `sec-websocket-protocol` in which tokens are looked for, for browsers: `new WebSocket(url, ['chat', 'wristband.bearer.' + token])`. The upstream sees the other items", r#"[{"prefix": "base64url.bearer.authorization.k8s.io."}]"#),
        ]),
        ("verify.fromHeaders[]", &[
            required("name", Text, "The header", r#""authorization""#),
            field("prefix", Pattern("^[^ ]+ $"), "", "What stands before the token: a scheme and one space", r#""Bearer ""#),
        ]),
        ("verify.fromWebSocketProtocols[]", &[required("prefix", Text, "The beginning of the item whose rest is the token", r#""base64url.bearer.authorization.k8s.io.""#)]),
        ("verify.revoked[]", &[
            field("kid", Text, "", "A key, at every issuer that has one of that name; it is not published either", r#""west-2026-10""#),
            field("jti", Text, "", "A token", r#""6f1f8d0e-7c52-4c3a-9d0e-2f6a5d1c9b11""#),
            field("issuer", Text, "", "An issuer, of which nothing counts that is older than `issuedBefore`", r#""https://west.example.com""#),
            field("issuedBefore", Time, "", "The time; with `issuer`", r#""2026-11-28T03:00:00Z""#),
        ]),
        ("verify.replay", &[
            required("cache", Integer(1, 1_000_000), "How many tokens are remembered", "10000"),
            field("onFull", Word(&["deny", "forget"]), "\"deny\"", "What happens when there is no room: 503 (`deny`), or the one that expires first could be used again (`forget`)", r#""forget""#),
        ]),
        ("verify.cache", &[
            field("tokens", Integer(0, 1_000_000), "10000", "How many tokens; 0: none", "10000"),
            field("bytes", Integer(0, 1_073_741_824), "8388608", "How many bytes", "8388608"),
        ]),
        ("verify.outputClaimToHeaders[]", &[
            required("header", Text, "The header", r#""x-caller""#),
            required("claim", Text, "A claim's name, a dotted path, a JSON Pointer for names with dots (`/kubernetes.io/namespace`), or `principal`: issuer and subject, `ISS#SUB`, which is what a caller is unique by", r#""principal""#),
            field("format", Word(&["text", "percent", "list"]), "\"text\"", "`text`: text in UTF-8, numbers and booleans as text, objects and arrays as base64url JSON; `percent`: RFC 8187's encoding, all of it ASCII; `list`: an array of texts without commas, joined with `, `", r#""percent""#),
        ]),
        ("discovery", &[
            field("maxAge", Integer(0, 86_400), "300", "Seconds that clients may keep the documents: `cache-control`", "60"),
            field("hosts", Texts, "", "The hosts that have the documents, whatever the port; a request for another host passes on, so that an identity provider on the same listener keeps its own. Absent: all", r#"["east.example.com"]"#),
            field("trust", Boolean, "false", "`true`: `GET` on `/.well-known/wristband/trust` behind the issuer's path shows who is trusted now, with which keys (`kid`, `alg`, RFC 7638 thumbprint, times) and no key material. It shows the federation, so it is off; whoever rotates asks peers there whether they know the new key. It needs an `issuer`", "true"),
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
#[cfg(test)]
pub(crate) use tests::accept;

//! The fields of the configuration, by the object in which they stand.

/// The fields of one kind of object.
pub struct Fields {
    /// Where such objects stand: `issue.identity`, `peers[]`.
    pub place: &'static str,
    /// Their names.
    pub names: &'static [&'static str],
}

macro_rules! objects {
    ($($object:ident $place:literal [$($name:literal)*])*) => {
        $(pub(crate) const $object: Fields = Fields { place: $place, names: &[$($name),*] };)*

        /// All kinds of objects.
        pub const OBJECTS: &[&Fields] = &[$(&$object),*];
    };
}

objects! {
    ROOT "" ["issuer" "tokenDuration" "signingKeyRefs" "peers" "issue" "verify" "discovery" "crypto" "allowWorthlessKeys"]
    KEY_REF "signingKeyRefs[]" ["name" "algorithm" "key" "notBefore" "notAfter"]
    KEY "signingKeyRefs[].key" ["inlineString" "environmentVariable" "cluster" "path" "refresh" "announce"]
    JWKS "peers[].jwks" ["inlineString" "environmentVariable"]
    REMOTE_JWKS "peers[].remoteJwks" ["cluster" "uri" "refresh" "timeout" "staleFor"]
    PEER "peers[]" [
        "issuer" "keys" "jwks" "remoteJwks" "algorithms" "label" "typ" "subjects" "audiences" "allowMissingAudience" "claims"
        "maxLifetime" "publish"
    ]
    PATTERN "peers[].subjects[]" ["exact" "prefix"]
    ISSUE "issue" [
        "header" "placement" "identity" "subject" "when" "audiences" "customClaims" "cookie" "chain" "maxHops"
        "bindClientCertificate" "onFailure" "typ" "reuse" "backdate"
    ]
    IDENTITY "issue.identity" ["header" "expression" "wristband"]
    SUBJECT "issue.subject" ["expression" "hash"]
    WHEN "issue.when" ["request" "response"]
    CLAIM "issue.customClaims.NAME" ["value" "expression" "required"]
    COOKIE "issue.cookie" ["name" "path" "domain" "sameSite" "secure" "httpOnly"]
    VERIFY "verify" [
        "mode" "fromHeaders" "fromCookies" "fromParams" "typ" "revoked" "replay" "cache" "allowCorsPreflight" "audiences"
        "clockSkew" "forward" "outputPayloadToHeader" "outputClaimToHeaders" "onForgedHeader" "maxTokenBytes" "fromWebSocketProtocols"
    ]
    FROM_HEADER "verify.fromHeaders[]" ["name" "prefix"]
    FROM_WEB_SOCKET_PROTOCOL "verify.fromWebSocketProtocols[]" ["prefix"]
    REVOKED "verify.revoked[]" ["kid" "jti" "issuer" "issuedBefore"]
    REPLAY "verify.replay" ["cache" "onFull"]
    CACHE "verify.cache" ["tokens" "bytes"]
    CLAIM_HEADER "verify.outputClaimToHeaders[]" ["header" "claim" "format"]
    DISCOVERY "discovery" ["maxAge" "hosts" "trust"]
}

/// The field here that a name is nearly.
pub(super) fn near(here: &Fields, name: &str) -> Option<&'static str> {
    let distance = |known: &str| strsim::osa_distance(known, name);
    let close = here.names.iter().filter(|known| distance(known) <= (name.len() / 3).clamp(1, 3));
    close.min_by_key(|known| distance(known)).copied()
}

/// What may have been meant by a name that is no field here: the nearest one, or the place where it is one.
pub(super) fn hint(here: &Fields, name: &str) -> Option<String> {
    if let Some(near) = near(here, name) {
        return Some(format!("did you mean `{near}`?"));
    }
    let elsewhere = OBJECTS.iter().find(|object| object.names.contains(&name))?;
    Some(match elsewhere.place {
        "" => format!("`{name}` stands at the top"),
        place => format!("`{name}` stands under `{place}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_named_and_one_of_another_place_is_sent_there() {
        for (here, name, expected) in [
            (&ROOT, "isue", Some("did you mean `issue`?")),
            (&ROOT, "issuers", Some("did you mean `issuer`?")),
            (&ROOT, "tokenduration", Some("did you mean `tokenDuration`?")),
            (&ROOT, "customClaims", Some("`customClaims` stands under `issue`")),
            (&ISSUE, "tokenDuration", Some("`tokenDuration` stands at the top")),
            (&VERIFY, "maxLifetime", Some("`maxLifetime` stands under `peers[]`")),
            (&ISSUE, "custom_claims", Some("did you mean `customClaims`?")),
            (&KEY_REF, "alg", None),
            (&ROOT, "zzz", None),
            (&ROOT, "", None),
        ] {
            assert_eq!(hint(here, name).as_deref(), expected, "{name}");
        }
    }
}

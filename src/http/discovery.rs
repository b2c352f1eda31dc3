//! The well-known documents (OpenID Connect Discovery 1.0, RFC 7517): all public keys, for whoever wants to verify.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use jwt_compact::jwk::JsonWebKey;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::http::headers::{HeaderName, Headers};
use crate::http::reply::{DETAILS, Reply};
use crate::http::trust_document::{self, TrustDocument};
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::time::Timestamp;
use crate::trust::{Ring, TrustedIssuer, TrustedKey};

/// Where the JWKS is, behind the issuer's path: where other gateways of ours and Authorino have theirs too.
pub const CERTS: &str = "/.well-known/openid-connect/certs";

/// Names the documents that a client has (RFC 9110, section 13.1.2).
const IF_NONE_MATCH: HeaderName = HeaderName::known("if-none-match");

/// Answers requests for the documents.
pub struct Discovery {
    issuer: String,
    configuration_path: String,
    jwks_paths: [String; 2],
    /// Where it says who is trusted; `None`: that is nobody's affair.
    trust: Option<(String, TrustDocument)>,
    cache_control: String,
    /// Names of keys that are revoked.
    unpublished: HashSet<String>,
    /// The hosts that have the documents, in lower case; empty: all.
    hosts: Vec<String>,
    wrong_method: Rc<Reply>,
    /// Until our first key is known. Nobody keeps a set without it.
    not_yet: Rc<Reply>,
    preflight: Rc<Reply>,
    current: RefCell<Option<Rc<Documents>>>,
}

/// The documents as they are with these keys, during a time in which none ends.
struct Documents {
    of: Rc<TrustedIssuer>,
    valid: Range<Timestamp>,
    configuration: Document,
    jwks: Document,
}

struct Document {
    etag: String,
    whole: Rc<Reply>,
    /// For whoever has it.
    unchanged: Rc<Reply>,
}

/// To a CORS preflight (Fetch standard, section 3.2.3): every origin may ask, with every header.
const PREFLIGHT: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "*"),
    ("access-control-max-age", "86400"),
];

/// In seconds; a key that is fetched is there in a moment.
const NOT_YET: [(&str, &str); 3] =
    [("retry-after", "1"), ("cache-control", "no-store"), ("access-control-allow-origin", "*")];

/// A JSON Web Key Set (RFC 7517, section 5).
#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<Entry<'a>>,
}

/// One public key. There is no way from a private key to here.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    key: JsonWebKey<'static>,
    r#use: &'static str,
    alg: &'static str,
    kid: &'a str,
}

/// An issuer without the one slash that may stand at its end: what the paths of its documents are appended to (OpenID
/// Connect Discovery, section 4).
#[must_use]
pub fn without_slash(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

impl Discovery {
    /// Documents of `issuer` that publish its keys but for those with these names. `max_age` is in seconds;
    /// without `hosts` every host has them. `trust` says whether they show who is trusted, too.
    #[must_use]
    pub fn new(issuer: &str, unpublished: HashSet<String>, max_age: u32, hosts: Vec<String>, trust: bool) -> Self {
        let authority = without_slash(issuer).split_once("://").map_or("", |(_, rest)| rest);
        let path = authority.find('/').and_then(|start| authority.get(start..)).unwrap_or_default();
        Self {
            issuer: issuer.to_owned(),
            configuration_path: format!("{path}/.well-known/openid-configuration"),
            jwks_paths: [format!("{path}{CERTS}"), format!("{path}/.well-known/jwks.json")],
            trust: trust.then(|| (format!("{path}{}", trust_document::PATH), TrustDocument::default())),
            cache_control: format!("public, max-age={max_age}"),
            unpublished,
            hosts,
            wrong_method: Rc::new(Reply::new(405, &[("allow", "GET, HEAD")], String::new(), DETAILS.to_owned())),
            not_yet: Rc::new(Reply::new(503, &NOT_YET, String::new(), DETAILS.to_owned())),
            preflight: Rc::new(Reply::new(204, &PREFLIGHT, String::new(), DETAILS.to_owned())),
            current: RefCell::new(None),
        }
    }

    /// The answer, if the request is for one of the documents, in which `ring` has the keys of now.
    pub fn answer(&self, headers: &Headers<'_>, ring: &Rc<Ring>, now: Timestamp) -> Option<Rc<Reply>> {
        let path = headers.pseudo(":path")?;
        let path = path.split(|byte| *byte == b'?').next()?;
        let is = |document: &str| document.as_bytes() == path;
        let is_jwks = self.jwks_paths.iter().any(|jwks| is(jwks));
        let trust = self.trust.as_ref().filter(|(path, _)| is(path)).map(|(_, document)| document);
        if !is_jwks && trust.is_none() && !is(&self.configuration_path) {
            return None;
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| is_for(headers, host)) {
            return None;
        }
        // Who is trusted no script of another origin has to know.
        if headers.is_preflight() && trust.is_none() {
            return Some(Rc::clone(&self.preflight));
        }
        if !matches!(headers.pseudo(":method"), Some(b"GET" | b"HEAD")) {
            return Some(Rc::clone(&self.wrong_method));
        }
        if let Some(document) = trust {
            return Some(document.answer(&self.issuer, &self.unpublished, ring, now));
        }
        let own = ring.own()?;
        if own.lacks_keys() {
            return Some(Rc::clone(&self.not_yet));
        }
        let documents = self.documents(own, now);
        let document = if is_jwks { &documents.jwks } else { &documents.configuration };
        let is_known = headers.values(&IF_NONE_MATCH).any(|tags| document.is_one_of(tags));
        Some(Rc::clone(if is_known { &document.unchanged } else { &document.whole }))
    }

    fn documents(&self, own: &Rc<TrustedIssuer>, now: Timestamp) -> Rc<Documents> {
        let mut current = self.current.borrow_mut();
        match current.as_ref() {
            Some(documents) if documents.valid.contains(&now) && Rc::ptr_eq(&documents.of, own) => Rc::clone(documents),
            _ => Rc::clone(current.insert(Rc::new(self.documents_at(own, now)))),
        }
    }

    fn documents_at(&self, own: &Rc<TrustedIssuer>, now: Timestamp) -> Documents {
        let published = || own.keys.keys().iter().filter(|key| !self.unpublished.contains(&key.name));
        let live = || published().filter(|key| key.is_published(now));
        let algorithms = Algorithm::ALL.iter().filter(|algorithm| live().any(|key| key.algorithm() == **algorithm));
        let names: Vec<_> = algorithms.map(|algorithm| algorithm.name()).collect();
        let base = without_slash(&self.issuer);
        let configuration = json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{base}{CERTS}"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": names,
        });
        let jwks = JwkSet { keys: live().map(|key| Entry::from(&**key)).collect() };
        // From this second on some key may have ended; before it, a clock that was set back may find one alive again.
        let ends = published().filter_map(|key| key.not_after);
        let end = ends.filter(|end| *end > now).min().unwrap_or(Timestamp(i64::MAX));
        Documents {
            of: Rc::clone(own),
            valid: now..end,
            configuration: Document::new(configuration.to_string(), &self.cache_control),
            jwks: Document::new(serde_json::to_string(&jwks).unwrap_or_default(), &self.cache_control),
        }
    }
}

/// Whether a request is for a host, on whatever port.
fn is_for(headers: &Headers<'_>, host: &str) -> bool {
    let authority = headers.pseudo(":authority").unwrap_or_default();
    let (start, port) = authority.split_at_checked(host.len()).unwrap_or_default();
    let is_port = port.is_empty() || port.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit));
    start.eq_ignore_ascii_case(host.as_bytes()) && is_port
}

impl<'a> From<&'a TrustedKey> for Entry<'a> {
    fn from(key: &'a TrustedKey) -> Self {
        Self { key: key.key.public().to_jwk(), r#use: "sig", alg: key.algorithm().name(), kid: &key.name }
    }
}

impl Document {
    fn new(body: String, cache_control: &str) -> Self {
        let digest = Sha256::digest(body.as_bytes());
        let etag = format!("\"{}\"", base64url::encode(digest));
        let common = [("cache-control", cache_control), ("etag", &etag), ("access-control-allow-origin", "*")];
        let whole = [&common[..], &[("content-type", "application/json")]].concat();
        let unchanged = Reply::new(304, &common, String::new(), DETAILS.to_owned());
        let whole = Reply::new(200, &whole, body, DETAILS.to_owned());
        Self { etag, whole: Rc::new(whole), unchanged: Rc::new(unchanged) }
    }

    /// Weak comparison with the entity tags of an `if-none-match` (RFC 9110, section 13.1.2).
    fn is_one_of(&self, tags: &[u8]) -> bool {
        tags.split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Gateway;
    use crate::testing::{A_NEXT_PUB, A_PEM, A_PUB, B_PUB, NOW, gateway_a, key, load};
    use serde_json::Value;

    fn ask(
        configuration: &Value,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        now: Timestamp,
    ) -> Option<Rc<Reply>> {
        let pairs = [(":method", method), (":path", path)].into_iter().chain(headers.iter().copied());
        let headers = Headers::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect());
        let gateway = load(configuration).unwrap().gateway;
        gateway.discovery.as_ref()?.answer(&headers, &gateway.ring(), now)
    }

    fn kids(configuration: &Value, now: Timestamp) -> Vec<String> {
        let reply = ask(configuration, "GET", "/.well-known/jwks.json", &[], now).unwrap();
        let jwks: Value = serde_json::from_str(&reply.body).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_documents_are_under_the_path_of_the_issuer() {
        for (issuer, base) in [
            ("https://a.example", ""),
            ("https://a.example/", ""),
            ("https://a.example:8443/x/y", "/x/y"),
            ("https://a.example/x/", "/x"),
            ("https://a.example//", "/"),
        ] {
            let mut configuration = gateway_a();
            configuration["issuer"] = issuer.into();
            for document in ["openid-configuration", "openid-connect/certs", "jwks.json"] {
                for query in ["", "?", "?a=/b?c"] {
                    let path = format!("{base}/.well-known/{document}{query}");
                    assert_eq!(ask(&configuration, "GET", &path, &[], NOW).unwrap().status, 200, "{issuer} {path}");
                }
            }
            let path = format!("{base}/.well-known/openid-configuration");
            let document: Value =
                serde_json::from_str(&ask(&configuration, "GET", &path, &[], NOW).unwrap().body).unwrap();
            assert_eq!(document["issuer"], issuer);
            let origin = if issuer.contains(":8443") { "https://a.example:8443" } else { "https://a.example" };
            assert_eq!(document["jwks_uri"], format!("{origin}{base}/.well-known/openid-connect/certs"));
            assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES256"]));
            for other in [
                "/",
                "/.well-known/",
                "/.well-known/jwks.json/",
                "/x/y/z/.well-known/jwks.json",
                "/.WELL-KNOWN/jwks.json",
            ] {
                assert!(ask(&configuration, "GET", other, &[], NOW).is_none(), "{issuer} {other}");
            }
        }
    }

    #[test]
    fn other_methods_are_told_which_ones_there_are() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let reply = ask(&gateway_a(), method, "/.well-known/jwks.json", &[], NOW).unwrap();
            assert_eq!((reply.status, reply.pairs()), (405, vec![("allow", "GET, HEAD")]));
        }
    }

    #[test]
    fn a_browser_may_ask_from_everywhere() {
        let preflight = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
        let reply = ask(&gateway_a(), "OPTIONS", "/.well-known/jwks.json", &preflight, NOW).unwrap();
        assert_eq!((reply.status, reply.pairs()), (204, PREFLIGHT.to_vec()));
    }

    #[test]
    fn only_the_hosts_that_are_listed_have_the_documents() {
        let mut configuration = gateway_a();
        configuration["discovery"] = json!({"hosts": ["A.example", "[::1]"]});
        let status = |authority: &str| {
            let headers = [(":authority", authority)];
            ask(&configuration, "GET", "/.well-known/jwks.json", &headers, NOW).map(|reply| reply.status)
        };
        for host in ["a.example", "A.EXAMPLE", "a.example:8080", "[::1]", "[::1]:80"] {
            assert_eq!(status(host), Some(200), "{host}");
        }
        for host in ["", "b.example", "a.example.com", "xa.example", "a.example:x", "a.example@b", "a.exampl", "::1"] {
            assert_eq!(status(host), None, "{host}");
        }
    }

    #[test]
    fn keys_stand_in_order_and_only_the_living() {
        let mut configuration = gateway_a();
        configuration["signingKeyRefs"] = json!([key("z", A_PEM), key("a", A_NEXT_PUB)]);
        assert_eq!(kids(&configuration, NOW), ["z", "a"]);
        configuration["signingKeyRefs"] = json!([key("z", A_PEM), key("a", A_NEXT_PUB), key("m", B_PUB)]);
        assert_eq!(kids(&configuration, NOW), ["z", "a", "m"]);
        configuration["signingKeyRefs"][1]["notAfter"] = json!("2027-01-15T08:00:00Z");
        assert_eq!(kids(&configuration, Timestamp(NOW.0 - 1)), ["z", "a", "m"]);
        assert_eq!(kids(&configuration, NOW), ["z", "m"]);
        let count = |gateway: &Gateway, now: i64| {
            let documents =
                gateway.discovery.as_ref().unwrap().documents(gateway.ring().own().unwrap(), Timestamp(now));
            documents.jwks.whole.body.matches("kid").count()
        };
        // The same documents, as time passes and a clock is set back.
        let gateway = load(&configuration).unwrap().gateway;
        for (now, expected) in [(NOW.0 - 1, 3), (NOW.0, 2), (NOW.0 + 1, 2), (NOW.0 - 1, 3)] {
            assert_eq!(count(&gateway, now), expected, "{now}");
        }
        // Two that end one after the other: the documents are made anew at each end.
        configuration["signingKeyRefs"][2]["notAfter"] = json!("2027-01-15T08:00:10Z");
        let gateway = load(&configuration).unwrap().gateway;
        for (now, expected) in [(NOW.0 - 1, 3), (NOW.0, 2), (NOW.0 + 10, 1)] {
            assert_eq!(count(&gateway, now), expected, "{now}");
        }
    }

    #[test]
    fn a_key_has_its_public_members_and_no_other() {
        let reply = ask(&gateway_a(), "GET", "/.well-known/jwks.json", &[], NOW).unwrap();
        let jwks: Value = serde_json::from_str(&reply.body).unwrap();
        let members: Vec<_> = jwks["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let public = json!({"issuer": "https://a.example", "signingKeyRefs": [key("a", A_PUB)], "verify": {}});
        assert_eq!(reply.body, ask(&public, "GET", "/.well-known/jwks.json", &[], NOW).unwrap().body);
    }

    #[test]
    fn who_has_the_document_is_told_so() {
        let ask = |headers: &[(&str, &str)]| ask(&gateway_a(), "GET", "/.well-known/jwks.json", headers, NOW).unwrap();
        let first = ask(&[]);
        let headers = first.pairs();
        let etag = headers.iter().find(|(name, _)| *name == "etag").unwrap().1.to_owned();
        for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let reply = ask(&[("if-none-match", &tags)]);
            assert_eq!((reply.status, reply.body.as_str()), (304, ""), "{tags}");
            assert!(reply.pairs().contains(&("etag", &etag)));
        }
        for tags in ["", "\"x\"", etag.trim_matches('"')] {
            assert_eq!(ask(&[("if-none-match", tags)]), first, "{tags}");
        }
        assert!(headers.contains(&("cache-control", "public, max-age=300")));
        assert!(headers.contains(&("access-control-allow-origin", "*")));
        assert!(headers.contains(&("content-type", "application/json")));
    }

    #[test]
    fn who_is_trusted_is_shown_on_request_without_any_key() {
        let mut configuration = gateway_a();
        let next = "/.well-known/wristband/trust";
        assert!(ask(&configuration, "GET", next, &[], NOW).is_none(), "it shows the federation");
        configuration["discovery"] = json!({"trust": true});
        configuration["signingKeyRefs"].as_array_mut().unwrap().push(key("next", A_NEXT_PUB));
        configuration["signingKeyRefs"][1]["notBefore"] = json!("2027-06-01T00:00:00Z");
        configuration["signingKeyRefs"][1]["notAfter"] = json!("2028-01-01T00:00:00+01:00");
        let reply = ask(&configuration, "GET", next, &[], NOW).unwrap();
        let pairs = reply.pairs();
        assert_eq!(pairs, [("cache-control", "no-cache"), ("content-type", "application/json")]);
        let trust: Value = serde_json::from_str(&reply.body).unwrap();
        let thumbprint = |key: &Value| key["thumbprint"].as_str().unwrap().to_owned();
        let own = &trust["issuers"][0]["keys"];
        assert_eq!(trust["issuer"], configuration["issuer"]);
        assert_eq!(
            (&own[0]["kid"], thumbprint(&own[0])),
            (&json!("a"), "NoSNkviA1IBXN5t2qepoU0wK18lkBBN7Sn9um0Fb5wM".to_owned())
        );
        assert_eq!(
            (&own[1]["notBefore"], &own[1]["notAfter"]),
            (&json!("2027-06-01T00:00:00Z"), &json!("2027-12-31T23:00:00Z"))
        );
        let peer = json!({"issuer": crate::testing::B, "source": "configured", "keys": [{
            "kid": "b", "alg": "ES256", "thumbprint": "um9nfWOBZ2NzfsPoHFfLKD4Fd83BuRO3wMp9aC5LzhQ",
        }]});
        assert_eq!(trust["issuers"][1], peer);
        for member in ["\"x\"", "\"y\"", "\"kty\"", "BEGIN"] {
            assert!(!reply.body.contains(member), "{member}");
        }
        assert_eq!(ask(&configuration, "HEAD", next, &[], NOW).unwrap().body, reply.body);
        for method in ["POST", "OPTIONS"] {
            assert_eq!(
                ask(
                    &configuration,
                    method,
                    next,
                    &[("origin", "https://x"), ("access-control-request-method", "GET")],
                    NOW
                )
                .unwrap()
                .status,
                405
            );
        }
    }

    #[test]
    fn who_is_trusted_is_written_anew_when_that_has_changed() {
        let mut configuration = gateway_a();
        configuration["discovery"] = json!({"trust": true});
        configuration["peers"][0]["keys"][0]["notAfter"] = json!("2027-01-15T08:00:10Z");
        let gateway = load(&configuration).unwrap().gateway;
        let discovery = gateway.discovery.as_ref().unwrap();
        let headers = Headers::new(vec![(b":method", b"GET"), (b":path", b"/.well-known/wristband/trust")]);
        let at = |now| discovery.answer(&headers, &gateway.ring(), now).unwrap();
        let first = at(NOW);
        assert!(Rc::ptr_eq(&first, &at(NOW.after(9))));
        assert!(!at(NOW.after(10)).body.contains("um9nfWOBZ2Nz"));
        assert_eq!(at(NOW.after(9)).body, first.body, "by a clock that was set back");
        let mut revoking = configuration.clone();
        revoking["verify"]["revoked"] = json!([{"kid": "b"}]);
        let reply = ask(&revoking, "GET", "/.well-known/wristband/trust", &[], NOW).unwrap();
        assert!(!reply.body.contains("um9nfWOBZ2Nz"), "what is revoked is not trusted");
        gateway.trust(Ring::default());
        assert!(at(NOW).body.ends_with("\"issuers\":[]}"));
    }
}

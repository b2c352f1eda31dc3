//! A JSON Web Key Set (RFC 7517, section 5) as another issuer publishes it: the keys of it that can be used, and why the
//! others cannot.
//!
//! A set in which a private half stands is refused as a whole: whoever published it has given that key to everyone.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::KeyError;
use super::jwk;
use super::key_type::KeyType;
use super::material::Material;
use super::public::PublicKey;
use crate::jose::algorithm::Algorithm;
use crate::jose::json;

/// What a key without `alg` is used for: by its curve, and RS256 if it is RSA.
const USUAL: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa, Algorithm::Rs256];

/// How many keys of a set are used: many times what issuers have, and what costs a worker some milliseconds to read.
const MOST_KEYS: usize = 256;

/// Of how many keys it is said why they are not.
const MOST_NAMED: usize = 20;

/// `use` of keys for signatures, and of those of a SPIFFE bundle.
const USES: [&str; 2] = ["sig", "jwt-svid"];

/// The keys of a set that can be used.
#[derive(Debug)]
pub struct JwkSet {
    /// Each with its `kid` or, without one, its thumbprint (RFC 7638). No two have one name.
    pub keys: Vec<(String, PublicKey)>,
    /// How many others there are.
    pub left_out: usize,
    /// Why the first of them cannot be used, each with its place in `keys`.
    pub skipped: Vec<(usize, KeyError)>,
}

impl JwkSet {
    /// Reads a set. `algorithms` are those that are accepted, and for a key without `alg` the first that its type allows.
    /// `refuses` says why a key is not wanted that could be used. What stands behind the first 256 keys is left out.
    ///
    /// # Errors
    /// Text that is no set; a private half in it; no key that can be used.
    pub fn parse(
        text: &[u8],
        algorithms: Option<&[Algorithm]>,
        refuses: impl Fn(&PublicKey) -> Option<&'static str>,
    ) -> Result<Self, KeyError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut members = json::parse_object(text)
            .map_err(|error| KeyError::new(format!("the JWK Set cannot be read: {}", error.problem)))?;
        let Some(Value::Array(entries)) = members.remove("keys") else {
            return Err(KeyError::new("expected a JWK Set, an object with an array `keys`"));
        };
        let count = entries.len();
        let mut read_keys = Vec::with_capacity(count.min(MOST_KEYS));
        for (index, entry) in entries.into_iter().enumerate() {
            let key = read(entry, algorithms, index < MOST_KEYS).map_err(|problem| problem.at(index))?;
            // One is named for all of them.
            if index > MOST_KEYS {
                continue;
            }
            read_keys.push(key.and_then(|(name, key)| match refuses(&key) {
                Some(problem) => Err(KeyError::new(problem)),
                None => Ok((name, key)),
            }));
        }
        let (mut names, mut doubles) = (HashSet::new(), HashSet::new());
        for (name, _) in read_keys.iter().flatten() {
            if !names.insert(name.clone()) {
                doubles.insert(name.clone());
            }
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, key) in read_keys.into_iter().enumerate() {
            match key {
                Ok((name, _)) if doubles.contains(&name) => {
                    skipped.push((index, KeyError::new("another key has the same `kid`")));
                }
                Ok(key) => keys.push(key),
                Err(problem) => skipped.push((index, problem)),
            }
        }
        if keys.is_empty() {
            let first = skipped.first().map(|(index, problem)| format!(": keys[{index}]: {problem}"));
            return Err(KeyError::new(format!("no key of the JWK Set can be used{}", first.unwrap_or_default())));
        }
        skipped.truncate(MOST_NAMED);
        Ok(Self { left_out: count.saturating_sub(keys.len()), keys, skipped })
    }
}

/// The longest `kid`, in bytes.
const MAX_NAME: usize = 255;

/// A private half where only public ones may be.
struct PrivateHalf(&'static str);

impl PrivateHalf {
    fn at(&self, index: usize) -> KeyError {
        let member = self.0;
        KeyError::new(format!(
            "keys[{index}] of the JWK Set has a private `{member}`; whoever has read the set can sign with it: make another key"
        ))
    }
}

/// One key, or why it cannot be used.
fn read(
    entry: Value,
    algorithms: Option<&[Algorithm]>,
    has_room: bool,
) -> Result<Result<(String, PublicKey), KeyError>, PrivateHalf> {
    let Value::Object(members) = entry else {
        return Ok(Err(KeyError::new("no JWK")));
    };
    let is_symmetric = members.get("kty").is_some_and(|kty| kty == "oct");
    match jwk::private_member(&members) {
        Some(member) if !is_symmetric => Err(PrivateHalf(member)),
        _ if !has_room => Ok(Err(KeyError::new(format!("stands behind {MOST_KEYS} others")))),
        _ => Ok(public(members, algorithms)),
    }
}

fn public(members: Map<String, Value>, algorithms: Option<&[Algorithm]>) -> Result<(String, PublicKey), KeyError> {
    let name = match members.get("kid") {
        None | Some(Value::Null) => None,
        // Names are said in the log, and stand in the names of metrics.
        Some(Value::String(name))
            if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Some(name.clone())
        }
        Some(Value::String(_)) => return Err(KeyError::new("its `kid` is not 1 to 255 visible ASCII characters")),
        Some(_) => return Err(KeyError::new("its `kid` is no string")),
    };
    let algorithm = algorithm(&members, algorithms)?;
    match jwk::from_members(members, algorithm, &USES)? {
        Material::Public(key) => Ok((name.unwrap_or_else(|| key.thumbprint()), key)),
        Material::Private(_) => Err(KeyError::new("a private key")),
    }
}

/// The one algorithm that a key is used with.
fn algorithm(members: &Map<String, Value>, algorithms: Option<&[Algorithm]>) -> Result<Algorithm, KeyError> {
    let alg = match members.get("alg") {
        None | Some(Value::Null) => None,
        Some(alg) => Some(alg.as_str().and_then(Algorithm::from_name).ok_or_else(|| KeyError::new("unknown `alg`"))?),
    };
    match alg {
        Some(alg) if algorithms.is_none_or(|algorithms| algorithms.contains(&alg)) => Ok(alg),
        Some(_) => Err(KeyError::new("its `alg` is none of `algorithms`")),
        None => {
            let found = jwk::key_type(members)?;
            let mut fitting = algorithms.unwrap_or(&USUAL).iter().filter(|algorithm| KeyType::of(**algorithm) == found);
            fitting.next().copied().ok_or_else(|| KeyError::new(format!("{found}, which fits none of the algorithms")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{A_PUB, B_PUB};
    use serde_json::json;

    fn jwk(pem: &str, algorithm: Algorithm) -> Value {
        let Ok(Material::Public(key)) = Material::parse(pem, algorithm) else { panic!("{pem}") };
        serde_json::from_str(&key.to_jwk().to_string()).unwrap()
    }

    fn with(mut jwk: Value, members: &[(&str, Value)]) -> Value {
        for (name, value) in members {
            jwk[*name] = value.clone();
        }
        jwk
    }

    fn read(keys: Value, algorithms: Option<&[Algorithm]>) -> Result<(Vec<String>, Vec<String>), String> {
        let set = JwkSet::parse(json!({"keys": keys, "other": 1}).to_string().as_bytes(), algorithms, |_| None);
        let set = set.map_err(|error| error.to_string())?;
        let keys = set.keys.iter().map(|(name, key)| format!("{name} {}", key.algorithm().name()));
        let skipped = set.skipped.iter().map(|(index, problem)| format!("{index} {problem}"));
        Ok((keys.collect(), skipped.collect()))
    }

    macro_rules! form {
        ($name:literal) => {
            include_str!(concat!("../../testdata/worthless-keys/forms/", $name))
        };
    }

    #[test]
    fn a_key_has_its_kid_or_its_thumbprint_and_the_algorithm_that_it_says_or_that_its_type_has() {
        let rsa = || jwk(form!("rsa.pub.pem"), Algorithm::Rs256);
        let keys = json!([
            with(jwk(A_PUB, Algorithm::Es256), &[("kid", json!("a")), ("use", json!("sig")), ("d", json!(null))]),
            jwk(B_PUB, Algorithm::Es256),
            with(jwk(form!("p384.pub.pem"), Algorithm::Es384), &[("kid", json!("c"))]),
            with(jwk(form!("p521.pub.pem"), Algorithm::Es512), &[("kid", json!("d")), ("use", json!("jwt-svid"))]),
            with(jwk(form!("ed25519.pub.pem"), Algorithm::EdDsa), &[("kid", json!("e"))]),
            with(rsa(), &[("kid", json!("f"))]),
            with(rsa(), &[("kid", json!("g")), ("alg", json!("PS512"))]),
        ]);
        let thumbprint = "um9nfWOBZ2NzfsPoHFfLKD4Fd83BuRO3wMp9aC5LzhQ ES256";
        let expected = ["a ES256", thumbprint, "c ES384", "d ES512", "e EdDSA", "f RS256", "g PS512"];
        assert_eq!(read(keys, None).unwrap(), (expected.map(str::to_owned).into(), vec![]));
        // A list limits, and chooses.
        let keys = json!([
            with(rsa(), &[("kid", json!("f"))]),
            with(rsa(), &[("kid", json!("g")), ("alg", json!("RS256"))]),
            with(jwk(form!("ed25519.pub.pem"), Algorithm::EdDsa), &[("kid", json!("e"))]),
            with(jwk(A_PUB, Algorithm::Es256), &[("kid", json!("a"))]),
        ]);
        assert_eq!(
            read(keys, Some(&[Algorithm::Ps256, Algorithm::Rs512, Algorithm::Ed25519])).unwrap(),
            (
                vec!["f PS256".to_owned(), "e Ed25519".to_owned()],
                vec![
                    "1 its `alg` is none of `algorithms`".to_owned(),
                    "3 a P-256 key, which fits none of the algorithms".to_owned()
                ]
            )
        );
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_the_rest_counts() {
        let good = || with(jwk(A_PUB, Algorithm::Es256), &[("kid", json!("a"))]);
        let b = |members: &[(&str, Value)]| with(jwk(B_PUB, Algorithm::Es256), members);
        for (entry, problem) in [
            (json!(7), "no JWK"),
            (json!({}), "the JWK has no `kty`"),
            (b(&[("kid", json!(7))]), "its `kid` is no string"),
            (b(&[("kid", json!(""))]), "its `kid` is not 1 to 255 visible ASCII characters"),
            (b(&[("kid", json!("b\n[info] forged"))]), "its `kid` is not 1 to 255 visible ASCII characters"),
            (b(&[("kid", json!("b".repeat(256)))]), "its `kid` is not 1 to 255 visible ASCII characters"),
            (b(&[("use", json!("enc"))]), "the JWK's `use` is not `sig`"),
            (b(&[("key_ops", json!(["sign"]))]), "the JWK's `key_ops` does not have `verify`"),
            (b(&[("alg", json!("HS256"))]), "unknown `alg`"),
            (b(&[("alg", json!("ES384"))]), "`ES384` needs a P-384 key, found a P-256 key"),
            (b(&[("x", json!("AA"))]), "the JWK's `x` and `y` are not a point on the curve"),
            (json!({"kty": "oct", "k": "AAAA"}), "a symmetric key, which fits none of the algorithms"),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "the RSA key has 17 bits, at least 2048 are needed"),
        ] {
            let found = read(json!([good(), entry]), None);
            let (keys, skipped) = found.unwrap_or_else(|error| panic!("{entry}: {error}"));
            assert_eq!(keys, ["a ES256"], "{entry}");
            assert!(skipped[0].starts_with("1 "), "{skipped:?}");
            let is_said = skipped[0].contains(problem) || problem.contains("17 bits");
            assert!(is_said, "{entry}: {skipped:?}");
        }
        // Two of one name: nobody knows which.
        let doubles = json!([good(), b(&[("kid", json!("b"))]), with(good(), &[("kid", json!("b"))])]);
        let (keys, skipped) = read(doubles, None).unwrap();
        assert_eq!((keys, skipped.len()), (vec!["a ES256".to_owned()], 2));
    }

    #[test]
    fn what_is_no_set_or_has_a_private_half_is_refused_as_a_whole() {
        let error =
            |text: &str| JwkSet::parse(text.as_bytes(), None, |_| None).err().map(|error| error.to_string()).unwrap();
        assert_eq!(error("x"), "the JWK Set cannot be read: not valid JSON at line 1, column 1");
        assert_eq!(error("[]"), "the JWK Set cannot be read: expected an object, found an array");
        for text in ["{}", "{\"keys\": {}}", &jwk(A_PUB, Algorithm::Es256).to_string()] {
            assert_eq!(error(text), "expected a JWK Set, an object with an array `keys`", "{text}");
        }
        assert_eq!(error("{\"keys\": []}"), "no key of the JWK Set can be used");
        let unusable = "no key of the JWK Set can be used: keys[0]: the JWK has no `kty`";
        assert_eq!(error("{\"keys\": [{}]}"), unusable);
        for member in ["d", "p", "oth"] {
            let private = with(jwk(B_PUB, Algorithm::Es256), &[(member, json!("AAAA"))]);
            let problem = read(json!([jwk(A_PUB, Algorithm::Es256), private]), None).unwrap_err();
            assert!(problem.starts_with(&format!("keys[1] of the JWK Set has a private `{member}`; ")), "{problem}");
            assert!(!problem.contains("AAAA"));
        }
    }
}

//! Keys as JWK (RFC 7517; the members of each type: RFC 7518, section 6; RFC 8037, section 2).

use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::KeyError;
use super::from_der;
use super::key_type::KeyType;
use super::material::Material;
use super::private::PrivateKey;
use super::public::PublicKey;
use crate::jose::algorithm::Algorithm;
use crate::jose::base64url;
use crate::jose::json;

/// Every member that is secret in some key type. One that does not belong to this key's type may be a slip by which a
/// private key would pass for a public one.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// `uses` are the values of `use` that are accepted.
#[inline(never)]
pub(super) fn parse(text: &[u8], algorithm: Algorithm, uses: &[&str]) -> Result<Material, KeyError> {
    let members = json::parse_object(text)
        .map_err(|error| KeyError::new(format!("the JWK cannot be read: {}", error.problem)))?;
    from_members(members, algorithm, uses)
}

/// Reads the members of a JWK.
pub(super) fn from_members(
    mut members: Map<String, Value>,
    algorithm: Algorithm,
    uses: &[&str],
) -> Result<Material, KeyError> {
    // Some tools write what is not there.
    members.retain(|_, value| !value.is_null());
    let hides_private = members.values().any(hides_private);
    let jwk = Jwk { members, algorithm };
    if hides_private && !jwk.is_private() {
        return Err(KeyError::new("a member of the JWK has a private key in it; leave it out"));
    }
    jwk.check_purpose(uses)?;
    match KeyType::of(algorithm) {
        KeyType::Rsa => jwk.rsa(),
        KeyType::Ed25519 => jwk.ed25519(),
        _ => jwk.elliptic_curve(),
    }
}

/// Whether a member that no key has holds a private key: as PEM, or as an object.
fn hides_private(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("PRIVATE KEY-"),
        Value::Array(items) => items.iter().any(hides_private),
        Value::Object(members) => private_member(members).is_some() || members.values().any(hides_private),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The member that makes a key private, if there is one.
pub(super) fn private_member(members: &Map<String, Value>) -> Option<&'static str> {
    PRIVATE.into_iter().find(|name| members.get(*name).is_some_and(|value| !value.is_null()))
}

/// What type of key a JWK says that it is.
pub(super) fn key_type(members: &Map<String, Value>) -> Result<KeyType, KeyError> {
    let member = |name: &str| members.get(name).map(|value| value.as_str().unwrap_or_default());
    Ok(match (member("kty"), member("crv")) {
        (Some("EC"), Some("P-256")) => KeyType::P256,
        (Some("EC"), Some("P-384")) => KeyType::P384,
        (Some("EC"), Some("P-521")) => KeyType::P521,
        (Some("EC"), Some("secp256k1")) => KeyType::Other("a secp256k1 key"),
        (Some("EC" | "OKP"), None) => return Err(KeyError::new("the JWK has no `crv`")),
        (Some("RSA"), _) => KeyType::Rsa,
        (Some("OKP"), Some("Ed25519")) => KeyType::Ed25519,
        (Some("OKP"), Some("X25519")) => KeyType::Other("an X25519 key, which cannot sign"),
        (Some("OKP"), Some("X448")) => KeyType::Other("an X448 key, which cannot sign"),
        (Some("OKP"), Some("Ed448")) => KeyType::Other("an Ed448 key"),
        (Some("oct"), _) => KeyType::Other("a symmetric key"),
        (Some(_), _) => KeyType::Other("a key of another type"),
        (None, _) if members.contains_key("keys") => {
            return Err(KeyError::new("a JWK set where one JWK has to stand; take one of its `keys`"));
        }
        (None, _) => return Err(KeyError::new("the JWK has no `kty`")),
    })
}

struct Jwk {
    members: Map<String, Value>,
    algorithm: Algorithm,
}

impl Drop for Jwk {
    fn drop(&mut self) {
        for name in PRIVATE {
            if let Some(Value::String(secret)) = self.members.get_mut(name) {
                secret.zeroize();
            }
        }
    }
}

impl Jwk {
    /// That it is for signatures of this algorithm. What is not a string is refused.
    fn check_purpose(&self, uses: &[&str]) -> Result<(), KeyError> {
        let algorithm = self.algorithm;
        let member = |name: &str| self.members.get(name).map(|value| value.as_str().unwrap_or_default());
        if self.members.contains_key("ciphertext") {
            return Err(KeyError::new("the JWK is encrypted (JWE); decrypt it first"));
        }
        if let Some(alg) = member("alg").filter(|alg| *alg != algorithm.name()) {
            let is_plain = (1..=20).contains(&alg.len()) && alg.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let (found, name) = (if is_plain { alg } else { "..." }, algorithm.name());
            return Err(KeyError::new(format!("the JWK's `alg` is `{found}`, not `{name}` as `algorithm`")));
        }
        if member("use").is_some_and(|usage| !uses.contains(&usage)) {
            return Err(KeyError::new("the JWK's `use` is not `sig`"));
        }
        let needed = if self.is_private() { "sign" } else { "verify" };
        if let Some(operations) = self.members.get("key_ops")
            && !operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == needed))
        {
            return Err(KeyError::new(format!("the JWK's `key_ops` does not have `{needed}`")));
        }
        key_type(&self.members)?.check(algorithm)
    }

    /// A member that holds bytes, with padding or without.
    fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Some(value) = self.members.get(name) else {
            return Err(KeyError::new(format!("the JWK has no `{name}`")));
        };
        let decoded = value.as_str().and_then(|text| base64url::decode(text.trim_end_matches('=')));
        decoded.map(Zeroizing::new).ok_or_else(|| KeyError::new(format!("the JWK's `{name}` is no base64url")))
    }

    /// A coordinate in the size of the curve's field (RFC 7518, section 6.2.1.2), whose zeros may be cut or one too many:
    /// that it is the right one the point shows.
    fn coordinate(&self, name: &str, size: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let bytes = self.bytes(name)?;
        let length = bytes.len();
        from_der::resized(&bytes, size)
            .ok_or_else(|| KeyError::new(format!("the JWK's `{name}` has {length} bytes, its curve has {size}")))
    }

    fn is_private(&self) -> bool {
        PRIVATE.iter().any(|name| self.members.contains_key(*name))
    }

    /// The secret of `d`, if the key is private; none of the members in `others` may be there then either.
    fn secret(&self, others: &[&str]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let has = |name: &&str| self.members.contains_key(*name);
        if !self.is_private() {
            return Ok(None);
        }
        if let Some(alien) = PRIVATE.iter().find(|name| has(name) && **name != "d" && !others.contains(name)) {
            return Err(KeyError::new(format!("the JWK has a private `{alien}`, which keys of its type have not")));
        }
        self.bytes("d").map(Some)
    }

    #[inline(never)]
    fn elliptic_curve(&self) -> Result<Material, KeyError> {
        let size = KeyType::of(self.algorithm).field_size().unwrap_or_default();
        let (x, y) = (self.coordinate("x", size)?, self.coordinate("y", size)?);
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let public = PublicKey::from_point(self.algorithm, &point)
            .ok_or_else(|| KeyError::new("the JWK's `x` and `y` are not a point on the curve"))?;
        let Some(secret) = self.secret(&[])? else {
            return Ok(Material::Public(public));
        };
        let key = from_der::scalar(&secret, self.algorithm, true)?;
        belongs(key, &public, "the JWK's `d` does not belong to its `x` and `y`")
    }

    fn ed25519(&self) -> Result<Material, KeyError> {
        let x = self.bytes("x")?;
        let public = PublicKey::from_ed25519(self.algorithm, &x).ok_or_else(|| {
            KeyError::new("the JWK's `x` is no point of Ed25519, or one with which anything can be signed")
        })?;
        let Some(secret) = self.secret(&[])? else {
            return Ok(Material::Public(public));
        };
        let length = secret.len();
        let key = PrivateKey::from_seed(self.algorithm, &secret)
            .ok_or_else(|| KeyError::new(format!("the JWK's `d` has {length} bytes, an Ed25519 key has 32")))?;
        belongs(key, &public, "the JWK's `d` does not belong to its `x`")
    }

    #[inline(never)]
    fn rsa(&self) -> Result<Material, KeyError> {
        let (modulus, exponent) = (self.bytes("n")?, self.bytes("e")?);
        let Some(secret) = self.secret(&["p", "q", "dp", "dq", "qi"])? else {
            return PublicKey::from_rsa(self.algorithm, &modulus, &exponent).map(Material::Public);
        };
        // Both primes or none: without them they are computed (RFC 7518, section 6.3.2).
        let primes = match (self.members.contains_key("p"), self.members.contains_key("q")) {
            (false, false) => None,
            _ => Some((self.bytes("p")?, self.bytes("q")?)),
        };
        let primes = primes.as_ref().map(|(p, q)| [p.as_slice(), q.as_slice()]);
        PrivateKey::from_rsa(self.algorithm, [&modulus, &exponent, &secret], primes).map(Material::Private)
    }
}

fn belongs(key: PrivateKey, public: &PublicKey, problem: &str) -> Result<Material, KeyError> {
    if key.public_key() != *public {
        return Err(KeyError::new(problem));
    }
    Ok(Material::Private(key))
}

//! Keys as JWK (RFC 7517; the members of each type: RFC 7518, section 6; RFC 8037, section 2).

use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::KeyError;
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

#[inline(never)]
pub(super) fn parse(text: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
    let members =
        json::parse_object(text.as_bytes()).map_err(|error| KeyError::new(format!("the JWK is {}", error.problem)))?;
    let jwk = Jwk { members, algorithm };
    jwk.check_purpose()?;
    match KeyType::of(algorithm) {
        KeyType::Rsa => jwk.rsa(),
        KeyType::Ed25519 => jwk.ed25519(),
        _ => jwk.elliptic_curve(),
    }
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

fn incomplete() -> KeyError {
    KeyError::new("the JWK lacks a member of its key type or has one of the wrong form")
}

impl Jwk {
    /// That it is for signatures of this algorithm. What is not a string is refused.
    fn check_purpose(&self) -> Result<(), KeyError> {
        let algorithm = self.algorithm;
        let member = |name: &str| self.members.get(name).map(|value| value.as_str().unwrap_or_default());
        if member("alg").is_some_and(|alg| alg != algorithm.name()) {
            return Err(KeyError::new(format!("the JWK's `alg` is not `{}`", algorithm.name())));
        }
        if member("use").is_some_and(|usage| usage != "sig") {
            return Err(KeyError::new("the JWK's `use` is not `sig`"));
        }
        let found = match (member("kty"), member("crv")) {
            (Some("EC"), Some("P-256")) => KeyType::P256,
            (Some("EC"), Some("P-384")) => KeyType::P384,
            (Some("EC"), Some("P-521")) => KeyType::P521,
            (Some("RSA"), _) => KeyType::Rsa,
            (Some("OKP"), Some("Ed25519")) => KeyType::Ed25519,
            (Some(_), _) => KeyType::Other,
            (None, _) if self.members.contains_key("keys") => {
                return Err(KeyError::new("a JWK set where one JWK has to stand; take one of its `keys`"));
            }
            (None, _) => return Err(KeyError::new("the JWK has no `kty`")),
        };
        found.check(algorithm)
    }

    /// A member that holds bytes.
    fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let text = self.members.get(name).and_then(Value::as_str).ok_or_else(incomplete)?;
        base64url::decode(text).map(Zeroizing::new).ok_or_else(incomplete)
    }

    /// The secret of `d`, if the key is private; none of the members in `others` may be there then either.
    fn secret(&self, others: &[&str]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let has = |name: &&str| self.members.contains_key(*name);
        if !PRIVATE.iter().any(has) {
            return Ok(None);
        }
        if PRIVATE.iter().any(|name| has(name) && *name != "d" && !others.contains(name)) {
            return Err(incomplete());
        }
        self.bytes("d").map(Some)
    }

    #[inline(never)]
    fn elliptic_curve(&self) -> Result<Material, KeyError> {
        let (x, y) = (self.bytes("x")?, self.bytes("y")?);
        // Both have the size of the curve's field (RFC 7518, section 6.2.1.2).
        let size = KeyType::of(self.algorithm).field_size().ok_or_else(incomplete)?;
        if x.len() != size || y.len() != size {
            return Err(incomplete());
        }
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let public = PublicKey::from_point(self.algorithm, &point)
            .ok_or_else(|| KeyError::new("the JWK's `x` and `y` are not a point on the curve"))?;
        let Some(secret) = self.secret(&[])? else {
            return Ok(Material::Public(public));
        };
        let key = PrivateKey::from_scalar(self.algorithm, &secret).ok_or_else(incomplete)?;
        belongs(key, &public, "the JWK's `d` does not belong to its `x` and `y`")
    }

    fn ed25519(&self) -> Result<Material, KeyError> {
        let public = PublicKey::from_ed25519(self.algorithm, &self.bytes("x")?).ok_or_else(incomplete)?;
        let Some(secret) = self.secret(&[])? else {
            return Ok(Material::Public(public));
        };
        let key = PrivateKey::from_seed(self.algorithm, &secret).ok_or_else(incomplete)?;
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

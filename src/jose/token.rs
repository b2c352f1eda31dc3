//! A token taken apart, in the one form that is accepted (RFC 7515, section 7.1; RFC 7519, section 7.2).
//!
//! An [`Untrusted`] token is well-formed and nothing more. What it says becomes claims only by way of
//! [`Verifier::verify`](crate::verify::Verifier::verify).

use std::slice;

use serde_json::{Map, Value};

use crate::denial::Denial;
use crate::jose::base64url;
use crate::jose::confirmation;
use crate::jose::json;

/// The largest token that is signed, in bytes, and what verifiers look at by default: Envoy's default for all request
/// headers together is 60 KiB; eight are what common servers take in one header.
pub const MAX_SIZE: usize = 8192;

/// The largest date that is accepted, in seconds: the end of the year 9999, where RFC 3339 ends. Up to there a double
/// holds every second exactly.
const MAX_DATE: f64 = 253_402_300_799.0;

/// A well-formed token that nobody has vouched for yet.
pub struct Untrusted<'t> {
    /// What the signature covers: header and payload as they came.
    pub signing_input: &'t [u8],
    /// The signature, decoded. Its length depends on the algorithm, and is not looked at here.
    pub signature: Vec<u8>,
    /// `exp`, in seconds.
    pub expires: f64,
    /// The later of `nbf` and `iat`, in seconds: the token is not valid before either.
    pub not_before: Option<f64>,
    /// Of the client's certificate that the token is bound to (RFC 8705, section 3.1).
    pub thumbprint: Option<String>,
    /// Whether it is bound to something else too, such as a key that its bearer has to prove (RFC 9449, section 6.1).
    pub is_bound_otherwise: bool,
    header: Members,
    claims: Members,
}

impl<'t> Untrusted<'t> {
    /// Takes a token of at most so many bytes apart. That is also the budget for members and for the length of strings; depth
    /// has one of its own, [`json::MAX_DEPTH`].
    ///
    /// # Errors
    /// [`Denial::TooLarge`] and [`Denial::Malformed`].
    pub fn parse(token: &'t [u8], most: usize) -> Result<Self, Denial> {
        if token.len() > most {
            return Err(Denial::TooLarge);
        }
        let text = std::str::from_utf8(token).map_err(|_| Denial::Malformed)?;
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Denial::Malformed)?;
        // A further dot is none of base64url's characters, so the decoder refuses it.
        let (header, payload) = signing_input.split_once('.').ok_or(Denial::Malformed)?;
        let header = Members(json_part(header)?);
        // `crit` names extensions that have to be understood (RFC 7515, section 4.1.11), and none is. `b64` changes
        // what is signed (RFC 7797). `jku`, `jwk`, `x5u` and `x5c` are never followed.
        if header.has("crit") || header.has("b64") {
            return Err(Denial::Malformed);
        }
        header.string("alg")?.ok_or(Denial::Malformed)?;
        for name in ["kid", "typ", "cty"] {
            header.string(name)?;
        }

        let claims = Members(json_part(payload)?);
        claims.string("iss")?.ok_or(Denial::Malformed)?;
        claims.string("sub")?;
        claims.string("jti")?;
        claims.audiences()?;
        let expires = claims.date("exp")?.ok_or(Denial::Malformed)?;
        let binding = confirmation::bound_to(&claims.0)?;
        let (thumbprint, is_bound_otherwise) = (binding.thumbprint.map(str::to_owned), binding.is_otherwise);
        let dates = [claims.date("nbf")?, claims.date("iat")?];
        // Nothing began before 1970; Envoy's `jwt_authn` refuses it too.
        let starts = || dates.into_iter().flatten();
        if starts().any(|start| start < 0.0) {
            return Err(Denial::Malformed);
        }
        let not_before = starts().reduce(f64::max);
        let signature = base64url::decode(signature).ok_or(Denial::Malformed)?;
        Ok(Self {
            signing_input: signing_input.as_bytes(),
            signature,
            expires,
            not_before,
            thumbprint,
            is_bound_otherwise,
            header,
            claims,
        })
    }

    /// `alg`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.header.text("alg").unwrap_or_default()
    }

    /// `typ`.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.text("typ")
    }

    /// `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.text("kid")
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.claims.text("iss").unwrap_or_default()
    }

    /// `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.text("sub")
    }

    /// `jti`.
    #[must_use]
    pub fn jwt_id(&self) -> Option<&str> {
        self.claims.text("jti")
    }

    /// `aud`: one or several.
    pub fn audiences(&self) -> Option<impl Iterator<Item = &str>> {
        // One that cannot be read, which `parse` refuses, would name nobody; it must not pass for none.
        let audiences = self.claims.audiences().unwrap_or(Some(&[]))?;
        Some(audiences.iter().filter_map(Value::as_str))
    }

    /// The whole payload.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims.0
    }

    /// The whole payload, of a token that is no longer needed.
    #[must_use]
    pub fn into_claims(self) -> Map<String, Value> {
        self.claims.0
    }
}

fn json_part(part: &str) -> Result<Map<String, Value>, Denial> {
    let text = base64url::decode(part).ok_or(Denial::Malformed)?;
    json::parse_object(&text).map_err(|_| Denial::Malformed)
}

/// Members whose registered names have their registered types.
struct Members(Map<String, Value>);

impl Members {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn string(&self, name: &str) -> Result<Option<&str>, Denial> {
        self.0.get(name).map(|value| value.as_str().ok_or(Denial::Malformed)).transpose()
    }

    /// A NumericDate (RFC 7519, section 2).
    fn date(&self, name: &str) -> Result<Option<f64>, Denial> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().filter(|date| date.abs() <= MAX_DATE).map(Some).ok_or(Denial::Malformed),
        }
    }

    /// `aud`: one string or an array of strings (RFC 7519, section 4.1.3).
    fn audiences(&self) -> Result<Option<&[Value]>, Denial> {
        let values = match self.0.get("aud") {
            None => return Ok(None),
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => slice::from_ref(value),
        };
        if values.iter().all(Value::is_string) { Ok(Some(values)) } else { Err(Denial::Malformed) }
    }
}

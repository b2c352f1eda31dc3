//! A token taken apart, in the one form that is accepted (RFC 7515, section 7.1; RFC 7519, section 7.2).
//!
//! An [`Untrusted`] token is well-formed and nothing more. What it says becomes claims only by way of
//! [`Verifier::verify`](crate::verify::Verifier::verify).

use std::borrow::Cow;
use std::slice;

use serde_json::Value;

use crate::denial::Cause;
use crate::jose::base64url;
use crate::jose::confirmation::{self, Binding};
use crate::jose::json::{Members, Problem, Sink};

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
    /// `aud`, which is a string or an array of them.
    audiences: Option<Value>,
    header: Members,
    claims: Members,
}

/// What a text that passes for a token says of itself, as far as it can be read: nobody has vouched for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearsay {
    /// `iss`, made [`printable`].
    pub issuer: Option<String>,
    /// `kid`, made [`printable`].
    pub key_id: Option<String>,
}

impl Hearsay {
    fn of(header: &Members, claims: Option<&Members>) -> Self {
        let issuer = claims.and_then(|claims| claims.text("iss"));
        let printed = |text: Cow<'_, str>| printable(&text);
        Self { issuer: issuer.map(printed), key_id: header.text("kid").map(printed) }
    }
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What was found.
    pub cause: Cause,
    /// What it says of itself.
    pub hearsay: Hearsay,
}

impl From<Cause> for Unreadable {
    fn from(cause: Cause) -> Self {
        Self { cause, hearsay: Hearsay::default() }
    }
}

impl<'t> Untrusted<'t> {
    /// Takes a token of at most so many bytes apart, and tells `sink` of its payload. That is also the budget for members and
    /// for the length of strings; depth has one of its own, [`MAX_DEPTH`](crate::jose::json::MAX_DEPTH).
    ///
    /// # Errors
    /// The causes of [`Denial::TooLarge`](crate::denial::Denial::TooLarge) and
    /// [`Denial::Malformed`](crate::denial::Denial::Malformed).
    pub fn parse(token: &'t [u8], most: usize, sink: &mut dyn Sink) -> Result<Self, Unreadable> {
        if token.len() > most {
            return Err(Cause::TooLong.into());
        }
        let text = std::str::from_utf8(token).map_err(|_| Cause::Characters)?;
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Cause::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Cause::Parts)?;
        if payload.contains('.') {
            return Err(Cause::Parts.into());
        }
        let header = json_part(header, &mut (), Cause::HeaderEncoding, Cause::HeaderJson)?;
        let claims = json_part(payload, sink, Cause::PayloadEncoding, Cause::PayloadJson)
            .map_err(|cause| Unreadable { cause, hearsay: Hearsay::of(&header, None) })?;
        let checked = check_header(&header).and_then(|()| check_claims(&claims)).and_then(|checked| {
            let signature = base64url::decode(signature).ok_or(Cause::SignatureEncoding)?;
            Ok((signature, checked))
        });
        match checked {
            Ok((signature, Checked { expires, not_before, binding, audiences })) => Ok(Self {
                signing_input: signing_input.as_bytes(),
                signature,
                expires,
                not_before,
                thumbprint: binding.thumbprint,
                is_bound_otherwise: binding.is_otherwise,
                audiences,
                header,
                claims,
            }),
            Err(cause) => Err(Unreadable { cause, hearsay: Hearsay::of(&header, Some(&claims)) }),
        }
    }

    /// What it says of itself.
    #[must_use]
    pub fn hearsay(&self) -> Hearsay {
        Hearsay::of(&self.header, Some(&self.claims))
    }

    /// `alg`.
    #[must_use]
    pub fn algorithm(&self) -> Cow<'_, str> {
        self.header.text("alg").unwrap_or_default()
    }

    /// `typ`.
    #[must_use]
    pub fn typ(&self) -> Option<Cow<'_, str>> {
        self.header.text("typ")
    }

    /// `kid`.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'_, str>> {
        self.header.text("kid")
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> Cow<'_, str> {
        self.claims.text("iss").unwrap_or_default()
    }

    /// `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<Cow<'_, str>> {
        self.claims.text("sub")
    }

    /// `jti`.
    #[must_use]
    pub fn jwt_id(&self) -> Option<Cow<'_, str>> {
        self.claims.text("jti")
    }

    /// `aud`: one or several.
    pub fn audiences(&self) -> Option<impl Iterator<Item = &str>> {
        Some(several(self.audiences.as_ref()?).iter().filter_map(Value::as_str))
    }

    /// `iat`, in seconds.
    #[must_use]
    pub fn issued_at(&self) -> Option<f64> {
        self.claims.get("iat")?.as_f64()
    }

    /// The whole payload.
    #[must_use]
    pub fn claims(&self) -> &Members {
        &self.claims
    }

    /// The whole payload, of a token that is no longer needed.
    #[must_use]
    pub fn into_claims(self) -> Members {
        self.claims
    }
}

fn json_part(part: &str, sink: &mut dyn Sink, encoding: Cause, json: Cause) -> Result<Members, Cause> {
    let text = base64url::decode(part).ok_or(encoding)?;
    Members::read(text, sink).map_err(|problem| match problem {
        Problem::Twice => Cause::MemberTwice,
        Problem::TooDeep => Cause::TooDeep,
        Problem::Syntax => json,
    })
}

/// `crit` names extensions that have to be understood (RFC 7515, section 4.1.11), and none is. `b64` changes what is signed
/// (RFC 7797). `jku`, `jwk`, `x5u` and `x5c` are never followed.
fn check_header(header: &Members) -> Result<(), Cause> {
    if header.has("crit") || header.has("b64") {
        return Err(Cause::Extension);
    }
    if header.is_text("alg") != Some(true) {
        return Err(Cause::NoAlgorithm);
    }
    ["kid", "typ", "cty"].into_iter().try_for_each(|name| check_text(header, name, Cause::HeaderType))
}

/// What the registered claims say, when they have their types.
struct Checked {
    expires: f64,
    not_before: Option<f64>,
    binding: Binding,
    audiences: Option<Value>,
}

fn check_claims(claims: &Members) -> Result<Checked, Cause> {
    if claims.is_text("iss") != Some(true) {
        return Err(Cause::NoIssuer);
    }
    check_text(claims, "sub", Cause::ClaimType)?;
    check_text(claims, "jti", Cause::ClaimType)?;
    let audiences = claims.get("aud");
    if audiences.as_ref().is_some_and(|audiences| !several(audiences).iter().all(Value::is_string)) {
        return Err(Cause::AudienceType);
    }
    let expires = date(claims, "exp")?.ok_or(Cause::NoExpiry)?;
    let binding = confirmation::bound_to(claims.get("cnf").as_ref())?;
    let dates = [date(claims, "nbf")?, date(claims, "iat")?];
    // Nothing began before 1970; Envoy's `jwt_authn` refuses it too.
    let starts = || dates.into_iter().flatten();
    if starts().any(|start| start < 0.0) {
        return Err(Cause::Before1970);
    }
    Ok(Checked { expires, not_before: starts().reduce(f64::max), binding, audiences })
}

/// That a member is a string, if it is there.
fn check_text(members: &Members, name: &str, otherwise: Cause) -> Result<(), Cause> {
    if members.is_text(name) == Some(false) { Err(otherwise) } else { Ok(()) }
}

/// A NumericDate (RFC 7519, section 2).
fn date(members: &Members, name: &str) -> Result<Option<f64>, Cause> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().filter(|date| date.abs() <= MAX_DATE).map(Some).ok_or(Cause::Date),
    }
}

/// One value or several (RFC 7519, section 4.1.3).
fn several(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => slice::from_ref(value),
    }
}

/// What a stranger has written, for a log or another place where people read it: visible ASCII, and at most 255 of it. Any other
/// character is a question mark.
#[must_use]
pub fn printable(text: &str) -> String {
    const MOST: usize = 255;
    if text.len() <= MOST && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    text.chars().take(MOST).map(|character| if character.is_ascii_graphic() { character } else { '?' }).collect()
}

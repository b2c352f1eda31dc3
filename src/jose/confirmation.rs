//! Binding a token to the client's certificate (RFC 8705, section 3.1): who steals the token cannot use it.

use serde_json::{Value, json};

use crate::denial::Cause;
use crate::jose::base64url;

const THUMBPRINT: &str = "x5t#S256";

/// The thumbprint of a certificate, as `cnf` has it, of its SHA-256 in hexadecimal digits; `None` when it is none.
#[must_use]
pub fn thumbprint(digits: &[u8]) -> Option<String> {
    let digest: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    digest.filter(|digest| digest.len() == 32).map(base64url::encode)
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The confirmation claim (RFC 7800, section 3.1) for a thumbprint.
#[must_use]
pub fn of(thumbprint: &str) -> Value {
    json!({THUMBPRINT: thumbprint})
}

/// What a token is bound to.
#[derive(Default)]
pub struct Binding {
    /// The thumbprint of a certificate.
    pub thumbprint: Option<String>,
    /// Whether there is another member: a proof that nobody here can ask for (RFC 7800, section 3.1).
    pub is_otherwise: bool,
}

/// What a token with this `cnf` is bound to, if it is.
///
/// # Errors
/// [`Cause::ConfirmationType`] when `cnf` or the thumbprint in it has the wrong type.
pub fn bound_to(confirmation: Option<&Value>) -> Result<Binding, Cause> {
    let Some(confirmation) = confirmation else {
        return Ok(Binding::default());
    };
    let members = confirmation.as_object().ok_or(Cause::ConfirmationType)?;
    let thumbprint = members.get(THUMBPRINT).map(|value| value.as_str().ok_or(Cause::ConfirmationType)).transpose()?;
    let thumbprint = thumbprint.map(str::to_owned);
    Ok(Binding { thumbprint, is_otherwise: members.keys().any(|name| name != THUMBPRINT) })
}

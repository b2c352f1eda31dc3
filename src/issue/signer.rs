//! From claims to a token: JWS Compact Serialization, with everything prepared that is the same every time.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Skip;
use crate::crypto::SigningKey;
use crate::host::Crypto;
use crate::jose::base64url;
use crate::jose::token;
use crate::time::Timestamp;

/// A signed wristband.
pub struct Signed {
    /// The token.
    pub token: String,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

/// The last members of a JSON object, each with a comma before it. The caller sees to it that no name stands twice in the
/// whole object.
#[derive(Default)]
pub(super) struct ClaimMembers(Vec<u8>);

impl ClaimMembers {
    /// Adds one.
    pub(super) fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Skip> {
        let text = &mut self.0;
        text.push(b',');
        let written = serde_json::to_writer(&mut *text, name).and_then(|()| {
            text.push(b':');
            serde_json::to_writer(&mut *text, value)
        });
        written.map_err(|_| Skip::SigningFailed)
    }

    /// As they stand in the payload.
    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }
}

/// All of a wristband that is the same every time, and the key of now.
pub struct Signer {
    typ: String,
    /// The payload's members that do not change, as JSON without the brace that closes it. There is one at least: `iss`.
    members: Vec<u8>,
    key: RefCell<Option<Ready>>,
}

/// A key, ready to sign with.
struct Ready {
    /// The protected header, encoded, and the dot behind it.
    header: String,
    key: Rc<SigningKey>,
}

impl Signer {
    /// A signer that has no key yet. `fixed` are the custom claims that are the same for everyone; with no audience there is no
    /// `aud`, and one stands alone.
    #[must_use]
    pub fn new(typ: &str, issuer: &str, audiences: &[String], mut fixed: Map<String, Value>) -> Self {
        match audiences {
            [] => {}
            [one] => drop(fixed.insert("aud".to_owned(), one.as_str().into())),
            several => drop(fixed.insert("aud".to_owned(), several.into())),
        }
        fixed.insert("iss".to_owned(), issuer.into());
        let mut members = Value::Object(fixed).to_string().into_bytes();
        members.pop();
        Self { typ: typ.to_owned(), members, key: RefCell::default() }
    }

    /// Signs with this key from now on, whose name is `kid`; with none it signs nothing. Whether that is another than before.
    pub(super) fn sign_with(&self, key: Option<(&str, Rc<SigningKey>)>) -> bool {
        let mut current = self.key.borrow_mut();
        let is_same = match (&*current, &key) {
            (None, None) => true,
            (Some(current), Some((_, key))) => Rc::ptr_eq(&current.key, key),
            _ => false,
        };
        if !is_same {
            *current = key.map(|(name, key)| {
                let header = json!({"alg": key.algorithm().name(), "kid": name, "typ": self.typ}).to_string();
                Ready { header: format!("{}.", base64url::encode(header)), key }
            });
        }
        !is_same
    }

    /// Signs these claims and those that every wristband has, which is valid from `start` to `end`: JWS Compact Serialization (RFC 7515, section 7.1).
    ///
    /// # Errors
    /// [`Skip::NoKey`], [`Skip::SigningFailed`] and [`Skip::TooLarge`].
    pub(super) fn sign(
        &self,
        claims: &ClaimMembers,
        now: Timestamp,
        start: Timestamp,
        end: Timestamp,
        host: &dyn Crypto,
    ) -> Result<Signed, Skip> {
        let ready = self.key.borrow();
        let Ready { header, key } = ready.as_ref().ok_or(Skip::NoKey)?;
        let mut id = [0; 16];
        if !host.random(&mut id) {
            return Err(Skip::SigningFailed);
        }
        // More than these four claims take.
        const OTHERS: usize = 128;
        let lengths = [self.members.len(), OTHERS, claims.0.len()].into_iter().fold(0, usize::saturating_add);
        let mut payload = Vec::with_capacity(lengths);
        payload.extend_from_slice(&self.members);
        let (start, last, id) = (start.0, end.0, base64url::encode(id));
        write!(payload, ",\"iat\":{start},\"nbf\":{start},\"exp\":{last},\"jti\":\"{id}\"")
            .map_err(|_| Skip::SigningFailed)?;
        payload.extend_from_slice(&claims.0);
        payload.push(b'}');
        let mut token = String::with_capacity(header.len().saturating_add(lengths.saturating_mul(2)));
        token.push_str(header);
        base64url::append(&payload, &mut token);
        if token.len() > token::MAX_SIZE {
            return Err(Skip::TooLarge);
        }
        let signature = key.sign(token.as_bytes(), host).map_err(|_| Skip::SigningFailed)?;
        token.push('.');
        base64url::append(signature, &mut token);
        if token.len() > token::MAX_SIZE {
            return Err(Skip::TooLarge);
        }
        Ok(Signed { token, issued: now, expires: end })
    }
}

//! What an issuer's tokens may say, beyond being genuine: trusting a peer's signature does not mean to let it name
//! everyone, for every audience, with every role.

use std::borrow::Cow;

use serde_json::Value;

use crate::denial::Cause;
use crate::jose::claims;
use crate::jose::json::{self, Members, Problem, Sink};
use crate::jose::token::Untrusted;
use crate::time::Timestamp;

/// The limits of one issuer's word.
#[derive(Debug, Default)]
pub struct Limits {
    /// Accepted values of `typ`, the empty one for none at all; `None`: `JWT`, or none at all.
    pub types: Option<Vec<String>>,
    /// One of these has to be in `aud`; empty: a token with an `aud` is denied (RFC 7519, section 4.1.3).
    pub audiences: Vec<String>,
    /// Whether a token without `aud` is accepted although there are audiences.
    pub allow_missing_audience: bool,
    /// Whom it may name; empty: everyone.
    pub subjects: Vec<Pattern>,
    /// The claims that are passed on beside those that say who vouches for whom; `None`: all.
    pub claims: Option<Vec<String>>,
    /// How many seconds a token may have left to live.
    pub max_lifetime: Option<u32>,
}

/// A subject, or the beginning of several.
#[derive(Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This one.
    Exact(String),
    /// All that start with it.
    Prefix(String),
}

impl Limits {
    /// Checks what a token says against the policy of who says it. `clock_skew` is in seconds.
    ///
    /// # Errors
    /// Those of [`WrongType`], [`WrongAudience`], [`WrongSubject`] and [`TooLongLived`].
    ///
    /// [`WrongType`]: crate::denial::Denial::WrongType
    /// [`WrongAudience`]: crate::denial::Denial::WrongAudience
    /// [`WrongSubject`]: crate::denial::Denial::WrongSubject
    /// [`TooLongLived`]: crate::denial::Denial::TooLongLived
    pub fn check(&self, token: &Untrusted<'_>, now: Timestamp, clock_skew: f64) -> Result<(), Cause> {
        self.check_type(token.typ().as_deref())?;
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        match token.audiences().map(|mut audiences| audiences.any(is_ours)) {
            None if !self.audiences.is_empty() && !self.allow_missing_audience => return Err(Cause::NoAudience),
            Some(false) if self.audiences.is_empty() => return Err(Cause::AudienceUnasked),
            Some(false) => return Err(Cause::Audience),
            None | Some(true) => {}
        }
        if !self.subjects.is_empty() {
            let subject = token.subject().ok_or(Cause::NoSubject)?;
            if !self.subjects.iter().any(|pattern| pattern.matches(&subject)) {
                return Err(Cause::Subject);
            }
        }
        check_lifetime(self.max_lifetime, token.expires, now, clock_skew)
    }

    /// Media types are compared without case, and `application/` may be left out (RFC 7515, section 4.1.9).
    fn check_type(&self, typ: Option<&str>) -> Result<(), Cause> {
        let accepted = match (&self.types, typ) {
            (None, None) => true,
            (None, Some(typ)) => is_type(typ, "JWT"),
            (Some(types), None) => types.iter().any(String::is_empty),
            (Some(types), Some(typ)) => types.iter().any(|accepted| !accepted.is_empty() && is_type(typ, accepted)),
        };
        match typ {
            _ if accepted => Ok(()),
            None => Err(Cause::NoType),
            Some(_) => Err(Cause::Type),
        }
    }

    /// Whether all claims are passed on.
    #[must_use]
    pub fn passes_all(&self) -> bool {
        self.claims.is_none()
    }

    /// The claims that are passed on, of a token's. `sink` is told of them.
    ///
    /// # Errors
    /// [`Problem`], which no claims have that were read from a token.
    pub fn limited(&self, claims: &Members, sink: &mut dyn Sink) -> Result<Members, Problem> {
        let allowed = self.claims.as_deref().unwrap_or_default();
        // The registered claims say who vouches for whom; they grant nothing.
        let passes = |name: &str| claims::reserved(name).is_some() || allowed.iter().any(|allowed| allowed == name);
        let members = claims.iter().filter(|(name, _)| passes(name)).map(|(name, value)| {
            // These two are objects, in which a peer could say anything.
            let is_object = matches!(name, "cnf" | "act");
            let value = if is_object { Cow::Owned(limited_object(value)?) } else { Cow::Borrowed(value) };
            Ok(format!("{}:{value}", Value::from(name)))
        });
        let members = members.collect::<Result<Vec<_>, Problem>>()?;
        Members::read(format!("{{{}}}", members.join(",")).into_bytes(), sink)
    }
}

/// Whether two media types are the same.
fn is_type(typ: &str, accepted: &str) -> bool {
    short(typ).eq_ignore_ascii_case(short(accepted))
}

fn short(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    let parts = typ.split_at_checked(PREFIX.len()).filter(|(start, _)| start.eq_ignore_ascii_case(PREFIX));
    parts.map_or(typ, |(_, rest)| rest)
}

/// That a token has no more seconds left to live than it may. What is left counts, not what was given: `iat` is the
/// issuer's to choose.
///
/// # Errors
/// [`Cause::Lifetime`].
pub fn check_lifetime(most: Option<u32>, expires: f64, now: Timestamp, clock_skew: f64) -> Result<(), Cause> {
    let left = expires - now.seconds();
    if most.is_some_and(|most| left > f64::from(most) + clock_skew) {
        return Err(Cause::Lifetime);
    }
    Ok(())
}

/// The members that RFC 8693 and RFC 8705 define: who acts, and the certificate. The depth is bounded by the parser's.
fn limited_object(text: &str) -> Result<String, Problem> {
    let mut value = json::parse(text.as_bytes()).map_err(|_| Problem::Syntax)?;
    limit_members(&mut value);
    Ok(value.to_string())
}

fn limit_members(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| matches!(name.as_str(), "iss" | "sub" | "act" | "x5t#S256"));
            members.values_mut().filter(|member| !member.is_string()).for_each(limit_members);
        }
        other => *other = Value::Null,
    }
}

impl Pattern {
    fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(exact) => subject == exact,
            Self::Prefix(prefix) => subject.starts_with(prefix.as_str()),
        }
    }
}

//! Where a request carries its token, and that it carries one only.
//!
//! Two components that look at one request must not see two different tokens, so everything that could be read as a
//! second one is ambiguous, even if it is the same. What another parser would take for a cookie or parameter of ours is one
//! too: then nothing that could be a token stays behind when ours is taken out.
//!
//! Cookies and parameters are gone through once, whatever is looked for, byte by byte: anyone can send 60 KB of them.

mod cookies;
mod names;
mod parameters;

use std::borrow::Cow;
use std::fmt;

use crate::denial::Cause;
use crate::http::headers::{COOKIE, HeaderName, Headers, SEC_WEBSOCKET_PROTOCOL, is_token_character};

pub use cookies::{has_cookie, without_cookie};
pub use parameters::without_parameter;

/// A place where a token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header, with what stands before the token: an authentication scheme and one space, or nothing.
    Header {
        /// Its name.
        name: HeaderName,
        /// What stands before the token.
        prefix: String,
    },
    /// A cookie (RFC 6265), whose name is a token.
    Cookie(String),
    /// A query parameter (RFC 6750, section 2.3), whose name has the characters of a token alone. URLs end up in logs and histories: only where nothing else will do.
    Parameter(String),
    /// The one item of `sec-websocket-protocol` that starts so: browsers have no other header for a WebSocket.
    WebSocketProtocol(String),
}

impl Place {
    /// The header in which the place is, unless it is the path.
    #[must_use]
    pub fn header(&self) -> Option<HeaderName> {
        match self {
            Self::Header { name, .. } => Some(name.clone()),
            Self::Cookie(_) => Some(COOKIE),
            Self::WebSocketProtocol(_) => Some(SEC_WEBSOCKET_PROTOCOL),
            Self::Parameter(_) => None,
        }
    }

    /// Whether one token would be found in both.
    #[must_use]
    pub fn clashes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header { name, prefix }, Self::Header { name: other, prefix: also }) => {
                name == other && (prefix.is_empty() || also.is_empty() || prefix.eq_ignore_ascii_case(also))
            }
            (Self::Header { name, .. }, Self::Cookie(_)) | (Self::Cookie(_), Self::Header { name, .. }) => {
                *name == COOKIE
            }
            (Self::WebSocketProtocol(prefix), Self::WebSocketProtocol(other)) => {
                prefix.starts_with(other.as_str()) || other.starts_with(prefix.as_str())
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Place {
    /// For the operator: what it is, and its name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => write!(formatter, "header {}", name.as_str()),
            Self::Cookie(name) => write!(formatter, "cookie {name}"),
            Self::Parameter(name) => write!(formatter, "parameter {name}"),
            Self::WebSocketProtocol(_) => formatter.write_str("subprotocol"),
        }
    }
}

/// What may be a token, and where it was found.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub struct Credential<'r, 'p> {
    /// The token as it came; anything at all.
    pub token: Cow<'r, [u8]>,
    /// The place.
    pub place: &'p Place,
}

/// More than one credential, or what others would take for one.
#[derive(Debug, PartialEq, Eq)]
pub struct Ambiguity<'p> {
    /// A cause of [`Denial::Ambiguous`](crate::denial::Denial::Ambiguous).
    pub cause: Cause,
    /// Where the last one was found.
    pub place: &'p Place,
}

/// Looks into each of the places.
///
/// # Errors
/// [`Ambiguity`].
pub fn find<'r, 'p>(
    headers: &Headers<'r>,
    places: impl Iterator<Item = &'p Place> + Clone,
) -> Result<Option<Credential<'r, 'p>>, Ambiguity<'p>> {
    let mut found = Found::default();
    for place in places.clone() {
        match place {
            Place::Header { name, prefix } => {
                let token = in_header(headers, name, prefix).map_err(|cause| Ambiguity { cause, place })?;
                if let Some(token) = token {
                    found.add(Cow::Borrowed(token), place)?;
                }
            }
            Place::WebSocketProtocol(prefix) => {
                for token in protocols(headers, prefix) {
                    found.add_item(Cow::Borrowed(token), place)?;
                }
            }
            Place::Cookie(_) | Place::Parameter(_) => {}
        }
    }
    let cookies = places.clone().filter_map(|place| match place {
        Place::Cookie(name) => Some((place, name.as_bytes())),
        _ => None,
    });
    cookies::find(headers, cookies, &mut found)?;
    let parameters = places.filter_map(|place| match place {
        Place::Parameter(name) => Some((place, name.as_bytes())),
        _ => None,
    });
    parameters::find(headers, parameters, &mut found)?;
    Ok(found.credential)
}

/// What was found so far.
#[derive(Default)]
struct Found<'r, 'p> {
    credential: Option<Credential<'r, 'p>>,
    /// The places in lists that were found, with a token or without.
    listed: Vec<&'p Place>,
}

impl<'r, 'p> Found<'r, 'p> {
    /// Takes the token of a place in.
    fn add(&mut self, token: Cow<'r, [u8]>, place: &'p Place) -> Result<(), Ambiguity<'p>> {
        match self.credential.replace(Credential { token, place }) {
            None => Ok(()),
            Some(_) => Err(Ambiguity { cause: Cause::SeveralPlaces, place }),
        }
    }

    /// Takes an item of a list in. An empty one is no token, and yet must not be there twice.
    fn add_item(&mut self, token: Cow<'r, [u8]>, place: &'p Place) -> Result<(), Ambiguity<'p>> {
        if self.listed.contains(&place) {
            return Err(Ambiguity { cause: Cause::SeveralValues, place });
        }
        self.listed.push(place);
        if token.is_empty() { Ok(()) } else { self.add(token, place) }
    }
}

/// The items of `sec-websocket-protocol` (RFC 6455, section 4.1).
fn items<'r>(headers: &Headers<'r>) -> impl Iterator<Item = &'r [u8]> {
    let lines: Vec<_> = headers.values(&SEC_WEBSOCKET_PROTOCOL).collect();
    lines.into_iter().flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// What stands behind the prefix in every item that starts so.
fn protocols<'r>(headers: &Headers<'r>, prefix: &str) -> impl Iterator<Item = &'r [u8]> {
    items(headers).filter_map(move |item| item.strip_prefix(prefix.as_bytes()))
}

/// What remains of the WebSocket protocols without the one that carried the token; empty when none does.
#[must_use]
pub fn without_protocol(headers: &Headers<'_>, prefix: &str) -> Vec<u8> {
    let others: Vec<_> =
        items(headers).filter(|item| !item.is_empty() && !item.starts_with(prefix.as_bytes())).collect();
    others.join(&b", "[..])
}

fn in_header<'r>(headers: &Headers<'r>, name: &HeaderName, prefix: &str) -> Result<Option<&'r [u8]>, Cause> {
    let mut values = headers.values(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Envoy joins some headers with a comma and leaves others apart; both are a list (RFC 9110, section 5.3).
    let is_list = value.contains(&b',') || headers.values(name).nth(1).is_some();
    let Some(scheme) = prefix.strip_suffix(' ') else {
        return match value {
            _ if is_list => Err(Cause::SeveralValues),
            b"" => Ok(None),
            token => Ok(Some(token)),
        };
    };
    if is_list {
        let mut words = headers.values(name).flat_map(|value| value.split(|byte| matches!(byte, b',' | b' ' | b'\t')));
        let mentioned = words.any(|word| after_scheme(word, scheme).is_some());
        return if mentioned { Err(Cause::SeveralValues) } else { Ok(None) };
    }
    Ok(after_scheme(value, scheme))
}

/// What follows the scheme (RFC 9110, section 11.4) and exactly one space. With the scheme and another separator it is
/// something that cannot be a token, so that it is denied and not taken for absent.
fn after_scheme<'r>(value: &'r [u8], scheme: &str) -> Option<&'r [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    if !start.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    match rest {
        [b' ', token @ ..] => Some(token),
        [next, ..] if is_token_character(*next) => None,
        malformed => Some(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::Denial;

    fn places() -> Vec<Place> {
        let place = |name, prefix: &str| Place::Header { name, prefix: prefix.to_owned() };
        vec![place(HeaderName::known("x-wristband-token"), ""), place(HeaderName::known("authorization"), "Bearer ")]
    }

    fn found(headers: &[(&str, &[u8])]) -> Result<Option<String>, Denial> {
        let headers = Headers::new(headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect());
        let places = places();
        let credential = find(&headers, places.iter()).map_err(|ambiguity| ambiguity.cause.denial())?;
        Ok(credential.map(|credential| String::from_utf8_lossy(&credential.token).into_owned()))
    }

    #[test]
    fn one_credential_is_found_wherever_it_is() {
        for header in [
            ("x-wristband-token", "t"),
            ("authorization", "Bearer t"),
            ("authorization", "bearer t"),
            ("authorization", "BEARER t"),
        ] {
            let headers = [("accept", &b"*/*"[..]), (header.0, header.1.as_bytes())];
            assert_eq!(found(&headers), Ok(Some("t".to_owned())), "{header:?}");
        }
    }

    #[test]
    fn absence_another_scheme_and_an_empty_header_are_no_credential() {
        assert_eq!(found(&[]), Ok(None));
        for header in [
            ("x-wristband-token", ""),
            ("authorization", ""),
            ("authorization", "Basic dTpw"),
            ("authorization", "BearerX t"),
            ("authorization", "foo Bearer t"),
            ("authorization", "Bear"),
            ("authorization", "Digest a=b, c=d"),
            ("authorization", "Digest username=\"forbearer\", realm=\"bearer\""),
            ("authorization", "AWS4-HMAC-SHA256 Credential=a/bearerx/aws, SignedHeaders=host"),
            ("authorization", "Foo Bearerx, bearer-y"),
            ("x-other", "t"),
        ] {
            assert_eq!(found(&[(header.0, header.1.as_bytes())]), Ok(None), "{header:?}");
        }
    }

    #[test]
    fn whatever_could_be_read_as_two_is_ambiguous() {
        let cases: [&[(&str, &[u8])]; 13] = [
            &[("x-wristband-token", b"t"), ("x-wristband-token", b"t")],
            &[("x-wristband-token", b"t"), ("x-wristband-token", b"")],
            &[("x-wristband-token", b"t,t")],
            &[("x-wristband-token", b"t,")],
            &[("x-wristband-token", b"t"), ("authorization", b"Bearer t")],
            &[("authorization", b"Bearer t"), ("authorization", b"Basic t")],
            &[("authorization", b"Bearer a,Bearer b")],
            &[("authorization", b"Basic x, bearer b")],
            &[("authorization", b"Digest a=b"), ("authorization", b"bearer")],
            &[("authorization", b"Basic x,Bearer b")],
            &[("authorization", b"Basic x,\tBEARER\tb")],
            &[("authorization", b"Foo Bearer b, c")],
            &[("authorization", b"Basic x, Bearer=b")],
        ];
        for case in cases {
            assert_eq!(found(case), Err(Denial::Ambiguous), "{case:?}");
        }
    }

    #[test]
    fn the_scheme_with_anything_but_one_space_is_a_credential_that_cannot_pass() {
        for value in ["Bearer", "Bearer ", "Bearer  t", "Bearer\tt", "Bearer=t", "Bearer\"t\""] {
            let token = found(&[("authorization", value.as_bytes())]).unwrap().unwrap();
            assert!(
                crate::jose::token::Untrusted::parse(token.as_bytes(), 8192, &mut ())
                    .is_err_and(|unreadable| unreadable.cause.denial() == Denial::Malformed),
                "{value}"
            );
        }
    }

    #[test]
    fn a_token_among_websocket_protocols_is_found_once_and_taken_out_alone() {
        let places = [Place::WebSocketProtocol("wb.".to_owned())];
        let token = |lines: &[&'static str]| {
            let pairs = lines.iter().map(|value| (&b"sec-websocket-protocol"[..], value.as_bytes()));
            let headers = Headers::new(pairs.collect());
            let found = find(&headers, places.iter()).map(|found| found.map(|found| found.token.into_owned()));
            let found = found.map_err(|ambiguity| ambiguity.cause.denial());
            (found, without_protocol(&headers, "wb."))
        };
        let some = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        for (lines, found, rest) in [
            (&["chat, wb.t,superchat"][..], some("t"), "chat, superchat"),
            (&["wb.t"], some("t"), ""),
            (&["chat", "wb.t , x"], some("t"), "chat, x"),
            (&["chat"], Ok(None), "chat"),
            (&["wb., chat"], Ok(None), "chat"),
            (&["WB.t"], Ok(None), "WB.t"),
            (&["wb.t, wb.u"], Err(Denial::Ambiguous), ""),
            (&["wb.t", "chat, wb.t"], Err(Denial::Ambiguous), "chat"),
            (&["wb.t, wb."], Err(Denial::Ambiguous), ""),
        ] {
            assert_eq!(token(lines), (found, rest.as_bytes().to_vec()), "{lines:?}");
        }
    }

    #[test]
    fn places_of_different_kinds_are_two_as_well() {
        let places = [Place::Cookie("wb".to_owned()), Place::Parameter("wb".to_owned())];
        let headers = Headers::new(vec![(b":path", b"/?wb=t"), (b"cookie", b"wb=t")]);
        let ambiguity = find(&headers, places.iter()).unwrap_err();
        assert_eq!((ambiguity.cause, ambiguity.place.to_string()), (Cause::SeveralPlaces, "parameter wb".to_owned()));
    }
}

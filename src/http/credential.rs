//! Where a request carries its token, and that it carries one only.
//!
//! Two components that look at one request must not see two different tokens, so everything that could be read as a
//! second one is ambiguous, even if it is the same.

use std::borrow::Cow;

use form_urlencoded::parse;

use crate::denial::Denial;
use crate::http::headers::{COOKIE, HeaderName, Headers, SEC_WEBSOCKET_PROTOCOL, is_token_character};

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
    /// A cookie (RFC 6265).
    Cookie(String),
    /// A query parameter (RFC 6750, section 2.3). URLs end up in logs and histories: only where nothing else will do.
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

/// What may be a token, and where it was found.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub struct Credential<'r, 'p> {
    /// The token as it came; anything at all.
    pub token: Cow<'r, [u8]>,
    /// The place.
    pub place: &'p Place,
}

/// Looks into each of the places.
///
/// # Errors
/// [`Denial::Ambiguous`] when there is more than one credential.
pub fn find<'r, 'p>(
    headers: &Headers<'r>,
    places: impl IntoIterator<Item = &'p Place>,
) -> Result<Option<Credential<'r, 'p>>, Denial> {
    let mut found = None;
    for place in places {
        let token = match place {
            Place::Header { name, prefix } => in_header(headers, name, prefix)?.map(Cow::Borrowed),
            Place::Cookie(name) => only(cookies(headers, name).map(Cow::Borrowed))?,
            Place::Parameter(name) => only(parameters(headers, name))?,
            Place::WebSocketProtocol(prefix) => only(protocols(headers, prefix).map(Cow::Borrowed))?,
        };
        if hides_another(headers, place) {
            return Err(Denial::Ambiguous);
        }
        if let Some(token) = token
            && found.replace(Credential { token, place }).is_some()
        {
            return Err(Denial::Ambiguous);
        }
    }
    Ok(found)
}

/// The one value there is; an empty one is none.
fn only<'r>(mut values: impl Iterator<Item = Cow<'r, [u8]>>) -> Result<Option<Cow<'r, [u8]>>, Denial> {
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value).filter(|value| !value.is_empty())),
        (Some(_), Some(_)) => Err(Denial::Ambiguous),
    }
}

/// Whether a parser that splits at other characters too, as some do, would find one more.
#[inline(never)]
fn hides_another(headers: &Headers<'_>, place: &Place) -> bool {
    match place {
        Place::Header { .. } | Place::WebSocketProtocol(_) => false,
        Place::Cookie(name) => {
            let mut later = pairs(headers).flat_map(|pair| pair.split(|byte| *byte == b',').skip(1));
            later.any(|part| is_cookie(part, name))
        }
        Place::Parameter(name) => {
            let parts = query(headers).unwrap_or_default().split(|byte| *byte == b'&');
            let mut later = parts.flat_map(|part| part.split(|byte| *byte == b';').skip(1));
            later.any(|part| is_parameter(part, name))
        }
    }
}

/// The values of all cookies of that name. Names are compared with case (RFC 6265, section 5.3).
fn cookies<'r>(headers: &Headers<'r>, name: &str) -> impl Iterator<Item = &'r [u8]> {
    pairs(headers).filter(move |pair| is_cookie(pair, name)).map(value_of)
}

fn pairs<'r>(headers: &Headers<'r>) -> impl Iterator<Item = &'r [u8]> {
    let values: Vec<_> = headers.values(&COOKIE).collect();
    values.into_iter().flat_map(|value| value.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

fn is_cookie(pair: &[u8], name: &str) -> bool {
    pair.split(|byte| *byte == b'=').next().is_some_and(|key| key.trim_ascii() == name.as_bytes())
}

/// What stands behind the name, without the quotes that may stand around it (RFC 6265, section 4.1.1).
fn value_of(pair: &[u8]) -> &[u8] {
    let equals = pair.iter().position(|byte| *byte == b'=');
    let value = equals.and_then(|equals| pair.get(equals..)?.get(1..)).unwrap_or_default().trim_ascii();
    let inside = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inside.unwrap_or(value)
}

/// What remains of the cookies without those of that name, byte for byte; empty when none do.
#[must_use]
pub fn without_cookie(headers: &Headers<'_>, name: &str) -> Vec<u8> {
    let mut remaining = Vec::new();
    for line in headers.values(&COOKIE) {
        let others: Vec<_> = line.split(|byte| *byte == b';').filter(|pair| !is_cookie(pair, name)).collect();
        let others = others.join(&b";"[..]);
        if !others.trim_ascii().is_empty() {
            remaining.push(others.trim_ascii_start().to_vec());
        }
    }
    // As several lines are joined (RFC 9113, section 8.2.3).
    remaining.join(&b"; "[..])
}

/// Whether there is a cookie of that name, with a value or without.
#[must_use]
pub fn has_cookie(headers: &Headers<'_>, name: &str) -> bool {
    pairs(headers).any(|pair| is_cookie(pair, name))
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

/// The values of all query parameters of that name, as the upstream would decode it: an encoded name is the same name.
fn parameters<'r>(headers: &Headers<'r>, name: &str) -> impl Iterator<Item = Cow<'r, [u8]>> {
    let query = query(headers).unwrap_or_default();
    parse(query).filter(move |(key, _)| key == name).map(|(_, value)| match value {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn is_parameter(part: &[u8], name: &str) -> bool {
    parse(part).any(|(key, _)| key == name)
}

fn query<'r>(headers: &Headers<'r>) -> Option<&'r [u8]> {
    let path = headers.pseudo(":path")?;
    let mark = path.iter().position(|byte| *byte == b'?')?;
    path.get(mark..)?.get(1..)
}

/// The path without the query parameters of that name, the others as they were.
#[must_use]
#[inline(never)]
pub fn without_parameter(headers: &Headers<'_>, name: &str) -> Vec<u8> {
    let path = headers.pseudo(":path").unwrap_or_default();
    let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
    let (start, _) = path.split_at_checked(end).unwrap_or((path, b""));
    let others =
        query(headers).unwrap_or_default().split(|byte| *byte == b'&').filter(|part| !is_parameter(part, name));
    let others = others.collect::<Vec<_>>().join(&b"&"[..]);
    if others.is_empty() { start.to_vec() } else { [start, &others].join(&b'?') }
}

fn in_header<'r>(headers: &Headers<'r>, name: &HeaderName, prefix: &str) -> Result<Option<&'r [u8]>, Denial> {
    let mut values = headers.values(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Envoy joins some headers with a comma and leaves others apart; both are a list (RFC 9110, section 5.3).
    let is_list = value.contains(&b',') || headers.values(name).nth(1).is_some();
    let Some(scheme) = prefix.strip_suffix(' ') else {
        return match value {
            _ if is_list => Err(Denial::Ambiguous),
            b"" => Ok(None),
            token => Ok(Some(token)),
        };
    };
    if is_list {
        let mut words = headers.values(name).flat_map(|value| value.split(|byte| matches!(byte, b',' | b' ' | b'\t')));
        let mentioned = words.any(|word| after_scheme(word, scheme).is_some());
        return if mentioned { Err(Denial::Ambiguous) } else { Ok(None) };
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

    fn places() -> Vec<Place> {
        let place = |name, prefix: &str| Place::Header { name, prefix: prefix.to_owned() };
        vec![place(HeaderName::known("x-wristband-token"), ""), place(HeaderName::known("authorization"), "Bearer ")]
    }

    fn found(headers: &[(&str, &[u8])]) -> Result<Option<String>, Denial> {
        let headers = Headers::new(headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect());
        let places = places();
        let credential = find(&headers, &places)?;
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
                crate::jose::token::Untrusted::parse(token.as_bytes(), 8192)
                    .is_err_and(|denial| denial == Denial::Malformed),
                "{value}"
            );
        }
    }

    #[test]
    fn a_cookie_is_found_once_and_taken_out_alone() {
        let places = [Place::Cookie("wb".to_owned())];
        let token = |cookies: &[&'static str]| {
            let headers = Headers::new(cookies.iter().map(|value| (&b"cookie"[..], value.as_bytes())).collect());
            let found = find(&headers, &places).map(|found| found.map(|found| found.token.into_owned()));
            (found, without_cookie(&headers, "wb"))
        };
        let some = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        for (cookies, found, rest) in [
            (&["wb=t"][..], some("t"), ""),
            (&["a=1; wb=t;b=2"], some("t"), "a=1;b=2"),
            (&["wb=t; a=\"x;y\";  b=2"], some("t"), "a=\"x;y\";  b=2"),
            (&["a=\"x;y\"; wb=t", "c=3"], some("t"), "a=\"x;y\"; c=3"),
            (&["a=1", "wb=t"], some("t"), "a=1"),
            (&["wb=t=="], some("t=="), ""),
            (&["wb=\"t\""], some("t"), ""),
            (&["wb=\"t"], some("\"t"), ""),
            (&["wb=\"\""], Ok(None), ""),
            (&["wb=\""], some("\""), ""),
            (&["wbx=t; xwb=t; WB=t"], Ok(None), "wbx=t; xwb=t; WB=t"),
            (&["wb="], Ok(None), ""),
            (&["wb"], Ok(None), ""),
            (&["a=1, wb=u; b=2"], Err(Denial::Ambiguous), "a=1, wb=u; b=2"),
            (&["wb=t; a=1,wb=u"], Err(Denial::Ambiguous), "a=1,wb=u"),
            (&["wb=t; wb=t"], Err(Denial::Ambiguous), ""),
            (&["wb =t; wb=t"], Err(Denial::Ambiguous), ""),
            (&["wb=t", "a=1; wb="], Err(Denial::Ambiguous), "a=1"),
        ] {
            assert_eq!(token(cookies), (found, rest.as_bytes().to_vec()), "{cookies:?}");
        }
    }

    #[test]
    fn a_parameter_is_found_however_it_is_encoded_and_taken_out_alone() {
        let places = [Place::Parameter("token".to_owned())];
        let token = |path: &str| {
            let headers = Headers::new(vec![(b":path", path.as_bytes())]);
            let found = find(&headers, &places).map(|found| found.map(|found| found.token.into_owned()));
            (found, without_parameter(&headers, "token"))
        };
        let some = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        for (path, found, rest) in [
            ("/a?token=t", some("t"), "/a"),
            ("/a?x=%20&token=t&y", some("t"), "/a?x=%20&y"),
            ("/a?t%6Fken=%74", some("t"), "/a"),
            ("/a?b?token=t", Ok(None), "/a?b?token=t"),
            ("/a", Ok(None), "/a"),
            ("/token=t", Ok(None), "/token=t"),
            ("/a?token=", Ok(None), "/a"),
            ("/a?b=1;token=u&token=t", Err(Denial::Ambiguous), "/a?b=1;token=u"),
            ("/a?b=1;tok%65n=u", Err(Denial::Ambiguous), "/a?b=1;tok%65n=u"),
            ("/a?token=t&t%6fken=u", Err(Denial::Ambiguous), "/a"),
        ] {
            assert_eq!(token(path), (found, rest.as_bytes().to_vec()), "{path}");
        }
    }

    #[test]
    fn a_token_among_websocket_protocols_is_found_once_and_taken_out_alone() {
        let places = [Place::WebSocketProtocol("wb.".to_owned())];
        let token = |lines: &[&'static str]| {
            let pairs = lines.iter().map(|value| (&b"sec-websocket-protocol"[..], value.as_bytes()));
            let headers = Headers::new(pairs.collect());
            let found = find(&headers, &places).map(|found| found.map(|found| found.token.into_owned()));
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
        assert_eq!(find(&headers, &places), Err(Denial::Ambiguous));
    }
}

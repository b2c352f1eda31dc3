//! The query parameters of a request, and what others take for one.

use std::borrow::Cow;

use form_urlencoded::parse;

use super::names::{Beginnings, could_be_key, decoded, first, key_of};
use super::{Ambiguity, Found, Place};
use crate::denial::Cause;
use crate::http::headers::Headers;

/// Finds parameters by their names as the upstream would decode them: an encoded name is the same name.
///
/// # Errors
/// [`Ambiguity`] when one is there twice, or when another parser would find one more: behind a `;`, in another case,
/// between bytes that some cut off, as an array, or with characters that some take for `_`.
pub(super) fn find<'r, 'p>(
    headers: &Headers<'r>,
    names: impl Iterator<Item = (&'p Place, &'p [u8])> + Clone,
    found: &mut Found<'r, 'p>,
) -> Result<(), Ambiguity<'p>> {
    let Some(query) = query(headers).filter(|_| names.clone().next().is_some()) else {
        return Ok(());
    };
    let beginnings = Beginnings::of(names.clone().map(|(_, name)| name));
    for part in query.split(|byte| *byte == b'&') {
        for (index, piece) in part.split(|byte| *byte == b';').enumerate() {
            if !first(piece).is_some_and(|first| beginnings.has(first)) {
                continue;
            }
            let length = decoded(piece, true).count();
            let mut names = names.clone().filter(|(_, name)| length >= name.len());
            if let Some((place, name)) = names.clone().find(|(_, name)| is_key(piece, name)) {
                // To others it is the key of a part that has a `;` in its key, or one of several.
                if index > 0 || !is_key(part, name) {
                    return Err(Ambiguity { cause: Cause::LooksLikeAnother, place });
                }
                let value = parse(part).next().map(|(_, value)| value).unwrap_or_default();
                found.add_item(bytes(value), place)?;
            } else if let Some((place, _)) = names.find(|(_, name)| could_be_key(piece, name)) {
                return Err(Ambiguity { cause: Cause::LooksLikeAnother, place });
            }
        }
    }
    Ok(())
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn is_key(part: &[u8], name: &[u8]) -> bool {
    decoded(key_of(part), false).eq(name.iter().copied())
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
    let parts = query(headers).unwrap_or_default().split(|byte| *byte == b'&');
    let others = parts.filter(|part| !is_key(part, name.as_bytes()));
    let others = others.collect::<Vec<_>>().join(&b"&"[..]);
    if others.is_empty() { start.to_vec() } else { [start, &others].join(&b'?') }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use crate::denial::Denial;

    #[test]
    fn every_name_that_a_parameter_may_have_is_found() {
        for name in [".t", "-t", "_t", "~t", "0", "T.t"] {
            let places = [Place::Parameter(name.to_owned())];
            let path = format!("/?a=1&{name}=t");
            let headers = Headers::new(vec![(b":path", path.as_bytes())]);
            let found = find(&headers, places.iter()).unwrap().map(|found| found.token.into_owned());
            assert_eq!(found.as_deref(), Some(&b"t"[..]), "{name}");
        }
    }

    #[test]
    fn a_parameter_is_found_however_it_is_encoded_and_taken_out_alone() {
        let places = [Place::Parameter("token".to_owned())];
        let token = |path: &str| {
            let headers = Headers::new(vec![(b":path", path.as_bytes())]);
            let found = find(&headers, places.iter()).map(|found| found.map(|found| found.token.into_owned()));
            let found = found.map_err(|ambiguity| ambiguity.cause.denial());
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
            // PHP, Ruby, Node and ASP.NET take these for it.
            ("/a?%20token=t", Err(Denial::Ambiguous), "/a?%20token=t"),
            ("/a?token=t&token[]=u", Err(Denial::Ambiguous), "/a?token[]=u"),
            ("/a?token=t&token%5Bx%5D=u", Err(Denial::Ambiguous), "/a?token%5Bx%5D=u"),
            ("/a?token=t&+token=u", Err(Denial::Ambiguous), "/a?+token=u"),
            ("/a?token;x=t", Err(Denial::Ambiguous), "/a?token;x=t"),
            ("/a?token;=t", Err(Denial::Ambiguous), "/a?token;=t"),
            ("/a?token=t;x", some("t;x"), "/a"),
            ("/a?token=t&token%00x=u", Err(Denial::Ambiguous), "/a?token%00x=u"),
            ("/a?token=t&%u0074oken=u", Err(Denial::Ambiguous), "/a?%u0074oken=u"),
            ("/a?token=t&[token][a]=u", Err(Denial::Ambiguous), "/a?[token][a]=u"),
            ("/a?token=t&token%00=u", Err(Denial::Ambiguous), "/a?token%00=u"),
            ("/a?token=t&Token=u", Err(Denial::Ambiguous), "/a?Token=u"),
            ("/a?token=t&=token=u", Err(Denial::Ambiguous), "/a?=token=u"),
            ("/a?token=t&b=1;%20token=u", Err(Denial::Ambiguous), "/a?b=1;%20token=u"),
            ("/a?token=t&tokens=u&xtoken=u&t.oken=u&to=token", some("t"), "/a?tokens=u&xtoken=u&t.oken=u&to=token"),
            ("/a?%=1&token=t&%7=2&t%6=3", some("t"), "/a?%=1&%7=2&t%6=3"),
            ("/a?token=t&t%6fken=u", Err(Denial::Ambiguous), "/a"),
        ] {
            assert_eq!(token(path), (found, rest.as_bytes().to_vec()), "{path}");
        }
    }
}

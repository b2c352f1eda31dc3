//! The cookies of a request, and what others take for one.

use std::borrow::Cow;

use super::names::{Beginnings, could_be_key, decoded, first, key_of};
use super::{Ambiguity, Found, Place};
use crate::denial::Cause;
use crate::http::headers::{COOKIE, Headers, is_token_character};

/// Finds cookies by their names, which are compared with case (RFC 6265, section 5.3).
///
/// # Errors
/// [`Ambiguity`] when one is there twice, or when another parser would find one more: after a space or a comma in the
/// value of another cookie, behind a lone `=`, in another case, or between bytes that some cut off.
pub(super) fn find<'r, 'p>(
    headers: &Headers<'r>,
    names: impl Iterator<Item = (&'p Place, &'p [u8])> + Clone,
    found: &mut Found<'r, 'p>,
) -> Result<(), Ambiguity<'p>> {
    if names.clone().next().is_none() || !headers.has(&COOKIE) {
        return Ok(());
    }
    let beginnings = Beginnings::of(names.clone().map(|(_, name)| name));
    for pair in pairs(headers) {
        let key = key_of(pair).trim_ascii();
        if let Some((place, _)) = names.clone().find(|(_, name)| key == *name) {
            found.add_item(Cow::Borrowed(value_of(pair)), place)?;
        } else if first(pair).is_some_and(|first| beginnings.has(first)) {
            let length = decoded(pair, true).count();
            let mut names = names.clone().filter(|(_, name)| length > name.len());
            let other = names.find(|(_, name)| could_be_key(pair, name));
            if let Some((place, _)) = other.filter(|_| pair.contains(&b'=')) {
                return Err(Ambiguity { cause: Cause::LooksLikeAnother, place });
            }
        }
        // The key has been looked at.
        for word in words(pair).skip(1).filter(|word| beginnings.has(word.first)) {
            let is_name = |name: &[u8]| word.text.eq_ignore_ascii_case(name);
            let other = names.clone().find(|(_, name)| is_name(name));
            if let Some((place, _)) = other.filter(|_| word.could_be_key()) {
                return Err(Ambiguity { cause: Cause::LooksLikeAnother, place });
            }
        }
    }
    Ok(())
}

fn pairs<'r>(headers: &Headers<'r>) -> impl Iterator<Item = &'r [u8]> {
    let lines: Vec<_> = headers.values(&COOKIE).collect();
    lines.into_iter().flat_map(|line| line.split(|byte| *byte == b';'))
}

/// A run of characters that may be a name, and what stands around it in its pair.
struct Word<'r> {
    before: &'r [u8],
    text: &'r [u8],
    first: u8,
    after: &'r [u8],
}

impl Word<'_> {
    /// Whether somebody could take it for a key: a `=` follows, with nothing in between that is part of a name. What follows
    /// `KEY=` at once is a value to everyone.
    fn could_be_key(&self) -> bool {
        let separator = self.after.iter().find(|byte| **byte == b'=' || is_token_character(**byte));
        let key = self.before.strip_suffix(b"=").filter(|key| !key.contains(&b'=')).unwrap_or_default();
        separator == Some(&b'=') && key.trim_ascii().is_empty()
    }
}

fn words(pair: &[u8]) -> impl Iterator<Item = Word<'_>> {
    let mut end = 0_usize;
    std::iter::from_fn(move || {
        let start = pair.get(end..)?.iter().position(|byte| is_token_character(*byte))?.saturating_add(end);
        let rest = pair.get(start..)?;
        let length = rest.iter().position(|byte| !is_token_character(*byte)).unwrap_or(rest.len());
        end = start.saturating_add(length);
        let (before, (text, after)) = (pair.get(..start)?, rest.split_at_checked(length)?);
        Some(Word { before, text, first: *text.first()?, after })
    })
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

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use crate::denial::Denial;

    #[test]
    fn a_name_that_others_write_differently_is_ambiguous() {
        let places = [Place::Cookie("x_token".to_owned()), Place::Cookie("__Host-wristband".to_owned())];
        for (second, expected) in [
            ("x.token=u", true),
            ("x token=u", true),
            ("x[token=u", true),
            ("X_Token=u", true),
            ("..Host-wristband=u", true),
            ("xtoken=u", false),
            ("Host-wristband=u", false),
        ] {
            let line = format!("x_token=t; {second}");
            let headers = Headers::new(vec![(b"cookie", line.as_bytes())]);
            assert_eq!(find(&headers, places.iter()).is_err(), expected, "{second}");
        }
    }

    #[test]
    fn every_name_that_a_cookie_may_have_is_found() {
        for name in [".wb", "+wb", "%41b", "_wb", "~", "!#$%&'*+-.^_`|~"] {
            let places = [Place::Cookie(name.to_owned())];
            let line = format!("a=1; {name}=t");
            let headers = Headers::new(vec![(b"cookie", line.as_bytes())]);
            let found = find(&headers, places.iter()).unwrap().map(|found| found.token.into_owned());
            assert_eq!(found.as_deref(), Some(&b"t"[..]), "{name}");
        }
    }

    #[test]
    fn a_cookie_is_found_once_and_taken_out_alone() {
        let places = [Place::Cookie("wb".to_owned())];
        let token = |cookies: &[&'static str]| {
            let headers = Headers::new(cookies.iter().map(|value| (&b"cookie"[..], value.as_bytes())).collect());
            let found = find(&headers, places.iter()).map(|found| found.map(|found| found.token.into_owned()));
            let found = found.map_err(|ambiguity| ambiguity.cause.denial());
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
            (&["wbx=t; xwb=t; a.wb=t; a=wb"], Ok(None), "wbx=t; xwb=t; a.wb=t; a=wb"),
            (&["a=wb=t; b=\"wb\"; c={\"wb\":1}"], Ok(None), "a=wb=t; b=\"wb\"; c={\"wb\":1}"),
            (&["wb="], Ok(None), ""),
            (&["wb"], Ok(None), ""),
            (&["a=1, wb=u; b=2"], Err(Denial::Ambiguous), "a=1, wb=u; b=2"),
            (&["wb=t; a=1,wb=u"], Err(Denial::Ambiguous), "a=1,wb=u"),
            (&["wb=t; wb[x]=u"], Err(Denial::Ambiguous), "wb[x]=u"),
            (&["wb=t; w%62=u"], Err(Denial::Ambiguous), "w%62=u"),
            (&["wb=t; wb x=1; wb"], Err(Denial::Ambiguous), "wb x=1"),
            (&["wb=t; wb x=1"], some("t"), "wb x=1"),
            (&["wb=t; wb=t"], Err(Denial::Ambiguous), ""),
            (&["wb =t; wb=t"], Err(Denial::Ambiguous), ""),
            // Python reads these as two cookies, others cut these bytes off or do not ask for the case.
            (&["wb=t; a=1 wb=u"], Err(Denial::Ambiguous), "a=1 wb=u"),
            (&["wb=t wb=u"], Err(Denial::Ambiguous), ""),
            (&["a=\"wb=u\""], Err(Denial::Ambiguous), "a=\"wb=u\""),
            (&["=wb=u"], Err(Denial::Ambiguous), "=wb=u"),
            (&[" = wb = u"], Err(Denial::Ambiguous), "= wb = u"),
            (&["wb=t; WB=u"], Err(Denial::Ambiguous), "WB=u"),
            (&["wb=t; \u{b}wb=u"], Err(Denial::Ambiguous), "\u{b}wb=u"),
            (&["wb\u{0}=u"], Err(Denial::Ambiguous), "wb\u{0}=u"),
            (&["\u{a0}wb=u"], Err(Denial::Ambiguous), "\u{a0}wb=u"),
            (&["wb=t", "a=1; wb="], Err(Denial::Ambiguous), "a=1"),
        ] {
            assert_eq!(token(cookies), (found, rest.as_bytes().to_vec()), "{cookies:?}");
        }
    }
}

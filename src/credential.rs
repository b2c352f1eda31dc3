//! Where a request carries its token, and that it carries one only.
//!
//! Two components that look at one request must not see two different tokens, so everything that could be read as a
//! second one is ambiguous, even if it is the same.

use http::HeaderName;

use crate::config::{CredentialHeader, is_token_character};
use crate::denial::Denial;
use crate::headers::Headers;

/// What may be a token, and where it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential<'r, 'p> {
    /// The token as it came; anything at all.
    pub token: &'r [u8],
    /// The header that carried it.
    pub header: &'p HeaderName,
}

/// Looks into every place.
///
/// # Errors
/// [`Denial::Ambiguous`] when there is more than one credential.
pub fn find<'r, 'p>(
    headers: &Headers<'r>,
    places: &'p [CredentialHeader],
) -> Result<Option<Credential<'r, 'p>>, Denial> {
    let mut found = None;
    for place in places {
        if let Some(token) = in_header(headers, place)?
            && found.replace(Credential { token, header: &place.name }).is_some()
        {
            return Err(Denial::Ambiguous);
        }
    }
    Ok(found)
}

fn in_header<'r>(headers: &Headers<'r>, place: &CredentialHeader) -> Result<Option<&'r [u8]>, Denial> {
    let mut values = headers.values(&place.name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Envoy joins some headers with a comma and leaves others apart; both are a list (RFC 9110, section 5.3).
    let is_list = value.contains(&b',') || headers.values(&place.name).nth(1).is_some();
    let Some(scheme) = place.prefix.strip_suffix(' ') else {
        return match value {
            _ if is_list => Err(Denial::Ambiguous),
            b"" => Ok(None),
            token => Ok(Some(token)),
        };
    };
    if is_list {
        let mentions =
            |value: &[u8]| value.windows(scheme.len()).any(|part| part.eq_ignore_ascii_case(scheme.as_bytes()));
        let mentioned = headers.values(&place.name).any(mentions);
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
    use http::header::AUTHORIZATION;

    fn places() -> Vec<CredentialHeader> {
        let place = |name, prefix: &str| CredentialHeader { name, prefix: prefix.to_owned() };
        vec![place(HeaderName::from_static("x-wristband-token"), ""), place(AUTHORIZATION, "Bearer ")]
    }

    fn found(headers: &[(&str, &[u8])]) -> Result<Option<String>, Denial> {
        let headers = Headers::new(headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect());
        let places = places();
        let credential = find(&headers, &places)?;
        Ok(credential.map(|credential| String::from_utf8_lossy(credential.token).into_owned()))
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
            ("x-other", "t"),
        ] {
            assert_eq!(found(&[(header.0, header.1.as_bytes())]), Ok(None), "{header:?}");
        }
    }

    #[test]
    fn whatever_could_be_read_as_two_is_ambiguous() {
        let cases: [&[(&str, &[u8])]; 9] = [
            &[("x-wristband-token", b"t"), ("x-wristband-token", b"t")],
            &[("x-wristband-token", b"t"), ("x-wristband-token", b"")],
            &[("x-wristband-token", b"t,t")],
            &[("x-wristband-token", b"t,")],
            &[("x-wristband-token", b"t"), ("authorization", b"Bearer t")],
            &[("authorization", b"Bearer t"), ("authorization", b"Basic t")],
            &[("authorization", b"Bearer a,Bearer b")],
            &[("authorization", b"Basic x, bearer b")],
            &[("authorization", b"Digest a=b"), ("authorization", b"bearer")],
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
                crate::token::Untrusted::parse(token.as_bytes()).is_err_and(|denial| denial == Denial::Malformed),
                "{value}"
            );
        }
    }
}

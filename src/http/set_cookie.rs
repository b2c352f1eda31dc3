//! A wristband on its way out as a cookie (RFC 6265), for browsers that should carry it without a script being able to read
//! it: what a response sets, and what an upstream may set beside it. Cookies of requests are read in
//! [`credential`](super::credential).

use std::ops::RangeInclusive;

use chrono::NaiveDate;

use crate::http::headers::{Headers, SET_COOKIE};
use crate::time::Timestamp;

/// How the cookie is set. The defaults are the safe ones: this host only, no script, no plain HTTP, no cross-site
/// request but a top-level navigation.
#[derive(Debug)]
pub struct Cookie {
    /// Its name. `__Host-` and `__Secure-` bind a browser to what they say (RFC 6265bis, section 4.1.3).
    pub name: String,
    /// `Path`.
    pub path: String,
    /// `Domain`; absent: the host alone, no subdomain.
    pub domain: Option<String>,
    /// `SameSite`.
    pub same_site: SameSite,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
}

/// With which requests from other sites a browser sends a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None.
    Strict,
    /// Top-level navigation.
    Lax,
    /// All; needs `Secure`.
    None,
}

impl Cookie {
    /// The first rule that this cookie breaks, as the name of its field and what to do.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        let host_only = self.secure && self.path == "/" && self.domain.is_none();
        if !self.path.starts_with('/') || !plain(&self.path) {
            return Some(("path", "expected a path that starts with `/`"));
        }
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if self.domain.as_ref().is_some_and(|domain| !domain.bytes().all(is_domain)) {
            return Some(("domain", "expected the name of a host"));
        }
        if self.name.starts_with("__Host-") && !host_only {
            return Some((
                "name",
                "`__Host-` needs `secure`, the path `/` and no `domain`; browsers drop it otherwise",
            ));
        }
        if !self.secure && (self.name.starts_with("__Secure-") || self.same_site == SameSite::None) {
            return Some(("secure", "cannot be false with this `name` or `sameSite`; browsers drop the cookie"));
        }
        None
    }

    /// The value of `set-cookie`, for `seconds`.
    #[must_use]
    pub fn set(&self, value: &str, seconds: i64) -> String {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let secure = if self.secure { "; Secure" } else { "" };
        let http_only = if self.http_only { "; HttpOnly" } else { "" };
        let (name, path) = (&self.name, &self.path);
        format!("{name}={value}; Path={path}{domain}; Max-Age={seconds}; SameSite={same_site}{secure}{http_only}")
    }

    /// The value of `set-cookie` that deletes it: a browser replaces a cookie of the same name, path and domain.
    #[must_use]
    pub fn clear(&self) -> String {
        self.set("", 0)
    }

    /// What remains of the `set-cookie` values of a response that sets this one too; `None` if it does not.
    #[must_use]
    pub fn others(&self, response: &Headers<'_>, now: Timestamp) -> Option<Remaining> {
        let name = SET_COOKIE;
        let (this, others): (Vec<_>, Vec<_>) = response.values(&name).partition(|value| self.is_set_by(value));
        let deletions = this.iter().filter(|value| is_deletion(value, now)).filter_map(|value| self.emptied(value));
        let deletions = deletions.collect();
        let others = others.into_iter().map(<[u8]>::to_vec).collect();
        (!this.is_empty()).then_some(Remaining { others, deletions })
    }

    /// A browser sends `=NAME=VALUE`, a cookie without a name, back as `NAME=VALUE` (RFC 6265bis, section 5.8.3).
    fn is_set_by(&self, value: &[u8]) -> bool {
        let mut names = value.split(|byte| matches!(byte, b'=' | b';')).map(<[u8]>::trim_ascii);
        names.find(|name| !name.is_empty()) == Some(self.name.as_bytes())
    }

    /// A deletion with its attributes and without its value, unless its attributes name the cookie once more: who takes a
    /// comma for the end of a cookie would find another one there.
    fn emptied(&self, value: &[u8]) -> Option<Vec<u8>> {
        let attributes =
            value.iter().position(|byte| *byte == b';').and_then(|end| value.get(end..)).unwrap_or_default();
        let name = self.name.as_bytes();
        let is_named = attributes.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name));
        (!is_named).then(|| [name, b"=", attributes].concat())
    }
}

/// The `set-cookie` values of a response that set no cookie of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Those of other cookies.
    pub others: Vec<Vec<u8>>,
    /// Those that delete ours, which is how an application logs out.
    pub deletions: Vec<Vec<u8>>,
}

/// Whether a `set-cookie` ends its cookie: its last `Max-Age` is not positive or, without any, its last `Expires` has
/// passed (RFC 6265, section 5.3).
fn is_deletion(value: &[u8], now: Timestamp) -> bool {
    let (mut age, mut end) = (None, None);
    for attribute in value.split(|byte| *byte == b';').skip(1) {
        let mut parts = attribute.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        let (name, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"max-age") {
            age = is_past_age(text).or(age);
        } else if name.eq_ignore_ascii_case(b"expires") {
            end = cookie_date(text).or(end);
        }
    }
    age.unwrap_or_else(|| end.is_some_and(|end| end <= now))
}

/// Whether a `Max-Age` is over at once; `None` for one that browsers ignore (RFC 6265, section 5.2.2).
fn is_past_age(text: &[u8]) -> Option<bool> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.starts_with(b"-") || digits.iter().all(|digit| *digit == b'0'))
}

/// A date as browsers read it, which is more than any format (RFC 6265, section 5.1.1).
fn cookie_date(text: &[u8]) -> Option<Timestamp> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let is_delimiter = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b':' || *byte >= 0x7f);
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        let start = token.get(..3).map(<[u8]>::to_ascii_lowercase);
        if time.is_none() && token.contains(&b':') {
            time = clock(token);
        } else if day.is_none() && number(token, 1..=2).is_some() {
            day = number(token, 1..=2);
        } else if month.is_none() && start.as_deref().is_some_and(|start| MONTHS.contains(&start)) {
            month = MONTHS.iter().zip(1..).find(|(name, _)| Some(**name) == start.as_deref()).map(|(_, month)| month);
        } else if year.is_none() {
            year = number(token, 2..=4);
        }
    }
    let year = match year? {
        year @ 70..=99 => year.saturating_add(1900),
        year @ 0..=69 => year.saturating_add(2000),
        year => year,
    };
    let [hour, minute, second] = time?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|year| *year >= 1601)?, month?, day?)?;
    Some(Timestamp(date.and_hms_opt(hour, minute, second)?.and_utc().timestamp()))
}

/// The number that a token begins with, if it has so many digits.
fn number(token: &[u8], digits: RangeInclusive<usize>) -> Option<u32> {
    let length = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = digits.contains(&length).then(|| token.get(..length))??;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `hours:minutes:seconds`.
fn clock(token: &[u8]) -> Option<[u32; 3]> {
    let mut parts = token.splitn(3, |byte| *byte == b':').map(|part| number(part, 1..=2));
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> Cookie {
        Cookie {
            name: "wristband".to_owned(),
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::Lax,
            secure: true,
            http_only: true,
        }
    }

    #[test]
    fn all_attributes_are_written() {
        assert_eq!(cookie().set("t", 300), "wristband=t; Path=/; Max-Age=300; SameSite=Lax; Secure; HttpOnly");
        let other = Cookie {
            domain: Some("example.com".to_owned()),
            path: "/app".to_owned(),
            same_site: SameSite::Strict,
            secure: false,
            http_only: false,
            ..cookie()
        };
        assert_eq!(other.set("t", 1), "wristband=t; Path=/app; Domain=example.com; Max-Age=1; SameSite=Strict");
    }

    #[test]
    fn what_a_browser_would_drop_or_misread_is_refused() {
        let text = str::to_owned;
        for (cookie, field) in [
            (Cookie { name: text("__Host-a"), path: text("/a"), ..cookie() }, Some("name")),
            (Cookie { name: text("__Host-a"), domain: Some(text("a.example")), ..cookie() }, Some("name")),
            (Cookie { name: text("__Host-a"), secure: false, ..cookie() }, Some("name")),
            (Cookie { name: text("__Secure-a"), secure: false, ..cookie() }, Some("secure")),
            (Cookie { same_site: SameSite::None, secure: false, ..cookie() }, Some("secure")),
            (Cookie { path: text("a"), ..cookie() }, Some("path")),
            (Cookie { path: text("/;Domain=x"), ..cookie() }, Some("path")),
            (Cookie { path: text("/\r\n"), ..cookie() }, Some("path")),
            (Cookie { domain: Some(text("a;b")), ..cookie() }, Some("domain")),
            (Cookie { name: text("__Host-a"), ..cookie() }, None),
            (Cookie { same_site: SameSite::None, ..cookie() }, None),
            (cookie(), None),
        ] {
            assert_eq!(cookie.problem().map(|(field, _)| field), field, "{cookie:?}");
        }
    }

    #[test]
    fn an_upstream_s_cookie_of_that_name_is_found_however_it_is_written() {
        let response = |values: &[&'static str]| {
            let values = values.iter().map(|value| (&b"set-cookie"[..], value.as_bytes()));
            cookie().others(&Headers::new(values.collect()), Timestamp(1_800_000_000))
        };
        assert_eq!(response(&[]), None);
        assert_eq!(response(&["a=1", "wristbands=1", "Wristband=1"]), None);
        for forged in
            ["wristband=x", " wristband =x; Path=/", "wristband", "wristband;a=b", "=wristband=x", " = =wristband=x"]
        {
            assert_eq!(
                response(&["a=1; Path=/", forged, "b=2"]),
                Some(Remaining { others: vec![b"a=1; Path=/".to_vec(), b"b=2".to_vec()], deletions: vec![] }),
                "{forged}"
            );
        }
    }

    #[test]
    fn what_deletes_the_cookie_passes_without_its_value_and_nothing_else_does() {
        let deletions = |attributes: &str| {
            let value = format!("wristband=x{attributes}");
            let headers = Headers::new(vec![(b"set-cookie", value.as_bytes())]);
            cookie().others(&headers, Timestamp(1_800_000_000)).unwrap().deletions
        };
        for attributes in [
            "; Path=/; Max-Age=0",
            "; max-age=-1",
            ";MAX-AGE = 0 ;Path=/",
            "; Max-Age=60; Max-Age=0",
            "; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
            "; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "; Expires=Thu, 01-Jan-1970 00:00:01 GMT",
            "; Expires=Thursday, 01-Jan-70 00:00:00 GMT",
            "; expires=Thu Jan  1 00:00:00 1970",
            "; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            // This very second: 1,800,000,000.
            "; Expires=Fri, 15 Jan 2027 08:00:00 GMT",
        ] {
            assert_eq!(deletions(attributes), [format!("wristband={attributes}").into_bytes()], "{attributes}");
        }
        for attributes in [
            "",
            "; Path=/",
            "; Max-Age=1",
            "; Max-Age=0; Max-Age=60",
            "; Max-Age=",
            "; Max-Age=0x",
            "; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "; Expires=Fri, 15 Jan 2027 08:00:01 GMT",
            "; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
            "; Expires=never",
            "; Expires=Thu, 99 Jan 1970 00:00:00 GMT",
            "; Expires=Thu, 01 Jan 1970 25:00:00 GMT",
            "; Expires=Mon, 01 Jan 1600 00:00:00 GMT",
            "; xMax-Age=0",
            "; Path=/; Max-Age=0, wristband=y; Path=/",
            "; Max-Age=0, Wristband = y",
        ] {
            assert!(deletions(attributes).is_empty(), "{attributes}");
        }
    }
}

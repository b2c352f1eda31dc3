//! A wristband as a cookie (RFC 6265), for browsers that should carry it without a script being able to read it.

use crate::http::headers::{Headers, SET_COOKIE};

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

    /// The `set-cookie` values for other cookies, of a response that sets this one too; `None` if it does not.
    #[must_use]
    pub fn others(&self, response: &Headers<'_>) -> Option<Vec<Vec<u8>>> {
        // A browser sends `=NAME=VALUE`, a cookie without a name, back as `NAME=VALUE` (RFC 6265bis, section 5.8.3).
        let sets_this = |value: &&[u8]| {
            let mut names = value.split(|byte| matches!(byte, b'=' | b';')).map(<[u8]>::trim_ascii);
            names.find(|name| !name.is_empty()) == Some(self.name.as_bytes())
        };
        let name = SET_COOKIE;
        let all = || response.values(&name);
        all().any(|value| sets_this(&value)).then(|| {
            let others = all().filter(|value| !sets_this(value));
            others.map(<[u8]>::to_vec).collect()
        })
    }
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
            cookie().others(&Headers::new(values.collect()))
        };
        assert_eq!(response(&[]), None);
        assert_eq!(response(&["a=1", "wristbands=1", "Wristband=1"]), None);
        for forged in
            ["wristband=x", " wristband =x; Path=/", "wristband", "wristband;a=b", "=wristband=x", " = =wristband=x"]
        {
            assert_eq!(
                response(&["a=1; Path=/", forged, "b=2"]),
                Some(vec![b"a=1; Path=/".to_vec(), b"b=2".to_vec()]),
                "{forged}"
            );
        }
    }
}

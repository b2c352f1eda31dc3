//! The headers of a message, with credentials in all places where one may be, and cookies that a response sets.

use wristband::denial::Denial;
use wristband::http::credential::{self, Place};
use wristband::http::headers::{COOKIE, HeaderName, Headers, SEC_WEBSOCKET_PROTOCOL};
use wristband::http::set_cookie::{Cookie, SameSite};

use super::fixture::NOW;
use super::input::Input;
use super::readers;

const PROTOCOL: &str = "wb.";

/// The names of a cookie and a parameter. In some that of another becomes one with a `_` in it.
struct Names {
    cookie: &'static str,
    parameter: &'static str,
}

const NAMES: [Names; 2] = [Names { cookie: "wb", parameter: "token" }, Names { cookie: "w_b", parameter: "to_ken" }];

pub(super) type Pairs<'d> = Vec<(&'d [u8], &'d [u8])>;

fn places(names: &Names) -> [Place; 5] {
    let header = |name, prefix: &str| Place::Header { name: HeaderName::known(name), prefix: prefix.to_owned() };
    [
        header("x-wristband-token", ""),
        header("authorization", "Bearer "),
        Place::Cookie(names.cookie.to_owned()),
        Place::Parameter(names.parameter.to_owned()),
        Place::WebSocketProtocol(PROTOCOL.to_owned()),
    ]
}

pub(super) fn run(data: &[u8]) {
    let pairs = Input::new(data).headers();
    protocols(&pairs);
    for names in &NAMES {
        all(&pairs, names);
        cookies(&pairs, names.cookie);
        parameters(&pairs, names.parameter);
        set_cookie(&pairs, names.cookie);
    }
}

fn all(pairs: &Pairs<'_>, names: &Names) {
    let places = places(names);
    let each: Vec<_> = places.iter().map(|place| find(pairs, std::slice::from_ref(place))).collect();
    let found: Vec<_> = each.iter().filter_map(|found| found.as_ref().ok()?.clone()).collect();
    // All places together have what one of them has, if no other has anything.
    let expected = match (&found[..], each.iter().any(Result::is_err)) {
        ([], false) => Ok(None),
        ([only], false) => Ok(Some(only.clone())),
        _ => Err(Denial::Ambiguous),
    };
    assert_eq!(find(pairs, &places), expected);
    for (place, found) in places.iter().zip(each) {
        assert!(found.is_err() || count(pairs, place) < 2, "{place:?}: one of several");
        let left = without(pairs, place);
        if found.is_ok() {
            assert_nobody_finds(&as_pairs(&left), place);
            assert_eq!(find(&as_pairs(&left), std::slice::from_ref(place)), Ok(None), "{place:?}");
        }
    }
}

/// That nobody reads a token where one was taken out: not in a cookie or parameter, however they are read.
pub(super) fn assert_nobody_finds(pairs: &Pairs<'_>, place: &Place) {
    let readers = match place {
        Place::Cookie(name) => readers::cookie(&values(pairs, &COOKIE), name.as_bytes()),
        Place::Parameter(name) => readers::parameter(&query(path(pairs)), name.as_bytes()),
        Place::Header { .. } | Place::WebSocketProtocol(_) => Vec::new(),
    };
    assert!(readers.is_empty(), "{place:?} is found by {readers:?}");
}

fn find(pairs: &Pairs<'_>, places: &[Place]) -> Result<Option<Vec<u8>>, Denial> {
    let headers = Headers::new(pairs.clone());
    let found = credential::find(&headers, places.iter()).map_err(|ambiguity| ambiguity.cause.denial())?;
    Ok(found.map(|found| found.token.into_owned()))
}

/// How many credentials there are at least, an empty one included.
fn count(pairs: &Pairs<'_>, place: &Place) -> usize {
    match place {
        Place::Header { name, prefix } if prefix.is_empty() => values(pairs, name).len(),
        Place::Header { name, prefix } => {
            let values = values(pairs, name);
            let starts = |value: &&[u8]| value.to_ascii_lowercase().starts_with(prefix.to_ascii_lowercase().as_bytes());
            if values.iter().any(starts) { values.len() } else { 0 }
        }
        Place::Cookie(name) => {
            split(&values(pairs, &COOKIE), b';').iter().filter(|pair| is_our_cookie(pair, name)).count()
        }
        Place::Parameter(parameter) => {
            let query = query(path(pairs));
            form_urlencoded::parse(&query).filter(|(name, _)| name == parameter).count()
        }
        Place::WebSocketProtocol(prefix) => {
            let items = split(&values(pairs, &SEC_WEBSOCKET_PROTOCOL), b',');
            items.iter().filter(|item| item.starts_with(prefix.as_bytes())).count()
        }
    }
}

/// The headers after a token was taken out, as the filter leaves them.
fn without(pairs: &Pairs<'_>, place: &Place) -> Vec<(Vec<u8>, Vec<u8>)> {
    let headers = Headers::new(pairs.clone());
    let (name, rest) = match place {
        Place::Header { name, .. } => (name.as_str(), Vec::new()),
        Place::Cookie(cookie) => ("cookie", credential::without_cookie(&headers, cookie)),
        Place::Parameter(parameter) => (":path", credential::without_parameter(&headers, parameter)),
        Place::WebSocketProtocol(prefix) => ("sec-websocket-protocol", credential::without_protocol(&headers, prefix)),
    };
    let others = pairs.iter().filter(|(other, _)| *other != name.as_bytes());
    let mut left: Vec<_> = others.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    if !rest.is_empty() {
        left.push((name.as_bytes().to_vec(), rest));
    }
    left
}

fn as_pairs(owned: &[(Vec<u8>, Vec<u8>)]) -> Pairs<'_> {
    owned.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
}

fn values<'d>(pairs: &Pairs<'d>, name: &HeaderName) -> Vec<&'d [u8]> {
    pairs.iter().filter(|(other, _)| *other == name.as_str().as_bytes()).map(|(_, value)| *value).collect()
}

fn split(values: &[&[u8]], separator: u8) -> Vec<Vec<u8>> {
    let parts = values.iter().flat_map(|value| value.split(|byte| *byte == separator)).map(<[u8]>::trim_ascii);
    parts.filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The other cookies stay as they were, in their order, and ours is not among them.
fn cookies(pairs: &Pairs<'_>, name: &str) {
    let mut expected = split(&values(pairs, &COOKIE), b';');
    expected.retain(|pair| !is_our_cookie(pair, name));
    let rest = credential::without_cookie(&Headers::new(pairs.clone()), name);
    assert_eq!(split(&[&rest], b';'), expected);
}

fn is_our_cookie(pair: &[u8], cookie: &str) -> bool {
    pair.split(|byte| *byte == b'=').next().is_some_and(|name| name.trim_ascii() == cookie.as_bytes())
}

/// So do the other parameters, and the path before them.
fn parameters(pairs: &Pairs<'_>, name: &str) {
    let path = path(pairs);
    let rest = credential::without_parameter(&Headers::new(pairs.clone()), name);
    assert_eq!(rest.split(|byte| *byte == b'?').next(), path.split(|byte| *byte == b'?').next());
    let decoded = |query: Vec<u8>| form_urlencoded::parse(&query).into_owned().collect::<Vec<_>>();
    let mut expected = decoded(query(path));
    expected.retain(|(other, _)| other != name);
    assert_eq!(decoded(query(&rest)), expected);
}

fn path<'d>(pairs: &Pairs<'d>) -> &'d [u8] {
    pairs.iter().find(|(name, _)| *name == b":path").map_or(&b""[..], |(_, value)| value)
}

fn query(path: &[u8]) -> Vec<u8> {
    path.splitn(2, |byte| *byte == b'?').nth(1).map(<[u8]>::to_vec).unwrap_or_default()
}

/// So do the other protocols.
fn protocols(pairs: &Pairs<'_>) {
    let mut expected = split(&values(pairs, &SEC_WEBSOCKET_PROTOCOL), b',');
    expected.retain(|item| !item.starts_with(PROTOCOL.as_bytes()));
    let rest = credential::without_protocol(&Headers::new(pairs.clone()), PROTOCOL);
    assert_eq!(split(&[&rest], b','), expected);
}

/// What remains of a response sets no cookie of ours, and what deletes it does nothing else.
fn set_cookie(pairs: &Pairs<'_>, cookie_name: &str) {
    let cookie = Cookie {
        name: cookie_name.to_owned(),
        path: "/".to_owned(),
        domain: None,
        same_site: SameSite::Lax,
        secure: true,
        http_only: true,
    };
    let others = |values: &[Vec<u8>]| {
        let pairs = values.iter().map(|value| (&b"set-cookie"[..], value.as_slice())).collect();
        cookie.others(&Headers::new(pairs), NOW)
    };
    let name = HeaderName::known("set-cookie");
    let all: Vec<_> = values(pairs, &name).iter().map(|value| value.to_vec()).collect();
    let sets = |value: &[u8]| sets(value, cookie_name);
    let Some(remaining) = others(&all) else {
        assert!(!all.iter().any(|value| sets(value)));
        return;
    };
    assert!(remaining.others.len() < all.len());
    assert!(remaining.others.iter().all(|other| all.contains(other) && !sets(other)));
    assert_eq!(others(&remaining.others), None);
    for deletion in &remaining.deletions {
        assert!(deletion.starts_with(format!("{cookie_name}=;").as_bytes()), "{}", String::from_utf8_lossy(deletion));
        let again = others(std::slice::from_ref(deletion)).unwrap();
        assert_eq!(again.deletions, std::slice::from_ref(deletion));
    }
}

/// Whether a browser that takes this `set-cookie` sends a cookie of that name from then on (RFC 6265bis, sections 5.6 and
/// 5.8.3).
pub(super) fn sets(value: &[u8], name: &str) -> bool {
    let pair = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let equals = pair.iter().position(|byte| *byte == b'=');
    let (key, value) = equals.map_or((&b""[..], pair), |equals| (&pair[..equals], &pair[equals + 1..]));
    let sent = if key.trim_ascii().is_empty() { value.trim_ascii() } else { pair };
    sent.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii() == name.as_bytes()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "x-wristband-token: t",
        "x-wristband-token: t\nx-wristband-token: u",
        "authorization: Bearer t\nauthorization: Basic dTpw",
        "authorization: Basic x, bearer b",
        "cookie: a=1; wb=t; b=\"x;y\"\ncookie: c=3",
        "cookie: a=1, wb=u; wb=\"t\"",
        ":path: /a?b=c&t%6fken=t&d;e=f#g",
        ":path: /a?b=1;token=u&token=t",
        "sec-websocket-protocol: chat, wb.t , superchat",
        "cookie: w_b=t; w.b=u; a=1 wb=\"u\"",
        "cookie: a=\"x; w_b=t; wb=t; y\"; w-b[0]=u",
        ":path: /a?to_ken=t&to.ken=u&to[ken=v&+token[a]=w&[token]=x",
        ":path: /a?to_ken=t&tok%65n=u&%0atoken%00=w;to%2eken%5b%5d",
        "set-cookie: wb=x; Path=/; Max-Age=0\nset-cookie: a=1; Secure\nset-cookie: =wb=y",
        "set-cookie: wb=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; max-age = -1",
    ];
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

//! How others read cookies and parameters, written down from what they do and not from what the filter thinks that they do.

/// The readers of a `cookie` header that find a cookie of this name in these lines.
pub(super) fn cookie(lines: &[&[u8]], name: &[u8]) -> Vec<&'static str> {
    let joined = |with: &[u8]| lines.join(with);
    let mut texts: Vec<_> = lines.iter().map(|line| line.to_vec()).collect();
    texts.extend([joined(b"; "), joined(b", "), joined(b" ")]);
    let mut found = Vec::new();
    let mut note = |reader: &'static str, finds: bool| found.extend(finds.then_some(reader));
    for text in &texts {
        note("Python", python(text).iter().any(|key| key == name));
        note("PHP", keys(text, b";").any(|key| php_cookie(key).as_deref() == Some(name)));
        for (reader, separators) in
            [("splits at ;", &b";"[..]), ("splits at ; and ,", b";,"), ("splits at all", b";, \t")]
        {
            let keys: Vec<_> = keys(text, separators).collect();
            note(reader, keys.iter().any(|key| trimmed(key).eq_ignore_ascii_case(name)));
        }
    }
    found
}

/// The readers of a query that find a parameter of this name in it.
pub(super) fn parameter(query: &[u8], name: &[u8]) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut note = |reader: &'static str, finds: bool| found.extend(finds.then_some(reader));
    for separators in [&b"&"[..], b"&;"] {
        for key in keys(query, separators).map(decoded) {
            note("trims and folds", trimmed(&key).eq_ignore_ascii_case(name));
            note("PHP", php(&key).as_deref() == Some(name));
            note("cuts at [", key.split(|byte| *byte == b'[').next() == Some(name));
            let inside = key.split(|byte| matches!(byte, b'[' | b']')).find(|part| !part.is_empty());
            note("[name]", inside == Some(name) && key.ends_with(b"]"));
        }
    }
    found
}

/// What stands before the `=` of each part that has one.
fn keys<'t>(text: &'t [u8], separators: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
    let parts = text.split(|byte| separators.contains(byte));
    parts.filter_map(|part| Some(part.split_at(part.iter().position(|byte| *byte == b'=')?).0))
}

/// Without what one or the other takes for space, in ASCII or in Latin-1, and without quotes.
fn trimmed(mut key: &[u8]) -> &[u8] {
    let is_junk = |byte: &u8| *byte <= b' ' || matches!(byte, b'"' | 0x7f..=0xa0);
    while let Some((_, rest)) = key.split_first().filter(|(first, _)| is_junk(first)) {
        key = rest;
    }
    while let Some((_, rest)) = key.split_last().filter(|(last, _)| is_junk(last)) {
        key = rest;
    }
    key
}

fn decoded(key: &[u8]) -> Vec<u8> {
    let (mut bytes, mut index) = (Vec::new(), 0);
    while index < key.len() {
        let hex = key.get(index + 1..index + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (key[index], hex) {
            (b'%', Some(digits)) => {
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                index += 2;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        index += 1;
    }
    bytes
}

/// The variable that PHP makes of a key (`php_register_variable_ex`): without spaces before it, up to a zero byte, with `_`
/// for points and spaces. A bracket starts an index if another one ends it, and is one more `_` otherwise.
fn php(key: &[u8]) -> Option<Vec<u8>> {
    let key = key.split(|byte| *byte == 0).next().unwrap();
    let start = key.iter().position(|byte| *byte != b' ')?;
    let mut name = Vec::new();
    for (index, byte) in key.iter().enumerate().skip(start) {
        match byte {
            b'.' | b' ' => name.push(b'_'),
            b'[' if key[index..].contains(&b']') => break,
            b'[' => {
                name.push(b'_');
                name.extend_from_slice(&key[index + 1..]);
                break;
            }
            byte => name.push(*byte),
        }
    }
    (!name.is_empty()).then_some(name)
}

/// Of a cookie too, but that none becomes one of those that browsers protect.
fn php_cookie(key: &[u8]) -> Option<Vec<u8>> {
    let key = key.trim_ascii_start();
    let is_protected = |name: &[u8]| name.starts_with(b"__Host-") || name.starts_with(b"__Secure-");
    php(key).filter(|name| !is_protected(name) || is_protected(key))
}

/// The cookies that Python's `http.cookies.SimpleCookie` finds: by a regular expression from where the one before has ended,
/// and none after the first place where it does not match.
fn python(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut keys, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let Some((key, has_value, end)) = python_match(text, at) else { break };
        if has_value {
            keys.push(key.to_vec());
        }
        at = end;
    }
    keys
}

/// `\s*(KEY+?)(\s*=\s*("…"|VALUE*))?\s*(\s+|;|$)`
fn python_match(text: &[u8], start: usize) -> Option<(&[u8], bool, usize)> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#%&'~_`><@,:/$*+-.^|)(?}{=".contains(byte);
    let is_value = |byte: &u8| is_key(byte) || matches!(byte, b'[' | b']');
    let byte = |at: usize| text.get(at);
    let spaces = |at: usize| at + text[at..].iter().take_while(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).count();
    // After a value, or after a key without one.
    let end = |at: usize| {
        let after = spaces(at);
        match byte(after) {
            Some(b';') => Some(after + 1),
            None => Some(after),
            Some(_) => (after > at).then_some(after),
        }
    };
    let quoted = |at: usize| {
        let (mut at, mut is_escaped) = (at + 1, false);
        while let Some(next) = byte(at) {
            match next {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return Some(at + 1),
                _ => {}
            }
            at += 1;
        }
        None
    };
    let first = spaces(start);
    let longest = first + text[first..].iter().take_while(|byte| is_key(byte)).count();
    for last in first + 1..=longest {
        let equals = spaces(last);
        if byte(equals) == Some(&b'=') {
            for value in (equals + 1..=spaces(equals + 1)).rev() {
                let in_quotes = if byte(value) == Some(&b'"') { quoted(value) } else { None };
                let plain = value + text[value..].iter().take_while(|byte| is_value(byte)).count();
                if let Some(end) = in_quotes.and_then(end).or_else(|| end(plain)) {
                    return Some((&text[first..last], true, end));
                }
            }
        }
        if let Some(end) = end(last) {
            return Some((&text[first..last], false, end));
        }
    }
    None
}

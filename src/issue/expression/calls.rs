//! Which functions the text of an expression calls, as far as that can be said without a parser: texts and comments are no
//! calls.

/// Whether it goes through the items of a list or map. Envoy gives up after some 10,000 of them, all such calls of an
/// expression together: that looks like no value.
#[must_use]
pub fn iterates(source: &str) -> bool {
    let code = code(source);
    ["map", "filter", "exists", "exists_one", "all"].into_iter().any(|name| calls(&code, name, true))
}

/// Whether it calls `map` or `filter`, for which Envoy takes quadratic time.
#[must_use]
pub fn calls_map_or_filter(source: &str) -> bool {
    let code = code(source);
    ["map", "filter"].into_iter().any(|name| calls(&code, name, true))
}

/// Whether it asks for the size of something, by which a list can be kept short.
#[must_use]
pub fn is_guarded(source: &str) -> bool {
    calls(&code(source), "size", false)
}

/// Whether a function of this name is called, `as_member` behind a point alone.
fn calls(code: &str, name: &str, as_member: bool) -> bool {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    code.match_indices(name).any(|(start, _)| {
        let (before, rest) = code.split_at_checked(start).unwrap_or_default();
        let after = rest.strip_prefix(name).unwrap_or_default();
        !before.ends_with(is_name)
            && (!as_member || before.trim_end().ends_with('.'))
            && after.trim_start().starts_with('(')
    })
}

/// An expression without its texts and comments, each a space.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            code.push(' ');
            rest = comment.find(['\n', '\r']).and_then(|end| comment.get(end..)).unwrap_or_default();
            continue;
        }
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        let Some(quote) = quote else {
            code.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            continue;
        };
        // An `r` before it, without a letter before that, has backslashes mean themselves.
        let mut before =
            code.chars().rev().map(|letter| letter.to_ascii_lowercase()).take_while(char::is_ascii_alphabetic);
        let is_raw = before.any(|letter| letter == 'r');
        rest = after_text(rest.strip_prefix(quote).unwrap_or_default(), quote, is_raw);
        code.push(' ');
    }
    code
}

/// What follows a text that ends with `quote`.
fn after_text<'s>(mut rest: &'s str, quote: &str, is_raw: bool) -> &'s str {
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(quote) {
            return after;
        }
        let escape = next == '\\' && !is_raw;
        let skipped = rest.chars().take(if escape { 2 } else { 1 }).map(char::len_utf8).sum();
        rest = rest.get(skipped..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_and_what_only_looks_like_one_is_none() {
        for source in [
            "P.map(r, r)",
            "P . map (r, r)",
            "P.filter(r, r == 'a')[0]",
            "'x'.map(r, r)",
            "P.\nmap\n(r, r)",
            "r'\\'.map(r, r)",
            "'''a'b''' == 'c' || P.map(r, r)",
        ] {
            assert!(calls_map_or_filter(source), "{source}");
        }
        for source in [
            "P.exists(r, r == 'x.map(r, r)')",
            "P.mapped(r)",
            "P.map",
            "P.a_filter(r)",
            "1 // P.map(r, r)",
            "map(r, r)",
            "\"\\\".map(r, r)\"",
            "'''a'.map(r, r)'''",
            "",
        ] {
            assert!(!calls_map_or_filter(source), "{source}");
        }
        for (source, expected) in [
            ("P.exists(r, true)", true),
            ("P.all (r, true)", true),
            ("P.exists_one(r, true)", true),
            ("P.overall(r)", false),
            ("size(P) > 0", false),
            ("P.map(r, r)", true),
        ] {
            assert_eq!(iterates(source), expected, "{source}");
        }
        for (source, guarded) in [
            ("size(P) <= 256 ? P.map(r, r) : []", true),
            ("P.size() <= 256 && P.map(r, r)", true),
            ("P.map(r, 'size(r)')", false),
            ("P.map(r, r.oversize(1))", false),
        ] {
            assert_eq!(is_guarded(source), guarded, "{source}");
        }
    }
}

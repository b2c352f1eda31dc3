//! Authorino's selectors, patterns and CEL, as CEL over Envoy's attributes.

use serde_json::Value;

use super::text;
use crate::cli::cel;

/// Where the payload of an accepted token is for the filters behind `jwt_authn`, and what Authorino says for those behind it.
pub(super) const JWT: &str = "metadata.filter_metadata['envoy.filters.http.jwt_authn'].payload";
pub(super) const EXT_AUTHZ: &str = "metadata.filter_metadata['envoy.filters.http.ext_authz'].identity";

/// How to translate.
pub(super) struct Language {
    /// Whether the identity is the payload of a JWT.
    pub(super) is_jwt: bool,
}

impl Language {
    /// A path into Authorino's authorization JSON, as CEL over Envoy's attributes.
    pub(super) fn selector(&self, selector: &str) -> Option<String> {
        let is_plain = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let segments: Vec<_> = selector.split('.').collect();
        if !segments.iter().all(|segment| is_plain(segment)) {
            return None;
        }
        let is_index = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        // CEL has words of its own, and names that begin with no digit.
        let is_name = |name: &str| !name.contains('-') && cel::problem(&format!("x.{name}")).is_none();
        let member = |path: &str, name: &&str| match name {
            name if is_index(name) => format!("{path}[{name}]"),
            name if is_name(name) => format!("{path}.{name}"),
            name => format!("{path}['{name}']"),
        };
        match segments.as_slice() {
            ["auth", "identity"] => Some(if self.is_jwt { JWT } else { EXT_AUTHZ }.to_owned()),
            ["auth", "identity", path @ ..] if self.is_jwt => {
                Some(path.iter().fold(JWT.to_owned(), |all, name| member(&all, name)))
            }
            // Authorino has to hand it over; it is called by its last name.
            ["auth", "identity", .., last] if !is_index(last) => Some(member(EXT_AUTHZ, last)),
            ["context", "request", "http", "headers", name] | ["request", "headers", name] => {
                Some(format!("request.headers['{}']", name.to_ascii_lowercase()))
            }
            ["context", "request", "http", name @ ("path" | "method" | "host" | "scheme")]
            | ["request", name @ ("path" | "method" | "host" | "scheme")] => Some(format!("request.{name}")),
            _ => None,
        }
    }

    /// CEL over Authorino's variables, as CEL over Envoy's attributes, where all that it speaks of can be translated.
    pub(super) fn cel(&self, cel: &str) -> Option<String> {
        let identity = if self.is_jwt { JWT } else { EXT_AUTHZ };
        let translated = cel.replace("auth.identity", identity);
        let is_known =
            !translated.contains("auth.") && !translated.contains("context.") && !translated.contains("source.");
        (is_known && cel::problem(&translated).is_none()).then_some(translated)
    }

    /// A condition; `None` where it cannot be translated.
    pub(super) fn condition(&self, pattern: &Value) -> Option<String> {
        let several = |name: &str, operator: &str| {
            let patterns = pattern.get(name)?.as_array()?;
            let conditions: Option<Vec<_>> = patterns.iter().map(|pattern| self.condition(pattern)).collect();
            Some(format!("({})", conditions?.join(operator)))
        };
        if let Some(conditions) = several("all", " && ").or_else(|| several("any", " || ")) {
            return Some(conditions);
        }
        if let Some(predicate) = text(pattern, "/predicate") {
            return self.cel(predicate).map(|cel| format!("({cel})"));
        }
        let selected = self.selector(text(pattern, "/selector")?)?;
        let value = format!("'{}'", text(pattern, "/value")?.replace('\\', "\\\\").replace('\'', "\\'"));
        Some(match text(pattern, "/operator")? {
            "eq" => format!("{selected} == {value}"),
            "neq" => format!("{selected} != {value}"),
            "incl" => format!("{value} in {selected}"),
            "excl" => format!("!({value} in {selected})"),
            "matches" => format!("{selected}.matches({value})"),
            _ => return None,
        })
    }
}

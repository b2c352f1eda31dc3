//! The HTTP connection manager that a plugin is a filter of.

use std::ptr;

use serde_json::Value;

use super::{Say, has};
use crate::cli::check::Severity;
use crate::cli::document::Node;
use crate::jose::path::harmless;

/// The passwords of the samples, as `basic_auth` has them.
const PASSWORDS: [&str; 2] = ["{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=", "{SHA}9SMYoF5RilWWASry7TjeaKwmpGg="];

/// Filters that may do anything to headers.
const OPAQUE: [&str; 7] = [
    ".Lua",
    ".ExtAuthz",
    ".ExternalProcessor",
    ".Wasm",
    ".golang.v3alpha.Config",
    ".DynamicModuleFilter",
    ".ExtensionWithMatcher",
];

pub(super) fn remarks(manager: &Node, plugin: &Node, value: &Value, say: &mut Say<'_>) {
    let underscores = manager.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
    let writes = ["outputClaimToHeaders", "outputPayloadToHeader"];
    let writes = writes.iter().any(|name| value.get("verify").is_some_and(|verify| verify.get(name).is_some()));
    if underscores.is_none() && writes {
        let message = "is missing: some servers take `x_wristband_sub` for `x-wristband-sub`, which a client may send; use \
             `DROP_HEADER`";
        let path = "common_http_protocol_options.headers_with_underscores_action";
        say(manager, path, Severity::Warning, message.to_owned());
    }
    of_identity(manager, plugin, value, say);
    of_callers_without_a_token(manager, plugin, value, say);
    let has_password =
        |filter: &Node| has(filter, "inline_string", &|node| PASSWORDS.iter().any(|known| says(node, known)));
    if manager.at(&["http_filters"]).is_some_and(has_password) {
        let message = "has a password of the samples, which everyone knows".to_owned();
        say(manager, "http_filters", Severity::Warning, message);
    }
}

fn says(node: &Node, part: &str) -> bool {
    node.text().is_some_and(|text| text.contains(part))
}

/// Filters that may deny a request for who sends it.
const DECIDING: [&str; 3] = [".RBAC", ".JwtAuthentication", ".BasicAuth"];

/// With `optional` a filter behind this one decides about requests without a token.
fn of_callers_without_a_token(manager: &Node, plugin: &Node, value: &Value, say: &mut Say<'_>) {
    let is_optional = value.pointer("/verify/mode").and_then(Value::as_str) == Some("optional");
    let filters = manager.at(&["http_filters"]).map(Node::items).unwrap_or_default();
    let mut behind = filters.iter().skip_while(|filter| !is_of(filter, plugin)).skip(1);
    if is_optional && !behind.any(|filter| is_opaque(filter) || is_of_kind(filter, &DECIDING)) {
        let message = "no filter behind this one decides about requests without a token, and with `mode: optional` they pass; \
             if they may not, add RBAC, or use `mode: require`";
        say(manager, "http_filters", Severity::Hint, message.to_owned());
    }
}

fn is_of(filter: &Node, plugin: &Node) -> bool {
    filter.at(&["typed_config", "config"]).is_some_and(|config| ptr::eq(config, plugin))
}

/// Headers that say who someone is, and that a client can write.
fn of_identity(manager: &Node, plugin: &Node, value: &Value, say: &mut Say<'_>) {
    let identity = value.pointer("/issue/identity");
    let sources = identity.map(|identity| identity.as_array().map_or(std::slice::from_ref(identity), Vec::as_slice));
    let headers = sources.unwrap_or_default().iter().filter_map(|source| source.get("header").and_then(Value::as_str));
    let filters = manager.at(&["http_filters"]).map(Node::items).unwrap_or_default();
    // What may be switched on by a route may also not be.
    let is_on = |filter: &Node| !filter.at(&["disabled"]).is_some_and(|disabled| says(disabled, "true"));
    let before = || filters.iter().take_while(|filter| !is_of(filter, plugin)).filter(|filter| is_on(filter));
    let early = manager.at(&["early_header_mutation_extensions"]).map(Node::items).unwrap_or_default();
    for header in headers {
        let is_early = early.iter().any(|extension| {
            extension.at(&["typed_config", "mutations"]).is_some_and(|mutations| removes(mutations, header))
        });
        if is_early || before().any(|filter| owns(filter, header)) {
            continue;
        }
        let header = harmless(header).map_or("the header of `identity`".to_owned(), |header| format!("`{header}`"));
        let (severity, who) = if before().any(|filter| is_opaque(filter)) {
            (Severity::Hint, "nothing that can be read here")
        } else {
            (Severity::Warning, "nothing")
        };
        let message = format!("{who} removes {header} from what clients send, so a client can be anyone who writes it");
        say(manager, "http_filters", severity, message);
    }
}

/// Whether a filter takes away or replaces what a client sends in this header.
fn owns(filter: &Node, header: &str) -> bool {
    let is_it = |node: &Node| node.text().is_some_and(|text| text.eq_ignore_ascii_case(header));
    let Some(config) = filter.at(&["typed_config"]) else {
        return false;
    };
    config.at(&["mutations", "request_mutations"]).is_some_and(|mutations| removes(mutations, header))
        // basic_auth sets it. jwt_authn removes its own from every request.
        || config.at(&["forward_username_header"]).is_some_and(is_it)
        || config.at(&["providers"]).is_some_and(|providers| {
            has(providers, "header_name", &is_it) && has(providers, "claim_to_headers", &|_| true)
                || has(providers, "forward_payload_header", &is_it)
        })
}

fn removes(mutations: &Node, header: &str) -> bool {
    let is_it = |node: &Node| node.text().is_some_and(|text| text.eq_ignore_ascii_case(header));
    mutations.items().iter().any(|mutation| mutation.at(&["remove"]).is_some_and(is_it))
}

fn is_opaque(filter: &Node) -> bool {
    is_of_kind(filter, &OPAQUE)
}

fn is_of_kind(filter: &Node, kinds: &[&str]) -> bool {
    let kind = filter.at(&["typed_config", "@type"]).and_then(Node::text).unwrap_or_default();
    kinds.iter().any(|end| kind.ends_with(end))
}

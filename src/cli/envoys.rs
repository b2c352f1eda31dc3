//! What goes wrong around a configuration, in what Envoy or a control plane has to be told beside it.

use serde_json::Value;

use super::check::Severity;
use super::document::{Node, Place};
use super::find::Found;
use crate::jose::path::Path;

/// Something that is to be said.
pub(super) struct Remark {
    pub(super) place: Place,
    pub(super) path: String,
    pub(super) severity: Severity,
    pub(super) message: String,
}

/// What every filter needs of Envoy, what those need that fetch, those in which requests wait for keys, and those with `replay`.
const NEEDED: [&str; 22] = [
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_call_foreign_function",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "environ_get",
    "environ_sizes_get",
    "clock_time_get",
    "random_get",
];
const FETCHING: [&str; 5] = [
    "proxy_on_tick",
    "proxy_on_http_call_response",
    "proxy_set_tick_period_milliseconds",
    "proxy_http_call",
    "proxy_set_effective_context",
];
const WAITING: [&str; 3] = ["proxy_on_request_body", "proxy_on_request_trailers", "proxy_continue_stream"];
const SHARING: [&str; 2] = ["proxy_get_shared_data", "proxy_set_shared_data"];

/// All remarks on what is around a configuration, and on what it trusts.
pub(super) fn remarks(found: &Found) -> Vec<Remark> {
    let Some(value) = found.value() else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    of_trust(found, &value, &mut remarks);
    let Some(plugin) = found.around.last().filter(|plugin| plugin.member("vm_config").is_some()) else {
        return remarks;
    };
    let mut say = |node: &Node, path: &str, severity, message: String| {
        remarks.push(Remark { place: node.place, path: path.to_owned(), severity, message });
    };
    of_failures(plugin, &mut say);
    of_variables(plugin, &value, &mut say);
    of_capabilities(plugin, &value, &mut say);
    let manager = found.around.iter().rev().find(|node| node.member("http_filters").is_some());
    if let Some(manager) = manager {
        of_manager(manager, &value, &mut say);
    }
    of_clusters(found, &value, &mut say);
    remarks
}

/// Peers whose word has no limits.
fn of_trust(found: &Found, value: &Value, remarks: &mut Vec<Remark>) {
    let peers = value.get("peers").and_then(Value::as_array).into_iter().flatten().enumerate();
    for (index, peer) in peers {
        let is_limited = ["subjects", "claims", "audiences"].iter().any(|name| peer.get(name).is_some());
        if !is_limited && value.get("verify").is_some() {
            let path = Path::of(&["peers"]).item(index);
            remarks.push(Remark {
                place: found.place_of(&path),
                path: path.to_string(),
                severity: Severity::Hint,
                message: "may name everyone, with every claim; limit it by `subjects`, `claims` or `audiences`"
                    .to_owned(),
            });
        }
    }
}

fn of_failures(plugin: &Node, say: &mut impl FnMut(&Node, &str, Severity, String)) {
    let policy = plugin.member("failure_policy");
    let is_open = policy.is_some_and(|policy| policy.text() == Some("FAIL_OPEN"))
        || plugin.member("fail_open").is_some_and(|open| open.text() == Some("true"));
    let place = policy.map_or(plugin, |policy| policy);
    if is_open {
        let message =
            "after a crash, and where the module cannot be loaded, every request passes unverified; use `FAIL_RELOAD`";
        say(place, "failure_policy", Severity::Warning, message.to_owned());
    } else if policy.is_none_or(|policy| policy.text() != Some("FAIL_RELOAD")) {
        let message = "without `FAIL_RELOAD` one crash of a plugin is 503 for good";
        say(place, "failure_policy", Severity::Warning, message.to_owned());
    }
}

/// Every text of this name, wherever it stands in a value.
fn texts<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, name, found)),
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_str));
            members.values().for_each(|member| texts(member, name, found));
        }
        _ => {}
    }
}

fn of_variables(plugin: &Node, value: &Value, say: &mut impl FnMut(&Node, &str, Severity, String)) {
    let mut variables = Vec::new();
    texts(value, "environmentVariable", &mut variables);
    let environment = plugin.at(&["vm_config", "environment_variables"]);
    let listed = |name: &str| {
        let keys = environment.and_then(|environment| environment.at(&["host_env_keys"])).map(Node::items);
        let is_of_host = keys.unwrap_or_default().iter().any(|key| key.text() == Some(name));
        let values = environment.and_then(|environment| environment.at(&["key_values"]));
        is_of_host || values.is_some_and(|values| values.member(name).is_some())
    };
    for name in variables.into_iter().filter(|name| !listed(name)) {
        let path = "vm_config.environment_variables.host_env_keys";
        let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let shown = if is_name { format!("`{name}`") } else { "a variable".to_owned() };
        let message = format!("does not list {shown}, so the filter does not see it");
        say(environment.unwrap_or(plugin), path, Severity::Error, message);
    }
}

fn of_capabilities(plugin: &Node, value: &Value, say: &mut impl FnMut(&Node, &str, Severity, String)) {
    let path = ["vm_config", "capability_restriction_config", "allowed_capabilities"];
    let Some(allowed) = plugin.at(&path).filter(|allowed| !allowed.members().is_empty()) else {
        return;
    };
    let has = |pointer: &str| value.pointer(pointer).is_some();
    let peers = value.get("peers").and_then(Value::as_array);
    let waits = peers.is_some_and(|peers| peers.iter().any(|peer| peer.get("remoteJwks").is_some()));
    let fetches = waits || has("/signingKeyRefs/0/key/cluster");
    let mut needed: Vec<_> = NEEDED.into();
    needed.extend(FETCHING.iter().filter(|_| fetches));
    needed.extend(WAITING.iter().filter(|_| waits));
    needed.extend(SHARING.iter().filter(|_| has("/verify/replay")));
    needed.retain(|name| allowed.member(name).is_none());
    if !needed.is_empty() {
        let message = format!("lacks {}, without which the filter does not work", needed.join(", "));
        say(allowed, &path.join("."), Severity::Error, message);
    }
}

fn of_manager(manager: &Node, value: &Value, say: &mut impl FnMut(&Node, &str, Severity, String)) {
    let underscores = manager.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
    let writes = ["outputClaimToHeaders", "outputPayloadToHeader"];
    let writes = writes.iter().any(|name| value.get("verify").is_some_and(|verify| verify.get(name).is_some()));
    if underscores.is_none() && writes {
        let message = "is missing: some servers take `x_wristband_sub` for `x-wristband-sub`, which a client may send; use \
             `DROP_HEADER`";
        let path = "common_http_protocol_options.headers_with_underscores_action";
        say(manager, path, Severity::Warning, message.to_owned());
    }
    let mut headers = Vec::new();
    if let Some(identity) = value.pointer("/issue/identity") {
        texts(identity, "header", &mut headers);
    }
    let filters = manager.member("http_filters").map(|filters| filters.items()).unwrap_or_default();
    let before = filters.iter().take_while(|filter| filter.at(&["typed_config", "config", "vm_config"]).is_none());
    for header in headers {
        let is_removed = before.clone().any(|filter| mentions(filter, "remove", header));
        if !is_removed {
            let message =
                format!("nothing removes `{header}` from what clients send, so a client can be anyone who writes it");
            say(manager, "http_filters", Severity::Warning, message);
        }
    }
    // The passwords of the samples, as basic_auth has them.
    for password in ["{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ=", "{SHA}9SMYoF5RilWWASry7TjeaKwmpGg="] {
        if filters.iter().any(|filter| contains(filter, password)) {
            say(
                manager,
                "http_filters",
                Severity::Warning,
                "has a password of the samples, which everyone knows".to_owned(),
            );
        }
    }
}

/// Whether there is a member of this name with this text somewhere inside.
fn mentions(node: &Node, name: &str, text: &str) -> bool {
    let is_it = |(known, _, inner): &(String, Place, std::rc::Rc<Node>)| {
        known == name && inner.text().is_some_and(|found| found.eq_ignore_ascii_case(text))
            || mentions(inner, name, text)
    };
    node.members().iter().any(is_it) || node.items().iter().any(|item| mentions(item, name, text))
}

/// Whether a text stands somewhere inside.
fn contains(node: &Node, text: &str) -> bool {
    node.text().is_some_and(|found| found.contains(text))
        || node.members().iter().any(|(.., inner)| contains(inner, text))
        || node.items().iter().any(|item| contains(item, text))
}

/// The clusters that keys are fetched over, where the file has clusters at all.
fn of_clusters(found: &Found, value: &Value, say: &mut impl FnMut(&Node, &str, Severity, String)) {
    let clusters = found.around.iter().find_map(|node| node.at(&["static_resources", "clusters"]));
    let Some(clusters) = clusters else {
        return;
    };
    let of_name =
        |name: &str| clusters.items().iter().find(|cluster| cluster.at(&["name"]).and_then(Node::text) == Some(name));
    let remote = value.get("peers").and_then(Value::as_array).into_iter().flatten();
    let remote = remote.filter_map(|peer| Some((peer.pointer("/remoteJwks/cluster")?.as_str()?, true)));
    let own = value.pointer("/signingKeyRefs/0/key/cluster").and_then(Value::as_str).map(|name| (name, false));
    for (name, is_remote) in remote.chain(own) {
        match of_name(name) {
            None => {
                let message = format!("has no `{name}`, over which keys are to be fetched");
                say(clusters, "static_resources.clusters", Severity::Warning, message);
            }
            Some(cluster) if is_remote => {
                let is_checked = ["trusted_ca", "auto_san_validation"].iter().all(|name| has_name(cluster, name));
                if !is_checked {
                    let message = format!(
                        "nobody checks who answers over `{name}`, and whoever does names the keys; it needs TLS with \
                         `trusted_ca`, `auto_sni` and `auto_san_validation`"
                    );
                    say(cluster, "static_resources.clusters", Severity::Warning, message);
                }
            }
            Some(_) => {}
        }
    }
}

fn has_name(node: &Node, name: &str) -> bool {
    node.members().iter().any(|(known, _, inner)| known == name || has_name(inner, name))
        || node.items().iter().any(|item| has_name(item, name))
}

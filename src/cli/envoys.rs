//! What goes wrong around a configuration, in what Envoy or a control plane has to be told beside it.

mod manager;
mod planes;

use serde_json::Value;

use super::check::Severity;
use super::document::{Node, Place};
use super::find::Found;
use crate::jose::path::{Path, harmless};

/// Takes what is to be said: of what, where in it, how much it matters.
type Say<'s> = dyn FnMut(&Node, &str, Severity, String) + 's;

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
    let Some(around) = found.around.last() else {
        return remarks;
    };
    let mut say = |node: &Node, path: &str, severity, message: String| {
        remarks.push(Remark { place: node.place, path: path.to_owned(), severity, message });
    };
    if around.member("vm_config").is_none() {
        planes::remarks(around, &value, &mut say);
        return remarks;
    }
    let plugin = around;
    of_failures(plugin, &mut say);
    let environment = plugin.at(&["vm_config", "environment_variables"]);
    let keys = environment.and_then(|environment| environment.at(&["host_env_keys"])).map(Node::items);
    let values = environment.and_then(|environment| environment.at(&["key_values"]));
    let listed = |name: &str| {
        keys.unwrap_or_default().iter().any(|key| key.text() == Some(name))
            || values.is_some_and(|values| values.member(name).is_some())
    };
    let path = "vm_config.environment_variables.host_env_keys";
    of_variables(&value, listed, |message| say(environment.unwrap_or(plugin), path, Severity::Error, message));
    of_capabilities(plugin, &value, &mut say);
    let manager = found.around.iter().rev().find(|node| node.member("http_filters").is_some());
    if let Some(manager) = manager {
        manager::remarks(manager, plugin, &value, &mut say);
    }
    of_clusters(found, &value, &mut say);
    remarks
}

/// Peers whose word has no limits, and wristbands of our own that we deny.
fn of_trust(found: &Found, value: &Value, remarks: &mut Vec<Remark>) {
    let verify = value.get("verify").filter(|verify| verify.get("audiences").is_none());
    if verify.is_some() && value.pointer("/issue/audiences").is_some() {
        let path = Path::of(&["verify"]);
        remarks.push(Remark {
            place: found.place_of(&path),
            path: path.to_string(),
            severity: Severity::Hint,
            message: "has no `audiences`, so every token with an `aud` is denied, our own wristbands among them"
                .to_owned(),
        });
    }
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

fn of_failures(plugin: &Node, say: &mut Say<'_>) {
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

/// The variables that a configuration names, and that are not listed where the filter would get them from.
fn of_variables(value: &Value, listed: impl Fn(&str) -> bool, mut say: impl FnMut(String)) {
    let items = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let peers = items(value, "peers");
    let keys = peers.iter().flat_map(|peer| items(peer, "keys")).chain(items(value, "signingKeyRefs"));
    let sources = keys.filter_map(|key| key.get("key").cloned());
    let sources = sources.chain(peers.iter().filter_map(|peer| peer.get("jwks").cloned()));
    for source in sources {
        let name = source.get("environmentVariable").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| !listed(name)) {
            let shown = harmless(name).map_or("a variable".to_owned(), |name| format!("`{name}`"));
            say(format!("does not list {shown}, so the filter does not see it"));
        }
    }
}

fn of_capabilities(plugin: &Node, value: &Value, say: &mut Say<'_>) {
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

/// The clusters that keys are fetched over, where the file has all that there are.
fn of_clusters(found: &Found, value: &Value, say: &mut Say<'_>) {
    let Some(bootstrap) = found.around.iter().find(|node| node.at(&["static_resources", "clusters"]).is_some()) else {
        return;
    };
    let Some(clusters) = bootstrap.at(&["static_resources", "clusters"]) else {
        return;
    };
    let has_others = bootstrap.at(&["dynamic_resources", "cds_config"]).is_some()
        || bootstrap.at(&["dynamic_resources", "ads_config"]).is_some();
    let of_name =
        |name: &str| clusters.items().iter().find(|cluster| cluster.at(&["name"]).and_then(Node::text) == Some(name));
    let remote = value.get("peers").and_then(Value::as_array).into_iter().flatten();
    let remote = remote.filter_map(|peer| Some((peer.pointer("/remoteJwks/cluster")?.as_str()?, true)));
    let own = value.pointer("/signingKeyRefs/0/key/cluster").and_then(Value::as_str).map(|name| (name, false));
    for (name, is_remote) in remote.chain(own) {
        let shown = harmless(name).map_or("such a cluster".to_owned(), |name| format!("`{name}`"));
        match of_name(name) {
            None if !has_others => {
                let message = format!("has no {shown}, over which keys are to be fetched");
                say(clusters, "static_resources.clusters", Severity::Warning, message);
            }
            Some(cluster) if is_remote && !is_checked(cluster) => {
                let message = format!(
                    "nobody checks who answers over {shown}, and whoever does names the keys; it needs TLS with \
                     `trusted_ca`, `auto_sni` and `auto_san_validation`"
                );
                say(cluster, "static_resources.clusters", Severity::Warning, message);
            }
            _ => {}
        }
    }
}

/// Whether a cluster checks the certificate and the name of who answers, as far as its text says it.
fn is_checked(cluster: &Node) -> bool {
    let is_true = |node: &Node| node.text().is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let is_some = |node: &Node| node.text().is_some_and(|text| !text.is_empty()) || !node.items().is_empty();
    let is_there = |node: &Node| is_some(node) || !node.members().is_empty();
    let is_by_secret = has(cluster, "validation_context_sds_secret_config", &is_there);
    let has_anchor = has(cluster, "trusted_ca", &is_there) || has(cluster, "system_root_certs", &|_| true);
    let has_name = ["auto_san_validation", "auto_sni_san_validation"].iter().any(|name| has(cluster, name, &is_true))
        || ["match_typed_subject_alt_names", "match_subject_alt_names"].iter().any(|name| has(cluster, name, &is_some));
    let accepts_all = has(cluster, "trust_chain_verification", &|node| node.text() == Some("ACCEPT_UNTRUSTED"));
    // What a secret says stands elsewhere.
    (has_anchor && has_name || is_by_secret) && !accepts_all
}

/// Whether a member of this name that is like this stands somewhere inside.
fn has(node: &Node, name: &str, is_it: &dyn Fn(&Node) -> bool) -> bool {
    node.member(name).is_some_and(|member| is_it(member))
        || node.members().iter().any(|(.., inner)| has(inner, name, is_it))
        || node.items().iter().any(|item| has(item, name, is_it))
}

//! The configurations that pages of `docs/` show, to be run as they stand there.

use serde_json::Value;

use super::config::{filter, listener, of_a_test};
use super::sample;

/// The YAML of a page, block by block.
pub fn blocks(name: &str) -> Vec<Value> {
    let page = super::read(&format!("docs/{name}.md"));
    page.split("```yaml\n").skip(1).map(|rest| sample::parse(rest.split("```").next().unwrap())).collect()
}

/// A listener whose connection manager has what a page shows of it. The filters get what the samples have beside it,
/// the permission for their keys included.
pub fn listening(name: &str, port: u16, shown: &Value) -> Value {
    let mut filters = shown["http_filters"].as_array().unwrap().clone();
    for shown in &mut filters {
        let Some(config) = shown["typed_config"].get_mut("config").and_then(Value::as_object_mut) else { continue };
        let configuration = of_a_test(&config["configuration"]["value"]);
        let complete = filter(&configuration)["typed_config"]["config"].take();
        config["configuration"]["value"] = configuration;
        for name in ["failure_policy", "vm_config", "capability_restriction_config"] {
            if let Some(value) = complete.get(name) {
                config.insert(name.to_owned(), value.clone());
            }
        }
    }
    let mut listener = listener(name, port, filters, super::config::to_upstream());
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config").unwrap();
    for (name, value) in shown.as_object().unwrap().iter().filter(|(name, _)| *name != "http_filters") {
        manager[name] = value.clone();
    }
    listener
}

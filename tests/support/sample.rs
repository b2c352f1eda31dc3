//! The configurations in `envoy/`, to be run on ports that are free.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::config::as_before_1_40;
use super::envoy::{free_port, is_before_1_40};

/// A sample, moved to free ports, its key file to a folder of its own.
pub struct Sample {
    pub bootstrap: Value,
    keys: TempDir,
}

/// Where samples have their keys in files.
pub const KEYS: [&str; 2] = ["target/cluster-a", "target/rotation"];

/// Every sample's file.
pub fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(super::path("envoy")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// A sample as it is, its aliases resolved.
pub fn parse(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}

impl Sample {
    /// Loads `envoy/{name}.yaml`. Equal ports stay equal, so listeners and clusters still find each other.
    pub fn load(name: &str) -> Self {
        let mut bootstrap = parse(&super::read(&format!("envoy/{name}.yaml")));
        if is_before_1_40() {
            as_before_1_40(&mut bootstrap);
        }
        let (mut moved, keys) = (BTreeMap::new(), TempDir::new().unwrap());
        visit(&mut bootstrap, &mut |members| {
            if let Some(port) = members.get_mut("port_value") {
                let to = moved.entry(port.as_u64().unwrap()).or_insert_with(free_port);
                *port = (*to).into();
            }
            for name in ["filename", "path"] {
                let rest = members
                    .get(name)
                    .and_then(Value::as_str)
                    .and_then(|text| KEYS.iter().find_map(|folder| text.strip_prefix(folder).map(str::to_owned)));
                if let Some(rest) = rest {
                    members.insert(name.to_owned(), format!("{}{rest}", keys.path().display()).into());
                }
            }
        });
        let sample = Self { bootstrap, keys };
        sample.put_key(&super::key("cluster-a-2026-11"));
        sample
    }

    /// Where its key file is.
    pub fn keys(&self) -> &Path {
        self.keys.path()
    }

    /// Puts another key in the place of the one in the file, as one moves a file.
    pub fn put_key(&self, text: &str) {
        let [next, current] = ["next.pem", "key.pem"].map(|name| self.keys.path().join(name));
        std::fs::write(&next, text).unwrap();
        std::fs::rename(&next, &current).unwrap();
    }

    /// The address of a listener, without a slash at its end.
    pub fn url(&self, listener: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(listener))
    }

    /// The port of a listener, which is on the loopback address.
    pub fn port(&self, listener: &str) -> u16 {
        let listeners = self.bootstrap["static_resources"]["listeners"].as_array().unwrap();
        let found = listeners.iter().find(|found| found["name"] == listener);
        let address = &found.unwrap_or_else(|| panic!("no listener `{listener}`"))["address"]["socket_address"];
        assert_eq!(address["address"], "127.0.0.1");
        address["port_value"].as_u64().unwrap().try_into().unwrap()
    }

    /// The plugin configuration of this name.
    pub fn plugin(&mut self, name: &str) -> &mut Value {
        plugin(&mut self.bootstrap, name).unwrap_or_else(|| panic!("no plugin `{name}`"))
    }
}

fn plugin<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| plugin(item, name)),
        Value::Object(members) => {
            if members.contains_key("vm_config") && members["name"] == name {
                return members["configuration"].get_mut("value");
            }
            members.values_mut().find_map(|member| plugin(member, name))
        }
        _ => None,
    }
}

/// Shows every object to `see`, the outer ones first.
pub fn visit(value: &mut Value, see: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, see)),
        Value::Object(members) => {
            see(members);
            members.values_mut().for_each(|member| visit(member, see));
        }
        _ => {}
    }
}

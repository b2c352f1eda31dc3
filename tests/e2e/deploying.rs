//! What stands in `deploy/`: it is what the projects that it is for would take, and the Envoy configuration that it amounts to does
//! what `docs/deploying/` says.

mod envoy_gateway;
mod istio;
mod kubernetes;
mod manifests;
mod pages;
mod rig;
mod systemd;

use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::Value;

use crate::support::{path, read};

/// Every file in `deploy/` that has objects of Kubernetes.
fn files() -> Vec<PathBuf> {
    let folders = ["istio", "envoy-gateway", "kubernetes"].map(|folder| path("deploy").join(folder));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The objects of a file.
fn objects(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text).map(|object| Value::deserialize(object).unwrap()).collect()
}

/// One object of a file in `deploy/`.
fn object(file: &str, kind: &str, name: &str) -> Value {
    let found = objects(&read(&format!("deploy/{file}")))
        .into_iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{file}: no {kind} {name}"))
}

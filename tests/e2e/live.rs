//! Gateways whose configuration changes while they run.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config::{cluster, echo, filter, listener, to_upstream};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http;

const FILE: &str = "dynamic/listeners.json";

/// Gateways in one Envoy, their listeners in a file that is replaced.
pub struct Live {
    pub envoy: Envoy,
    pub urls: Vec<String>,
    ports: Vec<u16>,
}

impl Live {
    pub fn start(plugins: &[Value], environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let ports: Vec<_> = plugins.iter().map(|_| free_port()).collect();
        // Not beside the log: Envoy watches the whole directory and logs, at `debug`, whatever is written there.
        let file = directory.path().join(FILE);
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, listeners(&ports, plugins).to_string()).unwrap();
        let upstream = free_port();
        let bootstrap = json!({
            "node": {"id": "test", "cluster": "test"},
            "dynamic_resources": {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": file}}},
            "static_resources": {"listeners": [echo(upstream)], "clusters": [cluster("echo", upstream)]},
        });
        let envoy = Envoy::try_start_in(directory, &bootstrap, environment, arguments).unwrap();
        let urls: Vec<_> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        envoy.wait_until("every gateway listens", |_| urls.iter().all(|url| http::try_get(url).is_some()));
        Self { envoy, urls, ports }
    }

    /// Replaces every gateway's configuration, and does not wait.
    pub fn update(&self, plugins: &[Value]) {
        self.envoy.replace(FILE, &listeners(&self.ports, plugins));
    }

    /// Replaces them by some that Envoy must refuse.
    pub fn update_is_refused(&self, plugins: &[Value]) {
        let rejected = || self.envoy.counter("listener_manager.lds.update_rejected");
        let before = rejected();
        self.update(plugins);
        self.envoy.wait_until("the update is refused", |_| rejected() == before + 1);
    }

    /// Replaces them by some that Envoy takes, and waits until both workers have taken them and tell so.
    pub fn update_applies(&self, plugins: &[Value], applied: impl Fn() -> bool) {
        self.update(plugins);
        self.envoy.wait_until("the update applies", |_| (0..20).all(|_| applied()));
    }
}

fn listeners(ports: &[u16], plugins: &[Value]) -> Value {
    let listeners = ports.iter().zip(plugins).enumerate().map(|(index, (port, plugin))| {
        let mut listener = listener(&format!("gateway-{index}"), *port, vec![filter(plugin)], to_upstream());
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        listener
    });
    json!({"resources": listeners.collect::<Vec<_>>()})
}

/// Someone who asks all the time, and never accepts another answer.
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Client {
    /// Calls `ask`, which panics if anything is wrong, until [`Client::stop`].
    pub fn start(ask: impl Fn() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::SeqCst) {
                ask();
                count += 1;
            }
            count
        });
        Self { stop, thread }
    }

    /// How often it was answered rightly, which was always.
    pub fn stop(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("every request was answered rightly")
    }
}

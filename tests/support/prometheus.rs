//! A real Prometheus, started on a free port of the loopback address and ended with its owner.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::envoy::free_port;
use super::http;

const PATIENCE: Duration = Duration::from_secs(90);

/// Where `make test` has it.
fn binary() -> PathBuf {
    std::env::var_os("PROMETHEUS").expect("PROMETHEUS is not set: use `make test`").into()
}

/// Runs `promtool`, which stands beside it, in a folder of the repository.
pub fn promtool(folder: &str, arguments: &[&str]) -> Result<String, String> {
    let tool = binary().with_file_name("promtool");
    let output = Command::new(tool).args(arguments).current_dir(super::path(folder)).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// A running Prometheus.
pub struct Prometheus {
    child: Child,
    directory: TempDir,
    url: String,
}

impl Prometheus {
    /// One that scrapes these addresses every second and evaluates these rules as often.
    pub fn start(targets: &[String], rules: &Value) -> Self {
        let (directory, port) = (TempDir::new().unwrap(), free_port());
        let write = |name: &str, content: &Value| fs::write(directory.path().join(name), content.to_string()).unwrap();
        write("rules.json", rules);
        write(
            "prometheus.json",
            &json!({
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules.json"],
                "scrape_configs": [{
                    "job_name": "envoy",
                    "metrics_path": "/stats/prometheus",
                    "static_configs": [{"targets": targets}],
                }],
            }),
        );
        let child = Command::new(binary())
            .arg(format!("--config.file={}", directory.path().join("prometheus.json").display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let prometheus = Self { child, directory, url: format!("http://127.0.0.1:{port}") };
        prometheus.wait_until("it is ready", |prometheus| {
            http::try_get(&format!("{}/-/ready", prometheus.url)).is_some_and(|answer| answer.status == 200)
        });
        prometheus
    }

    /// The series of an instant query.
    pub fn query(&self, query: &str) -> Vec<Value> {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = http::get(&format!("{}/api/v1/query?query={query}", self.url)).json();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The names of the alerts that fire.
    pub fn alerts(&self) -> Vec<Value> {
        let answer = http::get(&format!("{}/api/v1/alerts", self.url)).json();
        answer["data"]["alerts"].as_array().unwrap().iter().map(|alert| alert["labels"].clone()).collect()
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "{what} did not come true: {:?}\n{log}", self.alerts());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

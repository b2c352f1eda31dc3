//! A real Envoy, started on free ports of the loopback address and ended with its owner.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, Answer};

const PATIENCE: Duration = Duration::from_secs(180);

/// A running Envoy.
pub struct Envoy {
    child: Child,
    directory: TempDir,
    admin: u16,
}

/// An Envoy that did not want to run.
#[derive(Debug)]
pub struct Refusal {
    pub status: ExitStatus,
    pub log: String,
}

/// The binary under test: `make test` and `make run` say which.
pub fn binary() -> PathBuf {
    std::env::var_os("ENVOY").expect("ENVOY is not set: use `make test` or `make run`").into()
}

/// Whether it is one of those in which some of the configuration is different: see [`super::config::as_before_1_40`].
pub fn is_before_1_40() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let output = Command::new(binary()).arg("--version").output().unwrap();
        // `PATH  version: COMMIT/1.40.0/Clean/...`
        let text = String::from_utf8(output.stdout).unwrap();
        let version = text.split("version: ").nth(1).unwrap().split('/').nth(1).unwrap();
        let minor = version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
        minor < 40
    })
}

/// An Envoy before 1.37, which verifies and does not sign.
pub fn binary_without_sign() -> PathBuf {
    std::env::var_os("ENVOY_WITHOUT_SIGN").expect("ENVOY_WITHOUT_SIGN is not set: use `make test`").into()
}

/// A port that is free now. It lies below the range from which the kernel takes ports for outgoing connections, so that
/// none of those takes it meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos() ^ std::process::id();
    let start = 15_000 + u16::try_from(seed % 15_000).unwrap();
    let _ = NEXT.compare_exchange(0, start, Ordering::SeqCst, Ordering::SeqCst);
    loop {
        let port = NEXT.fetch_add(1, Ordering::SeqCst);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Envoy {
    /// Starts an Envoy with a bootstrap configuration and waits until it is live.
    pub fn start(bootstrap: &Value, environment: &[(&str, &str)]) -> Self {
        match Self::try_start(bootstrap, environment, &[]) {
            Ok(envoy) => envoy,
            Err(refusal) => panic!("Envoy exited with {}:\n{}", refusal.status, refusal.log),
        }
    }

    /// As [`Envoy::start`], for configurations that may be refused.
    pub fn try_start(bootstrap: &Value, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Self, Refusal> {
        Self::try_start_in(TempDir::new().unwrap(), bootstrap, environment, arguments)
    }

    /// As [`Envoy::try_start`], with a directory that the configuration refers to.
    pub fn try_start_in(
        directory: TempDir,
        bootstrap: &Value,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Self, Refusal> {
        Self::try_start_binary(&binary(), directory, bootstrap, environment, arguments)
    }

    /// As [`Envoy::try_start_in`], with another Envoy.
    pub fn try_start_binary(
        binary: &Path,
        directory: TempDir,
        bootstrap: &Value,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Self, Refusal> {
        let admin = free_port();
        let mut bootstrap = bootstrap.clone();
        bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}});
        let file = directory.path().join("envoy.json");
        fs::write(&file, bootstrap.to_string()).unwrap();
        // Envoy takes an argument once.
        let concurrency: &[_] = if arguments.contains(&"--concurrency") { &[] } else { &["--concurrency", "2"] };
        // At `info` it lists all its extensions.
        let levels: &[_] =
            if arguments.contains(&"--component-log-level") { &[] } else { &["--component-log-level", "main:warning"] };
        let hot_restart: &[_] = if arguments.contains(&"--restart-epoch") { &[] } else { &["--disable-hot-restart"] };
        let child = Command::new(binary)
            .arg("-c")
            .arg(&file)
            .args(concurrency)
            .args(hot_restart)
            // Access logs at once.
            .args(["--file-flush-interval-msec", "20"])
            .args(levels)
            .args(arguments)
            .current_dir(super::path(""))
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.path().join("out")).unwrap())
            .stderr(fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut envoy = Self { child, directory, admin };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = envoy.child.try_wait().unwrap() {
                return Err(Refusal { status, log: envoy.log() });
            }
            if http::try_get(&envoy.admin_url("/ready")).is_some_and(|answer| answer.status == 200) {
                return Ok(envoy);
            }
            // The bench measures this time.
            std::thread::sleep(Duration::from_millis(4));
        }
        panic!("Envoy is not ready after {PATIENCE:?}:\n{}", envoy.log());
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that Envoy has logged so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.path().join("log")).unwrap_or_default();
        without_vm_ids(&String::from_utf8_lossy(&log))
    }

    /// The lines of an access log that goes to standard output and is JSON.
    pub fn access_log(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.directory.path().join("out")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn admin(&self, path: &str) -> String {
        let answer: Answer = http::get(&self.admin_url(path));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// The value of a counter, zero when there is none.
    pub fn counter(&self, name: &str) -> u64 {
        let stats = self.admin(&format!("/stats?filter=^{name}$"));
        stats.trim().rsplit(": ").next().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// What the filter has counted, of all filters and peers together: `issued`, `denied.expired`, `token_cache.hit`.
    pub fn count(&self, event: &str) -> u64 {
        let (name, last) = event.split_once('.').unwrap_or((event, ""));
        let counters = self.admin(&format!("/stats?filter=^wasmcustom.wristband.{name}.filter"));
        let counted = counters.lines().filter_map(|line| {
            let (full, value) = line.split_once(": ")?;
            full.ends_with(last).then(|| value.parse::<u64>().unwrap())
        });
        counted.sum()
    }

    /// The value of one of the filter's metrics, by its whole name.
    pub fn count_of(&self, name: &str) -> Option<u64> {
        let stats = self.admin(&format!("/stats?filter=^wasmcustom.wristband.{name}$"));
        stats.trim().rsplit_once(": ").map(|(_, value)| value.parse().unwrap())
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < PATIENCE, "{what} did not come true:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Replaces a file in the one way that Envoy notices: by a rename.
    pub fn replace(&self, name: &str, content: &Value) {
        let temporary = self.directory.path().join(format!("{name}.new"));
        fs::write(&temporary, content.to_string()).unwrap();
        fs::rename(temporary, self.directory.path().join(name)).unwrap();
    }

    /// Ends it and frees its ports, to start another one on them.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- what Envoy logged, its end\n{}", tail(&self.log(), 4000));
        }
    }
}

/// A log without what [`super::config::as_before_1_40`] gives a VM for its name, which Envoy writes before each line of it.
fn without_vm_ids(log: &str) -> String {
    let mut parts = log.split(" {\"host_env_keys\":");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, rest| text + rest.split_once('}').map_or(rest, |(_, line)| line))
}

fn tail(text: &str, length: usize) -> String {
    let skip = text.chars().count().saturating_sub(length);
    text.chars().skip(skip).collect()
}

/// Runs `envoy --mode validate`, which configures the filter too.
pub fn validate(bootstrap: &Value, environment: &[(&str, &str)]) -> Result<String, String> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("envoy.json");
    fs::write(&file, bootstrap.to_string()).unwrap();
    validate_file(&file, environment)
}

/// As [`validate`], for a file as it is.
pub fn validate_file(file: &Path, environment: &[(&str, &str)]) -> Result<String, String> {
    let output = Command::new(binary())
        .args(["--mode", "validate", "-c"])
        .arg(file)
        .current_dir(super::path(""))
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let log = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = without_vm_ids(&log);
    if output.status.success() { Ok(log) } else { Err(log) }
}

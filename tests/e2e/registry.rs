//! A real registry of images, Debian's `docker-registry`, started on a free port of the loopback address and ended with its
//! owner.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::envoy::free_port;
use crate::support::http;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Registry {
    child: Child,
    directory: TempDir,
    /// Host and port, as they stand in the name of an image.
    pub authority: String,
}

impl Registry {
    pub fn start() -> Self {
        let binary = std::env::var_os("REGISTRY").expect("REGISTRY is not set: use `make test`");
        let directory = TempDir::new().unwrap();
        let authority = format!("127.0.0.1:{}", free_port());
        let file = directory.path().join("registry.json");
        let configuration = json!({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": directory.path().join("images")}},
            "http": {"addr": authority},
        });
        fs::write(&file, configuration.to_string()).unwrap();
        let child = Command::new(binary)
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let registry = Self { child, directory, authority };
        let start = Instant::now();
        while http::try_get(&format!("http://{}/v2/", registry.authority)).is_none_or(|answer| answer.status != 200) {
            let log = fs::read_to_string(registry.directory.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "the registry is not ready:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// What commands print that are written for `registry.example.com`. This one has no TLS.
    pub fn run(&self, commands: &str) -> String {
        let commands = commands
            .replace("registry.example.com", &self.authority)
            .replace("skopeo copy ", "skopeo --insecure-policy copy --quiet --dest-tls-verify=false ")
            .replace("skopeo inspect ", "skopeo inspect --tls-verify=false ");
        let output =
            Command::new("sh").args(["-ec", &commands]).current_dir(crate::support::path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The manifest of an image, and its bytes.
    pub fn manifest(&self, repository: &str, tag: &str, media_type: &str) -> (Value, Vec<u8>) {
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.authority);
        let bytes = http::download(&url, &[("accept", media_type)]);
        (serde_json::from_slice(&bytes).unwrap(), bytes)
    }

    /// A blob of an image.
    pub fn blob(&self, repository: &str, digest: &str) -> Vec<u8> {
        http::download(&format!("http://{}/v2/{repository}/blobs/{digest}", self.authority), &[])
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

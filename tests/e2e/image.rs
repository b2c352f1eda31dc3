//! The image that `make image` packs: what it is made of, and that it gets from a registry into Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::jwks_server::{JwksServer, answer};
use crate::registry::Registry;
use crate::support::config::{self, as_text, cluster, echo, private, to_upstream};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, get_with};
use crate::support::token::A;
use crate::support::{key, path, read};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const OF_A: &str = "cluster-a-2026-11";

fn module() -> Vec<u8> {
    fs::read(path("target/wristband.wasm")).unwrap()
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file of a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// What a program makes of its input.
fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    output.stdout
}

/// What Istio's agent and Envoy Gateway do with a layer: the file of this name, wherever it stands in the archive.
fn unpacked(layer: &[u8]) -> Vec<u8> {
    assert_eq!(String::from_utf8(piped("tar", &["-tz"], layer)).unwrap(), "plugin.wasm\n");
    piped("tar", &["-xzO", "plugin.wasm"], layer)
}

/// The packing alone: that a whole build gives the same module in every folder is shown by hand, since it takes minutes.
#[test]
fn one_module_is_packed_to_the_same_bytes_anywhere_and_at_any_time() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("another-name.wasm");
    fs::write(&copy, module()).unwrap();
    let layout = folder.path().join("image");
    let output = Command::new("sh")
        .args(["-c", "umask 077; exec python3 deploy/image.py \"$0\" \"$1\""])
        .args([&copy, &layout])
        .env("TZ", "Asia/Tokyo")
        .current_dir(path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (ours, made) = (files(&layout), files(&path("target/image")));
    assert!(ours == made, "{:?} {:?}", ours.keys(), made.keys());
    let digest = String::from_utf8(output.stdout).unwrap();
    let manifest = &ours[&format!("blobs/sha256/{}", digest.trim().strip_prefix("sha256:").unwrap())];
    assert_eq!(format!("sha256:{}\n", hex(manifest)), digest);
}

#[test]
fn the_image_says_what_cargo_toml_says_and_the_dockerfile_packs_the_same_file() {
    let made = files(&path("target/image"));
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let content = &made[&format!("blobs/sha256/{digest}")];
        assert_eq!((hex(content).as_str(), json!(content.len())), (digest, descriptor["size"].clone()));
        content
    };
    let json = |content: &[u8]| serde_json::from_slice::<Value>(content).unwrap();
    assert_eq!(json(&made["oci-layout"]), json!({"imageLayoutVersion": "1.0.0"}));
    let image = &json(&made["index.json"])["manifests"][0];
    assert_eq!(image["annotations"], json!({"org.opencontainers.image.ref.name": VERSION}));
    let manifest = json(blob(image));
    let mut expected = json!({
        "org.opencontainers.image.title": env!("CARGO_PKG_NAME"),
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.description": env!("CARGO_PKG_DESCRIPTION"),
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
    });
    if !env!("CARGO_PKG_REPOSITORY").is_empty() {
        expected["org.opencontainers.image.source"] = env!("CARGO_PKG_REPOSITORY").into();
    }
    assert_eq!(manifest["annotations"], expected);

    let layer = blob(&manifest["layers"][0]);
    assert!(unpacked(layer) == module());
    let of_tar = format!("sha256:{}", hex(&piped("gzip", &["-dc"], layer)));
    assert_eq!(json(blob(&manifest["config"]))["rootfs"], json!({"type": "layers", "diff_ids": [of_tar]}));

    let dockerfile = read("Dockerfile");
    let instructions: Vec<_> = dockerfile.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(instructions, ["FROM scratch", "COPY target/wristband.wasm /plugin.wasm"]);
    assert_eq!(read(".dockerignore"), "*\n!target/wristband.wasm\n");
}

/// A gateway whose code comes from here.
fn gateway(code: &Value, servers: &[(&str, u16)]) -> (Value, String) {
    let plugin = json!({
        "issuer": A,
        "signingKeyRefs": [private(OF_A, "SIGNING_KEY")],
        "issue": {"identity": {"header": "x-user"}},
        "verify": {"mode": "optional", "outputClaimToHeaders": [{"header": "x-wristband-sub", "claim": "sub"}]},
    });
    let mut filter = config::filter_with(as_text(&plugin), &["SIGNING_KEY"]);
    filter["typed_config"]["config"]["vm_config"]["code"] = code.clone();
    let (port, upstream) = (free_port(), free_port());
    let clusters = servers.iter().map(|(name, port)| cluster(name, *port)).chain([cluster("echo", upstream)]);
    let bootstrap = json!({"static_resources": {
        "listeners": [echo(upstream), config::listener("gateway", port, vec![filter], to_upstream())],
        "clusters": clusters.collect::<Vec<_>>(),
    }});
    (bootstrap, format!("http://127.0.0.1:{port}"))
}

/// It signs, verifies, and says which version it is.
fn works(bootstrap: &Value, url: &str) {
    let envoy = Envoy::start(bootstrap, &[("SIGNING_KEY", &key(OF_A))]);
    let answer = get_with(url, &[("x-user", "alice")]);
    let wristband = answer.wristband().unwrap_or_else(|| panic!("{answer:?}\n{}", envoy.log()));
    let answer = get_with(url, &[("x-wristband-token", wristband)]);
    assert_eq!((answer.status, answer.received("x-wristband-sub")), (200, Some("alice")));
    assert_eq!(get_with(url, &[("x-wristband-token", &format!("{wristband}A"))]).status, 401);
    assert!(envoy.log().contains(&format!(", version {VERSION}, digest ")), "{}", envoy.log());
    let metrics = envoy.admin("/stats?filter=build_info");
    assert!(metrics.contains(VERSION), "{metrics}");
}

/// Envoy asks this cluster for the module, as Envoy Gateway has it.
fn remote(sha256: &str) -> Value {
    json!({"remote": {
        "http_uri": {"uri": "http://module.example/plugin.wasm", "cluster": "module", "timeout": "10s"},
        "sha256": sha256,
    }})
}

/// Neither control plane is here; what each does is, step by step: pull (both with one library, so alike), and then a file
/// (Istio's agent, which writes it where the proxy runs, named after the digest of the manifest) or an HTTP server of its
/// own and the digest of the module (Envoy Gateway).
#[test]
fn from_a_registry_it_gets_into_envoy_by_the_ways_of_istio_and_of_envoy_gateway() {
    let registry = Registry::start();
    let page = read("docs/image.md");
    let commands = page.split("```sh\nmake image\n").nth(1).unwrap().split("```").next().unwrap();
    let printed = registry.run(commands);
    let (manifest, bytes) = registry.manifest("team/wristband", VERSION, MANIFEST);
    let digest = hex(&bytes);
    assert_eq!(printed, format!("sha256:{digest}\n"));
    assert!(read("target/image/index.json").contains(&digest), "a client that pins the digest gets another one");
    assert_eq!(manifest["mediaType"], MANIFEST);
    let layer = manifest["layers"].as_array().unwrap().last().unwrap();
    assert_eq!(layer["mediaType"], LAYER);
    let pulled = unpacked(&registry.blob("team/wristband", layer["digest"].as_str().unwrap()));
    assert!(pulled == module());

    let folder = TempDir::new().unwrap();
    let file = folder.path().join(format!("{digest}.wasm"));
    fs::write(&file, &pulled).unwrap();
    let (bootstrap, url) = gateway(&json!({"local": {"filename": file}}), &[]);
    works(&bootstrap, &url);

    let server = JwksServer::start(answer("200 OK", "content-type: application/wasm\r\n", &pulled));
    let servers = [("module", server.port)];
    let (bootstrap, url) = gateway(&remote(&hex(&pulled)), &servers);
    works(&bootstrap, &url);
    assert!(server.last().starts_with("GET /plugin.wasm "), "{}", server.last());

    // Bytes that are not those which the digest names never run, and nobody passes.
    let (bootstrap, url) = gateway(&remote(&digest), &servers);
    let envoy = Envoy::start(&bootstrap, &[("SIGNING_KEY", &key(OF_A))]);
    let answer = get_with(&url, &[("x-user", "alice")]);
    assert_eq!((answer.status, answer.wristband()), (503, None), "{}", envoy.log());
    assert_eq!(envoy.admin("/stats?filter=build_info"), "");
    assert!(http::try_get(&envoy.admin_url("/ready")).is_some_and(|answer| answer.status == 200));
}

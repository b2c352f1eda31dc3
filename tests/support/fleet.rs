//! `envoy/fleet.yaml`: two Envoys, the rate limit service of the Envoy project and a Redis.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::envoy::{Envoy, free_port};
use super::http::{self, Answer};
use super::sample::Sample;
use super::token::{A, claims, sign};

const PATIENCE: Duration = Duration::from_secs(60);
const OF_A: &str = "cluster-a-2026-11";

/// A server that a line of the sample starts, with other ports; ended with its owner.
pub struct Server {
    command: String,
    child: Child,
}

impl Server {
    pub fn start(command: String) -> Self {
        let child = Self::run(&command);
        Self { command, child }
    }

    fn run(command: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec env {command}")]).current_dir(super::path(""));
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Without a chance to write anything down.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = Self::run(&self.command);
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(status.success(), "{name}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of it, as the first lines of the sample start it.
pub struct Fleet {
    pub samples: [Sample; 2],
    pub envoys: [Envoy; 2],
    pub service: Server,
    pub redis: Server,
    health: String,
    redis_address: String,
    _directory: TempDir,
}

impl Fleet {
    /// Nothing where the programs are missing that `make test` has brought.
    pub fn start(change: impl Fn(&mut Sample)) -> Option<Self> {
        let programs = ["REDIS", "RATELIMIT"].map(|name| std::env::var(name).ok().filter(|path| !path.is_empty()));
        let [Some(redis), Some(ratelimit)] = programs else {
            eprintln!("skipped: REDIS and RATELIMIT are not set, so envoy/fleet.yaml is not run");
            return None;
        };
        let directory = TempDir::new().unwrap();
        let [grpc, redis_port, health, debug] = [(); 4].map(|()| free_port().to_string());
        let [redis, service, ..] = &commands(&[
            ("\"$(make -s redis)\"", &redis),
            ("\"$(make -s ratelimit)\"", &ratelimit),
            ("--dir target", &format!("--dir {}", directory.path().display())),
            ("10002", &grpc),
            ("10003", &redis_port),
            ("10004", &health),
            ("10005", &debug),
        ])[..] else {
            panic!("two commands are expected")
        };
        let redis_address = format!("127.0.0.1:{redis_port}");
        let redis = Server::start(redis.clone());
        wait_until("Redis is ready", || TcpStream::connect(&redis_address).is_ok());
        let service = Server::start(service.clone());
        let mut samples = [(); 2].map(|()| Sample::load("fleet"));
        for sample in &mut samples {
            *port_of_the_service(sample) = grpc.parse::<u16>().unwrap().into();
            // However slow this machine is.
            *timeout(sample) = "3s".into();
            change(sample);
        }
        let envoys = samples.each_ref().map(|sample| Envoy::start(&sample.bootstrap, &[]));
        let health = format!("http://127.0.0.1:{health}/healthcheck");
        let fleet = Self { samples, envoys, service, redis, health, redis_address, _directory: directory };
        fleet.wait_for_the_service();
        fleet.recovers("start");
        Some(fleet)
    }

    pub fn wait_for_the_service(&self) {
        wait_until("the service is ready", || http::try_get(&self.health).is_some_and(|answer| answer.status == 200));
    }

    pub fn ask(&self, envoy: usize, token: &str) -> Answer {
        self.ask_for(envoy, "/", token)
    }

    pub fn ask_for(&self, envoy: usize, path: &str, token: &str) -> Answer {
        let url = format!("{}{path}", self.samples[envoy].url("fleet"));
        http::get_with(&url, &[("x-wristband-token", token)])
    }

    /// What Redis answers, a line for each value.
    pub fn redis(&self, command: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.redis_address).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().map(str::to_owned).collect()
    }

    /// Fresh tokens pass again in both, some time after what they need is there again.
    pub fn recovers(&self, name: &str) {
        for envoy in [0, 1] {
            let mut count = 0;
            wait_until("tokens pass again", || {
                count += 1;
                self.ask(envoy, &of_a(&format!("{name}-{envoy}-{count}"))).status == 200
            });
        }
    }
}

/// The commands in the first lines of the sample, with this in the place of that.
fn commands(changes: &[(&str, &str)]) -> Vec<String> {
    let text = super::read("envoy/fleet.yaml");
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let mut commands = lines.join("\n").replace("\\\n", " ");
    for (from, to) in changes {
        assert!(commands.contains(from), "{from}");
        commands = commands.replace(from, to);
    }
    commands.lines().map(str::to_owned).collect()
}

fn port_of_the_service(sample: &mut Sample) -> &mut Value {
    let cluster = &mut sample.bootstrap["static_resources"]["clusters"][1];
    assert_eq!(cluster["name"], "ratelimit");
    let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    &mut endpoint["address"]["socket_address"]["port_value"]
}

fn timeout(sample: &mut Sample) -> &mut Value {
    let manager = &mut sample.bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    &mut manager["typed_config"]["http_filters"][1]["typed_config"]["timeout"]
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: it did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A token for the federation.
pub fn signed(key: &str, issuer: &str, change: impl Fn(&mut Value)) -> String {
    let mut claims = claims(issuer);
    claims["aud"] = "federation".into();
    change(&mut claims);
    sign(key, &claims)
}

/// One of cluster A.
pub fn of_a(jti: &str) -> String {
    signed(OF_A, A, |claims| claims["jti"] = jti.into())
}

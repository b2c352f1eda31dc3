//! `envoy/fleet.yaml`: a token passes once in several Envoys together. With the real rate limit service and a real Redis.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{self, Answer};
use crate::support::read;
use crate::support::sample::Sample;
use crate::support::token::{self, A, B};

const PATIENCE: Duration = Duration::from_secs(60);
const OF_A: &str = "cluster-a-2026-11";
const OF_B: &str = "cluster-b-2026-10";

/// A server that a line of the sample starts, with other ports; ended with its owner.
struct Server {
    command: String,
    child: Child,
}

impl Server {
    fn start(command: String) -> Self {
        let child = Self::run(&command);
        Self { command, child }
    }

    fn run(command: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec env {command}")]).current_dir(crate::support::path(""));
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Without a chance to write anything down.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = Self::run(&self.command);
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "{name}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two Envoys, the service and Redis, as the first lines of the sample start them.
struct Fleet {
    urls: [String; 2],
    envoys: [Envoy; 2],
    service: Server,
    health: String,
    redis: Server,
    redis_address: String,
    _directory: TempDir,
}

impl Fleet {
    /// Nothing where the programs are missing that `make test` has brought.
    fn start(change: impl Fn(&mut Sample)) -> Option<Self> {
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
            change(sample);
        }
        let urls = samples.each_ref().map(|sample| sample.url("fleet"));
        let envoys = samples.map(|sample| Envoy::start(&sample.bootstrap, &[]));
        let health = format!("http://127.0.0.1:{health}/healthcheck");
        let fleet = Self { urls, envoys, service, health, redis, redis_address, _directory: directory };
        fleet.wait_for_the_service();
        fleet.recovers("start");
        Some(fleet)
    }

    fn wait_for_the_service(&self) {
        wait_until("the service is ready", || http::try_get(&self.health).is_some_and(|answer| answer.status == 200));
    }

    fn ask(&self, envoy: usize, token: &str) -> Answer {
        http::get_with(&self.urls[envoy], &[("x-wristband-token", token)])
    }

    /// What Redis answers, a line for each value.
    fn redis(&self, command: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.redis_address).unwrap();
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().map(str::to_owned).collect()
    }

    /// Fresh tokens pass again in both, some time after what they need is there again.
    fn recovers(&self, name: &str) {
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
    let text = read("envoy/fleet.yaml");
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

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: it did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A token for the federation.
fn signed(key: &str, issuer: &str, change: impl Fn(&mut Value)) -> String {
    let mut claims = token::claims(issuer);
    claims["aud"] = "federation".into();
    change(&mut claims);
    token::sign(key, &claims)
}

fn of_a(jti: &str) -> String {
    signed(OF_A, A, |claims| claims["jti"] = jti.into())
}

#[test]
fn a_token_passes_once_in_all_envoys_together() {
    let Some(fleet) = Fleet::start(|_| ()) else { return };
    for (first, second) in [(0, 1), (1, 0)] {
        let token = of_a(&format!("order-{first}"));
        assert_eq!(fleet.ask(first, &token).status, 200);
        let answer = fleet.ask(second, &token);
        // As `replayed`, and yet it is the rate limit filter that has denied it.
        let challenge =
            "Bearer realm=\"wristband\", error=\"invalid_token\", error_description=\"token has been used before\"";
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge)));
        assert_eq!(answer.header("x-envoy-ratelimited"), Some("true"));
        let again = fleet.ask(first, &token);
        assert_eq!((again.status, again.header("www-authenticate")), (401, Some(challenge)));
        assert_eq!(again.header("x-envoy-ratelimited"), None);
    }
    for round in 0..10 {
        let token = of_a(&format!("round-{round}"));
        let passed: usize = std::thread::scope(|scope| {
            let ask = |index: usize| usize::from(fleet.ask(index % 2, &token).status == 200);
            let asking: Vec<_> = (0..8).map(|index| scope.spawn(move || ask(index))).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1, "round {round}");
    }
    // A `jti` is its issuer's.
    assert_eq!(fleet.ask(0, &signed(OF_B, B, |claims| claims["jti"] = "order-0".into())).status, 200);
    let nameless = signed(OF_A, A, |claims| drop(claims.as_object_mut().unwrap().remove("jti")));
    for envoy in [0, 1] {
        let answer = fleet.ask(envoy, &nameless);
        assert_eq!((answer.status, &answer.json()["error_description"]), (401, &json!("token is malformed")));
    }
    for jti in ["", "\u{0}", "a\r\nb", "naïve 🎟", &"long".repeat(1_000)] {
        assert_eq!([0, 1].map(|envoy| fleet.ask(envoy, &of_a(jti)).status), [200, 401], "{jti:?}");
    }
    assert_eq!(fleet.envoys.each_ref().map(|envoy| envoy.count("denied.malformed")), [1, 1]);
}

#[test]
fn a_token_is_counted_in_a_window_that_does_not_end_while_it_is_good() {
    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    // Tokens of the far future, to come to the ends of windows.
    let year = 365 * DAY;
    let change = |sample: &mut Sample| sample.plugin("fleet")["peers"][0]["maxLifetime"] = year.into();
    let Some(fleet) = Fleet::start(change) else { return };
    let now = token::now();
    // The next number but one that is no multiple of this one.
    let after = |number: u64, not: u64| (number + 2..).find(|number| number % not != 0).unwrap();
    let hour = after(now / HOUR, 24) * HOUR;
    let midnight = after(now / DAY, 7) * DAY;
    let of_a_week = after(now / (7 * DAY), 30) * 7 * DAY;
    let of_a_month = (now / (210 * DAY) + 1) * 210 * DAY;
    for (number, (exp, window, unit)) in [
        (hour + HOUR / 2, "hour", HOUR),
        (hour - 91, "hour", HOUR),
        (hour - 90, "day", DAY),
        (hour + 389, "day", DAY),
        (hour + 390, "hour", HOUR),
        (midnight, "week", 7 * DAY),
        (of_a_week, "month", 30 * DAY),
        (of_a_month, "year", year),
    ]
    .into_iter()
    .enumerate()
    {
        let token = signed(OF_A, A, |claims| {
            claims["exp"] = exp.into();
            claims["jti"] = json!(number.to_string());
        });
        let key = |time: u64| format!("wristband_window_{window}_issuer_{A}_jti_{number}_{}", time / unit * unit);
        let before = token::now();
        assert_eq!([0, 1].map(|envoy| fleet.ask(envoy, &token).status), [200, 401], "{exp}");
        let found: Vec<_> = fleet.redis("KEYS *").into_iter().filter(|key| key.contains("_jti_")).collect();
        // The window may have changed in between.
        let key = [before, token::now()].map(key).into_iter().find(|key| found.contains(key));
        let key = key.unwrap_or_else(|| panic!("{exp}, {window}: {found:?}"));
        // And it is remembered until its end.
        let left: u64 = fleet.redis(&format!("TTL {key}"))[0].strip_prefix(':').unwrap().parse().unwrap();
        assert!(left + 60 > unit, "{key}: {left}");
    }
}

#[test]
fn without_redis_or_the_service_nothing_passes_and_nothing_is_forgotten() {
    let Some(mut fleet) = Fleet::start(|_| ()) else { return };
    let used = of_a("used");
    assert_eq!(fleet.ask(0, &used).status, 200);
    let denies = |fleet: &Fleet, why: &str| {
        let jti = |envoy: usize| format!("{why}-denied-{envoy}");
        assert_eq!([0, 1].map(|envoy| fleet.ask(envoy, &of_a(&jti(envoy))).status), [503, 503], "{why}");
    };
    fleet.redis.kill();
    denies(&fleet, "no Redis");
    fleet.redis.start_again();
    fleet.recovers("Redis");
    assert_eq!(fleet.ask(1, &used).status, 401, "it is written down before the answer");

    let used = of_a("used too");
    assert_eq!(fleet.ask(0, &used).status, 200);
    fleet.redis.signal("STOP");
    denies(&fleet, "a Redis that hangs");
    fleet.redis.signal("CONT");
    fleet.recovers("hanging");
    assert_eq!(fleet.ask(1, &used).status, 401);

    let used = of_a("used as well");
    assert_eq!(fleet.ask(0, &used).status, 200);
    fleet.service.kill();
    denies(&fleet, "no service");
    fleet.service.start_again();
    fleet.wait_for_the_service();
    fleet.recovers("service");
    assert_eq!(fleet.ask(1, &used).status, 401);
}

//! What our filter does, beside Authorino that does the same: its own service, asked by `ext_authz` over gRPC.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::http::HeaderMap;

use crate::cpu;
use crate::listeners::{answering, ours};
use crate::load::{Load, TOKEN, USER};
use crate::rig::{Expected, Plan, Rig, SIGNING_KEY};
use crate::statistics::{Summary, real};
use crate::support;
use crate::support::config::{cluster, jwks};
use crate::support::envoy::free_port;
use crate::support::fleet::{Server, wait_until};
use crate::support::http::{self, Answer};
use crate::support::token::B;
use crate::tokens::{Folder, KEY};
use crate::variants::{signer, verifier};

const ROUNDS: usize = 12;
const TIME: Duration = Duration::from_millis(500);

/// What is to be done for a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Sign,
    Verify,
    Both,
}

impl Job {
    const ALL: [Self; 3] = [Self::Sign, Self::Verify, Self::Both];

    fn verifies(self) -> bool {
        self != Self::Sign
    }

    fn signs(self) -> bool {
        self != Self::Verify
    }

    fn title(self) -> &'static str {
        match self {
            Self::Sign => "sign for whom a header names",
            Self::Verify => "verify unique tokens",
            Self::Both => "verify a unique token and sign",
        }
    }

    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Sign => ["authorino-signs", "ours-signs"],
            Self::Verify => ["authorino-verifies", "ours-verifies"],
            Self::Both => ["authorino-does-both", "ours-does-both"],
        }
    }

    fn load(self, folder: &Folder, name: &str) -> Load {
        let tokens = self.verifies().then_some(folder.unique.as_path());
        let headers = if self.verifies() { vec![] } else { vec![(USER, "alice".to_owned())] };
        Load::new(folder.path(), name, "/", headers, tokens)
    }

    /// Authorino's configuration.
    fn config(self, peer: &str) -> Value {
        let authentication = if self.verifies() {
            json!({"peer": {"jwt": {"issuerUrl": peer}, "credentials": {"customHeader": {"name": TOKEN}}}})
        } else {
            json!({"user": {"plain": {"selector": format!("context.request.http.headers.{USER}")}}})
        };
        let wristband = json!({"issuer": B, "signingKeyRefs": [{"name": SIGNING_KEY, "algorithm": "ES256"}]});
        let [name, _] = self.names();
        json!({
            "apiVersion": "authorino.kuadrant.io/v1beta3",
            "kind": "AuthConfig",
            "metadata": {"name": name, "namespace": "bench"},
            "spec": {
                "hosts": [name],
                "authentication": authentication,
                "response": {"success": {"headers": if self.signs() { json!({TOKEN: {"wristband": wristband}}) } else { json!({}) }}},
            },
        })
    }

    /// The configuration of our filter.
    fn plugin(self) -> Value {
        let mut plugin = if self.verifies() { verifier("host", &json!({})) } else { json!({}) };
        if self.signs() {
            let identity = if self.verifies() { json!({"wristband": true}) } else { json!({"header": USER}) };
            let signer = signer("host", &json!({"identity": identity, "placement": "request"}));
            plugin.as_object_mut().unwrap().extend(signer.as_object().unwrap().clone());
        }
        plugin
    }
}

pub fn print(folder: &Folder) {
    let Some(program) = std::env::var("AUTHORINO").ok().filter(|path| !path.is_empty()) else {
        eprintln!("skipped: AUTHORINO is not set, so nothing is compared with it");
        return;
    };
    eprintln!("Authorino");
    let (rig, authorino) = start(folder, &program);
    let loads = Job::ALL.map(|job| job.names().map(|name| job.load(folder, name)));
    let bare = [("bare", true), ("bare-without-token", false)].map(|(name, has_token)| {
        (name, Load::new(folder.path(), name, "/", vec![], has_token.then_some(folder.unique.as_path())))
    });
    let measure = |name: &str, load: &Load| {
        let before = cpu::of_process(authorino.id());
        let cost = rig.measure(name, load, Expected::PASSES, TIME);
        [cost.each(), real((cpu::of_process(authorino.id()) - before) / 1000) / real(cost.requests)]
    };
    let round = |_| {
        let [with_token, without] = bare.each_ref().map(|(name, load)| measure(name, load)[0]);
        let of = |job: usize| {
            let names = Job::ALL[job].names();
            let bare = if Job::ALL[job].verifies() { with_token } else { without };
            let [[envoy, service], [ours, _]] = [0, 1].map(|index| measure(names[index], &loads[job][index]));
            [envoy - bare, service, ours - bare]
        };
        [0, 1, 2].map(of)
    };
    // The first one warms up.
    let rounds: Vec<[[f64; 3]; 3]> = (0..=ROUNDS).map(round).skip(1).collect();
    println!("Beside Authorino: CPU in µs of a request beyond the listener without a filter, and the middle half.\n");
    println!("| | Envoy with Authorino | Authorino | this filter | both of Authorino's / this filter |");
    println!("|---|---|---|---|---|");
    for (index, job) in Job::ALL.into_iter().enumerate() {
        let of = |value: fn(&[f64; 3]) -> f64, digits: usize| {
            let Summary { median, lower, upper } = Summary::of(rounds.iter().map(|round| value(&round[index])));
            format!("{median:.digits$} ({lower:.digits$}..{upper:.digits$})")
        };
        let parts = [of(|cost| cost[0], 0), of(|cost| cost[1], 0), of(|cost| cost[2], 0)];
        let ratio = of(|cost| (cost[0] + cost[1]) / cost[2], 1);
        println!("| {} | {} | {ratio} |", job.title(), parts.join(" | "));
    }
    println!();
}

/// One Envoy with a listener for each, and Authorino.
fn start(folder: &Folder, program: &str) -> (Rig, Server) {
    let port = free_port();
    let mut plan = Plan::default();
    plan.listen("bare", |port| answering("bare", port, vec![], None));
    plan.listen("bare-without-token", |port| answering("bare-without-token", port, vec![], None));
    let answer = |body: Value| Answer { status: 200, headers: HeaderMap::new(), body: body.to_string() };
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let mut set = String::new();
    plan.listen("set", |port| {
        set = url(port);
        answering("set", port, vec![], Some(&answer(jwks(KEY))))
    });
    // It takes a set by its own address for one of RS256.
    plan.listen("peer", |port| {
        let algorithms = "id_token_signing_alg_values_supported";
        let document = json!({"issuer": url(port), "jwks_uri": set, algorithms: ["ES256"]});
        answering("peer", port, vec![], Some(&answer(document)))
    });
    let mut service = cluster("authorino", port);
    service["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    plan.call(service);
    for job in Job::ALL {
        let [theirs, name] = job.names();
        plan.listen(theirs, |port| shown(answering(theirs, port, vec![ext_authz()], None), Some(theirs)));
        plan.listen(name, |port| shown(answering(name, port, vec![ours(name, &job.plugin())], None), None));
    }
    let rig = plan.start("1");
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SIGNING_KEY, "namespace": "bench"},
        "data": {"key.pem": STANDARD.encode(support::key("forms/sec1"))},
    });
    let peer = rig.url("peer");
    let documents: Vec<_> = [secret]
        .into_iter()
        .chain(Job::ALL.map(|job| job.config(&peer)))
        .map(|document| document.to_string())
        .collect();
    let file = folder.path().join("authorino.yaml");
    fs::write(&file, documents.join("\n---\n")).unwrap();
    let authorino = Server::start(format!("{program} {port} {}", file.display()));
    wait_until("Authorino is ready", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    for job in Job::ALL {
        for name in job.names() {
            check(&rig, folder, job, name);
        }
    }
    (rig, authorino)
}

/// That a request passes, and that a wristband has come to where the upstream would be.
fn check(rig: &Rig, folder: &Folder, job: Job, name: &str) {
    let tokens = fs::read_to_string(&folder.unique).unwrap();
    let token = tokens.lines().next().unwrap();
    let header = if job.verifies() { (TOKEN, token) } else { (USER, "alice") };
    let answer = http::get_with(&rig.url(name), &[header]);
    let seen = answer.headers.get("x-seen").map(|value| value.to_str().unwrap().to_owned());
    let is_wristband = seen.as_ref().is_some_and(|seen| seen.split('.').count() == 3 && seen != token);
    assert!(answer.status == 200 && is_wristband == job.signs(), "{name}: {answer:?}");
    if job.verifies() {
        let forged = fs::read_to_string(&folder.bad_signature).unwrap();
        let answer = http::get_with(&rig.url(name), &[(TOKEN, forged.trim_end())]);
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
    }
}

/// A listener that shows the header that an upstream would get, and names the host for whom Authorino is asked.
fn shown(mut listener: Value, host: Option<&str>) -> Value {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0];
    let header = json!({"key": "x-seen", "value": format!("%REQ({TOKEN})%")});
    route["response_headers_to_add"] = json!([{"header": header}]);
    if let Some(host) = host {
        route["typed_per_filter_config"] = json!({"envoy.filters.http.ext_authz": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
            "check_settings": {"context_extensions": {"host": host}},
        }});
    }
    listener
}

fn ext_authz() -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "authorino"}, "timeout": "5s"},
        },
    })
}

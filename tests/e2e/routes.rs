//! What `docs/routes.md` shows is run as it stands there.

use serde_json::{Value, json};

use crate::gate::outcome;
use crate::support::config::{cluster, echo};
use crate::support::envoy::{Envoy, free_port};
use crate::support::http::{Answer, Connection};
use crate::support::page;
use crate::support::token::{self, A, claims};

/// A gateway whose connection manager has the parts that the page shows.
struct Gateway {
    envoy: Envoy,
    connection: Connection,
}

impl Gateway {
    fn start(shown: &Value) -> Self {
        let (upstream, port) = (free_port(), free_port());
        let listeners = [echo(upstream), page::listening("gateway", port, shown)];
        let clusters = [cluster("upstream", upstream)];
        let bootstrap = json!({"static_resources": {"listeners": listeners, "clusters": clusters}});
        let envoy = Envoy::start(&bootstrap, &[]);
        Self { envoy, connection: Connection::new(&format!("http://127.0.0.1:{port}")) }
    }

    fn ask(&mut self, path: &str) -> Answer {
        self.connection.get(path, &[("x-wristband-sub", b"mallory")])
    }

    fn present(&mut self, path: &str, token: &str) -> Answer {
        let headers = [("x-wristband-sub", &b"mallory"[..]), ("x-wristband-token", token.as_bytes())];
        self.connection.get(path, &headers)
    }
}

/// A wristband for somebody.
fn wristband(audience: &str) -> String {
    let mut claims = claims(A);
    claims["aud"] = audience.into();
    token::sign("cluster-a-2026-11", &claims)
}

fn switches(shown: &mut Value, route: usize) -> &mut Value {
    &mut shown["route_config"]["virtual_hosts"][0]["routes"][route]
}

#[test]
fn each_route_has_its_audience_and_nobody_finds_a_way_around_it() {
    let mut shown = page::blocks("routes").remove(0);
    let mut gateway = Gateway::start(&shown);
    let (federation, admin) = (wristband("federation"), wristband("admin"));
    for path in ["/", "/administrator", "/healthy", "/health/x"] {
        assert_eq!(gateway.present(path, &federation).received("x-wristband-sub"), Some("alice"), "{path}");
        assert_eq!(outcome(&gateway.present(path, &admin)), "wrong_audience", "{path}");
        assert_eq!(outcome(&gateway.ask(path)), "missing", "{path}");
    }
    for path in ["/admin", "/admin/x", "/%61dmin", "//admin", "/x/../admin", "/health/../admin", "/health;/../admin"] {
        assert_eq!(gateway.present(path, &admin).received("x-wristband-sub"), Some("alice"), "{path}");
        assert_eq!(outcome(&gateway.present(path, &federation)), "wrong_audience", "{path}");
        assert_eq!(outcome(&gateway.ask(path)), "missing", "{path}");
    }
    assert_eq!(gateway.present("/x/..%2fadmin", &federation).status, 400);
    for answer in [gateway.ask("/health"), gateway.present("/health", "junk")] {
        assert_eq!(answer.status, 200);
        assert_eq!((answer.received("x-wristband-sub"), answer.received("x-wristband-token")), (None, None));
    }
    // What the page warns of.
    for path in ["/ADMIN", "/admin;x"] {
        assert_eq!(gateway.present(path, &federation).received(":path"), Some(path));
    }
    for name in ["normalize_path", "merge_slashes", "path_with_escaped_slashes_action"] {
        shown.as_object_mut().unwrap().remove(name).unwrap();
    }
    switches(&mut shown, 0).as_object_mut().unwrap().remove("request_headers_to_remove").unwrap();
    let mut careless = Gateway::start(&shown);
    for path in ["/%61dmin", "//admin", "/x/../admin"] {
        assert_eq!(outcome(&careless.present(path, &federation)), "ok", "{path}");
    }
    assert_eq!(careless.ask("/health").received("x-wristband-sub"), Some("mallory"));
}

#[test]
fn a_token_in_the_query_stays_out_of_locations_paths_and_logs() {
    let mut shown = page::blocks("routes").remove(1);
    let mut gateway = Gateway::start(&shown);
    let (download, federation) = (wristband("download"), wristband("federation"));
    for path in ["/files/a", "/old/a"] {
        let answer = gateway.ask(&format!("{path}?x=1&wristband={download}"));
        let original = format!("{path}?x=1");
        assert_eq!(answer.received(":path"), Some("/store/a?x=1"));
        assert_eq!(answer.received("x-envoy-original-path"), Some(original.as_str()));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(outcome(&gateway.ask(&format!("{path}?wristband={federation}"))), "wrong_audience");
        assert_eq!(outcome(&gateway.present(path, &download)), "missing", "the query alone counts");
        assert_eq!(outcome(&gateway.ask(path)), "missing");
    }
    let moved = format!("/moved/a?wristband={download}");
    assert_eq!(gateway.ask(&moved).header("location"), Some("http://files.example.com/moved/a"));
    assert_eq!(outcome(&gateway.ask(&format!("/?wristband={download}"))), "missing");
    assert_eq!(outcome(&gateway.present("/", &download)), "wrong_audience");
    assert_eq!(outcome(&gateway.present("/", &federation)), "ok");
    gateway.envoy.wait_until("the log has all", |envoy| envoy.log().matches("wristband_denied").count() == 8);
    let log = gateway.envoy.log();
    assert!(log.contains("GET /files/a 401 wristband_denied{wrong_audience}"), "{log}");
    assert!(!log.contains(&download) && !log.contains(&federation), "{log}");

    // What the page warns of.
    shown["http_filters"][1]["typed_config"]["config"]["configuration"]["value"]["verify"]["forward"] = true.into();
    switches(&mut shown, 2)["redirect"]["strip_query"] = false.into();
    let mut kept = switches(&mut shown, 2).clone();
    kept["match"] = json!({"prefix": "/verified/"});
    kept["typed_per_filter_config"] = switches(&mut shown, 0)["typed_per_filter_config"].clone();
    shown["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap().insert(0, kept);
    shown.as_object_mut().unwrap().remove("access_log");
    let mut careless = Gateway::start(&shown);
    let answer = careless.ask(&format!("/files/a?wristband={download}"));
    for name in [":path", "x-envoy-original-path"] {
        assert!(answer.received(name).unwrap().contains(&download), "{name}");
    }
    assert!(careless.ask(&moved).header("location").unwrap().contains(&download));
    careless.ask(&format!("/old/a?wristband={federation}"));
    careless.envoy.wait_until("the log has it", |envoy| envoy.log().contains(&federation));
    shown["http_filters"][1]["typed_config"]["config"]["configuration"]["value"]["verify"]["forward"] = false.into();
    let mut verified = Gateway::start(&shown);
    let answer = verified.ask(&format!("/verified/a?x=1&wristband={download}"));
    assert_eq!(answer.header("location"), Some("http://files.example.com/verified/a?x=1"));
}

//! `envoy/fleet.yaml`: a token passes once in several Envoys together. With the real rate limit service and a real Redis.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::envoy::Envoy;
use crate::support::fleet::{Fleet, of_a, signed};
use crate::support::read;
use crate::support::sample::Sample;
use crate::support::token::{self, A, B};

const OF_A: &str = "cluster-a-2026-11";
const OF_B: &str = "cluster-b-2026-10";

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
    // What got the 503 is used up where it was asked, and nowhere else.
    let denied = of_a("no Redis-denied-0");
    assert_eq!([1, 0].map(|envoy| fleet.ask(envoy, &denied).status), [200, 401]);
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

    // As Redis does by default, it refuses what it has no room for, and forgets nothing to make some.
    assert_eq!(fleet.redis("CONFIG SET maxmemory 1"), ["+OK", "+OK"]);
    denies(&fleet, "a full Redis");
    assert_eq!(fleet.redis("CONFIG SET maxmemory 0"), ["+OK", "+OK"]);
    fleet.recovers("full");
    assert_eq!(fleet.ask(0, &used).status, 401);
}

#[test]
fn only_routes_that_forward_without_rules_of_their_own_are_counted() {
    const OWN: &str = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute";
    let change = |sample: &mut Sample| {
        let manager = &mut sample.bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
        let routes = &mut manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"];
        let limits = json!([{"actions": [{"generic_key": {"descriptor_value": "other"}}]}]);
        let (mut limited, to) = (json!({"cluster": "upstream"}), json!({"cluster": "upstream"}));
        limited["rate_limits"] = limits.clone();
        let own = json!({"once-in-the-fleet": {"@type": OWN, "rate_limits": limits}});
        *routes = json!([
            {"match": {"path": "/direct"}, "direct_response": {"status": 200}},
            {"match": {"path": "/redirect"}, "redirect": {"path_redirect": "/elsewhere"}},
            {"match": {"path": "/own"}, "route": to, "typed_per_filter_config": own},
            {"match": {"path": "/limited"}, "route": limited},
            {"match": {"prefix": "/"}, "route": to},
        ]);
    };
    let Some(fleet) = Fleet::start(change) else { return };
    for (path, statuses) in [
        ("/direct", [200, 200]),
        ("/redirect", [301, 301]),
        ("/own", [200, 200]),
        ("/limited", [200, 401]),
        ("/other", [200, 401]),
    ] {
        let token = of_a(path);
        assert_eq!([0, 1].map(|envoy| fleet.ask_for(envoy, path, &token).status), statuses, "{path}");
    }
    let denied = |envoy: &Envoy| {
        let mut lines = envoy.access_log();
        lines.retain(|line| line["status"] == 401);
        lines
    };
    fleet.envoys[1].wait_until("both are in the access log", |envoy| denied(envoy).len() == 2);
    let by_the_limit = |line: &Value| line["response_code_details"] == "request_rate_limited" && line["code"].is_null();
    assert!(denied(&fleet.envoys[1]).iter().all(by_the_limit));
    assert_eq!(fleet.envoys[1].counter("cluster.upstream.ratelimit.over_limit"), 2);
}

/// Its ports are others, and the Envoys run already.
#[test]
fn the_commands_of_the_page_ask_two_envoys() {
    let Some(fleet) = Fleet::start(|_| ()) else { return };
    let page = read("docs/verifying.md");
    let (_, section) = page.split_once("## Each token once in several Envoys\n").unwrap();
    let block = section.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
    let [moved, start, export, sign, ..] = block.lines().collect::<Vec<_>>()[..] else { panic!("{block}") };
    assert!(start.contains("-c target/fleet-2.yaml"));
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_wristband")).parent().unwrap().display();
    let moved = moved.split_once(" >").unwrap().0;
    let script = format!("PATH={bin}:$PATH; {moved}; {export}; {sign}; echo; echo \"---\"; echo \"$WRISTBAND\"");
    let mut shell = Command::new("bash");
    let output = shell.args(["-euc", &script]).current_dir(crate::support::path("")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let (other, token) = output.rsplit_once("---\n").unwrap();
    let ports = |text: &str| {
        let ports = text.split("port_value: ").skip(1).map(|rest| rest[..5].parse::<u16>().unwrap());
        ports.collect::<Vec<_>>()
    };
    let expected =
        ports(&read("envoy/fleet.yaml")).into_iter().map(|port| if port == 10_002 { port } else { port + 1_000 });
    assert_eq!(ports(other), expected.collect::<Vec<_>>());
    assert_eq!([0, 1].map(|envoy| fleet.ask(envoy, token.trim()).status), [200, 401]);
}

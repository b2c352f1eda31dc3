//! A VM that traps while requests wait in it: a build of the filter whose one callback ends it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{Parser, Payload, TypeRef};

use crate::jwks_server::{Answers, JwksServer};
use crate::support::config::{self, allow_fetching, cluster, filter, gateways};
use crate::support::envoy::Envoy;
use crate::support::token::{self, B};
use crate::support::{http, path};

/// The filter with `unreachable` in the place of a function that it exports.
pub fn trapping(export: &str) -> Vec<u8> {
    const UNREACHABLE: [u8; 3] = [0, 0, 0x0b];
    let module = fs::read(path("target/wristband.wasm")).unwrap();
    let (mut imports, mut victim) = (0, None);
    for payload in Parser::new(0).parse_all(&module) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                let imported = section.into_imports().map(Result::unwrap);
                imports = imported.filter(|import| matches!(import.ty, TypeRef::Func(_))).count();
            }
            Payload::ExportSection(section) => {
                victim =
                    section.into_iter().map(Result::unwrap).find(|found| found.name == export).map(|found| found.index);
            }
            _ => {}
        }
    }
    let victim = usize::try_from(victim.unwrap()).unwrap() - imports;
    let (mut changed, mut code, mut left) = (Module::new(), CodeSection::new(), 0);
    for payload in Parser::new(0).parse_all(&module) {
        let payload = payload.unwrap();
        match &payload {
            Payload::CodeSectionStart { count, .. } => left = *count,
            Payload::CodeSectionEntry(body) => {
                let is_victim = usize::try_from(code.len()).unwrap() == victim;
                code.raw(if is_victim { &UNREACHABLE } else { body.as_bytes() });
                left -= 1;
                if left == 0 {
                    changed.section(&code);
                }
            }
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
                    changed.section(&RawSection { id, data: &module[start..end] });
                }
            }
        }
    }
    changed.finish()
}

fn start(module: &Path, server: &JwksServer) -> (Envoy, String) {
    let mut filter = filter(&json!({
        "peers": [{"issuer": B, "remoteJwks": {"cluster": "b", "timeout": 2}}],
        "verify": {},
    }));
    allow_fetching(&mut filter);
    filter["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = module.to_str().unwrap().into();
    let config::Gateways { mut bootstrap, urls } = gateways(vec![vec![filter]]);
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster("b", server.port));
    let manager = &mut bootstrap["static_resources"]["listeners"][1]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["stream_idle_timeout"] = "4s".into();
    (Envoy::try_start(&bootstrap, &[], &["--concurrency", "1"]).unwrap(), urls[0].clone())
}

#[test]
fn a_vm_that_traps_while_requests_wait_passes_none_of_them_and_another_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let module = folder.path().join("traps.wasm");
    fs::write(&module, trapping("proxy_on_http_call_response")).unwrap();
    // The call ends with its timeout, and the callback with a trap.
    let server = JwksServer::start(Answers::Hangs);
    let (envoy, url) = start(&module, &server);
    let token = token::sign("cluster-b-2026-10", &token::claims(B));
    let started = Instant::now();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (url, token) = (url.clone(), token.clone());
            std::thread::spawn(move || http::get_with(&url, &[("x-wristband-token", &token)]).status)
        })
        .collect();
    let statuses: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| *status >= 400), "{statuses:?}");
    assert!(started.elapsed() < Duration::from_secs(15), "Envoy's own timeout ends them: {:?}", started.elapsed());
    assert!(envoy.log().contains("proxy_on_http_call_response failed"), "{}", envoy.log());
    assert_eq!(envoy.counter("http.echo.downstream_rq_total"), 0, "none of them has gone on");
    // The next request finds another VM, which verifies as the first one did.
    envoy.wait_until("another VM is there", |_| {
        let answer = http::get_with(&url, &[("x-wristband-token", "junk")]);
        assert!(answer.status >= 400, "{answer:?}");
        answer.status == 401
    });
    assert!(envoy.counter("wasm.wristband.vm_reload_success") > 0);
}

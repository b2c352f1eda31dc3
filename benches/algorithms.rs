//! What each algorithm costs where the VM computes it, measured natively; V8 takes about twice as long.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use wristband::crypto::{Arithmetic, Preference, Tables, vm};
use wristband::host::{Crypto, Function};
use wristband::jose::algorithm::Algorithm;
use wristband::keys::Material;

const MESSAGE: &[u8] = &[b'x'; 600];

fn pem(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Es256 => include_str!("../testdata/worthless-keys/cluster-a-2026-11.pem"),
        Algorithm::Es384 => include_str!("../testdata/worthless-keys/forms/p384.pem"),
        Algorithm::Es512 => include_str!("../testdata/worthless-keys/forms/p521.pem"),
        Algorithm::EdDsa => include_str!("../testdata/worthless-keys/forms/ed25519.pem"),
        _ => include_str!("../testdata/worthless-keys/forms/rsa.pem"),
    }
}

/// A host that computes nothing.
struct Nobody;

impl Crypto for Nobody {
    fn call(&self, _: Function, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}

fn algorithms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("algorithms");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for algorithm in Algorithm::ALL {
        let Ok(Material::Private(key)) = Material::parse(pem(algorithm), algorithm) else { panic!("no private key") };
        let public = key.public_key();
        let mut random = |bytes: &mut [u8]| getrandom::fill(bytes).is_ok();
        let signature = vm::sign(&key, MESSAGE, &mut random).unwrap();
        assert!(vm::verifies(&public, MESSAGE, &signature));
        let name = algorithm.name();
        group.bench_function(format!("sign {name}"), |bencher| {
            bencher.iter(|| vm::sign(&key, black_box(MESSAGE), &mut random));
        });
        group.bench_function(format!("verify {name}"), |bencher| {
            bencher.iter(|| vm::verifies(&public, black_box(MESSAGE), &signature));
        });
        if !matches!(algorithm, Algorithm::Es256 | Algorithm::EdDsa) {
            continue;
        }
        let tables = Rc::<Tables>::default();
        let key = Arithmetic::new(Preference::Tables, &Nobody, &tables).verifying(public).unwrap();
        // Until the tables are complete.
        (0..200).for_each(|_| assert!(key.verifies(MESSAGE, &signature, &Nobody)));
        group.bench_function(format!("verify {name} by tables"), |bencher| {
            bencher.iter(|| key.verifies(black_box(MESSAGE), &signature, &Nobody));
        });
    }
    group.finish();
}

criterion_group!(benches, algorithms);
criterion_main!(benches);

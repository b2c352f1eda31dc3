//! ES256 by tables beside RustCrypto: `make differential COUNT=n` compares what both say of n signatures, right ones, changed ones and
//! made up ones, of a new key for every 4,096. It fails with the first difference.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![allow(unreachable_pub)]

#[path = "../tests/support/changed.rs"]
mod changed;

use std::thread;
use std::time::Instant;

use changed::{WAYS, changed};
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{Signature, SigningKey};
use wristband::crypto::tables::{Comb, verifies};

/// How many signatures a key has.
const OF_A_KEY: u64 = 4_096;

/// How often tables and RustCrypto said yes and no, tables nothing, and RustCrypto that it is no signature.
#[derive(Clone, Copy, Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    unanswered: u64,
    no_signatures: u64,
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let variable =
        |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
    let (count, seed) = (variable("COUNT").unwrap(), variable("SEED").unwrap_or_else(|| fastrand::u64(..)));
    let start = Instant::now();
    let threads = u64::try_from(thread::available_parallelism().unwrap().get()).unwrap();
    let compared: Vec<_> = thread::scope(|scope| {
        let share = |thread: u64| count / threads + u64::from(thread < count % threads);
        let work = |thread| scope.spawn(move || compare(seed.wrapping_add(thread), share(thread)));
        let running: Vec<_> = (0..threads).map(work).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |part: fn(&Tally) -> u64| compared.iter().map(part).sum::<u64>();
    println!(
        "{count} signatures in {} s, SEED={seed}: {} accepted, {} refused, {} no signatures, {} without an answer by tables; no difference",
        start.elapsed().as_secs(),
        sum(|tally| tally.accepted),
        sum(|tally| tally.refused),
        sum(|tally| tally.no_signatures),
        sum(|tally| tally.unanswered),
    );
}

fn compare(seed: u64, count: u64) -> Tally {
    let mut random = fastrand::Rng::with_seed(seed);
    let generator = Comb::of_generator();
    let mut tally = Tally::default();
    let mut left = count;
    while left > 0 {
        let private = SigningKey::from_slice(&bytes(&mut random)).unwrap_or_else(|_| panic!("another seed"));
        let (key, comb) = (private.verifying_key(), Comb::new(private.verifying_key()));
        let of_key = left.min(OF_A_KEY);
        left -= of_key;
        let mut digest = [0; 32];
        let mut signature: Option<Signature> = None;
        for number in 0..of_key {
            // Of each that is right, the others are made; the last one is of another message.
            let way = number % (WAYS + 1);
            if way == 0 {
                digest = bytes(&mut random);
                signature = private.sign_prehash(&digest).ok();
            }
            if way == WAYS {
                digest[random.usize(..32)] ^= 1 << random.u8(..8);
            }
            let changed = changed(&mut random, way % WAYS, signature.as_ref().unwrap());
            let Ok(changed) = Signature::from_slice(&changed) else {
                tally.no_signatures += 1;
                continue;
            };
            let by_tables = verifies(&generator, &comb, &digest, &changed);
            let ordinary = key.verify_prehash(&digest, &changed).is_ok();
            match by_tables {
                None => tally.unanswered += 1,
                Some(true) if ordinary => tally.accepted += 1,
                Some(false) if !ordinary => tally.refused += 1,
                Some(answer) => panic!("tables {answer}, RustCrypto {ordinary}: {key:?} {digest:02x?} {changed:?}"),
            }
        }
    }
    tally
}

fn bytes(random: &mut fastrand::Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    bytes
}

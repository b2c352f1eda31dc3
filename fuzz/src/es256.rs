//! ES256 by tables beside RustCrypto. A byte says which key and another how to go on: with a digest, `r` and `s`; or with `r` and with
//! how often the generator and the key are to be added up, which leads to additions that the tables have no answer for.

use std::cell::RefCell;
use std::collections::HashMap;

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::ops::Reduce as _;
use p256::{FieldBytes, Scalar};
use wristband::crypto::tables::{Comb, verifies};

use super::input::Input;

/// How many keys there are: small multiples of the generator, their opposites, and others.
const KEYS: u8 = 24;

struct Key {
    private: Scalar,
    public: VerifyingKey,
    comb: Comb,
}

thread_local! {
    static GENERATOR: Comb = Comb::of_generator();

    /// Made when they are asked for.
    static KNOWN: RefCell<HashMap<u8, &'static Key>> = RefCell::default();
}

impl Key {
    fn new(number: u8) -> Self {
        let size = match number / 2 {
            small @ 0..4 => Scalar::from([1_u32, 2, 32, 33][usize::from(small)]),
            // 64^1, 64^2 and so on.
            power @ 4..8 => (3..power).fold(Scalar::ONE, |power, _| power * Scalar::from(64_u32)),
            other => scalar(&[other; 32]),
        };
        let private = if number.is_multiple_of(2) { size } else { -size };
        let signing = SigningKey::from_slice(&private.to_bytes()).expect("it is not 0");
        let public = *signing.verifying_key();
        Self { private, public, comb: Comb::new(&public) }
    }
}

fn key(number: u8) -> &'static Key {
    KNOWN.with_borrow_mut(|known| *known.entry(number).or_insert_with(|| Box::leak(Box::new(Key::new(number)))))
}

/// A number from 32 bytes at most.
fn scalar(bytes: &[u8]) -> Scalar {
    let mut filled = [0; 32];
    let start = filled.len() - bytes.len();
    filled[start..].copy_from_slice(bytes);
    Scalar::reduce(&FieldBytes::from(filled))
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let key = key(input.byte() % KEYS);
    let way = input.byte() % 3;
    let mut number = || {
        let length = usize::from(input.byte() % 33);
        scalar(input.take(length))
    };
    let (r, first, second) = (number(), number(), number());
    let (digest, s) = match way {
        0 => (first, second),
        way => {
            // The sum is `first` times the generator and `second` times the key; or what makes them meet after the first.
            let Some(inverse) = second.invert().into_option() else { return };
            let u = if way == 1 { first } else { first * key.private };
            (u * r * inverse, r * inverse)
        }
    };
    let Ok(signature) = Signature::from_scalars(r.to_bytes(), s.to_bytes()) else { return };
    let digest = digest.to_bytes().into();
    let by_tables = GENERATOR.with(|generator| verifies(generator, &key.comb, &digest, &signature));
    let ordinary = key.public.verify_prehash(&digest, &signature).is_ok();
    assert!(by_tables.is_none_or(|answer| answer == ordinary), "{by_tables:?}, and RustCrypto says {ordinary}");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    let input = |key: u8, way: u8, numbers: [&[u8]; 3]| {
        let numbers =
            numbers.into_iter().flat_map(|number| [&[u8::try_from(number.len()).expect("short")], number].concat());
        [key, way].into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let signed = (0..KEYS).map(|number| {
        let key = SigningKey::from_slice(&key(number).private.to_bytes()).expect("a key");
        let digest = [number.wrapping_mul(31); 32];
        let signature: Signature = key.sign_prehash(&digest).expect("a signature");
        let (r, s) = signature.split_bytes();
        input(number, 0, [&r, &digest, &s])
    });
    let met = [[1, 1], [2, 1], [64, 1], [1, 64], [33, 7]]
        .into_iter()
        .flat_map(|[first, second]| [1, 2].map(|way| input(first % KEYS, way, [&[7], &[first], &[second]])));
    signed.chain(met).collect()
}

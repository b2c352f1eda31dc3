//! The signature.

use p256::ecdsa::Signature;

use super::super::case::KEYS;
use super::super::case::Mutation::{Signature as Signed, Text};
use super::Row;

pub const MUTATIONS: &[Row] = &[
    ("signature: the other issuer's", Text(|draft, _| draft.signer = KEYS[1 - draft.issuer])),
    ("signature: a stranger's", Text(|draft, _| draft.signer = "stranger")),
    (
        "signature: a bit flipped",
        Signed(|signature, rng| {
            let bit = rng.usize(..8 * signature.len());
            signature[bit / 8] ^= 1 << (bit % 8);
        }),
    ),
    ("signature: cut", Signed(|signature, rng| signature.truncate(rng.usize(..64)))),
    ("signature: cut in front", Signed(|signature, rng| _ = signature.drain(..rng.usize(1..64)))),
    ("signature: a byte longer", Signed(|signature, rng| signature.push(rng.u8(..)))),
    ("signature: longer", Signed(|signature, rng| signature.extend((0..rng.usize(2..70)).map(|_| 0)))),
    (
        "signature: both halves longer in front",
        Signed(|signature, _| {
            signature.insert(32, 0);
            signature.insert(0, 0);
        }),
    ),
    (
        "signature: longer in front",
        Signed(|signature, rng| {
            let half = if rng.bool() { 0 } else { 32 };
            signature.splice(half..half, [0]);
        }),
    ),
    (
        "signature: DER",
        Signed(|signature, _| *signature = Signature::from_slice(signature).unwrap().to_der().as_bytes().to_vec()),
    ),
    (
        "signature: values at the edge",
        Signed(|signature, rng| {
            let mut above = ORDER;
            above[31] += 1;
            let values = [small(0), small(1), ORDER, above, [0xff; 32]];
            let half = 32 * rng.usize(..2);
            signature[half..half + 32].copy_from_slice(&values[rng.usize(..values.len())]);
            if rng.bool() {
                signature[32 - half..64 - half].copy_from_slice(&values[rng.usize(..values.len())]);
            }
        }),
    ),
    ("signature: r and s swapped", Signed(|signature, _| signature.rotate_left(32))),
    (
        "signature: the other s",
        Signed(|signature, _| {
            let parsed = Signature::from_slice(signature).unwrap();
            let (r, s) = parsed.split_scalars();
            *signature = Signature::from_scalars(r, -s).unwrap().to_bytes().to_vec();
        }),
    ),
];

/// The order of P-256, big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn small(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

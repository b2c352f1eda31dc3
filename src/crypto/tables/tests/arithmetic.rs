//! The operations of the field, with real numbers, against arithmetic without limbs.

use num_bigint::BigInt;

use super::super::element::{Element, INTO_MONTGOMERY, ONE};
use super::super::field::Field as _;
use super::{element, modulo, montgomery, p, value};

/// Numbers of the form of an element: the least and the greatest limbs, their neighbours, and random ones.
fn elements() -> Vec<Element<i32>> {
    const MASK: i32 = (1 << 29) - 1;
    let mut random = fastrand::Rng::with_seed(29);
    let tops = [0, 1, -1, 1 << 24, (1 << 24) - 1, -(1 << 24), 4 << 24, -(4 << 24)];
    let uniform = [0, 1, MASK, MASK - 1]
        .into_iter()
        .flat_map(|limb| tops.map(|top| Element([limb, limb, limb, limb, limb, limb, limb, limb, top])));
    let mut elements: Vec<_> = uniform.collect();
    for _ in 0..200 {
        let mut limbs = [0; 9].map(|_: i32| match random.u8(..4) {
            0 => 0,
            1 => MASK,
            _ => random.i32(0..=MASK),
        });
        limbs[8] = random.i32(-(4 << 24)..=4 << 24);
        elements.push(Element(limbs));
    }
    elements
}

/// An element is in its one form, and what it stands for is this.
fn check(found: &Element<i32>, expected: &BigInt, what: &str) {
    assert_eq!(*found, element(&value(found)), "{what}: not in its form");
    assert_eq!(modulo(&value(found)), modulo(expected), "{what}");
}

#[test]
fn each_operation_is_what_it_says_for_numbers_of_every_size() {
    let inverse = montgomery().modpow(&(p() - 2), &p());
    let elements = elements();
    let mut random = fastrand::Rng::with_seed(31);
    let mut any = || &elements[random.usize(..elements.len())];
    for round in 0..20_000 {
        let [a, b, c, d, e] = [(); 5].map(|()| any());
        let [va, vb, vc, vd, ve] = [a, b, c, d, e].map(value);
        let what = |name: &str| format!("{name} {round}: {a:?} {b:?} {c:?} {d:?} {e:?}");
        check(&i64::multiply(a, b), &(&va * &vb * &inverse), &what("multiply"));
        check(&i64::multiply_less(a, b, c), &(&va * &vb * &inverse - &vc), &what("multiply_less"));
        let difference = (&va * (&vb - &vc) - &vd * &ve) * &inverse;
        check(&i64::multiply_difference(a, b, c, d, e), &difference, &what("multiply_difference"));
        check(&i64::square(a), &(&va * &va * &inverse), &what("square"));
        check(&i64::square_less(a, b, c), &(&va * &va * &inverse - &vb - 2 * &vc), &what("square_less"));
        check(&i64::negative(a), &-va, &what("negative"));
    }
}

#[test]
fn the_constants_are_what_they_are_called() {
    assert_eq!(value(&ONE), montgomery() % p());
    assert_eq!(value(&INTO_MONTGOMERY), montgomery().pow(2) % p());
}

#[test]
fn bytes_become_the_number_that_they_are() {
    let mut random = fastrand::Rng::with_seed(37);
    let mut bytes = [[0; 32], [0xff; 32], [0; 32], [0; 32]].to_vec();
    bytes[2][0] = 1;
    bytes[3][31] = 1;
    bytes.extend([(); 200].map(|()| [0; 32].map(|_: u8| random.u8(..))));
    for bytes in bytes {
        let expected = BigInt::from_bytes_be(num_bigint::Sign::Plus, &bytes);
        assert_eq!(Element::from_bytes(&bytes), element(&expected));
    }
}

#[test]
fn the_multiples_of_p_that_are_near_are_zero_and_nothing_else_is() {
    let zeros = -4..=4;
    for factor in zeros.clone() {
        let zero = element(&(p() * factor));
        assert!(zero.is_zero(), "{factor}");
        for index in 0..9 {
            let limb = zero.0[index];
            for other in (0..32).map(|bit| limb ^ 1 << bit).chain([limb + 1, limb - 1, -limb]) {
                let mut near = zero;
                near.0[index] = other;
                assert_eq!(near.is_zero(), other == limb, "{factor} {index} {other}");
            }
        }
    }
    for element in elements() {
        let is_zero = zeros.clone().any(|factor| value(&element) == p() * factor);
        assert_eq!(element.is_zero(), is_zero);
    }
}

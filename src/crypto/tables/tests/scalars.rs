//! Digits and inverses.

use p256::Scalar;

use super::super::digits::{WINDOWS, digits};
use super::super::inverse::{checked, guess, inverse};
use super::random_scalar;

/// The number that digits are.
fn number(digits: &[i8; WINDOWS]) -> Scalar {
    let radix = Scalar::from(64_u32);
    digits.iter().rev().fold(Scalar::ZERO, |number, digit| {
        let size = Scalar::from(u32::from(digit.unsigned_abs()));
        number * radix + if *digit < 0 { -size } else { size }
    })
}

fn check(scalar: &Scalar) {
    let digits = digits(scalar);
    assert!(digits.iter().all(|digit| (-31..=32).contains(digit)), "{digits:?}");
    assert_eq!(number(&digits), *scalar, "{digits:?}");
}

/// A digit comes of six bits and a carry: each of these in each window, with all below it such that there is a carry, and that there
/// is none.
#[test]
fn every_digit_of_every_window_is_right_with_and_without_a_carry() {
    let sixty_four = Scalar::from(64_u32);
    let mut power = Scalar::ONE;
    for window in 0..WINDOWS {
        for digit in 0..64_u32 {
            // The last window has four bits, and the upper half of them may be beyond the order, which is the largest there is.
            if window + 1 == WINDOWS && digit > 15 {
                continue;
            }
            for below in [Scalar::ZERO, power - Scalar::ONE] {
                check(&(Scalar::from(digit) * power + below));
            }
        }
        power *= sixty_four;
    }
    check(&-Scalar::ONE);
    let mut random = fastrand::Rng::with_seed(53);
    (0..2_000).for_each(|_| check(&random_scalar(&mut random)));
}

/// The same with each window's digit between digits of all sizes, so that carries run on and stop.
#[test]
fn carries_run_as_far_as_they_have_to() {
    let sixty_four = Scalar::from(64_u32);
    for digit in [31_u32, 32, 33, 63] {
        for other in [0_u32, 31, 32, 33, 63] {
            for period in 1..5 {
                let digits = (0..42).map(|index| if index % period == 0 { digit } else { other });
                check(&digits.fold(Scalar::ZERO, |number, digit| number * sixty_four + Scalar::from(digit)));
            }
        }
    }
}

#[test]
fn a_guess_is_right_or_absent() {
    let mut random = fastrand::Rng::with_seed(59);
    let mut numbers: Vec<_> = (0..3_000).map(|_| random_scalar(&mut random)).collect();
    // Small ones, their negatives, their inverses, and powers of two.
    let small: Vec<_> = (1..200_u32).map(Scalar::from).collect();
    let two = Scalar::from(2_u32);
    numbers.extend(std::iter::successors(Some(Scalar::ONE), |power| Some(power * &two)).take(256));
    numbers.extend(small.iter().map(|number| number.invert().unwrap()));
    numbers.extend(small);
    let negative: Vec<_> = numbers.iter().map(|number| -*number).collect();
    numbers.extend(negative);
    let (mut right, mut absent) = (0, 0);
    for number in &numbers {
        let expected = number.invert().unwrap();
        match guess(number) {
            Some(found) => {
                assert_eq!(found, expected);
                right += 1;
            }
            None => absent += 1,
        }
        assert_eq!(inverse(number), Some(expected));
    }
    assert!(right > 6_000 && absent > 100, "{right} {absent}");
}

#[test]
fn of_small_numbers_there_is_no_guess_and_of_random_ones_there_is() {
    assert!((1..100_u32).all(|number| guess(&Scalar::from(number)).is_none()));
    let mut random = fastrand::Rng::with_seed(61);
    assert!((0..2_000).all(|_| guess(&random_scalar(&mut random)).is_some()));
}

#[test]
fn a_wrong_guess_does_not_count() {
    let mut random = fastrand::Rng::with_seed(67);
    for _ in 0..100 {
        let number = random_scalar(&mut random);
        let right = number.invert().unwrap();
        assert_eq!(checked(&number, Some(right)), Some(right));
        for wrong in [-right, right + Scalar::ONE, number, Scalar::ZERO, Scalar::ONE] {
            assert_eq!(checked(&number, Some(wrong)), None);
        }
        assert_eq!(checked(&number, None), None);
    }
    assert_eq!(inverse(&Scalar::ZERO), None);
}

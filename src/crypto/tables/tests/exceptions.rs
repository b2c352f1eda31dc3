//! Signatures on the way to which two points of the same x are added. Who knows the private key can make them.

use p256::{ProjectivePoint, Scalar};

use super::super::comb::Comb;
use super::super::digits::{WINDOWS, digits};
use super::super::element::Element;
use super::super::field::Field as _;
use super::random_scalar;
use super::signatures::{Key, remainder, with_factors};

/// What the digits of a number are before this window, and what is the one in it, as numbers.
fn cut(number: &Scalar, window: usize) -> (Scalar, Scalar) {
    let (mut power, mut sum) = (Scalar::ONE, Scalar::ZERO);
    for digit in digits(number).into_iter().take(window) {
        sum += times(&power, digit);
        power *= Scalar::from(64_u32);
    }
    (sum, times(&power, digits(number)[window]))
}

fn times(number: &Scalar, digit: i8) -> Scalar {
    let product = number * &Scalar::from(u32::from(digit.unsigned_abs()));
    if digit < 0 { -product } else { product }
}

/// In each window of the key, the sum so far is the point to be added, or its opposite: as the last addition, and with more to come.
/// Whatever `r` is, the tables have no answer; it is RustCrypto's, and the right `r` is accepted.
#[test]
fn an_exceptional_addition_has_no_answer_in_whichever_window_it_is() {
    let mut random = fastrand::Rng::with_seed(89);
    let private = random_scalar(&mut random);
    let key = Key::new(&(ProjectivePoint::GENERATOR * private));
    let mut accepted = 0;
    for window in 0..WINDOWS {
        // One that goes on after this window, and one that ends with it, for which its digit is positive.
        let any = random_scalar(&mut random);
        let (below, term) = cut(&any, window);
        let last = if digits(&any)[window] < 0 { -term } else { term };
        assert_ne!(term, Scalar::ZERO, "another seed");
        for (v, term) in [(any, term), (any, -term), (below + last, last), (below + last, -last)] {
            // The sum before this window is u times the generator, and `below` times the key.
            let u = (term - below) * private;
            let point = ProjectivePoint::GENERATOR * (u + v * private);
            let is_nothing = point == ProjectivePoint::IDENTITY;
            let right = if is_nothing { Scalar::ONE } else { remainder(&point) };
            for r in [right, right + Scalar::ONE, random_scalar(&mut random)] {
                let (digest, signature) = with_factors(&r, &u, &v);
                let (by_tables, ordinary) = key.judge(&digest, &signature);
                assert_eq!(by_tables, None, "window {window}");
                assert_eq!(ordinary, r == right && !is_nothing, "window {window}");
                accepted += u32::from(ordinary);
            }
        }
    }
    // Opposite points are nothing if nothing comes after them, as after the last window.
    assert_eq!(accepted, 3 * 42 + 2);
}

/// Why ZZ is looked at first: where the last addition doubles, every `r` would be right without that.
#[test]
fn without_a_look_at_zz_a_doubling_would_let_every_signature_pass() {
    let comb = Comb::of_generator();
    // The key is the generator: one times the one and one times the other.
    let sum = super::super::comb::sum([(&comb, &digits(&Scalar::ONE)), (&comb, &digits(&Scalar::ONE))]).unwrap();
    assert!(sum.is_exceptional());
    let mut random = fastrand::Rng::with_seed(97);
    for _ in 0..100 {
        let r = Element::from_bytes(&random_scalar(&mut random).to_bytes().into());
        assert!(i64::multiply_less(&r, &sum.zz, &sum.x).is_zero());
    }
}

/// Multiples of the generator that its own table has, and their neighbours. Where such a key meets the generator's entries there is
/// no answer, and otherwise it is the right one.
#[test]
fn keys_that_are_small_multiples_of_the_generator_are_judged_alike() {
    let mut random = fastrand::Rng::with_seed(101);
    let sixty_four = Scalar::from(64_u32);
    let powers = std::iter::successors(Some(Scalar::ONE), |power| Some(power * &sixty_four)).take(WINDOWS).step_by(6);
    let privates = (1..=33_u32).step_by(4).map(Scalar::from).chain(powers).flat_map(|private| [private, -private]);
    let (mut answered, mut unanswered) = (0, 0);
    for private in privates {
        let key = Key::new(&(ProjectivePoint::GENERATOR * private));
        let small = [1_u32, 2, 32, 33, 64].map(Scalar::from);
        let factors = small.iter().flat_map(|u| small.iter().map(|v| (*u, *v)));
        let [u, v] = [(); 2].map(|()| random_scalar(&mut random));
        for (u, v) in factors.chain([(u, v), (private, Scalar::ONE), (-private, Scalar::ONE), (u, -Scalar::ONE)]) {
            let point = ProjectivePoint::GENERATOR * (u + v * private);
            let r = if point == ProjectivePoint::IDENTITY { Scalar::ONE } else { remainder(&point) };
            let (digest, signature) = with_factors(&r, &u, &v);
            match key.judge(&digest, &signature).0 {
                Some(_) => answered += 1,
                None => unanswered += 1,
            }
        }
    }
    assert!(answered > 400 && unanswered > 60, "{answered} {unanswered}");
}

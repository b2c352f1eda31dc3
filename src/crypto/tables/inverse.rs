//! The inverse of a number modulo the order n of P-256, by a guess that is checked.
//!
//! The guess is Lehmer's: Euclid's algorithm for n and the number, whose quotients are taken from the upper 64 bits of both, some
//! eighteen at a time. It costs a quarter of RustCrypto's inverse, and nothing depends on it: what it finds counts only if RustCrypto
//! says that it is the inverse.

use p256::Scalar;
use p256::elliptic_curve::ff::PrimeField as _;

/// A number of 256 bits, the lowest first.
type Number = [u32; 8];

/// The order of the curve.
const ORDER: Number = [0xfc63_2551, 0xf3b9_cac2, 0xa717_9e84, 0xbce6_faad, 0xffff_ffff, 0xffff_ffff, 0, 0xffff_ffff];

/// What the factors of a step stay below, so that their products with 32 bits add up in 64.
const LIMIT: u64 = 1 << 31;

/// More than the steps that Euclid's algorithm takes for two numbers of 256 bits. It comes to an end then, whatever it has found.
const ROUNDS: usize = 370;

/// The inverse; `None` of 0 alone.
pub(super) fn inverse(number: &Scalar) -> Option<Scalar> {
    checked(number, guess(number)).or_else(|| number.invert_vartime().into_option())
}

/// A guess that is right.
#[expect(clippy::arithmetic_side_effects, reason = "scalars have no overflow")]
pub(super) fn checked(number: &Scalar, guess: Option<Scalar>) -> Option<Scalar> {
    guess.filter(|guess| number * guess == Scalar::ONE)
}

/// What is likely the inverse; `None` where the algorithm comes to a quotient that is too large for its steps, as it does for small
/// numbers.
#[expect(clippy::arithmetic_side_effects, reason = "scalars have no overflow")]
pub(super) fn guess(number: &Scalar) -> Option<Scalar> {
    let (mut x, mut y) = (ORDER, to_limbs(number));
    // How often the number is in each of them, modulo n and but for the sign, which alternates.
    let (mut u, mut v) = ([0; 8], [1, 0, 0, 0, 0, 0, 0, 0]);
    let mut is_positive = false;
    for _ in 0..ROUNDS {
        if y == [0; 8] {
            let found = from_limbs(&u)?;
            return Some(if is_positive { found } else { -found });
        }
        let Steps { first, second, is_odd } = Steps::of(&x, &y)?;
        (x, y) = match is_odd {
            false => (difference(first, (&x, &y)), difference((second.1, second.0), (&y, &x))),
            true => (difference((first.1, first.0), (&y, &x)), difference(second, (&x, &y))),
        };
        (u, v) = (sum(first, (&u, &v)), sum(second, (&u, &v)));
        is_positive ^= is_odd;
    }
    None
}

/// Some steps of Euclid's algorithm. They make of `x` and `y` the differences `first.0 x - first.1 y` and `second.1 y - second.0 x`,
/// if there is an even number of them, and otherwise the negatives of these.
struct Steps {
    first: (u64, u64),
    second: (u64, u64),
    is_odd: bool,
}

impl Steps {
    /// As many as the upper 64 bits of two numbers are good for; `None` when that is none. A quotient of the upper bits is one of
    /// the numbers if what the lower ones can change does not change it (Collins' condition), and always where there are no lower ones.
    fn of(x: &Number, y: &Number) -> Option<Self> {
        let lower = bits(x).saturating_sub(64);
        let (mut x, mut y) = (upper(x, lower), upper(y, lower));
        let mut steps = Self { first: (1, 0), second: (0, 1), is_odd: false };
        while let (Some(quotient), Some(rest)) = (x.checked_div(y), x.checked_rem(y)) {
            let Self { first, second, is_odd } = steps;
            let next =
                |first: u64, second: u64| quotient.checked_mul(second)?.checked_add(first).filter(|next| *next < LIMIT);
            let (Some(next_of_x), Some(next_of_y)) = (next(first.0, second.0), next(first.1, second.1)) else {
                break;
            };
            let is_sure = rest >= next_of_y && y.saturating_sub(rest) >= next_of_y.saturating_add(second.1);
            if lower > 0 && !is_sure {
                break;
            }
            (x, y) = (y, rest);
            steps = Self { first: second, second: (next_of_x, next_of_y), is_odd: !is_odd };
        }
        (steps.first != (1, 0)).then_some(steps)
    }
}

/// `f x - g y`, which is not negative.
#[expect(clippy::arithmetic_side_effects, reason = "products of 31 and 32 bits, and a carry")]
fn difference((f, g): (u64, u64), (x, y): (&Number, &Number)) -> Number {
    let [f, g] = [f, g].map(|factor| i64::try_from(factor).unwrap_or_default());
    let (mut difference, mut carry) = ([0; 8], 0);
    for ((limb, x), y) in difference.iter_mut().zip(x).zip(y) {
        let column = f * i64::from(*x) - g * i64::from(*y) + carry;
        *limb = u32::try_from(column & 0xffff_ffff).unwrap_or_default();
        carry = column >> 32;
    }
    difference
}

/// `f u + g v`.
#[expect(clippy::arithmetic_side_effects, reason = "products of 31 and 32 bits, and a carry")]
fn sum((f, g): (u64, u64), (u, v): (&Number, &Number)) -> Number {
    let (mut sum, mut carry) = ([0; 8], 0);
    for ((limb, u), v) in sum.iter_mut().zip(u).zip(v) {
        let column = f * u64::from(*u) + g * u64::from(*v) + carry;
        *limb = u32::try_from(column & 0xffff_ffff).unwrap_or_default();
        carry = column >> 32;
    }
    sum
}

/// How many bits a number has.
fn bits(number: &Number) -> u32 {
    let zeros = number.iter().rev().take_while(|limb| **limb == 0).count();
    let top = number.iter().rev().nth(zeros).map_or(32, |limb| limb.leading_zeros());
    u32::try_from(zeros).unwrap_or_default().saturating_mul(32).saturating_add(top).abs_diff(256)
}

/// A number without its lower bits, of which 64 are left at most.
fn upper(number: &Number, lower: u32) -> u64 {
    let limbs = usize::try_from(lower / 32).unwrap_or_default();
    let limbs = number.iter().skip(limbs).take(3).rev();
    let joined = limbs.fold(0_u128, |joined, limb| joined << 32 | u128::from(*limb));
    u64::try_from(joined >> (lower % 32) & u128::from(u64::MAX)).unwrap_or_default()
}

fn to_limbs(number: &Scalar) -> Number {
    let bytes: [u8; 32] = number.to_bytes().into();
    let mut limbs = [0; 8];
    for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.as_chunks().0) {
        *limb = u32::from_be_bytes(*bytes);
    }
    limbs
}

/// `None` when it is n or more.
fn from_limbs(limbs: &Number) -> Option<Scalar> {
    let mut bytes = [0; 32];
    for (bytes, limb) in bytes.as_chunks_mut().0.iter_mut().zip(limbs.iter().rev()) {
        *bytes = limb.to_be_bytes();
    }
    Scalar::from_repr(bytes.into()).into_option()
}

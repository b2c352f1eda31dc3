//! Whether a signature is a key's, by two tables.

use p256::ecdsa::Signature;
use p256::elliptic_curve::Curve as _;
use p256::elliptic_curve::bigint::{ArrayEncoding as _, CheckedAdd as _};
use p256::elliptic_curve::ops::Reduce as _;
use p256::{FieldBytes, NistP256, Scalar, U256};

use super::comb::{Comb, sum};
use super::digits::digits;
use super::element::{Element, INTO_MONTGOMERY};
use super::field::Field as _;
use super::inverse::inverse;
use super::point::Point;

/// p.
const MODULUS: U256 = U256::from_be_hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");

/// Whether a signature is the key's for a message of this digest (FIPS 186-5, section 6.4.2); `None` when that has to be computed in
/// another way. The combs are [that of the generator](Comb::of_generator) and that of the key.
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "scalars have no overflow")]
pub fn verifies(generator: &Comb, key: &Comb, digest: &[u8; 32], signature: &Signature) -> Option<bool> {
    let (r, s) = signature.split_scalars();
    let inverse = inverse(&s)?;
    let digest = Scalar::reduce(&FieldBytes::from(*digest));
    let sum = sum([(generator, &digits(&(digest * inverse))), (key, &digits(&(*r * inverse)))])?;
    has_remainder(&sum, &r)
}

/// Whether a point's x is `r` modulo the order of the curve; `None` when an exceptional addition led to it. Nothing is divided:
/// x is X / ZZ, and as it is less than p, it is `r` or `r + n`.
fn has_remainder(sum: &Point<Element<i32>>, r: &Scalar) -> Option<bool> {
    // First: where it is 0, every `r` would fit.
    if sum.is_exceptional() {
        return None;
    }
    let is_x = |x: &U256| {
        let x = i64::multiply(&Element::from_bytes(&x.to_be_byte_array().into()), &INTO_MONTGOMERY);
        i64::multiply_less(&x, &sum.zz, &sum.x).is_zero()
    };
    let r = U256::from_be_byte_array(r.to_bytes());
    let other = r.checked_add(NistP256::ORDER.as_ref()).into_option().filter(|other| *other < MODULUS);
    Some(is_x(&r) || other.is_some_and(|other| is_x(&other)))
}

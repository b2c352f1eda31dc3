//! Numbers modulo the order of P-256 in digits of 6 bits.

use p256::Scalar;

/// How many digits a number has: 256 bits, and a carry.
pub(super) const WINDOWS: usize = 43;

/// The number is the sum of `digit * 64^index`, and each digit lies between -31 and 32.
pub(super) type Digits = [i8; WINDOWS];

/// The digits of a number.
#[expect(clippy::arithmetic_side_effects, reason = "6 of at most 13 bits, and the tests try all there are")]
pub(super) fn digits(number: &Scalar) -> Digits {
    let mut bytes = number.to_bytes().into_iter().rev();
    let (mut held, mut bits, mut carry) = (0_u32, 0, 0);
    [(); WINDOWS].map(|()| {
        if bits < 6 {
            held |= u32::from(bytes.next().unwrap_or_default()) << bits;
            bits += 8;
        }
        let digit = i8::try_from(held & 63).unwrap_or_default() + carry;
        held >>= 6;
        bits -= 6;
        carry = i8::from(digit > 32);
        digit - 64 * carry
    })
}

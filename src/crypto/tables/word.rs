//! The numbers that the arithmetic is made of.

use std::ops::{Add, Sub};

/// How many bits a limb has.
pub(super) const BITS: u32 = 29;

const MASK: i64 = (1 << BITS) - 1;

/// A number of 64 bits, and what the field does with one. The filter computes with an [`i64`]; the proofs compute with
/// intervals, which show that nothing overflows, and with polynomials, which show what comes out. All three run the same
/// code, so what is proved is what is executed.
pub(super) trait Word: Copy + Add<Output = Self> + Sub<Output = Self> {
    /// A number of 32 bits, as it is kept.
    type Limb: Copy;

    /// Nothing.
    fn zero() -> Self;

    /// The product of two limbs.
    fn product(a: Self::Limb, b: Self::Limb) -> Self;

    /// The limb's own value.
    fn wide(limb: Self::Limb) -> Self;

    /// Its value in 32 bits, which has to have room for it.
    fn limb(self) -> Self::Limb;

    /// Multiplied by 2^`bits`.
    fn shifted(self, bits: u32) -> Self;

    /// Its 29 lower bits, as a number that is not negative, and the number that the others are: `low + 2^29 high`.
    fn split(self) -> (Self, Self);
}

impl Word for i64 {
    type Limb = i32;

    #[inline(always)]
    fn zero() -> i64 {
        0
    }

    #[inline(always)]
    #[expect(clippy::arithmetic_side_effects, reason = "two factors of 32 bits have a product of 64")]
    fn product(a: i32, b: i32) -> i64 {
        i64::from(a) * i64::from(b)
    }

    #[inline(always)]
    fn wide(limb: i32) -> i64 {
        limb.into()
    }

    #[inline(always)]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "proved to fit")]
    fn limb(self) -> i32 {
        debug_assert!(i32::try_from(self).is_ok());
        self as i32
    }

    #[inline(always)]
    fn shifted(self, bits: u32) -> i64 {
        debug_assert_eq!(self << bits >> bits, self);
        self << bits
    }

    #[inline(always)]
    fn split(self) -> (i64, i64) {
        (self & MASK, self >> BITS)
    }
}

//! Numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 as they are kept.

use super::word::BITS;

/// A number of the field, of nine limbs of 29 bits. Its limbs 0 to 7 are not negative, and the last one has the sign: so a number
/// has one form. It is a number modulo p, and which of those it is only has bounds: those that `tests/interval.rs` finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<L>(pub(super) [L; 9]);

/// p itself.
const P: [i32; 9] = [0x1fff_ffff, 0x1fff_ffff, 0x1fff_ffff, 0x1ff, 0, 0, 0x4_0000, 0x1fe0_0000, 0xff_ffff];

/// 1 in Montgomery's form: 2^261.
pub(super) const ONE: Element<i32> =
    Element([0x20, 0, 0, 0x1fff_c000, 0x1fff_ffff, 0x1fff_ffff, 0x1f7f_ffff, 0x3ff_ffff, 0]);

/// What takes a number into Montgomery's form, by a multiplication: 2^522.
pub(super) const INTO_MONTGOMERY: Element<i32> =
    Element([0xc00, 0, 0x1fff_0000, 0x1fdf_ffff, 0x1fbf_ffff, 0x1fff_ffff, 0x1fff_ffff, 0x1fff_fffe, 0x13]);

/// What is 0 modulo p, between -5p and 5p.
const ZEROS: [[i32; 9]; 9] = [
    multiple(-4),
    multiple(-3),
    multiple(-2),
    multiple(-1),
    multiple(0),
    multiple(1),
    multiple(2),
    multiple(3),
    multiple(4),
];

impl Element<i32> {
    /// A number that is not in Montgomery's form yet, from its 256 bits, big-endian.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let [w3, w2, w1, w0] = words else { return Self([0; 9]) };
        let [w3, w2, w1, w0] = [w3, w2, w1, w0].map(|word| u64::from_be_bytes(*word));
        let limb = |bits: u64| i32::try_from(bits & ((1 << BITS) - 1)).unwrap_or_default();
        Self([
            limb(w0),
            limb(w0 >> 29),
            limb(w0 >> 58 | w1 << 6),
            limb(w1 >> 23),
            limb(w1 >> 52 | w2 << 12),
            limb(w2 >> 17),
            limb(w2 >> 46 | w3 << 18),
            limb(w3 >> 11),
            limb(w3 >> 40),
        ])
    }

    /// Whether it is 0 modulo p. It has to lie between -5p and 5p.
    pub(super) fn is_zero(&self) -> bool {
        ZEROS.contains(&self.0)
    }
}

/// A multiple of p, in its one form.
#[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "by the compiler, which would refuse it")]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "of 29 bits")]
const fn multiple(factor: i32) -> [i32; 9] {
    let (mut limbs, mut carry, mut index) = ([0; 9], 0, 0);
    while index < 9 {
        let sum = P[index] as i64 * factor as i64 + carry;
        limbs[index] = if index < 8 { sum & ((1 << BITS) - 1) } else { sum } as i32;
        carry = sum >> BITS;
        index += 1;
    }
    limbs
}

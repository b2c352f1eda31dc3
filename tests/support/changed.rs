//! Signatures of ES256 that are right, or almost.

use p256::ecdsa::Signature;

/// How many ways there are to change one.
pub const WAYS: u64 = 8;

/// The order of P-256, and the numbers beside it.
const ENDS: [[u8; 32]; 6] = {
    let order = *b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    let (mut ends, mut one) = ([[0; 32], [0; 32], order, order, order, [0xff; 32]], [0; 32]);
    one[31] = 1;
    ends[1] = one;
    ends[2][31] -= 1;
    ends[4][31] += 1;
    ends
};

/// A signature in one of the ways. By the first it is what it was, and by the second as right as it was.
pub fn changed(random: &mut fastrand::Rng, way: u64, signature: &Signature) -> [u8; 64] {
    let mut whole: [u8; 64] = signature.to_bytes().into();
    match way {
        0 => {}
        1 => whole[32..].copy_from_slice(&(-*signature.s()).to_bytes()),
        2 => whole[random.usize(..32)] ^= 1 << random.u8(..8),
        3 => whole[random.usize(32..64)] ^= 1 << random.u8(..8),
        4 => whole.rotate_left(32),
        5 => {
            let start = random.usize(..63);
            random.fill(&mut whole[start..]);
        }
        6 => {
            // Small numbers, for which the inverse is found in another way.
            whole[32..63].fill(0);
            whole[random.usize(32..64)] = random.u8(1..);
        }
        _ => {
            let start = if random.bool() { 0 } else { 32 };
            whole[start..start + 32].copy_from_slice(&ENDS[random.usize(..ENDS.len())]);
        }
    }
    whole
}

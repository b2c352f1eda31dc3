//! Which way an answer is found, and which keys get a table.

use std::cell::Cell;

use p256::ProjectivePoint;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

use super::super::Tables;
use super::super::digits::WINDOWS;

/// A VM that counts how often the ordinary way is taken.
struct Vm {
    tables: Tables,
    ordinary: Cell<u32>,
}

/// How many signatures a VM's first key takes until it has a table: it is used repeatedly, and then two tables grow.
const FIRST: usize = 16 + 2 * WINDOWS;

impl Vm {
    fn new() -> Self {
        Self { tables: Tables::default(), ordinary: Cell::new(0) }
    }

    /// What is said of a signature of which the ordinary way says this, and whether it was asked.
    fn ask(&self, key: &VerifyingKey, message: &[u8], signature: &[u8], ordinary: bool) -> (bool, bool) {
        let before = self.ordinary.get();
        let answer = self.tables.verifies(key, message, signature, || {
            self.ordinary.set(before + 1);
            ordinary
        });
        (answer, self.ordinary.get() > before)
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(message);
    signature.to_bytes().to_vec()
}

/// A VM whose first key has just got its table.
fn ready() -> (Vm, SigningKey, Vec<u8>) {
    let (vm, key) = (Vm::new(), key(1));
    let signature = sign(&key, b"a");
    for _ in 0..FIRST {
        assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, true), (true, true));
    }
    (vm, key, signature)
}

#[test]
fn a_table_grows_with_accepted_signatures_and_answers_when_it_is_complete() {
    let (vm, key, signature) = ready();
    // The first answer is compared.
    assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, true), (true, true));
    for _ in 0..300 {
        let (answer, _) = vm.ask(key.verifying_key(), b"a", &signature, true);
        assert!(answer);
    }
    assert_eq!(vm.ordinary.get() as usize, FIRST + 2);
    assert!(!vm.tables.has_disagreed());
}

#[test]
fn a_refused_signature_builds_nothing() {
    let (vm, key) = (Vm::new(), key(1));
    let signature = sign(&key, b"a");
    for _ in 0..2 * FIRST {
        assert_eq!(vm.ask(key.verifying_key(), b"b", &signature, false), (false, true));
    }
    assert!(vm.tables.kept.borrow().is_empty());
}

#[test]
fn wrong_signatures_are_refused_by_tables_too() {
    let (vm, key, signature) = ready();
    vm.ask(key.verifying_key(), b"a", &signature, true);
    let mut changed = signature.clone();
    changed[40] ^= 1;
    // What the ordinary way would say does not matter: it is not asked.
    assert_eq!(vm.ask(key.verifying_key(), b"b", &signature, true), (false, false));
    assert_eq!(vm.ask(key.verifying_key(), b"a", &changed, true), (false, false));
    assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, false), (true, false));
    // To its end a message is what was signed.
    let (long, mut other) = ([b'a'; 1_000], [b'a'; 1_000]);
    other[999] = b'b';
    assert_eq!(vm.ask(key.verifying_key(), &long, &sign(&key, &long), false), (true, false));
    assert_eq!(vm.ask(key.verifying_key(), &other, &sign(&key, &long), true), (false, false));
}

/// What RFC 7518, section 3.4 does not allow: other lengths, and numbers that are 0 or not less than the order.
#[test]
fn what_is_not_of_the_form_goes_the_ordinary_way() {
    let (vm, key, signature) = ready();
    vm.ask(key.verifying_key(), b"a", &signature, true);
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (r, s) = signature.split_at(32);
    let above = [0xff; 32];
    for number in [[0; 32], order, above] {
        for signature in [[&number[..], s].concat(), [r, &number].concat(), [number, number].concat()] {
            assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, false), (false, true));
        }
    }
    for signature in [&signature[1..], &signature[..63], &[&signature[..], &[0]].concat(), &[]] {
        assert_eq!(vm.ask(key.verifying_key(), b"a", signature, false), (false, true));
    }
}

#[test]
fn an_exceptional_addition_goes_the_ordinary_way() {
    // The key is the generator, and the digest is such that it is added to itself.
    let one = SigningKey::from_slice(&{
        let mut one = [0; 32];
        one[31] = 1;
        one
    })
    .unwrap();
    assert_eq!(one.verifying_key().as_affine(), &ProjectivePoint::GENERATOR.to_affine());
    let (vm, key, right) = ready();
    vm.ask(key.verifying_key(), b"a", &right, true);
    let signature = sign(&one, b"a");
    // The first answer is compared.
    (0..16 + WINDOWS + 1).for_each(|_| assert!(vm.ask(one.verifying_key(), b"a", &signature, true).0));
    // `u` and `v` are 1 where the digest, `r` and `s` are the same.
    let digest = <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(b"a"));
    let exceptional = [digest, digest].concat();
    for ordinary in [true, false] {
        assert_eq!(vm.ask(one.verifying_key(), b"a", &exceptional, ordinary), (ordinary, true));
    }
    assert!(!vm.tables.has_disagreed());
    assert_eq!(vm.ask(one.verifying_key(), b"a", &signature, true), (true, false));
}

/// Two keys have the same x, and each is the other's opposite.
#[test]
fn a_table_is_for_its_key_and_not_for_the_one_of_the_same_x() {
    let (vm, key, signature) = ready();
    vm.ask(key.verifying_key(), b"a", &signature, true);
    let opposite = VerifyingKey::from_affine(-*key.verifying_key().as_affine()).unwrap();
    let other = SigningKey::from_slice(&(-*key.as_nonzero_scalar()).to_bytes()).unwrap();
    assert_eq!(other.verifying_key(), &opposite);
    assert_eq!(vm.ask(&opposite, b"a", &signature, false), (false, true));
    // The first answer is compared.
    for _ in 0..16 + WINDOWS + 1 {
        assert_eq!(vm.ask(&opposite, b"a", &sign(&other, b"a"), true), (true, true));
    }
    for (key, own, foreign) in [(key.verifying_key(), &key, &other), (&opposite, &other, &key)] {
        assert_eq!(vm.ask(key, b"a", &sign(own, b"a"), false), (true, false));
        assert_eq!(vm.ask(key, b"a", &sign(foreign, b"a"), true), (false, false));
    }
    assert!(!vm.tables.has_disagreed());
}

#[test]
fn the_first_difference_ends_the_tables_for_good_and_is_told_once() {
    for (ordinary, message) in [(false, b"a"), (true, b"b")] {
        let (vm, key, signature) = ready();
        assert!(!vm.tables.has_disagreed());
        // The first answer is compared, and the ordinary one counts.
        assert_eq!(vm.ask(key.verifying_key(), message, &signature, ordinary), (ordinary, true));
        for _ in 0..2 * FIRST {
            assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, true), (true, true));
        }
        assert!(vm.tables.has_disagreed());
        assert!(!vm.tables.has_disagreed());
        for _ in 0..2 * FIRST {
            assert_eq!(vm.ask(key.verifying_key(), b"a", &signature, true), (true, true));
        }
        assert!(!vm.tables.has_disagreed() && vm.tables.kept.borrow().is_empty());
    }
}

#[test]
fn one_answer_in_256_is_compared() {
    let (vm, key, signature) = ready();
    let compared = (0..3 * 256).filter(|_| vm.ask(key.verifying_key(), b"a", &signature, true).1);
    assert_eq!(compared.count(), 3);
}

/// Whatever is asked in between, and however regularly: what one table says nothing of is what another one says.
#[test]
fn the_first_answer_of_each_table_and_one_in_256_is_compared() {
    let (vm, first, signature) = ready();
    let (second, none) = (key(2), [1; 64]);
    let of_second = sign(&second, b"a");
    for _ in 0..16 + WINDOWS {
        assert_eq!(vm.ask(second.verifying_key(), b"a", &of_second, true), (true, true));
    }
    let (mut compared, mut compared_second) = (0, 0);
    for _ in 0..2 * 256 {
        compared += u32::from(vm.ask(first.verifying_key(), b"a", &signature, true).1);
        compared_second += u32::from(vm.ask(second.verifying_key(), b"a", &none, false).1);
    }
    assert_eq!((compared, compared_second), (2, 2));
    assert!(!vm.tables.has_disagreed());
}

#[test]
fn sixteen_keys_have_tables_and_one_that_is_not_used_any_more_loses_its_place() {
    let vm = Vm::new();
    let keys: Vec<_> = (1..=17).map(key).collect();
    let has_table = |key: &SigningKey| vm.tables.kept.borrow_mut().tables(key.verifying_key()).is_some();
    let is_asked = |key: &SigningKey| {
        let (is_accepted, is_asked) = vm.ask(key.verifying_key(), b"a", &sign(key, b"a"), true);
        assert!(is_accepted);
        is_asked
    };
    for key in &keys[..16] {
        (0..FIRST).for_each(|_| _ = is_asked(key));
        assert!(has_table(key));
    }
    // The others go on, and what is refused is no use.
    let (mut missed, idle) = (0, &keys[7]);
    while has_table(idle) {
        assert!(keys[..16].iter().all(has_table) && missed < 256, "{missed}");
        keys[..16].iter().filter(|key| *key != idle).for_each(|key| _ = is_asked(key));
        assert!(!vm.ask(idle.verifying_key(), b"b", &sign(idle, b"a"), false).0);
        assert!(is_asked(&keys[16]));
        missed += 1;
    }
    assert_eq!(missed, FIRST);
    (1..16 + WINDOWS).for_each(|_| assert!(is_asked(&keys[16])));
    assert!(keys.iter().filter(|key| *key != idle).all(has_table));
}

/// Were places given to whoever comes, hardly any table would be complete before it has to go, and all that is used would grow again and
/// again.
#[test]
fn keys_that_are_more_than_there_is_room_for_do_not_take_each_others_tables() {
    let (vm, mut random) = (Vm::new(), fastrand::Rng::with_seed(103));
    let keys: Vec<_> = (1..=18).map(key).map(|key| (*key.verifying_key(), sign(&key, b"a"))).collect();
    for _ in 0..18 * 120 {
        let (key, signature) = &keys[random.usize(..18)];
        assert!(vm.ask(key, b"a", signature, true).0);
    }
    let before = vm.ordinary.get();
    for (key, signature) in &keys {
        assert!(vm.ask(key, b"a", signature, true).0);
    }
    assert_eq!(vm.ordinary.get() - before, 2);
}

/// Many keys in turn: none of them is used often enough to get a table, and nothing grows.
#[test]
fn ten_thousand_keys_cost_nothing() {
    let vm = Vm::new();
    let keys: Vec<_> = (0..10_000_u32)
        .map(|number| {
            let mut bytes = [1; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            VerifyingKey::from(&SigningKey::from_slice(&bytes).unwrap())
        })
        .collect();
    for _ in 0..2 {
        for key in &keys {
            assert_eq!(vm.ask(key, b"a", &[1; 64], true), (true, true));
        }
    }
    let kept = vm.tables.kept.borrow();
    assert_eq!((kept.len(), kept.has_any_window()), (16, false));
}

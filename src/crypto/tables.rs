//! ES256 verified in the VM by tables of each key, in two thirds of the time that the host takes.
//!
//! A signature is right if `u G + v Q` has the x that it says, where G is the generator of P-256, Q the key, and `u` and `v` are made of
//! the digest and the signature. With a [`Comb`] for G and one for Q this is 86 additions and nothing else. Only public data goes through
//! here, so time may depend on it.
//!
//! # Never alone
//!
//! Whatever is not exactly this goes the *ordinary* way, which is that of `crypto: auto`: a signature that is not of the form, a key
//! without a table, an addition of two points with the same x. Of each table the first answer and one in 256 is compared with the ordinary
//! one, which counts then; the first difference ends this way in the VM for good. A table costs 97 KiB and 5 ms, so it grows by one
//! window with each request, for keys that have been used repeatedly, and only with signatures that were accepted.
//!
//! # What is known of it
//!
//! | type | who holds one knows |
//! |---|---|
//! | `Element` | nine limbs in the one form that they have |
//! | `Point` | a sum, and whether it was one: `is_exceptional` |
//! | [`Comb`] | all windows of a point, each entry RustCrypto's; a `Growing` table cannot be added up |
//! | `Option<bool>` | the answer, or that somebody else has to give it |
//!
//! - *Proved*, on the source that is compiled: no number overflows, however many points are added (`tests/interval.rs`); each operation
//!   of the field is what it says, for all inputs (`tests/polynomial.rs`); a sum is what the chord leads to (`tests/formula.rs`); what is
//!   compared with 0 lies between the multiples of p that it is compared with. The same of the operations in the module
//!   (`tests/compiled.rs`).
//! - *Tested*: digits, entries, inverses, exceptional additions in each window, the ends of all ranges, Wycheproof's sets, random and
//!   changed signatures, all against RustCrypto.
//! - *Trusted*: RustCrypto's scalars, points and forms of signatures, the compilers, and what the tests have not thought of: for that
//!   there is the comparison.

mod comb;
mod decision;
mod digits;
mod element;
mod field;
mod inverse;
mod kept;
mod point;
mod word;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::fmt;

pub use comb::Comb;
pub use decision::verifies;
use kept::{Kept, Ready};
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::edwards::Edwards;

/// The tables of a VM. They belong to no configuration, as a key that stays has nothing to lose by another one.
#[derive(Default)]
pub struct Tables {
    /// Those of Ed25519, which are another thing.
    pub(super) edwards: Edwards,
    kept: RefCell<Kept>,
    standing: Cell<Standing>,
}

/// Whether there are answers by tables.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Good,
    /// One was wrong, and nobody has been told.
    Disagreed,
    Ended,
}

impl Tables {
    /// Whether `signature` is the key's for `message`, in the one form that it has in a token. `ordinary` says so as well, and is
    /// asked where there is no answer by tables, or it is to be compared.
    pub fn verifies(
        &self,
        key: &VerifyingKey,
        message: &[u8],
        signature: &[u8],
        ordinary: impl FnOnce() -> bool,
    ) -> bool {
        let is_accepted = match self.answer(key, message, signature) {
            Some((answer, true)) => {
                let expected = ordinary();
                if answer != expected {
                    self.standing.set(Standing::Disagreed);
                    self.kept.take();
                }
                expected
            }
            Some((answer, false)) => answer,
            None => ordinary(),
        };
        if is_accepted && self.standing.get() == Standing::Good {
            self.kept.borrow_mut().accepted(key);
        }
        is_accepted
    }

    /// Whether an answer was another than the ordinary one: what there are answers by tables of is in doubt, and there are no more.
    pub fn are_ended(&self) -> bool {
        self.standing.get() != Standing::Good
    }

    /// Whether that has not been told yet.
    pub fn has_disagreed(&self) -> bool {
        let is_news = self.standing.get() == Standing::Disagreed;
        if is_news {
            self.standing.set(Standing::Ended);
        }
        is_news
    }

    /// The answer by tables, if there is one, and whether it is to be compared.
    fn answer(&self, key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Option<(bool, bool)> {
        let signature = Signature::from_slice(signature).ok()?;
        let mut kept = self.kept.borrow_mut();
        let Ready { generator, key, answers } = kept.tables(key)?;
        let answer = verifies(generator, key, &Sha256::digest(message).into(), &signature)?;
        Some((answer, std::mem::replace(answers, answers.wrapping_add(1)) == 0))
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tables")
    }
}

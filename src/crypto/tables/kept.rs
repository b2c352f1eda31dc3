//! Which keys have a table, or part of one.

use p256::AffinePoint;
use p256::ecdsa::VerifyingKey;

use super::comb::{Comb, Growing};

/// How many keys there are at most: 1.6 MB.
const MOST: usize = 16;

/// How often a key has to be used before it gets a table. Who has many more keys than there is room for, in turn, never gets so far
/// with any of them, and it costs nothing.
const PATIENCE: u8 = 16;

/// The tables of a VM.
#[derive(Default)]
pub(super) struct Kept {
    generator: Table,
    /// The one whose signature was accepted last comes first.
    keys: Vec<Known>,
}

struct Known {
    key: VerifyingKey,
    /// How often a signature of it was accepted, less what keys that found no room have taken of that.
    uses: u8,
    table: Table,
    /// How many answers its table has given, of which one in 256 is compared.
    answers: u8,
}

/// Two complete tables.
pub(super) struct Ready<'k> {
    pub(super) generator: &'k Comb,
    pub(super) key: &'k Comb,
    /// Those of the key's table.
    pub(super) answers: &'k mut u8,
}

#[derive(Default)]
enum Table {
    #[default]
    Absent,
    Growing(Growing),
    Complete(Comb),
}

impl Kept {
    /// The tables of the generator and of a key, if both are complete.
    pub(super) fn tables(&mut self, key: &VerifyingKey) -> Option<Ready<'_>> {
        let Self { generator: Table::Complete(generator), keys } = self else {
            return None;
        };
        match keys.iter_mut().find(|known| known.key == *key)? {
            Known { table: Table::Complete(comb), answers, .. } => Some(Ready { generator, key: comb, answers }),
            Known { table: Table::Absent | Table::Growing(_), .. } => None,
        }
    }

    /// Takes note of a key whose signature was accepted. If it has been used repeatedly, a table grows by a window, that of the generator
    /// first.
    pub(super) fn accepted(&mut self, key: &VerifyingKey) {
        let Some(known) = used(&mut self.keys, key) else {
            return self.take_up(key);
        };
        known.uses = known.uses.saturating_add(1);
        if known.uses <= PATIENCE {
            return;
        }
        if !self.generator.is_complete() {
            self.generator.grow(&AffinePoint::GENERATOR);
        } else {
            known.table.grow(key.as_affine());
        }
    }

    /// A key more, if there is room. If there is none, it takes a use from the key that was not used for the longest time, and with the
    /// last one its place: so a key that is used keeps its table, whatever comes and goes beside it, and one that is not loses it.
    fn take_up(&mut self, key: &VerifyingKey) {
        if let Some(last) = self.keys.get_mut(MOST.saturating_sub(1)) {
            last.uses = last.uses.saturating_sub(1);
            if last.uses > 0 {
                return;
            }
            self.keys.pop();
        }
        self.keys.insert(0, Known { key: *key, uses: 1, table: Table::Absent, answers: 0 });
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.has_any_window()
    }

    pub(super) fn has_any_window(&self) -> bool {
        let tables = self.keys.iter().map(|known| &known.table).chain([&self.generator]);
        tables.into_iter().any(|table| !matches!(table, Table::Absent))
    }
}

/// A key's place, which is the first one from now on.
fn used<'k>(keys: &'k mut [Known], key: &VerifyingKey) -> Option<&'k mut Known> {
    let place = keys.iter().position(|known| known.key == *key)?;
    keys.get_mut(..=place)?.rotate_right(1);
    keys.first_mut()
}

impl Table {
    fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    /// By one window, unless it is complete.
    fn grow(&mut self, point: &AffinePoint) {
        let growing = match std::mem::take(self) {
            Self::Complete(comb) => return *self = Self::Complete(comb),
            Self::Growing(growing) => growing,
            Self::Absent => Growing::new(point),
        };
        *self = match growing.grow() {
            Ok(comb) => Self::Complete(comb),
            Err(growing) => Self::Growing(growing),
        };
    }
}

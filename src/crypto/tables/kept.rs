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
    /// The one that was used last comes first.
    keys: Vec<Known>,
}

struct Known {
    key: VerifyingKey,
    /// How often a signature of it was accepted before there was anything of a table.
    uses: u8,
    table: Table,
}

#[derive(Default)]
enum Table {
    #[default]
    Absent,
    Growing(Growing),
    Complete(Comb),
}

impl Kept {
    /// The tables of the generator and of a key, if both are complete. The key is thereby used.
    pub(super) fn tables(&mut self, key: &VerifyingKey) -> Option<(&Comb, &Comb)> {
        let Self { generator: Table::Complete(generator), keys } = self else {
            return None;
        };
        match &used(keys, key)?.table {
            Table::Complete(comb) => Some((generator, comb)),
            Table::Absent | Table::Growing(_) => None,
        }
    }

    /// Takes note of a key whose signature was accepted. If it has been used repeatedly, a table grows by a window, that of the generator
    /// first.
    pub(super) fn accepted(&mut self, key: &VerifyingKey) {
        let Some(known) = used(&mut self.keys, key) else {
            self.keys.truncate(MOST.saturating_sub(1));
            self.keys.insert(0, Known { key: *key, uses: 1, table: Table::Absent });
            return;
        };
        if known.uses < PATIENCE {
            known.uses = known.uses.saturating_add(1);
        } else if !self.generator.is_complete() {
            self.generator.grow(&AffinePoint::GENERATOR);
        } else {
            known.table.grow(key.as_affine());
        }
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

//! Which keys have a table, or part of one.

use p256::AffinePoint;
use p256::ecdsa::VerifyingKey;

use super::super::places::Places;
use super::comb::{Comb, Growing};

/// The tables of a VM: that of the generator, and those of sixteen keys at most, 1.6 MB.
#[derive(Default)]
pub(super) struct Kept {
    generator: Table,
    keys: Places<VerifyingKey, Known>,
}

#[derive(Default)]
struct Known {
    table: Table,
    /// How many answers it has given, of which one in 256 is compared.
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
        match keys.get(key)? {
            Known { table: Table::Complete(comb), answers } => Some(Ready { generator, key: comb, answers }),
            Known { table: Table::Absent | Table::Growing(_), .. } => None,
        }
    }

    /// Takes note of a key whose signature was accepted. If it has been used repeatedly, a table grows by a window, that of the generator
    /// first.
    pub(super) fn accepted(&mut self, key: &VerifyingKey) {
        let Some(known) = self.keys.used(key) else {
            return;
        };
        if !self.generator.is_complete() {
            self.generator.grow(&AffinePoint::GENERATOR);
        } else {
            known.table.grow(key.as_affine());
        }
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn len(&self) -> usize {
        self.keys.all().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && !self.has_any_window()
    }

    pub(super) fn has_any_window(&self) -> bool {
        let tables = self.keys.all().map(|known| &known.table).chain([&self.generator]);
        tables.into_iter().any(|table| !matches!(table, Table::Absent))
    }
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

//! The multiples of a point from which a multiple of it is added up without a doubling.
//!
//! A factor is written with [43 digits](super::digits) of 6 bits, and entry `k` of window `i` is `(k + 1) * 2^(6 i)` times the
//! point: so there is one addition for each digit. The entries are RustCrypto's. They take 97 KiB and some 4 ms, therefore the
//! table of a key grows by one window at a time.

use p256::ecdsa::VerifyingKey;
use p256::elliptic_curve::BatchNormalize as _;
use p256::elliptic_curve::group::Group as _;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{AffinePoint, ProjectivePoint};

use super::digits::{Digits, WINDOWS};
use super::element::{Element, INTO_MONTGOMERY, ONE};
use super::field::Field as _;
use super::point::{Affine, Point, add, opposite};

/// The largest digit.
const ENTRIES: usize = 32;

type Window = [Affine<Element<i32>>; ENTRIES];

/// All windows of a point that is not the one at infinity.
pub struct Comb(Box<[Window; WINDOWS]>);

/// The windows of a point so far.
pub(super) struct Growing {
    windows: Vec<Window>,
    /// The point times the power of two that the next window begins with.
    next: ProjectivePoint,
}

impl Growing {
    /// None yet. The point must not be the one at infinity.
    pub(super) fn new(point: &AffinePoint) -> Self {
        Self { windows: Vec::with_capacity(WINDOWS), next: point.into() }
    }

    /// One window more. With the last one they are a comb.
    #[expect(clippy::arithmetic_side_effects, reason = "points have no overflow")]
    pub(super) fn grow(mut self) -> Result<Comb, Self> {
        let mut multiple = ProjectivePoint::IDENTITY;
        let multiples = [(); ENTRIES].map(|()| {
            multiple += self.next;
            multiple
        });
        self.windows.push(ProjectivePoint::batch_normalize(&multiples).map(|point| affine(&point)));
        self.next = multiple.double();
        if self.windows.len() < WINDOWS {
            return Err(self);
        }
        let next = self.next;
        let windows = <Box<[Window; WINDOWS]>>::try_from(self.windows);
        windows.map(Comb).map_err(|windows| Self { windows, next })
    }
}

impl Comb {
    /// That of a key.
    #[must_use]
    pub fn new(key: &VerifyingKey) -> Self {
        Self::of(key.as_affine())
    }

    /// That of the generator of the curve.
    #[must_use]
    pub fn of_generator() -> Self {
        Self::of(&AffinePoint::GENERATOR)
    }

    fn of(point: &AffinePoint) -> Self {
        let mut growing = Growing::new(point);
        loop {
            growing = match growing.grow() {
                Ok(comb) => return comb,
                Err(growing) => growing,
            }
        }
    }

    /// Its windows.
    #[cfg(test)]
    pub(super) fn windows(&self) -> &[Window; WINDOWS] {
        &self.0
    }
}

/// The sum of two points, each times a number; `None` if both numbers are 0. Whether the additions were what they seem the
/// sum knows: [`Point::is_exceptional`].
pub(super) fn sum(terms: [(&Comb, &Digits); 2]) -> Option<Point<Element<i32>>> {
    let mut sum: Option<Point<Element<i32>>> = None;
    for (comb, digits) in terms {
        for (window, digit) in comb.0.iter().zip(digits) {
            let entry = usize::from(digit.unsigned_abs()).checked_sub(1).and_then(|index| window.get(index));
            let Some(entry) = entry else {
                continue;
            };
            let turned;
            let entry = if *digit < 0 {
                turned = opposite::<i64>(entry);
                &turned
            } else {
                entry
            };
            sum = Some(match &sum {
                Some(sum) => add::<i64>(sum, entry),
                None => Point { x: entry.x, y: entry.y, zz: ONE, zzz: ONE },
            });
        }
    }
    sum
}

/// A point as it is looked up.
fn affine(point: &AffinePoint) -> Affine<Element<i32>> {
    let [x, y] =
        [point.x(), point.y()].map(|bytes| i64::multiply(&Element::from_bytes(&bytes.into()), &INTO_MONTGOMERY));
    Affine { x, y }
}

//! The arithmetic with intervals. What is true of an interval is true of every number in it, so this shows for all inputs, and not
//! for some, that no number leaves its 64 or 32 bits, whatever points are added and however many; and that what is compared with 0
//! lies between the multiples of p that it is compared with.

use std::ops::{Add, Sub};

use num_bigint::BigInt;
use p256::elliptic_curve::group::Group as _;
use p256::{AffinePoint, ProjectivePoint};

use super::super::element::{Element, INTO_MONTGOMERY, ONE};
use super::super::field::Field;
use super::super::point::{Affine, Point, add, opposite};
use super::super::word::{BITS, Word};
use super::{affine, element, is_point, p, value};

/// All numbers from the one to the other, and whether all that has led to them had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    low: i128,
    high: i128,
    fits: bool,
}

pub(super) const MASK: i128 = (1 << BITS) - 1;

impl Interval {
    pub(super) fn new(low: i128, high: i128) -> Self {
        Self { low, high, fits: true }
    }

    /// One that something has led to which has no room.
    pub(super) fn without_room() -> Self {
        Self { low: 0, high: 0, fits: false }
    }

    pub(super) fn is_between(self, least: i128, most: i128) -> bool {
        least <= self.low && self.high <= most
    }

    /// The same, where it has led to room between these.
    fn between(self, least: impl Into<i128>, most: impl Into<i128>) -> Self {
        Self { fits: self.fits && least.into() <= self.low && self.high <= most.into(), ..self }
    }

    /// What comes of two, which has to have room in 64 bits.
    fn of(self, other: Self, low: i128, high: i128) -> Self {
        Self { low, high, fits: self.fits && other.fits }.between(i64::MIN, i64::MAX)
    }

    /// The least that has both in it.
    fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), fits: self.fits && other.fits }
    }
}

impl Add for Interval {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.of(other, self.low + other.low, self.high + other.high)
    }
}

impl Sub for Interval {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.of(other, self.low - other.high, self.high - other.low)
    }
}

impl Word for Interval {
    type Limb = Self;

    fn zero() -> Self {
        Self::new(0, 0)
    }

    fn product(a: Self, b: Self) -> Self {
        let products = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
        a.of(b, products.into_iter().min().unwrap(), products.into_iter().max().unwrap())
    }

    fn wide(limb: Self) -> Self {
        limb
    }

    fn limb(self) -> Self {
        self.between(i32::MIN, i32::MAX)
    }

    fn shifted(self, bits: u32) -> Self {
        self.of(self, self.low << bits, self.high << bits)
    }

    fn split(self) -> (Self, Self) {
        let (low, high) = (self.low >> BITS, self.high >> BITS);
        // Where all have the same upper bits, the lower ones are in order.
        let lower = if low == high { (self.low & MASK, self.high & MASK) } else { (0, MASK) };
        (self.of(self, lower.0, lower.1), self.of(self, low, high))
    }
}

pub(super) type Range = Element<Interval>;

/// An element whose last limb is one of these.
fn range(low: i128, high: i128) -> Range {
    let mut limbs = [Interval::new(0, MASK); 9];
    limbs[8] = Interval::new(low, high);
    Element(limbs)
}

fn exactly(element: Element<i32>) -> Range {
    Element(element.0.map(|limb| Interval::new(limb.into(), limb.into())))
}

/// Whatever 256 bits are, in Montgomery's form: a coordinate, or `r`.
fn any_number<F: Field<Element = Range>>() -> Range {
    F::multiply(&range(0, (1 << 24) - 1), &exactly(INTO_MONTGOMERY))
}

/// Whatever is looked up, on either side.
fn any_entry<F: Field<Element = Range>>() -> Affine<Range> {
    let entry = Affine { x: any_number::<F>(), y: any_number::<F>() };
    Affine { y: hull(&entry.y, &opposite::<F>(&entry).y), ..entry }
}

fn hull(a: &Range, b: &Range) -> Range {
    let mut hull = a.0;
    hull.iter_mut().zip(b.0).for_each(|(hull, other)| *hull = hull.hull(other));
    Element(hull)
}

fn parts(point: &Point<Range>) -> [Range; 4] {
    [point.x, point.y, point.zz, point.zzz]
}

/// Whether each limb had room, and is as an element has it.
pub(super) fn is_sound(range: &Range) -> bool {
    let is_limb = |limb: &Interval| 0 <= limb.low && limb.high <= MASK;
    range.0.iter().all(|limb| limb.fits) && range.0[..8].iter().all(is_limb)
}

/// The least and the greatest number.
fn bounds(range: &Range) -> (BigInt, BigInt) {
    let number = |bound: fn(&Interval) -> i128| {
        range.0.iter().rev().fold(BigInt::from(0), |number, limb| (number << 29) + bound(limb))
    };
    (number(|limb| limb.low), number(|limb| limb.high))
}

type Addition = fn(&Point<Range>, &Affine<Range>) -> Point<Range>;

/// All sums that there can be: those of one point, and whatever comes of adding one more; and how many rounds it took to find them.
/// `None` if something has no room, or there is no end to it.
pub(super) fn closed<F: Field<Element = Range>>(add: Addition) -> Option<(Point<Range>, u32)> {
    let entry = any_entry::<F>();
    let mut sums = Point { x: entry.x, y: entry.y, zz: exactly(ONE), zzz: exactly(ONE) };
    for round in 0..40 {
        let next = add(&sums, &entry);
        if !parts(&next).iter().all(is_sound) {
            return None;
        }
        let [x, y, zz, zzz] = [0, 1, 2, 3].map(|part| hull(&parts(&sums)[part], &parts(&next)[part]));
        let grown = Point { x, y, zz, zzz };
        if grown == sums {
            return Some((sums, round));
        }
        sums = grown;
    }
    None
}

/// The multiples of p in a range that are not found to be zero.
pub(super) fn missed(range: &Range, is_zero: fn(&Element<i32>) -> bool) -> Vec<i32> {
    let (low, high) = bounds(range);
    (-20..=20)
        .filter(|factor| (&low..=&high).contains(&&(p() * factor)) && !is_zero(&element(&(p() * factor))))
        .collect()
}

/// What a decision compares with 0, for any of these sums and any `r`.
pub(super) fn compared<F: Field<Element = Range>>(sums: &Point<Range>) -> [Range; 2] {
    [sums.zz, F::multiply_less(&any_number::<F>(), &sums.zz, &sums.x)]
}

#[test]
fn no_number_leaves_its_bits_however_many_points_are_added() {
    let entry = any_entry::<Interval>();
    assert!(is_sound(&entry.x) && is_sound(&entry.y));
    let (sums, rounds) = closed::<Interval>(add::<Interval>).unwrap();
    assert_eq!(rounds, 12);
    for range in parts(&sums) {
        let (low, high) = bounds(&range);
        // Nothing comes near to what the last limb has room for.
        assert!(low > -4 * p() && high < 4 * p());
    }
    // What is closed holds what has been added up once, and is left by nobody.
    let again = add::<Interval>(&sums, &entry);
    for (all, next) in parts(&sums).iter().zip(parts(&again)) {
        assert_eq!(hull(all, &next), *all);
    }
}

#[test]
fn what_is_compared_with_zero_lies_between_the_multiples_that_it_is_compared_with() {
    let (sums, _) = closed::<Interval>(add::<Interval>).unwrap();
    for range in compared::<Interval>(&sums) {
        assert!(is_sound(&range));
        assert_eq!(missed(&range, Element::is_zero), [0; 0]);
        let (low, high) = bounds(&range);
        assert!(low > -5 * p() && high < 5 * p());
    }
}

/// What the proof consists of: without room there is none, whichever step has none, and for good.
#[test]
fn what_has_no_room_is_refused_at_each_step() {
    let new = Interval::new;
    let (least, most) = (i128::from(i32::MIN), i128::from(i32::MAX));
    assert!(new(least, most).limb().fits);
    assert!(!new(least - 1, 0).limb().fits && !new(0, most + 1).limb().fits);
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let (zero, one, all) = (new(0, 0), new(0, 1), new(least, most));
    assert!((all + zero).fits && (all - zero).fits && new(least >> 1, most >> 1).shifted(1).fits);
    assert!(!(all + one).fits && !(all - one).fits && !all.shifted(1).fits);
    assert!(Interval::product(new(-(1 << 31), 0), new(0, 1 << 31)).fits);
    assert!(!Interval::product(new(-(1 << 32), 0), new(-(1 << 31), 0)).fits);
    let without = Interval::without_room();
    let (low, high) = without.split();
    for step in [without + zero, zero - without, Interval::product(zero, without), without.shifted(1), without.limb()] {
        assert!(!step.fits);
    }
    assert!(!low.fits && !high.fits && !zero.hull(without).fits);

    let whole = range(0, 0);
    assert!(is_sound(&whole));
    for (place, limb) in [(0, new(-1, 0)), (7, new(0, MASK + 1)), (8, without)] {
        let mut range = whole;
        range.0[place] = limb;
        assert!(!is_sound(&range), "{place}");
    }
}

#[test]
fn what_is_split_is_all_that_it_can_be() {
    let new = Interval::new;
    for (interval, low, high) in [
        (new(5, 7), new(5, 7), new(0, 0)),
        (new(-1, -1), new(MASK, MASK), new(-1, -1)),
        (new(-1, 0), new(0, MASK), new(-1, 0)),
        (new(5, MASK + 1), new(0, MASK), new(0, 1)),
    ] {
        assert_eq!(interval.split(), (low, high));
    }
    let (a, b) = (new(-2, 3), new(-5, 4));
    assert_eq!(Interval::product(a, b), new(-15, 12));
    assert_eq!((a + b, a - b, a.hull(b), a.shifted(2)), (new(-7, 7), new(-6, 8), new(-5, 4), new(-8, 12)));
}

#[test]
fn zero_compared_with_fewer_multiples_is_refused() {
    let (sums, _) = closed::<Interval>(add::<Interval>).unwrap();
    let [zz, difference] = compared::<Interval>(&sums);
    assert_eq!(missed(&zz, |number| number.is_zero() && value(number) != p()), [1]);
    assert_eq!(missed(&difference, |number| number.is_zero() && value(number) < 4 * p()), [4]);
    assert_eq!(missed(&difference, |number| number.is_zero() && value(number) >= BigInt::from(0)), [-1]);
}

/// An addition whose X is not carried: its limbs are what the difference left in them.
fn add_without_carrying<W: Word>(
    sum: &Point<Element<W::Limb>>,
    point: &Affine<Element<W::Limb>>,
) -> Point<Element<W::Limb>> {
    let p = W::multiply_less(&point.x, &sum.zz, &sum.x);
    let r = W::multiply_less(&point.y, &sum.zzz, &sum.y);
    let pp = W::square(&p);
    let ppp = W::multiply(&p, &pp);
    let q = W::multiply(&sum.x, &pp);
    let square = W::square(&r);
    let limb = |index: usize| {
        let [square, ppp, q] = [&square, &ppp, &q].map(|element| W::wide(element.0[index]));
        (square - ppp - q.shifted(1)).limb()
    };
    let x = Element([0, 1, 2, 3, 4, 5, 6, 7, 8].map(limb));
    let y = W::multiply_difference(&r, &q, &x, &sum.y, &ppp);
    Point { x, y, zz: W::multiply(&sum.zz, &pp), zzz: W::multiply(&sum.zzz, &ppp) }
}

/// It is right for a thousand points, and no test of the kind finds limbs that are all large at once. Intervals do.
#[test]
fn an_operand_that_is_not_carried_is_refused_though_it_passes_tests() {
    let entry = any_entry::<Interval>();
    let (sums, _) = closed::<Interval>(add::<Interval>).unwrap();
    let fits = |point: &Point<Range>| parts(point).iter().flat_map(|range| range.0).all(|limb| limb.fits);
    assert!(fits(&add::<Interval>(&sums, &entry)) && !fits(&add_without_carrying::<Interval>(&sums, &entry)));
    assert_eq!(closed::<Interval>(add_without_carrying::<Interval>), None);

    let start = affine(&AffinePoint::GENERATOR);
    let mut sum = Point { x: start.x, y: start.y, zz: ONE, zzz: ONE };
    let mut expected = ProjectivePoint::GENERATOR;
    let mut point = expected.double();
    for _ in 0..1_000 {
        sum = add_without_carrying::<i64>(&sum, &affine(&point.to_affine()));
        expected += point;
        point = point.double();
    }
    assert!(is_point(&sum, &expected));
}

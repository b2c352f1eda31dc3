//! The addition with formulas: it is what the chord through two points leads to, whatever the field.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::{Add, Mul, Sub};

use super::super::field::Field;
use super::super::point::{Affine, Point, add};

/// A polynomial in x1, y1, z, x2 and y2, with the exponents of each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Formula(BTreeMap<[u8; 5], i64>);

impl Formula {
    fn new(terms: impl IntoIterator<Item = ([u8; 5], i64)>) -> Self {
        let mut sum = BTreeMap::new();
        terms.into_iter().for_each(|(exponents, coefficient)| *sum.entry(exponents).or_default() += coefficient);
        sum.retain(|_, coefficient| *coefficient != 0);
        Self(sum)
    }
}

fn times(factor: i64, formula: &Formula) -> Formula {
    Formula::new(formula.0.iter().map(|(exponents, coefficient)| (*exponents, coefficient * factor)))
}

impl Add for &Formula {
    type Output = Formula;

    fn add(self, other: Self) -> Formula {
        Formula::new(self.0.iter().chain(&other.0).map(|(exponents, coefficient)| (*exponents, *coefficient)))
    }
}

impl Sub for &Formula {
    type Output = Formula;

    fn sub(self, other: Self) -> Formula {
        self + &times(-1, other)
    }
}

impl Mul for &Formula {
    type Output = Formula;

    fn mul(self, other: Self) -> Formula {
        let product = |(x, a): (&[u8; 5], &i64), (y, b): (&[u8; 5], &i64)| {
            ([0, 1, 2, 3, 4].map(|variable| x[variable] + y[variable]), a * b)
        };
        Formula::new(self.0.iter().flat_map(|a| other.0.iter().map(move |b| product(a, b))))
    }
}

thread_local! {
    /// How many operations there have been, and which one has twice the result that it should have.
    static WRONG: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
}

/// The result of an operation.
fn result(formula: Formula) -> Formula {
    let (count, wrong) = WRONG.get();
    WRONG.set((count + 1, wrong));
    times(if count + 1 == wrong { 2 } else { 1 }, &formula)
}

impl Field for Formula {
    type Element = Self;

    fn multiply(a: &Self, b: &Self) -> Self {
        result(a * b)
    }

    fn multiply_less(a: &Self, b: &Self, s: &Self) -> Self {
        result(&(a * b) - s)
    }

    fn multiply_difference(a: &Self, b: &Self, c: &Self, d: &Self, e: &Self) -> Self {
        result(&(a * &(b - c)) - &(d * e))
    }

    fn square(a: &Self) -> Self {
        result(a * a)
    }

    fn square_less(a: &Self, s: &Self, t: &Self) -> Self {
        result(&(a * a) - &(s + &times(2, t)))
    }

    fn negative(a: &Self) -> Self {
        times(-1, a)
    }
}

/// Whether the sum is the third point of the chord, on the other side: with the slope `l = (y2 - y1) / (x2 - x1)` it is
/// `x3 = l^2 - x1 - x2` and `y3 = l (x1 - x3) - y1`. Any sum is of the form `x1 z^2, y1 z^3, z^2, z^3`: of ZZ and ZZZ, z is the quotient.
fn is_of_chord() -> bool {
    let [x1, y1, z, x2, y2] = [0, 1, 2, 3, 4].map(|variable| {
        let mut exponents = [0; 5];
        exponents[variable] = 1;
        Formula::new([(exponents, 1)])
    });
    let zz = &z * &z;
    let zzz = &zz * &z;
    let sum = Point { x: &x1 * &zz, y: &y1 * &zzz, zz: zz.clone(), zzz };
    let found = add::<Formula>(&sum, &Affine { x: x2.clone(), y: y2.clone() });
    // Without a division: `dx^2 x3` and `dx^3 y3`.
    let (dx, dy) = (&x2 - &x1, &y2 - &y1);
    let dx2 = &dx * &dx;
    let dx3 = &dx2 * &dx;
    let x3 = &(&dy * &dy) - &(&(&x1 + &x2) * &dx2);
    let y3 = &(&dy * &(&(&x1 * &dx2) - &x3)) - &(&y1 * &dx3);
    // The new z is 0 where x1 and x2 are equal or the old one was 0, and nowhere else.
    let z3 = &(&zz * &z) * &dx;
    let z3_squared = &z3 * &z3;
    found.zz == z3_squared
        && found.zzz == &z3_squared * &z3
        && &found.x * &dx2 == &x3 * &found.zz
        && &found.y * &dx3 == &y3 * &found.zzz
}

#[test]
fn a_sum_is_what_the_chord_leads_to() {
    assert!(is_of_chord());
    assert_eq!(WRONG.get(), (9, 0));
}

#[test]
fn a_sum_with_any_operation_done_wrongly_is_refused() {
    for wrong in 1..=9 {
        WRONG.set((0, wrong));
        assert!(!is_of_chord(), "{wrong}");
    }
}

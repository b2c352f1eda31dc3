//! Points of the curve y^2 = x^3 - 3x + b, and their sum.
//!
//! A sum is kept with X, Y, ZZ and ZZZ, where x = X / ZZ, y = Y / ZZZ and ZZ^3 = ZZZ^2, so that nothing is divided. (The
//! formulas are `madd-2008-s` of the Explicit-Formulas Database, for which b and the 3 do not matter.)
//!
//! They hold for two points whose x differ. Two with the same x are equal or opposite, and their sum would be a doubling or
//! nothing: such an addition is *exceptional*, and is not looked for. As ZZ is multiplied by the square of the difference of
//! the two, it is 0 from then on, and that is what [`Point::is_exceptional`] sees at the end.

use super::element::Element;
use super::field::Field;

/// A point that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Affine<E> {
    pub(super) x: E,
    pub(super) y: E,
}

/// A sum of such points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point<E> {
    pub(super) x: E,
    pub(super) y: E,
    pub(super) zz: E,
    pub(super) zzz: E,
}

/// The same point on the other side.
pub(super) fn opposite<F: Field<Element: Copy>>(point: &Affine<F::Element>) -> Affine<F::Element> {
    Affine { x: point.x, y: F::negative(&point.y) }
}

/// The sum of two points whose x differ. What is an exceptional addition, or began with one, ends with a ZZ of 0.
pub(super) fn add<F: Field>(sum: &Point<F::Element>, point: &Affine<F::Element>) -> Point<F::Element> {
    let p = F::multiply_less(&point.x, &sum.zz, &sum.x);
    let r = F::multiply_less(&point.y, &sum.zzz, &sum.y);
    let pp = F::square(&p);
    let ppp = F::multiply(&p, &pp);
    let q = F::multiply(&sum.x, &pp);
    let x = F::square_less(&r, &ppp, &q);
    let y = F::multiply_difference(&r, &q, &x, &sum.y, &ppp);
    Point { x, y, zz: F::multiply(&sum.zz, &pp), zzz: F::multiply(&sum.zzz, &ppp) }
}

impl Point<Element<i32>> {
    /// Whether one of the additions was not what it seems, so that this is no point.
    pub(super) fn is_exceptional(&self) -> bool {
        self.zz.is_zero()
    }
}

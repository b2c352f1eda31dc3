//! The field of P-256: numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1.
//!
//! A number has nine signed limbs of 29 bits, and is kept in Montgomery's form: `x` stands for `x / 2^261`. A product is a
//! sum of columns, of which the lower nine have to be cleared by adding multiples of p. As p is -1 modulo 2^29, the multiple
//! that clears a column is what stands in it, and p times that is four additions of it, shifted:
//! 96 = 3 * 29 + 9, 192 = 6 * 29 + 18, 224 = 7 * 29 + 21 and 256 = 8 * 29 + 24.
//!
//! That nothing here overflows is proved by `tests/interval.rs`, and what comes out by `tests/polynomial.rs`. Loops are
//! written out: optimized for size they would stay loops, which cost more than twice as much. Each function but the small ones is
//! called and not inlined, so that its body in the compiled module is one to be read.

#![expect(clippy::arithmetic_side_effects, reason = "proved not to overflow")]

use super::element::Element;
use super::word::Word;

/// What is computed with numbers of the field: by limbs, and in a proof by formulas.
pub(super) trait Field {
    /// A number.
    type Element;

    /// `a * b`.
    fn multiply(a: &Self::Element, b: &Self::Element) -> Self::Element;

    /// `a * b - s`.
    fn multiply_less(a: &Self::Element, b: &Self::Element, s: &Self::Element) -> Self::Element;

    /// `a * (b - c) - d * e`.
    fn multiply_difference(
        a: &Self::Element,
        b: &Self::Element,
        c: &Self::Element,
        d: &Self::Element,
        e: &Self::Element,
    ) -> Self::Element;

    /// `a * a`.
    fn square(a: &Self::Element) -> Self::Element;

    /// `a * a - s - 2 * t`.
    fn square_less(a: &Self::Element, s: &Self::Element, t: &Self::Element) -> Self::Element;

    /// `-a`.
    fn negative(a: &Self::Element) -> Self::Element;
}

impl<W: Word> Field for W {
    type Element = Element<W::Limb>;

    #[inline(never)]
    fn multiply(a: &Self::Element, b: &Self::Element) -> Self::Element {
        element(reduced::<W>(products(&a.0, &b.0)))
    }

    #[inline(never)]
    fn multiply_less(a: &Self::Element, b: &Self::Element, s: &Self::Element) -> Self::Element {
        less(reduced::<W>(products(&a.0, &b.0)), wide(&s.0))
    }

    /// The limbs of `b - c` have a sign each, so it is no [`Element`], and nobody else sees it.
    #[inline(never)]
    fn multiply_difference(
        a: &Self::Element,
        b: &Self::Element,
        c: &Self::Element,
        d: &Self::Element,
        e: &Self::Element,
    ) -> Self::Element {
        let products = minus(products::<W>(&a.0, &differences::<W>(&b.0, &c.0)), products(&d.0, &e.0));
        element(reduced(products))
    }

    #[inline(never)]
    fn square(a: &Self::Element) -> Self::Element {
        element(reduced::<W>(squares(&a.0)))
    }

    #[inline(never)]
    fn square_less(a: &Self::Element, s: &Self::Element, t: &Self::Element) -> Self::Element {
        less(reduced::<W>(squares(&a.0)), with_double::<W>(&s.0, &t.0))
    }

    #[inline(never)]
    fn negative(a: &Self::Element) -> Self::Element {
        less([W::zero(); 8], wide(&a.0))
    }
}

/// Limbs as numbers that can be computed with.
#[inline(always)]
fn wide<W: Word>([l0, l1, l2, l3, l4, l5, l6, l7, l8]: &[W::Limb; 9]) -> [W; 9] {
    let w = W::wide;
    [w(*l0), w(*l1), w(*l2), w(*l3), w(*l4), w(*l5), w(*l6), w(*l7), w(*l8)]
}

/// Limbs of a difference, each with a sign of its own.
#[inline(always)]
fn differences<W: Word>(b: &[W::Limb; 9], c: &[W::Limb; 9]) -> [W::Limb; 9] {
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = wide::<W>(b);
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8] = wide::<W>(c);
    let less = |b: W, c: W| (b - c).limb();
    [
        less(b0, c0),
        less(b1, c1),
        less(b2, c2),
        less(b3, c3),
        less(b4, c4),
        less(b5, c5),
        less(b6, c6),
        less(b7, c7),
        less(b8, c8),
    ]
}

/// `s + 2 t`.
#[inline(always)]
fn with_double<W: Word>(s: &[W::Limb; 9], t: &[W::Limb; 9]) -> [W; 9] {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8] = wide::<W>(s);
    let [t0, t1, t2, t3, t4, t5, t6, t7, t8] = wide::<W>(t);
    let plus = |s: W, t: W| s + t.shifted(1);
    [
        plus(s0, t0),
        plus(s1, t1),
        plus(s2, t2),
        plus(s3, t3),
        plus(s4, t4),
        plus(s5, t5),
        plus(s6, t6),
        plus(s7, t7),
        plus(s8, t8),
    ]
}

/// The difference of columns.
#[inline(always)]
fn minus<W: Word>(x: [W; 17], y: [W; 17]) -> [W; 17] {
    let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16] = x;
    let [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16] = y;
    [
        x0 - y0,
        x1 - y1,
        x2 - y2,
        x3 - y3,
        x4 - y4,
        x5 - y5,
        x6 - y6,
        x7 - y7,
        x8 - y8,
        x9 - y9,
        x10 - y10,
        x11 - y11,
        x12 - y12,
        x13 - y13,
        x14 - y14,
        x15 - y15,
        x16 - y16,
    ]
}

/// The columns of `a * b`: what stands at 2^0, at 2^29, at 2^58 and so on.
#[inline(always)]
#[rustfmt::skip]
fn products<W: Word>(a: &[W::Limb; 9], b: &[W::Limb; 9]) -> [W; 17] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = *a;
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = *b;
    let p = W::product;
    [
        p(a0, b0),
        p(a0, b1) + p(a1, b0),
        p(a0, b2) + p(a1, b1) + p(a2, b0),
        p(a0, b3) + p(a1, b2) + p(a2, b1) + p(a3, b0),
        p(a0, b4) + p(a1, b3) + p(a2, b2) + p(a3, b1) + p(a4, b0),
        p(a0, b5) + p(a1, b4) + p(a2, b3) + p(a3, b2) + p(a4, b1) + p(a5, b0),
        p(a0, b6) + p(a1, b5) + p(a2, b4) + p(a3, b3) + p(a4, b2) + p(a5, b1) + p(a6, b0),
        p(a0, b7) + p(a1, b6) + p(a2, b5) + p(a3, b4) + p(a4, b3) + p(a5, b2) + p(a6, b1) + p(a7, b0),
        p(a0, b8) + p(a1, b7) + p(a2, b6) + p(a3, b5) + p(a4, b4) + p(a5, b3) + p(a6, b2) + p(a7, b1) + p(a8, b0),
        p(a1, b8) + p(a2, b7) + p(a3, b6) + p(a4, b5) + p(a5, b4) + p(a6, b3) + p(a7, b2) + p(a8, b1),
        p(a2, b8) + p(a3, b7) + p(a4, b6) + p(a5, b5) + p(a6, b4) + p(a7, b3) + p(a8, b2),
        p(a3, b8) + p(a4, b7) + p(a5, b6) + p(a6, b5) + p(a7, b4) + p(a8, b3),
        p(a4, b8) + p(a5, b7) + p(a6, b6) + p(a7, b5) + p(a8, b4),
        p(a5, b8) + p(a6, b7) + p(a7, b6) + p(a8, b5),
        p(a6, b8) + p(a7, b7) + p(a8, b6),
        p(a7, b8) + p(a8, b7),
        p(a8, b8),
    ]
}

/// The columns of `a * a`.
#[inline(always)]
#[rustfmt::skip]
fn squares<W: Word>(a: &[W::Limb; 9]) -> [W; 17] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = *a;
    let p = W::product;
    [
        p(a0, a0),
        p(a0, a1).shifted(1),
        p(a0, a2).shifted(1) + p(a1, a1),
        (p(a0, a3) + p(a1, a2)).shifted(1),
        (p(a0, a4) + p(a1, a3)).shifted(1) + p(a2, a2),
        (p(a0, a5) + p(a1, a4) + p(a2, a3)).shifted(1),
        (p(a0, a6) + p(a1, a5) + p(a2, a4)).shifted(1) + p(a3, a3),
        (p(a0, a7) + p(a1, a6) + p(a2, a5) + p(a3, a4)).shifted(1),
        (p(a0, a8) + p(a1, a7) + p(a2, a6) + p(a3, a5)).shifted(1) + p(a4, a4),
        (p(a1, a8) + p(a2, a7) + p(a3, a6) + p(a4, a5)).shifted(1),
        (p(a2, a8) + p(a3, a7) + p(a4, a6)).shifted(1) + p(a5, a5),
        (p(a3, a8) + p(a4, a7) + p(a5, a6)).shifted(1),
        (p(a4, a8) + p(a5, a7)).shifted(1) + p(a6, a6),
        (p(a5, a8) + p(a6, a7)).shifted(1),
        p(a6, a8).shifted(1) + p(a7, a7),
        p(a7, a8).shifted(1),
        p(a8, a8),
    ]
}

/// Divides by 2^261 modulo p: multiples of p clear the nine lower columns, and the upper ones are what is left.
#[inline(always)]
fn reduced<W: Word>(columns: [W; 17]) -> [W; 8] {
    let [t0, mut t1, mut t2, mut t3, mut t4, mut t5, mut t6, mut t7, mut t8, ..] = columns;
    let [.., mut t9, mut t10, mut t11, mut t12, mut t13, mut t14, mut t15, mut t16] = columns;
    clear(t0, &mut t1, &mut t3, &mut t6, &mut t7, &mut t8);
    clear(t1, &mut t2, &mut t4, &mut t7, &mut t8, &mut t9);
    clear(t2, &mut t3, &mut t5, &mut t8, &mut t9, &mut t10);
    clear(t3, &mut t4, &mut t6, &mut t9, &mut t10, &mut t11);
    clear(t4, &mut t5, &mut t7, &mut t10, &mut t11, &mut t12);
    clear(t5, &mut t6, &mut t8, &mut t11, &mut t12, &mut t13);
    clear(t6, &mut t7, &mut t9, &mut t12, &mut t13, &mut t14);
    clear(t7, &mut t8, &mut t10, &mut t13, &mut t14, &mut t15);
    clear(t8, &mut t9, &mut t11, &mut t14, &mut t15, &mut t16);
    [t9, t10, t11, t12, t13, t14, t15, t16]
}

/// Adds the multiple of p that clears a column, to the next one and to those that stand 3, 6, 7 and 8 above it.
#[inline(always)]
fn clear<W: Word>(column: W, next: &mut W, third: &mut W, sixth: &mut W, seventh: &mut W, eighth: &mut W) {
    let (multiple, carry) = column.split();
    *next = *next + carry;
    *third = *third + multiple.shifted(9);
    *sixth = *sixth + multiple.shifted(18);
    *seventh = *seventh - multiple.shifted(21);
    *eighth = *eighth + multiple.shifted(24);
}

/// Columns as limbs.
#[inline(always)]
fn element<W: Word>(columns: [W; 8]) -> Element<W::Limb> {
    let ([r0, r1, r2, r3, r4, r5, r6, r7], r8) = carried(columns);
    Element([r0, r1, r2, r3, r4, r5, r6, r7, r8.limb()])
}

/// Columns as limbs, less `s`.
#[inline(always)]
fn less<W: Word>([t0, t1, t2, t3, t4, t5, t6, t7]: [W; 8], s: [W; 9]) -> Element<W::Limb> {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8] = s;
    let columns = [t0 - s0, t1 - s1, t2 - s2, t3 - s3, t4 - s4, t5 - s5, t6 - s6, t7 - s7];
    let ([r0, r1, r2, r3, r4, r5, r6, r7], r8) = carried(columns);
    Element([r0, r1, r2, r3, r4, r5, r6, r7, (r8 - s8).limb()])
}

/// Keeps 29 bits of each column, and hands on what is above them.
#[inline(always)]
fn carried<W: Word>([t0, t1, t2, t3, t4, t5, t6, t7]: [W; 8]) -> ([W::Limb; 8], W) {
    let (r0, carry) = t0.split();
    let (r1, carry) = (t1 + carry).split();
    let (r2, carry) = (t2 + carry).split();
    let (r3, carry) = (t3 + carry).split();
    let (r4, carry) = (t4 + carry).split();
    let (r5, carry) = (t5 + carry).split();
    let (r6, carry) = (t6 + carry).split();
    let (r7, carry) = (t7 + carry).split();
    ([r0.limb(), r1.limb(), r2.limb(), r3.limb(), r4.limb(), r5.limb(), r6.limb(), r7.limb()], carry)
}

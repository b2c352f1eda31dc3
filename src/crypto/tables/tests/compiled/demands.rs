//! What the run of a body demands: without any one of these it would take something for proved that is not.

use super::super::super::element::Element;
use super::super::interval::{Interval, MASK};
use super::super::polynomial::{Polynomial, begin};
use super::{CLAIMS, Number, Run, Step, proved};

/// A body that loads limb 0 of the only argument, and goes on; where it is all understood, what it leaves on the stack.
fn after_load(limb: Interval, is_extended: bool, steps: &[Step]) -> Option<Option<Number>> {
    begin();
    let mut run = Run::new(vec![[(); 9].map(|()| Number::new(Polynomial::variable(), limb, true))]);
    let load = [Step::Get(0), Step::Get(1), Step::Load { offset: 0, is_extended }];
    load.iter().chain(steps).try_for_each(|step| run.take(*step))?;
    Some(run.number())
}

const STORE: Step = Step::Store { offset: 0 };
const UNSIGNED: Step = Step::ShiftRight { is_signed: false };

/// Each is understood as it is first, and not as it is then.
#[test]
fn what_is_not_known_to_be_right_is_refused() {
    use Step::{And, Constant, Extend, Get, Load, Multiply, ShiftLeft, Wrap};
    let (limb, signed) = (Interval::new(0, MASK), Interval::new(-1, MASK));
    let is_understood =
        |limb: Interval, is_extended: bool, steps: &[Step]| after_load(limb, is_extended, steps).is_some();
    let check = |right: &[Step], wrong: &[Step]| {
        assert!(is_understood(limb, true, right), "{right:?}");
        assert!(!is_understood(limb, true, wrong), "{wrong:?}");
    };
    // What is kept has room in 32 bits, and is kept once, in the result.
    check(&[Constant(2), ShiftLeft, STORE], &[Constant(3), ShiftLeft, STORE]);
    let load = [Get(1), Load { offset: 4, is_extended: true }];
    check(&[STORE], &[&[STORE, Get(0)], &load[..], &[STORE]].concat());
    let to = |address: u32| [&[STORE, Get(address)], &load[..], &[Step::Store { offset: 4 }]].concat();
    check(&to(0), &to(1));
    // What is extended had room.
    check(&[Constant(2), ShiftLeft, Wrap, Extend], &[Constant(3), ShiftLeft, Wrap, Extend]);
    // Of what is right in 32 bits nothing is carried, and of what has no room in 64.
    let carry = |limb, is_extended, steps: &[Step]| {
        is_understood(limb, is_extended, &[steps, &[Constant(29), Step::ShiftRight { is_signed: true }]].concat())
    };
    assert!(carry(limb, true, &[]) && !carry(limb, false, &[]) && !carry(limb, true, &[Wrap]));
    assert!(carry(limb, true, &[Constant(34), ShiftLeft]) && !carry(limb, true, &[Constant(35), ShiftLeft]));
    assert!(carry(limb, true, &[Constant(29), UNSIGNED]) && !carry(signed, true, &[Constant(29), UNSIGNED]));
    // Of a square, and of nothing else, bit 1 is known.
    let square = |mask: i64| [Step::Set(9), Get(9), Get(9), Multiply, Constant(mask), And];
    let mask = i64::try_from(MASK).unwrap();
    check(&[Constant(mask), And], &[Constant(mask - 2), And]);
    check(&square(mask - 2), &square(mask - 4));
    // A factor is all of it where 64 bits are right.
    let factor = [Constant((1 << 32) + 1), Multiply];
    let high = |is_extended| after_load(limb, is_extended, &factor).flatten().unwrap().range;
    assert!(high(false).is_between(0, MASK) && !high(true).is_between(0, MASK));
}

/// What comes out as it should but for its form.
#[test]
fn a_result_that_is_not_carried_is_refused() {
    let of_limb = |limb: u64| {
        let load = Step::Load { offset: 4 * limb, is_extended: true };
        [Step::Get(0), Step::Constant(0), Step::Get(1), load, Step::Subtract, Step::Store { offset: 4 * limb }]
    };
    let body: Vec<_> = (0..9).flat_map(of_limb).collect();
    let proved = |low, high| proved(&body, &[&Element([Interval::new(low, high); 9])], CLAIMS[5].2);
    assert!(proved(-MASK, 0).is_some());
    assert_eq!((proved(-MASK - 1, 0), proved(-MASK, 1)), (None, None));
}

//! The arithmetic with polynomials: limbs are variables, and 2^29 is the variable B. What is carried is a variable of its own, so
//! that nothing is assumed of it but that `low + B high` is what was split. So each operation is shown to be what it says, for all
//! inputs, wherever `interval` shows that nothing overflows.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::{Add, Sub};

use num_bigint::BigInt;

use super::super::element::Element;
use super::super::field::Field;
use super::super::word::Word;
use super::p;

/// A polynomial, by its place in the computation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Polynomial(usize);

/// How a polynomial came to be.
#[derive(Clone, Copy)]
enum Origin {
    Zero,
    Variable,
    Product(Polynomial, Polynomial),
    /// `a + factor B^power b`.
    Sum {
        a: Polynomial,
        b: Polynomial,
        factor: i128,
        power: usize,
    },
}

thread_local! {
    /// All polynomials of a computation, each behind those that it is made of.
    static COMPUTATION: RefCell<Vec<Origin>> = RefCell::default();
}

/// More than any power of B.
const POWERS: usize = 20;

/// The coefficients of the powers of B.
type OfB = [i128; POWERS];

/// Variables in products of two, or alone, each with what it is multiplied by.
type Terms = BTreeMap<(Option<usize>, usize), OfB>;

impl Polynomial {
    fn new(origin: Origin) -> Self {
        COMPUTATION.with_borrow_mut(|computation| {
            computation.push(origin);
            Self(computation.len() - 1)
        })
    }

    fn origin(self) -> Origin {
        COMPUTATION.with_borrow(|computation| computation[self.0])
    }

    /// 0.
    pub(super) fn nothing() -> Self {
        Self::new(Origin::Zero)
    }

    /// A number that nothing is known of.
    pub(super) fn variable() -> Self {
        Self::new(Origin::Variable)
    }

    /// A product, unless one of the two is one already.
    pub(super) fn times(a: Self, b: Self) -> Option<Self> {
        (a.is_linear() && b.is_linear()).then(|| Self::new(Origin::Product(a, b)))
    }

    pub(super) fn is_square(self) -> bool {
        matches!(self.origin(), Origin::Product(a, b) if a == b)
    }

    fn is_linear(self) -> bool {
        match self.origin() {
            Origin::Zero | Origin::Variable => true,
            Origin::Sum { a, b, .. } => a.is_linear() && b.is_linear(),
            Origin::Product(..) => false,
        }
    }

    /// Itself and `factor` times another, times a power of B.
    pub(super) fn plus(self, other: Self, factor: i128, power: usize) -> Self {
        Self::new(Origin::Sum { a: self, b: other, factor, power })
    }

    /// Itself, multiplied out.
    fn terms(self) -> Terms {
        // What each polynomial that it is made of is multiplied by.
        let mut factors = vec![[0; POWERS]; self.0 + 1];
        factors[self.0][0] = 1;
        let mut terms = Terms::new();
        for place in (0..=self.0).rev() {
            let factor = factors[place];
            match Self(place).origin() {
                Origin::Zero => {}
                Origin::Variable => add_to(terms.entry((None, place)).or_insert([0; POWERS]), &factor, 1, 0),
                Origin::Sum { a, b, factor: of_b, power } => {
                    add_to(&mut factors[a.0], &factor, 1, 0);
                    add_to(&mut factors[b.0], &factor, of_b, power);
                }
                Origin::Product(a, b) => {
                    for (x, of_x, power_of_x) in a.variables() {
                        for (y, of_y, power_of_y) in b.variables() {
                            let sum = terms.entry((Some(x.min(y)), x.max(y))).or_insert([0; POWERS]);
                            add_to(sum, &factor, of_x * of_y, power_of_x + power_of_y);
                        }
                    }
                }
            }
        }
        terms
    }

    /// The variables of a factor, each with its own factor and power of B.
    fn variables(self) -> Vec<(usize, i128, usize)> {
        match self.origin() {
            Origin::Zero => vec![],
            Origin::Variable => vec![(self.0, 1, 0)],
            Origin::Sum { a, b, factor, power } => {
                let b = b.variables().into_iter();
                let b = b.map(|(variable, of_b, power_of_b)| (variable, of_b * factor, power_of_b + power));
                a.variables().into_iter().chain(b).collect()
            }
            Origin::Product(..) => panic!("a product of products"),
        }
    }
}

fn add_to(sum: &mut OfB, other: &OfB, factor: i128, power: usize) {
    for (index, coefficient) in other.iter().enumerate().filter(|(_, coefficient)| **coefficient != 0) {
        sum[index + power] += coefficient * factor;
    }
}

impl Add for Polynomial {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.plus(other, 1, 0)
    }
}

impl Sub for Polynomial {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.plus(other, -1, 0)
    }
}

impl Word for Polynomial {
    type Limb = Self;

    fn zero() -> Self {
        Self::nothing()
    }

    fn product(a: Self, b: Self) -> Self {
        Self::times(a, b).expect("factors that are no products")
    }

    fn wide(limb: Self) -> Self {
        limb
    }

    fn limb(self) -> Self {
        self
    }

    fn shifted(self, bits: u32) -> Self {
        Self::zero().plus(self, 1 << bits, 0)
    }

    fn split(self) -> (Self, Self) {
        let high = Self::variable();
        (self.plus(high, -1, 1), high)
    }
}

/// Forgets all polynomials that there were.
pub(super) fn begin() {
    COMPUTATION.take();
}

/// The number that limbs are.
pub(super) fn number(element: Element<Polynomial>) -> Polynomial {
    let limbs = element.0.into_iter().enumerate();
    limbs.fold(Polynomial::zero(), |number, (index, limb)| number.plus(limb, 1, index))
}

/// p as a polynomial in B: coefficients and powers.
const P: [(i128, usize); 5] = [(1 << 24, 8), (-(1 << 21), 7), (1 << 18, 6), (1 << 9, 3), (-1, 0)];

/// Whether it is a multiple of p(B), with integers: whatever the variables are, it is a multiple of p then.
pub(super) fn is_multiple_of_p(polynomial: Polynomial) -> bool {
    polynomial.terms().into_values().all(is_divisible)
}

/// Divides by p(B) from the lower end, where it has a -1: `-q` at one power of B takes `q` away there, and adds to the higher ones.
fn is_divisible(mut left: OfB) -> bool {
    let degree = left.iter().rposition(|coefficient| *coefficient != 0).unwrap_or_default();
    for index in 0..(degree + 1).saturating_sub(8) {
        let quotient = left[index];
        for (coefficient, power) in P {
            left[index + power] += quotient * coefficient;
        }
    }
    left == [0; POWERS]
}

fn any_element() -> Element<Polynomial> {
    Element([(); 9].map(|()| Polynomial::variable()))
}

/// What Montgomery's form of a result is divided by: 2^261, which is B^9.
pub(super) const MONTGOMERY: usize = 9;

type Operation<W> = fn(&[Element<<W as Word>::Limb>; 5]) -> Element<<W as Word>::Limb>;

/// Each operation, and what 2^261 times its result should be.
struct Claim<W: Word> {
    name: &'static str,
    operation: Operation<W>,
    should_be: fn(&[Polynomial; 5]) -> Polynomial,
}

fn claims<W: Word>() -> [Claim<W>; 6] {
    [
        Claim {
            name: "a b",
            operation: |[a, b, ..]| W::multiply(a, b),
            should_be: |[a, b, ..]| Polynomial::product(*a, *b),
        },
        Claim {
            name: "a b - s",
            operation: |[a, b, s, ..]| W::multiply_less(a, b, s),
            should_be: |[a, b, s, ..]| Polynomial::product(*a, *b).plus(*s, -1, MONTGOMERY),
        },
        Claim {
            name: "a (b - c) - d e",
            operation: |[a, b, c, d, e]| W::multiply_difference(a, b, c, d, e),
            should_be: |[a, b, c, d, e]| Polynomial::product(*a, *b - *c) - Polynomial::product(*d, *e),
        },
        Claim { name: "a a", operation: |[a, ..]| W::square(a), should_be: |[a, ..]| Polynomial::product(*a, *a) },
        Claim {
            name: "a a - s - 2 t",
            operation: |[a, s, t, ..]| W::square_less(a, s, t),
            should_be: |[a, s, t, ..]| Polynomial::product(*a, *a).plus(*s, -1, MONTGOMERY).plus(*t, -2, MONTGOMERY),
        },
        Claim {
            name: "-a",
            operation: |[a, ..]| W::negative(a),
            should_be: |[a, ..]| Polynomial::zero().plus(*a, -1, MONTGOMERY),
        },
    ]
}

fn holds<W: Word<Limb = Polynomial>>(claim: &Claim<W>) -> bool {
    begin();
    let inputs = [(); 5].map(|()| any_element());
    let result = number((claim.operation)(&inputs));
    let expected = (claim.should_be)(&inputs.map(number));
    is_multiple_of_p(Polynomial::zero().plus(result, 1, MONTGOMERY) - expected)
}

/// A polynomial with which one step of a computation is done wrongly.
#[derive(Clone, Copy)]
struct Faulty(Polynomial);

/// What is done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Only the first of two is taken.
    Dropped,
    /// Plus is minus, and minus plus.
    Turned,
    /// Shifted by a bit more.
    Further,
    /// Shifted by a bit less.
    Shorter,
    /// Nothing is carried.
    CarryDropped,
    /// What is carried stays as well.
    NotCut,
}

/// Which step of a computation is done wrongly.
#[derive(Clone, Copy, Debug)]
struct Plan {
    steps: u32,
    wrong: u32,
    fault: Fault,
    /// Whether it has been: not every fault can be made at every step.
    is_done: bool,
}

impl Plan {
    const fn of(wrong: u32, fault: Fault) -> Self {
        Self { steps: 0, wrong, fault, is_done: false }
    }
}

thread_local! {
    static PLAN: Cell<Plan> = const { Cell::new(Plan::of(0, Fault::Dropped)) };
}

/// One step, and its fault if it has one of these.
fn step(possible: &[Fault]) -> Option<Fault> {
    let mut plan = PLAN.get();
    plan.steps += 1;
    let fault = (plan.steps == plan.wrong && possible.contains(&plan.fault)).then_some(plan.fault);
    plan.is_done |= fault.is_some();
    PLAN.set(plan);
    fault
}

impl Add for Faulty {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(match step(&[Fault::Dropped, Fault::Turned]) {
            Some(Fault::Dropped) => self.0,
            Some(_) => self.0 - other.0,
            None => self.0 + other.0,
        })
    }
}

impl Sub for Faulty {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(match step(&[Fault::Dropped, Fault::Turned]) {
            Some(Fault::Dropped) => self.0,
            Some(_) => self.0 + other.0,
            None => self.0 - other.0,
        })
    }
}

impl Word for Faulty {
    type Limb = Polynomial;

    fn zero() -> Self {
        Self(Polynomial::zero())
    }

    fn product(a: Polynomial, b: Polynomial) -> Self {
        Self(match step(&[Fault::Dropped]) {
            Some(_) => a,
            None => Polynomial::product(a, b),
        })
    }

    fn wide(limb: Polynomial) -> Self {
        Self(limb)
    }

    fn limb(self) -> Polynomial {
        self.0
    }

    fn shifted(self, bits: u32) -> Self {
        Self(self.0.shifted(match step(&[Fault::Further, Fault::Shorter]) {
            Some(Fault::Further) => bits + 1,
            Some(_) => bits - 1,
            None => bits,
        }))
    }

    fn split(self) -> (Self, Self) {
        let (low, high) = self.0.split();
        match step(&[Fault::CarryDropped, Fault::NotCut]) {
            Some(Fault::CarryDropped) => (Self(low), Self::zero()),
            Some(_) => (self, Self(high)),
            None => (Self(low), Self(high)),
        }
    }
}

#[test]
fn each_operation_is_refused_with_any_one_step_done_wrongly() {
    const FAULTS: [Fault; 6] =
        [Fault::Dropped, Fault::Turned, Fault::Further, Fault::Shorter, Fault::CarryDropped, Fault::NotCut];
    let mut refused = 0;
    for claim in claims::<Faulty>() {
        PLAN.set(Plan::of(0, Fault::Dropped));
        assert!(holds(&claim), "{}: without a fault", claim.name);
        for wrong in 1..=PLAN.get().steps {
            for fault in FAULTS {
                PLAN.set(Plan::of(wrong, fault));
                let holds = holds(&claim);
                assert_eq!(holds, !PLAN.get().is_done, "{}: {:?}", claim.name, PLAN.get());
                refused += u32::from(!holds);
            }
        }
    }
    assert!(refused > 2_000, "{refused}");
}

#[test]
fn each_operation_is_what_it_says_for_all_numbers() {
    for claim in claims::<Polynomial>() {
        assert!(holds(&claim), "{}", claim.name);
    }
    let of_p = P.iter().map(|(coefficient, power)| BigInt::from(*coefficient) << (29 * power));
    assert_eq!(of_p.sum::<BigInt>(), p());
}

//! The proofs once more, on what the compiler has made: the bodies of the six operations in the module are run with intervals and
//! polynomials at once. They have neither loops nor branches nor calls. `make test` runs this on a module that has its names, and
//! whose code is that of the filter.
//!
//! The filter's integers wrap around where the intervals see that there is no room; so of each number it is known whether it is
//! *exact*, or only right in its lower 32 bits. Whatever is not understood is refused.

mod demands;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use wasmparser::{KnownCustom, Name, Operator, Parser, Payload};

use super::super::element::Element;
use super::super::field::Field;
use super::super::point::add;
use super::super::word::Word as _;
use super::interval::{Interval, MASK, Range, closed, compared, is_sound, missed};
use super::polynomial::{MONTGOMERY, Polynomial, begin, is_multiple_of_p, number};

/// An instruction, as far as there is one of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Get(u32),
    Set(u32),
    Tee(u32),
    Constant(i64),
    /// A limb of 32 bits at this place behind an address, and whether all of its 64 bits are right then.
    Load {
        offset: u64,
        is_extended: bool,
    },
    Store {
        offset: u64,
    },
    Extend,
    Wrap,
    Add,
    Subtract,
    Multiply,
    ShiftLeft,
    /// And whether the sign comes in from above.
    ShiftRight {
        is_signed: bool,
    },
    And,
}

fn step(operator: &Operator<'_>) -> Option<Step> {
    Some(match operator {
        Operator::LocalGet { local_index } => Step::Get(*local_index),
        Operator::LocalSet { local_index } => Step::Set(*local_index),
        Operator::LocalTee { local_index } => Step::Tee(*local_index),
        Operator::I64Const { value } => Step::Constant(*value),
        Operator::I32Const { value } => Step::Constant((*value).into()),
        Operator::I64Load32S { memarg } => Step::Load { offset: memarg.offset, is_extended: true },
        Operator::I64Load32U { memarg } | Operator::I32Load { memarg } => {
            Step::Load { offset: memarg.offset, is_extended: false }
        }
        Operator::I32Store { memarg } | Operator::I64Store32 { memarg } => Step::Store { offset: memarg.offset },
        Operator::I64ExtendI32S => Step::Extend,
        Operator::I32WrapI64 => Step::Wrap,
        Operator::I64Add => Step::Add,
        Operator::I64Sub => Step::Subtract,
        // Of 32 bits, which `Wrap` has made or a load, and which are right in these.
        Operator::I32Add => Step::Add,
        Operator::I32Sub => Step::Subtract,
        Operator::I64Mul => Step::Multiply,
        Operator::I64Shl => Step::ShiftLeft,
        Operator::I64ShrS => Step::ShiftRight { is_signed: true },
        Operator::I64ShrU => Step::ShiftRight { is_signed: false },
        Operator::I64And | Operator::I32And => Step::And,
        _ => return None,
    })
}

/// What is on the stack and in locals.
#[derive(Clone, Copy)]
enum Slot {
    Constant(i64),
    /// The address of the result, which is 0, or of an argument.
    Address(usize),
    Number(Number),
}

#[derive(Clone, Copy)]
struct Number {
    formula: Polynomial,
    range: Interval,
    /// All 64 bits are those of the number, and not only the lower 32.
    is_exact: bool,
}

impl Number {
    fn new(formula: Polynomial, range: Interval, is_exact: bool) -> Self {
        let has_room = range.is_between(i64::MIN.into(), i64::MAX.into());
        Self { formula, range, is_exact: is_exact && has_room }
    }
}

/// One run of a body.
struct Run {
    arguments: Vec<[Number; 9]>,
    result: [Option<Number>; 9],
    stack: Vec<Slot>,
    locals: HashMap<u32, Slot>,
    /// What each number has above its 29 lower bits.
    carries: HashMap<Polynomial, Polynomial>,
}

impl Run {
    fn new(arguments: Vec<[Number; 9]>) -> Self {
        let addresses = (0..=arguments.len()).map(|place| (u32::try_from(place).unwrap(), Slot::Address(place)));
        let locals = addresses.collect();
        Self { arguments, result: [None; 9], stack: Vec::new(), locals, carries: HashMap::new() }
    }

    /// `None` for whatever is not understood.
    fn take(&mut self, step: Step) -> Option<()> {
        let slot = match step {
            Step::Get(local) => *self.locals.get(&local)?,
            Step::Set(local) => {
                let slot = self.stack.pop()?;
                self.locals.insert(local, slot);
                return Some(());
            }
            Step::Tee(local) => {
                let slot = *self.stack.last()?;
                self.locals.insert(local, slot);
                return Some(());
            }
            Step::Constant(value) => Slot::Constant(value),
            Step::Load { offset, is_extended } => self.load(offset, is_extended)?,
            Step::Store { offset } => return self.store(offset),
            Step::Extend => {
                let number = self.number()?;
                number.range.is_between(i32::MIN.into(), i32::MAX.into()).then_some(())?;
                Slot::Number(Number { is_exact: true, ..number })
            }
            Step::Wrap => Slot::Number(Number { is_exact: false, ..self.number()? }),
            Step::Add => {
                let (a, b) = self.numbers()?;
                let is_exact = a.is_exact && b.is_exact;
                Slot::Number(Number::new(a.formula + b.formula, a.range + b.range, is_exact))
            }
            Step::Subtract => {
                let (a, b) = self.numbers()?;
                let is_exact = a.is_exact && b.is_exact;
                Slot::Number(Number::new(a.formula - b.formula, a.range - b.range, is_exact))
            }
            Step::Multiply => self.multiply()?,
            Step::ShiftLeft => {
                let bits = self.constant().filter(|bits| (0..63).contains(bits))?;
                let number = self.number()?;
                scaled(number, 1 << bits)
            }
            Step::ShiftRight { is_signed } => self.carry(is_signed)?,
            Step::And => self.cut()?,
        };
        self.stack.push(slot);
        Some(())
    }

    fn number(&mut self) -> Option<Number> {
        match self.stack.pop()? {
            Slot::Number(number) => Some(number),
            // Of the constants only this one is computed with as a number.
            Slot::Constant(0) => Some(Number::new(Polynomial::nothing(), Interval::new(0, 0), true)),
            Slot::Constant(_) | Slot::Address(_) => None,
        }
    }

    fn numbers(&mut self) -> Option<(Number, Number)> {
        let second = self.number()?;
        Some((self.number()?, second))
    }

    fn constant(&mut self) -> Option<i64> {
        match self.stack.pop()? {
            Slot::Constant(value) => Some(value),
            Slot::Number(_) | Slot::Address(_) => None,
        }
    }

    fn load(&mut self, offset: u64, is_extended: bool) -> Option<Slot> {
        let Some(Slot::Address(place)) = self.stack.pop() else { return None };
        let limb = limb(offset)?;
        let number = self.arguments.get(place.checked_sub(1)?)?[limb];
        Some(Slot::Number(Number { is_exact: is_extended, ..number }))
    }

    /// Of a limb that is kept, 32 bits are: they are the number if it has room in them.
    fn store(&mut self, offset: u64) -> Option<()> {
        let number = self.number()?;
        let Some(Slot::Address(0)) = self.stack.pop() else { return None };
        number.range.is_between(i32::MIN.into(), i32::MAX.into()).then_some(())?;
        let limb = &mut self.result[limb(offset)?];
        limb.replace(number).is_none().then_some(())
    }

    fn multiply(&mut self) -> Option<Slot> {
        Some(match (self.stack.pop()?, self.stack.pop()?) {
            (Slot::Number(a), Slot::Number(b)) => {
                let range = Interval::product(a.range, b.range);
                Slot::Number(Number::new(Polynomial::times(a.formula, b.formula)?, range, a.is_exact && b.is_exact))
            }
            (Slot::Constant(factor), Slot::Number(number)) | (Slot::Number(number), Slot::Constant(factor)) => {
                // Where 32 bits are right, so many of the factor count: 2^32 - 2 is -2.
                let lower = i64::from(factor as i32);
                scaled(number, if number.is_exact { factor } else { lower })
            }
            _ => return None,
        })
    }

    /// What a number has above its 29 lower bits.
    fn above(&mut self, formula: Polynomial) -> Polynomial {
        *self.carries.entry(formula).or_insert_with(Polynomial::variable)
    }

    fn carry(&mut self, is_signed: bool) -> Option<Slot> {
        let (bits, number) = (self.constant()?, self.number()?);
        (bits == 29 && number.is_exact).then_some(())?;
        // Without the sign that a number has, 35 bits are right.
        let is_exact = is_signed || number.range.is_between(0, i64::MAX.into());
        Some(Slot::Number(Number::new(self.above(number.formula), number.range.split().1, is_exact)))
    }

    fn cut(&mut self) -> Option<Slot> {
        let (mask, number) = (self.constant()?, self.number()?);
        // A square has no bit 1, and the compiler knows that.
        let mask = if number.formula.is_square() { mask | 2 } else { mask };
        (i128::from(mask) == MASK).then_some(())?;
        let above = self.above(number.formula);
        Some(Slot::Number(Number::new(number.formula.plus(above, -1, 1), Interval::new(0, MASK), true)))
    }
}

fn scaled(number: Number, factor: i64) -> Slot {
    let range = Interval::product(number.range, Interval::new(factor.into(), factor.into()));
    Slot::Number(Number::new(Polynomial::nothing().plus(number.formula, factor.into(), 0), range, number.is_exact))
}

fn limb(offset: u64) -> Option<usize> {
    usize::try_from(offset / 4).ok().filter(|limb| offset.is_multiple_of(4) && *limb < 9)
}

/// What 2^261 times the result of an operation should be.
type Claim = fn(&[Polynomial]) -> Polynomial;

/// The operations by name, how many arguments each has, and what is claimed of it.
const CLAIMS: [(&str, usize, Claim); 6] = [
    ("multiply", 2, |of| product(of[0], of[1])),
    ("multiply_less", 3, |of| product(of[0], of[1]).plus(of[2], -1, MONTGOMERY)),
    ("multiply_difference", 5, |of| product(of[0], of[1] - of[2]) - product(of[3], of[4])),
    ("square", 1, |of| product(of[0], of[0])),
    ("square_less", 3, |of| product(of[0], of[0]).plus(of[1], -1, MONTGOMERY).plus(of[2], -2, MONTGOMERY)),
    ("negative", 1, |of| Polynomial::nothing().plus(of[0], -1, MONTGOMERY)),
];

fn product(a: Polynomial, b: Polynomial) -> Polynomial {
    Polynomial::times(a, b).unwrap()
}

/// Runs a body for all arguments in these ranges: the range of its result, if that is what it should be.
fn proved(body: &[Step], ranges: &[&Range], claim: Claim) -> Option<Range> {
    begin();
    let argument = |range: &&Range| range.0.map(|range| Number::new(Polynomial::variable(), range, true));
    let arguments: Vec<_> = ranges.iter().map(argument).collect();
    let numbers: Vec<_> =
        arguments.iter().map(|argument| number(Element(argument.map(|number| number.formula)))).collect();
    let mut run = Run::new(arguments);
    body.iter().try_for_each(|step| run.take(*step))?;
    let result = Element(run.result.into_iter().collect::<Option<Vec<_>>>()?.try_into().ok()?);
    let formula = number(Element(result.0.map(|number: Number| number.formula)));
    let difference = Polynomial::nothing().plus(formula, 1, MONTGOMERY) - claim(&numbers);
    let range = Element(result.0.map(|number| number.range));
    (run.stack.is_empty() && is_sound(&range) && is_multiple_of_p(difference)).then_some(range)
}

type Bodies = HashMap<&'static str, Vec<Step>>;

thread_local! {
    static BODIES: RefCell<Bodies> = RefCell::default();
}

/// The field as the module computes it. What is not proved has no room.
struct Compiled;

fn run(name: &str, ranges: &[&Range]) -> Range {
    let (_, count, claim) = CLAIMS.iter().find(|claim| claim.0 == name).unwrap();
    assert_eq!(*count, ranges.len());
    let proved = BODIES.with_borrow(|bodies| proved(&bodies[name], ranges, *claim));
    proved.unwrap_or(Element([Interval::without_room(); 9]))
}

impl Field for Compiled {
    type Element = Range;

    fn multiply(a: &Range, b: &Range) -> Range {
        run("multiply", &[a, b])
    }

    fn multiply_less(a: &Range, b: &Range, s: &Range) -> Range {
        run("multiply_less", &[a, b, s])
    }

    fn multiply_difference(a: &Range, b: &Range, c: &Range, d: &Range, e: &Range) -> Range {
        run("multiply_difference", &[a, b, c, d, e])
    }

    fn square(a: &Range) -> Range {
        run("square", &[a])
    }

    fn square_less(a: &Range, s: &Range, t: &Range) -> Range {
        run("square_less", &[a, s, t])
    }

    fn negative(a: &Range) -> Range {
        run("negative", &[a])
    }
}

/// What the names of the operations begin with.
const FIELD: &str = "<W as wristband::crypto::tables::field::Field>::";

/// A function's name and its body.
type Function<'m> = (String, Vec<Operator<'m>>);

/// The code of a module, and its functions by their numbers.
fn parse(module: &[u8]) -> (Vec<u8>, BTreeMap<u32, Function<'_>>) {
    let (mut code, mut names, mut imports, mut bodies) = (Vec::new(), HashMap::new(), 0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            Payload::ImportSection(section) => imports = section.count(),
            Payload::CodeSectionStart { unchecked_range: range, .. } => {
                let place = |place: u64| usize::try_from(place).unwrap();
                code = module[place(range.start)..place(range.end)].to_vec();
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(section) = section.as_known() else { continue };
                for part in section {
                    let Name::Function(functions) = part.unwrap() else { continue };
                    names.extend(functions.into_iter().map(Result::unwrap).map(|name| (name.index, name.name)));
                }
            }
            _ => {}
        }
    }
    let functions = (imports..).zip(bodies).map(|(index, body)| {
        let name = names.get(&index).map(|name| format!("{:#}", rustc_demangle::demangle(name))).unwrap_or_default();
        let operators = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap).collect();
        (index, (name, operators))
    });
    (code, functions.collect())
}

/// The module with names, which has the code of the module without.
fn named() -> Vec<u8> {
    let read = |variable: &str| std::fs::read(std::env::var(variable).unwrap()).unwrap();
    let (named, module) = (read("MODULE_WITH_NAMES"), read("MODULE"));
    assert!(parse(&named).0 == parse(&module).0, "the module is not the one with names");
    named
}

/// The bodies of the operations.
fn bodies() -> Bodies {
    let named = named();
    let (_, functions) = parse(&named);
    let body = |(name, ..): (&'static str, usize, Claim)| {
        let found: Vec<_> = functions.values().filter(|(found, _)| found.strip_prefix(FIELD) == Some(name)).collect();
        let [(_, body)] = &found[..] else { panic!("{name}: {}", found.len()) };
        let (last, body) = body.split_last().unwrap();
        assert_eq!(*last, Operator::End);
        let steps = body.iter().map(|operator| step(operator).unwrap_or_else(|| panic!("{name}: {operator:?}")));
        (name, steps.collect())
    };
    CLAIMS.into_iter().map(body).collect()
}

/// What the addition calls, but for the opposite of a point; and what a comparison calls.
const CALLED: [&str; 2] = [
    "multiply_less, multiply_less, square, multiply, multiply, square_less, multiply_difference, multiply, multiply, ",
    "multiply, multiply_less, ",
];

/// What is proved of an operation is nothing that a copy of it has to keep to. So each is there once, whoever adds calls them as the
/// addition does, and who else computes in the field looks up or compares.
#[test]
#[ignore = "needs the module, with and without its names: `make test` has them"]
fn the_operations_of_the_module_have_no_copies_and_the_addition_calls_them() {
    let named = named();
    let (_, functions) = parse(&named);
    assert_eq!(functions.values().filter(|(name, _)| name.starts_with(FIELD)).count(), CLAIMS.len());
    let operation = |operator: &Operator<'_>| match operator {
        Operator::Call { function_index } => functions.get(function_index)?.0.strip_prefix(FIELD),
        _ => None,
    };
    let mut counts = [0; 2];
    for (name, body) in functions.values() {
        let called = body.iter().filter_map(operation).filter(|name| *name != "negative");
        let mut called: String = called.map(|name| format!("{name}, ")).collect();
        for (count, known) in counts.iter_mut().zip(CALLED) {
            *count += called.matches(known).count();
            called = called.replace(known, "");
        }
        assert_eq!(called.replace("multiply, ", ""), "", "{name}");
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
#[ignore = "needs the module, with and without its names: `make test` has them"]
fn the_operations_of_the_module_are_what_they_say_and_overflow_nowhere() {
    BODIES.set(bodies());
    let (sums, _) = closed::<Compiled>(add::<Compiled>).unwrap();
    for range in compared::<Compiled>(&sums) {
        assert!(is_sound(&range));
        assert_eq!(missed(&range, Element::is_zero), [0; 0]);
    }
}

/// An instruction that is not what it was: a number one more, plus for minus, another limb.
fn wrong(step: Step) -> Option<Step> {
    Some(match step {
        Step::Constant(value) => Step::Constant(value.checked_add(1)?),
        Step::Add => Step::Subtract,
        Step::Subtract | Step::Multiply => Step::Add,
        Step::Load { offset, is_extended } => {
            Step::Load { offset: if offset < 32 { offset + 4 } else { 0 }, is_extended }
        }
        Step::Store { offset } => Step::Store { offset: if offset < 32 { offset + 4 } else { 0 } },
        Step::ShiftLeft => Step::ShiftRight { is_signed: true },
        Step::ShiftRight { .. } => Step::ShiftLeft,
        Step::And => Step::Add,
        Step::Get(_) | Step::Set(_) | Step::Tee(_) | Step::Extend | Step::Wrap => return None,
    })
}

#[test]
#[ignore = "needs the module, with and without its names: `make test` has them"]
fn an_operation_of_the_module_with_one_wrong_instruction_is_refused() {
    let bodies = bodies();
    BODIES.set(bodies.clone());
    let (sums, _) = closed::<Compiled>(add::<Compiled>).unwrap();
    let ranges = [&sums.zz; 5];
    let mut refused = 0;
    for (name, count, claim) in CLAIMS {
        let body = &bodies[name];
        assert!(proved(body, &ranges[..count], claim).is_some(), "{name}");
        for (place, step) in body.iter().enumerate() {
            let Some(wrong) = wrong(*step) else { continue };
            let mut mutant = body.clone();
            mutant[place] = wrong;
            assert_eq!(proved(&mutant, &ranges[..count], claim), None, "{name} {place}: {step:?} {wrong:?}");
            refused += 1;
        }
    }
    assert!(refused > 1_500, "{refused}");
}

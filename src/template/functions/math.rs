//! Sprig's arithmetic: 64-bit integers that wrap, and floats by way of decimals.

use num_bigint::BigInt;

use super::super::context::{Answer, Args, Context, Param::Any, Param::Float, Param::Int};
use super::super::error::{Fault, failed};
use super::super::format::value_text;
use super::super::number::{parse_float, parse_int};
use super::super::value::{Elem, IntType, Value};
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("int", &[Any], |_, a| Ok(Value::Int(to_int(a.get(0)?), IntType::Int))),
    Function::new("int64", &[Any], |_, a| Ok(Value::int64(to_int(a.get(0)?)))),
    Function::new("float64", &[Any], |_, a| Ok(Value::Float(to_float(a.get(0)?)))),
    Function::new("atoi", &[super::super::context::Param::String], |_, a| {
        Ok(Value::Int(atoi(&a.str(0)?.text()), IntType::Int))
    }),
    Function::new("toDecimal", &[Any], to_decimal),
    Function::new("add", &[], |_, a| Ok(Value::int64(a.all().iter().fold(0, |sum, n| sum.wrapping_add(to_int(n))))))
        .and(Any),
    Function::new("add1", &[Any], |_, a| Ok(Value::int64(to_int(a.get(0)?).wrapping_add(1)))),
    Function::new("sub", &[Any, Any], |_, a| Ok(Value::int64(to_int(a.get(0)?).wrapping_sub(to_int(a.get(1)?))))),
    Function::new("mul", &[Any], |_, a| {
        Ok(Value::int64(a.all().iter().fold(1, |product, n| product.wrapping_mul(to_int(n)))))
    })
    .and(Any),
    Function::new("div", &[Any, Any], |_, a| match to_int(a.get(1)?) {
        0 => failed("division by zero"),
        divisor => Ok(Value::int64(to_int(a.get(0)?).wrapping_div(divisor))),
    }),
    Function::new("mod", &[Any, Any], |_, a| match to_int(a.get(1)?) {
        0 => failed("division by zero"),
        divisor => Ok(Value::int64(to_int(a.get(0)?).wrapping_rem(divisor))),
    }),
    Function::new("max", &[Any], |_, a| Ok(Value::int64(a.all().iter().map(to_int).max().unwrap_or(0)))).and(Any),
    Function::new("biggest", &[Any], |_, a| Ok(Value::int64(a.all().iter().map(to_int).max().unwrap_or(0)))).and(Any),
    Function::new("min", &[Any], |_, a| Ok(Value::int64(a.all().iter().map(to_int).min().unwrap_or(0)))).and(Any),
    Function::new("maxf", &[Any], |_, a| Ok(Value::Float(extreme(a, |x, y| x > y)))).and(Any),
    Function::new("minf", &[Any], |_, a| Ok(Value::Float(extreme(a, |x, y| x < y)))).and(Any),
    Function::new("add1f", &[Any], |_, a| decimals(to_float(a.get(0)?), &[Value::Float(1.0)], Decimal::add)),
    Function::new("addf", &[], |_, a| decimals(0.0, a.all(), Decimal::add)).and(Any),
    Function::new("subf", &[Any], |_, a| {
        decimals(to_float(a.get(0)?), a.from(1), |x, y| Decimal::add(x, &y.negated()))
    })
    .and(Any),
    Function::new("mulf", &[Any], |_, a| decimals(to_float(a.get(0)?), a.from(1), Decimal::mul)).and(Any),
    Function::new("divf", &[Any], |_, a| decimals(to_float(a.get(0)?), a.from(1), Decimal::div)).and(Any),
    Function::new("ceil", &[Any], |_, a| Ok(Value::Float(to_float(a.get(0)?).ceil()))),
    Function::new("floor", &[Any], |_, a| Ok(Value::Float(to_float(a.get(0)?).floor()))),
    Function::new("round", &[Any, Int], round).and(Float),
    Function::new("until", &[Int], |cx, a| {
        let end = a.int(0)?;
        steps(cx, 0, end, if end < 0 { -1 } else { 1 })
    }),
    Function::new("untilStep", &[Int, Int, Int], |cx, a| steps(cx, a.int(0)?, a.int(1)?, a.int(2)?)),
    Function::new("seq", &[], seq).and(Int),
];

/// An integer out of anything, as spf13/cast has it: 0 where there is none.
pub(super) fn to_int(value: &Value<'_>) -> i64 {
    match value {
        // cast knows months and weekdays, but no durations.
        Value::Int(_, IntType::Duration) => 0,
        Value::Int(n, _) => *n,
        Value::Uint(n, _) => *n as i64,
        // Go on amd64 gives the least integer for what does not fit.
        Value::Float(f) if f.is_nan() || *f >= 9_223_372_036_854_775_808.0 => i64::MIN,
        Value::Float(f) => *f as i64,
        Value::Bool(b) => i64::from(*b),
        Value::Str(text) => parse_int(without_zero_decimals(&text.text())).unwrap_or(0),
        _ => 0,
    }
}

/// `8.00` → `8`
fn without_zero_decimals(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// A float out of anything: 0 where there is none.
pub(super) fn to_float(value: &Value<'_>) -> f64 {
    match value {
        Value::Float(f) => *f,
        Value::Int(_, IntType::Duration) => 0.0,
        Value::Int(n, _) => *n as f64,
        Value::Uint(n, _) => *n as f64,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => parse_float(&text.text()).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's `strconv.Atoi`, whose result is the nearest int where the text is out of range.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX })
}

fn to_decimal<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let text = value_text(&mut cx.meter, a.get(0)?)?;
    Ok(Value::int64(i64::from_str_radix(&text.text(), 8).unwrap_or(0)))
}

fn extreme(a: Args<'_, '_>, better: fn(f64, f64) -> bool) -> f64 {
    let mut all = a.all().iter().map(to_float);
    let first = all.next().unwrap_or(0.0);
    all.fold(first, |best, n| {
        if best.is_nan() || n.is_nan() {
            f64::NAN
        } else if better(n, best) {
            n
        } else {
            best
        }
    })
}

/// A number as `digits × 10^exponent`, exactly.
#[derive(Clone)]
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

impl Decimal {
    /// The shortest decimal that stands for the float.
    fn new(float: f64) -> Result<Self, Fault> {
        if !float.is_finite() {
            return failed("expected a finite number");
        }
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = mantissa.replace('.', "").parse::<i64>().unwrap_or(0);
        Ok(Self {
            digits: digits.into(),
            exponent: exponent.parse::<i64>().unwrap_or(0) - i64::try_from(places).unwrap_or(0),
        })
    }

    fn negated(&self) -> Self {
        Self { digits: -self.digits.clone(), exponent: self.exponent }
    }

    fn scaled(&self, exponent: i64) -> BigInt {
        &self.digits * ten_to(self.exponent - exponent)
    }

    fn add(&self, other: &Self) -> Result<Self, Fault> {
        let exponent = self.exponent.min(other.exponent);
        Ok(Self { digits: self.scaled(exponent) + other.scaled(exponent), exponent })
    }

    fn mul(&self, other: &Self) -> Result<Self, Fault> {
        Ok(Self { digits: &self.digits * &other.digits, exponent: self.exponent + other.exponent })
    }

    /// To 16 places, halves away from zero.
    fn div(&self, other: &Self) -> Result<Self, Fault> {
        let zero = BigInt::from(0);
        if other.digits == zero {
            return failed("division by zero");
        }
        let shift = self.exponent - other.exponent + 16;
        let (top, bottom) = (&self.digits * ten_to(shift), &other.digits * ten_to(-shift));
        let (mut quotient, rest) = (&top / &bottom, &top % &bottom);
        let (twice, limit) = (rest.magnitude() * 2u32, bottom.magnitude());
        if twice >= *limit {
            quotient += if (top < zero) == (bottom < zero) { 1 } else { -1 };
        }
        Ok(Self { digits: quotient, exponent: -16 })
    }

    fn float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// 10 to the `n`th, or 1 where `n` is negative.
fn ten_to(n: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(n).unwrap_or(0))
}

/// Goes through the numbers; each costs what its digits cost, so that a long list of extremes stays cheap.
fn decimals<'a>(
    first: f64,
    others: &[Value<'a>],
    operation: fn(&Decimal, &Decimal) -> Result<Decimal, Fault>,
) -> Answer<'a> {
    if others.len() > 1000 {
        return failed("expected at most 1000 numbers");
    }
    let mut result = Decimal::new(first)?;
    for other in others {
        result = operation(&result, &Decimal::new(to_float(other))?)?;
    }
    Ok(Value::Float(result.float()))
}

fn round<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let threshold = match a.from(2).first() {
        Some(Value::Float(threshold)) => *threshold,
        _ => 0.5,
    };
    let power = 10f64.powi(i32::try_from(a.int(1)?.clamp(-400, 400)).unwrap_or(0));
    let digit = power * to_float(a.get(0)?);
    let rounded = if digit.fract() >= threshold { digit.ceil() } else { digit.floor() };
    Ok(Value::Float(rounded / power))
}

/// The integers from `start` to before `end`.
fn integers(cx: &mut Context<'_>, start: i64, end: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let mut all = Vec::new();
    if (end < start && step >= 0) || (end >= start && step <= 0) {
        return Ok(all);
    }
    let mut n = start;
    while if step > 0 { n < end } else { n > end } {
        cx.meter.step(1)?;
        cx.meter.memory(8)?;
        all.push(n);
        match n.checked_add(step) {
            Some(next) => n = next,
            None => break,
        }
    }
    Ok(all)
}

fn steps<'a>(cx: &mut Context<'a>, start: i64, end: i64, step: i64) -> Answer<'a> {
    let all = integers(cx, start, end, step)?;
    cx.list(Elem::Int, all.into_iter().map(|n| Value::Int(n, IntType::Int)).collect())
}

/// Like the shell's seq: `end`, `start end` or `start step end`, ends included.
fn seq<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let numbers: Vec<i64> = a.all().iter().map(to_int).collect();
    let (start, step, end) = match numbers.as_slice() {
        [end] => (1, None, *end),
        [start, end] => (*start, None, *end),
        [start, step, end] => (*start, Some(*step), *end),
        _ => return Ok(Value::text("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok(Value::text(""));
    }
    let all = integers(cx, start, end.saturating_add(direction), step.unwrap_or(direction))?;
    let text: Vec<String> = all.iter().map(i64::to_string).collect();
    cx.string(text.join(" "))
}

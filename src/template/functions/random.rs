//! What is random. A template with one of these gives another result each time, so each refresh writes the Secret.

use super::super::codec::base64_encode;
use super::super::context::{Answer, Args, Context, Param::Int, Param::String as Text};
use super::super::error::{Fault, failed};
use super::super::format::quote::{push_char, runes};
use super::super::value::{IntType, Value};
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("randAlphaNum", &[Int], |cx, a| characters(cx, a, |byte| byte.is_ascii_alphanumeric())).varies(),
    Function::new("randAlpha", &[Int], |cx, a| characters(cx, a, |byte| byte.is_ascii_alphabetic())).varies(),
    Function::new("randNumeric", &[Int], |cx, a| characters(cx, a, |byte| byte.is_ascii_digit())).varies(),
    Function::new("randAscii", &[Int], |cx, a| characters(cx, a, |byte| (b' '..=b'~').contains(&byte))).varies(),
    Function::new("randBytes", &[Int], rand_bytes).varies(),
    Function::new("randInt", &[Int, Int], rand_int).varies(),
    Function::new("shuffle", &[Text], shuffle).varies(),
    Function::new("uuidv4", &[], uuid).varies(),
];

/// Fills with what the system's generator gives.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Fault> {
    match getrandom::fill(bytes) {
        Ok(()) => Ok(()),
        Err(_) => failed("the system has no random numbers to give"),
    }
}

/// A number below `bound`, each as likely as the other.
fn below(bound: u64) -> Result<u64, Fault> {
    let zone = u64::MAX - u64::MAX % bound.max(1);
    loop {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        let number = u64::from_le_bytes(bytes);
        if number < zone {
            return Ok(number % bound.max(1));
        }
    }
}

fn characters<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, wanted: fn(u8) -> bool) -> Answer<'a> {
    let count = usize::try_from(a.int(0)?).unwrap_or(0);
    cx.meter.memory(count)?;
    cx.meter.read(count.saturating_mul(8))?;
    let mut out = Vec::with_capacity(count);
    let mut pool = [0; 256];
    while out.len() < count {
        fill(&mut pool)?;
        // Seven bits each: every character is as likely as the other, and what is unwanted is dropped.
        let missing = count - out.len();
        out.extend(pool.iter().map(|byte| byte & 0x7f).filter(|byte| wanted(*byte)).take(missing));
    }
    Ok(Value::Str(out.into()))
}

fn rand_bytes<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let Ok(count) = usize::try_from(a.int(0)?) else {
        return failed("the count is negative");
    };
    cx.meter.memory(count)?;
    let mut bytes = vec![0; count];
    fill(&mut bytes)?;
    cx.string(base64_encode(&bytes))
}

fn rand_int<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (least, end) = (a.int(0)?, a.int(1)?);
    match end.checked_sub(least).and_then(|range| u64::try_from(range).ok()).filter(|range| *range > 0) {
        Some(range) => Ok(Value::Int(least.wrapping_add_unsigned(below(range)?), IntType::Int)),
        None => failed("expected the second number to be larger than the first"),
    }
}

fn shuffle<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let mut all: Vec<char> = runes(a.str(0)?).map(|rune| rune.char).collect();
    cx.meter.memory(all.len() * 8)?;
    for n in (1..all.len()).rev() {
        let other = usize::try_from(below(n as u64 + 1)?).unwrap_or(0);
        all.swap(n, other);
    }
    let mut out = Vec::new();
    for c in all {
        push_char(&mut out, c);
    }
    Ok(Value::Str(out.into()))
}

fn uuid<'a>(cx: &mut Context<'a>, _: Args<'_, 'a>) -> Answer<'a> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    cx.string([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

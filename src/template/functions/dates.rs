//! Sprig's functions on dates. "Local" is UTC; see the module on time for why.

use super::super::context::{Answer, Args, Context, Param::Any, Param::String as Text, Param::Time as Instant};
use super::super::error::failed;
use super::super::value::{IntType, Value};
use super::Function;
use super::time::{Time, Zone, duration_text};
use super::time_format::format;
use super::time_parse::{duration, parse};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("now", &[], |_, _| Ok(Value::Time(Time::now().into()))).varies(),
    Function::new("date", &[Text, Any], |cx, a| shown(cx, &a.str(0)?.text(), a.get(1)?, "Local")),
    Function::new("dateInZone", &[Text, Any, Text], in_zone),
    Function::new("date_in_zone", &[Text, Any, Text], in_zone),
    Function::new("htmlDate", &[Any], |cx, a| shown(cx, "2006-01-02", a.get(0)?, "Local")),
    Function::new("htmlDateInZone", &[Any, Text], |cx, a| shown(cx, "2006-01-02", a.get(0)?, &a.str(1)?.text())),
    Function::new("dateModify", &[Text, Instant], |_, a| modified(a, false)),
    Function::new("date_modify", &[Text, Instant], |_, a| modified(a, false)),
    Function::new("mustDateModify", &[Text, Instant], |_, a| modified(a, true)),
    Function::new("must_date_modify", &[Text, Instant], |_, a| modified(a, true)),
    Function::new("toDate", &[Text, Text], |_, a| {
        Ok(Value::Time(parse(&a.str(0)?.text(), &a.str(1)?.text()).unwrap_or_else(Time::zero).into()))
    }),
    Function::new("mustToDate", &[Text, Text], |_, a| match parse(&a.str(0)?.text(), &a.str(1)?.text()) {
        Some(time) => Ok(Value::Time(time.into())),
        None => failed("the text is no date of that layout"),
    }),
    Function::new("unixEpoch", &[Instant], |cx, a| match a.get(0)? {
        Value::Time(time) => cx.string(time.seconds.to_string()),
        _ => failed("expected a time"),
    }),
    Function::new("ago", &[Any], ago).varies(),
    Function::new("duration", &[Any], |cx, a| {
        let seconds = match a.get(0)? {
            Value::Str(text) => text.text().parse::<i64>().unwrap_or(0),
            Value::Int(n, IntType::Int64) => *n,
            _ => 0,
        };
        cx.string(duration_text(seconds.wrapping_mul(1_000_000_000)))
    }),
    Function::new("durationRound", &[Any], rounded),
];

/// The instant that a value stands for: a time, or seconds since 1970 as `int` or `int64`. Anything else is now, as in Sprig.
fn instant(value: &Value<'_>) -> Time {
    match value {
        Value::Time(time) => (**time).clone(),
        Value::Int(seconds, IntType::Int | IntType::Int64) => Time::unix(*seconds),
        _ => Time::now(),
    }
}

fn shown<'a>(cx: &mut Context<'a>, layout: &str, value: &Value<'a>, zone: &str) -> Answer<'a> {
    let time = Time { zone: Zone::find(zone).unwrap_or(Zone::Utc), ..instant(value) };
    cx.string(format(&time, layout))
}

fn in_zone<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    shown(cx, &a.str(0)?.text(), a.get(1)?, &a.str(2)?.text())
}

fn modified<'a>(a: Args<'_, 'a>, must: bool) -> Answer<'a> {
    let Value::Time(time) = a.get(1)? else {
        return failed("expected a time");
    };
    match duration(&a.str(0)?.text()) {
        Some(nanos) => Ok(Value::Time(time.plus(nanos).into())),
        None if must => failed("expected a duration, such as \"-1h30m\""),
        None => Ok(Value::Time(time.clone())),
    }
}

fn ago<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let nanos = Time::now().since(&instant(a.get(0)?));
    let seconds = nanos / 1_000_000_000 + (nanos % 1_000_000_000) / 500_000_000;
    cx.string(duration_text(seconds.saturating_mul(1_000_000_000)))
}

/// The largest unit that is exceeded, cut to a whole number of it.
fn rounded<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let nanos = match a.get(0)? {
        Value::Str(text) => duration(&text.text()).unwrap_or(0),
        Value::Int(n, IntType::Int64) => *n,
        Value::Time(time) => Time::now().since(time),
        _ => 0,
    };
    let seconds = nanos.unsigned_abs();
    const SECOND: u64 = 1_000_000_000;
    let units = [
        (SECOND * 86_400 * 365, "y"),
        (SECOND * 86_400 * 30, "mo"),
        (SECOND * 86_400, "d"),
        (SECOND * 3600, "h"),
        (SECOND * 60, "m"),
        (SECOND, "s"),
    ];
    match units.iter().find(|(unit, _)| seconds > *unit) {
        Some((unit, name)) => cx.string(format!("{}{name}", seconds / unit)),
        None => Ok(Value::text("0s")),
    }
}

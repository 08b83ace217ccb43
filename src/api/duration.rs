//! Durations as Go writes them (`90s`, `1h30m`, `0`), the form of every interval in the API.
//!
//! An own type because the ones at hand panic on some input or have no pattern in their schema.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The syntax of [`GoDuration`] as a regular expression (RE2), for the schema.
pub const PATTERN: &str = r"^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// The longest interval that admission lets through: 114 years, far beyond any use as "never" and well inside of
/// what Go's and CEL's durations can hold.
const ADMITTED_MAX: &str = "1000000h";

/// The longest text that is read; longer than any duration that makes sense.
const MAX_TEXT: usize = 64;

/// What admission says about a malformed duration.
const ADVICE: &str =
    "must be a duration such as 90s, 15m, 1h30m or 0, at most 1000000h; give every number a unit (ns, us, ms, s, m, h)";

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A span of time of zero or more, kept in nanoseconds, at most 292 years (what Go's `time.Duration` holds).
///
/// Reads what Go's `time.ParseDuration` reads, negative spans excepted; prints as Go prints (`1h30m0s`), so that a value
/// read and written again is the one ESO would have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(u64);

/// Why a text is no duration. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No text at all.
    #[error("is empty; write a duration such as 1h, or 0")]
    Empty,
    /// A minus sign.
    #[error("is negative; write 0 for an interval that never ends")]
    Negative,
    /// A number without a unit, as `60`.
    #[error("has a number without a unit; write 60s, not 60")]
    MissingUnit,
    /// A unit that Go doesn't know, as `1d`.
    #[error("has an unknown unit; use ns, us, ms, s, m or h (a day is 24h)")]
    UnknownUnit,
    /// Something other than numbers and units.
    #[error("is not a duration; write one such as 90s, 15m or 1h30m")]
    Syntax,
    /// More than 292 years, or a text of more than 64 bytes.
    #[error("is too long; 292 years (2562047h) are the most that fit")]
    TooLong,
}

impl GoDuration {
    /// No time at all; as a refresh interval it means "once".
    pub const ZERO: Self = Self(0);

    /// The longest span, some 292 years.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// A span of whole seconds, cut to [`GoDuration::MAX`].
    pub const fn from_secs(secs: u64) -> Self {
        let nanos = secs.saturating_mul(SECOND);
        if nanos > Self::MAX.0 { Self::MAX } else { Self(nanos) }
    }

    /// The span for the standard library's clocks and timers.
    pub const fn as_std(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Whether the span is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl From<GoDuration> for Duration {
    fn from(value: GoDuration) -> Self {
        value.as_std()
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text.len() > MAX_TEXT {
            return Err(DurationError::TooLong);
        }
        if text.starts_with('-') {
            return Err(DurationError::Negative);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        match rest {
            "" => return Err(DurationError::Empty),
            "0" => return Ok(Self::ZERO),
            _ => {}
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let (part, after) = parse_part(rest)?;
            nanos += part;
            rest = after;
        }
        match u64::try_from(nanos) {
            Ok(nanos) if nanos <= Self::MAX.0 => Ok(Self(nanos)),
            _ => Err(DurationError::TooLong),
        }
    }
}

/// Reads one number with its unit from the front of `text`; returns its nanoseconds and what follows.
/// Can't overflow: [`MAX_TEXT`] digits are cut to 20, and 20 digits of hours fit 128 bits.
fn parse_part(text: &str) -> Result<(u128, &str), DurationError> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Syntax);
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let unit = u128::from(unit(name)?);
    let whole = whole.trim_start_matches('0');
    if whole.len() > 20 {
        return Err(DurationError::TooLong);
    }
    let mut nanos = digits(whole).saturating_mul(unit);
    // Digits beyond the 18th are below a nanosecond even in hours.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    if let Ok(length) = u32::try_from(fraction.len()) {
        nanos += digits(fraction).saturating_mul(unit) / 10_u128.pow(length);
    }
    Ok((nanos, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn digits(text: &str) -> u128 {
    text.bytes().fold(0, |sum, digit| sum * 10 + u128::from(digit.saturating_sub(b'0')))
}

fn unit(name: &str) -> Result<u64, DurationError> {
    match name {
        "ns" => Ok(NANOSECOND),
        // The micro sign and the Greek letter mu; Go reads both.
        "us" | "\u{b5}s" | "\u{3bc}s" => Ok(MICROSECOND),
        "ms" => Ok(MILLISECOND),
        "s" => Ok(SECOND),
        "m" => Ok(MINUTE),
        "h" => Ok(HOUR),
        "" => Err(DurationError::MissingUnit),
        _ => Err(DurationError::UnknownUnit),
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0s"),
            nanos @ ..MICROSECOND => write!(f, "{nanos}ns"),
            nanos @ ..MILLISECOND => write!(f, "{}µs", Decimal(nanos, MICROSECOND)),
            nanos @ ..SECOND => write!(f, "{}ms", Decimal(nanos, MILLISECOND)),
            nanos => {
                let (hours, minutes) = (nanos / HOUR, nanos % HOUR / MINUTE);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", Decimal(nanos % MINUTE, SECOND))
            }
        }
    }
}

/// A number of nanoseconds in a unit, as a decimal without trailing zeros.
struct Decimal(u64, u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(nanos, unit) = *self;
        write!(f, "{}", nanos / unit)?;
        let fraction = nanos % unit;
        if fraction == 0 {
            return Ok(());
        }
        let width = unit.ilog10() as usize;
        let text = format!("{fraction:0width$}");
        write!(f, ".{}", text.trim_end_matches('0'))
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": MAX_TEXT,
            "pattern": PATTERN,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r'{PATTERN}') && duration(self) <= duration('{ADMITTED_MAX}')"),
                "message": ADVICE,
            }],
        })
    }
}

/// A [`GoDuration`] that may also be written as a number of seconds, the older form of a store's `refreshInterval`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SecondsOrDuration(pub GoDuration);

impl<'de> Deserialize<'de> for SecondsOrDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = SecondsOrDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 5m, or a number of seconds")
            }

            fn visit_u64<E: de::Error>(self, secs: u64) -> Result<Self::Value, E> {
                Ok(SecondsOrDuration(GoDuration::from_secs(secs)))
            }

            fn visit_i64<E: de::Error>(self, secs: i64) -> Result<Self::Value, E> {
                let secs = u64::try_from(secs).map_err(|_| E::custom(DurationError::Negative))?;
                self.visit_u64(secs)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(SecondsOrDuration).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for SecondsOrDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecondsOrDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": MAX_TEXT,
            "pattern": PATTERN,
            "x-kubernetes-validations": [{
                "rule": format!(
                    "type(self) == string ? (self.matches(r'{PATTERN}') && duration(self) <= duration('{ADMITTED_MAX}')) : self >= 0"
                ),
                "message": "must be a duration such as 5m or 1h, or a number of seconds of 0 or more",
            }],
        })
    }
}

#[cfg(test)]
#[path = "duration_tests.rs"]
mod tests;

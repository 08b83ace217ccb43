//! Reads dates by Go's layouts, and Go's durations.

use super::time::{MONTHS, Time, WEEKDAYS, Zone, at_clock, days_to};
use super::time_format::{Field, Piece, pieces};

/// What was read so far.
struct Parts {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    half: Option<bool>,
    hour12: bool,
    offset: Option<i32>,
    zone: String,
}

/// Reads `text` by `layout`; none where it does not fit. Without a zone, it is UTC.
pub(super) fn parse(layout: &str, text: &str) -> Option<Time> {
    let mut parts = Parts {
        year: 0,
        month: None,
        day: None,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        half: None,
        hour12: false,
        offset: None,
        zone: String::new(),
    };
    let mut rest = text;
    let all: Vec<Piece<'_>> = pieces(layout).collect();
    for (n, piece) in all.iter().enumerate() {
        let fraction_follows = matches!(all.get(n + 1), Some(Piece::Fraction { .. }));
        rest = parts.read(*piece, rest, fraction_follows)?;
    }
    if rest.is_empty() { parts.time() } else { None }
}

/// One or two digits; two where they must be.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least.max(1) {
        return None;
    }
    let (number, rest) = text.split_at_checked(count)?;
    Some((number.parse().ok()?, rest))
}

fn name<'t>(names: &[&str], text: &'t str, short: bool) -> Option<(u32, &'t str)> {
    for (n, name) in names.iter().enumerate() {
        let name = if short { name.get(..3)? } else { name };
        if text.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name)) {
            return Some((u32::try_from(n).ok()?, text.get(name.len()..)?));
        }
    }
    None
}

impl Parts {
    fn read<'t>(&mut self, piece: Piece<'_>, text: &'t str, fraction_follows: bool) -> Option<&'t str> {
        Some(match piece {
            Piece::Text(wanted) => literal(wanted, text)?,
            Piece::Year { short: false } => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = i64::from(year);
                rest
            }
            Piece::Year { short: true } => {
                let (year, rest) = digits(text, 2, 2)?;
                self.year = i64::from(year) + if year >= 69 { 1900 } else { 2000 };
                rest
            }
            Piece::MonthName { short } => {
                let (month, rest) = name(&MONTHS, text, short)?;
                self.month = Some(month + 1);
                rest
            }
            Piece::WeekdayName { short } => name(&WEEKDAYS, text, short)?.1,
            Piece::Number(field, length, fill) => {
                return self.number(field, length, fill, text, fraction_follows);
            }
            Piece::Half { lower } => {
                let (half, rest) = text.split_at_checked(2)?;
                self.half = Some(match (half, lower) {
                    ("PM", false) | ("pm", true) => true,
                    ("AM", false) | ("am", true) => false,
                    _ => return None,
                });
                rest
            }
            Piece::ZoneName => return self.zone_name(text),
            Piece::Offset { z, colon, minutes, seconds } => return self.offset(text, z, colon, minutes, seconds),
            Piece::Fraction { trimmed: true, .. } => self.fraction(text),
            Piece::Fraction { digits: wanted, .. } => {
                let count = text.get(1..)?.bytes().take_while(u8::is_ascii_digit).count();
                if count < wanted || !text.starts_with(['.', ',']) {
                    return None;
                }
                let (fraction, rest) = text.get(1..)?.split_at_checked(wanted)?;
                self.nanos = nanos(fraction);
                rest
            }
        })
    }

    fn number<'t>(
        &mut self,
        field: Field,
        length: usize,
        fill: char,
        text: &'t str,
        fraction_follows: bool,
    ) -> Option<&'t str> {
        let text = if fill == ' ' { text.trim_start_matches(' ') } else { text };
        let least = if fill == '0' { length } else { 1 };
        let most = if field == Field::YearDay { 3 } else { 2 };
        let two = matches!((field, length), (Field::Day, _) if fill == '0' && length == 2);
        let (number, rest) = digits(text, if two { 1 } else { least }, most)?;
        match field {
            Field::Month if (1..=12).contains(&number) => self.month = Some(number),
            Field::Day => self.day = Some(number),
            Field::YearDay => self.year_day = Some(number),
            Field::Hour if number < 24 => self.hour = number,
            Field::Hour12 if number <= 12 => {
                self.hour = number;
                self.hour12 = true;
            }
            Field::Minute if number < 60 => self.minute = number,
            Field::Second if number < 60 => {
                self.second = number;
                // A fraction may follow even where the layout has none.
                let digit_follows = rest.get(1..).is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
                if !fraction_follows && rest.starts_with(['.', ',']) && digit_follows {
                    return Some(self.fraction(rest));
                }
            }
            _ => return None,
        }
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> &'t str {
        let tail = text.get(1..).unwrap_or_default();
        let count = tail.bytes().take_while(u8::is_ascii_digit).count();
        if !text.starts_with(['.', ',']) || count == 0 {
            return text;
        }
        let (fraction, rest) = tail.split_at_checked(count).unwrap_or((tail, ""));
        self.nanos = nanos(fraction);
        rest
    }

    fn zone_name<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.offset = Some(0);
            self.zone = "UTC".to_owned();
            return Some(rest);
        }
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        if text.starts_with("GMT") && text.get(3..).is_some_and(|tail| tail.starts_with(['+', '-'])) {
            let (hours, rest) = digits(text.get(4..)?, 1, 2)?;
            let length = text.len() - rest.len();
            self.zone = text.get(..length)?.to_owned();
            let sign = if text.get(3..4) == Some("-") { -1 } else { 1 };
            self.offset = Some(sign * i32::try_from(hours).ok()? * 3600);
            return Some(rest);
        }
        if !(3..=5).contains(&letters) {
            return None;
        }
        let (zone, rest) = text.split_at_checked(letters)?;
        // What an abbreviation stands for, no one can know: Go gives it the name and no offset.
        self.zone = zone.to_owned();
        self.offset = Some(0);
        Some(rest)
    }

    fn offset<'t>(&mut self, text: &'t str, z: bool, colon: bool, minutes: bool, seconds: bool) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('Z').filter(|_| z) {
            self.offset = Some(0);
            self.zone = "UTC".to_owned();
            return Some(rest);
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, mut rest) = digits(text.get(1..)?, 2, 2)?;
        let mut total = hours * 3600;
        for (wanted, unit) in [(minutes, 60), (seconds, 1)] {
            if wanted {
                let part = if colon { rest.strip_prefix(':')? } else { rest };
                let (number, tail) = digits(part, 2, 2)?;
                total += number * unit;
                rest = tail;
            }
        }
        self.offset = Some(sign * i32::try_from(total).ok()?);
        Some(rest)
    }

    fn time(self) -> Option<Time> {
        let hour = match self.half {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let date = match self.year_day {
            Some(day) if (1..=365 + u32::from(leap)).contains(&day) => days_to(self.year, 1, 1) + i64::from(day) - 1,
            Some(_) => return None,
            None => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                let next = if month == 12 { days_to(self.year + 1, 1, 1) } else { days_to(self.year, month + 1, 1) };
                let first = days_to(self.year, month, 1);
                if day < 1 || i64::from(day) > next - first {
                    return None;
                }
                first + i64::from(day) - 1
            }
        };
        let clock = date * 86_400 + i64::from(hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let zone = match self.offset {
            None => Zone::Utc,
            Some(0) if self.zone.is_empty() || self.zone == "UTC" => Zone::Utc,
            Some(offset) => Zone::Fixed(offset, self.zone),
        };
        Some(at_clock(clock, self.nanos, &zone))
    }
}

fn nanos(fraction: &str) -> u32 {
    let nine: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().unwrap_or(0)
}

/// The layout's own text; a blank in it stands for any number of them.
fn literal<'t>(wanted: &str, text: &'t str) -> Option<&'t str> {
    let mut rest = text;
    let mut chars = wanted.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ' ' {
            while chars.next_if_eq(&' ').is_some() {}
            if !rest.is_empty() && !rest.starts_with(' ') {
                return None;
            }
            rest = rest.trim_start_matches(' ');
        } else {
            rest = rest.strip_prefix(c)?;
        }
    }
    Some(rest)
}

/// Go's `time.ParseDuration`, in nanoseconds: `-1h30m`, `1.5s`, `300ms`.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, tail) = rest.split_at_checked(length)?;
        let unit_length = tail.bytes().take_while(|b| !b.is_ascii_digit() && *b != b'.').count();
        let (unit, after) = tail.split_at_checked(unit_length)?;
        let scale: u64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part = format!("0.{fraction}0").parse::<f64>().ok()? * scale as f64;
        total = total.checked_add(whole.checked_mul(scale)?)?.checked_add(part as u64)?;
        rest = after;
    }
    match (negative, i64::try_from(total)) {
        (false, Ok(total)) => Some(total),
        (true, Ok(total)) => Some(-total),
        (true, Err(_)) if total == 1 << 63 => Some(i64::MIN),
        _ => None,
    }
}

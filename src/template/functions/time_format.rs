//! Go's layouts: a date is written the way 2 January 2006, 15:04:05 is written in the layout.

use super::time::{Civil, MONTHS, Time, WEEKDAYS};

/// A piece of a layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece<'t> {
    /// Copied.
    Text(&'t str),
    /// `2006`, or `06` where short.
    Year {
        short: bool,
    },
    MonthName {
        short: bool,
    },
    WeekdayName {
        short: bool,
    },
    /// A number: which, to how many digits, filled with zeros or blanks.
    Number(Field, usize, char),
    /// `PM`, or `pm` where lower.
    Half {
        lower: bool,
    },
    ZoneName,
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
    /// `.000` or `.999`, behind a point or comma.
    Fraction {
        separator: char,
        digits: usize,
        trimmed: bool,
    },
}

/// The numbers of a date and clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Month,
    Day,
    YearDay,
    Hour,
    Hour12,
    Minute,
    Second,
}

/// What stands at the beginning of a layout, longest first.
const PIECES: &[(&str, Piece<'static>)] = &[
    ("January", Piece::MonthName { short: false }),
    ("Monday", Piece::WeekdayName { short: false }),
    ("MST", Piece::ZoneName),
    ("2006", Piece::Year { short: false }),
    ("002", Piece::Number(Field::YearDay, 3, '0')),
    ("__2", Piece::Number(Field::YearDay, 3, ' ')),
    ("01", Piece::Number(Field::Month, 2, '0')),
    ("02", Piece::Number(Field::Day, 2, '0')),
    ("03", Piece::Number(Field::Hour12, 2, '0')),
    ("04", Piece::Number(Field::Minute, 2, '0')),
    ("05", Piece::Number(Field::Second, 2, '0')),
    ("06", Piece::Year { short: true }),
    ("15", Piece::Number(Field::Hour, 2, '0')),
    ("_2", Piece::Number(Field::Day, 2, ' ')),
    ("PM", Piece::Half { lower: false }),
    ("pm", Piece::Half { lower: true }),
    ("-070000", Piece::Offset { z: false, colon: false, minutes: true, seconds: true }),
    ("-07:00:00", Piece::Offset { z: false, colon: true, minutes: true, seconds: true }),
    ("-0700", Piece::Offset { z: false, colon: false, minutes: true, seconds: false }),
    ("-07:00", Piece::Offset { z: false, colon: true, minutes: true, seconds: false }),
    ("-07", Piece::Offset { z: false, colon: false, minutes: false, seconds: false }),
    ("Z070000", Piece::Offset { z: true, colon: false, minutes: true, seconds: true }),
    ("Z07:00:00", Piece::Offset { z: true, colon: true, minutes: true, seconds: true }),
    ("Z0700", Piece::Offset { z: true, colon: false, minutes: true, seconds: false }),
    ("Z07:00", Piece::Offset { z: true, colon: true, minutes: true, seconds: false }),
    ("Z07", Piece::Offset { z: true, colon: false, minutes: false, seconds: false }),
    ("1", Piece::Number(Field::Month, 1, '0')),
    ("2", Piece::Number(Field::Day, 1, '0')),
    ("3", Piece::Number(Field::Hour12, 1, '0')),
    ("4", Piece::Number(Field::Minute, 1, '0')),
    ("5", Piece::Number(Field::Second, 1, '0')),
];

/// Cuts a layout into its pieces.
pub(super) fn pieces(layout: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = layout;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        for (at, _) in rest.char_indices() {
            let (text, tail) = rest.split_at_checked(at)?;
            // In `_2006` the underscore is only that.
            if tail.starts_with("_2006") {
                continue;
            }
            if let Some((piece, length)) = piece_at(tail) {
                if at > 0 {
                    rest = tail;
                    return Some(Piece::Text(text));
                }
                rest = tail.get(length..).unwrap_or_default();
                return Some(piece);
            }
        }
        Some(Piece::Text(std::mem::take(&mut rest)))
    })
}

fn piece_at(text: &str) -> Option<(Piece<'static>, usize)> {
    if let Some((name, piece)) = PIECES.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*piece, name.len()));
    }
    for (name, piece) in [("Jan", Piece::MonthName { short: true }), ("Mon", Piece::WeekdayName { short: true })] {
        let lower_follows = text.get(3..).is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_lowercase()));
        if text.starts_with(name) && !lower_follows {
            return Some((piece, 3));
        }
    }
    let separator = text.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let tail = text.get(1..)?;
    let digit = tail.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = tail.len() - tail.trim_start_matches(digit).len();
    if tail.get(digits..)?.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((Piece::Fraction { separator, digits, trimmed: digit == '9' }, digits + 1))
}

/// Writes an instant by a layout.
pub(crate) fn format(time: &Time, layout: &str) -> String {
    let civil = time.civil();
    let mut out = String::with_capacity(layout.len() + 8);
    for piece in pieces(layout) {
        write(&mut out, piece, &civil, time.nanos);
    }
    out
}

fn write(out: &mut String, piece: Piece<'_>, civil: &Civil, nanos: u32) {
    let name = |names: &[&'static str], n: u32, short: bool| {
        let name = names.get(usize::try_from(n).unwrap_or(0)).copied().unwrap_or_default();
        if short { name.get(..3).unwrap_or(name) } else { name }
    };
    match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Year { short: true } => out.push_str(&format!("{:02}", civil.year.rem_euclid(100))),
        Piece::Year { short: false } if civil.year < 0 => out.push_str(&format!("-{:04}", -civil.year)),
        Piece::Year { short: false } => out.push_str(&format!("{:04}", civil.year)),
        Piece::MonthName { short } => out.push_str(name(&MONTHS, civil.month.saturating_sub(1), short)),
        Piece::WeekdayName { short } => out.push_str(name(&WEEKDAYS, civil.weekday, short)),
        Piece::Number(field, digits, fill) => {
            let number = match field {
                Field::Month => civil.month,
                Field::Day => civil.day,
                Field::YearDay => civil.year_day,
                Field::Hour => civil.hour,
                Field::Hour12 => (civil.hour + 11) % 12 + 1,
                Field::Minute => civil.minute,
                Field::Second => civil.second,
            };
            out.push_str(&if fill == '0' { format!("{number:0digits$}") } else { format!("{number:digits$}") });
        }
        Piece::Half { lower } => out.push_str(match (civil.hour >= 12, lower) {
            (true, true) => "pm",
            (true, false) => "PM",
            (false, true) => "am",
            (false, false) => "AM",
        }),
        Piece::ZoneName if civil.zone.is_empty() => offset(out, civil.offset, false, true, false),
        Piece::ZoneName => out.push_str(&civil.zone),
        Piece::Offset { z: true, .. } if civil.offset == 0 => out.push('Z'),
        Piece::Offset { colon, minutes, seconds, .. } => offset(out, civil.offset, colon, minutes, seconds),
        Piece::Fraction { separator, digits, trimmed } => {
            let all = format!("{nanos:09}");
            let mut text = all.get(..digits.min(9)).unwrap_or(&all).to_owned();
            if trimmed {
                text.truncate(text.trim_end_matches('0').len());
            }
            if !text.is_empty() {
                out.push(separator);
                out.push_str(&text);
            }
        }
    }
}

fn offset(out: &mut String, seconds: i32, colon: bool, with_minutes: bool, with_seconds: bool) {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let separator = if colon { ":" } else { "" };
    out.push_str(&format!("{sign}{:02}", all / 3600));
    if with_minutes {
        out.push_str(&format!("{separator}{:02}", all / 60 % 60));
    }
    if with_seconds {
        out.push_str(&format!("{separator}{:02}", all % 60));
    }
}

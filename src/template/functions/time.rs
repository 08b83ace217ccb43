//! Instants as Go's `time.Time`: their zone, their fields, their methods.
//!
//! Zones come from the database that is built in, never from the system's files: so a template gives the same on every
//! node. What Go calls local time is UTC, as in the container images that ESO ships.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::super::context::{Answer, Context, Param};
use super::super::error::{failed, failed_with};
use super::super::value::{IntType, Value};
use super::time_format::format;

/// Where an instant's clock stands.
#[derive(Clone)]
pub(crate) enum Zone {
    Utc,
    /// So many seconds east of UTC, and what that is called, if anything.
    Fixed(i32, String),
    Named(TimeZone),
}

impl Zone {
    /// A zone of the database; none where there is no such name.
    pub(super) fn find(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" | "Local" => Some(Self::Utc),
            _ => {
                let zone = TimeZoneDatabase::bundled().get(name).ok()?;
                // Go's names are exact, the database's are not.
                (zone.iana_name() == Some(name)).then_some(Self::Named(zone))
            }
        }
    }
}

/// An instant, and the zone it is told in.
#[derive(Clone)]
pub(crate) struct Time {
    /// Seconds since 1970 UTC.
    pub(super) seconds: i64,
    pub(super) nanos: u32,
    pub(super) zone: Zone,
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format(self, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// Date and clock in the zone.
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    pub(super) day: u32,
    /// From 1.
    pub(super) year_day: u32,
    /// From 0, Sunday.
    pub(super) weekday: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    /// Seconds east of UTC.
    pub(super) offset: i32,
    pub(super) zone: String,
}

/// 1 January of the year 1, which is Go's zero time.
const ZERO: i64 = -62_135_596_800;
const DAY: i64 = 86_400;

impl Time {
    pub(crate) fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { seconds: i64::try_from(since.as_secs()).unwrap_or(0), nanos: since.subsec_nanos(), zone: Zone::Utc }
    }

    pub(super) fn unix(seconds: i64) -> Self {
        Self { seconds, nanos: 0, zone: Zone::Utc }
    }

    pub(super) fn zero() -> Self {
        Self::unix(ZERO)
    }

    /// As Go writes it into JSON.
    pub(crate) fn rfc3339(&self) -> String {
        format(self, "2006-01-02T15:04:05.999999999Z07:00")
    }

    fn offset(&self) -> (i32, String) {
        match &self.zone {
            Zone::Utc => (0, "UTC".to_owned()),
            Zone::Fixed(offset, name) => (*offset, name.clone()),
            Zone::Named(zone) => match jiff::Timestamp::from_second(self.seconds) {
                Ok(timestamp) => {
                    let info = zone.to_offset_info(timestamp);
                    (info.offset().seconds(), info.abbreviation().to_owned())
                }
                Err(_) => (0, "UTC".to_owned()),
            },
        }
    }

    pub(super) fn civil(&self) -> Civil {
        let (offset, zone) = self.offset();
        let local = self.seconds.saturating_add(i64::from(offset));
        let (days, clock) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let small = |n: i64| u32::try_from(n).unwrap_or(0);
        Civil {
            year,
            month,
            day,
            year_day: small(days - days_to(year, 1, 1) + 1),
            weekday: small((days + 4).rem_euclid(7)),
            hour: small(clock / 3600),
            minute: small(clock / 60 % 60),
            second: small(clock % 60),
            offset,
            zone,
        }
    }

    /// Later by so many nanoseconds.
    pub(super) fn plus(&self, nanos: i64) -> Self {
        let total = i64::from(self.nanos) + nanos.rem_euclid(1_000_000_000);
        let seconds =
            self.seconds.saturating_add(nanos.div_euclid(1_000_000_000)).saturating_add(total / 1_000_000_000);
        Self { seconds, nanos: u32::try_from(total % 1_000_000_000).unwrap_or(0), zone: self.zone.clone() }
    }

    /// Nanoseconds since `earlier`, at most what 64 bits hold.
    pub(super) fn since(&self, earlier: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(earlier.seconds);
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos) - i128::from(earlier.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// The same clock, so many years, months and days on.
    fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let months = (civil.year.saturating_add(years))
            .saturating_mul(12)
            .saturating_add(i64::from(civil.month) - 1)
            .saturating_add(months);
        let limit = |n: i64| n.clamp(-100_000_000, 100_000_000);
        let date =
            days_to(limit(months.div_euclid(12)), u32::try_from(months.rem_euclid(12) + 1).unwrap_or(1), civil.day)
                .saturating_add(limit(days));
        let clock = i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        at_clock(date.saturating_mul(DAY).saturating_add(clock), self.nanos, &self.zone)
    }
}

/// The instant at which a zone's clock shows `local` seconds.
pub(super) fn at_clock(local: i64, nanos: u32, zone: &Zone) -> Time {
    let guess = Time { seconds: local, nanos, zone: zone.clone() };
    let (first, _) = guess.offset();
    let second = Time { seconds: local.saturating_sub(i64::from(first)), ..guess.clone() };
    let (offset, _) = second.offset();
    if offset == first { second } else { Time { seconds: local.saturating_sub(i64::from(offset)), ..guess } }
}

/// Days since 1970 of a date in the Gregorian calendar; days beyond the month's end run on.
pub(super) fn days_to(year: i64, month: u32, day: u32) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A month's name, as Go prints `time.Month`.
pub(crate) fn month_name(n: i64) -> String {
    let name = usize::try_from(n - 1).ok().and_then(|n| MONTHS.get(n));
    name.map_or_else(|| format!("%!Month({n})"), |name| (*name).to_owned())
}

/// A weekday's name, as Go prints `time.Weekday`.
pub(crate) fn weekday_name(n: i64) -> String {
    let name = usize::try_from(n).ok().and_then(|n| WEEKDAYS.get(n));
    name.map_or_else(|| format!("%!Weekday({n})"), |name| (*name).to_owned())
}

/// Nanoseconds as Go prints them: `1h30m0s`, `1.5s`, `20ms`.
pub(crate) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let all = nanos.unsigned_abs();
    let fraction = |whole: u64, rest: u64, digits: usize| {
        let text = format!("{rest:0digits$}");
        let text = text.trim_end_matches('0');
        if text.is_empty() { whole.to_string() } else { format!("{whole}.{text}") }
    };
    match all {
        0 => "0s".to_owned(),
        1..=999 => format!("{sign}{all}ns"),
        1_000..=999_999 => format!("{sign}{}µs", fraction(all / 1_000, all % 1_000, 3)),
        1_000_000..=999_999_999 => {
            format!("{sign}{}ms", fraction(all / 1_000_000, all % 1_000_000, 6))
        }
        _ => {
            let seconds = all / 1_000_000_000;
            let last = fraction(seconds % 60, all % 1_000_000_000, 9);
            match (seconds / 3600, seconds / 60 % 60) {
                (0, 0) => format!("{sign}{last}s"),
                (0, minutes) => format!("{sign}{minutes}m{last}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{last}s"),
            }
        }
    }
}

/// What each method of an instant takes. Those that give several values, or a location, can't be called from templates.
pub(crate) fn method_params(name: &str) -> Option<&'static [Param]> {
    Some(match name {
        "Format" => &[Param::String],
        "AddDate" => &[Param::Int, Param::Int, Param::Int],
        "Add" => &[Param::Int64],
        "Sub" | "Before" | "After" | "Equal" => &[Param::Time],
        "Unix" | "UnixNano" | "UnixMilli" | "UnixMicro" | "Year" | "Month" | "Day" | "Hour" | "Minute" | "Second"
        | "Nanosecond" | "YearDay" | "Weekday" | "UTC" | "Local" | "IsZero" | "String" => &[],
        _ => return None,
    })
}

/// Calls a method of an instant.
pub(crate) fn method<'a>(cx: &mut Context<'a>, time: &Time, name: &str, values: &[Value<'a>]) -> Answer<'a> {
    let int = |n: usize| match values.get(n) {
        Some(Value::Int(n, _)) => *n,
        _ => 0,
    };
    let instant = |time: Time| Ok(Value::Time(time.into()));
    let civil = time.civil();
    let number = |n: u32| Ok(Value::Int(i64::from(n), IntType::Int));
    let scaled = |unit: i64| {
        Ok(Value::int64(time.seconds.wrapping_mul(unit).wrapping_add(i64::from(time.nanos) / (1_000_000_000 / unit))))
    };
    if let Some(Value::Time(other)) = values.first() {
        let (a, b) = ((time.seconds, time.nanos), (other.seconds, other.nanos));
        return Ok(match name {
            "Sub" => Value::Int(time.since(other), IntType::Duration),
            "Before" => Value::Bool(a < b),
            "After" => Value::Bool(a > b),
            _ => Value::Bool(a == b),
        });
    }
    match name {
        "Format" => match values.first() {
            Some(Value::Str(layout)) => {
                let text = format(time, &layout.text());
                cx.string(text)
            }
            _ => failed("expected a layout"),
        },
        "String" => cx.string(time.to_string()),
        "AddDate" => instant(time.plus_date(int(0), int(1), int(2))),
        "Add" => instant(time.plus(int(0))),
        "UTC" | "Local" => instant(Time { zone: Zone::Utc, ..time.clone() }),
        "IsZero" => Ok(Value::Bool(time.seconds == ZERO && time.nanos == 0)),
        "Unix" => Ok(Value::int64(time.seconds)),
        "UnixMilli" => scaled(1_000),
        "UnixMicro" => scaled(1_000_000),
        "UnixNano" => scaled(1_000_000_000),
        "Year" => Ok(Value::Int(civil.year, IntType::Int)),
        "Month" => Ok(Value::Int(i64::from(civil.month), IntType::Month)),
        "Weekday" => Ok(Value::Int(i64::from(civil.weekday), IntType::Weekday)),
        "Day" => number(civil.day),
        "Hour" => number(civil.hour),
        "Minute" => number(civil.minute),
        "Second" => number(civil.second),
        "Nanosecond" => number(time.nanos),
        "YearDay" => number(civil.year_day),
        _ => failed_with(format!("a time has no method {name:?} that templates can call")),
    }
}

/// What each method of a duration, month or weekday takes.
pub(crate) fn int_method_params(kind: IntType, name: &str) -> Option<&'static [Param]> {
    let known = match kind {
        IntType::Duration => {
            matches!(name, "String" | "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds")
        }
        _ => name == "String",
    };
    known.then_some(&[])
}

/// Calls a method of a duration, month or weekday.
pub(crate) fn int_method<'a>(cx: &mut Context<'a>, n: i64, kind: IntType, name: &str) -> Answer<'a> {
    Ok(match (kind, name) {
        (IntType::Month, _) => return cx.string(month_name(n)),
        (IntType::Weekday, _) => return cx.string(weekday_name(n)),
        (_, "String") => return cx.string(duration_text(n)),
        (_, "Hours") => Value::Float(n as f64 / 3.6e12),
        (_, "Minutes") => Value::Float(n as f64 / 6e10),
        (_, "Seconds") => Value::Float(n as f64 / 1e9),
        (_, "Milliseconds") => Value::int64(n / 1_000_000),
        (_, "Microseconds") => Value::int64(n / 1_000),
        _ => Value::int64(n),
    })
}

impl Time {
    /// Later by so many days of 24 hours.
    pub(crate) fn plus_days(&self, days: i64) -> Self {
        Self { seconds: self.seconds.saturating_add(days.clamp(-1_000_000, 1_000_000) * DAY), ..self.clone() }
    }
}

/// An instant as a certificate has it, and whether it needs the long form with four digits of the year.
pub(crate) fn utc_stamp(time: &Time) -> (String, bool) {
    let utc = Time { zone: Zone::Utc, ..time.clone() };
    let long = !(1950..2050).contains(&utc.civil().year);
    (format(&utc, if long { "20060102150405Z" } else { "060102150405Z" }), long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for (year, month, day) in [(1970, 1, 1), (2000, 2, 29), (1900, 3, 1), (1, 1, 1), (-400, 12, 31), (9999, 12, 31)]
        {
            assert_eq!(date_of(days_to(year, month, day)), (year, month, day));
        }
        assert_eq!(days_to(1970, 1, 1), 0);
        assert_eq!(days_to(2000, 1, 1), 10_957);
    }

    #[test]
    fn durations_read_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (20_000_000, "20ms"),
            (1_500_000_000, "1.5s"),
            (61_000_000_000, "1m1s"),
            (3_600_000_000_000, "1h0m0s"),
            (-90_000_000_000, "-1m30s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(duration_text(nanos), text);
        }
    }

    #[test]
    fn only_zones_of_the_database_are_zones() {
        assert!(Zone::find("Europe/Berlin").is_some() && Zone::find("").is_some());
        assert!(Zone::find("europe/berlin").is_none() && Zone::find("../etc/passwd").is_none());
    }
}

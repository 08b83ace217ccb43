//! `spec.syncWindows`: the times at which a periodic refresh may run. A change is synced at any time.

use crate::api::policy::SyncWindowKind;
use crate::api::{GoDuration, SyncWindow, SyncWindows};
use croner::errors::CronError;
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;
use std::str::FromStr;
use thiserror::Error;

/// Before a schedule that is not due for years is looked at again.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// How far back a window is looked for that is still open. One that is open for longer counts as closed.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

/// A schedule that can't be used. Only an edit mends it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// It can't be read.
    #[error(
        "spec.syncWindows: {schedule:?} is not a schedule; write five fields as in cron, such as \"0 22 * * 1-5\", or @daily"
    )]
    Unreadable {
        /// As it is written.
        schedule: String,
    },
    /// It names a date that no calendar has.
    #[error("spec.syncWindows: {schedule:?} never comes; correct its day and month")]
    Never {
        /// As it is written.
        schedule: String,
    },
}

/// Whether a refresh may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Now.
    Open,
    /// Not before then.
    ClosedUntil(Timestamp),
}

/// A window's occurrences around a moment.
struct Around {
    /// When the one that is open now closes.
    closes: Option<Timestamp>,
    /// When the next one opens.
    opens: Option<Timestamp>,
}

/// Whether the windows let a periodic refresh run at `now`; their schedules are in UTC.
pub fn gate(windows: &SyncWindows, now: Timestamp) -> Result<Gate, ScheduleError> {
    let mut closes = None;
    let mut opens = None;
    for window in &windows.windows {
        let around = around(window, now)?;
        closes = closes.max(around.closes);
        opens = [opens, around.opens].into_iter().flatten().min();
    }
    let later = now.saturating_add(LONGEST_WAIT).unwrap_or(now);
    Ok(match (windows.kind, closes) {
        (SyncWindowKind::Allow, Some(_)) | (SyncWindowKind::Deny, None) => Gate::Open,
        (SyncWindowKind::Allow, None) => Gate::ClosedUntil(opens.map_or(later, |at: Timestamp| at.min(later))),
        (SyncWindowKind::Deny, Some(closes)) => Gate::ClosedUntil(closes),
    })
}

/// Refuses schedules that can't be read, and those that never come.
pub fn check(windows: &SyncWindows) -> Result<(), ScheduleError> {
    // Days, months, weekdays and leap years meet in every way they can within 28 years.
    let begin = date(2000, 1, 1).at(0, 0, 0, 0);
    let bounds = Bounded { at: begin, first: begin, last: date(2030, 1, 1).at(0, 0, 0, 0) };
    for window in &windows.windows {
        around(window, Timestamp::UNIX_EPOCH)?;
        let Ok(cron) = Cron::from_str(&window.schedule) else { continue };
        let is_of_years = window.schedule.split_whitespace().count() > 6;
        if !is_of_years && cron.find_next_occurrence(&bounds, true).is_err() {
            return Err(ScheduleError::Never { schedule: window.schedule.clone() });
        }
    }
    Ok(())
}

/// A moment in UTC for a search that ends at bounds: by itself, a search for what never comes goes through 5,000 years.
#[derive(Debug, Clone)]
struct Bounded {
    at: DateTime,
    first: DateTime,
    last: DateTime,
}

impl CronDateTime for Bounded {
    fn to_civil(&self) -> CivilDateTime {
        self.at.to_civil()
    }

    fn civil_weekday(&self) -> Weekday {
        self.at.civil_weekday()
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        match self.at.resolve_civil(civil)? {
            Resolution::Single(at) if (self.first..=self.last).contains(&at) => {
                Ok(Resolution::Single(Self { at, ..self.clone() }))
            }
            _ => Err(CronError::TimeSearchLimitExceeded),
        }
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Some(Self { at: CronDateTime::checked_add_seconds(&self.at, seconds)?, ..self.clone() })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

fn around(window: &SyncWindow, now: Timestamp) -> Result<Around, ScheduleError> {
    let bad = || ScheduleError::Unreadable { schedule: window.schedule.clone() };
    let length = SignedDuration::try_from(window.duration.as_std()).map_err(|_| bad())?;
    // As ESO reads it: it opens anew every so often, whenever it is asked, so it is open always or never.
    if let Some(every) = window.schedule.strip_prefix("@every ") {
        let every = every.trim().parse::<GoDuration>().map_err(|_| bad())?;
        let is_open = window.duration.as_std() >= every.as_std();
        let later = now.saturating_add(LONGEST_WAIT).unwrap_or(now);
        return Ok(Around { closes: is_open.then_some(later), opens: None });
    }
    let cron = Cron::from_str(&window.schedule).map_err(|_| bad())?;
    let at = TimeZone::UTC.to_datetime(now);
    // What lies further off than that makes no difference.
    let bounds =
        Bounded { at, first: at.saturating_sub(length.min(LONGEST_WINDOW)), last: at.saturating_add(LONGEST_WAIT) };
    let moment = |found: Result<Bounded, _>| found.ok().and_then(|found| TimeZone::UTC.to_timestamp(found.at).ok());
    let opened = moment(cron.find_previous_occurrence(&bounds, true));
    let closes = opened.and_then(|opened| opened.checked_add(length).ok()).filter(|closes| *closes > now);
    Ok(Around { closes, opens: moment(cron.find_next_occurrence(&bounds, false)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(kind: SyncWindowKind, of: &[(&str, &str)]) -> SyncWindows {
        let window = |(schedule, duration): &(&str, &str)| SyncWindow {
            schedule: (*schedule).to_owned(),
            duration: duration.parse().unwrap(),
        };
        SyncWindows { kind, windows: of.iter().map(window).collect() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_opens_and_closes_in_utc() {
        use SyncWindowKind::{Allow, Deny};
        let nightly = [("0 22 * * *", "8h")];
        let until = |text| Gate::ClosedUntil(at(text));
        let table = [
            (Allow, "2026-11-24T23:00:00Z", Gate::Open),
            (Allow, "2026-11-24T05:59:59Z", Gate::Open),
            (Allow, "2026-11-24T12:00:00Z", until("2026-11-24T22:00:00Z")),
            (Deny, "2026-11-24T12:00:00Z", Gate::Open),
            (Deny, "2026-11-24T23:00:00Z", until("2026-11-25T06:00:00Z")),
            (Deny, "2026-11-24T22:00:00Z", until("2026-11-25T06:00:00Z")),
        ];
        for (kind, now, expected) in table {
            assert_eq!(gate(&windows(kind, &nightly), at(now)), Ok(expected), "{kind:?} {now}");
        }
    }

    #[test]
    fn one_open_window_of_several_counts() {
        let weekdays = [("0 9 * * 1-5", "1h"), ("@daily", "30m")];
        let allow = windows(SyncWindowKind::Allow, &weekdays);
        assert_eq!(gate(&allow, at("2026-11-24T09:30:00Z")), Ok(Gate::Open));
        assert_eq!(gate(&allow, at("2026-11-22T00:10:00Z")), Ok(Gate::Open));
        let closed = gate(&allow, at("2026-11-22T09:30:00Z"));
        assert_eq!(closed, Ok(Gate::ClosedUntil(at("2026-11-23T00:00:00Z"))), "a Sunday");
    }

    #[test]
    fn an_interval_is_open_always_or_never() {
        let always = windows(SyncWindowKind::Allow, &[("@every 1h", "2h")]);
        assert_eq!(gate(&always, at("2026-11-24T09:30:00Z")), Ok(Gate::Open));
        let never = windows(SyncWindowKind::Allow, &[("@every 2h", "1h")]);
        assert!(matches!(gate(&never, at("2026-11-24T09:30:00Z")), Ok(Gate::ClosedUntil(_))));
    }

    /// As many as are allowed, of which none is ever due, cost next to nothing.
    #[test]
    fn a_schedule_that_is_never_or_seldom_due_is_not_searched_for_without_end() {
        let started = std::time::Instant::now();
        for schedule in ["0 0 31 2,4,6,9,11 *", "0 0 30 2 *", "0 0 29 2 1", "0 0 29 2 *"] {
            let many: Vec<(String, &str)> =
                (0..64).map(|n| (schedule.replacen('0', &n.to_string(), 1), "24h")).collect();
            let many: Vec<(&str, &str)> = many.iter().map(|(schedule, length)| (schedule.as_str(), *length)).collect();
            let many = windows(SyncWindowKind::Allow, &many[..60]);
            let gate = gate(&many, at("2026-11-24T12:00:00Z"));
            assert_eq!(gate, Ok(Gate::ClosedUntil(at("2026-11-25T12:00:00Z"))), "{schedule}");
        }
        let took = started.elapsed();
        assert!(took < std::time::Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn a_schedule_that_never_comes_is_refused() {
        for (schedule, comes) in [
            ("0 0 31 2,4,6,9,11 *", false),
            ("0 0 30 2 *", false),
            ("0 0 29 2 *", true),
            ("0 0 31 * *", true),
            ("0 0 31 2 1", true),
            ("0 0 29 2 +1", true),
            ("@yearly", true),
            ("@every 2h", true),
        ] {
            let checked = check(&windows(SyncWindowKind::Allow, &[(schedule, "1h")]));
            let never = || Err(ScheduleError::Never { schedule: schedule.to_owned() });
            assert_eq!(checked, if comes { Ok(()) } else { never() }, "{schedule}");
        }
    }

    /// A window is open for as long as it says, be it years.
    #[test]
    fn a_long_window_is_found() {
        let yearly = windows(SyncWindowKind::Allow, &[("0 0 1 1 *", "8000h")]);
        assert_eq!(gate(&yearly, at("2026-11-24T12:00:00Z")), Ok(Gate::Open));
        assert!(matches!(gate(&yearly, at("2026-12-24T12:00:00Z")), Ok(Gate::ClosedUntil(_))));
    }

    #[test]
    fn a_schedule_that_can_not_be_read_is_an_error() {
        for schedule in ["", "* * *", "61 * * * *", "@every soon", "nonsense"] {
            let windows = windows(SyncWindowKind::Allow, &[(schedule, "1h")]);
            assert!(gate(&windows, at("2026-11-24T09:30:00Z")).is_err(), "{schedule:?}");
        }
    }
}

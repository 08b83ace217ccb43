//! `spec.syncWindows`: the times at which a periodic refresh may run. A change is synced at any time.

use crate::api::policy::SyncWindowKind;
use crate::api::{GoDuration, SyncWindow, SyncWindows};
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::str::FromStr;
use thiserror::Error;

/// Before a schedule that is not due for years is looked at again.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// A schedule that can't be read. Only an edit mends it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "spec.syncWindows: {schedule:?} is not a schedule; write five fields as in cron, such as \"0 22 * * 1-5\", or @daily"
)]
pub struct ScheduleError {
    /// As it is written.
    schedule: String,
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

fn around(window: &SyncWindow, now: Timestamp) -> Result<Around, ScheduleError> {
    let bad = || ScheduleError { schedule: window.schedule.clone() };
    let length = SignedDuration::try_from(window.duration.as_std()).map_err(|_| bad())?;
    // As ESO reads it: it opens anew every so often, whenever it is asked, so it is open always or never.
    if let Some(every) = window.schedule.strip_prefix("@every ") {
        let every = every.trim().parse::<GoDuration>().map_err(|_| bad())?;
        let is_open = window.duration.as_std() >= every.as_std();
        let later = now.saturating_add(LONGEST_WAIT).unwrap_or(now);
        return Ok(Around { closes: is_open.then_some(later), opens: None });
    }
    let cron = Cron::from_str(&window.schedule).map_err(|_| bad())?;
    let now_utc = now.to_zoned(TimeZone::UTC);
    let at = |found: Result<Zoned, _>| found.ok().map(|at: Zoned| at.timestamp());
    let opened = at(cron.find_previous_occurrence(&now_utc, true));
    let closes = opened.and_then(|opened| opened.checked_add(length).ok()).filter(|closes| *closes > now);
    Ok(Around { closes, opens: at(cron.find_next_occurrence(&now_utc, false)) })
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

    #[test]
    fn a_schedule_that_can_not_be_read_is_an_error() {
        for schedule in ["", "* * *", "61 * * * *", "@every soon", "nonsense"] {
            let windows = windows(SyncWindowKind::Allow, &[(schedule, "1h")]);
            assert!(gate(&windows, at("2026-11-24T09:30:00Z")).is_err(), "{schedule:?}");
        }
    }
}

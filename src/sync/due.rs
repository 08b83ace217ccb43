//! When an object is looked at in Vault: pure arithmetic on what is known of its last sync.

use std::time::{Duration, Instant};

/// A failed sync is tried again after this long, then after twice that, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// From this many failures in a row on, no retry waits longer.
pub const LAST_STEP: u32 = 9;
/// No retry waits longer than this, nor longer than the refresh interval.
const LAST_RETRY: Duration = Duration::from_secs(300);
/// Objects that would all be refreshed at once are spread over at most this.
const WIDEST_SPREAD: Duration = Duration::from_secs(60);
/// How much room each object of such a herd gets.
const SPREAD_PER_OBJECT: Duration = Duration::from_millis(10);

/// When a spec asks to be refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Every interval.
    Every(Duration),
    /// Only when the spec, a label or an annotation changes: an interval of zero, or the policy `OnChange`.
    OnChange,
    /// Once, and never again: the policy `CreatedOnce`.
    Once,
}

/// What is remembered of an object's last syncs. Times are of the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Last {
    /// When it last succeeded.
    pub success: Option<Instant>,
    /// When it last was tried.
    pub attempt: Option<Instant>,
    /// How often it failed since it last succeeded.
    pub failures: u32,
    /// Whether a retry by itself can help: false where only an edit mends the last failure.
    pub hopeless: bool,
}

/// What is true of an object now, beside its last syncs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Its spec, labels and annotations are those of the last sync.
    pub unchanged: bool,
    /// Its target differs from what was written.
    pub drifted: bool,
    /// Somebody mended what it waited for: its store, a credential.
    pub mended: bool,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Sync it now.
    Now,
    /// Not before then.
    At(Instant),
    /// Not until something changes.
    Idle,
}

/// Whether an object is due at `now`.
pub fn due(schedule: Schedule, last: &Last, state: Now, now: Instant) -> Due {
    let never_tried = last.attempt.is_none() && last.success.is_none();
    if never_tried || state.drifted || state.mended {
        return Due::Now;
    }
    let is_settled = schedule == Schedule::Once && last.success.is_some();
    if !state.unchanged && !is_settled {
        return Due::Now;
    }
    match next(schedule, last) {
        Some(at) if at <= now => Due::Now,
        Some(at) => Due::At(at),
        None => Due::Idle,
    }
}

/// When an unchanged object is due next, by its last syncs alone.
pub fn next(schedule: Schedule, last: &Last) -> Option<Instant> {
    if last.failures > 0 {
        return (!last.hopeless).then(|| last.attempt.map(|at| at + retry_after(schedule, last.failures))).flatten();
    }
    match schedule {
        Schedule::Every(interval) => last.success.map(|at| at + interval),
        Schedule::OnChange | Schedule::Once => None,
    }
}

/// How long after its `failures`-th failure in a row an object is tried again: 2 s, doubling to the shorter of its
/// interval and 5 minutes.
pub fn retry_after(schedule: Schedule, failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let longest = match schedule {
        Schedule::Every(interval) => interval.clamp(FIRST_RETRY, LAST_RETRY),
        Schedule::OnChange | Schedule::Once => LAST_RETRY,
    };
    doubled.min(longest)
}

/// How long after now one of `herd` objects that are all due at once is taken: by its `hash`, within its interval, a
/// minute, and 10 ms for each object, so that a few don't wait and thousands don't come together.
pub fn spread(schedule: Schedule, hash: u64, herd: usize) -> Duration {
    let room = SPREAD_PER_OBJECT.saturating_mul(u32::try_from(herd).unwrap_or(u32::MAX)).min(WIDEST_SPREAD);
    let room = match schedule {
        Schedule::Every(interval) => room.min(interval),
        Schedule::OnChange | Schedule::Once => room,
    };
    let fraction = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    room.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const SYNCED: Now = Now { unchanged: true, drifted: false, mended: false };

    fn succeeded(at: Instant) -> Last {
        Last { success: Some(at), attempt: Some(at), ..Last::default() }
    }

    fn failed(at: Instant, failures: u32) -> Last {
        Last { attempt: Some(at), failures, ..Last::default() }
    }

    #[test]
    fn a_refresh_comes_at_its_interval_and_not_before() {
        let start = Instant::now();
        let every = Schedule::Every(HOUR);
        let last = succeeded(start);
        assert_eq!(due(every, &last, SYNCED, start + HOUR - Duration::from_millis(1)), Due::At(start + HOUR));
        assert_eq!(due(every, &last, SYNCED, start + HOUR), Due::Now);
    }

    #[test]
    fn what_is_new_changed_drifted_or_mended_is_due_at_once() {
        let start = Instant::now();
        let every = Schedule::Every(HOUR);
        assert_eq!(due(every, &Last::default(), SYNCED, start), Due::Now);
        for state in
            [Now { unchanged: false, ..SYNCED }, Now { drifted: true, ..SYNCED }, Now { mended: true, ..SYNCED }]
        {
            assert_eq!(due(every, &succeeded(start), state, start), Due::Now, "{state:?}");
            assert_eq!(due(Schedule::OnChange, &succeeded(start), state, start), Due::Now, "{state:?}");
        }
    }

    #[test]
    fn sync_once_still_heeds_a_change_and_created_once_does_not() {
        let start = Instant::now();
        let changed = Now { unchanged: false, ..SYNCED };
        assert_eq!(due(Schedule::OnChange, &succeeded(start), SYNCED, start + HOUR), Due::Idle);
        assert_eq!(due(Schedule::OnChange, &succeeded(start), changed, start), Due::Now);
        assert_eq!(due(Schedule::Once, &succeeded(start), changed, start), Due::Idle);
        assert_eq!(due(Schedule::Once, &failed(start, 1), changed, start), Due::Now);
    }

    #[test]
    fn failures_are_tried_again_ever_less_often() {
        let every = Schedule::Every(HOUR);
        let seconds: Vec<u64> = (1..=10).map(|failures| retry_after(every, failures).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(retry_after(Schedule::Every(Duration::from_secs(10)), 9).as_secs(), 10);
        assert_eq!(retry_after(Schedule::Every(Duration::from_secs(1)), 9).as_secs(), 2);
        assert_eq!(retry_after(Schedule::OnChange, u32::MAX).as_secs(), 300);
        assert_eq!(retry_after(every, LAST_STEP), LAST_RETRY);
    }

    #[test]
    fn what_only_an_edit_mends_is_not_tried_again() {
        let start = Instant::now();
        let last = Last { hopeless: true, ..failed(start, 1) };
        assert_eq!(due(Schedule::Every(HOUR), &last, SYNCED, start + HOUR * 9), Due::Idle);
        assert_eq!(due(Schedule::Every(HOUR), &last, Now { unchanged: false, ..SYNCED }, start), Due::Now);
    }

    #[test]
    fn a_herd_is_spread_and_a_few_are_not() {
        let every = Schedule::Every(HOUR);
        assert!(spread(every, u64::MAX, 1) <= Duration::from_millis(10));
        assert!(spread(every, u64::MAX, 100_000) <= WIDEST_SPREAD);
        assert!(spread(every, u64::MAX / 2, 100_000) > Duration::from_secs(29));
        assert!(spread(Schedule::Every(Duration::from_secs(5)), u64::MAX, 100_000) <= Duration::from_secs(5));
        assert_eq!(spread(every, 0, 100_000), Duration::ZERO);
    }
}

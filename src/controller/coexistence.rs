//! Another operator beside us, most likely External Secrets Operator that was not stopped yet: two that write one status and
//! one Secret would never come to rest. We leave an object alone as long as the other one works on it, and say so.

use crate::controller::index::Job;
use crate::controller::key::Id;
use crate::controller::report::reference;
use crate::controller::shared::Shared;
use crate::sync::due::Schedule;
use crate::telemetry::events::{EventReason, Happening, Severity};
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// The other one counts as gone when it has written nothing for this long, or for two refresh intervals.
const SILENCE: Duration = Duration::from_secs(600);

/// When to look at the object again, if another operator has written its status since we started, and lately.
pub async fn yield_to(shared: &Shared, id: Id, job: &mut Job, schedule: Schedule) -> Option<Instant> {
    let wait = wait(job.foreign_status?, shared.started, Timestamp::now(), schedule);
    let is_told = std::mem::replace(&mut job.memory.yielded, wait.is_some());
    let wait = wait?;
    shared.index.lock().finish(id, job.memory.clone());
    if !is_told {
        let note = "another operator (External Secrets Operator?) writes this object's status, so external-secrets-rs leaves it alone; stop one of the two";
        let happening = Happening {
            severity: Severity::Warning,
            reason: EventReason::OtherOperator,
            action: "Sync",
            note: note.to_owned(),
        };
        shared.recorder.publish(reference(&job.object), &happening).await;
        tracing::warn!(namespace = %job.object.key.namespace, name = %job.object.key.name, "{note}");
    }
    Some(Instant::now() + wait)
}

/// How long to wait before the other operator, which wrote at `wrote`, counts as gone.
fn wait(wrote: i64, started: Timestamp, now: Timestamp, schedule: Schedule) -> Option<Duration> {
    // What it wrote before we started is what it left behind.
    if wrote <= started.as_second() {
        return None;
    }
    let silence = match schedule {
        Schedule::Every(interval) => SILENCE.max(interval.saturating_mul(2)),
        Schedule::OnChange | Schedule::Once => SILENCE,
    };
    let since = SignedDuration::from_secs(now.as_second().saturating_sub(wrote));
    silence.checked_sub(Duration::try_from(since).unwrap_or_default()).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_counts_as_long_as_it_wrote_lately_and_since_we_started() {
        let started = Timestamp::from_second(1_000).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let every = |seconds| Schedule::Every(Duration::from_secs(seconds));
        assert_eq!(wait(900, started, at(1_001), every(60)), None, "left behind");
        assert_eq!(wait(1_100, started, at(1_100), every(60)), Some(SILENCE));
        assert_eq!(wait(1_100, started, at(1_700), every(60)), None, "gone");
        assert_eq!(wait(1_100, started, at(1_700), every(3600)), Some(Duration::from_secs(6_600)));
    }
}

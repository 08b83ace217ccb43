//! Who may hold a lease, and what holding it looks like: the rules of Kubernetes' own leader election (client-go), without I/O.
//!
//! Times that others wrote are never compared with a clock of ours: a lease has ended when it stayed as it is for its duration
//! *as seen from here*, so clocks of nodes may differ by any amount.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a lease lasts, and how its holder and those who wait go about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// A lease that nobody renewed for this long is free.
    pub duration: Duration,
    /// A holder that could not renew for this long gives up. Shorter than `duration`, so that it has ended before another begins.
    pub renew_deadline: Duration,
    /// How often the holder renews, and the others look.
    pub retry_period: Duration,
}

/// Terms by which two could lead at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TermsError {
    /// The API counts whole seconds.
    #[error("--leader-election-lease-duration has to be whole seconds, and at least 1s")]
    Duration,
    /// The old holder has to have ended before a new one begins.
    #[error("--leader-election-renew-deadline has to be shorter than --leader-election-lease-duration")]
    Deadline,
    /// One lost request must not end the holder.
    #[error(
        "--leader-election-retry-period has to be above 0, and shorter than half of --leader-election-renew-deadline"
    )]
    Period,
}

impl Terms {
    /// Terms that exclude two holders at a time.
    pub fn new(duration: Duration, renew_deadline: Duration, retry_period: Duration) -> Result<Self, TermsError> {
        if duration.is_zero() || duration.subsec_nanos() != 0 {
            return Err(TermsError::Duration);
        }
        if renew_deadline >= duration {
            return Err(TermsError::Deadline);
        }
        if retry_period.is_zero() || retry_period * 2 >= renew_deadline {
            return Err(TermsError::Period);
        }
        Ok(Self { duration, renew_deadline, retry_period })
    }
}

/// A lease as it was last seen, and since when it has been like that.
#[derive(Debug, Clone, Default)]
pub struct Sight(Option<(LeaseSpec, Instant)>);

/// What a candidate may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Write its own name into it: it is free, or has ended, or is its own.
    Claim,
    /// Wait: this one holds it.
    Wait {
        /// The holder's identity.
        holder: String,
    },
}

impl Sight {
    /// Notes what the lease says at `now`.
    pub fn see(&mut self, spec: &LeaseSpec, now: Instant) {
        if self.0.as_ref().is_none_or(|(last, _)| last != spec) {
            self.0 = Some((spec.clone(), now));
        }
    }

    /// What `identity` may do at `now`.
    pub fn next_move(&self, identity: &str, now: Instant) -> Move {
        let Some((spec, since)) = &self.0 else { return Move::Claim };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        let has_ended = now.saturating_duration_since(*since) >= Duration::from_secs(seconds);
        if holder.is_empty() || holder == identity || has_ended {
            return Move::Claim;
        }
        Move::Wait { holder: holder.to_owned() }
    }
}

/// The lease with `identity` as its holder, from `now` on.
pub fn claimed(before: Option<&LeaseSpec>, identity: &str, terms: &Terms, now: Timestamp) -> LeaseSpec {
    let before = before.cloned().unwrap_or_default();
    let is_renewal = before.holder_identity.as_deref() == Some(identity);
    // The first holder of all is no transition.
    let transitions = match (&before.holder_identity, is_renewal) {
        (None, _) | (_, true) => before.lease_transitions.unwrap_or(0),
        (Some(_), false) => before.lease_transitions.unwrap_or(0).saturating_add(1),
    };
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(i32::try_from(terms.duration.as_secs()).unwrap_or(i32::MAX)),
        acquire_time: before.acquire_time.clone().filter(|_| is_renewal).or(Some(MicroTime(now))),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(transitions),
        ..before
    }
}

/// The lease without a holder: the next one need not wait for it to end.
pub fn released(before: &LeaseSpec, now: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        // The API refuses 0.
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(now)),
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn terms() -> Terms {
        Terms::new(15 * SECOND, 10 * SECOND, 2 * SECOND).unwrap()
    }

    fn held_by(identity: &str, at: i64) -> LeaseSpec {
        claimed(None, identity, &terms(), Timestamp::from_second(at).unwrap())
    }

    #[test]
    fn terms_that_let_two_lead_are_refused() {
        let new = |duration, deadline, period| Terms::new(duration * SECOND, deadline * SECOND, period * SECOND);
        assert_eq!(new(0, 0, 0), Err(TermsError::Duration));
        assert_eq!(Terms::new(SECOND * 3 / 2, SECOND, SECOND / 4), Err(TermsError::Duration));
        assert_eq!(new(15, 15, 2), Err(TermsError::Deadline));
        assert_eq!(new(15, 10, 5), Err(TermsError::Period));
        assert_eq!(new(15, 10, 0), Err(TermsError::Period));
    }

    #[test]
    fn another_ones_lease_is_taken_only_after_it_stood_still_for_its_duration() {
        let start = Instant::now();
        let mut sight = Sight::default();
        // Whatever the holder's clock says.
        sight.see(&held_by("a", 0), start);
        let wait = Move::Wait { holder: "a".to_owned() };
        assert_eq!(sight.next_move("b", start), wait);
        sight.see(&held_by("a", 0), start + 14 * SECOND);
        assert_eq!(sight.next_move("b", start + 14 * SECOND), wait);
        assert_eq!(sight.next_move("b", start + 15 * SECOND), Move::Claim);
        sight.see(&held_by("a", 1), start + 15 * SECOND);
        assert_eq!(sight.next_move("b", start + 29 * SECOND), wait);
    }

    #[test]
    fn ones_own_and_a_released_lease_are_claimed_at_once() {
        let start = Instant::now();
        let mut sight = Sight::default();
        assert_eq!(sight.next_move("b", start), Move::Claim);
        sight.see(&held_by("b", 0), start);
        assert_eq!(sight.next_move("b", start), Move::Claim);
        sight.see(&released(&held_by("a", 0), Timestamp::UNIX_EPOCH), start);
        assert_eq!(sight.next_move("b", start), Move::Claim);
    }

    #[test]
    fn a_renewal_keeps_when_it_was_acquired_and_a_change_of_hands_is_counted() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = held_by("a", 5);
        assert_eq!((first.lease_transitions, first.lease_duration_seconds), (Some(0), Some(15)));
        let renewed = claimed(Some(&first), "a", &terms(), at(9));
        assert_eq!((renewed.acquire_time, renewed.lease_transitions), (Some(MicroTime(at(5))), Some(0)));
        assert_eq!(renewed.renew_time, Some(MicroTime(at(9))));
        let second = claimed(Some(&released(&first, at(10))), "b", &terms(), at(11));
        assert_eq!((second.acquire_time, second.lease_transitions), (Some(MicroTime(at(11))), Some(1)));
        assert_eq!(second.holder_identity.as_deref(), Some("b"));
    }
}

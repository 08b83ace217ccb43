//! Which troubles are worth another try within the same call, and when.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::connection::RetrySettings;
use super::error::Down;
use super::http::{Answer, Failure};

/// No pause within a call is longer.
const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait before the next try of a read that can be repeated without harm; `None`: give up and report.
///
/// `tries` were made so far; `left` is what remains of the call's deadline; `random` is in 0..1.
pub(super) fn pause(
    outcome: &Result<Answer, Failure>,
    settings: RetrySettings,
    tries: u32,
    left: Duration,
    random: f64,
) -> Option<Duration> {
    if tries > settings.max_retries {
        return None;
    }
    let asked = match outcome {
        Ok(answer) if is_passing(answer.status) => answer.retry_after.unwrap_or_default(),
        // A request that hung to its deadline would take another as long.
        Err(Failure::NoAnswer(Down::Broken) | Failure::NoConnection(_)) => Duration::ZERO,
        _ => return None,
    };
    let pause = asked.max(jittered(backoff(settings.interval, tries), random));
    (pause < left).then_some(pause)
}

fn is_passing(status: u16) -> bool {
    matches!(status, 412 | 429 | 500 | 502 | 503 | 504)
}

/// The interval, doubled for each try after the first.
pub(super) fn backoff(interval: Duration, tries: u32) -> Duration {
    let factor = 1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    interval.saturating_mul(factor).min(LONGEST)
}

/// ±25%, so that those who failed together do not return together.
pub(super) fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(0.75 + random.clamp(0.0, 1.0) / 2.0)
}

/// A number in 0..1, good enough to spread herds.
pub(super) fn random() -> f64 {
    // 53 bits are what an f64 holds exactly.
    (RandomState::new().hash_one(0u8) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::zeroize::Zeroizing;

    fn answer(status: u16, retry_after: Option<u64>) -> Result<Answer, Failure> {
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Answer { status, retry_after, index: None, body: Zeroizing::default() })
    }

    const SETTINGS: RetrySettings = RetrySettings { max_retries: 3, interval: Duration::from_millis(200) };
    const LEFT: Duration = Duration::from_secs(20);

    #[test]
    fn what_passes_is_tried_again_and_the_rest_is_not() {
        let tried = |outcome| pause(&outcome, SETTINGS, 1, LEFT, 0.5).is_some();
        for status in [412, 429, 500, 502, 503, 504] {
            assert!(tried(answer(status, None)), "{status}");
        }
        for status in [200, 204, 400, 403, 404, 405, 501] {
            assert!(!tried(answer(status, None)), "{status}");
        }
        assert!(tried(Err(Failure::NoConnection(Down::Unreachable))));
        assert!(tried(Err(Failure::NoAnswer(Down::Broken))));
        assert!(!tried(Err(Failure::NoAnswer(Down::Hanging))));
        assert!(!tried(Err(Failure::Tls(String::new()))));
        assert!(!tried(Err(Failure::TooLarge)));
    }

    #[test]
    fn pauses_double_and_end() {
        let after = |tries| pause(&answer(502, None), SETTINGS, tries, LEFT, 0.5);
        assert_eq!(after(1), Some(Duration::from_millis(200)));
        assert_eq!(after(2), Some(Duration::from_millis(400)));
        assert_eq!(after(3), Some(Duration::from_millis(800)));
        assert_eq!(after(4), None);
        assert_eq!(backoff(Duration::from_secs(1), 60), LONGEST);
    }

    #[test]
    fn retry_after_is_heeded_within_the_deadline() {
        let asked = |seconds| pause(&answer(429, Some(seconds)), SETTINGS, 1, LEFT, 0.5);
        assert_eq!(asked(3), Some(Duration::from_secs(3)));
        assert_eq!(asked(0), Some(Duration::from_millis(200)));
        assert_eq!(asked(20), None);
    }

    #[test]
    fn random_is_in_range_and_varies() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.iter().any(|n| *n < 0.5) && numbers.iter().any(|n| *n >= 0.5));
    }
}

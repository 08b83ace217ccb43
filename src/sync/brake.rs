//! The brake: where many targets of one store turn out to be gone at once, something is wrong with the source (a mount
//! replaced, a backup restored, a policy that hides), and no Secret is deleted until a person says so.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Findings within this long count together.
const WINDOW: Duration = Duration::from_secs(60);
/// Where fewer are gone, half of a small store is no herd.
const SMALLEST_HERD: usize = 5;

/// Counts, for each store, the targets whose source was found gone lately.
#[derive(Debug)]
pub struct Brake<S, T> {
    limit: usize,
    found: HashMap<S, VecDeque<(Instant, T)>>,
}

impl<S: Eq + Hash, T: Eq> Brake<S, T> {
    /// At most `limit` targets of a store, and less than half of them, may go within a minute; 0 sets no limit.
    pub fn new(limit: usize) -> Self {
        Self { limit, found: HashMap::new() }
    }

    /// Takes note that the source of `target` is gone.
    pub fn found_gone(&mut self, store: S, target: T, now: Instant) {
        if self.limit == 0 {
            return;
        }
        let found = self.found.entry(store).or_default();
        while found.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            found.pop_front();
        }
        found.retain(|(_, known)| *known != target);
        found.push_back((now, target));
    }

    /// Whether a target of `store`, which has `of` targets in all, may be deleted.
    pub fn permits(&mut self, store: &S, of: usize, now: Instant) -> bool {
        let Some(found) = self.found.get_mut(store) else { return true };
        found.retain(|(at, _)| now.duration_since(*at) < WINDOW);
        let gone = found.len();
        if gone == 0 {
            self.found.remove(store);
        }
        let is_half = gone >= SMALLEST_HERD && gone * 2 >= of;
        self.limit == 0 || (gone <= self.limit && !is_half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake(limit: usize, gone: usize, now: Instant) -> Brake<&'static str, usize> {
        let mut brake = Brake::new(limit);
        (0..gone).for_each(|target| brake.found_gone("store", target, now));
        brake
    }

    #[test]
    fn a_few_may_go_and_a_herd_may_not() {
        let now = Instant::now();
        assert!(brake(50, 1, now).permits(&"store", 1, now));
        assert!(brake(50, 4, now).permits(&"store", 4, now));
        assert!(!brake(50, 5, now).permits(&"store", 10, now), "half of them");
        assert!(brake(50, 5, now).permits(&"store", 11, now));
        assert!(brake(50, 50, now).permits(&"store", 1000, now));
        assert!(!brake(50, 51, now).permits(&"store", 1000, now));
        assert!(brake(0, 1000, now).permits(&"store", 1000, now), "switched off");
    }

    #[test]
    fn one_target_counts_once_and_for_a_minute_and_stores_do_not_mix() {
        let now = Instant::now();
        let mut brake = brake(50, 51, now);
        assert!(brake.permits(&"other", 1, now));
        assert!(brake.permits(&"store", 1000, now + WINDOW));
        for _ in 0..100 {
            brake.found_gone("store", 7, now + WINDOW);
        }
        assert!(brake.permits(&"store", 100, now + WINDOW));
    }
}

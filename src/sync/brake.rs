//! The brake: where many targets of one store turn out to be gone at once, something is wrong with the source (a mount
//! replaced, a backup restored, a policy that hides), and no Secret is deleted until a person says so.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Findings within this long count together.
const WINDOW: Duration = Duration::from_secs(60);
/// Where fewer are gone, half of a small store is no herd.
const SMALLEST_HERD: usize = 5;
/// A finding counts only once it was made twice, this far apart: others of a herd are found meanwhile.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// While a store is held, what is still gone is found again at each retry, which are 5 minutes apart at most. What was not is
/// somebody else's affair by now.
const HELD: Duration = Duration::from_secs(900);

/// What is to be done about a target whose source is gone; the later, the more careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It may go.
    Go,
    /// It goes with a herd and is kept.
    Hold,
    /// It was found gone for the first time: look again.
    LookAgain,
}

/// Counts, for each store, the targets whose source was found gone lately.
#[derive(Debug)]
pub struct Brake<S, T> {
    limit: usize,
    stores: HashMap<S, Store<T>>,
}

#[derive(Debug)]
struct Store<T> {
    found: HashMap<T, Found>,
    /// A herd was seen. It holds until none of it is left: else it would slip through in small groups.
    is_held: bool,
    /// That it holds was told.
    is_told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    first: Instant,
    last: Instant,
}

impl<T> Store<T> {
    fn forget_old(&mut self, now: Instant) {
        let counts_for = if self.is_held { HELD } else { WINDOW };
        self.found.retain(|_, found| now.duration_since(found.last) < counts_for);
        self.is_held &= !self.found.is_empty();
        self.is_told &= self.is_held;
    }
}

impl<S: Eq + Hash, T: Eq + Hash> Brake<S, T> {
    /// At most `limit` targets of a store, and less than half of them, may go within a minute; 0 sets no limit.
    pub fn new(limit: usize) -> Self {
        Self { limit, stores: HashMap::new() }
    }

    /// Takes note that the source of `target` is gone from `store`, which has `of` targets in all, and says what to do.
    pub fn found_gone(&mut self, store: S, target: T, of: usize, now: Instant) -> Verdict {
        self.stores.values_mut().for_each(|store| store.forget_old(now));
        self.stores.retain(|_, store| !store.found.is_empty());
        let store =
            self.stores.entry(store).or_insert_with(|| Store { found: HashMap::new(), is_held: false, is_told: false });
        let found = store.found.entry(target).or_insert(Found { first: now, last: now });
        found.last = now;
        let is_second = now.duration_since(found.first) >= SECOND_LOOK;
        let gone = store.found.len();
        let is_herd = gone > self.limit || gone >= SMALLEST_HERD && gone * 2 >= of;
        store.is_held |= self.limit > 0 && is_herd;
        match (is_second, store.is_held) {
            (false, _) => Verdict::LookAgain,
            (true, true) => Verdict::Hold,
            (true, false) => Verdict::Go,
        }
    }

    /// Whether it is news that `store` is held: true once for each time that it is.
    pub fn is_news(&mut self, store: &S) -> bool {
        let held = self.stores.get_mut(store).filter(|store| store.is_held);
        held.is_some_and(|store| !std::mem::replace(&mut store.is_told, true))
    }

    /// The source of `target` is there after all, or a person let the target go.
    pub fn settled(&mut self, store: &S, target: &T) {
        if let Some(store) = self.stores.get_mut(store) {
            store.found.remove(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the last of this many targets, of `of`, at its second look.
    fn verdict(limit: usize, gone: usize, of: usize) -> Verdict {
        let (mut brake, now) = (Brake::new(limit), Instant::now());
        for target in 0..gone {
            brake.found_gone("store", target, of, now);
        }
        brake.found_gone("store", gone - 1, of, now + SECOND_LOOK)
    }

    #[test]
    fn a_few_may_go_and_a_herd_may_not() {
        assert_eq!(verdict(50, 1, 1), Verdict::Go);
        assert_eq!(verdict(50, 4, 4), Verdict::Go);
        assert_eq!(verdict(50, 5, 10), Verdict::Hold, "half of them");
        assert_eq!(verdict(50, 5, 11), Verdict::Go);
        assert_eq!(verdict(50, 50, 1000), Verdict::Go);
        assert_eq!(verdict(50, 51, 1000), Verdict::Hold);
        assert_eq!(verdict(0, 1000, 1000), Verdict::Go, "switched off");
    }

    #[test]
    fn a_hold_is_news_once() {
        let (mut brake, now) = (Brake::new(2), Instant::now());
        brake.found_gone("store", 0, 100, now);
        assert!(!brake.is_news(&"store"), "not held");
        for target in 1..4 {
            brake.found_gone("store", target, 100, now);
        }
        assert!(brake.is_news(&"store"));
        assert!(!brake.is_news(&"store"));
    }

    #[test]
    fn nothing_goes_at_the_first_look() {
        let (mut brake, now) = (Brake::new(50), Instant::now());
        assert_eq!(brake.found_gone("store", 1, 100, now), Verdict::LookAgain);
        assert_eq!(brake.found_gone("store", 1, 100, now + SECOND_LOOK / 2), Verdict::LookAgain);
        assert_eq!(brake.found_gone("store", 1, 100, now + SECOND_LOOK), Verdict::Go);
        // It came back meanwhile: all begins anew.
        brake.settled(&"store", &1);
        assert_eq!(brake.found_gone("store", 1, 100, now + SECOND_LOOK * 2), Verdict::LookAgain);
    }

    #[test]
    fn a_target_counts_once_and_for_a_minute_and_stores_do_not_mix() {
        let (mut brake, now) = (Brake::new(2), Instant::now());
        for _ in 0..100 {
            brake.found_gone("store", 1, 100, now);
        }
        brake.found_gone("other", 2, 100, now);
        brake.found_gone("store", 3, 100, now);
        assert_eq!(brake.found_gone("store", 1, 100, now + SECOND_LOOK), Verdict::Go);
        brake.found_gone("store", 4, 100, now + SECOND_LOOK + WINDOW);
        assert_eq!(
            brake.found_gone("store", 4, 100, now + SECOND_LOOK * 2 + WINDOW),
            Verdict::Go,
            "the others are old"
        );
    }

    /// Retries come ever further apart, and not all at once: a herd must not slip through a window's end.
    #[test]
    fn a_held_herd_stays_held_until_none_of_it_is_left() {
        let (mut brake, start) = (Brake::new(2), Instant::now());
        for target in 0..3 {
            brake.found_gone("store", target, 100, start);
        }
        let mut now = start;
        for _ in 0..10 {
            now += Duration::from_secs(300);
            assert_eq!(brake.found_gone("store", 0, 100, now), Verdict::Hold);
        }
        brake.settled(&"store", &0);
        brake.settled(&"store", &1);
        brake.settled(&"store", &2);
        assert_eq!(brake.found_gone("store", 7, 100, now), Verdict::LookAgain);
        assert_eq!(brake.found_gone("store", 7, 100, now + SECOND_LOOK), Verdict::Go);
    }
}

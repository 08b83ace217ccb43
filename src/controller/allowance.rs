//! How much one sync may read. A store's server is its owner's choice, and what it sends is held in memory that all share.

use crate::sync::collect::{MOST_BYTES, TooMuch};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// A sync that reads more than this is a large one: as much as a Secret can hold.
const LARGE: usize = 1 << 20;
/// Large syncs of the process that go on at the same time.
pub const LARGE_AT_ONCE: usize = 4;

/// What one sync has read, and its place among the large ones.
pub struct Allowance {
    places: Arc<Semaphore>,
    read: AtomicUsize,
    place: OnceCell<Option<OwnedSemaphorePermit>>,
}

impl Allowance {
    /// For a sync that has read nothing yet; large ones share these places.
    pub fn new(places: &Arc<Semaphore>) -> Self {
        Self { places: places.clone(), read: AtomicUsize::new(0), place: OnceCell::new() }
    }

    /// Takes note of what was read: fails beyond the limit, and waits for a place where the sync becomes a large one.
    pub async fn take(&self, bytes: usize) -> Result<(), TooMuch> {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if read > MOST_BYTES {
            return Err(TooMuch);
        }
        if read > LARGE {
            // The semaphore is never closed.
            self.place.get_or_init(async || self.places.clone().acquire_owned().await.ok()).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_sync_has_a_limit_and_large_ones_wait_for_each_other() {
        let places = Arc::new(Semaphore::new(1));
        let (large, other, small) = (Allowance::new(&places), Allowance::new(&places), Allowance::new(&places));
        let take = |allowance: &Allowance, bytes| allowance.take(bytes).now_or_never();
        assert_eq!(take(&small, LARGE), Some(Ok(())));
        assert_eq!(take(&large, LARGE), Some(Ok(())));
        assert_eq!(places.available_permits(), 1, "neither is large yet");
        assert_eq!(take(&large, 1), Some(Ok(())));
        assert_eq!(take(&large, 1), Some(Ok(())), "one place is enough for one sync");
        assert_eq!(take(&other, LARGE + 1), None, "it waits");
        assert_eq!(take(&large, MOST_BYTES), Some(Err(TooMuch)));
        drop(large);
        assert_eq!(take(&other, 1), Some(Ok(())));
    }
}

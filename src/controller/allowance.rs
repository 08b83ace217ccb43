//! How much one sync may read. A store's server is its owner's choice, and what it sends is held in memory that all share.

use crate::sync::collect::{MOST_BYTES, TooMuch};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// A sync that reads more than this is a large one: as much as a Secret can hold.
const LARGE: usize = 1 << 20;
/// Large syncs of the process that go on at the same time.
const AT_ONCE: usize = 4;
/// And of one namespace, so that no tenant takes all places.
const OF_ONE_NAMESPACE: usize = 2;

/// The places of large syncs.
pub struct LargePlaces {
    all: Arc<Semaphore>,
    /// Of the namespaces that have large syncs now.
    namespaces: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

/// A place among the large syncs of the namespace, and of all.
type Place = [OwnedSemaphorePermit; 2];

impl Default for LargePlaces {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), namespaces: Mutex::default() }
    }
}

impl LargePlaces {
    fn of(&self, namespace: &Arc<str>) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock();
        if let Some(known) = namespaces.get(namespace).and_then(Weak::upgrade) {
            return known;
        }
        namespaces.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(OF_ONE_NAMESPACE));
        namespaces.insert(namespace.clone(), Arc::downgrade(&places));
        places
    }

    fn try_place(&self, namespace: &Arc<str>) -> Option<Place> {
        let own = self.of(namespace).try_acquire_owned().ok()?;
        Some([own, self.all.clone().try_acquire_owned().ok()?])
    }

    /// None only where the semaphores are closed, which nobody does.
    async fn place(&self, namespace: &Arc<str>) -> Option<Place> {
        let own = self.of(namespace).acquire_owned().await.ok()?;
        Some([own, self.all.clone().acquire_owned().await.ok()?])
    }
}

/// What one sync has read, and its place among the large ones.
pub struct Allowance<'a> {
    places: &'a LargePlaces,
    namespace: &'a Arc<str>,
    read: AtomicUsize,
    place: OnceCell<Option<Place>>,
}

impl<'a> Allowance<'a> {
    /// For a sync of this namespace that has read nothing yet.
    pub fn new(places: &'a LargePlaces, namespace: &'a Arc<str>) -> Self {
        Self { places, namespace, read: AtomicUsize::new(0), place: OnceCell::new() }
    }

    /// What `read` answers, counted by its `size` in bytes. An answer that makes the sync a large one is let go where no
    /// place is free, and read again once there is one: who waits holds nothing.
    ///
    /// # Errors
    /// [`TooMuch`] beyond the limit; and those of `read`.
    pub async fn counted<T, E: From<TooMuch>, F: Future<Output = Result<T, E>>>(
        &self,
        mut read: impl FnMut() -> F,
        size: impl Fn(&T) -> usize,
    ) -> Result<T, E> {
        loop {
            let answer = read().await?;
            if self.take(size(&answer))? {
                return Ok(answer);
            }
            drop(answer);
            self.place.get_or_init(|| self.places.place(self.namespace)).await;
        }
    }

    /// Takes note of what was read. False where that needs a place which is not free; then nothing is noted.
    fn take(&self, bytes: usize) -> Result<bool, TooMuch> {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if read > MOST_BYTES {
            return Err(TooMuch);
        }
        if read <= LARGE || self.place.initialized() {
            return Ok(true);
        }
        let Some(place) = self.places.try_place(self.namespace) else {
            self.read.fetch_sub(bytes, Ordering::Relaxed);
            return Ok(false);
        };
        // Another read of this sync may have come first: then this place is given back.
        let _ = self.place.set(Some(place));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::cell::Cell;

    fn take(allowance: &Allowance<'_>, bytes: usize) -> Option<Result<usize, TooMuch>> {
        allowance.counted(|| async move { Ok(bytes) }, |bytes| *bytes).now_or_never()
    }

    #[test]
    fn a_sync_has_a_limit() {
        let (places, namespace) = (LargePlaces::default(), Arc::from("team"));
        let (large, small) = (Allowance::new(&places, &namespace), Allowance::new(&places, &namespace));
        assert_eq!(take(&small, LARGE), Some(Ok(LARGE)));
        assert_eq!(take(&large, LARGE), Some(Ok(LARGE)));
        assert_eq!(places.all.available_permits(), AT_ONCE, "neither is large yet");
        assert_eq!(take(&large, 1), Some(Ok(1)));
        assert_eq!(take(&large, 1), Some(Ok(1)));
        assert_eq!(places.all.available_permits(), AT_ONCE - 1, "one place is enough for one sync");
        assert_eq!(take(&large, MOST_BYTES), Some(Err(TooMuch)));
    }

    #[test]
    fn large_ones_wait_for_each_other_and_no_namespace_takes_all_places() {
        let places = LargePlaces::default();
        let names = ["a", "a", "a", "b", "b", "c"].map(Arc::from);
        let syncs: Vec<_> = names.iter().map(|name| Allowance::new(&places, name)).collect();
        let has_place: Vec<bool> = syncs.iter().map(|sync| take(sync, LARGE + 1).is_some()).collect();
        assert_eq!(has_place, [true, true, false, true, true, false]);
        drop(syncs);
        assert_eq!(places.all.available_permits(), AT_ONCE);
        assert!(Allowance::new(&places, &names[5]).take(LARGE + 1).unwrap());
        assert_eq!(places.namespaces.lock().len(), 1, "those of before are forgotten");
    }

    /// It is read again with its place, and what was let go is not counted.
    #[tokio::test]
    async fn who_waits_holds_nothing() {
        let (places, namespace) = (LargePlaces::default(), Arc::from("team"));
        let others = [places.try_place(&namespace), places.try_place(&namespace)];
        let (sync, reads) = (Allowance::new(&places, &namespace), Cell::new(0));
        let read = sync.counted(
            || {
                reads.set(reads.get() + 1);
                async { Ok::<_, TooMuch>(MOST_BYTES - 1) }
            },
            |bytes| *bytes,
        );
        tokio::pin!(read);
        assert_eq!(read.as_mut().now_or_never(), None);
        assert_eq!((reads.get(), sync.read.load(Ordering::Relaxed)), (1, 0));
        drop(others);
        assert_eq!(read.await, Ok(MOST_BYTES - 1));
        assert_eq!(reads.get(), 2);
    }
}

//! Threads for what computes. Everything else waits for the network, all of it on one thread, and must never wait for this.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// What computes at the same time; the threads that are left look up host names.
const PLACES: usize = 2;

/// A few places on threads of their own.
#[derive(Debug)]
pub struct Workers {
    places: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Workers {
    /// Computes `work` on a thread, once there is a place. Where the future is dropped, the flag that `work` is given is
    /// set, so that it ends early; its place is free only when it has ended.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static) -> T {
        let place = self.places.clone().acquire_owned().await;
        let given_up = GiveUp(Arc::default());
        let flag = given_up.0.clone();
        let done = spawn_blocking(move || {
            let done = work(flag);
            drop(place);
            done
        });
        match done.await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The process ends.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

/// Sets its flag when it is dropped.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// What is given up hears of it, and keeps its place for as long as it takes.
    #[tokio::test]
    async fn what_is_given_up_keeps_its_place_until_it_has_ended() {
        let workers = Workers::default();
        let goes_on = Arc::new(AtomicBool::new(true));
        for _ in 0..PLACES {
            let goes_on = goes_on.clone();
            let work = move |given_up: Arc<AtomicBool>| {
                while goes_on.load(Ordering::Relaxed) || !given_up.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            };
            timeout(Duration::from_millis(10), workers.run(work)).await.unwrap_err();
        }
        assert_eq!(workers.places.available_permits(), 0);
        goes_on.store(false, Ordering::Relaxed);
        assert_eq!(timeout(Duration::from_secs(60), workers.run(|_| 1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_panic_is_the_callers() {
        let workers = Workers::default();
        let work = || workers.run(|_| std::panic::resume_unwind(Box::new("broken")));
        for _ in 0..=PLACES {
            let panic = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(work())).await;
            let _: () = panic.map_err(|panic| assert!(panic.is::<&str>())).unwrap_or_default();
        }
    }
}

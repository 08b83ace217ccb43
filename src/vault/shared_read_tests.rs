use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep};

use super::*;

/// Answers with the number of the read, after a while.
#[derive(Clone, Default)]
struct Reads {
    shared: Arc<SharedReads<&'static str, usize>>,
    begun: Arc<AtomicUsize>,
}

const WHILE: Duration = Duration::from_millis(300);

impl Reads {
    async fn read(&self, urgency: Urgency) -> usize {
        let begun = Arc::clone(&self.begun);
        let fetch = move || async move {
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(WHILE).await;
            number
        };
        let spawn = |task| drop(tokio::spawn(task));
        self.shared.read("path", urgency, spawn, fetch).await.unwrap()
    }

    fn start(&self, urgency: Urgency) -> tokio::task::JoinHandle<usize> {
        let reads = self.clone();
        tokio::spawn(async move { reads.read(urgency).await })
    }

    fn slots(&self) -> usize {
        self.shared.slots.lock().len()
    }
}

/// Lets the tasks run without time passing.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn refreshes_join_a_read_of_the_last_second_and_nothing_is_kept_after_it() {
    let reads = Reads::default();
    let first = reads.start(Urgency::Refresh);
    settle().await;
    let second = reads.start(Urgency::Refresh);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 1));
    advance(Duration::from_millis(600)).await;
    assert_eq!(reads.read(Urgency::Refresh).await, 1, "ended, but begun 0.9 s ago");
    advance(Duration::from_millis(101)).await;
    settle().await;
    assert_eq!(reads.slots(), 0, "nothing at rest");
    assert_eq!(reads.read(Urgency::Refresh).await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_read_never_gets_an_answer_begun_before_it() {
    let reads = Reads::default();
    let refresh = reads.start(Urgency::Refresh);
    settle().await;
    let urgent: Vec<_> = (0..20).map(|_| reads.start(Urgency::Urgent)).collect();
    settle().await;
    assert_eq!(reads.begun.load(Ordering::SeqCst), 1, "one running, the other waits");
    assert_eq!(refresh.await.unwrap(), 1);
    for urgent in urgent {
        assert_eq!(urgent.await.unwrap(), 2);
    }
    assert_eq!(reads.read(Urgency::Urgent).await, 3, "an ended one serves refreshes only");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_joins_the_waiting_read_once_the_running_one_is_old() {
    let reads = Reads::default();
    let slow = {
        let shared = Arc::clone(&reads.shared);
        tokio::spawn(async move {
            let fetch = || async {
                sleep(Duration::from_secs(5)).await;
                0
            };
            shared.read("path", Urgency::Refresh, |task| drop(tokio::spawn(task)), fetch).await
        })
    };
    settle().await;
    let urgent = reads.start(Urgency::Urgent);
    settle().await;
    advance(Duration::from_millis(1100)).await;
    let refresh = reads.start(Urgency::Refresh);
    assert_eq!(slow.await.unwrap(), Some(0));
    assert_eq!((urgent.await.unwrap(), refresh.await.unwrap()), (1, 1));
    assert_eq!(reads.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_nothing_from_the_others() {
    let reads = Reads::default();
    let first = reads.start(Urgency::Refresh);
    settle().await;
    let second = reads.start(Urgency::Refresh);
    settle().await;
    first.abort();
    assert_eq!(second.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_cut_off_leaves_no_slot_and_hangs_nobody() {
    let shared: SharedReads<&str, usize> = SharedReads::default();
    let task = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&task);
    let spawn = move |read| *kept.lock() = Some(tokio::spawn(read));
    let answer = shared.join("path", Urgency::Urgent, spawn, || async { std::future::pending().await });
    settle().await;
    task.lock().take().unwrap().abort();
    assert_eq!(answer.await, None);
    settle().await;
    assert!(shared.slots.lock().is_empty());
}

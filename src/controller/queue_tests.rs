use super::*;
use futures::FutureExt;
use std::time::Duration;

const LIMITS: Limits = Limits { running: 4, reserved: 1 };

fn queue(limits: Limits) -> Queue<u32, u32> {
    Queue::new(limits)
}

/// What may run now, with groups of a hundred keys each.
fn next(queue: &Queue<u32, u32>) -> Option<(u32, Lane)> {
    queue.next(|key| key / 100).now_or_never()
}

#[test]
fn urgent_goes_before_refreshes_and_both_keep_their_order() {
    let queue = queue(LIMITS);
    for (key, lane) in [(1, Lane::Refresh), (2, Lane::Urgent), (3, Lane::Refresh), (4, Lane::Urgent)] {
        queue.push(key, lane);
    }
    let order: Vec<u32> = std::iter::from_fn(|| next(&queue)).map(|(key, _)| key).collect();
    assert_eq!(order, [2, 4, 1], "the fourth place is kept for urgent work");
    queue.done(2, None);
    assert_eq!(next(&queue), Some((3, Lane::Refresh)));
}

#[test]
fn a_waiting_refresh_is_promoted_in_place_and_runs_once() {
    let queue = queue(LIMITS);
    queue.push(1, Lane::Refresh);
    queue.push(2, Lane::Refresh);
    queue.push(2, Lane::Urgent);
    queue.push(2, Lane::Refresh);
    assert_eq!(next(&queue), Some((2, Lane::Urgent)));
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    assert_eq!(next(&queue), None);
}

#[tokio::test]
async fn a_key_never_runs_twice_at_once_and_a_wake_up_meanwhile_is_kept() {
    let queue = queue(LIMITS);
    queue.push(1, Lane::Refresh);
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    queue.push(1, Lane::Refresh);
    queue.push(1, Lane::Urgent);
    assert_eq!(next(&queue), None);
    queue.done(1, Some(Instant::now() + Duration::from_secs(3600)));
    assert_eq!(next(&queue), Some((1, Lane::Urgent)));
    queue.done(1, None);
    assert_eq!(next(&queue), None);
}

#[test]
fn a_key_that_is_not_due_again_leaves_nothing() {
    let queue = queue(LIMITS);
    queue.push(1, Lane::Urgent);
    queue.push(2, Lane::Urgent);
    assert_eq!(next(&queue), Some((1, Lane::Urgent)));
    assert_eq!(next(&queue), Some((2, Lane::Urgent)));
    queue.done(1, None);
    queue.done(2, Some(Instant::now() + Duration::from_secs(3600)));
    assert_eq!(queue.state.lock().slots.keys().collect::<Vec<_>>(), [&2]);
    queue.push(1, Lane::Urgent);
    assert_eq!(next(&queue), Some((1, Lane::Urgent)));
}

#[tokio::test]
async fn a_due_time_rings_once_and_the_newest_counts() {
    let queue = queue(LIMITS);
    let now = Instant::now();
    queue.schedule(1, now + Duration::from_secs(3600));
    assert_eq!(next(&queue), None);
    queue.schedule(1, now);
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    assert_eq!(next(&queue), None);
    queue.done(1, Some(now));
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
}

#[tokio::test]
async fn a_key_is_hastened_and_never_put_off() {
    let queue = queue(LIMITS);
    let now = Instant::now();
    queue.schedule(1, now);
    queue.hasten(1, now + Duration::from_secs(3600));
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    queue.done(1, Some(now + Duration::from_secs(3600)));
    queue.hasten(1, now);
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
}

#[test]
fn a_full_group_holds_no_place_of_another() {
    let queue = queue(LIMITS);
    for key in 100..110 {
        queue.push(key, Lane::Urgent);
    }
    queue.push(200, Lane::Refresh);
    let running: Vec<u32> = std::iter::from_fn(|| next(&queue)).map(|(key, _)| key).collect();
    assert_eq!(running, [100, 101, 102, 103, 200]);
    queue.done(101, None);
    assert_eq!(next(&queue), Some((104, Lane::Urgent)));
    assert_eq!(queue.depth(), Depth { urgent: 5, refresh: 0, running: 5 });
}

#[test]
fn a_promoted_key_leaves_its_place_beside_the_lane_to_the_next() {
    let queue = queue(Limits { running: 1, reserved: 0 });
    for key in [1, 2, 3] {
        queue.push(key, Lane::Refresh);
    }
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    assert_eq!(next(&queue), None);
    queue.push(2, Lane::Urgent);
    queue.done(1, None);
    assert_eq!(next(&queue), Some((2, Lane::Urgent)));
    queue.done(2, None);
    assert_eq!(next(&queue), Some((3, Lane::Refresh)), "the stale entry of 2 must not cost 3 its turn");
}

#[tokio::test]
async fn what_is_removed_does_not_come_back() {
    let queue = queue(LIMITS);
    queue.push(1, Lane::Urgent);
    queue.push(2, Lane::Urgent);
    queue.remove(&1);
    assert_eq!(next(&queue), Some((2, Lane::Urgent)));
    queue.push(2, Lane::Urgent);
    queue.remove(&2);
    queue.push(2, Lane::Urgent);
    queue.done(2, Some(Instant::now()));
    assert_eq!(next(&queue), None);
    assert_eq!(queue.depth(), Depth::default());
}

#[tokio::test]
async fn a_waiting_taker_is_woken_by_work_and_by_time() {
    let queue = std::sync::Arc::new(queue(LIMITS));
    let taker = tokio::spawn({
        let queue = queue.clone();
        async move {
            let first = queue.next(|key| *key).await;
            let second = queue.next(|key| *key).await;
            (first, second)
        }
    });
    tokio::task::yield_now().await;
    queue.schedule(7, Instant::now() + Duration::from_millis(20));
    queue.push(8, Lane::Urgent);
    assert_eq!(taker.await.unwrap(), ((8, Lane::Urgent), (7, Lane::Refresh)));
}

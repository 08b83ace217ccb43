use super::*;
use futures::FutureExt;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
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

/// A server hangs, and its store is edited to name another: those who waited for the first must not wait for ever.
#[test]
fn who_waits_for_a_group_that_it_has_left_still_runs() {
    let queue = queue(LIMITS);
    for key in 0..20 {
        queue.push(key, Lane::Urgent);
    }
    let running: Vec<u32> = std::iter::from_fn(|| queue.next(|_| 1).now_or_never()).map(|(key, _)| key).collect();
    assert_eq!(running, [0, 1, 2, 3]);
    // All belong to group 2 now. Told so, none waits for the jobs that hang.
    queue.regroup(1);
    let moved: Vec<u32> = std::iter::from_fn(|| queue.next(|_| 2).now_or_never()).map(|(key, _)| key).collect();
    assert_eq!(moved, [4, 5, 6, 7]);
    // Back again without being told: the last job of group 2 lets all of them go.
    for key in moved {
        queue.done(key, None);
    }
    for key in running {
        queue.done(key, None);
    }
    let mut ran = 8;
    while let Some((key, _)) = queue.next(|_| 1).now_or_never() {
        ran += 1;
        queue.done(key, None);
    }
    assert_eq!((ran, queue.depth()), (20, Depth::default()));
}

#[test]
fn a_removed_key_costs_nobody_its_turn() {
    let queue = queue(LIMITS);
    for key in 0..12 {
        queue.push(key, Lane::Urgent);
    }
    for key in 0..4 {
        assert_eq!(next(&queue), Some((key, Lane::Urgent)));
    }
    assert_eq!(next(&queue), None);
    queue.done(0, None);
    for key in 4..8 {
        queue.remove(&key);
    }
    assert_eq!(next(&queue), Some((8, Lane::Urgent)));
    for key in [1, 2, 3, 8] {
        queue.remove(&key);
        queue.done(key, None);
    }
    assert_eq!(next(&queue), Some((9, Lane::Urgent)));
}

#[tokio::test]
async fn a_wake_up_for_later_that_comes_while_a_key_runs_is_kept() {
    let queue = queue(LIMITS);
    let now = Instant::now();
    queue.push(1, Lane::Urgent);
    assert_eq!(next(&queue), Some((1, Lane::Urgent)));
    queue.hasten(1, now);
    queue.done(1, Some(now + Duration::from_secs(3600)));
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
    queue.hasten(1, now + Duration::from_secs(3600));
    queue.done(1, Some(now));
    assert_eq!(next(&queue), Some((1, Lane::Refresh)));
}

/// What can happen to a queue, of eight keys in three groups.
#[derive(Debug, Clone, Copy)]
enum Step {
    Push(u32, Lane),
    Take,
    Done(usize),
    Remove(u32),
    /// The key belongs to this group from now on, and the queue is told of it or not.
    Move(u32, u32, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..8u32, prop::bool::ANY).prop_map(|(key, urgent)| Step::Push(key, if urgent { Lane::Urgent } else { Lane::Refresh })),
        3 => Just(Step::Take),
        2 => (0..8usize).prop_map(Step::Done),
        1 => (0..8u32).prop_map(Step::Remove),
        1 => (0..8u32, 0..3u32, prop::bool::ANY).prop_map(|(key, group, told)| Step::Move(key, group, told)),
    ]
}

/// A queue, and by much simpler means what must be true of it.
struct Model {
    queue: Queue<u32, u32>,
    groups: RefCell<BTreeMap<u32, u32>>,
    waiting: BTreeMap<u32, Lane>,
    /// With the group that it began in, the lane of a wake-up meanwhile, and whether it was removed.
    running: Vec<(u32, u32, Option<Lane>, bool)>,
    /// The queue was told of every move.
    told: bool,
}

impl Model {
    fn apply(&mut self, step: Step) {
        match step {
            Step::Push(key, lane) => {
                self.queue.push(key, lane);
                match self.running.iter_mut().find(|running| running.0 == key) {
                    Some((.., true)) => {}
                    Some(running) => running.2 = running.2.max(Some(lane)),
                    None => _ = self.waiting.entry(key).and_modify(|known| *known = lane.max(*known)).or_insert(lane),
                }
            }
            Step::Take => _ = self.take(),
            Step::Done(position) if position < self.running.len() => {
                let (key, _, again, _) = self.running.swap_remove(position);
                self.queue.done(key, None);
                self.waiting.extend(again.map(|lane| (key, lane)));
            }
            Step::Done(_) => {}
            Step::Remove(key) => {
                self.queue.remove(&key);
                self.waiting.remove(&key);
                self.running
                    .iter_mut()
                    .filter(|running| running.0 == key)
                    .for_each(|running| (running.2, running.3) = (None, true));
            }
            Step::Move(key, group, told) => {
                let old = self.groups.borrow_mut().insert(key, group).unwrap_or(0);
                self.told &= told || old == group;
                if told {
                    self.queue.regroup(old);
                }
            }
        }
    }

    fn group(&self, key: u32) -> u32 {
        self.groups.borrow().get(&key).copied().unwrap_or(0)
    }

    fn take(&mut self) -> bool {
        let taken = self.queue.next(|key| self.groups.borrow().get(key).copied().unwrap_or(0)).now_or_never();
        let load = |group| self.running.iter().filter(|running| running.1 == group).count();
        match taken {
            Some((key, lane)) => {
                assert_eq!(self.waiting.remove(&key), Some(lane), "key {key} did not wait in that lane");
                assert!(load(self.group(key)) < LIMITS.of(lane), "more than the limit");
                self.running.push((key, self.group(key), None, false));
            }
            None if self.told => {
                let idle = self.waiting.iter().find(|(key, lane)| load(self.group(**key)) < LIMITS.of(**lane));
                assert_eq!(idle, None, "it waits though its group has a place");
            }
            None => {}
        }
        taken.is_some()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Whatever comes in whatever order: no place is left empty that somebody waits for, and in the end everybody has run.
    #[test]
    fn no_key_waits_for_ever(steps in prop::collection::vec(step(), 1..80)) {
        let queue = queue(LIMITS);
        let mut model = Model { queue, groups: RefCell::default(), waiting: BTreeMap::new(), running: Vec::new(), told: true };
        steps.into_iter().for_each(|step| model.apply(step));
        while model.take() || !model.running.is_empty() {
            model.apply(Step::Done(0));
        }
        assert_eq!(model.waiting, BTreeMap::new(), "left waiting");
        assert_eq!(model.queue.depth(), Depth::default());
        assert!(model.queue.state.lock().groups.is_empty());
    }
}

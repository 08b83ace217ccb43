//! The queue of work: which object is looked at next.
//!
//! kube's `Controller` takes waiting objects in arbitrary order, so a new object would wait behind thousands of refreshes.
//! Here a key is idle, waiting or running, never twice at once; a wake-up that comes while it runs is remembered and
//! runs it again. Two lanes: *urgent* (new, changed, drifted, mended) goes before *refresh*, and a key that waits as a
//! refresh is promoted in place.
//!
//! Keys belong to groups, one for each Vault server. A group has a limit of running keys, some of which only urgent work
//! may use; a key whose group is full waits beside the lanes and holds no worker, so a slow server delays nobody else's.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Instant;
use tokio::sync::Notify;

/// How soon a key should be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Its time has come; any moment soon will do.
    Refresh,
    /// Somebody waits for it: new, changed, drifted or mended.
    Urgent,
}

/// How much of a group may run at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Keys of one group that run at the same time.
    pub running: usize,
    /// How many of those places only urgent keys may take.
    pub reserved: usize,
}

/// What a key is doing. `again` is the lane of a wake-up that came while it ran; `removed` keeps it from coming back.
#[derive(Debug, Clone, Copy)]
enum Place<G> {
    Idle,
    Waiting(Lane),
    Running { group: G, again: Option<Lane>, removed: bool },
}

#[derive(Debug)]
struct Slot<G> {
    place: Place<G>,
    due: Option<Instant>,
}

#[derive(Debug)]
struct Group<K> {
    running: usize,
    urgent: VecDeque<K>,
    refresh: VecDeque<K>,
}

#[derive(Debug)]
struct State<K, G> {
    slots: HashMap<K, Slot<G>>,
    urgent: VecDeque<K>,
    refresh: VecDeque<K>,
    timers: BTreeSet<(Instant, K)>,
    groups: HashMap<G, Group<K>>,
}

/// A queue of keys `K` in groups `G`. Both are small and cheap to clone; what they stand for lives elsewhere.
#[derive(Debug)]
pub struct Queue<K, G> {
    state: Mutex<State<K, G>>,
    limits: Limits,
    wake: Notify,
}

/// How many keys are where, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready and waiting in the urgent lane, or beside it for a place in their group.
    pub urgent: usize,
    /// The same for refreshes.
    pub refresh: usize,
    /// Being worked on.
    pub running: usize,
}

impl<K, G> Queue<K, G>
where
    K: Clone + Ord + Hash,
    G: Copy + Eq + Hash,
{
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            slots: HashMap::new(),
            urgent: VecDeque::new(),
            refresh: VecDeque::new(),
            timers: BTreeSet::new(),
            groups: HashMap::new(),
        };
        Self { state: Mutex::new(state), limits, wake: Notify::new() }
    }

    /// Asks for `key` to be run soon. Several requests before it runs are one; a request while it runs makes one more run.
    pub fn push(&self, key: K, lane: Lane) {
        self.state.lock().push(key, lane);
        self.wake.notify_one();
    }

    /// Asks for `key` to be run as a refresh at `at`, in place of any time asked for before.
    pub fn schedule(&self, key: K, at: Instant) {
        self.state.lock().schedule(key, at);
        self.wake.notify_one();
    }

    /// Asks for `key` to be run as a refresh at `at` or earlier, if it is due earlier anyway.
    pub fn hasten(&self, key: K, at: Instant) {
        let mut state = self.state.lock();
        if state.slots.get(&key).and_then(|slot| slot.due).is_none_or(|due| due > at) {
            state.schedule(key, at);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Forgets `key`. If it is running, it is not run again.
    pub fn remove(&self, key: &K) {
        self.state.lock().remove(key);
    }

    /// The next key that may run, with the lane it came by; waits until there is one. `group_of` says to which group a key
    /// belongs now. The caller must call [`Queue::done`] for it once. Cancel-safe.
    pub async fn next(&self, group_of: impl Fn(&K) -> G) -> (K, Lane) {
        loop {
            let notified = self.wake.notified();
            let deadline = {
                let mut state = self.state.lock();
                state.ring(Instant::now());
                if let Some(found) = state.take(self.limits, &group_of) {
                    // A permit of Notify wakes one waiter: whoever takes work passes the call on.
                    if state.has_ready() {
                        self.wake.notify_one();
                    }
                    return found;
                }
                state.timers.first().map(|(at, _)| *at)
            };
            match deadline {
                Some(at) => drop(tokio::time::timeout_at(at.into(), notified).await),
                None => notified.await,
            }
        }
    }

    /// Gives back the place that `key` ran in; `next` is when it is due as a refresh.
    pub fn done(&self, key: K, next: Option<Instant>) {
        let mut state = self.state.lock();
        if let Some(at) = next {
            state.schedule(key.clone(), at);
        }
        state.done(key, self.limits);
        drop(state);
        self.wake.notify_one();
    }

    /// How many keys are where.
    pub fn depth(&self) -> Depth {
        let state = self.state.lock();
        state.slots.values().fold(Depth::default(), |mut depth, slot| {
            match slot.place {
                Place::Idle => {}
                Place::Waiting(Lane::Urgent) => depth.urgent += 1,
                Place::Waiting(Lane::Refresh) => depth.refresh += 1,
                Place::Running { .. } => depth.running += 1,
            }
            depth
        })
    }
}

impl<K, G> State<K, G>
where
    K: Clone + Ord + Hash,
    G: Copy + Eq + Hash,
{
    fn push(&mut self, key: K, lane: Lane) {
        let slot = self.slots.entry(key.clone()).or_insert(Slot { place: Place::Idle, due: None });
        match &mut slot.place {
            Place::Waiting(waiting) if *waiting >= lane => return,
            Place::Running { again, removed, .. } => {
                *again = (*again).max((!*removed).then_some(lane));
                return;
            }
            place => *place = Place::Waiting(lane),
        }
        if let Some(at) = slot.due.take() {
            self.timers.remove(&(at, key.clone()));
        }
        self.lane(lane).push_back(key);
    }

    fn schedule(&mut self, key: K, at: Instant) {
        // A wake-up already asked for looks at the object anyway, and sets the time anew.
        let slot = self.slots.entry(key.clone()).or_insert(Slot { place: Place::Idle, due: None });
        if matches!(slot.place, Place::Waiting(_) | Place::Running { removed: true, .. }) {
            return;
        }
        if let Some(old) = slot.due.replace(at) {
            self.timers.remove(&(old, key.clone()));
        }
        self.timers.insert((at, key));
    }

    fn remove(&mut self, key: &K) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Some(at) = slot.due.take() {
            self.timers.remove(&(at, key.clone()));
        }
        match &mut slot.place {
            // Its place is given back by `done`, which finds the slot marked.
            Place::Running { again, removed, .. } => (*again, *removed) = (None, true),
            _ => drop(self.slots.remove(key)),
        }
    }

    /// Moves what has fallen due to the refresh lane.
    fn ring(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.timers.pop_first() else { break };
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.due = None;
            }
            self.push(key, Lane::Refresh);
        }
    }

    fn take(&mut self, limits: Limits, group_of: &impl Fn(&K) -> G) -> Option<(K, Lane)> {
        for lane in [Lane::Urgent, Lane::Refresh] {
            while let Some(key) = self.lane(lane).pop_front() {
                // Entries of promoted, taken or removed keys stay behind in the lanes and are passed over here.
                if !self.slots.get(&key).is_some_and(|slot| slot.waits_in(lane)) {
                    continue;
                }
                let id = group_of(&key);
                let group = self.groups.entry(id).or_default();
                if group.running < limits.of(lane) {
                    group.running += 1;
                    if let Some(slot) = self.slots.get_mut(&key) {
                        slot.place = Place::Running { group: id, again: None, removed: false };
                    }
                    return Some((key, lane));
                }
                group.lane(lane).push_back(key);
            }
        }
        None
    }

    fn done(&mut self, key: K, limits: Limits) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Place::Running { group, again, removed } = slot.place else { return };
        slot.place = Place::Idle;
        if removed {
            self.slots.remove(&key);
        } else if let Some(lane) = again {
            self.push(key, lane);
        } else if slot.due.is_none() {
            // Nothing is known of it that another push would not say: a key that is gone for good leaves nothing.
            self.slots.remove(&key);
        }
        self.free_place(group, limits);
    }

    /// One place of a group came free: one key that waits for it goes back to the head of its lane.
    fn free_place(&mut self, id: G, limits: Limits) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.running = group.running.saturating_sub(1);
        for lane in [Lane::Urgent, Lane::Refresh] {
            while group.running < limits.of(lane) {
                let Some(key) = group.lane(lane).pop_front() else { break };
                if self.slots.get(&key).is_some_and(|slot| slot.waits_in(lane)) {
                    return self.lane(lane).push_front(key);
                }
            }
        }
        if group.running == 0 {
            self.groups.remove(&id);
        }
    }

    fn has_ready(&self) -> bool {
        !self.urgent.is_empty() || !self.refresh.is_empty()
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<K> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Refresh => &mut self.refresh,
        }
    }
}

impl<G> Slot<G> {
    fn waits_in(&self, lane: Lane) -> bool {
        matches!(self.place, Place::Waiting(waiting) if waiting == lane)
    }
}

impl<K> Group<K> {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<K> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Refresh => &mut self.refresh,
        }
    }
}

impl<K> Default for Group<K> {
    fn default() -> Self {
        Self { running: 0, urgent: VecDeque::new(), refresh: VecDeque::new() }
    }
}

impl Limits {
    fn of(self, lane: Lane) -> usize {
        match lane {
            Lane::Urgent => self.running,
            Lane::Refresh => self.running.saturating_sub(self.reserved),
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;

//! Reads of the same thing that serve several callers: of each, one running and at most one waiting.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::session::Urgency;

/// A refresh takes the answer of a read that began less than this ago.
const RECENT: Duration = Duration::from_secs(1);

/// The reads of a session that run, wait, or ended within the last second. Nothing is kept at rest.
pub(super) struct SharedReads<K, V> {
    slots: Arc<Mutex<HashMap<K, Slot<V>>>>,
}

type Answer<V> = Shared<BoxFuture<'static, Option<V>>>;

struct Slot<V> {
    running: Running<V>,
    waiting: Option<Answer<V>>,
}

struct Running<V> {
    began: Instant,
    answer: Answer<V>,
}

impl<K, V> Default for SharedReads<K, V> {
    fn default() -> Self {
        Self { slots: Arc::default() }
    }
}

impl<K, V> SharedReads<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The answer of a read that is as fresh as the urgency asks for: an urgent one gets a read that begins after
    /// this call, a refresh one that began less than a second before it.
    ///
    /// `fetch` runs on a task of its own, which `spawn` makes, so a caller that gives up takes nothing from the
    /// others. `None` where that task was cut off.
    pub(super) async fn read<F, Fut>(
        &self,
        key: K,
        urgency: Urgency,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
        fetch: F,
    ) -> Option<V>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = V> + Send + 'static,
    {
        self.join(key, urgency, spawn, fetch).await
    }

    fn join<F, Fut>(&self, key: K, urgency: Urgency, spawn: impl FnOnce(BoxFuture<'static, ()>), fetch: F) -> Answer<V>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = V> + Send + 'static,
    {
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(&key);
        if let Some(answer) = slot.as_ref().and_then(|slot| slot.fresh_enough(urgency)) {
            return answer;
        }
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let answer: Answer<V> = receiver.map(Result::ok).boxed().shared();
        let before = match slot {
            None => {
                slots.insert(key.clone(), Slot::running(answer.clone()));
                None
            }
            Some(slot) => {
                slot.waiting = Some(answer.clone());
                Some(slot.running.answer.clone())
            }
        };
        // A runtime that ends drops the task right here, and it locks the slots then.
        drop(slots);
        let read = Read { slots: Arc::clone(&self.slots), key, own: answer.clone() };
        let task = async move {
            if let Some(before) = before {
                before.await;
                read.begin();
            }
            // Boxed, so that what the request took is given back at once, and only the answer is kept for the second.
            let fetched = fetch().boxed().await;
            // Nobody waits for it if that fails.
            let _ = sender.send(fetched);
            let recent_until = read.began() + RECENT;
            sleep_until(recent_until).await;
        };
        spawn(task.boxed());
        answer
    }
}

impl<V: Clone> Slot<V> {
    fn running(answer: Answer<V>) -> Self {
        Self { running: Running { began: Instant::now(), answer }, waiting: None }
    }

    /// A read here that a new caller may join.
    fn fresh_enough(&self, urgency: Urgency) -> Option<Answer<V>> {
        let recent = self.running.began.elapsed() < RECENT;
        match urgency {
            Urgency::Refresh if recent => Some(self.running.answer.clone()),
            _ => self.waiting.clone(),
        }
    }
}

/// A read on its task. Dropping it, also where the task is cut off, takes it out of its slot, and the slot away with
/// the last.
struct Read<K: Eq + Hash, V: Clone> {
    slots: Arc<Mutex<HashMap<K, Slot<V>>>>,
    key: K,
    own: Answer<V>,
}

impl<K: Clone + Eq + Hash, V: Clone> Read<K, V> {
    /// It has waited, and its turn has come.
    fn begin(&self) {
        // The one before may have taken the slot away with it, if it was cut off.
        self.slots.lock().insert(self.key.clone(), Slot::running(self.own.clone()));
    }

    fn began(&self) -> Instant {
        let slots = self.slots.lock();
        let running = slots.get(&self.key).map(|slot| &slot.running).filter(|running| running.answer.ptr_eq(&self.own));
        running.map_or_else(Instant::now, |running| running.began)
    }
}

impl<K: Eq + Hash, V: Clone> Drop for Read<K, V> {
    fn drop(&mut self) {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(&self.key) else {
            return;
        };
        if slot.waiting.as_ref().is_some_and(|waiting| waiting.ptr_eq(&self.own)) {
            slot.waiting = None;
        }
        if slot.waiting.is_none() && slot.running.answer.ptr_eq(&self.own) {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
#[path = "shared_read_tests.rs"]
mod tests;

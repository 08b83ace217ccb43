//! Carries out what the index says follows from a change.

use crate::controller::index::Wake;
use crate::controller::queue::Lane;
use crate::controller::shared::Shared;
use crate::sync::due::{self, Schedule};
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// Puts everybody who is to be looked at again into the queues. Must not be called under the index's lock: the queue asks
/// the index for groups under its own.
pub fn wake(shared: &Shared, wakes: impl IntoIterator<Item = Wake>) {
    for wake in wakes {
        match wake {
            Wake::ExternalSecret(id, lane) => shared.queue.push(id, lane),
            Wake::Spread(id, herd) => {
                let wait = due::spread(Schedule::OnChange, RandomState::new().hash_one(id), herd);
                shared.queue.hasten(id, Instant::now() + wait);
            }
            Wake::Forget(id) => shared.queue.remove(&id),
            Wake::Store(store) => shared.store_queue.push(store, Lane::Urgent),
            Wake::Reopen(store) => {
                match shared.index.lock().reopen(&store) {
                    true => shared.stores.refresh(&store),
                    false => shared.stores.close(&store),
                }
                shared.store_queue.push(store, Lane::Urgent);
            }
            Wake::Regroup(group) => {
                shared.queue.regroup(group);
                shared.store_queue.regroup(group);
            }
        }
    }
}

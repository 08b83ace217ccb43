//! Before a Secret is deleted because its source is gone: a second look, the brake, and a person's word.

use crate::api::{ExternalSecretSpec, names};
use crate::controller::error::SyncError;
use crate::controller::index::Job;
use crate::controller::key::{Id, StoreKey};
use crate::controller::shared::Shared;
use crate::sync::brake::Verdict;
use crate::sync::spec;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// When a source that is gone is looked at again. Nobody waits here meanwhile: each place belongs to the next of a herd.
pub const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whether the target may go: its source was found gone before too, and no herd goes with it or a person said that it may.
pub fn confirm(shared: &Shared, id: Id, job: &Job, spec: &ExternalSecretSpec) -> Result<(), SyncError> {
    let stores = stores(job, spec);
    let now = Instant::now();
    let verdicts = stores.iter().map(|store| {
        let targets = shared.index.lock().dependents(store);
        (shared.brake.lock().found_gone(store.clone(), id, targets, now), store)
    });
    match verdicts.max() {
        Some((Verdict::LookAgain, _)) => Err(SyncError::LookAgain),
        Some((Verdict::Hold, store)) if !is_confirmed(job, Timestamp::now()) => {
            Err(SyncError::Braked { store: store.clone(), name: job.object.key.name.to_string() })
        }
        Some((Verdict::Hold, _)) => {
            settled(shared, id, job, spec);
            Ok(())
        }
        Some((Verdict::Go, _)) | None => Ok(()),
    }
}

/// The source is there, or the target went by a person's word: it is no part of a herd.
pub fn settled(shared: &Shared, id: Id, job: &Job, spec: &ExternalSecretSpec) {
    let mut brake = shared.brake.lock();
    stores(job, spec).iter().for_each(|store| brake.settled(store, &id));
}

fn stores(job: &Job, spec: &ExternalSecretSpec) -> Vec<StoreKey> {
    spec::stores(spec).into_iter().map(|store| StoreKey::referred(store, &job.object.key.namespace)).collect()
}

/// A person's word counts on the day that it names, and on the next, so that it ends by itself.
fn is_confirmed(job: &Job, now: Timestamp) -> bool {
    let Some(day) = job.object.annotations.get(names::ANNOTATION_CONFIRM_DELETION) else { return false };
    let days = [now, now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now)];
    days.iter().any(|at| at.strftime("%Y-%m-%d").to_string() == *day)
}

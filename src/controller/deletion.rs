//! Before a Secret is deleted because its source is gone: a second look, the brake, and a person's word.

use crate::api::{ExternalSecretSpec, names};
use crate::controller::error::SyncError;
use crate::controller::gather::gather;
use crate::controller::index::Job;
use crate::controller::key::{Id, StoreKey};
use crate::controller::shared::Shared;
use crate::sync::collect::Collected;
use crate::vault::Urgency;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// Between the two looks. Others of a herd are found meanwhile.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Looks again at a source that is gone. Where it still is, and no herd goes with it, that is what is answered; where it is
/// back, its data.
pub async fn confirm(
    shared: &Shared,
    id: Id,
    job: &Job,
    spec: &ExternalSecretSpec,
    collected: Collected,
) -> Result<Collected, SyncError> {
    let namespace = &job.object.key.namespace;
    let Some(store) = spec.secret_store_ref.as_ref().map(|store| StoreKey::referred(store, namespace)) else {
        return Ok(collected);
    };
    shared.brake.lock().found_gone(store.clone(), id, Instant::now());
    tokio::time::sleep(SECOND_LOOK).await;
    let again = gather(&shared.stores, namespace, spec, Urgency::Urgent).await?;
    if !again.is_all_gone() || is_confirmed(job, Timestamp::now()) {
        return Ok(again);
    }
    let targets = shared.index.lock().dependents(&store);
    match shared.brake.lock().permits(&store, targets, Instant::now()) {
        true => Ok(again),
        false => Err(SyncError::Braked { store, name: job.object.key.name.to_string() }),
    }
}

/// A person's word counts on the day that it names, and on the next, so that it ends by itself.
fn is_confirmed(job: &Job, now: Timestamp) -> bool {
    let Some(day) = job.object.annotations.get(names::ANNOTATION_CONFIRM_DELETION) else { return false };
    let days = [now, now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now)];
    days.iter().any(|at| at.strftime("%Y-%m-%d").to_string() == *day)
}

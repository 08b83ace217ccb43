//! Results that could not be written into a status: they are kept and told later, without a new sync for the sake of it.

use crate::controller::apply::Applied;
use crate::controller::error::{ApiServerError, SyncError};
use crate::controller::index::Job;
use crate::controller::key::Id;
use crate::controller::memory::Memory;
use crate::controller::observed::Observed;
use crate::controller::report;
use crate::controller::shared::Shared;
use crate::sync::due::{self, Schedule};
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// The result of a sync that the status does not say yet.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The result.
    pub result: Result<Applied, SyncError>,
    /// When that was.
    pub at: Timestamp,
    /// The Secret that was synced.
    pub target: Arc<str>,
    /// How often it could not be written.
    pub failures: u32,
    /// When to try again.
    pub retry: Instant,
}

impl Untold {
    /// Keeps it, where it could not be `told`, and says when to try again: ever less often, since what refuses a status
    /// may refuse it for good.
    pub fn keep(self, object: &Observed, memory: &mut Memory, told: Result<(), ApiServerError>) -> Option<Instant> {
        let error = told.err().filter(|error| !error.is_not_found())?;
        tracing::warn!(namespace = %object.key.namespace, name = %object.key.name, %error, "could not write a status");
        let failures = self.failures.saturating_add(1);
        let retry = Instant::now() + due::retry_after(Schedule::OnChange, failures);
        memory.untold = Some(Box::new(Self { failures, retry, ..self }));
        Some(retry)
    }
}

/// When to try again to tell what the status does not say yet.
pub fn retry(memory: &Memory) -> Option<Instant> {
    memory.untold.as_ref().map(|untold| untold.retry)
}

/// Tells the result of the last sync, where the status does not say it yet. Nothing else is due before `next`.
pub async fn tell_again(shared: &Shared, id: Id, job: Job, next: Option<Instant>) -> Option<Instant> {
    let Job { object, mut memory, .. } = job;
    let Some(untold) = memory.untold.take_if(|untold| untold.retry <= Instant::now()) else {
        return next.into_iter().chain(retry(&memory)).min();
    };
    let told = report::write(shared, &object, &untold.target, &untold.result, untold.at, &mut memory).await;
    let retry = untold.keep(&object, &mut memory, told);
    shared.finish(id, memory);
    next.into_iter().chain(retry).min()
}

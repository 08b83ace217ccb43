//! A target that changed without us: whether it is as we left it, and what is remembered where it is.

use crate::api::{CreationPolicy, ExternalSecret};
use crate::controller::external_secret::origin;
use crate::controller::index::{Job, Seen};
use crate::controller::key::{Id, ObjectKey};
use crate::controller::memory::{Memory, TargetVersion};
use crate::controller::observed::{Observed, revision};
use crate::controller::shared::Shared;
use crate::controller::untold;
use crate::sync::due;
use crate::sync::plan::{is_as_left, merges};
use std::time::Instant;

/// What a target that differs from what we knew turns out to be.
pub enum Drift {
    /// Its data is as we left it.
    None(TargetVersion),
    /// Not as we left it.
    Real,
    /// Its ExternalSecret is gone or going, so the target may be too.
    Gone,
}

/// Looks at a target that is not as we knew it.
pub async fn drift(shared: &Shared, job: &Job, target: &ObjectKey, policy: CreationPolicy) -> Drift {
    let origin = origin(&job.object);
    match job.target {
        Seen::Absent if !is_alive(shared, &job.object).await => Drift::Gone,
        Seen::Absent | Seen::Unknown => Drift::Real,
        Seen::Present(_) => match shared.secrets.get(target, &origin.field_manager()).await {
            Ok(Some(standing)) if is_as_left(origin, policy, &standing, job.memory.data) => {
                Drift::None(TargetVersion {
                    uid: standing.uid.as_str().into(),
                    revision: revision(&standing.resource_version),
                })
            }
            _ => Drift::Real,
        },
    }
}

/// Whether the ExternalSecret still is and stays. Garbage collection deletes a target after its owner; restoring it then
/// would leave an orphan. Where the API server can't be asked, the sync that follows finds out.
async fn is_alive(shared: &Shared, object: &Observed) -> bool {
    let api: kube::Api<ExternalSecret> = kube::Api::namespaced(shared.client.clone(), &object.key.namespace);
    match api.get_metadata_opt(&object.key.name).await {
        Ok(Some(found)) => {
            found.metadata.uid.as_deref() == Some(&*object.uid) && found.metadata.deletion_timestamp.is_none()
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// The target's data is as we left it under another version: nothing to do but remember that. Whether its labels and
/// annotations are too, which Vault's values may be part of, the next refresh finds out; but where several merge into it,
/// who may disagree on them and would never come to rest.
pub fn keep(
    shared: &Shared,
    id: Id,
    (schedule, policy): (due::Schedule, CreationPolicy),
    mut memory: Memory,
    version: TargetVersion,
) -> Option<Instant> {
    memory.target = Some(version);
    memory.written = memory.written.filter(|_| merges(policy));
    let next = due::next(schedule, &memory.last).into_iter().chain(untold::retry(&memory)).min();
    shared.finish(id, memory);
    next
}

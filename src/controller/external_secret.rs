//! One ExternalSecret from due to reported: a thin shell around the pure parts.

use crate::api::{CreationPolicy, DecodeError, DeletionPolicy, ExternalSecret, ExternalSecretSpec, from_slice, names};
use crate::controller::allowance::Allowance;
use crate::controller::apply::{self, Applied, Change, Known};
use crate::controller::coexistence;
use crate::controller::deletion;
use crate::controller::drift::{Drift, drift, keep};
use crate::controller::error::{StoreError, SyncError};
use crate::controller::gather::gather;
use crate::controller::index::{Job, Seen};
use crate::controller::key::{Id, ObjectKey, StoreKey};
use crate::controller::memory::{Memory, hash_of};
use crate::controller::observed::Observed;
use crate::controller::queue::Lane;
use crate::controller::report::{missing, observed, report};
use crate::controller::shared::Shared;
use crate::controller::untold::{self, Untold};
use crate::controller::{secret_store, spans, status, templates};
use crate::sync::due::{self, Due};
use crate::sync::plan::{Policy, TargetError, is_made_by};
use crate::sync::secret::{Desired, Origin};
use crate::sync::spec;
use crate::sync::template::Parsed;
use crate::sync::windows::{self, Gate};
use crate::vault::Urgency;
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sync that takes longer is given up and tried again.
const DEADLINE: Duration = Duration::from_secs(60);
/// A finalizer that could not be taken off, or a generation that could not be told, is tried again after this long.
pub const STATUS_RETRY: Duration = Duration::from_secs(5);

/// Looks at one ExternalSecret and does what is due. Answers when it is due next.
pub async fn reconcile(shared: &Shared, id: Id, lane: Lane) -> Option<Instant> {
    let mut job = shared.index.lock().begin(id)?;
    if job.object.deleting {
        return release(shared, &job.object).await;
    }
    let parsed = from_slice::<ExternalSecretSpec>("spec", job.object.spec.get().as_bytes());
    if parsed.as_ref().is_ok_and(|spec| is_foreign(shared, &job.object, spec)) {
        return None;
    }
    let schedule = parsed.as_ref().map_or(due::Schedule::OnChange, spec::schedule);
    if let Some(later) = coexistence::yield_to(shared, id, &mut job, schedule).await {
        return Some(later);
    }
    let policy = parsed.as_ref().map(|spec| spec.target.creation_policy).unwrap_or_default();
    let drifted = policy != CreationPolicy::None && job.target.differs_from(job.memory.target.as_ref());
    let state = due::Now { unchanged: job.memory.is_unchanged(&job.object), drifted, mended: job.mended };
    let now = Instant::now();
    match due::due(schedule, &job.memory.last, state, now) {
        Due::Now => {}
        // CreatedOnce: the change is seen, and nothing follows from it.
        Due::Idle if !state.unchanged => return acknowledge(shared, id, job).await,
        Due::At(at) => return untold::tell_again(shared, id, job, Some(at)).await,
        Due::Idle => return untold::tell_again(shared, id, job, None).await,
    }
    if let Some(opens) = closed_until(&job, parsed.as_ref().ok(), state) {
        if state.mended {
            shared.index.lock().wake_again(id);
        }
        return untold::tell_again(shared, id, job, Some(opens)).await;
    }
    let is_only_drift =
        drifted && due::due(schedule, &job.memory.last, due::Now { drifted: false, ..state }, now) != Due::Now;
    let span = spans::external_secret(&job, lane, state);
    span.run(perform(shared, id, lane, job, Task { parsed, schedule, policy, is_only_drift, started: now })).await
}

/// What is due for an ExternalSecret.
struct Task {
    parsed: Result<ExternalSecretSpec, DecodeError>,
    schedule: due::Schedule,
    policy: CreationPolicy,
    /// Nothing but its target's state.
    is_only_drift: bool,
    started: Instant,
}

/// Does it, and answers when the object is due next.
async fn perform(shared: &Shared, id: Id, lane: Lane, job: Job, task: Task) -> Option<Instant> {
    let Task { parsed, schedule, policy, is_only_drift, started } = task;
    let target = match &parsed {
        Ok(spec) => ObjectKey::new(job.object.key.namespace.clone(), spec.target.name(&job.object.key.name)),
        Err(_) => job.object.key.clone(),
    };
    if is_only_drift {
        match drift(shared, &job, &target, policy).await {
            Drift::None(version) => {
                spans::succeeded(spans::UNCHANGED);
                return keep(shared, id, (schedule, policy), job.memory, version);
            }
            Drift::Gone => return None,
            Drift::Real => {}
        }
    }
    let urgency = match lane {
        Lane::Urgent => Urgency::Urgent,
        Lane::Refresh => Urgency::Refresh,
    };
    let synced = async {
        let spec = parsed.map_err(spec::SpecError::from)?;
        sync(shared, (id, &job), &spec, &target, urgency).await
    };
    let result = tokio::time::timeout(DEADLINE, synced).await;
    let result = result.unwrap_or(Err(SyncError::Deadline { seconds: DEADLINE.as_secs() }));
    conclude(shared, id, schedule, job, &target, result, started).await
}

/// When the spec's windows let this periodic refresh run, if not now. Drift and changes, a first sync among them, don't wait,
/// nor does a retry of those, nor what failed and was mended; an edit of the store or the templates of one that is well does.
fn closed_until(job: &Job, spec: Option<&ExternalSecretSpec>, state: due::Now) -> Option<Instant> {
    let windows = spec?.sync_windows.as_ref()?;
    let is_synced = state.unchanged && job.memory.reported.version == hash_of(&job.object.version);
    if !is_synced || state.drifted || state.mended && job.memory.last.failures > 0 {
        return None;
    }
    let now = jiff::Timestamp::now();
    // A schedule that can't be read is told by the sync itself.
    match windows::gate(windows, now) {
        Ok(Gate::ClosedUntil(at)) => {
            let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            Some(Instant::now() + wait.max(Duration::from_secs(1)))
        }
        Ok(Gate::Open) | Err(_) => None,
    }
}

/// What a sync did and learned.
struct Synced {
    applied: Applied,
    /// When the last of what it is made of had come: the next refresh counts from here, so that none comes early.
    read: Instant,
    /// Of the Secret as it was to be, and of its data.
    marks: (u64, u64),
    /// The sources that are not in Vault and were passed over.
    gone: Vec<String>,
    /// Parsed, for the next time.
    templates: Option<Arc<Parsed>>,
}

/// Reads, plans and applies. Answers what was done, and the fingerprint of what stands there now.
async fn sync(
    shared: &Shared,
    (id, job): (Id, &Job),
    spec: &ExternalSecretSpec,
    target: &ObjectKey,
    urgency: Urgency,
) -> Result<Synced, SyncError> {
    spec::check(spec)?;
    // Held to the end, as what it allows is.
    let namespace = &job.object.key.namespace;
    let allowance = Allowance::new(&shared.large, namespace);
    let collected = gather(&shared.stores, &shared.workers, namespace, spec, urgency, &allowance).await?;
    let (read, gone) = (Instant::now(), collected.gone.clone());
    let follows = spec.target.deletion_policy == DeletionPolicy::Delete;
    if follows && !collected.is_all_gone() {
        deletion::settled(shared, id, job, spec);
    } else if follows && (renamed(job, target).is_some() || may_be_there(shared, job, target).await) {
        deletion::confirm(shared, id, job, spec)?;
    }
    // Known for certain only now that every store is open.
    if let Some(source) = needed_as_it_is(shared, target) {
        return Err(SyncError::Target { target: target.name.to_string(), source });
    }
    let origin = origin(&job.object);
    let policy = Policy {
        creation: spec.target.creation_policy,
        is_gone: follows && collected.is_all_gone(),
        immutable: spec.target.immutable,
    };
    let known = job.memory.templates.as_ref();
    let (desired, templates) = match &spec.target.template {
        // Nothing to render, and nothing to render it with: the Secret goes.
        Some(_) if policy.is_gone => (Desired::default(), None),
        Some(template) => {
            let parsed = templates::templates(shared, &job.object.key.namespace, template, known).await?;
            (templates::render(shared, template, &parsed, collected.data).await?, Some(parsed))
        }
        None => (Desired::new(origin, collected.data), None),
    };
    let desired = desired.marked(origin, policy.creation);
    let marks = (desired.fingerprint(&target.name, policy), desired.data_mark());
    let known = Known {
        seen: &job.target,
        version: job.memory.target.as_ref(),
        is_written: job.memory.written == Some(marks.0),
    };
    let applied = apply::apply(&shared.secrets, target, origin, policy, &desired, known).await?;
    if policy.creation == CreationPolicy::Owner {
        remove_renamed(shared, job, target, origin).await?;
    }
    Ok(Synced { applied, read, marks, gone, templates })
}

/// Whether a target could be deleted. One that nobody saw since the ExternalSecret came is looked for, so that a new
/// ExternalSecret with a mistyped path is no part of a herd.
async fn may_be_there(shared: &Shared, job: &Job, target: &ObjectKey) -> bool {
    match job.target {
        Seen::Absent => false,
        Seen::Present(_) => true,
        Seen::Unknown => !matches!(shared.secrets.get(target, &origin(&job.object).field_manager()).await, Ok(None)),
    }
}

/// The Secret that the last sync wrote, where the target has another name now.
fn renamed(job: &Job, target: &ObjectKey) -> Option<ObjectKey> {
    let old = job.memory.reported.binding.as_deref().filter(|old| *old != &*target.name)?;
    Some(ObjectKey::new(target.namespace.clone(), old))
}

/// Why a Secret that others read must not be written.
fn needed_as_it_is(shared: &Shared, target: &ObjectKey) -> Option<TargetError> {
    let index = shared.index.lock();
    match (index.is_credential(target), index.is_template(target)) {
        (true, _) => Some(TargetError::Credential),
        (_, true) => Some(TargetError::Template),
        _ => None,
    }
}

/// Deletes the Secret that the last sync wrote under another name, now that the new one stands or has gone with its source;
/// only one that is ours by label and by reference.
async fn remove_renamed(shared: &Shared, job: &Job, target: &ObjectKey, origin: Origin<'_>) -> Result<(), SyncError> {
    let Some(old) = renamed(job, target) else { return Ok(()) };
    match shared.secrets.get(&old, "").await? {
        Some(standing) if is_made_by(origin, &standing) => {
            shared.secrets.delete(&old, &standing.version()).await?;
            shared.metrics.write("Secret", "delete", true);
            tracing::info!(namespace = %old.namespace, name = %job.object.key.name, secret = %old.name, "old secret deleted");
        }
        _ => {}
    }
    Ok(())
}

/// Remembers and tells the result, and says when the object is due next.
async fn conclude(
    shared: &Shared,
    id: Id,
    schedule: due::Schedule,
    job: Job,
    target: &ObjectKey,
    result: Result<Synced, SyncError>,
    started: Instant,
) -> Option<Instant> {
    match &result {
        Err(SyncError::ApiServer(error)) if error.is_namespace_terminating() => return None,
        // Nothing is told or counted, and it counts as untried, so that it is due by then.
        Err(SyncError::LookAgain) => {
            shared.finish(id, Memory { tried: None, ..job.memory });
            return Some(Instant::now() + deletion::LOOK_AGAIN);
        }
        _ => {}
    }
    let Job { object, mut memory, .. } = job;
    memory.tried = Some(hash_of(&object.version));
    memory.last.attempt = Some(started);
    memory.calls = memory.calls.saturating_add(1);
    memory.took = started.elapsed();
    shared.metrics.reconcile_seconds.observe(memory.took.as_secs_f64());
    let result = match result {
        Ok(Synced { applied, read, marks, gone, templates }) => {
            memory.templates = templates;
            missing(shared, &object, &applied.change, &gone, &mut memory).await;
            memory.succeeded(read, marks, &applied);
            shared.metrics.applied(&applied.change);
            Ok(applied)
        }
        Err(error) => {
            memory.failed(error.is_hopeless());
            if error.is_costly() {
                memory.put_off();
            }
            secret_store::doubt(shared, &error);
            secret_store::tell_held(shared, &error).await;
            Err(error)
        }
    };
    spans::synced(&result);
    let next = due::next(schedule, &memory.last);
    if is_too_early(&result, &memory) {
        shared.finish(id, memory);
        return next;
    }
    let at = Timestamp::now();
    memory.untold = None;
    let told = report(shared, &object, &target.name, &result, at, &mut memory).await;
    let untold = Untold { result, at, target: target.name.clone(), failures: 0, retry: started };
    let retry = untold.keep(&object, &mut memory, told);
    shared.finish(id, memory);
    next.into_iter().chain(retry).min()
}

/// Manifests that are applied together come in any order: a store that is not there yet, or a Namespace not yet seen, has
/// until the second try, or until it comes, before anybody is told that it is missing.
fn is_too_early(result: &Result<Applied, SyncError>, memory: &Memory) -> bool {
    let is_missing = matches!(result, Err(SyncError::Store { source, .. })
        if matches!(**source, StoreError::NotFound | StoreError::LabelsUnknown { .. }));
    is_missing && memory.last.failures == 1 && memory.reported.ready.is_none()
}

/// Tells that the object is seen as it is now, where that changes nothing else: people and tools wait for it.
async fn acknowledge(shared: &Shared, id: Id, job: Job) -> Option<Instant> {
    let Job { object, mut memory, .. } = job;
    memory.tried = Some(hash_of(&object.version));
    if let Err(error) = observed(shared, &object, &mut memory).await
        && !error.is_not_found()
    {
        tracing::warn!(namespace = %object.key.namespace, name = %object.key.name, %error, "could not write a status");
        return Some(Instant::now() + STATUS_RETRY);
    }
    let retry = untold::retry(&memory);
    shared.finish(id, memory);
    retry
}

/// An ExternalSecret that is going away holds nothing of ours; ESO's finalizer, left from a time when ESO ran here, would
/// keep it forever. Answers when to try again, where it could not be taken off.
async fn release(shared: &Shared, object: &Observed) -> Option<Instant> {
    if !object.has_eso_finalizer {
        return None;
    }
    let removed = status::remove_finalizer::<ExternalSecret>(
        &shared.client,
        "ExternalSecret",
        &object.key,
        names::FINALIZER_EXTERNAL_SECRET,
    );
    if let Err(error) = removed.await
        && !error.is_not_found()
    {
        tracing::warn!(namespace = %object.key.namespace, name = %object.key.name, %error, "could not remove a finalizer");
        return Some(Instant::now() + STATUS_RETRY);
    }
    None
}

/// Whether another operator is in charge of one of its stores.
fn is_foreign(shared: &Shared, object: &Observed, spec: &ExternalSecretSpec) -> bool {
    let namespace = &object.key.namespace;
    spec::stores(spec).into_iter().any(|store| shared.stores.is_foreign(&StoreKey::referred(store, namespace)))
}

/// Who writes the target, as the plan needs it.
pub fn origin(object: &Observed) -> Origin<'_> {
    Origin {
        namespace: &object.key.namespace,
        name: &object.key.name,
        uid: &object.uid,
        labels: &object.labels,
        annotations: &object.annotations,
    }
}

impl crate::telemetry::metrics::Metrics {
    fn applied(&self, change: &Change) {
        match change {
            Change::None | Change::Missing | Change::Gone => {}
            Change::Created { .. } => self.write("Secret", "create", true),
            Change::Updated { .. } => self.write("Secret", "update", true),
            Change::Deleted => self.write("Secret", "delete", true),
        }
    }
}

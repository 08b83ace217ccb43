//! Turns the result of a sync into what people see of it: condition, event, metric and log line. The one place for all four.

use crate::api::condition::{Condition, MAX_MESSAGE};
use crate::api::{ConditionReason, ConditionStatus, ConditionType, ExternalSecret, names};
use crate::controller::apply::{Applied, Change};
use crate::controller::error::{ApiServerError, SyncError};
use crate::controller::memory::{Memory, Reported, hash_of, text_hash};
use crate::controller::observed::Observed;
use crate::controller::shared::Shared;
use crate::controller::{spans, status};
use crate::telemetry::events::{EventReason, Happening, Severity, shortened};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// `status.refreshTime` is written at most this often where nothing else changed.
const REFRESH_TIME_EVERY: i64 = 60;

/// What is to be told of one sync.
#[derive(Debug)]
struct Verdict {
    ready: Condition,
    stalled: Option<Condition>,
}

/// Tells the result of a sync of `object`, which ended at `now`: publishes what happened, logs, and writes the status where it
/// changed. `memory` is updated with what is told.
pub async fn report(
    shared: &Shared,
    object: &Observed,
    target: &str,
    result: &Result<Applied, SyncError>,
    now: Timestamp,
    memory: &mut Memory,
) -> Result<(), ApiServerError> {
    let verdict = verdict(result);
    spans::reason(&verdict.ready.reason);
    let told = (result.is_ok(), verdict.text());
    let is_news = match happening(target, result, &verdict, memory.told) {
        Some(happening) => shared.recorder.publish(reference(object), &happening).await,
        None => false,
    };
    log(object, result, is_news);
    memory.told = Some(told);
    write(shared, object, target, result, now, memory).await
}

/// Writes the result of a sync, which ended at `now`, into the status, where that does not say it yet.
pub async fn write(
    shared: &Shared,
    object: &Observed,
    target: &str,
    result: &Result<Applied, SyncError>,
    now: Timestamp,
    memory: &mut Memory,
) -> Result<(), ApiServerError> {
    let verdict = verdict(result);
    let reported = reported(object, target, result, &verdict, memory, now);
    if !needs_write(&memory.reported, &reported, result) {
        return Ok(());
    }
    let body = body(object, result, &verdict, &reported, memory, now);
    let written =
        status::patch::<ExternalSecret>(&shared.client, "ExternalSecret", &object.key, &object.uid, body).await;
    shared.metrics.write("ExternalSecret", "status", written.is_ok());
    if written.is_ok() {
        memory.reported = reported;
    }
    written
}

/// Tells that `object` is seen in its newest generation, of which nothing else is to be told.
pub async fn observed(shared: &Shared, object: &Observed, memory: &mut Memory) -> Result<(), ApiServerError> {
    if memory.reported.generation == object.generation {
        return Ok(());
    }
    let body = json!({"observedGeneration": object.generation});
    let written =
        status::patch::<ExternalSecret>(&shared.client, "ExternalSecret", &object.key, &object.uid, body).await;
    shared.metrics.write("ExternalSecret", "status", written.is_ok());
    if written.is_ok() {
        memory.reported.generation = object.generation;
    }
    written
}

impl Verdict {
    /// Tells what it says from another.
    fn text(&self) -> u64 {
        text_hash(Some((&self.ready.reason, &self.ready.message)))
    }
}

fn verdict(result: &Result<Applied, SyncError>) -> Verdict {
    match result {
        Ok(applied) => Verdict { ready: ready(&applied.change), stalled: None },
        Err(error) => {
            let message = shortened(error.to_string(), MAX_MESSAGE);
            let reason = ConditionReason::SecretSyncedError;
            let stalled =
                |reason| Condition::new(ConditionType::Stalled, ConditionStatus::True, reason, message.clone());
            Verdict {
                stalled: error.is_stalled().then(|| stalled(error.stalled_reason())),
                ready: Condition::new(ConditionType::Ready, ConditionStatus::False, reason, message),
            }
        }
    }
}

/// What happened that is news to somebody who was `told` the last result.
fn happening(
    target: &str,
    result: &Result<Applied, SyncError>,
    verdict: &Verdict,
    told: Option<(bool, u64)>,
) -> Option<Happening> {
    let is_new = told.is_none_or(|(_, text)| text != verdict.text());
    match result {
        Ok(applied) => {
            let had_failed = matches!(told, Some((false, _)));
            written(target, &applied.change).or_else(|| had_failed.then(|| synced_again(target, applied, verdict)))
        }
        // A herd is told of once, on its store.
        Err(SyncError::Braked { .. }) => None,
        Err(_) => is_new.then(|| Happening {
            severity: Severity::Warning,
            reason: EventReason::UpdateFailed,
            action: "Sync",
            note: verdict.ready.message.clone(),
        }),
    }
}

fn ready(change: &Change) -> Condition {
    let (reason, message) = match change {
        Change::None | Change::Created { .. } | Change::Updated { .. } => {
            (ConditionReason::SecretSynced, "secret synced")
        }
        Change::Missing => (
            ConditionReason::SecretMissing,
            "the target does not exist, and creationPolicy Merge leaves it to others to create; it is merged into once it is there",
        ),
        Change::Deleted | Change::Gone => (
            ConditionReason::SecretDeleted,
            "nothing that it is made of is in Vault, so there is no secret (deletionPolicy: Delete); where it should be there, correct the keys of the entries, or restore it in Vault",
        ),
    };
    Condition::new(ConditionType::Ready, ConditionStatus::True, reason, message)
}

/// The last word on an object must not stay the failure that is over.
fn synced_again(target: &str, applied: &Applied, verdict: &Verdict) -> Happening {
    let note = match applied.change {
        Change::None => format!("Secret \"{target}\" holds what Vault holds again"),
        _ => format!("the sync works again: {}", verdict.ready.message),
    };
    Happening { severity: Severity::Normal, reason: EventReason::SecretSynced, action: "Sync", note }
}

/// Tells, where that is new, which sources are `gone` from Vault or were never there, and were passed over: a wrong path looks
/// the same. To be called before [`report`].
pub async fn missing(shared: &Shared, object: &Observed, change: &Change, gone: &[String], memory: &mut Memory) {
    let found = hash_of(&gone.join("\n"));
    let is_news = match memory.missing.replace(found) {
        Some(told) => told != found,
        // After a restart, what changed nothing was told by the process before.
        None => memory.reported.ready.is_none() || is_written(change),
    };
    // Of a Secret that was deleted for it, that event tells.
    if !is_news || gone.is_empty() || *change == Change::Deleted {
        return;
    }
    let note = format!(
        "not in Vault, and passed over as spec.target.deletionPolicy says: {}; where it should be there, correct the entry, or \
         restore it in Vault",
        gone.join(", ")
    );
    tracing::info!(namespace = %object.key.namespace, name = %object.key.name, "{note}");
    let happening =
        Happening { severity: Severity::Warning, reason: EventReason::MissingProviderSecret, action: "Sync", note };
    shared.recorder.publish(reference(object), &happening).await;
}

fn is_written(change: &Change) -> bool {
    match change {
        Change::Created { .. } | Change::Updated { .. } | Change::Deleted => true,
        Change::None | Change::Missing | Change::Gone => false,
    }
}

fn written(target: &str, change: &Change) -> Option<Happening> {
    let (reason, note) = match change {
        Change::None | Change::Missing | Change::Gone => return None,
        Change::Deleted => {
            (EventReason::Deleted, format!("deleted Secret \"{target}\", whose source is gone from Vault"))
        }
        Change::Created { .. } => (EventReason::Created, format!("created Secret \"{target}\"")),
        Change::Updated { dropped, .. } if dropped.is_empty() => {
            (EventReason::Updated, format!("updated Secret \"{target}\""))
        }
        Change::Updated { dropped, .. } => {
            let keys = dropped.join(", ");
            (
                EventReason::Updated,
                format!("took over Secret \"{target}\" and removed keys that the ExternalSecret does not have: {keys}"),
            )
        }
    };
    Some(Happening { severity: Severity::Normal, reason, action: "Sync", note })
}

/// What the status will say.
fn reported(
    object: &Observed,
    target: &str,
    result: &Result<Applied, SyncError>,
    verdict: &Verdict,
    memory: &Memory,
    now: Timestamp,
) -> Reported {
    let before = &memory.reported;
    let is_ready = result.is_ok();
    let since = |before: Option<i64>| before.unwrap_or(now.as_second());
    let mut next = Reported {
        ready: Some((is_ready, since(before.ready.filter(|(was, _)| *was == is_ready).map(|(_, at)| at)))),
        stalled: verdict.stalled.as_ref().map(|_| since(before.stalled)),
        text: verdict.text(),
        generation: object.generation,
        ..before.clone()
    };
    if is_ready {
        next.refresh_time = Some(now.as_second());
        next.version = hash_of(&object.version);
        next.binding = Some(target.into());
        next.target = memory.target.as_ref().map(|version| version.uid.clone());
    }
    next
}

fn needs_write(before: &Reported, next: &Reported, result: &Result<Applied, SyncError>) -> bool {
    let is_stale = match (before.refresh_time, next.refresh_time) {
        (Some(before), Some(next)) => next - before >= REFRESH_TIME_EVERY,
        (before, next) => before != next,
    };
    let is_changed = Reported { refresh_time: next.refresh_time, ..before.clone() } != *next;
    // The version of a Secret that was written is told, though nothing else may differ.
    is_stale || is_changed || result.as_ref().is_ok_and(|applied| is_written(&applied.change))
}

fn body(
    object: &Observed,
    result: &Result<Applied, SyncError>,
    verdict: &Verdict,
    reported: &Reported,
    memory: &Memory,
    now: Timestamp,
) -> Value {
    let at = |seconds: i64| Timestamp::from_second(seconds).ok().map(Time);
    let mut ready = verdict.ready.clone();
    ready.last_transition_time = reported.ready.and_then(|(_, since)| at(since));
    let mut conditions = vec![ready];
    if let Some(mut stalled) = verdict.stalled.clone() {
        stalled.last_transition_time = reported.stalled.and_then(at);
        conditions.push(stalled);
    }
    conditions.extend(memory.foreign_conditions.iter().cloned());
    let mut status = json!({"conditions": conditions, "observedGeneration": object.generation});
    if let (Ok(applied), Some(fields)) = (result, status.as_object_mut()) {
        fields.insert("refreshTime".to_owned(), json!(at(now.as_second())));
        fields.insert("syncedResourceVersion".to_owned(), json!(object.version));
        fields.insert("binding".to_owned(), json!({"name": reported.binding}));
        let version = match &applied.change {
            Change::Created { resource_version } | Change::Updated { resource_version, .. } => {
                Some(resource_version.clone())
            }
            Change::None | Change::Missing | Change::Deleted | Change::Gone => {
                memory.target.as_ref().map(|target| target.revision.to_string())
            }
        };
        let target = memory.target.as_ref().map(|target| json!({"uid": target.uid, "resourceVersion": version}));
        fields.insert("target".to_owned(), json!(target));
    }
    status
}

fn log(object: &Observed, result: &Result<Applied, SyncError>, is_news: bool) {
    let (namespace, name) = (&object.key.namespace, &object.key.name);
    match result {
        Ok(Applied { change: Change::None | Change::Missing | Change::Gone, .. }) => {
            tracing::debug!(%namespace, %name, "secret is up to date")
        }
        Ok(Applied { change: Change::Created { .. }, .. }) => tracing::info!(%namespace, %name, "secret created"),
        Ok(Applied { change: Change::Updated { .. }, .. }) => tracing::info!(%namespace, %name, "secret updated"),
        Ok(Applied { change: Change::Deleted, .. }) => tracing::info!(%namespace, %name, "secret deleted"),
        Err(error) if is_news => tracing::warn!(%namespace, %name, %error, "sync failed"),
        Err(error) => tracing::debug!(%namespace, %name, %error, "sync failed again"),
    }
}

/// The object that an event is about.
pub fn reference(object: &Observed) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{}/{}", names::GROUP, names::VERSION)),
        kind: Some(names::KIND_EXTERNAL_SECRET.to_owned()),
        namespace: Some(object.key.namespace.to_string()),
        name: Some(object.key.name.to_string()),
        uid: Some(object.uid.to_string()),
        ..ObjectReference::default()
    }
}

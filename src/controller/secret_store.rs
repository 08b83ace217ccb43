//! One store from opened to reported: whether it can be used, and if not, why.

use crate::api::condition::{Condition, find_condition, remove_condition, set_condition};
use crate::api::{
    ClusterSecretStore, ConditionReason, ConditionStatus, ConditionType, SecretStore, SecretStoreStatus, StoreKind,
    names,
};
use crate::controller::error::{ApiServerError, StoreError, SyncError};
use crate::controller::index::{Checked, StoreEntry};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::memory::text_hash;
use crate::controller::queue::Lane;
use crate::controller::shared::Shared;
use crate::controller::{status, wake};
use crate::sync::due::{self, Schedule};
use crate::telemetry::events::{EventReason, Happening, Severity};
use crate::vault::{Retry, SecretIdLife};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use std::time::{Duration, Instant};

/// What can be done with a Vault store, in ESO's word.
const CAPABILITIES: &str = "ReadWrite";
/// A validation that takes longer counts as failed.
const DEADLINE: Duration = Duration::from_secs(60);
/// A secret id that ends within this is told of: a week, in which some working day lies.
const EXPIRING: SignedDuration = SignedDuration::from_hours(7 * 24);
/// No store is checked more often, whatever it says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A secret id with no more logins than this is told of.
const FEW_USES: u64 = 3;

/// Validates a store and tells the result. Answers when it is due next.
pub async fn reconcile(shared: &Shared, key: &StoreKey) -> Option<Instant> {
    let store = shared.index.lock().begin_store(key)?;
    if store.deleting {
        release(shared, key, &store).await;
        return None;
    }
    if shared.stores.is_foreign(key) {
        shared.stores.close(key);
        return None;
    }
    let validated = tokio::time::timeout(DEADLINE, validate(shared, key)).await.unwrap_or(Err(StoreError::Deadline));
    if validated.is_ok() {
        mend(shared, key, &store);
    }
    let (told, written) = report(shared, key, &store, &validated).await;
    let schedule = Schedule::Every(interval(shared, &store));
    let (is_ok, is_down) =
        (validated.is_ok(), matches!(&validated, Err(StoreError::Vault(error)) if error.retry() == Retry::AtRecovery));
    let secret_id = validated.ok().and_then(|valid| valid.secret_id);
    let checked = Checked { is_ok, is_down, generation: store.generation, status: written.ok(), told, secret_id };
    let failures = shared.index.lock().validated(key, checked);
    let wait = if failures == 0 { interval(shared, &store) } else { due::retry_after(schedule, failures) };
    Some(Instant::now() + wait)
}

/// Has a store checked that failed for an ExternalSecret as a whole and says that it is well: people look there first. It
/// costs Vault nothing, since its session knows by then.
pub fn doubt(shared: &Shared, error: &SyncError) {
    let SyncError::Store { store: key, source } = error else { return };
    if !matches!(**source, StoreError::Vault(_)) {
        return;
    }
    let status = shared.index.lock().store(key).map(|store| store.status.clone());
    let ready = status.as_ref().and_then(|status| find_condition(&status.conditions, ConditionType::Ready));
    if ready.is_some_and(|ready| ready.status == ConditionStatus::True) {
        shared.store_queue.push(key.clone(), Lane::Urgent);
    }
}

/// Wakes whoever waited for the store, if it was not known to be well: one that is checked again and found as it was mends
/// nobody, for whom it serves can fail on paths of their own. After an outage they come spread out.
fn mend(shared: &Shared, key: &StoreKey, store: &StoreEntry) {
    let ready = find_condition(&store.status.conditions, ConditionType::Ready);
    let is_said_well = store.status.observed_generation == Some(store.generation)
        && ready.is_some_and(|ready| ready.status != ConditionStatus::False);
    let was_well = store.failures == 0 && (is_said_well || store.well == Some(store.generation));
    if was_well && !store.is_reopened {
        return;
    }
    let wakes = shared.index.lock().mend_dependents(key, store.is_down && !store.is_reopened);
    wake::wake(shared, wakes);
}

/// What is known of a store that can be used.
#[derive(Debug, Default)]
struct Valid {
    /// It can only be checked where it is used: its references depend on the ExternalSecret's namespace.
    is_unchecked: bool,
    /// What is left of its secret id.
    secret_id: Option<SecretIdLife>,
}

async fn validate(shared: &Shared, key: &StoreKey) -> Result<Valid, StoreError> {
    let Some(open) = shared.stores.open_alone(key).await? else {
        let namespaces = shared.index.lock().namespaces_of(key);
        shared.stores.close_others(key, &namespaces);
        return Ok(Valid { is_unchecked: true, ..Valid::default() });
    };
    open.session.validate().await?;
    if let Some(path) = open.path.as_deref().filter(|path| !path.is_empty()) {
        open.session.check_mount(open.version, crate::sync::remote_key::mount_of(path, open.version)).await?;
    }
    // Only told where it can be had: many roles may not look themselves up.
    let secret_id = open.session.secret_id_life().await.unwrap_or_default();
    Ok(Valid { is_unchecked: false, secret_id })
}

fn interval(shared: &Shared, store: &StoreEntry) -> Duration {
    let own = store.spec.as_ref().as_ref().ok().and_then(|spec| spec.refresh_interval);
    own.map(|interval| interval.0.as_std())
        .filter(|interval| !interval.is_zero())
        .map(|interval| interval.max(SHORTEST_INTERVAL))
        .unwrap_or(shared.settings.store_requeue_interval)
}

/// Writes the status where it changed, publishes what changed, and logs it. Answers with a hash of what is told.
async fn report(
    shared: &Shared,
    key: &StoreKey,
    store: &StoreEntry,
    validated: &Result<Valid, StoreError>,
) -> (u64, Result<SecretStoreStatus, ApiServerError>) {
    let now = Timestamp::now();
    let (ready, others) = conditions(validated, now);
    let told = text_hash(Some((&ready.reason, &ready.message)));
    let mut next = store.status.as_ref().clone();
    let is_news = find_condition(&next.conditions, ConditionType::Ready)
        .is_none_or(|old| (&old.status, &old.reason, &old.message) != (&ready.status, &ready.reason, &ready.message))
        && store.told != Some(told);
    let mut changed = set_condition(&mut next.conditions, ready.clone(), now);
    for (type_, condition) in others {
        changed |= match condition {
            Some(condition) => set_condition(&mut next.conditions, condition, now),
            None => remove_condition(&mut next.conditions, type_),
        };
    }
    changed |= next.observed_generation.replace(store.generation) != Some(store.generation);
    changed |= next.capabilities.replace(CAPABILITIES.to_owned()).as_deref() != Some(CAPABILITIES);
    if is_news {
        tell(shared, key, store, validated, &ready).await;
    }
    if !changed {
        return (told, Ok(next));
    }
    let written = write(shared, key, store, &next).await;
    shared.metrics.write(key.kind().as_str(), "status", written.is_ok());
    if let Err(error) = &written
        && !error.is_not_found()
    {
        tracing::warn!(store = %key, %error, "could not write a status");
    }
    (told, written.map(|()| next))
}

/// Ready, and the conditions that are there only when they have something to say.
fn conditions(
    validated: &Result<Valid, StoreError>,
    now: Timestamp,
) -> (Condition, [(ConditionType, Option<Condition>); 2]) {
    let (ready, stalled, expiring) = match validated {
        Ok(Valid { is_unchecked: true, .. }) => {
            let message = "its references mean the namespace of each ExternalSecret, so it is checked where it is used";
            let reason = ConditionReason::ValidationUnknown;
            (Condition::new(ConditionType::Ready, ConditionStatus::Unknown, reason, message), None, None)
        }
        Ok(valid) => {
            let reason = ConditionReason::Valid;
            let ready = Condition::new(ConditionType::Ready, ConditionStatus::True, reason, "store validated");
            (ready, None, valid.secret_id.as_ref().and_then(|life| expiring(life, now)))
        }
        Err(error) => {
            let reason = ConditionReason::InvalidProviderConfig;
            let ready = Condition::new(ConditionType::Ready, ConditionStatus::False, reason, error.to_string());
            let reason = error.stalled_reason();
            let stalled = Condition::new(ConditionType::Stalled, ConditionStatus::True, reason, error.to_string());
            (ready, error.is_stalled().then_some(stalled), None)
        }
    };
    (ready, [(ConditionType::Stalled, stalled), (ConditionType::CredentialsExpiring, expiring)])
}

/// What to say of a secret id that ends soon. The text names the end and not the time left, which differs each time.
fn expiring(life: &SecretIdLife, now: Timestamp) -> Option<Condition> {
    let ends = life.expires.as_deref().and_then(|text| text.parse::<Timestamp>().ok().map(|at| (text, at)));
    let message = match (ends, life.uses_left) {
        _ if life.is_gone => {
            "the AppRole's secret id is used up, ended or destroyed, and the store works only as long as its token \
             lives; issue a new one and put it into the credentials Secret"
                .to_owned()
        }
        (Some((text, at)), _) if at.duration_since(now) < EXPIRING => {
            format!("the AppRole's secret id ends at {text}; issue a new one and put it into the credentials Secret")
        }
        (_, Some(uses)) if uses <= FEW_USES => format!(
            "the AppRole's secret id is good for {uses} more logins only; issue a new one and put it into the credentials Secret"
        ),
        _ => return None,
    };
    let reason = ConditionReason::SecretIdExpiring;
    Some(Condition::new(ConditionType::CredentialsExpiring, ConditionStatus::True, reason, message))
}

/// Tells on the store, once for a whole herd, that its targets are kept though their sources are gone.
pub async fn tell_held(shared: &Shared, error: &SyncError) {
    let SyncError::Braked { store: key, .. } = error else { return };
    if !shared.brake.lock().is_news(key) {
        return;
    }
    let Some(store) = shared.index.lock().store(key).cloned() else { return };
    let note = format!(
        "so many sources of {key} are gone from Vault at once that no Secret is deleted; look into Vault, or if it is meant, \
         confirm for each: kubectl annotate externalsecret NAME {}=$(date -u +%F)",
        names::ANNOTATION_CONFIRM_DELETION
    );
    tracing::warn!(store = %key, namespace = key.namespace.as_deref(), "{note}");
    let happening =
        Happening { severity: Severity::Warning, reason: EventReason::DeletionHeld, action: "Delete", note };
    shared.recorder.publish(reference(key, &store), &happening).await;
}

/// The object that an event is about.
fn reference(key: &StoreKey, store: &StoreEntry) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{}/{}", names::GROUP, names::VERSION)),
        kind: Some(key.kind().as_str().to_owned()),
        namespace: key.namespace.as_ref().map(ToString::to_string),
        name: Some(key.name.to_string()),
        uid: Some(store.uid.to_string()),
        ..ObjectReference::default()
    }
}

async fn tell(
    shared: &Shared,
    key: &StoreKey,
    store: &StoreEntry,
    validated: &Result<Valid, StoreError>,
    ready: &Condition,
) {
    let (severity, reason) = match validated {
        Ok(Valid { is_unchecked: true, .. }) => (Severity::Normal, EventReason::ValidationUnknown),
        Ok(_) => (Severity::Normal, EventReason::Valid),
        Err(_) => (Severity::Warning, EventReason::InvalidProviderConfig),
    };
    let happening = Happening { severity, reason, action: "Validate", note: ready.message.clone() };
    let is_news = shared.recorder.publish(reference(key, store), &happening).await;
    let namespace = key.namespace.as_deref();
    match validated {
        Ok(_) => tracing::info!(store = %key, namespace, "store validated"),
        Err(error) if is_news => tracing::warn!(store = %key, namespace, %error, "store is not ready"),
        Err(error) => tracing::debug!(store = %key, namespace, %error, "store ends with its namespace"),
    }
}

async fn write(
    shared: &Shared,
    key: &StoreKey,
    store: &StoreEntry,
    next: &SecretStoreStatus,
) -> Result<(), ApiServerError> {
    let body = serde_json::to_value(next).unwrap_or_default();
    let kind = key.kind();
    match kind {
        StoreKind::SecretStore => {
            status::patch::<SecretStore>(&shared.client, kind.as_str(), &object(key), &store.uid, body).await
        }
        StoreKind::ClusterSecretStore => {
            status::patch::<ClusterSecretStore>(&shared.client, kind.as_str(), &object(key), &store.uid, body).await
        }
    }
}

/// ESO's finalizer, left from a time when ESO ran here, would keep a store that is going away forever.
async fn release(shared: &Shared, key: &StoreKey, store: &StoreEntry) {
    if !store.has_eso_finalizer {
        return;
    }
    let (client, kind, object) = (&shared.client, key.kind().as_str(), object(key));
    let removed = match key.kind() {
        StoreKind::SecretStore => {
            status::remove_finalizer::<SecretStore>(client, kind, &object, names::FINALIZER_STORE).await
        }
        StoreKind::ClusterSecretStore => {
            status::remove_finalizer::<ClusterSecretStore>(client, kind, &object, names::FINALIZER_STORE).await
        }
    };
    if let Err(error) = removed
        && !error.is_not_found()
    {
        tracing::warn!(store = %key, %error, "could not remove a finalizer");
    }
}

fn object(key: &StoreKey) -> ObjectKey {
    ObjectKey { namespace: key.namespace.clone().unwrap_or_default(), name: key.name.clone() }
}

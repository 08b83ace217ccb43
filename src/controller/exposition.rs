//! What Prometheus scrapes: the process's series, and one set for each object, written out from what the index holds.

use crate::api::condition::find_condition;
use crate::api::{ConditionStatus, ConditionType};
use crate::controller::index::{Entry, Index, StoreEntry};
use crate::controller::key::StoreKey;
use crate::controller::memory::Memory;
use crate::controller::shared::Shared;
use crate::telemetry::metrics::{write_header, write_sample};
use crate::vault::SecretIdLife;
use jiff::Timestamp;
use std::time::Instant;

/// Everything, in Prometheus' text format.
pub fn render(shared: &Shared) -> String {
    let depth = shared.queue.depth();
    for (lane, objects) in [("urgent", depth.urgent), ("refresh", depth.refresh), ("running", depth.running)] {
        shared.metrics.queue.with_label_values(&[lane]).set(i64::try_from(objects).unwrap_or(i64::MAX));
    }
    let mut out = shared.metrics.render();
    let index = shared.index.lock();
    let ours = |entry: &&Entry| is_ours(&index, &shared.settings.controller_class, entry);
    external_secrets(&index, ours, &mut out);
    refreshes(&index, ours, &mut out);
    yielded(&index, &mut out);
    stores(&index, &shared.settings.controller_class, &mut out);
    out
}

/// How many objects are left to another operator that works on them.
fn yielded(index: &Index, out: &mut String) {
    let name = "external_secrets_yielded_objects";
    write_header(out, name, "gauge", "ExternalSecrets left to another operator, whose status writes were seen");
    let yielded = index.external_secrets().filter(|entry| entry.memory.yielded).count();
    write_sample(out, name, &[], u64::try_from(yielded).unwrap_or(u64::MAX));
}

/// Whether we work on it. Of what others work on nobody tells us, and what its status said at first would be told for ever.
fn is_ours(index: &Index, class: &str, entry: &Entry) -> bool {
    let is_foreign = |store| index.store(store).is_some_and(|store| !store.is_of_class(class));
    !entry.memory.yielded && !entry.stores.iter().any(is_foreign)
}

fn external_secrets(index: &Index, ours: impl Fn(&&Entry) -> bool, out: &mut String) {
    let nanoseconds = |memory: &Memory| u64::try_from(memory.took.as_nanos()).unwrap_or(u64::MAX);
    family(index, out, ("externalsecret_sync_calls_total", "counter", "Syncs of an ExternalSecret"), |memory| {
        memory.calls.into()
    });
    family(index, out, ("externalsecret_sync_calls_error", "counter", "Syncs of it that failed"), |memory| {
        memory.errors.into()
    });
    let duration = ("externalsecret_reconcile_duration", "gauge", "How long the last sync took, in nanoseconds");
    family(index, out, duration, nanoseconds);
    let name = "externalsecret_status_condition";
    write_header(out, name, "gauge", "Whether a condition of an ExternalSecret has a status: 1 or 0");
    for entry in index.external_secrets().filter(ours) {
        let Some((is_ready, _)) = entry.memory.reported.ready else { continue };
        let key = &entry.object.key;
        for (status, value) in [(ConditionStatus::True, is_ready), (ConditionStatus::False, !is_ready)] {
            let labels = [
                ("condition", "Ready"),
                ("name", &key.name),
                ("namespace", &key.namespace),
                ("status", status.as_str()),
            ];
            write_sample(out, name, &labels, u8::from(value));
        }
    }
}

/// When each ExternalSecret last succeeded, and after how long that should happen again, so that an alert can tell what is
/// stale from what is slow.
fn refreshes(index: &Index, ours: impl Fn(&&Entry) -> bool, out: &mut String) {
    let (now, wall) = (Instant::now(), Timestamp::now().as_second());
    let name = "external_secrets_last_success_timestamp_seconds";
    write_header(out, name, "gauge", "When the last sync that succeeded had read what it needed");
    for entry in index.external_secrets().filter(&ours) {
        let Some(at) = last_success(&entry.memory, now, wall) else { continue };
        let key = &entry.object.key;
        write_sample(out, name, &[("name", &key.name), ("namespace", &key.namespace)], at);
    }
    let name = "external_secrets_refresh_interval_seconds";
    write_header(out, name, "gauge", "spec.refreshInterval, where the clock alone decides on a refresh");
    for entry in index.external_secrets().filter(&ours) {
        let Some(interval) = entry.interval else { continue };
        let key = &entry.object.key;
        write_sample(out, name, &[("name", &key.name), ("namespace", &key.namespace)], interval);
    }
}

/// In seconds of Unix time; of the time before this process the status tells.
fn last_success(memory: &Memory, now: Instant, wall: i64) -> Option<i64> {
    let ours = memory.last.success.map(|at| now.saturating_duration_since(at).as_secs());
    let ours = ours.map(|age| wall.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)));
    ours.or(memory.reported.refresh_time)
}

/// One series for each ExternalSecret, of what is remembered of it.
fn family(index: &Index, out: &mut String, (name, kind, help): (&str, &str, &str), value: impl Fn(&Memory) -> u64) {
    write_header(out, name, kind, help);
    for entry in index.external_secrets() {
        let key = &entry.object.key;
        write_sample(out, name, &[("name", &key.name), ("namespace", &key.namespace)], value(&entry.memory));
    }
}

/// Of stores that another operator is in charge of, it tells.
fn stores(index: &Index, class: &str, out: &mut String) {
    for (name, is_cluster) in [("secretstore_status_condition", false), ("clustersecretstore_status_condition", true)] {
        write_header(out, name, "gauge", "Whether a condition of a store has a status: 1 or 0");
        for (key, store) in ours(index, class).filter(|(key, _)| key.namespace.is_none() == is_cluster) {
            let Some(ready) = find_condition(&store.status.conditions, ConditionType::Ready) else { continue };
            for status in [ConditionStatus::True, ConditionStatus::False] {
                let namespace = key.namespace.as_deref().unwrap_or_default();
                let labels = [
                    ("condition", "Ready"),
                    ("name", &*key.name),
                    ("namespace", namespace),
                    ("status", status.as_str()),
                ];
                write_sample(out, name, &labels, u8::from(ready.status == status));
            }
        }
    }
    secret_ids(index, class, out);
}

fn ours<'a>(index: &'a Index, class: &'a str) -> impl Iterator<Item = (&'a StoreKey, &'a StoreEntry)> {
    index.stores().filter(move |(_, store)| store.is_of_class(class))
}

/// The ends of secret ids, so that an alert can come before the day.
fn secret_ids(index: &Index, class: &str, out: &mut String) {
    let name = "external_secrets_store_secret_id_expiry_timestamp_seconds";
    secret_id((index, class), out, name, "When the secret id of a store ends", |life| {
        let ends: Timestamp = life.expires.as_deref()?.parse().ok()?;
        u64::try_from(ends.as_second()).ok()
    });
    let name = "external_secrets_store_secret_id_uses_left";
    secret_id((index, class), out, name, "How many logins the secret id of a store is good for", |life| life.uses_left);
}

/// One series for each store of whose secret id this much is known.
fn secret_id(
    (index, class): (&Index, &str),
    out: &mut String,
    name: &str,
    help: &str,
    value: impl Fn(&SecretIdLife) -> Option<u64>,
) {
    write_header(out, name, "gauge", help);
    for (key, store) in ours(index, class) {
        let Some(value) = store.secret_id.as_ref().and_then(&value) else { continue };
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let labels = [("kind", key.kind().as_str()), ("name", &*key.name), ("namespace", namespace)];
        write_sample(out, name, &labels, value);
    }
}

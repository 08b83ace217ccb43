use super::*;
use crate::controller::memory::{Memory, TargetVersion};
use crate::controller::observed::Observed;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use std::time::Instant;

fn metadata(name: &str, uid: &str, generation: i64, resource_version: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some("ns".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(uid.to_owned()),
        generation: Some(generation),
        resource_version: Some(resource_version.to_owned()),
        ..ObjectMeta::default()
    }
}

fn object(name: &str, uid: &str, generation: i64, target: &str) -> Observed {
    let spec = json!({"secretStoreRef": {"name": "store"}, "target": {"name": target}, "data": [{"secretKey": "a", "remoteKey": "a#a"}]});
    let spec = serde_json::value::to_raw_value(&spec).unwrap();
    Observed::new(metadata(name, uid, generation, "1"), Some(spec)).unwrap()
}

fn store(generation: i64) -> StoreEntry {
    let spec = json!({"provider": {"vault": {"server": "http://v:8200"}}}).to_string();
    StoreEntry::new(&metadata("store", "su", generation, "1"), Some(&spec), None)
}

fn store_key() -> StoreKey {
    StoreKey { namespace: Some("ns".into()), name: "store".into() }
}

fn apply(index: &mut Index, name: &str, generation: i64, target: &str) -> Option<Id> {
    match index.apply_external_secret(object(name, name, generation, target), None).as_slice() {
        [Wake::ExternalSecret(id, Lane::Urgent)] => Some(*id),
        [] => None,
        other => panic!("{other:?}"),
    }
}

fn remember(index: &mut Index, id: Id, change: impl FnOnce(&mut Memory)) {
    let mut memory = index.begin(id).unwrap().memory;
    change(&mut memory);
    index.finish(id, memory);
}

#[test]
fn a_new_or_edited_object_is_woken_and_an_echo_is_not() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    assert_eq!(apply(&mut index, "es", 1, "t"), None);
    remember(&mut index, id, |memory| memory.calls = 7);
    assert_eq!(apply(&mut index, "es", 2, "t"), Some(id), "an edit keeps the id");
    assert_eq!(index.begin(id).unwrap().memory.calls, 7, "and what is remembered");
}

#[test]
fn another_object_of_the_same_name_starts_anew() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    let wakes = index.apply_external_secret(object("es", "other", 1, "t"), None);
    let [Wake::Forget(old), Wake::ExternalSecret(next, _)] = wakes.as_slice() else { panic!("{wakes:?}") };
    assert_eq!(*old, id);
    assert_ne!(*next, id);
    assert!(index.begin(id).is_none());
}

#[test]
fn what_a_relist_does_not_name_is_gone() {
    let mut index = Index::default();
    let kept = apply(&mut index, "kept", 1, "t").unwrap();
    let lost = apply(&mut index, "lost", 1, "u").unwrap();
    index.external_secrets_listing();
    assert_eq!(apply(&mut index, "kept", 1, "t"), None);
    assert_eq!(index.external_secrets_listed(), [Wake::Forget(lost)]);
    assert!(index.begin(kept).is_some());
}

#[test]
fn an_echo_of_our_write_wakes_nobody_and_an_edit_or_deletion_does() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    let version = TargetVersion { uid: "s".into(), revision: 7 };
    remember(&mut index, id, |memory| memory.target = Some(version));
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("t", "s", 0, "7")), []);
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("foreign", "f", 0, "8")), []);
    let wake = [Wake::ExternalSecret(id, Lane::Urgent)];
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("t", "s", 0, "8")), wake);
    assert_eq!(index.remove_source(SourceKind::Secret, &metadata("t", "s", 0, "9")), wake);
    assert_eq!(index.begin(id).unwrap().target, Seen::Absent);
    index.sources_listing(SourceKind::Secret);
    assert_eq!(index.sources_listed(SourceKind::Secret), [], "it was known to be gone");
}

#[test]
fn a_changed_credential_reopens_its_store_once() {
    let mut index = Index::default();
    index.apply_store(store_key(), store(1));
    let secret = ObjectKey::new("ns", "approle");
    index.watch_source(SourceKind::Secret, secret.clone(), &store_key());
    assert!(index.is_credential(&secret));
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("approle", "c", 0, "5")), [Wake::Reopen(store_key())]);
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("approle", "c", 0, "5")), []);
    assert_eq!(index.apply_source(SourceKind::Secret, &metadata("approle", "c", 0, "6")), [Wake::Reopen(store_key())]);
    index.remove_store(&store_key());
    assert!(!index.is_credential(&secret));
}

#[test]
fn a_store_wakes_its_dependents_by_how_they_are() {
    let mut index = Index::default();
    let new = [Wake::Regroup(0), Wake::Store(store_key())];
    assert_eq!(index.apply_store(store_key(), store(1)), new);
    assert_eq!(index.apply_store(store_key(), store(1)), [], "a status or label of a store wakes nobody");
    let well = apply(&mut index, "well", 1, "t").unwrap();
    let unwell = apply(&mut index, "unwell", 1, "u").unwrap();
    remember(&mut index, well, |memory| memory.last.success = Some(Instant::now()));
    remember(&mut index, unwell, |memory| memory.failed(false));
    assert_eq!(index.mend_dependents(&store_key(), false), [Wake::ExternalSecret(unwell, Lane::Urgent)]);
    assert!(index.begin(unwell).unwrap().mended);
    assert!(!index.begin(unwell).unwrap().mended, "heeded once");
    let wakes = index.apply_store(store_key(), store(2));
    assert_eq!(wakes, [Wake::Spread(well, 2), Wake::Reopen(store_key())]);
    assert_eq!(index.group_of(well), index.group_of(unwell));
    assert_ne!(index.group_of(well), 0);
}

/// Who waits for a place at the old server would wait for it, however long that one hangs.
#[test]
fn a_store_that_names_another_server_moves_those_who_wait() {
    let mut index = Index::default();
    index.apply_store(store_key(), store(1));
    let old = index.group_of_store(&store_key());
    let spec = json!({"provider": {"vault": {"server": "http://other:8200"}}}).to_string();
    let moved = StoreEntry::new(&metadata("store", "su", 2, "2"), Some(&spec), None);
    let group = moved.group();
    assert_eq!(index.apply_store(store_key(), moved), [Wake::Regroup(old), Wake::Reopen(store_key())]);
    assert_eq!(index.remove_store(&store_key()), [Wake::Regroup(group), Wake::Reopen(store_key())]);
}

/// With a full queue, an edit of the interval must not hide that the target was deleted before.
#[test]
fn an_edit_keeps_what_was_seen_of_the_target() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    index.apply_source(SourceKind::Secret, &metadata("t", "s", 0, "7"));
    remember(&mut index, id, |memory| memory.target = Some(TargetVersion { uid: "s".into(), revision: 7 }));
    index.remove_source(SourceKind::Secret, &metadata("t", "s", 0, "8"));
    apply(&mut index, "es", 2, "t").unwrap();
    let job = index.begin(id).unwrap();
    assert_eq!(job.target, Seen::Absent);
    assert!(job.target.differs_from(job.memory.target.as_ref()));
    // Of a target of another name nothing is known, and the old one leaves no trace.
    apply(&mut index, "es", 3, "u").unwrap();
    assert_eq!(index.begin(id).unwrap().target, Seen::Unknown);
    assert_eq!(index.secrets.watched.len(), 1);
    index.remove_external_secret(&ObjectKey::new("ns", "es"));
    assert_eq!((index.secrets.watched.len(), index.dependents.len()), (0, 0));
}

/// Two swap a target in one apply: the one that comes too early fails while the Secret that is in its way is deleted.
#[test]
fn what_is_mended_while_it_fails_runs_it_again() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    index.apply_source(SourceKind::Secret, &metadata("t", "s", 0, "7"));
    let mut memory = index.begin(id).unwrap().memory;
    assert_eq!(
        index.remove_source(SourceKind::Secret, &metadata("t", "s", 0, "8")),
        [],
        "nobody knows yet that it waits"
    );
    memory.failed(true);
    assert!(index.finish(id, memory));
    let job = index.begin(id).unwrap();
    assert!(job.mended);
    assert!(!index.finish(id, job.memory), "once");
}

fn failed(index: &mut Index, name: &str, target: &str) -> Id {
    let id = apply(index, name, 1, target).unwrap();
    remember(index, id, |memory| memory.failed(true));
    id
}

/// A target that a store reads its credentials from is never written, until no store does.
#[test]
fn a_target_that_no_store_reads_any_more_is_tried_again() {
    let mut index = Index::default();
    index.apply_store(store_key(), store(1));
    let credentials = ["kept", "left"].map(|name| ObjectKey::new("ns", name));
    credentials.iter().for_each(|secret| index.watch_source(SourceKind::Secret, secret.clone(), &store_key()));
    let (kept, left) = (failed(&mut index, "a", "kept"), failed(&mut index, "b", "left"));
    index.apply_store(store_key(), store(2));
    assert_eq!(index.mend_freed(&store_key(), 1), [], "a check of the spec that was");
    // The store is opened anew, and reads one of them again.
    index.watch_source(SourceKind::Secret, credentials[0].clone(), &store_key());
    assert_eq!(index.mend_freed(&store_key(), 2), [Wake::ExternalSecret(left, Lane::Urgent)]);
    assert_eq!(index.mend_freed(&store_key(), 2), []);
    let wakes = index.remove_store(&store_key());
    assert!(wakes.contains(&Wake::ExternalSecret(kept, Lane::Urgent)), "{wakes:?}");
}

#[test]
fn a_target_that_nobody_takes_templates_from_any_more_is_tried_again() {
    let mut index = Index::default();
    let spec = json!({"secretStoreRef": {"name": "store"}, "data": [{"secretKey": "a", "remoteKey": "a#a"}],
        "target": {"name": "other", "template": {"templateFrom": [{"secret": {"name": "texts", "items": [{"key": "k"}]}}]}}});
    let reader = |generation| {
        let spec = serde_json::value::to_raw_value(&spec).unwrap();
        Observed::new(metadata("reader", "r", generation, "1"), Some(spec)).unwrap()
    };
    index.apply_external_secret(reader(1), None);
    let waiting = failed(&mut index, "es", "texts");
    assert!(index.is_template(&ObjectKey::new("ns", "texts")));
    index.apply_external_secret(reader(2), None);
    assert!(index.is_template(&ObjectKey::new("ns", "texts")), "an edit of something else");
    let wakes = index.apply_external_secret(object("reader", "r", 3, "other"), None);
    assert!(wakes.contains(&Wake::ExternalSecret(waiting, Lane::Urgent)), "{wakes:?}");
}

/// After a restart, what fell due meanwhile is spread, and what was edited or whose Secret was changed goes before it.
#[test]
fn what_changed_while_nobody_ran_is_told_from_what_fell_due() {
    let mut index = Index::default();
    let status = |synced: &Observed| {
        json!({
            "refreshTime": "2020-01-01T00:00:00Z", "syncedResourceVersion": synced.version, "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced"}],
            "target": {"uid": "s", "resourceVersion": "7"},
        })
        .to_string()
    };
    for (name, generation) in [("due", 1), ("edited", 2), ("drifted", 1)] {
        let synced = status(&object(name, name, 1, name));
        index.apply_external_secret(object(name, name, generation, name), Some(&synced));
    }
    index.apply_external_secret(object("new", "new", 1, "new"), None);
    index.apply_source(SourceKind::Secret, &metadata("drifted", "s", 0, "8"));
    index.apply_source(SourceKind::Secret, &metadata("due", "s", 0, "7"));
    let dues = index.first_dues(Instant::now());
    let mut dues: Vec<(&str, bool)> =
        dues.iter().map(|(id, _, _, by_the_clock)| (&*index.key_of(*id).unwrap().name, *by_the_clock)).collect();
    dues.sort_unstable();
    assert_eq!(dues, [("drifted", false), ("due", true), ("edited", false), ("new", false)]);
}

/// A status is patched with all conditions, so those of others are written back as they are now.
#[test]
fn conditions_of_others_are_those_that_the_watch_saw_last() {
    let mut index = Index::default();
    let id = apply(&mut index, "es", 1, "t").unwrap();
    let memory = index.begin(id).unwrap().memory;
    let told = |types: &[&str]| {
        let conditions: Vec<_> = types.iter().map(|type_| json!({"type": type_, "status": "True"})).collect();
        json!({"conditions": conditions}).to_string()
    };
    let status = told(&["Ready", "Audited"]);
    assert_eq!(index.apply_external_secret(object("es", "es", 1, "t"), Some(&status)), []);
    index.finish(id, memory);
    let others = |index: &mut Index| {
        index.begin(id).unwrap().memory.foreign_conditions.iter().map(|other| other.type_.clone()).collect::<Vec<_>>()
    };
    assert_eq!(others(&mut index), ["Audited"]);
    index.apply_external_secret(object("es", "es", 1, "t"), Some(&told(&["Ready"])));
    assert_eq!(others(&mut index), Vec::<String>::new());
}

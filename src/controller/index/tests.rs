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
    match index.apply_external_secret(object(name, name, generation, target), None) {
        Some(Wake::ExternalSecret(id, Lane::Urgent)) => Some(id),
        None => None,
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
    let wake = index.apply_external_secret(object("es", "other", 1, "t"), None);
    let Some(Wake::ExternalSecret(next, _)) = wake else { panic!("{wake:?}") };
    assert_ne!(next, id);
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
fn a_store_whose_status_can_not_be_written_counts_that_and_is_well_all_the_same() {
    let mut index = Index::default();
    index.apply_store(store_key(), store(1));
    let checked = |is_ok, status| Checked { is_ok, is_down: false, generation: 1, status, told: 7, secret_id: None };
    assert_eq!([1, 2, 3].map(|_| index.validated(&store_key(), checked(true, None))), [1, 2, 3]);
    index.apply_store(store_key(), store(1));
    let known = index.store(&store_key()).unwrap();
    assert_eq!((known.failures, known.well, known.told), (0, Some(1), Some(7)));
    assert_eq!(index.validated(&store_key(), checked(true, Some(Default::default()))), 0);
    assert_eq!(index.validated(&store_key(), checked(false, None)), 1);
    assert_eq!(index.store(&store_key()).unwrap().well, None);
}

#[test]
fn a_store_wakes_its_dependents_by_how_they_are() {
    let mut index = Index::default();
    assert_eq!(index.apply_store(store_key(), store(1)), [Wake::Store(store_key())]);
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

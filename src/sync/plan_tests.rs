use super::*;
use crate::sync::select::SecretValue;

const UID: &str = "11111111-0000-0000-0000-000000000000";

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes().to_vec())
}

fn data(entries: &[(&str, &str)]) -> BTreeMap<String, SecretValue> {
    entries.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect()
}

fn strings(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

fn with_origin<T>(run: impl FnOnce(Origin<'_>) -> T) -> T {
    let empty = BTreeMap::new();
    run(Origin { namespace: "ns", name: "db", uid: UID, labels: &empty, annotations: &empty })
}

fn desired(entries: &[(&str, &str)]) -> Desired {
    with_origin(|origin| Desired::new(origin, data(entries)).marked(origin, CreationPolicy::Owner))
}

/// A Secret as we would have left it.
fn synced(entries: &[(&str, &str)]) -> Standing {
    let Desired { labels, annotations, data, .. } = desired(entries);
    let owner_references = with_origin(|origin| vec![origin.owner_reference()]);
    Standing {
        uid: "s".into(),
        resource_version: "7".into(),
        type_: OPAQUE.into(),
        labels,
        annotations,
        data,
        owner_references,
        ..Standing::default()
    }
}

fn planned(wanted: &[(&str, &str)], standing: Option<&Standing>) -> Result<Plan<'static>, TargetError> {
    planned_by(Policy::default(), wanted, standing)
}

fn planned_by(
    policy: Policy,
    wanted: &[(&str, &str)],
    standing: Option<&Standing>,
) -> Result<Plan<'static>, TargetError> {
    let desired = with_origin(|origin| Desired::new(origin, data(wanted)).marked(origin, policy.creation));
    let desired = Box::leak(Box::new(desired));
    with_origin(|origin| plan(origin, policy, desired, standing))
}

fn by(creation: CreationPolicy) -> Policy {
    Policy { creation, ..Policy::default() }
}

fn owner(kind: &str, api_version: &str, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: api_version.into(),
        kind: kind.into(),
        name: name.into(),
        uid: uid.into(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

#[test]
fn an_absent_target_is_created_whole_and_owned() {
    let Ok(Plan::Create(write)) = planned(&[("a", "1")], None) else { panic!() };
    assert_eq!(*write.data, data(&[("a", "1")]));
    assert_eq!(write.owner_references[0].uid, UID);
    assert!(write.labels.contains_key(names::LABEL_MANAGED));
}

#[test]
fn an_equal_target_is_kept() {
    assert_eq!(planned(&[("a", "1")], Some(&synced(&[("a", "1")]))), Ok(Plan::Keep));
}

#[test]
fn a_differing_target_is_replaced_on_the_version_that_was_read() {
    let plan = planned(&[("a", "2")], Some(&synced(&[("a", "1"), ("b", "1")]))).unwrap();
    let Plan::Replace { write, of, dropped } = plan else { panic!("{plan:?}") };
    assert_eq!((of.uid.as_str(), of.resource_version.as_str()), ("s", "7"));
    assert_eq!(*write.data, data(&[("a", "2")]));
    assert!(dropped.is_empty(), "a key of our own that left is no news");
}

#[test]
fn a_secret_without_a_controller_is_taken_over_and_its_foreign_keys_are_told() {
    let foreign = Standing {
        data: data(&[("a", "1"), ("theirs", "x")]),
        labels: strings(&[("app", "x")]),
        type_: OPAQUE.into(),
        ..Standing::default()
    };
    let Ok(Plan::Replace { write, dropped, .. }) = planned(&[("a", "1")], Some(&foreign)) else { panic!() };
    assert_eq!(dropped, ["theirs"]);
    assert_eq!(write.labels.get("app").map(String::as_str), Some("x"), "labels of others stay");
    assert_eq!(write.owner_references.len(), 1);
}

#[test]
fn labels_of_ours_that_are_no_longer_wanted_leave() {
    let mut standing = synced(&[("a", "1")]);
    standing.labels.extend(strings(&[("old", "1"), ("theirs", "1")]));
    standing.ours.labels = ["old".to_owned()].into();
    let Ok(Plan::Replace { write, .. }) = planned(&[("a", "1")], Some(&standing)) else { panic!() };
    assert!(!write.labels.contains_key("old"));
    assert!(write.labels.contains_key("theirs"));
}

#[test]
fn what_belongs_to_others_is_not_touched() {
    let table = [
        (owner("ExternalSecret", "external-secrets.io/v1", "other", "2"), "owned by another ExternalSecret"),
        (owner("Certificate", "cert-manager.io/v1", "db", "3"), "controlled by Certificate"),
        (owner("ExternalSecret", "example.com/v1", "db", "4"), "controlled by ExternalSecret"),
    ];
    for (owner, message) in table {
        let standing = Standing { owner_references: vec![owner], ..synced(&[("a", "1")]) };
        let error = planned(&[("a", "2")], Some(&standing)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(!error.passes());
    }
    for type_ in NEVER_ADOPTED {
        let standing = Standing { type_: type_.into(), ..Standing::default() };
        assert!(matches!(planned(&[("a", "2")], Some(&standing)), Err(TargetError::Protected { .. })));
    }
}

#[test]
fn an_owner_restored_from_a_backup_is_ours_under_its_new_uid() {
    let mut standing = synced(&[("a", "1")]);
    standing.owner_references = vec![owner("ExternalSecret", "external-secrets.io/v1beta1", "db", "old")];
    let Ok(Plan::Replace { write, .. }) = planned(&[("a", "1")], Some(&standing)) else { panic!() };
    assert_eq!(write.owner_references.len(), 1);
    assert_eq!(write.owner_references[0].uid, UID);
}

#[test]
fn an_owner_of_an_older_api_version_stays_as_it_is() {
    let mut standing = synced(&[("a", "1")]);
    standing.owner_references = vec![owner("ExternalSecret", "external-secrets.io/v1beta1", "db", UID)];
    assert_eq!(planned(&[("a", "1")], Some(&standing)), Ok(Plan::Keep));
}

#[test]
fn what_kubernetes_can_not_change_is_an_error_with_the_fix() {
    let immutable = Standing { immutable: true, ..synced(&[("a", "1")]) };
    assert_eq!(planned(&[("a", "1")], Some(&immutable)), Ok(Plan::Keep));
    assert_eq!(planned(&[("a", "2")], Some(&immutable)), Err(TargetError::Immutable));
    let deleting = Standing { deleting: true, ..synced(&[("a", "1")]) };
    assert!(planned(&[("a", "1")], Some(&deleting)).unwrap_err().passes());
}

#[test]
fn orphan_creates_without_an_owner_and_takes_its_own_reference_off() {
    let orphan = by(CreationPolicy::Orphan);
    let Ok(Plan::Create(write)) = planned_by(orphan, &[("a", "1")], None) else { panic!() };
    assert!(write.owner_references.is_empty());
    let Ok(Plan::Replace { write, .. }) = planned_by(orphan, &[("a", "1")], Some(&synced(&[("a", "1")]))) else {
        panic!()
    };
    assert!(write.owner_references.is_empty());
}

#[test]
fn merge_never_creates_and_leaves_the_keys_of_others_alone() {
    let merge = by(CreationPolicy::Merge);
    assert_eq!(planned_by(merge, &[("a", "1")], None), Ok(Plan::Missing));
    let theirs = Standing {
        owner_references: vec![owner("Certificate", "cert-manager.io/v1", "db", "3")],
        data: data(&[("theirs", "x"), ("old", "1"), ("a", "0")]),
        ours: crate::sync::secret::Ours { data: ["old".to_owned(), "a".to_owned()].into(), ..Default::default() },
        type_: OPAQUE.into(),
        ..Standing::default()
    };
    let Ok(Plan::Replace { write, dropped, .. }) = planned_by(merge, &[("a", "1")], Some(&theirs)) else { panic!() };
    assert_eq!(*write.data, data(&[("a", "1"), ("theirs", "x")]));
    assert_eq!(write.owner_references, theirs.owner_references);
    assert!(dropped.is_empty(), "a key of our own that left is no news: {dropped:?}");
    assert!(matches!(planned_by(by(CreationPolicy::CreateOrMerge), &[("a", "1")], None), Ok(Plan::Create(_))));
}

#[test]
fn none_writes_nothing() {
    let none = by(CreationPolicy::None);
    assert_eq!(planned_by(none, &[("a", "1")], None), Ok(Plan::Keep));
    assert_eq!(planned_by(none, &[("a", "1")], Some(&synced(&[("a", "2")]))), Ok(Plan::Keep));
}

#[test]
fn only_what_is_certainly_ours_goes_with_its_source() {
    let gone = Policy { is_gone: true, ..Policy::default() };
    let ours = synced(&[("a", "1")]);
    assert_eq!(planned_by(gone, &[], Some(&ours)), Ok(Plan::Delete(ours.version())));
    assert_eq!(planned_by(gone, &[], None), Ok(Plan::Gone));
    let unlabelled = Standing { labels: BTreeMap::new(), ..ours.clone() };
    assert_eq!(planned_by(gone, &[], Some(&unlabelled)), Err(TargetError::NotOurs));
    let unowned = Standing { owner_references: Vec::new(), ..ours };
    assert_eq!(planned_by(gone, &[], Some(&unowned)), Err(TargetError::NotOurs));
}

#[test]
fn another_type_makes_our_secret_anew_and_is_an_error_for_any_other() {
    let typed = |standing: &Standing| {
        let desired =
            Box::leak(Box::new(Desired { type_: Some("kubernetes.io/tls".into()), ..desired(&[("a", "1")]) }));
        with_origin(|origin| plan(origin, Policy::default(), desired, Some(standing)))
    };
    assert!(matches!(typed(&synced(&[("a", "1")])), Ok(Plan::Recreate { .. })));
    let adopted = Standing { owner_references: Vec::new(), labels: BTreeMap::new(), ..synced(&[("a", "1")]) };
    assert!(matches!(typed(&adopted), Err(TargetError::Type { .. })));
}

#[test]
fn an_immutable_spec_makes_the_secret_immutable() {
    let immutable = Policy { immutable: true, ..Policy::default() };
    let Ok(Plan::Create(write)) = planned_by(immutable, &[("a", "1")], None) else { panic!() };
    assert!(write.immutable);
    let Ok(Plan::Replace { write, .. }) = planned_by(immutable, &[("a", "1")], Some(&synced(&[("a", "1")]))) else {
        panic!()
    };
    assert!(write.immutable);
}

/// A backup that is put back brings data and hash of its time along, which fit each other.
#[test]
fn a_restored_backup_is_not_as_we_left_it() {
    let (now, then) = (synced(&[("k", "new")]), synced(&[("k", "old")]));
    let is_as_left = |creation, standing: &Standing, written| {
        with_origin(|origin| super::is_as_left(origin, creation, standing, written))
    };
    let written = desired(&[("k", "new")]).data_mark();
    assert_eq!(written, now.data_mark());
    for creation in [CreationPolicy::Owner, CreationPolicy::Orphan] {
        assert!(is_as_left(creation, &now, Some(written)));
        assert!(!is_as_left(creation, &then, Some(written)));
        assert!(is_as_left(creation, &then, None), "after a restart nothing is remembered; the next refresh finds out");
    }
    // Others that merge into it write a hash of all data.
    assert!(is_as_left(CreationPolicy::Merge, &then, Some(written)));
}

//! Whatever the input: nothing panics, no key or value comes from where it was not asked for, and nothing is written or
//! deleted that is somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use external_secrets_rs::api::{
    ConversionStrategy, CreationPolicy, DecodingStrategy, ExternalSecretSpec, Rewrite, SyncWindows, names,
};
use external_secrets_rs::sync::keys::{self, Values};
use external_secrets_rs::sync::plan::{Plan, Policy, TargetError, Write, plan};
use external_secrets_rs::sync::secret::{Desired, Origin, Ours, Standing};
use external_secrets_rs::sync::select::{Document, SecretValue};
use external_secrets_rs::sync::{decode, remote_key, rewrite, source, windows};
use external_secrets_rs::template::Meter;
use external_secrets_rs::vault::KvVersion;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes().to_vec())
}

/// Each value tells which key it came from.
fn named(keys: &BTreeSet<String>) -> Values {
    keys.iter().map(|key| (key.clone(), value(&format!("of {key}")))).collect()
}

fn texts(values: &Values) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = values.values().map(|value| value.to_vec()).collect();
    texts.sort();
    texts
}

fn version() -> impl Strategy<Value = KvVersion> {
    prop_oneof![Just(KvVersion::V1), Just(KvVersion::V2)]
}

/// What people write as a key or path, and what nobody should.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,4}(/[a-z]{1,4}){0,3}",
        "/{0,2}(kv|data|metadata|\\.\\.|\\.|a)(/(kv|data|metadata|\\.\\.|\\.|%2e%2e|a)){0,4}/{0,2}",
        ".{0,24}",
    ]
}

proptest! {
    #[test]
    fn a_key_or_folder_stays_below_its_mount(mount in option::of("[a-z]{1,4}(/[a-z]{1,4}){0,2}(/data)?/?"), key in path(), version in version()) {
        let mount = mount.as_deref();
        let mut paths = Vec::new();
        if let Ok(found) = remote_key::resolve(mount, version, &key) {
            paths.push(found.path);
        }
        if let Ok((data, metadata)) = remote_key::folder(mount, version, &key) {
            paths.extend([data, metadata]);
        }
        for path in paths {
            prop_assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{path}");
            prop_assert!(!path.chars().any(char::is_control), "{path:?}");
            if let Some(mount) = mount {
                let mount = remote_key::mount_of(mount, version);
                prop_assert!(path == mount || path.starts_with(&format!("{mount}/")), "{path} is not below {mount}");
            }
        }
    }

    #[test]
    fn two_keys_are_one_place_only_where_they_say_the_same(one in "[a-z]{1,3}(/[a-z]{1,3}){0,2}", two in "[a-z]{1,3}(/[a-z]{1,3}){0,2}", version in version()) {
        // A mount that none of them can name.
        let at = |key: &str| remote_key::resolve(Some("mount0"), version, key).unwrap().path;
        prop_assert_eq!(at(&one) == at(&two), one == two);
    }

    #[test]
    fn a_flat_key_splits_into_what_it_says(key in ".{0,40}") {
        if let Ok((path, property)) = remote_key::split_flat(&key) {
            let whole = property.map_or(path.to_owned(), |property| format!("{path}#{property}"));
            prop_assert_eq!(whole, key);
        }
    }

    #[test]
    fn a_top_level_key_is_itself_whatever_is_in_it(keys in btree_set(".{0,12}", 1..6), property in ".{0,20}") {
        let json: BTreeMap<&String, String> = keys.iter().map(|key| (key, format!("of {key}"))).collect();
        let text = serde_json::to_string(&json).unwrap();
        let document = Document::parse(&text, &mut Meter::default()).unwrap();
        for key in keys.iter().filter(|key| !key.is_empty()) {
            prop_assert_eq!(document.select(Some(key), &mut Meter::default()).unwrap().to_vec(), format!("of {key}").into_bytes());
        }
        // A path that is no key may find something or not; it must not harm.
        let _ = document.select(Some(&property), &mut Meter::default());
    }

    #[test]
    fn any_text_as_a_secret_and_any_path_into_it_end_without_harm(json in ".{0,60}", property in "[a-z0-9.#()=\"\\[\\]{}|@*?!<>%~:,\\\\ -]{0,30}") {
        for text in [json.clone(), format!("{{\"a\":{{\"b\":[1,{{\"c\":\"d\"}}]}},\"k\":{}}}", json!(json))] {
            if let Ok(document) = Document::parse(&text, &mut Meter::default()) {
                let _ = document.select(Some(&property), &mut Meter::default());
                let _ = document.entries(&mut Meter::default()).count();
            }
        }
    }

    #[test]
    fn renaming_keeps_every_value_and_invents_none(keys in btree_set(".{0,10}", 0..6), source in prop_oneof![".{0,12}", "[a-z.*+?()|^$\\[\\]]{0,8}"], target in prop_oneof![".{0,8}", "[a-z$0-9{}]{0,8}"]) {
        let steps: Vec<Rewrite> = serde_json::from_value(json!([{"regexp": {"source": source, "target": target}}])).unwrap();
        let values = named(&keys);
        if let Ok(renamed) = rewrite::rewrite(&steps, values.clone(), &mut Meter::default()) {
            prop_assert_eq!(texts(&renamed), texts(&values));
        }
    }

    #[test]
    fn converting_keeps_every_value_under_a_key_that_kubernetes_takes(keys in btree_set(".{1,10}", 0..6)) {
        for strategy in [ConversionStrategy::Default, ConversionStrategy::Unicode] {
            let values = named(&keys);
            if let Ok(converted) = keys::convert(strategy, values.clone()) {
                prop_assert_eq!(texts(&converted), texts(&values));
                // A file's own names are no keys in Kubernetes, and no conversion makes others of them.
                let is_dots = converted.keys().any(|key| key == "." || key.starts_with(".."));
                prop_assert_eq!(keys::check(converted).is_err(), is_dots);
            }
        }
    }

    #[test]
    fn merging_takes_each_field_from_an_object_that_has_it(
        objects in btree_map("[a-c]", btree_map("[x-z]", 0..9_u8, 0..4), 0..4),
        priority in vec("[a-d]", 0..3),
        strict: bool, lenient: bool, json: bool,
    ) {
        let values: Values = objects.iter().map(|(key, object)| (key.clone(), value(&json!(object).to_string()))).collect();
        let merge = json!({
            "priority": priority, "into": "all", "strategy": if json { "JSON" } else { "Extract" },
            "priorityPolicy": if strict { "Strict" } else { "IgnoreNotFound" },
            "conflictPolicy": if lenient { "Ignore" } else { "Error" },
        });
        let steps: Vec<Rewrite> = serde_json::from_value(json!([{"merge": merge}])).unwrap();
        let Ok(merged) = rewrite::rewrite(&steps, values, &mut Meter::default()) else { return Ok(()) };
        let fields: BTreeMap<String, u8> = match json {
            true => serde_json::from_slice(&merged["all"]).unwrap(),
            false => merged.iter().map(|(key, value)| (key.clone(), serde_json::from_slice(value).unwrap())).collect(),
        };
        let all: BTreeSet<&String> = objects.values().flat_map(BTreeMap::keys).collect();
        prop_assert_eq!(fields.keys().collect::<BTreeSet<_>>(), all, "no field is lost");
        for (field, value) in &fields {
            prop_assert!(objects.values().any(|object| object.get(field) == Some(value)), "{field} is {value}");
        }
        // The last that priority names, and that has the field, wins.
        if let Some(last) = priority.iter().rev().find_map(|key| objects.get(key)) {
            prop_assert!(last.iter().all(|(field, value)| fields[field] == *value));
        }
    }

    #[test]
    fn any_value_is_decoded_or_refused(bytes in vec(any::<u8>(), 0..40)) {
        for strategy in [DecodingStrategy::None, DecodingStrategy::Base64, DecodingStrategy::Base64URL, DecodingStrategy::Auto] {
            let decoded = decode::decode(strategy, SecretValue::new(bytes.clone()));
            if strategy == DecodingStrategy::None {
                prop_assert_eq!(decoded.unwrap().to_vec(), bytes.clone());
            } else if strategy == DecodingStrategy::Auto {
                prop_assert!(decoded.is_ok());
            }
        }
    }

    #[test]
    fn any_schedule_is_open_shut_or_refused(schedule in prop_oneof![".{0,20}", "[0-9*/,L#W@ -]{0,20}", "@every [0-9a-z]{0,8}"], seconds in 0..4_000_000_000_i64, hours in 0..100_000_u32) {
        let windows: SyncWindows = serde_json::from_value(json!({"kind": "allow", "windows": [{"schedule": schedule, "duration": format!("{hours}h")}]})).unwrap();
        let now = jiff::Timestamp::from_second(seconds).unwrap();
        if let Ok(windows::Gate::ClosedUntil(at)) = windows::gate(&windows, now) {
            prop_assert!(at > now, "{at} is not after {now}");
        }
    }

    #[test]
    fn any_spec_has_sources_or_an_error(key in path(), property in option::of(".{0,8}"), version in option::of(".{0,4}"), regexp in ".{0,10}", store in option::of("[a-z]{0,3}")) {
        let spec: ExternalSecretSpec = serde_json::from_value(json!({
            "secretStoreRef": store.map(|name| json!({"name": name})),
            "data": [{"secretKey": "a", "remoteRef": {"key": key, "property": property, "version": version}}, {"secretKey": "b", "remoteKey": key}],
            "dataFrom": [{"find": {"path": key, "name": {"regexp": regexp}}}],
        })).unwrap();
        if let Ok(sources) = source::sources(&spec) {
            for source in sources {
                for version in [KvVersion::V1, KvVersion::V2] {
                    let _ = source.want.question(Some("kv"), version);
                }
            }
        }
    }
}

const UID: &str = "11111111-0000-0000-0000-000000000000";

/// Who controls a Secret: nobody, us, us before a restore, another of ours, somebody else.
fn owners() -> impl Strategy<Value = Vec<OwnerReference>> {
    let owner = |kind: &str, api_version: &str, name: &str, uid: &str, controller: bool| OwnerReference {
        kind: kind.to_owned(),
        api_version: api_version.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(controller),
        block_owner_deletion: None,
    };
    prop_oneof![
        Just(vec![]),
        Just(vec![owner("ExternalSecret", "external-secrets.io/v1", "db", UID, true)]),
        Just(vec![owner("ExternalSecret", "external-secrets.io/v1beta1", "db", "old", true)]),
        Just(vec![owner("ExternalSecret", "external-secrets.io/v1", "other", "2", true)]),
        Just(vec![owner("ExternalSecret", "example.com/v1", "db", "3", true)]),
        Just(vec![owner("Certificate", "cert-manager.io/v1", "db", "4", true)]),
        Just(vec![owner("ConfigMap", "v1", "db", "5", false)]),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let creation = prop_oneof![
        Just(CreationPolicy::Owner),
        Just(CreationPolicy::Orphan),
        Just(CreationPolicy::Merge),
        Just(CreationPolicy::CreateOrMerge),
        Just(CreationPolicy::None),
    ];
    (creation, any::<bool>(), any::<bool>()).prop_map(|(creation, is_gone, immutable)| Policy {
        creation,
        is_gone,
        immutable,
    })
}

prop_compose! {
    fn standing()(
        data in btree_map("[a-e]", "[0-2]", 0..4),
        ours in btree_set("[a-e]", 0..4),
        owner_references in owners(),
        is_labelled: bool,
        (immutable, deleting) in (any::<bool>(), any::<bool>()),
        type_ in prop_oneof![Just("Opaque"), Just("kubernetes.io/service-account-token"), Just("helm.sh/release.v1"), Just("kubernetes.io/tls")],
    ) -> Standing {
        let mut standing = Standing {
            uid: "s".to_owned(),
            resource_version: "7".to_owned(),
            type_: type_.to_owned(),
            immutable,
            deleting,
            owner_references,
            data: data.iter().map(|(key, text)| (key.clone(), value(text))).collect(),
            ours: Ours { data: ours, ..Ours::default() },
            ..Standing::default()
        };
        if is_labelled {
            standing.labels.insert(names::LABEL_CREATED_BY.to_owned(), external_secrets_rs::sync::hash::created_by("ns", "db"));
        }
        standing
    }
}

/// What a plan would write, onto which version.
fn written<'a>(plan: &'a Plan<'a>) -> Option<&'a Write<'a>> {
    match plan {
        Plan::Create(write) | Plan::Replace { write, .. } | Plan::Recreate { write, .. } => Some(write),
        Plan::Keep | Plan::Missing | Plan::Gone | Plan::Delete(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_of_others_is_written_over_or_deleted(policy in policy(), wanted in btree_map("[a-e]", "[0-2]", 0..4), standing in option::of(standing()), type_ in option::of(prop_oneof![Just("Opaque"), Just("kubernetes.io/tls")])) {
        let empty = BTreeMap::new();
        let origin = Origin { namespace: "ns", name: "db", uid: UID, labels: &empty, annotations: &empty };
        let data: Values = wanted.iter().map(|(key, text)| (key.clone(), value(text))).collect();
        let mut desired = Desired::new(origin, data).marked(origin, policy.creation);
        desired.type_ = type_.map(str::to_owned);
        let planned = plan(origin, policy, &desired, standing.as_ref());
        let write = planned.as_ref().ok().and_then(written);
        if policy.creation == CreationPolicy::None {
            prop_assert_eq!(&planned, &Ok(Plan::Keep));
        }
        if policy.is_gone {
            prop_assert!(write.is_none(), "what is gone is not written");
        }
        let Some(standing) = &standing else {
            let needs_one = matches!(planned, Ok(Plan::Replace { .. } | Plan::Recreate { .. } | Plan::Delete(_)) | Err(_));
            prop_assert!(!needs_one, "{planned:?}");
            prop_assert!(policy.creation != CreationPolicy::Merge || write.is_none(), "Merge never creates");
            return Ok(());
        };
        prop_assert!(!matches!(planned, Ok(Plan::Create(_) | Plan::Missing)));
        let controller = standing.controller();
        let is_ours = controller.is_some_and(|owner| owner.uid == UID);
        let is_labelled = standing.labels.contains_key(names::LABEL_CREATED_BY);
        if matches!(planned, Ok(Plan::Delete(_) | Plan::Recreate { .. })) {
            prop_assert!(is_ours && is_labelled, "only what is ours by reference and by label is deleted");
        }
        if let Ok(Plan::Delete(of) | Plan::Recreate { of, .. } | Plan::Replace { of, .. }) = &planned {
            prop_assert_eq!((of.uid.as_str(), of.resource_version.as_str()), ("s", "7"));
        }
        let merges = matches!(policy.creation, CreationPolicy::Merge | CreationPolicy::CreateOrMerge);
        let is_of_us = |owner: &OwnerReference| owner.kind == "ExternalSecret" && owner.api_version.starts_with("external-secrets.io/");
        if let Some(write) = write {
            prop_assert!(!standing.deleting);
            if let Some(owner) = controller {
                let is_ours = is_of_us(owner) && owner.name == "db";
                prop_assert!(is_ours || merges && !is_of_us(owner), "written over {owner:?} by {policy:?}");
                prop_assert!(is_ours || write.owner_references.contains(owner), "others' references stay");
            } else {
                prop_assert!(!["kubernetes.io/service-account-token", "helm.sh/release.v1"].contains(&standing.type_.as_str()));
            }
            prop_assert!(write.owner_references.iter().filter(|owner| owner.controller == Some(true)).count() <= 1);
            prop_assert!(desired.data.iter().all(|(key, value)| write.data.get(key) == Some(value)), "all keys or none");
            for (key, value) in write.data.iter().filter(|(key, _)| !desired.data.contains_key(*key)) {
                prop_assert!(merges && standing.data.get(key) == Some(value) && !standing.ours.data.contains(key), "{key} is nobody's");
            }
            if merges && matches!(planned, Ok(Plan::Replace { .. })) {
                let foreign = standing.data.keys().filter(|key| !standing.ours.data.contains(*key));
                prop_assert!(foreign.into_iter().all(|key| write.data.contains_key(key)), "keys of others stay");
            }
            if standing.immutable && matches!(planned, Ok(Plan::Replace { .. })) {
                prop_assert_eq!(&*write.data, &standing.data);
            }
        }
        if let Err(TargetError::NotOurs) = planned {
            prop_assert!(policy.is_gone && !(is_ours && is_labelled));
        }
    }
}

//! Objects and Secrets as ESO 2.9 leaves them, after its source (pkg/controllers/externalsecret): finalizer, status, labels, data hash,
//! owner, and the field managers of all that.

use crate::common::{External, Place, Result};
use base64::Engine;
use external_secrets_rs::api::ExternalSecret;
use external_secrets_rs::sync::hash;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The field manager of what ESO writes without naming one: its binary.
pub const ESO: &str = "external-secrets";
pub const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
const MANAGED: &str = "reconcile.external-secrets.io/managed";
const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";
const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";

/// Its field manager on the Secret of an ExternalSecret.
pub fn manager(name: &str) -> String {
    let plain = format!("externalsecrets.external-secrets.io/{name}");
    if plain.len() <= 63 {
        plain
    } else {
        format!("externalsecrets.external-secrets.io/sha3/{}", hash::text_hash(name))
    }
}

/// The hash that it marks data with.
pub fn hash_of(secret: &Secret) -> String {
    let data = secret.data.iter().flatten();
    hash::data_hash(data.map(|(key, value)| (key.as_str(), value.0.as_slice())))
}

fn by(manager: &str) -> PatchParams {
    PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() }
}

/// Applies an ExternalSecret and makes of it what a sync of ESO's makes: `data` is what it writes.
pub async fn sync(place: &Place, external: External, data: &[(&str, &str)]) -> Result {
    place.apply_external(external.clone()).await?;
    let name = Value::from(external)["metadata"]["name"].as_str().unwrap().to_owned();
    let objects = place.api::<ExternalSecret>();
    let finalizer = json!({"metadata": {"finalizers": [FINALIZER]}});
    let object = objects.patch(&name, &by(ESO), &Patch::Merge(finalizer)).await?;
    write(place, &object, data).await?;
    status(place, &name).await
}

/// Its status after a sync that went well.
pub async fn status(place: &Place, name: &str) -> Result {
    let objects = place.api::<ExternalSecret>();
    let object = objects.get(name).await?;
    let pairs = |map: &BTreeMap<String, String>| map.clone();
    let (annotations, labels) = (pairs(object.annotations()), pairs(object.labels()));
    let text = |map: &BTreeMap<String, String>| map.iter().map(|(a, b)| (a.clone(), b.clone())).collect::<Vec<_>>();
    let (annotations, labels) = (text(&annotations), text(&labels));
    let version = hash::synced_version(
        object.metadata.generation.unwrap_or_default(),
        annotations.iter().map(|(a, b)| (a.as_str(), b.as_str())),
        labels.iter().map(|(a, b)| (a.as_str(), b.as_str())),
    );
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let now = format!("{}Z", now.split('.').next().unwrap().trim_end_matches('Z'));
    let condition = json!({"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced",
        "lastTransitionTime": now});
    let status = json!({"status": {"refreshTime": now, "syncedResourceVersion": version,
        "conditions": [condition], "binding": {"name": object.spec.target.name(name)}}});
    objects.patch_status(name, &by(ESO), &Patch::Merge(status)).await?;
    Ok(())
}

async fn write(place: &Place, object: &ExternalSecret, data: &[(&str, &str)]) -> Result {
    use external_secrets_rs::api::CreationPolicy;
    let secrets = place.api::<Secret>();
    let name = object.name_any();
    let target = object.spec.target.name(&name).to_owned();
    let policy = object.spec.target.creation_policy;
    let template = object.spec.target.template.as_ref();
    let (mut labels, mut annotations) = match template {
        Some(template) => (template.metadata.labels.clone(), template.metadata.annotations.clone()),
        None => (object.labels().clone(), object.annotations().clone()),
    };
    labels.insert(MANAGED.to_owned(), "true".to_owned());
    let mut metadata = json!({"name": target});
    if policy == CreationPolicy::Owner {
        labels.insert(CREATED_BY.to_owned(), hash::created_by(place.name(), &name));
        metadata["ownerReferences"] = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "name": name, "uid": object.uid(), "controller": true, "blockOwnerDeletion": true}]);
    }
    let encode = |text: &str| json!(base64::engine::general_purpose::STANDARD.encode(text));
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(key, text)| ((*key).to_owned(), encode(text))).collect();
    metadata["labels"] = json!(labels);
    let standing = secrets.get_opt(&target).await?;
    let mut body = match &standing {
        Some(standing) => serde_json::to_value(standing)?,
        None => json!({"metadata": metadata, "type": "Opaque", "data": {}}),
    };
    body["data"].as_object_mut().unwrap().extend(data);
    let mut body: Secret = serde_json::from_value(body)?;
    body.labels_mut().extend(labels);
    annotations.insert(DATA_HASH.to_owned(), hash_of(&body));
    body.annotations_mut().extend(annotations);
    let params = PostParams { field_manager: Some(manager(&name)), ..PostParams::default() };
    match standing {
        Some(_) => secrets.replace(&target, &params, &body).await?,
        None => secrets.create(&params, &body).await?,
    };
    Ok(())
}

/// All Secrets of the place, whole: what must not change, down to resourceVersion and managedFields.
pub async fn secrets(place: &Place) -> Result<BTreeMap<String, Value>> {
    let list = place.api::<Secret>().list(&ListParams::default()).await?;
    list.items.into_iter().map(|secret| Ok((secret.name_any(), serde_json::to_value(secret)?))).collect()
}

/// What ESO looks at before it decides whether a Secret needs anything, and what it needs to write it: a Secret that stands so is
/// taken over without a write.
pub async fn is_as_eso_wants(place: &Place, name: &str) -> Result {
    let object = place.api::<ExternalSecret>().get(name).await?;
    let policy = object.spec.target.creation_policy;
    let secret = place.secret(object.spec.target.name(name)).await?.ok_or(format!("the Secret of {name} is gone"))?;
    assert_eq!(object.finalizers(), [FINALIZER], "{name}");
    assert_eq!(secret.labels()[MANAGED], "true", "{name}");
    assert_eq!(secret.annotations()[DATA_HASH], hash_of(&secret), "{name}");
    let owner = secret.owner_references().first();
    if policy == external_secrets_rs::api::CreationPolicy::Owner {
        assert_eq!(owner.map(|owner| (owner.name.as_str(), owner.controller)), Some((name, Some(true))));
        assert_eq!(owner.map(|owner| owner.uid.clone()), object.uid());
        assert_eq!(secret.labels()[CREATED_BY], hash::created_by(place.name(), name));
    } else {
        assert_eq!(owner, None, "{name}");
    }
    // By its entry it finds the keys that are its own to remove.
    let managers: Vec<_> = secret.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect();
    assert!(managers.contains(&manager(name)), "{name}: {managers:?}");
    let foreign = managers.iter().find(|one| one.starts_with("external-secrets-rs"));
    assert_eq!(foreign, None, "{name}");
    Ok(())
}

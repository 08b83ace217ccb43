//! Secrets over the wire: read whole where a plan needs it, written with the fewest requests, answered with metadata alone.
//!
//! Requests are made here and not through kube's typed `Api`, for two reasons: kube's client logs a body that it can't
//! decode, which must never happen to a Secret, and an answer to a write would send every value back.

use crate::controller::error::ApiServerError;
use crate::controller::key::ObjectKey;
use crate::controller::memory::TargetVersion;
use crate::controller::observed::revision;
use crate::sync::plan::{Version, Write};
use crate::sync::secret::{Ours, Standing};
use crate::sync::select::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, GetParams, PostParams, Preconditions};
use kube::core::Request;
use kube::{Client, Resource};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// Asks the server to answer with metadata alone; one that can't answers with the whole object, which is read likewise.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Reads and writes Secrets.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
}

/// What a written Secret became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its version, as the watch will show it.
    pub version: TargetVersion,
    /// The same as text, for the status.
    pub resource_version: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default, rename = "type")]
    type_: String,
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    data: BTreeMap<String, Zeroizing<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Draft<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<bool>,
    data: BTreeMap<&'a str, Zeroizing<String>>,
}

impl Secrets {
    /// Requests go through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The Secret as it stands; none where there is none. `manager` is the field manager whose keys count as ours.
    pub async fn get(&self, key: &ObjectKey, manager: &str) -> Result<Option<Standing>, ApiServerError> {
        let request = Request::new(Secret::url_path(&(), Some(&key.namespace))).get(&key.name, &GetParams::default());
        match self.send("read", key, request.map_err(kube::Error::BuildRequest)).await {
            Ok(text) => decode(&text, manager).map(Some).ok_or_else(|| undecodable("read", key)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates the Secret. A conflict means that there is one already.
    pub async fn create(&self, key: &ObjectKey, manager: &str, write: &Write<'_>) -> Result<Written, ApiServerError> {
        let body = draft(key, write, None);
        let params = PostParams { dry_run: false, field_manager: Some(manager.to_owned()) };
        let request = Request::new(Secret::url_path(&(), Some(&key.namespace))).create(&params, body);
        self.write("create", key, request).await
    }

    /// Writes the Secret in place of the one with this uid and version. A conflict means that it has changed since.
    pub async fn replace(
        &self,
        key: &ObjectKey,
        manager: &str,
        write: &Write<'_>,
        of: &Version,
    ) -> Result<Written, ApiServerError> {
        let body = draft(key, write, Some(of));
        let params = PostParams { dry_run: false, field_manager: Some(manager.to_owned()) };
        let request = Request::new(Secret::url_path(&(), Some(&key.namespace))).replace(&key.name, &params, body);
        self.write("update", key, request).await
    }

    /// Deletes the Secret of this uid and version. One that is not there is as good.
    pub async fn delete(&self, key: &ObjectKey, of: &Version) -> Result<(), ApiServerError> {
        let preconditions =
            Preconditions { uid: Some(of.uid.clone()), resource_version: Some(of.resource_version.clone()) };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let request = Request::new(Secret::url_path(&(), Some(&key.namespace))).delete(&key.name, &params);
        match self.send("delete", key, request.map_err(kube::Error::BuildRequest)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        verb: &'static str,
        key: &ObjectKey,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Written, ApiServerError> {
        let request = request.map(|mut request| {
            request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static(METADATA_ONLY));
            request
        });
        let text = self.send(verb, key, request.map_err(kube::Error::BuildRequest)).await?;
        written(&text).ok_or_else(|| undecodable(verb, key))
    }

    async fn send(
        &self,
        verb: &'static str,
        key: &ObjectKey,
        request: Result<http::Request<Vec<u8>>, kube::Error>,
    ) -> Result<Zeroizing<String>, ApiServerError> {
        let failed = |error: kube::Error| ApiServerError::new(verb, "Secret", key, &error);
        let text = self.client.request_text(request.map_err(failed)?).await.map_err(failed)?;
        Ok(Zeroizing::new(text))
    }
}

fn undecodable(verb: &'static str, key: &ObjectKey) -> ApiServerError {
    let problem = "the answer could not be decoded".to_owned();
    ApiServerError { verb, kind: "Secret", name: key.to_string(), status: None, problem }
}

fn written(text: &str) -> Option<Written> {
    #[derive(Deserialize)]
    struct Answer {
        metadata: Version,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        uid: Box<str>,
        resource_version: String,
    }
    let Answer { metadata } = serde_json::from_str(text).ok()?;
    let version = TargetVersion { uid: (*metadata.uid).into(), revision: revision(&metadata.resource_version) };
    Some(Written { version, resource_version: metadata.resource_version })
}

fn draft(key: &ObjectKey, write: &Write<'_>, of: Option<&Version>) -> Vec<u8> {
    let some = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone());
    let draft = Draft {
        api_version: "v1",
        kind: "Secret",
        metadata: ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            labels: some(&write.labels),
            annotations: some(&write.annotations),
            finalizers: (!write.finalizers.is_empty()).then(|| write.finalizers.clone()),
            owner_references: (!write.owner_references.is_empty()).then(|| write.owner_references.clone()),
            uid: of.map(|of| of.uid.clone()),
            resource_version: of.map(|of| of.resource_version.clone()),
            ..ObjectMeta::default()
        },
        type_: write.type_.as_deref(),
        immutable: write.immutable.then_some(true),
        data: write.data.iter().map(|(key, value)| (key.as_str(), Zeroizing::new(STANDARD.encode(&**value)))).collect(),
    };
    // Maps of strings always serialize.
    serde_json::to_vec(&draft).unwrap_or_default()
}

fn decode(text: &str, manager: &str) -> Option<Standing> {
    let body: Body = serde_json::from_str(text).ok()?;
    let data: Option<BTreeMap<String, SecretValue>> = body
        .data
        .into_iter()
        .map(|(key, text)| Some((key, SecretValue::new(STANDARD.decode(text.as_bytes()).ok()?))))
        .collect();
    let ours = ours(&body.metadata, manager);
    let metadata = body.metadata;
    Some(Standing {
        uid: metadata.uid?,
        resource_version: metadata.resource_version?,
        type_: body.type_,
        immutable: body.immutable,
        deleting: metadata.deletion_timestamp.is_some(),
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        finalizers: metadata.finalizers.unwrap_or_default(),
        owner_references: metadata.owner_references.unwrap_or_default(),
        data: data?,
        ours,
    })
}

/// The keys that `manager` holds, by whichever operation it wrote them.
fn ours(metadata: &ObjectMeta, manager: &str) -> Ours {
    let mut ours = Ours::default();
    for entry in metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() == Some(manager)) {
        let Some(fields) = entry.fields_v1.as_ref().map(|fields| &fields.0) else { continue };
        ours.labels.extend(keys(fields.pointer("/f:metadata/f:labels")));
        ours.annotations.extend(keys(fields.pointer("/f:metadata/f:annotations")));
        ours.data.extend(keys(fields.pointer("/f:data")));
    }
    ours
}

fn keys(fields: Option<&serde_json::Value>) -> BTreeSet<String> {
    let keys = fields.and_then(serde_json::Value::as_object).into_iter().flat_map(serde_json::Map::keys);
    keys.filter_map(|key| key.strip_prefix("f:")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_with_what_our_manager_holds() {
        let text = serde_json::json!({
            "metadata": {
                "name": "db", "namespace": "ns", "uid": "u", "resourceVersion": "7",
                "labels": {"a": "1"},
                "managedFields": [
                    {"manager": "us", "operation": "Update", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:data": {".": {}, "f:k": {}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}}},
                    {"manager": "them", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:x": {}}}},
                ],
            },
            "type": "Opaque",
            "data": {"k": "djE=", "x": ""},
        });
        let standing = decode(&text.to_string(), "us").unwrap();
        assert_eq!(&*standing.data["k"], b"v1");
        assert_eq!(standing.ours.data, BTreeSet::from(["k".to_owned()]));
        assert_eq!(standing.ours.labels, BTreeSet::from(["a".to_owned()]));
    }

    #[test]
    fn a_draft_carries_the_version_it_replaces() {
        let key = ObjectKey::new("ns", "db");
        let data = BTreeMap::from([("k".to_owned(), SecretValue::new(b"v1".to_vec()))]);
        let body = draft(
            &key,
            &Write { data: std::borrow::Cow::Owned(data), ..Write::default() },
            Some(&Version { uid: "u".into(), resource_version: "7".into() }),
        );
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["data"]["k"], "djE=");
        assert_eq!(json["metadata"]["uid"], "u");
        assert_eq!(json["metadata"]["resourceVersion"], "7");
        assert!(json.get("type").is_none());
    }
}

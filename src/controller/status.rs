//! Writes of status: merge patches with only what changed, for which no answer is read.

use crate::controller::error::ApiServerError;
use crate::controller::key::ObjectKey;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde_json::Value;

/// Answers come without the object.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Patches the status of an object of kind `K` that has this uid; one of the same name and another uid refuses it.
/// `key.namespace` is empty for a cluster-scoped kind.
pub async fn patch<K: Resource<DynamicType = ()>>(
    client: &Client,
    kind: &'static str,
    key: &ObjectKey,
    uid: &str,
    status: Value,
) -> Result<(), ApiServerError> {
    let body = serde_json::json!({"metadata": {"uid": uid}, "status": status});
    send::<K>(client, ("write the status of", kind), key, Some("status"), &body).await
}

/// Takes finalizers off an object of kind `K`, as long as it has this version.
pub async fn remove_finalizer<K: Resource<DynamicType = ()>>(
    client: &Client,
    kind: &'static str,
    key: &ObjectKey,
    finalizer: &str,
) -> Result<(), ApiServerError> {
    let api_path = K::url_path(&(), namespace(key));
    let failed = |error: kube::Error| ApiServerError::new("read", kind, key, &error);
    let request = Request::new(&api_path).get_metadata(&key.name, &Default::default());
    let request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
    let object: kube::core::PartialObjectMeta<K> = client.request(request).await.map_err(failed)?;
    let mut finalizers = object.metadata.finalizers.unwrap_or_default();
    finalizers.retain(|name| name != finalizer);
    let version = object.metadata.resource_version;
    let body = serde_json::json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    send::<K>(client, ("take a finalizer off", kind), key, None, &body).await
}

async fn send<K: Resource<DynamicType = ()>>(
    client: &Client,
    (verb, kind): (&'static str, &'static str),
    key: &ObjectKey,
    subresource: Option<&str>,
    body: &Value,
) -> Result<(), ApiServerError> {
    let failed = |error: kube::Error| ApiServerError::new(verb, kind, key, &error);
    let requests = Request::new(K::url_path(&(), namespace(key)));
    let params = PatchParams { field_manager: Some(crate::api::names::FIELD_MANAGER.to_owned()), ..Default::default() };
    let patch = Patch::Merge(body);
    let request = match subresource {
        Some(subresource) => requests.patch_subresource(subresource, &key.name, &params, &patch),
        None => requests.patch(&key.name, &params, &patch),
    };
    let mut request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
    request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static(METADATA_ONLY));
    client.request_text(request).await.map(drop).map_err(failed)
}

fn namespace(key: &ObjectKey) -> Option<&str> {
    Some(&*key.namespace).filter(|namespace| !namespace.is_empty())
}

//! The watches: from the API server's streams into the index, and from what the index says into the queues.

use crate::api::{ClusterSecretStore, ExternalSecret, SecretStore, StoreKind};
use crate::controller::index::{SourceKind, StoreEntry, Wake};
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::observed::{Observed, Raw};
use crate::controller::shared::Shared;
use crate::controller::wake;
use crate::telemetry::readiness::Gate;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// The server ends a watch after this long, and we take one that is silent for longer to be dead.
const WATCH_SECONDS: u32 = 60;
/// Objects of one page, where the server can't stream a list.
const PAGE: u32 = 100;

/// Whether the queues are fed yet: not before the first lists are complete.
pub type Started = Arc<AtomicBool>;

/// Watches ExternalSecrets. `listed` is told when the first list is complete.
pub async fn external_secrets(shared: Arc<Shared>, started: Started, gate: Gate, listed: watch::Sender<bool>) {
    let api = api::<Raw<ExternalSecret>>(&shared);
    observe("ExternalSecrets", api, |event| {
        let wakes = match event {
            Event::Init => {
                shared.index.lock().external_secrets_listing();
                Vec::new()
            }
            Event::InitApply(raw) | Event::Apply(raw) => {
                let status = raw.status;
                let object = Observed::new(raw.metadata, raw.spec);
                let status = status.as_ref().map(|status| status.get());
                object.map(|object| shared.index.lock().apply_external_secret(object, status)).unwrap_or_default()
            }
            Event::Delete(raw) => {
                key(&raw.metadata).map(|key| shared.index.lock().remove_external_secret(&key)).unwrap_or_default()
            }
            Event::InitDone => {
                let wakes = shared.index.lock().external_secrets_listed();
                gate.open();
                listed.send_replace(true);
                wakes
            }
        };
        pass_on(&shared, &started, wakes);
    })
    .await;
}

/// Watches stores of one kind.
pub async fn stores<K>(
    shared: Arc<Shared>,
    started: Started,
    kind: StoreKind,
    api: Api<Raw<K>>,
    gate: Gate,
    listed: watch::Sender<bool>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    observe(kind.as_str(), api, |event| {
        let wakes = match event {
            Event::Init => {
                shared.index.lock().stores_listing(kind);
                Vec::new()
            }
            Event::InitApply(raw) | Event::Apply(raw) => {
                let text =
                    |raw: &Option<Box<serde_json::value::RawValue>>| raw.as_ref().map(|raw| raw.get().to_owned());
                let store = StoreEntry::new(&raw.metadata, text(&raw.spec).as_deref(), text(&raw.status).as_deref());
                let key = store_key(&raw.metadata);
                key.map(|key| shared.index.lock().apply_store(key, store)).unwrap_or_default()
            }
            Event::Delete(raw) => {
                store_key(&raw.metadata).map(|key| shared.index.lock().remove_store(&key)).unwrap_or_default()
            }
            Event::InitDone => {
                let wakes = shared.index.lock().stores_listed(kind);
                gate.open();
                listed.send_replace(true);
                wakes
            }
        };
        pass_on(&shared, &started, wakes);
    })
    .await;
}

/// Watches the metadata of Secrets. Begun after the first list of ExternalSecrets is complete: a Secret that nobody asked
/// for by then leaves no trace.
pub async fn secrets(shared: Arc<Shared>, started: Started, gate: Gate, listed: watch::Sender<bool>) {
    let api = api::<PartialObjectMeta<Secret>>(&shared);
    observe("Secrets", api, |event| {
        let mut index = shared.index.lock();
        let wakes = match event {
            Event::Init => {
                index.sources_listing(SourceKind::Secret);
                Vec::new()
            }
            Event::InitApply(secret) | Event::Apply(secret) => index.apply_source(SourceKind::Secret, &secret.metadata),
            Event::Delete(secret) => index.remove_source(SourceKind::Secret, &secret.metadata),
            Event::InitDone => {
                gate.open();
                listed.send_replace(true);
                index.sources_listed(SourceKind::Secret)
            }
        };
        drop(index);
        pass_on(&shared, &started, wakes);
    })
    .await;
}

/// Watches the metadata of ConfigMaps, once a store refers to one.
pub async fn config_maps(shared: Arc<Shared>, started: Started) {
    let _ = shared.demand.config_maps.wanted().wait_for(|wanted| *wanted).await;
    let listed = shared.demand.config_maps.listed();
    sources::<ConfigMap>("ConfigMaps", SourceKind::ConfigMap, shared, started, listed).await;
}

/// Watches the metadata of ServiceAccounts, once a store logs in as one.
pub async fn service_accounts(shared: Arc<Shared>, started: Started) {
    let _ = shared.demand.service_accounts.wanted().wait_for(|wanted| *wanted).await;
    let listed = shared.demand.service_accounts.listed();
    sources::<ServiceAccount>("ServiceAccounts", SourceKind::ServiceAccount, shared, started, listed).await;
}

/// Watches the metadata of what stores refer to.
async fn sources<K>(
    what: &'static str,
    kind: SourceKind,
    shared: Arc<Shared>,
    started: Started,
    listed: watch::Sender<bool>,
) where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + Clone + Debug + Send + 'static,
{
    observe(what, api::<PartialObjectMeta<K>>(&shared), |event| {
        let mut index = shared.index.lock();
        let wakes = match event {
            Event::Init => {
                index.sources_listing(kind);
                Vec::new()
            }
            Event::InitApply(object) | Event::Apply(object) => index.apply_source(kind, &object.metadata),
            Event::Delete(object) => index.remove_source(kind, &object.metadata),
            Event::InitDone => {
                listed.send_replace(true);
                index.sources_listed(kind)
            }
        };
        drop(index);
        pass_on(&shared, &started, wakes);
    })
    .await;
}

/// Watches the metadata of Namespaces, once the conditions of a ClusterSecretStore ask for their labels.
pub async fn namespaces(shared: Arc<Shared>, started: Started) {
    let _ = shared.demand.namespaces.wanted().wait_for(|wanted| *wanted).await;
    let listed = shared.demand.namespaces.listed();
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(shared.client.clone());
    observe("Namespaces", api, |event| {
        let mut index = shared.index.lock();
        let wakes = match event {
            Event::Init => {
                index.namespaces_listing();
                Vec::new()
            }
            Event::InitApply(object) | Event::Apply(object) => index.apply_namespace(object.metadata),
            Event::Delete(object) => {
                index.remove_namespace(&object.metadata);
                Vec::new()
            }
            Event::InitDone => {
                index.namespaces_listed();
                listed.send_replace(true);
                Vec::new()
            }
        };
        drop(index);
        pass_on(&shared, &started, wakes);
    })
    .await;
}

/// The API of a kind, in one namespace where the operator is told to keep to it.
pub fn api<K>(shared: &Shared) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match &shared.settings.namespace {
        Some(namespace) => Api::namespaced(shared.client.clone(), namespace),
        None => Api::all(shared.client.clone()),
    }
}

/// The API of ClusterSecretStores.
pub fn cluster_stores(shared: &Shared) -> Api<Raw<ClusterSecretStore>> {
    Api::all(shared.client.clone())
}

/// The API of SecretStores.
pub fn namespaced_stores(shared: &Shared) -> Api<Raw<SecretStore>> {
    api(shared)
}

/// Hands each event of a watch to `handle`, for ever. Streams the first list where the server can, and pages it where not.
async fn observe<K>(what: &'static str, api: Api<K>, mut handle: impl FnMut(Event<K>))
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let base = watcher::Config::default().timeout(WATCH_SECONDS);
    let (mut config, mut is_streaming) = (base.clone().streaming_lists(), true);
    let mut last_error = String::new();
    loop {
        let mut stream = watcher(api.clone(), config.clone()).default_backoff().boxed();
        while let Some(event) = stream.next().await {
            let error = match event {
                Ok(event) => {
                    last_error.clear();
                    handle(event);
                    continue;
                }
                Err(error) => error,
            };
            // Once only: with pages there is nothing else to turn to, and the next try has to wait its turn.
            if is_streaming && is_streaming_refused(&error) {
                tracing::debug!(what, "the API server does not stream lists; using pages");
                (config, is_streaming) = (base.clone().page_size(PAGE), false);
                break;
            }
            let text = advice(what, &error);
            if text != last_error {
                tracing::warn!(what, "{text}");
                last_error = text;
            }
        }
    }
}

/// A server with the WatchList feature off answers 422 to a streaming list.
fn is_streaming_refused(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422 || status.code == 400)
}

fn advice(what: &str, error: &watcher::Error) -> String {
    let (watcher::Error::WatchStartFailed(source) | watcher::Error::InitialListFailed(source)) = error else {
        return format!("the watch of {what} broke off and is begun again: {error}");
    };
    match source {
        kube::Error::Api(status) if status.code == 404 => {
            format!(
                "can't watch {what}: the API server does not know them; install the CRDs (external-secrets crds | kubectl apply --server-side -f -)"
            )
        }
        kube::Error::Api(status) if status.code == 403 => {
            format!("can't watch {what}: {}; give the operator's ServiceAccount that right", status.message)
        }
        kube::Error::Api(status) => format!("can't watch {what}: {} ({}); trying again", status.message, status.code),
        source => format!("can't watch {what}: {}; trying again", root(source)),
    }
}

/// What is at the bottom of an error: "connection refused", where the rest says that a client had an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

fn pass_on(shared: &Shared, started: &AtomicBool, wakes: impl IntoIterator<Item = Wake>) {
    if started.load(Ordering::Acquire) {
        wake::wake(shared, wakes);
    }
}

fn key(metadata: &ObjectMeta) -> Option<ObjectKey> {
    Some(ObjectKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}

fn store_key(metadata: &ObjectMeta) -> Option<StoreKey> {
    Some(StoreKey { namespace: metadata.namespace.as_deref().map(Into::into), name: metadata.name.as_deref()?.into() })
}

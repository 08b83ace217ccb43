//! What is kept of an object that is watched: little, since there may be ten thousand of each.

use crate::api::names;
use crate::controller::key::ObjectKey;
use crate::sync::hash;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// An object of kind `K` as a watch delivers it, with spec and status as the JSON they came in. A spec that an old schema
/// let in can't be read late fails that object alone, and never a whole list.
#[derive(Debug, Clone, Deserialize)]
pub struct Raw<K> {
    /// Its metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Its spec, not looked into.
    #[serde(default)]
    pub spec: Option<Box<RawValue>>,
    /// Its status, not looked into.
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

impl<K: kube::Resource<DynamicType = ()>> kube::Resource for Raw<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind(dt: &()) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &()) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &()) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &()) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// An ExternalSecret as far as a sync needs it.
#[derive(Debug)]
pub struct Observed {
    /// Its name.
    pub key: ObjectKey,
    /// Tells it from another of the same name.
    pub uid: Box<str>,
    /// Counts changes of its spec.
    pub generation: i64,
    /// Changes with its spec, labels and annotations: what `status.syncedResourceVersion` will say.
    pub version: Box<str>,
    /// Copied to the Secret where there is no template.
    pub labels: BTreeMap<String, String>,
    /// Copied likewise, without kubectl's copy of the whole manifest.
    pub annotations: BTreeMap<String, String>,
    /// Its spec, read when it is due.
    pub spec: Box<RawValue>,
    /// It is going away and must not be synced.
    pub deleting: bool,
    /// It carries ESO's finalizer, which would keep it from going away.
    pub has_eso_finalizer: bool,
}

impl Observed {
    /// Takes what is needed; `None` for an object without a name or spec, which no API server sends.
    pub fn new(metadata: ObjectMeta, spec: Option<Box<RawValue>>) -> Option<Self> {
        let key = ObjectKey::new(metadata.namespace?, metadata.name?);
        let labels = metadata.labels.unwrap_or_default();
        let mut annotations = metadata.annotations.unwrap_or_default();
        let generation = metadata.generation.unwrap_or_default();
        let version = hash::synced_version(generation, pairs(&annotations), pairs(&labels));
        annotations.remove(names::ANNOTATION_LAST_APPLIED);
        let finalizers = metadata.finalizers.unwrap_or_default();
        Some(Self {
            key,
            uid: metadata.uid?.into(),
            generation,
            version: version.into(),
            labels,
            annotations,
            spec: spec?,
            deleting: metadata.deletion_timestamp.is_some(),
            has_eso_finalizer: finalizers.iter().any(|finalizer| finalizer == names::FINALIZER_EXTERNAL_SECRET),
        })
    }
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// A version that an API server gave, comparable where it is a number (as of all servers so far, and of right since
/// Kubernetes 1.35). One that is none never counts as older than another.
pub fn revision(resource_version: &str) -> u64 {
    resource_version.parse().unwrap_or(u64::MAX)
}

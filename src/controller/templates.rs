//! The templates of an ExternalSecret: their texts, read where they stand, and parsed once for as long as they stay.

use crate::api::{Template, TemplateRef};
use crate::controller::error::{ApiServerError, ReferenceError, SyncError};
use crate::controller::index::{Seen, SourceKind};
use crate::controller::key::ObjectKey;
use crate::controller::memory::TargetVersion;
use crate::controller::observed::revision;
use crate::controller::shared::Shared;
use crate::sync::keys::Values;
use crate::sync::secret::Desired;
use crate::sync::template::{self, Parsed, RenderError, Texts, pieces};
use crate::template::{Limits, Meter};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use std::sync::Arc;

/// The parsed templates of `spec`; `known` are those of the last sync, which serve on where no text changed.
pub async fn templates(
    shared: &Shared,
    namespace: &Arc<str>,
    spec: &Template,
    known: Option<&Arc<Parsed>>,
) -> Result<Arc<Parsed>, SyncError> {
    let mut texts: Vec<Texts> = Vec::with_capacity(spec.template_from.len());
    for from in &spec.template_from {
        texts.push(match (&from.config_map, &from.secret) {
            (Some(source), _) => config_map(shared, namespace, source).await?,
            (None, Some(source)) => secret(shared, namespace, source).await?,
            (None, None) => Texts::new(),
        });
    }
    let pieces = pieces(spec, &texts)?;
    match known.filter(|known| known.fits(&pieces)) {
        Some(known) => Ok(known.clone()),
        None if !template::is_heavy(&pieces) => Ok(Arc::new(Parsed::new(&pieces)?)),
        None => {
            let spec = spec.clone();
            let parse = move |_| Ok(Arc::new(Parsed::new(&self::pieces(&spec, &texts)?)?));
            shared.workers.run(parse).await
        }
    }
}

/// Renders on a thread of its own: a template may compute for seconds, and everything else goes on meanwhile.
pub async fn render(
    shared: &Shared,
    spec: &Template,
    parsed: &Arc<Parsed>,
    values: Values,
) -> Result<Desired, RenderError> {
    let (spec, parsed) = (spec.clone(), parsed.clone());
    let render = move |given_up| {
        let mut meter = Meter::until(&Limits::default(), given_up);
        template::render(&spec, &parsed, values, &mut meter)
    };
    shared.workers.run(render).await
}

async fn config_map(shared: &Shared, namespace: &Arc<str>, source: &TemplateRef) -> Result<Texts, SyncError> {
    shared.demand.config_maps.ready().await;
    let object = ObjectKey::new(namespace.clone(), source.name.as_str());
    let api: Api<ConfigMap> = Api::namespaced(shared.client.clone(), namespace);
    let found = api.get_opt(&object.name).await;
    let found = found.map_err(|error| ApiServerError::new("read", "ConfigMap", &object, &error))?;
    let version = |found: &ConfigMap| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&found.metadata.uid), text(&found.metadata.resource_version))
    };
    note(shared, SourceKind::ConfigMap, &object, found.as_ref().map(version));
    let Some(found) = found else { return Err(missing(SourceKind::ConfigMap, object)) };
    let mut data = found.data.unwrap_or_default();
    texts(SourceKind::ConfigMap, object, source, |key| data.remove(key)).map_err(SyncError::TemplateFrom)
}

async fn secret(shared: &Shared, namespace: &Arc<str>, source: &TemplateRef) -> Result<Texts, SyncError> {
    let object = ObjectKey::new(namespace.clone(), source.name.as_str());
    let found = shared.secrets.get(&object, "").await?;
    let version = found.as_ref().map(|found| (found.uid.clone(), found.resource_version.clone()));
    note(shared, SourceKind::Secret, &object, version);
    let Some(found) = found else { return Err(missing(SourceKind::Secret, object)) };
    let text = |key: &str| String::from_utf8(found.data.get(key)?.to_vec()).ok();
    texts(SourceKind::Secret, object, source, text).map_err(SyncError::TemplateFrom)
}

/// Tells the index which version was read (uid and resourceVersion), so that the next one counts as a change.
fn note(shared: &Shared, kind: SourceKind, object: &ObjectKey, version: Option<(String, String)>) {
    let found = version.map_or(Seen::Absent, |(uid, version)| {
        Seen::Present(TargetVersion { uid: uid.as_str().into(), revision: revision(&version) })
    });
    shared.index.lock().template_read(kind, object, found);
}

fn texts(
    kind: SourceKind,
    object: ObjectKey,
    source: &TemplateRef,
    mut text: impl FnMut(&str) -> Option<String>,
) -> Result<Texts, ReferenceError> {
    let mut texts = Texts::new();
    for item in &source.items {
        match text(&item.key) {
            Some(text) => drop(texts.insert(item.key.clone(), text)),
            None => {
                return Err(ReferenceError::NoKey { kind: kind.as_str(), object, key: item.key.clone() });
            }
        }
    }
    Ok(texts)
}

fn missing(kind: SourceKind, object: ObjectKey) -> SyncError {
    SyncError::TemplateFrom(ReferenceError::NotFound { kind: kind.as_str(), object })
}

impl From<RenderError> for SyncError {
    fn from(source: RenderError) -> Self {
        Self::Template(Box::new(source))
    }
}

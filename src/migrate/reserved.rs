//! Secrets that no ExternalSecret may have for its target, because others read them as they are.

use super::{Stores, is_store, spec, text};
use crate::api::{ExternalSecretSpec, StoreKind, VaultProvider, names};
use crate::controller::connection::secrets;
use crate::controller::index::{SourceKind, template_sources};
use crate::controller::key::ObjectKey;
use crate::sync::plan::TargetError;
use crate::sync::spec::stores as stores_of;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Each such Secret, with what a sync that would write it is refused with.
pub(super) type Reserved = BTreeMap<ObjectKey, TargetError>;

/// What the stores log in with, and what ExternalSecrets take templates from. `objects` are of this API, each with its
/// namespace.
pub(super) fn reserved<'a>(stores: &Stores, objects: impl Iterator<Item = (&'a Value, String)>) -> Reserved {
    let mut reserved = Reserved::new();
    for ((kind, namespace, _), store) in stores {
        let vault = store.spec.as_ref().and_then(|store| store.provider.vault());
        let own = (kind == names::KIND_SECRET_STORE).then_some(namespace.as_str());
        reserved.extend(vault.into_iter().flat_map(|vault| credentials(vault, own)));
    }
    for (object, namespace) in objects.filter(|(object, _)| !is_store(text(object, "kind"))) {
        let Ok(spec) = serde_json::from_value::<ExternalSecretSpec>(spec(object)) else { continue };
        let namespace: Arc<str> = namespace.into();
        // References of a ClusterSecretStore that name no namespace mean this one.
        let cluster_stores = stores_of(&spec).into_iter().filter(|store| store.kind() == StoreKind::ClusterSecretStore);
        let used = cluster_stores.filter_map(|store| {
            let key = (names::KIND_CLUSTER_SECRET_STORE.to_owned(), String::new(), store.name.clone());
            stores.get(&key)?.spec.as_ref()?.provider.vault()
        });
        reserved.extend(used.flat_map(|vault| credentials(vault, Some(&namespace))));
        let texts = template_sources(&spec, &namespace).into_iter().filter(|(kind, _)| *kind == SourceKind::Secret);
        for (_, secret) in texts {
            reserved.entry(secret).or_insert(TargetError::Template);
        }
    }
    reserved
}

/// The Secrets that a provider is read from. A reference without a namespace means the `referent`, where there is one.
fn credentials(vault: &VaultProvider, referent: Option<&str>) -> Vec<(ObjectKey, TargetError)> {
    let named = |(name, namespace): (&str, Option<&str>)| {
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).or(referent)?;
        Some((ObjectKey::new(namespace, name), TargetError::Credential))
    };
    secrets(vault).into_iter().filter_map(named).collect()
}

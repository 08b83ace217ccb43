//! Namespaces' labels, where the conditions of a ClusterSecretStore ask for them.

use super::{Index, Wake};
use crate::controller::key::{Id, StoreKey};
use crate::controller::queue::Lane;
use crate::sync::conditions::{Admission, admit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The labels of one Namespace.
#[derive(Debug, Default)]
pub(super) struct Labels {
    labels: BTreeMap<String, String>,
    epoch: u32,
}

impl Index {
    /// A list of Namespaces begins. What is known of them counts on until it is complete.
    pub fn namespaces_listing(&mut self) {
        self.epochs.namespaces += 1;
    }

    /// A list of Namespaces is complete: what it did not name is gone.
    pub fn namespaces_listed(&mut self) {
        let epoch = self.epochs.namespaces;
        self.namespaces.retain(|_, known| known.epoch == epoch);
    }

    /// A Namespace as the watch delivers it.
    pub fn apply_namespace(&mut self, metadata: ObjectMeta) -> Vec<Wake> {
        let Some(name) = metadata.name else { return Vec::new() };
        let (labels, epoch) = (metadata.labels.unwrap_or_default(), self.epochs.namespaces);
        let before = self.namespaces.insert(name.as_str().into(), Labels { labels: labels.clone(), epoch });
        match before {
            Some(before) if before.labels == labels => Vec::new(),
            Some(before) => self.readmit(&name, &before.labels, &labels),
            None => self.mend_namespace(&name),
        }
    }

    /// A Namespace is gone.
    pub fn remove_namespace(&mut self, metadata: &ObjectMeta) {
        self.namespaces.remove(metadata.name.as_deref().unwrap_or_default());
    }

    /// The labels of a Namespace; `None` where it was not seen yet, which is not the same as one without labels.
    pub fn namespace_labels(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(name).map(|known| &known.labels)
    }

    /// Wakes those of a namespace that a store admits now and did not before, or the other way round.
    fn readmit(
        &mut self,
        namespace: &str,
        before: &BTreeMap<String, String>,
        now: &BTreeMap<String, String>,
    ) -> Vec<Wake> {
        let is_admitted = |store: &StoreKey, labels| {
            let spec = self.stores.get(store).and_then(|store| store.spec.as_ref().as_ref().ok());
            spec.is_some_and(|spec| admit(&spec.conditions, namespace, Some(labels)) == Ok(Admission::Admitted))
        };
        let is_concerned =
            |store: &StoreKey| store.namespace.is_none() && is_admitted(store, before) != is_admitted(store, now);
        let entries = self.external_secrets.iter();
        let entries = entries.filter(|(_, entry)| &*entry.object.key.namespace == namespace);
        let concerned = entries.filter(|(_, entry)| entry.stores.iter().any(is_concerned));
        let ids: Vec<Id> = concerned.map(|(id, _)| *id).collect();
        ids.iter().for_each(|id| self.wake_again(*id));
        ids.into_iter().map(|id| Wake::ExternalSecret(id, Lane::Urgent)).collect()
    }
}

//! Stores of both kinds.

use super::{Index, Wake};
use crate::api::{DecodeError, SecretStoreSpec, SecretStoreStatus, StoreKind, from_slice};
use crate::controller::key::{Id, StoreKey};
use crate::controller::memory::hash_of;
use crate::vault::SecretIdLife;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// One store.
#[derive(Debug, Clone)]
pub struct StoreEntry {
    /// Tells it from another of the same name.
    pub uid: Arc<str>,
    /// Counts changes of its spec.
    pub generation: i64,
    /// Its spec, or why it can't be read.
    pub spec: Arc<Result<SecretStoreSpec, DecodeError>>,
    /// What its status says.
    pub status: Arc<SecretStoreStatus>,
    /// Its finalizers.
    pub has_eso_finalizer: bool,
    /// It is going away.
    pub deleting: bool,
    /// What is left of the secret id that it logs in with, where that is known.
    pub secret_id: Option<SecretIdLife>,
    /// How often it could not be validated in a row.
    pub failures: u32,
    /// The last validation found its server down.
    pub is_down: bool,
    /// The generation in which it was last found well, as long as it stays so; its status may not say so, where it could not
    /// be written.
    pub well: Option<i64>,
    /// A hash of what was last told of it, written or not.
    pub told: Option<u64>,
    /// How often its status could not be written in a row.
    pub unwritten: u32,
    /// It, or something that it refers to, changed since the last validation began.
    pub is_reopened: bool,
    epoch: u32,
}

/// What a validation of a store came to.
#[derive(Debug)]
pub struct Checked {
    /// It can be used.
    pub is_ok: bool,
    /// Its server is down: it says itself when it is back.
    pub is_down: bool,
    /// The generation that was validated.
    pub generation: i64,
    /// The status as it stands now; none where it could not be written.
    pub status: Option<SecretStoreStatus>,
    /// A hash of what was told of it.
    pub told: u64,
    /// What is left of its secret id, where that is known.
    pub secret_id: Option<SecretIdLife>,
}

impl StoreEntry {
    /// Whether an operator of this class is in charge of it.
    pub fn is_of_class(&self, class: &str) -> bool {
        let own = self.spec.as_ref().as_ref().ok().and_then(|spec| spec.controller.as_deref()).unwrap_or_default();
        own.is_empty() || own == class
    }

    /// Whether this is that store with that spec.
    pub fn is_same_spec(&self, other: &Self) -> bool {
        self.uid == other.uid && self.generation == other.generation
    }

    /// What a watch delivers of a store.
    pub fn new(metadata: &ObjectMeta, spec: Option<&str>, status: Option<&str>) -> Self {
        let finalizers = metadata.finalizers.as_deref().unwrap_or_default();
        Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            generation: metadata.generation.unwrap_or_default(),
            spec: Arc::new(from_slice("spec", spec.unwrap_or("null").as_bytes())),
            status: Arc::new(status.and_then(|status| serde_json::from_str(status).ok()).unwrap_or_default()),
            has_eso_finalizer: finalizers.iter().any(|finalizer| finalizer == crate::api::names::FINALIZER_STORE),
            deleting: metadata.deletion_timestamp.is_some(),
            secret_id: None,
            failures: 0,
            well: None,
            told: None,
            unwritten: 0,
            is_down: false,
            is_reopened: false,
            epoch: 0,
        }
    }

    /// The server that it names, as a group of the queue.
    fn group(&self) -> u64 {
        let vault = self.spec.as_ref().as_ref().ok().and_then(|spec| spec.provider.vault());
        vault.map_or(0, |vault| hash_of(&vault.server))
    }
}

impl Index {
    /// A list of stores of this kind begins.
    pub fn stores_listing(&mut self, kind: StoreKind) {
        *self.store_epoch(kind) += 1;
    }

    /// A list of stores of this kind is complete: what it did not name is gone.
    pub fn stores_listed(&mut self, kind: StoreKind) -> Vec<Wake> {
        let epoch = *self.store_epoch(kind);
        let gone = self.stores.iter().filter(|(key, store)| key.kind() == kind && store.epoch != epoch);
        let gone: Vec<StoreKey> = gone.map(|(key, _)| key.clone()).collect();
        gone.iter().flat_map(|key| self.remove_store(key)).collect()
    }

    /// A store as the watch delivers it. Only a changed spec matters to anybody; its metadata and status wake nobody.
    pub fn apply_store(&mut self, key: StoreKey, mut store: StoreEntry) -> Vec<Wake> {
        store.epoch = *self.store_epoch(key.kind());
        let known = self.stores.get(&key).map(|known| {
            (store.failures, store.is_down, store.is_reopened) = (known.failures, known.is_down, known.is_reopened);
            store.secret_id = known.secret_id.clone();
            (store.told, store.unwritten) = (known.told, known.unwritten);
            store.well = known.well.filter(|_| known.uid == store.uid);
            known.is_same_spec(&store)
        });
        let is_held = store.deleting && store.has_eso_finalizer;
        self.stores.insert(key.clone(), store);
        match known {
            Some(true) if !is_held => Vec::new(),
            Some(true) | None => vec![Wake::Store(key)],
            Some(false) => {
                self.unwatch_sources(&key);
                let mut wakes = self.refresh_dependents(&key);
                wakes.push(Wake::Reopen(key));
                wakes
            }
        }
    }

    /// What a validation starts from. Whatever changed counts as heeded from here on.
    pub fn begin_store(&mut self, key: &StoreKey) -> Option<StoreEntry> {
        let store = self.stores.get_mut(key)?;
        let begun = store.clone();
        store.is_reopened = false;
        Some(begun)
    }

    /// Takes note of a validation, and answers how many in a row failed, or could not be told.
    pub fn validated(&mut self, key: &StoreKey, checked: Checked) -> u32 {
        let Some(store) = self.stores.get_mut(key) else { return 0 };
        store.secret_id = checked.secret_id;
        store.failures = if checked.is_ok { 0 } else { store.failures.saturating_add(1) };
        store.is_down = checked.is_down;
        store.well = checked.is_ok.then_some(checked.generation);
        store.told = Some(checked.told);
        match checked.status {
            Some(status) => (store.status, store.unwritten) = (Arc::new(status), 0),
            None => store.unwritten = store.unwritten.saturating_add(1),
        }
        store.failures.max(store.unwritten)
    }

    /// Something that a store depends on changed. False where there is no such store any more.
    pub fn reopen(&mut self, key: &StoreKey) -> bool {
        let store = self.stores.get_mut(key);
        store.map(|store| store.is_reopened = true).is_some()
    }

    /// A store is gone.
    pub fn remove_store(&mut self, key: &StoreKey) -> Vec<Wake> {
        self.stores.remove(key);
        self.unwatch_sources(key);
        vec![Wake::Reopen(key.clone())]
    }

    /// A store, if there is one of that name.
    pub fn store(&self, key: &StoreKey) -> Option<&StoreEntry> {
        self.stores.get(key)
    }

    /// The group of the queue of stores that one belongs to: its server.
    pub fn group_of_store(&self, key: &StoreKey) -> u64 {
        self.stores.get(key).map_or(0, StoreEntry::group)
    }

    /// Every store.
    pub fn stores(&self) -> impl Iterator<Item = (&StoreKey, &StoreEntry)> {
        self.stores.iter()
    }

    /// The group of the queue that an ExternalSecret belongs to: the server of its first store; 0 where that is not known.
    pub fn group_of(&self, id: Id) -> u64 {
        let store = self.external_secrets.get(&id).and_then(|entry| entry.stores.first());
        store.and_then(|store| self.stores.get(store)).map_or(0, StoreEntry::group)
    }

    fn store_epoch(&mut self, kind: StoreKind) -> &mut u32 {
        match kind {
            StoreKind::SecretStore => &mut self.epochs.secret_stores,
            StoreKind::ClusterSecretStore => &mut self.epochs.cluster_secret_stores,
        }
    }
}

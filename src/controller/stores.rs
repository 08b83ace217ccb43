//! Stores in use: each opened once, with the session that its ExternalSecrets share.

use crate::api::{KvVersion as DeclaredVersion, SecretStoreSpec, VaultProvider};
use crate::controller::api_secrets::Secrets;
use crate::controller::connection::{connection, depends_on_referent};
use crate::controller::demand::Demand;
use crate::controller::error::StoreError;
use crate::controller::index::StoreEntry;
use crate::controller::key::StoreKey;
use crate::controller::references::{References, Scope};
use crate::controller::settings::Settings;
use crate::controller::shared::SharedIndex;
use crate::sync::conditions::{self, Admission, ConditionsError};
use crate::vault::{KvVersion, Recovery, Session, Sessions};
use kube::Client;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store that can be read from.
pub struct OpenStore {
    /// The session, shared with all stores of the same identity.
    pub session: Arc<Session>,
    /// The path that the store names: its mount.
    pub path: Option<String>,
    /// The KV version that it names.
    pub version: KvVersion,
}

/// A store as one namespace sees it, where its references depend on that; else with none.
type PlaceKey = (StoreKey, Option<Arc<str>>);

/// Where one store's opening is kept.
#[derive(Default)]
struct Place {
    /// Locked while it is being opened, so that many who need it open it once. What can't be opened is not tried again
    /// for each who asks: whatever mends it is watched, and a check of the store tries all the same.
    open: tokio::sync::Mutex<Option<Opened>>,
    /// Counts the changes of it, and of what it refers to.
    changes: AtomicU64,
}

/// What an opening came to.
struct Opened {
    result: Result<Arc<OpenStore>, StoreError>,
    /// The changes by the time it began: it is stale once there are more. Kept with the result, so that an opening that is
    /// given up on the way leaves what it found as stale as it was.
    changes: u64,
}

/// All stores in use.
pub struct Stores {
    client: Client,
    secrets: Secrets,
    sessions: Sessions,
    index: SharedIndex,
    demand: Arc<Demand>,
    class: String,
    is_namespaced: bool,
    places: Mutex<HashMap<PlaceKey, Arc<Place>>>,
}

impl Stores {
    /// None is open yet. Of `settings` counts the class: only stores of that class, or of none, are the operator's own.
    pub fn new(
        client: Client,
        sessions: Sessions,
        index: SharedIndex,
        demand: Arc<Demand>,
        settings: &Settings,
    ) -> Self {
        let (secrets, class) = (Secrets::new(client.clone()), settings.controller_class.clone());
        let is_namespaced = settings.namespace.is_some();
        Self { client, secrets, sessions, index, demand, class, is_namespaced, places: Mutex::default() }
    }

    /// Whether another operator is in charge of the store.
    pub fn is_foreign(&self, store: &StoreKey) -> bool {
        self.index.lock().store(store).is_some_and(|store| !store.is_of_class(&self.class))
    }

    /// The store as ExternalSecrets of `namespace` use it, opened where it is not yet. Sends nothing to Vault.
    pub async fn open_for(&self, store: &StoreKey, namespace: &Arc<str>) -> Result<Arc<OpenStore>, StoreError> {
        loop {
            let seen = self.seen(store)?;
            let (spec, vault) = self.readable(store, &seen)?;
            if store.namespace.is_none() {
                self.admit(spec, namespace).await?;
            }
            if let Some(opened) = self.open(store, &seen, (spec, vault), Some(namespace)).await {
                return opened;
            }
        }
    }

    /// The store by itself; none where it can only be used from a namespace.
    pub async fn open_alone(&self, store: &StoreKey) -> Result<Option<Arc<OpenStore>>, StoreError> {
        loop {
            let seen = self.seen(store)?;
            let (spec, vault) = self.readable(store, &seen)?;
            if store.namespace.is_none() {
                conditions::check(&spec.conditions)?;
            }
            if store.namespace.is_none() && depends_on_referent(vault) {
                self.close_other_form(store, true);
                return Ok(None);
            }
            if let Some(opened) = self.open(store, &seen, (spec, vault), None).await {
                return opened.map(Some);
            }
        }
    }

    /// Has a store opened anew when it is needed next, because it or something it refers to changed. The session stays
    /// open until then: where the credentials' values turn out to be the same, it goes on.
    pub fn refresh(&self, store: &StoreKey) {
        for (_, place) in self.places.lock().iter().filter(|((key, _), _)| key == store) {
            place.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Closes a store that is gone. Syncs that are under way end with what they have.
    pub fn close(&self, store: &StoreKey) {
        self.places.lock().retain(|(key, _), _| key != store);
    }

    /// Closes what a ClusterSecretStore has open for namespaces that are not among these any more.
    pub fn close_others(&self, store: &StoreKey, namespaces: &BTreeSet<Arc<str>>) {
        let mut left = BTreeSet::new();
        self.places.lock().retain(|(key, namespace), _| {
            let namespace = namespace.as_ref().filter(|_| key == store);
            let is_left = namespace.filter(|namespace| !namespaces.contains(*namespace));
            left.extend(is_left.cloned());
            is_left.is_none()
        });
        if !left.is_empty() {
            self.index.lock().unwatch_namespaces(store, &left);
            // References that name one of these namespaces are watched again when they are read again.
            self.refresh(store);
        }
    }

    /// The open stores that a recovery concerns; all where it is not known what recovered.
    pub fn recovered(&self, recovery: Option<&Recovery>) -> BTreeSet<StoreKey> {
        let concerns = |place: &Place| {
            let Some(recovery) = recovery else { return true };
            // While it is being opened, nobody knows yet.
            let Ok(opened) = place.open.try_lock() else { return true };
            let open = opened.as_ref().and_then(|opened| opened.result.as_ref().ok());
            open.is_some_and(|open| match recovery {
                Recovery::Server(server) => open.session.server() == server,
                Recovery::Session(session) => open.session.id() == *session,
            })
        };
        let places = self.places.lock();
        places.iter().filter(|(_, place)| concerns(place)).map(|((store, _), _)| store.clone()).collect()
    }

    /// The store as the watch has it.
    fn seen(&self, store: &StoreKey) -> Result<StoreEntry, StoreError> {
        let missing = match store.namespace {
            None if self.is_namespaced => StoreError::OutOfSight,
            _ => StoreError::NotFound,
        };
        self.index.lock().store(store).cloned().ok_or(missing)
    }

    /// Its spec, and that of its Vault. One that has none, or none that can be read, has no use for what it had open.
    fn readable<'a>(
        &self,
        store: &StoreKey,
        seen: &'a StoreEntry,
    ) -> Result<(&'a SecretStoreSpec, &'a VaultProvider), StoreError> {
        let spec = seen.spec.as_ref().as_ref().map_err(|error| StoreError::from(error.clone()));
        let readable = spec.and_then(|spec| vault(spec).map(|vault| (spec, vault)));
        readable.inspect_err(|_| self.close(store))
    }

    async fn admit(&self, spec: &SecretStoreSpec, namespace: &str) -> Result<(), StoreError> {
        let mut admission = self.admission(spec, namespace)?;
        if admission == Admission::NeedsLabels {
            self.demand.namespaces.ready().await;
            admission = self.admission(spec, namespace)?;
        }
        let namespace = namespace.to_owned();
        match admission {
            Admission::Admitted => Ok(()),
            Admission::Refused => Err(StoreError::NotAdmitted { namespace }),
            Admission::NeedsLabels => Err(StoreError::LabelsUnknown { namespace }),
        }
    }

    fn admission(&self, spec: &SecretStoreSpec, namespace: &str) -> Result<Admission, ConditionsError> {
        let index = self.index.lock();
        conditions::admit(&spec.conditions, namespace, index.namespace_labels(namespace))
    }

    /// None where the store was edited or deleted meanwhile: it is to be looked at again.
    async fn open(
        &self,
        store: &StoreKey,
        seen: &StoreEntry,
        (spec, vault): (&SecretStoreSpec, &VaultProvider),
        namespace: Option<&Arc<str>>,
    ) -> Option<Result<Arc<OpenStore>, StoreError>> {
        let scope = match &store.namespace {
            Some(own) => Scope::Own(own.clone()),
            None => Scope::Any { referent: namespace.filter(|_| depends_on_referent(vault)).cloned() },
        };
        let referent = match &scope {
            Scope::Any { referent } => referent.clone(),
            Scope::Own(_) => None,
        };
        let mut opening = Opening { stores: self, store, seen, has_read: false };
        let place = self.places.lock().entry((store.clone(), referent.clone())).or_default().clone();
        let mut open = place.open.lock().await;
        let changes = place.changes.load(Ordering::Acquire);
        if !opening.is_current() {
            return None;
        }
        let is_check = namespace.is_none();
        let known = open.as_ref().filter(|known| known.changes == changes);
        if let Some(known) = known.filter(|known| known.result.is_ok() || !is_check) {
            return Some(known.result.clone());
        }
        self.close_other_form(store, referent.is_some());
        opening.has_read = true;
        let (client, secrets, index, demand) = (&self.client, &self.secrets, &self.index, &*self.demand);
        let references = References { client, secrets, index, demand, store, scope, read: Mutex::default() };
        let result = self.session(spec, vault, &references).await.map(Arc::new);
        if !opening.is_current() {
            return None;
        }
        // The API server's trouble says nothing about the credentials: the session goes on, and they are read again.
        if !result.as_ref().is_err_and(StoreError::is_api_server) {
            // What was open before is dropped only now: its session may be the same.
            *open = Some(Opened { result: result.clone(), changes });
        }
        Some(result)
    }

    /// A ClusterSecretStore is open once, or once for each namespace: an edit that takes it from one to the other leaves
    /// places that nobody asks for any more.
    fn close_other_form(&self, store: &StoreKey, has_referent: bool) {
        if store.namespace.is_none() {
            self.places.lock().retain(|(key, namespace), _| key != store || namespace.is_some() == has_referent);
        }
    }

    async fn session(
        &self,
        spec: &SecretStoreSpec,
        vault: &VaultProvider,
        references: &References<'_>,
    ) -> Result<OpenStore, StoreError> {
        let connection = connection(spec, vault, references).await?;
        let version = match vault.version {
            DeclaredVersion::V1 => KvVersion::V1,
            DeclaredVersion::V2 => KvVersion::V2,
        };
        let session = self.sessions.open(connection)?;
        session.retry_credential();
        Ok(OpenStore { session, path: vault.path.clone(), version })
    }
}

/// An opening of a store as it was seen. While it runs, the store may be edited or deleted, and what it enters then, for
/// the store as it was, would stay.
struct Opening<'a> {
    stores: &'a Stores,
    store: &'a StoreKey,
    seen: &'a StoreEntry,
    /// It has begun to read what the store refers to.
    has_read: bool,
}

impl Opening<'_> {
    /// Whether the store is still the one that was seen.
    fn is_current(&self) -> bool {
        self.stores.index.lock().store(self.store).is_some_and(|now| now.is_same_spec(self.seen))
    }
}

impl Drop for Opening<'_> {
    /// Takes back what was entered for a store that is not there any more as it was; also where the opening is given up on
    /// the way.
    fn drop(&mut self) {
        let mut index = self.stores.index.lock();
        let now = index.store(self.store).map(|now| now.is_same_spec(self.seen));
        if now == Some(true) || now == Some(false) && !self.has_read {
            return;
        }
        index.unwatch_sources(self.store);
        drop(index);
        match now {
            // What it refers to now is watched again when it is read again.
            Some(_) => self.stores.refresh(self.store),
            None => self.stores.close(self.store),
        }
    }
}

fn vault(spec: &SecretStoreSpec) -> Result<&VaultProvider, StoreError> {
    let provider = || spec.provider.foreign().unwrap_or("none").to_owned();
    spec.provider.vault().ok_or_else(|| StoreError::NotVault { provider: provider() })
}

#[cfg(test)]
#[path = "stores_tests.rs"]
mod tests;

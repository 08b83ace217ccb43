//! Stores in use: each opened once, with the session that its ExternalSecrets share.

use crate::api::{KvVersion as DeclaredVersion, SecretStoreSpec, VaultProvider};
use crate::controller::api_secrets::Secrets;
use crate::controller::connection::{connection, depends_on_referent};
use crate::controller::demand::Demand;
use crate::controller::error::StoreError;
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
use std::sync::atomic::{AtomicBool, Ordering};

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
    open: tokio::sync::Mutex<Option<Result<Arc<OpenStore>, StoreError>>>,
    /// It, or something it refers to, changed since.
    is_stale: AtomicBool,
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
        let spec = self.spec(store)?;
        let spec = spec.as_ref().as_ref().map_err(Clone::clone)?;
        if store.namespace.is_none() {
            self.admit(spec, namespace).await?;
        }
        self.open(store, spec, Some(namespace)).await
    }

    /// The store by itself; none where it can only be used from a namespace.
    pub async fn open_alone(&self, store: &StoreKey) -> Result<Option<Arc<OpenStore>>, StoreError> {
        let spec = self.spec(store)?;
        let spec = spec.as_ref().as_ref().map_err(Clone::clone)?;
        if store.namespace.is_none() {
            conditions::check(&spec.conditions)?;
        }
        if store.namespace.is_none() && depends_on_referent(vault(spec)?) {
            return Ok(None);
        }
        self.open(store, spec, None).await.map(Some)
    }

    /// Has a store opened anew when it is needed next, because it or something it refers to changed. The session stays
    /// open until then: where the credentials' values turn out to be the same, it goes on.
    pub fn refresh(&self, store: &StoreKey) {
        for (_, place) in self.places.lock().iter().filter(|((key, _), _)| key == store) {
            place.is_stale.store(true, Ordering::Release);
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
        let concerns = |place: &Place| match (recovery, place.open.try_lock().as_deref()) {
            (None, _) => true,
            (Some(Recovery::Server(server)), Ok(Some(Ok(open)))) => open.session.server() == server,
            (Some(Recovery::Session(session)), Ok(Some(Ok(open)))) => open.session.id() == *session,
            (_, Ok(_)) => false,
            // It is being opened: nobody knows yet.
            (_, Err(_)) => true,
        };
        let places = self.places.lock();
        places.iter().filter(|(_, place)| concerns(place)).map(|((store, _), _)| store.clone()).collect()
    }

    fn spec(&self, store: &StoreKey) -> Result<Arc<Result<SecretStoreSpec, crate::api::DecodeError>>, StoreError> {
        let missing = match store.namespace {
            None if self.is_namespaced => StoreError::OutOfSight,
            _ => StoreError::NotFound,
        };
        self.index.lock().store(store).map(|entry| entry.spec.clone()).ok_or(missing)
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

    async fn open(
        &self,
        store: &StoreKey,
        spec: &SecretStoreSpec,
        namespace: Option<&Arc<str>>,
    ) -> Result<Arc<OpenStore>, StoreError> {
        let vault = vault(spec)?;
        let scope = match &store.namespace {
            Some(own) => Scope::Own(own.clone()),
            None => Scope::Any { referent: namespace.filter(|_| depends_on_referent(vault)).cloned() },
        };
        let referent = match &scope {
            Scope::Any { referent } => referent.clone(),
            Scope::Own(_) => None,
        };
        let place = self.places.lock().entry((store.clone(), referent)).or_default().clone();
        let mut open = place.open.lock().await;
        let is_stale = place.is_stale.swap(false, Ordering::AcqRel);
        let is_check = namespace.is_none();
        if let Some(known) = open.as_ref().filter(|known| !is_stale && (known.is_ok() || !is_check)) {
            return known.clone();
        }
        let (client, secrets, index, demand) = (&self.client, &self.secrets, &self.index, &*self.demand);
        let references = References { client, secrets, index, demand, store, scope };
        match self.session(spec, vault, &references).await {
            Ok(opened) => {
                let opened = Arc::new(opened);
                // What was open before is dropped only now: its session may be the same.
                *open = Some(Ok(opened.clone()));
                Ok(opened)
            }
            // The API server's trouble says nothing about the credentials: the session goes on, and they are read again.
            Err(error) if error.is_api_server() => {
                place.is_stale.fetch_or(is_stale, Ordering::AcqRel);
                Err(error)
            }
            Err(error) => {
                *open = Some(Err(error.clone()));
                Err(error)
            }
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

fn vault(spec: &SecretStoreSpec) -> Result<&VaultProvider, StoreError> {
    let provider = || spec.provider.foreign().unwrap_or("none").to_owned();
    spec.provider.vault().ok_or_else(|| StoreError::NotVault { provider: provider() })
}

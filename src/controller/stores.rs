//! Stores in use: each opened once, with the session that its ExternalSecrets share.

use crate::api::{KvVersion as DeclaredVersion, SecretStoreSpec, StoreKind};
use crate::controller::api_secrets::Secrets;
use crate::controller::connection;
use crate::controller::error::StoreError;
use crate::controller::key::StoreKey;
use crate::controller::references::{References, Scope};
use crate::controller::shared::SharedIndex;
use crate::vault::{KvVersion, Recovery, Session, Sessions};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// A store that can be read from.
pub struct OpenStore {
    /// The session, shared with all stores of the same identity.
    pub session: Arc<Session>,
    /// The path that the store names: its mount.
    pub path: Option<String>,
    /// The KV version that it names.
    pub version: KvVersion,
}

/// Where one store's opening is kept; locked while it is being opened, so that many who need it open it once.
type Place = Arc<tokio::sync::Mutex<Option<Arc<OpenStore>>>>;

/// All stores in use.
pub struct Stores {
    secrets: Secrets,
    sessions: Sessions,
    index: SharedIndex,
    class: String,
    places: Mutex<HashMap<StoreKey, Place>>,
}

impl Stores {
    /// None is open yet. `class` is the operator's: only stores of that class, or of none, are its own.
    pub fn new(secrets: Secrets, sessions: Sessions, index: SharedIndex, class: String) -> Self {
        Self { secrets, sessions, index, class, places: Mutex::default() }
    }

    /// Whether another operator is in charge of the store.
    pub fn is_foreign(&self, store: &StoreKey) -> bool {
        let index = self.index.lock();
        let spec = index.store(store).and_then(|entry| entry.spec.as_ref().as_ref().ok());
        let class = spec.and_then(|spec| spec.controller.as_deref()).filter(|class| !class.is_empty());
        class.is_some_and(|class| class != self.class)
    }

    /// The store, opened where it is not yet. Sends nothing to Vault.
    pub async fn open(&self, store: &StoreKey) -> Result<Arc<OpenStore>, StoreError> {
        let place = self.places.lock().entry(store.clone()).or_default().clone();
        let mut place = place.lock().await;
        if let Some(open) = place.as_ref() {
            return Ok(open.clone());
        }
        let spec = self.index.lock().store(store).map(|entry| entry.spec.clone()).ok_or(StoreError::NotFound)?;
        let open = Arc::new(self.connect(store, spec.as_ref().as_ref().map_err(Clone::clone)?).await?);
        *place = Some(open.clone());
        Ok(open)
    }

    /// Forgets how a store was opened, because it or a credential of it changed, or it is gone. Syncs that are under way
    /// end with what they have.
    pub fn close(&self, store: &StoreKey) {
        self.places.lock().remove(store);
    }

    /// The open stores that a recovery concerns; all where it is not known which recovered.
    pub fn recovered(&self, recovery: Option<&Recovery>) -> Vec<StoreKey> {
        let concerns = |place: &Place| match (recovery, place.try_lock().as_deref()) {
            (None | Some(Recovery::Session(_)), _) => true,
            (Some(Recovery::Server(server)), Ok(Some(open))) => open.session.server() == server,
            (Some(Recovery::Server(_)), _) => false,
        };
        let places = self.places.lock();
        places.iter().filter(|(_, place)| concerns(place)).map(|(store, _)| store.clone()).collect()
    }

    async fn connect(&self, store: &StoreKey, spec: &SecretStoreSpec) -> Result<OpenStore, StoreError> {
        let Some(namespace) = store.namespace.clone() else {
            return Err(StoreError::NotBuilt {
                field: StoreKind::ClusterSecretStore.as_str(),
                advice: "use a SecretStore in each namespace",
            });
        };
        let Some(vault) = spec.provider.vault() else {
            let provider = spec.provider.foreign().unwrap_or("none").to_owned();
            return Err(StoreError::NotVault { provider });
        };
        let references =
            References { secrets: &self.secrets, index: &self.index, store, scope: Scope::Namespace(namespace) };
        let connection = connection::connection(spec, vault, &references).await?;
        Ok(OpenStore {
            session: self.sessions.open(connection)?,
            path: vault.path.clone(),
            version: match vault.version {
                DeclaredVersion::V1 => KvVersion::V1,
                DeclaredVersion::V2 => KvVersion::V2,
            },
        })
    }
}

//! How objects are named inside the operator.

use crate::api::{StoreKind, StoreRef};
use std::fmt;
use std::sync::Arc;

/// A namespaced object's name. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The object `name` in `namespace`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A store's name: a SecretStore with its namespace, or a ClusterSecretStore without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey {
    /// The namespace of a SecretStore; none for a ClusterSecretStore.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

impl StoreKey {
    /// The store that a reference in an ExternalSecret of `namespace` means.
    pub fn referred(store: &StoreRef, namespace: &Arc<str>) -> Self {
        let namespace = match store.kind() {
            StoreKind::SecretStore => Some(namespace.clone()),
            StoreKind::ClusterSecretStore => None,
        };
        Self { namespace, name: store.name.as_str().into() }
    }

    /// Which of the two kinds it is.
    pub fn kind(&self) -> StoreKind {
        match self.namespace {
            Some(_) => StoreKind::SecretStore,
            None => StoreKind::ClusterSecretStore,
        }
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind().as_str(), self.name)
    }
}

/// An ExternalSecret inside the process: small, and never used twice, so a stale one finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(super) u32);

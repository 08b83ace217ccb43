//! The one resolver of references from a store: every credential and certificate it names is read here, and nowhere can a
//! reference leave the namespaces that it may use.

use crate::api::SecretKeySelector;
use crate::controller::api_secrets::Secrets;
use crate::controller::error::ReferenceError;
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::shared::SharedIndex;
use secrecy::SecretString;
use std::sync::Arc;

/// Where the references of a store may lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A SecretStore: its own namespace.
    Namespace(Arc<str>),
}

/// Reads what one store refers to.
pub struct References<'a> {
    /// Reads the Secrets.
    pub secrets: &'a Secrets,
    /// Is told of each Secret before it is read, so that its changes wake the store.
    pub index: &'a SharedIndex,
    /// The store.
    pub store: &'a StoreKey,
    /// Where its references may lead.
    pub scope: Scope,
}

impl References<'_> {
    /// The text at a key of a Secret.
    pub async fn text(&self, selector: &SecretKeySelector) -> Result<SecretString, ReferenceError> {
        let (secret, key) = self.resolve(selector)?;
        self.index.lock().watch_credential(secret.clone(), self.store);
        let Some(standing) = self.secrets.get(&secret, "").await? else {
            return Err(ReferenceError::NoSecret { secret });
        };
        let Some(value) = standing.data.get(key) else {
            return Err(ReferenceError::NoKey { secret, key: key.to_owned() });
        };
        match std::str::from_utf8(value) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(_) => Err(ReferenceError::NotText { secret, key: key.to_owned() }),
        }
    }

    fn resolve<'s>(&self, selector: &'s SecretKeySelector) -> Result<(ObjectKey, &'s str), ReferenceError> {
        let namespace = self.namespace(selector.namespace.as_deref())?;
        let key = selector.key.as_deref().filter(|key| !key.is_empty());
        match key {
            _ if selector.name.is_empty() => Err(ReferenceError::Incomplete { part: "name" }),
            None => Err(ReferenceError::Incomplete { part: "key" }),
            Some(key) => Ok((ObjectKey::new(namespace, selector.name.as_str()), key)),
        }
    }

    /// The namespace that a reference means.
    fn namespace(&self, named: Option<&str>) -> Result<Arc<str>, ReferenceError> {
        let Scope::Namespace(own) = &self.scope;
        match named.filter(|named| !named.is_empty()) {
            Some(named) if named != &**own => {
                Err(ReferenceError::ForeignNamespace { namespace: named.to_owned(), own: own.to_string() })
            }
            _ => Ok(own.clone()),
        }
    }
}

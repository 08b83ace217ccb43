//! The one resolver of references from a store: every credential and certificate it names is read here, and nowhere can a
//! reference leave the namespaces that it may use.

use crate::api::{CaProvider, CaProviderType, SecretKeySelector, ServiceAccountSelector};
use crate::controller::api_secrets::Secrets;
use crate::controller::demand::Demand;
use crate::controller::error::{ApiServerError, ReferenceError};
use crate::controller::index::SourceKind;
use crate::controller::key::{ObjectKey, StoreKey};
use crate::controller::service_account::Account;
use crate::controller::shared::SharedIndex;
use crate::sync::secret::Standing;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::{Api, Client};
use parking_lot::Mutex;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::Arc;

/// Where the references of a store may lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A SecretStore: its own namespace.
    Own(Arc<str>),
    /// A ClusterSecretStore: whichever namespace a reference names, and that of the ExternalSecret where it names none.
    Any {
        /// The namespace of the ExternalSecret; none where the store is looked at by itself.
        referent: Option<Arc<str>>,
    },
}

impl Scope {
    /// The namespace that a reference means.
    pub fn namespace(&self, named: Option<&str>) -> Result<Arc<str>, ReferenceError> {
        let named = named.filter(|named| !named.is_empty());
        match (self, named) {
            (Self::Own(own), Some(named)) if named != &**own => {
                Err(ReferenceError::ForeignNamespace { namespace: named.to_owned(), own: own.to_string() })
            }
            (Self::Own(own), _) => Ok(own.clone()),
            (Self::Any { .. }, Some(named)) => Ok(named.into()),
            (Self::Any { referent }, None) => referent.clone().ok_or(ReferenceError::NoReferent),
        }
    }
}

/// Reads what one store refers to.
pub struct References<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Its Secrets.
    pub secrets: &'a Secrets,
    /// Is told of each Secret and ConfigMap before it is read, so that its changes wake the store.
    pub index: &'a SharedIndex,
    /// Starts the watches of ConfigMaps and ServiceAccounts where one is referred to.
    pub demand: &'a Demand,
    /// The store.
    pub store: &'a StoreKey,
    /// Where its references may lead.
    pub scope: Scope,
    /// The Secrets that were read. One that is rotated while the store is opened must not give a certificate with the key
    /// of another, or a role id with a secret id of another.
    pub read: Mutex<HashMap<ObjectKey, Arc<Standing>>>,
}

impl References<'_> {
    /// The text at a key of a Secret.
    pub async fn text(&self, selector: &SecretKeySelector) -> Result<SecretString, ReferenceError> {
        let key = complete(&selector.name, selector.key.as_deref())?;
        let secret = ObjectKey::new(self.scope.namespace(selector.namespace.as_deref())?, selector.name.as_str());
        self.secret_text(secret, key).await
    }

    /// The certificates at a key of a Secret or ConfigMap, PEM.
    pub async fn certificates(&self, provider: &CaProvider) -> Result<Vec<u8>, ReferenceError> {
        use secrecy::ExposeSecret;
        let key = complete(&provider.name, provider.key.as_deref())?;
        let object = ObjectKey::new(self.scope.namespace(provider.namespace.as_deref())?, provider.name.as_str());
        match provider.type_ {
            CaProviderType::Secret => {
                self.secret_text(object, key).await.map(|text| text.expose_secret().as_bytes().to_vec())
            }
            CaProviderType::ConfigMap => self.config_map_text(object, key).await.map(String::into_bytes),
        }
    }

    /// The ServiceAccount that a reference means. Its creation and deletion wake the store.
    pub async fn service_account(&self, selector: &ServiceAccountSelector) -> Result<Account, ReferenceError> {
        if selector.name.is_empty() {
            return Err(ReferenceError::Incomplete { part: "name" });
        }
        let account = ObjectKey::new(self.scope.namespace(selector.namespace.as_deref())?, selector.name.as_str());
        self.index.lock().watch_source(SourceKind::ServiceAccount, account.clone(), self.store);
        self.demand.service_accounts.start();
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
        let failed = |error: kube::Error| ApiServerError::new("read", "ServiceAccount", &account, &error);
        let uid = match api.get_metadata_opt(&account.name).await.map_err(failed)? {
            Some(found) => found.metadata.uid.unwrap_or_default(),
            None => return Err(ReferenceError::NotFound { kind: "ServiceAccount", object: account }),
        };
        Ok(Account { key: account, uid })
    }

    async fn secret_text(&self, secret: ObjectKey, key: &str) -> Result<SecretString, ReferenceError> {
        let standing = self.secret(&secret).await?;
        let Some(value) = standing.data.get(key) else {
            return Err(ReferenceError::NoKey { kind: "Secret", object: secret, key: key.to_owned() });
        };
        match std::str::from_utf8(value) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(_) => Err(ReferenceError::NotText { secret, key: key.to_owned() }),
        }
    }

    async fn secret(&self, secret: &ObjectKey) -> Result<Arc<Standing>, ReferenceError> {
        if let Some(known) = self.read.lock().get(secret) {
            return Ok(known.clone());
        }
        self.index.lock().watch_source(SourceKind::Secret, secret.clone(), self.store);
        let Some(standing) = self.secrets.get(secret, "").await? else {
            return Err(ReferenceError::NotFound { kind: "Secret", object: secret.clone() });
        };
        let standing = Arc::new(standing);
        self.read.lock().insert(secret.clone(), standing.clone());
        Ok(standing)
    }

    async fn config_map_text(&self, object: ObjectKey, key: &str) -> Result<String, ReferenceError> {
        self.index.lock().watch_source(SourceKind::ConfigMap, object.clone(), self.store);
        self.demand.config_maps.ready().await;
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &object.namespace);
        let failed = |error: kube::Error| ApiServerError::new("read", "ConfigMap", &object, &error);
        let Some(found) = api.get_opt(&object.name).await.map_err(failed)? else {
            return Err(ReferenceError::NotFound { kind: "ConfigMap", object });
        };
        let text = found.data.unwrap_or_default().remove(key);
        text.ok_or_else(|| ReferenceError::NoKey { kind: "ConfigMap", object, key: key.to_owned() })
    }
}

fn complete<'k>(name: &str, key: Option<&'k str>) -> Result<&'k str, ReferenceError> {
    match key.filter(|key| !key.is_empty()) {
        _ if name.is_empty() => Err(ReferenceError::Incomplete { part: "name" }),
        None => Err(ReferenceError::Incomplete { part: "key" }),
        Some(key) => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_store_never_leaves_its_namespace() {
        let scope = Scope::Own("team".into());
        assert_eq!(&*scope.namespace(None).unwrap(), "team");
        assert_eq!(&*scope.namespace(Some("")).unwrap(), "team");
        assert_eq!(&*scope.namespace(Some("team")).unwrap(), "team");
        let error = scope.namespace(Some("other")).unwrap_err();
        assert!(matches!(error, ReferenceError::ForeignNamespace { .. }));
        assert!(error.to_string().contains("\"other\""), "{error}");
    }

    #[test]
    fn a_cluster_store_means_the_referents_namespace_where_it_names_none() {
        let scope = Scope::Any { referent: Some("team".into()) };
        assert_eq!(&*scope.namespace(None).unwrap(), "team");
        assert_eq!(&*scope.namespace(Some("vault")).unwrap(), "vault");
        let alone = Scope::Any { referent: None };
        assert!(matches!(alone.namespace(None), Err(ReferenceError::NoReferent)));
    }
}

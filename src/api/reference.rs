//! References from one object to another.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Which kind of store a [`StoreRef`] names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StoreKind {
    /// A store in the ExternalSecret's own namespace.
    #[default]
    SecretStore,
    /// A store for the whole cluster.
    ClusterSecretStore,
}

impl StoreKind {
    /// The kind as it stands in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretStore => super::names::KIND_SECRET_STORE,
            Self::ClusterSecretStore => super::names::KIND_CLUSTER_SECRET_STORE,
        }
    }
}

/// Names the store that values come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreRef {
    /// Name of the store, for example `vault-store`. A SecretStore is looked for in the ExternalSecret's own namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// `SecretStore` (also where this is absent) or `ClusterSecretStore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "StoreKind")]
    pub kind: Option<StoreKind>,
}

impl StoreRef {
    /// The kind that is meant, `SecretStore` where none is written.
    pub fn kind(&self) -> StoreKind {
        self.kind.unwrap_or_default()
    }
}

/// Where the values of one entry come from, when it isn't the ExternalSecret's own store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "((has(self.storeRef) && has(self.storeRef.name)) ? 1 : 0) + (has(self.generatorRef) ? 1 : 0) == 1"
    ).message("set exactly one of storeRef (with a name) and generatorRef"))]
pub struct SourceRef {
    /// The store of this entry, in place of `spec.secretStoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<StoreRef>,
    /// A generator, an object that makes values instead of reading them. Kept for manifests from External Secrets
    /// Operator; external-secrets-rs has no generators and says so in the Ready condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

impl SourceRef {
    /// The store that this names, if it names one.
    pub fn store(&self) -> Option<&StoreRef> {
        self.store_ref.as_ref().filter(|store| !store.name.is_empty())
    }
}

/// Names a generator, an object that makes values instead of reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorRef {
    /// API version of the generator, `generators.external-secrets.io/v1alpha1` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the generator, for example `Password`.
    pub kind: String,
    /// Name of the generator.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// Names one key of a Kubernetes Secret, where a credential stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeySelector {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace of the Secret. A SecretStore reads its own namespace only; in a ClusterSecretStore, absent means the
    /// namespace of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// Key in the Secret's data, for example `secret-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::data_key")]
    pub key: Option<String>,
}

/// Names a ServiceAccount, for which a short-lived token is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountSelector {
    /// Name of the ServiceAccount.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace of the ServiceAccount. A SecretStore uses its own namespace only; in a ClusterSecretStore, absent means
    /// the namespace of the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// Audiences the token is made for, for example `["vault"]`; Vault compares them with its role's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub audiences: Vec<String>,
}

/// What kind of object a [`CaProvider`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CaProviderType {
    /// The certificates stand in a Secret.
    Secret,
    /// The certificates stand in a ConfigMap.
    ConfigMap,
}

/// Where the certificates stand that Vault's own certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaProvider {
    /// `Secret` or `ConfigMap`.
    #[serde(rename = "type")]
    pub type_: CaProviderType,
    /// Name of the Secret or ConfigMap.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Key in it that holds the certificates (PEM), for example `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::data_key")]
    pub key: Option<String>,
    /// Its namespace. A SecretStore reads its own namespace only; in a ClusterSecretStore, absent means the namespace of
    /// the ExternalSecret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
}

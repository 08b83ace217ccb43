//! The stores: SecretStore for one namespace, ClusterSecretStore for all. Both have the same spec and status.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    condition::Condition,
    duration::{GoDuration, SecondsOrDuration},
    vault::VaultProvider,
};

/// How a store is reached.
#[allow(clippy::duplicated_attributes, reason = "columns of the same type are no duplicates")]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "SecretStore",
    plural = "secretstores",
    namespaced,
    status = "SecretStoreStatus",
    shortname = "ss",
    category = "external-secrets",
    derive = "PartialEq",
    derive = "Default",
    doc = "Says how the ExternalSecrets of its namespace reach Vault or OpenBao: the server, the KV mount and the way to log in.",
    label("external-secrets.io/component", "controller"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Capabilities", type_ = "string", json_path = ".status.capabilities"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status")
)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreSpec {
    /// The operator that is in charge of this store, where there are several: only one started with this
    /// `--controller-class` takes it. Absent, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// What is behind the store; exactly one.
    pub provider: Provider,
    /// How often and how far apart a failed request is tried again within one refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_settings: Option<RetrySettings>,
    /// How often the store is checked, as a duration such as `5m` or a number of seconds; one below a second counts as a
    /// second. Absent or 0, as the operator's `--store-requeue-interval` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<SecondsOrDuration>,
    /// Which namespaces may use a ClusterSecretStore: those that one of these matches. Absent, all. It has no effect on a
    /// SecretStore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub conditions: Vec<StoreCondition>,
}

/// The same for the whole cluster. A type of its own only because the derive makes one kind a type; it reads and writes
/// as a [`SecretStoreSpec`].
#[allow(clippy::duplicated_attributes, reason = "columns of the same type are no duplicates")]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "ClusterSecretStore",
    plural = "clustersecretstores",
    status = "SecretStoreStatus",
    shortname = "css",
    category = "external-secrets",
    derive = "PartialEq",
    derive = "Default",
    doc = "Says how ExternalSecrets of any namespace, or of those its conditions match, reach Vault or OpenBao: the server, the KV mount and the way to log in.",
    label("external-secrets.io/component", "controller"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Capabilities", type_ = "string", json_path = ".status.capabilities"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status")
)]
#[serde(transparent)]
pub struct ClusterSecretStoreSpec(pub SecretStoreSpec);

impl JsonSchema for ClusterSecretStoreSpec {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClusterSecretStoreSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretStoreSpec::json_schema(generator)
    }
}

/// What is behind a store.
///
/// Anything but Vault is kept as it is, unread: a cluster that ran ESO with other providers must lose nothing.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// HashiCorp Vault or OpenBao.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<Box<VaultProvider>>,
    /// OpenBao under the name that ESO 2.9 gives it; the same fields as `vault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openbao: Option<Box<VaultProvider>>,
    /// Other providers by their names, as they were written.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Provider {
    /// The Vault or OpenBao to talk to; None where the store is for another provider.
    pub fn vault(&self) -> Option<&VaultProvider> {
        self.vault.as_deref().or(self.openbao.as_deref())
    }

    /// The name of the first provider that isn't built, for the condition that says so.
    pub fn foreign(&self) -> Option<&str> {
        self.other.keys().next().map(String::as_str)
    }
}

impl fmt::Debug for Provider {
    /// Shows other providers by name alone, for their fields may hold values (ESO's `fake` does).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("vault", &self.vault)
            .field("openbao", &self.openbao)
            .field("other", &self.other.keys())
            .finish()
    }
}

impl JsonSchema for Provider {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Provider".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let describe = |mut schema: Schema, text: &str| {
            schema.insert("description".to_owned(), text.into());
            schema
        };
        let vault = describe(
            VaultProvider::json_schema(generator),
            "HashiCorp Vault or OpenBao, its key/value engine (KV), version 1 or 2.",
        );
        let openbao = describe(
            VaultProvider::json_schema(generator),
            "OpenBao; the same fields as `vault`, and the same as writing `vault`.",
        );
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": { "vault": vault, "openbao": openbao },
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }
}

/// How often and how far apart a failed request is tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetrySettings {
    /// How many times, for example `5`; at most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i32>,
    /// How far apart, for example `10s`; doubled for each further try, and at least 100ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<GoDuration>,
}

/// Which namespaces may use a ClusterSecretStore.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreCondition {
    /// Those with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub namespace_selector: Option<LabelSelector>,
    /// Those with these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 4096),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    pub namespaces: Vec<String>,
    /// Those whose name one of these regular expressions (Go's RE2 syntax) matches, for example `^team-a-.*$`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 4096)))]
    pub namespace_regexes: Vec<String>,
}

/// What became of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStoreStatus {
    /// `Ready` tells whether the store can be used, and if not, why and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// What can be done with the store; `ReadWrite` for Vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The generation of the spec that this status is about; -1 before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

#[cfg(test)]
#[path = "secret_store_tests.rs"]
mod tests;

//! The ExternalSecret: which values are read, and which Secret they make.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    condition::Condition,
    duration::GoDuration,
    policy::{RefreshPolicy, SyncWindowKind, is_default},
    reference::{SourceRef, StoreRef},
    schema,
    source::{DataFrom, RemoteRef},
    target::Target,
};

/// What an ExternalSecret asks for: values from a store, written into one Secret.
#[allow(clippy::duplicated_attributes, reason = "columns of the same type are no duplicates")]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "ExternalSecret",
    plural = "externalsecrets",
    namespaced,
    status = "ExternalSecretStatus",
    shortname = "es",
    category = "external-secrets",
    derive = "PartialEq",
    derive = "Default",
    doc = "Keeps a Kubernetes Secret equal to what Vault or OpenBao holds: names the store to read from, the values to read, and the Secret to write.",
    label("external-secrets.io/component", "controller"),
    selectable = ".spec.secretStoreRef.name",
    selectable = ".spec.secretStoreRef.kind",
    selectable = ".spec.target.name",
    selectable = ".spec.refreshInterval",
    printcolumn(name = "StoreType", type_ = "string", json_path = ".spec.secretStoreRef.kind"),
    printcolumn(name = "Store", type_ = "string", json_path = ".spec.secretStoreRef.name"),
    printcolumn(name = "Refresh Interval", type_ = "string", json_path = ".spec.refreshInterval"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Last Sync", type_ = "date", json_path = ".status.refreshTime")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)"
    ).message("nothing to fetch: set data, dataFrom or both"),
    validation = Rule::new(
        "(has(self.secretStoreRef) && has(self.secretStoreRef.name)) \
         || ((!has(self.data) || self.data.all(d, has(d.sourceRef))) \
         && (!has(self.dataFrom) || self.dataFrom.all(d, has(d.sourceRef))))"
    ).message("no store to read from: set secretStoreRef.name, or a sourceRef on every entry of data and dataFrom")
)]
pub struct ExternalSecretSpec {
    /// The store to read from, unless an entry names one of its own in `sourceRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store_ref: Option<StoreRef>,
    /// The Secret to write. Absent, it is a Secret with the ExternalSecret's own name, owned by it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Target,
    /// When values are read again: `Periodic` (also where this is absent) at every `refreshInterval`; `CreatedOnce` never
    /// after the first time; `OnChange` when the ExternalSecret's spec, labels or annotations change.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refresh_policy: RefreshPolicy,
    /// How long values hold before they are read again, for example `90s`, `15m` or `1h30m`; `1h` where this is absent.
    /// `0` reads them once, and again when the ExternalSecret changes; anything else below a second counts as a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<GoDuration>,
    /// Times in which the periodic refresh may run, or may not. Changes to the ExternalSecret are followed at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_windows: Option<SyncWindows>,
    /// Single values, each under a key of its own. They win over what `dataFrom` brings under the same key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4096))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["secretKey".to_owned()]))]
    pub data: Vec<ExternalSecretData>,
    /// Many values at once: all keys of a secret, or all secrets that match. Later entries win over earlier ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub data_from: Vec<DataFrom>,
}

impl ExternalSecretSpec {
    /// The refresh interval of an ExternalSecret that names none.
    pub const DEFAULT_REFRESH_INTERVAL: GoDuration = GoDuration::from_secs(3600);

    /// The interval that holds, an hour where none is written.
    pub fn refresh_interval(&self) -> GoDuration {
        self.refresh_interval.unwrap_or(Self::DEFAULT_REFRESH_INTERVAL)
    }

    /// The store that an entry reads from: its own, or else the object's. None where neither is named.
    pub fn store_of<'a>(&'a self, source: Option<&'a SourceRef>) -> Option<&'a StoreRef> {
        source
            .and_then(SourceRef::store)
            .or_else(|| self.secret_store_ref.as_ref().filter(|store| !store.name.is_empty()))
    }
}

/// One value and the key it is written under.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.remoteKey) != has(self.remoteRef)").message(
    "set exactly one of remoteKey (\"path#property\") and remoteRef (key, property, …)"
))]
pub struct ExternalSecretData {
    /// Key in the Secret that the value is written under, for example `username`.
    #[schemars(schema_with = "schema::data_key")]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message(
        "must be a key that a Secret can hold: letters, digits, '-', '_' and '.' only, at most 253 of them"
    ))]
    pub secret_key: String,
    /// Where the value is, in one line: the path in Vault, `#`, and the property in it, for example
    /// `database/config#username`. Without `#`, the whole secret as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub remote_key: Option<String>,
    /// Where the value is, in full: use it in place of `remoteKey` where a version, metadata or decoding is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ref: Option<RemoteRef>,
    /// Reads this value from another store than `spec.secretStoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// Times in which the periodic refresh may run, or may not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindows {
    /// `allow`: refresh only while one of the windows is open. `deny`: don't while one of them is.
    pub kind: SyncWindowKind,
    /// The windows; one that is open counts.
    #[schemars(length(min = 1, max = 64))]
    pub windows: Vec<SyncWindow>,
}

/// A time that comes again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncWindow {
    /// When it opens, in UTC: five fields as in cron, for example `0 22 * * 1-5`, or `@daily`, `@every 6h` and such.
    #[schemars(
        length(min = 1, max = 256),
        regex(
            pattern = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$"
        )
    )]
    pub schedule: String,
    /// How long it stays open, for example `8h`.
    pub duration: GoDuration,
}

/// What became of an ExternalSecret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// When values were last read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_time: Option<Time>,
    /// What was last synced: the generation, and a hash of labels and annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_resource_version: Option<String>,
    /// The generation of the spec that this status is about; -1 before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` tells whether the Secret holds what Vault holds, and if not, why and what to do. `Stalled` is there
    /// where only an edit helps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The Secret that a workload binds to, as the Service Binding specification has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The Secret as it was last written, so that a change by others is seen after a restart without reading it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetStatus>,
}

/// The Secret that a workload binds to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Name of the Secret.
    #[serde(default)]
    pub name: String,
}

/// A Secret as it was last written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The Secret's uid.
    pub uid: String,
    /// The Secret's resourceVersion after the write.
    pub resource_version: String,
}

#[cfg(test)]
#[path = "external_secret_tests.rs"]
mod tests;

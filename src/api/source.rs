//! What is read: one value, all keys of a secret, or all secrets that match, and how their keys are rewritten.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::{
        ConversionStrategy, DecodingStrategy, MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, MetadataPolicy,
        NullBytePolicy, is_default,
    },
    reference::SourceRef,
    schema,
};

/// Where a value, or a secret with many, is in Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteRef {
    /// Path of the secret, for example `database/config`. It may name the mount as well (`kv/data/database/config`).
    #[schemars(length(max = 4096))]
    pub key: String,
    /// Which property of the secret: a key, for example `username`, or a path into nested JSON (`hosts.0.name`). Absent,
    /// the whole secret as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub property: Option<String>,
    /// Which version of the secret (KV version 2), for example `3`. Absent, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub version: Option<String>,
    /// `None` (also where this is absent) reads the value; `Fetch` reads Vault's metadata about the secret instead (KV
    /// version 2).
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata_policy: MetadataPolicy,
    /// What a character becomes that a Secret's key can't hold: `_` for `Default` (also where this is absent), its code
    /// as in `_U002f_` for `Unicode`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How the value is decoded before it is written: `None` (also where this is absent), `Base64`, `Base64URL`, or
    /// `Auto`, which decodes what looks like base64 and leaves the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Whether a value may hold NUL bytes: `Ignore` (also where this is absent) writes it, `Fail` makes it an error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub null_byte_policy: NullBytePolicy,
}

/// Many values at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.extract) ? 1 : 0) + (has(self.find) ? 1 : 0) \
     + ((has(self.sourceRef) && has(self.sourceRef.generatorRef)) ? 1 : 0) == 1"
).message("set exactly one of extract, find and sourceRef.generatorRef in each entry of dataFrom"))]
pub struct DataFrom {
    /// All keys of one secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<RemoteRef>,
    /// All secrets that match, each under its own path as the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// Changes keys before they are written; each step works on what the one before it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub rewrite: Vec<Rewrite>,
    /// Reads this entry from another store than `spec.secretStoreRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// Which secrets are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) || has(self.tags) || has(self.path)").message(
    "say what to find: set name.regexp, tags or path (path: \"\" with name.regexp: \".*\" finds everything)"
))]
pub struct Find {
    /// The folder to search, with all below it, for example `team-a`. Absent, the whole mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub path: Option<String>,
    /// Finds secrets by their path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FindName>,
    /// Finds secrets by their custom metadata (KV version 2); each of these must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// What a character becomes that a Secret's key can't hold: `_` for `Default` (also where this is absent), its code
    /// as in `_U002f_` for `Unicode`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How values are decoded before they are written: `None` (also where this is absent), `Base64`, `Base64URL`, or
    /// `Auto`, which decodes what looks like base64 and leaves the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Whether values may hold NUL bytes: `Ignore` (also where this is absent) writes them, `Fail` makes it an error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub null_byte_policy: NullBytePolicy,
}

/// Finds secrets by their path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindName {
    /// A regular expression (Go's RE2 syntax) that the path has to match somewhere, for example `^team-a/.*-db$`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::regexp")]
    pub regexp: Option<String>,
}

/// One step that changes keys; exactly one of the three is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.regexp) ? 1 : 0) + (has(self.transform) ? 1 : 0) + (has(self.merge) ? 1 : 0) == 1"
).message("set exactly one of regexp, transform and merge in each step of rewrite; write several steps in a row"))]
pub struct Rewrite {
    /// Replaces what a regular expression matches in each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// Makes each key anew with a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
    /// Merges the JSON objects that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<RewriteMerge>,
}

/// Replaces what a regular expression matches in each key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewriteRegexp {
    /// The regular expression (Go's RE2 syntax), for example `^team-a/(.*)$`.
    #[schemars(length(max = 4096))]
    pub source: String,
    /// What takes the place of each match; `$1` or `${name}` stand for groups, for example `$1`.
    #[schemars(length(max = 4096))]
    pub target: String,
}

/// Makes each key anew with a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewriteTransform {
    /// A Go template that yields the new key; `.value` is the old one, for example `{{ .value | upper }}`.
    pub template: String,
}

/// Merges the JSON objects that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewriteMerge {
    /// The key that the merged object is written under; needed where `strategy` is `JSON`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub into: String,
    /// Keys in the order of their weight: a later one wins over those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<String>,
    /// What happens where a key of `priority` is missing: `Strict` (also where this is absent) is an error,
    /// `IgnoreNotFound` passes over it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority_policy: MergePriorityPolicy,
    /// What happens where two objects have the same key: `Error` (also where this is absent), or `Ignore`, which lets
    /// the one of higher priority win.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conflict_policy: MergeConflictPolicy,
    /// `Extract` (also where this is absent) makes keys of their own, `JSON` one object under `into`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strategy: MergeStrategy,
}

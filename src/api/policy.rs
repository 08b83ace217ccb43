//! The choices an ExternalSecret makes. Each default is what an absent field means; none stands in the schema, where it
//! would show as drift to GitOps tools.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the target Secret comes to be, and whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CreationPolicy {
    /// Create it, own it (it goes with the ExternalSecret), remove foreign keys.
    #[default]
    Owner,
    /// As `Owner`, but it stays when the ExternalSecret goes.
    Orphan,
    /// Never create it; add keys to a Secret that someone else made.
    Merge,
    /// As `Merge`, but create it where it is missing.
    CreateOrMerge,
    /// Write nothing.
    None,
}

/// What happens to the target when its source is gone from Vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Keep it as it is and report an error.
    #[default]
    Retain,
    /// Drop the missing keys; delete the Secret once all are gone.
    Delete,
    /// Remove the keys that are gone and keep the Secret.
    Merge,
}

/// When values are read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RefreshPolicy {
    /// At every refresh interval.
    #[default]
    Periodic,
    /// Once; afterwards the Secret is left alone.
    CreatedOnce,
    /// Where the ExternalSecret's spec, labels or annotations changed.
    OnChange,
}

/// Whether Vault's metadata about a secret is read instead of its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MetadataPolicy {
    /// Read the value.
    #[default]
    None,
    /// Read the metadata (KV version 2 only).
    Fetch,
}

/// What a key becomes that isn't allowed in a Secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConversionStrategy {
    /// Each character that isn't allowed becomes `_`.
    #[default]
    Default,
    /// Each character that isn't allowed becomes its code, as `_U002f_`.
    Unicode,
}

/// How a value is decoded before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecodingStrategy {
    /// Not at all.
    #[default]
    None,
    /// From standard base64.
    Base64,
    /// From URL-safe base64.
    Base64URL,
    /// From either form of base64 where it is one, else not at all.
    Auto,
}

/// What becomes of a value that holds a NUL byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NullBytePolicy {
    /// It is written as any other.
    #[default]
    Ignore,
    /// It is an error, and nothing is written.
    Fail,
}

/// How rendered templates and the values from Vault go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TemplateMergePolicy {
    /// Only what the template makes is written.
    #[default]
    Replace,
    /// What the template makes is laid over the values.
    Merge,
}

/// Version of the template language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TemplateEngineVersion {
    /// Go templates with Sprig's functions, the only version there is.
    #[default]
    #[serde(rename = "v2")]
    V2,
}

/// What a template in a ConfigMap or Secret yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TemplateScope {
    /// A value; the key is the item's.
    #[default]
    Values,
    /// YAML with keys and values.
    KeysAndValues,
}

/// Which order wins when a merge has the same key twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MergeConflictPolicy {
    /// It is an error, and nothing is written.
    #[default]
    Error,
    /// The one with the higher priority wins.
    Ignore,
}

/// What becomes of a key in a merge's `priority` that isn't there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MergePriorityPolicy {
    /// It is an error, and nothing is written.
    #[default]
    Strict,
    /// It is passed over.
    IgnoreNotFound,
}

/// What a merge makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MergeStrategy {
    /// Keys of their own.
    #[default]
    Extract,
    /// One JSON object under the key `into`.
    #[serde(rename = "JSON")]
    Json,
}

/// Whether sync windows are the times to refresh or the times not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncWindowKind {
    /// Refresh only inside of a window.
    Allow,
    /// Never refresh inside of a window.
    Deny,
}

/// Whether a value is what its absence means, and so needn't be written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

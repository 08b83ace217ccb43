//! The KV secrets engine: where a secret is, and what an answer holds.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Garbled, Gone};
use super::http::Answer;

/// Which KV engine a mount has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KvVersion {
    /// One value a path.
    V1,
    /// Versions, soft deletion and metadata.
    V2,
}

impl fmt::Display for KvVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// Where a KV secret is, already resolved: what follows `/v1/` in the URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KvPath {
    /// What the store says its mount is.
    pub version: KvVersion,
    /// The API path, such as `kv/data/database/config`; unescaped.
    pub path: String,
    /// A version to read instead of the latest; v2 only.
    pub pinned: Option<u64>,
}

impl KvPath {
    /// The latest version at an API path.
    pub fn latest(version: KvVersion, path: impl Into<String>) -> Self {
        Self { version, path: path.into(), pinned: None }
    }
}

/// A secret as it was read. `Debug` prints no value; the text is wiped when dropped.
pub struct KvSecret {
    pub(super) json: SecretString,
    /// The version that answered; v2 only.
    pub version: Option<u64>,
}

impl KvSecret {
    /// The secret's JSON object as the server sent it, so that a number keeps all its digits.
    pub fn json(&self) -> &str {
        self.json.expose_secret()
    }
}

#[cfg(test)]
impl KvSecret {
    /// A secret as if a server had sent it.
    pub(crate) fn of(json: &str) -> Self {
        Self { json: SecretString::from(json), version: None }
    }
}

impl fmt::Debug for KvSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvSecret").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A KV v2 secret's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvMetadata {
    /// What users tagged it with.
    pub custom_metadata: BTreeMap<String, String>,
    /// RFC 3339.
    pub created_time: String,
    /// 0 where no version was ever written.
    pub current_version: u64,
    /// A Go duration; `0s` for never.
    pub delete_version_after: String,
    /// The current version is deleted or destroyed: the path is listed but holds nothing.
    pub current_deleted: bool,
}

/// `{"data": …}`, whatever is in it.
#[derive(Deserialize)]
struct Enveloped<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// `data` of a v2 read.
#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Option<VersionMetadata>,
}

#[derive(Deserialize)]
struct VersionMetadata {
    version: u64,
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

/// The secret in a 200, or why there is none to be trusted.
pub(super) fn secret(answer: &Answer, path: &KvPath) -> Result<KvSecret, Garbled> {
    let enveloped: Enveloped<'_> = answer.json()?;
    let data = enveloped.data.ok_or(Garbled::Null)?;
    match path.version {
        KvVersion::V1 => object(data, None),
        KvVersion::V2 => {
            let versioned: Versioned<'_> = serde_json::from_str(data.get()).map_err(|_| Garbled::Shape)?;
            let metadata = versioned.metadata.ok_or(Garbled::Shape)?;
            if path.pinned.is_some_and(|pinned| pinned != metadata.version) {
                return Err(Garbled::Shape);
            }
            object(versioned.data.ok_or(Garbled::Null)?, Some(metadata.version))
        }
    }
}

fn object(data: &RawValue, version: Option<u64>) -> Result<KvSecret, Garbled> {
    if !data.get().starts_with('{') {
        return Err(Garbled::Shape);
    }
    Ok(KvSecret { json: SecretString::from(data.get()), version })
}

/// What a 404 says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The version is deleted or destroyed; only KV v2 says so.
    Certain(Gone),
    /// `{"errors": []}`: nothing there, if the mount is of the right kind.
    Bare,
    /// The v2 engine was asked by v1's API.
    OtherApi,
    /// No engine is mounted there.
    NoMount,
    /// There is no such Vault namespace.
    NoNamespace,
    /// Not a 404 of Vault's.
    Foreign(Garbled),
}

/// Reads a 404.
pub(super) fn missing(answer: &Answer) -> Missing {
    let enveloped: Result<Enveloped<'_>, _> = answer.json();
    let data = match enveloped {
        Ok(enveloped) => enveloped.data,
        Err(what) => return Missing::Foreign(what),
    };
    let said = answer.said();
    if let Some(data) = data {
        return match serde_json::from_str(data.get()) {
            Ok(Versioned { data: None, metadata: Some(metadata) }) if metadata.destroyed => {
                Missing::Certain(Gone::Destroyed)
            }
            Ok(Versioned { data: None, metadata: Some(metadata) }) if !metadata.deletion_time.is_empty() => {
                Missing::Certain(Gone::Deleted)
            }
            _ => Missing::Foreign(Garbled::Shape),
        };
    }
    if said.warnings.iter().flatten().any(|warning| warning.contains("versioned K/V")) {
        return Missing::OtherApi;
    }
    match said.errors {
        Some(errors) if errors.is_empty() => Missing::Bare,
        Some(errors) if errors.iter().any(|error| error.contains("no handler for route")) => Missing::NoMount,
        Some(errors) if errors.iter().any(|error| error.contains("namespace not found")) => Missing::NoNamespace,
        _ => Missing::Foreign(Garbled::Shape),
    }
}

#[derive(Deserialize)]
struct ListAnswer {
    data: Option<Keys>,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

/// The names in a 200 to a LIST.
pub(super) fn listed(answer: &Answer) -> Result<Vec<String>, Garbled> {
    let list: ListAnswer = answer.json()?;
    list.data.map(|data| data.keys).ok_or(Garbled::Null)
}

#[derive(Deserialize)]
struct MetadataAnswer {
    data: Option<MetadataFields>,
}

#[derive(Deserialize)]
struct MetadataFields {
    custom_metadata: Option<BTreeMap<String, String>>,
    created_time: String,
    current_version: u64,
    #[serde(default)]
    delete_version_after: String,
    #[serde(default)]
    versions: BTreeMap<String, VersionState>,
}

#[derive(Deserialize)]
struct VersionState {
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

impl VersionState {
    /// A `delete_version_after` sets a deletion time that is yet to come.
    fn is_gone(&self, now: jiff::Timestamp) -> bool {
        self.destroyed || self.deletion_time.parse::<jiff::Timestamp>().is_ok_and(|at| at <= now)
    }
}

/// The metadata in a 200.
pub(super) fn metadata(answer: &Answer, now: jiff::Timestamp) -> Result<KvMetadata, Garbled> {
    let fields = answer.json::<MetadataAnswer>()?.data.ok_or(Garbled::Null)?;
    let current = fields.versions.get(&fields.current_version.to_string());
    Ok(KvMetadata {
        current_deleted: current.is_some_and(|state| state.is_gone(now)),
        custom_metadata: fields.custom_metadata.unwrap_or_default(),
        created_time: fields.created_time,
        current_version: fields.current_version,
        delete_version_after: fields.delete_version_after,
    })
}

#[cfg(test)]
#[path = "kv_tests.rs"]
mod tests;

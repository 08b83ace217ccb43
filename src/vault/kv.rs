//! The KV secrets engine: where a secret is, and what an answer holds.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

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

//! A session: one identity at one server, its token and its reads.

use std::sync::Arc;

use super::error::{ErrorKind, VaultError};
use super::kv::{KvMetadata, KvPath, KvSecret, KvVersion};
use super::server::ServerId;

/// How soon a read is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// Something changed: the value must not be older than this call.
    Urgent,
    /// The time has come: a read begun less than a second ago serves as well, and others go first.
    Refresh,
}

/// One identity at one server. Shared by all equal [`super::Connection`]s; when its last holder drops it, its token
/// is revoked in the background (not one that the user gave, nor a batch token).
pub struct Session {
    server: ServerId,
}

impl Session {
    /// Reads a KV secret.
    ///
    /// Logs in first where needed, replaces a dead token, and retries what may pass. Cancelling the call does not
    /// cancel the read for others that share it.
    pub async fn read(&self, _path: &KvPath, _urgency: Urgency) -> Result<Arc<KvSecret>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// Reads a KV v2 secret's metadata at its API path, such as `kv/metadata/database/config`.
    pub async fn read_metadata(&self, _path: &str, _urgency: Urgency) -> Result<Arc<KvMetadata>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// Lists one folder at its API path (`kv/metadata/database` for v2); folders in it end in `/`.
    /// Empty only where the folder is certainly empty or missing.
    pub async fn list(&self, _version: KvVersion, _folder: &str) -> Result<Vec<String>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// All secrets below a folder, as sorted paths below it: at most 16 levels and 10,000 names, with 8 requests at a time.
    pub async fn walk(&self, _version: KvVersion, _folder: &str) -> Result<Vec<String>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// Proves that the session can work: logs in where no token lives, else asks the server about the one there is,
    /// unless it has just been used.
    pub async fn validate(&self) -> Result<(), VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// Checks that the mount that holds `path` is KV of this version, as far as the token may ask.
    ///
    /// `Ok` also where it may not: the first 404 tells then.
    pub async fn check_mount(&self, _version: KvVersion, _path: &str) -> Result<(), VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// What is left of the AppRole's secret id; `None` for other logins, and where the role may not look itself up.
    pub async fn secret_id_life(&self) -> Result<Option<SecretIdLife>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// The server, for grouping and labels.
    pub fn server(&self) -> &ServerId {
        &self.server
    }

    /// Why the server counts as down, if it does: calls then fail at once.
    pub fn server_down(&self) -> Option<super::Down> {
        None
    }
}

/// What is left of an AppRole's secret id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretIdLife {
    /// RFC 3339; `None` for one that never ends.
    pub expires: Option<String>,
    /// Logins left; `None` for unlimited.
    pub uses_left: Option<u64>,
}

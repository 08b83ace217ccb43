//! A session: one identity at one server, its token and its reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;

use super::caller::Caller;
use super::connection::Connection;
use super::error::{Down, ErrorKind, VaultError};
use super::http::{Ask, custom_headers};
use super::kv::{KvMetadata, KvPath, KvSecret, KvVersion};
use super::pool::{SessionId, Shared};
use super::reader::Reader;
use super::server::{Server, ServerId};
use super::settings::Call;
use super::shared_read::SharedReads;
use super::tokens::{self, Tokens};
use super::walk::walk;

/// How soon a read is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// Something changed: the value must not be older than this call.
    Urgent,
    /// The time has come: a read begun less than a second ago serves as well, and others go first.
    Refresh,
}

/// One identity at one server. Shared by all equal [`Connection`]s; when its last holder drops it, its token is
/// revoked in the background (not one that the user gave, nor a batch token, which can't be).
///
/// It does nothing by itself but renew its token; the first call logs in.
pub struct Session {
    pub(super) tokens: Arc<Tokens>,
    reader: Arc<Reader>,
    secrets: SharedReads<KvPath, Result<Arc<KvSecret>, VaultError>>,
    metadata: SharedReads<String, Result<Arc<KvMetadata>, VaultError>>,
    /// When the role was last told that it may not look its secret ids up.
    secret_id_hidden: Mutex<Option<Instant>>,
}

/// A token that was accepted this recently needs no other proof.
const PROOF: Duration = Duration::from_secs(60);
/// For how long a role that may not look its secret ids up is not asked again.
const HIDDEN: Duration = Duration::from_secs(3600);

impl Session {
    pub(super) fn new(
        connection: &Connection,
        id: SessionId,
        server: Arc<Server>,
        shared: Arc<Shared>,
    ) -> Result<Self, VaultError> {
        let custom = custom_headers(connection)?;
        let auth_namespace = connection.auth_namespace.as_ref().or(connection.namespace.as_ref());
        let tokens = tokens::headers(&custom, auth_namespace.map(String::as_str))?;
        let reads = tokens::headers(&custom, connection.namespace.as_deref())?;
        let tokens = Arc::new(Tokens::new(connection, id, Arc::clone(&server), shared, tokens));
        let reader = Arc::new(Reader::new(Caller::new(connection, server, Arc::clone(&tokens), reads)));
        let (secrets, metadata) = (SharedReads::default(), SharedReads::default());
        Ok(Self { tokens, reader, secrets, metadata, secret_id_hidden: Mutex::default() })
    }

    /// Reads a KV secret.
    ///
    /// Logs in first where needed, replaces a dead token, and retries what may pass. Cancelling the call does not
    /// cancel the read for others that share it.
    pub async fn read(&self, path: &KvPath, urgency: Urgency) -> Result<Arc<KvSecret>, VaultError> {
        let (reader, wanted) = (Arc::clone(&self.reader), path.clone());
        let fetch = move || async move { reader.secret(&wanted, urgency).await.map(Arc::new) };
        let shared = &self.tokens.shared;
        let spawn = |read| shared.spawn(read);
        self.secrets.read(path.clone(), urgency, spawn, fetch).await.unwrap_or_else(cut_off)
    }

    /// Reads a KV v2 secret's metadata at its API path, such as `kv/metadata/database/config`.
    pub async fn read_metadata(&self, path: &str, urgency: Urgency) -> Result<Arc<KvMetadata>, VaultError> {
        let (reader, wanted) = (Arc::clone(&self.reader), path.to_owned());
        let fetch = move || async move { reader.metadata(&wanted, urgency).await.map(Arc::new) };
        let shared = &self.tokens.shared;
        let spawn = |read| shared.spawn(read);
        self.metadata.read(path.to_owned(), urgency, spawn, fetch).await.unwrap_or_else(cut_off)
    }

    /// Lists one folder at its API path (`kv/metadata/database` for v2); folders in it end in `/`.
    /// Empty only where the folder is certainly empty or missing.
    pub async fn list(&self, version: KvVersion, folder: &str) -> Result<Vec<String>, VaultError> {
        self.reader.list(version, folder, Urgency::Refresh).await
    }

    /// All secrets below a folder, as sorted paths below it: at most 16 levels, 10,000 names and 4 MiB of paths
    /// ([`ErrorKind::WalkLimit`]), with 8 requests at a time. Soft-deleted ones are among them.
    pub async fn walk(&self, version: KvVersion, folder: &str, urgency: Urgency) -> Result<Vec<String>, VaultError> {
        walk(&self.reader, version, folder, urgency).await
    }

    /// Proves that the session can work: logs in where no token lives, else asks the server about the one there is,
    /// unless the server accepted it within the last minute. Fails at once where the server is known to be down.
    pub async fn validate(&self) -> Result<(), VaultError> {
        self.tokens.server.check()?;
        let token = match self.tokens.current() {
            Some(token) if token.is_limited() => return Ok(()),
            Some(token) => token,
            None => {
                self.tokens.ensure().await?;
                match self.tokens.current() {
                    Some(token) if token.own => token,
                    _ => return Ok(()),
                }
            }
        };
        match token.proved() {
            Some(at) if at.elapsed() < PROOF => Ok(()),
            None if !token.own && token.born.elapsed() < PROOF => Ok(()),
            _ => self.tokens.check_alive(&token).await,
        }
    }

    /// Checks that the mount that holds `path` is KV of this version, as far as the token may ask.
    ///
    /// `Ok` also where it may not: the first 404 tells then.
    pub async fn check_mount(&self, version: KvVersion, path: &str) -> Result<(), VaultError> {
        self.reader.check_mount(version, path).await
    }

    /// What is left of the AppRole's secret id; `None` for other logins, where the role may not look itself up (which is
    /// asked once an hour), and where that would cost a token of few uses. Never logs in.
    pub async fn secret_id_life(&self) -> Result<Option<SecretIdLife>, VaultError> {
        let is_hidden = self.secret_id_hidden.lock().is_some_and(|at| at.elapsed() < HIDDEN);
        let Some(token) = self.tokens.current().filter(|token| !token.is_limited() && !is_hidden) else {
            return Ok(None);
        };
        let Some(request) = token.role.as_deref().and_then(|role| self.tokens.secret_id_lookup(role)) else {
            return Ok(None);
        };
        let ask = Ask::post(&request.path, Some(&request.body), token.authorize(&self.tokens.headers));
        let outcome = self.tokens.server.send(Call::LookupSecretId, Urgency::Refresh, &ask).await?;
        let place = self.tokens.place(&request.path);
        let answer = outcome.map_err(|failure| place.failure(failure))?;
        match answer.status {
            200 => {
                let found: SecretIdAnswer = answer.json().map_err(|what| place.garbled(200, what))?;
                Ok(Some(found.data.into()))
            }
            // It is used up, ended or destroyed, and the token that it gave lives on.
            204 => Ok(Some(SecretIdLife { is_gone: true, ..SecretIdLife::default() })),
            400..=405 => {
                *self.secret_id_hidden.lock() = Some(Instant::now());
                Ok(None)
            }
            _ => Err(place.status(&answer)),
        }
    }

    /// Something that the login depends on may have been mended: a credential that could not be made is asked for again
    /// at the next call and not only after a pause.
    pub fn retry_credential(&self) {
        self.tokens.retry_credential();
    }

    /// Tells this session from others of the process.
    pub fn id(&self) -> SessionId {
        self.tokens.id
    }

    /// The server, for grouping and labels.
    pub fn server(&self) -> &ServerId {
        self.tokens.server.id()
    }

    /// Why the server counts as down, if it does: calls then fail at once.
    pub fn server_down(&self) -> Option<Down> {
        self.tokens.server.down()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(token) = self.tokens.close() {
            self.tokens.retire(token);
        }
        self.tokens.shared.forget(self.tokens.id);
    }
}

/// Only a shutdown cuts a read off.
fn cut_off<T>() -> Result<T, VaultError> {
    Err(ErrorKind::ShuttingDown.into())
}

/// What is left of an AppRole's secret id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretIdLife {
    /// Nothing: it is used up, ended or destroyed, and the next login will be refused.
    pub is_gone: bool,
    /// RFC 3339; `None` for one that never ends.
    pub expires: Option<String>,
    /// Logins left; `None` for unlimited.
    pub uses_left: Option<u64>,
}

#[derive(Deserialize)]
struct SecretIdAnswer {
    data: SecretIdFields,
}

#[derive(Deserialize)]
struct SecretIdFields {
    #[serde(default)]
    expiration_time: String,
    #[serde(default)]
    secret_id_num_uses: u64,
}

impl From<SecretIdFields> for SecretIdLife {
    fn from(fields: SecretIdFields) -> Self {
        // Go's zero time stands for none.
        let ends = !fields.expiration_time.is_empty() && !fields.expiration_time.starts_with("0001-");
        Self {
            is_gone: false,
            expires: ends.then_some(fields.expiration_time),
            uses_left: (fields.secret_id_num_uses > 0).then_some(fields.secret_id_num_uses),
        }
    }
}

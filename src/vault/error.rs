//! What can go wrong with a server, told so that a person knows what to do.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::kv::KvVersion;

/// An error of a session: cheap to clone, since one answer may serve many readers.
///
/// Its text never differs from try to try (no times, counts or addresses of connections), because it ends in a
/// condition that is written whenever it changes. It never holds a value or a credential.
#[derive(Clone)]
pub struct VaultError(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    not_before: Option<Instant>,
}

impl VaultError {
    pub(super) fn empty_credential(what: &'static str) -> Self {
        ErrorKind::EmptyCredential { what }.into()
    }

    pub(super) fn credential_unavailable(mount: &str, problem: String) -> Self {
        ErrorKind::CredentialUnavailable { mount: mount.to_owned(), problem }.into()
    }

    /// The same error, with the time before which the session itself will not try again.
    pub(super) fn not_before(self, when: Instant) -> Self {
        Self(Arc::new(Inner { kind: self.0.kind.clone(), not_before: Some(when) }))
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether and when another try can help.
    pub fn retry(&self) -> Retry {
        self.0.kind.retry()
    }

    /// Until then the session answers with this very error without asking the server.
    pub fn next_try(&self) -> Option<Instant> {
        self.0.not_before
    }

    /// A word for metrics; one of a fixed set.
    pub fn label(&self) -> &'static str {
        self.0.kind.label()
    }

    /// The secret is certainly not there: the one answer that may delete something.
    pub fn gone(&self) -> Option<Gone> {
        match &self.0.kind {
            ErrorKind::Gone { how, .. } => Some(*how),
            _ => None,
        }
    }
}

impl From<ErrorKind> for VaultError {
    fn from(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner { kind, not_before: None }))
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)
    }
}

impl fmt::Debug for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)
    }
}

impl std::error::Error for VaultError {}

/// When another try can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Only an edit of the store, its credentials or the remote key mends it.
    AfterEdit,
    /// It may pass, or be mended in Vault: the next try tells.
    Later,
    /// The server is down: [`super::Recovery::Server`] says when it is back.
    AtRecovery,
}

/// How a secret came to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Nothing is at the path.
    Missing,
    /// Its latest version is soft-deleted.
    Deleted,
    /// Its latest version is destroyed.
    Destroyed,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "nothing is there",
            Self::Deleted => "its latest version is deleted",
            Self::Destroyed => "its latest version is destroyed",
        })
    }
}

/// What a request was about to do, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `read`
    Read,
    /// `list`
    List,
}

impl Action {
    fn gerund(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::List => "listing",
        }
    }

    fn capability(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// Why a server counts as down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Its name could not be resolved.
    Unresolved,
    /// Nothing listens there, or no route leads there.
    Unreachable,
    /// It does not answer in time.
    Hanging,
    /// It breaks connections off.
    Broken,
    /// It is sealed (503).
    Sealed,
    /// It was never initialised (501).
    Uninitialised,
    /// It answers even a question for its health with this status.
    Failing(u16),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("can't be found: its host name does not resolve; check `server` and DNS"),
            Self::Unreachable => {
                f.write_str("can't be reached: nothing accepts connections there; check `server`, the network and that it runs")
            }
            Self::Hanging => f.write_str("does not answer in time; check its load and the network between"),
            Self::Broken => f.write_str("breaks connections off; check the server and what stands before it"),
            Self::Sealed => f.write_str("is sealed (503): unseal it"),
            Self::Uninitialised => f.write_str("is not initialised (501): initialise it"),
            Self::Failing(status) => write!(f, "is failing ({status}); look into its log and at what stands before it"),
        }
    }
}

/// What was wrong with an answer that could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbled {
    /// A page for people.
    Html,
    /// Neither JSON nor HTML, or JSON that breaks off.
    NotJson,
    /// JSON, but not of the shape that the API has.
    Shape,
    /// `null` where the secret should be.
    Null,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Html => "a page of HTML instead of JSON; check that `server` is Vault itself and not a login page or proxy error",
            Self::NotJson => "something that is not whole JSON; check what stands between the operator and Vault",
            Self::Shape => "JSON of another shape than Vault's API has; check that `server` is Vault and `path` and `version` fit the mount",
            Self::Null => "null instead of a secret; check what stands between the operator and Vault",
        })
    }
}

/// Whose policies were too narrow: names only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// `role "app"`, `user "jane"`; empty where the token does not say.
    pub who: String,
    /// The names of the token's policies.
    pub policies: Vec<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.who.is_empty() { "the token" } else { &self.who };
        if self.policies.is_empty() {
            return write!(f, "the policies of {who}");
        }
        write!(f, "the policies [{}] of {who}", self.policies.join(", "))
    }
}

/// The kinds of [`VaultError`]. Statuses stand in the text, as people search for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The store's settings can't work as they stand.
    #[error("the connection to Vault is not usable: {problem}")]
    BadConnection {
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// A credential is there but empty.
    #[error("the {what} is empty; put a value into the Secret key that the store's auth refers to")]
    EmptyCredential {
        /// `secret id`, `token`, …
        what: &'static str,
    },
    /// The credential for a login could not be made.
    #[error("no credential for the login at \"auth/{mount}\": {problem}")]
    CredentialUnavailable {
        /// The auth mount.
        mount: String,
        /// As the issuer says it.
        problem: String,
    },
    /// The server refused the credentials.
    #[error("Vault at {server} refused the login at \"auth/{mount}\" ({status}): {reason}")]
    LoginRefused {
        /// The server's address.
        server: Arc<str>,
        /// The auth mount.
        mount: String,
        /// 400, 403 or 404.
        status: u16,
        /// What it likely means and what to do.
        reason: String,
    },
    /// Refused so often that another try could lock the role or user, so none is made for now.
    #[error("logins at \"auth/{mount}\" of {server} wait, since more refused ones would lock the role or user out: {reason}")]
    LoginPaused {
        /// The server's address.
        server: Arc<str>,
        /// The auth mount.
        mount: String,
        /// Why the last one was refused.
        reason: String,
    },
    /// The token lives but may not do this.
    #[error("Vault denied {} \"{path}\" (403): {holder} lack \"{}\" on it", action.gerund(), action.capability())]
    Denied {
        /// What was tried.
        action: Action,
        /// Where.
        path: String,
        /// With which policies.
        holder: Holder,
    },
    /// Certainly not there, on a mount that is certainly of the right version.
    #[error("no secret at \"{path}\" (404): {how}")]
    Gone {
        /// Where.
        path: String,
        /// How it is gone.
        how: Gone,
    },
    /// Not found, but not certainly gone: the mount could not be checked.
    #[error("nothing found at \"{path}\" (404), and the token may not look its mount up to be sure that it is KV {version}; check the path, and `path` and `version` of the store")]
    NotFound {
        /// Where.
        path: String,
        /// What the store says the mount is.
        version: KvVersion,
    },
    /// The pinned version is not readable; the secret may well have others.
    #[error("\"{path}\" has no readable version {version} (404): it is missing, deleted or destroyed; choose another in `remoteRef.version`")]
    NoSuchVersion {
        /// Where.
        path: String,
        /// The pinned version.
        version: u64,
    },
    /// The mount is of the other KV version than the store says.
    #[error("the mount \"{mount}\" is KV {actual}: set `version: {actual}` in the store's provider.vault")]
    WrongKvVersion {
        /// The mount's path, without a slash at its end.
        mount: String,
        /// What it is.
        actual: KvVersion,
    },
    /// The mount holds something else than KV.
    #[error("the mount \"{mount}\" is a {engine:?} engine, not KV; point the store's `path` to a KV mount")]
    NotKv {
        /// The mount's path, without a slash at its end.
        mount: String,
        /// The engine's type.
        engine: String,
    },
    /// No engine is mounted there.
    #[error("nothing is mounted at \"{path}\" (404); check the store's `path` and `namespace`, and mount the engine")]
    NoMount {
        /// Where.
        path: String,
    },
    /// The Vault namespace is not there.
    #[error("the Vault namespace \"{namespace}\" does not exist (404); check `namespace` in the store")]
    NoNamespace {
        /// Which.
        namespace: String,
    },
    /// An answer that can't be trusted to be the secret.
    #[error("Vault's answer for \"{path}\" ({status}) was {what}")]
    Garbled {
        /// Where.
        path: String,
        /// Its status.
        status: u16,
        /// What was wrong.
        what: Garbled,
    },
    /// An answer beyond the limit.
    #[error("Vault's answer for \"{path}\" exceeds {limit} bytes; a Kubernetes Secret could not hold it: split the secret")]
    TooLarge {
        /// Where.
        path: String,
        /// In bytes.
        limit: usize,
    },
    /// A redirect that would carry the token elsewhere.
    #[error("{server} redirects to {to}, and the token is not sent to another host or scheme; set `server` to that address if you trust it")]
    Redirected {
        /// The server's address.
        server: Arc<str>,
        /// Scheme, host and port.
        to: String,
    },
    /// Too many requests.
    #[error("Vault at {server} limits the rate (429) of requests to \"{path}\"; raise its quota or the refreshInterval")]
    Throttled {
        /// The server's address.
        server: Arc<str>,
        /// Where.
        path: String,
    },
    /// A standby that has not caught up.
    #[error("the Vault node behind {server} has not caught up (412) for \"{path}\"; `forwardInconsistent: true` in the store lets it ask the active one")]
    Behind {
        /// The server's address.
        server: Arc<str>,
        /// Where.
        path: String,
    },
    /// Known to be down: nothing was sent.
    #[error("Vault at {server} {why}; syncing resumes by itself when it is back")]
    ServerDown {
        /// The server's address.
        server: Arc<str>,
        /// How it shows.
        why: Down,
    },
    /// One request failed on the way.
    #[error("no answer from Vault at {server} for \"{path}\": it {why}")]
    Unanswered {
        /// The server's address.
        server: Arc<str>,
        /// Where.
        path: String,
        /// How it failed.
        why: Down,
    },
    /// No trust between the two ends.
    #[error("no TLS connection to {server}: {problem}")]
    Tls {
        /// The server's address.
        server: Arc<str>,
        /// What failed and what to do.
        problem: String,
    },
    /// The server failed on this request.
    #[error("Vault at {server} failed on \"{path}\" ({status}){}; look into its log", quoted(.said))]
    ServerFailed {
        /// The server's address.
        server: Arc<str>,
        /// Where.
        path: String,
        /// 5xx
        status: u16,
        /// Its own words, at most 200 characters.
        said: String,
    },
    /// The server refused the request as such.
    #[error("Vault rejected the request for \"{path}\" ({status}){}; check the path and the store's settings", quoted(.said))]
    Rejected {
        /// Where.
        path: String,
        /// 4xx
        status: u16,
        /// Its own words, at most 200 characters.
        said: String,
    },
    /// A walk through folders met a limit.
    #[error("\"{path}\" holds more than a `find` may list ({limit}); set a narrower `find.path`")]
    WalkLimit {
        /// Where the walk began.
        path: String,
        /// Which limit.
        limit: &'static str,
    },
    /// The process ends.
    #[error("the operator is shutting down")]
    ShuttingDown,
}

impl ErrorKind {
    fn retry(&self) -> Retry {
        match self {
            Self::BadConnection { .. } | Self::EmptyCredential { .. } | Self::LoginRefused { .. } | Self::LoginPaused { .. } => {
                Retry::AfterEdit
            }
            Self::WrongKvVersion { .. } | Self::NotKv { .. } | Self::Redirected { .. } | Self::WalkLimit { .. } => Retry::AfterEdit,
            Self::ServerDown { .. } => Retry::AtRecovery,
            _ => Retry::Later,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::BadConnection { .. } => "bad_connection",
            Self::EmptyCredential { .. } => "empty_credential",
            Self::CredentialUnavailable { .. } => "credential_unavailable",
            Self::LoginRefused { .. } => "login_refused",
            Self::LoginPaused { .. } => "login_paused",
            Self::Denied { .. } => "denied",
            Self::Gone { .. } => "gone",
            Self::NotFound { .. } => "not_found",
            Self::NoSuchVersion { .. } => "no_such_version",
            Self::WrongKvVersion { .. } => "wrong_kv_version",
            Self::NotKv { .. } => "not_kv",
            Self::NoMount { .. } => "no_mount",
            Self::NoNamespace { .. } => "no_namespace",
            Self::Garbled { .. } => "garbled",
            Self::TooLarge { .. } => "too_large",
            Self::Redirected { .. } => "redirected",
            Self::Throttled { .. } => "throttled",
            Self::Behind { .. } => "behind",
            Self::ServerDown { .. } => "server_down",
            Self::Unanswered { .. } => "unanswered",
            Self::Tls { .. } => "tls",
            Self::ServerFailed { .. } => "server_failed",
            Self::Rejected { .. } => "rejected",
            Self::WalkLimit { .. } => "walk_limit",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" and says {said:?}") }
}

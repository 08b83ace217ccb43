//! What can go wrong with a server, told so that a person knows what to do.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use super::cause::{Action, Down, Garbled, Gone, Holder};
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

    /// The session as a whole can't be used, whatever is asked of it.
    pub fn is_of_session(&self) -> bool {
        use ErrorKind as K;
        matches!(
            self.0.kind,
            K::BadConnection { .. }
                | K::EmptyCredential { .. }
                | K::CredentialUnavailable { .. }
                | K::LoginRefused { .. }
                | K::LoginHeld { .. }
                | K::TokenRefused { .. }
                | K::NoNamespace { .. }
                | K::ServerDown { .. }
                | K::Tls { .. }
        )
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
    /// The credentials may be good, but were not tried.
    #[error(
        "no login at \"auth/{mount}\" of Vault at {server} is tried until 15 minutes after the last refusal: four as this role or user were refused, here or for another store, and one more could lock it in Vault; these credentials have not been tried. If they are right, restart the operator to have them tried at once"
    )]
    LoginHeld {
        /// The server's address.
        server: Arc<str>,
        /// The auth mount.
        mount: String,
    },
    /// The user's own token is refused.
    #[error(
        "Vault at {server} refuses the token (403): it has ended, was revoked, or its policies allow neither this nor a look-up of itself; put a fresh token into the Secret that tokenSecretRef names"
    )]
    TokenRefused {
        /// The server's address.
        server: Arc<str>,
    },
    /// The token lives but may not do this.
    #[error("Vault denied {} \"{path}\" (403): {holder} lack \"{}\" on it; add that to one of them, or correct the path: Vault says the same of a mount that does not exist", action.gerund(), action.capability())]
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
    #[error(
        "nothing found at \"{path}\" (404), and the token may not look its mount up to be sure that it is KV {version}; check the path, and `path` and `version` of the store"
    )]
    NotFound {
        /// Where.
        path: String,
        /// What the store says the mount is.
        version: KvVersion,
    },
    /// No API path can look like this.
    #[error(
        "{path:?} is not a path in Vault: it has an empty, \".\" or \"..\" segment, or a control character; correct the remote key, or the store's `path` or auth"
    )]
    BadPath {
        /// The path.
        path: String,
    },
    /// The pinned version is not readable; the secret may well have others.
    #[error(
        "\"{path}\" has no readable version {version} (404): it is missing, deleted or destroyed; choose another in `remoteRef.version`"
    )]
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
    #[error(
        "Vault's answer for \"{path}\" exceeds {limit} bytes; a Kubernetes Secret could not hold it: split the secret"
    )]
    TooLarge {
        /// Where.
        path: String,
        /// In bytes.
        limit: usize,
    },
    /// A redirect that would carry the token elsewhere.
    #[error(
        "{server} redirects to {to}, and the token is not sent to another host or scheme; set `server` to that address if you trust it"
    )]
    Redirected {
        /// The server's address.
        server: Arc<str>,
        /// Scheme, host and port.
        to: String,
    },
    /// Too many requests.
    #[error(
        "Vault at {server} limits the rate (429) of requests to \"{path}\"; raise its quota or the refreshInterval"
    )]
    Throttled {
        /// The server's address.
        server: Arc<str>,
        /// Where.
        path: String,
    },
    /// A standby that has not caught up.
    #[error(
        "the Vault node behind {server} has not caught up (412) for \"{path}\"; `forwardInconsistent: true` in the store lets it ask the active one"
    )]
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
            Self::BadConnection { .. }
            | Self::EmptyCredential { .. }
            | Self::LoginRefused { .. }
            | Self::TokenRefused { .. } => Retry::AfterEdit,
            Self::BadPath { .. }
            | Self::WrongKvVersion { .. }
            | Self::NotKv { .. }
            | Self::Redirected { .. }
            | Self::WalkLimit { .. } => Retry::AfterEdit,
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
            Self::LoginHeld { .. } => "login_held",
            Self::TokenRefused { .. } => "token_refused",
            Self::Denied { .. } => "denied",
            Self::Gone { .. } => "gone",
            Self::NotFound { .. } => "not_found",
            Self::BadPath { .. } => "bad_path",
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

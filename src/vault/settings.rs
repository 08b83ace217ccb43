//! What holds for every session of the process: deadlines, limits, and who counts the calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Deadlines and limits of all sessions of a [`super::Sessions`].
#[derive(Clone)]
pub struct Settings {
    /// How long a TCP and TLS handshake may take.
    pub connect_timeout: Duration,
    /// How long one HTTP request may take, from its first byte to the answer's last.
    pub request_timeout: Duration,
    /// How long one read, list or login may take with all its retries and waits.
    pub operation_timeout: Duration,
    /// For how long a token that the server has accepted needs no other proof in [`super::Session::validate`].
    pub proof: Duration,
    /// How many bytes of an answer are read; a longer one is [`super::ErrorKind::TooLarge`].
    pub max_body: usize,
    /// How many requests may be in flight to one server. A quarter of them is kept for urgent ones.
    pub in_flight_per_server: usize,
    /// Sent as `User-Agent`, so that a Vault audit log tells us from others.
    pub user_agent: String,
    /// Counts the calls, if anybody wants to.
    pub observer: Option<Arc<dyn CallObserver>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            proof: Duration::from_secs(60),
            max_body: 4 * 1024 * 1024,
            in_flight_per_server: 32,
            user_agent: concat!("external-secrets-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            observer: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("proof", &self.proof)
            .field("max_body", &self.max_body)
            .field("in_flight_per_server", &self.in_flight_per_server)
            .finish_non_exhaustive()
    }
}

/// Is told of every HTTP request that was sent to a server.
///
/// Called from the task that made the request, so it must not block.
pub trait CallObserver: Send + Sync {
    /// `ok` is false where no answer came, or one of 400 and above.
    fn called(&self, call: Call, ok: bool, took: Duration);
}

/// What a request was for: the `call` label of ESO's `externalsecret_provider_api_calls_count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// A login, by whichever method.
    Login,
    /// `auth/token/lookup-self`
    LookupSelf,
    /// `auth/token/renew-self`
    RenewSelf,
    /// `auth/token/revoke-self`
    RevokeSelf,
    /// A read of a KV secret.
    ReadSecret,
    /// A read of a KV v2 secret's metadata.
    ReadMetadata,
    /// A LIST of a KV folder.
    List,
    /// `sys/internal/ui/mounts`
    LookupMount,
    /// An AppRole's look-up of its own secret id.
    LookupSecretId,
    /// `sys/health`, or a stand-in where something before Vault answers it, asked only while a server is suspected to be
    /// down.
    Health,
}

impl Call {
    /// The label's value; ESO's own word where it has one.
    pub fn label(self) -> &'static str {
        match self {
            Self::Login => "Login",
            Self::LookupSelf => "LookupSelf",
            Self::RenewSelf => "RenewSelf",
            Self::RevokeSelf => "RevokeSelf",
            Self::ReadSecret => "ReadSecretData",
            Self::ReadMetadata => "ReadSecretMetadata",
            Self::List => "ListSecrets",
            Self::LookupMount => "LookupMount",
            Self::LookupSecretId => "LookupSecretId",
            Self::Health => "Health",
        }
    }
}

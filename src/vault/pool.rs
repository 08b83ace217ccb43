//! All sessions of the process.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::Budget;
use super::connection::{Connection, Fingerprint};
use super::error::{ErrorKind, VaultError};
use super::server::{Server, ServerId};
use super::session::Session;
use super::settings::Settings;

/// Identifies a session among those of the process; equal connections have equal ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub(super) Fingerprint);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

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
pub struct Sessions(Arc<Shared>);

/// What sessions and servers share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    /// Of fingerprints; made at start and never leaves the process.
    pub(super) key: [u8; 32],
    pub(super) budget: Budget,
    sessions: Mutex<HashMap<Fingerprint, Weak<Session>>>,
    servers: Mutex<HashMap<Fingerprint, Weak<Server>>>,
    recoveries: broadcast::Sender<Recovery>,
    /// Logins and revocations: cut off, they would leave a token behind.
    finishing: TaskTracker,
    stopped: CancellationToken,
    runtime: Handle,
}

/// How many tokens are revoked at a time in a shutdown.
const REVOKED_AT_ONCE: usize = 32;

impl Sessions {
    /// No sessions yet. Background work runs on this runtime.
    pub fn new(settings: Settings, runtime: Handle) -> Self {
        Self(Arc::new(Shared {
            settings,
            key: random_key(),
            budget: Budget::default(),
            sessions: Mutex::default(),
            servers: Mutex::default(),
            recoveries: broadcast::channel(64).0,
            finishing: TaskTracker::new(),
            stopped: CancellationToken::new(),
            runtime,
        }))
    }

    /// The session of an identity. Sends nothing: the first read or [`Session::validate`] logs in.
    ///
    /// Equal connections get the same session as long as somebody holds it. Fails where the connection can't work as
    /// it stands ([`ErrorKind::BadConnection`]) and after [`Self::shutdown`].
    pub fn open(&self, connection: Connection) -> Result<Arc<Session>, VaultError> {
        let shared = &self.0;
        if shared.stopped.is_cancelled() {
            return Err(ErrorKind::ShuttingDown.into());
        }
        if connection.login.needs_client_identity() && connection.client_identity.is_none() {
            let problem =
                "the login by certificate has no client certificate; set auth.cert's clientCert and secretRef";
            return Err(ErrorKind::BadConnection { problem: problem.to_owned() }.into());
        }
        let id = SessionId(connection.fingerprint(&shared.key));
        let mut sessions = shared.sessions.lock();
        if let Some(session) = sessions.get(&id.0).and_then(Weak::upgrade) {
            return Ok(session);
        }
        let server = shared.server(&connection)?;
        let session = Arc::new(Session::new(&connection, id, server, Arc::clone(shared))?);
        sessions.insert(id.0, Arc::downgrade(&session));
        Ok(session)
    }

    /// Tells of each recovery from now on. A receiver that lagged behind should take it that all recovered.
    pub fn recoveries(&self) -> broadcast::Receiver<Recovery> {
        self.0.recoveries.subscribe()
    }

    /// Opens nothing more, ends all background work and revokes the tokens that sessions logged in for, in parallel,
    /// for at most as long as this.
    pub async fn shutdown(&self, within: Duration) {
        let shared = &self.0;
        shared.stopped.cancel();
        let live: Vec<_> = shared.sessions.lock().values().filter_map(Weak::upgrade).collect();
        let revoke = futures::stream::iter(live).for_each_concurrent(REVOKED_AT_ONCE, |session| async move {
            if let Some(token) = session.tokens.close()
                && let Err(error) = session.tokens.revoke(&token).await
            {
                tracing::warn!(%error, "a token was left to end by itself");
            }
        });
        shared.finishing.close();
        let ended = async {
            revoke.await;
            shared.finishing.wait().await;
        };
        if tokio::time::timeout(within, ended).await.is_err() {
            tracing::warn!(
                "the shutdown of the Vault sessions took too long; some tokens are left to end by themselves"
            );
        }
    }
}

impl Shared {
    /// Runs a task that a shutdown cuts off.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs a task that a shutdown waits for. It must end by itself.
    pub(super) fn spawn_to_end<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.finishing.spawn_on(task, &self.runtime)
    }

    pub(super) fn announce(&self, recovery: Recovery) {
        // It fails where nobody listens.
        let _ = self.recoveries.send(recovery);
    }

    /// A session was dropped: its place goes, unless another has taken it.
    pub(super) fn forget(&self, id: SessionId) {
        let mut sessions = self.sessions.lock();
        if sessions.get(&id.0).is_some_and(|session| session.strong_count() == 0) {
            sessions.remove(&id.0);
        }
    }

    fn server(self: &Arc<Self>, connection: &Connection) -> Result<Arc<Server>, VaultError> {
        let trust = connection.server_fingerprint(&self.key);
        let mut servers = self.servers.lock();
        if let Some(server) = servers.get(&trust).and_then(Weak::upgrade) {
            return Ok(server);
        }
        let server = Arc::new(Server::new(connection, trust, Arc::clone(self))?);
        // The few that ended go when one comes.
        servers.retain(|_, server| server.strong_count() > 0);
        servers.insert(trust, Arc::downgrade(&server));
        Ok(server)
    }
}

/// From the seeds of the standard library's hash maps, which the operating system's random numbers make.
fn random_key() -> [u8; 32] {
    let seed = RandomState::new();
    let mut key = [0; 32];
    for (at, part) in key.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&seed.hash_one(at).to_le_bytes());
    }
    key
}

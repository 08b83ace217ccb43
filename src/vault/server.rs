//! One server as all sessions to it share it: connections, breaker, limit of requests in flight.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::breaker::{Breaker, Next, Told, health_beside, health_of};
use super::connection::{Connection, Fingerprint};
use super::error::{Down, ErrorKind, VaultError};
use super::http::{Answer, Ask, Failure, Http};
use super::pool::{Recovery, Shared};
use super::retry;
use super::session::Urgency;
use super::settings::Call;
use super::tokens::LOOKUP_SELF;
use crate::trace::{Empty, span};

/// A server and how it is trusted: sessions with an equal id share connections, breaker and limits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub(super) address: Arc<str>,
    pub(super) trust: Fingerprint,
}

impl ServerId {
    /// `https://vault.example.com:8200`; for messages and labels.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

pub(super) struct Server {
    id: ServerId,
    http: Http,
    breaker: Mutex<Breaker>,
    all: Semaphore,
    /// Refreshes take one of these first, so that some of `all` are always left for urgent requests.
    refreshes: Semaphore,
    shared: Arc<Shared>,
}

/// How long the server's health may take to tell; shorter than a request, since everybody waits for the verdict.
const HEALTH_DEADLINE: Duration = Duration::from_secs(3);

impl Server {
    pub(super) fn new(connection: &Connection, trust: Fingerprint, shared: Arc<Shared>) -> Result<Self, VaultError> {
        let http = Http::new(connection, &shared.settings)?;
        let in_flight = shared.settings.in_flight_per_server.max(2);
        Ok(Self {
            id: ServerId { address: Arc::clone(http.address()), trust },
            http,
            breaker: Mutex::default(),
            all: Semaphore::new(in_flight),
            refreshes: Semaphore::new(in_flight - in_flight.div_ceil(4)),
            shared,
        })
    }

    pub(super) fn id(&self) -> &ServerId {
        &self.id
    }

    pub(super) fn down(&self) -> Option<Down> {
        self.breaker.lock().down()
    }

    /// The error for a server that is known to be down.
    pub(super) fn check(&self) -> Result<(), VaultError> {
        match self.down() {
            Some(why) => Err(ErrorKind::ServerDown { server: Arc::clone(&self.id.address), why }.into()),
            None => Ok(()),
        }
    }

    /// Sends one request, in its turn. Outer error: nothing was sent, because the server is down.
    pub(super) async fn send(
        self: &Arc<Self>,
        call: Call,
        urgency: Urgency,
        ask: &Ask<'_>,
    ) -> Result<Result<Answer, Failure>, VaultError> {
        self.check()?;
        let _turn = self.turn(urgency).await?;
        // It may have gone down while this one waited.
        self.check()?;
        let outcome = self.observed(call, ask).await;
        if is_doubtful(&outcome) {
            self.doubt();
        }
        Ok(outcome)
    }

    async fn turn(&self, urgency: Urgency) -> Result<(SemaphorePermit<'_>, Option<SemaphorePermit<'_>>), VaultError> {
        let closed = |_| VaultError::from(ErrorKind::ShuttingDown);
        let refresh = match urgency {
            Urgency::Urgent => None,
            Urgency::Refresh => Some(self.refreshes.acquire().await.map_err(closed)?),
        };
        Ok((self.all.acquire().await.map_err(closed)?, refresh))
    }

    async fn observed(&self, call: Call, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let span = span!(
            "vault.request",
            otel.kind = "client",
            vault.call = call.label(),
            vault.address = self.id.address(),
            http.request.method = ask.method.as_str(),
            http.response.status_code = Empty,
        );
        let outcome = span.run(self.http.send(ask)).await;
        match &outcome {
            Ok(answer) => span.record("http.response.status_code", answer.status),
            Err(failure) => span.failed(format_args!("{failure:?}")),
        }
        if let Some(observer) = &self.shared.settings.observer {
            let ok = outcome.as_ref().is_ok_and(|answer| answer.status < 400);
            observer.called(call, ok, begun.elapsed());
        }
        outcome
    }

    fn doubt(self: &Arc<Self>) {
        if self.breaker.lock().doubt(Instant::now()) {
            let server = Arc::downgrade(self);
            self.shared.spawn(async move {
                let mut pause = Duration::ZERO;
                loop {
                    tokio::time::sleep(retry::jittered(pause, retry::random())).await;
                    // Gone with its last session: nobody waits for it any more.
                    let Some(server) = server.upgrade() else {
                        return;
                    };
                    match server.ask_health().await {
                        Next::Ask(next) => pause = next,
                        Next::Rest { recovered } => return server.rest(recovered),
                    }
                }
            });
        }
    }

    async fn ask_health(&self) -> Next {
        let mut ask = Ask::get("sys/health", HeaderMap::new());
        // Standbys answer reads as well, by forwarding them.
        ask.query = Some(("standbyok", "true".to_owned()));
        let health = match self.ask_soon(&ask).await {
            Ok(answer) => match health_of(&answer) {
                Told::Health(health) => health,
                Told::Foreign => self.ask_beside(answer.status).await,
            },
            Err(failure) => health_without(failure),
        };
        let was = self.down();
        let next = self.breaker.lock().health(health, Instant::now());
        if let (Some(why), true) = (self.down(), was.is_none()) {
            tracing::warn!(server = %self.id, "Vault {why}");
        }
        next
    }

    /// Whether Vault answers where something before it fails for `sys/health`: that no token came is its own to tell.
    async fn ask_beside(&self, status: u16) -> Result<(), Down> {
        match self.ask_soon(&Ask::get(LOOKUP_SELF, HeaderMap::new())).await {
            Ok(answer) => health_beside(&answer, status),
            Err(failure) => health_without(failure),
        }
    }

    async fn ask_soon(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let asked = tokio::time::timeout(HEALTH_DEADLINE, self.observed(Call::Health, ask)).await;
        asked.unwrap_or(Err(Failure::NoAnswer(Down::Hanging)))
    }

    fn rest(&self, recovered: bool) {
        if recovered {
            tracing::info!(server = %self.id, "Vault answers again");
            self.shared.announce(Recovery::Server(self.id.clone()));
        }
    }
}

/// What a question for the health means that got no answer to take.
fn health_without(failure: Failure) -> Result<(), Down> {
    match failure {
        Failure::NoConnection(why) | Failure::NoAnswer(why) => Err(why),
        // It answers; what it says is the request's own trouble.
        Failure::Tls(_) | Failure::TooLarge | Failure::Redirected(_) | Failure::BadPath => Ok(()),
    }
}

/// May be the server's trouble and not only this request's.
fn is_doubtful(outcome: &Result<Answer, Failure>) -> bool {
    match outcome {
        Ok(answer) => answer.status >= 500,
        Err(Failure::NoConnection(_) | Failure::NoAnswer(_)) => true,
        Err(_) => false,
    }
}

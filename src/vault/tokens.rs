//! The token of a session: who logs in, when, and who waits for it.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture};
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Place;
use super::connection::{Connection, Fingerprint, Fingerprinter, RetrySettings};
use super::denial::{Denials, Ladder};
use super::error::{Down, ErrorKind, VaultError};
use super::http::{Answer, Ask, Failure};
use super::log_in::pause_after;
use super::login::{Login, Request};
use super::pool::{Recovery, SessionId, Shared};
use super::server::Server;
use super::session::Urgency;
use super::settings::Call;
use super::token::Token;
use crate::trace::{Span, span};

/// Keeps one token for a session. Every request takes it from here.
pub(super) struct Tokens {
    pub(super) id: SessionId,
    pub(super) server: Arc<Server>,
    pub(super) shared: Arc<Shared>,
    /// Of requests about the token: its namespace may be another than that of the secrets.
    pub(super) headers: HeaderMap,
    pub(super) denials: Denials,
    pub(super) login: Login,
    pub(super) namespace: Option<String>,
    /// Whom refusals count against, where they can lock it out, and of which credentials: the same for all sessions that
    /// would send the same login.
    pub(super) lockable: Option<(Fingerprint, Fingerprint)>,
    pub(super) retry: RetrySettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    login: Option<Flight>,
    failed: Option<Failed>,
    generation: u64,
    ladder: Ladder,
    closed: bool,
}

/// One login under way; cloned to all who wait for it.
type Flight = SharedFuture<BoxFuture<'static, Result<(), VaultError>>>;

/// The last login failed: its error serves all until another may be tried.
struct Failed {
    error: VaultError,
    until: Instant,
    times: u32,
}

impl Tokens {
    pub(super) fn new(
        connection: &Connection,
        id: SessionId,
        server: Arc<Server>,
        shared: Arc<Shared>,
        headers: HeaderMap,
    ) -> Self {
        let namespace = connection.login_namespace().map(str::to_owned);
        let lockable = connection.login.principal().filter(|principal| principal.can_be_locked);
        let lockable = lockable.map(|principal| {
            let mut print = Fingerprinter::new(&shared.key);
            print
                .field(server.id().address().as_bytes())
                // The root has several spellings.
                .optional(namespace.as_deref().filter(|name| !matches!(*name, "" | "root")).map(str::as_bytes))
                .field(principal.mount.as_bytes())
                .field(principal.name.as_bytes());
            let mut credentials = Fingerprinter::new(&shared.key);
            connection.login.fingerprint(&mut credentials);
            (print.finish(), credentials.finish())
        });
        let login = connection.login.clone();
        let (denials, state, retry) = (Denials::default(), Mutex::default(), connection.retry);
        Self { id, server, shared, headers, denials, login, namespace, lockable, retry, state }
    }

    /// A token to send one request with; logs in where none is good, once for all who ask.
    ///
    /// A token that is merely due for replacement serves on where no better one can be had.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Arc<Token>, VaultError> {
        loop {
            let (fallback, login) = {
                let mut state = self.state.lock();
                let now = Instant::now();
                let live = state.token.clone().filter(|token| token.is_live(now));
                match &live {
                    Some(token) if !token.is_due(now) && token.take_use() => {
                        return Ok(Arc::clone(token));
                    }
                    _ => (live, self.join_login(&mut state, now)),
                }
            };
            let failed = match login {
                Ok((login, span)) => span.watch(login, VaultError::label).await.err(),
                Err(error) => Some(error),
            };
            match (failed, fallback) {
                (None, _) => {}
                (Some(_), Some(token)) if token.take_use() => return Ok(token),
                (Some(error), _) => return Err(error),
            }
        }
    }

    /// Logs in, or waits for the login under way, without taking a use of the token.
    pub(super) async fn ensure(self: &Arc<Self>) -> Result<(), VaultError> {
        let login = self.join_login(&mut self.state.lock(), Instant::now());
        let (login, span) = login?;
        span.watch(login, VaultError::label).await
    }

    /// A credential that could not be made may be asked for again at once.
    pub(super) fn retry_credential(&self) {
        if let Some(failed) = &mut self.state.lock().failed
            && matches!(failed.error.kind(), ErrorKind::CredentialUnavailable { .. })
        {
            failed.until = Instant::now();
        }
    }

    /// The login under way, or a new one, unless it is too early for one; with the span to wait in.
    fn join_login(self: &Arc<Self>, state: &mut State, now: Instant) -> Result<(Flight, Span), VaultError> {
        if state.closed {
            return Err(ErrorKind::ShuttingDown.into());
        }
        if let Some(login) = &state.login {
            return Ok((login.clone(), self.login_span()));
        }
        if let Some(failed) = state.failed.as_ref().filter(|failed| now < failed.until) {
            return Err(failed.error.clone());
        }
        self.server.check()?;
        let tokens = Arc::clone(self);
        // A task of its own: a caller that gives up must not cut a login off that the server may already have granted.
        let span = self.login_span();
        let task = self.shared.spawn_to_end(span.run(async move { tokens.log_in().await }));
        let login = async move { task.await.unwrap_or_else(|_| Err(ErrorKind::ShuttingDown.into())) }.boxed().shared();
        state.login = Some(login.clone());
        Ok((login, span))
    }

    fn login_span(&self) -> Span {
        span!("vault.login", vault.mount = self.login.principal().map(|principal| principal.mount))
    }

    async fn log_in(self: Arc<Self>) -> Result<(), VaultError> {
        let deadline = self.shared.settings.operation_timeout;
        // The time is Vault's, and a turn is waited for before it is asked; those before have deadlines too.
        let made = match self.turn().await {
            Ok(turn) => tokio::time::timeout(deadline, self.make_token(turn)).await,
            Err(error) => Ok(Err(error)),
        };
        let made = made.unwrap_or_else(|_| Err(self.place("auth").failure(Failure::NoAnswer(Down::Hanging))));
        match made {
            Ok(token) => {
                self.install(token);
                Ok(())
            }
            Err(error) => Err(self.note_failure(error)),
        }
    }

    fn install(self: &Arc<Self>, mut token: Token) {
        let (token, old, recovered, closed) = {
            let mut state = self.state.lock();
            state.generation += 1;
            state.login = None;
            token.generation = state.generation;
            let token = Arc::new(token);
            let old = if state.closed { None } else { state.token.replace(Arc::clone(&token)) };
            // A token of which nothing is known proves nothing yet: the first read does.
            let recovered = !token.opaque && state.failed.take().is_some();
            (token, old, recovered, state.closed)
        };
        // The session may have been dropped while the login was under way.
        let unused = if closed { Some(Arc::clone(&token)) } else { old };
        if let Some(unused) = unused {
            self.retire(unused);
        }
        if !closed {
            self.keep_alive(token);
        }
        if recovered {
            self.shared.announce(Recovery::Session(self.id));
        }
    }

    /// Remembers a failed login for as long as another should not be tried.
    fn note_failure(&self, error: VaultError) -> VaultError {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.login = None;
        // Nothing was sent: the breaker alone says when to try again.
        if matches!(error.kind(), ErrorKind::ServerDown { .. } | ErrorKind::ShuttingDown) {
            return error;
        }
        let times = state.failed.as_ref().map_or(0, |failed| failed.times) + 1;
        let until = error.next_try().unwrap_or(now + pause_after(error.kind(), times));
        let error = error.not_before(until);
        state.failed = Some(Failed { error: error.clone(), until, times });
        error
    }

    /// `auth/token/lookup-self`, whatever it answers.
    pub(super) async fn ask_about(&self, token: &Token) -> Result<Answer, VaultError> {
        let ask = Ask::get(LOOKUP_SELF, token.authorize(&self.headers));
        let outcome = self.server.send(Call::LookupSelf, Urgency::Urgent, &ask).await?;
        outcome.map_err(|failure| self.place(LOOKUP_SELF).failure(failure))
    }

    /// The server has accepted a token for a read.
    pub(super) fn accepted(&self, token: &Token) {
        token.prove(Instant::now());
        if token.opaque && self.state.lock().failed.take().is_some() {
            self.shared.announce(Recovery::Session(self.id));
        }
    }

    /// This token is of no use any more. The next request logs in. False where it was not in use.
    pub(super) fn discard(&self, token: &Token) -> bool {
        let mut state = self.state.lock();
        let is_current = state.token.as_ref().is_some_and(|current| current.generation == token.generation);
        if is_current {
            token.retired.cancel();
            state.token = None;
        }
        is_current
    }

    /// A user's own token is dead: nobody asks again for a while. Readers that learn it from the same token later do not
    /// prolong that.
    pub(super) fn discard_own(&self, token: &Token) -> VaultError {
        if self.discard(token) {
            return self.note_failure(self.own_refused());
        }
        let standing = self.state.lock().failed.as_ref().map(|failed| failed.error.clone());
        standing.unwrap_or_else(|| self.own_refused())
    }

    /// A user's own token that was never accepted and of which nothing is known: it stays in use, and its first accepted
    /// read is a recovery.
    pub(super) fn doubt_own(&self) -> VaultError {
        let error = self.own_refused();
        let doubt = || Failed { error: error.clone(), until: Instant::now(), times: 0 };
        self.state.lock().failed.get_or_insert_with(doubt);
        error
    }

    /// The error of a user's own token that is refused.
    pub(super) fn own_refused(&self) -> VaultError {
        ErrorKind::TokenRefused { server: Arc::clone(&self.server.id().address) }.into()
    }

    /// Whether this is still the token that requests are sent with.
    pub(super) fn is_current(&self, token: &Token) -> bool {
        self.state.lock().token.as_ref().is_some_and(|current| current.generation == token.generation)
    }

    /// The token at hand, without logging in for one.
    pub(super) fn current(&self) -> Option<Arc<Token>> {
        let now = Instant::now();
        self.state.lock().token.clone().filter(|token| token.is_live(now))
    }

    /// A live token may not do something: lets one new login through, if the ladder has come that far, in case the
    /// role has got other policies since. The old token serves until the new one is there.
    pub(super) fn may_relogin(&self, token: &Token) -> bool {
        self.state.lock().ladder.take(token.born, Instant::now())
    }

    /// The new login did help.
    pub(super) fn relogin_helped(&self) {
        self.state.lock().ladder = Ladder::default();
    }

    pub(super) fn place<'a>(&'a self, path: &'a str) -> Place<'a> {
        Place { server: &self.server.id().address, path, max_body: self.shared.settings.max_body }
    }

    /// What to send to learn what is left of an AppRole's secret id.
    pub(super) fn secret_id_lookup(&self, role: &str) -> Option<Request> {
        self.login.secret_id_lookup(role)
    }

    /// No more logins; the token is given back for its revocation.
    pub(super) fn close(&self) -> Option<Arc<Token>> {
        let mut state = self.state.lock();
        state.closed = true;
        state.token.take()
    }
}

/// What every request of a session carries, beside its token. Vault's own come last: a store's can't replace them.
pub(super) fn headers(custom: &HeaderMap, namespace: Option<&str>) -> Result<HeaderMap, VaultError> {
    let mut headers = custom.clone();
    headers.insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        let bad = |_| ErrorKind::BadConnection {
            problem: "the Vault namespace has characters that no header can hold".to_owned(),
        };
        headers.insert(HeaderName::from_static("x-vault-namespace"), HeaderValue::from_str(namespace).map_err(bad)?);
    }
    Ok(headers)
}

pub(super) const LOOKUP_SELF: &str = "auth/token/lookup-self";

//! Requests for secrets: with a token, retried where that can help, and a 403 explained.

use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Place;
use super::connection::{Connection, RetrySettings};
use super::denial::Denial;
use super::error::{Action, Down, ErrorKind, VaultError};
use super::http::{Answer, Ask, Failure, INDEX};
use super::retry;
use super::server::Server;
use super::session::Urgency;
use super::settings::Call;
use super::token::Token;
use super::tokens::Tokens;

/// What is asked for, and how soon.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) call: Call,
    pub(super) action: Action,
    pub(super) path: &'a str,
    pub(super) query: Option<(&'static str, u64)>,
    pub(super) urgency: Urgency,
}

/// Asks a server on behalf of one session.
pub(super) struct Caller {
    pub(super) server: Arc<Server>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) namespace: Option<String>,
    headers: HeaderMap,
    read_your_writes: bool,
    retry: RetrySettings,
}

const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");

/// How often one call may change its token: a dead one, then a trial in case policies changed.
const MOST_TOKENS: u32 = 3;

impl Caller {
    pub(super) fn new(
        connection: &Connection,
        server: Arc<Server>,
        tokens: Arc<Tokens>,
        mut headers: HeaderMap,
    ) -> Self {
        if connection.forward_inconsistent {
            headers.insert(INCONSISTENT, HeaderValue::from_static("forward-active-node"));
        }
        Self {
            server,
            tokens,
            namespace: connection.namespace.clone(),
            headers,
            read_your_writes: connection.read_your_writes,
            retry: connection.retry,
        }
    }

    /// An answer of 200 or 404; everything else is an error. All within the operation's deadline.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, VaultError> {
        let deadline = Instant::now() + self.tokens.shared.settings.operation_timeout;
        let asked = tokio::time::timeout_at(deadline.into(), self.ask_until(question, deadline)).await;
        asked.unwrap_or_else(|_| Err(self.place(question.path).failure(Failure::NoAnswer(Down::Hanging))))
    }

    /// An answer of any status that needs no explanation: for questions that nothing depends on.
    pub(super) async fn ask_once(&self, question: Question<'_>) -> Result<Answer, VaultError> {
        let deadline = Instant::now() + self.tokens.shared.settings.request_timeout;
        let (answer, _) = self.send(question, deadline).await?;
        if answer.status >= 500 || matches!(answer.status, 412 | 429) {
            return Err(self.place(question.path).status(&answer));
        }
        Ok(answer)
    }

    async fn ask_until(&self, question: Question<'_>, deadline: Instant) -> Result<Answer, VaultError> {
        let mut trial = false;
        let mut last = None;
        for _ in 0..MOST_TOKENS {
            let (answer, token) = self.send(question, deadline).await?;
            match answer.status {
                200 | 404 => {
                    self.tokens.accepted(&token);
                    if trial {
                        self.tokens.relogin_helped();
                    }
                    return Ok(answer);
                }
                403 => {}
                _ => return Err(self.place(question.path).status(&answer)),
            }
            let before = last.replace(token.generation);
            // The same token again: there was no other to be had.
            let repeated = before == Some(token.generation);
            let is_replacement = before.is_some() && !repeated;
            match self.tokens.denied(&token, is_replacement, question.path, &answer).await? {
                Denial::Again { trial: of_policies } if !repeated => trial = of_policies,
                Denial::Again { .. } => return Err(self.denial(question, token.holder())),
                Denial::Final(holder) => return Err(self.denial(question, holder)),
            }
        }
        let holder = self.tokens.current().map(|token| token.holder()).unwrap_or_default();
        Err(self.denial(question, holder))
    }

    fn denial(&self, question: Question<'_>, holder: super::Holder) -> VaultError {
        ErrorKind::Denied { action: question.action, path: question.path.to_owned(), holder }.into()
    }

    /// One request with a token, and again while its trouble may pass. A token with few uses is taken anew each time.
    async fn send(&self, question: Question<'_>, deadline: Instant) -> Result<(Answer, Arc<Token>), VaultError> {
        let mut tries = 0;
        loop {
            let token = self.tokens.acquire().await?;
            let mut ask = Ask::get(question.path, self.headers_with(&token));
            ask.query = question.query.map(|(name, value)| (name, value.to_string()));
            if question.action == Action::List {
                ask.query = Some(("list", "true".to_owned()));
            }
            let outcome = self.server.send(question.call, question.urgency, &ask).await?;
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            match retry::pause(&outcome, self.retry, tries, left, retry::random()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    let answer = outcome.map_err(|failure| self.place(question.path).failure(failure))?;
                    return Ok((answer, token));
                }
            }
        }
    }

    fn headers_with(&self, token: &Token) -> HeaderMap {
        let mut headers = token.authorize(&self.headers);
        if let (true, Some(index)) = (self.read_your_writes, &token.index) {
            headers.insert(INDEX, index.clone());
        }
        headers
    }

    pub(super) fn place<'a>(&'a self, path: &'a str) -> Place<'a> {
        self.tokens.place(path)
    }
}

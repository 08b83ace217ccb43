//! One login: what is sent, how often, and what a refusal means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Place, refusal};
use super::auth::{Auth, Authed, LookedUpData};
use super::budget::Attempt;
use super::budget::Spent;
use super::error::{ErrorKind, Garbled, VaultError};
use super::http::{Answer, Ask, Failure};
use super::retry;
use super::session::Urgency;
use super::settings::Call;
use super::token::Token;
use super::tokens::{LOOKUP_SELF, Tokens};

impl Tokens {
    /// The turn to log in, for what the server may lock: others of the same role or user may be under way.
    pub(super) async fn turn(&self) -> Result<Option<Attempt<'_>>, VaultError> {
        let Some((principal, credentials)) = self.lockable else { return Ok(None) };
        let begun = self.shared.budget.begin(principal, credentials).await;
        begun.map(Some).map_err(|spent| self.spent(spent))
    }

    /// A new token: by a login, whose turn it is, or from the user. Nothing is kept yet.
    pub(super) async fn make_token(self: &Arc<Self>, attempt: Option<Attempt<'_>>) -> Result<Token, VaultError> {
        if let Some(own) = self.login.own_token() {
            return self.look_up_own(own.clone()).await;
        }
        let Some(request) = self.login.request().await? else {
            return Err(ErrorKind::ShuttingDown.into());
        };
        let place = self.place(&request.path);
        let begun = Instant::now();
        let ask = Ask::post(&request.path, Some(&request.body), self.headers.clone());
        let answer = self.send_login(&ask).await?.map_err(|failure| place.failure(failure))?;
        if answer.status != 200 {
            let error = self.login_error(place, &answer);
            if let (Some(attempt), ErrorKind::LoginRefused { .. }) = (&attempt, error.kind()) {
                attempt.refused(error.clone());
            }
            return Err(error);
        }
        let auth = self.granted(place, &answer)?;
        if let Some(attempt) = &attempt {
            attempt.granted();
        }
        let mut token = Token::from_login(auth, 0, begun, retry::random());
        token.index = answer.index.clone();
        Ok(token)
    }

    /// Tries again only what certainly never reached the server: a refused login counts towards a lock-out, and a
    /// granted one leaves a token behind.
    async fn send_login(&self, ask: &Ask<'_>) -> Result<Result<Answer, Failure>, VaultError> {
        let deadline = Instant::now() + self.shared.settings.operation_timeout;
        let mut tries = 0;
        loop {
            let outcome = self.server.send(Call::Login, Urgency::Urgent, ask).await?;
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = match &outcome {
                Err(Failure::NoConnection(_)) => retry::pause(&outcome, self.retry, tries, left, retry::random()),
                _ => None,
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(outcome),
            }
        }
    }

    fn granted(&self, place: Place<'_>, answer: &Answer) -> Result<Auth, VaultError> {
        let authed: Authed = answer.json().map_err(|what| place.garbled(answer.status, what))?;
        let auth = authed.auth.ok_or_else(|| place.garbled(answer.status, Garbled::Null))?;
        if !auth.has_token() {
            let reason =
                "it asks for a second factor, which an operator can't give; exempt this login from MFA".to_owned();
            return Err(self.refused(answer.status, reason));
        }
        Ok(auth)
    }

    fn login_error(&self, place: Place<'_>, answer: &Answer) -> VaultError {
        match answer.status {
            404 if answer.says("namespace not found") => {
                ErrorKind::NoNamespace { namespace: self.namespace.clone().unwrap_or_default() }.into()
            }
            400 if answer.body.starts_with(b"Client sent") => place.status(answer),
            400 | 401 | 403 | 404 | 405 => match answer.is_vaults_word() {
                Ok(()) => self.refused(answer.status, refusal(answer)),
                Err(what) => place.garbled(answer.status, what),
            },
            _ => place.status_alone(answer),
        }
    }

    fn refused(&self, status: u16, reason: String) -> VaultError {
        let (server, mount) = (Arc::clone(&self.server.id().address), self.mount());
        ErrorKind::LoginRefused { server, mount, status, reason }.into()
    }

    /// The error of a login that is not tried: what the last try with the same credentials gave, if there was one.
    fn spent(&self, spent: Spent) -> VaultError {
        let (server, mount) = (Arc::clone(&self.server.id().address), self.mount());
        let error = spent.own.unwrap_or_else(|| ErrorKind::LoginHeld { server, mount }.into());
        error.not_before(spent.until)
    }

    fn mount(&self) -> String {
        self.login.principal().map(|principal| principal.mount.to_owned()).unwrap_or_default()
    }

    /// A user's own token costs one look-up instead of a login, so that it can be renewed.
    async fn look_up_own(&self, value: secrecy::SecretString) -> Result<Token, VaultError> {
        let now = Instant::now();
        let bare = Token::from_user(value.clone(), None, 0, now, retry::random());
        let answer = self.ask_about(&bare).await?;
        match answer.status {
            200 => {
                let place = self.place(LOOKUP_SELF);
                let found: LookedUpData = answer.json().map_err(|what| place.garbled(answer.status, what))?;
                let token = Token::from_user(value, Some(&found.data), 0, now, retry::random());
                token.prove(now);
                Ok(token)
            }
            403 if answer.is_vaults_word().is_ok() => Ok(bare),
            _ => Err(self.place(LOOKUP_SELF).status(&answer)),
        }
    }
}

/// How long after the n-th failed login in a row no other is tried.
pub(super) fn pause_after(kind: &ErrorKind, times: u32) -> Duration {
    let secs = Duration::from_secs;
    match kind {
        ErrorKind::LoginRefused { .. } | ErrorKind::TokenRefused { .. } => match times {
            1 => secs(15),
            2 => secs(60),
            _ => secs(300),
        },
        // Made in the cluster, so its mend should heal within seconds.
        ErrorKind::CredentialUnavailable { .. } => retry::backoff(secs(1), times).min(secs(4)),
        _ => retry::backoff(secs(1), times),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_logins_wait_long_and_others_shortly() {
        let refused = ErrorKind::TokenRefused { server: Arc::from("x") };
        let passing = ErrorKind::Throttled { server: Arc::from("x"), path: String::new() };
        let seconds = |kind: &ErrorKind| [1, 2, 3, 9].map(|times| pause_after(kind, times).as_secs());
        assert_eq!(seconds(&refused), [15, 60, 300, 300]);
        assert_eq!(seconds(&passing), [1, 2, 4, 10]);
    }
}

//! Keeping a token alive, and giving it back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Place;
use super::auth::Authed;
use super::error::VaultError;
use super::http::{Ask, Failure};
use super::retry;
use super::session::Urgency;
use super::settings::Call;
use super::token::{Lease, Step, Token};
use super::tokens::Tokens;

const RENEW_SELF: &str = "auth/token/renew-self";
const REVOKE_SELF: &str = "auth/token/revoke-self";

/// Why a renewal brought nothing.
enum Unrenewed {
    /// It may next time.
    Yet,
    /// The server will not.
    Ever,
}

impl Tokens {
    /// Renews the token in the background, until it is retired or can't be renewed any more. One timer, no polling.
    pub(super) fn keep_alive(self: &Arc<Self>, token: Arc<Token>) {
        let Step::Renew(mut at) = token.lease().next else {
            return;
        };
        let tokens = Arc::clone(self);
        let retired = token.retired.clone();
        let renew = async move {
            let mut failed = 0;
            loop {
                tokio::time::sleep_until(at.into()).await;
                match tokens.renew(&token).await {
                    Ok(()) => failed = 0,
                    Err(Unrenewed::Yet) => {
                        failed += 1;
                        token.set_lease(next_try(token.lease(), Instant::now(), failed));
                    }
                    Err(Unrenewed::Ever) => {
                        token.set_lease(Lease { next: Step::Replace(Instant::now()), ..token.lease() })
                    }
                }
                match token.lease().next {
                    Step::Renew(next) => at = next,
                    Step::Replace(_) | Step::Never => return,
                }
            }
        };
        self.shared.spawn(async move {
            tokio::select! {
                () = retired.cancelled() => {}
                () = renew => {}
            }
        });
    }

    async fn renew(&self, token: &Token) -> Result<(), Unrenewed> {
        let begun = Instant::now();
        let ask = Ask::post(RENEW_SELF, None, token.authorize(&self.headers));
        let outcome = self.server.send(Call::RenewSelf, Urgency::Urgent, &ask).await;
        let answer = outcome.map_err(|_| Unrenewed::Yet)?.map_err(|_| Unrenewed::Yet)?;
        match answer.status {
            200 => {}
            400 | 403 | 404 | 405 if answer.is_vaults_word().is_ok() => return Err(Unrenewed::Ever),
            _ => return Err(Unrenewed::Yet),
        }
        let authed: Authed = answer.json().map_err(|_| Unrenewed::Yet)?;
        let auth = authed.auth.ok_or(Unrenewed::Yet)?;
        let mut lease = Lease::new(begun, auth.lease_duration, token.full, auth.renewable, retry::random());
        if token.own && matches!(lease.next, Step::Replace(_)) {
            lease.next = Step::Never;
        }
        token.set_lease(lease);
        token.prove(Instant::now());
        Ok(())
    }

    /// A token that no request is sent with any more: revoked in the background.
    pub(super) fn retire(self: &Arc<Self>, token: Arc<Token>) {
        token.retired.cancel();
        if is_revocable(&token) {
            let tokens = Arc::clone(self);
            self.shared.spawn_to_end(async move {
                if let Err(error) = tokens.revoke(&token).await {
                    tracing::debug!(%error, "a token was left to end by itself");
                }
            });
        }
    }

    /// Revokes a token now; for a shutdown, that waits for it.
    pub(super) async fn revoke(&self, token: &Token) -> Result<(), VaultError> {
        token.retired.cancel();
        if !is_revocable(token) || !token.take_use() {
            return Ok(());
        }
        let ask = Ask::post(REVOKE_SELF, None, token.authorize(&self.headers));
        let outcome = self.server.send(Call::RevokeSelf, Urgency::Urgent, &ask).await?;
        let place: Place<'_> = self.place(REVOKE_SELF);
        let answer = outcome.map_err(|failure: Failure| place.failure(failure))?;
        if answer.status < 300 { Ok(()) } else { Err(place.status(&answer)) }
    }

    /// Has the next request log in, while this token serves as long as no other is there.
    pub(super) fn replace(&self, token: &Token) {
        token.set_lease(Lease { next: Step::Replace(Instant::now()), ..token.lease() });
    }
}

/// A user's own token is not ours to revoke, and a batch token can't be.
fn is_revocable(token: &Token) -> bool {
    !token.own && !token.batch && token.is_live(Instant::now())
}

/// After a failed renewal: soon again, as long as the lease lasts.
fn next_try(lease: Lease, now: Instant, failed: u32) -> Lease {
    let at = now + retry::backoff(Duration::from_millis(500), failed);
    let next = match lease.ends {
        Some(ends) if at < ends => Step::Renew(at),
        _ => Step::Replace(now),
    };
    Lease { next, ..lease }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_renewal_is_tried_again_while_the_lease_lasts() {
        let now = Instant::now();
        let lease = Lease { ends: Some(now + Duration::from_secs(1)), next: Step::Never };
        assert_eq!(next_try(lease, now, 1).next, Step::Renew(now + Duration::from_millis(500)));
        assert_eq!(next_try(lease, now, 2).next, Step::Replace(now));
    }
}

//! When a server counts as down: a state machine that is told what happened and says what to do.
//!
//! A request that went wrong is only a doubt, since a path of its own may hang or fail. The server's health is the
//! judge: one task asks for it, at growing intervals, until it is good; meanwhile, once the server is found down,
//! everybody else is told at once.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::Down;
use super::http::Answer;

/// The first question follows the doubt at once; the second opens the breaker if it fails too, so that a server that
/// restarts within half a second is no outage.
const PAUSES: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// How long a good health stands against new doubts.
const TRUST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    healthy_at: Option<Instant>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    /// The health is being asked for the n-th time.
    Asking { failed: usize, down: Option<Down> },
}

/// What the asking task does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait so long (before jitter), then ask.
    Ask(Duration),
    /// End. `recovered` where others had been told that the server is down.
    Rest { recovered: bool },
}

impl Breaker {
    /// Why nothing should be sent, if so.
    pub(super) fn down(&self) -> Option<Down> {
        match self.state {
            State::Closed => None,
            State::Asking { down, .. } => down,
        }
    }

    /// A request went wrong in a way that may be the server's. True: start the task that asks.
    pub(super) fn doubt(&mut self, now: Instant) -> bool {
        let trusted = self.healthy_at.is_some_and(|at| now.duration_since(at) < TRUST);
        if trusted || !matches!(self.state, State::Closed) {
            return false;
        }
        self.state = State::Asking { failed: 0, down: None };
        true
    }

    /// The answer to a question for the server's health.
    pub(super) fn health(&mut self, answer: Result<(), Down>, now: Instant) -> Next {
        let State::Asking { failed, down } = &mut self.state else {
            return Next::Rest { recovered: false };
        };
        match answer {
            Ok(()) => {
                let recovered = down.is_some();
                // Right after an outage a new doubt is likely true: trust is for a server that was well all along.
                self.healthy_at = if recovered { None } else { Some(now) };
                self.state = State::Closed;
                Next::Rest { recovered }
            }
            Err(why) => {
                *failed += 1;
                let certain = matches!(why, Down::Sealed | Down::Uninitialised);
                if certain || *failed > 1 || down.is_some() {
                    *down = Some(why);
                }
                let last = PAUSES.last().copied().unwrap_or_default();
                Next::Ask(PAUSES.get(*failed).copied().unwrap_or(last))
            }
        }
    }
}

/// What `sys/health` says, as far as it is needed. Vault's has both fields, whatever the status.
#[derive(Deserialize)]
struct Health {
    initialized: bool,
    sealed: bool,
}

/// What an answer to `sys/health` means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Health(Result<(), Down>),
    /// It fails, and it isn't Vault that says so: something before it may fail alone, or hide the endpoint.
    Foreign,
}

/// Whoever answers at all without failing, be it a proxy that hides the endpoint, is up.
pub(super) fn health_of(answer: &Answer) -> Told {
    if answer.status < 500 {
        return Told::Health(Ok(()));
    }
    match answer.json::<Health>() {
        Ok(health) if !health.initialized => Told::Health(Err(Down::Uninitialised)),
        Ok(health) if health.sealed => Told::Health(Err(Down::Sealed)),
        Ok(_) => Told::Health(Err(Down::Failing(answer.status))),
        Err(_) if answer.says("sealed") => Told::Health(Err(Down::Sealed)),
        Err(_) => Told::Foreign,
    }
}

/// What an answer to another question means, where `sys/health` gave `status` and that was not Vault's.
pub(super) fn health_beside(answer: &Answer, status: u16) -> Result<(), Down> {
    match answer.is_vaults_word() {
        Ok(()) if answer.says("sealed") => Err(Down::Sealed),
        Ok(()) if answer.status < 500 => Ok(()),
        _ => Err(Down::Failing(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::zeroize::Zeroizing;

    #[test]
    fn a_doubt_is_not_an_outage() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        assert!(breaker.doubt(now));
        assert!(!breaker.doubt(now), "one task asks");
        assert_eq!(breaker.down(), None);
        assert_eq!(breaker.health(Ok(()), now), Next::Rest { recovered: false });
        assert!(!breaker.doubt(now + Duration::from_secs(4)), "its health was just seen");
        assert!(breaker.doubt(now + Duration::from_secs(5)));
    }

    #[test]
    fn two_bad_answers_open_it_and_a_good_one_recovers() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.doubt(now);
        assert_eq!(breaker.health(Err(Down::Unreachable), now), Next::Ask(Duration::from_millis(500)));
        assert_eq!(breaker.down(), None);
        assert_eq!(breaker.health(Err(Down::Unreachable), now), Next::Ask(Duration::from_secs(1)));
        assert_eq!(breaker.down(), Some(Down::Unreachable));
        for pause in [2, 4, 8, 15, 15, 15] {
            assert_eq!(breaker.health(Err(Down::Unreachable), now), Next::Ask(Duration::from_secs(pause)));
        }
        assert_eq!(breaker.health(Ok(()), now), Next::Rest { recovered: true });
        assert_eq!(breaker.down(), None);
        assert!(breaker.doubt(now), "after an outage a doubt is asked about at once");
    }

    #[test]
    fn sealed_is_certain_at_once_and_the_cause_follows_the_server() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.doubt(now);
        breaker.health(Err(Down::Sealed), now);
        assert_eq!(breaker.down(), Some(Down::Sealed));
        breaker.health(Err(Down::Unreachable), now);
        assert_eq!(breaker.down(), Some(Down::Unreachable));
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, index: None, body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn only_vault_itself_is_sealed() {
        for status in [200, 400, 403, 404, 405, 429, 472, 473] {
            assert_eq!(health_of(&answer(status, "<html>")), Told::Health(Ok(())), "{status}");
        }
        let told = |status, body: &str| health_of(&answer(status, body));
        let failing = |why| Told::Health(Err(why));
        assert_eq!(told(503, r#"{"initialized":true,"sealed":true,"standby":true}"#), failing(Down::Sealed));
        assert_eq!(told(503, r#"{"errors":["Vault is sealed"]}"#), failing(Down::Sealed));
        assert_eq!(told(501, r#"{"initialized":false,"sealed":true}"#), failing(Down::Uninitialised));
        assert_eq!(told(530, r#"{"initialized":true,"sealed":false}"#), failing(Down::Failing(530)));
        for (status, body) in [(503, "<html>no endpoints</html>"), (503, ""), (501, "no"), (502, r#"{"message":"x"}"#)]
        {
            assert_eq!(told(status, body), Told::Foreign, "{status} {body}");
        }
    }

    #[test]
    fn what_hides_the_health_is_told_from_what_is_down() {
        let beside = |status, body: &str| health_beside(&answer(status, body), 503);
        assert_eq!(beside(403, r#"{"errors":["permission denied"]}"#), Ok(()));
        assert_eq!(beside(503, r#"{"errors":["Vault is sealed"]}"#), Err(Down::Sealed));
        for (status, body) in [(500, r#"{"errors":["disk full"]}"#), (403, "<html>"), (503, "<html>"), (200, "<html>")]
        {
            assert_eq!(beside(status, body), Err(Down::Failing(503)), "{status} {body}");
        }
    }
}

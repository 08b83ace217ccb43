//! How often logins may be refused before we stop asking, across all sessions.
//!
//! Vault and OpenBao lock a role or user for 15 minutes after 5 refused logins, and a mended credential is locked
//! with it. So a role or user gets 3 refusals in 15 minutes. A credential that was never refused gets one try even
//! then, so that a mend heals at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::connection::Fingerprint;
use super::error::VaultError;

const WINDOW: Duration = Duration::from_secs(15 * 60);
const ALLOWED: usize = 3;

/// The refused logins of the last 15 minutes, by role or user.
#[derive(Default)]
pub(super) struct Budget {
    refusals: HashMap<Fingerprint, Vec<Refusal>>,
}

struct Refusal {
    at: Instant,
    credentials: Fingerprint,
    error: VaultError,
}

impl Budget {
    /// Whether a login may be tried now; else the last refusal, with the time from which it may.
    pub(super) fn check(
        &mut self,
        principal: Fingerprint,
        credentials: Fingerprint,
        now: Instant,
    ) -> Result<(), VaultError> {
        self.forget_old(now);
        let Some(refusals) = self.refusals.get(&principal) else {
            return Ok(());
        };
        let own = refusals.iter().rfind(|refusal| refusal.credentials == credentials);
        let counting = refusals.len().checked_sub(ALLOWED).and_then(|over| refusals.get(over));
        match (own, counting) {
            (Some(own), Some(first)) => Err(own.error.clone().not_before(first.at + WINDOW)),
            _ => Ok(()),
        }
    }

    /// A login was refused.
    pub(super) fn refused(
        &mut self,
        principal: Fingerprint,
        credentials: Fingerprint,
        error: VaultError,
        now: Instant,
    ) {
        self.forget_old(now);
        self.refusals.entry(principal).or_default().push(Refusal { at: now, credentials, error });
    }

    /// A login went through: the server counts anew as well.
    pub(super) fn granted(&mut self, principal: Fingerprint) {
        self.refusals.remove(&principal);
    }

    /// What bounds the memory: nothing is kept beyond the window.
    fn forget_old(&mut self, now: Instant) {
        self.refusals.retain(|_, refusals| {
            refusals.retain(|refusal| now.duration_since(refusal.at) < WINDOW);
            !refusals.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: Fingerprint = [1; 32];
    const OTHER_ROLE: Fingerprint = [2; 32];
    const WRONG: Fingerprint = [3; 32];
    const MENDED: Fingerprint = [4; 32];

    fn error() -> VaultError {
        VaultError::empty_credential("test")
    }

    #[test]
    fn three_refusals_in_a_quarter_of_an_hour() {
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut budget = Budget::default();
        for minute in [0, 1, 2] {
            assert!(budget.check(ROLE, WRONG, at(minute)).is_ok(), "minute {minute}");
            budget.refused(ROLE, WRONG, error(), at(minute));
        }
        let refused = budget.check(ROLE, WRONG, at(3)).unwrap_err();
        assert_eq!(refused.next_try(), Some(at(15)));
        assert!(budget.check(OTHER_ROLE, WRONG, at(3)).is_ok());
        assert!(budget.check(ROLE, WRONG, at(15)).is_ok(), "the first is forgotten");
        budget.refused(ROLE, WRONG, error(), at(15));
        assert_eq!(budget.check(ROLE, WRONG, at(15)).unwrap_err().next_try(), Some(at(16)));
    }

    #[test]
    fn a_mended_credential_is_tried_at_once_but_only_once() {
        let now = Instant::now();
        let mut budget = Budget::default();
        for _ in 0..3 {
            budget.refused(ROLE, WRONG, error(), now);
        }
        assert!(budget.check(ROLE, MENDED, now).is_ok());
        budget.refused(ROLE, MENDED, error(), now);
        assert!(budget.check(ROLE, MENDED, now).is_err());
    }

    #[test]
    fn a_granted_login_starts_anew() {
        let now = Instant::now();
        let mut budget = Budget::default();
        for _ in 0..3 {
            budget.refused(ROLE, WRONG, error(), now);
        }
        budget.granted(ROLE);
        assert!(budget.check(ROLE, WRONG, now).is_ok());
        assert!(budget.refusals.is_empty());
    }
}

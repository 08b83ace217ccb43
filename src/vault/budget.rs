//! How often logins may be refused before we stop asking, across all sessions.
//!
//! Vault and OpenBao lock a role or user for 15 minutes after 5 refused logins, and a mended credential is locked
//! with it. They count refusals until one is granted or 15 minutes have passed since the last. So a role or user gets
//! 3 refusals, and then a rest of 15 minutes. A credential that was never refused gets one try even then, so that a
//! mend heals at once, but the fifth refusal is never risked. Logins under way count as refused until they end: who
//! would go beyond waits for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::Fingerprint;
use super::error::VaultError;

/// Without a refusal for so long, the server counts anew.
const REST: Duration = Duration::from_secs(15 * 60);
/// Refusals after which a refused credential is not tried again.
const ALLOWED: usize = 3;
/// Refusals after which no credential is tried.
const MOST: usize = 4;

/// The refused logins that the server still counts, and those under way, by role or user.
#[derive(Default)]
pub(super) struct Budget {
    accounts: Mutex<HashMap<Fingerprint, Account>>,
    ended: Notify,
}

#[derive(Default)]
struct Account {
    refusals: Vec<Refusal>,
    under_way: usize,
}

struct Refusal {
    at: Instant,
    credentials: Fingerprint,
    error: VaultError,
}

/// Why a login is not tried now.
pub(super) struct Spent {
    /// When it may be.
    pub(super) until: Instant,
    /// The last refusal of these very credentials, if they were refused.
    pub(super) own: Option<VaultError>,
}

/// What to do about a login.
enum Turn {
    Now,
    /// Others are under way, and their outcome decides.
    Later,
    Never(Spent),
}

impl Account {
    fn turn(&self, credentials: Fingerprint) -> Turn {
        if self.under_way > 0 && self.refusals.len() + self.under_way >= ALLOWED {
            return Turn::Later;
        }
        let own = self.refusals.iter().rfind(|refusal| refusal.credentials == credentials);
        let most = if own.is_some() { ALLOWED } else { MOST };
        match self.refusals.last() {
            Some(last) if self.refusals.len() >= most => {
                Turn::Never(Spent { until: last.at + REST, own: own.map(|own| own.error.clone()) })
            }
            _ => Turn::Now,
        }
    }
}

/// A login under way.
pub(super) struct Attempt<'a> {
    budget: &'a Budget,
    principal: Fingerprint,
    credentials: Fingerprint,
}

impl Budget {
    /// Waits until a login may be tried, or tells why it may not.
    pub(super) async fn begin(&self, principal: Fingerprint, credentials: Fingerprint) -> Result<Attempt<'_>, Spent> {
        loop {
            let ended = self.ended.notified();
            if let Some(attempt) = self.try_begin(principal, credentials, Instant::now())? {
                return Ok(attempt);
            }
            ended.await;
        }
    }

    fn try_begin(
        &self,
        principal: Fingerprint,
        credentials: Fingerprint,
        now: Instant,
    ) -> Result<Option<Attempt<'_>>, Spent> {
        let mut accounts = self.accounts.lock();
        forget_old(&mut accounts, now);
        let account = accounts.entry(principal).or_default();
        match account.turn(credentials) {
            Turn::Now => {
                account.under_way += 1;
                Ok(Some(Attempt { budget: self, principal, credentials }))
            }
            Turn::Later => Ok(None),
            Turn::Never(spent) => Err(spent),
        }
    }
}

/// What bounds the memory: nothing is kept that the server does not count any more.
fn forget_old(accounts: &mut HashMap<Fingerprint, Account>, now: Instant) {
    accounts.retain(|_, account| {
        if account.refusals.last().is_none_or(|last| now.duration_since(last.at) >= REST) {
            account.refusals.clear();
        }
        account.under_way > 0 || !account.refusals.is_empty()
    });
}

impl Attempt<'_> {
    /// It was refused.
    pub(super) fn refused(&self, error: VaultError) {
        self.refused_at(error, Instant::now());
    }

    fn refused_at(&self, error: VaultError, at: Instant) {
        if let Some(account) = self.budget.accounts.lock().get_mut(&self.principal) {
            account.refusals.push(Refusal { at, credentials: self.credentials, error });
        }
    }

    /// It went through: the server counts anew as well.
    pub(super) fn granted(&self) {
        if let Some(account) = self.budget.accounts.lock().get_mut(&self.principal) {
            account.refusals.clear();
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(account) = self.budget.accounts.lock().get_mut(&self.principal) {
            account.under_way = account.under_way.saturating_sub(1);
        }
        self.budget.ended.notify_waiters();
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

    /// Until when it is refused; `None` where it was tried, and refused.
    fn tried(budget: &Budget, role: Fingerprint, credentials: Fingerprint, at: Instant) -> Option<Instant> {
        match budget.try_begin(role, credentials, at) {
            Ok(attempt) => {
                attempt.expect("nothing is under way").refused_at(error(), at);
                None
            }
            Err(spent) => Some(spent.until),
        }
    }

    #[test]
    fn three_refusals_and_then_a_rest() {
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let budget = Budget::default();
        for minute in [0, 1, 2] {
            assert_eq!(tried(&budget, ROLE, WRONG, at(minute)), None, "minute {minute}");
        }
        assert_eq!(tried(&budget, ROLE, WRONG, at(3)), Some(at(17)));
        assert_eq!(tried(&budget, OTHER_ROLE, WRONG, at(3)), None);
        assert_eq!(tried(&budget, ROLE, WRONG, at(15)), Some(at(17)), "the server counts on from the last");
        for minute in [17, 18, 19] {
            assert_eq!(tried(&budget, ROLE, WRONG, at(minute)), None, "minute {minute}");
        }
        assert_eq!(tried(&budget, ROLE, WRONG, at(20)), Some(at(34)));
    }

    #[test]
    fn a_mended_credential_is_tried_at_once_but_the_fifth_refusal_is_never_risked() {
        let now = Instant::now();
        let budget = Budget::default();
        for _ in 0..3 {
            assert_eq!(tried(&budget, ROLE, WRONG, now), None);
        }
        assert_eq!(tried(&budget, ROLE, MENDED, now), None);
        assert_eq!(tried(&budget, ROLE, MENDED, now), Some(now + REST));
        assert_eq!(tried(&budget, ROLE, [5; 32], now), Some(now + REST), "never refused, but one more would lock");
        assert_eq!(tried(&budget, ROLE, [5; 32], now + REST), None);
    }

    #[test]
    fn a_granted_login_starts_anew() {
        let now = Instant::now();
        let budget = Budget::default();
        for _ in 0..3 {
            assert_eq!(tried(&budget, ROLE, WRONG, now), None);
        }
        budget.try_begin(ROLE, MENDED, now).ok().flatten().expect("its one try").granted();
        assert_eq!(tried(&budget, ROLE, WRONG, now), None);
        forget_old(&mut budget.accounts.lock(), now + REST);
        assert!(budget.accounts.lock().is_empty());
    }

    #[tokio::test]
    async fn logins_under_way_count_until_they_end() {
        let budget = Budget::default();
        let mut under_way: Vec<_> = Vec::new();
        for _ in 0..ALLOWED {
            under_way.push(budget.begin(ROLE, WRONG).await.ok().expect("a turn"));
        }
        let waiting = budget.begin(ROLE, WRONG);
        let other = budget.begin(OTHER_ROLE, WRONG).await;
        assert!(other.is_ok(), "another role does not wait");
        let refuse = async {
            for attempt in under_way.drain(..) {
                attempt.refused(error());
            }
        };
        let (waited, ()) = futures::future::join(waiting, refuse).await;
        assert!(waited.is_err(), "all three were refused");

        let budget = Budget::default();
        let grants =
            (0..20).map(|_| async { budget.begin(ROLE, WRONG).await.map(|attempt| attempt.granted()).is_ok() });
        assert!(
            futures::future::join_all(grants).await.into_iter().all(|granted| granted),
            "a good one lets all through"
        );
    }
}

//! A token and its life: when it ends, is renewed or replaced.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::auth::{Auth, LookedUp};
use super::error::Holder;

/// When a token ends, and what is to be done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// `None`: never.
    pub(super) ends: Option<Instant>,
    pub(super) next: Step,
}

/// What is to be done about a token, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It does not end, or nothing helps.
    Never,
    /// Prolong it.
    Renew(Instant),
    /// Log in anew at the first use after this.
    Replace(Instant),
}

/// Beyond this a lease counts as this long, so that no sum of times overflows.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

impl Lease {
    pub(super) const ENDLESS: Self = Self { ends: None, next: Step::Never };

    /// A lease of `seconds` from `now`; `full` is what the token got at first. A renewal that brings clearly less
    /// than that has met `token_max_ttl`: it is not renewed again, since each further renewal would bring less still.
    /// The step comes at two thirds of the lease, ±10% (`random` in 0..1), so that sessions begun together part.
    pub(super) fn new(now: Instant, seconds: u64, full: u64, renewable: bool, random: f64) -> Self {
        if seconds == 0 {
            return Self::ENDLESS;
        }
        let life = Duration::from_secs(seconds.min(LONGEST));
        let at = now + life.mul_f64(2.0 / 3.0 * (0.9 + 0.2 * random.clamp(0.0, 1.0)));
        let cut = seconds < full - full / 10;
        let next = if renewable && !cut { Step::Renew(at) } else { Step::Replace(at) };
        Self { ends: Some(now + life), next }
    }
}

/// A token in use.
pub(super) struct Token {
    /// Counts the tokens of a session, so that a late answer can be told from one about today's token.
    pub(super) generation: u64,
    pub(super) born: Instant,
    /// Somebody else made it: never revoked, and not ours to replace.
    pub(super) own: bool,
    /// Can be neither renewed nor revoked.
    pub(super) batch: bool,
    /// It may not even look itself up: nothing is known of it.
    pub(super) opaque: bool,
    /// What the first lease was, in seconds.
    pub(super) full: u64,
    /// AppRole's role name, for the look-up of its secret id.
    pub(super) role: Option<String>,
    /// Vault Enterprise's state at the login.
    pub(super) index: Option<HeaderValue>,
    /// Ends the renewal when the token is not used any more.
    pub(super) retired: CancellationToken,
    value: SecretString,
    uses_left: Option<AtomicU64>,
    holder: Mutex<Holder>,
    lease: Mutex<Lease>,
    proved: Mutex<Option<Instant>>,
}

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

impl Token {
    pub(super) fn from_login(auth: Auth, generation: u64, born: Instant, random: f64) -> Self {
        let limited = auth.num_uses > 0;
        let batch = auth.token_type.as_deref() == Some("batch");
        // Renewing would use one up.
        let renewable = auth.renewable && !batch && !limited;
        let token = Self::new(auth.client_token, generation, born);
        Self {
            batch,
            full: auth.lease_duration,
            role: auth.metadata.role_name.clone(),
            uses_left: limited.then(|| AtomicU64::new(auth.num_uses)),
            holder: Mutex::new(Holder { who: auth.metadata.who(), policies: auth.policies }),
            lease: Mutex::new(Lease::new(born, auth.lease_duration, auth.lease_duration, renewable, random)),
            ..token
        }
    }

    /// A user's own token, with what it says of itself if it may.
    pub(super) fn from_user(
        value: SecretString,
        looked_up: Option<&LookedUp>,
        generation: u64,
        now: Instant,
        random: f64,
    ) -> Self {
        let token = Self::new(value, generation, now);
        let Some(found) = looked_up else {
            return Self { own: true, opaque: true, ..token };
        };
        let full = if found.period > 0 { found.period } else { found.creation_ttl };
        let renewable = found.renewable && found.num_uses == 0;
        let mut lease = Lease::new(now, found.ttl, 0, renewable, random);
        if let Step::Replace(_) = lease.next {
            lease.next = Step::Never;
        }
        Self { own: true, full, holder: Mutex::new(found.holder()), lease: Mutex::new(lease), ..token }
    }

    fn new(value: SecretString, generation: u64, born: Instant) -> Self {
        Self {
            generation,
            born,
            own: false,
            batch: false,
            opaque: false,
            full: 0,
            role: None,
            index: None,
            retired: CancellationToken::new(),
            value,
            uses_left: None,
            holder: Mutex::default(),
            lease: Mutex::new(Lease::ENDLESS),
            proved: Mutex::default(),
        }
    }

    /// The headers with the token in them.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> HeaderMap {
        let mut headers = headers.clone();
        // A token that is no header value can't be anybody's: without one the server refuses, and says so.
        if let Ok(mut value) = HeaderValue::from_str(self.value.expose_secret()) {
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        headers
    }

    /// It has not ended, as far as we know.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        let in_time = self.lease.lock().ends.is_none_or(|ends| now < ends);
        in_time && self.uses_left.as_ref().is_none_or(|left| left.load(Ordering::Relaxed) > 0)
    }

    /// A fresh one should be used instead, if one can be had.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.lease.lock().next, Step::Replace(at) if at <= now)
    }

    /// Counts one use of a token with `token_num_uses`; false where none is left.
    pub(super) fn take_use(&self) -> bool {
        let Some(left) = &self.uses_left else {
            return true;
        };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Each request costs one of few uses: nothing is asked of the server that a read does not need.
    pub(super) fn is_limited(&self) -> bool {
        self.uses_left.is_some()
    }

    pub(super) fn lease(&self) -> Lease {
        *self.lease.lock()
    }

    pub(super) fn set_lease(&self, lease: Lease) {
        *self.lease.lock() = lease;
    }

    pub(super) fn holder(&self) -> Holder {
        self.holder.lock().clone()
    }

    pub(super) fn set_holder(&self, holder: Holder) {
        *self.holder.lock() = holder;
    }

    /// The server has accepted it.
    pub(super) fn prove(&self, now: Instant) {
        *self.proved.lock() = Some(now);
    }

    /// When the server last accepted it, beyond the login that made it.
    pub(super) fn proved(&self) -> Option<Instant> {
        *self.proved.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::auth::Authed;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_lease_is_renewed_at_two_thirds() {
        let now = Instant::now();
        for (random, at) in [(0.0, 1.8), (0.5, 2.0), (1.0, 2.2)] {
            let lease = Lease::new(now, 3, 3, true, random);
            assert_eq!(lease.ends, Some(now + secs(3.0)));
            let Step::Renew(when) = lease.next else { panic!("{lease:?}") };
            assert!((when - now).abs_diff(secs(at)) < secs(0.001), "{random}");
        }
    }

    #[test]
    fn what_can_not_be_renewed_is_replaced() {
        let now = Instant::now();
        assert!(matches!(Lease::new(now, 60, 60, false, 0.5).next, Step::Replace(_)));
        assert!(matches!(Lease::new(now, 60, 60, true, 0.5).next, Step::Renew(_)));
        assert!(matches!(Lease::new(now, 55, 60, true, 0.5).next, Step::Renew(_)), "rounding is no cut");
        assert!(matches!(Lease::new(now, 50, 60, true, 0.5).next, Step::Replace(_)), "cut by token_max_ttl");
        assert_eq!(Lease::new(now, 0, 0, true, 0.5), Lease::ENDLESS);
        assert!(Lease::new(now, u64::MAX, u64::MAX, true, 1.0).ends.is_some());
    }

    fn auth(json: &str) -> Token {
        let authed: Authed = serde_json::from_str(json).unwrap();
        Token::from_login(authed.auth.unwrap(), 1, Instant::now(), 0.5)
    }

    #[test]
    fn uses_are_counted() {
        let token = auth(
            r#"{"auth":{"client_token":"t","lease_duration":60,"renewable":true,"num_uses":2,"policies":null,"metadata":null}}"#,
        );
        assert!(matches!(token.lease().next, Step::Replace(_)), "a renewal would use one up");
        assert!(token.take_use() && token.take_use());
        assert!(!token.take_use());
        assert!(!token.is_live(Instant::now()));
    }

    #[test]
    fn names_but_no_values() {
        let token = auth(
            r#"{"auth":{"client_token":"s.secret","policies":["default","reader"],"metadata":{"role_name":"app"}}}"#,
        );
        assert_eq!(token.holder().to_string(), r#"the policies [default, reader] of role "app""#);
        assert_eq!(token.role.as_deref(), Some("app"));
        let headers = token.authorize(&HeaderMap::new());
        assert_eq!(headers["x-vault-token"], "s.secret");
        assert!(!format!("{headers:?}").contains("s.secret"));
    }

    #[test]
    fn a_users_token_is_renewed_but_never_replaced() {
        let looked_up = |json: &str| serde_json::from_str::<LookedUp>(json).unwrap();
        let token = |json: &str| Token::from_user("t".into(), Some(&looked_up(json)), 1, Instant::now(), 0.5);
        let root = token(r#"{"ttl":0,"creation_ttl":0,"renewable":null,"policies":["root"],"meta":null,"num_uses":0}"#);
        assert_eq!(root.lease(), Lease::ENDLESS);
        let periodic =
            token(r#"{"ttl":20,"creation_ttl":60,"period":60,"renewable":true,"policies":["p"],"num_uses":0}"#);
        assert!(matches!(periodic.lease().next, Step::Renew(_)));
        assert_eq!(periodic.full, 60);
        let fixed = token(r#"{"ttl":20,"creation_ttl":60,"renewable":false,"policies":["p"],"num_uses":0}"#);
        assert_eq!(fixed.lease().next, Step::Never);
        assert!(fixed.lease().ends.is_some());
    }
}

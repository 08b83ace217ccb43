//! What a 403 means: a dead token, or a live one whose policies are too narrow.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::auth::LookedUpData;
use super::error::{Holder, VaultError};
use super::http::Answer;
use super::token::Token;
use super::tokens::{LOOKUP_SELF, Tokens};

/// What to do about a 403.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// Ask again: another token is in use now, or will be.
    Again {
        /// With a new login that was made only for the case that policies changed.
        trial: bool,
    },
    /// It is the policies'.
    Final(Holder),
}

/// When a live token may be replaced because of a denial: 30 s after it was made, then 1 min, … 10 min.
#[derive(Debug)]
pub(super) struct Ladder {
    step: Duration,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { step: Duration::from_secs(30) }
    }
}

impl Ladder {
    /// True once the step has passed since the token was made; the next step is twice as long.
    pub(super) fn take(&mut self, born: Instant, now: Instant) -> bool {
        let due = now.duration_since(born) >= self.step;
        if due {
            self.step = (self.step * 2).min(Duration::from_secs(600));
        }
        due
    }
}

/// How long one look-up answers for all denials of the token: they come in herds.
const VERDICT: Duration = Duration::from_secs(1);
/// How long a denied path is known to be denied without another look-up.
const DENIED: Duration = Duration::from_secs(60);
const MOST_DENIED: usize = 1024;
/// How many paths in a row are refused to a user's own token that may not look itself up before it counts as dead.
const MOST_IN_A_ROW: usize = 8;
/// A token younger than this that was never accepted is not dead: the server does not let it look itself up.
const FRESH: Duration = Duration::from_secs(5);

/// What a session remembers about its denials, bounded.
#[derive(Default)]
pub(super) struct Denials {
    /// Held during a look-up, so that one serves all who wait.
    verdict: tokio::sync::Mutex<Option<(u64, Instant, Verdict)>>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    generation: u64,
    paths: HashMap<String, Instant>,
    /// Whether this role's tokens may look themselves up; a policy can forbid it, and then a 403 there says nothing.
    may_look_up: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Live,
    /// 403 on the look-up too.
    Refused {
        certain: bool,
    },
}

impl Tokens {
    /// Explains a 403 that `path` gave to `token`, and does what helps. `is_replacement`: the token took the place of one
    /// that was refused in the same call.
    pub(super) async fn denied(
        self: &Arc<Self>,
        token: &Arc<Token>,
        is_replacement: bool,
        path: &str,
        answer: &Answer,
    ) -> Result<Denial, VaultError> {
        answer.is_vaults_word().map_err(|what| self.place(path).garbled(answer.status, what))?;
        if !self.is_current(token) {
            return Ok(Denial::Again { trial: false });
        }
        if token.is_limited() || (!token.opaque && self.denials.is_known(token, path)) {
            return Ok(self.policy(token, path));
        }
        // Vault says so itself since 1.15; OpenBao does not.
        let verdict = match answer.says("invalid token") {
            true => Verdict::Refused { certain: true },
            false => self.verdict(token).await?,
        };
        match verdict {
            Verdict::Live => Ok(self.policy(token, path)),
            Verdict::Refused { certain } if token.own => self.own_denied(token, path, certain),
            Verdict::Refused { certain } if certain || self.denials.is_dead(token, is_replacement) => {
                self.discard_refused(token, certain);
                Ok(Denial::Again { trial: false })
            }
            Verdict::Refused { .. } => Ok(self.policy(token, path)),
        }
    }

    /// A user's own token is refused, and so is its look-up. One that never could look itself up may live: then only this
    /// read fails, until so many paths were refused in a row that it counts as dead.
    fn own_denied(&self, token: &Token, path: &str, certain: bool) -> Result<Denial, VaultError> {
        if certain || !token.opaque || self.denials.refused_in_a_row(token, path) >= MOST_IN_A_ROW {
            return Err(self.discard_own(token));
        }
        let lasts = self.shared.settings.proof;
        match token.proved() {
            Some(at) if at.elapsed() < lasts => Ok(Denial::Final(token.holder())),
            Some(_) => Err(self.own_refused()),
            None => Err(self.doubt_own()),
        }
    }

    /// The token lives, or is replaced if it does not. For a session that is to be proved without a read.
    pub(super) async fn check_alive(self: &Arc<Self>, token: &Arc<Token>) -> Result<(), VaultError> {
        match self.verdict(token).await? {
            Verdict::Live => Ok(()),
            Verdict::Refused { certain: false } if token.own && token.opaque => match token.proved() {
                // Reads work, and nothing forbids a token that may not look itself up.
                Some(_) => Ok(()),
                // The first read tells more, so it stays in use.
                None => Err(self.doubt_own()),
            },
            Verdict::Refused { .. } if token.own => Err(self.discard_own(token)),
            Verdict::Refused { certain } if certain || self.denials.is_dead(token, false) => {
                self.discard_refused(token, certain);
                let fresh = self.acquire().await?;
                if !certain && !fresh.is_limited() {
                    self.learn_from(&fresh).await?;
                }
                Ok(())
            }
            Verdict::Refused { .. } => Ok(()),
        }
    }

    /// Whether a token that was just made may look itself up: else each check would take the next one for dead.
    async fn learn_from(&self, fresh: &Token) -> Result<(), VaultError> {
        if self.verdict(fresh).await? == (Verdict::Refused { certain: false }) {
            self.denials.memory.lock().may_look_up = Some(false);
        }
        Ok(())
    }

    fn discard_refused(self: &Arc<Self>, token: &Arc<Token>, certain: bool) {
        // It may live and merely not look itself up: what is not used any more is revoked.
        if self.discard(token) && !certain {
            self.retire(Arc::clone(token));
        }
    }

    fn policy(&self, token: &Token, path: &str) -> Denial {
        let replaced = token.is_due(Instant::now());
        if !token.own && (replaced || self.may_relogin(token)) {
            self.replace(token);
            return Denial::Again { trial: true };
        }
        self.denials.note(token, path);
        Denial::Final(token.holder())
    }

    async fn verdict(&self, token: &Token) -> Result<Verdict, VaultError> {
        let mut remembered = self.denials.verdict.lock().await;
        if let Some((generation, at, verdict)) = *remembered
            && generation == token.generation
            && at.elapsed() < VERDICT
        {
            return Ok(verdict);
        }
        let answer = self.ask_about(token).await?;
        let verdict = match answer.status {
            200 => {
                if let Ok(found) = answer.json::<LookedUpData>() {
                    token.set_holder(found.data.holder());
                }
                token.prove(Instant::now());
                self.denials.memory.lock().may_look_up = Some(true);
                Verdict::Live
            }
            403 if answer.is_vaults_word().is_ok() => Verdict::Refused { certain: answer.says("invalid token") },
            _ => return Err(self.place(LOOKUP_SELF).status(&answer)),
        };
        *remembered = Some((token.generation, Instant::now(), verdict));
        Ok(verdict)
    }
}

impl Denials {
    /// Whether a 403 on the look-up means that the token is dead. One that was just made, or that replaced a token which
    /// was refused likewise, is not: the role's tokens may not look themselves up.
    fn is_dead(&self, token: &Token, is_replacement: bool) -> bool {
        let mut memory = self.memory.lock();
        if is_replacement || (token.proved().is_none() && token.born.elapsed() < FRESH) {
            memory.may_look_up = Some(false);
        }
        memory.may_look_up != Some(false)
    }

    fn is_known(&self, token: &Token, path: &str) -> bool {
        let memory = self.memory.lock();
        memory.generation == token.generation && memory.paths.get(path).is_some_and(|at| at.elapsed() < DENIED)
    }

    /// How many paths were refused to this token, with this one, since it was last accepted.
    fn refused_in_a_row(&self, token: &Token, path: &str) -> usize {
        self.note(token, path);
        let (memory, proved) = (self.memory.lock(), token.proved());
        memory.paths.values().filter(|at| proved.is_none_or(|proved| proved < **at)).count()
    }

    fn note(&self, token: &Token, path: &str) {
        let mut memory = self.memory.lock();
        if memory.generation != token.generation {
            memory.generation = token.generation;
            memory.paths.clear();
        }
        if memory.paths.len() >= MOST_DENIED {
            memory.paths.retain(|_, at| at.elapsed() < DENIED);
        }
        let known = memory.paths.get(path).is_some_and(|at| at.elapsed() < DENIED);
        if !known && memory.paths.len() < MOST_DENIED {
            memory.paths.insert(path.to_owned(), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_doubles_to_ten_minutes() {
        let born = Instant::now();
        let mut ladder = Ladder::default();
        for seconds in [30, 60, 120, 240, 480, 600, 600] {
            let at = born + Duration::from_secs(seconds);
            assert!(!ladder.take(born, at - Duration::from_millis(1)), "{seconds}");
            assert!(ladder.take(born, at), "{seconds}");
        }
    }

    fn token(generation: u64) -> Token {
        Token::from_user("t".into(), None, generation, Instant::now(), 0.5)
    }

    #[test]
    fn denied_paths_are_remembered_for_one_token_and_bounded() {
        let denials = Denials::default();
        denials.note(&token(1), "a");
        assert!(denials.is_known(&token(1), "a"));
        assert!(!denials.is_known(&token(1), "b"));
        assert!(!denials.is_known(&token(2), "a"), "another token may do more");
        for path in 0..2 * MOST_DENIED {
            denials.note(&token(3), &path.to_string());
        }
        assert_eq!(denials.memory.lock().paths.len(), MOST_DENIED);
    }

    #[test]
    fn a_fresh_token_is_not_dead_but_may_not_look_itself_up() {
        let denials = Denials::default();
        let fresh = token(1);
        assert!(!denials.is_dead(&fresh, false));
        let proved = token(2);
        proved.prove(Instant::now());
        assert!(!denials.is_dead(&proved, false), "known from the fresh one");
        denials.memory.lock().may_look_up = Some(true);
        assert!(denials.is_dead(&proved, false));
        assert!(!denials.is_dead(&proved, true), "two in a row are not dead");
        assert!(!denials.is_dead(&proved, false), "and that is remembered");
    }
}

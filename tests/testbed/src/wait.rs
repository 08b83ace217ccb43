//! Waiting for a condition with a deadline: the one place of the testbed, and of the tests, that sleeps.

use crate::{Error, Result};
use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// How long to rest between two looks: short, so that a test is as fast as what it waits for.
const REST: Duration = Duration::from_millis(25);

/// What one look at a condition found.
pub enum Look<T> {
    /// It holds.
    Done(T),
    /// It does not hold yet; the text says what was seen instead.
    NotYet(String),
    /// It will never hold.
    Never(Error),
}

/// Looks until the condition holds, will never hold, or `within` has passed. A look that hangs is cut off at the deadline too.
///
/// # Errors
/// [`Error::TimedOut`] with what was waited for and what was last seen, or the error of [`Look::Never`].
pub async fn poll<T, F>(what: &str, within: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Look<T>,
{
    let end = Instant::now() + within;
    let mut last = "nothing, the first look did not return".to_owned();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, look()).await {
            Ok(Look::Done(value)) => return Ok(value),
            Ok(Look::Never(error)) => return Err(error),
            Ok(Look::NotYet(seen)) => last = seen,
            Err(_) => {}
        }
        // A look that returns at once is not cut off by a timeout of nothing: the clock is read too.
        if Instant::now() + REST > end {
            return Err(Error::TimedOut { what: what.to_owned(), within, last });
        }
        tokio::time::sleep(REST).await;
    }
}

/// Looks until `look` returns `Ok`, and gives its value. An `Err` means "not yet" and says what was seen.
///
/// ```text
/// let secret = wait_until("Secret db-credentials", Duration::from_secs(10), async || {
///     api.get("db-credentials").await
/// }).await?;
/// ```
///
/// # Errors
/// [`Error::TimedOut`] with what was waited for and what was last seen.
pub async fn wait_until<T, E, F>(what: &str, within: Duration, mut look: F) -> Result<T>
where
    E: Display,
    F: AsyncFnMut() -> Result<T, E>,
{
    poll(what, within, async || match look().await {
        Ok(value) => Look::Done(value),
        Err(seen) => Look::NotYet(seen.to_string()),
    })
    .await
}

/// Checks that `look` stays `Ok` for the whole of `during`: for "no second Secret appears", "no request is sent".
///
/// # Errors
/// [`Error::Unexpected`] with what was seen, at the first look that fails.
pub async fn holds_for<E, F>(what: &str, during: Duration, mut look: F) -> Result<()>
where
    E: Display,
    F: AsyncFnMut() -> Result<(), E>,
{
    let start = Instant::now();
    while start.elapsed() < during {
        look().await.map_err(|seen| Error::Unexpected {
            what: format!("{what} should hold for {during:?}, but after {:?}", start.elapsed()),
            why: seen.to_string(),
        })?;
        tokio::time::sleep(REST).await;
    }
    Ok(())
}

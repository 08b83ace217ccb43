//! What the testbed says on stderr while something takes time.

use crate::{
    Error, Guard, Result,
    wait::{Look, poll},
};
use std::{
    fs::{self, File},
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How often a long step says that it still runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Writes a line to stderr.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "testbed: {line}");
}

/// Says what is done, every half a minute that it still is, and how long it took.
///
/// # Errors
/// Those of `work`.
pub async fn track<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    say(&format!("{what}…"));
    let mut work = std::pin::pin!(work);
    let result = loop {
        match tokio::time::timeout(SIGN_OF_LIFE, &mut work).await {
            Ok(result) => break result,
            Err(_) => say(&format!("  still at it after {}", length(start.elapsed()))),
        }
    };
    let end = if result.is_ok() { "done in" } else { "failed after" };
    say(&format!("  {end} {}", length(start.elapsed())));
    result
}

/// Runs a command under [`track`], its output in a log of the guard's folder.
///
/// # Errors
/// [`Error::Io`] where it can't be run, [`Error::Binary`] with the end of its output where it fails.
pub(crate) async fn run(
    guard: &Guard,
    tool: &'static str,
    what: &str,
    command: &mut Command,
    limit: Duration,
) -> Result<()> {
    let log = guard.dir().join(format!("get-{tool}.log"));
    let out = File::create(&log).map_err(Error::io("write", &log))?;
    let err = out.try_clone().map_err(Error::io("write", &log))?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    track(what, async {
        let mut child = guard.spawn(command)?;
        let ended = poll(what, limit, async || match child.try_wait() {
            Ok(Some(status)) => Look::Done(status),
            Ok(None) => Look::NotYet("it still runs".to_owned()),
            Err(error) => Look::Never(Error::io("wait for", command.get_program())(error)),
        })
        .await;
        if ended.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        guard.forget(child.id());
        if ended?.success() {
            return Ok(());
        }
        let output = fs::read_to_string(&log).unwrap_or_default();
        Err(Error::Binary { tool, why: format!("{what} failed: {}", last_lines(&output)) })
    })
    .await
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(12)).map(|line| format!("\n  {line}")).collect()
}

/// `4m12s`, `0.3s`.
pub fn length(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds}s"),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

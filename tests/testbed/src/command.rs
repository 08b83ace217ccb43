//! The command inside of `testbed exec`: in its own process group where there is no terminal, signals passed on, no longer alive than we.

use crate::GRACE;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    io::{IsTerminal, Write},
    process::ExitStatus,
};
use testbed::{Error, Guard, Result, Stack};
use tokio::{
    process::{Child, Command},
    signal::unix::{self, SignalKind},
};

/// The signals that end us.
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// From now on they are ours.
    pub fn new() -> Result<Self> {
        let listen = |kind| {
            unix::signal(kind).map_err(|source| Error::Io { what: "listen for", path: "signals".into(), source })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// Runs the command with the stack in its environment. A signal to us is passed on; after a second one, or ten seconds, it is killed.
pub async fn run(words: &[String], stack: &Stack, guard: &Guard, signals: &mut Signals) -> Result<ExitStatus> {
    let Some((program, args)) = words.split_first() else {
        return Ok(ExitStatus::default());
    };
    // At a terminal it stays in our group, which is the one that may read keys; Ctrl-C then reaches it without us.
    let own_group = !std::io::stdin().is_terminal();
    let mut command = Command::new(program);
    command.args(args).envs(stack.variables());
    forget_package(&mut command);
    if own_group {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|source| Error::Io { what: "run", path: program.into(), source })?;
    let id = child.id().unwrap_or_default();
    if own_group {
        guard.add_group(id)
    } else {
        guard.add_process(id)
    }
    let status = until_end(&mut child, own_group, signals).await;
    if own_group {
        // What it left running in its group would go on against servers that are gone.
        signal(id, Signal::KILL, true);
    }
    guard.forget(id);
    status.map_err(|source| Error::Io { what: "wait for", path: program.into(), source })
}

/// `cargo run` tells us our package. A `cargo` inside of the command would take a build script that looks at these for outdated,
/// and build ring, and all that stands on it, anew each time.
fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_package) {
            command.env_remove(name);
        }
    }
}

async fn until_end(child: &mut Child, own_group: bool, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    let id = child.id().unwrap_or_default();
    let first = tokio::select! {
        status = child.wait() => return status,
        first = signals.next() => first,
    };
    // Ctrl-C at a terminal has reached it already, and twice may mean "at once" to it.
    if own_group || first != Signal::INT {
        signal(id, first, own_group);
    }
    tokio::select! {
        status = child.wait() => return status,
        _ = signals.next() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    signal(id, Signal::KILL, own_group);
    child.wait().await
}

fn signal(id: u32, signal: Signal, group: bool) {
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else {
        return;
    };
    // It may have ended by itself a moment ago.
    let _ = if group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
}

/// A line on stdout.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

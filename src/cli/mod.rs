//! The command line: one file a subcommand.

pub mod crds;
mod election;
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
}

impl Cli {
    /// Does what the command line asks. Messages for people go to standard error.
    pub fn execute(self) -> ExitCode {
        let done = match self.command {
            Command::Run(args) => run::execute(*args).map_err(|error| error.to_string()),
            Command::Crds => crds::execute().map_err(|error| error.to_string()),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                use std::io::Write;
                // Nobody is left to tell where standard error is closed.
                let _ = writeln!(std::io::stderr(), "external-secrets: {message}");
                ExitCode::FAILURE
            }
        }
    }
}

//! The binary: reads the command line and does what it asks.

use clap::Parser;
use external_secrets_rs::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().execute()
}

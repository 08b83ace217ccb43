//! `make bench`: what ExternalSecrets cost at scale, on a real API server and a real OpenBao, beside a floor that is measured
//! in the same run. Prints a table with ratios, and writes the figures and plots of `docs/performance.md`.

mod counts;
mod document;
mod floor;
mod plot;
mod process;
mod report;
mod scenarios;
mod watch;
mod world;

use clap::Parser;
use report::Report;
use std::process::ExitCode;

/// Whatever may go wrong; it is shown to a person.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// A result of the bench.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Measures the operator that was built beside this program (`make bench` builds both).
#[derive(Parser)]
struct Args {
    /// A few minutes instead of half an hour: fewer objects, nothing is written to docs/
    #[arg(long)]
    short: bool,
    /// Only these scenarios, by name; nothing is written to docs/
    #[arg(long, value_delimiter = ',')]
    only: Vec<scenarios::Name>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Subcommand)]
enum Role {
    /// The floor itself, as a process of its own; used by the bench
    #[command(hide = true)]
    Floor(floor::Args),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // One TLS implementation for kube and reqwest, as in the operator.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = Args::parse();
    let done = match args.role {
        Some(Role::Floor(floor)) => floor::run(floor).await,
        None => bench(&args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            testbed::progress::say(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn bench(args: &Args) -> Result {
    let sizes = if args.short { scenarios::SHORT } else { scenarios::WHOLE };
    let mut report = Report::default();
    for name in scenarios::Name::ALL {
        if args.only.is_empty() || args.only.contains(&name) {
            name.run(&sizes, &mut report).await?;
        }
    }
    report::print(&report)?;
    match args.short || !args.only.is_empty() {
        true => Ok(()),
        false => document::write(&report),
    }
}

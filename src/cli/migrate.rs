//! `external-secrets migrate check`: what of a cluster or of manifests for External Secrets Operator works here.

mod cluster;
mod files;
mod output;

use crate::migrate::{Schemas, judge};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;

/// What to do.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge each object that External Secrets Operator has: does it work here, and if not, why. Only reads. Exits with 0
    /// where all work, 1 where one needs an edit or is not served, 2 where something could not be read
    Check(CheckArgs),
}

/// What to check, and how to print it.
#[derive(Debug, ClapArgs)]
struct CheckArgs {
    /// Manifests: a file, a folder (with those below it), or - for standard input [default: the cluster of KUBECONFIG]
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The namespace to look at, or that of manifests that name none [default: as the kubeconfig says]
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    namespace: Option<String>,
    /// Look at all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// One line per reason
    #[default]
    Table,
    /// For programs
    Json,
}

/// Why nothing could be judged.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// A file that can't be read.
    #[error("could not read {place}: {source}")]
    File {
        /// Which.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no YAML.
    #[error("{place} is not YAML{at}; correct it, or leave it out (templates have to be rendered first)")]
    Yaml {
        /// Which.
        place: String,
        /// Line and column, where they are known.
        at: String,
    },
    /// No object of ESO's in any file.
    #[error(
        "no object of External Secrets Operator is in the {files} manifests that were read; name other files with -f"
    )]
    Empty {
        /// How many documents were read.
        files: usize,
    },
    /// No cluster.
    #[error(
        "no Kubernetes cluster to talk to: {0}; set KUBECONFIG to a file that is there and valid, or name files with -f"
    )]
    Config(#[from] kube::config::InferConfigError),
    /// The cluster can't be asked which kinds it has.
    #[error("could not ask the API server for its kinds: {0}; check the kubeconfig")]
    Client(#[from] kube::Error),
    /// A kind can't be listed.
    #[error("could not list {kind}: {problem}; {advice}")]
    List {
        /// Its plural and group.
        kind: String,
        /// What the API server said.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// The system refuses something basic.
    #[error("could not write the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Does it.
pub fn execute(args: Args) -> Result<ExitCode, MigrateError> {
    let Command::Check(args) = args.command;
    let (objects, namespace) = match args.filename.as_slice() {
        [] => cluster::read(args.namespace.as_deref(), args.all_namespaces)?,
        files => (files::read(files)?, args.namespace.clone().unwrap_or_else(|| "default".to_owned())),
    };
    let judgements = judge(&Schemas::default(), &objects, &namespace);
    if judgements.is_empty() && !args.filename.is_empty() {
        return Err(MigrateError::Empty { files: objects.len() });
    }
    let text = match args.output {
        Output::Table => output::table(&judgements),
        Output::Json => output::json(&judgements),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    let is_fine = judgements.iter().all(|judgement| judgement.verdict.is_fine());
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! `external-secrets run`: the operator itself.

use super::election;
use crate::api::GoDuration;
use crate::controller::Controller;
use crate::controller::settings::Settings;
use crate::lease::Lost;
use crate::lease::claim::TermsError;
use crate::telemetry::logs::{self, Format, Level, LevelSwitch};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::readiness::Readiness;
use crate::telemetry::server::{self, ListenAddress, ListenError};
use crate::telemetry::traces::{TraceArgs, Traces, TracesError};
use clap::Args as ClapArgs;
use kube::{Client, Config};
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a connection to the API server may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Threads for templates and for looking up host names; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 8;

/// Flags are named, and default, as External Secrets Operator's where they mean the same.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Where to serve /metrics: ":8080", "127.0.0.1:8080", or "0" for nowhere
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    metrics_addr: ListenAddress,
    /// Where to serve /healthz and /readyz, and /loglevel for those inside of the pod; written likewise
    #[arg(long, default_value = ":8082", value_name = "ADDRESS")]
    live_addr: ListenAddress,
    /// How many ExternalSecrets of one Vault server to sync at the same time; a slow server never takes another's places
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrent: u16,
    /// Watch only this namespace; ClusterSecretStores are ignored [default: all namespaces]
    #[arg(long, value_name = "NAMESPACE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    namespace: Option<String>,
    /// Take only stores whose spec.controller is this, or empty
    #[arg(long, default_value = "default", value_name = "CLASS")]
    controller_class: String,
    /// How much to log
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL", ignore_case = true)]
    loglevel: Level,
    /// How to log: auto means text on a terminal, else JSON
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: Format,
    /// How many Secrets of a store may be deleted within a minute because their source is gone from Vault (with
    /// deletionPolicy: Delete). More than that, or half of a store's if that is at least 5, are kept until someone
    /// confirms. 0 switches it off
    #[arg(long, default_value_t = 50, value_name = "N")]
    deletion_brake: usize,
    /// How often to check a store that has no refreshInterval of its own
    #[arg(long, default_value = "5m", value_name = "DURATION")]
    store_requeue_interval: GoDuration,
    #[command(flatten)]
    election: election::ElectionArgs,
    #[command(flatten)]
    traces: TraceArgs,
}

/// Why the operator could not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// No cluster.
    #[error(
        "no Kubernetes cluster to talk to: {0}; set KUBECONFIG to a file that is there and valid, or run inside of a cluster with a ServiceAccount"
    )]
    Config(#[from] kube::config::InferConfigError),
    /// The client can't be made.
    #[error("the Kubernetes client can't be used: {0}; check the certificates and addresses in the kubeconfig")]
    Client(#[from] kube::Error),
    /// A port is taken.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// The system refuses something basic.
    #[error("the system refused to start the operator: {0}")]
    System(#[from] std::io::Error),
    /// Two could lead at once.
    #[error("{0}")]
    Terms(#[from] TermsError),
    /// Another leads now.
    #[error("{0}; ended at once, so that two never work at the same time; start it again to wait for the lease")]
    Lost(#[from] Lost),
    /// Metrics that can't be registered: a fault of ours.
    #[error("metrics could not be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The collector can't be meant.
    #[error("{0}")]
    Traces(#[from] TracesError),
}

/// Runs the operator until SIGTERM or Ctrl-C.
pub fn execute(args: Args) -> Result<(), RunError> {
    // kube and reqwest share one TLS implementation; a provider that is set already is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let traces = Traces::start(&args.traces, &instance())?;
    let switch = logs::init(args.loglevel, args.log_format, &traces);
    // One thread: what is waited for is the network, and handing work from thread to thread was a third of the processor
    // time. What computes, the templates, runs on threads of its own.
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(BLOCKING_THREADS).enable_all().build()?;
    let ended = runtime.block_on(run(args, switch));
    // A template that still computes is not waited for.
    runtime.shutdown_background();
    traces.stop();
    ended
}

async fn run(args: Args, switch: LevelSwitch) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let client = Client::try_from(config)?;
    let live = args.live_addr.bind().await?;
    let metrics_listener = args.metrics_addr.bind().await?;
    let metrics = Metrics::new()?;
    let election = args.election.candidate(&client, &instance(), &metrics)?;
    let controller = Controller::new(settings(&args), client, metrics);
    let readiness = Readiness::default();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = args.namespace, "starting");
    let serving = CancellationToken::new();
    let live = tokio::spawn(server::serve("health", live, server::health(readiness.clone(), switch), serving.clone()));
    let metrics = server::metrics(controller.render_metrics());
    let metrics = tokio::spawn(server::serve("metrics", metrics_listener, metrics, serving.clone()));
    match election {
        None => controller.run(readiness, stop).await,
        Some(election) => election.lead(controller, readiness, stop).await?,
    }
    serving.cancel();
    let _ = tokio::join!(live, metrics);
    Ok(())
}

fn settings(args: &Args) -> Settings {
    Settings {
        namespace: args.namespace.clone(),
        controller_class: args.controller_class.clone(),
        concurrent: args.concurrent.into(),
        deletion_brake: args.deletion_brake,
        store_requeue_interval: args.store_requeue_interval.as_std(),
        instance: instance(),
    }
}

/// Tells replicas apart: the pod's name.
fn instance() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "external-secrets".to_owned())
}

/// Both signals end the operator in order; a second one ends it at once, with nothing waited for, revoked or released.
fn stop_on_signals(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut either = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        either().await;
        tracing::info!("stopping");
        stop.cancel();
        either().await;
        tracing::warn!("ended by a second signal");
        std::process::exit(1);
    });
    Ok(())
}

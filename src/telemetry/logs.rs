//! Log lines: JSON for machines, text for a terminal.

use crate::telemetry::traces::Traces;
use parking_lot::Mutex;
use std::io::IsTerminal;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text where standard output is a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// One readable line an event.
    Text,
}

/// How much is logged. The names are ESO's, whose `--loglevel` takes zap's levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// Each request and decision.
    Debug,
    /// Each change of a Secret, each new error.
    #[default]
    Info,
    /// What needs a look.
    Warn,
    /// What failed.
    #[value(aliases = ["dpanic", "panic", "fatal"])]
    Error,
}

impl Level {
    /// The level's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Changes how much is logged. Cheap to clone.
#[derive(Clone)]
pub struct LevelSwitch {
    level: Arc<Mutex<Level>>,
    reload: Arc<dyn Fn(EnvFilter) + Send + Sync>,
}

impl LevelSwitch {
    fn new(level: Level, reload: impl Fn(EnvFilter) + Send + Sync + 'static) -> Self {
        Self { level: Arc::new(Mutex::new(level)), reload: Arc::new(reload) }
    }

    /// What is logged now.
    pub fn level(&self) -> Level {
        *self.level.lock()
    }

    /// From now on this much is logged.
    pub fn set(&self, level: Level) {
        let mut now = self.level.lock();
        *now = level;
        (self.reload)(filter(level));
    }
}

/// Starts logging to standard output, and has `traces` take spans. Called once, first thing; a second call changes nothing.
#[cfg_attr(not(feature = "otel"), allow(unused_variables, reason = "there are no traces"))]
pub fn init(level: Level, format: Format, traces: &Traces) -> LevelSwitch {
    let json = match format {
        Format::Json => true,
        Format::Text => false,
        Format::Auto => !std::io::stdout().is_terminal(),
    };
    #[cfg(feature = "otel")]
    if let Some(layer) = traces.layer() {
        return beside_traces(layer, level, json);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter(level)).with_target(level == Level::Debug);
    // A logger that was set before, as by a test, stays; and a filter is gone only with its logger.
    if json {
        let builder = builder.json().flatten_event(true).with_current_span(true).with_span_list(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let _ = builder.try_init();
        LevelSwitch::new(level, move |filter| drop(handle.reload(filter)))
    } else {
        let builder = builder.with_ansi(std::io::stdout().is_terminal()).with_filter_reloading();
        let handle = builder.reload_handle();
        let _ = builder.try_init();
        LevelSwitch::new(level, move |filter| drop(handle.reload(filter)))
    }
}

/// The same lines where spans are taken too: each of the two has its own filter, so neither sees what is for the other.
#[cfg(feature = "otel")]
fn beside_traces(
    traces: Box<dyn tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync>,
    level: Level,
    json: bool,
) -> LevelSwitch {
    use tracing_subscriber::prelude::*;
    let (filter, handle) = tracing_subscriber::reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_target(level == Level::Debug);
    let lines = match json {
        true => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(filter).boxed()
        }
        false => lines.with_ansi(std::io::stdout().is_terminal()).with_filter(filter).boxed(),
    };
    let _ = tracing_subscriber::registry().with(traces).with(lines).try_init();
    LevelSwitch::new(level, move |filter| drop(handle.reload(filter)))
}

/// Our own events at the level asked for, libraries' from `warn` on. kube's client is silent: where a body can't be
/// decoded it logs the whole of it, and that body may be a Secret. So are its watches, which tell at each try what we tell once.
fn filter(level: Level) -> EnvFilter {
    let directives = [
        format!("external_secrets_rs={}", level.as_str()),
        format!("external_secrets={}", level.as_str()),
        "kube_client=off".to_owned(),
        "kube_runtime=off".to_owned(),
    ];
    directives
        .iter()
        .filter_map(|directive| directive.parse::<Directive>().ok())
        .fold(EnvFilter::new("warn"), EnvFilter::add_directive)
}

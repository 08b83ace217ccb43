//! No traces.

use thiserror::Error;

/// No flags: `--otlp-endpoint` is refused as any unknown flag is, so that nobody waits for traces that don't come.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {}

/// Nothing that runs.
#[derive(Debug)]
pub struct Traces;

/// Nothing that fails.
#[derive(Debug, Error)]
pub enum TracesError {}

impl Traces {
    /// Starts nothing, whatever the environment says.
    pub fn start(_args: &TraceArgs, _instance: &str) -> Result<Self, TracesError> {
        Ok(Self)
    }

    /// Stops nothing.
    pub fn stop(self) {}
}

//! Traces: the spans of [`crate::trace`], sent to an OpenTelemetry collector. In a build without the feature `otel` there is
//! neither a flag for it nor code.

#[cfg(feature = "otel")]
mod export;
#[cfg(feature = "otel")]
mod filter;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;

#[cfg(not(feature = "otel"))]
pub use off::{TraceArgs, Traces, TracesError};
#[cfg(feature = "otel")]
pub use on::{TraceArgs, Traces, TracesError};

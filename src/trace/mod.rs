//! Spans of a sync and of what it waits for; docs/observability.md tells of each. They are for traces alone: no log filter lets
//! their target through, so no log line changes. Without the feature `otel` a span is nothing, and what it would say is not
//! even computed.

#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;

#[cfg(not(feature = "otel"))]
pub use off::Span;
#[cfg(not(feature = "otel"))]
pub(crate) use off::span;
#[cfg(feature = "otel")]
pub use on::Span;
#[cfg(feature = "otel")]
pub(crate) use on::span;
pub use tracing::field::Empty;

/// The target of every span of ours.
pub const TARGET: &str = "traces";

/// The span that begins a trace. Any other belongs to one, or is not told.
pub const ROOT: &str = "reconcile";

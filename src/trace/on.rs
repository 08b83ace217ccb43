//! Spans that are told.

use std::fmt::Display;
use tracing::field::Value;
use tracing::instrument::{Instrument, Instrumented};

/// One thing that takes time. It ends with its last clone.
#[derive(Debug, Clone)]
pub struct Span(pub tracing::Span);

/// A span of this name with these fields, below the one that the code runs in. A field that is known only later is
/// [`Empty`](super::Empty).
macro_rules! span {
    ($name:expr $(, $($key:ident).+ = $value:expr)* $(,)?) => {
        $crate::trace::Span(tracing::info_span!(
            target: $crate::trace::TARGET,
            $name,
            $($($key).+ = $value,)*
            result = $crate::trace::Empty,
            otel.status_code = $crate::trace::Empty,
            otel.status_description = $crate::trace::Empty,
        ))
    };
}
pub(crate) use span;

impl Span {
    /// The one that the code runs in.
    pub fn current() -> Self {
        Self(tracing::Span::current())
    }

    /// Sets a field.
    pub fn record(&self, field: &'static str, value: impl Value) {
        self.0.record(field, value);
    }

    /// What it stands for failed.
    pub fn failed(&self, why: impl Display) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("otel.status_description", tracing::field::display(why));
    }

    /// The future, in this span.
    pub fn run<F: Future>(&self, future: F) -> Instrumented<F> {
        future.instrument(self.0.clone())
    }

    /// The future, in this span, which ends with it and tells how: `ok`, or the label of the error.
    pub async fn watch<T, E: Display>(
        self,
        future: impl Future<Output = Result<T, E>>,
        label: impl FnOnce(&E) -> &'static str,
    ) -> Result<T, E> {
        let result = self.run(future).await;
        match &result {
            Ok(_) => self.record("result", "ok"),
            Err(error) => {
                self.record("result", label(error));
                self.failed(error);
            }
        }
        result
    }
}

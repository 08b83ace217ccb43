//! Spans that nobody is told of, in a build without the feature `otel`: nothing is left of them.

use std::fmt::Display;
use tracing::field::Value;

/// One thing that takes time.
#[derive(Debug, Clone)]
pub struct Span;

/// Names its fields for the compiler, and evaluates none.
macro_rules! span {
    ($name:expr $(, $($key:ident).+ = $value:expr)* $(,)?) => {{
        const _: &str = $name;
        $(let _ = || { let _ = &$value; };)*
        $crate::trace::Span
    }};
}
pub(crate) use span;

impl Span {
    /// The one that the code runs in.
    #[inline(always)]
    pub fn current() -> Self {
        Self
    }

    /// Sets a field.
    #[inline(always)]
    pub fn record(&self, _field: &'static str, _value: impl Value) {}

    /// What it stands for failed.
    #[inline(always)]
    pub fn failed(&self, _why: impl Display) {}

    /// The future as it is.
    #[inline(always)]
    pub fn run<F: Future>(&self, future: F) -> F {
        future
    }

    /// The future as it is.
    #[inline(always)]
    pub fn watch<T, E: Display, F: Future<Output = Result<T, E>>>(
        self,
        future: F,
        _label: impl FnOnce(&E) -> &'static str,
    ) -> F {
        future
    }
}

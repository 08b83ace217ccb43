//! What the templates of one object may take, and the meter that holds them to that.

use super::error::{Exceeded, Fault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bounds of all that is rendered with one meter. The default suits Secrets of up to 1 MiB, the most that Kubernetes stores.
///
/// All of them are counts, not times: the same template and data always end the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Work: one for each node evaluated, one for each 64 bytes that a function is given, more for key generation and
    /// password hashing. A million take some tens of milliseconds.
    pub steps: u64,
    /// How deep expressions, blocks and `template` calls may nest, together.
    pub depth: u32,
    /// How deep lists and dicts may hold each other.
    pub nesting: u32,
    /// Size of the results.
    pub output_bytes: usize,
    /// Sum of all strings, lists and dicts made on the way; what is dropped again still counts.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 2_000_000, depth: 100, nesting: 64, output_bytes: 2 << 20, memory_bytes: 64 << 20 }
    }
}

/// Counts what renderings have taken, one after the other: many small templates cost what a large one costs.
#[derive(Debug, Default)]
pub struct Meter {
    limits: Limits,
    steps: u64,
    memory: usize,
    output: usize,
    given_up: Option<Arc<AtomicBool>>,
}

impl Meter {
    /// A meter that nothing has been taken of.
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..Self::default() }
    }

    /// A meter that ends everything, at its next step, once the flag is set.
    pub fn until(limits: &Limits, given_up: Arc<AtomicBool>) -> Self {
        Self { given_up: Some(given_up), ..Self::new(limits) }
    }

    /// Takes what it costs to look through `n` bytes, for work that shares the bounds of templates: a step for each KiB.
    ///
    /// # Errors
    /// [`Exceeded::Steps`] where that is too much.
    pub fn scan(&mut self, n: usize) -> Result<(), Exceeded> {
        self.take(1 + (n as u64) / 1024)
    }

    /// Takes `n` bytes of memory, likewise.
    ///
    /// # Errors
    /// [`Exceeded::Memory`] where that is too much.
    pub fn hold(&mut self, n: usize) -> Result<(), Exceeded> {
        self.memory = self.memory.saturating_add(n);
        match self.memory > self.limits.memory_bytes {
            true => Err(Exceeded::Memory(self.limits.memory_bytes)),
            false => Ok(()),
        }
    }

    fn take(&mut self, n: u64) -> Result<(), Exceeded> {
        self.steps = self.steps.saturating_add(n);
        if self.steps > self.limits.steps {
            return Err(Exceeded::Steps(self.limits.steps));
        }
        match &self.given_up {
            Some(given_up) if given_up.load(Ordering::Relaxed) => Err(Exceeded::GivenUp),
            _ => Ok(()),
        }
    }

    /// The bounds it holds to.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes `n` steps.
    pub(crate) fn step(&mut self, n: u64) -> Result<(), Fault> {
        Ok(self.take(n)?)
    }

    /// Takes the steps that reading `n` bytes costs.
    pub(crate) fn read(&mut self, n: usize) -> Result<(), Fault> {
        self.step(1 + (n as u64) / 64)
    }

    /// Takes `n` bytes of memory. Called before they are allocated.
    pub(crate) fn memory(&mut self, n: usize) -> Result<(), Fault> {
        Ok(self.hold(n)?)
    }

    /// Takes `n` bytes of results.
    pub(crate) fn output(&mut self, n: usize) -> Result<(), Fault> {
        self.output = self.output.saturating_add(n);
        if self.output > self.limits.output_bytes {
            return Err(Exceeded::Output(self.limits.output_bytes).into());
        }
        Ok(())
    }

    /// Fails where `depth` of nested values is too much.
    pub(crate) fn nesting(&self, depth: u32) -> Result<(), Fault> {
        if depth > self.limits.nesting {
            return Err(Exceeded::Nesting(self.limits.nesting).into());
        }
        Ok(())
    }
}

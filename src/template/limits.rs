//! What one rendering may take, and the meter that holds it to that.

use super::error::{Exceeded, Fault};

/// Bounds of one rendering. The default suits Secrets of up to 1 MiB, the most that Kubernetes stores.
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
    /// Size of the result.
    pub output_bytes: usize,
    /// Sum of all strings, lists and dicts made on the way; what is dropped again still counts.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, depth: 100, nesting: 64, output_bytes: 2 << 20, memory_bytes: 64 << 20 }
    }
}

/// Counts what a rendering has taken.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: Limits,
    steps: u64,
    memory: usize,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), steps: 0, memory: 0 }
    }

    /// The bounds it holds to.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes `n` steps.
    pub(crate) fn step(&mut self, n: u64) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(n);
        if self.steps > self.limits.steps {
            return Err(Exceeded::Steps(self.limits.steps).into());
        }
        Ok(())
    }

    /// Takes the steps that reading `n` bytes costs.
    pub(crate) fn read(&mut self, n: usize) -> Result<(), Fault> {
        self.step(1 + (n as u64) / 64)
    }

    /// Takes `n` bytes of memory. Called before they are allocated.
    pub(crate) fn memory(&mut self, n: usize) -> Result<(), Fault> {
        self.memory = self.memory.saturating_add(n);
        if self.memory > self.limits.memory_bytes {
            return Err(Exceeded::Memory(self.limits.memory_bytes).into());
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

//! Go's package fmt: how values become text, by `print`, `printf`, or by standing in an action.

pub(crate) mod float;
mod numbers;
mod print;
mod printf;
pub(crate) mod quote;

pub(crate) use print::{print, println, value_text};
pub(crate) use printf::printf;

use super::error::Fault;
use super::limits::Meter;

/// Text being made, which can't outgrow the memory that is left.
pub(crate) struct Sink<'m> {
    bytes: Vec<u8>,
    meter: &'m mut Meter,
}

impl<'m> Sink<'m> {
    pub(crate) fn new(meter: &'m mut Meter) -> Self {
        Self { bytes: Vec::new(), meter }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.meter.memory(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn fill(&mut self, byte: u8, count: usize) -> Result<(), Fault> {
        self.meter.memory(count)?;
        self.bytes.resize(self.bytes.len() + count, byte);
        Ok(())
    }

    /// Fails where values hold each other too deeply.
    pub(crate) fn nesting(&mut self, depth: u32) -> Result<(), Fault> {
        self.meter.step(1)?;
        self.meter.nesting(depth)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The most that a width or precision may be, as in Go.
pub(crate) const MAX_WIDTH: usize = 1_000_000;

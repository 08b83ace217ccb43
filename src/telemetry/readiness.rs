//! What has to happen before the operator is ready, by name, so that `/readyz` can say what it waits for.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The conditions for being ready that are not met yet.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    waiting: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// One condition; readiness waits until [`Gate::open`] is called.
#[derive(Debug)]
pub struct Gate {
    waiting: Arc<Mutex<BTreeSet<&'static str>>>,
    name: &'static str,
}

impl Readiness {
    /// Adds a condition, told by `name` as long as it is not met.
    pub fn gate(&self, name: &'static str) -> Gate {
        self.waiting.lock().insert(name);
        Gate { waiting: self.waiting.clone(), name }
    }

    /// The names of what is still waited for; empty means ready.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        self.waiting.lock().iter().copied().collect()
    }
}

impl Gate {
    /// Says that the condition is met. Calling it again changes nothing.
    pub fn open(&self) {
        self.waiting.lock().remove(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_once_every_gate_is_open() {
        let readiness = Readiness::default();
        let (first, second) = (readiness.gate("watch of secrets"), readiness.gate("watch of stores"));
        first.open();
        first.open();
        assert_eq!(readiness.waiting_for(), ["watch of stores"]);
        second.open();
        assert!(readiness.waiting_for().is_empty());
    }
}

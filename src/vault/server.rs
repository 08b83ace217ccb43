//! One server as all sessions to it share it: connections, breaker, limit of requests in flight.

use std::fmt;
use std::sync::Arc;

/// A server and how it is trusted: sessions with an equal id share connections, breaker and limits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub(super) address: Arc<str>,
    pub(super) trust: super::connection::Fingerprint,
}

impl ServerId {
    /// `https://vault.example.com:8200`; for messages and labels.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

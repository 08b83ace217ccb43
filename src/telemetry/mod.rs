//! What the operator says about itself: logs, metrics, health, and events on the objects it works for.

pub mod events;
pub mod loglevel;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod readiness;
pub mod server;
pub mod traces;

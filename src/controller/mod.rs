//! The controller: watches what is asked for and keeps it so.
//!
//! ```text
//! watch ──► index ──► queue ──► external_secret: due? ──► gather ──► plan ──► apply ──► report
//!   │                   ▲                          │          │                 │         │
//!   └── wake ───────────┘                       sync::due  stores,vault    api_secrets  status,events
//! ```

mod allowance;
pub mod api_secrets;
mod apply;
mod coexistence;
pub mod connection;
mod deletion;
mod demand;
mod drift;
pub mod error;
mod exposition;
mod external_secret;
mod find;
mod gather;
pub mod index;
pub mod key;
mod login;
pub mod memory;
pub mod method;
pub mod observed;
pub mod queue;
mod references;
mod report;
mod run;
mod secret_store;
mod service_account;
pub mod settings;
mod shared;
mod spans;
mod status;
mod stores;
mod templates;
pub mod uid;
mod untold;
mod wake;
mod watch;
mod workers;

pub use run::Controller;

//! external-secrets-rs: an operator that keeps Kubernetes Secrets equal to what Vault or OpenBao holds.
//!
//! Arrows point one way: `cli` → (`lease`, `migrate`) → `controller` → (`sync`, `vault`, `api`), and `sync` → (`vault`'s types, `template`, `api`),
//! with `telemetry` beside. `sync` and `template` are pure, `vault` knows nothing of Kubernetes. The map of the house is `docs/architecture.md`.

pub mod api;
pub mod cli;
pub mod controller;
pub mod lease;
pub mod migrate;
pub mod sync;
pub mod telemetry;
pub mod template;
pub mod trace;
pub mod vault;
mod words;

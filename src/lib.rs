//! external-secrets-rs.
pub mod vault;

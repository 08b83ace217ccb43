//! external-secrets-rs.

pub mod template;

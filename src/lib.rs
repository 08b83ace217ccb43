//! external-secrets-rs.

//! What a session reads and how little it asks for it, on a real OpenBao.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../vault_support/mod.rs"]
mod vault_support;

mod denied;
mod gone;
mod logins;
mod reads;
mod tokens;

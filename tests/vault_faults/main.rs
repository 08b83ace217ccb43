//! Servers that lie, hang, throttle, break off, are sealed or away: what a session makes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "../vault_support/mod.rs"]
mod vault_support;

mod answers;
mod outages;
mod trust;

use testbed::proxy::Seen;

fn is_read(seen: &Seen) -> bool {
    seen.path.contains("/kv/data/")
}

fn is_health(seen: &Seen) -> bool {
    seen.path == "/v1/sys/health"
}

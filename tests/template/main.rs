//! The template engine beside Go: vectors that Go made, real certificates, limits, and fuzzing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod docs;
mod fuzz;
mod limits;
mod openssl;
mod secrecy;
mod vectors;
